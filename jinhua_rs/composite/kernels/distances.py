"""How far each look of a pixel lies from a centre, in three ways, compiled."""

import numpy as np

from jinhua_rs.composite.kernels.lanes import (
    LANES,
    ONE,
    ZERO,
    Booleans,
    Floats,
    Numbers,
    compiled,
)

__all__ = ["distances"]

_HALF, _SCALE = np.float32(0.5), np.float32(1e-4)


@compiled
def distances(looks: Numbers, use: Booleans, centre: Floats, bands: tuple[int, ...]) -> Floats:
    """
    Measure the cosine, Euclidean and Bray-Curtis distance of each look from a centre.

    With x a look and m the centre: 1 - x.m / (|x| |m|), |x - m| and sum |x - m| / sum |x + m|
    (Roberts, Dunn, Mueller 2018, doi 10.1109/IGARSS.2018.8518312). The first is found as half
    the square of x/|x| - m/|m|, the same number without the loss of digits.

    Parameters
    ----------
    looks : ndarray, int16, dims (band, date, pixel), unit 1e-4 of reflectance
        C-contiguous.
    use : ndarray, bool, dims (date, pixel)
        Looks that count; the others may be left out.
    centre : ndarray, float32, dims (band, pixel), unit 1 (reflectance)
        C-contiguous.
    bands : tuple of int
        Any tuple as long as there are bands, so that the compiler unrolls the loops over them.

    Returns
    -------
    ndarray, float32, dims (kind, date, pixel), unit 1; the Euclidean one in reflectance
        NaN where a distance is not defined: a spectrum is 0 in all bands, the centre NaN, or
        the look left out.
    """
    dates, pixels = looks.shape[1:]
    found = np.full((3, dates, pixels), np.float32(np.nan))
    middle = np.zeros(len(bands) * LANES, np.float32)
    look = np.zeros(len(bands) * LANES, np.float32)
    away = np.empty((3, LANES), np.float32)
    for first in range(0, pixels, LANES):
        last = min(first + LANES, pixels)
        for band in range(looks.shape[0]):
            _copy(centre[band, first:last], ONE, middle, band)
        for date in range(dates):
            if not use[date, first:last].any():
                continue
            for band in range(looks.shape[0]):
                _copy(looks[band, date, first:last], _SCALE, look, band)
            _measure(look, middle, bands, away)
            found[:, date, first:last] = away[:, : last - first]
    return found


@compiled
def _copy(source: Numbers | Floats, scale: np.float32, target: Floats, band: int) -> None:
    row = target[band * LANES : (band + 1) * LANES]
    for lane in range(source.size):
        row[lane] = np.float32(source[lane]) * scale


@compiled
def _measure(look: Floats, middle: Floats, bands: tuple[int, ...], away: Floats) -> None:
    """Write the three distances of a block (kind, lane)."""
    for lane in range(LANES):
        square, norm, other_norm, differ, total = ZERO, ZERO, ZERO, ZERO, ZERO
        for band in range(len(bands)):
            value, centre = look[band * LANES + lane], middle[band * LANES + lane]
            square += (value - centre) * (value - centre)
            norm += value * value
            other_norm += centre * centre
            differ += abs(value - centre)
            total += abs(value + centre)
        norm, other_norm, turn = ONE / np.sqrt(norm), ONE / np.sqrt(other_norm), ZERO
        for band in range(len(bands)):
            off = look[band * LANES + lane] * norm - middle[band * LANES + lane] * other_norm
            turn += off * off
        away[0, lane] = _HALF * turn
        away[1, lane] = np.sqrt(square)
        away[2, lane] = differ / total
