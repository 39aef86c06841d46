"""What may be said about an estimate: a verdict against a target, a sentence about a change."""

from enum import StrEnum
from math import isnan

__all__ = ["Verdict", "arrow", "change_sentence", "verdict"]


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


def arrow(low: float, high: float) -> str:
    """
    ``"↑"`` or ``"↓"`` where a 95 % interval of a change lies wholly above or below 0, else ``""``.

    >>> arrow(0.2, 1.4), arrow(-0.3, 1.4), arrow(float("nan"), float("nan"))
    ('↑', '', '')
    """
    return "↑" if low > 0 else "↓" if high < 0 else ""


def change_sentence(value: float, low: float, high: float, *, language: str, measure: str) -> str:
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
        Unit of measure as printed after the number, in ``language``, e.g. ``"个百分点"``.

    Examples
    --------
    >>> change_sentence(1.2, 0.4, 2.0, language="en", measure="points")
    '↑ increase of 1.20 points (95 % interval 0.40 to 2.00)'
    >>> change_sentence(0.3, -0.5, 1.1, language="zh", measure="个百分点")
    '未检出显著变化（0.30 个百分点，95% 置信区间 -0.50 ~ 1.10）'
    """
    chinese = language == "zh"
    if isnan(value):
        return "数据不足" if chinese else "insufficient data"
    if isnan(low) or isnan(high):
        return "无置信区间，不作判断" if chinese else "no interval, not judged"
    sign = arrow(low, high)
    if not sign:
        what = "未检出显著变化" if chinese else "no significant change detected"
        amount = f"{value:.2f} {measure}"
        if chinese:
            return f"{what}（{amount}，95% 置信区间 {low:.2f} ~ {high:.2f}）"
        return f"{what} ({amount}, 95 % interval {low:.2f} to {high:.2f})"
    amount = f"{abs(value):.2f} {measure}"
    near, far = sorted((abs(low), abs(high)))
    if chinese:
        word = "增加" if sign == "↑" else "减少"
        return f"{sign} {word} {amount}（95% 置信区间 {near:.2f} ~ {far:.2f}）"
    word = "increase" if sign == "↑" else "decrease"
    return f"{sign} {word} of {amount} (95 % interval {near:.2f} to {far:.2f})"
