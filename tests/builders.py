"""Small worlds to test with: arrays one can check by eye, scenes and their files."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import rasterio
import xarray as xr
from pyproj import Transformer
from rasterio.transform import from_origin
from shapely.geometry import box, mapping

from jinhua_rs.catalog import load_atlas
from jinhua_rs.scene import Asset, Scene
from jinhua_rs.settings import Stac

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


SIDE = 128
"""Pixels along a side of the little city."""
FOREST, CROP = (300, 3500), (1000, 2500)
"""Digital numbers (red, nir) of the two kinds of land in the little city."""


def little_city(
    folder: Path, *, years=(2019, 2024), cloudy=(), lost=slice(40, 56), winter=None
) -> Path:
    """
    Write a city of 1.28 km with planted truth, its scenes, and a configuration; return the latter.

    The western half is forest; from 2024 on the columns ``lost`` of it are not. Three dates each
    Q4; scenes carry the +1000 offset from 2022 on. ``cloudy`` years are all cloud. With ``winter``
    (columns) there are as many dates each February, with cloud over these columns.
    """
    rng = np.random.default_rng(7)
    (folder / "items").mkdir(parents=True)
    links = []
    for year in years:
        for day in (3, 13, 23):
            item = _city_item(
                folder, rng, year, day, forest=_forest(year, lost), cloudy=year in cloudy
            )
            items = [item]
            if winter is not None:
                land = _forest(year, lost)
                items.append(_city_item(folder, rng, year, day, forest=land, winter=winter))
            for item in items:
                (folder / "items" / f"{item['id']}.json").write_text(json.dumps(item))
                links.append({"rel": "item", "href": f"./items/{item['id']}.json"})
    catalog = {"type": "Catalog", "id": "little", "stac_version": "1.0.0", "description": "test"}
    (folder / "catalog.json").write_text(json.dumps(catalog | {"links": links}))
    _city_layers(folder, rng, lost)
    config = folder / "jinhua.toml"
    config.write_text(_CITY_CONFIG)
    return config


_CITY_CONFIG = """
[area]
units = "units.gpkg"
tile_size = 64
[time]
baseline = "2019Q4"
[stac]
profile = "local"
url = "./"
[composite]
bands = ["red", "nir"]
[mask]
buffer_m = 20
[model]
samples = "samples.gpkg"
block_m = 200
trees = 20
[reference]
file = "reference.gpkg"
[run]
workers = 1
[output]
root = "out"
[report]
area_name = "Little City"
area_name_zh = "小城"
simulated = true
languages = ["zh"]
"""


def _forest(year, lost):
    """Truth: forest in the western half, less what was lost before 2024."""
    forest = np.zeros((SIDE, SIDE), bool)
    forest[:, : SIDE // 2] = True
    if year >= 2024:
        forest[:, lost] = False
    return forest


def _city_item(folder, rng, year, day, *, forest, cloudy=False, winter=None):
    """Write one scene on the city's own grid, a little larger, and return its STAC item."""
    rim = 8
    month = 10 if winter is None else 2
    name = f"S2A_T50RQT_{year}{month:02d}{day:02d}T024000_L2A"
    offset = 1000 if year >= 2022 else 0
    land = np.pad(forest, rim, mode="edge")
    numbers = {
        band_name: np.where(land, wooded, open_) + rng.integers(-40, 40, land.shape) + offset
        for band_name, wooded, open_ in zip(("red", "nir"), FOREST, CROP, strict=True)
    }
    scl = np.where(land, 4, 5)
    if cloudy:
        scl = np.full(land.shape, 9)
    if winter is not None:
        scl[:, rim + winter.start : rim + winter.stop] = 9
    transform = from_origin(X0 - 10 * rim, Y0 + 10 * rim, 10, 10)
    assets = {}
    for asset, values in {**numbers, "scl": scl}.items():
        path = folder / "scenes" / f"{name}.{asset}.tif"
        path.parent.mkdir(exist_ok=True)
        profile = {
            "driver": "GTiff", "dtype": "uint8" if asset == "scl" else "uint16", "count": 1,
            "crs": "EPSG:4549", "transform": transform, "nodata": 0,
            "height": land.shape[0], "width": land.shape[1],
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as target:
            target.write(values.astype(profile["dtype"]), 1)
        facts = {} if asset == "scl" else {"scale": 1e-4, "offset": -offset * 1e-4}
        assets[asset] = {
            "href": f"../scenes/{path.name}",
            "raster:bands": [facts],
            "file:checksum": f"1220{hashlib.sha256(path.read_bytes()).hexdigest()}",
        }
    ground = box(X0 - 80, Y0 - 1360, X0 + 1360, Y0 + 80)
    west, south, east, north = Transformer.from_crs(
        "EPSG:4549", "EPSG:4326", always_xy=True
    ).transform_bounds(*ground.bounds)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": name,
        "geometry": mapping(box(west, south, east, north)),
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": f"{year}-{month:02d}-{day:02d}T02:40:00Z",
            "platform": "sentinel-2a",
            "eo:cloud_cover": 10.0,
            "proj:epsg": 4549,
            "grid:code": "MGRS-50RQT",
            "s2:processing_baseline": "05.11" if offset else "02.13",
            "s2:datatake_id": f"GS2A_{name}",
        },
        "links": [],
        "assets": assets,
    }


def _city_layers(folder, rng, lost):
    """Write the two counties, the training points and the reference panel."""
    middle = Y0 - 5 * SIDE
    halves = [box(X0, middle, X0 + 1280, Y0), box(X0, Y0 - 1280, X0 + 1280, middle)]
    units = gpd.GeoDataFrame(
        {"code": ["990001", "990002"], "name_zh": ["北县", "南县"]},
        geometry=halves,
        crs="EPSG:4549",
    )
    units.to_file(folder / "units.gpkg")
    before, after = _forest(2019, lost), _forest(2024, lost)
    rows, columns = rng.integers(0, SIDE, (2, 600))
    points = gpd.points_from_xy(X0 + 10 * columns + 5, Y0 - 10 * rows - 5, crs="EPSG:4549")
    canopy = np.where(before[rows, columns], 0.8, 0.05)
    samples = gpd.GeoDataFrame(
        {"class": np.where(canopy > 0.2, 1, 7), "canopy": canopy}, geometry=points
    )
    samples[:400].to_file(folder / "samples.gpkg")
    panel = []
    for period, truth in (("2019Q4", before), ("2024Q4", after)):
        read = np.where(truth, 0.8, 0.05)[rows, columns][400:]
        told = {"point": np.arange(200), "period": period, "canopy": read}
        panel.append(gpd.GeoDataFrame(told, geometry=points[400:]))
    pd.concat(panel).to_file(folder / "reference.gpkg")


WGS84 = "EPSG:4326"


def outline(bounds, crs=WGS84):
    """Outline of bounds in longitude and latitude."""
    if crs == WGS84:
        return box(*bounds)
    to_wgs84 = Transformer.from_crs(crs, WGS84, always_xy=True)
    return box(*to_wgs84.transform_bounds(*bounds))


class Shelf:
    """A small static catalogue of atlases that grows sheet by sheet."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.items = []

    def put(self, name, pixels, place, *, profile="esa-worldcover", crs=WGS84, year=2021, **extra):
        """Write one sheet whose upper left corner and pixel size are ``place``."""
        known = load_atlas(profile)
        path = self.folder / f"{name}.tif"
        height, width = pixels.shape
        rest = {"driver": "GTiff", "count": 1, "crs": crs, "height": height, "width": width}
        with rasterio.open(
            path, "w", dtype=pixels.dtype, transform=from_origin(*place), **rest
        ) as target:
            target.write(pixels, 1)
            bounds = target.bounds
        time = {
            "start_datetime": f"{year}-01-01T00:00:00Z",
            "end_datetime": f"{year + 1}-01-01T00:00:00Z",
        }
        ground = outline(bounds, crs)
        self.items.append({
            "type": "Feature", "stac_version": "1.0.0", "id": name, "links": [],
            "collection": known.collection,
            "geometry": mapping(ground), "bbox": list(ground.bounds),
            "properties": {"datetime": None, **time, "proj:code": crs, **extra},
            "assets": {known.asset[0]: {"href": f"./{path.name}", "roles": ["data"]}},
            "stac_extensions": [],
        })  # fmt: skip
        return self.save()

    def save(self):
        collection = {"type": "FeatureCollection", "features": self.items}
        (self.folder / "catalog.json").write_text(json.dumps(collection), "utf-8")
        return Stac(url=str(self.folder))
