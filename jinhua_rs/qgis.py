"""GeoPackages that QGIS opens as forms: Chinese names, drop-downs and a style come inside."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import pyogrio

__all__ = ["Column", "dated", "describe", "document", "fill_form", "style", "symbol"]

_TABLES = "gpkg_data_columns", "gpkg_data_column_constraints"
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
CREATE TABLE IF NOT EXISTS layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),
  f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
  styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT(30), ui TEXT(30), update_time DATETIME);
"""
"""OGC 12-128r19, annex F.9 (schema extension); ``layer_styles`` as QGIS reads it."""
_DEFINITION = "http://www.geopackage.org/spec121/#extension_schema"
_HEADER = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_PERCENT = "0", "100"


@dataclass(frozen=True, slots=True)
class Column:
    """
    A field of a form.

    ``key`` is its name in the file, ``title`` what people read, ``note`` what explains it or None.
    ``choices`` are what a drop-down offers, value and label; ``percent`` asks for 0-100.
    ``editable`` is False for what is given.
    """

    key: str
    title: str
    note: str | None = None
    choices: Sequence[tuple[str, str]] = ()
    percent: bool = False
    editable: bool = True


@contextmanager
def dated(instant: str) -> Iterator[None]:
    """Have GDAL write ``instant`` into GeoPackages instead of the time of day."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": instant})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})


def describe(base: sqlite3.Connection, layer: str, columns: Sequence[Column]) -> None:
    """Name the columns of a layer, and say what may stand in them, by the schema extension."""
    base.executescript(_SCHEMA)
    base.executemany(
        "INSERT OR IGNORE INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
        [(table, _DEFINITION) for table in _TABLES],
    )
    for column in columns:
        rule = f"{column.key.lower()}_rule" if column.choices or column.percent else None
        told = (layer, column.key, column.title, column.title, column.note, rule)
        base.execute("INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)", told)
        rows = [(rule, "enum", value, None, None, label) for value, label in column.choices]
        if column.percent:
            rows.append((rule, "range", None, *map(int, _PERCENT), "0-100 %"))  # type: ignore[arg-type]
        base.executemany(
            "INSERT INTO gpkg_data_column_constraints VALUES (?1, ?2, ?3, ?4, "
            "CASE WHEN ?4 IS NULL THEN NULL ELSE 1 END, ?5, "
            "CASE WHEN ?5 IS NULL THEN NULL ELSE 1 END, ?6)",
            rows,
        )


def style(base: sqlite3.Connection, layer: str, name: str, qml: str, instant: str) -> None:
    """Keep the style with which QGIS opens a layer."""
    base.executescript(_SCHEMA)
    base.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
        "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner, "
        "update_time) VALUES ('', '', ?, 'geom', ?, ?, '', 1, ?, '', ?)",
        (layer, name, qml, name, instant),
    )
    base.execute(
        "INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, "
        "last_change) VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
        (instant,),
    )


def document(root: ET.Element) -> str:
    """Write a style as the QML that QGIS reads."""
    ET.indent(root, " ")
    return _HEADER + ET.tostring(root, encoding="unicode") + "\n"


def symbol(
    parent: ET.Element, number: str, kind: tuple[str, str], options: Mapping[str, str]
) -> None:
    """Add a symbol of one layer: ``kind`` is ``("fill", "SimpleFill")`` or the like."""
    shape, layer = kind
    element = ET.SubElement(parent, "symbol", name=number, type=shape, alpha="1")
    inner = ET.SubElement(element, "layer", {"class": layer, "enabled": "1"})
    told = ET.SubElement(inner, "Option", type="Map")
    for name, value in options.items():
        ET.SubElement(told, "Option", name=name, value=value, type="QString")
        ET.SubElement(inner, "prop", k=name, v=value)


def fill_form(root: ET.Element, columns: Sequence[Column]) -> None:
    """Add aliases, and a widget a column, to a style."""
    configuration = ET.SubElement(root, "fieldConfiguration")
    aliases, editable = ET.SubElement(root, "aliases"), ET.SubElement(root, "editable")
    for index, column in enumerate(columns, start=1):
        _widget(ET.SubElement(configuration, "field", name=column.key), column)
        ET.SubElement(aliases, "alias", field=column.key, index=str(index), name=column.title)
        ET.SubElement(editable, "field", name=column.key, editable=str(int(column.editable)))


def _widget(field: ET.Element, column: Column) -> None:
    kind = "ValueMap" if column.choices else "Range" if column.percent else "TextEdit"
    config = ET.SubElement(ET.SubElement(field, "editWidget", type=kind), "config")
    options = ET.SubElement(config, "Option", type="Map")
    if column.choices:
        choices = ET.SubElement(options, "Option", type="List", name="map")
        for value, label in column.choices:
            pair = ET.SubElement(choices, "Option", type="Map")
            ET.SubElement(pair, "Option", type="QString", name=label, value=value)
    if column.percent:
        low, high = _PERCENT
        for kind, name, value in (
            ("double", "Min", low), ("double", "Max", high), ("bool", "AllowNull", "true"),
            ("QString", "Style", "SpinBox"),
        ):  # fmt: skip
            ET.SubElement(options, "Option", type=kind, name=name, value=value)
