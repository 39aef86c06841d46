"""
Trend over the years of one season: Theil-Sen slope, pre-whitened Mann-Kendall, false discovery.

Sources
-------
Sen 1968, Journal of the American Statistical Association 63: slope and interval. Mann 1945,
Kendall 1975: the test. von Storch 1995: pre-whitening by the autocorrelation at lag 1. Yue and
Wang 2004, Water Resources Management 18: the interval under autocorrelation. Benjamini and
Hochberg 1995: false discovery. Of the kinds of Mann-Kendall only plain pre-whitening keeps its
promise on short autocorrelated series; tests/test_estimation_trend.py has the table.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.stats import false_discovery_control

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.mann_kendall import FIELDS, mann_kendall
from jinhua_rs.estimation.verdicts import LEVEL, MIN_YEARS, leaves_0_out
from jinhua_rs.period import Period
from jinhua_rs.schema import Status

__all__ = ["Trend", "trend_rows", "trends"]


_QUANTILE = 1.959963984540054
_AT_ONCE = 1 << 16  # series, so that memory does not grow with the map

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Trend:
    """
    The trends of many series, each array in the shape of one year of them.

    Attributes
    ----------
    slope, low, high : ndarray, float64, measure a year
        Median slope and its 95 % interval, infinite where it has no end. NaN: too few years.
    p, q : ndarray, float64, 0-1
        Two-sided p of the test, and the same after Benjamini and Hochberg over all series here.
    n : ndarray, int64
        Years that have a value.
    """

    slope: Array
    low: Array
    high: Array
    p: Array
    q: Array
    n: npt.NDArray[np.int64]

    @property
    def sign(self) -> npt.NDArray[np.int8]:
        """1 rising, -1 falling, 0 neither: ``q`` is below 5 % and the interval leaves 0 out."""
        clear = (self.q < LEVEL) & leaves_0_out(self.low, self.high)
        return np.where(clear, np.sign(self.low), 0).astype(np.int8)


def trends(values: npt.ArrayLike, years: Sequence[int]) -> Trend:
    """
    Find the trend of every series.

    Parameters
    ----------
    values : array of float, dims (year, ...)
        One value a year and series, all of one season; NaN is not known.
    years : sequence of int
        Calendar years of the first dimension, rising. A year that is not there is a gap.

    Returns
    -------
    Trend
        In the dims after the first. A series of fewer than ``MIN_YEARS`` has ``n`` only.

    Raises
    ------
    ConfigError
        If fewer than ``MIN_YEARS`` (8) years are given.
    ContractError
        If ``years`` do not rise or do not fit ``values``.
    """
    table = np.asarray(values)
    _require(table.shape, years)
    calendar = np.array(years) - years[0]
    flat = table.reshape(len(years), -1)
    found = np.empty((flat.shape[1], len(FIELDS)))
    for first in range(0, flat.shape[1], _AT_ONCE):
        part = flat[:, first : first + _AT_ONCE].T
        spread = np.full((len(part), int(calendar[-1]) + 1), np.nan)
        spread[:, calendar] = part
        found[first : first + _AT_ONCE] = mann_kendall(spread, _QUANTILE)
    found[found[:, -1] < MIN_YEARS, :-1] = np.nan
    slope, low, high, p, n = found.T.reshape(len(FIELDS), *table.shape[1:])
    return Trend(slope, low, high, p, _discovered(p), n.astype(np.int64))


def trend_rows(series: pd.DataFrame, period: Period) -> list[dict[str, object]]:
    """
    Rows of the trend of tree cover, for each unit: the headline beside any map of trends.

    Parameters
    ----------
    series : DataFrame
        Indicator rows (``schema.ROW_COLUMNS``) of ``tree_cover_share``, one for each unit and
        period of one season, those of ``period`` among them. Only rows of status ``ok`` count.
    period : Period
        The last of the series.

    Returns
    -------
    list of dict
        Rows of ``schema.ROW_COLUMNS`` under ``period``, in points a year; ``n`` counts years,
        ``p`` is adjusted over the units. Status ``insufficient`` with fewer than 8 years.
    """
    now = series[series["period"] == str(period)]
    usable = series[series["status"] == Status.OK]
    years = sorted({Period.parse(one).year for one in usable["period"]})
    table = usable.assign(year=[Period.parse(one).year for one in usable["period"]]).pivot_table(
        index="year", columns="unit", values="value", observed=True
    )
    table = table.reindex(columns=now["unit"])
    counted = table.notna().sum().to_numpy()
    found = None if len(years) < MIN_YEARS else trends(table.to_numpy(), years)
    return [
        _row(period, row, counted[at], _at(found, at))
        for at, row in enumerate(now.to_dict("records"))
    ]


def _at(found: Trend | None, place: int) -> tuple[float, ...]:
    """Slope, its ends and the adjusted p of one series; NaN where no trend was sought."""
    if found is None:
        return (np.nan,) * 4
    return tuple(float(array[place]) for array in (found.slope, found.low, found.high, found.q))


def _row(
    period: Period, row: dict[Hashable, Any], years: int, found: tuple[float, ...]
) -> dict[str, object]:
    slope, low, high, q = found
    status = Status.OK
    if np.isnan(slope):
        status = Status.INSUFFICIENT
    elif np.isinf(low):
        status, low, high = Status.NO_INTERVAL, np.nan, np.nan
    return {
        "period": str(period),
        "unit": row["unit"],
        "indicator": "tree_cover_trend",
        "value": slope,
        "low": low,
        "high": high,
        "measure": "points/yr",
        "status": status,
        "n_clear_share": row["n_clear_share"],
        "n": int(years),
        "test": "Sen, Mann-Kendall",
        "p": q,
        "source": f"published {row['indicator']} of {years} years, {MIN_YEARS} needed",
    }


def _require(shape: tuple[int, ...], years: Sequence[int]) -> None:
    if not shape or shape[0] != len(years) or list(years) != sorted(set(years)):
        raise ContractError(
            f"years {list(years)} must rise and fit the first dimension of {shape}",
            zh=f"年份 {list(years)} 须递增并与数组第一维 {shape} 一致",
        )
    if len(years) < MIN_YEARS:
        raise ConfigError(
            f"a trend needs {MIN_YEARS} years of one season, there are {len(years)}; "
            "publish the earlier years first",
            zh=f"趋势至少需要同一季节 {MIN_YEARS} 年的数据，现有 {len(years)} 年；请先发布更早年份",
        )


def _discovered(p: Array) -> Array:
    """Adjust the p that are known for false discovery, all of them as one family."""
    known = ~np.isnan(p)
    adjusted = np.full_like(p, np.nan)
    if known.any():
        adjusted[known] = false_discovery_control(p[known])
    return adjusted
