"""Robust harmonic fits of many short series at once, compiled."""

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["TERMS", "fit", "terms"]

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

TERMS = 5
"""Level, and cosine and sine of the year and of the half-year."""
_ROUNDS = 5
_YEAR = 365.25
_LEAST = 0.02
_RIDGE = 1e-6
"""Keeps looks of a few weeks from being extrapolated to a year; no weight in a whole one."""

compiled = numba.njit(cache=True, nogil=True, fastmath=False)


def terms(days: npt.NDArray[np.int32]) -> Doubles:
    """
    Values of the harmonic terms on each day.

    Parameters
    ----------
    days : ndarray, int32, dims (look,)
        Days since 1970-01-01.

    Returns
    -------
    ndarray, float64, dims (look, term)
    """
    turn = 2 * np.pi * (np.asarray(days) % 1461) / _YEAR
    found = np.ones((len(turn), TERMS))
    for order in range(1, 1 + TERMS // 2):
        found[:, 2 * order - 1], found[:, 2 * order] = np.cos(order * turn), np.sin(order * turn)
    return found


@compiled
def fit(
    series: Floats, use: npt.NDArray[np.bool_], basis: Doubles, least: tuple[int, int], cut: float
) -> tuple[Floats, Floats, npt.NDArray[np.uint16]]:
    """
    Fit each pixel's series by least squares, dropping outlying looks until none is left.

    A look is dropped for all series of the pixel where two of them (or the only one) lie more
    than ``cut`` robust deviations (1.4826 x median absolute residual, at least 0.02) off the fit.

    Parameters
    ----------
    series : ndarray, float32, dims (series, look, pixel)
        NaN is not read: see ``use``.
    use : ndarray, bool, dims (look, pixel)
    basis : ndarray, float64, dims (look, term)
        See :func:`terms`.
    least : (int, int)
        Looks needed for one and for two harmonics; with fewer than the first a pixel has no fit.
    cut : float

    Returns
    -------
    coefficients : ndarray, float32, dims (series, term, pixel)
        NaN where there is no fit; 0 for the second harmonic where only one was fitted.
    spread : ndarray, float32, dims (series, pixel)
        Root of the mean squared residual of the looks kept, with the degrees of freedom.
    looks : ndarray, uint16, dims (pixel,)
        Kept.
    """
    count, dates, pixels = series.shape
    found = np.full((count, TERMS, pixels), np.nan, np.float32)
    spread = np.full((count, pixels), np.nan, np.float32)
    kept = np.zeros(pixels, np.uint16)
    values, rows = np.empty((count, dates)), np.empty((dates, TERMS))
    solution, off = np.zeros((count, TERMS)), np.empty((count, dates))
    for pixel in range(pixels):
        size, before = _gather(series, use, basis, pixel, values, rows), -1
        for _ in range(_ROUNDS):
            if size < least[0] or size == before:
                break
            width = TERMS if size >= least[1] else 3
            _solve(values[:, :size], rows[:size, :width], solution)
            _residuals(values[:, :size], rows[:size], solution, off)
            for k in range(count):
                total = (off[k, :size] ** 2).sum()
                spread[k, pixel] = np.sqrt(total / max(1, size - width))
            found[:, :, pixel] = solution
            kept[pixel] = before = size
            size = _sift(values, rows, off, size, cut)
    return found, spread, kept


@compiled
def _gather(
    series: Floats,
    use: npt.NDArray[np.bool_],
    basis: Doubles,
    pixel: int,
    values: Doubles,
    rows: Doubles,
) -> int:
    """Collect the looks of a pixel; return how many."""
    size = 0
    for look in range(use.shape[0]):
        if use[look, pixel]:
            rows[size] = basis[look]
            for k in range(series.shape[0]):
                values[k, size] = series[k, look, pixel]
            size += 1
    return size


@compiled
def _solve(values: Doubles, rows: Doubles, out: Doubles) -> None:
    """Solve the normal equations of all series by Cholesky's method."""
    size, width = rows.shape
    lower = np.zeros((width, width))
    for i in range(width):
        for j in range(i + 1):
            total = _RIDGE * size if i == j else 0.0
            for n in range(size):
                total += rows[n, i] * rows[n, j]
            for m in range(j):
                total -= lower[i, m] * lower[j, m]
            lower[i, j] = np.sqrt(total) if i == j else total / lower[j, j]
    out[:] = 0
    for k in range(out.shape[0]):
        _substitute(values[k], rows, lower, out[k])


@compiled
def _substitute(values: Floats, rows: Doubles, lower: Doubles, out: Doubles) -> None:
    """Find the solution of one series, forward and back."""
    size, width = rows.shape
    for i in range(width):
        total = 0.0
        for n in range(size):
            total += rows[n, i] * values[n]
        for m in range(i):
            total -= lower[i, m] * out[m]
        out[i] = total / lower[i, i]
    for i in range(width - 1, -1, -1):
        for m in range(i + 1, width):
            out[i] -= lower[m, i] * out[m]
        out[i] /= lower[i, i]


@compiled
def _residuals(values: Doubles, rows: Doubles, solution: Doubles, out: Doubles) -> None:
    for k in range(values.shape[0]):
        for n in range(values.shape[1]):
            expected = 0.0
            for j in range(TERMS):
                expected += solution[k, j] * rows[n, j]
            out[k, n] = values[k, n] - expected


@compiled
def _sift(values: Doubles, rows: Doubles, off: Doubles, size: int, cut: float) -> int:
    """Drop outlying looks in place; return how many are left."""
    count, left = values.shape[0], 0
    limit = np.empty(count)
    for k in range(count):
        limit[k] = max(cut * 1.4826 * np.median(np.abs(off[k, :size])), _LEAST)
    for n in range(size):
        beyond = 0
        for k in range(count):
            beyond += abs(off[k, n]) > limit[k]
        if beyond < min(2, count):
            rows[left] = rows[n]
            values[:, left] = values[:, n]
            left += 1
    return left
