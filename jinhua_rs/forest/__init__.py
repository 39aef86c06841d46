"""Forest rows by reporting unit: tree cover, its change, and the three definitions beside it."""

from jinhua_rs.forest.cover import ForestMaps, change_rows, coverage_rows
from jinhua_rs.forest.definitions import (
    Judged,
    calibrated_rows,
    definition_rows,
    land_uses,
    statutory_change_rows,
)
from jinhua_rs.forest.watched import alert_areas

__all__ = [
    "ForestMaps",
    "Judged",
    "alert_areas",
    "calibrated_rows",
    "change_rows",
    "coverage_rows",
    "definition_rows",
    "land_uses",
    "statutory_change_rows",
]
