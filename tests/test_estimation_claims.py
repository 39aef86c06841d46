"""What may be claimed: never more than the interval allows."""

from math import nan

import pytest

from jinhua_rs.estimation.claims import Verdict, arrow, change_sentence, verdict


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
        (-0.3, -1.1, 0.5, "未检出显著变化（-0.30 个百分点，95% 置信区间 -1.10 ~ 0.50）",
         "no significant change detected (-0.30 points, 95 % interval -1.10 to 0.50)"),
        (0.0, 0.0, 0.0, "未检出显著变化（0.00 个百分点，95% 置信区间 0.00 ~ 0.00）",
         "no significant change detected (0.00 points, 95 % interval 0.00 to 0.00)"),
        (3.0, nan, nan, "无置信区间，不作判断", "no interval, not judged"),
        (nan, nan, nan, "数据不足", "insufficient data"),
    ],
)  # fmt: skip
def test_change_sentences(value, low, high, zh, en):
    assert change_sentence(value, low, high, language="zh", measure="个百分点") == zh
    assert change_sentence(value, low, high, language="en", measure="points") == en


@pytest.mark.parametrize("interval", [(nan, nan), (-1.0, 1.0), (0.0, 1.0), (-1.0, 0.0)])
def test_no_arrow_without_a_clear_interval(interval):
    sentence = change_sentence(0.5, *interval, language="zh", measure="")

    assert arrow(*interval) == ""
    assert "↑" not in sentence
    assert "↓" not in sentence
