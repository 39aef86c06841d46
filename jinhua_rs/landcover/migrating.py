"""Samples of one year laid over another: they stay where the ground still looks the same."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

__all__ = ["migrated"]

_SIGMA = 1.4826
"""Standard deviation of a normal distribution, in MADs."""
_FLOOR = 0.02
"""Least deviation of an index: a class whose few samples agree by chance loses none."""
_TOGETHER = 0.15
"""
An index of a class moves by no more than this against all samples, by weather or a late harvest.
Where it does, the class is no longer there: the one quarry that its samples lie in has greened.
"""


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
        Indices to compare, near -1 to 1.
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
    together = ((usual - change.median()).abs() <= _TOGETHER).all(axis=1)
    off = (change - usual).abs()
    spread = np.maximum(_SIGMA * off.groupby(group).transform("median"), _FLOOR)
    return after[together & (off <= limit * spread).all(axis=1)]
