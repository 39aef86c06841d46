"""A workbook of plain tables: what it is, then one sheet a table; text stays text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pyogrio
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.dossier.brief import Brief
from jinhua_rs.qgis import dated
from jinhua_rs.workbook import Look, opened, prose, put

__all__ = ["CANOPY", "COUNTY", "SEEN", "WHY", "Column", "Sheet", "write_book", "write_layer"]

_LOOKS: dict[str, Look] = {
    "mu": {"num_format": "#,##0.00", "align": "right"},
    "share": {"num_format": "0.0%", "align": "right"},
    "index": {"num_format": "0.000", "align": "right"},
    "whole": {"num_format": "0", "align": "right"},
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table: field, heading, width in characters, and look of its cells."""

    field: str
    heading: str
    width: float = 12.0
    look: str = "text"


COUNTY = Column("county_name", "县（市、区）", 14)
WHY = Column("why_zh", "依据", 60)
CANOPY = Column("canopy", "林冠覆盖度", 10, "share")
SEEN = Column("seen_share", "有效观测占比", 11, "share")


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
    facts = {"title": title, "subject": brief.label}
    with opened(path, facts, label=brief.label, created=brief.period.stop, looks=_LOOKS) as book:
        about = book.sheet("说明")
        prose(book, about, {"名称": title} | dict(brief.about) | dict(notes), 0)
        if brief.label:
            about.set_row(1, 26)
            for column, text in enumerate(("数据性质", brief.label)):
                about.write_string(1, column, text, book.looks["mark"])
        for sheet in sheets:
            _fill(book.sheet(sheet.name), sheet, book.looks)


def _fill(sheet: Worksheet, told: Sheet, looks: Mapping[str, Format]) -> None:
    columns = [column for column in told.columns if column.field in told.table]
    sheet.freeze_panes(1, 1)
    sheet.set_row(0, 34)
    for place, column in enumerate(columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.heading, looks["head"])
        for row, value in enumerate(told.table[column.field].tolist(), start=1):
            said = (value or None) if isinstance(value, str) else value
            put(sheet, (row, place), said, looks[column.look])
    if len(told.table) and columns:
        sheet.autofilter(0, 0, len(told.table), len(columns) - 1)


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
    with dated(instant):
        pyogrio.write_dataframe(told, path, layer=path.stem, driver="GPKG")
