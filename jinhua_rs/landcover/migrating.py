"""Samples of one year laid over another: they stay where the ground still looks the same."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestRegressor

from jinhua_rs.landcover.growing import grown, regressor_of
from jinhua_rs.landcover.options import TrainOptions
from jinhua_rs.schema import FOREST_CANOPY

__all__ = ["AS_FIRST_SEEN", "as_first_seen", "laid_over", "migrated"]

AS_FIRST_SEEN = "canopy as first seen"
"""Column: canopy cover as a forest of the samples' own year takes it, whatever the year."""

_INDICES = ("ndvi", "nbr", "ndmi")
"""By which it is told whether a sample still looks the same in another year."""
_SIGMA = 1.4826
"""Standard deviation of a normal distribution, in MADs."""
_FLOOR = 0.02
"""Least deviation of an index: a class whose few samples agree by chance loses none."""
_TOGETHER = 0.15
"""
An index of a class moves by no more than this against all samples, by weather or a late harvest.
Where it does, the class is no longer there: the one quarry that its samples lie in has greened.
"""


def laid_over(
    years: Sequence[pd.DataFrame], features: Sequence[str], options: TrainOptions
) -> pd.DataFrame:
    """
    Join the samples of their own year with those that other years still show alike.

    Parameters
    ----------
    years : sequence of DataFrame
        Samples with their features in each year, the same by index; the first is their own.
    features : sequence of str
    options : TrainOptions
        Of the forest that looks at all years (:func:`as_first_seen`).

    Returns
    -------
    DataFrame
        Columns as those of ``years``, a row for each sample and year that it is kept in.
    """
    first, *others = as_first_seen(years, features, options) if years[1:] else years
    by = [name for name in (*_INDICES, AS_FIRST_SEEN) if name in first]
    kept = [first, *(migrated(first, other, by) for other in others)]
    return pd.concat(kept, ignore_index=True).drop(columns=AS_FIRST_SEEN, errors="ignore")


def migrated(
    before: pd.DataFrame, after: pd.DataFrame, by: Sequence[str], *, limit: float = 3.0
) -> pd.DataFrame:
    """
    Keep the samples that another year shows as their own year did.

    After the migration of training samples of Huang et al. 2020 (ISPRS Journal of Photogrammetry
    and Remote Sensing 161, 27-36): what changed its spectrum has perhaps changed its class. All
    samples of a class may move together, by haze or a dry autumn; one that moves otherwise is
    left out, and so is a class that moves otherwise than all samples do.

    Parameters
    ----------
    before, after : DataFrame
        Samples with their features in both years, the same by index; NaN = not seen.
    by : sequence of str
        Indices to compare, near -1 to 1, and perhaps :data:`AS_FIRST_SEEN`, which may move with its
        class as far as it likes, but no further off it than makes a forest (0.20).
    limit : float
        Deviations (1.4826 MAD) from the median change of the class that are borne.

    Returns
    -------
    DataFrame
        Rows of ``after``. A sample without class is held against all of these.
    """
    after = after[after.index.isin(before.index)]
    if not by or after.empty:
        return after
    change = after[list(by)] - before.loc[after.index, list(by)]
    group = after["class"].fillna(0) if "class" in after else pd.Series(0, after.index)
    usual = change.groupby(group).transform("median")
    off = (change - usual).abs()
    bound = limit * (_SIGMA * off.groupby(group).transform("median")).clip(lower=_FLOOR)
    together = (usual - change.median()).abs() <= _TOGETHER
    if AS_FIRST_SEEN in bound:
        bound[AS_FIRST_SEEN] = bound[AS_FIRST_SEEN].clip(upper=FOREST_CANOPY)
        together[AS_FIRST_SEEN] = True  # what another year's air does to a model is to be learnt
    return after[together.all(axis=1) & (off <= bound).all(axis=1)]


def as_first_seen(
    years: Sequence[pd.DataFrame], features: Sequence[str], options: TrainOptions
) -> list[pd.DataFrame]:
    """
    Look at samples of every year with the eyes of the first: what has grown gives itself away.

    Planted shrub turns to young forest with little change of any index, while all features
    together tell its canopy; of a sample that is left where it grew the next model learns that
    young forest is shrub.

    Parameters
    ----------
    years : sequence of DataFrame
        Samples with their features in each year; the first is their own, with ``canopy`` (0-1).
    features : sequence of str
    options : TrainOptions
        Of the forest.

    Returns
    -------
    list of DataFrame
        ``years`` with :data:`AS_FIRST_SEEN`, 0-1, NaN where a feature is missing; as they are
        where no canopy is known.
    """
    names, first = list(features), years[0]
    known = first[first[[*names, "canopy"]].notna().all(axis=1)] if "canopy" in first else first[:0]
    if known.empty:
        return list(years)
    forest = grown(regressor_of(options).fit(known[names].to_numpy(np.float32), known["canopy"]))
    return [year.assign(**{AS_FIRST_SEEN: _answers(forest, year[names])}) for year in years]


def _answers(forest: RandomForestRegressor, features: pd.DataFrame) -> pd.Series:
    whole = features[features.notna().all(axis=1)]
    found = forest.predict(whole.to_numpy(np.float32)) if len(whole) else []
    return pd.Series(found, whole.index, float).reindex(features.index)
