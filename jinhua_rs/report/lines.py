"""The county table: what is known of each unit, side by side."""

from collections.abc import Iterable
from dataclasses import dataclass

from jinhua_rs.figures import MISSING, Estimate, Words
from jinhua_rs.report.data import ReportData, Row, Unit
from jinhua_rs.report.said import Said
from jinhua_rs.schema import Status

__all__ = ["Line", "headline_unit", "lines"]

_STATUS = {
    Status.OK: Words("可用", "usable"),
    Status.NO_INTERVAL: Words("仅供参考", "context only"),
    Status.INSUFFICIENT: Words("数据不足", "insufficient data"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """
    One unit of the county table.

    ``share`` is in percent, ``change`` in points, the areas in hectares. ``share`` is the
    estimate with interval where there is one, else the pixel count, else nothing; where data
    are insufficient for the estimate no pixel count stands in. ``area`` is of the same kind as
    ``share``. ``gain`` and ``loss`` are pixel counts. ``told`` is what is said of the coverage,
    ``spread`` of the area, ``changed`` of the change,
    ``trend`` of the course over the years; ``None`` where there is no row.
    """

    unit: Unit
    share: Estimate
    area: Estimate
    change: Estimate
    gain: Estimate
    loss: Estimate
    told: Said | None
    spread: Said | None
    changed: Said | None
    trend: Said | None

    @property
    def status(self) -> Words:
        """What may be done with the coverage, in words."""
        return _STATUS[self.share.status]

    @property
    def whole(self) -> bool:
        """True for the city itself."""
        return self.unit.level == "city"


def lines(data: ReportData) -> tuple[Line, ...]:
    """Return one line for each unit, in the order of ``data.units``."""
    now = _by_unit(data.rows)
    change = _by_unit(data.change_rows)
    claims = {(one.unit, one.what): one for one in data.claims}
    return tuple(_line(unit, now, change, claims) for unit in data.units)


def headline_unit(data: ReportData) -> Line | None:
    """
    Return the line that the report opens with.

    The city; in a report of a single unit that unit; otherwise ``None``.
    """
    found = lines(data)
    whole = [line for line in found if line.whole]
    if whole:
        return whole[0]
    return found[0] if len(found) == 1 else None


Table = dict[tuple[str, str], Estimate]
Claims = dict[tuple[str, str], Said]


def _by_unit(rows: Iterable[Row]) -> Table:
    return {(row.unit, row.indicator): row.estimate for row in rows}


def _line(unit: Unit, now: Table, change: Table, claims: Claims) -> Line:
    def of(table: Table, indicator: str) -> Estimate:
        return table.get((unit.code, indicator), MISSING)

    mapped = of(now, "tree_cover_share_mapped")
    share = now.get((unit.code, "tree_cover_share"), mapped)
    area = of(now, "tree_cover_area")
    return Line(
        unit=unit,
        share=share,
        area=area if area.status == share.status else MISSING,
        change=of(change, "tree_cover_change"),
        gain=of(change, "gain_area_mapped"),
        loss=of(change, "loss_area_mapped"),
        told=claims.get(
            (unit.code, "tree_cover_share"), claims.get((unit.code, "tree_cover_share_mapped"))
        ),
        spread=claims.get((unit.code, "tree_cover_area")),
        changed=claims.get((unit.code, "tree_cover_change")),
        trend=claims.get((unit.code, "tree_cover_trend")),
    )
