"""
What happened to the twin's ground: events with a footprint and a date, and their effect.

An event acts on the ground in its footprint that suits it *in the state before any event*
(a clear-cut on trees, a plantation on open ground), so its edge is as ragged as the land
cover beneath it. Events act in the order of their start; a later one overrides an earlier.
The effect is a function of ground coordinates and of the date alone: any window, any CRS
and any resolution see the same history.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import geopandas as gpd
import numpy as np
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from rasterio.features import rasterize
from shapely import Polygon

from jinhua_rs.errors import GridMismatch
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.lattice import ground
from jinhua_rs.twin.noise import uniform
from jinhua_rs.twin.world import Kind, state_of

__all__ = ["GROUND", "Event", "EventKind", "apply", "course", "footprints", "grown", "meeting"]


Kinds = NDArray[np.uint8]
Canopy = NDArray[np.float32]
At = NDArray[np.intp]

_TREES = (Kind.EVERGREEN_BROADLEAF, Kind.CONIFER, Kind.DECIDUOUS, Kind.MOSO_BAMBOO)
_OPEN = (
    Kind.TEA, Kind.OIL_CAMELLIA, Kind.OTHER_SHRUB, Kind.ORCHARD, Kind.PADDY, Kind.DRY_CROP,
    Kind.RAPE_ROTATION, Kind.BARE,
)  # fmt: skip
_BUILT = (Kind.BUILT_DENSE, Kind.VILLAGE)

_CLEARED = 0.02
"""Canopy cover of ground that has just been cleared or planted."""
_FAILED_MOST = 0.18
_BARE_BELOW = 0.05
_SITE_YEARS = 0.75
"""A building site lies bare for so long before it counts as built."""
_CLOSED_MOST = 0.95
_CELL_M = 30.0
_CELL_SEED = 20_150_623
_DAYS_IN_YEAR = 365.25


class EventKind(StrEnum):
    """What can happen to ground."""

    PLANTATION = "plantation"
    NATURAL_RETURN = "natural_return"
    CLEAR_CUT = "clear_cut"
    BAMBOO_HARVEST = "bamboo_harvest"
    CONSTRUCTION = "construction"
    MINE_OPEN = "mine_open"
    MINE_CLOSE = "mine_close"
    MINE_RECOVER = "mine_recover"
    MINE_RELAPSE = "mine_relapse"


_ANYWHERE = frozenset((*_TREES, *_OPEN, *_BUILT, Kind.MINE))
GROUND: dict[EventKind, frozenset[Kind]] = {
    EventKind.PLANTATION: frozenset(_OPEN),
    EventKind.NATURAL_RETURN: frozenset(_OPEN),
    EventKind.CLEAR_CUT: frozenset(_TREES),
    EventKind.BAMBOO_HARVEST: frozenset((Kind.MOSO_BAMBOO,)),
    EventKind.CONSTRUCTION: frozenset((*_TREES, *_OPEN, Kind.MINE)),
    EventKind.MINE_OPEN: _ANYWHERE,
    EventKind.MINE_CLOSE: _ANYWHERE,
    EventKind.MINE_RECOVER: _ANYWHERE,
    EventKind.MINE_RELAPSE: _ANYWHERE,
}
"""The ground on which each event acts, by what lay there before any event."""

_GROWING = (
    EventKind.PLANTATION, EventKind.NATURAL_RETURN, EventKind.CLEAR_CUT, EventKind.MINE_CLOSE,
    EventKind.MINE_RECOVER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Event:
    """
    Something that happened in one place.

    Parameters
    ----------
    id : str
        Unique; also breaks ties between events of one day.
    polygon : Polygon, EPSG:4549
        Footprint.
    start, end : date
        First day on which the effect is seen; end of the activity, or ``None`` if it lasts.
    county : str
        Code of the county in which the footprint's centre lies.
    target : Kind
        What the ground becomes in the end.
    canopy : float, 0-1
        Canopy cover it comes to; for a bamboo harvest the share of the canopy left standing.
    growth_years : float
        Years until 95 % of ``canopy`` is reached (bamboo: until all of it is back). 0 for
        what does not grow.
    success : bool
        False for plantings that never close: their canopy stays below 0.20.
    floor : float, 0-1
        Canopy cover on the first day.
    site : str
        Mine to which the event belongs; empty for all else.
    """

    id: str
    kind: EventKind
    polygon: Polygon
    start: date
    end: date | None
    county: str
    target: Kind
    canopy: float
    growth_years: float
    success: bool = True
    floor: float = _CLEARED
    site: str = ""


def grown(age: float, *, canopy: float, years: float, floor: float = _CLEARED) -> float:
    """
    Canopy cover of a young stand: Chapman-Richards growth with exponent 4.

    Rises without a pause from ``floor`` at age 0 towards ``canopy``, 95 % of the way after
    ``years``. Form: Richards (1959), J. Exp. Bot. 10, 290-300.

    Examples
    --------
    >>> [round(grown(age, canopy=0.7, years=8), 2) for age in (0, 2, 4, 8, 30)]
    [0.02, 0.15, 0.44, 0.67, 0.7]
    """
    rate = -np.log1p(-(0.95 ** (1 / 4))) / years
    return float(floor + (canopy - floor) * (1 - np.exp(-rate * age)) ** 4)


def apply(
    state: xr.Dataset, geobox: GeoBox, events: Sequence[Event], when: date | datetime
) -> xr.Dataset:
    """
    Let the events up to a date act on a state.

    Parameters
    ----------
    state : Dataset, dims (y, x)
        ``World.base(geobox)``: ``kind`` uint8, ``canopy`` float32 (0-1), never empty.
    geobox : GeoBox
        Grid of ``state``, any CRS; its pixel centres are the sample points.
    when : date or datetime
        Events that start later are not seen.

    Returns
    -------
    Dataset
        New state; the given one is left as it is.

    Raises
    ------
    GridMismatch
        If ``state`` does not lie on ``geobox``.
    """
    if state["kind"].shape != tuple(geobox.shape):
        raise GridMismatch(
            f"state has {state['kind'].shape} pixels but its geobox {tuple(geobox.shape)}; "
            "pass the geobox the state was made on",
            zh="状态与格网大小不一致；请传入生成该状态的格网",
        )
    ((kind, canopy),) = course(state, geobox, events, [when])
    return state_of(kind, canopy, geobox)


def course(
    state: xr.Dataset, geobox: GeoBox, events: Sequence[Event], days: Sequence[date]
) -> Iterator[tuple[Kinds, Canopy]]:
    """
    Yield kind and canopy on each of some days, see :func:`apply`; footprints are drawn once.

    Yields
    ------
    kind : ndarray, uint8, dims (y, x)
    canopy : ndarray, float32, dims (y, x), 0-1
    """
    before = np.asarray(state["kind"].values)
    bare = np.asarray(state["canopy"].values, dtype="float32")
    prints = list(footprints(geobox, before, events))
    for day in map(_day, days):
        kind, canopy = before.copy(), bare.copy()
        for event, at, vigour in prints:
            if event.start <= day:
                age = (day - event.start).days / _DAYS_IN_YEAR
                kind[at], canopy[at] = _after(event, age, kind[at], canopy[at], vigour)
        yield kind, canopy


def meeting(events: Sequence[Event], geobox: GeoBox) -> tuple[Event, ...]:
    """Pick the events whose footprint may meet a window, in the order given."""
    if not events:
        return ()
    extent = geobox.extent.to_crs(CRS, resolution=10_000).boundingbox.buffered(500)
    bounds = shapely.bounds([event.polygon for event in events])
    met = (bounds[:, 0] < extent.right) & (bounds[:, 2] > extent.left)
    met &= (bounds[:, 1] < extent.top) & (bounds[:, 3] > extent.bottom)
    return tuple(events[int(i)] for i in np.flatnonzero(met))


def _day(when: date | datetime) -> date:
    return when.date() if isinstance(when, datetime) else when


def footprints(
    geobox: GeoBox, before: Kinds, events: Sequence[Event]
) -> Iterator[tuple[Event, tuple[At, At], Canopy]]:
    """Yield, in the order in which they act, the events, their pixels and the vigour there."""
    near = sorted(meeting(events, geobox), key=lambda event: (event.start, event.id))
    shapes = [event.polygon for event in near]
    if str(geobox.crs) != CRS and near:
        shapes = list(gpd.GeoSeries(shapes, crs=CRS).to_crs(str(geobox.crs)))
    for event, polygon in zip(near, shapes, strict=True):
        rows, cols = _window(geobox, polygon.bounds)
        if rows.stop <= rows.start or cols.stop <= cols.start:
            continue
        part = geobox[rows, cols]
        inside = rasterize([(polygon, 1)], tuple(part.shape), transform=part.affine, dtype="uint8")
        suits = np.isin(before[rows, cols], list(GROUND[event.kind]))
        found = np.nonzero((inside == 1) & suits)
        yield event, (found[0] + rows.start, found[1] + cols.start), _vigour(part)[found]


def _window(geobox: GeoBox, bounds: tuple[float, float, float, float]) -> tuple[slice, slice]:
    """Rows and columns of a north-up grid that may meet ``bounds``; empty where none do."""
    left, bottom, right, top = bounds
    first, last = ~geobox.affine * (left, top), ~geobox.affine * (right, bottom)
    spans = zip((first[1], first[0]), (last[1], last[0]), geobox.shape, strict=True)
    rows, cols = (
        slice(max(0, math.floor(low)), min(size, math.ceil(high))) for low, high, size in spans
    )
    return rows, cols


def _vigour(geobox: GeoBox) -> Canopy:
    """Vigour of a young stand, 0.85-1.15, unit 1, dims (y, x), constant in cells of 30 m."""
    i, j = (np.floor(axis / _CELL_M).astype(np.int64) for axis in ground(geobox))
    hashed = np.broadcast_to(uniform(i, j, _CELL_SEED), tuple(geobox.shape))
    return (0.85 + 0.3 * hashed).astype("float32")


def _after(
    event: Event, age: float, kind: Kinds, canopy: Canopy, texture: Canopy
) -> tuple[Kinds, Canopy]:
    """Kind and canopy of the ground in a footprint ``age`` years after the event began."""
    if event.kind is EventKind.BAMBOO_HARVEST:
        lost = (1 - event.canopy) * max(0.0, 1 - age / event.growth_years)
        return kind, canopy * np.float32(1 - lost)
    if event.kind not in _GROWING:
        cleared = event.kind is EventKind.CONSTRUCTION and age < _SITE_YEARS
        becomes = Kind.BARE if cleared else event.target
        return np.full_like(kind, becomes), np.full_like(canopy, event.canopy)
    mean = grown(age, canopy=event.canopy, years=event.growth_years, floor=event.floor)
    most = _CLOSED_MOST if event.success else _FAILED_MOST
    young = np.minimum(mean * texture, most).astype("float32")
    return _stage(young, event.target), young


def _stage(canopy: Canopy, target: Kind) -> Kinds:
    """Say what a growing stand looks like: bare, then shrub until its canopy counts as trees."""
    shrub_until = FOREST_CANOPY if target in _TREES else _BARE_BELOW
    stages = np.where(canopy < shrub_until, Kind.OTHER_SHRUB, target)
    return np.where(canopy < _BARE_BELOW, Kind.BARE, stages).astype("uint8")
