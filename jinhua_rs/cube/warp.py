"""
The two hot kernels: bilinear for digital numbers, nearest pixel for masks; one thread.

Both walk the target row by row. Where a target pixel lies in the source is known exactly at the
nodes of a coarse lattice (:mod:`jinhua_rs.cube.placement`) and is linear between them: a row of
pixels between two nodes, a *run*, is a straight line through the source.

A run is taken in passes over small buffers, so that the compiler puts the arithmetic before and
after the four look-ups into vector lanes (positions in float64, weights and values in float32).
Pixels beside an unseen one are rare and are mended in a last, plain pass.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["UNSEEN", "Nodes", "bilinear", "nearest"]

UNSEEN = -32768
"""int16 of a pixel that was not seen."""

_UNSEEN = np.int16(UNSEEN)
_LARGEST = np.float32(32767)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)

_F = TypeVar("_F", bound=Callable[..., Any])
_Floats = npt.NDArray[np.float32]


class Nodes(NamedTuple):
    """
    Where the nodes of a lattice lie in a source.

    Attributes
    ----------
    rows, columns : ndarray, int64, dims (n,), (m,)
        Target rows and columns of the nodes, increasing from 0.
    x, y : ndarray, float64, dims (n, m), unit source pixel
        Source column and row of each node; whole numbers are the centres of pixels.
    """

    rows: npt.NDArray[np.int64]
    columns: npt.NDArray[np.int64]
    x: npt.NDArray[np.float64]
    y: npt.NDArray[np.float64]


class _Run(NamedTuple):
    """Source position of the first pixel of a run, and the step from pixel to pixel."""

    x: float
    y: float
    step_x: float
    step_y: float


def _compiled(function: _F) -> _F:
    """Compile on first call for the types given, and keep the machine code beside the file."""
    return cast("_F", njit(cache=True, nogil=True, error_model="numpy")(function))


@_compiled
def bilinear(
    source: npt.NDArray[Any],
    nodes: Nodes,
    gain: np.float32,
    bias: np.float32,
    out: npt.NDArray[np.int16],
) -> None:
    """
    Warp digital numbers bilinearly, and turn them into scaled reflectance in the same pass.

    A target pixel is seen where the nearest source pixel is; neighbours that are not seen
    get no weight, and the other weights are scaled to make up for them.

    Parameters
    ----------
    source : ndarray, uint8, uint16 or int16, dims (y, x), at least 2 x 2
        Digital numbers, 0 = not seen. What lies outside counts as its border pixels do where
        these are 0: a rim of zeros makes everything outside unseen.
    nodes : Nodes
        Lattice over ``out``.
    gain, bias : float32
        ``out = round(DN * gain + bias)``, clipped to ±32767.
    out : ndarray, int16, dims (y, x)
        Every pixel is written; -32768 = not seen.
    """
    longest = np.max(np.diff(nodes.columns)) + 1
    index = np.empty(longest, np.uint32)
    part = np.empty((2, longest), np.float32)
    corners = np.empty((4, longest), np.float32)
    flat = source.ravel()
    for r in range(nodes.rows.size - 1):
        for i in range(nodes.rows[r], _end(nodes.rows, r, out.shape[0])):
            for c in range(nodes.columns.size - 1):
                run = _run(nodes, r, c, i)
                line = out[i, nodes.columns[c] : _end(nodes.columns, c, out.shape[1])]
                _locate(run, source.shape, line.size, index, part)
                _look_up(flat, source.shape[1], index[: line.size], corners)
                gaps = _blend(corners, part, gain, bias, line)
                if gaps:
                    _mend(corners, part, gain, bias, line)


@_compiled
def nearest(source: npt.NDArray[Any], nodes: Nodes, out: npt.NDArray[Any]) -> None:
    """
    Warp a mask by nearest pixel; what lies outside the source is 0.

    Parameters
    ----------
    source : ndarray, bool or uint8, dims (y, x)
    nodes : Nodes
        Lattice over ``out``.
    out : ndarray, dtype and dims as ``source``
        Every pixel is written.
    """
    height, width = source.shape
    for r in range(nodes.rows.size - 1):
        for i in range(nodes.rows[r], _end(nodes.rows, r, out.shape[0])):
            for c in range(nodes.columns.size - 1):
                run = _run(nodes, r, c, i)
                line = out[i, nodes.columns[c] : _end(nodes.columns, c, out.shape[1])]
                for k in range(line.size):
                    column = int(np.floor(run.x + k * run.step_x + 0.5))
                    row = int(np.floor(run.y + k * run.step_y + 0.5))
                    inside = 0 <= column < width and 0 <= row < height
                    line[k] = source[row, column] if inside else 0


@_compiled
def _end(nodes: npt.NDArray[np.int64], at: int, size: int) -> int:
    """First row (or column) after the cell ``at``; the last cell holds its far node too."""
    return size if at == nodes.size - 2 else nodes[at + 1]


@_compiled
def _run(nodes: Nodes, r: int, c: int, i: int) -> _Run:
    """Interpolate the two ends of target row ``i`` between node columns ``c`` and ``c + 1``."""
    down = (i - nodes.rows[r]) / (nodes.rows[r + 1] - nodes.rows[r])
    across = nodes.columns[c + 1] - nodes.columns[c]
    x = nodes.x[r, c] + down * (nodes.x[r + 1, c] - nodes.x[r, c])
    y = nodes.y[r, c] + down * (nodes.y[r + 1, c] - nodes.y[r, c])
    x_end = nodes.x[r, c + 1] + down * (nodes.x[r + 1, c + 1] - nodes.x[r, c + 1])
    y_end = nodes.y[r, c + 1] + down * (nodes.y[r + 1, c + 1] - nodes.y[r, c + 1])
    return _Run(x, y, (x_end - x) / across, (y_end - y) / across)


@_compiled
def _locate(
    run: _Run, shape: tuple[int, int], size: int, index: npt.NDArray[np.uint32], part: _Floats
) -> None:
    """Find the upper left of the four neighbours, and how far right of and below it a pixel is."""
    last_column, last_row = shape[1] - 2, shape[0] - 2
    for k in range(size):
        x, y = run.x + k * run.step_x, run.y + k * run.step_y
        column = np.int32(min(max(np.floor(x), 0.0), last_column))
        row = np.int32(min(max(np.floor(y), 0.0), last_row))
        part[0, k] = x - column
        part[1, k] = y - row
        index[k] = np.uint32(row) * np.uint32(shape[1]) + np.uint32(column)


@_compiled
def _look_up(
    flat: npt.NDArray[Any], width: int, index: npt.NDArray[np.uint32], corners: _Floats
) -> None:
    """Fetch the four neighbours. Unsigned: a signed index would be tested for being negative."""
    one, below = np.uint32(1), np.uint32(width)
    for k in range(index.size):
        upper = index[k]
        lower = np.uint32(upper + below)
        corners[0, k] = flat[upper]
        corners[1, k] = flat[np.uint32(upper + one)]
        corners[2, k] = flat[lower]
        corners[3, k] = flat[np.uint32(lower + one)]


@_compiled
def _blend(
    corners: _Floats, part: _Floats, gain: np.float32, bias: np.float32, line: npt.NDArray[np.int16]
) -> int:
    """Write pixels whose four neighbours are seen, unseen elsewhere; count the latter."""
    gaps = 0
    for k in range(line.size):
        a, b, c, d = corners[0, k], corners[1, k], corners[2, k], corners[3, k]
        top = a + part[0, k] * (b - a)
        bottom = c + part[0, k] * (d - c)
        value = np.floor((top + part[1, k] * (bottom - top)) * gain + bias + _HALF)
        value = min(max(value, -_LARGEST), _LARGEST)
        gap = (a == _ZERO) | (b == _ZERO) | (c == _ZERO) | (d == _ZERO)
        line[k] = _UNSEEN if gap else np.int16(np.int32(value))
        gaps += int(gap)
    return gaps


@_compiled
def _mend(
    corners: _Floats, part: _Floats, gain: np.float32, bias: np.float32, line: npt.NDArray[np.int16]
) -> None:
    """Write pixels that have an unseen neighbour but whose nearest one is seen."""
    for k in range(line.size):
        right, below = part[0, k], part[1, k]
        closest = 2 * int(below >= _HALF) + int(right >= _HALF)
        if line[k] != _UNSEEN or corners[closest, k] == _ZERO:
            continue
        total, weight = _ZERO, _ZERO
        for n in range(4):
            share = (right if n % 2 else _ONE - right) * (below if n > 1 else _ONE - below)
            if corners[n, k] != _ZERO:
                weight += share
                total += share * corners[n, k]
        value = np.floor(total / weight * gain + bias + _HALF)
        line[k] = np.int16(np.int32(min(max(value, -_LARGEST), _LARGEST)))
