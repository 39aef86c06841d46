"""Trends: the library's numbers, and promises that hold on short autocorrelated series."""

import numpy as np
import pymannkendall
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from jinhua_rs import schema
from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.claims import Claim
from jinhua_rs.estimation.trend import trend_rows, trends
from jinhua_rs.estimation.verdicts import MIN_YEARS
from jinhua_rs.period import Period

YEARS = range(2015, 2025)


def noise(rng, shape, lag1):
    """Series of AR(1), dims (year, series), of unit innovations."""
    found = rng.normal(size=(shape[0] + 50, shape[1]))
    for year in range(1, len(found)):
        found[year] += lag1 * found[year - 1]
    return found[50:]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(8, 24),
    missing=st.sampled_from([0.0, 0.2]),
    kinds=st.sampled_from([0, 3]),
)
def test_the_library_finds_the_same(seed, n, missing, kinds):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 5)) + 0.2 * np.arange(n)[:, None]
    if kinds:  # ties
        values = rng.choice(rng.normal(size=kinds), size=(n, 5))
    values[rng.random(values.shape) < missing] = np.nan

    found = trends(values, range(2000, 2000 + n))

    for at in np.flatnonzero(found.n >= MIN_YEARS):
        if np.nanstd(values[:, at]) > 0:
            theirs = pymannkendall.pre_whitening_modification_test(values[:, at])
            assert found.slope[at] == pytest.approx(theirs.slope, abs=1e-9)
            assert found.p[at] == pytest.approx(theirs.p, abs=1e-9)


def test_a_straight_line_has_its_slope_and_no_width():
    values = 61.0 + 0.25 * np.arange(10)[:, None]

    found = trends(values, YEARS)

    assert (found.slope[0], found.low[0], found.high[0]) == (0.25, 0.25, 0.25)


def test_nothing_that_varies_is_no_trend():
    found = trends(np.full((10, 2), 61.0), YEARS)

    assert found.p.tolist() == [1.0, 1.0]
    assert found.slope.tolist() == [0.0, 0.0]
    assert found.sign.tolist() == [0, 0]


def test_a_year_that_is_not_there_is_a_gap_and_no_step():
    years = [2015, 2016, 2017, 2018, 2020, 2021, 2022, 2023, 2024]

    found = trends(np.array(years, dtype=float)[:, None] * 0.5, years)

    assert found.slope[0] == 0.5
    assert found.n[0] == 9


def test_a_series_with_too_few_years_says_nothing():
    values = np.arange(10.0)[:, None].repeat(2, axis=1)
    values[:3, 1] = np.nan

    found = trends(values, YEARS)

    assert found.n.tolist() == [10, 7]
    assert np.isnan([found.slope[1], found.low[1], found.high[1], found.p[1], found.q[1]]).all()
    assert found.sign[1] == 0


def test_maps_keep_their_shape():
    rng = np.random.default_rng(3)

    found = trends(rng.normal(size=(9, 2, 3)).astype("float32"), range(2016, 2025))

    assert {array.shape for array in (found.slope, found.p, found.q, found.n, found.sign)} == {
        (2, 3)
    }


def test_fewer_than_eight_years_are_refused_with_the_reason():
    with pytest.raises(ConfigError, match="8 years of one season, there are 7"):
        trends(np.zeros((7, 1)), range(2018, 2025))


@pytest.mark.parametrize("years", [[2015] * 10, list(YEARS)[::-1], list(YEARS)[:9]])
def test_years_must_rise_and_fit(years):
    with pytest.raises(ContractError, match="years"):
        trends(np.zeros((10, 1)), years)


@pytest.mark.parametrize(("n", "most"), [(8, 0.055), (12, 0.065), (36, 0.06)])
def test_plain_pre_whitening_keeps_its_level_where_the_original_test_does_not(n, most):
    """Field notes: 4-5 % against 13-22 % on AR(1) noise of 0.5, for 8, 12 and 36 years."""
    values = noise(np.random.default_rng(7), (n, 4000), 0.5)
    original = [pymannkendall.original_test(one).p for one in values[:, :400].T]

    found = trends(values, range(1980, 1980 + n))

    assert (found.p < 0.05).mean() < most
    assert (np.array(original) < 0.05).mean() > 0.10


@pytest.mark.parametrize("lag1", [0.0, 0.3, 0.5])
def test_the_interval_of_the_slope_holds_what_it_promises(lag1):
    slope = 0.3
    values = noise(np.random.default_rng(8), (10, 8000), lag1) + slope * np.arange(10)[:, None]

    found = trends(values, YEARS)

    covered = ((found.low <= slope) & (slope <= found.high)).mean()
    assert 0.90 < covered < 0.985


@pytest.mark.parametrize("lag1", [0.0, 0.5])
def test_on_histories_without_trend_next_to_nothing_is_called_one(lag1):
    """Families of 10 series (a city and nine counties), 1,000 of them."""
    rng = np.random.default_rng(9)

    called = [(trends(noise(rng, (9, 10), lag1), range(2016, 2025)).sign != 0) for _ in range(1000)]

    assert np.any(called, axis=1).mean() < 0.05


def test_false_discovery_is_held_over_all_pixels_together():
    rng = np.random.default_rng(10)
    values = rng.normal(size=(20, 4000))
    values[:, :400] += 2.0 * np.arange(20)[:, None]

    found = trends(values, range(2000, 2020))

    called = found.sign == 1
    assert called[:400].mean() > 0.9
    assert called[400:].sum() / called.sum() < 0.05
    assert (found.p[400:] < 0.05).mean() > 0.02


def share(year, value, unit="330700", **other):
    """An indicator row of the coverage of one year."""
    known = {"status": "ok", "n_clear_share": 0.97, "n": 2000, "test": "wilson", "p": np.nan}
    return {
        "period": str(year), "unit": unit, "indicator": "tree_cover_share", "value": value,
        "low": value - 1, "high": value + 1, "measure": "%", "source": "sample", **known, **other,
    }  # fmt: skip


def test_the_trend_of_a_unit_is_a_row_in_points_a_year():
    series = schema.rows([share(year, 60 + 0.5 * (year - 2016)) for year in range(2016, 2025)])

    (row,) = trend_rows(series, Period(2024))

    schema.rows([row])
    assert (row["value"], row["n"], row["status"]) == (0.5, 9, "ok")
    assert row["low"] == row["high"] == 0.5
    assert row["p"] < 0.05
    claim = Claim.of_row(row, baseline=Period(2016))
    assert claim.arrow == "↑"
    assert "自2016年起" in claim.sentence("zh")
    assert "↑ 增加 0.50 个百分点/年" in claim.sentence("zh")


def test_seven_years_say_why_there_is_no_trend():
    series = schema.rows([share(year, 60.0 + year / 1e3) for year in range(2018, 2025)])

    (row,) = trend_rows(series, Period(2024))

    assert row["status"] == "insufficient" and np.isnan(row["value"]) and row["n"] == 7
    claim = Claim.of_row(row, baseline=Period(2018))
    assert "同季可用数据仅 7 年，至少需要 8 年，不作趋势判断" in claim.sentence("zh")
    assert claim.cell("zh") == "年数不足"


def test_years_without_an_estimate_do_not_count():
    rows = [share(year, 60.0) for year in range(2016, 2025)]
    rows += [share(year, 50.0 + year % 3, "330702") for year in range(2016, 2025)]
    for row in rows[10:12]:
        row |= {"low": np.nan, "high": np.nan, "status": "no_interval"}

    city, county = trend_rows(schema.rows(rows), Period(2024))

    assert (city["n"], city["status"], city["value"]) == (9, "ok", 0.0)
    assert (county["n"], county["status"]) == (7, "insufficient")


def test_p_is_adjusted_over_the_units():
    rng = np.random.default_rng(5)
    values = {unit: rng.normal(60, 1, 9) for unit in ("a", "b", "c")}
    table = schema.rows(
        [share(2016 + at, v, unit) for unit, own in values.items() for at, v in enumerate(own)]
    )

    found = trend_rows(table, Period(2024))

    alone = [pymannkendall.pre_whitening_modification_test(own).p for own in values.values()]
    assert [row["p"] for row in found] == pytest.approx(false_discovery_control(alone))
