"""The table of definitions (口径对照): what each unit has by law, with all shrub, by canopy."""

from collections.abc import Mapping
from dataclasses import dataclass

from jinhua_rs.figures import MISSING, Estimate, Words
from jinhua_rs.report.data import ReportData, Unit
from jinhua_rs.report.said import Said
from jinhua_rs.units import ten_thousand_mu

__all__ = ["AREAS", "Crossing", "Crosswalk", "crosswalk"]

_M2_PER_HA = 10_000.0
AREAS: dict[str, Words] = {
    "stand_area": Words("乔木林", "Tree stands"),
    "bamboo_area": Words("竹林", "Bamboo"),
    "shrub_area": Words("灌木、茶、油茶", "Shrub, tea, oil-camellia"),
    "forest_shrub_area": Words("其中：林地上", "of it on forest land"),
    "tea_area": Words("其中：茶园", "of it tea gardens"),
    "oil_camellia_area": Words("其中：其他园地", "of it other gardens"),
    "orchard_area": Words("果园", "Orchards"),
}
"""Areas that a rule may move, in the order of the table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """
    One unit of the table: shares in percent, ``areas`` in hectares by name of :data:`AREAS`.

    ``lower`` and ``upper`` are the bounds of the share by law; ``canopy`` is what satellites see.
    """

    unit: Unit
    lower: Estimate
    upper: Estimate
    woody: Estimate
    canopy: Estimate
    areas: Mapping[str, Estimate]

    @property
    def judged(self) -> bool:
        """True where the definitions have intervals; else the line is grey."""
        return self.lower.judged and self.woody.judged


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """
    The table: its lines, the names of the areas it has, and the calibrated figure of the city.

    ``bounded`` is True where land use is not known, so that the share by law has two bounds.
    """

    lines: tuple[Crossing, ...]
    areas: Mapping[str, Words]
    bounded: bool
    calibrated: Said | None

    @property
    def columns(self) -> tuple[tuple[str, float, str], ...]:
        """Heads, widths and looks of the columns in the workbook."""
        shares = ("法定口径下限", "法定口径上限", "林木口径", "遥感树冠口径")
        ends = ("", "，95%区间下限", "，95%区间上限")
        return (
            ("代码\ncode", 10.0, "text"),
            ("单元\nunit", 12.0, "text"),
            ("状态\nstatus", 12.0, "text"),
            *((share + end, 13.0, "share") for share in shares for end in ends),
            *((f"{words.zh}（万亩）\n{words.en}", 14.0, "wan") for words in self.areas.values()),
        )

    @property
    def cells(self) -> list[list[str | float]]:
        """Lines of the workbook: shares 0-1, areas in 万亩."""
        return [
            [
                line.unit.code,
                line.unit.name.zh,
                "可用" if line.judged else "仅供参考",
                *(
                    end / 100
                    for share in (line.lower, line.upper, line.woody, line.canopy)
                    for end in (share.value, share.low, share.high)
                ),
                *(ten_thousand_mu(area.value * _M2_PER_HA) for area in line.areas.values()),
            ]
            for line in self.lines
        ]


def crosswalk(data: ReportData) -> Crosswalk | None:
    """Return the table, units in the order of the report; ``None`` without such rows."""
    known = {(row.unit, row.indicator): row.estimate for row in data.rows}
    if not any(indicator == "woody_share" for _, indicator in known):
        return None
    areas = {
        name: words
        for name, words in AREAS.items()
        if any((unit.code, name) in known for unit in data.units)
    }

    def of(unit: Unit, indicator: str) -> Estimate:
        return known.get((unit.code, indicator), MISSING)

    lines = tuple(
        Crossing(
            unit=unit,
            lower=of(unit, "statutory_share_lower"),
            upper=of(unit, "statutory_share_upper"),
            woody=of(unit, "woody_share"),
            canopy=of(unit, "tree_cover_share"),
            areas={name: of(unit, name) for name in areas},
        )
        for unit in data.units
    )
    calibrated = (one for one in data.claims if one.what == "statutory_share_calibrated")
    return Crosswalk(lines, areas, "tea_area" not in areas, next(calibrated, None))
