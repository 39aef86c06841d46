"""
Shares of votes to probabilities: one rising table for all classes, from held-out samples.

A forest's share of votes is not the chance of being right (Niculescu-Mizil and Caruana 2005). The
table is the isotonic regression of right (1) or wrong (0) on the shares that samples got while
their spatial block was held out, all classes pooled; shares are sent through it and brought back
to a sum of 1. It rises strictly and is the same for every class, so the order of the classes, and
with it the map, stays that of the forest.
"""

import numpy as np
import numpy.typing as npt
from sklearn.isotonic import IsotonicRegression

from jinhua_rs.landcover.archive import KNOTS
from jinhua_rs.landcover.card import CalibrationTest, ReliabilityBin

__all__ = ["calibrated", "fit_table", "score_probabilities"]

_RISE = 1e-3
"""Part of the straight line in the table, so that it rises everywhere."""
_BINS = 10

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


def fit_table(shares: Floats, truth: Integers) -> Floats:
    """
    Learn the table.

    Parameters
    ----------
    shares : ndarray, float64, (row, class)
        Shares of votes of samples that the forest did not see.
    truth : ndarray, int64, (row,)
        Column of each sample's class.

    Returns
    -------
    ndarray, float64, (KNOTS,)
        Between 0 and 1, strictly rising.
    """
    hits = truth[:, None] == np.arange(shares.shape[1])
    line = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
    line.fit(shares.ravel(), hits.ravel().astype(np.float64))
    knots = np.linspace(0, 1, KNOTS)
    # Nothing is certain after n samples: at most n + 1 of n + 2 (the rule of succession).
    doubt = 1 / (len(truth) + 2)
    found = np.clip(np.maximum.accumulate(line.predict(knots)), doubt, 1 - doubt)
    table: Floats = (1 - _RISE) * found + _RISE * knots
    return table


def calibrated(shares: Floats, table: Floats | None) -> Floats:
    """
    Send shares of votes through a table.

    Parameters
    ----------
    shares : ndarray, float64, (row, class)
        Each row sums to 1.
    table : ndarray, float64, (KNOTS,), or None
        None gives the shares back: models of before have no table.

    Returns
    -------
    ndarray, float64, (row, class)
        Each row sums to 1, its classes in the same order as before.
    """
    if table is None:
        return shares
    raised = np.interp(shares, np.linspace(0, 1, len(table)), table)
    total: Floats = raised / raised.sum(axis=1, keepdims=True)
    return total


def score_probabilities(
    shares: Floats, truth: Integers, fold: Integers
) -> tuple[CalibrationTest, Floats]:
    """
    Learn the table, and score it on folds that it was not learnt from.

    Returns
    -------
    CalibrationTest
        Brier score (Brier 1950: mean over samples of the sum over classes of
        ``(p - y)²``, 0-2), log-loss and reliability, before and after. Each fold is scored by
        a table of the others.
    ndarray, float64, (KNOTS,)
        The table of all of them.
    """
    after = np.empty_like(shares)
    for number in range(int(fold.max()) + 1):
        out = fold == number
        after[out] = calibrated(shares[out], fit_table(shares[~out], truth[~out]))
    table = fit_table(shares, truth)
    test = CalibrationTest(
        samples=len(truth),
        brier_before=_brier(shares, truth),
        brier_after=_brier(after, truth),
        log_loss_before=_log_loss(shares, truth),
        log_loss_after=_log_loss(after, truth),
        curve_before=_reliability(shares, truth),
        curve_after=_reliability(after, truth),
    )
    return test, table


def _brier(shares: Floats, truth: Integers) -> float:
    hits = truth[:, None] == np.arange(shares.shape[1])
    return float(np.mean(np.sum((shares - hits) ** 2, axis=1)))


def _log_loss(shares: Floats, truth: Integers) -> float:
    """Mean of -log p of the true class; a class that got no vote counts as 1e-6."""
    of_truth = np.take_along_axis(shares, truth[:, None], axis=1)
    return float(-np.mean(np.log(np.maximum(of_truth, 1e-6))))


def _reliability(shares: Floats, truth: Integers) -> tuple[ReliabilityBin, ...]:
    """Compare said and found, all classes pooled, in bins of a tenth."""
    said, found = shares.ravel(), (truth[:, None] == np.arange(shares.shape[1])).ravel()
    bins = np.minimum((said * _BINS).astype(np.int64), _BINS - 1)
    return tuple(
        ReliabilityBin(
            said=float(said[bins == number].mean()),
            found=float(found[bins == number].mean()),
            cases=int((bins == number).sum()),
        )
        for number in range(_BINS)
        if (bins == number).any()
    )
