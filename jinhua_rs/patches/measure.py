"""What is true of each patch: area, unit, classes, days, confidence, overlaps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from jinhua_rs.causes import Cause
from jinhua_rs.layers import Layer, column
from jinhua_rs.patches.nouns import OVERLAPS, Facts
from jinhua_rs.patches.trace import Footprints, Lattice, footprints, values_at

__all__ = ["Ground", "measure"]

_NAMES = {
    "townships": ("name", "name_zh", "XZQMC", "乡镇"),
    "parcels": ("parcel", "id", "DKBH", "地块编号"),
    "permits": ("permit", "id", "XKZBH", "许可证号"),
}
"""Fields of a layer that may hold what a feature is called, the first that is there counts."""
_EPOCH = date(1970, 1, 1)
_MAY_BE_MINING = {Cause.FELLING, Cause.CLEARED, Cause.OTHER_LOSS}
_MINE_RIM_PX = 3
"""A pit grows beyond its mapped outline, and outlines are some metres off."""


@dataclass(frozen=True, slots=True)
class Ground:
    """
    What patches are measured on.

    ``maps`` holds paths of GeoTIFFs on the grid of the patches, any of ``before``, ``after``
    (:class:`~jinhua_rs.schema.Land`), ``first_day``, ``last_day`` (days since 1970-01-01),
    ``confidence``, ``cause``, ``size``, ``looks``; one that is missing is not known, of several of
    codes the first that is above 0 at a pixel counts. ``units`` are
    the counties, index code, column ``name_zh``; ``layers`` those that were supplied, by role.
    """

    maps: Mapping[str, Sequence[Path]]
    units: gpd.GeoDataFrame
    layers: Mapping[str, Layer]


def measure(outlines: gpd.GeoSeries, lattice: Lattice, ground: Ground) -> list[Facts | None]:
    """
    Measure every outline.

    Returns
    -------
    list of Facts
        In the order of ``outlines``; None where a patch lies outside all units.
    """
    shapes = outlines.reset_index(drop=True)
    pixels = _Pixels(footprints(shapes, lattice), lattice, ground.maps)
    columns: dict[str, list[object]] = {
        "area_m2": [float(area) for area in shapes.area],
        "ellipsoid_m2": _ellipsoid(shapes),
        "before": pixels.majority("before"),
        "after": pixels.majority("after"),
        "first_day": pixels.day("first_day", "min"),
        "last_day": pixels.day("last_day", "max"),
        "confidence": pixels.majority("confidence"),
        "cause": pixels.majority("cause"),
        "size": pixels.number("size", "mean"),
        "looks": pixels.number("looks", "median"),
        "parcel": _largest_name(shapes, ground.layers, "parcels", ""),
        "permit": _largest_name(shapes, ground.layers, "permits", ""),
        "township": _largest_name(shapes, ground.layers, "townships", None),
    }
    columns["cause"] = _mining(shapes, columns["cause"], ground.layers.get("mines"), lattice)
    units = _largest(shapes, ground.units)
    overlaps = {role: _overlap(shapes, ground.layers.get(role)) for role in OVERLAPS}
    return [
        None
        if unit < 0
        else Facts(
            county=str(ground.units.index[unit]),
            county_name=str(ground.units["name_zh"].iloc[unit]),
            overlaps={role: areas[at] for role, areas in overlaps.items()},
            **{name: values[at] for name, values in columns.items()},  # type: ignore[arg-type]
        )
        for at, unit in enumerate(units)
    ]


@dataclass(frozen=True, slots=True)
class _Pixels:
    """Statistics of maps over the pixels of each outline, in their order."""

    found: Footprints
    lattice: Lattice
    maps: Mapping[str, Sequence[Path]]

    def _values(self, name: str) -> pd.Series | None:
        layers = [values_at(path, self.found, self.lattice) for path in self.maps.get(name, ())]
        for later in layers[1:]:
            layers[0] = layers[0].where(layers[0] > 0, later)
        return layers[0] if layers else None

    def _all(self, values: pd.Series) -> pd.Series:
        return values.reindex(range(self.found.n))

    def majority(self, name: str) -> list[object]:
        """Most frequent code above 0, the smaller of equals; 0 where there is none."""
        values = self._values(name)
        if values is None:
            return [0] * self.found.n
        counts = values[values > 0].groupby(level=0).value_counts()
        ranked = counts.reset_index(name="n").sort_values(["owner", "n"], ascending=[True, False])
        ranked.columns = ["owner", "code", "n"]
        ranked = ranked.sort_values(["owner", "n", "code"], ascending=[True, False, True])
        first = ranked.drop_duplicates("owner").set_index("owner")["code"]
        return [int(code) for code in self._all(first).fillna(0)]

    def day(self, name: str, which: str) -> list[object]:
        """First or last day, ISO; empty where there is none."""
        values = self._values(name)
        if values is None:
            return [""] * self.found.n
        days = self._all(values[values > 0].groupby(level=0).agg(which))
        return ["" if np.isnan(d) else str(_EPOCH + timedelta(days=int(d))) for d in days]

    def number(self, name: str, which: str) -> list[object]:
        """Mean, or median as a whole number, of finite values; None where there is none."""
        values = self._values(name)
        if values is None:
            return [None] * self.found.n
        seen = values[np.isfinite(values)].astype("float64")
        found = self._all(seen.groupby(level=0).agg(which))
        whole = which == "median"
        return [None if np.isnan(v) else int(v) if whole else round(float(v), 4) for v in found]


def _ellipsoid(shapes: gpd.GeoSeries) -> list[object]:
    """Area on the ellipsoid of the CRS, m²."""
    crs = CRS.from_user_input(shapes.crs)
    geod, around = crs.get_geod(), shapes.to_crs(crs.geodetic_crs)
    if geod is None:
        return [float(area) for area in shapes.area]
    return [round(abs(geod.geometry_area_perimeter(one)[0]), 2) for one in around]


def _pairs(
    shapes: gpd.GeoSeries, others: gpd.GeoSeries
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Positions of outlines and features that share ground, and how much, m²."""
    tree = shapely.STRtree(others.to_numpy())
    mine, theirs = tree.query(shapes.to_numpy(), predicate="intersects")
    shared = shapely.area(shapely.intersection(shapes.to_numpy()[mine], others.to_numpy()[theirs]))
    real = shared > 0
    return mine[real], theirs[real], shared[real]


def _largest(shapes: gpd.GeoSeries, features: gpd.GeoDataFrame) -> NDArray[np.int64]:
    """Position of the feature that covers most of each outline, the first of equals; -1: none."""
    mine, theirs, shared = _pairs(shapes, features.geometry)
    best = np.full(len(shapes), -1)
    order = np.lexsort((-theirs, shared, mine))
    best[mine[order]] = theirs[order]
    return best


def _mining(
    shapes: gpd.GeoSeries, causes: list[object], mines: Layer | None, lattice: Lattice
) -> list[object]:
    """
    Call a loss mining where half of it lies in a mine, or on the rim around it.

    Bare rock of a pit and of a building site look alike: the layer of mines tells them apart.
    """
    if mines is None:
        return causes
    rim = mines.frame.geometry.buffer(_MINE_RIM_PX * lattice.pixel_m)
    wide = replace(mines, frame=mines.frame.set_geometry(rim))
    return [
        int(Cause.MINING) if cause in _MAY_BE_MINING and 2 * (shared or 0.0) >= area else cause
        for cause, shared, area in zip(causes, _overlap(shapes, wide), shapes.area, strict=True)
    ]


def _largest_name(
    shapes: gpd.GeoSeries, layers: Mapping[str, Layer], role: str, without: str | None
) -> list[object]:
    """Name of the feature that covers most of each outline; empty if none does."""
    layer = layers.get(role)
    if layer is None:
        return [without] * len(shapes)
    names = column(layer.frame, *_NAMES[role]) or [""] * len(layer.frame)
    return ["" if at < 0 else names[at] for at in _largest(shapes, layer.frame)]


def _overlap(shapes: gpd.GeoSeries, layer: Layer | None) -> list[float | None]:
    """Ground shared with a layer, m², where features overlap each other counted once."""
    if layer is None:
        return [None] * len(shapes)
    mine, theirs, shared = _pairs(shapes, layer.frame.geometry)
    total = np.zeros(len(shapes))
    np.add.at(total, mine, shared)
    features = layer.frame.geometry.to_numpy()
    for at in np.nonzero(np.bincount(mine, minlength=len(shapes)) > 1)[0]:
        merged = shapely.union_all(features[theirs[mine == at]])
        total[at] = shapely.intersection(shapes.iloc[at], merged).area
    return [round(float(area), 2) for area in total]
