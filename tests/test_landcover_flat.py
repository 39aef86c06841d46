"""The compiled walk over a forest gives scikit-learn's answer to the last bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.landcover.flat import answer, flatten


def world(seed, pixels=203, features=6):
    rng = np.random.default_rng(seed)
    known = rng.integers(-8, 8, (240, features)).astype("f4") / 8
    asked = rng.integers(-9, 9, (pixels, features)).astype("f4") / 8
    return rng, known, asked


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 12), st.integers(1, 40))
def test_classes_are_those_of_scikit_learn(seed, classes, depth, leaf):
    rng, known, asked = world(seed)
    label = rng.integers(0, classes, len(known))
    forest = RandomForestClassifier(5, max_depth=depth, min_samples_leaf=leaf, random_state=seed)
    forest.fit(known, label)

    np.testing.assert_array_equal(answer(flatten(forest), asked), forest.predict_proba(asked))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 20))
def test_cover_is_that_of_scikit_learn(seed, pixels):
    rng, known, asked = world(seed, pixels=pixels)
    forest = RandomForestRegressor(7, random_state=seed).fit(known, rng.random(len(known)))

    np.testing.assert_array_equal(answer(flatten(forest), asked)[:, 0], forest.predict(asked))


@pytest.mark.parametrize("step", [-1, 0, 1])
def test_a_pixel_on_or_beside_a_threshold_goes_where_scikit_learn_sends_it(step):
    rng, known, _ = world(3, features=1)
    forest = RandomForestClassifier(3, random_state=0).fit(known, rng.integers(0, 2, len(known)))
    cuts = np.concatenate([tree.tree_.threshold for tree in forest.estimators_]).astype("f4")
    asked = np.nextafter(cuts, np.float32(step * np.inf)) if step else cuts

    asked = asked[:, None]

    np.testing.assert_array_equal(answer(flatten(forest), asked), forest.predict_proba(asked))


def test_a_tree_without_branches_is_one_leaf():
    forest = RandomForestClassifier(2, random_state=0).fit(np.zeros((4, 2)), [1, 1, 1, 1])

    assert answer(flatten(forest), np.ones((3, 2), "f4")).tolist() == [[1.0]] * 3


@pytest.mark.parametrize("trees", [8, 9, 65])
def test_trees_are_summed_in_their_order_however_many_there_are(trees):
    """A large forest (8 at once) and a small one (64 at once), in whole groups and over."""
    rng, known, asked = world(5, pixels=1_100)
    wide = np.concatenate([known] * (1 if trees == 65 else 10))
    noisy = wide + rng.normal(size=wide.shape).astype("f4")
    label = rng.integers(0, 5, len(noisy))
    forest = RandomForestClassifier(trees, random_state=1, bootstrap=False).fit(noisy, label)

    np.testing.assert_array_equal(answer(flatten(forest), asked), forest.predict_proba(asked))


def test_a_lopsided_tree_is_walked_to_its_deepest_leaf():
    """Each pixel turns off one level below the one before: depths of 1 to 21 side by side."""
    ladder = 2.0 ** np.arange(22)[:, None]
    forest = RandomForestRegressor(1, random_state=0, bootstrap=False).fit(
        ladder, 4.0 ** np.arange(22)
    )
    asked = np.concatenate([ladder, ladder * 1.4, ladder * 1.6]).astype("f4")

    assert forest.estimators_[0].tree_.max_depth > 12
    np.testing.assert_array_equal(answer(flatten(forest), asked)[:, 0], forest.predict(asked))
