"""A workbook of plain tables: what it is, then one sheet a table; text stays text."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.dossier.brief import Brief
from jinhua_rs.figures import DASH

__all__ = ["Column", "Sheet", "write_book", "write_layer"]

_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
}
_LOOKS: dict[str, dict[str, object]] = {
    "text": {},
    "mu": {"num_format": "#,##0.00", "align": "right"},
    "share": {"num_format": "0.0%", "align": "right"},
    "index": {"num_format": "0.000", "align": "right"},
    "whole": {"num_format": "0", "align": "right"},
    "head": {
        "bold": True, "text_wrap": True, "valign": "vcenter", "align": "center",
        "bg_color": "#eaf2ec", "bottom": 2, "bottom_color": "#1d5c3a",
    },
    "key": {"bold": True, "valign": "top"},
    "prose": {"text_wrap": True, "valign": "top"},
    "mark": {"bold": True, "font_size": 14, "font_color": "#ffffff", "bg_color": "#b3261e"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: field, heading, width in characters, and look of its cells."""

    field: str
    heading: str
    width: float = 12.0
    look: str = "text"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table and how it is laid out; fields that the table lacks are left out."""

    name: str
    table: pd.DataFrame
    columns: Sequence[Column]


def write_book(
    path: Path, title: str, brief: Brief, sheets: Sequence[Sheet], notes: Mapping[str, str]
) -> None:
    """
    Write a workbook: 说明 first, then the sheets; header in row 1, nothing merged.

    A number that is not known is a dash, never 0. Every sheet of simulated data says so in its
    header and footer and in its first line of 说明. Equal input gives equal bytes.
    """
    with xlsxwriter.Workbook(path, _OPTIONS) as book:
        book.set_properties(
            {
                "title": title,
                "subject": brief.label,
                "created": brief.period.stop.replace(tzinfo=None),
            }
        )
        looks = {name: book.add_format({"font_size": 11} | look) for name, look in _LOOKS.items()}
        _about(_added(book, "说明", brief), title, brief, notes, looks)
        for sheet in sheets:
            _fill(_added(book, sheet.name, brief), sheet, looks)


def _added(book: Any, name: str, brief: Brief) -> Worksheet:  # noqa: ANN401 (carries no types)
    sheet = book.add_worksheet(name)
    if brief.label:
        sheet.set_header(f"&C{brief.label}")
        sheet.set_footer(f"&C{brief.label}")
        sheet.set_tab_color("#b3261e")
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    return sheet


def _about(
    sheet: Worksheet,
    title: str,
    brief: Brief,
    notes: Mapping[str, str],
    looks: Mapping[str, Format],
) -> None:
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, 96)
    lines = {"名称": title} | dict(brief.about) | dict(notes)
    for row, (key, text) in enumerate(lines.items()):
        marked = key == "数据性质"
        sheet.write_string(row, 0, key, looks["mark" if marked else "key"])
        sheet.write_string(row, 1, text, looks["mark" if marked else "prose"])


def _fill(sheet: Worksheet, told: Sheet, looks: Mapping[str, Format]) -> None:
    columns = [column for column in told.columns if column.field in told.table]
    sheet.freeze_panes(1, 1)
    sheet.set_row(0, 34)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.heading, looks["head"])
        for row, value in enumerate(told.table[column.field].tolist(), start=1):
            _write(sheet, (row, place), value, looks[column.look])
    if len(told.table) and columns:
        sheet.autofilter(0, 0, len(told.table), len(columns) - 1)


def _write(sheet: Worksheet, at: tuple[int, int], value: object, look: Format) -> None:
    if isinstance(value, bool):
        sheet.write_string(*at, "是" if value else "否", look)
    elif isinstance(value, (int, float)) and math.isfinite(value):
        sheet.write_number(*at, value, look)
    elif isinstance(value, str) and value:
        sheet.write_string(*at, value, look)
    else:
        sheet.write_string(*at, DASH, look)


def write_layer(
    path: Path, layer: gpd.GeoDataFrame, columns: Sequence[Column], brief: Brief
) -> None:
    """
    Write a GeoPackage of one layer with the headings of ``columns`` as field names.

    It carries the end of the period as its date, so that equal layers are equal bytes.
    """
    kept = {
        column.field: column.heading.split("\n")[0] for column in columns if column.field in layer
    }
    told = layer[[*kept, "geometry"]].rename(columns=kept)
    if brief.label:
        told.insert(0, "数据性质", brief.label)
    instant = brief.period.stop.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": instant})
    try:
        pyogrio.write_dataframe(told, path, layer=path.stem, driver="GPKG")
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
