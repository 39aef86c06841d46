"""The snapshot of a search: a STAC item collection, one feature for each decision."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from shapely.geometry import mapping, shape

from jinhua_rs.catalog.items import Lineage
from jinhua_rs.catalog.mgrs import is_tile
from jinhua_rs.scene import BAND_NAMES, Asset, Scene, SceneDecision

__all__ = ["FORMAT", "dump", "load"]

FORMAT = "jinhua-rs inventory 2"

Decisions = tuple[SceneDecision, ...]
Record = Mapping[str, Any]

_EXTENSIONS = [
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "eo/v2.0.0", "file/v2.1.0", "grid/v1.1.0", "processing/v1.2.0", "projection/v2.0.0",
        "raster/v2.0.0", "view/v1.0.0",
    )
]  # fmt: skip
_OURS: Sequence[str] = ("tile", "offset", "offset_reason", "scale", "provider", "simulated")
"""Facts of a scene that stand in properties of our own, as they are."""


def dump(header: Record, decisions: Decisions, lineage: Mapping[str, Lineage]) -> str:
    """
    Write a snapshot, always the same for the same facts; one line for each feature.

    Parameters
    ----------
    header : Mapping
        JSON facts of the search; they become members ``jinhua:<name>`` of the collection.
        ``window`` must be there: two texts, first and last instant of the search.
    decisions : tuple of SceneDecision
        Items without scene (damaged ones) become features without geometry.
    lineage : Mapping
        By scene id.
    """
    head = {"type": "FeatureCollection", "jinhua:format": FORMAT}
    head |= {f"jinhua:{name}": value for name, value in header.items()}
    features = (_feature(one, lineage, header["window"]) for one in decisions)
    lines = ",\n".join(_text(feature) for feature in features)
    start = json.dumps(head, ensure_ascii=False, indent=1, allow_nan=False)
    return f'{start[:-2]},\n "features": [\n{lines}\n ]\n}}\n'


def load(text: str) -> tuple[dict[str, Any], Decisions, dict[str, Lineage]]:
    """
    Read what :func:`dump` wrote.

    Raises
    ------
    ValueError, KeyError, TypeError, AttributeError, IndexError, ShapelyError
        If it is something else.
    """
    record = json.loads(text)
    if record["jinhua:format"] != FORMAT:
        raise ValueError(f"format {record['jinhua:format']!r}")
    header = {
        name.removeprefix("jinhua:"): value
        for name, value in record.items()
        if name.startswith("jinhua:")
    }
    features = record["features"]
    lineage = {
        feature["id"]: Lineage(**feature["properties"]["jinhua:lineage"])
        for feature in features
        if "jinhua:lineage" in feature["properties"]
    }
    return header, tuple(_decision(feature) for feature in features), lineage


def _text(feature: Record) -> str:
    return json.dumps(feature, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _feature(
    one: SceneDecision, lineage: Mapping[str, Lineage], window: Sequence[str]
) -> dict[str, Any]:
    scene = one.scene
    properties: dict[str, Any] = {
        "jinhua:verdict": one.verdict,
        "jinhua:code": one.code,
        "jinhua:reason": one.reason,
        "jinhua:reason_zh": one.reason_zh,
    }
    item = {"type": "Feature", "stac_version": "1.1.0", "id": one.id, "links": []}
    if scene is None:
        # When it was acquired is not known, only that it was asked for within the window.
        unknown = {"datetime": None, "start_datetime": window[0], "end_datetime": window[1]}
        return item | {"geometry": None, "properties": properties | unknown, "assets": {}}
    if one.id in lineage:
        known = lineage[one.id]
        properties["jinhua:lineage"] = {
            name: getattr(known, name) for name in ("datatake", "processed", "sequence")
        }
    return item | {
        "stac_extensions": _EXTENSIONS,
        "geometry": mapping(scene.footprint),
        "bbox": list(scene.footprint.bounds),
        "properties": properties | _facts(scene),
        "assets": {band: _asset(scene, band, asset) for band, asset in scene.assets.items()},
    }


def _facts(scene: Scene) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "datetime": scene.acquired.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "platform": scene.platform,
        "processing:version": scene.baseline,
        "proj:code": scene.crs,
    }
    if is_tile(scene.tile):
        facts["grid:code"] = f"MGRS-{scene.tile}"
    if not math.isnan(scene.cloud):
        facts["eo:cloud_cover"] = scene.cloud
    if scene.sun is not None:
        facts["view:sun_azimuth"], facts["view:sun_elevation"] = scene.sun
    return facts | {f"jinhua:{name}": getattr(scene, name) for name in _OURS}


def _asset(scene: Scene, band: str, asset: Asset) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "proj:transform": asset.transform,
        "proj:shape": asset.shape,
        "file:checksum": asset.checksum,
        "file:size": asset.size,
    }
    record: dict[str, Any] = {"href": asset.href, "roles": ["data"]}
    record |= {name: value for name, value in facts.items() if value is not None}
    if band != "scl":
        record |= {"raster:scale": scene.scale, "raster:offset": scene.offset * scene.scale}
    return record


def _decision(feature: Record) -> SceneDecision:
    properties = feature["properties"]
    return SceneDecision(
        id=feature["id"],
        verdict=properties["jinhua:verdict"],
        reason=properties["jinhua:reason"],
        scene=_scene(feature) if feature["geometry"] is not None else None,
        code=properties["jinhua:code"],
        reason_zh=properties["jinhua:reason_zh"],
    )


def _scene(feature: Record) -> Scene:
    facts, assets = feature["properties"], feature["assets"]
    sun = facts.get("view:sun_azimuth"), facts.get("view:sun_elevation")
    return Scene(
        id=feature["id"],
        acquired=datetime.fromisoformat(facts["datetime"]),
        platform=facts["platform"],
        baseline=facts["processing:version"],
        crs=facts["proj:code"],
        cloud=facts.get("eo:cloud_cover", math.nan),
        footprint=shape(feature["geometry"]),
        assets={band: _asset_of(assets[band]) for band in (*BAND_NAMES, "scl") if band in assets},
        sun=None if sun[0] is None else sun,
        **{name: facts[f"jinhua:{name}"] for name in _OURS},
    )


def _asset_of(record: Record) -> Asset:
    transform, rows = record.get("proj:transform"), record.get("proj:shape")
    return Asset(
        href=record["href"],
        transform=tuple(transform) if transform else None,
        shape=(rows[0], rows[1]) if rows else None,
        checksum=record.get("file:checksum"),
        size=record.get("file:size"),
    )
