"""Answers of staff read back from a GeoPackage or workbook: checked one by one, none lost."""

import csv
import sqlite3
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from jinhua_rs.delivery.fields import ANSWERS, FIELDS, ID, VERSION
from jinhua_rs.delivery.geopackage import LAYER
from jinhua_rs.delivery.workbook import SHEET
from jinhua_rs.errors import ConfigError
from jinhua_rs.layers import text
from jinhua_rs.patches import REASONS, ROLES, Book, Patch, State, Verdict, forbidden

__all__ = ["Answer", "Judged", "judge", "read_answers", "write_refused"]

_MAX_BYTES = 200_000_000
_MAX_ROWS = 200_000
_KEYS = (ID, VERSION, *(field.key for field in ANSWERS))

Answer = Mapping[str, str]
"""A filled-in row: text of the fields by their key."""


@dataclass(frozen=True, slots=True)
class Judged:
    """
    What became of the answers of a file.

    ``accepted`` may be appended to the book; ``known`` were there already; ``refused`` are rows
    with the reason in English and Chinese.
    """

    accepted: tuple[Verdict, ...]
    known: int
    refused: tuple[tuple[Answer, str, str], ...]


def read_answers(path: Path) -> list[Answer]:
    """
    Read the rows of a file that hold an answer.

    Raises
    ------
    ConfigError
        If the file is neither a GeoPackage nor a workbook as they were handed over, is damaged,
        or is larger than anything that was handed over could be.
    """
    readers = {".gpkg": _of_geopackage, ".xlsx": _of_workbook}
    reader = readers.get(path.suffix.lower())
    if reader is None or not path.is_file():
        raise _unreadable(path, "is no GeoPackage or workbook", "不是 GeoPackage 或 Excel 文件")
    if path.stat().st_size > _MAX_BYTES:
        raise _unreadable(path, "is too large", "文件过大")
    told = [row for row in reader(path) if any(row[field.key] for field in ANSWERS)]
    if len(told) > _MAX_ROWS:
        raise _unreadable(path, "has too many rows", "行数过多")
    return told


def judge(
    answers: Sequence[Answer], patches: Mapping[str, Patch], book: Book, *, now: datetime
) -> Judged:
    """
    Check answers against the patches as they are known now.

    Parameters
    ----------
    answers : sequence of Answer
    patches : Mapping of id to Patch
        All that is known.
    book : Book
    now : datetime
        Instant with zone, the time of an answer that tells none; later days are refused.

    Returns
    -------
    Judged
        An answer is refused if its patch is unknown or no longer stands, its version is not the
        present one, its step or reason is not allowed, or the file answers the patch twice.
    """
    counts, states, newest = book.counts, book.states, book.newest
    times = Counter(answer[ID] for answer in answers)
    accepted: list[Verdict] = []
    refused: list[tuple[Answer, str, str]] = []
    known = 0
    for answer in answers:
        patch = patches.get(answer[ID])
        wrong = _no_patch(answer, patch, times)
        if wrong is None and patch is not None:
            present = patch.version + counts[patch.id]
            verdict = _verdict(answer, states.get(patch.id, State.OPEN), now)
            if verdict is not None and _same(verdict, newest.get(patch.id)):
                known += 1
                continue
            wrong = _no_verdict(verdict, present, now)
            if wrong is None and verdict is not None:
                accepted.append(verdict)
        if wrong is not None:
            refused.append((answer, *wrong))
    return Judged(tuple(accepted), known, tuple(refused))


def write_refused(path: Path, refused: Sequence[tuple[Answer, str, str]]) -> None:
    """Write what was refused, with the reason, as a table that a spreadsheet opens as text."""
    names = {field.key: field.zh for field in FIELDS}
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(names[key] for key in _KEYS), "未接受的原因", "why"])
        for answer, en, zh in refused:
            writer.writerow([_harmless(answer[key]) for key in _KEYS] + [zh, en])


def _harmless(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would compute."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell


# --- checks ------------------------------------------------------------------------------------


def _no_patch(
    answer: Answer, patch: Patch | None, times: Mapping[str, int]
) -> tuple[str, str] | None:
    if patch is None:
        return f"there is no patch {answer[ID]!r}", f"没有编号为 {answer[ID]!r} 的图斑"
    if times[patch.id] > 1:
        return "the file answers this patch more than once", "文件中该图斑有多行结论"
    if patch.merged_into:
        return f"it merged into {patch.merged_into}", f"已并入图斑 {patch.merged_into}"
    return ("it was withdrawn by a correction", "已因成果更正撤回") if patch.withdrawn else None


def _verdict(answer: Answer, before: State, now: datetime) -> Verdict | None:
    """Read an answer as a verdict; None if it names no state, reason, role or day that is known."""
    reasons = {names[0]: code for code, names in REASONS.items()} | {"": ""}
    roles = {names[0]: code for code, names in ROLES.items()}
    try:
        day = date.fromisoformat(answer["HCRQ"][:10]) if answer["HCRQ"] else None
        return Verdict(
            patch=answer[ID],
            version=int(answer[VERSION]),
            before=before,
            after=State(answer["XZT"]),
            reason=reasons[answer["XYY"]],
            who=answer["HCR"],
            role=roles[answer["HCJS"]],
            when=now.isoformat(timespec="seconds") if day is None else day.isoformat(),
            note=answer["BZ"],
        )
    except (ValueError, KeyError):
        return None


def _no_verdict(verdict: Verdict | None, present: int, now: datetime) -> tuple[str, str] | None:
    if verdict is None:
        return (
            "version, state, reason, role or day is not one of those offered",
            "版本、新状态、原因、角色或日期填写有误，请从下拉列表选择，日期写成 2024-10-08",
        )
    if verdict.version != present:
        return (
            f"it was judged as version {verdict.version} and is version {present} by now",
            f"核查时为第 {verdict.version} 版，现已是第 {present} 版：他人已更新，请重新导出核对",
        )
    if date.fromisoformat(verdict.when[:10]) > now.date():
        return "its day lies in the future", "核查日期晚于今天"
    return forbidden(verdict)


def _same(verdict: Verdict, newest: Verdict | None) -> bool:
    """Tell whether a verdict is the newest one again, from a file that is read twice."""
    keys = ("version", "after", "reason", "who", "role", "note")
    return newest is not None and all(getattr(verdict, k) == getattr(newest, k) for k in keys)


# --- files -------------------------------------------------------------------------------------


def _of_geopackage(path: Path) -> Iterator[Answer]:
    """Read the one table by SQLite alone: no trigger, view or function of the file runs."""
    keys = ", ".join(f'"{key}"' for key in _KEYS)
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            database.execute("PRAGMA trusted_schema = OFF")
            (sound,) = database.execute("PRAGMA quick_check(1)").fetchone()
            found = database.execute(
                "SELECT type, sql FROM sqlite_master WHERE name = ?", (LAYER,)
            ).fetchall()
            plain = [sql for kind, sql in found if kind == "table" and "VIRTUAL" not in sql.upper()]
            if sound != "ok" or not plain:
                raise _unreadable(path, f"has no sound table {LAYER}", "没有完好的图斑表")
            for row in database.execute(f'SELECT {keys} FROM "{LAYER}"'):  # noqa: S608 - own names
                yield {key: text(value) for key, value in zip(_KEYS, row, strict=True)}
    except sqlite3.Error as error:
        raise _unreadable(path, f"cannot be read ({error})", "无法读取") from error


def _of_workbook(path: Path) -> Iterator[Answer]:
    """Read the sheet by the names in its first row; formulas are never computed."""
    names = {field.zh: field.key for field in FIELDS if field.key in _KEYS}
    try:
        with zipfile.ZipFile(path) as parts:
            if sum(one.file_size for one in parts.infolist()) > _MAX_BYTES:
                raise _unreadable(path, "is too large once unpacked", "解压后过大")
        with closing(openpyxl.load_workbook(path, read_only=True, data_only=True)) as book:
            lines = book[SHEET].iter_rows(values_only=True)
            heads = [names.get(text(cell), "") for cell in next(lines, ())]
            if missing := set(_KEYS) - set(heads):
                what = f"lacks the columns {', '.join(sorted(missing))}"
                raise _unreadable(path, what, "缺少列：" + "、".join(sorted(missing)))
            for line in lines:
                cells = dict(zip(heads, line, strict=False))
                yield {key: text(cells.get(key)) for key in _KEYS}
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError) as error:
        raise _unreadable(path, f"cannot be read ({error})", "无法读取") from error


def _unreadable(path: Path, what: str, what_zh: str) -> ConfigError:
    return ConfigError(
        f"answers {path.name}: {what}; give the file that `jinhua-rs patches export` wrote",
        zh=f"核查结果 {path.name}：{what_zh}；请使用 jinhua-rs patches export 导出的文件",
    )
