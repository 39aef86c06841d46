from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jinhua_rs.errors import ConfigError
from jinhua_rs.period import ZONE, Period


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2024Q3", Period(2024, 3)),
        ("2024q3", Period(2024, 3)),
        ("2024-Q3", Period(2024, 3)),
        ("2024年第三季度", Period(2024, 3)),
        ("2024年第3季度", Period(2024, 3)),
        ("2024年三季度", Period(2024, 3)),
        (" 2024 ", Period(2024)),
        ("2024年", Period(2024)),
    ],
)
def test_parse_reads_what_people_write(text, expected):
    assert Period.parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024Q5",
        "2024Q0",
        "24Q3",
        "第三季度",
        "2024-07",
        "../2024Q3",
        "1999Q1",
        "2024年第五季度",
    ],
)
def test_parse_refuses_the_rest_with_exit_code_2(text):
    with pytest.raises(ConfigError, match="unknown period") as caught:
        Period.parse(text)
    assert caught.value.exit_code == 2
    assert "2024年第三季度" in caught.value.text("zh")


@pytest.mark.parametrize("text", ["2014", "2014Q3", "2101", "2101Q1"])
def test_the_message_names_the_period_as_it_was_written(text):
    with pytest.raises(ConfigError, match=f"unknown period '{text}'") as caught:
        Period.parse(text)
    assert f"'{text}'" in caught.value.text("zh")


@pytest.mark.parametrize("last", [Period(2100), Period(2100, 4)])
def test_the_last_period_has_an_end(last):
    assert last.stop == datetime(2101, 1, 1, tzinfo=ZONE)
    assert last.contains(datetime(2100, 12, 31, tzinfo=ZONE))
    assert Period(2099) < last


@given(st.integers(2015, 2099), st.sampled_from([None, 1, 2, 3, 4]))
def test_a_period_ends_where_the_next_begins(year, number):
    period = Period(year, number)

    assert period.stop == (period + 1).start


@given(st.integers(2016, 2090), st.integers(1, 4), st.integers(-3, 40))
def test_quarter_arithmetic_is_a_line(year, number, steps):
    quarter = Period(year, number)

    assert quarter + steps - steps == quarter
    assert Period.parse(str(quarter)) == quarter
    assert Period.parse(quarter.name_zh) == quarter


@given(st.datetimes(datetime(2016, 1, 1), datetime(2090, 1, 1)))
def test_every_instant_lies_in_exactly_one_quarter(instant):
    instant = instant.replace(tzinfo=UTC)
    local_year = (instant + timedelta(hours=8)).year

    holding = [
        q
        for y in (local_year - 1, local_year)
        for q in (Period(y, n) for n in (1, 2, 3, 4))
        if q.contains(instant)
    ]

    assert len(holding) == 1


def test_local_midnight_belongs_to_the_new_quarter():
    midnight = datetime(2024, 9, 30, 16, 0, tzinfo=UTC)

    assert Period(2024, 4).contains(midnight)
    assert not Period(2024, 3).contains(midnight)
    assert Period(2024, 3).contains(midnight - timedelta(microseconds=1))


def test_only_equal_seasons_compare():
    assert Period(2024, 4).comparable(Period(2019, 4))
    assert not Period(2024, 4).comparable(Period(2024, 2))
    assert not Period(2024).comparable(Period(2024, 2))
    assert Period(2023, 4) < Period(2024, 1) < Period(2024, 2)
