"""How far a site has come back: the recovery metrics of a yearly series, gaps included."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from jinhua_rs.errors import ContractError

__all__ = ["GOAL", "KEPT", "Recovery", "first_sustained", "recovery"]

GOAL = 0.8
"""Share of the target from which a site counts as recovered (R80P, Y2R)."""
KEPT = 0.7
"""Share of the target below which a site that had recovered has relapsed."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Recovery:
    """
    Recovery metrics, each of dims (...,), float64; NaN = not yet, never, or not seen.

    ``delta_ir`` gain after five years, in the index; ``yryr`` the same a year; ``rri`` gain as a
    share of what was lost; ``r80p`` reached share of 80 % of the target; ``y2r`` years until 80 %
    of the target was first reached.
    """

    delta_ir: Array
    yryr: Array
    rri: Array
    r80p: Array
    y2r: Array


def recovery(values: ArrayLike, *, target: ArrayLike, before: ArrayLike) -> Recovery:
    """
    Recovery metrics of Frazier et al. 2018 from the value at the start of restoration on.

    With V_t the value t years after the start, V_pre the value before the disturbance and V* the
    target: ``delta_ir = V_5 - V_0``; ``yryr = (V_5 - V_0) / 5``;
    ``rri = (max(V_4, V_5) - V_0) / (V_pre - V_0)``; ``r80p = max(V_4, V_5) / (0.8 V*)``;
    ``y2r`` the first t with ``V_t >= 0.8 V*``.

    Parameters
    ----------
    values : array of float, dims (..., t)
        Index by year since the start of restoration, t = 0, 1, 2, ...; NaN = not seen.
    target, before : array of float, dims (...)
        V* and V_pre; NaN = not known.

    Returns
    -------
    Recovery
        NaN where V_0, or all the years that a metric asks for, were not seen or are not there
        yet; where one of V_4 and V_5 was seen it stands for both. ``rri`` is NaN where nothing
        was lost, ``r80p`` where the target is not positive. ``y2r`` is the first *seen* year that
        reaches the goal: a gap before it can only make it late, never early.

    Raises
    ------
    ContractError
        If there is no year.

    References
    ----------
    Frazier, R. J., Coops, N. C., Wulder, M. A., Hermosilla, T., White, J. C. (2018): Analyzing
    spatial and temporal variability in short-term rates of post-fire vegetation return from
    Landsat time series. Remote Sensing of Environment 205, 32-45.

    Examples
    --------
    >>> found = recovery([0.1, 0.2, 0.3, 0.4, 0.5, 0.45], target=0.6, before=0.6)
    >>> [round(float(x), 3) for x in (found.delta_ir, found.yryr, found.rri, found.r80p, found.y2r)]
    [0.35, 0.07, 0.8, 1.042, 4.0]
    """
    series = np.asarray(values, np.float64)
    if series.ndim == 0 or series.shape[-1] == 0:
        raise ContractError(
            "a recovery needs the value of one year at least", zh="恢复指标至少需要一年的数值"
        )
    goal, was = np.asarray(target, np.float64), np.asarray(before, np.float64)
    start, fifth = _at(series, 0), _at(series, 5)
    late = np.fmax(_at(series, 4), fifth)
    gained = fifth - start
    reached = series >= GOAL * goal[..., np.newaxis]
    with np.errstate(divide="ignore", invalid="ignore"):
        lost = np.where(was > start, was - start, np.nan)
        aim = np.where(goal > 0, GOAL * goal, np.nan)
        return Recovery(
            delta_ir=gained,
            yryr=gained / 5,
            rri=(late - start) / lost,
            r80p=late / aim,
            y2r=np.where(reached.any(axis=-1), reached.argmax(axis=-1), np.nan),
        )


def _at(series: Array, year: int) -> Array:
    """Value after so many years; NaN where the series does not reach so far."""
    if year < series.shape[-1]:
        return series[..., year]
    return np.full(series.shape[:-1], np.nan)


def first_sustained(values: ArrayLike, goal: float) -> int | None:
    """
    First year from which on a goal is held: it and one of the next two years reach it.

    Parameters
    ----------
    values : array of float, dims (t,)
        Index by year; NaN = not seen, which neither holds the goal nor breaks it.
    goal : float
        In the index.

    Returns
    -------
    int or None
        Position in ``values``; None where the goal was never held for two of three years.

    Examples
    --------
    >>> first_sustained([0.1, 0.9, 0.2, 0.3, 0.9, float("nan"), 0.9], 0.8)
    4
    """
    reached: NDArray[Any] = np.asarray(values, np.float64) >= goal
    for year in np.flatnonzero(reached):
        if reached[year + 1 : year + 3].any():
            return int(year)
    return None
