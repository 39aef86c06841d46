"""The book of the plan's themes: corridors, reserves, parks, returned farmland."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from jinhua_rs.dossier.book import SEEN, Column, Sheet, write_book
from jinhua_rs.dossier.brief import Brief

__all__ = ["write_themes"]

_COLUMNS = (
    Column("title", "专题", 30),
    Column("feature", "对象", 18),
    Column("indicator_zh", "指标", 26),
    Column("value", "数值", 14, "mu"),
    Column("measure_zh", "单位", 8),
    Column("status_zh", "状态", 14),
    SEEN,
    Column("source", "出处 / 说明", 60),
)
_INDICATORS = {
    "area_ha": "面积", "share_of_area": "占区域面积比例",
    "tree_cover_share_mapped": "林木覆盖率（像元统计）",
    "gain_ha": "林木增加（像元统计）", "loss_ha": "林木减少（像元统计）", "length_m": "长度",
    "woody_share": "沿线木本占比", "gap_length_m": "断带长度", "gap_share": "断带占比",
    "longest_gap_m": "最长断带", "served_share": "服务半径覆盖率", "parks": "达标公园数",
    "cropland_to_forest_ha": "耕地转林地", "cropland_to_shrub_grass_ha": "耕地转灌草",
    "cropland_to_wetland_ha": "耕地转水域湿地",
}  # fmt: skip
_STATES = {
    "mapped": "像元统计，仅供参考", "insufficient": "数据不足", "needs layer": "需提供图层",
    "no baseline": "需设基期",
}  # fmt: skip
_MEASURES = {"ha": "公顷", "m": "米", "count": "个"}
_NOTES = {
    "断带": "沿线每 100 米一段，缓冲带内木本占比低于 20% 的段记为断带；水面不计入分母。",
    "仅供参考": "本表为像元统计，未经样本校正，无置信区间，不用于达标判定。",
}


def write_themes(folder: Path, brief: Brief, rows: pd.DataFrame, titles: Mapping[str, str]) -> None:
    """
    Write ``themes.csv`` and ``themes.xlsx`` into a folder.

    Parameters
    ----------
    rows : DataFrame
        As :func:`jinhua_rs.greenspace.theme_rows` returns it.
    titles : mapping
        Chinese title by name of the theme.
    """
    rows.to_csv(folder / "themes.csv", index=False)
    told = rows.assign(
        title=rows["theme"].map(titles),
        indicator_zh=rows["indicator"].map(_INDICATORS),
        measure_zh=rows["measure"].replace(_MEASURES),
        status_zh=rows["status"].map(_STATES),
    )
    title = f"{brief.period.name_zh}规划专题指标"
    write_book(folder / "themes.xlsx", title, brief, [Sheet("专题指标", told, _COLUMNS)], _NOTES)
