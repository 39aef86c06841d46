"""
Tables in, JSON and screen out: what stands around an estimate that is used on its own.

Read as text tables: UTF-8 (with or without mark), GB 18030 or UTF-16; comma, semicolon or
tab. Every cell is text until it is asked to be a number; nothing is ever guessed about a unit.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.estimation.accuracy import Estimates
from jinhua_rs.units import M2_PER_MU, hectares, ten_thousand_mu

__all__ = ["read_sample", "read_strata", "remark_lines", "screen_rows", "to_json_dict"]

_LARGEST = 2**28  # bytes
_AREAS = {
    "area_ha": 10_000.0,
    "area_km2": 1e6,
    "area_mu": M2_PER_MU,
    "area_m2": 1.0,
}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_AGREE = 0.01  # given areas and pixel counts may differ by so much


def read_sample(path: Path) -> pd.DataFrame:
    """
    Read a sample of judged points.

    Parameters
    ----------
    path : Path
        Text table with the columns ``stratum``, ``map``, ``reference``, and if wanted ``unit`` and
        ``weight``; others are left aside.

    Returns
    -------
    DataFrame
        One row a point, str; ``weight`` float64.

    Raises
    ------
    ConfigError
        If the file cannot be read, a column is missing or stands twice, or a cell is empty.
    NoDataError
        If there is no row.
    """
    table = _read(path, ("stratum", "map", "reference"), ("unit", "weight"))
    if "weight" in table:
        table["weight"] = _numbers(table["weight"], path)
    return table


def read_strata(path: Path, pixel_size: float | None = None) -> pd.DataFrame:
    """
    Read how much ground each stratum holds.

    Parameters
    ----------
    path : Path
        Text table with ``stratum`` and either ``pixels`` or one of ``area_ha``, ``area_km2``,
        ``area_mu`` (亩), ``area_m2``; ``unit`` if wanted. A column named ``area`` alone is refused.
    pixel_size : float, m, optional
        Edge of a pixel. Needed with ``pixels``; with areas it only serves to count pixels.

    Returns
    -------
    DataFrame
        ``stratum`` (str), ``area_m2`` and ``pixels`` (float64, NaN if not known), ``unit`` (str) if
        given. Values are checked by :func:`jinhua_rs.estimation.accuracy.estimate`.

    Raises
    ------
    ConfigError
        If the file cannot be read, has no area or two that differ by over 1 %, or a cell is no
        number; if ``pixel_size`` is missing or not above 0.
    NoDataError
        If there is no row.
    """
    if pixel_size is not None and not (math.isfinite(pixel_size) and pixel_size > 0):
        raise ConfigError(
            f"pixel size {pixel_size} is no length in metres above 0",
            zh=f"像元大小 {pixel_size} 无效；应为大于 0 的米数",
        )
    table = _read(path, ("stratum",), ("unit", "pixels", "area", *_AREAS))
    given = [name for name in _AREAS if name in table]
    _one_area(table, given, path, pixel_size)
    pixel_m2 = math.nan if pixel_size is None else pixel_size**2
    pixels = _numbers(table["pixels"], path) if "pixels" in table else None
    if given:
        area_m2 = _numbers(table[given[0]], path) * _AREAS[given[0]]
        pixels = area_m2 / pixel_m2 if pixels is None else pixels
    else:
        pixels = pd.Series(math.nan, index=table.index) if pixels is None else pixels
        area_m2 = pixels * pixel_m2
    _agreeing(table["stratum"], area_m2, pixels * pixel_m2, path)
    kept = [name for name in ("stratum", "unit") if name in table]
    return table[kept].assign(area_m2=area_m2, pixels=pixels)


def _one_area(table: pd.DataFrame, given: list[str], path: Path, pixel_size: float | None) -> None:
    if len(given) > 1 or (not given and "pixels" not in table):
        found = given or [str(name) for name in table]
        raise ConfigError(
            f"{path}: needs 'pixels' or exactly one of {list(_AREAS)}, has {found}; an area "
            "without its unit is not accepted",
            zh=f"{path}：需要 pixels 列，或 {list(_AREAS)} 之一，现有 {found}；面积必须写明单位",
        )
    if not given and pixel_size is None:
        raise ConfigError(
            f"{path}: pixel counts need the size of a pixel; add --pixel-size in metres",
            zh=f"{path}：给出像元数时必须指明像元大小；请加 --pixel-size（米）",
        )


def _agreeing(names: pd.Series, area_m2: pd.Series, by_pixels: pd.Series, path: Path) -> None:
    wrong = (area_m2 - by_pixels).abs() > _AGREE * area_m2.abs()
    if wrong.any():
        raise ConfigError(
            f"{path}: area and pixels of stratum {names[wrong].iloc[0]!r} differ by over 1 % at "
            "this pixel size; correct one of them",
            zh=f"{path}：分层 {names[wrong].iloc[0]!r} 的面积与像元数在该像元大小下"
            "相差超过 1%；请更正",
        )


# --- text tables -------------------------------------------------------------------------------


def _read(path: Path, needed: tuple[str, ...], optional: tuple[str, ...]) -> pd.DataFrame:
    """Read the named columns as text, without blank lines; no cell is empty."""
    text = _text(path)
    heading = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=heading.count))
    try:
        names = [name.strip().lower() for name in next(reader, [])]
        rows = [row for row in reader if row]
    except csv.Error as error:
        raise ConfigError(
            f"{path} is no text table: {error}", zh=f"{path} 不是文本表格：{error}"
        ) from error
    _columns(names, needed, optional, path)
    _even(rows, len(names), path)
    wanted = [name for name in names if name in (*needed, *optional)]
    table = pd.DataFrame({name: _stripped(rows, names.index(name)) for name in wanted})
    # A line of nothing but separators, as spreadsheets leave below a table, is blank too.
    bare = table.index[(table == "").all(axis=1)]
    table = table.drop(index=[at for at in bare if not any(map(str.strip, rows[at]))])
    if table.empty:
        raise NoDataError(f"{path} holds no row below its heading", zh=f"{path} 中没有数据行")
    for name in wanted:
        empty = table.index[table[name] == ""]
        if not empty.empty:
            raise ConfigError(
                f"{path}: {name!r} is empty in {len(empty)} rows, first in row {empty[0] + 1}; "
                "fill it in (to drop points that were not judged shifts the result)",
                zh=f"{path}：{len(empty)} 行缺少 {name!r}，首见第 {empty[0] + 1} 行；请补全"
                "（随意删除未判读样点会使结果有偏）",
            )
    return table.reset_index(drop=True)


def _even(rows: list[list[str]], width: int, path: Path) -> None:
    """Refuse rows with fewer or more cells than the heading; empty cells at the end are no more."""
    for at, row in enumerate(rows):
        if len(row) != width and (len(row) < width or any(map(str.strip, row[width:]))):
            raise ConfigError(
                f"{path}: row {at + 1} has {len(row)} cells under {width} headings",
                zh=f"{path}：第 {at + 1} 行有 {len(row)} 列，而表头有 {width} 列",
            )


def _stripped(rows: list[list[str]], place: int) -> pd.Series:
    """One column; each different text is stripped, and kept, once."""
    codes, texts = pd.factorize(np.array([row[place] for row in rows], dtype="object"))
    return pd.Series(np.array([text.strip() for text in texts], dtype="object")[codes])


def _columns(
    names: list[str], needed: tuple[str, ...], optional: tuple[str, ...], path: Path
) -> None:
    if not any(names):
        raise NoDataError(f"{path} is empty", zh=f"{path} 是空文件")
    missing = [name for name in needed if name not in names]
    if missing:
        raise ConfigError(
            f"{path}: column {missing[0]!r} is missing; it has {names}",
            zh=f"{path}：缺少列 {missing[0]!r}；现有列：{names}",
        )
    twice = [name for name in (*needed, *optional) if names.count(name) > 1]
    if twice:
        raise ConfigError(
            f"{path}: column {twice[0]!r} stands twice; keep one",
            zh=f"{path}：列 {twice[0]!r} 重复；请只保留一列",
        )


def _text(path: Path) -> str:
    """Decode a file; what is neither Unicode nor GB 18030, or holds NUL, is no text."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ConfigError(
                f"{path} is larger than {_LARGEST >> 20} MiB; is it a table of points?",
                zh=f"{path} 超过 {_LARGEST >> 20} MiB；请确认是否为样点表",
            )
        content = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error}", zh=f"无法读取 {path}：{error}") from error
    utf16 = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    for encoding in ("utf-16",) if utf16 else ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text.lstrip("\r\n")
    raise ConfigError(
        f"{path} is no text table; save it as CSV, UTF-8",
        zh=f"{path} 不是文本表格；请另存为 CSV（UTF-8）",
    )


def _numbers(cells: pd.Series, path: Path) -> pd.Series:
    """Parse numbers with a point; a comma could mean two things and is refused."""
    wrong = [cell for cell in cells.unique() if not _NUMBER.fullmatch(cell)]
    if wrong:
        raise ConfigError(
            f"{path}: {wrong[0]!r} in column {cells.name!r} is no number; write it like 1234.5, "
            "without thousands separators",
            zh=f"{path}：列 {cells.name!r} 中的 {wrong[0]!r} 不是数字；请写成 1234.5，"
            "不用千位分隔符",
        )
    return cells.astype("float64")


# --- JSON --------------------------------------------------------------------------------------


def to_json_dict(
    estimates: Estimates, *, pixel_size: float | None, language: str
) -> dict[str, Any]:
    """
    Turn estimates into what ``--json`` prints.

    Returns
    -------
    dict
        ``classes`` by name (``area_ha``, ``area_se_ha``, ``area_ci95_ha``, ``ua``, ``ua_se``,
        ``pa``, ``pa_se``; further ``area_wilson95_ha``, ``ua_ci95``, ``pa_ci95``), ``oa``,
        ``oa_se``, ``oa_ci95``, ``n``, ``estimator``, ``area_unit``, ``total_area_ha``,
        ``total_area_known``, ``pixel_size_m``, ``fpc_strata``, ``warnings``; ``units`` if asked
        for, each of the same form. Standard errors are single. ``null``: there is no such number.
    """
    found = {
        "classes": {str(name): _class(row) for name, row in _records(estimates)},
        "oa": _or_none(estimates.overall.value),
        "oa_se": _or_none(estimates.overall.se),
        "oa_ci95": _pair(estimates.overall.low, estimates.overall.high),
        "n": estimates.n,
        "estimator": estimates.estimator or None,
        "area_unit": "ha",
        "total_area_ha": _or_none(hectares(estimates.area_m2)),
        "total_area_known": estimates.area_known,
        "pixel_size_m": pixel_size,
        "fpc_strata": list(estimates.corrected),
        "warnings": [remark.text(language) for remark in estimates.remarks],
    }
    if estimates.units:
        found["units"] = {
            unit.unit: to_json_dict(unit, pixel_size=pixel_size, language=language)
            for unit in estimates.units
        }
    return found


def _records(estimates: Estimates) -> Iterator[tuple[str, dict[str, float]]]:
    for name, row in estimates.classes.to_dict("index").items():
        yield str(name), {str(key): float(value) for key, value in row.items()}


def _class(row: dict[str, float]) -> dict[str, Any]:
    ends = {name: hectares(value) for name, value in row.items() if name.endswith("_m2")}
    return {
        "area_ha": _or_none(ends["area_m2"]),
        "area_se_ha": _or_none(ends["area_se_m2"]),
        "area_ci95_ha": _pair(ends["area_low_m2"], ends["area_high_m2"]),
        "ua": _or_none(row["ua"]),
        "ua_se": _or_none(row["ua_se"]),
        "pa": _or_none(row["pa"]),
        "pa_se": _or_none(row["pa_se"]),
        "area_wilson95_ha": _pair(ends["area_wilson_low_m2"], ends["area_wilson_high_m2"]),
        "ua_ci95": _pair(row["ua_low"], row["ua_high"]),
        "pa_ci95": _pair(row["pa_low"], row["pa_high"]),
    }


def _or_none(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _pair(low: float, high: float) -> list[float] | None:
    return [float(low), float(high)] if math.isfinite(low + high) else None


# --- screen ------------------------------------------------------------------------------------

_HEADINGS = {
    "zh": ("单元", "类别", "面积（公顷）", "万亩", "用户精度", "生产者精度"),
    "en": ("unit", "class", "area (ha)", "10⁴ mu", "UA", "PA"),
}


def screen_rows(estimates: Estimates, language: str) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """
    Lay estimates out for people: headings, and a row for each class of the whole and each unit.

    ``±`` is 1.96 standard errors; a dash: there is no such number. The column of units is left
    out where there are none.
    """
    chosen = "zh" if language == "zh" else "en"
    whole = "全部" if chosen == "zh" else "all"
    lines = [
        (unit.unit or whole, name, *_line(row))
        for unit in (estimates, *estimates.units)
        for name, row in _records(unit)
    ]
    first = 0 if estimates.units else 1
    return _HEADINGS[chosen][first:], [line[first:] for line in lines]


def remark_lines(estimates: Estimates) -> list[tuple[str, str]]:
    """Say below the table what it rests on and what to mind: lines in English and Chinese."""
    name, n, overall = estimates.estimator, estimates.n, estimates.overall
    agreed = _accuracy(overall.value, overall.se)
    en = f"{name}: {n} points, overall accuracy {agreed} (± 1.96 standard errors). "
    zh = f"{name}：样点 {n} 个，总体精度 {agreed}（± 为 1.96 倍标准误）。"
    lines = [(f"{en}Wilson intervals: --json", f"{zh}Wilson 区间见 --json")]
    for unit in (estimates, *estimates.units):
        front = f"! {unit.unit}: " if unit.unit else "! "
        lines += [(front + remark.en, front + remark.zh) for remark in unit.remarks]
    return lines


def _line(row: dict[str, float]) -> tuple[str, ...]:
    if math.isnan(row["area_m2"]):
        return ("—",) * 4
    return (
        f"{hectares(row['area_m2']):,.1f} ± {1.96 * hectares(row['area_se_m2']):,.1f}",
        f"{ten_thousand_mu(row['area_m2']):,.2f}",
        _accuracy(row["ua"], row["ua_se"]),
        _accuracy(row["pa"], row["pa_se"]),
    )


def _accuracy(value: float, se: float) -> str:
    return "—" if math.isnan(value) else f"{value:.3f}±{1.96 * se:.3f}"
