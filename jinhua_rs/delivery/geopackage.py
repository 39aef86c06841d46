"""The GeoPackage that QGIS opens as it should look: aliases, drop-downs and style come with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import geopandas as gpd
import pyogrio

from jinhua_rs.delivery.fields import FIELDS, Handover
from jinhua_rs.delivery.style import qml

__all__ = ["LAYER", "write_geopackage"]

LAYER = "patches"
"""Name of the one layer."""

_COLUMNS = """
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
  min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
"""
_STYLES = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256),
  f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
  styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
  owner TEXT(30), ui TEXT(30), update_time DATETIME);
"""
_EXTENSION = "gpkg_schema", "http://www.geopackage.org/spec121/#extension_schema", "read-write"


def write_geopackage(path: Path, layer: gpd.GeoDataFrame, given: Handover) -> None:
    """
    Write patches as a GeoPackage of one layer, ``patches``.

    Parameters
    ----------
    path : Path
        A name that is free, ending in ``.gpkg``.
    layer : GeoDataFrame
        Columns named by the keys of the fields.
    given : Handover
        Title, mark and instant; no other part of the file depends on the latter.
    """
    stamp = given.now.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    mark = {"title": given.title, "patches": given.how} | (
        {"nature": given.label} if given.label else {}
    )
    with _dated(stamp):
        pyogrio.write_dataframe(
            layer,
            path,
            layer=LAYER,
            driver="GPKG",
            geometry_type="Polygon",
            dataset_options={"VERSION": "1.2"},  # older QGIS warns of newer ones
            dataset_metadata=mark,
            layer_metadata=mark,
            layer_options={"IDENTIFIER": given.title, "DESCRIPTION": f"{given.label}{given.how}"},
        )
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(_COLUMNS)
        for field in FIELDS:
            limits = f"{field.key}_choices" if field.choices else None
            database.execute(
                "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)",
                (LAYER, field.key, field.zh, field.zh, field.en, limits),
            )
            database.executemany(
                "INSERT INTO gpkg_data_column_constraints VALUES "
                "(?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
                [(limits, choice, choice) for choice in field.choices],
            )
        tables = ("gpkg_data_columns", "gpkg_data_column_constraints")
        database.executemany(
            "INSERT INTO gpkg_extensions VALUES (?, NULL, ?, ?, ?)",
            [(name, *_EXTENSION) for name in tables],
        )
        _add_style(database, qml(given.title, given.label), stamp)


def _add_style(database: sqlite3.Connection, style: str, stamp: str) -> None:
    database.executescript(_STYLES)
    database.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, "
        "f_geometry_column, styleName, styleQML, styleSLD, useAsDefault, description, owner, "
        "update_time) VALUES ('', '', ?, 'geom', '图斑', ?, '', 1, '图斑', '', ?)",
        (LAYER, style, stamp),
    )
    database.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
        (stamp,),
    )


@contextmanager
def _dated(instant: str) -> Iterator[None]:
    """Have GDAL write ``instant`` into the file instead of the time of day."""
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": instant})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
