"""The work on one tile: what a worker does, ending in a finished, checksummed folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import rasterize, xr_coords
from rasterio.errors import RasterioError
from shapely.geometry.base import BaseGeometry

from jinhua_rs import catalog, change, composite, cube, features, indices, landcover, masks, store
from jinhua_rs.grid import Tile
from jinhua_rs.scene import Scene
from jinhua_rs.schema import described
from jinhua_rs.settings import Composite, Mask, Stac

__all__ = [
    "CompositeJob",
    "Made",
    "change_tile",
    "classify_tile",
    "composite_tile",
    "features_at",
    "inspect_scene",
]

_BLOCK = 512
"""Pixels are composited in blocks of at most this side: memory does not grow with the tile."""
_LOOKS = 24
"""With more looks than this the blocks get smaller: memory does not grow with the dates."""


@dataclass(frozen=True, slots=True)
class Made:
    """What became of a tile: ``done`` or ``reused``; scenes that could not be read, and why."""

    tile: str
    state: str
    broken: dict[str, str]
    clear_pixels: int


@dataclass(frozen=True, slots=True)
class CompositeJob:
    """Everything a worker needs to composite one tile."""

    path: Path
    key: str
    tile: Tile
    scenes: tuple[Scene, ...]
    area: BaseGeometry
    stac: Stac
    mask: Mask
    options: Composite
    label: str


def composite_tile(job: CompositeJob) -> Made:
    """
    Composite one tile, unless that is done already from all its scenes.

    A scene whose pixels cannot be read is left out of the whole tile and reported;
    the tile is then made from the others.
    """
    facts = store.read_facts(job.path) if store.is_sealed(job.path, job.key) else {}
    if facts and not facts["broken"]:
        return Made(job.tile.id, "reused", {}, int(facts["clear_pixels"]))
    made, broken = _composite_of_readable(job)
    inside = rasterize(Geometry(job.area, job.tile.geobox.crs), job.tile.geobox, all_touched=True)
    clear_pixels = int((made["n_clear"].where(inside, 0) >= job.options.min_clear).sum())
    within = {
        name: described(array.where(inside, 0 if name == "n_clear" else np.nan), str(name))
        for name, array in made.data_vars.items()
    }
    store.write_tile(job.path, made.assign(within), job.label)
    used = [scene.id for scene in job.scenes if scene.id not in broken]
    facts = {"broken": broken, "clear_pixels": clear_pixels, "scenes": used}
    store.seal(job.path, job.key, facts)
    return Made(job.tile.id, "done", broken, clear_pixels)


def _composite_of_readable(job: CompositeJob) -> tuple[xr.Dataset, dict[str, str]]:
    """Composite the scenes whose pixels can be read; name the others with the reason."""
    scenes = catalog.sign_scenes(job.scenes, _signer(job.stac))
    try:
        return _composite(job, scenes), {}
    except (RasterioError, OSError):
        scenes = catalog.sign_scenes(job.scenes, _signer(job.stac), renew=True)
        broken = cube.broken_assets(scenes, job.tile.geobox, job.options.bands)
    readable = [scene for scene in scenes if scene.id not in broken]
    reasons = {scene: catalog.unsigned(reason) for scene, reason in broken.items()}
    return _composite(job, readable), reasons


def _composite(job: CompositeJob, scenes: Sequence[Scene]) -> xr.Dataset:
    """Composite a tile block by block; a tile that no scene meets is empty."""
    if not scenes:
        return _empty(job.tile.geobox, job.options.bands)
    halo = ceil(job.mask.buffer_m / abs(job.tile.geobox.resolution.x))
    strips = [
        xr.concat([_block(block, halo, scenes, job.options) for block in row], dim="x")
        for row in _blocks(job.tile.geobox, _side(len({s.acquired.date() for s in scenes})))
    ]
    return xr.concat(strips, dim="y")


def _side(looks: int) -> int:
    """
    Side of a block for a number of looks, pixels.

    >>> _side(8), _side(24), _side(96)
    (512, 512, 256)
    """
    return int(_BLOCK * min(1.0, _LOOKS / looks) ** 0.5)


def _blocks(geobox: GeoBox, side: int) -> Iterator[list[GeoBox]]:
    height, width = geobox.shape
    for top in range(0, height, side):
        yield [
            geobox[top : min(top + side, height), left : min(left + side, width)]
            for left in range(0, width, side)
        ]


def _block(geobox: GeoBox, halo: int, scenes: Sequence[Scene], options: Composite) -> xr.Dataset:
    """Composite one block; a rim is read too, so that clouds beyond cast their buffer."""
    with cube.reading():
        looks = cube.load(scenes, geobox.pad(halo), options.bands).compute(scheduler="synchronous")
    clear = masks.clear_sky(looks["scl"], buffer_px=halo)
    core = {"y": slice(halo, halo + geobox.shape.y), "x": slice(halo, halo + geobox.shape.x)}
    reduce = {"geomedian": composite.geomedian, "median": composite.median}[options.method]
    bands = looks.isel(core)[list(options.bands)]
    return reduce(bands, clear.isel(core), min_clear=options.min_clear)


def _empty(geobox: GeoBox, bands: Sequence[str]) -> xr.Dataset:
    coords = xr_coords(geobox)
    nothing = xr.DataArray(
        np.full(geobox.shape, np.nan, np.float32), dims=("y", "x"), coords=coords
    )
    layers = {name: described(nothing, name) for name in (*bands, "smad", "emad", "bcmad")}
    return xr.Dataset(layers | {"n_clear": described(nothing.fillna(0), "n_clear")})


def inspect_scene(scene: Scene, bands: Sequence[str], stac: Stac) -> str:
    """Say what is wrong with the headers of a scene's assets; empty when all are sound."""
    (signed,) = catalog.sign_scenes([scene], _signer(stac))
    return catalog.unsigned(cube.inspect(signed, bands) or "")


@lru_cache(maxsize=2)
def _signer(stac: Stac) -> catalog.Signer:
    """Keep one signer, and so one token, per worker."""
    return catalog.Signer(catalog.load_profile(stac.profile), stac)


def features_at(source: Path, bands: Sequence[str], points: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Read the features of a tile at points.

    Returns
    -------
    DataFrame
        One row a point: the features (NaN = not seen), ``x``, ``y`` (metres, CRS of the
        grid), and ``class`` and ``canopy`` as far as the points have them.
    """
    if points.empty:
        return pd.DataFrame()
    stacked = features.stack(store.open_tile(source).load(), bands)
    x, y = points.geometry.x.to_numpy(), points.geometry.y.to_numpy()
    at = stacked.sel(x=xr.DataArray(x), y=xr.DataArray(y), method="nearest")
    table = pd.DataFrame(at.to_numpy().T, columns=list(stacked["feature"].to_numpy()))
    known = [name for name in ("class", "canopy") if name in points]
    return table.assign(x=x, y=y, **{name: points[name].to_numpy() for name in known})


def classify_tile(path: Path, key: str, source: Path, model: Path, label: str) -> Made:
    """Name the land and its canopy cover on one tile, from its composite."""
    if store.is_sealed(path, key):
        return Made(path.stem, "reused", {}, int(store.read_facts(path)["clear_pixels"]))
    data = store.open_tile(source).load()
    trained = _model(model)
    bands = [name for name in trained.card.feature_names if name in data and name not in _SPREADS]
    stacked = features.stack(data, bands)
    named = landcover.predict(stacked, trained)
    if {"red", "nir"} <= set(bands):
        named = named.assign(ndvi=indices.ndvi(data["red"], data["nir"]))
    store.write_tile(path, named, label)
    clear_pixels = int((named["forest"] != 0).sum())
    store.seal(path, key, {"clear_pixels": clear_pixels})
    return Made(path.stem, "done", {}, clear_pixels)


_SPREADS = ("smad", "emad", "bcmad")


@lru_cache(maxsize=2)
def _model(folder: Path) -> landcover.Model:
    """Load a model once per worker."""
    return landcover.Model.load(folder)


def change_tile(path: Path, key: str, before: Path, after: Path, label: str) -> Made:
    """Compare one classified tile with its baseline."""
    if store.is_sealed(path, key):
        return Made(path.stem, "reused", {}, int(store.read_facts(path)["clear_pixels"]))
    compared = change.forest_change(store.open_tile(before).load(), store.open_tile(after).load())
    store.write_tile(path, compared.to_dataset(name="change"), label)
    clear_pixels = int((compared != 0).sum())
    store.seal(path, key, {"clear_pixels": clear_pixels})
    return Made(path.stem, "done", {}, clear_pixels)
