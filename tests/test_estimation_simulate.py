"""Intervals hold the truth as often as they say; without change next to nothing is claimed."""

import numpy as np
import pandas as pd
import pytest

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.area import panel_change, stratified_mean
from jinhua_rs.estimation.simulate import WHOLE, simulate_changes, simulate_coverage

COUNTIES = list(range(330701, 330710))


@pytest.fixture(scope="module")
def city():
    """Nine counties of 20,000 pixels, 45 to 82 % forest; a map with 5 and 8 % errors, 3 % blind."""
    rng = np.random.default_rng(61)
    unit = np.repeat(COUNTIES, 20_000)
    truth = rng.random(unit.size) < np.repeat(np.linspace(0.45, 0.82, 9), 20_000)
    mapped = 1 + np.where(truth, rng.random(unit.size) < 0.95, rng.random(unit.size) < 0.08)
    return truth, np.where(rng.random(unit.size) < 0.03, 0, mapped), unit


def design(unseen, other, forest):
    return {
        (county, code): n for county in COUNTIES for code, n in enumerate((unseen, other, forest))
    }


def test_233_points_a_county_cover_in_95_of_100_samples(city):
    found = simulate_coverage(*city, design(20, 85, 128), 2000, 2014)

    assert found.index.tolist() == [*COUNTIES, WHOLE]
    assert found["covered"].between(0.93, 0.97).all()
    assert found["mean"].to_numpy() == pytest.approx(found["truth"].to_numpy(), abs=0.003)
    assert found["se_ratio"].between(0.9, 1.1).all()
    assert found["n"].tolist() == [233] * 9 + [2097]
    # About 3 points for a county and 1 for the city, either way.
    assert found["width"][:9].max() < 0.07
    assert found.at[WHOLE, "width"] < 0.0215


@pytest.mark.parametrize("sizes", [(10, 18, 22), (6, 7, 7)])
def test_20_to_50_points_a_county_err_on_the_side_of_doubt(city, sizes):
    found = simulate_coverage(*city, design(*sizes), 1000, 2014)

    assert (found["covered"] >= 0.93).all()
    assert 0.93 <= found.at[WHOLE, "covered"] <= 0.97
    # The textbook interval would promise too much: strata without an error met look certain.
    assert found["covered_normal"].min() < 0.93


def test_a_rare_stratum_is_held_too(city):
    truth, mapped, unit = city
    rare = mapped.copy()
    rare[(np.arange(unit.size) % 100 == 0) & (mapped == 2)] = 3

    found = simulate_coverage(truth, rare, unit, 30, 1000, 5)

    assert found["covered"].min() >= 0.93


def test_the_simulated_interval_is_the_one_that_is_published():
    # A stratum whose every pixel is drawn gives the same sample each time.
    truth = np.repeat([1, 0, 1], [30, 10, 20])
    mapped = np.repeat([2, 2, 1], [30, 10, 20])

    found = simulate_coverage(truth, mapped, np.ones(60, int), {(1, 2): 40, (1, 1): 20}, 3, 1)

    weights = pd.Series({2: 40 / 60, 1: 20 / 60})
    published = stratified_mean(truth, mapped, weights, support=(0, 1))
    assert found.at[1, "width"] == pytest.approx(published.high - published.low)
    assert found.at[1, "covered"] == 1


def panels(scale):
    """Strata whose points are misread as loss as often as as gain: nothing has changed."""
    kinds = ((600.0, 130, 0.015), (370.0, 83, 0.02), (30.0, 20, 0.06))
    return pd.DataFrame(
        [
            {"unit": county, "area_m2": area, "n": n, "lost": p * scale, "gained": p * scale}
            for county in COUNTIES
            for area, n, p in kinds
        ]
    )


@pytest.mark.parametrize("scale", [0.0, 0.1, 0.3, 0.5, 1.0, 2.0])
def test_without_change_at_most_5_of_100_claims(scale):
    found = simulate_changes(panels(scale), 4000, 2024)

    # The city within the error of 4000 draws (0.35 points each way), all claims together below 5 %.
    assert found["claimed"].mean() <= 0.05
    assert found["claimed"].max() <= 0.05 + 2 * 0.0035
    assert found["covered"].min() >= 0.94


def test_a_real_change_is_claimed_and_covered():
    real = panels(1.0).assign(lost=0.05)

    found = simulate_changes(real, 2000, 7)

    assert found.at[WHOLE, "claimed"] > 0.9
    assert found["covered"].between(0.93, 0.985).all()
    assert found["mean"].to_numpy() == pytest.approx(found["truth"].to_numpy(), abs=0.002)


def test_the_simulated_change_is_the_one_that_is_published():
    sure = pd.DataFrame(
        {"unit": "u", "area_m2": [3.0, 1.0], "n": [4, 6], "lost": [0.0, 1.0], "gained": 0.0}
    )
    panel = pd.DataFrame({"point": range(10), "unit": "u", "before": 1})
    panel = panel.assign(stratum=["a"] * 4 + ["b"] * 6, after=[1] * 4 + [0] * 6)

    found = simulate_changes(sure, 2, 1).loc["u"]

    published = panel_change(panel, pd.DataFrame({"a": [3.0], "b": [1.0]}, index=["u"])).loc["u"]
    assert found["mean"] == published["value"] == -0.25
    assert found["width"] == pytest.approx(published["high"] - published["low"])


def test_bad_designs_are_refused(city):
    with pytest.raises(ContractError, match="differ in shape"):
        simulate_coverage([1, 0], [1], [1, 1], 2, 5, 1)
    with pytest.raises(ContractError, match="0 or 1"):
        simulate_coverage([2, 0], [1, 1], [1, 1], 2, 5, 1)
    with pytest.raises(ConfigError, match="cannot hold 3 points"):
        simulate_coverage([1, 0], [1, 1], [1, 1], 3, 5, 1)
    with pytest.raises(ConfigError, match="cannot hold 0 points"):
        simulate_coverage([1, 0], [1, 1], [1, 1], {}, 5, 1)
    with pytest.raises(ConfigError, match="2 points or more"):
        simulate_changes(panels(1.0).assign(n=1), 5, 1)
    with pytest.raises(ConfigError, match="chances"):
        simulate_changes(panels(1.0).assign(lost=1.2), 5, 1)
