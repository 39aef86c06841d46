"""Answers of one interpreter: every point once, every cell one of what may stand there."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from jinhua_rs.errors import ConfigError
from jinhua_rs.interpretation.fields import FORM, POINT, Field, answers, canopy, land, sure
from jinhua_rs.interpretation.forms import ROLES
from jinhua_rs.interpretation.package import Manifest
from jinhua_rs.interpretation.sheets import Cell, Row, read_rows

__all__ = ["Answers", "read_answers", "require_points"]

_SHOWN = 5
_UNSEEN = "none"


@dataclass(frozen=True)
class Answers:
    """
    What one interpreter said.

    ``role`` is a key of :data:`~jinhua_rs.interpretation.forms.ROLES`, ``path`` the file.
    ``table`` has a row a point and period: ``point``, ``period``, ``canopy`` (0-1, NaN = could
    not be judged), ``class`` (:class:`~jinhua_rs.schema.Land`, 0 with it), ``sure``, ``basis``.
    ``rows`` tells the row of the file of each point.
    """

    role: str
    path: Path
    table: pd.DataFrame
    rows: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong in a row, in both languages."""

    row: int
    column: str
    en: str
    zh: str


def read_answers(path: Path, manifest: Manifest) -> Answers:
    """
    Read a filled-in form.

    Raises
    ------
    ConfigError
        If it is of another package or design, a point stands twice, or a cell is empty or wrong:
        the first five are told with row and column. Which points must be there is the question of
        :func:`require_points`.
    """
    columns = answers(manifest.periods)
    rows = read_rows(path, columns)
    role = _role(path, rows, manifest)
    faults = [fault for row in rows for fault in _faults(row, manifest.periods, columns)]
    faults += _twice(rows)
    if faults:
        raise _faulty(path, faults)
    table = pd.DataFrame([one for row in rows for one in _told(row, manifest.periods, columns)])
    return Answers(role, path, table, {str(row.cells[POINT]): row.number for row in rows})


def require_points(found: Answers, points: Sequence[str]) -> None:
    """
    Refuse a form with points that were not asked, or without some that were.

    Raises
    ------
    ConfigError
        Naming the first of them.
    """
    asked, name = set(points), found.path.name
    strange = [point for point in found.rows if point not in asked]
    if strange:
        row = found.rows[strange[0]]
        raise ConfigError(
            f"{name}, row {row}: point {strange[0]} was not asked for in this form "
            f"({len(strange)} such points)",
            zh=f"{name} 第 {row} 行：样点 {strange[0]} 不在本表之内（共 {len(strange)} 个）",
        )
    missing = [point for point in points if point not in found.rows]
    if missing:
        raise ConfigError(
            f"{name}: {len(missing)} points are missing, first {missing[0]}; rows must not "
            "be deleted, points that cannot be judged are said to be so",
            zh=f"{name}：缺少 {len(missing)} 个样点，首个为 {missing[0]}；"
            "不得删行，无法判读的请如实注明",
        )


def _role(path: Path, rows: Sequence[Row], manifest: Manifest) -> str:
    """Find out whose form it is; all rows must be of one form of this package."""
    numbers = {manifest.number(role): role for role in ROLES}
    first = str(rows[0].cells[FORM])
    for row in rows:
        number = str(row.cells[FORM])
        if number not in numbers or number != first:
            raise ConfigError(
                f"{path.name}, row {row.number}: form number {number} is not of package "
                f"{manifest.id} (design {manifest.design}) or not the one above; answers to another"
                " design say nothing here",
                zh=f"{path.name} 第 {row.number} 行：表号 {number} 不属于判读包 {manifest.id}"
                f"（设计 {manifest.design}）或与上文不一致；其他设计的判读结果不能用于此处",
            )
    return numbers[first]


def _twice(rows: Sequence[Row]) -> Iterator[_Fault]:
    seen: dict[Cell, int] = {}
    for row in rows:
        point = row.cells[POINT]
        if point in seen:
            en, zh = (
                f"{point} stands in row {seen[point]} too",
                f"{point} 与第 {seen[point]} 行重复",
            )
            yield _Fault(row.number, "样点", en, zh)
        seen[point] = row.number


def _faulty(path: Path, faults: Sequence[_Fault]) -> ConfigError:
    shown = sorted(faults, key=lambda fault: fault.row)[:_SHOWN]
    lines = [f"row {fault.row}, column {fault.column}: {fault.en}" for fault in shown]
    lines_zh = [f"第 {fault.row} 行“{fault.column}”列：{fault.zh}" for fault in shown]
    return ConfigError(
        f"{path.name}: {len(faults)} cells must be mended: " + "; ".join(lines),
        zh=f"{path.name}：{len(faults)} 处需更正：" + "；".join(lines_zh),
    )


# --- cells -------------------------------------------------------------------------------------


def _faults(row: Row, periods: Sequence[str], columns: Sequence[Field]) -> Iterator[_Fault]:
    """Yield what is wrong with the cells of a row."""
    by_key = {field.key: field for field in columns}
    if row.cells[POINT] is None:
        yield _Fault(row.number, "样点", "the point is missing", "缺少样点号")
    for field in columns:
        cell = row.cells[field.key]
        wrong = _wrong_number(cell) if field.number else _wrong_choice(cell, field)
        if cell is not None and wrong is not None:
            yield _Fault(row.number, _flat(field), *wrong)
    for period in periods:
        unseen = _key(row.cells[sure(period)], by_key[sure(period)]) == _UNSEEN
        if row.cells[sure(period)] is None:
            yield _Fault(row.number, _flat(by_key[sure(period)]), "is empty", "未填写")
        for key in (canopy(period), land(period)):
            if (row.cells[key] is None) != unseen:
                en, zh = ("must be empty where nothing could be judged", "无法判读时应留空")
                said = (en, zh) if unseen else ("is empty", "未填写")
                yield _Fault(row.number, _flat(by_key[key]), *said)


def _flat(field: Field) -> str:
    return field.title.replace("\n", " ")


def _wrong_number(cell: Cell) -> tuple[str, str] | None:
    value = _number(cell)
    if not 0 <= value <= 100:
        return f"{cell!r} is no number from 0 to 100", f"{cell!r} 不是 0–100 之间的数"
    if 0 < value < 1:
        return (
            f"{cell!r} is below 1 %; write 35 for 35 %, and no percent format",
            f"{cell!r} 小于 1%；35% 请填 35，且单元格不要用百分比格式",
        )
    return None


def _number(cell: Cell) -> float:
    """Read a number; NaN where there is none."""
    try:
        value = float(str(cell).removesuffix("%"))
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def _wrong_choice(cell: Cell, field: Field) -> tuple[str, str] | None:
    if not field.choices or _key(cell, field) is not None:
        return None
    offered = ", ".join(label for _, label in field.choices)
    return f"{cell!r} is none of {offered}", f"{cell!r} 不在可选项内：{offered}"


def _key(cell: Cell, field: Field) -> str | None:
    """Key of what was chosen, given by key or label; None if it is not offered."""
    text = f"{cell:g}" if isinstance(cell, float) else str(cell)
    for key, label in field.choices:
        if text in (key, label, label.partition(" ")[2] or label):
            return key
    return None


def _told(
    row: Row, periods: Sequence[str], columns: Sequence[Field]
) -> Iterator[dict[str, object]]:
    """Yield what a sound row says of each period."""
    by_key = {field.key: field for field in columns}
    for period in periods:
        certain = _key(row.cells[sure(period)], by_key[sure(period)])
        judged = certain != _UNSEEN
        kind = _key(row.cells[land(period)], by_key[land(period)])
        yield {
            "point": str(row.cells[POINT]),
            "period": period,
            "canopy": _number(row.cells[canopy(period)]) / 100 if judged else math.nan,
            "class": int(kind) if judged and kind else 0,
            "sure": certain,
            "basis": _key(row.cells["basis"], by_key["basis"]) or "",
        }
