import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jinhua_rs.change import forest_change
from jinhua_rs.errors import ConfigError, ContractError, GridMismatch


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
