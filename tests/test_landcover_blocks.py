import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestClassifier

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.landcover.blocks import (
    MAX_FOLDS,
    assign_folds,
    block_of,
    held_out,
    score_canopy,
    score_classes,
)


def test_blocks_have_their_edges_on_multiples_of_the_side():
    x = np.array([0.0, 99.9, 100.0, 100.0])
    y = np.array([0.0, 99.9, 99.9, 100.0])

    assert block_of(x, y, 100).tolist() == [0, 0, 1, 2]


def test_a_block_needs_a_side():
    with pytest.raises(ConfigError, match="block_m"):
        block_of(np.zeros(3), np.zeros(3), 0)


rows = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 10)), min_size=2, max_size=80)


@settings(max_examples=60, deadline=None)
@given(rows=rows, stratified=st.booleans())
def test_no_block_is_split_and_no_fold_is_empty(rows, stratified):
    blocks, strata = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    n_blocks = len(np.unique(blocks))
    if n_blocks < 2:
        with pytest.raises(NoDataError, match="one spatial block"):
            assign_folds(blocks)
        return

    fold = assign_folds(blocks, strata if stratified else None, seed=3)

    assert np.unique(fold).tolist() == list(range(min(MAX_FOLDS, n_blocks)))
    for block in np.unique(blocks):
        assert len(np.unique(fold[blocks == block])) == 1


def test_folds_follow_from_the_seed():
    rng = np.random.default_rng(0)
    blocks, strata = rng.integers(0, 30, 300), rng.integers(1, 4, 300)

    first, again, other = (assign_folds(blocks, strata, seed=seed) for seed in (1, 1, 2))

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_held_out_class_of_one_block_is_never_found():
    # Each sample tells its class by its feature, but class 3 lives in block 2 alone.
    label = np.repeat([1, 2, 3, 1, 2], 20).astype(np.int64)
    blocks = np.repeat([0, 1, 2, 3, 4], 20)
    features = label.astype(np.float32)[:, None]
    fold = assign_folds(blocks, label, seed=0)

    predicted = held_out(RandomForestClassifier(5, random_state=0), features, label, fold)

    assert np.array_equal(predicted[label < 3], label[label < 3])
    assert not np.any(predicted == 3)


def test_class_scores_by_hand():
    truth = np.array([1, 1, 1, 2, 2, 10])
    predicted = np.array([1, 1, 2, 2, 2, 2])
    blocks = np.array([0, 1, 2, 0, 1, 2])

    test = score_classes(truth, predicted, blocks, np.array([0, 0, 0, 1, 1, 1]), side_m=500)

    assert test.confusion == ((2, 0, 0), (1, 2, 1), (0, 0, 0))
    assert test.accuracy == pytest.approx(4 / 6)
    assert test.fold_accuracy == pytest.approx((2 / 3, 2 / 3))
    assert [score.code for score in test.scores] == [1, 2, 10]
    assert [score.users_accuracy for score in test.scores] == [1.0, 0.5, None]
    assert [score.producers_accuracy for score in test.scores] == [2 / 3, 1.0, 0.0]
    assert [score.blocks for score in test.scores] == [3, 2, 1]
    assert (test.held_out.blocks, test.held_out.folds, test.held_out.side_m) == (3, 2, 500)


def test_canopy_scores_by_hand():
    truth = np.array([0.0, 0.1, 0.3, 0.5])
    predicted = np.array([0.1, 0.2, 0.3, 0.4])

    test = score_canopy(truth, predicted, np.arange(4), np.array([0, 0, 1, 1]), side_m=500)

    assert test.rmse == pytest.approx((0.03 / 4) ** 0.5)
    assert test.bias == pytest.approx(0.025)
    assert test.r2 == pytest.approx(1 - 0.03 / 0.1475)
    assert test.fold_rmse == pytest.approx((0.1, (0.01 / 2) ** 0.5))
    assert test.forest_confusion == ((1, 0), (1, 2))
    assert test.forest_agreement == 0.75


def test_equal_canopy_has_no_r2():
    truth = np.full(4, 0.25)

    test = score_canopy(truth, truth + 0.1, np.arange(4), np.arange(4), side_m=500)

    assert test.r2 is None


BANDS = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12", "NDVI"]


def _german_pixels():
    root = Path(os.environ.get("JINHUA_SHARED_DATA", Path(__file__).parents[2] / "shared" / "data"))
    path = root / "labels" / "germany_s2_landcover_pixels.parquet"
    if not path.is_file():
        pytest.skip(f"real pixels of four German regions not found: {path}")
    pytest.importorskip("pyarrow", reason="reading the table of German pixels needs pyarrow")
    return pd.read_parquet(path).sample(4000, random_state=0)


def test_real_pixels_show_why_blocks_are_held_out():
    pixels = _german_pixels()
    features = pixels[BANDS].to_numpy(np.float32)
    label = pd.factorize(pixels["Label"], sort=True)[0] + 1
    groups = {
        "pixel": np.arange(len(pixels)),
        "polygon": pd.factorize(pixels["ID"])[0],
        "region": pd.factorize(pixels["Region"])[0],
    }
    forest = RandomForestClassifier(20, min_samples_leaf=2, random_state=0)

    accuracy = {}
    for name, blocks in groups.items():
        fold = assign_folds(blocks, label if name != "region" else None)
        predicted = held_out(forest, features, label, fold)
        accuracy[name] = score_classes(label, predicted, blocks, fold, side_m=1).accuracy

    # A random split flatters by more than a quarter: repeated and neighbouring pixels leak.
    assert accuracy["pixel"] > 0.88
    assert 0.62 < accuracy["polygon"] < 0.82
    assert 0.50 < accuracy["region"] < 0.68
    assert accuracy["pixel"] - accuracy["region"] > 0.25
