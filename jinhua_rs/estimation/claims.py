"""
A claim: one thing that may be said, with all it rests on, its sentence, arrow and verdict.

Rules, kept by :class:`Claim`:

* A number is said with its interval, its points and its clear-view share, or not at all.
* A change whose interval covers 0 is 未检出显著变化; it has no arrow. Where a test stands beside
  the interval (a trend), both must find it.
* Only one season is compared with itself: Q2 never with Q4, a quarter never with a year.
* A target is a matter of a year. A quarter's coverage is told, but not held against it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan, nan
from typing import Any, Self

from jinhua_rs.errors import ConfigError, ContractError
from jinhua_rs.estimation.printed import percent, shown
from jinhua_rs.estimation.verdicts import (
    LEVEL,
    MIN_YEARS,
    Verdict,
    arrow,
    change_sentence,
    leaves_0_out,
    verdict,
)
from jinhua_rs.period import Period
from jinhua_rs.schema import INDICATORS, Status
from jinhua_rs.units import ten_thousand_mu

__all__ = ["Claim"]

_STATES = (Status.OK, Status.NO_INTERVAL, Status.INSUFFICIENT)
_MEASURES = {
    "%": (("%", 1.0), ("%", 1.0)),
    "ha": ((" 万亩", ten_thousand_mu(10_000.0)), (" ha", 1.0)),
    "points": ((" 个百分点", 1.0), (" points", 1.0)),
    "points/yr": ((" 个百分点/年", 1.0), (" points a year", 1.0)),
    "1": (("", 1.0), ("", 1.0)),
}
"""What is printed after a number and what it is multiplied by, in Chinese and in English."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """
    One thing that an outlet may say, with everything it rests on.

    Attributes
    ----------
    what : str
        Indicator, a key of ``schema.INDICATORS``; it gives the unit of measure.
    period : Period
        What it is about.
    unit : str
        Reporting unit, by code or name.
    value, low, high : float, in the indicator's measure
        Estimate and 95 % interval; NaN: none.
    n : int
        Reference points it rests on; years of a trend.
    clear_share : float, 0-1
        Share of the unit seen clear.
    test : str
        How the interval was made, e.g. ``"wilson"``.
    status : str
        One of ``schema.Status``.
    baseline : Period, optional
        What a change is measured from; of the same season. Only and always for a change; for a
        trend its first year.
    p : float, 0-1
        Of a test that stands beside the interval; NaN: none, the interval alone decides.

    Raises
    ------
    ContractError
        If the parts do not fit: unknown indicator or status, a usable number without interval,
        points or clear view, an interval that does not hold its value, a number although data
        are insufficient, a baseline where there is no change or none where there is one.
    ConfigError
        If period and baseline are of different seasons.

    Examples
    --------
    >>> year = Claim(
    ...     what="tree_cover_share",
    ...     period=Period(2024),
    ...     unit="330700",
    ...     value=61.82,
    ...     low=61.04,
    ...     high=62.6,
    ...     n=2097,
    ...     clear_share=0.974,
    ...     test="wilson",
    ...     status=Status.OK,
    ... )
    >>> year.verdict(61.0), year.arrow
    (<Verdict.MET: '达到'>, '')
    """

    what: str
    period: Period
    unit: str
    value: float
    low: float
    high: float
    n: int
    clear_share: float
    test: str
    status: str
    baseline: Period | None = None
    p: float = nan

    def __post_init__(self) -> None:
        wrong = self._wrong()
        if wrong:
            raise ContractError(
                f"claim about {self.what} of {self.unit} in {self.period}: {wrong}",
                zh=f"关于 {self.unit} {self.period} {self.what} 的结论不合规范：{wrong}",
            )
        if self.baseline is not None and not self.period.comparable(self.baseline):
            raise ConfigError(
                f"{self.baseline} and {self.period} are different seasons; compare with the same "
                "quarter",
                zh=f"{self.baseline} 与 {self.period} 季节不同，变化没有意义；请与同一季度比较",
            )

    @classmethod
    def of_row(cls, row: Mapping[str, Any], *, baseline: Period | None = None) -> Self:
        """
        Make the claim of an indicator row (``schema.ROW_COLUMNS``).

        Raises
        ------
        ContractError
            As the claim itself; a usable row must say its points.
        """
        return cls(
            what=str(row["indicator"]),
            period=Period.parse(str(row["period"])),
            unit=str(row["unit"]),
            value=float(row["value"]),
            low=float(row["low"]),
            high=float(row["high"]),
            n=int(row["n"]),
            clear_share=float(row["n_clear_share"]),
            test=str(row["test"]),
            status=str(row["status"]),
            baseline=baseline,
            p=float(row["p"]),
        )

    @property
    def is_change(self) -> bool:
        """True for a change between two periods."""
        return self.what in INDICATORS and INDICATORS[self.what].measure.startswith("points")

    @property
    def _is_trend(self) -> bool:
        return INDICATORS[self.what].measure == "points/yr"

    @property
    def _short(self) -> bool:
        """True for a trend of fewer years than anything can be said of."""
        return self._is_trend and self.n < MIN_YEARS

    @property
    def significant(self) -> bool:
        """True for a usable change whose interval leaves 0 out, and that its test found."""
        usable = self.is_change and self.status == Status.OK and not self.p >= LEVEL
        return usable and bool(leaves_0_out(self.low, self.high))

    @property
    def arrow(self) -> str:
        """``"↑"``, ``"↓"``, or ``""`` where nothing is significant."""
        return arrow(self.low, self.high) if self.significant else ""

    def verdict(self, target: float) -> Verdict | None:
        """
        Judge against a target to be reached or exceeded, in the indicator's measure.

        Returns
        -------
        Verdict or None
            None for a change and for a quarter, which are not held against the target of a
            year. Undecided for a year of another status than ``ok``.
        """
        if self.is_change or self.period.quarter is not None:
            return None
        return verdict(self.low, self.high, target)

    def reading(self, target: float, language: str) -> str:
        """Say how the interval lies to ``target``, so that the verdict can be checked by eye."""
        goal = f"{target:g}{_MEASURES[INDICATORS[self.what].measure][0][0]}"
        if self.verdict(target) is None:
            said = "季度值不与年度目标比较", "a quarter is not held against the target of a year"
        elif self.status != Status.OK:
            said = "没有可用的区间", "there is no interval"
        elif self.low >= target:
            said = f"区间下限不低于 {goal}", f"the whole interval reaches {goal}"
        elif self.high < target:
            said = f"区间上限低于 {goal}", f"the whole interval lies below {goal}"
        else:
            said = f"区间跨越 {goal}", f"the interval spans {goal}"
        return said[0] if language == "zh" else said[1]

    def cell(self, language: str) -> str:
        """Say a change in as few words as a table has room for; other claims give their number."""
        chinese = language == "zh"
        if self._short:
            return "年数不足" if chinese else "too few years"
        if self.status == Status.INSUFFICIENT:
            return "数据不足" if chinese else "insufficient data"
        if self.status == Status.NO_INTERVAL:
            return "无区间，不作判断" if chinese else "no interval, not judged"
        if self.is_change and not self.significant:
            return "未检出显著变化" if chinese else "no significant change"
        number = shown(self.value, signed=self.is_change)
        return f"{self.arrow} {number}".strip()

    def sentence(self, language: str, *, place: str = "") -> str:
        """
        Say the claim, as much as it allows.

        Parameters
        ----------
        language : str
            ``"zh"`` or ``"en"``.
        place : str
            Name of the unit in that language; its code if not given.
        """
        chinese = language == "zh"
        info = INDICATORS[self.what]
        where = place or self.unit
        if chinese:
            since = f"，{self._since('zh')}" if self.baseline not in (None, self.period) else ""
            lead = f"{self.period.name_zh}{since}，{where}{info.meaning_zh}"
        else:
            since = f" {self._since('en')}" if self.baseline not in (None, self.period) else ""
            lead = f"{self.period}{since}, {where}, {info.meaning}"
        joint, stop = ("：", "。") if chinese else (": ", ".")
        return f"{lead}{joint}{self._said(language)}{stop}"

    def _since(self, language: str) -> str:
        """Say what a change is measured from, or since when a trend runs."""
        start = self.baseline or self.period
        if self._is_trend:
            return f"自{start.name_zh}起" if language == "zh" else f"since {start}"
        return f"与{start.name_zh}相比" if language == "zh" else f"against {start}"

    def _said(self, language: str) -> str:
        chinese = language == "zh"
        clear = percent(self.clear_share * 100, 1)
        if self.status == Status.INSUFFICIENT:
            said = f"数据不足（有效观测占比 {clear}）", f"insufficient data ({clear} seen clear)"
            if self._short:
                said = (
                    f"同季可用数据仅 {self.n} 年，至少需要 {MIN_YEARS} 年，不作趋势判断",
                    f"{self.n} years of the season, {MIN_YEARS} are needed: no trend is told",
                )
            return said[0] if chinese else said[1]
        if self.status == Status.NO_INTERVAL:
            return (
                "没有可用的参考样本，无置信区间，不作判断"
                if chinese
                else "no usable reference sample, no interval, not judged"
            )
        basis = self._basis(language, clear)
        measure, factor = _MEASURES[INDICATORS[self.what].measure][0 if chinese else 1]
        numbers = self.value * factor, self.low * factor, self.high * factor
        if self.is_change:
            clear_one = not self.p >= LEVEL
            found = change_sentence(*numbers, language=language, measure=measure, clear=clear_one)
            return f"{found}；{basis}" if chinese else f"{found}; {basis}"
        value, low, high = (f"{shown(number)}{measure}" for number in numbers)
        quarter = (
            "；季度值供过程参考，不与年度目标比较",
            "; a quarter is not held against the target of a year",
        )
        extra = quarter[0 if chinese else 1] if self.period.quarter else ""
        if chinese:
            return f"{value}（95% 置信区间 {low} ~ {high}，{basis}）{extra}"
        return f"{value} (95 % interval {low} to {high}; {basis}){extra}"

    def _basis(self, language: str, clear: str) -> str:
        """Say what the claim rests on: points, or years and the p of the test; and clear view."""
        if isnan(self.p):
            said = f"样点 {self.n} 个，有效观测占比 {clear}", f"{self.n} points, {clear} seen clear"
        else:
            p = shown(self.p, 3)
            said = (
                f"{self.n} 年，p = {p}，有效观测占比 {clear}",
                f"{self.n} years, p = {p}, {clear} seen clear",
            )
        return said[0] if language == "zh" else said[1]

    def _wrong(self) -> str:
        """Say what does not fit; ``""`` when all does."""
        usable, judged = self.status == Status.OK, not isnan(self.low) or not isnan(self.high)
        rules = (
            (self.what in INDICATORS, "unknown indicator"),
            (self.status in _STATES, f"unknown status {self.status!r}"),
            (
                self.is_change == (self.baseline is not None),
                "a change, and only a change, needs a baseline",
            ),
            (
                self.status != Status.INSUFFICIENT or isnan(self.value),
                "a number although data are insufficient",
            ),
            (usable or not judged, "an interval it should not have"),
            (not usable or self.low <= self.value <= self.high, "no interval that holds its value"),
            (not usable or self.n > 0, "no points"),
            (not usable or 0 < self.clear_share <= 1, "no clear view"),
        )
        return next((wrong for fits, wrong in rules if not fits), "")
