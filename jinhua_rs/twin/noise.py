"""
Hashed-lattice noise: endless random fields that any window sees alike.

Every value is a pure function of a ground position and a seed. Fields are evaluated on
rectangular blocks given by two axes, so that the work along ``x`` and ``y`` separates.

Sources: gradient noise with the quintic fade of K. Perlin, "Improving Noise", ACM SIGGRAPH
2002; cellular points of S. Worley, ACM SIGGRAPH 1996; integer mixing by the finaliser of
SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
"""

import zlib
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["fractal", "gradient", "salt", "spots", "uniform", "valleys"]

Axis = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]

_GRADIENT_SD: Final = 0.2155
"""Standard deviation of gradient noise with unit gradients, found by sampling."""
_MASK: Final = (1 << 64) - 1


def salt(seed: int, name: str) -> int:
    """
    Seed of the named field: same world, unrelated noise.

    >>> salt(7, "relief") == salt(7, "relief"), salt(7, "relief") == salt(7, "forest")
    (True, False)
    """
    return (seed * 0x9E3779B97F4A7C15 + zlib.crc32(name.encode())) & _MASK


def uniform(
    i: npt.NDArray[np.int64], j: npt.NDArray[np.int64], seed: int
) -> npt.NDArray[np.float64]:
    """
    Hash of integer cells to ``[0, 1)``, float64, shape of ``i`` and ``j`` broadcast.

    53 bits of the mixed 64 are kept; neighbouring cells and seeds are unrelated.
    """
    first = i.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    second = j.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
    z = _mixed(_mixed(first + np.uint64(seed & _MASK)) ^ second)
    return (z >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def _cells(
    axis: Axis, size: float, shift: float
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Field]:
    """Cells that an axis meets (with one beyond), cell of each position, place in it 0-1."""
    position = axis / size + shift
    index = np.floor(position)
    inside = (position - index).astype(np.float32)
    cell = index.astype(np.int64)
    met = np.arange(cell.min(), cell.max() + 2)
    return met, cell - met[0], inside


def _shift(seed: int) -> tuple[float, float]:
    """Move each lattice by its own amount, so that the zeros of octaves never coincide."""
    zero = np.zeros(1, np.int64)
    return float(uniform(zero, zero + 1, seed)[0]), float(uniform(zero + 1, zero, seed)[0])


def gradient(x: Axis, y: Axis, wavelength: float, seed: int) -> Field:
    """
    Gradient noise of one wavelength, mean 0 and standard deviation 1.

    Parameters
    ----------
    x, y : ndarray, float64, dims (x,) and (y,), unit m
        Ground positions along the two axes.
    wavelength : float, unit m
        Size of a lattice cell.
    seed : int
        See :func:`salt`.

    Returns
    -------
    ndarray, float32, dims (y, x), unit 1
        Between -3.3 and 3.3.
    """
    shift_x, shift_y = _shift(seed)
    columns, i, s = _cells(x, wavelength, shift_x)
    rows, j, t = _cells(y, wavelength, shift_y)
    angle = 2 * np.pi * uniform(columns[None, :], rows[:, None], seed)
    east = np.cos(angle).astype(np.float32)
    north = np.sin(angle).astype(np.float32)
    weight = _fade(s)
    along = (1 - weight) * s * east[:, i] + weight * (s - 1) * east[:, i + 1]
    across = (1 - weight) * north[:, i] + weight * north[:, i + 1]
    along /= np.float32(_GRADIENT_SD)
    across /= np.float32(_GRADIENT_SD)
    t = t[:, None]
    low, high = across[j], across[j + 1]
    low *= t
    low += along[j]
    high *= t - 1
    high += along[j + 1]
    high -= low
    high *= _fade(t)
    low += high
    found: Field = low
    return found


def _fade(t: Field) -> Field:
    faded: Field = t * t * t * (t * (t * 6 - 15) + 10)
    return faded


def _octaves(longest: float, shortest: float, finest: float) -> list[tuple[int, float]]:
    """List number and wavelength of the octaves, longest first, that a grid can show."""
    count = 1 + int(np.floor(np.log2(longest / shortest) + 1e-9))
    every = [(k, longest / 2**k) for k in range(count)]
    return [(k, wavelength) for k, wavelength in every if k == 0 or wavelength >= finest]


def fractal(
    x: Axis, y: Axis, span: tuple[float, float], seed: int, *, finest: float, gain: float = 0.5
) -> Field:
    """
    Sum of octaves of gradient noise, each of half the wavelength and ``gain`` times the height.

    Parameters
    ----------
    x, y : ndarray, float64, unit m
        Axes, see :func:`gradient`.
    span : tuple of float, unit m
        Longest and shortest wavelength.
    seed : int
        See :func:`salt`.
    finest : float, unit m
        Octaves shorter than this are left out; the others keep their height.
    gain : float
        Roughness: 0.4 is smooth, 0.7 is ragged.

    Returns
    -------
    ndarray, float32, dims (y, x), unit 1
        Mean 0; standard deviation 1 when no octave is left out.
    """
    total = np.zeros((y.size, x.size), np.float32)
    for k, wavelength in _octaves(*span, finest):
        total += np.float32(gain**k) * gradient(x, y, wavelength, seed + k)
    full = sum(gain ** (2 * k) for k, _ in _octaves(*span, 0.0))
    total /= np.float32(np.sqrt(full))
    return total


def valleys(x: Axis, y: Axis, span: tuple[float, float], seed: int, *, finest: float) -> Field:
    """
    Branching valleys between rounded spurs: the zero lines of every octave are cut.

    Parameters as in :func:`fractal`. Each octave ``n`` multiplies the whole by
    ``1 - a exp(-(n / 0.5)²)`` with ``a = 0.68 · 0.58^k``, so that small valleys run into
    large ones and never climb across them. An octave that is left out multiplies by its
    expectation ``1 - a / 3`` (``n`` being about normal), so that the mean height does not
    depend on ``finest``.

    Returns
    -------
    ndarray, float32, dims (y, x), unit 1
        About 0 where large valleys meet, 1 on open spurs; median about 0.5.
    """
    kept = {k for k, _ in _octaves(*span, finest)}
    total = np.ones((y.size, x.size), np.float32)
    for k, wavelength in _octaves(*span, 0.0):
        cut = np.float32(0.68 * 0.58**k)
        if k in kept:
            octave = gradient(x, y, wavelength, seed + k)
            total *= 1 - cut * np.exp(-((octave / np.float32(0.5)) ** 2))
        else:
            total *= 1 - cut / 3
    return total


def spots(x: Axis, y: Axis, cell: float, seed: int, *, share: float) -> tuple[Field, Field]:
    """
    Scattered points, at most one in each cell, as a field of distances.

    Parameters
    ----------
    x, y : ndarray, float64, unit m
        Axes, see :func:`gradient`.
    cell : float, unit m
        Side of the cells; distances beyond it are cut off.
    seed : int
        See :func:`salt`.
    share : float
        Share of the cells that hold a point, 0-1.

    Returns
    -------
    distance : ndarray, float32, dims (y, x), unit m
        To the nearest point, at most ``cell``.
    size : ndarray, float32, dims (y, x), unit 1
        Random number of that point, 0-1; 0 where none is near.
    """
    columns, i, s = _cells(x, cell, 0.0)
    rows, j, t = _cells(y, cell, 0.0)
    columns = np.arange(columns[0] - 1, columns[-1] + 2)
    rows = np.arange(rows[0] - 1, rows[-1] + 2)
    at = [uniform(columns[None, :], rows[:, None], seed + k).astype(np.float32) for k in range(4)]
    across = np.where(at[2] < share, at[0], np.float32(9))
    nearest = np.ones((y.size, x.size), np.float32)
    size = np.zeros_like(nearest)
    for column in range(3):
        east = (across[:, i + column] + (column - 1 - s)) ** 2
        north, sizes = at[1][:, i + column], at[3][:, i + column]
        for row in range(3):
            apart = north[j + row]
            apart += (row - 1 - t)[:, None]
            apart *= apart
            apart += east[j + row]
            closer = apart < nearest
            np.copyto(nearest, apart, where=closer)
            np.copyto(size, sizes[j + row], where=closer)
    np.sqrt(nearest, out=nearest)
    nearest *= np.float32(cell)
    return nearest, size
