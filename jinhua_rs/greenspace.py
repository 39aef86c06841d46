"""What the plan asks of corridors, reserves, parks and returned farmland: layer + rule → rows."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry
from shapely.ops import substring

from jinhua_rs.layers import column
from jinhua_rs.schema import TREE_CLASSES, Change, Forest, Land
from jinhua_rs.settings import Theme
from jinhua_rs.units import hectares
from jinhua_rs.zonal import class_areas, transitions

__all__ = ["COLUMNS", "WHOLE", "Maps", "theme_rows"]

COLUMNS = (
    "theme", "feature", "indicator", "value", "measure", "status", "seen_share", "source",
)  # fmt: skip
"""
Tidy rows, one fact each. ``feature`` is the name of a zone, a river, a county, or :data:`WHOLE`;
``status`` is ``mapped`` (counted from maps, no interval), ``insufficient`` (too little seen, value
NaN), ``needs layer`` (value NaN; ``source`` says which) or ``no baseline``.
"""
WHOLE = "全部"
"""Feature of the row that takes all features together, each ground once."""

_WOODY = (*TREE_CLASSES, Land.SHRUB)
_RETURNED = {
    "cropland_to_forest_ha": tuple(TREE_CLASSES),
    "cropland_to_shrub_grass_ha": (Land.SHRUB,),
    "cropland_to_wetland_ha": (Land.WATER,),
}
_STEP_M = 100.0
"""Length of the pieces in which a corridor is looked at."""
_GAP_BELOW = 0.20
"""Woody share of a piece below which it is a gap."""


@dataclass(frozen=True, slots=True)
class Maps:
    """Published maps that themes are measured on; ``change`` and ``before`` need a baseline."""

    landcover: Path
    forest: Path
    change: Path | None
    before: Path | None


@dataclass(frozen=True, slots=True)
class _Ground:
    """What a theme is measured against: maps, outline of the area, counties, gate of clear view."""

    maps: Maps
    outline: BaseGeometry
    units: gpd.GeoDataFrame
    gate: float


Fact = tuple[str, str, float, str, float]
"""Feature, indicator, value, measure, share of its ground seen."""


def theme_rows(
    themes: Mapping[str, Theme],
    layers: Mapping[str, gpd.GeoDataFrame],
    units: gpd.GeoDataFrame,
    maps: Maps,
    *,
    gate: float,
) -> pd.DataFrame:
    """
    Measure every theme of the plan for which its layer was supplied.

    Parameters
    ----------
    themes : mapping
        Name to rule, from ``[themes]``.
    layers : mapping
        Opened layers by name of the theme, and by ``<name>.within`` for the second layer of a
        service radius; in the CRS of the maps.
    units : GeoDataFrame
        Reporting units, with ``level`` and ``name_zh``; conversions are told by county.
    maps : Maps
    gate : float
        Share of a feature that must be seen for its number to be given, 0-1.

    Returns
    -------
    DataFrame
        :data:`COLUMNS`; a theme whose layer is missing has one row that says so.
    """
    counties = units[units["level"] == "county"]
    ground = _Ground(maps, units.geometry.union_all(), counties if len(counties) else units, gate)
    rows: list[tuple[object, ...]] = []
    for name, theme in themes.items():
        missing = _missing(name, theme, layers)
        if missing:
            source = f"needs layer {missing} 需要图层"
            rows.append((name, WHOLE, theme.rule, np.nan, "", "needs layer", np.nan, source))
            continue
        if theme.rule == "conversion" and maps.before is None:
            source = "needs [time] baseline 需要基期"
            rows.append((name, WHOLE, theme.rule, np.nan, "", "no baseline", np.nan, source))
            continue
        facts = _RULES[theme.rule](name, theme, layers, ground)
        rows += [_row(name, theme, fact, gate) for fact in facts]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _missing(name: str, theme: Theme, layers: Mapping[str, gpd.GeoDataFrame]) -> str:
    """Name the layer that a theme lacks; empty where it has what it needs."""
    wanted = {"conversion": (), "service": (name, f"{name}.within")}.get(theme.rule, (name,))
    return next((one for one in wanted if one not in layers), "")


def _row(name: str, theme: Theme, fact: Fact, gate: float) -> tuple[object, ...]:
    feature, indicator, value, measure, seen = fact
    dim = not np.isnan(seen) and seen < gate
    status = "insufficient" if dim or np.isnan(value) else "mapped"
    return (
        name, feature, indicator, np.nan if dim else value, measure, status, seen, theme.source,
    )  # fmt: skip


def _features(theme: Theme, layer: gpd.GeoDataFrame, outline: BaseGeometry) -> gpd.GeoDataFrame:
    """Name the features, join those of one name, and cut them to the area; the whole comes last."""
    names = column(layer, theme.name_field, "name", "name_zh", "名称") or [""] * len(layer)
    told = [name or f"#{place}" for place, name in enumerate(names, start=1)]
    joined = layer[["geometry"]].assign(feature=told).dissolve("feature", sort=True)
    joined["geometry"] = joined.geometry.intersection(outline)
    joined = joined[~joined.geometry.is_empty]
    whole = gpd.GeoDataFrame(geometry=[joined.geometry.union_all()], index=[WHOLE], crs=layer.crs)
    return pd.concat([joined, whole])


def _seen(areas: pd.DataFrame) -> pd.Series:
    return 1 - areas[0] / areas.sum(axis="columns")


def _of(areas: pd.DataFrame, codes: tuple[int, ...]) -> pd.Series:
    """Area of some classes together, m²."""
    return areas.reindex(columns=[int(code) for code in codes], fill_value=0.0).sum(axis="columns")


# --- zones: reserves, red line, parks ----------------------------------------------------------


def _zone(
    name: str, theme: Theme, layers: Mapping[str, gpd.GeoDataFrame], ground: _Ground
) -> Iterator[Fact]:
    """Area, share of the city, tree cover, and what was gained and lost inside."""
    found = _features(theme, layers[name], ground.outline)
    forest = class_areas(ground.maps.forest, found)
    seen, known = _seen(forest), forest.drop(columns=0).sum(axis="columns")
    trees = _of(forest, (Forest.FOREST,))
    cover = (100 * trees / known.where(known > 0)).to_dict()
    for feature, area in found.area.to_dict().items():
        yield str(feature), "area_ha", hectares(area), "ha", np.nan
        yield str(feature), "share_of_area", 100 * area / ground.outline.area, "%", np.nan
        yield str(feature), "tree_cover_share_mapped", cover[feature], "%", float(seen[feature])
    if ground.maps.change is None:
        return
    change = class_areas(ground.maps.change, found)
    both = _seen(change)
    for indicator, code in (("gain_ha", Change.GAIN), ("loss_ha", Change.LOSS)):
        areas = _of(change, (code,)).to_dict()
        for feature, share in both.to_dict().items():
            yield str(feature), indicator, hectares(areas[feature]), "ha", share


# --- corridors ---------------------------------------------------------------------------------


def _corridor(
    name: str, theme: Theme, layers: Mapping[str, gpd.GeoDataFrame], ground: _Ground
) -> Iterator[Fact]:
    """Woody share of the land within the buffer, and the gaps along the line."""
    found = _features(theme, layers[name], ground.outline)
    for feature, line in found.geometry.items():
        if feature == WHOLE:
            continue
        pieces = list(_pieces(line))
        bands = [one.buffer(theme.buffer_m, cap_style="flat") for one in (*pieces, line)]
        bands = [band.intersection(ground.outline) for band in bands]
        strips = gpd.GeoDataFrame(geometry=bands, crs=found.crs)
        areas = class_areas(ground.maps.landcover, strips)
        land = areas.drop(columns=[0, int(Land.WATER)], errors="ignore").sum(axis="columns")
        share = (_of(areas, _WOODY) / land.where(land > 0)).to_numpy()
        seen = float(_seen(areas).iloc[-1])
        gaps = share[:-1] < _GAP_BELOW
        lengths = np.array([one.length for one in pieces])
        yield str(feature), "length_m", float(line.length), "m", np.nan
        yield str(feature), "woody_share", 100 * float(share[-1]), "%", seen
        yield str(feature), "gap_length_m", float(lengths[gaps].sum()), "m", seen
        yield str(feature), "gap_share", 100 * float(lengths[gaps].sum() / lengths.sum()), "%", seen
        yield str(feature), "longest_gap_m", _longest(gaps, lengths), "m", seen


def _pieces(line: BaseGeometry) -> Iterator[BaseGeometry]:
    """Cut a line into pieces of 100 m, the last of each part as long as is left."""
    for part in shapely.get_parts(shapely.line_merge(line)):
        for start in np.arange(0.0, part.length, _STEP_M):
            yield substring(part, start, min(start + _STEP_M, part.length))


def _longest(gaps: np.ndarray, lengths: np.ndarray) -> float:
    longest = run = 0.0
    for gap, length in zip(gaps, lengths, strict=True):
        run = run + float(length) if gap else 0.0
        longest = max(longest, run)
    return longest


# --- parks and returned farmland ---------------------------------------------------------------


def _service(
    name: str, theme: Theme, layers: Mapping[str, gpd.GeoDataFrame], ground: _Ground
) -> Iterator[Fact]:
    """Share of the residential ground within the radius of a park that is large enough."""
    parks = layers[name].geometry
    served = parks[parks.area >= theme.least_m2].buffer(theme.buffer_m).union_all()
    homes = layers[f"{name}.within"].geometry.union_all().intersection(ground.outline)
    share = 100 * homes.intersection(served).area / homes.area if homes.area else np.nan
    yield WHOLE, "served_share", float(share), "%", np.nan
    yield WHOLE, "parks", float((parks.area >= theme.least_m2).sum()), "count", np.nan


def _conversion(
    name: str,  # noqa: ARG001 (rules are called alike)
    theme: Theme,  # noqa: ARG001
    layers: Mapping[str, gpd.GeoDataFrame],  # noqa: ARG001
    ground: _Ground,
) -> Iterator[Fact]:
    """Cropland that became forest, shrub and grass, or wetland since the baseline, by county."""
    if ground.maps.before is None:
        return
    found = transitions(ground.maps.before, ground.maps.landcover, ground.units)
    for code, unit in ground.units.iterrows():
        moved = found.loc[code]
        unseen = float(moved.xs(0, level="was").sum() + moved.xs(0, level="now").sum())
        unseen -= float(moved.get((0, 0), 0.0))
        seen = 1 - unseen / float(moved.sum())
        for indicator, classes in _RETURNED.items():
            area = sum(float(moved.get((int(Land.CROPLAND), int(now)), 0.0)) for now in classes)
            yield str(unit["name_zh"]), indicator, hectares(area), "ha", seen


_RULES = {
    "zone": _zone, "corridor": _corridor, "service": _service, "conversion": _conversion,
}  # fmt: skip
