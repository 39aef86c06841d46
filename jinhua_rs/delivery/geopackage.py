"""The GeoPackage that QGIS opens as it should look: aliases, drop-downs and style come with it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pyogrio

from jinhua_rs.delivery.fields import Handover
from jinhua_rs.delivery.style import FORM, qml
from jinhua_rs.qgis import dated, describe, style

__all__ = ["LAYER", "write_geopackage"]

LAYER = "patches"
"""Name of the one layer."""


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
    with dated(stamp):
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
        describe(database, LAYER, FORM)
        style(database, LAYER, "图斑", qml(given.title, given.label), stamp)
