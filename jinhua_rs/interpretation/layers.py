"""The form as a GeoPackage: points and pixel frames, with drop-downs that QGIS shows by itself."""

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import geopandas as gpd
import numpy as np
import shapely

from jinhua_rs.interpretation.fields import Field, fields
from jinhua_rs.interpretation.forms import Handout
from jinhua_rs.qgis import Column, describe, document, fill_form, style, symbol

__all__ = ["ANSWERS", "write_layers"]

ANSWERS, _FRAMES = "points", "pixels"


def write_layers(path: Path, handout: Handout) -> None:
    """
    Write the layers ``points``, to be filled in, and ``pixels``, the frames.

    Chinese names, drop-downs and limits come twice: by the schema extension of the GeoPackage, and
    by a QGIS style that opens with the layer. ``path`` ends in ``.gpkg``.
    """
    columns = fields(handout.periods)
    table = handout.points.assign(form=handout.number, label=handout.label)
    for field in columns:
        if field.asked:
            table[field.key] = np.nan if field.number else None
    x, y, half = table["x"].to_numpy(), table["y"].to_numpy(), handout.resolution / 2
    told = table[[*(field.key for field in columns), "label"]]
    points = gpd.GeoDataFrame(told, geometry=shapely.points(x, y), crs=handout.crs)
    frames = shapely.box(x - half, y - half, x + half, y + half)
    points.to_file(path, layer=ANSWERS)
    points[["point", "label"]].set_geometry(frames, crs=handout.crs).to_file(path, layer=_FRAMES)
    with closing(sqlite3.connect(path)) as base, base:
        describe(base, ANSWERS, _form(columns))
        style(base, ANSWERS, "判读", _qml(columns, _MARKER, "0"), _instant(handout))
        style(base, _FRAMES, "判读", _qml((), _OUTLINE, "2"), _instant(handout))
        base.execute("UPDATE gpkg_contents SET last_change = ?", (_instant(handout),))


def _instant(handout: Handout) -> str:
    return handout.created.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _form(columns: Sequence[Field]) -> list[Column]:
    return [
        Column(
            field.key, field.title.replace("\n", " "), None, field.choices,
            percent=field.number, editable=field.asked,
        )
        for field in columns
    ]  # fmt: skip


Look = tuple[tuple[str, str], Mapping[str, str]]
_YELLOW = "255,212,0,255"
_MARKER = ("marker", "SimpleMarker"), {"name": "cross", "outline_color": _YELLOW, "size": "3"}
_OUTLINE = (
    ("fill", "SimpleFill"),
    {"style": "no", "outline_color": _YELLOW, "outline_width": "0.5"},
)


def _qml(columns: Sequence[Field], look: Look, geometry: str) -> str:
    """QGIS style: one symbol, Chinese aliases, and an edit widget a column."""
    root = ET.Element("qgis", version="3.22.0", styleCategories="Symbology|Fields|Forms")
    renderer = ET.SubElement(root, "renderer-v2", type="singleSymbol", symbollevels="0")
    symbol(ET.SubElement(renderer, "symbols"), "0", *look)
    fill_form(root, _form(columns))
    ET.SubElement(root, "layerGeometryType").text = geometry
    return document(root)
