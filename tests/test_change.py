import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jinhua_rs.causes import Cause
from jinhua_rs.change import Evidence, forest_change, tree_change
from jinhua_rs.errors import ConfigError, ContractError, GridMismatch
from jinhua_rs.schema import Change, Land


def period(canopy, shift=0.0):
    """Canopy cover to a tree-cover dataset of one row, cut at 0.20."""
    canopy = np.atleast_2d(np.asarray(canopy, dtype=np.float32))
    forest = np.where(np.isnan(canopy), 0, np.where(canopy >= 0.2, 2, 1)).astype(np.uint8)
    rows, columns = canopy.shape
    coords = {"y": np.arange(rows)[::-1] * 10.0, "x": np.arange(columns) * 10.0 + shift}
    return xr.Dataset({"forest": (("y", "x"), forest), "canopy": (("y", "x"), canopy)}, coords)


@pytest.mark.parametrize(
    ("was", "now", "code"),
    [
        (0.05, 0.10, 1),
        (0.05, 0.60, 2),
        (0.60, 0.05, 3),
        (0.60, 0.70, 4),
        (0.18, 0.24, 1),  # wavers about the cut: stays other land
        (0.24, 0.18, 4),  # and the other way: stays forest
        (0.15, 0.25, 2),  # exactly the margin
        (0.25, 0.15, 3),
        (0.90, 0.25, 4),  # thinned, but still forest
        (np.nan, 0.60, 0),
        (0.60, np.nan, 0),
        (np.nan, np.nan, 0),
    ],
)
def test_cases(was, now, code):
    assert forest_change(period(was), period(now)).item() == code


def test_every_margin_of_a_tenth_counts():
    was = np.arange(11, 20, dtype=np.float32) / 100
    now = np.arange(21, 30, dtype=np.float32) / 100

    assert np.all(forest_change(period(was), period(now)) == 2)
    assert np.all(forest_change(period(now), period(was)) == 3)


def test_a_pixel_counts_as_seen_only_if_both_variables_say_so():
    before, after = period([0.1, 0.6]), period([0.6, 0.6])
    before["forest"][0, 0] = 0
    after["canopy"][0, 1] = np.nan

    assert forest_change(before, after).values.tolist() == [[0, 0]]


def test_described_by_the_schema():
    change = forest_change(period([0.1, 0.6]), period([0.6, 0.1]))

    assert (change.name, change.dtype, change.dims) == ("change", np.uint8, ("y", "x"))
    assert change.attrs["units"] == "class"


canopies = arrays(
    np.float32,
    (3, 4),
    elements=st.one_of(st.just(np.float32(np.nan)), st.floats(0, 1, width=32)),
)


@settings(max_examples=50, deadline=None)
@given(was=canopies, now=canopies, margin=st.sampled_from([0.0, 0.1, 0.5]))
def test_exchanging_the_periods_exchanges_gain_and_loss(was, now, margin):
    forth = forest_change(period(was), period(now), margin=margin).values
    back = forest_change(period(now), period(was), margin=margin).values

    assert np.array_equal(forth == 2, back == 3)
    assert np.array_equal(forth == 3, back == 2)


@settings(max_examples=50, deadline=None)
@given(was=canopies, now=canopies)
def test_no_pixel_is_invented_or_lost(was, now):
    before = period(was)

    change = forest_change(before, period(now)).values

    assert np.array_equal(change != 0, ~np.isnan(was) & ~np.isnan(now))
    was_forest = before.forest.values == 2
    assert np.array_equal(np.isin(change, [3, 4]), was_forest & (change != 0))


@settings(max_examples=50, deadline=None)
@given(was=canopies)
def test_nothing_changes_within_one_period(was):
    assert not np.isin(forest_change(period(was), period(was), margin=0), [2, 3]).any()


def test_lazy_equals_eager():
    rng = np.random.default_rng(2)
    before, after = (period(rng.uniform(0, 1, (20, 30))) for _ in range(2))

    lazy = forest_change(before.chunk(y=7, x=11), after.chunk(y=20, x=30))

    assert lazy.chunks is not None
    assert lazy.compute().identical(forest_change(before, after))


def test_periods_on_two_grids_are_refused():
    with pytest.raises(GridMismatch):
        forest_change(period([0.1, 0.6]), period([0.1, 0.6], shift=10))


@pytest.mark.parametrize("margin", [-0.1, 1.1, float("nan")])
def test_margin_is_a_cover(margin):
    with pytest.raises(ConfigError):
        forest_change(period(0.1), period(0.6), margin=margin)


@pytest.mark.parametrize("lacking", ["before", "after", "both"])
def test_without_canopy_a_change_of_code_is_enough(lacking):
    before = period([0.18, 0.24, 0.18, 0.24, np.nan, 0.60])
    after = period([0.24, 0.18, 0.10, 0.70, 0.60, np.nan])
    if lacking != "after":
        before = before.drop_vars("canopy")
    if lacking != "before":
        after = after.drop_vars("canopy")

    change = forest_change(before, after)

    assert change.values.tolist() == [[2, 3, 1, 4, 0, 0]]
    assert forest_change(before.chunk(x=2), after.chunk(x=3)).compute().identical(change)


@pytest.mark.parametrize("spoil", [lambda d: d.drop_vars("forest"), lambda d: d.astype("float64")])
def test_what_breaks_the_contract_is_refused(spoil):
    with pytest.raises(ContractError):
        forest_change(period(0.1), spoil(period(0.6)))


def test_a_canopy_that_breaks_the_contract_is_refused_even_if_it_is_not_compared():
    after = period(0.6).assign(canopy=lambda d: d.canopy.astype("float64"))

    with pytest.raises(ContractError, match="canopy"):
        forest_change(period(0.1).drop_vars("canopy"), after)


def land(canopy, chance, classes=(1,)):
    """Tree cover with the probability of broadleaf trees, and classes, of one row."""
    data = period(canopy)
    odds = np.rint(250 * np.atleast_2d(np.asarray(chance))).astype(np.uint8)
    data["p1"] = ("y", "x"), odds
    for code in (2, 3, 4):
        data[f"p{code}"] = ("y", "x"), np.zeros_like(odds)
    data["landcover"] = ("y", "x"), np.broadcast_to(np.uint8(classes), odds.shape).copy()
    return data


def watch(run, hits, looks=20, size=-0.3):
    arrays = {"alert_run": run, "alert_hits": hits, "history_looks": looks, "alert_size": size}
    state = xr.Dataset({name: (("y", "x"), np.full((1, 3), v)) for name, v in arrays.items()})
    return state.assign(history=(("series", "term", "y", "x"), np.full((6, 5, 1, 3), 0.8)))


FELLED = land([0.8] * 3, [0.95] * 3), land([0.02] * 3, [0.05] * 3, [5, 8, 7])


def test_a_likely_loss_is_told_with_its_reason():
    told = tree_change(*FELLED, Evidence())

    assert told["change"].values.tolist() == [[3, 3, 3]]
    assert told["reason"].values.tolist() == [[Cause.FELLING, Cause.CONSTRUCTION, Cause.FARMING]]
    assert told["change_confidence"].values.tolist() == [[1, 1, 1]]
    assert {layer.dtype for layer in told.values()} == {np.dtype("uint8")}


def test_an_unlikely_change_is_none():
    before, after = land([0.3] * 3, [0.6] * 3), land([0.1] * 3, [0.5] * 3)

    told = tree_change(before, after, Evidence())

    assert told["change"].values.tolist() == [[4, 4, 4]]
    assert told["reason"].values.tolist() == [[0, 0, 0]]


def test_a_change_that_its_neighbours_do_not_share_is_none():
    after = land([0.8, 0.02, 0.8], [0.95, 0.05, 0.95])

    told = tree_change(FELLED[0], after, Evidence())

    assert told["change"].values.tolist() == [[4, 4, 4]]


@pytest.mark.parametrize(
    ("between", "state", "code", "confidence"),
    [
        (None, None, 3, 1),
        (0.05, None, 3, 2),
        (0.95, None, 3, 1),  # perhaps felled in the last year
        (None, (2, 3), 3, 2),
        (None, (2, 1), 3, 1),  # one look says little
        (None, (0, 0), 4, 0),
        (None, (3, 3), 4, 0),
        (0.05, (2, 2), 3, 3),
        (0.95, (2, 2), 3, 2),  # felled in the last year: the watch saw it
    ],
)
def test_what_bears_a_loss_out_and_what_speaks_against_it(between, state, code, confidence):
    evidence = Evidence(
        None if between is None else land([0.5] * 3, [between] * 3),
        None if state is None else watch(*state),
    )

    told = tree_change(*FELLED, evidence)

    assert told["change"].values.tolist() == [[code] * 3]
    assert told["change_confidence"].values.tolist() == [[confidence] * 3]


def test_forest_seen_laid_bare_three_times_is_lost_whatever_the_map_says():
    trees = land([0.8] * 3, [0.95] * 3)

    bare = tree_change(trees, trees, Evidence(watch=watch(2, 3, size=-0.6)))
    thinned = tree_change(trees, trees, Evidence(watch=watch(2, 3, size=-0.2)))

    assert bare["change"].values.tolist() == [[3, 3, 3]]
    assert bare["reason"].values.tolist() == [[Cause.FELLING] * 3]
    assert bare["change_confidence"].values.tolist() == [[2, 2, 2]]
    assert thinned["change"].values.tolist() == [[4, 4, 4]]


def test_forest_laid_bare_is_lost_where_the_later_map_has_not_seen_it():
    unseen = land([np.nan] * 3, [0.0] * 3, [0])

    told = tree_change(FELLED[0], unseen, Evidence(watch=watch(2, 3, size=-0.6)))

    assert told["change"].values.tolist() == [[3, 3, 3]]
    assert told["reason"].values.tolist() == [[Cause.CLEARED] * 3]


def test_a_gain_that_the_year_between_does_not_show_is_none():
    before, after = FELLED[1], land([0.8] * 3, [0.95] * 3)

    told = tree_change(before, after, Evidence(between=land([0.1] * 3, [0.1] * 3)))

    assert told["change"].values.tolist() == [[1, 1, 1]]


def test_a_watch_that_did_not_look_says_nothing():
    told = tree_change(*FELLED, Evidence(watch=watch(0, 0, looks=0)))

    assert told["change"].values.tolist() == [[3, 3, 3]]


def test_gains_are_told_by_what_stood_there():
    before, after = FELLED[1], land([0.8] * 3, [0.95] * 3)
    before["landcover"][:] = [[9, 7, 5]]

    told = tree_change(before, after, Evidence())

    assert told["change"].values.tolist() == [[2, 2, 2]]
    assert told["reason"].values.tolist() == [
        [Cause.RESTORATION, Cause.PLANTING, Cause.NATURAL_RETURN]
    ]


def test_bamboo_that_stays_bamboo_was_harvested():
    before, after = land([0.8] * 3, [0.95] * 3, [4]), land([0.1] * 3, [0.05] * 3, [4])

    assert np.all(tree_change(before, after, Evidence())["reason"] == Cause.BAMBOO_HARVEST)


def test_without_probabilities_the_canopy_decides():
    told = tree_change(period([0.8, 0.1]), period([0.1, 0.8]), Evidence())

    assert told["change"].values.tolist() == [[3, 2]]
    assert "reason" not in told


@pytest.mark.parametrize(
    ("before", "code", "confidence"),
    [(Land.SHRUB, Change.GAIN, 2), (Land.CROPLAND, Change.STABLE_OTHER, 0)],
)
def test_trees_grow_unseen_by_the_watch_among_shrub_but_not_on_fields(before, code, confidence):
    former, later = land([0.05] * 3, [0.1] * 3, [before] * 3), land([0.6] * 3, [0.9] * 3)
    evidence = Evidence(between=land([0.4] * 3, [0.9] * 3), watch=watch(0, 0))

    told = tree_change(former, later, evidence)

    assert set(told["change"].to_numpy().ravel()) == {code}
    assert set(told["change_confidence"].to_numpy().ravel()) == {confidence}
