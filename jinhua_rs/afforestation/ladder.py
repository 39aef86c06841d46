"""The ledger: 上报 → 上图 → 见绿 → 成林 for every parcel, its sums, and progress on the target."""

from collections.abc import Callable, Mapping, Sequence
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
_MAPS = ("ndvi", "canopy", "landcover", "n_clear")
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
    year, everything = published[-1].period.year, parcels.frame.geometry.union_all()
    rows = []
    for _, row in parcels.frame.iterrows():
        planted = None if pd.isna(row["year"]) else int(row["year"])
        seen = _seen(row, planted, published, everything, elevation, seed)
        age = None if planted is None else year - planted
        finding = stage_of(seen, age, economic=bool(row["economic"]))
        rows.append(
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
    told = pd.DataFrame(rows, index=parcels.frame.index).astype({"age": "Int64"})
    found = parcels.frame.drop(columns=["counted", "reported_mu"]).join(told)
    on_farmland = overlap_mu(parcels.frame, farmland)
    return found.assign(on_farmland_mu=on_farmland, conflict=on_farmland >= _CONFLICT_MU)


def _seen(
    row: Row,
    planted: int | None,
    published: tuple[Publication, ...],
    everything: BaseGeometry,
    elevation: Elevation | None,
    seed: int,
) -> Evidence:
    """Read the surroundings of one parcel and gather its evidence."""
    ground = row["counted"] if not row["counted"].is_empty else row["geometry"]
    around = ground.buffer(REACH_M)
    stack = _stack(published, around)
    kind = None
    if elevation is not None:
        geobox = stack.odc.geobox
        kind = terrain_of(elevation(geobox), abs(geobox.resolution.x)).kind
    return evidence_of(
        stack,
        ground,
        barred=shapely.intersection(everything, around),
        planted=published[-1].period.year if planted is None else planted,
        kind=kind,
        rng=np.random.default_rng([seed, crc32(str(row["parcel"]).encode())]),
    )


def _stack(published: tuple[Publication, ...], area: BaseGeometry) -> xr.Dataset:
    found = {name: series(published, name, area) for name in _MAPS}
    years = set.intersection(*(set(one["year"].to_numpy().tolist()) for one in found.values()))
    if published[-1].period.year not in years:
        raise _no_maps()
    return xr.Dataset({name: one.sel(year=sorted(years)) for name, one in found.items()})


def _no_maps() -> NoDataError:
    return NoDataError(
        f"the period has no published maps {', '.join(_MAPS)}, by which parcels are judged; run it "
        "with a model that knows canopy and classes",
        zh=f"该时段没有已发布的 {'、'.join(_MAPS)} 图，无法核查造林小班；"
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
