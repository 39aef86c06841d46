"""One number as it may be shown: value, interval, clear view, and what may be done with it."""

import math
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from jinhua_rs.schema import Status

__all__ = ["DASH", "MISSING", "Estimate", "percent", "shown"]

DASH = "—"
"""What is printed where nothing is known; never 0."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """
    A value with its 95 % interval.

    Attributes
    ----------
    value, low, high : float
        In the indicator's measure; NaN is "not known".
    status : str
        One of :class:`jinhua_rs.schema.Status`.
    clear_share : float
        Share of the unit seen clear, 0-1; NaN where it was not measured.
    """

    value: float
    low: float
    high: float
    status: str
    clear_share: float

    @property
    def judged(self) -> bool:
        """True where value and interval are there and may be compared with a target."""
        return self.status == Status.OK and not math.isnan(self.value)

    @property
    def context_only(self) -> bool:
        """True for a pixel count: shown in grey, never judged."""
        return self.status == Status.NO_INTERVAL and not math.isnan(self.value)


MISSING = Estimate(math.nan, math.nan, math.nan, Status.INSUFFICIENT, math.nan)
"""Nothing known."""


def shown(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """
    Print a number as every outlet prints it: half rounds away from zero, thousands in commas.

    Rounding goes by the decimal form (四舍五入), so that 0.125 is 0.13 in text, figure and
    workbook alike. NaN is a dash, never 0.

    Examples
    --------
    >>> shown(0.125), shown(10146213.4, 0), shown(-0.2, signed=True), shown(float("nan"))
    ('0.13', '10,146,213', '−0.20', '—')
    """
    if not math.isfinite(value):
        return DASH
    step = Decimal(1).scaleb(-digits)
    exact = Decimal(repr(float(value))).quantize(step, rounding=ROUND_HALF_UP)
    sign = "−" if exact < 0 else "+" if signed and exact > 0 else ""
    return f"{sign}{abs(exact):,}"


def percent(value: float, digits: int = 2) -> str:
    """
    Print a percentage.

    >>> percent(61.825), percent(float("nan"))
    ('61.83%', '—')
    """
    return f"{shown(value, digits)}%" if math.isfinite(value) else DASH
