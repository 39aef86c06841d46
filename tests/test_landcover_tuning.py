"""The smallest forest that is as good as the best, by blocks alone."""

import numpy as np
import pandas as pd
import pytest

from jinhua_rs.landcover import TrainOptions, train
from jinhua_rs.landcover.growing import classifier_of, deal
from jinhua_rs.landcover.samples import clean
from jinhua_rs.landcover.tuning import tune

NAMES = ["red", "nir"]
OPTIONS = TrainOptions(seed=1, trees=8, block_m=10_000, tune=True)


def table(n=240):
    rng = np.random.default_rng(4)
    pixels = rng.uniform(0, 0.6, (n, 2)).astype(np.float32)
    return pd.DataFrame(pixels, columns=NAMES).assign(
        x=rng.uniform(0, 60_000, n),
        y=rng.uniform(0, 60_000, n),
        **{"class": np.digitize(pixels[:, 1], [0.3]) * 3 + 1},
        canopy=np.clip(pixels[:, 1] * 1.5, 0, 1),
        unit=np.where(rng.uniform(size=n) < 0.5, "330702", "330782"),
    )


@pytest.fixture(scope="module")
def model():
    return train(table(), NAMES, OPTIONS)


def test_the_cheapest_of_the_equals_is_chosen(model):
    trials = model.card.tuning
    equal = [one for one in trials if one.equal]
    (chosen,) = (one for one in trials if one.chosen)

    best = max(one.accuracy for one in trials)
    assert len(trials) == 8 * 3
    assert all(one.accuracy >= best - 0.005 for one in equal)
    assert chosen in equal
    assert chosen.visits == min(one.visits for one in equal)
    shape = model.card.forest
    assert (shape.trees, shape.depth, shape.leaf) == (chosen.trees, chosen.depth, chosen.leaf)
    assert len(model.classifier.estimators_) == len(model.regressor.estimators_) == chosen.trees


def test_part_of_a_forest_scores_as_the_small_forest_would():
    samples, _ = clean(table(), NAMES)
    dealt = {"class": deal(samples["class"], OPTIONS)}

    _, trials = tune(dealt, OPTIONS)

    own, (small,) = (
        dealt["class"],
        [
            one
            for one in trials
            if (one.trees, one.depth, one.leaf, one.max_features) == (2, 10, 3, None)
        ],
    )
    options = TrainOptions(seed=1, trees=2, depth=10, leaf=3)
    right = 0
    for number in range(own.fold.max() + 1):
        out = own.fold == number
        forest = classifier_of(options).fit(own.features[~out], own.label[~out])
        right += (forest.predict(own.features[out]) == own.label[out]).sum()
    assert small.accuracy == pytest.approx(right / len(own.label))


def test_the_card_counts_samples_by_unit_and_class(model):
    counts = pd.DataFrame(model.card.by_unit)

    assert set(counts) == {"330702", "330782"}
    assert counts.to_numpy().sum() == model.card.samples.used
    assert model.card.calibration is not None


def test_what_is_kept_of_the_samples_tells_their_scale(model):
    kept = model.training

    pixels = table()[NAMES].to_numpy()
    assert kept.features.shape == (240, 2)
    assert np.abs(np.sort(kept.features[:, 0]) - np.sort(pixels[:, 0])).max() < 1e-3
    np.testing.assert_allclose(kept.mean, pixels.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(kept.scale, pixels.std(axis=0), atol=1e-6)
    assert kept.importances.sum() == pytest.approx(1)
    assert kept.importances[1] > kept.importances[0]
