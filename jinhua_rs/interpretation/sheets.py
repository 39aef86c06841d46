"""Filled-in forms as rows of cells, from a workbook or a GeoPackage that nobody vouches for."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile, ZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from jinhua_rs.errors import ConfigError
from jinhua_rs.interpretation.fields import Field
from jinhua_rs.interpretation.forms import SHEET
from jinhua_rs.interpretation.layers import ANSWERS

__all__ = ["Row", "read_rows"]

_LARGEST, _MOST_PARTS, _MOST_ROWS, _MOST_COLUMNS = 200 * 2**20, 2000, 200_000, 60

Cell = str | float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a form: its number in the file, and its cells by the key of the field."""

    number: int
    cells: dict[str, Cell]


def read_rows(path: Path, columns: Sequence[Field]) -> list[Row]:
    """
    Read the rows of a form; empty ones are left out.

    Parameters
    ----------
    path : Path
        ``.xlsx``, or ``.gpkg`` opened read-only as a table: no geometry, view or trigger of it is
        used.
    columns : sequence of Field
        Columns that are wanted; others are left aside.

    Raises
    ------
    ConfigError
        If the file is no form, too large, lacks a column, or holds a formula.
    """
    kinds = {".xlsx": _workbook, ".gpkg": _layer}
    if path.suffix.lower() not in kinds or not path.is_file():
        raise _unusable(path, "it is no .xlsx or .gpkg file", "不是 .xlsx 或 .gpkg 文件")
    if path.stat().st_size > _LARGEST:
        raise _unusable(path, "it is larger than 200 MB", "超过 200 MB")
    rows = list(kinds[path.suffix.lower()](path, columns))
    if not rows:
        raise _unusable(path, "it holds no row", "没有数据行")
    return rows


def _unusable(path: Path, why: str, why_zh: str) -> ConfigError:
    return ConfigError(
        f"{path.name}: {why}; use the form of the package",
        zh=f"{path.name}：{why_zh}；请使用判读包中的判读表",
    )


# --- workbooks ---------------------------------------------------------------------------------


def _workbook(path: Path, columns: Sequence[Field]) -> Iterator[Row]:
    try:
        _require_modest(path)
        book = openpyxl.load_workbook(path, read_only=True, keep_links=False)
        with closing(book):
            if SHEET not in book.sheetnames:
                raise _unusable(path, f"it has no sheet {SHEET}", f"没有工作表“{SHEET}”")
            sheet = book[SHEET]
            sheet.reset_dimensions()
            lines = sheet.iter_rows(max_row=_MOST_ROWS, max_col=_MOST_COLUMNS)
            places = _places(path, [cell.value for cell in next(lines, ())], columns)
            for number, line in enumerate(lines, start=2):
                cells = {
                    field.key: _value(path, number, field, line[at : at + 1])
                    for field, at in places.items()
                }
                if any(cell is not None for cell in cells.values()):
                    yield Row(number, cells)
    except (InvalidFileException, BadZipFile, ParseError, KeyError, TypeError, ValueError) as error:
        raise _unusable(path, f"it cannot be read ({error})", "无法读取") from error


def _require_modest(path: Path) -> None:
    with ZipFile(path) as parts:
        members = parts.infolist()
        if len(members) > _MOST_PARTS or sum(one.file_size for one in members) > _LARGEST:
            raise _unusable(path, "unpacked it is too large", "解压后过大")


def _places(path: Path, titles: Sequence[object], columns: Sequence[Field]) -> dict[Field, int]:
    """Find the column of each field by its title, spaces and line breaks aside."""
    known = ["".join(str(title).split()) for title in titles]
    found = {}
    for field in columns:
        title = "".join(field.title.split())
        if known.count(title) != 1:
            raise _unusable(path, f"column {title!r} must stand there once", f"缺少列“{title}”")
        found[field] = known.index(title)
    return found


def _value(path: Path, number: int, field: Field, cells: Sequence[Any]) -> Cell:
    """Return what stands in a cell; a formula is refused, whatever it last showed."""
    if not cells or cells[0].value is None:
        return None
    value = cells[0].value
    if cells[0].data_type == "f":
        title = field.title.replace("\n", " ")
        raise ConfigError(
            f"{path.name}, row {number}, column {title}: a formula; type the value itself",
            zh=f"{path.name} 第 {number} 行“{title}”列含公式；请直接填写数值或文字",
        )
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return str(value).strip() or None


# --- layers ------------------------------------------------------------------------------------


def _layer(path: Path, columns: Sequence[Field]) -> Iterator[Row]:
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as base:
            base.execute("PRAGMA trusted_schema = OFF")
            kind = base.execute("SELECT type FROM sqlite_master WHERE name = ?", (ANSWERS,))
            if kind.fetchone() != ("table",):
                raise _unusable(path, f"it has no layer {ANSWERS}", f"没有图层 {ANSWERS}")
            known = {row[1] for row in base.execute(f"PRAGMA table_info({ANSWERS})")}
            lacking = [field.key for field in columns if field.key not in known]
            if lacking:
                raise _unusable(path, f"field {lacking[0]!r} is missing", f"缺少字段 {lacking[0]}")
            names = ", ".join(f'"{field.key}"' for field in columns)
            query = f"SELECT rowid, {names} FROM {ANSWERS} ORDER BY rowid LIMIT {_MOST_ROWS}"  # noqa: S608 - keys are the program's own
            for number, *values in base.execute(query):
                cells = (_plain(path, number, value) for value in values)
                yield Row(number, dict(zip([f.key for f in columns], cells, strict=True)))
    except sqlite3.Error as error:
        raise _unusable(path, f"it cannot be read ({error})", "无法读取") from error


def _plain(path: Path, number: int, value: object) -> Cell:
    if isinstance(value, bytes):
        raise _unusable(path, f"row {number} holds binary data", f"第 {number} 行含二进制数据")
    if value is None or isinstance(value, float):
        return value
    return float(value) if isinstance(value, int) else str(value).strip() or None
