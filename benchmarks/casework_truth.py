"""
What is true of mines and parcels of the twin, and which of them a district holds.

A parcel is one of these: ``young`` (reported less than three years ago); ``economic``
(oil-camellia, planted) or ``unplanted`` of the same; ``forest`` (from age 3 on, true mean canopy of
0.20 in this year and the one before); ``overdue`` (age 5 and below 0.20); ``woody`` (age 3 or 4,
canopy 0.10); ``failing`` (age 3 or 4, below). The twin plants nothing that is lost later, draws no
parcel below 1 亩 and reports few twice, so three more kinds are laid: ``lost``, trees that were
built over or cut, reported as planted in 2013; ``small``, a square of 15 m; and parcels that are
reported once more a year later.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Self

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from shapely.affinity import translate
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from jinhua_rs import indices
from jinhua_rs.afforestation import Stage
from jinhua_rs.mines import MineStatus
from jinhua_rs.mines.metrics import GOAL
from jinhua_rs.mines.ring import reference_ring
from jinhua_rs.schema import FOREST_CANOPY
from jinhua_rs.terrain import terrain_of
from jinhua_rs.twin.effects import Event, EventKind, course
from jinhua_rs.twin.spectra import surface
from jinhua_rs.twin.survey import SAMPLES, inside, window
from jinhua_rs.twin.truth import canopy_by_year
from jinhua_rs.twin.world import World, aggregate, state_of, supersample

__all__ = ["RIGHT", "WHEN", "Cases", "mine_truth", "parcel_truth", "recovery_from"]

WHEN = date(2024, 11, 15)
RIGHT: Mapping[str, frozenset[Stage]] = {
    "young": frozenset({Stage.TOO_YOUNG, Stage.GREENING, Stage.SITE_PREPARED}),
    "economic": frozenset({Stage.GREENING, Stage.WOODY_BEFORE}),
    "unplanted": frozenset({Stage.FAILING}),
    "forest": frozenset({Stage.FOREST}),
    "overdue": frozenset({Stage.OVERDUE}),
    "woody": frozenset({Stage.WOODY}),
    "failing": frozenset({Stage.FAILING, Stage.GREENING}),
    "lost": frozenset({Stage.LOST}),
    "small": frozenset({Stage.TOO_SMALL}),
}
"""Stages that are right for what a parcel truly is."""
_YEARS = WHEN.year - 1, WHEN.year
_SEEN = range(2016, WHEN.year + 1)
_EACH, _LAID, _TWICE = 6, 3, 2
_REACH_M, _TRUE_M = (100.0, 1_000.0), 20.0
"""Reach of the forest that a mine is truly compared with, and the pixel on which it is read."""
_RING_M, _LIKE_M = 500.0, 250.0
"""Ground that is painted around a mine for its ring, around a parcel for its controls."""


@dataclass(frozen=True, slots=True, eq=False)
class Cases:
    """Mines and parcels of a district; ``parcels`` has ``kind`` and ``twice_of`` beside."""

    mines: gpd.GeoDataFrame
    parcels: gpd.GeoDataFrame

    @classmethod
    def of(
        cls,
        world: World,
        events: Sequence[Event],
        told: tuple[gpd.GeoDataFrame, gpd.GeoDataFrame],
        bounds: tuple[float, float, float, float],
    ) -> Self:
        """Choose all mines within bounds, and up to six parcels of each kind, the first by id."""
        district, (mines, parcels) = box(*bounds), told
        found = parcels[parcels.within(district)].sort_values("parcel")
        by_id = {event.id: event for event in events}
        kinds = [parcel_truth(world, by_id, row) for row in found.to_dict("records")]
        found = found.assign(kind=kinds, twice_of=found["duplicate_of"])
        chosen = found[found.groupby("kind").cumcount() < _EACH]
        laid = [*_lost(world, events, district), *_small(chosen), *_twice(chosen)]
        both = pd.concat([chosen, gpd.GeoDataFrame(laid, crs=parcels.crs)], ignore_index=True)
        return cls(mines[mines.within(district)].reset_index(drop=True), both)

    @property
    def ground(self) -> BaseGeometry:
        """Ground that is painted and mapped: all of it, with what it is compared with."""
        shapes = [*self.mines.buffer(_RING_M), *self.parcels.buffer(_LIKE_M)]
        return gpd.GeoSeries(shapes, crs=self.mines.crs).union_all()


def _lost(
    world: World, events: Sequence[Event], district: BaseGeometry
) -> Iterator[dict[str, Any]]:
    """Report trees that were built over or cut later as planted in 2013."""
    found = 0
    for event in events:
        late = EventKind.CONSTRUCTION, EventKind.CLEAR_CUT
        told = event.kind in late and date(2020, 1, 1) <= event.start <= date(2024, 9, 1)
        if found == _LAID or not told or not event.polygon.within(district):
            continue
        was, now = canopy_by_year(world, events, event.polygon, (2018, WHEN.year), resolution=10.0)
        if was >= 2 * FOREST_CANOPY and now <= FOREST_CANOPY / 2:
            found += 1
            yield _laid(f"LOST-{event.id}", 2013, "杉木", event.polygon, "lost")


def _small(chosen: gpd.GeoDataFrame) -> Iterator[dict[str, Any]]:
    """Lay squares of 15 m beside parcels."""
    for row in chosen.head(_LAID).itertuples():
        left, bottom = row.geometry.bounds[0] - 60, row.geometry.bounds[1]
        yield _laid(
            f"SMALL-{row.parcel}", 2018, "杉木", box(left, bottom, left + 15, bottom + 15), "small"
        )


def _twice(chosen: gpd.GeoDataFrame) -> Iterator[dict[str, Any]]:
    """Report the first parcels that are forest, and overdue, once more a year later."""
    for kind in ("forest", "overdue"):
        for row in chosen[chosen["kind"] == kind].head(_TWICE).itertuples():
            again = _laid(
                f"{row.parcel}-AGAIN",
                row.year + 1,
                row.species,
                translate(row.geometry, 5, 5),
                kind,
            )
            if WHEN.year - (row.year + 1) >= 5 - 2 * (kind == "forest"):
                yield again | {"twice_of": row.parcel}


def _laid(parcel: str, year: int, species: str, shape: BaseGeometry, kind: str) -> dict[str, Any]:
    return {
        "parcel": parcel, "year": year, "species": species, "setting": "山地", "type": "新造",
        "reported_mu": round(shape.area * 0.0015, 1), "simulated": True, "kind": kind,
        "twice_of": "", "geometry": shape,
    }  # fmt: skip


def mine_truth(world: World, events: Sequence[Event], site: str) -> str:
    """
    Tell the true state of a mine from its life and its true ground alone.

    Open: active. Closed for three years without trees: stalled, before that recovering. Laid bare
    again: relapsed. Trees planted: recovering, and restored once, in two of three years, the mean
    canopy was 0.20 and NBR 80 % of that of the reference ring, read
    without cloud, haze or noise.
    """
    lived = _lived(events, site)
    latest = lived[-1].kind
    if latest is EventKind.MINE_OPEN:
        return MineStatus.ACTIVE.value
    if latest is EventKind.MINE_RELAPSE:
        return MineStatus.RELAPSED.value
    if latest is EventKind.MINE_CLOSE:
        old = (WHEN - lived[-1].start).days > 3 * 365.25
        return (MineStatus.STALLED if old else MineStatus.RECOVERING).value
    healed = sum(_healed(world, events, lived[0].polygon)) >= 2
    return (MineStatus.RESTORED if healed else MineStatus.RECOVERING).value


def _healed(world: World, events: Sequence[Event], mine: BaseGeometry) -> Iterator[bool]:
    """Tell of each of the last three years whether a mine was as forest as it has to be."""
    seen = _unclouded(world, events, mine.buffer(_REACH_M[1]))
    pixels: GeoBox = seen.odc.geobox
    here, height = inside(pixels, mine), seen["elevation"].to_numpy()
    ring = reference_ring(
        seen, here, np.zeros_like(here), kind=terrain_of(height, _TRUE_M).kind, reach_m=_REACH_M
    )
    nbr, canopy = seen["nbr"].to_numpy(), seen["canopy"].to_numpy()
    for at in (-3, -2, -1):
        green = nbr[at, here].mean() >= GOAL * nbr[:, ring].mean()
        yield bool(green and canopy[at, here].mean() >= FOREST_CANOPY)


def _unclouded(world: World, events: Sequence[Event], ground: BaseGeometry) -> xr.Dataset:
    """NBR, canopy and class of every November, without cloud, haze or noise; the elevation."""
    pixels = window(ground, _TRUE_M)
    samples, terrain = supersample(pixels, SAMPLES), world.terrain(pixels)
    days = [date(year, WHEN.month, WHEN.day) for year in _SEEN]
    found = []
    for day, (kind, canopy) in zip(
        days, course(world.base(samples), samples, events, days), strict=True
    ):
        state = state_of(kind, canopy, samples)
        noon = datetime.combine(day, time(4), UTC)
        light = surface(state, terrain, noon, seed=world.seed)
        layers = aggregate(state, SAMPLES)[["canopy", "landcover"]]
        found.append(layers.assign(nbr=indices.nbr(light["nir08"], light["swir22"])))
    years = xr.concat(found, dim="year", join="override").assign_coords(year=list(_SEEN))
    return years.assign(elevation=terrain["elevation"])


def recovery_from(events: Sequence[Event], site: str, first: int) -> int | None:
    """
    Last year whose November saw a mine at work before it was closed.

    None where it was never closed, or closed before ``first`` so that this year was not seen.
    """
    closed = [one.start for one in _lived(events, site) if one.kind is EventKind.MINE_CLOSE]
    if not closed:
        return None
    year = closed[0].year if closed[0] > date(closed[0].year, 11, 15) else closed[0].year - 1
    return year if year >= first else None


def _lived(events: Sequence[Event], site: str) -> list[Event]:
    lived = [one for one in events if one.site == site and one.start <= WHEN]
    return sorted(lived, key=lambda one: one.start)


def parcel_truth(world: World, events: Mapping[str, Event], parcel: Mapping[Any, Any]) -> str:
    """Tell what a reported parcel truly is; the kinds are those of this module's docstring."""
    age = WHEN.year - int(parcel["year"])
    event = events.get(str(parcel["event"]))
    if age < 3:
        return "young"
    if "油茶" in str(parcel["species"]):
        return "unplanted" if event is None else "economic"
    before, now = canopy_by_year(
        world, list(events.values()), parcel["geometry"], _YEARS, resolution=10.0,
        kind=None if event is None else event.kind,
    )  # fmt: skip
    if min(before, now) >= FOREST_CANOPY:
        return "forest"
    if age >= 5:
        return "overdue"
    return "woody" if now >= FOREST_CANOPY / 2 else "failing"
