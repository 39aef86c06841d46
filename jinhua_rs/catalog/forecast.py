"""What a period promises for each unit, before any pixel is read: days and clear looks."""

import math
from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import geopandas as gpd
import pandas as pd
from shapely import prepare
from shapely.geometry.base import BaseGeometry

from jinhua_rs.catalog.inventory import Inventory
from jinhua_rs.catalog.sizes import on_sphere
from jinhua_rs.errors import ContractError
from jinhua_rs.scene import Scene

__all__ = ["forecast"]

_SIMPLE_M = 200.0
"""Units are drawn this coarsely; their shares change by far less than the clouds' figures."""
_SHOWN = 0.01
"""A day that shows less of a unit than this share is no day."""
_UNKNOWN_CLOUD = 50.0
"""Percent that a scene counts with where the item does not say."""


def forecast(inventory: Inventory, units: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Expect the clear looks of each unit from outlines and cloud cover alone.

    A scene is taken to be as cloudy everywhere as its metadata say on the whole: a look counts as
    the share of the unit under the outline times the clear share of the scene. On one solar day a
    place counts once, with the clearest scene that shows it. What the sky is above a county is
    known only when the pixels are read.

    Parameters
    ----------
    inventory : Inventory
    units : GeoDataFrame, EPSG:4326, indexed by code
        Reporting units.

    Returns
    -------
    DataFrame, index as ``units``
        ``days``: int, solar days on which kept scenes show at least 1 % of the unit.
        ``clear_looks``: float, expected clear looks of a place of the unit, by kept scenes.
        ``spare_looks``: float, likewise by spare scenes, which only some pixels may use.
        0 where there is no scene; never NaN.

    Raises
    ------
    ContractError
        If the units are in another CRS.
    """
    if units.crs is None or units.crs.to_epsg() != 4326:
        raise ContractError(
            f"the forecast needs units in longitude and latitude (EPSG:4326), got {units.crs}",
            zh=f"预估需要经纬度（EPSG:4326）的报告单元，现为 {units.crs}",
        )
    grounds = [on_sphere(ground).simplify(_SIMPLE_M) for ground in units.geometry]
    west, _, east, _ = inventory.bounds
    solar = timedelta(hours=(west + east) / 30)
    kept, spare = (_by_day(scenes, solar) for scenes in (inventory.kept, inventory.spare))
    rows = []
    for ground in grounds:
        prepare(ground)
        looks = [look for scenes in kept.values() if (look := _look(ground, scenes)) is not None]
        near = (_look(ground, scenes) or 0.0 for scenes in spare.values())
        rows.append((len(looks), math.fsum(looks), math.fsum(near)))
    return pd.DataFrame(rows, index=units.index, columns=["days", "clear_looks", "spare_looks"])


Day = list[tuple[float, BaseGeometry]]
"""Cloud cover, percent, and outline of the scenes of a day, the clearest first."""


def _by_day(scenes: Iterable[Scene], solar: timedelta) -> Mapping[date, Day]:
    """Gather scenes by solar day at the middle of the area."""
    days: dict[date, Day] = {}
    for scene in scenes:
        cloud = _UNKNOWN_CLOUD if math.isnan(scene.cloud) else scene.cloud
        there = days.setdefault((scene.acquired + solar).date(), [])
        there.append((cloud, on_sphere(scene.footprint)))
    return {day: sorted(there, key=lambda one: one[0]) for day, there in days.items()}


def _look(ground: BaseGeometry, scenes: Day) -> float | None:
    """Return the clear share of a unit expected of a day; None where nothing of it is shown."""
    unseen, looks = ground, 0.0
    for cloud, outline in scenes:
        if not unseen.intersects(outline):
            continue
        rest = unseen.difference(outline)
        looks += (unseen.area - rest.area) * (1 - cloud / 100)
        unseen = rest
    shown = ground.area - unseen.area >= _SHOWN * ground.area
    return looks / ground.area if shown else None
