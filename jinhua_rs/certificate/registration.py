"""How far a scene lies beside the others of its tile: phase correlation with their median."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

__all__ = ["UNMEASURED", "ChipShift", "Shift", "chip_shift", "median_base", "tile_shift"]

Floats = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

_CLEAR_RIM_PX = 3
"""Ground this near to cloud is left out: clouds have soft edges, and they move."""
_LEAST_CLEAR = 0.35
"""A chip with less clear ground than this share is not matched."""
_BRIGHTEST = 99.0
"""Gradients above this percentile are cut there: one greenhouse must not outvote a valley."""
_LOW_PASS = 0.20
"""Standard deviation, cycles a pixel, of the weight of frequencies: beyond, noise has the word."""
_REACH = 0.25
"""Shifts up to this share of a chip's side are looked for."""
_LOBE_PX = 4
"""Around the peak this much belongs to it; a second peak must lie further off."""
_STEPS = 20
"""Parts of a pixel to which the peak is refined."""
_LEAST_PEAK = 0.08
"""Share of the spectrum that must agree in phase. Chips of noise reach 0.03."""
_LEAST_RATIO = 1.5
"""Peak over second peak. Ground with edges in one direction only gives a ridge, ratio 1."""
_BORNE_SPREAD_PX = 0.5
"""Median distance of the chips from their median beyond which they contradict one another."""
_ENOUGH = 3
"""So many chips vouch for one another by agreeing."""
_LEAST_LONE_RATIO = 3.0
"""
Fewer must each be this plain. Over wooded mountains in Romania (140 real dates, one chip of 96
pixels) 3 of 73 chips with a ratio of 2 were wrong by more than 2 pixels, none of 60 with 3.
"""


@dataclass(frozen=True, slots=True)
class ChipShift:
    """
    Shift of one chip, pixels; ``peak`` 0-1 and ``ratio`` to the second peak say how plain it is.

    Positive ``dy`` and ``dx``: what the base shows lies further down and right in the chip.
    """

    dy: float
    dx: float
    peak: float
    ratio: float

    @property
    def usable(self) -> bool:
        """Tell whether the match stands out from chance."""
        return self.peak >= _LEAST_PEAK and self.ratio >= _LEAST_RATIO


@dataclass(frozen=True, slots=True)
class Shift:
    """
    Shift of a scene, pixels of its finest bands.

    Attributes
    ----------
    dy, dx : float or None
        Median over the usable chips, down and right; None where it cannot be measured.
    quality : float
        Median peak of the usable chips, 0-1; 0 where there are none.
    spread : float or None
        Median distance of the usable chips from the median shift, pixels.
    n_chips : int
        Usable chips.
    """

    dy: float | None
    dx: float | None
    quality: float
    spread: float | None
    n_chips: int

    @property
    def length(self) -> float | None:
        """Length of the shift, pixels; None where it was not measured."""
        return None if self.dy is None or self.dx is None else hypot(self.dy, self.dx)


UNMEASURED = Shift(None, None, 0.0, None, 0)
"""No chip could be matched."""


def median_base(chips: Sequence[Floats], clear: Sequence[Flags]) -> tuple[Floats, Flags]:
    """
    Per-pixel median of the clear looks.

    Parameters
    ----------
    chips : sequence of ndarray, float32, dims (y, x), DN
    clear : sequence of ndarray, bool, dims (y, x)

    Returns
    -------
    (ndarray float32, ndarray bool), dims (y, x)
        The median (of an even number the lower of the middle two, so that it is a look that was
        seen), 0 where no look is clear; and where there is one.
    """
    seen = np.asarray(clear)
    looks = np.where(seen, np.asarray(chips, "float32"), np.inf)
    looks.sort(axis=0)
    count = seen.sum(axis=0)
    middle = np.maximum(count - 1, 0) // 2
    median = np.take_along_axis(looks, middle[np.newaxis], axis=0)[0]
    return np.where(count > 0, median, 0).astype("float32"), count > 0


def chip_shift(chip: Floats, clear: Flags, base: Floats, known: Flags) -> ChipShift | None:
    """
    Shift of a chip against its base by phase correlation of gradient magnitudes.

    The cross-power spectrum is divided by its magnitude (Kuglin & Hines 1975, The phase
    correlation image alignment method), weighted by a Gaussian of the frequency, and brought back;
    the peak is refined by evaluating the same sum on a finer lattice around it (as
    Guizar-Sicairos et al. 2008, Optics Letters 33, 156).

    Parameters
    ----------
    chip, base : ndarray, float32, dims (y, x), DN
        On the same pixels, if nothing is shifted. Values where they are not clear do not matter.
    clear, known : ndarray, bool, dims (y, x)
        Where they show ground.

    Returns
    -------
    ChipShift or None
        None where too little ground is clear in either.
    """
    moving, fixed = _edges(chip, clear), _edges(base, known)
    if moving is None or fixed is None:
        return None
    cross = fft.fft2(moving) * np.conj(fft.fft2(fixed))
    size = np.abs(cross)
    weight = _frequency_weight(chip.shape)
    phase = np.where(size > 0, cross / np.where(size > 0, size, 1), 0) * weight / weight.sum()
    surface = fft.fftshift(np.real(fft.ifft2(phase))) * phase.size
    return _peak(surface, phase)


def tile_shift(chips: Sequence[ChipShift | None]) -> Shift:
    """
    Shift of a scene from the shifts of its chips.

    Returns
    -------
    Shift
        Without ``dy`` and ``dx`` where no chip is usable, where fewer than three are and these
        are not very plain, or where they contradict one another.
    """
    usable = [chip for chip in chips if chip is not None and chip.usable]
    if len(usable) < _ENOUGH:
        usable = [chip for chip in usable if chip.ratio >= _LEAST_LONE_RATIO]
    if not usable:
        return UNMEASURED
    steps = np.array([(chip.dy, chip.dx) for chip in usable])
    middle = np.median(steps, axis=0)
    spread = float(np.median(np.hypot(*(steps - middle).T)))
    quality = float(np.median([chip.peak for chip in usable]))
    if spread > _BORNE_SPREAD_PX:
        return Shift(None, None, quality, spread, len(usable))
    return Shift(float(middle[0]), float(middle[1]), quality, spread, len(usable))


def _edges(image: Floats, shown: Flags) -> Floats | None:
    """Gradient magnitude, without mean, faded out towards cloud and border; None if too cloudy."""
    inner = ndimage.binary_erosion(shown, iterations=_CLEAR_RIM_PX, border_value=1)
    if inner.mean() < _LEAST_CLEAR:
        return None
    filled = np.where(shown, image, np.median(image[shown])).astype("float32")
    steep = np.hypot(ndimage.sobel(filled, axis=0), ndimage.sobel(filled, axis=1))
    steep = np.minimum(steep, np.percentile(steep[inner], _BRIGHTEST))
    fade = ndimage.gaussian_filter(inner.astype("float32"), _CLEAR_RIM_PX) * inner
    fade *= np.outer(np.hanning(image.shape[0]), np.hanning(image.shape[1])).astype("float32")
    edges: Floats = (steep - np.average(steep, weights=fade)) * fade
    return edges


def _frequency_weight(shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    rows, columns = np.meshgrid(fft.fftfreq(shape[0]), fft.fftfreq(shape[1]), indexing="ij")
    weight: npt.NDArray[np.float64] = np.exp(-(rows**2 + columns**2) / (2 * _LOW_PASS**2))
    weight[0, 0] = 0
    return weight


def _peak(surface: npt.NDArray[np.float64], phase: npt.NDArray[np.complex128]) -> ChipShift:
    """Find the highest point within reach, refine it, and compare it with the second highest."""
    centre = [size // 2 for size in surface.shape]
    reach = [max(_LOBE_PX + 1, int(_REACH * size)) for size in surface.shape]
    window = surface[
        centre[0] - reach[0] : centre[0] + reach[0] + 1,
        centre[1] - reach[1] : centre[1] + reach[1] + 1,
    ]
    at = np.unravel_index(int(np.argmax(window)), window.shape)
    whole = [int(where) - far for where, far in zip(at, reach, strict=True)]
    dy, dx, peak = _refined(phase, whole)
    rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
    beside = np.maximum(abs(rows - at[0]), abs(columns - at[1])) > _LOBE_PX
    second = max(float(window[beside].max()), 1e-6)
    return ChipShift(dy, dx, peak, float(window[at]) / second)


def _refined(phase: npt.NDArray[np.complex128], whole: Sequence[int]) -> tuple[float, float, float]:
    """Evaluate the inverse transform every 1/20 pixel within a pixel of the whole-pixel peak."""
    fine = np.arange(-_STEPS, _STEPS + 1) / _STEPS
    rows, columns = (
        np.exp(2j * np.pi * np.outer(step + fine, fft.fftfreq(size)))
        for step, size in zip(whole, phase.shape, strict=True)
    )
    # no @: for matrices this small the threads of BLAS wait for one another longer than they work
    half = np.einsum("ij,jk->ik", rows, phase)
    surface = np.real(np.einsum("ik,jk->ij", half, columns))
    at = np.unravel_index(int(np.argmax(surface)), surface.shape)
    return whole[0] + float(fine[at[0]]), whole[1] + float(fine[at[1]]), float(surface[at])
