"""
How far two people agree who judged the same points.

Sources
-------
Cohen 1960, Educational and Psychological Measurement 20. Fleiss, Cohen and Everitt 1969,
Psychological Bulletin 72: the standard error. Landis and Koch 1977, Biometrics 33: words for it.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from jinhua_rs.errors import ContractError, NoDataError
from jinhua_rs.estimation.intervals import Array, wilson

__all__ = ["FLOOR", "Agreement", "agreement"]

FLOOR = 0.60
"""Kappa below which two readings are no basis for a figure: above it is "substantial" agreement."""

_Z = 1.96


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    Agreement of two readings.

    ``n`` points, ``share`` of them judged alike; ``kappa`` with its 95 % interval ``low``,
    ``high``: what is left of agreement beyond chance, 1 at best; NaN where both gave one and the
    same answer everywhere, so that chance explains all. ``matrix`` counts first (rows) by second.
    """

    n: int
    share: float
    kappa: float
    low: float
    high: float
    matrix: pd.DataFrame


def agreement(
    first: Sequence[Hashable] | ArrayLike, second: Sequence[Hashable] | ArrayLike
) -> Agreement:
    """
    Compare two readings of the same points.

    Parameters
    ----------
    first, second : array, dims (point)
        What each said, in the same order.

    Returns
    -------
    Agreement
        Interval of κ ± 1.96 standard errors; where all agree that would be no interval, and the
        one of the share agreed (Wilson) stands in, brought to the scale of κ.

    Raises
    ------
    ContractError
        If the readings differ in length.
    NoDataError
        If there is no point.
    """
    one, two = pd.Series(np.asarray(first)), pd.Series(np.asarray(second))
    if len(one) != len(two):
        raise ContractError("two readings differ in length", zh="两次判读的样点数不一致")
    if one.empty:
        raise NoDataError(
            "no point was judged by both; a fifth of the points must be",
            zh="没有两人都判读的样点；至少五分之一须复判",
        )
    names = sorted(set(one) | set(two))
    matrix = pd.crosstab(one, two).reindex(index=names, columns=names, fill_value=0)
    shares = matrix.to_numpy(dtype="float64") / len(one)
    agreed, chance = float(np.trace(shares)), float(shares.sum(axis=1) @ shares.sum(axis=0))
    if 1 - chance < 1e-12:
        return Agreement(len(one), agreed, np.nan, np.nan, np.nan, matrix)
    kappa = (agreed - chance) / (1 - chance)
    low, high = _interval(shares, kappa, chance, len(one))
    return Agreement(len(one), agreed, kappa, low, high, matrix)


def _interval(shares: Array, kappa: float, chance: float, n: int) -> tuple[float, float]:
    """Interval of κ (Fleiss, Cohen and Everitt 1969, equation 13)."""
    rows, columns, same = shares.sum(axis=1), shares.sum(axis=0), np.diag(shares)
    if np.trace(shares) > 1 - 1e-12:
        low, _ = wilson(np.array(1.0), np.array(float(n)), np.array(_Z))
        return float((low - chance) / (1 - chance)), 1.0
    alike = same @ (1 - (rows + columns) * (1 - kappa)) ** 2
    apart = shares * (columns[:, None] + rows[None, :]) ** 2
    mixed = (1 - kappa) ** 2 * (apart.sum() - np.trace(apart))
    variance = (alike + mixed - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = _Z * np.sqrt(max(0.0, float(variance)))
    return float(max(-1.0, kappa - half)), float(min(1.0, kappa + half))
