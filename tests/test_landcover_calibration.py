"""Probabilities that can be believed, and a map that stays the forest's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinhua_rs.landcover.calibration import calibrated, fit_table, score_probabilities


def votes(n=4000, classes=5, seed=0):
    """Shares of votes that are too timid: the truth is drawn from sharpened ones."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(classes), n)
    true = shares**3 / (shares**3).sum(axis=1, keepdims=True)
    truth = (true.cumsum(axis=1) > rng.uniform(size=(n, 1))).argmax(axis=1)
    return shares, truth, rng.integers(0, 5, n)


def test_timid_votes_become_honest_probabilities():
    shares, truth, fold = votes()

    test, table = score_probabilities(shares, truth, fold)

    assert test.brier_after < test.brier_before
    assert test.log_loss_after < test.log_loss_before
    worst = [
        max(abs(one.said - one.found) for one in curve)
        for curve in (test.curve_before, test.curve_after)
    ]
    assert worst[0] > 0.15
    assert worst[1] < 0.08
    assert sum(one.cases for one in test.curve_after) == shares.size
    assert (np.diff(table) > 0).all()
    assert 0 < table[0] < table[-1] < 1


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_the_classes_stays(seed):
    shares, truth, _ = votes(n=60, seed=seed)

    after = calibrated(shares, fit_table(shares, truth))

    assert np.array_equal(after.argmax(axis=1), shares.argmax(axis=1))
    np.testing.assert_allclose(after.sum(axis=1), 1)
    assert (after > 0).all()


def test_scores_by_hand():
    shares = np.array([[0.8, 0.2], [0.4, 0.6]])

    test, _ = score_probabilities(
        np.tile(shares, (20, 1)), np.tile([0, 0], 20), np.repeat([0, 1], 20)
    )

    assert test.brier_before == pytest.approx((2 * 0.2**2 + 2 * 0.6**2) / 2)
    assert test.log_loss_before == pytest.approx(-(np.log(0.8) + np.log(0.4)) / 2)


def test_models_of_before_have_no_table():
    shares = np.array([[0.8, 0.2]])

    assert calibrated(shares, None) is shares
