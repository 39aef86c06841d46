"""Training rows: numbers checked, unusable rows counted and dropped, order made canonical."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.landcover.card import SampleCounts
from jinhua_rs.schema import Land

__all__ = ["MIN_ROWS", "Samples", "clean", "together"]

MIN_ROWS = 30
"""Fewer rows than this train nothing that could be tested in blocks."""

_PLACE = ("x", "y")
_LABELS = ("class", "canopy")


@dataclass(frozen=True, eq=False)
class Samples:
    """
    Rows of one label, in an order that does not depend on the order they came in.

    Attributes
    ----------
    features : ndarray, float32, (row, feature)
        Finite.
    x, y : ndarray, float64, (row,), metres
        Place in the CRS of the grid, by which blocks are made; samples of one group have that
        of the group's middle, so that no block parts them.
    label : ndarray, int64 :class:`~jinhua_rs.schema.Land` codes or float64 canopy 0-1, (row,)
        What is to be learnt.
    by_unit : dict
        Of classes: rows by reporting unit and code; the unit is "" where none is known.
    """

    features: npt.NDArray[np.float32]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]
    label: npt.NDArray[np.int64] | npt.NDArray[np.float64]
    by_unit: dict[str, dict[int, int]]


def clean(
    table: pd.DataFrame, feature_names: Sequence[str]
) -> tuple[dict[str, Samples], SampleCounts]:
    """
    Check a sample table and split it by label.

    Parameters
    ----------
    table : DataFrame
        One row per sample: the features, ``x`` and ``y`` (metres), and ``class``
        (:class:`~jinhua_rs.schema.Land` code, 0 or missing = not known) and/or ``canopy``
        (0-1, missing = not known). ``group`` (text, optional): rows of one group are never parted,
        nor are rows of different places with equal features, which are copies of one another.
        ``unit`` (text, optional): code of the reporting unit.
    feature_names : Sequence[str]
        Columns to learn from.

    Returns
    -------
    dict[str, Samples]
        By label, ``"class"`` and/or ``"canopy"``; a label without a single value is absent.
    SampleCounts
        What became of the rows.

    Raises
    ------
    ConfigError
        On a missing or non-numeric column, an unknown class code or a canopy outside 0-1.
    NoDataError
        If no label is left, or fewer than :data:`MIN_ROWS` rows of one, or only one value.
    """
    names = list(feature_names)
    _require_columns(table, names)
    labels = [label for label in _LABELS if label in table.columns]
    frame = pd.DataFrame({name: _numbers(table, name) for name in [*_PLACE, *labels, *names]})
    frame = frame.astype(dict.fromkeys(names, "float32"))
    _require_labels(frame)
    if "class" in frame:
        frame["class"] = frame["class"].where(frame["class"] != Land.UNSEEN)
    complete = np.isfinite(frame[[*_PLACE, *names]].to_numpy()).all(axis=1)
    labelled = frame[labels].notna().to_numpy().any(axis=1)
    usable = frame[complete & labelled]
    # Rows in canonical order: the same samples grow the same forest however they are sorted.
    distinct = usable.drop_duplicates().sort_values([*_PLACE, *names, *labels], kind="stable")
    units = pd.Series(table["unit"].to_numpy(), dtype=object) if "unit" in table.columns else None
    places = [*_PLACE, *names]
    alike = _alike(distinct, names)
    counts = SampleCounts(
        given=len(frame),
        incomplete=int((~complete).sum()),
        unlabelled=int((complete & ~labelled).sum()),
        duplicates=len(usable) - len(distinct),
        contradictions=int(distinct.duplicated(places, keep=False).sum()),
        alike=int((alike != "").sum()),
        used=len(distinct),
    )
    if "group" in table:
        group = table["group"].fillna("").astype(str).set_axis(range(len(table)))
        alike = alike.where(group[distinct.index] == "", group[distinct.index])
    distinct = together(distinct, alike)
    known = [label for label in labels if distinct[label].notna().any()]
    if not known:
        raise _nothing(counts)
    placed = distinct.assign(unit="" if units is None else units.fillna("").astype(str))
    return {label: _of(placed, names, label) for label in known}, counts


def together(frame: pd.DataFrame, group: pd.Series) -> pd.DataFrame:
    """Put the samples of a group at its middle (``x``, ``y``); ``""`` stands for itself."""
    middle = frame[list(_PLACE)].groupby(group).transform("mean")
    return frame.assign(**{name: frame[name].where(group == "", middle[name]) for name in _PLACE})


def _alike(frame: pd.DataFrame, names: list[str]) -> pd.Series:
    """Name rows of different places whose features are equal to the last digit; else ``""``."""
    of = frame.groupby(names, sort=False)
    elsewhere = of["x"].transform("nunique") + of["y"].transform("nunique") > 2
    return ("=" + of.ngroup().astype(str)).where(elsewhere, "")


def _of(frame: pd.DataFrame, names: list[str], label: str) -> Samples:
    rows = frame[frame[label].notna()]
    if len(rows) < MIN_ROWS or rows[label].nunique() < 2:
        raise NoDataError(
            f"{len(rows)} usable samples with {rows[label].nunique()} distinct value(s) of "
            f"{label!r}; training needs at least {MIN_ROWS} samples and two values: add samples "
            f"or leave the column {label!r} out",
            zh=f"{label!r} 的可用样本只有 {len(rows)} 个、{rows[label].nunique()} 种取值；"
            f"训练至少需要 {MIN_ROWS} 个样本和两种取值：请补充样本或去掉 {label!r} 列",
        )
    kind = np.int64 if label == "class" else np.float64
    return Samples(
        features=np.ascontiguousarray(rows[names].to_numpy(dtype=np.float32)),
        x=rows["x"].to_numpy(dtype=np.float64),
        y=rows["y"].to_numpy(dtype=np.float64),
        label=rows[label].to_numpy(dtype=kind),
        by_unit=_by_unit(rows) if label == "class" else {},
    )


def _by_unit(rows: pd.DataFrame) -> dict[str, dict[int, int]]:
    found: dict[str, dict[int, int]] = {}
    for unit, own in rows.groupby("unit", sort=True):
        codes, numbers = np.unique(own["class"].to_numpy(np.int64), return_counts=True)
        found[str(unit)] = dict(zip(codes.tolist(), numbers.tolist(), strict=True))
    return found


def _require_columns(table: pd.DataFrame, names: list[str]) -> None:
    clash = sorted(set(names) & {*_PLACE, *_LABELS})
    if not names or clash or len(set(names)) != len(names):
        raise ConfigError(
            f"feature names {names} must be distinct, at least one, and none of x, y, "
            "class, canopy",
            zh=f"特征名 {names} 必须至少一个、互不相同，且不得为 x、y、class、canopy",
        )
    missing = [name for name in [*_PLACE, *names] if name not in table.columns]
    if missing:
        raise ConfigError(
            f"the sample table lacks the columns {missing}; it has {list(map(str, table.columns))}",
            zh=f"样本表缺少列 {missing}；现有列：{list(map(str, table.columns))}",
        )


def _numbers(table: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    try:
        return pd.to_numeric(table[name]).to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"column {name!r} of the sample table is not numeric ({error}); "
            "classes are given as codes 1-10, see docs/data-dictionary.md",
            zh=f"样本表的 {name!r} 列不是数字（{error}）；类别请用代码 1–10",
        ) from error


def _require_labels(frame: pd.DataFrame) -> None:
    if "class" in frame:
        codes = frame["class"].dropna()
        unknown = sorted({float(code) for code in codes[~codes.isin([int(c) for c in Land])]})
        if unknown:
            raise ConfigError(
                f"unknown class codes {unknown[:5]} in the samples; known are 1-10 "
                "(0 = not known), see docs/data-dictionary.md",
                zh=f"样本中有未知的类别代码 {unknown[:5]}；可用代码为 1–10（0 表示未知）",
            )
    if "canopy" in frame:
        cover = frame["canopy"].dropna()
        if not cover.between(0, 1).all():
            raise ConfigError(
                f"canopy cover must lie between 0 and 1, found {cover.min():g} to {cover.max():g}; "
                "divide percentages by 100",
                zh=f"林冠覆盖度应在 0–1 之间，实为 {cover.min():g} 至 {cover.max():g}；"
                "百分数请除以 100",
            )


def _nothing(counts: SampleCounts) -> NoDataError:
    return NoDataError(
        f"no usable training sample: of {counts.given} rows {counts.incomplete} lack a feature or "
        f"a coordinate and {counts.unlabelled} have neither class nor canopy; check that the "
        "points lie where the composite has been seen",
        zh=f"没有可用的训练样本：{counts.given} 行中 {counts.incomplete} 行缺特征或坐标，"
        f"{counts.unlabelled} 行既无 class 也无 canopy；请检查样点是否落在有效影像内",
    )
