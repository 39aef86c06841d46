"""
Design-based estimates from a reference sample, with the map as strata.

The sample is judged point by point (``y``); the map only says how much ground each stratum
holds. So an error of the map widens the interval and never shifts the estimate.

Sources
-------
Olofsson et al. 2013, Remote Sensing of Environment 129, and 2014, RSE 148: areas and
accuracies from a confusion matrix. Stehman 2014, International Journal of Remote Sensing 35:
strata that are not the classes. Cochran 1977, Sampling Techniques, 5A.12: collapsed strata.
Korn and Graubard 1998, Survey Methodology 24: intervals of shares by an effective sample size.
The sampled fraction of the pixels is so small that its correction is left out.
"""

from collections.abc import Callable, Hashable
from dataclasses import asdict, dataclass, replace
from math import ceil
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

from jinhua_rs.errors import ContractError, NoDataError

__all__ = [
    "Accuracy",
    "Estimate",
    "confusion_estimate",
    "coverage",
    "panel_change",
    "pool_small",
    "sample_size",
    "stratified_mean",
]

Vector: TypeAlias = NDArray[Any]

_Z = 1.96  # as printed in Olofsson et al. 2014


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


@dataclass(frozen=True, slots=True)
class Accuracy:
    """
    Areas and accuracies from a confusion matrix.

    ``classes`` is a DataFrame by class: ``area``, ``area_se`` in the unit of the areas given;
    ``users``, ``users_se``, ``producers``, ``producers_se`` as shares. ``overall`` is a share.
    A 95 % interval is the value ± 1.96 standard errors. NaN: the class was never met.
    """

    classes: pd.DataFrame
    overall: Estimate


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
        A stratum whose points all agree then still gets some variance, that of the posterior
        under Jeffreys' prior, instead of a false certainty.

    Returns
    -------
    Estimate
        V = Σ W² s²/n (Stehman 2014). For a share the interval is Wilson's with the effective
        sample size p(1 - p)/V; otherwise the value ± t standard errors. t has as many degrees
        of freedom as there are points, less one for each stratum (Korn and Graubard 1998).

    Raises
    ------
    NoDataError
        If a stratum with weight holds fewer than two points.
    ContractError
        If weights do not add up to 1, or a value is missing or not in ``support``.
    """
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
        spread = np.where(spread > 0, spread, _posterior_variance(mean, size, support))
    value, variance = float(share @ mean), float(share**2 @ spread)
    se, count = float(np.sqrt(variance)), int(size.sum())
    quantile = float(student.ppf(0.975, count - size.size))
    if support is not None and set(support) == {0, 1}:
        even = 1 / float((share**2 / size).sum())
        effective = value * (1 - value) / variance or even
        return Estimate(value, se, *_wilson(value, effective, quantile), count, "wilson")
    lowest, highest = (min(support), max(support)) if support is not None else (-np.inf, np.inf)
    low, high = max(value - quantile * se, lowest), min(value + quantile * se, highest)
    return Estimate(value, se, low, high, count, "t")


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


def _posterior_variance(mean: Vector, size: Vector, support: tuple[float, ...]) -> Vector:
    """Variance of a stratum mean whose points all had the value ``mean``: Dirichlet, priors ½."""
    total = size + len(support) / 2
    center = (size * mean + sum(support) / 2) / total
    square = (size * mean**2 + sum(value**2 for value in support) / 2) / total
    return np.asarray((square - center**2) / (total + 1), dtype="float64")


def _wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Score interval of Wilson 1927 for a share seen in ``size`` points."""
    factor = quantile**2 / size
    center = (share + factor / 2) / (1 + factor)
    half = np.sqrt(share * (1 - share) * factor + factor**2 / 4) / (1 + factor)
    return min(float(max(center - half, 0.0)), share), max(float(min(center + half, 1.0)), share)


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
        weights = areas[areas > 0] / areas[areas > 0].sum()
        try:
            strata, weights = pool_small(points["stratum"], weights)
            sampled = float(weights.sum())
            estimate = stratified_mean(judged(points), strata, weights / sampled, support=support)
            found.append(asdict(_widened(estimate, 1 - sampled, support)) | {"reason": ""})
        except NoDataError as error:
            empty = Estimate(np.nan, np.nan, np.nan, np.nan, len(points), "")
            found.append(asdict(empty) | {"reason": str(error)})
    return pd.DataFrame(found, index=map_areas.index)


def _widened(estimate: Estimate, blind: float, support: tuple[float, ...]) -> Estimate:
    """Let the share ``blind`` of the area be anything that ``support`` allows."""
    low = (1 - blind) * estimate.low + blind * min(support)
    high = (1 - blind) * estimate.high + blind * max(support)
    return replace(estimate, low=low, high=high)


def confusion_estimate(counts: pd.DataFrame, areas: pd.Series) -> Accuracy:
    """
    Areas and accuracies from a confusion matrix whose strata are the map's classes.

    Parameters
    ----------
    counts : DataFrame of int
        Points by map class (index) and reference class (columns), the same classes in the
        same order.
    areas : Series
        Mapped area by class, any unit.

    Returns
    -------
    Accuracy
        Formulas of Olofsson et al. 2014, equations 1-11.

    Raises
    ------
    ContractError
        If rows, columns and areas do not name the same classes.
    NoDataError
        If a class holds fewer than two points.
    """
    if not counts.index.equals(counts.columns) or not counts.index.equals(areas.index):
        raise ContractError(
            f"confusion matrix rows {list(counts.index)}, columns {list(counts.columns)} and areas "
            f"{list(areas.index)} must be the same classes in the same order",
            zh="混淆矩阵的行、列与面积须为相同顺序的相同类别",
        )
    n = counts.to_numpy(dtype="float64").sum(axis=1, keepdims=True)
    if (n < 2).any():
        few = counts.index[(n < 2)[:, 0]].tolist()
        raise NoDataError(
            f"map classes {few} hold fewer than 2 reference points; add points there",
            zh=f"地图类别 {few} 的参考样点不足 2 个；请补充样点",
        )
    total = float(areas.sum())
    weight = areas.to_numpy(dtype="float64")[:, np.newaxis] / total
    rate = counts.to_numpy(dtype="float64") / n
    spread = weight**2 * rate * (1 - rate) / (n - 1)
    share = (weight * rate).sum(axis=0)
    users = np.diag(rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        producers = np.diag(weight * rate) / share
        # Equation 7: own row with (1 - P)², the other rows with P².
        own, others = np.diag(spread), spread.sum(axis=0) - np.diag(spread)
        producers_se = np.sqrt((1 - producers) ** 2 * own + producers**2 * others) / share
    agreed, agreed_se = float((weight[:, 0] * users).sum()), float(np.sqrt(np.diag(spread).sum()))
    classes = pd.DataFrame(
        {
            "area": total * share,
            "area_se": total * np.sqrt(spread.sum(axis=0)),
            "users": users,
            "users_se": np.sqrt(users * (1 - users) / (n[:, 0] - 1)),
            "producers": producers,
            "producers_se": producers_se,
        },
        index=counts.index,
    )
    low, high = max(agreed - _Z * agreed_se, 0.0), min(agreed + _Z * agreed_se, 1.0)
    return Accuracy(classes, Estimate(agreed, agreed_se, low, high, int(n.sum()), "normal"))


def sample_size(weights: ArrayLike, users: ArrayLike, target_se: float) -> int:
    """
    Points needed for a standard error of the overall accuracy (Olofsson et al. 2014, eq. 13).

    Parameters
    ----------
    weights, users : array of float, dims (class), unit 1
        Area share and expected user's accuracy of each class.
    target_se : float
        Wanted standard error, a share.

    Examples
    --------
    >>> sample_size([0.02, 0.015, 0.32, 0.645], [0.7, 0.6, 0.9, 0.95], 0.01)
    641
    """
    users = np.asarray(users, dtype="float64")
    spread = float(np.sum(np.asarray(weights) * np.sqrt(users * (1 - users))))
    return ceil((spread / target_se) ** 2)
