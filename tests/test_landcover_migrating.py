"""Samples of one year laid over another."""

import numpy as np
import pandas as pd
import pytest

from jinhua_rs.landcover import TrainOptions
from jinhua_rs.landcover.migrating import AS_FIRST_SEEN, as_first_seen, migrated


def years(change, land=None):
    """Samples whose NDVI changes by these amounts."""
    before = pd.DataFrame({"ndvi": np.full(len(change), 0.5)})
    if land is not None:
        before["class"] = land
    return before, before.assign(ndvi=before["ndvi"] + change)


def test_what_moves_with_its_class_stays_and_what_moves_otherwise_goes():
    before, after = years([-0.10] * 9 + [-0.40, 0.0])  # a dry autumn, a felling, a watered one

    kept = migrated(before, after, ["ndvi"])

    assert kept.index.tolist() == list(range(9))  # 0.10 off is 3 floors of 0.02 and more
    pd.testing.assert_frame_equal(kept, after.loc[kept.index])


def test_each_class_is_held_against_itself():
    land = [7] * 5 + [1] * 5
    before, after = years([-0.12] * 5 + [0.0] * 4 + [-0.12], land)

    assert migrated(before, after, ["ndvi"]).index.tolist() == list(range(9))


def test_a_class_that_moves_otherwise_than_all_samples_is_left_out():
    land = [1] * 10 + [9] * 4
    before, after = years([-0.05] * 10 + [0.5] * 4, land)  # the one quarry has greened

    assert migrated(before, after, ["ndvi"]).index.tolist() == list(range(10))


def test_what_was_not_seen_in_one_of_the_years_goes():
    before, after = years([0.0] * 6)
    before.loc[0, "ndvi"] = np.nan
    after.loc[1, "ndvi"] = np.nan

    assert migrated(before, after, ["ndvi"]).index.tolist() == [2, 3, 4, 5]


@pytest.mark.parametrize("by", [[], ["ndvi"]])
def test_samples_are_told_by_their_index_whatever_the_order(by):
    before, after = years(np.zeros(4))

    kept = migrated(before, after.loc[[3, 1]], by)

    assert kept.index.tolist() == [3, 1]
    assert migrated(before, after.iloc[:0], by).empty


def test_planted_ground_gives_itself_away_by_the_canopy_that_all_features_tell():
    rng = np.random.default_rng(1)
    canopy = np.repeat([0.1, 0.6], 60)
    first = pd.DataFrame({"ndvi": 0.5 + rng.normal(0, 0.02, 120), "canopy": canopy})
    first["b11"], first["class"] = 0.3 - 0.2 * canopy, np.repeat([5, 1], 60)
    later = first.assign(b11=first["b11"].where(first.index >= 10, 0.18))  # ten of shrub have grown

    before, after = as_first_seen([first, later], ["ndvi", "b11"], TrainOptions(seed=1, trees=20))

    assert migrated(first, later, ["ndvi"]).index.tolist() == list(range(120))
    assert migrated(before, after, ["ndvi", AS_FIRST_SEEN]).index.tolist() == list(range(10, 120))


def test_without_canopy_or_a_whole_row_nothing_is_told():
    first = pd.DataFrame({"ndvi": [0.5, np.nan]})

    assert as_first_seen([first, first], ["ndvi"], TrainOptions(seed=1))[1] is first
    named = as_first_seen([first.assign(canopy=0.2)] * 2, ["ndvi"], TrainOptions(seed=1, trees=10))[
        1
    ]
    assert named[AS_FIRST_SEEN].tolist() == pytest.approx([0.2, np.nan], nan_ok=True)
