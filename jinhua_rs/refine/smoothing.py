"""
Class probabilities smoothed by their neighbourhood: empirical Bayes in logit space, compiled.

After Camara et al. 2024 (Remote Sensing 16, 4572, doi:10.3390/rs16234572), as in the R package
sits. Each class by itself: the logit ``x`` of a pixel is taken for a look at a true value whose
prior is normal, with the mean ``m`` and the variance ``s²`` of the greatest ``fraction`` of the
logits around it; with ``q`` the variance of looks (``smoothness``) the posterior mean is

    s² / (s² + q) · x  +  q / (s² + q) · m

so that a pixel in doubt follows its own kind across an even neighbourhood, and holds out where
kinds meet. Taking the greatest only keeps the other side of a border out of the prior.
"""

import math

import numba
import numpy as np
import numpy.typing as npt

from jinhua_rs.errors import ContractError

__all__ = ["PARTS", "UNSEEN", "logits", "smooth"]

PARTS = 250
"""Probabilities are whole numbers of this: 0-250."""
UNSEEN = 255
"""A pixel that was not seen."""

_LANES = 64

Parts = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


def _table() -> Floats:
    """Logit of each part; certainty counts as half a part short of it, what is not seen is NaN."""
    share = np.clip(np.arange(PARTS + 1), 0.5, PARTS - 0.5) / PARTS
    table = np.full(256, np.nan, np.float32)
    table[: PARTS + 1] = np.log(share / (1 - share))
    return table


_LOGITS = _table()


def logits(parts: Parts) -> Floats:
    """
    Logit of probabilities as they are kept.

    Parameters
    ----------
    parts : ndarray, uint8, any dims, unit 1/250
        255 = not seen.

    Returns
    -------
    ndarray, float32
        Within ±6.21, NaN = not seen.
    """
    return _LOGITS[parts]


def smooth(parts: Parts, *, window: int, fraction: float, smoothness: float) -> Floats:
    """
    Smooth the probabilities of each class.

    Parameters
    ----------
    parts : ndarray, uint8, dims (class, y, x), unit 1/250
        255 = not seen, in all classes or in none. With a rim of ``window // 2`` pixels that are
        read, and not returned: neighbouring pieces that share their rims fit without a seam, to
        the last bit.
    window : int
        Side of the neighbourhood, pixels, odd, up to 15.
    fraction : float
        Share of the seen neighbours that make the prior, those of greatest probability, 0-1.
    smoothness : float
        Variance of a look, squared logits; 0 changes nothing.

    Returns
    -------
    ndarray, float32, dims (class, y, x) without the rim
        Posterior logits; NaN where, and only where, the pixel itself was not seen. With fewer
        than two neighbours to make a prior of, a pixel keeps its own.

    Raises
    ------
    ContractError
        If a pixel is seen in one class and not in another, or a probability is beyond 250.
    """
    unseen = parts == UNSEEN
    if (unseen != unseen[0]).any() or ((parts > PARTS) & ~unseen).any():
        raise ContractError(
            "class probabilities must be 0-250, or 255 in all classes where a pixel was not seen",
            zh="类别概率须为 0–250；未观测像元须在全部类别中同为 255",
        )
    rim, (height, width) = window // 2, parts.shape[1:]
    idle = -(width - 2 * rim) % _LANES
    found = np.empty((len(parts), height - 2 * rim, width - 2 * rim + idle), np.float32)
    wanted = np.array([math.ceil(fraction * n) for n in range(window**2 + 1)], np.uint8)
    # Levels begin at 1, so that what was not seen, 0, is never among the greatest.
    levels = np.pad(parts + np.uint8(1), ((0, 0), (0, 0), (0, idle)))
    for plane, into in zip(levels, found, strict=True):
        _smooth(plane, _BY_LEVEL, wanted, np.float32(smoothness), into)
    found = found[:, :, : width - 2 * rim]
    found[:, unseen[0, rim : height - rim, rim : width - rim]] = np.nan
    return found


_BY_LEVEL = np.append(np.float32(-np.inf), _LOGITS[:-1])


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _smooth(levels: Parts, table: Floats, wanted: Parts, look: np.float32, into: Floats) -> None:
    """
    Smooth one class, a block of neighbouring pixels at a time.

    The least of the ``wanted`` greatest levels of a window is found bit by bit; how far the
    others lie above it makes mean and variance. A lane does the same whichever pixel it holds,
    so that the answer does not depend on where a piece begins.
    """
    side = levels.shape[0] - into.shape[0] + 1
    values = np.empty(levels.shape, np.float32)
    for y in range(levels.shape[0]):
        for x in range(levels.shape[1]):
            values[y, x] = table[levels[y, x]]
    number, least = np.empty(_LANES, np.uint8), np.empty(_LANES, np.uint8)
    total, squares = np.empty(_LANES, np.float32), np.empty(_LANES, np.float32)
    for y in range(into.shape[0]):
        for x in range(0, into.shape[1], _LANES):
            window = levels[y : y + side, x : x + side - 1 + _LANES]
            _greatest(window, wanted, number, least)
            shown = values[y : y + side, x : x + side - 1 + _LANES]
            _above(shown, table, least, total, squares)
            own = shown[side // 2, side // 2 : side // 2 + _LANES]
            for lane in range(_LANES):
                into[y, x + lane] = _posterior(
                    own[lane], table[least[lane]], number[lane], (total[lane], squares[lane]), look
                )


@numba.njit(cache=True, nogil=True)
def _greatest(window: Parts, wanted: Parts, number: Parts, least: Parts) -> None:
    """Find how many of each lane's window make its prior, and the least level of these."""
    trial, count = np.empty(_LANES, np.uint8), np.zeros(_LANES, np.uint8)
    trial[:] = 1
    _count(window, trial, count)
    for lane in range(_LANES):
        number[lane] = wanted[count[lane]]
        least[lane] = 0
    for bit in (128, 64, 32, 16, 8, 4, 2, 1):
        for lane in range(_LANES):
            trial[lane] = least[lane] | np.uint8(bit)
        _count(window, trial, count)
        for lane in range(_LANES):
            least[lane] = trial[lane] if count[lane] >= number[lane] else least[lane]


@numba.njit(cache=True, nogil=True)
def _count(window: Parts, trial: Parts, count: Parts) -> None:
    """Count the pixels of each lane's window that reach its trial level."""
    side = window.shape[0]
    count[:] = 0
    for row in range(side):
        for column in range(side):
            level = window[row, column : column + _LANES]
            for lane in range(_LANES):
                count[lane] += np.uint8(level[lane] >= trial[lane])


@numba.njit(cache=True, nogil=True)
def _above(shown: Floats, table: Floats, least: Parts, total: Floats, squares: Floats) -> None:
    """Sum up how far the logits of each lane's window lie above the least that counts."""
    side, base = shown.shape[0], np.empty(_LANES, np.float32)
    for lane in range(_LANES):
        base[lane] = table[least[lane]]
        total[lane] = np.float32(0)
        squares[lane] = np.float32(0)
    for row in range(side):
        for column in range(side):
            value = shown[row, column : column + _LANES]
            for lane in range(_LANES):
                more = max(value[lane] - base[lane], np.float32(0))
                total[lane] += more
                squares[lane] += more * more


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _posterior(
    own: np.float32,
    base: np.float32,
    number: int,
    sums: tuple[np.float32, np.float32],
    look: np.float32,
) -> np.float32:
    """Posterior mean of a pixel; its own logit where nothing can be said of the prior."""
    if number < 2 or look == 0:
        return own
    total, squares = sums
    n = np.float32(number)
    mean = base + total / n
    spread = max((squares - total * total / n) / (n - np.float32(1)), np.float32(0))
    return mean + spread / (spread + look) * (own - mean)
