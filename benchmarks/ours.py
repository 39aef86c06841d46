"""The house's own side: from STAC search to composite and features, as its recipe does it."""

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry
from shapely.geometry.base import BaseGeometry

from benchmarks import ground
from jinhua_rs import catalog, composite, cube, features, masks, pieces, store, tasks
from jinhua_rs.composite import kernels  # noqa: F401 - else it is imported within what is timed
from jinhua_rs.cube.placement import Placement
from jinhua_rs.cube.warp import bilinear, nearest
from jinhua_rs.grid import Grid, Tile
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, select
from jinhua_rs.scene import BAND_NAMES, Scene
from jinhua_rs.settings import Area, Cluster, Composite, Mask, Run, Stac

__all__ = ["COMPARED", "WANTED", "compared", "county", "piece", "run", "scenes_for", "tile"]


def _load_kernels() -> None:
    """Load kernels and transformations, once a process, as a worker does for its first tile."""
    ground.load_transformations()
    here, few = GeoBox.from_bbox((0, 0, 80, 80), ground.CRS, resolution=10), (10, 3, 8, 8)
    looks = xr.Dataset(
        {
            "reflectance": (("band", "time", "y", "x"), np.full(few, 900, "int16")),
            "clear": (("time", "y", "x"), np.ones(few[1:], "bool")),
        },
        coords={"band": list(BAND_NAMES)},
    )
    for method in ("median", "geomedian"):
        composite.compose(looks, np.ones(3, "bool"), compared(method))
    for zone in ground.ZONES:
        nodes = Placement.of(here, zone).nodes(here.affine)
    for kind in (np.uint8, np.uint16):
        out = np.zeros((8, 8), np.int16)
        bilinear(np.ones((10, 10), kind), nodes, np.float32(1), np.float32(0), out)
    nearest(np.ones((10, 10), np.bool_), nodes, np.zeros((8, 8), np.bool_))
    nearest(np.ones((10, 10), np.uint8), nodes, np.zeros((8, 8), np.uint8))


COMPARED = Mask(opening_m=0.0, buffer_m=100.0)
"""Mask of the comparison: what the peers do, no more."""
_TILE_PX = 1_024
_INDICES = ("ndvi", "nbr", "ndmi", "ndre", "bsi", "ndwi")
WANTED = (*BAND_NAMES, *_INDICES, "smad", "emad", "bcmad")
"""Features of the comparison: the six indices that the peers compute, and what we have anyway."""


def compared(method: str, engine: str = "compiled") -> Composite:
    """Return the options of the comparison: one estimator over the looks that the peers use."""
    return Composite.model_validate(
        {"method": method, "engine": engine, "widen_days": 0, "screen_mads": 0.0, "min_clear": 1}
    )


def run(
    twin: str,
    square: int,
    n_days: int,
    *,
    method: str = "median",
    engine: str = "compiled",
    save: str = "",
) -> Iterator[dict[str, Any]]:
    """
    From STAC search to composite and features of a square, in this process; what is measured.

    Parameters and what is yielded as :func:`benchmarks.peers.run`.
    """
    box, rounds = ground.SQUARE[square].geobox, ground.rounds(Path(twin), n_days)
    yield {}
    scenes = scenes_for(Path(twin), box.extent.to_crs("EPSG:4326").geom, rounds)
    options, seen, kept = compared(method, engine), 0, []
    for row in blocks_of(box):
        for block in row:
            image, _ = tile(scenes, block, COMPARED, options)
            seen += int((image["n_clear"] > 0).sum())
            kept += [image] if save else []
            del image  # a tile is written and let go
    if save:
        _keep(Path(save), cast("xr.Dataset", xr.combine_by_coords(kept)))
    pixels = ground.SQUARE[square].pixels
    yield {"pixels": pixels, "dates": n_days, "seen": seen / pixels}


def tile(
    scenes: Sequence[Scene], box: GeoBox, mask: Mask, options: Composite
) -> tuple[xr.Dataset, xr.DataArray]:
    """Read, mask, composite and describe one tile: the composite and its stack of features."""
    read = cube.read(
        scenes, box, BAND_NAMES, masks.masker(mask), engine=options.engine, only_clear=True
    )
    own = np.ones(read.looks.sizes["time"], "bool")
    image = composite.compose(read.looks, own, options)
    return image, features.stack(image, WANTED)


def scenes_for(twin: Path, area: BaseGeometry, rounds: Sequence[ground.Round]) -> list[Scene]:
    """Search the twin's catalogue for looks at an area, see ``ground.rounds``."""
    stac = Stac(profile="earth-search-c1", url=str(twin), allowed_roots=(twin,), max_cloud=100)
    kept = catalog.search(stac, area, ground.PERIOD).kept
    return [
        _moved(scene, days[_day(scene)]) for days in rounds for scene in kept if _day(scene) in days
    ]


def blocks_of(box: GeoBox, side: int = _TILE_PX) -> Iterator[list[GeoBox]]:
    """Cut a window into rows of tiles."""
    for top in range(0, box.shape.y, side):
        yield [box[top : top + side, left : left + side] for left in range(0, box.shape.x, side)]


def county(
    twin: str, workers: int, *, part: int = 0, of: int = 1, method: str = "geomedian"
) -> Iterator[dict[str, Any]]:
    """
    Composite the whole county with all its scenes and every step of the product switched on.

    Search, tiles of 1024 pixels on the grid, composite and features; each composite is written
    to a passing folder, as a run does. What is measured begins when the workers stand, with their
    kernels loaded. ``part`` of ``of`` is every ``of``-th tile.

    Yields
    ------
    dict
        ``pixels`` and ``county_pixels`` of the county, ``seen`` share, ``tiles``, ``scenes``;
        ``start_s``, seconds until the workers stood.
    """
    unit = select(load_units(Area()), ground.COUNTY).geometry.iloc[0]
    tiles = sorted(
        Grid(ground.CRS, 10.0, _TILE_PX).tiles(unit),
        key=lambda tile: -tile.geobox.extent.geom.intersection(unit).area,
    )[part::of]
    start, pixels = time.perf_counter(), round(unit.area / 100)
    with (
        tempfile.TemporaryDirectory() as folder,
        tasks.pool(Run(workers=workers), Cluster(), Path(folder) / "logs") as pool,
    ):
        if pool.team:
            pool.team.client.run(_load_kernels)
        start_s = time.perf_counter() - start
        yield {}
        jobs = _jobs(Path(twin), unit, tiles, Path(folder), method)
        seen = 0
        for _, outcome in pool.run(jobs, "composite", _silent):
            if isinstance(outcome, Exception):
                raise outcome
            seen += outcome
        yield {
            "pixels": pixels,
            "county_pixels": pixels,
            "seen": seen / pixels,
            "tiles": len(jobs),
            "scenes": len(jobs[0].arguments[0].scenes),
            "start_s": start_s,
        }


def piece(twin: str, n_days: int) -> Iterator[dict[str, Any]]:
    """
    Make one tile of a whole year as a worker does, with as many days as are wanted.

    The passes of the quarter are read again under earlier days, which is the same work.

    Yields
    ------
    dict
        ``pixels`` of the tile and ``dates``.
    """
    box = ground.SQUARE[1].geobox
    area = box.extent.to_crs("EPSG:4326").geom
    scenes = scenes_for(Path(twin), area, ground.rounds(Path(twin), 12))
    with tempfile.TemporaryDirectory() as folder:
        job = pieces.CompositeJob(
            path=Path(folder) / "piece.zarr",
            key="benchmark",
            tile=Tile("square", box),
            scenes=tuple(_again(scenes, n_days)),
            period=Period(ground.PERIOD.year),
            area=box.extent.geom,
            stac=Stac(profile="earth-search-c1", url=twin, allowed_roots=(Path(twin),)),
            mask=Mask(),
            options=Composite(),
            label="SIMULATED",
        )
        yield {}
        pieces.composite_tile(job)
        yield {"pixels": ground.SQUARE[1].pixels, "dates": n_days}


def _again(scenes: Sequence[Scene], n_days: int) -> Iterator[Scene]:
    """Give scenes, and the same under earlier days of the year, until there are enough days."""
    taken: set[date] = set()
    for earlier in map(timedelta, range(270)):
        days = {scene.acquired.date() - earlier for scene in scenes}
        if days & taken or len(taken) >= n_days:
            continue
        taken |= days
        for scene in scenes:
            yield replace(scene, id=f"{scene.id}-{earlier.days}", acquired=scene.acquired - earlier)


def _jobs(
    twin: Path, unit: BaseGeometry, tiles: Sequence[Tile], folder: Path, method: str
) -> list[tasks.Task]:
    """Search, and say for each tile what is to be done, as the recipe does."""
    stac = Stac(profile="earth-search-c1", url=str(twin), allowed_roots=(twin,))
    scenes = catalog.search(stac, _degrees(unit), ground.PERIOD).kept
    dem = twin / "layers" / "dem.tif"
    ask = pieces.CompositeJob(
        path=folder,
        key="benchmark",
        tile=tiles[0],
        scenes=scenes,
        period=ground.PERIOD,
        area=unit,
        stac=stac,
        mask=Mask(dem=dem if dem.is_file() else None),
        options=Composite.model_validate({"method": method}),
        label="SIMULATED",
    )
    return [
        tasks.Task(one.id, _made, (replace(ask, tile=one, path=folder / f"{one.id}.zarr"),))
        for one in tiles
    ]


def _made(job: pieces.CompositeJob) -> int:
    """Make and keep one tile as a run does, and its features; how many pixels were seen."""
    pieces.composite_tile(job)
    stacked = features.stack(store.open_tile(job.path).load(), WANTED)
    return int(np.isfinite(stacked.isel(feature=0).to_numpy()).sum())


def _degrees(area: BaseGeometry) -> BaseGeometry:
    return Geometry(area, ground.CRS).to_crs("EPSG:4326").geom


def _silent(_stage: str, _done: int, _total: int) -> None:
    """Tell nobody."""


def _day(scene: Scene) -> str:
    return scene.acquired.astimezone(UTC).date().isoformat()


def _moved(scene: Scene, day: str) -> Scene:
    if _day(scene) == day:
        return scene
    return replace(scene, id=f"{scene.id}-{day}", acquired=ground.moved(scene.acquired, day))


def _keep(path: Path, image: xr.Dataset) -> None:
    layers = {
        name: np.where(np.isnan(values := image[name].to_numpy()), -32_768, np.rint(values * 1e4))
        for name in BAND_NAMES
    }
    arrays = {name: values.astype("int16") for name, values in layers.items()}
    np.savez(path, allow_pickle=False, n_clear=image["n_clear"].to_numpy(), **arrays)


_load_kernels()
