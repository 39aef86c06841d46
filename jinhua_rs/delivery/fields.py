"""The fields of a patch as it is handed over: short names, Chinese names, values, drop-downs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import geopandas as gpd
import pandas as pd

from jinhua_rs.causes import CAUSE_CLASSES
from jinhua_rs.patches import (
    CONFIDENCE,
    KINDS,
    REASONS,
    ROLES,
    TIERS,
    Book,
    Patch,
    Register,
    State,
    Verdict,
    Worth,
    tier,
    worth,
)
from jinhua_rs.schema import LAND_CLASSES
from jinhua_rs.settings import Patches
from jinhua_rs.units import hectares, mu

__all__ = [
    "ANSWERS",
    "FIELDS",
    "ID",
    "OBSERVED",
    "VERSION",
    "Field",
    "Handover",
    "Row",
    "rows",
    "table",
]


@dataclass(frozen=True, slots=True)
class Row:
    """One patch with what is known of it beside its record; ``label`` marks simulated data."""

    patch: Patch
    worth: Worth
    state: State
    version: int
    newest: Verdict | None
    parents: str
    tier: str
    label: str


@dataclass(frozen=True, slots=True)
class Handover:
    """
    What is handed over.

    ``rows`` in the order in which they are to be looked at; ``counties`` what
    :func:`jinhua_rs.patches.by_county` returns; ``crs`` of the grid; ``label`` marks simulated
    data, empty for real ones; ``now`` is an instant with zone, carried by the files.
    """

    rows: Sequence[Row]
    counties: pd.DataFrame
    crs: str
    title: str
    label: str
    rules: Patches
    now: datetime

    @property
    def how(self) -> str:
        """How patches are made, in Chinese, for the metadata of every file that holds any."""
        rules = self.rules
        return (
            f"像元按四邻接连成图斑，小于 {rules.hole_m2:g} 平方米的空洞已填补；"
            f"{rules.candidate_m2:g} 平方米起为候选，{rules.reportable_mu:g} 亩起可上报"
            f"（1 亩 = 10000/15 平方米），{rules.priority_ha:g} 公顷起优先。"
        )


@dataclass(frozen=True, slots=True)
class Field:
    """
    One field.

    ``key`` is ASCII, at most ten letters, so that a Shapefile can hold it; ``zh`` fits a FileGDB,
    with the unit after ``_``. ``kind`` is ``text``, ``whole`` or ``number``; ``choices`` what a
    drop-down offers; ``answer`` is True for what staff fill in. ``value`` gives None where a
    thing is not known or its layer is not supplied, which is never 0.
    """

    key: str
    zh: str
    en: str
    kind: str
    value: Callable[[Row], Any]
    choices: tuple[str, ...] = ()
    answer: bool = False


_LAND = {info.code: info.name_zh for info in LAND_CLASSES}
_CAUSES = {info.code: info.name_zh for info in CAUSE_CLASSES}
OBSERVED = "卫星观测"
"""What data are that are not simulated."""


def _land(code: int) -> str | None:
    return _LAND.get(code)


def _overlap(role: str, key: str, zh: str, en: str) -> tuple[Field, Field]:
    def area(row: Row) -> float | None:
        shared = row.patch.facts.overlaps[role]
        return None if shared is None else round(mu(shared), 2)

    def share(row: Row) -> float | None:
        shared = row.patch.facts.overlaps[role]
        return None if shared is None else round(100 * shared / row.patch.facts.area_m2, 1)

    return (
        Field(f"{key}_MU", f"占{zh}_亩", f"on {en}, mu", "number", area),
        Field(f"{key}_BL", f"占{zh}_百分比", f"on {en}, %", "number", share),
    )


ID, VERSION = "TBBH", "BBH"
"""Keys of the fields by which an answer finds its patch again."""

_NAMES = tuple(names[0] for names in REASONS.values())
_TOLD: tuple[Field, ...] = (
    Field(ID, "图斑编号", "id", "text", lambda r: r.patch.id),
    Field(VERSION, "版本", "version", "whole", lambda r: r.version),
    Field("LX", "类型", "kind", "text", lambda r: KINDS[r.patch.kind][0]),
    Field("DJ", "等级", "tier", "text", lambda r: TIERS[r.tier][0]),
    Field("ZT", "状态", "state", "text", lambda r: str(r.state)),
    Field("PM", "核查顺序", "rank", "whole", lambda r: r.worth.rank or None),
    Field("QWZ", "期望值", "expected value", "number", lambda r: round(r.worth.value, 3)),
    Field("KN", "为真概率", "probability", "number", lambda r: round(r.worth.probable, 3)),
    Field("XDM", "县代码", "county code", "text", lambda r: r.patch.facts.county),
    Field("XMC", "县名称", "county", "text", lambda r: r.patch.facts.county_name),
    Field("XZMC", "乡镇", "township", "text", lambda r: r.patch.facts.township),
    Field("MJ_MU", "面积_亩", "area, mu", "number", lambda r: round(mu(_area(r)), 2)),
    Field("MJ_HA", "面积_公顷", "area, ha", "number", lambda r: round(hectares(_area(r)), 4)),
    Field("TBMJ", "图斑面积_平方米", "area on the ellipsoid, m2", "number",
          lambda r: r.patch.facts.ellipsoid_m2),
    Field("QDL", "前地类", "class before", "text", lambda r: _land(r.patch.facts.before)),
    Field("HDL", "后地类", "class after", "text", lambda r: _land(r.patch.facts.after)),
    Field("SCRQ", "首次发现日期", "first day", "text", lambda r: r.patch.facts.first_day or None),
    Field("MCRQ", "最近发现日期", "last day", "text", lambda r: r.patch.facts.last_day or None),
    Field("SCSQ", "首见时段", "first period", "text", lambda r: r.patch.sightings[0].period),
    Field("ZJSQ", "最近时段", "last period", "text", lambda r: r.patch.last_period),
    Field("ZXD", "置信度", "confidence", "text", lambda r: CONFIDENCE[r.patch.facts.confidence][0]),
    Field("YY", "遥感判读原因", "cause", "text", lambda r: _CAUSES.get(r.patch.facts.cause)),
    Field("XHQD", "信号强度", "size of the signal", "number", lambda r: r.patch.facts.size),
    Field("GCS", "晴空观测数", "clear looks", "whole", lambda r: r.patch.facts.looks),
    *_overlap("basic_farmland", "JBNT", "永久基本农田", "basic farmland"),
    *_overlap("red_line", "STHX", "生态保护红线", "red line"),
    *_overlap("reserves", "BHD", "自然保护地", "reserves"),
    *_overlap("parcels", "ZLDK", "造林地块", "reported parcels"),
    *_overlap("permits", "CFXK", "采伐许可", "felling permits"),
    Field("DKBH", "造林地块编号", "parcel", "text", lambda r: r.patch.facts.parcel or None),
    Field("XKZH", "采伐许可证号", "permit", "text", lambda r: r.patch.facts.permit or None),
    Field("FTB", "父图斑", "parents", "text", lambda r: r.parents or None),
    Field("SCYY", "上次原因", "last reason", "text",
          lambda r: None if r.newest is None else REASONS.get(r.newest.reason, (None,))[0]),
    Field("SCHCR", "上次核查人", "last judged by", "text",
          lambda r: None if r.newest is None else r.newest.who),
    Field("SCSJ", "上次核查时间", "last judged", "text",
          lambda r: None if r.newest is None else r.newest.when),
    Field("SJXZ", "数据性质", "nature", "text", lambda r: r.label or OBSERVED),
)  # fmt: skip
ANSWERS: tuple[Field, ...] = (
    Field("XZT", "新状态", "new state", "text", lambda _: None,
          tuple(str(state) for state in State if state is not State.OPEN), answer=True),
    Field("XYY", "原因", "reason", "text", lambda _: None, _NAMES, answer=True),
    Field("HCR", "核查人", "judged by", "text", lambda _: None, answer=True),
    Field("HCJS", "角色", "role", "text", lambda _: None,
          tuple(names[0] for names in ROLES.values()), answer=True),
    Field("HCRQ", "核查日期", "day", "text", lambda _: None, answer=True),
    Field("BZ", "备注", "note", "text", lambda _: None, answer=True),
)  # fmt: skip
"""What staff fill in; empty as handed over."""
FIELDS: tuple[Field, ...] = (*_TOLD, *ANSWERS)
"""All fields, in their order."""


def rows(register: Register, book: Book, rules: Patches, label: str) -> Iterator[Row]:
    """Every patch that stands, those to be looked at first in front, then the others by id."""
    values, states, counts = worth(register, book, rules), book.states, book.counts
    newest = book.newest
    parents: dict[str, list[str]] = {}
    for link in register.lineage:
        parents.setdefault(link.child, []).append(link.parent)
    standing = [patch for patch in register.patches if patch.stands]
    for patch in sorted(standing, key=lambda one: (values[one.id].rank or 10**9, one.id)):
        yield Row(
            patch=patch,
            worth=values[patch.id],
            state=states.get(patch.id, State.OPEN),
            version=patch.version + counts[patch.id],
            newest=newest.get(patch.id),
            parents="、".join(sorted(set(parents.get(patch.id, ())))),
            tier=tier(patch, rules),
            label=label,
        )


def table(given: Handover, names: Mapping[str, str]) -> gpd.GeoDataFrame:
    """
    Lay rows out as a layer.

    Parameters
    ----------
    given : Handover
    names : Mapping
        Key of a field to what its column is called.

    Returns
    -------
    GeoDataFrame
        Text (None = not known), ``Int32`` and ``float64`` columns (missing = not known), Polygons.
    """
    kinds = {"text": "object", "whole": "Int32", "number": "float64"}
    columns = {
        names[field.key]: pd.Series(
            [field.value(row) for row in given.rows], dtype=kinds[field.kind]
        )
        for field in FIELDS
    }
    outlines = [row.patch.outline for row in given.rows]
    return gpd.GeoDataFrame(columns, geometry=outlines, crs=given.crs)


def _area(row: Row) -> float:
    return row.patch.facts.area_m2
