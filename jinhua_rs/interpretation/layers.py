"""The form as a GeoPackage: points and pixel frames, with drop-downs that QGIS shows by itself."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from xml.sax.saxutils import quoteattr

import geopandas as gpd
import numpy as np
import shapely

from jinhua_rs.interpretation.fields import Field, fields
from jinhua_rs.interpretation.forms import Handout

__all__ = ["ANSWERS", "write_layers"]

ANSWERS, _FRAMES = "points", "pixels"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
  min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT, f_table_schema TEXT,
  f_table_name TEXT, f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT, ui TEXT, update_time DATETIME);
"""
"""OGC 12-128r19, annex F.9 (schema extension); ``layer_styles`` as QGIS reads it."""
_DEFINITION = "http://www.geopackage.org/spec121/#extension_schema"
_TABLES = ("gpkg_data_columns", "gpkg_data_column_constraints")


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
        base.executescript(_SCHEMA)
        _explain(base, columns)
        _style(base, columns, handout)
        base.execute("UPDATE gpkg_contents SET last_change = ?", (_instant(handout),))


def _instant(handout: Handout) -> str:
    return handout.created.strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _explain(base: sqlite3.Connection, columns: Sequence[Field]) -> None:
    """Name the columns in Chinese, and say what may stand in them."""
    base.executemany(
        "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
        [(table, _DEFINITION) for table in _TABLES],
    )
    for field in columns:
        title = _flat(field)
        rule = f"{field.key.lower()}_rule" if field.choices or field.number else None
        base.execute(
            "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, NULL, NULL, ?)",
            (ANSWERS, field.key, title, title, rule),
        )
        if field.number:
            base.execute(
                "INSERT INTO gpkg_data_column_constraints "
                "VALUES (?, 'range', NULL, 0, 1, 100, 1, '0-100 %')",
                (rule,),
            )
        base.executemany(
            "INSERT INTO gpkg_data_column_constraints "
            "VALUES (?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
            [(rule, key, label) for key, label in field.choices],
        )


def _flat(field: Field) -> str:
    return field.title.replace("\n", " ")


# --- QGIS --------------------------------------------------------------------------------------


def _style(base: sqlite3.Connection, columns: Sequence[Field], handout: Handout) -> None:
    base.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', '')"
    )
    for table, geometry, style in (
        (ANSWERS, 0, _qml(columns, _MARKER)),
        (_FRAMES, 2, _qml((), _OUTLINE)),
    ):
        base.execute(
            "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
            "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner, "
            "update_time) VALUES ('', '', ?, 'geom', '判读', ?, '', 1, '', '', ?)",
            (table, style.replace("layerGeometryType>?", f"layerGeometryType>{geometry}"),
             _instant(handout)),
        )  # fmt: skip


_MARKER = (
    '<symbol type="marker" name="0" alpha="1"><layer class="SimpleMarker" enabled="1">'
    '<Option type="Map"><Option type="QString" name="name" value="cross"/>'
    '<Option type="QString" name="outline_color" value="255,212,0,255"/>'
    '<Option type="QString" name="size" value="3"/></Option></layer></symbol>'
)
_OUTLINE = (
    '<symbol type="fill" name="0" alpha="1"><layer class="SimpleFill" enabled="1">'
    '<Option type="Map"><Option type="QString" name="style" value="no"/>'
    '<Option type="QString" name="outline_color" value="255,212,0,255"/>'
    '<Option type="QString" name="outline_width" value="0.5"/></Option></layer></symbol>'
)


def _qml(columns: Sequence[Field], symbol: str) -> str:
    """QGIS style: one symbol, Chinese aliases, and an edit widget a column."""
    widgets = "".join(
        f"<field name={quoteattr(field.key)}>{_widget(field)}</field>" for field in columns
    )
    aliases = "".join(
        f"<alias field={quoteattr(field.key)} index={quoteattr(str(at))} "
        f"name={quoteattr(_flat(field))}/>"
        for at, field in enumerate(columns, start=1)
    )
    editable = "".join(
        f'<field name={quoteattr(field.key)} editable="{int(field.asked)}"/>' for field in columns
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>"
        '<qgis version="3.22.0" styleCategories="Symbology|Fields|Forms">'
        '<renderer-v2 type="singleSymbol" symbollevels="0" enableorderby="0">'
        f"<symbols>{symbol}</symbols></renderer-v2>"
        f"<fieldConfiguration>{widgets}</fieldConfiguration><aliases>{aliases}</aliases>"
        f"<editable>{editable}</editable><layerGeometryType>?</layerGeometryType></qgis>"
    )


def _widget(field: Field) -> str:
    if field.choices:
        rows = "".join(
            f'<Option type="Map"><Option type="QString" name={quoteattr(label)} '
            f"value={quoteattr(key)}/></Option>"
            for key, label in field.choices
        )
        return (
            '<editWidget type="ValueMap"><config><Option type="Map">'
            f'<Option type="List" name="map">{rows}</Option></Option></config></editWidget>'
        )
    if field.number:
        return (
            '<editWidget type="Range"><config><Option type="Map">'
            '<Option type="double" name="Min" value="0"/>'
            '<Option type="double" name="Max" value="100"/>'
            '<Option type="bool" name="AllowNull" value="true"/>'
            '<Option type="QString" name="Style" value="SpinBox"/></Option></config></editWidget>'
        )
    return '<editWidget type="TextEdit"><config><Option/></config></editWidget>'
