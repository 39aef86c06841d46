"""Where the twin's events happen: plausible places, sizes and ragged outlines, none overlapping."""

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from numpy.typing import NDArray
from rasterio.features import rasterize
from scipy.ndimage import distance_transform_edt, uniform_filter
from shapely import Polygon

from jinhua_rs.grid import Grid
from jinhua_rs.regions import load_units
from jinhua_rs.settings import Area
from jinhua_rs.twin.effects import GROUND, EventKind
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.lattice import ground as centres
from jinhua_rs.twin.world import Kind, World

__all__ = ["HABITS", "Habit", "Place", "choose", "counties", "ragged"]

Metres = NDArray[np.float64]

_STEP_M = 200.0
"""Places are looked for on a grid of this pixel size."""
_CITY_M2 = 10_944e6
_MINES_PER_COUNTY = 5
_VERTICES = 48
_HARMONICS = np.arange(1, 9)


@dataclass(frozen=True, slots=True)
class Habit:
    """
    How much, how large and when in the year an event happens.

    ``ha_per_year`` is the footprint begun each year in nine average counties; sizes (ha) are
    log-normal with ``median`` and the standard deviation ``spread`` of ln(ha), cut to
    ``least``-``most``; ``season`` is the first and last day counted from 1 January (above 365
    is next year). ``large`` events of 25-60 ha are added in each county, so that a coarse
    grid has something to see everywhere.
    """

    ha_per_year: float
    season: tuple[int, int]
    median: float = 6.0
    spread: float = 1.0
    least: float = 0.1
    most: float = 60.0
    large: int = 2


HABITS: Mapping[EventKind, Habit] = {
    EventKind.CLEAR_CUT: Habit(1400.0, (270, 420)),
    EventKind.PLANTATION: Habit(520.0, (20, 90), large=3),
    EventKind.NATURAL_RETURN: Habit(150.0, (60, 120), spread=0.8, large=0),
    EventKind.BAMBOO_HARVEST: Habit(400.0, (250, 400), spread=0.8, large=1),
    EventKind.CONSTRUCTION: Habit(520.0, (1, 365)),
}
"""
The rates stand beside what the city reported for 2019: 398 ha (5,968 亩) of new planting and
1,138 ha (17,068 亩) of cuttings made green again. Part of every footprint does not suit its
event and stays as it was, so what happens is less than what is drawn.
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A footprint (``CRS``) for an event of one kind, and the code of the county of its centre."""

    kind: EventKind
    polygon: Polygon
    county: str


@dataclass(frozen=True, slots=True)
class _Ground:
    """
    The city seen from afar: centres of the pixels in it and what may happen there.

    ``x``, ``y`` (m) and ``county`` (index into ``codes``) have dims (place,); ``weight`` holds
    for each kind of event a relative chance, dims (place,), 0 where it cannot happen.
    """

    x: Metres
    y: Metres
    county: NDArray[np.intp]
    codes: tuple[str, ...]
    weight: Mapping[EventKind, NDArray[np.float64]]


def choose(
    world: World, units: gpd.GeoDataFrame, years: int, rng: np.random.Generator
) -> list[Place]:
    """
    Choose the places of the events of so many years.

    Parameters
    ----------
    units : GeoDataFrame
        As :func:`counties` returns them. Rates are per area: fewer counties, fewer events.

    Returns
    -------
    list of Place
        A mine is one place of kind ``MINE_OPEN``. No two footprints meet.
    """
    ground = _survey(world, units)
    plan = _plan(ground, years, rng)
    kinds, at = plan["kind"].to_numpy(), plan["at"].to_numpy("int64")
    aside = rng.uniform(-_STEP_M / 2, _STEP_M / 2, (2, len(plan)))
    x, y = ground.x[at] + aside[0], ground.y[at] + aside[1]
    outlines = ragged(x, y, plan["ha"].to_numpy(), rng)
    return [
        Place(EventKind(kinds[i]), outlines[i], ground.codes[ground.county[at[i]]])
        for i in _apart(outlines)
    ]


def counties(units: gpd.GeoDataFrame | None = None) -> gpd.GeoDataFrame:
    """
    Counties of the twin in EPSG:4549: those of ``units``, or the nine that are built in.

    Rows of level ``city`` are left out; index ``code``.
    """
    found = load_units(Area()) if units is None else units.to_crs(CRS)
    return found[found["level"] == "county"]


def _survey(world: World, units: gpd.GeoDataFrame) -> _Ground:
    """Look at the city on a coarse grid and weigh its places."""
    geobox = Grid(CRS, _STEP_M).covering(tuple(units.total_bounds))
    numbered = ((shape, n) for n, shape in enumerate(units.geometry, start=1))
    county = rasterize(numbered, geobox.shape, transform=geobox.affine, dtype="int32")
    state, terrain = world.base(geobox), world.terrain(geobox)
    kind, canopy = state["kind"].to_numpy(), state["canopy"].to_numpy()
    slope = terrain["slope"].to_numpy()
    built = np.isin(kind, (Kind.BUILT_DENSE, Kind.VILLAGE))
    apart_m = distance_transform_edt(~built) * _STEP_M
    likely = {
        EventKind.CLEAR_CUT: (kind != Kind.MOSO_BAMBOO) * (canopy > 0.4) * (slope < 32),
        EventKind.PLANTATION: np.select(
            [kind == Kind.BARE, kind == Kind.OTHER_SHRUB, slope > 3], [3.0, 2.0, 1.0]
        ),
        EventKind.NATURAL_RETURN: (slope > 4) * (apart_m > 600),
        EventKind.BAMBOO_HARVEST: canopy > 0.4,
        EventKind.CONSTRUCTION: np.exp(-apart_m / 600) * (slope < 15) * ~built,
        EventKind.MINE_OPEN: (canopy > 0.2) * (slope > 5) * (apart_m > 600) * (apart_m < 6_000),
    }
    inside = county > 0
    x, y = np.broadcast_arrays(*centres(geobox))
    return _Ground(
        x[inside],
        y[inside],
        county[inside] - 1,
        tuple(units.index),
        {k: (chance * _suits_near(kind, k) ** 2)[inside] for k, chance in likely.items()},
    )


def _suits_near(kind: NDArray[np.uint8], event: EventKind) -> NDArray[np.float32]:
    """Share of the 600 m around each place that suits the event; 0 where the place does not."""
    suits = np.isin(kind, list(GROUND[event])).astype("float32")
    return np.asarray(uniform_filter(suits, 3) * suits)


def _plan(ground: _Ground, years: int, rng: np.random.Generator) -> pd.DataFrame:
    """
    Choose kinds, places and sizes: columns ``kind``, ``at`` (index into ``ground``), ``ha``.

    Mines and large events come first, so that they are the ones kept where two would overlap.
    """
    everywhere = np.ones(ground.x.size, "bool")
    first, rest = [], []
    for code in range(len(ground.codes)):
        here = ground.county == code
        mines = np.exp(rng.uniform(np.log(2), np.log(40), _MINES_PER_COUNTY))
        first.append(_placed(ground, EventKind.MINE_OPEN, here, mines, rng))
        for kind, habit in HABITS.items():
            large = rng.uniform(25, habit.most, habit.large)
            first.append(_placed(ground, kind, here, large, rng))
    share = ground.x.size * _STEP_M**2 / _CITY_M2
    for kind, habit in HABITS.items():
        wanted = habit.ha_per_year * years * share
        mean = habit.median * np.exp(habit.spread**2 / 2)
        sizes = habit.median * np.exp(rng.normal(0, habit.spread, 2 * int(wanted / mean) + 8))
        sizes = np.clip(sizes, habit.least, habit.most)
        sizes = sizes[np.cumsum(sizes) <= wanted]
        rest.append(_placed(ground, kind, everywhere, sizes, rng))
    return pd.concat([*first, *rest], ignore_index=True)


def _placed(
    ground: _Ground,
    kind: EventKind,
    where: NDArray[np.bool_],
    ha: Metres,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Give each size a place of its own, by weight; fewer than asked where places run out."""
    weight = np.where(where, ground.weight[kind], 0).astype("float64")
    n = min(len(ha), int(np.count_nonzero(weight)))
    if not n:
        return pd.DataFrame({"kind": [], "at": [], "ha": []})
    at = rng.choice(weight.size, n, replace=False, p=weight / weight.sum())
    return pd.DataFrame({"kind": str(kind), "at": at, "ha": ha[:n]})


def ragged(x: Metres, y: Metres, ha: Metres, rng: np.random.Generator) -> NDArray[np.object_]:
    """
    Make outlines around centres: ellipses whose radius wavers in eight harmonics.

    Star-shaped, hence without crossings.

    Parameters
    ----------
    x, y : ndarray, float64, dims (outline,), unit m
        Centres.
    ha : ndarray, float64, dims (outline,), unit ha
        Area that each outline shall have exactly.

    Returns
    -------
    ndarray of Polygon, dims (outline,)
    """
    angle = np.linspace(0, 2 * np.pi, _VERTICES, endpoint=False)
    height = rng.normal(0, 0.3, (x.size, 1, _HARMONICS.size)) * _HARMONICS**-0.8
    phase = rng.uniform(0, 2 * np.pi, (x.size, 1, _HARMONICS.size))
    radius = np.exp((height * np.cos(angle[None, :, None] * _HARMONICS + phase)).sum(axis=2))
    stretch = np.exp(rng.uniform(0, np.log(2.5), (x.size, 1)) / 2)
    u, v = radius * np.cos(angle) * stretch, radius * np.sin(angle) / stretch
    turn = rng.uniform(0, np.pi, (x.size, 1))
    u, v = u * np.cos(turn) - v * np.sin(turn), u * np.sin(turn) + v * np.cos(turn)
    area = (u * np.roll(v, -1, axis=1) - np.roll(u, -1, axis=1) * v).sum(axis=1) / 2
    scale = np.sqrt(ha * 1e4 / area)[:, None]
    rings = np.stack([x[:, None] + u * scale, y[:, None] + v * scale], axis=-1)
    return np.asarray(shapely.polygons(rings))


def _apart(outlines: NDArray[np.object_]) -> list[int]:
    """Pick the footprints that are kept, by index: of two that meet, the one planned first."""
    tree = shapely.STRtree(outlines)
    later, earlier = tree.query(outlines, predicate="intersects")
    keep = np.ones(len(outlines), "bool")
    for i, j in sorted(zip(later.tolist(), earlier.tolist(), strict=True)):
        if j < i and keep[j]:
            keep[i] = False
    return np.flatnonzero(keep).tolist()
