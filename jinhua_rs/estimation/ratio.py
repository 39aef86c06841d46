"""
Means and ratios over strata from tallies: how many points of each kind lie in each stratum.

A kind is what was found at a point, such as "mapped as forest, is cropland". Everything that is
asked of a sample is a sum over kinds of a variable ``y`` (and ``x``), so the points themselves are
no longer needed: a million rows and a thousand simulated samples cost the same few sums.

Sources
-------
Stehman 2014, International Journal of Remote Sensing 35, equations 2-3 and 25-28: means and
ratios when strata are not the map's classes. With strata that are, they are the formulas of
Olofsson et al. 2014. Särndal, Swensson and Wretman 1992, Model Assisted Survey Sampling, 5.7:
means of a stratum under unequal weights (Hájek).
"""

from dataclasses import dataclass

import numpy as np

from jinhua_rs.estimation.intervals import Array

__all__ = ["Tallies", "mean", "moments", "ratio"]

_NONE = 1e-12  # a variance below this is rounding: the points all agree


@dataclass(frozen=True, slots=True)
class Tallies:
    """
    A sample, counted.

    Attributes
    ----------
    share : array of float, dims (stratum)
        Share of the area, adds up to 1.
    weight, square : array of float, dims (..., stratum, kind)
        Sums of the weights of the points and of their squares; the number of points for both
        where every point counts the same. Points outside the domain asked about are left out
        here and only here.
    n, total, total_square : array of float, dims (..., stratum)
        Number of points, sum of weights and of their squares, of the whole stratum. n ≥ 2.
    unsampled : array of float, dims (stratum)
        Finite population correction 1 - n/N; 1 where it is left out.
    """

    share: Array
    weight: Array
    square: Array
    n: Array
    total: Array
    total_square: Array
    unsampled: Array

    @classmethod
    def of_counts(cls, share: Array, counts: Array) -> "Tallies":
        """Tally plain counts, dims (..., stratum, kind), without correction."""
        n = counts.sum(axis=-1)
        return cls(share, counts, counts, n, n, n, np.ones_like(share))

    @property
    def size(self) -> Array:
        """Effective number of points by stratum (Kish): as many as there are, if all weigh 1."""
        return np.asarray(self.total**2 / self.total_square)


def moments(tallies: Tallies, y: Array, x: Array) -> tuple[Array, Array, Array]:
    """
    Means of two variables by stratum, and the covariance of these means.

    Parameters
    ----------
    y, x : array of float, dims (variable, kind)
        Value of each variable for each kind of point; 0 outside the domain.

    Returns
    -------
    y, x, covariance : array of float, dims (..., stratum, variable)
        ``covariance`` with the finite population correction; with ``y`` twice it is the
        variance, exactly 0 where all points agree.
    """
    total, every = tallies.total[..., None], tallies.total_square[..., None]
    mean_y, mean_x = (tallies.weight @ values.T / total for values in (y, x))
    products = tallies.square @ (y * x).T
    crossed = mean_y * (tallies.square @ x.T) + mean_x * (tallies.square @ y.T)
    spread = (products - crossed + mean_y * mean_x * every) / total**2
    n = tallies.n[..., None]
    spread = spread * n / (n - 1) * tallies.unsampled[..., None]
    return mean_y, mean_x, np.where(np.abs(spread) * n < _NONE, 0.0, spread)


def mean(tallies: Tallies, y: Array) -> tuple[Array, Array]:
    """
    Mean of ``y`` over the area, and its variance: Σ W ȳ and Σ W² s²/n.

    Parameters
    ----------
    y : array of float, dims (variable, kind)

    Returns
    -------
    value, variance : array of float, dims (..., variable)
    """
    by_stratum, _, spread = moments(tallies, y, y)
    share = tallies.share[:, None]
    return (share * by_stratum).sum(axis=-2), (share**2 * spread).sum(axis=-2)


def ratio(tallies: Tallies, y: Array, x: Array) -> tuple[Array, Array]:
    """
    Ratio R of the totals of ``y`` and ``x``, and its variance (Stehman 2014, 27 and 28).

    Parameters
    ----------
    y, x : array of float, dims (variable, kind)

    Returns
    -------
    value, variance : array of float, dims (..., variable)
        NaN where ``x`` was met nowhere. V = Σ W² (s²_y + R² s²_x - 2 R s_xy)/n / X̄².
    """
    mean_y, mean_x, both = moments(tallies, y, x)
    spread_y, spread_x = moments(tallies, y, y)[2], moments(tallies, x, x)[2]
    share = tallies.share[:, None]
    below = (share * mean_x).sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = (share * mean_y).sum(axis=-2) / below
        rate = value[..., None, :]
        parts = share**2 * (spread_y + rate**2 * spread_x - 2 * rate * both)
        variance = np.maximum(parts.sum(axis=-2), 0.0) / below**2
    return value, variance
