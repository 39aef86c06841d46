"""The elevation model that a bureau would supply, from the relief that the scenes are lit by."""

import math
import os
from pathlib import Path
from typing import Final, Protocol

import numpy as np
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import BoundingBox
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from jinhua_rs.twin.geography import CRS
from jinhua_rs.twin.lattice import METRES_PER_DEGREE, step_for, strips
from jinhua_rs.twin.plots import reprojected

__all__ = ["FILE", "REACH_M", "HasTerrain", "grid", "write"]

FILE: Final = "dem.tif"
REACH_M: Final = 4_000.0
"""Written beyond the painted ground, metres: hills out there throw shade into it."""
_STEP_M: Final = 1 / 16
"""Heights are rounded to this: finer digits would only cost space."""
_STRIP_CELLS: Final = 1 << 20
_DEM_CRS: Final = "EPSG:4326"


class HasTerrain(Protocol):
    """Whatever knows the terrain under a geobox: ``World``."""

    def terrain(self, geobox: GeoBox) -> xr.Dataset:
        """Terrain at the pixel centres of ``geobox``, see ``World.terrain``."""


def grid(wanted: BaseGeometry, resolution: float) -> GeoBox:
    """
    Grid of the elevation model: degrees, as global models come, over the ground and its reach.

    Parameters
    ----------
    wanted : BaseGeometry
        Ground that is painted, EPSG:4549.
    resolution : float, m
        Pixel size of the scenes. Pixels of the model are as large as a cell of the lattice on
        which the relief of these scenes is computed: 1/5200 degree (about 20 m) for 10 m scenes.
    """
    side = step_for(resolution) / METRES_PER_DEGREE
    around = reprojected(wanted.buffer(REACH_M).envelope, CRS, _DEM_CRS)
    west, south, east, north = around.bounds
    box = BoundingBox(west, south, east, north, crs=_DEM_CRS)
    return GeoBox.from_bbox(box, resolution=side, tight=False)


def write(path: Path, world: HasTerrain, wanted: BaseGeometry, resolution: float) -> None:
    """
    Write the elevation under the painted ground, marked as simulated; whole or not at all.

    A tiled GeoTIFF, float32, metres above the sea, never empty, reservoirs filled, EPSG:4326.

    Parameters
    ----------
    path : Path
        Its folder is made if it is not there.
    world : HasTerrain
    wanted, resolution
        See :func:`grid`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    box = grid(wanted, resolution)
    with rasterio.open(
        partial,
        "w",
        driver="GTiff",
        dtype="float32",
        count=1,
        height=box.shape.y,
        width=box.shape.x,
        crs=str(box.crs),
        transform=box.affine,
        compress="DEFLATE",
        predictor=3,
        tiled=True,
        blockxsize=256,
        blockysize=256,
    ) as raster:
        raster.update_tags(SIMULATED="YES", TITLE="SIMULATED elevation · 模拟高程")
        raster.units = ("m",)
        for rows in strips(*box.shape, cells=_aligned(box.shape.x)):
            height = world.terrain(box[rows, :])["elevation"].to_numpy()
            rounded = np.round(height / np.float32(_STEP_M)) * np.float32(_STEP_M)
            raster.write(rounded, 1, window=Window.from_slices(rows, slice(0, box.shape.x)))
    partial.replace(path)


def _aligned(columns: int) -> int:
    """Cells of a strip whose rows are whole blocks of the file, so that none is written twice."""
    return 256 * max(1, math.ceil(_STRIP_CELLS / columns / 256)) * columns
