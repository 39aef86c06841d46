"""
Intervals for means and ratios over strata, for one sample or for many at once.

All arrays may have leading dims: one estimate for each repetition of a simulation.

Sources
-------
Wilson 1927, Journal of the American Statistical Association 22: the score interval. Korn and
Graubard 1998, Survey Methodology 24: shares by an effective sample size, t with the points
less the strata as degrees of freedom. Brown, Cai and DasGupta 2001, Statistical Science 16:
Jeffreys' prior for shares near 0 and 1. Agresti and Min 2005, Statistics in Medicine 24: matched
pairs need an added pair for intervals that hold what they promise.
"""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student

__all__ = [
    "Array",
    "effective_size",
    "floored",
    "one_more_change",
    "quantile_of",
    "t_interval",
    "wilson",
]

Array: TypeAlias = NDArray[Any]

_EDGE = 1e-9  # a share this near to 0 or 1 is 0 or 1: sums of area shares are not exact


def quantile_of(points: ArrayLike, strata: ArrayLike) -> Array:
    """
    Two-sided 95 % quantile of Student's t.

    Parameters
    ----------
    points, strata : int or array of int
        Numbers of points and of strata they lie in; their difference, at least 1, is the
        number of degrees of freedom.

    Examples
    --------
    >>> quantile_of(103, 3).round(3)
    np.float64(1.984)
    """
    freedom = np.maximum(np.asarray(points) - np.asarray(strata), 1)
    return np.asarray(student.ppf(0.975, freedom))[()]


def floored(
    weights: Array, mean: Array, size: Array, spread: Array, support: tuple[float, ...]
) -> Array:
    """
    Give one of the strata whose points all agree the variance of its posterior instead of none.

    A sample variance is right on average, so that in a sum over many strata others make good
    what a stratum without disagreement hides. What cannot be made good is the one that weighs
    most: there an error of the map in much ground may have gone unseen.

    Parameters
    ----------
    weights : array of float, dims (stratum)
        Shares of the area.
    mean, size, spread : array of float, dims (..., stratum)
        Mean, number of points and variance of the mean.
    support : tuple of float
        All values that a point can take; each has the prior weight ½ (Jeffreys).

    Returns
    -------
    array of float, dims (..., stratum)
        ``spread``; in the stratum of no spread that would add most to the variance of the whole,
        the variance of the mean of a Dirichlet distribution.
    """
    total = size + len(support) / 2
    center = (size * mean + sum(support) / 2) / total
    square = (size * mean**2 + sum(value**2 for value in support) / 2) / total
    posterior = np.where(spread > 0, 0.0, (square - center**2) / (total + 1))
    adds = weights**2 * posterior
    most = np.arange(adds.shape[-1]) == adds.argmax(axis=-1)[..., np.newaxis]
    return np.where(most & (spread <= 0), posterior, spread)


def effective_size(share: Array, variance: Array, even: ArrayLike) -> Array:
    """
    Points of a simple random sample that would know a share as well: p (1 - p) / V.

    Parameters
    ----------
    share, variance : array of float
        Estimate (0-1) and its variance.
    even : float or array of float
        What to take where the formula says nothing: no variance, or a share of 0 or 1.
    """
    inside = (share > _EDGE) & (share < 1 - _EDGE) & (variance > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(inside, share * (1 - share) / variance, even)


def wilson(share: Array, size: ArrayLike, quantile: ArrayLike) -> tuple[Array, Array]:
    """
    Score interval of Wilson 1927 for a share seen in ``size`` points; it holds the share.

    Examples
    --------
    >>> [float(end.round(3)) for end in wilson(np.float64(0.0), 20, 1.96)]
    [0.0, 0.161]
    """
    factor = np.asarray(quantile) ** 2 / np.asarray(size)
    center = (share + factor / 2) / (1 + factor)
    half = np.sqrt(np.maximum(share * (1 - share), 0) * factor + factor**2 / 4) / (1 + factor)
    low, high = np.maximum(center - half, 0.0), np.minimum(center + half, 1.0)
    return np.minimum(low, share), np.maximum(high, share)


def one_more_change(weights: Array, size: Array) -> Array:
    """
    Variance that one more changed point would add, wherever on the ground it lay.

    A few changed points that happen to agree in sign would otherwise look like a fact: with four
    of four the plain t interval leaves 0 out in one of eight histories without any change. It
    is the added pair of Agresti and Min 2005, weighted by area: Σ W (W/n)².

    Parameters
    ----------
    weights : array of float, dims (stratum)
        Shares of the area.
    size : array of float, dims (..., stratum)
        Points.
    """
    return np.asarray((weights * (weights / size) ** 2).sum(axis=-1))


def t_interval(
    value: Array, variance: Array, quantile: ArrayLike, ends: tuple[float, float]
) -> tuple[Array, Array]:
    """Value ± t standard errors, kept within ``ends``."""
    half = np.asarray(quantile) * np.sqrt(variance)
    return np.maximum(value - half, ends[0]), np.minimum(value + half, ends[1])
