"""What an interval allows: verdicts against a target, arrows, and the words for a change."""

from enum import StrEnum
from math import isnan

import numpy as np
import numpy.typing as npt

from jinhua_rs.estimation.printed import shown

__all__ = ["LEVEL", "MIN_YEARS", "Verdict", "arrow", "change_sentence", "leaves_0_out", "verdict"]

LEVEL = 0.05
"""Rate of error up to which something is claimed."""
MIN_YEARS = 8
"""Fewer years of a season say nothing of a trend."""


class Verdict(StrEnum):
    """Where a 95 % interval stands against a target; the value is the Chinese word."""

    MET = "达到"
    NOT_MET = "未达到"
    UNDECIDED = "不能判定"

    def text(self, language: str) -> str:
        """Return the verdict in ``language`` (``"zh"`` or ``"en"``)."""
        return self.value if language == "zh" else _ENGLISH[self]


_ENGLISH = {
    Verdict.MET: "met",
    Verdict.NOT_MET: "not met",
    Verdict.UNDECIDED: "cannot be decided",
}


def verdict(low: float, high: float, target: float) -> Verdict:
    """
    Judge an interval against a target that is to be reached or exceeded.

    Parameters
    ----------
    low, high : float, in the unit of ``target``
        95 % interval. With a NaN (no interval) nothing can be decided.
    target : float
        The figure of the plan.

    Examples
    --------
    >>> verdict(61.0, 63.2, 61.0), verdict(59.0, 60.9, 61.0), verdict(60.1, 62.5, 61.0)
    (<Verdict.MET: '达到'>, <Verdict.NOT_MET: '未达到'>, <Verdict.UNDECIDED: '不能判定'>)
    """
    if isnan(low) or isnan(high) or low < target <= high:
        return Verdict.UNDECIDED
    return Verdict.MET if low >= target else Verdict.NOT_MET


def leaves_0_out(low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Tell where intervals lie wholly on one side of 0: the rule by which a change is claimed."""
    return np.asarray((np.asarray(low) > 0) | (np.asarray(high) < 0))


def arrow(low: float, high: float) -> str:
    """
    ``"↑"`` or ``"↓"`` where a 95 % interval of a change lies wholly above or below 0, else ``""``.

    >>> arrow(0.2, 1.4), arrow(-0.3, 1.4), arrow(float("nan"), float("nan"))
    ('↑', '', '')
    """
    return ("↑" if low > 0 else "↓") if leaves_0_out(low, high) else ""


def change_sentence(
    value: float, low: float, high: float, *, language: str, measure: str, clear: bool = True
) -> str:
    """
    Say in words what a change amounts to, and only as much as its interval allows.

    Parameters
    ----------
    value, low, high : float, in ``measure``
        Change and its 95 % interval. NaN value: data insufficient; NaN interval: a change that
        was mapped but not estimated, so that nothing is said about it.
    language : str
        ``"zh"`` or ``"en"``.
    measure : str
        Unit of measure as printed after the number, in ``language``, e.g. ``" points"``.
    clear : bool
        False where a test beside the interval did not find the change.

    Examples
    --------
    >>> change_sentence(1.2, 0.4, 2.0, language="en", measure=" points")
    '↑ increase of 1.20 points (95 % interval 0.40 to 2.00)'
    >>> change_sentence(0.3, -0.5, 1.1, language="zh", measure=" 个百分点")
    '未检出显著变化（0.30 个百分点，95% 置信区间 −0.50 ~ 1.10）'
    """
    chinese = language == "zh"
    if isnan(value):
        return "数据不足" if chinese else "insufficient data"
    if isnan(low) or isnan(high):
        return "无置信区间，不作判断" if chinese else "no interval, not judged"
    sign = arrow(low, high) if clear else ""
    if not sign:
        what = "未检出显著变化" if chinese else "no significant change detected"
        amount, ends = f"{shown(value)}{measure}", (shown(low), shown(high))
        if chinese:
            return f"{what}（{amount}，95% 置信区间 {ends[0]} ~ {ends[1]}）"
        return f"{what} ({amount}, 95 % interval {ends[0]} to {ends[1]})"
    amount = f"{shown(abs(value))}{measure}"
    near, far = (shown(end) for end in sorted((abs(low), abs(high))))
    if chinese:
        word = "增加" if sign == "↑" else "减少"
        return f"{sign} {word} {amount}（95% 置信区间 {near} ~ {far}）"
    word = "increase" if sign == "↑" else "decrease"
    return f"{sign} {word} of {amount} (95 % interval {near} to {far})"
