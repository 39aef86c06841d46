"""
The pixels of the wheel as STAC items in the Earth Search Collection-1 dialect.

What the wheel does not say is not made up: the time of day stands as 00:00 UTC, the processing
baseline as ``00.00``. What follows from what it says is derived: the satellite from the ten-day
cycle of one orbit (all dates are multiples of five days apart; Sentinel-2B is five days out of
phase), the MGRS tile from the position.
"""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pystac
import rasterio
import xarray as xr
from shapely.geometry import mapping
from shapely.geometry.base import BaseGeometry

from jinhua_rs.scene import BANDS
from jinhua_rs.sites.wheel import CRS, PIXEL_M, affine, outline, read_pixels

__all__ = ["COLLECTION", "write_items"]

COLLECTION = "nrt-romania"
TILE = "34TER"
"""The only MGRS tile that holds the position."""

_SENSOR_NAMES = {band.name: band.sensor_name for band in BANDS}
_CLOUDY = (3, 8, 9, 10)
"""Cloud shadow, medium and high cloud probability, cirrus."""
_FIRST_PASS = datetime(2015, 8, 1, tzinfo=UTC)
"""A Sentinel-2A pass: Sentinel-2B was not launched before 2017."""
_CYCLE_DAYS = 10
_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "eo/v1.1.0", "file/v2.1.0", "grid/v1.1.0", "projection/v1.1.0", "raster/v1.1.0",
        "sentinel-2/v1.0.0",
    )
]  # fmt: skip
_NOTE = (
    "Pixels as in the wheel nrt 0.2.1. Time of day unknown: 00:00 UTC stands for the date. "
    "Processing baseline unknown: 00.00 stands for one before 04.00, without radiometric offset."
)


def write_items(part: Path, home: Path) -> None:
    """
    Write ``catalog.json``, one collection with an item per date, and ``items.json``.

    Parameters
    ----------
    part : Path
        Empty folder to write into.
    home : Path
        Where ``part`` will lie in the end; named by the absolute addresses of ``items.json``.

    Raises
    ------
    ConfigError, IntegrityError
        As :func:`jinhua_rs.sites.wheel.read_pixels`.
    """
    pixels, footprint = read_pixels(), _footprint()
    collection = _collection(pixels["scl"], footprint)
    catalog = pystac.Catalog("reference-sites", "Real reference sites of jinhua-rs.")
    catalog.add_child(collection)
    features = []
    for index in range(pixels["scl"].sizes["time"]):
        look = {name: array.isel(time=index) for name, array in pixels.items()}
        item = _item(look["scl"], footprint)
        place = Path(COLLECTION) / item.id
        (part / place).mkdir(parents=True)
        for name, array in look.items():
            item.add_asset(name, _asset(part / place, name, array))
        features.append(_feature(item, home / place))
        collection.add_item(item)
    catalog.normalize_and_save(str(part), pystac.CatalogType.SELF_CONTAINED)
    content = {"type": "FeatureCollection", "features": features}
    (part / "items.json").write_text(json.dumps(content), encoding="utf-8")


def _collection(scl: xr.DataArray, footprint: BaseGeometry) -> pystac.Collection:
    first, last = (_instant(scl.isel(time=index)) for index in (0, -1))
    extent = pystac.Extent(
        pystac.SpatialExtent([list(footprint.bounds)]), pystac.TemporalExtent([[first, last]])
    )
    return pystac.Collection(
        COLLECTION,
        f"Sentinel-2 L2A over broadleaf forest in Romania. {_NOTE} "
        "Contains modified Copernicus Sentinel data.",
        extent,
        license="EUPL-1.2",
        providers=[
            pystac.Provider("ESA", roles=[pystac.ProviderRole.PRODUCER]),
            pystac.Provider(
                "European Commission, Joint Research Centre", roles=[pystac.ProviderRole.PROCESSOR]
            ),
        ],
    )


def _item(look: xr.DataArray, footprint: BaseGeometry) -> pystac.Item:
    """Describe one date from its scene classification; the assets come later."""
    scl, date = look.to_numpy(), _instant(look)
    late = (date - _FIRST_PASS).days % _CYCLE_DAYS != 0
    seen = max(int(np.count_nonzero(scl)), 1)
    properties: dict[str, Any] = {
        "description": _NOTE,
        "platform": "sentinel-2b" if late else "sentinel-2a",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "eo:cloud_cover": round(100 * float(np.isin(scl, _CLOUDY).sum()) / seen, 4),
        "proj:epsg": 3035,
        "grid:code": f"MGRS-{TILE}",
        "mgrs:utm_zone": int(TILE[:2]),
        "mgrs:latitude_band": TILE[2],
        "mgrs:grid_square": TILE[3:],
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": "00.00",
        "s2:nodata_pixel_percentage": round(100 * float((scl == 0).mean()), 4),
    }
    return pystac.Item(
        f"S2{'B' if late else 'A'}_T{TILE}_{date:%Y%m%d}_L2A",
        mapping(footprint),
        list(footprint.bounds),
        date,
        properties,
        stac_extensions=list(_EXTENSIONS),
    )


def _asset(folder: Path, name: str, pixels: xr.DataArray) -> pystac.Asset:
    """
    Write one band as a GeoTIFF and describe it.

    A GeoTIFF of this size, in one piece behind its header, is cloud-optimised without tiles.
    """
    path = folder / f"{_SENSOR_NAMES[name]}.tif"
    dtype = "uint8" if name == "scl" else "uint16"
    size = PIXEL_M[name]
    step = affine(pixels)
    with rasterio.open(
        path, "w", driver="GTiff", height=pixels.shape[0], width=pixels.shape[1], count=1,
        dtype=dtype, nodata=0, crs=CRS, transform=step, compress="DEFLATE",
    ) as file:  # fmt: skip
        file.write(pixels.values.astype(dtype), 1)
    raster = {"nodata": 0, "data_type": dtype, "spatial_resolution": size}
    if name != "scl":
        raster |= {"scale": 1e-4, "offset": 0}
    facts = {
        "gsd": size,
        "proj:shape": list(pixels.shape),
        "proj:transform": list(step)[:6],
        "raster:bands": [raster],
        "file:size": path.stat().st_size,
        "file:checksum": f"1220{hashlib.sha256(path.read_bytes()).hexdigest()}",
    }
    role = "data" if name == "scl" else "reflectance"
    return pystac.Asset(
        f"./{path.name}", media_type=pystac.MediaType.COG, roles=["data", role], extra_fields=facts
    )


def _feature(item: pystac.Item, home: Path) -> dict[str, Any]:
    """Give the item as it will be served: files by absolute address, no links of its own."""
    feature = item.to_dict(include_self_link=False, transform_hrefs=False)
    for asset in feature["assets"].values():
        asset["href"] = (home / Path(asset["href"]).name).as_uri()
    return feature | {"links": [], "collection": COLLECTION}


def _instant(look: xr.DataArray) -> datetime:
    return datetime.fromisoformat(str(look.time.values)[:10]).replace(tzinfo=UTC)


def _footprint() -> BaseGeometry:
    found: BaseGeometry = gpd.GeoSeries([outline()], crs=CRS).to_crs(4326).iloc[0]
    return found
