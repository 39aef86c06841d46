"""
The layers that a bureau would supply, as GeoPackages: parcels, mines, zones, rivers.

Every layer and every feature says that it is simulated; names are generic. What is true about
the parcels stays in columns that are not written (``truth.parcels_table`` tells it).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray

from jinhua_rs.regions import outline
from jinhua_rs.twin.effects import Event, EventKind
from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.places import counties
from jinhua_rs.twin.samples import misread, reference_sample, training_samples
from jinhua_rs.twin.world import Kind, World
from jinhua_rs.twin.zones import View, farmland, gardens, red_line, reserves, rivers, view
from jinhua_rs.units import M2_PER_MU, mu

__all__ = [
    "SETTINGS",
    "TRUTH_COLUMNS",
    "mines",
    "misread",
    "parcels",
    "reference_sample",
    "training_samples",
    "write",
    "write_layer",
]

SETTINGS: Final = ("山地", "坡地", "城市", "乡村", "通道", "沿江")
"""The six settings of afforestation (六大森林)."""
TRUTH_COLUMNS: Final = ("event", "duplicate_of", "on_farmland_mu")
"""Columns of :func:`parcels` that no bureau would know; they are never written."""

_SPECIES: Final = {
    Kind.EVERGREEN_BROADLEAF: ("木荷", "枫香、木荷", "浙江楠"),
    Kind.CONIFER: ("杉木", "马尾松", "柳杉"),
    Kind.DECIDUOUS: ("枫香", "檫木", "麻栎"),
    Kind.OIL_CAMELLIA: ("油茶",),
}
_REPORTED_CUTTINGS: Final = 0.6
_REPORTED_TWICE: Final = 0.05
_NEVER_PLANTED: Final = 0.06
_REPAIRS: Final = 0.15
_STATUS: Final = {
    EventKind.MINE_OPEN: "在采",
    EventKind.MINE_CLOSE: "关闭",
    EventKind.MINE_RECOVER: "治理中",
    EventKind.MINE_RELAPSE: "在采",
}
_RESTORED_AFTER_YEARS: Final = 4.0
_WRITTEN_ON: Final = "2020-01-01T00:00:00.000Z"
"""Date that GeoPackages carry, so that equal layers are equal bytes."""


def write(
    folder: Path,
    world: World,
    events: Sequence[Event],
    *,
    when: date,
    rng: np.random.Generator,
    units: gpd.GeoDataFrame | None = None,
) -> gpd.GeoDataFrame:
    """
    Write all layers as they stand on a day, and return the parcels with their truth.

    ``parcels.gpkg``, ``mines.gpkg``, ``farmland.gpkg``, ``red_line.gpkg``, ``reserves.gpkg``,
    ``gardens.gpkg`` and ``rivers.gpkg``, each with one layer of that name.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    when : date
        Nothing later is in the layers.
    units : GeoDataFrame, optional
        Counties that the layers cover; the nine of Jinhua if left out.

    Returns
    -------
    GeoDataFrame
        What :func:`parcels` gives; for ``truth.write``.
    """
    covered = counties(units)
    city = outline(covered)
    seen = view(world, covered)
    fields, red = farmland(seen, city), red_line(seen, city)
    told = parcels(events, seen, fields, when=when, rng=rng)
    folder.mkdir(parents=True, exist_ok=True)
    for name, title, layer in (
        ("parcels", "造林上报地块", told.drop(columns=list(TRUTH_COLUMNS))),
        ("mines", "矿山", mines(events, when)),
        ("farmland", "永久基本农田", fields),
        ("red_line", "生态保护红线", red),
        ("reserves", "自然保护区", reserves(red, rng)),
        ("gardens", "茶园果园", gardens(seen, city)),
        ("rivers", "八条河流廊道", rivers(world, seen, city)),
    ):
        write_layer(layer, folder / f"{name}.gpkg", title)
    return told


def write_layer(layer: gpd.GeoDataFrame, path: Path, title: str) -> None:
    """Write one GeoPackage, marked as simulated; equal layers give equal bytes."""
    path.unlink(missing_ok=True)
    mark = {"simulated": "true", "title": f"{title}（模拟数据 · SIMULATED）"}
    with _dated(_WRITTEN_ON):
        pyogrio.write_dataframe(
            layer,
            path,
            layer=path.stem,
            driver="GPKG",
            dataset_metadata=mark,
            layer_metadata=mark,
        )


@contextmanager
def _dated(instant: str) -> Iterator[None]:
    """Have GDAL write ``instant`` into new GeoPackages instead of the time of day."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": instant})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def mines(events: Sequence[Event], when: date) -> gpd.GeoDataFrame:
    """
    Mines as the bureau knows them on a day: it does not hear of relapses.

    Returns
    -------
    GeoDataFrame, EPSG:4549
        ``site``, ``name`` (矿山01), ``county``, ``status`` (在采, 关闭, 治理中, 已治理),
        ``opened``, ``closed``, ``restored_from`` (years, missing if not yet), ``area_mu``
        (亩), ``simulated``.
    """
    lives: dict[str, dict[EventKind, Event]] = {}
    for event in events:
        if event.site and event.start <= when and event.kind is not EventKind.MINE_RELAPSE:
            lives.setdefault(event.site, {})[event.kind] = event
    rows = []
    for site, life in sorted(lives.items()):
        latest = max(life.values(), key=lambda event: event.start)
        years = {kind: event.start.year for kind, event in life.items()}
        healed = latest.kind is EventKind.MINE_RECOVER and (
            (when - latest.start).days > 365.25 * _RESTORED_AFTER_YEARS
        )
        rows.append(
            {
                "site": site,
                "name": f"矿山{site.removeprefix('mine-')}",
                "county": latest.county,
                "status": "已治理" if healed else _STATUS[latest.kind],
                "opened": years.get(EventKind.MINE_OPEN),
                "closed": years.get(EventKind.MINE_CLOSE),
                "restored_from": years.get(EventKind.MINE_RECOVER),
                "area_mu": round(mu(latest.polygon.area), 1),
                "simulated": True,
                "geometry": latest.polygon,
            }
        )
    table = gpd.GeoDataFrame(rows, crs=CRS)
    return table.astype(dict.fromkeys(("opened", "closed", "restored_from"), "Int64"))


def parcels(
    events: Sequence[Event],
    seen: View,
    fields: gpd.GeoDataFrame,
    *,
    when: date,
    rng: np.random.Generator,
) -> gpd.GeoDataFrame:
    """
    Afforestation parcels as reported until a day: some twice, some never planted.

    Every planting is reported, three in five cuttings that were planted again, and some
    ground that nobody planted; one parcel in twenty is reported once more a year or two later.
    Outlines are off by some metres, areas by some percent.

    Parameters
    ----------
    fields : GeoDataFrame
        Permanent basic farmland, against which parcels are laid.

    Returns
    -------
    GeoDataFrame, EPSG:4549
        ``parcel`` (id), ``county`` (code), ``county_name``, ``year`` (reported),
        ``reported_mu`` (亩), ``species``, ``setting`` (of ``SETTINGS``), ``type`` (新造, 更新,
        补植), ``simulated``; and what nobody reports: ``event`` (id of the planting, empty
        if there was none), ``duplicate_of`` (parcel id or empty), ``on_farmland_mu`` (亩).
    """
    told = _planted(events, rng)
    told = pd.concat([told, _invented(told, events, rng)], ignore_index=True)
    told = told[told["year"] <= when.year].reset_index(drop=True)
    again = told[rng.random(len(told)) < _REPORTED_TWICE]
    later = again["year"] + rng.integers(1, 3, len(again))
    again = again.assign(year=later, first=again.index)[later <= when.year]
    told = pd.concat([told.assign(first=-1), again], ignore_index=True)
    shift = rng.normal(0, 4, (len(told), 2))
    moved = [
        shapely.transform(shape, lambda xy, by=by: xy + by)
        for shape, by in zip(told.pop("geometry"), shift, strict=True)
    ]
    table = gpd.GeoDataFrame(told, geometry=moved, crs=CRS)
    ids = [f"ZL{year}-{n:04d}" for n, year in enumerate(table["year"], start=1)]
    on_fields = _shared(table.geometry.to_numpy(), fields.geometry.to_numpy())
    names = counties()["name_zh"]
    return gpd.GeoDataFrame(
        {
            "parcel": ids,
            "county": table["county"],
            "county_name": table["county"].map(names),
            "year": table["year"],
            "reported_mu": np.round(mu(table.area) * np.exp(rng.normal(0.04, 0.08, len(table))), 1),
            "species": [rng.choice(_SPECIES[Kind(target)]) for target in table["target"]],
            "setting": _settings(table, seen),
            "type": table["type"],
            "simulated": True,
            "event": table["event"],
            "duplicate_of": ["" if first < 0 else ids[first] for first in table["first"]],
            "on_farmland_mu": np.round(on_fields / M2_PER_MU, 2),
        },
        geometry=table.geometry,
        crs=CRS,
    )


def _shared(shapes: NDArray[np.object_], zones: NDArray[np.object_]) -> NDArray[np.float64]:
    """Area of each shape in zones that do not overlap, m², dims (shape,)."""
    shape, zone = shapely.STRtree(zones).query(shapes, predicate="intersects")
    areas = shapely.area(shapely.intersection(shapes[shape], zones[zone]))
    return np.bincount(shape, weights=areas, minlength=len(shapes)).astype("float64")


def _planted(events: Sequence[Event], rng: np.random.Generator) -> pd.DataFrame:
    """Report plantings, and cuttings planted again in the year after the cut."""
    rows = []
    for event in events:
        chance = rng.random()
        if event.kind is EventKind.PLANTATION:
            year, how = event.start.year, "补植" if chance < _REPAIRS else "新造"
        elif event.kind is EventKind.CLEAR_CUT and chance < _REPORTED_CUTTINGS:
            year, how = event.start.year + 1, "更新"
        else:
            continue
        rows.append((event.id, event.county, year, how, int(event.target), event.polygon))
    return pd.DataFrame(rows, columns=["event", "county", "year", "type", "target", "geometry"])


def _invented(
    told: pd.DataFrame, events: Sequence[Event], rng: np.random.Generator
) -> pd.DataFrame:
    """Report ground on which nothing ever happened: true parcels moved some kilometres away."""
    n = max(1, round(len(told) * _NEVER_PLANTED))
    model = told.iloc[rng.integers(0, len(told), 8 * n)].reset_index(drop=True)
    turn, far = rng.uniform(0, 2 * np.pi, len(model)), rng.uniform(1_500, 5_000, len(model))
    by = np.stack([far * np.cos(turn), far * np.sin(turn)], axis=-1)
    moved = np.array(
        [
            shapely.transform(shape, lambda xy, by=one: xy + by)
            for shape, one in zip(model["geometry"], by, strict=True)
        ],
        dtype="object",
    )
    tree = shapely.STRtree([event.polygon for event in events])
    free = np.ones(len(moved), "bool")
    free[tree.query(moved, predicate="intersects")[0]] = False
    units = counties()
    inside = shapely.STRtree(units.geometry.to_numpy()).query(moved, predicate="within")
    county = pd.Series("", index=model.index, dtype="object")
    county.iloc[inside[0]] = units.index.to_numpy()[inside[1]]
    found = model.assign(geometry=moved, county=county, event="", type="新造")
    return found[free & (county != "").to_numpy()].head(n)


def _settings(table: gpd.GeoDataFrame, seen: View) -> NDArray[np.object_]:
    """Name the setting of each parcel from what lies around its centre."""
    centre = table.geometry.centroid
    at = seen.at(centre.x.to_numpy(), centre.y.to_numpy())
    river, town, village = (
        seen.apart(kind)[at] for kind in (Kind.RIVER, Kind.BUILT_DENSE, Kind.VILLAGE)
    )
    near = [river < 350, town < 500, village < 330, village < 650, seen.slope[at] > 12]
    names = ["沿江", "城市", "乡村", "通道", "山地"]
    return np.asarray(np.select(near, names, default="坡地"), dtype="object")
