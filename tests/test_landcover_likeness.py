"""Ground unlike anything in training: formula, limits, and the compiled search."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from jinhua_rs.landcover.archive import Training
from jinhua_rs.landcover.likeness import Likeness


def likeness(features, weight, fold):
    features = np.asarray(features, np.float32)
    scale = features.std(axis=0, dtype=float)
    return Likeness.of(
        Training(
            features=features,
            mean=features.mean(axis=0, dtype=float),
            scale=np.where(scale > 0, scale, 1.0),
            importances=np.asarray(weight, float),
            fold=None if fold is None else np.asarray(fold),
        )
    )


def test_the_index_is_that_of_the_paper_on_a_line():
    # Five samples on a line, standard deviation √2 in units of their step: mean distance of two
    # is 2 steps. Against the other fold each is one step off, the ends three and two.
    samples = [[0.0], [1.0], [2.0], [3.0], [4.0]]

    found = likeness(samples, [1.0], [0, 0, 1, 0, 0])

    assert found.mean_distance == pytest.approx(2 / np.sqrt(2))
    assert found.threshold == pytest.approx(1.0)  # 2 steps over the mean distance of 2
    asked = np.array([[5.9], [6.1], [-1.9], [-2.1]], np.float32)
    assert found.like(asked).tolist() == [True, False, True, False]


def test_an_outlier_among_the_samples_does_not_widen_the_limit():
    even = np.arange(20.0)[:, None]
    folds = np.arange(20) % 2
    far = np.r_[even, [[100.0]]]

    alone, with_far = likeness(even, [1.0], folds), likeness(far, [1.0], np.r_[folds, 0])

    steps = with_far.threshold * with_far.mean_distance * far.std()
    assert steps == pytest.approx(1.0, rel=1e-5)
    assert alone.threshold * alone.mean_distance * even.std() == pytest.approx(1.0, rel=1e-5)
    assert with_far.like(np.array([[100.5]], np.float32)).all()  # near a sample all the same


def test_a_feature_of_no_weight_or_no_variance_says_nothing():
    rng = np.random.default_rng(1)
    samples = np.column_stack([rng.normal(size=60), rng.normal(size=60), np.ones(60)])
    found = likeness(samples, [1.0, 0.0, 0.5], rng.integers(0, 3, 60))

    asked = samples[:5].astype(np.float32).copy()
    asked[:, 1] = 1e6

    assert found.like(asked).all()


@pytest.mark.parametrize("fold", [[0, 0, 0, 0], [0, 1, 0, 1], None])
def test_where_nothing_can_be_held_out_everything_is_like(fold):
    samples = [[1.0]] * 4 if fold == [0, 1, 0, 1] else [[0.0], [1.0], [2.0], [3.0]]

    found = likeness(samples, [1.0], fold)

    assert found.threshold == np.inf
    assert found.like(np.array([[1e9]], np.float32)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 21), st.integers(8, 200))
def test_the_search_finds_what_all_distances_tell(seed, features, rows):
    rng = np.random.default_rng(seed)
    samples = rng.normal(size=(rows, features)).astype(np.float32)
    weight = rng.random(features) * (rng.random(features) < 0.8)
    weight[0] = 1.0
    found = likeness(samples, weight, rng.integers(0, 4, rows))
    asked = (2.5 * rng.normal(size=(300, features))).astype(np.float32)

    placed = (asked[:, found.order] - found.centre) * found.factor
    index = cdist(placed, found.points).min(axis=1) / found.mean_distance
    clear = abs(index - found.threshold) > 1e-5

    assert (found.like(asked)[clear] == (index <= found.threshold)[clear]).all()
    turned = rng.permutation(300)
    assert (found.like(asked[turned]) == found.like(asked)[turned]).all()
