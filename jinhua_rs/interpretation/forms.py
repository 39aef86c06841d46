"""The form as a workbook: drop-downs, checks, and what to do, in Chinese; text stays text."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path

import pandas as pd
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.interpretation.fields import Field, fields

__all__ = ["ROLES", "SHEET", "Handout", "guide", "write_form"]

SHEET = "判读表"
ROLES = {"1": "甲（第一判读人）", "2": "乙（复判人）", "3": "丙（裁定人）"}

_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
_LISTS = "选项"
_HEAD_PT, _PROSE_WIDTH = 34, 96


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
    with xlsxwriter.Workbook(path, _OPTIONS) as book:
        book.set_properties(
            {
                "title": f"样点判读表 {handout.number}",
                "subject": handout.label,
                "created": handout.created.replace(tzinfo=None),
            }
        )
        looks = _formats(book)
        sheet, about, lists = (book.add_worksheet(name) for name in (SHEET, "说明", _LISTS))
        ranges = _write_lists(lists, columns)
        _write_rows(sheet, handout, columns, looks)
        _write_checks(sheet, columns, ranges, len(handout.points))
        _write_guide(about, handout, looks)
        if handout.label:
            for one in (sheet, about):
                one.set_tab_color("#b3261e")
                one.set_header(f"&C&14{handout.label}")


def _formats(book: Workbook) -> dict[str, Format]:
    looks: dict[str, dict[str, object]] = {
        "head": {"bold": True, "text_wrap": True, "align": "center", "valign": "vcenter",
                 "bg_color": "#eaf2ec", "bottom": 2, "bottom_color": "#1d5c3a"},
        "given": {"bg_color": "#f1f3f3", "font_color": "#4b5559"},
        "place": {"bg_color": "#f1f3f3", "font_color": "#4b5559", "num_format": "0.000000"},
        "asked": {"locked": False, "border": 1, "border_color": "#c9cfd1"},
        "title": {"bold": True, "font_size": 16},
        "key": {"bold": True, "valign": "top"},
        "prose": {"text_wrap": True, "valign": "top"},
        "mark": {"bold": True, "font_size": 14, "font_color": "#ffffff", "bg_color": "#b3261e"},
    }  # fmt: skip
    return {name: book.add_format({"font_size": 11} | look) for name, look in looks.items()}


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
    sheet: Worksheet, handout: Handout, columns: Sequence[Field], looks: dict[str, Format]
) -> None:
    sheet.set_row(0, _HEAD_PT)
    sheet.freeze_panes(1, 1)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.set_footer(f"&L{handout.number}&C&P / &N")
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


def _write_guide(sheet: Worksheet, handout: Handout, looks: dict[str, Format]) -> None:
    sheet.hide_gridlines(2)
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_column(0, 0, 18)
    sheet.set_column(1, 1, _PROSE_WIDTH)
    sheet.write_string(0, 0, "样点判读说明", looks["title"])
    facts = [
        ("表号", handout.number),
        ("判读人", f"{ROLES[handout.role]} {handout.reader or '________________'}"),
        ("时段", "、".join(handout.periods)),
        ("样点数", str(len(handout.points))),
    ]
    if handout.label:
        sheet.write_string(0, 1, handout.label, looks["mark"])
    for row, (key, text) in enumerate([*facts, *guide(handout)], start=2):
        sheet.write_string(row, 0, key, looks["key"])
        sheet.write_string(row, 1, text, looks["prose"])
        sheet.set_row(row, 17.0 * (1 + len(text) * 2 // _PROSE_WIDTH))
    sheet.protect()
