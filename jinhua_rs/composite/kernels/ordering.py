"""
Quantiles over the looks of each pixel, compiled.

A block of pixels is put in order by a sorting network, whose exchanges do not depend on the
data, so that all lanes go through them together.
"""

import numpy as np
import numpy.typing as npt

from jinhua_rs.composite.kernels.lanes import LANES, NOTHING, Booleans, Floats, Numbers, compiled

__all__ = ["quantiles"]


@compiled
def quantiles(values: Numbers | Floats, use: Booleans, shares: tuple[float, ...]) -> Floats:
    """
    Find quantiles over dates, linear between values, as ``numpy.nanquantile``.

    Parameters
    ----------
    values : ndarray, int16 or float32, dims (set, date, pixel)
        C-contiguous; NaN does not count.
    use : ndarray, bool, dims (date, pixel)
        Values that count.
    shares : tuple of float
        Quantiles wanted, 0-1.

    Returns
    -------
    ndarray, float32, dims (set, share, pixel), unit of ``values``
        NaN where nothing counts.
    """
    dates, pixels = use.shape
    found = np.empty((values.shape[0], len(shares), pixels), np.float32)
    ordered, count = np.empty((dates, LANES), np.float32), np.empty(LANES, np.int64)
    for first in range(0, pixels, LANES):
        for at in range(values.shape[0]):
            used = _load(values[at], use, first, ordered)
            _count(ordered[:used], count)
            _order(ordered[:used])
            for want in range(len(shares)):
                for lane in range(min(LANES, pixels - first)):
                    value = _quantile(ordered, lane, count[lane], shares[want])
                    found[at, want, first + lane] = value
    return found


@compiled
def _load(values: Numbers | Floats, use: Booleans, first: int, ordered: Floats) -> int:
    """Load the dates that a block uses (date, lane), infinite where a value does not count."""
    width, found = min(LANES, use.shape[1] - first), 0
    for date in range(use.shape[0]):
        source, counts = values[date, first : first + width], use[date, first : first + width]
        if not counts.any():
            continue
        row = ordered[found]
        row[:] = NOTHING
        for lane in range(width):
            value = np.float32(source[lane])
            row[lane] = value if counts[lane] and value < NOTHING else NOTHING
        found += 1
    return found


@compiled
def _count(ordered: Floats, count: npt.NDArray[np.int64]) -> None:
    """Count the finite values of each lane."""
    count[:] = 0
    for date in range(ordered.shape[0]):
        for lane in range(LANES):
            count[lane] += ordered[date, lane] < NOTHING


@compiled
def _order(values: Floats) -> None:
    """
    Sort ``values`` (row, lane) upward, each lane by itself.

    Batcher's merge exchange (Knuth, The Art of Computer Programming 3, 5.2.2, Algorithm M).
    """
    rows = values.shape[0]
    top = 1
    while 2 * top < rows:
        top *= 2
    stride = top if rows > 1 else 0
    while stride > 0:
        gap, remainder, reach = top, 0, stride
        while reach > 0:
            for row in range(rows - reach):
                if row & stride == remainder:
                    _exchange(values[row], values[row + reach])
            reach = gap - stride
            gap, remainder = gap // 2, stride
        stride //= 2


@compiled
def _exchange(low: Floats, high: Floats) -> None:
    """Put the lesser of each lane into ``low``."""
    for lane in range(LANES):
        one, other = low[lane], high[lane]
        low[lane] = one if one < other else other
        high[lane] = other if one < other else one


@compiled
def _quantile(ordered: Floats, lane: int, count: int, share: float) -> np.float32:
    """Quantile of the first ``count`` values of a lane; NaN if there are none."""
    if count == 0:
        return np.float32(np.nan)
    place = share * (count - 1)
    below = int(place)
    low, high = ordered[below, lane], ordered[min(below + 1, count - 1), lane]
    return np.float32(low + (high - low) * np.float32(place - below))
