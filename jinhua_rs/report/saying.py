"""What a report has to say: a claim for every row that people are told about, and warnings."""

import math
from collections.abc import Iterator
from dataclasses import asdict, replace

from jinhua_rs.estimation.claims import Claim
from jinhua_rs.figures import DASH, Words, percent, shown
from jinhua_rs.period import Period
from jinhua_rs.report.data import ReportData, Row, TargetLine
from jinhua_rs.report.said import Said
from jinhua_rs.units import ten_thousand_mu

__all__ = ["COVER_TARGET", "told"]

COVER_TARGET = "forest_cover"
"""Name of the target that coverage is held against."""

_COVERAGE = "tree_cover_share"
_MAPPED = "tree_cover_share_mapped"
_TOLD = (
    _COVERAGE,
    "tree_cover_area",
    "statutory_share_lower",
    "statutory_share_upper",
    "statutory_share_calibrated",
    "woody_share",
)
_TREND = "tree_cover_trend"
_CHANGES = ("tree_cover_change", "statutory_change")


def told(data: ReportData) -> ReportData:
    """
    Return ``data`` with everything said that it allows: claims and the warnings of targets.

    Coverage of every unit is held against the target of the city. A unit without any estimate is
    told by its map count, as what it is. Equal data say the same.

    Raises
    ------
    ContractError
        If a row does not hold what a claim needs, such as its points.
    ConfigError
        If baseline and period are of different seasons.
    """
    targets = tuple(replace(one, warning=_doubt(one, data)) for one in data.targets)
    return replace(data, claims=_said(data), targets=targets)


def _said(data: ReportData) -> tuple[Said, ...]:
    """Claims unit by unit, in the order of the units."""
    goal = next((one.value for one in data.targets if one.key == COVER_TARGET), None)
    names = {unit.code: unit.name for unit in data.units}
    order = {unit.code: place for place, unit in enumerate(data.units)}
    claims = sorted(_claims(data), key=lambda one: order[one.unit])
    return tuple(
        Said.of(one, names[one.unit], target=goal if one.what in (_COVERAGE, _MAPPED) else None)
        for one in claims
    )


def _claims(data: ReportData) -> Iterator[Claim]:
    estimated = {row.unit for row in data.rows if row.indicator == _COVERAGE}
    for row in data.rows:
        if row.indicator in _TOLD or (row.indicator == _MAPPED and row.unit not in estimated):
            yield Claim.of_row(_numbers(row))
    first = min([*(row.period for row in data.series), data.period])
    for row in data.rows:
        if row.indicator == _TREND:
            yield Claim.of_row(_numbers(row), baseline=Period.parse(first))
    since = None if data.baseline is None else Period.parse(data.baseline)
    for row in data.change_rows:
        if row.indicator in _CHANGES:
            yield Claim.of_row(_numbers(row), baseline=since)


def _numbers(row: Row) -> dict[str, object]:
    """Return the row with NaN for what is not known."""
    return {name: math.nan if value is None else value for name, value in asdict(row).items()}


def _doubt(target: TargetLine, data: ReportData) -> Words | None:
    """Warn of a target that has a second reading, with both as shares of the land."""
    if target.alternative is None:
        return None
    number, other = shown(target.value), shown(target.alternative)
    city = next((unit.area_m2 for unit in data.units if unit.level == "city"), math.nan)
    of_land = [
        percent(100 * reading / ten_thousand_mu(city)) if target.unit == "万亩" else DASH
        for reading in (target.value, target.alternative)
    ]
    why = Words(f"依据：{target.doubt}。", f" Grounds: {target.doubt}.") if target.doubt else None
    return Words(
        f"数值存疑：规划原文为 {number}{target.unit}（相当于全市土地的 {of_land[0]}），疑为 "
        f"{other}{target.unit}（{of_land[1]}）之误。{why.zh if why else ''}"
        "请先向主管部门核实；核实之前本报告不计算完成率。",
        f"Doubtful figure: the plan says {number} {target.unit} ({of_land[0]} of the city's "
        f"land); {other} {target.unit} ({of_land[1]}) is probably meant.{why.en if why else ''} "
        "Ask the bureau; until then no rate of completion is computed.",
    )
