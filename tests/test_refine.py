"""Smoothing, histories and the two after each other: formulas, laws and seams."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jinhua_rs.errors import ContractError
from jinhua_rs.refine import (
    IMPOSSIBLE,
    Look,
    forest_after,
    likeliest,
    packed,
    refine,
    sided,
    smooth,
    transitions,
    tree_parts,
)
from jinhua_rs.refine.smoothing import logits
from jinhua_rs.schema import TREE_CLASSES, Forest, Land
from jinhua_rs.settings import Refine

LANDS = tuple(kind for kind in Land if kind)
EIGHTHS = st.integers(-48, 0).map(lambda n: n / 8)
HOW = {"window": 7, "fraction": 0.5, "smoothness": 10.0}


def shares(rng, shape, *, unseen=0.2):
    """Draw probabilities in 1/250, some pixels not seen."""
    parts = rng.integers(0, 251, shape).astype(np.uint8)
    parts[:, rng.random(shape[1:]) < unseen] = 255
    return parts


def by_the_book(parts, *, window, fraction, smoothness):
    """Smooth in plain NumPy, one window after the other."""
    rim, values = window // 2, logits(parts).astype(float)
    found = np.full((len(parts), parts.shape[1] - 2 * rim, parts.shape[2] - 2 * rim), np.nan)
    for k, y, x in np.ndindex(found.shape):
        own = values[k, y + rim, x + rim]
        around = values[k, y : y + window, x : x + window].ravel()
        around = np.sort(around[~np.isnan(around)])[::-1]
        prior = around[: int(np.ceil(fraction * around.size))]
        found[k, y, x] = own
        if prior.size > 1 and smoothness and not np.isnan(own):
            weight = prior.var(ddof=1) / (prior.var(ddof=1) + smoothness)
            found[k, y, x] = weight * own + (1 - weight) * prior.mean()
    return found


# --- smoothing ---------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([3, 5, 7, 15]),
    st.sampled_from([0.1, 0.5, 0.77, 1.0]),
    st.sampled_from([0.0, 0.5, 10.0, 200.0]),
)
def test_the_kernel_follows_the_formula(seed, window, fraction, smoothness):
    parts = shares(np.random.default_rng(seed), (2, 18, 19))
    how = {"window": window, "fraction": fraction, "smoothness": smoothness}

    assert np.allclose(smooth(parts, **how), by_the_book(parts, **how), atol=2e-5, equal_nan=True)


def test_an_odd_pixel_follows_its_even_neighbourhood():
    parts = np.full((2, 7, 7), 225, np.uint8)
    parts[1] = 25
    parts[:, 3, 3] = 115, 135

    forest, other = smooth(parts, **HOW)[:, 0, 0]

    assert forest == pytest.approx(np.log(0.9 / 0.1), abs=1e-5)
    assert forest > other


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 69))
def test_two_pieces_with_their_rims_are_the_whole_to_the_last_bit(seed, cut):
    parts = shares(np.random.default_rng(seed), (2, 12, 76))

    whole = smooth(parts, **HOW)
    left, right = smooth(parts[..., : cut + 6], **HOW), smooth(parts[..., cut:], **HOW)

    assert np.concatenate([left, right], axis=2).tobytes() == whole.tobytes()


def test_what_was_not_seen_stays_so_and_is_heard_by_nobody():
    parts = np.full((1, 9, 9), 200, np.uint8)
    parts[:, :, 5:] = 255

    found = smooth(parts, **HOW)

    assert np.isnan(found[0, :, 2]).all()
    assert found[0, 1, 0] == pytest.approx(np.log(4), abs=1e-5)


def test_without_neighbours_a_pixel_keeps_its_own():
    parts = np.full((1, 7, 7), 255, np.uint8)
    parts[0, 3, 3] = 50

    assert smooth(parts, **HOW)[0, 0, 0] == pytest.approx(np.log(0.25), abs=1e-5)


@pytest.mark.parametrize("wrong", [251, 255])
def test_probabilities_that_are_none_are_refused(wrong):
    parts = np.zeros((2, 7, 7), np.uint8)
    parts[1, 0, 0] = wrong

    with pytest.raises(ContractError, match="0-250"):
        smooth(parts, **HOW)


# --- histories ---------------------------------------------------------------------------------


def best_of_all(evidence, steps):
    """Score every path there is; the first of the best."""
    times, classes = evidence.shape
    heard = np.nan_to_num(evidence)
    scores = {
        path: sum(heard[t, c] for t, c in enumerate(path))
        + sum(steps[t, a, b] for t, (a, b) in enumerate(itertools.pairwise(path)))
        for path in itertools.product(range(classes), repeat=times)
    }
    return max(scores.values()), scores


@settings(max_examples=60, deadline=None)
@given(
    arrays(np.float32, (3, 4), elements=EIGHTHS),
    arrays(np.float32, (2, 4, 4), elements=st.sampled_from([-9.0, -3.0, -1.0, -np.inf])),
    st.sets(st.integers(0, 2)),
)
def test_the_likeliest_history_is_the_best_of_all_paths(evidence, steps, missing):
    for step in steps:
        np.fill_diagonal(step, -0.1)
    evidence[list(missing)] = np.nan

    path = tuple(likeliest(evidence[:, :, None], steps)[:, 0])

    best, scores = best_of_all(evidence.astype(float), steps.astype(float))
    assert scores[path] == pytest.approx(best, abs=1e-4)


@given(arrays(np.float32, (3, 10, 5), elements=EIGHTHS))
def test_a_flat_matrix_leaves_each_year_its_own_best(evidence):
    flat = np.zeros((2, 10, 10), np.float32)

    assert (likeliest(evidence, flat) == evidence.argmax(axis=1)).all()


@settings(max_examples=40, deadline=None)
@given(
    arrays(np.float32, (3, 10, 20), elements=EIGHTHS),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
)
def test_no_history_holds_what_is_impossible(evidence, gaps):
    steps = np.stack([transitions(LANDS, gap, 0.02, IMPOSSIBLE) for gap in gaps])

    path = likeliest(evidence, steps)

    for years, before, after in zip(gaps, path, path[1:], strict=False):
        for rule in IMPOSSIBLE:
            barred = np.isin(before + 1, list(rule.before)) & np.isin(after + 1, list(rule.after))
            assert years >= rule.years or not (barred & (before != after)).any()


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        ((Land.BAMBOO, Land.BUILT, Land.BAMBOO), (Land.BAMBOO,) * 3),
        ((Land.CONIFER, Land.CROPLAND, Land.CONIFER), (Land.CONIFER,) * 3),
        ((Land.CROPLAND, Land.SHRUB, Land.CONIFER), (Land.CROPLAND, Land.SHRUB, Land.CONIFER)),
        ((Land.BAMBOO, Land.BARE, Land.BARE), (Land.BAMBOO, Land.BARE, Land.BARE)),
    ],
)
def test_what_three_years_tell(seen, told):
    shown = np.full((3, 10, 1), np.log(0.01 / 9), np.float32)
    for year, kind in enumerate(seen):
        shown[year, kind - 1] = np.log(0.99)
    steps = np.stack([transitions(LANDS, 1, 0.02, IMPOSSIBLE)] * 2)

    assert [Land(at + 1) for at in likeliest(shown, steps)[:, 0]] == list(told)


def test_a_matrix_adds_up_and_bars_what_takes_longer():
    one, five = (np.exp(transitions(LANDS, years, 0.02, IMPOSSIBLE)) for years in (1, 5))
    built, bamboo = Land.BUILT - 1, Land.BAMBOO - 1

    assert np.allclose(one.sum(axis=1), 1)
    assert np.allclose(np.diag(one), 0.98)
    assert np.allclose(np.diag(five), 0.98**5)
    assert one[built, bamboo] == 0 < five[built, bamboo]


def test_every_rule_bars_a_way_and_gives_its_reasons():
    for rule in IMPOSSIBLE:
        assert rule.years > 1
        assert rule.reason
        assert rule.reason_zh
        assert rule.before
        assert rule.after
    barred = np.isinf(transitions(LANDS, 1, 0.02, IMPOSSIBLE))
    assert not barred[[kind - 1 for kind in TREE_CLASSES]][:, 4:].any()  # trees may go any day


@pytest.mark.parametrize(("years", "rate"), [(0, 0.02), (1, 0.0), (1, 1.0), (-1, 0.5)])
def test_a_matrix_of_no_time_or_no_rate_is_refused(years, rate):
    with pytest.raises(ContractError, match="rate between 0 and 1"):
        transitions(LANDS, years, rate)


def test_matrices_that_do_not_fit_are_refused():
    with pytest.raises(ContractError, match="each class can stay"):
        likeliest(np.zeros((3, 2, 1), np.float32), np.zeros((1, 2, 2), np.float32))
    with pytest.raises(ContractError, match="each class can stay"):
        likeliest(np.zeros((2, 2, 1), np.float32), np.full((1, 2, 2), -np.inf, np.float32))


# --- all steps ---------------------------------------------------------------------------------


def look(year, trees, classes=None):
    return Look(year, np.asarray(trees, np.uint8), classes)


def test_with_all_steps_off_a_map_stays_as_it_came():
    rng = np.random.default_rng(3)
    classes = shares(rng, (10, 6, 7))
    trees = np.where(classes[0] == 255, 255, rng.integers(0, 251, (6, 7)))

    found = refine([look(2024, trees, classes)], Refine(), 0)

    seen = trees != 255
    assert (found.raw[seen] == np.where(trees[seen] >= 125, 2, 1)).all()
    assert (found.raw == found.smoothed).all()
    assert (found.raw == found.forest).all()
    assert (found.landcover[seen] == classes[:, seen].argmax(axis=0) + 1).all()
    assert (found.landcover[~seen] == 0).all()
    assert np.isnan(found.confidence[~seen]).all()


@pytest.mark.parametrize("between", [[], [2023]])
def test_earlier_years_outvote_a_doubtful_one_and_missing_years_are_no_evidence(between):
    past = [look(year, [[240, 240, 255]]) for year in [2022, *between]]

    found = refine([*past, look(2024, [[100, 255, 240]])], Refine(), 0)

    assert found.raw.tolist() == [[1, 0, 2]]
    assert found.forest.tolist() == [[2, 0, 2]]


def test_a_year_without_classes_is_heard_for_tree_cover_alone():
    classes = np.zeros((10, 1, 1), np.uint8)
    classes[Land.CROPLAND - 1] = 250

    found = refine([look(2023, [[250]]), look(2024, [[120]], classes)], Refine(), 0)

    assert found.forest.tolist() == [[2]]
    assert found.landcover.tolist() == [[Land.CROPLAND]]


def test_the_probability_of_tree_cover_is_on_the_side_of_the_map():
    canopy = np.array([[0.0, 0.1999, 0.2, 0.9, np.nan]], np.float32)
    forest = np.array([[1, 1, 2, 2, 0]], np.uint8)

    parts = tree_parts(forest, canopy, slope=20.0)

    assert parts.tolist() == [[4, 124, 126, 250, 255]]
    assert sided(forest, np.full((1, 5), 125)).tolist() == [[124, 124, 126, 126, 255]]


@given(arrays(np.uint8, (4, 6), elements=st.sampled_from([1, 2])))
def test_the_code_of_the_steps_gives_each_of_them_back(covers):
    covers[:, 0] = Forest.UNSEEN
    steps = packed(*covers)

    names = ("raw", "smoothing", "history", "minimum_unit")
    assert [forest_after(steps, name).tolist() for name in names] == covers.tolist()


@pytest.mark.parametrize(
    ("resolution", "rim"), [(10.0, 3), (20.0, 1), (35.0, 1), (60.0, 0), (90.0, 0), (1.0, 7)]
)
def test_neighbours_are_heard_as_far_as_pixels_are_small(resolution, rim):
    assert Refine().rim(resolution) == rim
    assert Refine(window_m=0).rim(resolution) == 0
