"""The ledger: 上报 → 上图 → 见绿 → 成林 for every parcel, its sums, and progress on the target."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any
from zlib import crc32

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray
from odc.geo.geobox import GeoBox
from shapely.geometry.base import BaseGeometry

from jinhua_rs.afforestation.evidence import Evidence, evidence_of
from jinhua_rs.afforestation.parcels import Parcels, overlap_mu
from jinhua_rs.afforestation.stages import JUDGED_AGE, stage_of
from jinhua_rs.errors import NoDataError
from jinhua_rs.history import Publication, series
from jinhua_rs.terrain import terrain_of

__all__ = ["LADDER", "REACH_M", "ledger", "sums"]

LADDER = ("reported_mu", "mapped_mu", "greened_mu", "forest_mu")
"""上报, 上图, 见绿, 成林; each at most the one before it."""
REACH_M = 1_500.0
"""How far away controls may lie."""
_BLOCK_M = 10_000.0
"""Side of the squares whose parcels share one reading of each map."""
_YEARLY, _LOOKS = ("ndvi", "canopy", "landcover"), "n_clear"
_NEW = "新造"
_CONFLICT_MU = 1.0

Row = Mapping[Any, Any]
Elevation = Callable[[GeoBox], NDArray[np.float32]]


def ledger(
    parcels: Parcels,
    published: tuple[Publication, ...],
    *,
    county_of: Callable[[BaseGeometry], str],
    farmland: gpd.GeoDataFrame | None,
    elevation: Elevation | None,
    seed: int,
) -> gpd.GeoDataFrame:
    """
    Judge every parcel in the last published period.

    Parameters
    ----------
    parcels : Parcels
    published : tuple of Publication
        Of one season, oldest first, with the maps ``ndvi``, ``canopy``, ``landcover``, ``n_clear``.
    county_of : callable
        Code of the county in which a geometry lies.
    farmland : GeoDataFrame, optional
        Permanent basic farmland, on which planting is forbidden.
    elevation : callable, optional
        Elevation (m) on a window; controls are then matched by slope and aspect too.
    seed : int
        Of the drawing of controls.

    Returns
    -------
    GeoDataFrame, one row a parcel
        The fields of :class:`~jinhua_rs.afforestation.parcels.Parcels`, ``county``, ``age``, every
        field of :class:`Evidence`, ``stage``, ``why``, ``why_zh``, :data:`LADDER` (亩),
        ``net_new_mu`` (forest that was none before, of new plantings), ``on_farmland_mu`` (NaN
        without the layer), ``conflict`` (1 亩 or more on basic farmland).

    Raises
    ------
    NoDataError
        If nothing was published that parcels can be judged by.
    """
    if not published:
        raise _no_maps()
    year, shapes = published[-1].period.year, parcels.frame.geometry.to_numpy()
    tree = shapely.STRtree(shapes)
    rows: dict[int, dict[str, Any]] = {}
    for places, area in _blocks(parcels.frame):
        block = _block(published, area, elevation)
        for place in places:
            row = parcels.frame.iloc[place]
            planted = None if pd.isna(row["year"]) else int(row["year"])
            age = None if planted is None else year - planted
            ground = _ground(row)
            barred = shapes[tree.query(ground.buffer(REACH_M))]
            seen = _seen(block, row, year if planted is None else planted, barred, seed)
            finding = stage_of(seen, age, economic=bool(row["economic"]))
            rows[place] = (
                asdict(seen)
                | {
                    "county": county_of(row["geometry"]),
                    "age": age,
                    "stage": finding.stage.value,
                    "why": finding.why,
                    "why_zh": finding.why_zh,
                }
                | _ladder(row, seen, age)
            )
    told = pd.DataFrame([rows[place] for place in sorted(rows)], index=parcels.frame.index)
    told = told.astype({"age": "Int64"})
    found = parcels.frame.drop(columns=["counted", "reported_mu"]).join(told)
    on_farmland = overlap_mu(parcels.frame, farmland)
    return found.assign(on_farmland_mu=on_farmland, conflict=on_farmland >= _CONFLICT_MU)


def _ground(row: Row) -> BaseGeometry:
    """Ground that is judged: what is counted; of a second report all, of which little is left."""
    counted: BaseGeometry = row["counted"]
    whole: BaseGeometry = row["geometry"]
    return whole if row["duplicate_of"] or counted.is_empty else counted


def _blocks(frame: gpd.GeoDataFrame) -> Iterator[tuple[list[int], BaseGeometry]]:
    """Yield the positions of the parcels of each square, and the ground to read for them."""
    grounds = np.array([_ground(row) for _, row in frame.iterrows()], dtype=object)
    corners = np.floor(shapely.get_coordinates(shapely.centroid(grounds)) / _BLOCK_M)
    _, square = np.unique(corners, axis=0, return_inverse=True)
    for number in range(square.max() + 1):
        places = np.flatnonzero(square == number)
        yield places.tolist(), shapely.box(*shapely.total_bounds(grounds[places])).buffer(REACH_M)


def _block(
    published: tuple[Publication, ...], area: BaseGeometry, elevation: Elevation | None
) -> xr.Dataset:
    """Read the maps of a square once, and with elevation the ``kind`` of its terrain."""
    stack = _stack(published, area)
    if elevation is None:
        return stack
    geobox = stack.odc.geobox
    kind = terrain_of(elevation(geobox), abs(geobox.resolution.x)).kind
    return stack.assign(kind=(("y", "x"), kind))


def _seen(
    block: xr.Dataset, row: Row, planted: int, barred: NDArray[np.object_], seed: int
) -> Evidence:
    """Gather the evidence on one parcel from its surroundings, where others bar controls."""
    ground = _ground(row)
    left, bottom, right, top = ground.buffer(REACH_M).bounds
    stack = block.sel(x=slice(left, right), y=slice(top, bottom))
    return evidence_of(
        stack,
        ground,
        barred=shapely.union_all(barred),
        planted=planted,
        kind=stack["kind"].to_numpy() if "kind" in stack else None,
        rng=np.random.default_rng([seed, crc32(str(row["parcel"]).encode())]),
    )


def _stack(published: tuple[Publication, ...], area: BaseGeometry) -> xr.Dataset:
    found = {name: series(published, name, area) for name in _YEARLY}
    looks = series(published[-1:], _LOOKS, area)
    years = set.intersection(*(set(one["year"].to_numpy().tolist()) for one in found.values()))
    if published[-1].period.year not in years or not looks.sizes["year"]:
        raise _no_maps()
    yearly = {name: one.sel(year=sorted(years)) for name, one in found.items()}
    return xr.Dataset(yearly | {_LOOKS: looks.squeeze("year", drop=True)})


def _no_maps() -> NoDataError:
    maps = (*_YEARLY, _LOOKS)
    return NoDataError(
        f"the period has no published maps {', '.join(maps)}, by which parcels are judged; run it "
        "with a model that knows canopy and classes",
        zh=f"该时段没有已发布的 {'、'.join(maps)} 图，无法核查造林小班；"
        "请用含林冠与地类的模型重新运行",
    )


def _ladder(row: Row, seen: Evidence, age: int | None) -> dict[str, float]:
    """
    Areas of the four rungs, 亩, rounded to 0.01, none above the one before it.

    What is mapped is at most what was reported and at most the ground that is not counted
    elsewhere. Forest counts from the third year on. Where nothing can be judged, 0 was seen.
    """
    reported = row["drawn_mu"] if np.isnan(row["reported_mu"]) else row["reported_mu"]
    mapped = min(reported, row["counted_mu"])
    grown = seen.forest_share if age is not None and age >= JUDGED_AGE else 0.0
    forest = mapped * np.nan_to_num(grown)
    greened = max(mapped * np.nan_to_num(seen.greened_share), forest)
    net = forest * (1 - np.nan_to_num(seen.was_forest_share)) if row["type"] in ("", _NEW) else 0.0
    values = (reported, mapped, greened, forest)
    return {name: round(float(value), 2) for name, value in zip(LADDER, values, strict=True)} | {
        "net_new_mu": round(float(net), 2)
    }


def sums(found: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """
    Sum the ledger by county, year, setting or any of its fields.

    Returns
    -------
    DataFrame, index ``by``
        ``parcels`` (number), :data:`LADDER` and ``net_new_mu`` (亩); parcels without a value of
        ``by`` are summed under it, so that every sum adds up to the ledger.
    """
    areas = [*LADDER, "net_new_mu"]
    groups = found.groupby(list(by), dropna=False, sort=True)
    return groups[areas].sum().round(2).assign(parcels=groups.size())[["parcels", *areas]]
