"""A sample, checked against its strata and counted by stratum, unit and kind of point."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.estimation.ground import Ground, Plan, Remark, few, survey
from jinhua_rs.estimation.intervals import Array
from jinhua_rs.estimation.ratio import Tallies

__all__ = ["MOST_CLASSES", "Tally", "count", "tallies", "units_of"]

MOST_CLASSES = 100
"""More classes than this are no classes but names of points."""

_JOINTS = (":", "：", "/", "|", "_", "-", "·", " ")
_SUMS = ("weight", "square")


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """
    Points counted by stratum, unit and kind.

    Attributes
    ----------
    cells : DataFrame
        ``stratum``, ``unit`` (``""`` if not given), ``kind`` (row of ``kinds``), ``n`` points,
        ``weight`` and ``square``: sums of the weights and of their squares.
    kinds : array of int, dims (kind, 2)
        Map and reference class of each kind, as positions in ``classes``.
    classes : tuple of str
        In the order of the strata, then by name.
    weighted : bool
        True if weights differ within a stratum; otherwise all are 1.
    """

    cells: pd.DataFrame
    kinds: Array
    classes: tuple[str, ...]
    weighted: bool

    @property
    def points(self) -> int:
        """Number of points."""
        return int(self.cells["n"].sum())

    @property
    def by_stratum(self) -> pd.Series:
        """Points by stratum."""
        return self.cells.groupby("stratum")["n"].sum()

    @property
    def remarks(self) -> tuple[Remark, ...]:
        """What the weights mean, if there are any."""
        if not self.weighted:
            return ()
        return (
            Remark(
                "weights differ within strata: means of strata are Σwy/Σw (Hájek) with linearised "
                "variance; right only if a weight is the inverse of a point's chance to be drawn",
                "分层内权重不等：层均值按 Σwy/Σw（Hájek）估计，方差按线性化；"
                "仅当权重为样点入样概率的倒数时成立",
            ),
        )

    def unit_names(self) -> list[str]:
        """Units that hold points, by name."""
        return sorted(set(self.cells["unit"]) - {""})

    def of_unit(self, unit: str) -> "Tally":
        """Points of one unit."""
        return replace(self, cells=self.cells[self.cells["unit"] == unit])

    def of_strata(self, strata: Iterable[str]) -> "Tally":
        """Points of some strata."""
        return replace(self, cells=self.cells[self.cells["stratum"].isin(list(strata))])

    def strata_are_classes(self, unit: str) -> bool:
        """Tell whether each point's stratum is its map class (of this unit, by name)."""
        mapped = pd.Series(self.classes)[self.kinds[self.cells["kind"], 0]].to_numpy("object")
        strata = self.cells["stratum"].to_numpy("object")
        fronts = ["", *(f"{unit}{joint}" for joint in _JOINTS if unit)]
        return any(bool((strata == front + mapped).all()) for front in fronts)


def tallies(plan: Plan, every: Tally, inside: Tally) -> Tallies:
    """Count by collapsed stratum: its size from ``every`` point, kinds from those ``inside``."""
    shape = (len(plan.names), len(inside.kinds))
    weight, square = (_summed(inside.cells, plan.groups, shape, key) for key in _SUMS)
    n, total, total_square = (
        _summed(every.cells, plan.groups, shape, key).sum(axis=1) for key in ("n", *_SUMS)
    )
    return Tallies(plan.share, weight, square, n, total, total_square, plan.unsampled)


def _summed(cells: pd.DataFrame, groups: dict[str, int], shape: tuple[int, int], key: str) -> Array:
    place = cells["stratum"].map(groups)
    held = place.notna()
    flat = place[held].to_numpy(dtype="int64") * shape[1] + cells["kind"][held].to_numpy()
    return np.bincount(flat, cells[key][held], minlength=shape[0] * shape[1]).reshape(shape)


def count(sample: pd.DataFrame, strata: pd.DataFrame) -> tuple[Ground, Tally]:
    """
    Check a sample against its strata and count it.

    Parameters
    ----------
    sample, strata : DataFrame
        As for :func:`jinhua_rs.estimation.accuracy.estimate`.

    Raises
    ------
    ConfigError
        On a missing column, duplicate stratum, negative or missing area, a stratum of the sample
        that the strata lack, unusable weight, more points than pixels, or over 100 classes.
    NoDataError
        If there is no point or no area.
    """
    _require(sample, ("stratum", "map", "reference"), "sample", "样本表")
    _require(strata, ("stratum", "area_m2", "pixels"), "strata", "分层表")
    ground = survey(strata)
    if sample.empty:
        raise NoDataError("the sample holds no point", zh="样本表中没有样点")
    _known(sample, ground, strata)
    tally = _tally(sample, ground)
    _enough_pixels(tally, ground)
    return ground, tally


def units_of(ground: Ground, tally: Tally) -> pd.Series | None:
    """
    Tell which unit each stratum lies in.

    Returns
    -------
    Series of str, index stratum, or None
        From the column ``unit`` of the strata, else from their names (``unit:class``), provided
        that every stratum has one and every point agrees. ``None``: units and strata cross.

    Raises
    ------
    ConfigError
        If neither table has a column ``unit``, or a point contradicts its stratum's unit.
    """
    given = ground.table.get("unit")
    units = tally.unit_names()
    if given is None and not units:
        raise ConfigError(
            "estimates by unit need a column 'unit' in the sample or in the strata",
            zh="按单元估计需要样本表或分层表含有 unit 列",
        )
    found = ground.table.index.to_series().map(lambda name: _named_after(name, units))
    owners = found if given is None else given
    if owners.isna().any():
        return None
    cells = tally.cells[tally.cells["unit"] != ""]
    crossed = cells[cells["stratum"].map(owners) != cells["unit"]]
    if crossed.empty:
        return owners.astype("str")
    if given is None:
        return None
    unit, stratum = crossed["unit"].iloc[0], crossed["stratum"].iloc[0]
    raise ConfigError(
        f"a point of unit {unit!r} lies in stratum {stratum!r}, which the strata give to unit "
        f"{given[stratum]!r}; correct one of the files",
        zh=f"单元 {unit!r} 的样点位于分层 {stratum!r}，而分层表将其归属单元 {given[stratum]!r}；"
        "请更正其中一个文件",
    )


def _named_after(name: str, units: list[str]) -> str | None:
    fitting = [unit for unit in units if name.startswith(tuple(unit + joint for joint in _JOINTS))]
    return max(fitting, key=len, default=None)


def _require(table: pd.DataFrame, names: tuple[str, ...], what: str, what_zh: str) -> None:
    missing = [name for name in names if name not in table]
    if missing:
        raise ConfigError(
            f"the {what} table lacks the column {missing[0]!r}; it has {list(table.columns)}",
            zh=f"{what_zh}缺少列 {missing[0]!r}；现有列：{list(table.columns)}",
        )


def _known(sample: pd.DataFrame, ground: Ground, strata: pd.DataFrame) -> None:
    strange = sample["stratum"][~sample["stratum"].isin(ground.table.index)]
    if strange.empty:
        return
    name = strange.iloc[0]
    n = int((strange == name).sum())
    without = name in set(strata["stratum"])
    why, why_zh = (
        ("has area 0", "面积为 0") if without else ("is not in the strata", "不在分层表中")
    )
    raise ConfigError(
        f"stratum {name!r} of {n} points {why}; the strata are {few(ground.names)}: the area of "
        "every stratum must be known",
        zh=f"样本中的分层 {name!r}（{n} 个样点）{why_zh}；分层表含 {few(ground.names)}："
        "必须给出每个分层的面积",
    )


def _tally(sample: pd.DataFrame, ground: Ground) -> Tally:
    found = set(sample["map"].unique()) | set(sample["reference"].unique())
    if len(found) > MOST_CLASSES:
        raise ConfigError(
            f"{len(found)} different classes in 'map' and 'reference', more than {MOST_CLASSES}; "
            "these look like names of points",
            zh=f"map 与 reference 列共有 {len(found)} 个类别（上限 {MOST_CLASSES}），"
            "疑似误填样点编号",
        )
    first = [name for name in ground.names if name in found]
    classes = (*first, *sorted(found - set(first)))
    codes = pd.Index(classes)
    mapped, judged = (codes.get_indexer(pd.Index(sample[c])) for c in ("map", "reference"))
    kinds, kind = np.unique(mapped * len(classes) + judged, return_inverse=True)
    weight = _weights(sample)
    by_stratum = weight.groupby(sample["stratum"])
    weighted = bool((by_stratum.max() > by_stratum.min()).any())
    weight = weight if weighted else pd.Series(1.0, index=sample.index)
    unit = sample["unit"] if "unit" in sample else pd.Series("", index=sample.index)
    points = pd.DataFrame({"stratum": sample["stratum"], "unit": unit, "kind": kind, "n": 1.0})
    points = points.assign(weight=weight, square=weight**2)
    cells = points.groupby(["stratum", "unit", "kind"]).sum().reset_index()
    return Tally(cells, np.stack(np.divmod(kinds, len(classes)), axis=1), classes, weighted)


def _weights(sample: pd.DataFrame) -> pd.Series:
    if "weight" not in sample:
        return pd.Series(1.0, index=sample.index)
    weight = sample["weight"].astype("float64")
    wrong = ~(np.isfinite(weight) & (weight > 0))
    if wrong.any():
        value, stratum = weight[wrong].iloc[0], sample["stratum"][wrong].iloc[0]
        raise ConfigError(
            f"a weight is {value} (stratum {stratum!r}); weights are numbers above 0",
            zh=f"分层 {stratum!r} 有样点权重为 {value}；权重应大于 0",
        )
    return weight


def _enough_pixels(tally: Tally, ground: Ground) -> None:
    n = tally.by_stratum
    pixels = ground.table["pixels"].reindex(n.index)
    over = n.index[n > pixels * 1.001 + 1e-6]
    if not over.empty:
        name = over[0]
        raise ConfigError(
            f"stratum {name!r} has {n[name]:.0f} points but only {pixels[name]:.0f} pixels; check "
            "the pixel counts and the pixel size",
            zh=f"分层 {name!r} 有 {n[name]:.0f} 个样点，却只有 {pixels[name]:.0f} 个像元；"
            "请核对像元数与像元大小",
        )
