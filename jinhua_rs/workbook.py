"""Workbooks as every outlet writes them: one look, marked if simulated, text that stays text."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from numbers import Real
from pathlib import Path

import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from jinhua_rs.estimation.printed import DASH

__all__ = ["PROSE_WIDTH", "Book", "Look", "lines_of", "opened", "prose", "put"]

Look = Mapping[str, object]

PROSE_WIDTH = 96
"""Width of the column of prose, in characters of the Latin alphabet."""
_OPTIONS = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
"""A name such as ``=HYPERLINK(...)`` stays the text it is."""
_RED, _LINE_PT, _WIDE_FROM = "#b3261e", 17.0, 0x2E80
_LOOKS: Mapping[str, Look] = {
    "text": {},
    "head": {
        "bold": True, "text_wrap": True, "valign": "vcenter", "align": "center",
        "bg_color": "#eaf2ec", "bottom": 2, "bottom_color": "#1d5c3a",
    },
    "title": {"bold": True, "font_size": 16},
    "key": {"bold": True, "valign": "top"},
    "prose": {"text_wrap": True, "valign": "top"},
    "mark": {"bold": True, "font_size": 14, "font_color": "#ffffff", "bg_color": _RED},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Book:
    """An open workbook, its formats by name, and the mark of simulated data or nothing."""

    raw: Workbook
    looks: Mapping[str, Format]
    label: str

    def sheet(self, name: str, footer: str = "&C&P / &N") -> Worksheet:
        """Add a sheet for A4 across; the mark colours its tab and stands in its printed header."""
        sheet = self.raw.add_worksheet(name)
        sheet.set_landscape()
        sheet.set_paper(9)
        sheet.fit_to_pages(1, 0)
        sheet.set_footer(footer)
        if self.label:
            sheet.set_tab_color(_RED)
            sheet.set_header(f"&C&14{self.label}")
        return sheet


@contextmanager
def opened(
    path: Path,
    facts: Mapping[str, str],
    *,
    label: str,
    created: datetime,
    looks: Mapping[str, Look],
) -> Iterator[Book]:
    """
    Yield a new workbook; it is written where the block ends. Equal content gives equal bytes.

    Parameters
    ----------
    path : Path
    facts : mapping
        Properties of the document: ``title``, ``subject``, ``comments``.
    label : str
        Mark of simulated data; empty for real ones.
    created : datetime
        Date of the document.
    looks : mapping
        Formats beside ``text``, ``head``, ``title``, ``key``, ``prose`` and ``mark``, as XlsxWriter
        names their properties.
    """
    with xlsxwriter.Workbook(path, _OPTIONS) as book:
        book.set_properties({**facts, "created": created.replace(tzinfo=None)})
        wanted = {**_LOOKS, **looks}
        formats = {
            name: book.add_format({"font_size": 11, **look}) for name, look in wanted.items()
        }
        yield Book(book, formats, label)


def put(sheet: Worksheet, at: tuple[int, int], value: object, look: Format) -> None:
    """Write a cell: text as text, numbers as numbers, 是 or 否, a dash for what is not known."""
    if isinstance(value, bool):
        sheet.write_string(*at, "是" if value else "否", look)
    elif isinstance(value, str):
        sheet.write_string(*at, value, look)
    elif isinstance(value, Real) and math.isfinite(value):  # those of numpy too
        sheet.write_number(*at, float(value), look)
    else:
        sheet.write_string(*at, DASH, look)


def prose(
    book: Book, sheet: Worksheet, entries: Mapping[str, str] | list[tuple[str, str]], first: int
) -> None:
    """Write keys and what they say from a row on, each as high as its text."""
    sheet.set_column(0, 0, 20)
    sheet.set_column(1, 1, PROSE_WIDTH)
    lines = entries.items() if isinstance(entries, Mapping) else entries
    for row, (key, text) in enumerate(lines, start=first):
        sheet.set_row(row, _LINE_PT * lines_of(text))
        sheet.write_string(row, 0, key, book.looks["key"])
        sheet.write_string(row, 1, text, book.looks["prose"])


def lines_of(text: str) -> int:
    """
    Lines that a text takes in the column of prose; a Chinese character is two wide.

    >>> lines_of("图" * 45), lines_of("图" * 46), lines_of("a")
    (1, 2, 1)
    """
    widths = (sum(1 + (ord(letter) > _WIDE_FROM) for letter in line) for line in text.split("\n"))
    return sum(max(1, math.ceil(width / (PROSE_WIDTH - 6))) for width in widths)
