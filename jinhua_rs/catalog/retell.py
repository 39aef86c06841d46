"""From a scene back to a STAC item, in the dialect that profile ``local`` reads."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import PurePosixPath
from typing import Any

from shapely.geometry import mapping

from jinhua_rs.catalog.items import Lineage
from jinhua_rs.scene import Asset, Scene

__all__ = ["differences", "to_item"]

_EXTENSIONS = (
    "eo/v1.1.0", "file/v2.1.0", "grid/v1.1.0", "projection/v2.0.0", "raster/v1.1.0",
    "sentinel-2/v1.0.0", "view/v1.0.0",
)  # fmt: skip
_MEDIA = {".jp2": "image/jp2", ".tif": "image/tiff; application=geotiff"}
_TOLD_ANEW = frozenset({"provider", "offset_reason", "assets", "footprint", "cloud"})


def to_item(scene: Scene, lineage: Lineage) -> dict[str, Any]:
    """
    Make a STAC 1.0 item from which :func:`jinhua_rs.catalog.to_scene` reads the scene again.

    The offset that was decided is declared in ``raster:bands``, whatever the origin declared.

    Parameters
    ----------
    scene : Scene
        Addresses of its assets are written as they stand, so relative to the item's own file.
    lineage : Lineage
        The facts by which copies of an acquisition are told apart.

    Returns
    -------
    dict
        JSON values; links lead to ``../catalog.json``.
    """
    links = [{"rel": rel, "href": "../catalog.json", "type": "application/json"} for rel in _UP]
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [
            f"https://stac-extensions.github.io/{name}/schema.json" for name in _EXTENSIONS
        ],
        "id": scene.id,
        "geometry": mapping(scene.footprint),
        "bbox": list(scene.footprint.bounds),
        "properties": _properties(scene) | _lineage(lineage),
        "links": links,
        "assets": {band: _asset(band, asset, scene) for band, asset in scene.assets.items()},
    }


_UP = ("root", "parent")


def _properties(scene: Scene) -> dict[str, Any]:
    told: dict[str, Any] = {
        "title": f"{'SIMULATED ' if scene.simulated else ''}{scene.id}",
        "datetime": scene.acquired.isoformat().replace("+00:00", "Z"),
        "proj:code": scene.crs,
        "grid:code": f"MGRS-{scene.tile}",
        "s2:processing_baseline": scene.baseline,
        "jinhua:offset_reason": scene.offset_reason,
        "jinhua:provider": scene.provider,
    }
    if scene.platform:
        told["platform"] = scene.platform
    if not math.isnan(scene.cloud):
        told["eo:cloud_cover"] = scene.cloud
    if scene.sun is not None:
        told["view:sun_azimuth"], told["view:sun_elevation"] = scene.sun
    if scene.simulated:
        told["jinhua:simulated"] = True
    return told


def _lineage(lineage: Lineage) -> dict[str, Any]:
    told = {
        "s2:datatake_id": lineage.datatake,
        "s2:generation_time": lineage.processed,
        "s2:sequence": str(lineage.sequence or ""),
    }
    return {name: value for name, value in told.items() if value}


def _asset(band: str, asset: Asset, scene: Scene) -> dict[str, Any]:
    pixels: dict[str, Any] = {"nodata": 0}
    if band != "scl":
        pixels |= {"scale": scene.scale, "offset": scene.offset * scene.scale}
    told = {
        "href": asset.href,
        "type": _MEDIA[PurePosixPath(asset.href).suffix],
        "roles": ["data"] if band == "scl" else ["data", "reflectance"],
        "raster:bands": [pixels],
        "proj:transform": None if asset.transform is None else list(asset.transform),
        "proj:shape": None if asset.shape is None else list(asset.shape),
        "file:checksum": asset.checksum,
        "file:size": asset.size,
    }
    return {name: value for name, value in told.items() if value is not None}


def differences(scene: Scene, retold: Scene) -> tuple[str, ...]:
    """
    Name the facts in which a scene that was told again differs from what it was.

    Addresses, provider and the wording of the offset's reason may differ, and a checksum or a
    size may be there that the origin did not state.
    """
    before, after = _facts(scene), _facts(retold)
    found = [name for name in before if before[name] != after.get(name)]
    for band, asset in scene.assets.items():
        again = _stated(retold.assets.get(band))
        found += [
            f"{band} {name}"
            for name, value in _stated(asset).items()
            if value is not None and value != again.get(name)
        ]
    return tuple(found)


def _facts(scene: Scene) -> Mapping[str, object]:
    names = (name for name in Scene.__dataclass_fields__ if name not in _TOLD_ANEW)
    return {name: getattr(scene, name) for name in names} | {
        "cloud": None if math.isnan(scene.cloud) else scene.cloud,
        "footprint": scene.footprint.wkb,
    }


def _stated(asset: Asset | None) -> Mapping[str, object]:
    return {} if asset is None else {k: v for k, v in asdict(asset).items() if k != "href"}
