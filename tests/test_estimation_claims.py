"""What may be claimed: never more than the interval allows."""

from dataclasses import replace
from math import nan

import pandas as pd
import pytest

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.claims import (
    Claim,
    Verdict,
    arrow,
    change_sentence,
    leaves_0_out,
    verdict,
)
from jinhua_rs.estimation.simulate import simulate_changes
from jinhua_rs.period import Period
from jinhua_rs.schema import INDICATORS, Status


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (61.0, 62.0, "达到"),
        (60.99, 62.0, "不能判定"),
        (59.0, 61.0, "不能判定"),
        (59.0, 60.99, "未达到"),
        (nan, nan, "不能判定"),
        (nan, 60.0, "不能判定"),
        (62.0, nan, "不能判定"),
    ],
)
def test_three_states(low, high, expected):
    assert verdict(low, high, 61.0) == expected


def test_verdicts_speak_both_languages():
    assert [v.text("zh") for v in Verdict] == ["达到", "未达到", "不能判定"]
    assert [v.text("en") for v in Verdict] == ["met", "not met", "cannot be decided"]


@pytest.mark.parametrize(
    ("value", "low", "high", "zh", "en"),
    [
        (1.2, 0.4, 2.0, "↑ 增加 1.20 个百分点（95% 置信区间 0.40 ~ 2.00）",
         "↑ increase of 1.20 points (95 % interval 0.40 to 2.00)"),
        (-1.2, -2.0, -0.4, "↓ 减少 1.20 个百分点（95% 置信区间 0.40 ~ 2.00）",
         "↓ decrease of 1.20 points (95 % interval 0.40 to 2.00)"),
        (-0.3, -1.1, 0.5, "未检出显著变化（−0.30 个百分点，95% 置信区间 −1.10 ~ 0.50）",
         "no significant change detected (−0.30 points, 95 % interval −1.10 to 0.50)"),
        (0.0, 0.0, 0.0, "未检出显著变化（0.00 个百分点，95% 置信区间 0.00 ~ 0.00）",
         "no significant change detected (0.00 points, 95 % interval 0.00 to 0.00)"),
        (3.0, nan, nan, "无置信区间，不作判断", "no interval, not judged"),
        (nan, nan, nan, "数据不足", "insufficient data"),
    ],
)  # fmt: skip
def test_change_sentences(value, low, high, zh, en):
    assert change_sentence(value, low, high, language="zh", measure=" 个百分点") == zh
    assert change_sentence(value, low, high, language="en", measure=" points") == en


@pytest.mark.parametrize("interval", [(nan, nan), (-1.0, 1.0), (0.0, 1.0), (-1.0, 0.0)])
def test_no_arrow_without_a_clear_interval(interval):
    sentence = change_sentence(0.5, *interval, language="zh", measure="")

    assert arrow(*interval) == ""
    assert "↑" not in sentence
    assert "↓" not in sentence


YEAR = Claim(
    what="tree_cover_share",
    period=Period(2024),
    unit="330700",
    value=61.82,
    low=61.04,
    high=62.6,
    n=2097,
    clear_share=0.974,
    test="wilson",
    status=Status.OK,
)
CHANGE = replace(
    YEAR, what="tree_cover_change", value=1.2, low=0.4, high=2.0, test="t", baseline=Period(2019)
)
QUARTER = replace(YEAR, period=Period(2024, 4))


def test_a_claim_says_everything_it_rests_on():
    assert YEAR.sentence("zh", place="金华市") == (
        "2024年，金华市遥感监测森林（林木）覆盖率：61.82%（95% 置信区间 61.04% ~ 62.60%，"
        "样点 2097 个，有效观测占比 97.4%）。"
    )
    assert YEAR.sentence("en", place="Jinhua") == (
        "2024, Jinhua, tree cover (canopy ≥ 20 %) as seen by satellite, share of land: 61.82% "
        "(95 % interval 61.04% to 62.60%; 2097 points, 97.4% seen clear)."
    )


def test_a_change_is_told_with_its_arrow_only_where_it_is_one():
    assert (CHANGE.arrow, CHANGE.significant) == ("↑", True)
    assert CHANGE.sentence("zh").startswith("2024年，与2019年相比，330700")
    assert "↑ 增加 1.20 个百分点" in CHANGE.sentence("zh")

    none = replace(CHANGE, low=-0.1)
    assert (none.arrow, none.significant) == ("", False)
    assert "未检出显著变化" in none.sentence("zh")
    assert "no significant change detected" in none.sentence("en")


def test_only_a_year_is_held_against_a_target():
    assert YEAR.verdict(61.0) == "达到"
    assert YEAR.verdict(63.0) == "未达到"
    assert YEAR.verdict(62.0) == "不能判定"
    assert QUARTER.verdict(61.0) is None
    assert CHANGE.verdict(0.1) is None
    assert "不与年度目标比较" in QUARTER.sentence("zh")
    assert "not held against" in QUARTER.sentence("en")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_number_without_interval_and_clear_view(language):
    bare = replace(YEAR, low=nan, high=nan, status=Status.NO_INTERVAL)
    dim = replace(bare, value=nan, clear_share=0.31, status=Status.INSUFFICIENT)

    assert "61.8" not in bare.sentence(language)
    assert "31.0%" in dim.sentence(language)
    assert [c.verdict(61.0) for c in (bare, dim)] == [Verdict.UNDECIDED] * 2
    assert [c.arrow for c in (bare, dim)] == ["", ""]


def test_seasons_are_not_mixed():
    assert replace(CHANGE, period=Period(2024, 2), baseline=Period(2019, 2)).arrow == "↑"
    for period, baseline in ((Period(2024, 2), Period(2023, 4)), (Period(2024, 4), Period(2023))):
        with pytest.raises(ConfigError, match="different seasons"):
            replace(CHANGE, period=period, baseline=baseline)


@pytest.mark.parametrize(
    ("claim", "parts", "message"),
    [
        (YEAR, {"what": "happiness"}, "unknown indicator"),
        (YEAR, {"status": "fine"}, "unknown status"),
        (YEAR, {"baseline": Period(2019)}, "needs a baseline"),
        (CHANGE, {"baseline": None}, "needs a baseline"),
        (YEAR, {"low": 61.9}, "holds its value"),
        (YEAR, {"value": nan}, "holds its value"),
        (YEAR, {"high": nan}, "holds its value"),
        (YEAR, {"n": 0}, "no points"),
        (YEAR, {"clear_share": 0.0}, "no clear view"),
        (YEAR, {"clear_share": nan}, "no clear view"),
        (YEAR, {"status": Status.INSUFFICIENT}, "a number although"),
        (YEAR, {"status": Status.NO_INTERVAL}, "should not have"),
    ],
)
def test_claims_that_do_not_fit_are_refused(claim, parts, message):
    with pytest.raises(ContractError, match=message):
        replace(claim, **parts)


def test_a_claim_of_a_row():
    row = {"period": "2024Q4", "unit": "330702", "indicator": "tree_cover_area", "value": 5e4}
    row |= {"low": 4e4, "high": 6e4, "measure": "ha", "status": "ok", "n_clear_share": 0.9}
    row |= {"n": 233, "test": "wilson", "p": nan}

    claim = Claim.of_row(row)

    assert (claim.period, claim.unit, claim.n) == (Period(2024, 4), "330702", 233)
    assert "75.00 万亩（95% 置信区间 60.00 万亩 ~ 90.00 万亩" in claim.sentence("zh")
    assert "50,000.00 ha" in claim.sentence("en")


@pytest.mark.parametrize("what", sorted(INDICATORS))
def test_every_indicator_can_be_claimed(what):
    baseline = Period(2019) if INDICATORS[what].measure.startswith("points") else None

    assert replace(YEAR, what=what, baseline=baseline).sentence("zh").endswith("。")


def test_the_verdict_can_be_checked_by_eye():
    assert YEAR.reading(61.0, "zh") == "区间下限不低于 61%"
    assert YEAR.reading(63.0, "en") == "the whole interval lies below 63%"
    assert YEAR.reading(62.0, "zh") == "区间跨越 62%"
    assert QUARTER.reading(61.0, "zh") == "季度值不与年度目标比较"
    bare = replace(YEAR, low=nan, high=nan, status=Status.NO_INTERVAL)
    assert bare.reading(61.0, "zh") == "没有可用的区间"


def test_a_table_has_a_number_for_a_change_only_where_there_is_one():
    assert CHANGE.cell("zh") == "↑ +1.20"
    assert replace(CHANGE, low=-0.1).cell("zh") == "未检出显著变化"
    bare = replace(CHANGE, low=nan, high=nan, status=Status.NO_INTERVAL)
    assert bare.cell("zh") == "无区间，不作判断"
    assert YEAR.cell("en") == "61.82"


def test_where_a_test_stands_beside_the_interval_both_must_find_the_change():
    trend = replace(CHANGE, what="tree_cover_trend", n=9, test="mann-kendall", p=0.04)

    assert (trend.significant, trend.arrow) == (True, "↑")
    assert "1.20 个百分点/年" in trend.sentence("zh")
    assert "9 年，p = 0.040" in trend.sentence("zh")
    for other in (replace(trend, p=0.05), replace(trend, low=-0.1)):
        assert (other.significant, other.arrow) == (False, "")
        assert "未检出显著变化" in other.sentence("zh")


def test_on_simulated_histories_without_change_at_most_5_of_100_claims():
    """City and counties, 1,500 panels; readers err as often towards loss as towards gain."""
    kinds = ((600.0, 140, 0.015), (400.0, 90, 0.02))
    strata = pd.DataFrame(
        [
            {"unit": f"33070{county}", "area_m2": area, "n": n, "lost": p, "gained": p}
            for county in range(9)
            for area, n, p in kinds
        ]
    )

    found = simulate_changes(strata, 1500, 61)

    assert found["claimed"].mean() <= 0.05
    assert found["claimed"].max() <= 0.05 + 2 * 0.0057


@pytest.mark.parametrize("low", [-1.0, 0.0, 0.2, nan])
@pytest.mark.parametrize("high", [-0.5, 0.0, 1.0, nan])
def test_the_rule_of_the_simulation_is_the_rule_of_the_claim(low, high):
    assert bool(leaves_0_out([low], [high])[0]) == (arrow(low, high) != "")
