"""Estimators against the published example of Olofsson et al. 2014, by hand, and by repetition."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinhua_rs.errors import ContractError, NoDataError
from jinhua_rs.estimation.area import (
    coverage,
    panel_change,
    pool_small,
    post_stratified_mean,
    stratified_mean,
)
from jinhua_rs.estimation.matrix import confusion_estimate

CLASSES = ["deforestation", "gain", "forest", "other"]
COUNTS = pd.DataFrame(
    [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]], index=CLASSES, columns=CLASSES
)
HECTARES = pd.Series([200_000, 150_000, 3_200_000, 6_450_000], index=CLASSES) * 0.09


def test_the_published_example_area_and_accuracy():
    found = confusion_estimate(COUNTS, HECTARES)

    classes, half = found.classes, 1.96
    assert classes["area"].tolist() == pytest.approx(
        [21157.8, 11686.2, 285769.9, 581386.2], abs=0.1
    )
    assert (half * classes["area_se"]).tolist() == pytest.approx(
        [6157.6, 3755.8, 15509.8, 16281.7], abs=0.1
    )
    assert classes["users"].tolist() == pytest.approx([0.88, 0.733, 0.927, 0.963], abs=5e-4)
    assert (half * classes["users_se"]).tolist() == pytest.approx(
        [0.074, 0.101, 0.040, 0.021], abs=5e-4
    )
    assert classes["producers"].tolist() == pytest.approx([0.749, 0.847, 0.935, 0.962], abs=5e-4)
    assert (half * classes["producers_se"]).tolist() == pytest.approx(
        [0.213, 0.254, 0.034, 0.018], abs=5e-4
    )
    assert found.overall.value == pytest.approx(0.9465, abs=5e-5)
    assert found.overall.value - found.overall.low == pytest.approx(0.0185, abs=5e-5)
    assert found.overall.n == 640


@pytest.mark.parametrize("name", CLASSES)
def test_both_estimators_agree_on_the_published_example(name):
    # One point per count; without a support there is no floor, as in the paper.
    strata = np.repeat(CLASSES, COUNTS.sum(axis=1))
    reference = np.concatenate([np.repeat(CLASSES, row) for row in COUNTS.to_numpy()])

    found = stratified_mean(reference == name, strata, HECTARES / HECTARES.sum())

    expected = confusion_estimate(COUNTS, HECTARES).classes.loc[name]
    assert found.value * HECTARES.sum() == pytest.approx(expected["area"])
    assert found.se * HECTARES.sum() == pytest.approx(expected["area_se"])


def test_stratified_mean_by_hand():
    # W = 0.25, 0.75; means 1.5 and 4; variances of the means 0.25 and 1.
    weights = pd.Series({"a": 0.25, "b": 0.75})

    found = stratified_mean([1, 2, 3, 5], ["a", "a", "b", "b"], weights)

    assert found.value == 3.375
    assert found.se == pytest.approx(np.sqrt(0.0625 * 0.25 + 0.5625))
    assert (found.low + found.high) / 2 == pytest.approx(3.375)
    assert (found.n, found.method) == (4, "t")


def test_a_share_in_one_stratum_has_wilsons_interval():
    # Effective size is n - 1 = 100; t with 100 degrees of freedom is 1.98397.
    found = stratified_mean([1] * 30 + [0] * 71, [1] * 101, pd.Series({1: 1.0}), support=(0, 1))

    p, q, n = 30 / 101, 1.98397, 100
    center, half = p + q**2 / 2 / n, q * np.sqrt(p * (1 - p) / n + q**2 / 4 / n**2)
    assert found.low == pytest.approx((center - half) / (1 + q**2 / n), abs=1e-5)
    assert found.high == pytest.approx((center + half) / (1 + q**2 / n), abs=1e-5)
    assert found.method == "wilson"


@pytest.mark.parametrize(("y", "value"), [(0, 0.0), (1, 1.0)])
def test_points_that_all_agree_are_no_certainty(y, value):
    found = stratified_mean([y] * 40, [1, 2] * 20, pd.Series({1: 0.5, 2: 0.5}), support=(0, 1))

    assert found.value == value
    assert found.se > 0
    assert 0.05 < found.high - found.low < 0.15
    assert 0 <= found.low <= value <= found.high <= 1


def test_a_share_of_one_is_known_as_well_as_its_points_allow():
    # Area shares of 0.1 and so on add up to a hair less than 1.
    weights = pd.Series(dict.fromkeys(range(10), 0.1))

    found = stratified_mean([1] * 200, list(range(10)) * 20, weights, support=(0, 1))

    assert found.value == pytest.approx(1.0)
    assert 0.95 < found.low < 1


def test_post_strata_by_hand():
    # Half of the ground each; 4 and 6 of 10 points; s² = 1/4 and 4/15 with hits and misses.
    weights = pd.Series({"a": 0.5, "b": 0.5})
    y, strata = [1, 0, 0, 0, 1, 1, 1, 1, 0, 0], ["a"] * 4 + ["b"] * 6

    found = post_stratified_mean(y, strata, weights)

    s2_a, s2_b = 4 / 3 * 0.25 * 0.75, 6 / 5 * (4 / 6) * (2 / 6)
    assert found.value == pytest.approx((0.25 + 4 / 6) / 2)
    assert found.se**2 == pytest.approx((s2_a + s2_b) / 2 / 10 + (s2_a + s2_b) / 2 / 100)


def test_post_strata_doubt_as_much_as_repeated_simple_samples_scatter():
    rng = np.random.default_rng(11)
    rates, weights = np.array([0.95, 0.10]), pd.Series({0: 0.7, 1: 0.3})
    found = []
    for _ in range(400):
        strata = (rng.random(120) < 0.3).astype(int)
        y = (rng.random(120) < rates[strata]).astype(float)
        found.append(post_stratified_mean(y, strata, weights, support=(0, 1)))

    values = np.array([one.value for one in found])
    assert values.mean() == pytest.approx(0.7 * 0.95 + 0.3 * 0.10, abs=0.005)
    assert np.mean([one.se for one in found]) == pytest.approx(values.std(), rel=0.1)
    held = [one.low <= 0.695 <= one.high for one in found]
    assert np.mean(held) >= 0.92


def test_four_changes_of_one_sign_are_no_fact_yet():
    # The plain t interval would claim them, and would be wrong in 1 of 8 such histories.
    found = stratified_mean([1] * 4 + [0] * 229, [1] * 233, pd.Series({1: 1.0}), support=(-1, 0, 1))

    assert found.value > 1.97 * found.se
    assert found.low < 0


def test_no_change_seen_is_no_certainty_of_no_change():
    # All of n points at 0: variance 1 / (a (a + 1)) with a = n + 3/2.
    found = stratified_mean([0] * 50, [1] * 50, pd.Series({1: 1.0}), support=(-1, 0, 1))

    assert found.se == pytest.approx(np.sqrt(1 / (51.5 * 52.5)))
    assert found.low == pytest.approx(-found.high)


@given(
    st.lists(
        st.tuples(st.integers(2, 30), st.floats(0, 1), st.floats(0.01, 1)), min_size=1, max_size=6
    )
)
def test_an_interval_holds_its_value_and_stays_within_bounds(strata):
    sizes, rates, areas = zip(*strata, strict=True)
    y = np.concatenate([np.arange(n) < round(n * p) for n, p in zip(sizes, rates, strict=True)])

    found = stratified_mean(
        y, np.repeat(np.arange(len(sizes)), sizes), pd.Series(areas) / sum(areas), support=(0, 1)
    )

    assert 0 <= found.low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.high <= 1
    assert found.high - found.low > 0


def share_of_intervals_that_hold_the_truth(sizes, rates, repetitions=500):
    """Draw samples from a map of forest, other land and unseen ground (60, 35 and 5 %)."""
    weights, rng = pd.Series({2: 0.60, 1: 0.35, 0: 0.05}), np.random.default_rng(20140101)
    strata = np.repeat(weights.index.to_numpy(), sizes)
    truth = float(weights.to_numpy() @ rates)

    draws = rng.random((repetitions, strata.size)) < np.repeat(rates, sizes)
    found = [stratified_mean(y, strata, weights, support=(0, 1)) for y in draws]

    assert np.mean([f.value for f in found]) == pytest.approx(truth, abs=0.005)
    return np.mean([f.low <= truth <= f.high for f in found])


@pytest.mark.parametrize(
    ("sizes", "rates"),
    [
        ((120, 80, 20), (0.95, 0.07, 0.5)),
        ((120, 80, 20), (0.99, 0.02, 0.3)),
        ((50, 30, 10), (0.90, 0.10, 0.5)),
    ],
)
def test_intervals_hold_the_truth_in_95_of_100_samples(sizes, rates):
    assert 0.92 <= share_of_intervals_that_hold_the_truth(sizes, rates) <= 0.98


@pytest.mark.parametrize("sizes", [(25, 20, 6), (8, 8, 8), (40, 3, 2)])
def test_intervals_of_small_samples_err_on_the_side_of_doubt(sizes):
    # Strata whose few points all agree would without a floor be held for certain.
    assert share_of_intervals_that_hold_the_truth(sizes, (0.97, 0.10, 0.5)) >= 0.92


def test_change_intervals_cover_the_truth_and_gain_from_the_panel():
    # 3 % of the area mapped as forest is lost, 4 % of the rest gained, in 300 repetitions.
    rng = np.random.default_rng(7)
    parts = []
    for stratum, size, before, lost, gained in (
        ("f", 240, 0.96, 0.03, 0),
        ("o", 160, 0.05, 0, 0.04),
    ):
        y = rng.random((300, size)) < before
        chance = np.where(y, lost / before, gained / (1 - before))
        part = {"before": y.ravel() * 1, "after": (y ^ (rng.random(y.shape) < chance)).ravel() * 1}
        unit, point = np.divmod(np.arange(y.size), size)
        parts.append(pd.DataFrame({"unit": unit, "point": [f"{stratum}{i}" for i in point]} | part))
        parts[-1]["stratum"] = stratum
    panel = pd.concat(parts)
    areas = pd.DataFrame({"f": 60.0, "o": 40.0}, index=range(300))

    found = panel_change(panel, areas)

    truth = 0.6 * -0.03 + 0.4 * 0.04
    assert 0.92 <= ((found["low"] <= truth) & (truth <= found["high"])).mean() <= 0.98
    apart = [coverage(panel.assign(y=panel[c]), areas.head(30))["se"] for c in ("before", "after")]
    assert found["se"].head(30).mean() < 0.8 * np.hypot(*apart).mean()


def test_panel_change_by_hand():
    panel = pd.DataFrame(
        {
            "point": range(4),
            "unit": "u",
            "stratum": "a",
            "before": [1, 1, 0, 0],
            "after": [0, 1, 0, 0],
        }
    )

    found = panel_change(panel, pd.DataFrame({"a": [5.0]}, index=["u"])).loc["u"]

    assert found["value"] == -0.25
    assert found["se"] == pytest.approx(0.25)


def test_coverage_by_unit_and_from_all_strata():
    # Overlapping units: the city holds both counties; its strata are named by county.
    county = pd.DataFrame(
        {
            "point": range(8),
            "unit": ["A"] * 4 + ["B"] * 4,
            "stratum": ["A:2", "A:2", "A:1", "A:1", "B:2", "B:2", "B:2", "B:2"],
            "y": [1, 1, 0, 1, 1, 0, 1, 1],
        }
    )
    sample = pd.concat([county, county.assign(unit="city")])
    areas = pd.DataFrame(
        {"A:1": [40, 0, 40], "A:2": [60, 0, 60], "B:2": [0, 300, 300]}, index=["A", "B", "city"]
    )

    found = coverage(sample, areas)

    assert found["value"].tolist() == pytest.approx([0.8, 0.75, (80 + 225) / 400])
    assert found["n"].tolist() == [4, 4, 8]
    assert (found["reason"] == "").all()


def test_a_unit_without_points_has_no_number_but_a_reason():
    sample = pd.DataFrame({"point": [1, 2, 3], "unit": "A", "stratum": "A:1", "y": [0, 1, 1]})
    areas = pd.DataFrame({"A:1": [10.0, np.nan], "B:1": [np.nan, 5.0]}, index=["A", "B"])

    found = coverage(sample, areas)

    assert found.loc["A", "value"] == pytest.approx(2 / 3)
    assert np.isnan(found.loc["B", "value"])
    assert "fewer than 2 reference points" in found.loc["B", "reason"]


def test_small_strata_are_pooled_only_where_they_are_little_ground():
    strata = pd.Series(["a"] * 9 + ["b", "c"])

    pooled, shares = pool_small(strata, pd.Series({"a": 0.9, "b": 0.06, "c": 0.04}))
    assert shares.to_dict() == pytest.approx({"a": 0.9, "b": 0.1})
    assert pooled.value_counts().to_dict() == {"a": 9, "b": 2}

    _, shares = pool_small(strata[:10], pd.Series({"a": 0.95, "b": 0.05}))
    assert shares.to_dict() == pytest.approx({"a": 0.95})

    with pytest.raises(NoDataError, match=r"12\.0% of the area") as caught:
        pool_small(strata, pd.Series({"a": 0.88, "b": 0.06, "c": 0.06}))
    assert "参考样点不足" in caught.value.text("zh")


def test_ground_without_points_may_be_anything():
    sample = pd.DataFrame({"point": range(50), "unit": "A", "stratum": "f", "y": [1, 0] * 25})
    blind = pd.DataFrame({"f": [96.0], "dark": [4.0]}, index=["A"])

    found, known = (coverage(sample, areas).loc["A"] for areas in (blind, blind[["f"]]))

    assert found["value"] == known["value"] == 0.5
    assert found["low"] == pytest.approx(0.96 * known["low"])
    assert found["high"] == pytest.approx(0.96 * known["high"] + 0.04)


def test_bad_samples_are_refused():
    weights = pd.Series({1: 1.0})
    with pytest.raises(NoDataError, match=r"strata \[1\]"):
        stratified_mean([1], [1], weights)
    with pytest.raises(ContractError, match="must be given"):
        stratified_mean([1, np.nan], [1, 1], weights)
    with pytest.raises(ContractError, match="must be given"):
        stratified_mean([1, 2], [1, 1], weights, support=(0, 1))
    with pytest.raises(ContractError, match=r"0\.500000 instead of 1"):
        stratified_mean([1, 0], [1, 1], weights / 2)
    twice = pd.DataFrame({"point": [1, 1], "unit": "A", "stratum": 1, "y": [0, 1]})
    with pytest.raises(ContractError, match="twice"):
        coverage(twice, pd.DataFrame({1: [1.0]}, index=["A"]))


def test_bad_confusion_matrices_are_refused():
    with pytest.raises(ContractError, match="same classes"):
        confusion_estimate(COUNTS, HECTARES[::-1])
    with pytest.raises(NoDataError, match="deforestation"):
        confusion_estimate(COUNTS.mul([0, 1, 1, 1], axis=0), HECTARES)


def test_a_class_that_the_reference_never_met_has_no_producers_accuracy():
    counts = pd.DataFrame([[9, 0], [4, 0]], index=["a", "b"], columns=["a", "b"])

    classes = confusion_estimate(counts, pd.Series({"a": 1.0, "b": 1.0})).classes

    assert np.isnan(classes.at["b", "producers"])
    assert classes.at["b", "area"] == 0
