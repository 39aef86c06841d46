"""Rows of one unit: what may be said of a number, and the number in the form of the schema."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jinhua_rs.schema import INDICATORS, Status

__all__ = ["Figure", "UnitRows", "ratio"]


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its interval (NaN: none), its status and what it was made from."""

    value: float
    low: float
    high: float
    status: str
    source: str
    n: int = 0
    test: str = ""

    def plus(self, known: float) -> "Figure":
        """Add what is known for sure, to the number and to both ends of its interval."""
        ends = self.value + known, self.low + known, self.high + known
        return replace(self, value=ends[0], low=ends[1], high=ends[2])


def ratio(part: float, whole: float) -> float:
    """Part of a whole, a share; NaN where there is no whole."""
    return part / whole if whole > 0 else np.nan


@dataclass(frozen=True, slots=True)
class UnitRows:
    """
    The unit and period a row is about.

    ``clear`` is the share of the unit that was seen clear, ``gate`` the least that is needed,
    ``design`` the design of the sample, if it has one.
    """

    period: str
    code: str
    clear: float
    gate: float
    design: str = ""

    @property
    def dim(self) -> bool:
        """True where too little of the unit was seen, or nothing, for a number to be given."""
        return self.clear < self.gate or self.clear == 0

    def context(self, value: float, source: str) -> Figure:
        """Make a figure that is shown but never judged; NaN is insufficient data."""
        if self.dim:
            value, source = np.nan, f"seen clear {self.clear:.0%}, needed {self.gate:.0%}"
        status = Status.INSUFFICIENT if np.isnan(value) else Status.NO_INTERVAL
        return Figure(float(value), np.nan, np.nan, status, source)

    def headline(self, estimate: Mapping[Hashable, Any], mapped: float) -> Figure:
        """Choose what may be said: nothing below the gate, the estimate, else the map count."""
        if self.dim or np.isnan(estimate["value"]):
            return self.context(mapped, f"map count; no estimate: {estimate['reason']}")
        value, low, high = (float(estimate[name]) for name in ("value", "low", "high"))
        source = f"reference sample, {estimate['n']} points, {estimate['method']} interval"
        if self.design:
            source += f", strata of design {self.design} (Stehman 2014)"
        n, test = int(estimate["n"]), str(estimate["method"])
        return Figure(value, low, high, Status.OK, source, n, test)

    def row(self, indicator: str, figure: Figure, factor: float = 1.0) -> dict[str, object]:
        """Write a figure, times ``factor`` to the indicator's measure, as a row of the schema."""
        return {
            "period": self.period,
            "unit": self.code,
            "indicator": indicator,
            "value": figure.value * factor,
            "low": figure.low * factor,
            "high": figure.high * factor,
            "measure": INDICATORS[indicator].measure,
            "status": figure.status,
            "n_clear_share": self.clear,
            "n": figure.n,
            "test": figure.test,
            "source": figure.source,
        }
