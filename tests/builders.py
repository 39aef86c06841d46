"""Small worlds to test with: arrays one can check by eye, scenes and their files."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import rasterio
import xarray as xr
from pyproj import Transformer
from rasterio.transform import from_origin
from shapely.geometry import box

from jinhua_rs.scene import Asset, Scene

X0, Y0 = 440_000.0, 3_220_000.0
"""Upper-left corner of the little world, EPSG:4549 metres, in Jinhua."""


def band(values, name="red", resolution=10.0):
    """Return a (y, x) or (time, y, x) array on the grid of the little world."""
    values = np.asarray(values, dtype="float32")
    height, width = values.shape[-2:]
    dims = ("time", "y", "x")[-values.ndim :]
    coords = {
        "y": Y0 - resolution * (np.arange(height) + 0.5),
        "x": X0 + resolution * (np.arange(width) + 0.5),
    }
    if values.ndim == 3:
        coords["time"] = np.datetime64("2024-10-01") + np.arange(values.shape[0])
    return xr.DataArray(values, dims=dims, coords=coords, name=name)


def scene(
    folder: Path, numbers, *, scl=4, offset=0, day=1, id="S2A_T50RQT_20241001_L2A", crs="EPSG:32650"
):
    """
    Write a scene whose bands hold ``numbers`` (name -> DN array) at 10 m, and return it.

    The grid starts at the little world's corner, brought to UTM by the caller's choice of ``crs``.
    """
    x, y = Transformer.from_crs("EPSG:4549", crs, always_xy=True).transform(X0, Y0)
    x, y = round(x, -1), round(y, -1)
    shape = next(iter(numbers.values())).shape
    layers = dict(numbers) | {"scl": np.broadcast_to(np.asarray(scl, "uint8"), shape)}
    assets = {}
    for name, values in layers.items():
        path = folder / f"{id}.{name}.tif"
        folder.mkdir(parents=True, exist_ok=True)
        profile = {
            "driver": "GTiff", "dtype": "uint8" if name == "scl" else "uint16", "count": 1,
            "crs": crs, "transform": from_origin(x, y, 10, 10), "nodata": 0,
            "height": shape[0], "width": shape[1],
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as target:
            target.write(values.astype(profile["dtype"]), 1)
        assets[name] = Asset(str(path), (10.0, 0.0, x, 0.0, -10.0, y), shape)
    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    west, south, east, north = back.transform_bounds(x, y - 10 * shape[0], x + 10 * shape[1], y)
    return Scene(
        id=id,
        acquired=datetime(2024, 10, day, 2, 40, tzinfo=UTC),
        tile="50RQT" if crs.endswith("50") else "51RTN",
        platform="sentinel-2a",
        baseline="05.11" if offset else "02.13",
        offset=offset,
        offset_reason="test",
        scale=1e-4,
        cloud=0.0,
        crs=crs,
        footprint=box(west, south, east, north),
        assets=assets,
        provider="test",
    )
