"""
Reading onto the grid: ours, odc-stac and GDAL's warped view, on the same files and pixels.

``python -m benchmarks.warp FOLDER [N]`` reads N scenes (2) of a 10 m twin onto one tile, in turns;
prints band megapixels per CPU second, median of five, and how far off exact pixels each way is.
"""

import statistics
import sys
import time
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import odc.stac
import pystac
import rasterio
from pyproj import Transformer
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from scipy.ndimage import map_coordinates

from benchmarks import ground
from jinhua_rs import catalog, cube, opening
from jinhua_rs.cube import fetching, placement, resample
from jinhua_rs.scene import BAND_NAMES, Scene
from jinhua_rs.settings import Stac

BOX = ground.SQUARE[1].geobox
Stack = np.ndarray  # (band, scene, y, x), reflectance * 10000
Patches = dict[tuple[int, int], resample.Patch]  # by band and scene
SEEN = SimpleNamespace(bands=("scl",), rim_m=0.0, clear=lambda layers, *_: layers["scl"] != 0)


def scenes_of(folder: Path, number: int) -> list[Scene]:
    """Find scenes that show the whole tile, one a day."""
    stac = Stac(profile="earth-search-c1", url=str(folder), allowed_roots=(folder,), max_cloud=100)
    area = BOX.extent.to_crs("EPSG:4326").geom
    kept = catalog.search(stac, area, ground.PERIOD).kept
    whole = {one.acquired.date(): one for one in kept if one.footprint.buffer(1e-3).covers(area)}
    return list(whole.values())[:number]


def by_odc(folder: Path, scenes: list[Scene]) -> Stack:
    """Let odc-stac load it, eagerly."""
    items = [pystac.Item.from_file(f"{folder}/items/{one.id}.json") for one in scenes]
    read = odc.stac.load(items, bands=BAND_NAMES, geobox=BOX, resampling="bilinear", nodata=0)
    return np.stack([read[band].to_numpy() for band in BAND_NAMES]).astype(int) + scenes[0].offset


def by_vrt(scenes: list[Scene]) -> Stack:
    """Let GDAL warp each band as it is read."""
    grid = {"crs": str(BOX.crs), "transform": BOX.affine, "width": BOX.shape.x}
    grid |= {"height": BOX.shape.y, "resampling": Resampling.bilinear}
    out = np.empty((len(BAND_NAMES), len(scenes), *BOX.shape), int)
    for b, s in np.ndindex(out.shape[:2]):
        path = scenes[s].assets[BAND_NAMES[b]].href
        with rasterio.open(path) as file, WarpedVRT(file, nodata=0, **grid) as view:
            out[b, s] = view.read(1)
    return out + scenes[0].offset


def decoded(scenes: list[Scene]) -> Patches:
    """Only open, check and decode."""
    found = {}
    for b, s in np.ndindex(len(BAND_NAMES), len(scenes)):
        expected, place = opening.Expected.of(scenes[s]), placement.Placement.of(BOX, scenes[s].crs)
        with opening.reading():
            found[b, s] = fetching.fetch(expected, BAND_NAMES[b], place)
    return found


def warped(scenes: list[Scene], patches: Patches) -> Stack:
    """Only warp what is decoded."""
    out = np.empty((len(BAND_NAMES), len(scenes), *BOX.shape), np.int16)
    for (b, s), patch in patches.items():
        target = resample.Target(BOX, placement.Placement.of(BOX, scenes[s].crs), "compiled")
        resample.write_reflectance(patch, scenes[s], target, out[b, s])
    return out


def exact(scenes: list[Scene], patches: Patches) -> Stack:
    """Transform every pixel by itself, and interpolate in float64."""
    out = np.empty((len(BAND_NAMES), len(scenes), *BOX.shape))
    grid = np.meshgrid(BOX.coordinates["x"].values, BOX.coordinates["y"].values)
    turn = partial(Transformer.from_crs, BOX.crs.epsg, always_xy=True)
    there = [turn(one.crs).transform(*grid) for one in scenes]
    for (b, s), patch in patches.items():
        (x, y), a = there[s], ~patch.transform
        at = a.d * x + a.e * y + a.f - 0.5, a.a * x + a.b * y + a.c - 0.5
        out[b, s] = map_coordinates(patch.pixels.astype(float), at, order=1) + scenes[s].offset
    return out


def main(folder: Path, number: int) -> None:
    """Measure all ways in turns, and print the table."""
    scenes = scenes_of(folder, number)
    patches = decoded(scenes)
    truth = exact(scenes, patches)
    ours = partial(cube.read, scenes, BOX, BAND_NAMES, SEEN)
    ways = {
        "odc-stac bilinear": partial(by_odc, folder, scenes),
        "rasterio WarpedVRT": partial(by_vrt, scenes),
        "decode only": lambda: np.nan if decoded(scenes) else None,
        "warp only": partial(warped, scenes, patches),
        "cube.read": lambda: ours().looks["reflectance"].values,
        "cube.read, library": lambda: ours(engine="library").looks["reflectance"].values,
    }
    off = {name: np.abs(way() - truth) for name, way in ways.items()}
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for name, way in [*ways.items()] * 5:
        start = time.process_time()
        way()
        spent[name].append(time.process_time() - start)
    took = {name: statistics.median(seconds) for name, seconds in spent.items()}
    for name, error in off.items():
        ratio = took["odc-stac bilinear"] / took[name]
        print(f"{name:20}{truth.size / 1e6 / took[name]:7.1f} Mpx/s  x {ratio:4.1f}", end="")
        print(f"  DN off: mean {error.mean():.2f}, max {error.max():.1f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int((sys.argv[2:] or ["2"])[0]))
