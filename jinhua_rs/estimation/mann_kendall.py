"""
The hot loop of a trend: slopes of all pairs of years and Mann and Kendall's score, by series.

Reference in the tests: ``pymannkendall.pre_whitening_modification_test``. Sums are float64 and
run in one order, so that equal series have equal answers wherever they stand.
"""

from math import erfc, floor, sqrt

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["FIELDS", "mann_kendall"]

FIELDS = ("slope", "low", "high", "p", "n")
"""What is found of each series, in the order of the columns."""

Array = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@numba.njit(cache=True, nogil=True)
def mann_kendall(values: Array, quantile: float) -> Array:
    """
    Slope, its interval and the pre-whitened Mann-Kendall test of many series.

    Parameters
    ----------
    values : ndarray, float64, dims (series, year)
        One value a year, C-contiguous; NaN is a year without value.
    quantile : float
        Of the normal distribution, for the interval of the slope.

    Returns
    -------
    ndarray, float64, dims (series, field)
        :data:`FIELDS`. All but ``n`` are NaN where fewer than four years have a value. An end
        of the interval is infinite where the years are too few for the quantile.
    """
    series, years = values.shape
    found = np.full((series, 5), np.nan)
    slopes = np.empty(years * (years - 1) // 2)
    seen, rest, at = np.empty(years), np.empty(years), np.empty(years, np.int64)
    for one in range(series):
        n = _load(values[one], seen, at)
        found[one, 4] = n
        if n < 4:
            continue
        pairs = n * (n - 1) // 2
        _slopes(seen, at, n, slopes)
        ordered = slopes[:pairs]
        ordered.sort()
        slope = (ordered[(pairs - 1) // 2] + ordered[pairs // 2]) / 2
        lag1 = _lag1(seen, n)
        for year in range(n - 1):
            rest[year] = seen[year + 1] - lag1 * seen[year]
        found[one, 3] = _p(*_score(rest, n - 1))
        for year in range(n):
            rest[year] = seen[year] - slope * at[year]
        spread = sqrt(_score(seen, n)[1] * _inflation(_lag1(rest, n), n))
        rank = floor((pairs - quantile * spread) / 2)
        found[one, 0] = slope
        found[one, 1] = ordered[rank - 1] if rank > 0 else -np.inf
        found[one, 2] = ordered[pairs - rank] if rank > 0 else np.inf
    return found


@numba.njit(cache=True, nogil=True)
def _load(series: Array, seen: Array, at: Whole) -> int:
    """Load the values that are there, and their years; return how many."""
    n = 0
    for year in range(series.size):
        if not np.isnan(series[year]):
            seen[n], at[n] = series[year], year
            n += 1
    return n


@numba.njit(cache=True, nogil=True)
def _slopes(seen: Array, at: Whole, n: int, slopes: Array) -> None:
    pair = 0
    for first in range(n - 1):
        for second in range(first + 1, n):
            slopes[pair] = (seen[second] - seen[first]) / (at[second] - at[first])
            pair += 1


@numba.njit(cache=True, nogil=True)
def _lag1(values: Array, n: int) -> float:
    """Autocorrelation at lag 1 of the first ``n`` values; 0 if they are all the same."""
    mean = 0.0
    for at in range(n):
        mean += values[at]
    mean /= n
    whole = both = 0.0
    for at in range(n):
        whole += (values[at] - mean) ** 2
        if at > 0:
            both += (values[at - 1] - mean) * (values[at] - mean)
    return both / whole if whole > 0.0 else 0.0


@numba.njit(cache=True, nogil=True)
def _score(values: Array, n: int) -> tuple[float, float]:
    """Score S of the first ``n`` values, and its variance with ties (Kendall 1975)."""
    score = tied = 0.0
    for first in range(n):
        equal = 1
        for second in range(n):
            if second > first:
                score += np.sign(values[second] - values[first])
            if second != first and values[second] == values[first]:
                equal += 1
        tied += (equal - 1) * (2 * equal + 5)
    return score, (n * (n - 1) * (2 * n + 5) - tied) / 18


@numba.njit(cache=True, nogil=True)
def _p(score: float, variance: float) -> float:
    """Two-sided p of S, with its correction for continuity; 1 where nothing varies."""
    if variance <= 0.0:
        return 1.0
    z = max(abs(score) - 1.0, 0.0) / sqrt(variance)
    return erfc(z / sqrt(2.0))


@numba.njit(cache=True, nogil=True)
def _inflation(lag1: float, n: int) -> float:
    """
    Factor by which autocorrelation widens the variance of S (Yue and Wang 2004, eq. 6).

    A short series shows too little of it; Kendall (1954) corrects that: (n r + 1) / (n - 3).
    """
    r = min(max((n * lag1 + 1.0) / (n - 3.0), 0.0), 0.9)
    return 1.0 + 2.0 * (r ** (n + 1) - n * r**2 + (n - 1) * r) / (n * (r - 1.0) ** 2)
