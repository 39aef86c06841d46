"""How a number is printed, the same in every sentence, table and figure."""

import math
from decimal import ROUND_HALF_UP, Decimal

__all__ = ["DASH", "percent", "shown"]

DASH = "—"
"""What is printed where nothing is known; never 0."""


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
