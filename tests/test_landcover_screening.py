"""Labels that held-out forests do not believe."""

import numpy as np
import pandas as pd
import pytest

from jinhua_rs.landcover import TrainOptions, screen, train
from jinhua_rs.landcover.screening import CLEAN, DROP, LOOK, judge_labels

FEATURES = ["red", "nir"]
HOW = TrainOptions(seed=1, trees=30, leaf=2, block_m=5_000)
CODES = np.array([1, 7])


def samples(n=300, wrong=(), **more):
    """Two classes that two features tell apart, all over 40 x 40 km."""
    rng = np.random.default_rng(4)
    truth = rng.permutation(np.repeat(CODES, n // 2))
    label = truth.copy()
    label[list(wrong)] = 8 - label[list(wrong)]
    spread = rng.normal(0, 0.02, (n, 2))
    return pd.DataFrame(
        {
            "x": rng.uniform(0, 40_000, n),
            "y": rng.uniform(0, 40_000, n),
            "red": np.where(truth == 1, 0.04, 0.12) + spread[:, 0],
            "nir": np.where(truth == 1, 0.35, 0.22) + spread[:, 1],
            "class": label.astype(float),
            **more,
        }
    )


def test_wrong_labels_are_found_with_what_they_should_be():
    wrong = list(range(0, 300, 10))

    found = screen(samples(wrong=wrong), FEATURES, HOW).doubtful

    assert len(set(wrong) & set(found.index)) > 20
    assert len(set(found.index) - set(wrong)) <= 6
    assert found["belief"].is_monotonic_increasing
    right = found.index.intersection(wrong)
    assert (found.loc[right, "suggested"] == samples()["class"][right]).all()


def test_every_judged_label_is_counted_once():
    table = samples(wrong=[3, 4])
    table.loc[[10, 11], "class"] = [np.nan, 0]
    table.loc[12, "red"] = np.nan

    found = screen(table, FEATURES, HOW)

    assert sum(one.clean + one.look + one.drop for one in found.counts.classes) == 297
    assert sum(one.look + one.drop for one in found.counts.classes) == len(found.doubtful)
    assert not {10, 11, 12} & set(found.doubtful.index)


def test_what_an_interpreter_was_sure_of_is_never_dropped():
    wrong = list(range(0, 300, 20))
    unsure = screen(samples(wrong=wrong, confidence=2), FEATURES, HOW)

    sure = screen(samples(wrong=wrong, confidence=3), FEATURES, HOW)

    assert len(unsure.dropped) > 5
    assert len(sure.dropped) == 0
    assert set(unsure.dropped) <= set(sure.doubtful.index)


def test_a_class_of_which_too_many_would_go_is_looked_at():
    labels = np.repeat([1, 7], 50)
    blocks = np.tile(np.arange(10), 10)
    shares = np.column_stack([np.full(100, 0.95), np.full(100, 0.05)])
    shares[50:75] = [0.02, 0.98]

    verdict = judge_labels(labels, CODES, shares, blocks, sure=np.zeros(100, bool))

    assert (verdict[:75] == CLEAN).all()
    assert DROP not in verdict[75:]
    assert LOOK in verdict[75:]


def test_a_class_of_one_block_is_not_judged():
    labels = np.repeat([1, 7], 50)
    blocks = np.where(labels == 1, np.arange(100) % 10, 3)
    shares = np.column_stack([np.full(100, 0.9), np.full(100, 0.1)])

    verdict = judge_labels(labels, CODES, shares, blocks, sure=np.zeros(100, bool))

    assert (verdict == CLEAN).all()


@pytest.mark.parametrize(
    "table", [samples(20), samples().assign(**{"class": 1.0}), samples().drop(columns="class")]
)
def test_where_there_is_nothing_to_judge_nothing_is_said(table):
    assert screen(table, FEATURES, HOW) is None


def test_the_same_samples_in_another_order_give_the_same_doubts():
    table = samples(wrong=[5, 50, 150])

    first = screen(table, FEATURES, HOW)
    again = screen(table.copy(), FEATURES, HOW)

    pd.testing.assert_frame_equal(first.doubtful, again.doubtful)


def test_copies_elsewhere_are_counted_said_and_kept_in_one_block():
    table = samples()
    copies = table.iloc[:40].assign(x=table["x"].iloc[:40] + 15_000)

    card = train(pd.concat([table, copies], ignore_index=True), FEATURES, HOW).card

    assert card.samples.alike == 80
    assert any("80 samples repeat the features" in limit for limit in card.limits)
    assert train(table, FEATURES, HOW).card.samples.alike == 0
