"""Shapefile, FileGDB and KML: the same patches for those who work with these."""

import csv
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import geopandas as gpd
import pyogrio
import shapely
from shapely.geometry import Polygon

from jinhua_rs.delivery.fields import FIELDS, ID, Handover
from jinhua_rs.delivery.style import KIND_COLOURS
from jinhua_rs.patches import KINDS

__all__ = ["write_filegdb", "write_kml", "write_shapefile"]

_DBF_BYTES = 254
_KML_NAMESPACE = "http://www.opengis.net/kml/2.2"
_DASH = "—"


def write_shapefile(folder: Path, layer: gpd.GeoDataFrame, name: str) -> None:
    """
    Write a folder with the Shapefile, and with what its fields mean (``字段对照表.csv``).

    Fields have ASCII names of at most ten letters, text is UTF-8 and says so (``.cpg``). A text
    longer than 254 bytes is cut between letters and ends in ``…``; the workbook holds it whole.

    Parameters
    ----------
    folder : Path
        A name that is free.
    layer : GeoDataFrame
        Columns named by the keys of the fields.
    name : str
        Stem of the files.
    """
    folder.mkdir()
    fitted = layer.copy()
    for field in FIELDS:
        if field.kind == "text":
            fitted[field.key] = [_fitting(text) for text in fitted[field.key]]
    pyogrio.write_dataframe(
        fitted, folder / f"{name}.shp", driver="ESRI Shapefile", encoding="UTF-8",
        geometry_type="Polygon",
    )  # fmt: skip
    with (folder / "字段对照表.csv").open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("字段", "中文名", "English", "可填写", "可选值"))
        for one in FIELDS:
            may = "是" if one.answer else ""
            writer.writerow((one.key, one.zh, one.en, may, "、".join(one.choices)))


def write_filegdb(path: Path, layer: gpd.GeoDataFrame) -> None:
    """Write a FileGDB (a folder ending in ``.gdb``) with the feature class ``patches``."""
    pyogrio.write_dataframe(
        layer, path, layer="patches", driver="OpenFileGDB", geometry_type="MultiPolygon",
        promote_to_multi=True,
    )  # fmt: skip


def write_kml(path: Path, layer: gpd.GeoDataFrame, given: Handover) -> None:
    """
    Write a KML in WGS 84 for phones and globes: one placemark a patch, all fields as data.

    Parameters
    ----------
    path : Path
    layer : GeoDataFrame
        Columns named by the keys of the fields, in the CRS of the grid. CGCS2000 agrees with
        WGS 84 to centimetres. Maps in phones may show GCJ-02: the description says so.
    given : Handover
        Title and mark.
    """
    root = ET.Element("kml", xmlns=_KML_NAMESPACE)
    document = ET.SubElement(root, "Document")
    _text(document, "name", f"{given.title} {given.label}".strip())
    _text(
        document, "description",
        f"{given.how}坐标系 WGS 84（与 CGCS2000 一致至厘米）；"
        "部分手机地图为 GCJ-02，图形会偏移数百米。",
    )  # fmt: skip
    for kind, (red, green, blue) in KIND_COLOURS.items():
        style = ET.SubElement(document, "Style", id=kind)
        for part, opacity in (("LineStyle", "ff"), ("PolyStyle", "40")):
            one = ET.SubElement(style, part)
            _text(one, "color", f"{opacity}{blue:02x}{green:02x}{red:02x}")
    kinds = {names[0]: kind for kind, names in KINDS.items()}
    around = layer.to_crs("EPSG:4326")
    for record, outline in zip(layer.to_dict("records"), around.geometry, strict=True):
        mark = ET.SubElement(document, "Placemark")
        _text(mark, "name", record[ID])
        _text(mark, "styleUrl", f"#{kinds[record['LX']]}")
        data = ET.SubElement(mark, "ExtendedData")
        for field in (one for one in FIELDS if not one.answer):
            value = ET.SubElement(data, "Data", name=field.key)
            _text(value, "displayName", field.zh)
            _text(value, "value", record[field.key])
        _polygon(mark, outline)
    ET.indent(root, " ")
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True))


def _fitting(text: str | None) -> str | None:
    """Cut a text to what a DBF field holds, between letters."""
    if text is None or len(text.encode()) <= _DBF_BYTES:
        return text
    return text.encode()[: _DBF_BYTES - 3].decode(errors="ignore") + "…"


def _polygon(mark: ET.Element, outline: Polygon) -> None:
    polygon = ET.SubElement(mark, "Polygon")
    rings = [("outerBoundaryIs", outline.exterior)]
    rings += [("innerBoundaryIs", ring) for ring in outline.interiors]
    for name, ring in rings:
        line = ET.SubElement(ET.SubElement(polygon, name), "LinearRing")
        points = shapely.get_coordinates(ring)
        _text(line, "coordinates", " ".join(f"{x:.7f},{y:.7f}" for x, y in points))


def _text(parent: ET.Element, name: str, value: Any) -> None:  # noqa: ANN401 - a cell
    """Add a text element, without the characters that XML cannot hold; a dash for nothing."""
    missing = value is None or value != value or str(value) == "<NA>"  # noqa: PLR0124
    text = _DASH if missing else str(value)
    kept = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    ET.SubElement(parent, name).text = kept
