"""Writing products of the twin: a folder of COGs, then its item; whole or not at all."""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.windows import Window as RasterWindow

from jinhua_rs.scene import BANDS, Band
from jinhua_rs.twin.items import Product, SceneFile, item
from jinhua_rs.twin.plots import Window
from jinhua_rs.twin.scenes import Painted

__all__ = ["publish", "published", "read_item", "read_sky", "write_json"]

_BLOCK = 512
_SKY_FILE = "sky.json"
_CLOUD_OPTIMIZED: Mapping[str, Any] = {
    "driver": "COG", "predictor": "STANDARD", "level": 4, "blocksize": _BLOCK,
    "overview_resampling": "NEAREST",
}  # fmt: skip
_PLAIN: Mapping[str, Any] = {
    "driver": "GTiff", "predictor": 2, "zlevel": 4, "tiled": True, "blockxsize": _BLOCK,
    "blockysize": _BLOCK,
}  # fmt: skip


def publish(
    folder: Path, product: Product, painted: Painted, resolution: float, *, overviews: bool = True
) -> None:
    """
    Write the rasters of a product to ``scenes/<id>`` and its item to ``items/<id>.json``.

    A folder under a passing name is filled and renamed; the item comes last, so that what
    has an item is whole. ``scenes/<id>/sky.json`` keeps what the mask got wrong.

    Parameters
    ----------
    folder : Path
        The twin's folder.
    product : Product
        Decides the offset: DN = reflectance x 10000 + offset, at least 1 where observed.
    painted : Painted
    resolution : float
        Pixel size of the fine grid, metres.
    overviews : bool
        False writes plain tiled GeoTIFFs, ten times as fast, for who reads no overview.
    """
    final = folder / "scenes" / product.id
    partial = final.with_name(f".{product.id}.{os.getpid()}")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    grids = product.tile.grids(resolution)
    at = painted.window, grids
    files = [
        _write(
            partial / f"{band.name}.tif",
            band,
            _values(band, product, painted),
            at,
            _CLOUD_OPTIMIZED if overviews else _PLAIN,
        )
        for band in BANDS
    ]
    write_json(partial / _SKY_FILE, asdict(painted.faults))
    shutil.rmtree(final, ignore_errors=True)
    partial.replace(final)
    entry = item(product, painted.seen, files, grids)
    write_json(folder / "items" / f"{product.id}.json", entry)


def published(folder: Path, product: Product) -> bool:
    """Tell whether a product is there: its item, and every raster with its length."""
    if not (folder / "items" / f"{product.id}.json").is_file():
        return False
    entry = read_item(folder, product.id)
    sizes = {
        folder / "items" / asset["href"]: asset["file:size"] for asset in entry["assets"].values()
    }
    return all(path.is_file() and path.stat().st_size == size for path, size in sizes.items())


def read_item(folder: Path, identity: str) -> dict[str, Any]:
    """Read the item of a published product."""
    path = folder / "items" / f"{identity}.json"
    return dict(json.loads(path.read_text("utf-8")))


def read_sky(folder: Path, identity: str) -> dict[str, int]:
    """Read what the mask of a published product got wrong, see ``scl.Confusion``."""
    path = folder / "scenes" / identity / _SKY_FILE
    return dict(json.loads(path.read_text("utf-8")))


def write_json(path: Path, content: object) -> None:
    """Write JSON under a passing name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", "utf-8")
    partial.replace(path)


def _values(band: Band, product: Product, painted: Painted) -> npt.NDArray[np.generic]:
    """Pixels of the painted window: uint16 digital numbers, or uint8 classes; 0 is no data."""
    if band.wavelength is None:
        return painted.classes
    digits = painted.digits[band.name]
    times = digits.shape[0] // painted.classes.shape[0]
    observed = (painted.classes > 0).repeat(times, axis=0).repeat(times, axis=1)
    numbers = np.maximum(digits + product.added, 1)
    return np.where(observed, numbers, 0).astype("uint16")


def _write(
    path: Path,
    band: Band,
    values: npt.NDArray[np.generic],
    at: tuple[Window, Mapping[int, GeoBox]],
    form: Mapping[str, Any],
) -> SceneFile:
    """Write the painted window into a GeoTIFF of the whole tile."""
    painted, grids = at
    grid = grids[band.resolution]
    times = 20 // band.resolution
    rows, columns = ((times * part.start, times * part.stop) for part in painted)
    with rasterio.open(
        path,
        "w",
        dtype=values.dtype.name,
        count=1,
        height=grid.shape.y,
        width=grid.shape.x,
        crs=str(grid.crs),
        transform=grid.affine,
        nodata=0,
        compress="DEFLATE",
        sparse_ok=True,
        num_threads=1,
        **form,
    ) as raster:
        raster.write(values, 1, window=RasterWindow.from_slices(rows, columns))
        raster.update_tags(SIMULATED="YES")
    return SceneFile(band, path.name, path.stat().st_size, _digest(path))


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
