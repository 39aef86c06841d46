"""The form as a workbook: drop-downs, checks, and what to do, in Chinese; text stays text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import pandas as pd
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.interpretation.fields import Field, fields
from jinhua_rs.workbook import Book, Look, opened, prose

__all__ = ["ROLES", "SHEET", "Handout", "guide", "write_form"]

SHEET = "判读表"
ROLES = {"1": "甲（第一判读人）", "2": "乙（复判人）", "3": "丙（裁定人）"}

_LISTS = "选项"
_HEAD_PT = 34
_LOOKS: dict[str, Look] = {
    "given": {"bg_color": "#f1f3f3", "font_color": "#4b5559"},
    "place": {"bg_color": "#f1f3f3", "font_color": "#4b5559", "num_format": "0.000000"},
    "asked": {"locked": False, "border": 1, "border_color": "#c9cfd1"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handout:
    """
    What one interpreter is given.

    ``number`` is the form's number (package and role), ``role`` a key of :data:`ROLES`, ``reader``
    a name or empty, ``points`` a table of ``point``, ``lon``, ``lat``, and ``x``, ``y`` in ``crs``,
    ``label`` the mark of simulated data or empty, ``resolution`` the side of a pixel in metres.
    """

    number: str
    role: str
    reader: str
    periods: Sequence[str]
    points: pd.DataFrame
    resolution: float
    crs: str
    label: str
    created: datetime


def guide(handout: Handout) -> list[tuple[str, str]]:
    """Return the key to interpretation: headings and what they say, in Chinese."""
    text = files("jinhua_rs.interpretation").joinpath("templates", "guide.txt").read_text("utf-8")
    pixel = f"{handout.resolution:g} 米 × {handout.resolution:g} 米"
    parts = (line.partition("：") for line in text.format(pixel=pixel).splitlines())
    return [(key, said) for key, _, said in parts]


def write_form(path: Path, handout: Handout) -> None:
    """
    Write the form of one interpreter; equal handouts give equal bytes.

    Sheets: 判读表 (a row a point), 说明 (the key), 选项 (what the drop-downs offer). Given cells
    are locked, without a password; the others are checked as they are filled in.
    """
    columns = fields(handout.periods)
    facts = {"title": f"样点判读表 {handout.number}", "subject": handout.label}
    with opened(path, facts, label=handout.label, created=handout.created, looks=_LOOKS) as book:
        sheet = book.sheet(SHEET, f"&L{handout.number}&C&P / &N")
        about, lists = book.sheet("说明"), book.sheet(_LISTS)
        ranges = _write_lists(lists, columns)
        _write_rows(sheet, handout, columns, book.looks)
        _write_checks(sheet, columns, ranges, len(handout.points))
        _write_guide(about, handout, book)


def _write_lists(sheet: Worksheet, columns: Sequence[Field]) -> dict[str, str]:
    """Write what each drop-down offers; return the range by field."""
    ranges = {}
    for at, field in enumerate(one for one in columns if one.choices):
        sheet.write_string(0, at, field.title.replace("\n", " "))
        for row, (_, label) in enumerate(field.choices, start=1):
            sheet.write_string(row, at, label)
        letter = chr(ord("A") + at)
        ranges[field.key] = f"='{_LISTS}'!${letter}$2:${letter}${len(field.choices) + 1}"
    sheet.set_column(0, len(ranges), 18)
    sheet.protect()
    return ranges


def _write_rows(
    sheet: Worksheet, handout: Handout, columns: Sequence[Field], looks: Mapping[str, Format]
) -> None:
    sheet.set_row(0, _HEAD_PT)
    sheet.freeze_panes(1, 1)
    sheet.repeat_rows(0)
    sheet.protect("", {"format_columns": True, "format_rows": True, "sort": True})
    for at, field in enumerate(columns):
        sheet.set_column(at, at, field.width)
        sheet.write_string(0, at, field.title, looks["head"])
    records = handout.points.assign(form=handout.number).to_dict("records")
    for row, record in enumerate(records, start=1):
        for at, field in enumerate(columns):
            if field.asked:
                sheet.write_blank(row, at, None, looks["asked"])
            elif field.key in ("lon", "lat"):
                sheet.write_number(row, at, record[field.key], looks["place"])
            else:
                sheet.write_string(row, at, str(record[field.key]), looks["given"])


def _write_checks(
    sheet: Worksheet, columns: Sequence[Field], ranges: dict[str, str], rows: int
) -> None:
    """Attach the drop-downs, and the limits of a percentage."""
    for at, field in enumerate(columns):
        if field.choices:
            check: dict[str, object] = {
                "validate": "list", "source": ranges[field.key],
                "error_title": "请从列表中选择", "error_message": "请从下拉列表中选择一项。",
            }  # fmt: skip
        elif field.number:
            check = {
                "validate": "decimal", "criteria": "between", "minimum": 0, "maximum": 100,
                "input_title": "林冠覆盖度", "input_message": "0–100；达到 20 按有林计",
                "error_title": "超出范围", "error_message": "请填 0 到 100 之间的数字。",
            }  # fmt: skip
        else:
            continue
        sheet.data_validation(1, at, rows, at, check)


def _write_guide(sheet: Worksheet, handout: Handout, book: Book) -> None:
    sheet.hide_gridlines(2)
    sheet.write_string(0, 0, "样点判读说明", book.looks["title"])
    facts = [
        ("表号", handout.number),
        ("判读人", f"{ROLES[handout.role]} {handout.reader or '________________'}"),
        ("时段", "、".join(handout.periods)),
        ("样点数", str(len(handout.points))),
    ]
    if handout.label:
        sheet.write_string(0, 1, handout.label, book.looks["mark"])
    prose(book, sheet, [*facts, *guide(handout)], 2)
