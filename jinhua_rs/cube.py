"""From scenes to lazy reflectance on one grid: the only room that reads imagery."""

import logging
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import odc.stac
import pandas as pd
import pystac
import rasterio
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio.errors import RasterioError
from shapely.geometry import mapping

from jinhua_rs.errors import ContractError, NoDataError
from jinhua_rs.scene import BANDS, Asset, Scene
from jinhua_rs.schema import described

__all__ = ["broken_assets", "inspect", "load", "reading"]

# odc-loader logs every failed read; here each ends as an exception and a ledger line instead.
logging.getLogger("odc.loader").setLevel(logging.CRITICAL)

_NATIVE = {band.name: band.resolution for band in BANDS}
_MAGIC = {
    "GTiff": (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    "JP2OpenJPEG": (b"\0\0\0\x0cjP  ",),
}


def load(scenes: Sequence[Scene], geobox: GeoBox, bands: Sequence[str]) -> xr.Dataset:
    """
    Load scenes lazily onto ``geobox``; looks of one solar day become one layer.

    Parameters
    ----------
    scenes : sequence of Scene
        From any UTM zone. The radiometric offset of each is removed here, once.
    geobox : GeoBox
        The target grid.
    bands : sequence of str
        Canonical reflectance bands; ``scl`` is added.

    Returns
    -------
    Dataset, dims (time, y, x), lazy, one chunk a look
        The bands as float32 reflectance (unit 1, NaN = not seen) and ``scl`` (uint8,
        0 = not seen). ``time`` is the solar day.

    Raises
    ------
    NoDataError
        If there are no scenes.
    ContractError
        If a scene lacks one of the bands.
    """
    if not scenes:
        raise NoDataError("no scene to load; widen the period", zh="没有可读取的影像；请放宽时段")
    for scene in scenes:
        missing = [band for band in (*bands, "scl") if band not in scene.assets]
        if missing:
            raise ContractError(
                f"scene {scene.id} lacks {missing}; leave these out of [composite] bands",
                zh=f"影像 {scene.id} 缺少波段 {missing}；请从 [composite] bands 中去掉",
            )
    ordered = sorted(scenes, key=_radiometry)
    parts = [
        _load_alike(list(group), geobox, bands) for _, group in groupby(ordered, key=_radiometry)
    ]
    return _one_layer_a_day(parts)


def reading() -> rasterio.Env:
    """
    Return the GDAL settings for reading imagery: transient network faults are tried again.

    The defaults of GDAL give up at the first 503 and remember it.
    """
    return rasterio.Env(
        GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        GDAL_HTTP_MAX_RETRY="4",
        GDAL_HTTP_RETRY_DELAY="0.5",
        GDAL_HTTP_RETRY_CODES="ALL",
        GDAL_HTTP_TIMEOUT="60",
        GDAL_HTTP_CONNECTTIMEOUT="20",
    )


def inspect(scene: Scene, bands: Sequence[str]) -> str | None:
    """
    Look at the headers of a scene's assets before anything else opens them.

    Checks the magic bytes of local files, that the file is GeoTIFF or JPEG 2000 and
    nothing else (a VRT could read other files), and that its CRS is the scene's.

    Returns
    -------
    str or None
        What is wrong with the first bad asset; None when all are sound.
    """
    with reading():
        for band in (*bands, "scl"):
            wrong = _wrong_header(scene.assets[band], scene.crs)
            if wrong:
                return f"{band}: {wrong}"
    return None


def broken_assets(scenes: Sequence[Scene], geobox: GeoBox, bands: Sequence[str]) -> dict[str, str]:
    """
    Read each scene apart to find those whose pixels cannot be decoded over ``geobox``.

    Returns
    -------
    dict
        Scene id to the reason; empty when all can be read.
    """
    found = {}
    for scene in scenes:
        try:
            with reading():
                load([scene], geobox, bands).compute(scheduler="synchronous")
        except (RasterioError, OSError) as error:
            found[scene.id] = str(error)
    return found


def _radiometry(scene: Scene) -> tuple[int, float]:
    return scene.offset, scene.scale


def _load_alike(scenes: list[Scene], geobox: GeoBox, bands: Sequence[str]) -> xr.Dataset:
    """Load scenes that share offset and scale, and turn digital numbers into reflectance."""
    offset, scale = _radiometry(scenes[0])
    numbers = odc.stac.load(
        [_as_item(scene) for scene in scenes],
        bands=[*bands, "scl"],
        geobox=geobox,
        groupby="solar_day",
        chunks={},
        resampling={
            band: _resampling(band, scenes[0].assets[band], geobox) for band in (*bands, "scl")
        },
        nodata=0,
    )
    layers = {
        band: described(
            (numbers[band].where(numbers[band] != 0).astype("float32") + offset) * scale, band
        )
        for band in bands
    }
    cube = xr.Dataset(layers | {"scl": described(numbers["scl"], "scl")})
    longitude = np.mean([scene.footprint.centroid.x for scene in scenes])
    solar = pd.DatetimeIndex(cube["time"].to_numpy()) + pd.Timedelta(hours=longitude / 15)
    return cube.assign_coords(time=solar.floor("D"))


def _resampling(band: str, asset: Asset, geobox: GeoBox) -> str:
    """Choose nearest pixel for classes, bilinear for bands, average onto a much coarser grid."""
    if band == "scl":
        return "nearest"
    native = abs(asset.transform[0]) if asset.transform else _NATIVE[band]
    return "average" if abs(geobox.resolution.x) > 1.5 * native else "bilinear"


def _one_layer_a_day(parts: list[xr.Dataset]) -> xr.Dataset:
    """Join parts along time; where two hold one day, the first that saw a pixel wins."""
    days: dict[np.datetime64, xr.Dataset] = {}
    for part in parts:
        for at, day in enumerate(part["time"].to_numpy()):
            look = part.isel(time=at)
            days[day] = _filled(days[day], look) if day in days else look
    return xr.concat(
        [days[day] for day in sorted(days)], dim="time", coords="minimal", compat="override"
    )


def _filled(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    unseen = first["scl"] == 0
    return xr.Dataset({name: second[name].where(unseen, first[name]) for name in first.data_vars})


def _as_item(scene: Scene) -> pystac.Item:
    """Dress a scene as the plain STAC item that odc-stac reads."""
    item = pystac.Item(
        id=scene.id,
        geometry=mapping(scene.footprint),
        bbox=list(scene.footprint.bounds),
        datetime=scene.acquired,
        properties={"proj:epsg": int(scene.crs.removeprefix("EPSG:"))},
        stac_extensions=[
            "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
            "https://stac-extensions.github.io/raster/v1.1.0/schema.json",
        ],
        collection="scenes",
    )
    for band, asset in scene.assets.items():
        facts: dict[str, object] = {
            "raster:bands": [{"nodata": 0, "data_type": "uint8" if band == "scl" else "uint16"}]
        }
        if asset.shape and asset.transform:
            facts |= {"proj:shape": list(asset.shape), "proj:transform": list(asset.transform)}
        item.add_asset(
            band,
            pystac.Asset(
                asset.href, roles=["data"], media_type=pystac.MediaType.COG, extra_fields=facts
            ),
        )
    return item


def _wrong_header(asset: Asset, crs: str) -> str | None:
    driver = "JP2OpenJPEG" if asset.href.lower().split("?")[0].endswith(".jp2") else "GTiff"
    if "://" not in asset.href:
        local = Path(asset.href)
        if not local.is_file():
            return f"{local.name} does not exist"
        with local.open("rb") as file:
            start = file.read(8)
        if not start.startswith(_MAGIC[driver]):
            return f"{local.name} is no {driver} file"
    try:
        with rasterio.open(asset.href, driver=driver) as source:
            if source.crs != rasterio.CRS.from_user_input(crs):
                return f"CRS is {source.crs}, the item says {crs}"
            if asset.shape and source.shape != asset.shape:
                return f"size is {source.shape}, the item says {asset.shape}"
    except RasterioError as error:
        return f"cannot be opened: {error}"
    return None
