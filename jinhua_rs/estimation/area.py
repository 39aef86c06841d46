"""
Design-based estimates from a reference sample, with the map as strata.

The sample is judged point by point (``y``); the map only says how much ground each stratum
holds. So an error of the map widens the interval and never shifts the estimate.

Sources
-------
Olofsson et al. 2013, Remote Sensing of Environment 129, and 2014, RSE 148. Stehman 2014,
International Journal of Remote Sensing 35: strata that are not the classes. Cochran 1977,
Sampling Techniques, 5A.9: post-strata, 5A.12: collapsed strata. Korn and Graubard 1998, Survey
Methodology 24: intervals of shares by an effective sample size.
The sampled fraction of the pixels is so small that its correction is left out.
"""

from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from jinhua_rs.errors import ContractError, NoDataError
from jinhua_rs.estimation.intervals import (
    effective_size,
    floored,
    one_more_change,
    quantile_of,
    t_interval,
    wilson,
)

__all__ = [
    "Estimate",
    "coverage",
    "panel_change",
    "pool_small",
    "post_stratified_mean",
    "stratified_mean",
]

Vector: TypeAlias = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    A value, its standard error and its 95 % interval, all in one unit.

    ``n`` is the number of points; ``method`` says how the interval was made: ``"wilson"``,
    ``"t"`` or ``"normal"``.
    """

    value: float
    se: float
    low: float
    high: float
    n: int
    method: str


def stratified_mean(
    values: ArrayLike,
    strata: ArrayLike,
    weights: pd.Series,
    *,
    support: tuple[float, ...] | None = None,
) -> Estimate:
    """
    Mean of ``y`` over an area, from points drawn within strata.

    Holds for post-strata as well, given the numbers of points that fell into each.

    Parameters
    ----------
    values : array of float, dims (point)
        What was judged at each point; no NaN.
    strata : array, dims (point)
        The stratum each point lies in; points of a stratum without weight are left out.
    weights : Series
        Share of the area (adds up to 1) by stratum.
    support : tuple of float, optional
        All values that ``y`` can take: ``(0, 1)`` for a share, ``(-1, 0, 1)`` for a change.
        Of the strata whose points all agree, the one that weighs most then still gets some
        variance, that of the posterior under Jeffreys' prior, instead of a false certainty.

    Returns
    -------
    Estimate
        V = Σ W² s²/n (Stehman 2014). For a share the interval is Wilson's with the effective
        sample size p(1 - p)/V; otherwise the value ± t standard errors. t has as many degrees
        of freedom as there are points, less one for each stratum (Korn and Graubard 1998). The
        interval of a change allows for one more changed point than was met
        (:func:`~jinhua_rs.estimation.intervals.one_more_change`); ``se`` does not.

    Raises
    ------
    NoDataError
        If a stratum with weight holds fewer than two points.
    ContractError
        If weights do not add up to 1, or a value is missing or not in ``support``.
    """
    share, size, mean, spread = _by_stratum(values, strata, weights, support)
    return _estimate(share, size, mean, share**2 * spread, support)


def post_stratified_mean(
    values: ArrayLike,
    strata: ArrayLike,
    weights: pd.Series,
    *,
    support: tuple[float, ...] | None = None,
) -> Estimate:
    """
    Mean of ``y`` from a simple random (or systematic) sample, sorted into strata afterwards.

    Unlike :func:`stratified_mean` the variance also holds the chance that another sample would
    have put other numbers of points into the strata.

    Parameters
    ----------
    values, strata, weights, support
        As for :func:`stratified_mean`; the points must have been drawn without strata.

    Returns
    -------
    Estimate
        V = Σ W s²/n + Σ (1 - W) s²/n², n being all points (Cochran 1977, 5A.42). s² counts hits
        and misses, s² = n_h p (1 - p)/(n_h - 1), of every stratum.

    Raises
    ------
    NoDataError, ContractError
        As for :func:`stratified_mean`.
    """
    share, size, mean, spread = _by_stratum(values, strata, weights, support)
    total, single = float(size.sum()), spread * size
    parts = share * single / total + (1 - share) * single / total**2
    return _estimate(share, size, mean, parts, support)


def _by_stratum(
    values: ArrayLike, strata: ArrayLike, weights: pd.Series, support: tuple[float, ...] | None
) -> tuple[Vector, Vector, Vector, Vector]:
    """Area share, number of points, mean and variance of the mean of each stratum."""
    weights = weights[weights > 0]
    judged = np.asarray(values, dtype="float64")
    _check(judged, weights, support)
    share = weights.to_numpy(dtype="float64")
    place = weights.index.get_indexer(pd.Index(np.asarray(strata)))
    judged, place = judged[place >= 0], place[place >= 0]
    size = np.bincount(place, minlength=share.size)
    if (size < 2).any():
        few = weights.index[size < 2].tolist()
        raise NoDataError(
            f"strata {few} hold fewer than 2 reference points; add points there or pool strata",
            zh=f"分层 {few} 的参考样点不足 2 个；请补充样点或合并分层",
        )
    mean = np.bincount(place, judged, share.size) / size
    spread = np.bincount(place, (judged - mean[place]) ** 2, share.size) / (size - 1) / size
    if support is not None:
        spread = floored(share, mean, size, spread, support)
    return share, size, mean, spread


def _estimate(
    share: Vector, size: Vector, mean: Vector, parts: Vector, support: tuple[float, ...] | None
) -> Estimate:
    """Put strata together; ``parts`` are what each adds to the variance."""
    value, variance = share @ mean, parts.sum()
    quantile, count = quantile_of(size.sum(), size.size), int(size.sum())
    if support is not None and set(support) == {0, 1}:
        effective = effective_size(value, variance, 1 / (share**2 / size).sum())
        method, ends = "wilson", wilson(value, effective, quantile)
    else:
        limits = (min(support), max(support)) if support is not None else (-np.inf, np.inf)
        doubt = variance
        if support is not None and set(support) == {-1, 0, 1}:
            doubt = variance + one_more_change(share, size)
        method, ends = "t", t_interval(value, doubt, quantile, limits)
    se = float(np.sqrt(variance))
    return Estimate(float(value), se, float(ends[0]), float(ends[1]), count, method)


def _check(values: Vector, weights: pd.Series, support: tuple[float, ...] | None) -> None:
    if np.isnan(values).any() or (support is not None and not np.isin(values, support).all()):
        raise ContractError(
            f"reference values must be given and among {support}; leave out unjudged points",
            zh=f"参考值须齐全且取值于 {support}；请剔除未判定样点",
        )
    if not np.isclose(weights.sum(), 1.0, atol=1e-6):
        raise ContractError(
            f"stratum weights add up to {weights.sum():.6f} instead of 1",
            zh=f"分层权重之和为 {weights.sum():.6f}，应为 1",
        )


def pool_small(
    strata: pd.Series, weights: pd.Series, *, most: float = 0.10
) -> tuple[pd.Series, pd.Series]:
    """
    Collapse strata of fewer than two points into one, so that its variance can be estimated.

    Parameters
    ----------
    strata : Series, dims (point)
        Stratum of each point.
    weights : Series
        Share of the area by stratum.
    most : float
        Share of the area that may be treated so.

    Returns
    -------
    strata, weights : Series
        With the small strata under one name. If even together they hold fewer than two points
        they have no weight left, and the weights add up to less than 1: what is missing is
        blind ground.

    Raises
    ------
    NoDataError
        If more of the area than ``most`` lies in such strata.
    """
    weights = weights[weights > 0]
    counts = strata.value_counts().reindex(weights.index, fill_value=0)
    small = counts.index[counts < 2].tolist()
    if not small:
        return strata, weights
    share = float(weights[small].sum())
    if share > most:
        raise NoDataError(
            f"{share:.1%} of the area is in strata of fewer than 2 reference points, such as "
            f"{small[0]}; add points there",
            zh=f"{share:.1%} 的面积所在分层（如 {small[0]}）参考样点不足 2 个；请补充样点",
        )
    rest = weights.drop(small)
    if counts[small].sum() >= 2:
        rest[small[0]] = share
    return strata.replace(dict.fromkeys(small, small[0])), rest


def coverage(sample: pd.DataFrame, map_areas: pd.DataFrame) -> pd.DataFrame:
    """
    Share of each unit for which ``y`` is 1.

    Parameters
    ----------
    sample : DataFrame
        Columns ``point``, ``unit``, ``stratum``, ``y`` (0 or 1). A point may stand in several
        units, in each once.
    map_areas : DataFrame, m²
        Area of each stratum (columns) in each unit (index); 0 or NaN where a unit has none of
        it. Ground that the map did not see is a stratum like any other. A unit is estimated
        from its own strata: for the city those of all counties, if they are named by county.

    Returns
    -------
    DataFrame, index as ``map_areas``
        ``value``, ``se``, ``low``, ``high`` (shares, 0-1), ``n``, ``method``, ``reason``.
        Where there are too few points the numbers are NaN and ``reason`` (else empty) says why.
        Ground too small to hold points is taken to be like the rest for ``value``, and as
        anything from 0 to 1 for the interval.
    """
    return _by_unit(sample, map_areas, lambda points: points["y"], (0, 1))


def panel_change(panel: pd.DataFrame, map_areas: pd.DataFrame) -> pd.DataFrame:
    """
    Change of a share between two periods, from points that were judged in both.

    With d = y(after) - y(before) at each point the covariance of the periods is inside d.

    Parameters
    ----------
    panel : DataFrame
        Columns ``point``, ``unit``, ``stratum``, ``before``, ``after`` (0 or 1).
    map_areas : DataFrame, m²
        As for :func:`coverage`.

    Returns
    -------
    DataFrame
        As from :func:`coverage`, in shares from -1 to 1.
    """
    return _by_unit(panel, map_areas, lambda points: points["after"] - points["before"], (-1, 0, 1))


def _by_unit(
    sample: pd.DataFrame,
    map_areas: pd.DataFrame,
    judged: Callable[[pd.DataFrame], pd.Series],
    support: tuple[float, ...],
) -> pd.DataFrame:
    if sample.duplicated(["unit", "point"]).any():
        raise ContractError(
            "a reference point stands twice in one unit; give each point its own name",
            zh="同一单元内参考样点编号重复；请为每个样点指定唯一编号",
        )
    by_unit: dict[Hashable, pd.DataFrame] = dict(iter(sample.groupby("unit")))
    found = []
    for unit, areas in map_areas.iterrows():
        points = by_unit.get(unit, sample.iloc[:0])
        try:
            weights = _weights(areas)
            strata, weights = pool_small(points["stratum"], weights)
            sampled = float(weights.sum())
            estimate = stratified_mean(judged(points), strata, weights / sampled, support=support)
            found.append(asdict(_widened(estimate, 1 - sampled, support)) | {"reason": ""})
        except NoDataError as error:
            empty = Estimate(np.nan, np.nan, np.nan, np.nan, len(points), "")
            found.append(asdict(empty) | {"reason": str(error)})
    return pd.DataFrame(found, index=map_areas.index)


def _weights(areas: pd.Series) -> pd.Series:
    """Share of each stratum that a unit has some of."""
    held = areas[areas > 0]
    if held.empty:
        raise NoDataError(
            "the sample was drawn for other units than this one; draw one for these units",
            zh="样本不是按本单元抽取的；请按现有统计单元重新抽样",
        )
    return held / held.sum()


def _widened(estimate: Estimate, blind: float, support: tuple[float, ...]) -> Estimate:
    """Let the share ``blind`` of the area be anything that ``support`` allows."""
    low = (1 - blind) * estimate.low + blind * min(support)
    high = (1 - blind) * estimate.high + blind * max(support)
    return replace(estimate, low=low, high=high)
