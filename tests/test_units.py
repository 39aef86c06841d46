import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinhua_rs import units
from jinhua_rs.schema import INDICATORS

AREAS = st.floats(0, 1e12)


def test_the_city_in_the_units_of_the_plan():
    city_m2 = 10_942e6

    assert units.hectares(city_m2) == pytest.approx(1_094_200)
    assert units.ten_thousand_mu(city_m2) == pytest.approx(1_641.3)
    assert units.ten_thousand_mu(0.61 * city_m2) == pytest.approx(1_001.19, abs=0.01)


def test_constants_agree_with_one_another():
    assert units.mu(10_000) == 15
    assert units.mu(1e6) == pytest.approx(1_500)
    assert pytest.approx(0.0015) == 1 / units.M2_PER_MU


@given(AREAS)
def test_a_hectare_is_fifteen_mu_whatever_the_area(area):
    assert units.mu(area) == pytest.approx(15 * units.hectares(area))
    assert units.ten_thousand_mu(area) * 10_000 == pytest.approx(units.mu(area))


def test_areas_are_measured_in_hectares_in_the_table():
    measures = {name: info.measure for name, info in INDICATORS.items() if "area" in name}

    assert set(measures.values()) == {"ha"}
