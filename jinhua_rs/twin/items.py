"""
STAC items of the twin, in the two dialects of Earth Search v1.

Fields, asset names and band metadata follow what that service publishes for
``sentinel-2-c1-l2a`` and ``sentinel-2-l2a``, so that the catalogue code meets in the twin
what it meets outside. Every item says ``jinhua:simulated`` and has SIMULATED in its title.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import pystac
from odc.geo.geobox import GeoBox
from shapely import to_geojson
from shapely.geometry.base import BaseGeometry

from jinhua_rs.scene import Band
from jinhua_rs.twin.orbits import Acquisition, MgrsTile, Processing
from jinhua_rs.twin.scl import SceneClass

__all__ = [
    "Dialect",
    "Product",
    "SceneFile",
    "Seen",
    "absolute",
    "catalog",
    "collection",
    "item",
]

Dialect = Literal["sentinel-2-c1-l2a", "sentinel-2-l2a"]
"""Collection whose habits are followed; ``sentinel-2-l2a`` has its offset taken off already."""

_EXTENSIONS = (
    "eo/v1.1.0", "file/v2.1.0", "grid/v1.1.0", "mgrs/v1.0.0", "processing/v1.1.0",
    "projection/v1.1.0", "raster/v1.1.0", "sentinel-2/v1.0.0", "view/v1.0.0",
)  # fmt: skip
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_NOTICE = "SIMULATED data for demonstration and tests: no satellite has seen this."
_LOOK: Mapping[str, tuple[str, str, float]] = {
    "blue": ("Blue", "blue", 0.098),
    "green": ("Green", "green", 0.045),
    "red": ("Red", "red", 0.038),
    "rededge1": ("Red Edge 1", "rededge", 0.019),
    "rededge2": ("Red Edge 2", "rededge", 0.018),
    "rededge3": ("Red Edge 3", "rededge", 0.028),
    "nir": ("NIR 1", "nir", 0.145),
    "nir08": ("NIR 2", "nir08", 0.033),
    "swir16": ("SWIR 1.6μm", "swir16", 0.143),
    "swir22": ("SWIR 2.2μm", "swir22", 0.242),
}
"""Title, common name and full width at half maximum (μm) of each band."""
_SHARES: Mapping[str, SceneClass] = {
    "s2:dark_features_percentage": SceneClass.DARK,
    "s2:cloud_shadow_percentage": SceneClass.CLOUD_SHADOW,
    "s2:vegetation_percentage": SceneClass.VEGETATION,
    "s2:not_vegetated_percentage": SceneClass.BARE,
    "s2:water_percentage": SceneClass.WATER,
    "s2:unclassified_percentage": SceneClass.UNCLASSIFIED,
    "s2:medium_proba_clouds_percentage": SceneClass.CLOUD_MEDIUM,
    "s2:high_proba_clouds_percentage": SceneClass.CLOUD_HIGH,
    "s2:thin_cirrus_percentage": SceneClass.CIRRUS,
    "s2:snow_ice_percentage": SceneClass.SNOW,
}


@dataclass(frozen=True, slots=True)
class Product:
    """One product: an acquisition, as processed once, cut to a tile, in a dialect."""

    acquisition: Acquisition
    processing: Processing
    tile: MgrsTile
    dialect: Dialect
    sequence: int = 0

    @property
    def id(self) -> str:
        """
        Item id in the dialect.

        ``S2A_T50RQT_20191016T023551_L2A`` or ``S2A_50RQT_20191016_0_L2A``. The first form
        has no place for a second processing, so the older one ends in its baseline.
        """
        start = self.acquisition.start
        if self.dialect == "sentinel-2-l2a":
            return f"{self.acquisition.unit}_{self.tile.name}_{start:%Y%m%d}_{self.sequence}_L2A"
        tail = f"_N{self._digits}" if self.processing.superseded else ""
        return f"{self.acquisition.unit}_T{self.tile.name}_{start:%Y%m%dT%H%M%S}_L2A{tail}"

    @property
    def added(self) -> int:
        """DN that is in the pixels on top of reflectance x 10000."""
        return 0 if self.dialect == "sentinel-2-l2a" else self.processing.offset

    @property
    def _digits(self) -> str:
        return self.processing.baseline.replace(".", "")

    def names(self) -> dict[str, str]:
        """Product names in the form of the ground segment."""
        baseline, unit = self.processing.baseline, self.acquisition.unit
        tile, number = self.tile.name, f"{self.acquisition.orbit.number:03d}"
        start = f"{self.acquisition.start:%Y%m%dT%H%M%S}"
        made = f"{self.processing.generated:%Y%m%dT%H%M%S}"
        sensed = f"{self.acquisition.sensed(self.tile):%Y%m%dT%H%M%S}"
        safe = f"{unit}_MSIL2A_{start}_N{self._digits}"
        granule = f"{unit}_OPER_MSI_L2A_TL_SIMU_{made}_A{self.acquisition.absolute:06d}"
        return {
            "s2:product_uri": f"{safe}_R{number}_T{tile}_{made}.SAFE",
            "s2:datatake_id": self.acquisition.datatake(baseline),
            "s2:datastrip_id": f"{unit}_OPER_MSI_L2A_DS_SIMU_{made}_S{sensed}_N{baseline}",
            "s2:tile_id": f"{granule}_T{tile}_N{baseline}",
        }


@dataclass(frozen=True, slots=True)
class SceneFile:
    """A written raster: canonical band, file name, bytes and SHA-256 in hex."""

    band: Band
    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Seen:
    """
    What a product shows.

    ``footprint`` in longitude and latitude; ``counts`` pixels of each scene class, observed
    ones only; ``nodata`` the share of the tile that was not observed, 0-1; ``sun`` and
    ``view`` as (azimuth, elevation) and (incidence, azimuth), degrees.
    """

    footprint: BaseGeometry
    counts: Mapping[int, int]
    nodata: float
    sun: tuple[float, float]
    view: tuple[float, float]


def item(
    product: Product, seen: Seen, files: Sequence[SceneFile], grids: Mapping[int, GeoBox]
) -> dict[str, Any]:
    """
    Make the item of a product.

    Parameters
    ----------
    product : Product
    seen : Seen
    files : sequence of SceneFile
        All bands and ``scl``; hrefs are relative to a folder beside ``scenes``.
    grids : mapping of GeoBox
        Whole-tile grid by the band's native resolution, 10 and 20.

    Returns
    -------
    dict
        A STAC 1.0.0 item with relative links to ``../collection.json`` and ``../catalog.json``.
    """
    moment = product.acquisition.sensed(product.tile)
    made = pystac.Item(
        id=product.id,
        geometry=_geojson(seen.footprint),
        bbox=[round(edge, 6) for edge in seen.footprint.bounds],
        datetime=moment,
        properties=_properties(product, seen, moment),
        stac_extensions=[
            f"https://stac-extensions.github.io/{name}/schema.json" for name in _EXTENSIONS
        ],
        collection=product.dialect,
    )
    for file in files:
        grid = grids[file.band.resolution]
        made.add_asset(file.band.name, _asset(product, file, grid))
    made.add_link(pystac.Link("root", "../catalog.json", "application/json"))
    made.add_link(pystac.Link("parent", "../collection.json", "application/json"))
    made.add_link(pystac.Link("collection", "../collection.json", "application/json"))
    found = made.to_dict(include_self_link=False, transform_hrefs=False)
    return _version_one(found)


def _properties(product: Product, seen: Seen, moment: datetime) -> dict[str, Any]:
    tile, processing = product.tile, product.processing
    created = _stamp(processing.generated + timedelta(hours=2))
    zone, band, square = tile.name[:2], tile.name[2], tile.name[3:]
    own = {
        "earthsearch:boa_offset_applied": processing.offset > 0,
        "s2:sequence": str(product.sequence),
    }
    return {
        "title": f"SIMULATED Sentinel-2 L2A, T{tile.name}, {moment:%Y-%m-%d}",
        "jinhua:simulated": True,
        "created": created,
        "updated": created,
        "platform": product.acquisition.platform,
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "proj:epsg": tile.epsg,
        "mgrs:utm_zone": int(zone),
        "mgrs:latitude_band": band,
        "mgrs:grid_square": square,
        "grid:code": f"MGRS-{tile.name}",
        "view:incidence_angle": round(seen.view[0], 6),
        "view:azimuth": seen.view[1],
        "view:sun_azimuth": round(seen.sun[0], 6),
        "view:sun_elevation": round(seen.sun[1], 6),
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": processing.baseline,
        "s2:generation_time": _stamp(processing.generated),
        "s2:datatake_type": "INS-NOBS",
        **product.names(),
        **_percentages(seen),
        **(own if product.dialect == "sentinel-2-l2a" else {}),
    }


def _percentages(seen: Seen) -> dict[str, float]:
    """Shares of the scene classes among observed pixels, percent, as in the product metadata."""
    total = max(1, sum(seen.counts.values()))
    shares = {name: 100 * seen.counts.get(code, 0) / total for name, code in _SHARES.items()}
    cloudy = [name for name in shares if "clouds" in name or "cirrus" in name]
    shares["eo:cloud_cover"] = sum(shares[name] for name in cloudy)
    shares["s2:nodata_pixel_percentage"] = 100 * seen.nodata
    return {name: round(share, 6) for name, share in shares.items()}


def _asset(product: Product, file: SceneFile, grid: GeoBox) -> pystac.Asset:
    size = abs(grid.resolution.x)
    pixels: dict[str, Any] = {"nodata": 0, "data_type": "uint8", "spatial_resolution": size}
    extra: dict[str, Any] = {
        "gsd": size,
        "proj:shape": [int(grid.shape.y), int(grid.shape.x)],
        "proj:transform": list(grid.affine)[:6],
        "raster:bands": [pixels],
        "file:checksum": "1220" + file.sha256,
        "file:size": file.size,
    }
    title, roles = "Scene classification map (SCL)", ["data"]
    if file.band.wavelength is not None:
        name, common, width = _LOOK[file.band.name]
        title, roles = f"{name} - {size:g}m", ["data", "reflectance"]
        # both dialects declare -0.1 from baseline 04.00 on, even where pixels have lost it
        declared = -0.1 if product.processing.offset else 0
        pixels.update(data_type="uint16", scale=0.0001, offset=declared)
        extra["eo:bands"] = [
            {
                "name": file.band.sensor_name,
                "common_name": common,
                "center_wavelength": file.band.wavelength / 1000,
                "full_width_half_max": width,
            }
        ]
    href = str(PurePosixPath("..", "scenes", product.id, file.name))
    return pystac.Asset(href, title=title, media_type=_COG, roles=roles, extra_fields=extra)


def collection(dialect: Dialect, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Make the collection that holds ``items``; links are relative, items lie in ``items/``."""
    boxes = [entry["bbox"] for entry in items]
    moments = sorted(entry["properties"]["datetime"] for entry in items)
    extent = pystac.Extent(
        pystac.SpatialExtent(
            [[f(box[i] for box in boxes) for i, f in enumerate((min, min, max, max))]]
        ),
        pystac.TemporalExtent([[datetime.fromisoformat(m) for m in (moments[0], moments[-1])]]),
    )
    made = pystac.Collection(
        id=dialect,
        title="SIMULATED Sentinel-2 Level-2A of Jinhua",
        description=f"{_NOTICE} Written by jinhua-rs in the dialect of {dialect}.",
        extent=extent,
        license="Apache-2.0",
        keywords=["simulated", "sentinel-2", "jinhua"],
        extra_fields={"jinhua:simulated": True},
    )
    made.add_link(pystac.Link("root", "./catalog.json", "application/json"))
    made.add_link(pystac.Link("parent", "./catalog.json", "application/json"))
    for entry in items:
        made.add_link(pystac.Link("item", f"./items/{entry['id']}.json", "application/geo+json"))
    return _version_one(made.to_dict(include_self_link=False, transform_hrefs=False))


def catalog() -> dict[str, Any]:
    """Make the root of the static catalogue, with one child: ``collection.json``."""
    made = pystac.Catalog("jinhua-twin", _NOTICE, title="SIMULATED Jinhua")
    made.remove_links("root")
    made.add_link(pystac.Link("root", "./catalog.json", "application/json"))
    made.add_link(pystac.Link("child", "./collection.json", "application/json"))
    return _version_one(made.to_dict(include_self_link=False, transform_hrefs=False))


def absolute(items: Sequence[dict[str, Any]], folder: Path) -> list[dict[str, Any]]:
    """Give items the absolute asset addresses and bare links that an API server needs."""
    return [
        entry
        | {"links": []}
        | {
            "assets": {
                name: asset | {"href": (folder / "items" / asset["href"]).resolve().as_uri()}
                for name, asset in entry["assets"].items()
            }
        }
        for entry in items
    ]


def _version_one(entry: dict[str, Any]) -> dict[str, Any]:
    """State the version in which ``eo:bands`` and ``raster:bands`` are at home."""
    return entry | {"stac_version": "1.0.0"}


def _geojson(geometry: BaseGeometry) -> dict[str, Any]:
    return dict(json.loads(to_geojson(geometry)))


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"
