"""The table of ground in alert, by unit and confidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
from pydantic import ConfigDict

from jinhua_rs.figures import CountyAlerts, Words, percent, shown
from jinhua_rs.units import mu

__all__ = [
    "ALERT_COLUMNS",
    "AlertArea",
    "AlertLine",
    "alert_areas",
    "alert_lines",
    "alert_rows",
    "county_alerts",
]

ALERT_COLUMNS: tuple[tuple[str, float, str], ...] = (
    ("代码\ncode", 10, "text"),
    ("单元\nunit", 12, "text"),
    ("受监测面积（公顷）\nwatched, ha", 16, "context"),
    ("减少·低（亩）\nloss, low, mu", 14, "context"),
    ("减少·高（亩）\nloss, high, mu", 14, "context"),
    ("减少·最高（亩）\nloss, highest, mu", 16, "context"),
    ("增加·低（亩）\ngain, low, mu", 14, "context"),
    ("增加·高（亩）\ngain, high, mu", 14, "context"),
    ("增加·最高（亩）\ngain, highest, mu", 16, "context"),
)
_M2_PER_HA = 10_000
Three = tuple[float, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertArea:
    """Ground of a unit that was watched, and in alert by confidence 1, 2, 3; ha."""

    unit: str
    watched_ha: float
    loss_ha: Three
    gain_ha: Three

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class AlertLine:
    """A unit as printed: 亩 by confidence, losses then gains, and the share of it watched."""

    name: Words
    cells: tuple[str, ...]
    watched: str


def alert_areas(table: pd.DataFrame) -> tuple[AlertArea, ...]:
    """Take over what :func:`jinhua_rs.forest.alert_areas` measured, row by row."""
    return tuple(
        AlertArea(
            unit=str(code),
            watched_ha=one["watched"],
            loss_ha=(one["loss_1"], one["loss_2"], one["loss_3"]),
            gain_ha=(one["gain_1"], one["gain_2"], one["gain_3"]),
        )
        for code, one in table.to_dict("index").items()
    )


def alert_lines(
    areas: Sequence[AlertArea], names: Mapping[str, Words], land_m2: Mapping[str, float]
) -> list[AlertLine]:
    """Lay the areas out unit by unit; ``land_m2`` is the land of each."""
    return [
        AlertLine(
            names[one.unit],
            tuple(shown(area, 1) for area in _cells(one)),
            percent(100 * one.watched_ha * _M2_PER_HA / land_m2[one.unit], 1),
        )
        for one in areas
    ]


def alert_rows(areas: Sequence[AlertArea], names: Mapping[str, Words]) -> list[list[str | float]]:
    """Rows under :data:`ALERT_COLUMNS`."""
    return [
        [
            one.unit,
            names[one.unit].zh,
            one.watched_ha,
            *_cells(one),
        ]
        for one in areas
    ]


def county_alerts(areas: Sequence[AlertArea], names: Mapping[str, Words]) -> list[CountyAlerts]:
    """Bars of the chart, in the order of ``areas``."""
    return [CountyAlerts(names[one.unit], _mu(one.loss_ha), _mu(one.gain_ha)) for one in areas]


def _cells(one: AlertArea) -> list[float]:
    """亩 by confidence, losses then gains; NaN where nothing was watched."""
    areas = (*one.loss_ha, *one.gain_ha)
    return [mu(ha * _M2_PER_HA) if one.watched_ha else math.nan for ha in areas]


def _mu(areas: Three) -> Three:
    low, high, highest = (mu(ha * _M2_PER_HA) for ha in areas)
    return low, high, highest
