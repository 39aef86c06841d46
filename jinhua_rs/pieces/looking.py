"""Seeing one tile: its scenes looked at, and composited into a finished, checksummed folder."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from odc.geo.xr import rasterize, xr_coords
from shapely.geometry.base import BaseGeometry

from jinhua_rs import catalog, certificate, composite, cube, masks, opening, store
from jinhua_rs.grid import Tile
from jinhua_rs.period import Period
from jinhua_rs.pieces.made import Made
from jinhua_rs.scene import Scene
from jinhua_rs.schema import Window
from jinhua_rs.settings import Composite, Mask, Stac

__all__ = [
    "CompositeJob",
    "composite_tile",
    "examine_scenes",
    "inspect_scene",
    "measure_step",
]

_LOOKS_BYTES = 1 << 30
"""
Bytes of looks in a strip: with more dates a tile is composited in more strips. Where a strip begins
follows from the scenes alone; positions are exact to 1e-4 pixel wherever that is.
"""


@dataclass(frozen=True, slots=True)
class CompositeJob:
    """Everything a worker needs to composite one tile."""

    path: Path
    key: str
    tile: Tile
    scenes: tuple[Scene, ...]
    period: Period
    area: BaseGeometry
    stac: Stac
    mask: Mask
    options: Composite
    label: str


def composite_tile(job: CompositeJob) -> Made:
    """
    Composite one tile, unless that is done already from all its scenes.

    A scene of which an asset cannot be read is left out of the whole tile and reported;
    the tile is then made from the others.
    """
    facts = store.read_facts(job.path) if store.is_sealed(job.path, job.key) else {}
    if facts and not facts["broken"]:
        return Made(job.tile.id, "reused", {}, int(facts["clear_pixels"]), int(facts["widened"]))
    inside = rasterize(Geometry(job.area, job.tile.geobox.crs), job.tile.geobox, all_touched=True)
    frame = _frame(inside.to_numpy())
    found, broken = _composite_of_readable(job, inside[frame])
    made = _laid_into(found, job.tile.geobox, frame)
    clear_pixels = int((made["n_clear"] >= job.options.min_clear).sum())
    widened = int((made["window"] == Window.WIDENED).sum())
    store.write_tile(job.path, made, job.label)
    lost = {asset.split("/")[0] for asset in broken}
    facts = {
        "broken": broken,
        "clear_pixels": clear_pixels,
        "widened": widened,
        "scenes": [scene.id for scene in job.scenes if scene.id not in lost],
    }
    store.seal(job.path, job.key, facts)
    return Made(job.tile.id, "done", broken, clear_pixels, widened)


def _composite_of_readable(
    job: CompositeJob, inside: xr.DataArray
) -> tuple[xr.Dataset, dict[str, str]]:
    """
    Composite the scenes that can be read; name the broken assets of the others.

    A scene that breaks in one strip must be missing in all, so the tile is then begun again
    without it.
    """
    scenes, broken = _settled(job.scenes, job.options.bands, job.stac)
    while True:
        lost = {asset.split("/")[0] for asset in broken}
        readable = [scene for scene in scenes if scene.id not in lost]
        made, found = _composite(job, readable, inside)
        if not found:
            return made, broken
        broken |= {asset: catalog.unsigned(reason) for asset, reason in found.items()}


def _composite(
    job: CompositeJob, scenes: Sequence[Scene], inside: xr.DataArray
) -> tuple[xr.Dataset, dict[str, str]]:
    """Composite a tile strip by strip; stop at the first strip in which an asset breaks."""
    own = [scene for scene in scenes if job.period.contains(scene.acquired)]
    spare = [scene for scene in scenes if not job.period.contains(scene.acquired)]
    strips = []
    for rows in _strips(inside.shape, scenes, job.options.bands):
        wanted = inside[rows]
        made, broken = _strip(job, wanted.odc.geobox, own, spare, wanted.to_numpy())
        if broken:
            return made, broken
        strips.append(made)
    return xr.concat(strips, dim="y") if len(strips) > 1 else strips[0], {}


def _strip(
    job: CompositeJob,
    geobox: GeoBox,
    own: Sequence[Scene],
    spare: Sequence[Scene],
    wanted: np.ndarray[tuple[int, int], np.dtype[np.bool_]],
) -> tuple[xr.Dataset, dict[str, str]]:
    """Composite one strip; days around the period are read only where they are needed."""
    masker, options = masks.masker(job.mask), job.options
    with opening.reading():
        read = cube.read(own, geobox, options.bands, masker, engine=options.engine, only_clear=True)
        looks, broken = read.looks, dict(read.broken)
        is_own = np.ones(looks.sizes["time"], bool)
        few = looks["clear"].sum("time").to_numpy() < options.widen_below
        if spare and (few & wanted).any():
            around = cube.read(
                spare, geobox, options.bands, masker, engine=options.engine, only_clear=True
            )
            broken |= around.broken
            is_own = np.r_[is_own, np.zeros(around.looks.sizes["time"], bool)]
            looks = xr.concat([looks, around.looks], dim="time")
    looks["clear"] = looks["clear"] & wanted
    return composite.compose(looks, is_own, options), broken


def _strips(
    shape: tuple[int, ...], scenes: Sequence[Scene], bands: Sequence[str]
) -> Iterator[slice]:
    """Cut a tile into strips of whole rows whose looks fit into memory."""
    days = max(1, len({scene.acquired.date() for scene in scenes}))
    height, width = shape
    rows = max(1, min(height, _LOOKS_BYTES // (2 * width * days * len(bands))))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def _frame(inside: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> tuple[slice, slice]:
    """Rows and columns of a tile that hold something of the area: the rest is not read."""
    if not inside.any():  # a sliver too thin for the rasteriser
        return slice(0, 1), slice(0, 1)
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _laid_into(part: xr.Dataset, geobox: GeoBox, frame: tuple[slice, slice]) -> xr.Dataset:
    """Lay a part of a tile into the whole, which is not seen around it."""
    coords, whole = xr_coords(geobox), {}
    for name, array in part.data_vars.items():
        empty = np.nan if array.dtype.kind == "f" else 0
        values = np.full(geobox.shape, empty, array.dtype)
        values[frame] = array.to_numpy()
        whole[name] = xr.DataArray(values, coords, ("y", "x"), attrs=array.attrs)
    return xr.Dataset(whole)


def inspect_scene(scene: Scene, bands: Sequence[str], stac: Stac) -> dict[str, str]:
    """Say what is wrong with the headers of a scene's assets, by band; empty when all are sound."""
    (settled,), broken = _settled([scene], bands, stac)
    wrong = {asset.split("/")[1]: reason for asset, reason in broken.items()}
    there = [band for band in (*bands, "scl") if band in settled.assets]
    for band, reason in cube.inspect(settled, there).items():
        wrong.setdefault(band, catalog.unsigned(reason))
    return wrong


def examine_scenes(
    scenes: Sequence[Scene], bands: Sequence[str], stac: Stac
) -> list[certificate.SceneEvidence]:
    """Gather the evidence for the certificate of all scenes of one tile."""
    return list(certificate.examine(_settled(scenes, bands, stac)[0]))


def measure_step(first: Scene, second: Scene, bands: Sequence[str], stac: Stac) -> certificate.Step:
    """Measure the step between two scenes of one day, as across 120° E."""
    return certificate.measure_step(*_settled((first, second), bands, stac)[0])


def _settled(
    scenes: Sequence[Scene], bands: Sequence[str], stac: Stac
) -> tuple[tuple[Scene, ...], dict[str, str]]:
    """Give scenes the addresses that GDAL may open; what may not be opened is gone from them."""
    return _courier(stac).settle_scenes(scenes, bands)


@lru_cache(maxsize=2)
def _courier(stac: Stac) -> catalog.Courier:
    """Keep one courier, and so its connections and its token, per worker."""
    return catalog.Courier.of(stac)
