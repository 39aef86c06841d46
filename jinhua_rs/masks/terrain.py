"""Where the terrain itself throws shade, by a model of elevation."""

from functools import lru_cache
from math import ceil, cos, radians, sin, tan
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from rasterio.warp import Resampling, reproject

from jinhua_rs.errors import ConfigError

__all__ = ["elevation", "in_shade"]

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_GRAZING = 0.1
"""
Cosine of the sun's incidence from which a slope counts as unlit. Chosen, not measured: a beam
this flat gives a tenth of what it gives a slope that faces it, and skylight begins to prevail.
"""
REACH_M = 2_000.0
"""How far shade is looked for: that of a ridge 1300 m above, in December at the overpass (34°)."""


def in_shade(
    height: Floats, rows: Places, columns: Places, *, pixel: float, sun: tuple[float, float]
) -> Booleans:
    """
    Tell at which places the sun does not reach the ground.

    A place is in shade if its slope is turned from the sun (cosine of incidence at most 0.1),
    or if, going towards the sun pixel by pixel for 2 km, the ground rises above the ray.

    Parameters
    ----------
    height : ndarray, float32, dims (y, x), unit m
        Elevation. North is up, to within the 1.5 degrees by which a UTM grid turns. NaN = not
        known, which throws no shade and lies in none.
    rows, columns : ndarray, int, dims (place,)
        Places, at least 2 km inside.
    pixel : float
        Side of a pixel, metres.
    sun : (float, float)
        Azimuth and elevation of the sun, degrees.

    Returns
    -------
    ndarray, bool, dims (place,)
    """
    azimuth, above = (radians(angle) for angle in sun)
    east, north = sin(azimuth), cos(azimuth)
    down = (height[rows + 1, columns] - height[rows - 1, columns]) / (2 * pixel)
    right = (height[rows, columns + 1] - height[rows, columns - 1]) / (2 * pixel)
    beam = sin(above) + cos(above) * (down * north - right * east)
    shade: Booleans = beam <= _GRAZING * np.sqrt(1 + down**2 + right**2)
    ground, stride = height[rows, columns], 1 / max(abs(east), abs(north))
    for step in range(1, int(REACH_M / (stride * pixel)) + 1):
        up, over = round(step * stride * north), round(step * stride * east)
        shade |= height[rows - up, columns + over] - ground > step * stride * pixel * tan(above)
    return shade


@lru_cache(maxsize=2)
def elevation(path: Path, geobox: GeoBox) -> tuple[Floats, int]:
    """
    Read elevation on a window, with a rim of 2 km.

    Returns
    -------
    height : ndarray, float32, dims (y, x), unit m
        NaN where the model does not reach.
    rim : int
        Width of the rim, pixels.

    Raises
    ------
    ConfigError
        If the file cannot be read.
    """
    rim = ceil(REACH_M / abs(geobox.resolution.x)) + 1
    wide = geobox.pad(rim)
    height = np.full(wide.shape, np.nan, np.float32)
    try:
        with rasterio.open(path, driver="GTiff") as source:
            reproject(
                rasterio.band(source, 1), height,
                dst_transform=wide.affine, dst_crs=str(wide.crs), dst_nodata=np.nan,
                src_nodata=source.nodata, resampling=Resampling.bilinear,
            )  # fmt: skip
    except RasterioError as error:
        raise ConfigError(
            f"elevation {path} cannot be read ({error}); give [mask] dem a GeoTIFF in metres",
            zh=f"无法读取高程文件 {path}（{error}）；请在 [mask] dem 中给出以米为单位的 GeoTIFF",
        ) from error
    return height, rim
