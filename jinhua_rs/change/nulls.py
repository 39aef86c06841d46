"""Why a pixel is off its course: real causes, and the null models that an alert must beat."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jinhua_rs.causes import Cause
from jinhua_rs.change.kernels.fitting import terms
from jinhua_rs.change.kernels.following import GAIN, LOSS
from jinhua_rs.schema import TREE_CLASSES, Land

__all__ = ["BARE_NDVI", "Run", "explain", "guess", "out_of_leaf"]

Bytes = npt.NDArray[np.uint8]
Days = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]

BARE_NDVI = 0.40
"""NDVI below which ground is bare whatever stood there."""
_CYCLE_DROP = 0.15
"""
Moso stands in the year of leaf change look this much paler at most: the simulated calendar has
0.12; to be measured on real stands.
"""
_CYCLE_DAYS = (60, 200)
_PRUNED_DROP = 0.30
_PRUNED_DAYS = (90, 230)
_PERSISTS_DAYS = 300
"""Cropland that differs for longer than a cropping year is no crop any more."""
_SWING = 0.12
_WOODED_NDVI = 0.65
_SHEDDING = (
    Land.EVERGREEN_BROADLEAF, Land.CONIFER, Land.DECIDUOUS, Land.SHRUB, Land.ORCHARD
)  # fmt: skip
"""Woody classes, whichever a guess may name trees, but bamboo, which stays green."""
_SHED = 0.60
"""
Woody plants shed their leaves where the least NDVI of their course is below this much of the
most: 0.5 in the beech of the Romanian site, 0.75 and more where trees are evergreen.
"""
_FORTNIGHTS = np.arange(0, 365, 14, dtype=np.int32)


@dataclass(frozen=True, eq=False, slots=True)
class Run:
    """
    An anomaly that runs, arrays of dims (pixel,).

    ``direction`` (0, ``LOSS``, ``GAIN``), ``first`` and ``last`` (days of the first and last
    hit), ``size`` (NDVI off its course), ``level`` (NDVI of the course, mean of the year),
    ``prior`` (``schema.Land``).
    """

    direction: Bytes
    first: Days
    last: Days
    size: Floats
    level: Floats
    prior: Bytes


def guess(history: Floats) -> Bytes:
    """
    Guess the class of ground from the course of its NDVI, where no map tells.

    Parameters
    ----------
    history : ndarray, float32, dims (term, pixel)

    Returns
    -------
    ndarray, uint8, dims (pixel,)
        ``EVERGREEN_BROADLEAF`` stands for any trees that stay green, ``CROPLAND`` for ground
        that swings twice a year, ``SHRUB`` for other green ground, ``BARE`` for the rest.
    """
    level, swing = history[0], np.hypot(history[3], history[4])
    kinds = [swing > _SWING, level >= _WOODED_NDVI, level >= BARE_NDVI]
    names = [Land.CROPLAND, Land.EVERGREEN_BROADLEAF, Land.SHRUB]
    found: Bytes = np.select(kinds, names, Land.BARE).astype(np.uint8)
    found[np.isnan(level)] = Land.UNSEEN
    return found


def out_of_leaf(history: Floats, days: Days, prior: Bytes, least: float) -> npt.NDArray[np.bool_]:
    """
    Tell which looks find woody plants that shed their leaves not in full leaf.

    Where leaves are missing a gap looks like the forest around it, and the weeks in which they
    come and fall differ from year to year, so that such a look neither shows a loss nor ends one.

    Parameters
    ----------
    history : ndarray, float32, dims (term, pixel)
        Course of NDVI, NaN = not watched.
    days : ndarray, int32, dims (look,)
        Days since 1970-01-01.
    prior : ndarray, uint8, dims (pixel,)
        ``schema.Land``; only trees, shrub and orchards have such a season, bamboo has not.
    least : float
        Share of the way from the least to the most of the year from which leaves are full.

    Returns
    -------
    ndarray, bool, dims (look, pixel)
    """
    year = terms(_FORTNIGHTS).astype(np.float32) @ history
    low, high = year.min(axis=0), year.max(axis=0)
    sheds = np.isin(prior, _SHEDDING) & (low < _SHED * high)
    found: npt.NDArray[np.bool_] = sheds & (terms(days) @ history < low + least * (high - low))
    return found


def explain(run: Run) -> Bytes:
    """
    Name the cause of each running anomaly.

    Null models: paler moso in the year of leaf change (a drop up to 0.15 between March and
    mid-July); pruned tea and orchards (up to 0.30, April to mid-August); crops (anything that
    lasts less than 300 days). A harvest of bamboo (stems thinned, ground still green) is real,
    but no loss of forest.

    Returns
    -------
    ndarray, uint8, dims (pixel,)
        ``Cause``; 0 where nothing runs.
    """
    loss, gain = run.direction == LOSS, run.direction == GAIN
    left, drop = run.level + run.size, -run.size
    bare = left < BARE_NDVI
    bamboo = run.prior == Land.BAMBOO
    trees = np.isin(run.prior, [int(one) for one in TREE_CLASSES])
    tended = np.isin(run.prior, [int(Land.SHRUB), int(Land.ORCHARD)])
    passing = (run.prior == Land.CROPLAND) & (run.last - run.first < _PERSISTS_DAYS)
    cases = [
        (bamboo & (drop <= _CYCLE_DROP) & _within(run, _CYCLE_DAYS), Cause.BAMBOO_CYCLE),
        (tended & ~bare & (drop <= _PRUNED_DROP) & _within(run, _PRUNED_DAYS), Cause.PRUNING),
        (passing, Cause.CROP),
        (bamboo & ~bare, Cause.BAMBOO_HARVEST),
        (trees, Cause.FELLING),
        (bare, Cause.CLEARED),
    ]
    lost = np.select([case for case, _ in cases], [cause for _, cause in cases], Cause.OTHER_LOSS)
    gained = np.where(passing, Cause.CROP, Cause.GREENING)
    found: Bytes = np.select([loss, gain], [lost, gained], Cause.NONE).astype(np.uint8)
    return found


def _within(run: Run, days: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Tell whether an anomaly began and was last confirmed in a season, of one year."""
    first, last = _day_of_year(run.first), _day_of_year(run.last)
    inside: npt.NDArray[np.bool_] = (days[0] <= first) & (last <= days[1])
    return inside & (run.last - run.first <= days[1] - days[0])


def _day_of_year(days: Days) -> npt.NDArray[np.int64]:
    whole = days.astype("datetime64[D]")
    found: npt.NDArray[np.int64] = (whole - whole.astype("datetime64[Y]")).astype(np.int64) + 1
    return found
