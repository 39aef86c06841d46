"""One number as it may be shown: value, interval, clear view, and what may be done with it."""

import math
from dataclasses import dataclass

from jinhua_rs.schema import Status

__all__ = ["MISSING", "Estimate"]


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
