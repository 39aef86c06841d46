"""How many points a sample needs, and how they are shared out among its strata."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.estimation.intervals import Array

__all__ = ["EXPECTED", "Allocation", "Wanted", "allocate", "half_width", "points_needed", "sizes"]

Allocation = Literal["proportional", "neyman"]

EXPECTED = {"0": 0.50, "1": 0.93, "2": 0.95, "3": 0.70, "4": 0.95, "near": 0.90}
"""
User's accuracy to expect of a stratum before anything is known, by its class. ``0``: nothing was
seen, so nothing is known. Of changes (a change map's 2 and 3) Olofsson et al. 2014 expect 0.6-0.7.
"""

_Z = 1.96


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """
    What a sample is to achieve.

    Attributes
    ----------
    city, county : float
        Half width of the 95 % interval, a share: 0.01 is one point of coverage.
    users : Mapping of str to float
        Expected user's accuracy by class of the stratum, 0-1.
    allocation : "proportional" or "neyman"
        By area, or by area × spread, which needs fewer points if the accuracies hold.
    minimum : int
        Points of every stratum, however rare; fewer only where it has fewer pixels.
    """

    city: float = 0.010
    county: float = 0.030
    users: Mapping[str, float] = field(default_factory=lambda: dict(EXPECTED))
    allocation: Allocation = "proportional"
    minimum: int = 20

    def __post_init__(self) -> None:
        if not (0 < self.city < 1 and 0 < self.county < 1 and self.minimum >= 2):
            raise ConfigError(
                f"half widths {self.city} and {self.county} must lie between 0 and 1, and every "
                f"stratum needs 2 points or more, not {self.minimum}",
                zh=f"区间半宽 {self.city}、{self.county} 须在 0–1 之间，每层至少 2 个样点"
                f"（现为 {self.minimum}）",
            )
        if not all(0 < value < 1 for value in self.users.values()):
            raise ConfigError(
                "an expected user's accuracy must lie between 0 and 1, both excluded",
                zh="预期用户精度须大于 0 且小于 1",
            )


def points_needed(
    weights: ArrayLike, users: ArrayLike, half: float, *, allocation: Allocation = "proportional"
) -> int:
    """
    Points for a 95 % interval of ± ``half`` of a share, before any is drawn.

    Parameters
    ----------
    weights, users : array of float, dims (stratum), unit 1
        Share of the area and expected user's accuracy U.
    half : float
        Half width, a share.
    allocation : "proportional" or "neyman"
        n = z² Σ W S² / half² or n = z² (Σ W S)² / half², S² = U (1 - U): Cochran 1977, 5.25-5.26;
        the latter is equation 13 of Olofsson et al. 2014.

    Examples
    --------
    >>> points_needed([0.61, 0.39], [0.95, 0.93], 0.01)
    2089
    >>> points_needed(
    ...     [0.02, 0.015, 0.32, 0.645], [0.7, 0.6, 0.9, 0.95], 0.0196, allocation="neyman"
    ... )
    641
    """
    share, spread = np.asarray(weights, dtype="float64"), _spread(np.asarray(users))
    by_area = float(share @ spread**2)
    variance = by_area if allocation == "proportional" else float(share @ spread) ** 2
    return ceil(variance * (_Z / half) ** 2)


def half_width(pixels: ArrayLike, users: ArrayLike, n: ArrayLike) -> float:
    """Half width of the 95 % interval to expect, a share: z √(Σ W² S²/n)."""
    counts = np.asarray(pixels, dtype="float64")
    parts = (counts / counts.sum() * _spread(np.asarray(users))) ** 2 / np.asarray(n)
    return float(_Z * np.sqrt(parts.sum()))


def _spread(users: Array) -> Array:
    return np.asarray(np.sqrt(users * (1 - users)))


def allocate(
    pixels: ArrayLike, users: ArrayLike, total: int, *, allocation: Allocation, minimum: int
) -> Array:
    """
    Share ``total`` points out among strata: rare ones get ``minimum``, the rest by size.

    Returns
    -------
    array of int, dims (stratum)
        Adds up to ``total`` unless the minima alone are more, or there are fewer pixels.
    """
    counts = np.asarray(pixels, dtype="int64")
    size = counts * (_spread(np.asarray(users)) if allocation == "neyman" else 1.0)
    least = np.minimum(minimum, counts)
    fixed = np.zeros(len(counts), dtype=bool)
    while True:
        left = max(0, total - int(least[fixed].sum()))
        wanted = np.where(fixed, least, left * size / max(size[~fixed].sum(), 1e-300))
        more = ~fixed & (wanted < least)
        if not more.any():
            return np.asarray(np.minimum(counts, _rounded(wanted, fixed)))
        fixed |= more


def _rounded(wanted: Array, fixed: Array) -> Array:
    """Whole numbers with the same sum: the largest remainders are rounded up."""
    whole = np.floor(wanted).astype("int64")
    short = round(float(wanted.sum())) - int(whole.sum())
    remainder = np.where(fixed, -1.0, wanted - whole)
    whole[np.argsort(-remainder, kind="stable")[:short]] += 1
    return whole


def sizes(strata: pd.DataFrame, wanted: Wanted) -> pd.Series:
    """
    Points of every stratum, so that the city and each county get the intervals that are wanted.

    Parameters
    ----------
    strata : DataFrame, index stratum
        ``county``, ``class`` (str) and ``pixels`` (int).
    wanted : Wanted

    Returns
    -------
    Series of int, index as ``strata``
        A county has as many as it needs itself, and at least its share of what the city needs.

    Raises
    ------
    NoDataError
        If there is no stratum.
    ConfigError
        If a class has no expected accuracy.
    """
    if strata.empty:
        raise NoDataError("the map holds no stratum", zh="地图中没有可抽样的分层")
    users = expected(strata, wanted)
    weights = strata["pixels"] / strata["pixels"].sum()
    city = points_needed(weights, users, wanted.city, allocation=wanted.allocation)
    found = pd.Series(0, index=strata.index, dtype="int64")
    for _, part in strata.groupby("county"):
        share = city * float(weights[part.index].sum())
        found[part.index] = _of_county(part["pixels"], users[part.index], ceil(share), wanted)
    return found


def expected(strata: pd.DataFrame, wanted: Wanted) -> pd.Series:
    """Return the expected user's accuracy of each stratum, by its class."""
    users = strata["class"].map(dict(wanted.users))
    if users.isna().any():
        name = strata["class"][users.isna()].iloc[0]
        raise ConfigError(
            f"no accuracy is expected of class {name!r}; name one", zh=f"类别 {name!r} 缺少预期精度"
        )
    return users.astype("float64")


def _of_county(pixels: pd.Series, users: pd.Series, least: int, wanted: Wanted) -> Array:
    """Points of the strata of one county; more until the minima of rare strata cost no width."""
    weights = pixels / pixels.sum()
    total = points_needed(weights, users, wanted.county, allocation=wanted.allocation)
    total = max(total, least)
    while True:
        n = allocate(pixels, users, total, allocation=wanted.allocation, minimum=wanted.minimum)
        if half_width(pixels, users, n) <= wanted.county * 1.001 or n.sum() < total:
            return n
        total = ceil(total * 1.02)
