"""
The geometric median, compiled: Weiszfeld's iteration, mended and hastened.

From a centre y each look x at distance d pulls with weight 1/d; the step to the weighted mean
never raises the sum of distances (Weiszfeld 1937, Tohoku Math. J. 43, 355-386). Where y lies
on a look, that look holds the centre back by as much as it counts (Vardi and Zhang 2000,
doi 10.1073/pnas.97.4.1423), so that a look may be the answer and no look is a trap. Spectra
of a pixel differ mostly along one line, that of brightness, along which plain steps shrink by
a constant, slow factor; each step is therefore combined with the one before (Anderson 1965,
doi 10.1145/321296.321305, depth 1), and undone where it raised the sum of distances.
"""

from typing import NamedTuple

import numpy as np

from jinhua_rs.composite.kernels.lanes import (
    LANES,
    NOTHING,
    ONE,
    ZERO,
    Booleans,
    Floats,
    Numbers,
    compiled,
)

__all__ = ["geomedian"]

_ITERATIONS = 1000
"""More than needed: of 20,000 pixels of 12 looks half took 6 or fewer, the slowest 45."""
_ON_A_LOOK = np.float32(1e-4)
"""Squared distance (1e-4 of reflectance, squared) from which y is taken to lie on a look."""
_NEAR_A_LOOK, _NEARER = np.float32(1), np.float32(1e-2)
"""
The same where a search has ended: a step is short from every y so near a look, answer or not,
for that look pulls most. Only without its pull does it show whether it is the answer; a search
that goes on takes y to lie on a look from the smaller one.
"""
_ROUNDING = np.float32(1 + 5e-7)
"""A sum of distances that is larger by less than this is not larger: float32."""
_FARTHEST = np.float32(-100)
"""Longest extrapolation, in plain steps."""


class _Search(NamedTuple):
    """Where each lane is: vectors are (band * LANES + lane), numbers are (lane,)."""

    centre: Floats
    step: Floats
    """Plain step from ``centre``."""
    last_centre: Floats
    last_step: Floats
    """Of the best centre so far."""
    total: Floats
    """Sum of distances from ``centre``."""
    least: Floats
    """The same from the best centre so far."""
    length: Floats
    """Length of ``step``."""
    pull: Floats
    """Sum of the weights 1/d."""
    held: Floats
    """Looks that ``centre`` lies on."""
    scratch: Floats
    other: Floats
    going: Floats
    """1 where the search goes on, 0 where it has ended."""
    known: Floats
    """1 where ``last_step`` may be combined with, else 0."""


@compiled
def geomedian(looks: Numbers, use: Booleans, bands: tuple[int, ...], tolerance: float) -> Floats:
    """
    Find the geometric median of the looks of each pixel.

    Parameters
    ----------
    looks : ndarray, int16, dims (band, date, pixel), unit 1e-4 of reflectance
        C-contiguous.
    use : ndarray, bool, dims (date, pixel)
        Looks that count; a look that counts is seen in all bands.
    bands : tuple of int
        Any tuple as long as there are bands: its length is part of its type, so that the
        compiler unrolls the loops over bands.
    tolerance : float, unit 1 (reflectance)
        The search ends where a plain step of Weiszfeld is shorter, as ``eps`` of geomad.

    Returns
    -------
    ndarray, float32, dims (band, pixel), unit 1 (reflectance)
        NaN where no look counts.
    """
    dates, pixels = use.shape
    values = np.empty((dates, len(bands) * LANES), np.float32)
    weight = np.empty((dates, LANES), np.float32)
    found = np.empty((len(bands), pixels), np.float32)
    search = _search(len(bands))
    for first in range(0, pixels, LANES):
        width = min(LANES, pixels - first)
        used = _load(looks, use, first, values, weight)
        _begin(values[:used], weight, bands, search)
        _converge(values[:used], weight, bands, np.float32(tolerance * 1e4), search)
        for band in range(len(bands)):
            for lane in range(width):
                found[band, first + lane] = search.centre[band * LANES + lane] * np.float32(1e-4)
    return found


@compiled
def _converge(
    values: Floats, weight: Floats, bands: tuple[int, ...], tolerance: np.float32, search: _Search
) -> None:
    """Move the centres until their steps are short, and on from looks that do not hold them."""
    for _ in range(_ITERATIONS):
        _plain_step(values, weight, bands, _ON_A_LOOK, search)
        if not _advance(bands, tolerance, search):
            break
    _plain_step(values, weight, bands, _NEAR_A_LOOK, search)
    if _go_on(tolerance, search):
        for _ in range(_ITERATIONS):
            if not _advance(bands, tolerance, search):
                break
            _plain_step(values, weight, bands, _NEARER, search)


@compiled
def _load(looks: Numbers, use: Booleans, first: int, values: Floats, weight: Floats) -> int:
    """Load the dates that any pixel of a block uses, and tell how many they are."""
    found = 0
    width = min(LANES, use.shape[1] - first)
    for date in range(use.shape[0]):
        used = use[date, first : first + width]
        if not used.any():
            continue
        weight[found, :] = ZERO
        for lane in range(width):
            weight[found, lane] = ONE if used[lane] else ZERO
        for band in range(looks.shape[0]):
            look = looks[band, date, first : first + width]
            row = values[found, band * LANES : (band + 1) * LANES]
            for lane in range(width):
                row[lane] = np.float32(look[lane])
            for lane in range(width, LANES):
                row[lane] = ZERO
        found += 1
    return found


@compiled
def _search(bands: int) -> _Search:
    vectors = np.zeros((4, bands * LANES), np.float32)
    numbers = np.zeros((9, LANES), np.float32)
    return _Search(
        vectors[0], vectors[1], vectors[2], vectors[3],
        numbers[0], numbers[1], numbers[2], numbers[3], numbers[4],
        numbers[5], numbers[6], numbers[7], numbers[8],
    )  # fmt: skip


@compiled
def _begin(values: Floats, weight: Floats, bands: tuple[int, ...], search: _Search) -> None:
    """Start from the mean; it lies in the middle of two looks, where every point is a median."""
    search.centre[:], search.pull[:] = ZERO, ZERO
    search.last_centre[:], search.last_step[:] = ZERO, ZERO
    for date in range(values.shape[0]):
        look, counts = values[date], weight[date]
        for lane in range(LANES):
            search.pull[lane] += counts[lane]
            for band in range(len(bands)):
                at = band * LANES + lane
                search.centre[at] += counts[lane] * look[at]
    for lane in range(LANES):
        for band in range(len(bands)):
            search.centre[band * LANES + lane] /= search.pull[lane]
        search.going[lane] = ONE if search.pull[lane] > 0 else ZERO
        search.least[lane] = NOTHING
        search.known[lane] = ZERO


@compiled
def _plain_step(
    values: Floats,
    weight: Floats,
    bands: tuple[int, ...],
    on_a_look: np.float32,
    search: _Search,
) -> None:
    """Find the step of Weiszfeld, Vardi and Zhang from each centre, and the sum of distances."""
    centre, step, pull, held, total = (
        search.centre, search.step, search.pull, search.held, search.total
    )  # fmt: skip
    step[:], pull[:], held[:], total[:] = ZERO, ZERO, ZERO, ZERO
    share = search.scratch
    for date in range(values.shape[0]):
        look, counts = values[date], weight[date]
        for lane in range(LANES):
            square = ZERO
            for band in range(len(bands)):
                off = look[band * LANES + lane] - centre[band * LANES + lane]
                square += off * off
            share[lane] = square
        for lane in range(LANES):
            here = share[lane] <= on_a_look
            distance = np.sqrt(share[lane])
            total[lane] += counts[lane] * distance
            held[lane] += counts[lane] if here else ZERO
            share[lane] = ZERO if here else counts[lane] / distance
            pull[lane] += share[lane]
        for lane in range(LANES):
            for band in range(len(bands)):
                at = band * LANES + lane
                step[at] += share[lane] * (look[at] - centre[at])
    _hold_back(bands, search)


@compiled
def _hold_back(bands: tuple[int, ...], search: _Search) -> None:
    """Turn the sum of the pulls into a step: less what the looks under the centre hold."""
    step, length, share = search.step, search.length, search.scratch
    for lane in range(LANES):
        square = ZERO
        for band in range(len(bands)):
            square += step[band * LANES + lane] * step[band * LANES + lane]
        force = np.sqrt(square)
        free = max(force - search.held[lane], ZERO)
        share[lane] = free / (force * search.pull[lane]) if free > 0 else ZERO
        length[lane] = force * share[lane]
    for lane in range(LANES):
        for band in range(len(bands)):
            step[band * LANES + lane] *= share[lane]


@compiled
def _go_on(tolerance: np.float32, search: _Search) -> bool:
    """Let those go on that ended near a look which does not hold them; tell whether any does."""
    going = ZERO
    for lane in range(LANES):
        caught = search.held[lane] > 0 and search.length[lane] >= tolerance
        search.going[lane] = ONE if caught else ZERO
        search.known[lane] = ZERO
        going += search.going[lane]
    return bool(going > 0)


@compiled
def _advance(bands: tuple[int, ...], tolerance: np.float32, search: _Search) -> bool:
    """Move the centres that still move, and tell whether any does."""
    lengthen, back = search.scratch, search.other
    step, last_step = search.step, search.last_step
    for lane in range(LANES):
        along, square = ZERO, ZERO
        for band in range(len(bands)):
            at = band * LANES + lane
            turn = step[at] - last_step[at]
            along += step[at] * turn
            square += turn * turn
        share = along / square if square > 0 and search.known[lane] > 0 else ZERO
        lengthen[lane] = min(max(share, _FARTHEST), ONE)
    going = ZERO
    for lane in range(LANES):
        worse = search.total[lane] > search.least[lane] * _ROUNDING
        near = search.length[lane] < tolerance and not worse
        back[lane] = search.going[lane] if worse else ZERO
        lengthen[lane] = ZERO if near else lengthen[lane]
        search.known[lane] = ZERO if worse else ONE
        search.least[lane] = search.least[lane] if worse else search.total[lane]
    _move(bands, search)
    for lane in range(LANES):
        near = search.length[lane] < tolerance and back[lane] == 0
        search.going[lane] = ZERO if near else search.going[lane]
        going += search.going[lane]
    return bool(going > 0)


@compiled
def _move(bands: tuple[int, ...], search: _Search) -> None:
    """Take the combined step, or go back to the best centre and take its plain step."""
    for band in range(len(bands)):
        for lane in range(LANES):
            at = band * LANES + lane
            plain = search.centre[at] + search.step[at]
            before = search.last_centre[at] + search.last_step[at]
            back = search.other[lane] > 0
            ahead = before if back else plain - search.scratch[lane] * (plain - before)
            stays = search.going[lane] == 0
            search.last_centre[at] = search.last_centre[at] if back else search.centre[at]
            search.last_step[at] = search.last_step[at] if back else search.step[at]
            search.centre[at] = search.centre[at] if stays else ahead
