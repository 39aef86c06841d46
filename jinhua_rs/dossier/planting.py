"""The book of planting: every parcel with its stage, the ladder by county, year and setting."""

from pathlib import Path

import geopandas as gpd
import pandas as pd

from jinhua_rs.dossier.book import CANOPY, COUNTY, SEEN, WHY, Column, Sheet, write_book, write_layer
from jinhua_rs.dossier.brief import Brief
from jinhua_rs.figures import Rungs, Words, ladder_bars, place_map

__all__ = ["write_planting"]

_RUNGS = (
    Column("reported_mu", "上报面积（亩）", 13, "mu"),
    Column("mapped_mu", "上图面积（亩）", 13, "mu"),
    Column("greened_mu", "见绿面积（亩）", 13, "mu"),
    Column("forest_mu", "成林面积（亩）", 13, "mu"),
    Column("net_new_mu", "净新增成林（亩）", 13, "mu"),
)
_YEAR = Column("year", "造林年度", 9, "whole")
_SETTING = Column("setting", "六大森林", 9)
_GROUPS = {"county": COUNTY, "year": _YEAR, "setting": _SETTING}
_PARCELS = (
    Column("parcel", "小班编号", 16),
    COUNTY,
    _YEAR,
    _SETTING,
    Column("species", "树种", 14),
    Column("type", "造林类别", 9),
    Column("stage", "阶段", 26),
    WHY,
    *_RUNGS,
    Column("age", "林龄（年）", 8, "whole"),
    CANOPY,
    Column("gap", "NDVI 较对照", 10, "index"),
    Column("gap_p", "p 值", 8, "index"),
    SEEN,
    Column("n_clear", "平均晴空次数", 10, "index"),
    Column("duplicate_of", "重复上报（先报小班）", 18),
    Column("on_farmland_mu", "占永久基本农田（亩）", 14, "mu"),
    Column("conflict", "占用预警", 9),
)
_STAGES = {
    "成林": "#1f6b3b", "已见木本": "#5fa04e", "已见绿": "#a9c96b", "已整地": "#d9bf8b",
    "未见成效": "#e3a24f", "逾期未成林": "#d1742b", "已失去": "#b3261e",
}  # fmt: skip
_UNJUDGED = (Words("遥感不可判", "cannot be judged from space"), "#b8c0c4")
_TITLE = Words("造林核查台账", "Afforestation ledger")
_NOTES = {
    "四级面积": "上报 ≥ 上图 ≥ 见绿 ≥ 成林。上图为图上实有且未被更早小班占用的面积；见绿为 NDVI "
    "较对照地块显著升高的部分；成林为林龄 3 年以上、连续两年林冠覆盖度不低于 0.20 且判为林地、连片 "
    "1 亩以上，此后两者均未见林木方计为失去。",
    "遥感不可判": "幼树太小、面积过小（不足 7 个像元）、无晴空观测或未报年度的小班不作结论，"
    "不等于未造林。",
    "经济林": "油茶、茶、香榧、果树等以见绿判定，不以林冠覆盖度判定；原为林地、灌丛或果园、"
    "且绿度与对照无异者，新旧难分，不作结论。",
    "口径": "遥感核查结果供外业核实，不替代检查验收。",
}


def write_planting(
    folder: Path,
    brief: Brief,
    found: gpd.GeoDataFrame,
    sums: dict[str, pd.DataFrame],
    progress: dict[str, str],
) -> None:
    """
    Write ``afforestation.csv``, ``.gpkg``, ``.xlsx`` and two pictures into a folder.

    Parameters
    ----------
    folder : Path
        Exists, and is being made.
    brief : Brief
    found : GeoDataFrame
        As :func:`jinhua_rs.afforestation.ledger` returns it.
    sums : dict
        Sums of the ladder by ``county``, ``year`` and ``setting``.
    progress : dict
        Lines on the target of the plan, what and how much.
    """
    told = found.assign(county_name=[brief.name_of(code) for code in found["county"]])
    told.drop(columns="geometry").to_csv(folder / "afforestation.csv", index=False)
    write_layer(folder / "afforestation.gpkg", told, _PARCELS, brief)
    sheets = [Sheet("小班台账", told, _PARCELS)]
    for by, table in sums.items():
        shown = table.reset_index(names=by)
        if by == "county":
            shown["county_name"] = [brief.name_of(code) for code in shown["county"]]
        columns = (_GROUPS[by], Column("parcels", "小班数", 9, "whole"), *_RUNGS)
        sheets.append(Sheet(f"按{_GROUPS[by].heading}汇总"[:31], shown, columns))
    write_book(
        folder / "afforestation.xlsx", f"{brief.period.name_zh}{_TITLE.zh}", brief, sheets,
        _NOTES | progress,
    )  # fmt: skip
    _draw(folder, brief, told, sums["county"])


def _draw(folder: Path, brief: Brief, told: gpd.GeoDataFrame, by_county: pd.DataFrame) -> None:
    groups = [
        Rungs(
            Words(brief.name_of(str(code)), str(code)),
            (row["reported_mu"], row["mapped_mu"], row["greened_mu"], row["forest_mu"]),
        )
        for code, row in by_county.iterrows()
    ]
    title = Words("造林核查：上报、上图、见绿、成林", "Planting: reported, mapped, greened, forest")
    (folder / "afforestation.png").write_bytes(ladder_bars(groups, brief.caption(title)))
    known = {stage: (Words(stage, stage), colour) for stage, colour in _STAGES.items()}
    stages = [stage if stage in known else "" for stage in told["stage"]]
    picture = place_map(
        told.assign(category=stages),
        known | {"": _UNJUDGED},
        brief.units,
        brief.caption(Words("造林小班阶段图", "Planting parcels by stage")),
        ground=brief.ground,
    )
    (folder / "afforestation-map.png").write_bytes(picture)
