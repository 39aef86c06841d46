"""What is true in the twin, as tables: cover and change by unit, mines, parcels, events."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import NoDataError
from jinhua_rs.period import Period
from jinhua_rs.schema import FOREST_CANOPY, LAND_CLASSES, Land
from jinhua_rs.twin.effects import GROUND, Event, EventKind, course
from jinhua_rs.twin.survey import SAMPLES, HasBase, inside, middle, pieces, states, window
from jinhua_rs.twin.world import supersample
from jinhua_rs.units import hectares, mu

__all__ = ["canopy_by_year", "events_table", "mines_table", "parcels_table", "truth_table", "write"]

_MONTH_DAY = (11, 15)
"""Day of the year on which yearly canopy is read: leaves still on, harvest over."""


@dataclass(frozen=True, eq=False, slots=True)
class _Counts:
    """Pixels by unit and period: of each class, with tree cover, gained and lost since before."""

    classes: NDArray[np.int64]
    trees: NDArray[np.int64]
    gain: NDArray[np.int64]
    loss: NDArray[np.int64]

    @classmethod
    def none(cls, units: int, periods: int) -> "_Counts":
        shape = units, periods
        flat = (np.zeros(shape, "int64") for _ in range(3))
        return cls(np.zeros((*shape, len(Land)), "int64"), *flat)


def truth_table(
    world: HasBase,
    events: Sequence[Event],
    units: gpd.GeoDataFrame,
    periods: Sequence[Period],
    *,
    resolution: float,
) -> pd.DataFrame:
    """
    Count what is true in each unit in the middle of each period.

    Pixels of the grid of EPSG:4549 count for a unit where their centre lies in it; tree cover
    is a mean canopy of at least 0.20. The ground is read in pieces of 256 x 256 pixels.

    Parameters
    ----------
    world : HasBase
        ``World`` or ``survey.Memory``.
    units : GeoDataFrame
        Index ``code``, EPSG:4549; the city, if among them, is one unit more.
    periods : sequence of Period
        In order of time.
    resolution : float, m

    Returns
    -------
    DataFrame, tidy
        ``unit``, ``period``, ``since``, ``indicator``, ``value``. Indicators:
        ``tree_cover_share`` (% of all ground), ``tree_cover_area`` (ha),
        ``area_<class name>`` (ha), and, from the second period on, ``gain_area`` and
        ``loss_area`` (ha) against the period before, which ``since`` names (else empty).

    Raises
    ------
    NoDataError
        If a unit holds no pixel centre.
    """
    days = [middle(period) for period in periods]
    counts = _Counts.none(len(units), len(periods))
    for piece in pieces(units, resolution):
        masks = {
            n: mask
            for n, shape in enumerate(units.geometry)
            if (mask := inside(piece.geobox, shape)).any()
        }
        if masks:
            _count(counts, masks, states(world, piece.geobox, events, days))
    empty = units.index[counts.classes.sum(axis=(1, 2)) == 0]
    if len(empty):
        raise NoDataError(
            f"unit {empty[0]} holds no pixel centre at {resolution:g} m; use a finer resolution",
            zh=f"{resolution:g} 米分辨率下单元 {empty[0]} 内没有像元；请提高分辨率",
        )
    return _tidy(counts, list(units.index), periods, resolution)


def _count(
    counts: _Counts, masks: dict[int, NDArray[np.bool_]], truths: Iterator[xr.Dataset]
) -> None:
    """Add the pixels of one piece."""
    before: NDArray[np.bool_] | None = None
    for step, truth in enumerate(truths):
        land, trees = truth["landcover"].to_numpy(), truth["canopy"].to_numpy() >= FOREST_CANOPY
        for unit, mask in masks.items():
            counts.classes[unit, step] += np.bincount(land[mask], minlength=len(Land))
            counts.trees[unit, step] += np.count_nonzero(trees & mask)
            if before is not None:
                counts.gain[unit, step] += np.count_nonzero(trees & ~before & mask)
                counts.loss[unit, step] += np.count_nonzero(before & ~trees & mask)
        before = trees


def _tidy(
    counts: _Counts, codes: Sequence[str], periods: Sequence[Period], resolution: float
) -> pd.DataFrame:
    pixel_ha = hectares(resolution**2)
    rows: list[tuple[str, str, str, str, float]] = []
    for (unit, step), trees in np.ndenumerate(counts.trees):
        classes = counts.classes[unit, step]
        facts = {
            "tree_cover_share": 100 * trees / classes.sum(),
            "tree_cover_area": trees * pixel_ha,
        }
        facts |= {_area_of(info.code): classes[info.code] * pixel_ha for info in LAND_CLASSES}
        head = codes[unit], str(periods[step])
        rows += [(*head, "", name, float(value)) for name, value in facts.items()]
        if step:
            since = str(periods[step - 1])
            rows.append((*head, since, "gain_area", float(counts.gain[unit, step] * pixel_ha)))
            rows.append((*head, since, "loss_area", float(counts.loss[unit, step] * pixel_ha)))
    return pd.DataFrame(rows, columns=["unit", "period", "since", "indicator", "value"])


def _area_of(code: int) -> str:
    return f"area_{Land(code).name.lower()}"


def canopy_by_year(
    world: HasBase,
    events: Sequence[Event],
    shape: BaseGeometry,
    years: Sequence[int],
    *,
    resolution: float,
    kind: EventKind | None = None,
) -> list[float]:
    """
    Mean canopy cover (0-1) of a footprint in EPSG:4549 on 15 November of each year.

    Over the sample points in it, four to a pixel; where there is none, over those of the
    pixel below a point of it. With a ``kind`` of event only over the ground on which that
    event acts, unless there is none of it.
    """
    fine = supersample(window(shape, resolution), SAMPLES)
    within = inside(fine, shape)
    if not within.any():
        fine = supersample(window(shape.representative_point(), resolution), SAMPLES)
        within = np.ones(tuple(fine.shape), "bool")
    days = [date(year, *_MONTH_DAY) for year in years]
    base = world.base(fine)
    if kind is not None:
        suits = within & np.isin(base["kind"].to_numpy(), list(GROUND[kind]))
        within = suits if suits.any() else within
    return [float(canopy[within].mean()) for _, canopy in course(base, fine, events, days)]


def events_table(events: Sequence[Event]) -> pd.DataFrame:
    """List all events, one row each; ``area_ha`` is the footprint's, ``end`` empty if none."""
    return pd.DataFrame(
        [
            {
                "id": event.id,
                "kind": str(event.kind),
                "county": event.county,
                "start": event.start.isoformat(),
                "end": "" if event.end is None else event.end.isoformat(),
                "area_ha": round(hectares(event.polygon.area), 3),
                "target": event.target.name.lower(),
                "canopy": round(event.canopy, 3),
                "growth_years": round(event.growth_years, 2),
                "success": event.success,
                "site": event.site,
                "x": round(event.polygon.centroid.x),
                "y": round(event.polygon.centroid.y),
            }
            for event in events
        ]
    )


def mines_table(
    world: HasBase, events: Sequence[Event], years: Sequence[int], *, resolution: float
) -> pd.DataFrame:
    """
    Tell the true life of each mine: dates (ISO, empty if it never came) and canopy by year.

    Columns ``site``, ``county``, ``area_ha``, ``mine_open``, ``mine_close``,
    ``mine_recover``, ``mine_relapse`` and ``canopy_<year>``.
    """
    sites: dict[str, list[Event]] = {}
    for event in events:
        if event.site:
            sites.setdefault(event.site, []).append(event)
    steps = [kind for kind in EventKind if kind.startswith("mine_")]
    rows = []
    for site, lived in sorted(sites.items()):
        shape = lived[0].polygon
        dates = {event.kind: event.start.isoformat() for event in lived}
        canopy = canopy_by_year(world, events, shape, years, resolution=resolution)
        rows.append(
            {"site": site, "county": lived[0].county, "area_ha": round(hectares(shape.area), 3)}
            | {str(kind): dates.get(kind, "") for kind in steps}
            | {f"canopy_{year}": round(c, 4) for year, c in zip(years, canopy, strict=True)}
        )
    return pd.DataFrame(rows)


def parcels_table(
    world: HasBase,
    events: Sequence[Event],
    parcels: gpd.GeoDataFrame,
    years: Sequence[int],
    *,
    resolution: float,
) -> pd.DataFrame:
    """
    Tell what became of each reported parcel.

    Parameters
    ----------
    parcels : GeoDataFrame
        As ``layers.parcels`` returns it, truth columns included.

    Returns
    -------
    DataFrame, one row for each parcel
        ``parcel``; ``event`` (id, empty where nothing was planted), ``planted`` (bool),
        ``planted_mu`` (亩 of the parcel that the planting covers), ``succeeds`` (bool, will
        close), ``duplicate_of`` (parcel first reported on this ground), ``greened`` (first
        year after planting with a mean canopy of 0.20, empty if none of ``years``),
        ``on_farmland_mu`` (亩 on permanent basic farmland) and ``canopy_<year>`` (mean, 0-1,
        of the ground that was planted; of the whole parcel where nothing was).
    """
    by_id = {event.id: event for event in events}
    rows = []
    for parcel in parcels.itertuples():
        event = by_id.get(parcel.event)
        canopy = canopy_by_year(
            world,
            events,
            parcel.geometry,
            years,
            resolution=resolution,
            kind=None if event is None else event.kind,
        )
        planted_m2 = 0.0 if event is None else parcel.geometry.intersection(event.polygon).area
        green = [
            year
            for year, cover in zip(years, canopy, strict=True)
            if event is not None and year > event.start.year and cover >= FOREST_CANOPY
        ]
        rows.append(
            {
                "parcel": parcel.parcel,
                "event": parcel.event,
                "planted": event is not None,
                "planted_mu": round(mu(planted_m2), 2),
                "succeeds": event is not None and event.success,
                "duplicate_of": parcel.duplicate_of,
                "greened": str(green[0]) if green else "",
                "on_farmland_mu": parcel.on_farmland_mu,
            }
            | {f"canopy_{year}": round(c, 4) for year, c in zip(years, canopy, strict=True)}
        )
    return pd.DataFrame(rows)


def write(
    folder: Path,
    world: HasBase,
    events: Sequence[Event],
    parcels: gpd.GeoDataFrame,
    table: pd.DataFrame,
    *,
    resolution: float,
) -> tuple[Path, ...]:
    """
    Write ``truth.csv``, ``events.csv``, ``mines.csv`` and ``parcels.csv`` into a folder.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    parcels : GeoDataFrame
        As ``layers.parcels`` returns it.
    table : DataFrame
        As :func:`truth_table` returns it.
    resolution : float, m
        Of the canopy read for mines and parcels.
    """
    told = [Period.parse(period).start.year for period in table["period"].unique()]
    told += [event.start.year for event in events if not event.site]
    years = range(min(told), max(told) + 1)
    tables = {
        "truth": table,
        "events": events_table(events),
        "mines": mines_table(world, events, years, resolution=resolution),
        "parcels": parcels_table(world, events, parcels, years, resolution=resolution),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, content in tables.items():
        path = folder / f"{name}.csv"
        content.to_csv(path, index=False, lineterminator="\n")
        paths.append(path)
    return tuple(paths)
