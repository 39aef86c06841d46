"""The twin's history, drawn once from a seed: what happens where and when, and what comes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import count, cycle, pairwise

import geopandas as gpd
import numpy as np

from jinhua_rs.errors import ConfigError
from jinhua_rs.twin.effects import GROUND, Event, EventKind, apply, grown
from jinhua_rs.twin.places import HABITS, Place, choose, counties
from jinhua_rs.twin.world import Kind, World

__all__ = ["GROUND", "Event", "EventKind", "apply", "counties", "draw", "grown"]

_TARGETS: Mapping[EventKind, tuple[tuple[Kind, float], ...]] = {
    EventKind.PLANTATION: (
        (Kind.EVERGREEN_BROADLEAF, 0.45), (Kind.CONIFER, 0.35), (Kind.DECIDUOUS, 0.20),
    ),
    EventKind.NATURAL_RETURN: (
        (Kind.EVERGREEN_BROADLEAF, 0.4), (Kind.DECIDUOUS, 0.4), (Kind.CONIFER, 0.2),
    ),
    EventKind.CLEAR_CUT: (
        (Kind.EVERGREEN_BROADLEAF, 0.40), (Kind.CONIFER, 0.45), (Kind.OIL_CAMELLIA, 0.15),
    ),
    EventKind.BAMBOO_HARVEST: ((Kind.MOSO_BAMBOO, 1.0),),
    EventKind.CONSTRUCTION: ((Kind.BUILT_DENSE, 0.6), (Kind.VILLAGE, 0.4)),
}  # fmt: skip
"""What the ground becomes, with chances."""

_FUTURES: Mapping[EventKind, tuple[tuple[float, float], tuple[float, float]]] = {
    EventKind.PLANTATION: ((0.55, 0.80), (6.0, 9.0)),
    EventKind.NATURAL_RETURN: ((0.40, 0.60), (9.0, 14.0)),
    EventKind.CLEAR_CUT: ((0.55, 0.85), (8.0, 12.0)),
    EventKind.BAMBOO_HARVEST: ((0.35, 0.60), (2.0, 2.0)),
    EventKind.CONSTRUCTION: ((0.0, 0.05), (0.0, 0.0)),
    EventKind.MINE_OPEN: ((0.0, 0.0), (0.0, 0.0)),
    EventKind.MINE_CLOSE: ((0.06, 0.10), (2.0, 3.0)),
    EventKind.MINE_RECOVER: ((0.40, 0.65), (6.0, 9.0)),
    EventKind.MINE_RELAPSE: ((0.0, 0.0), (0.0, 0.0)),
}
"""Ranges of canopy cover and of years of growth, see :class:`effects.Event`."""

_FAILED_PLANTING = ((0.05, 0.15), (4.0, 8.0))
_FAILED_SHARE = 0.2
_OIL_CAMELLIA = ((0.08, 0.14), (3.0, 5.0))

_MINE_LIVES: tuple[tuple[EventKind, ...], ...] = (
    (EventKind.MINE_OPEN,),
    (EventKind.MINE_OPEN, EventKind.MINE_CLOSE, EventKind.MINE_RECOVER),
    (EventKind.MINE_OPEN, EventKind.MINE_CLOSE),
    (
        EventKind.MINE_OPEN, EventKind.MINE_CLOSE, EventKind.MINE_RECOVER,
        EventKind.MINE_RELAPSE,
    ),
    (EventKind.MINE_OPEN, EventKind.MINE_CLOSE, EventKind.MINE_RECOVER),
)  # fmt: skip
"""What mines go through, in turn, so that every county has each kind of mine."""
_MINE_TARGETS = {
    EventKind.MINE_CLOSE: Kind.OTHER_SHRUB,
    EventKind.MINE_RECOVER: Kind.EVERGREEN_BROADLEAF,
}
_GRASS_FLOOR = 0.06


def draw(
    world: World,
    seed: int,
    *,
    first: int = 2015,
    last: int = 2027,
    units: gpd.GeoDataFrame | None = None,
) -> tuple[Event, ...]:
    """
    Draw the history of the city from ``first`` to ``last``, both years included.

    Footprints never overlap, but for the events of one mine, which share theirs. Mines may
    have been opened before ``first``.

    Parameters
    ----------
    world : World
        Ground on which plausible places are looked for.
    seed : int
        Same world, seed, years and units: same events.
    units : GeoDataFrame, optional
        Counties over which events are spread (rows of level ``city`` are passed over); the
        nine counties of Jinhua if left out. Rates are per area, so fewer counties get less.

    Returns
    -------
    tuple of Event
        In order of their start.

    Raises
    ------
    ConfigError
        If ``last`` lies before ``first``.
    """
    if last < first:
        raise ConfigError(
            f"a history from {first} to {last} has no year in it; give last >= first",
            zh=f"事件年份 {first}–{last} 为空；结束年份不得早于起始年份",
        )
    rng = np.random.default_rng([seed, first, last])
    lives, number = cycle(_MINE_LIVES), count(1)
    events: list[Event] = []
    for place in choose(world, counties(units), last - first + 1, rng):
        if place.kind is EventKind.MINE_OPEN:
            mine = _mine(place, next(lives), (first, last), rng)
            events += _in_one_site(mine, f"mine-{next(number):02d}")
        else:
            events.append(_happening(place, (first, last), rng))
    events.sort(key=lambda event: (event.start, *event.polygon.bounds, event.kind))
    return tuple(replace(event, id=f"e{n:05d}") for n, event in enumerate(events, start=1))


def _happening(place: Place, years: tuple[int, int], rng: np.random.Generator) -> Event:
    """Give a place its date and its future."""
    kinds, chances = zip(*_TARGETS[place.kind], strict=True)
    target = Kind(rng.choice(kinds, p=chances))
    start = date(int(rng.integers(years[0], years[1], endpoint=True)), 1, 1)
    start += timedelta(days=int(rng.integers(*HABITS[place.kind].season, endpoint=True)) - 1)
    if start.year > years[1]:
        start = start.replace(year=years[1])
    future, success = _FUTURES[place.kind], True
    if target is Kind.OIL_CAMELLIA:
        future, success = _OIL_CAMELLIA, False
    elif place.kind is EventKind.PLANTATION and rng.random() < _FAILED_SHARE:
        future, success = _FAILED_PLANTING, False
    event = _event(place, place.kind, start, future, rng)
    if place.kind is EventKind.BAMBOO_HARVEST:
        event = replace(event, end=_later(start, event.growth_years))
    return replace(event, target=target, success=success)


def _mine(
    place: Place, life: Sequence[EventKind], years: tuple[int, int], rng: np.random.Generator
) -> list[Event]:
    """Events of one mine, in order; what would come after the last year is left out."""
    first, last = date(years[0], 1, 1), date(years[1], 12, 31)
    opened = _later(first, rng.uniform(-10, -1 if len(life) > 1 else 8))
    closed = _later(first, rng.uniform(0, 6))
    greened = _later(closed, rng.uniform(0.5, 2))
    dates = (opened, closed, greened, _later(greened, rng.uniform(4, 6)))
    return [
        _event(place, kind, start, _FUTURES[kind], rng)
        for kind, start in zip(life, dates, strict=False)
        if start <= last
    ]


def _in_one_site(events: list[Event], site: str) -> list[Event]:
    """Tie the events of a mine together: each ends where the next begins."""
    ends = [*(later.start for _, later in pairwise(events)), None]
    return [
        replace(event, end=end, site=site, target=_MINE_TARGETS.get(event.kind, Kind.MINE))
        for event, end in zip(events, ends, strict=True)
    ]


def _event(
    place: Place,
    kind: EventKind,
    start: date,
    future: tuple[tuple[float, float], tuple[float, float]],
    rng: np.random.Generator,
) -> Event:
    """Draw an event's numbers from their ranges; id, target and end are filled in by the caller."""
    canopy, years = (float(rng.uniform(*bounds)) for bounds in future)
    return Event(
        id="",
        kind=kind,
        polygon=place.polygon,
        start=start,
        end=None,
        county=place.county,
        target=Kind.MINE,
        canopy=canopy,
        growth_years=years,
        success=kind is not EventKind.MINE_CLOSE,
        floor=_GRASS_FLOOR if kind is EventKind.MINE_RECOVER else 0.02,
    )


def _later(day: date, years: float) -> date:
    return day + timedelta(days=round(years * 365.25))
