"""The book of mines: one row and one card a mine, its years, the roll-up by county."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry.base import BaseGeometry

from jinhua_rs.dossier.book import CANOPY, COUNTY, SEEN, WHY, Column, Sheet, write_book, write_layer
from jinhua_rs.dossier.brief import Brief
from jinhua_rs.figures import MineSheet, Picture, Words, mine_card, place_map, shown
from jinhua_rs.mines.judge import MineStatus
from jinhua_rs.mines.record import MineRecord, Span

__all__ = ["write_mines"]

_METRICS = {
    "delta_ir": "ΔIR（5 年增量）", "yryr": "YrYr（年均）", "rri": "RRI（相对恢复）",
    "r80p": "R80P（对 80% 目标）", "y2r": "Y2R（达标年数）",
}  # fmt: skip
_YEARS_NEEDED = {"delta_ir": 5, "yryr": 5, "rri": 4, "r80p": 4}
_COLUMNS = (
    Column("mine", "矿山编号", 12),
    Column("name", "名称", 16),
    COUNTY,
    Column("area_mu", "面积（亩）", 11, "mu"),
    Column("reported", "上报状态", 10),
    Column("status", "遥感状态", 16),
    WHY,
    Column("opened", "开采年", 8, "whole"),
    Column("start", "恢复起始年", 9, "whole"),
    Column("last_year", "最近观测年", 9, "whole"),
    Column("bare_share", "裸露占比", 9, "share"),
    CANOPY,
    Column("steep_share", "陡崖占比（≥55°）", 10, "share"),
    Column("target", "目标 NBR", 9, "index"),
    Column("target_low", "目标下限", 9, "index"),
    Column("target_high", "目标上限", 9, "index"),
    Column("target_source_zh", "目标来源", 14),
    Column("ring_px", "参照像元数", 9, "whole"),
    *(
        Column(f"{name}{end}", f"{heading}{part}", 11, "index")
        for name, heading in _METRICS.items()
        for end, part in (("", ""), ("_low", " 下限"), ("_high", " 上限"))
    ),
    Column("covered_y2r", "植被覆盖达标年数", 10, "whole"),
    SEEN,
)
_SOURCES = {"pre-disturbance": "开采前两年", "reference ring": "参照环", "": "—"}
_COLOURS = {
    MineStatus.ACTIVE: "#b3261e", MineStatus.STALLED: "#e3a24f", MineStatus.RELAPSED: "#7a2e6b",
    MineStatus.RECOVERING: "#9cc45a", MineStatus.RESTORED: "#1f6b3b", MineStatus.UNKNOWN: "#b8c0c4",
}  # fmt: skip
_NOTES = {
    "状态": "在采或裸露、恢复中、恢复停滞（满三年后 NBR 未达标且无显著上升）、已恢复（满三年，"
    "三年中两年达到目标的 80%，且林冠覆盖度不低于 0.20）、复垦后退化、不能判定。",
    "目标": "有开采前两年影像时取其均值，否则取 100–1000 米参照环：同坡度坡向、历年稳定的林地，"
    "不少于 50 个像元（参照生态系统，GB/T 43933-2024）。",
    "指标": "Frazier 等（2018）：ΔIR、YrYr、RRI、R80P、Y2R，以 NBR 计；区间为 50 米分块自助法 95% "
    "区间，反映矿区内部差异，不反映年际差异。RRI、R80P 须恢复满 4 年，ΔIR、YrYr 须满 5 年；"
    "未满或未达标者记“—”。",
    "绿不等于恢复": "草灌可在一两年内使 NDVI 达标，故另列“植被覆盖达标年数”；"
    "状态以 NBR 与林冠判定。",
    "陡崖": "坡度 55° 以上岩面难以复绿，面积占比单列，不计入指标。",
}
_TITLE = Words("矿山生态修复档案", "Mine restoration record")


def write_mines(
    folder: Path,
    brief: Brief,
    table: gpd.GeoDataFrame,
    records: Mapping[str, MineRecord],
    by_county: pd.DataFrame,
    pictures: Mapping[str, Sequence[Picture]],
) -> None:
    """
    Write ``mines.csv``, ``.gpkg``, ``.xlsx``, a map and a card for every mine into a folder.

    Parameters
    ----------
    folder : Path
        Exists, and is being made.
    brief : Brief
    table, records, by_county : GeoDataFrame, mapping, DataFrame
        As :mod:`jinhua_rs.mines.tables` makes them.
    pictures : mapping
        Pictures of each mine, first, middle and last year.
    """
    told = table.assign(
        county_name=[brief.name_of(code) for code in table["county"]],
        target_source_zh=[_SOURCES[source] for source in table["target_source"]],
    )
    told.drop(columns="geometry").to_csv(folder / "mines.csv", index=False)
    write_layer(folder / "mines.gpkg", told, _COLUMNS, brief)
    rolled = by_county.rename(index=brief.name_of).reset_index(names="county_name")
    statuses = [status.value for status in MineStatus]
    roll = (
        COUNTY,
        *(Column(status, f"{status}\n（个）", 12, "whole") for status in statuses),
        Column("total", "合计（个）", 10, "whole"),
        *(Column(f"{status}_mu", f"{status}\n（亩）", 12, "mu") for status in statuses),
        Column("total_mu", "合计（亩）", 12, "mu"),
    )
    sheets = [Sheet("矿山档案", told, _COLUMNS), Sheet("分县汇总", rolled, roll)]
    title = f"{brief.period.name_zh}{_TITLE.zh}"
    write_book(folder / "mines.xlsx", title, brief, sheets, _NOTES)
    categories = {
        status.value: (Words(status.value, status.text("en")), colour)
        for status, colour in _COLOURS.items()
    }
    chart = place_map(
        told.assign(category=told["status"]),
        categories,
        brief.units,
        brief.caption(_TITLE),
        ground=brief.ground,
    )
    (folder / "mines-map.png").write_bytes(chart)
    cards = folder / "cards"
    cards.mkdir()
    for place, row in enumerate(told.itertuples(), start=1):
        card = _card(row.geometry, records[str(row.mine)], pictures.get(str(row.mine), ()))
        title_of = Words(f"{row.name}（{row.county_name}）", f"Mine {row.mine}")
        (cards / f"{place:04d}.png").write_bytes(mine_card(card, brief.caption(title_of)))


def _card(outline: BaseGeometry, record: MineRecord, pictures: Sequence[Picture]) -> MineSheet:
    yearly, verdict = record.yearly, record.verdict
    nothing = np.full(len(record.years), np.nan)
    return MineSheet(
        years=record.years,
        value=yearly["nbr"],
        ring=yearly["ring_nbr"],
        canopy=yearly.get("canopy", nothing),
        bare=yearly["bare_share"],
        target=record.target.value,
        start=record.start,
        status=Words(verdict.status.value, verdict.status.text("en")),
        lines=[Words(verdict.why_zh, verdict.why), *_lines(record)],
        outline=outline,
        pictures=pictures,
    )


def _lines(record: MineRecord) -> list[Words]:
    source = _SOURCES[record.target_source]
    found = [
        Words(
            f"目标 NBR {_span(record.target)}\n　取自{source}，{record.ring_px} 个参照像元",
            f"target NBR {_span(record.target)}\n  {record.target_source}, {record.ring_px} px",
        )
    ]
    for name, heading in _METRICS.items():
        span = record.metrics[name]
        told = _missing(record, name) if np.isnan(span.value) else Words(_span(span), _span(span))
        found.append(Words(f"{heading}：{told.zh}", f"{name}: {told.en}"))
    return [*found, Words("图中灰色：无晴空观测", "grey: not seen clear")]


def _missing(record: MineRecord, metric: str) -> Words:
    """Say why a metric is not known."""
    if record.start is None or record.start not in record.years:
        return Words("未见恢复起点，不能算", "no start of a recovery seen")
    if metric == "y2r":
        return Words("尚未达标", "not reached yet")
    needed = _YEARS_NEEDED[metric]
    if record.years[-1] - record.start < needed:
        return Words(f"恢复满 {needed} 年后可算", f"after {needed} years of recovery")
    return Words("所需年份无晴空观测，或无目标", "the years it needs not seen, or no target")


def _span(span: Span) -> str:
    """Write a number with its interval; a dash where it is not known."""
    if np.isnan(span.value) or np.isnan(span.low):
        return shown(span.value)
    return f"{shown(span.value)}（{shown(span.low)} ~ {shown(span.high)}）"
