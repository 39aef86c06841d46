"""One scene on the grid: its reflectance, and how well it shows each pixel."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from odc.geo.geobox import GeoBox

from jinhua_rs.cube.fetching import fetch
from jinhua_rs.cube.resample import Patch, Target, write_classes, write_reflectance
from jinhua_rs.cube.warp import UNSEEN
from jinhua_rs.errors import ContractError
from jinhua_rs.masks import Masker
from jinhua_rs.opening import Expected
from jinhua_rs.scene import BANDS

__all__ = ["CLEAR", "PARTLY", "SEEN", "Before", "Ranks", "Wanted", "sight"]

PARTLY, SEEN, CLEAR = 1, 2, 3
"""How well a scene shows a pixel: in some bands, in all, in all and clear. 0 is not at all."""

Ranks = npt.NDArray[np.uint8]

_CLASSES = frozenset(band.name for band in BANDS if band.wavelength is None)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of each scene: which bands, by whose mask, and whether pixels not clear too."""

    bands: tuple[str, ...]
    masker: Masker
    only_clear: bool


@dataclass(frozen=True, slots=True)
class Before:
    """
    What other scenes of a day show of the pixels of a grid.

    Attributes
    ----------
    ranks : ndarray, uint8, dims (y, x)
        How well, 0-3.
    settled : ndarray, bool, dims (y, x)
        Deep inside another scene, which has data there. All scenes of a day are of one pass and
        show one sky: what one of them calls cloud must not come back as clear from its neighbour.
    """

    ranks: Ranks
    settled: npt.NDArray[np.bool_]

    @classmethod
    def nothing(cls, shape: tuple[int, ...]) -> Self:
        """Return what is known before the first scene."""
        return cls(np.zeros(shape, np.uint8), np.zeros(shape, np.bool_))


def sight(
    expected: Expected,
    target: Target,
    wanted: Wanted,
    layer: npt.NDArray[np.int16],
    before: Before | None,
) -> tuple[Ranks | None, npt.NDArray[np.bool_]]:
    """
    Read one scene onto the grid and rank its pixels.

    Parameters
    ----------
    expected : Expected
        The scene.
    target : Target
        The grid, placed in the scene's CRS.
    wanted : Wanted
        What is read.
    layer : ndarray, int16, dims (band, y, x)
        Written: reflectance * 10000, -32768 = not seen. Where ``only_clear`` is wanted, what is
        not ranked has no meaning.
    before : Before, optional
        What other scenes of the day show already. Only the rectangle of pixels that this scene
        may show better is read.

    Returns
    -------
    ranks : ndarray, uint8, dims (y, x), or None
        0 not seen, 1 in some bands, 2 in all, 3 in all and clear (where ``only_clear`` is wanted:
        3, else 0). None where the scene can better nothing; no band but those of the mask is
        then read.
    held : ndarray, bool, dims (y, x)
        Where the scene has data: the first band of the mask is not 0.

    Raises
    ------
    Unusable
        If an asset cannot be read; ``layer`` is then of no use.
    """
    before = before or Before.nothing(tuple(target.geobox.shape))
    if before.settled.all():
        return None, before.settled
    clear, held = _clear(expected, target, wanted.masker)
    gain = clear & (before.ranks < CLEAR)
    if not wanted.only_clear:
        gain |= before.ranks < SEEN
    gain &= ~before.settled
    if not gain.any():
        return None, held
    rows, columns = _extent(gain, axis=1), _extent(gain, axis=0)
    part = layer[:, rows, columns]
    if part.shape != layer.shape:
        if not wanted.only_clear:
            layer.fill(UNSEEN)
        target = Target.of(target.geobox[rows, columns], expected.scene.crs, target.engine)
    for band, out in zip(wanted.bands, part, strict=True):
        _reflectance(expected, band, target, out)
    ranked: Ranks = np.zeros(gain.shape, np.uint8)
    ranked[rows, columns] = _ranked(part, clear[rows, columns], wanted.only_clear)
    ranked[before.settled] = 0
    return ranked, held


def _ranked(part: npt.NDArray[np.int16], clear: npt.NDArray[np.bool_], only_clear: bool) -> Ranks:  # noqa: FBT001
    """Rank pixels; a number below all others means unseen, so extremes over bands say all, none."""
    seen = part.min(axis=0) != UNSEEN
    if only_clear:
        best: Ranks = (seen & clear) * np.uint8(CLEAR)
        return best
    found = (part.max(axis=0) != UNSEEN).view(np.uint8)
    ranked: Ranks = found + seen + (seen & clear)
    return ranked


def _extent(hits: npt.NDArray[np.bool_], axis: int) -> slice:
    """From the first row (``axis`` 1) or column (0) that has a hit to the last."""
    at = np.flatnonzero(hits.any(axis=axis))
    return slice(int(at[0]), int(at[-1]) + 1)


def _reflectance(expected: Expected, band: str, target: Target, out: npt.NDArray[np.int16]) -> None:
    patch = fetch(expected, band, target.placement)
    if patch is None:
        out.fill(UNSEEN)
    else:
        write_reflectance(patch, expected.scene, target, out)


def _clear(
    expected: Expected, target: Target, masker: Masker
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Let the masker judge native pixels; bring its answer, and where data are, onto the grid."""
    codes = np.zeros(target.geobox.shape, np.uint8)
    first = fetch(expected, masker.bands[0], target.placement, masker.rim_m)
    if first is None:
        return codes.view(np.bool_), codes.view(np.bool_)
    native = GeoBox(
        (first.pixels.shape[0] - 2, first.pixels.shape[1] - 2), first.inner, expected.scene.crs
    )
    there = Target.of(native, expected.scene.crs, target.engine)
    layers: dict[str, npt.NDArray[Any]] = {}
    for band in masker.bands:
        layers[band] = _native(expected, band, there, first if band == masker.bands[0] else None)
    answer = masker.clear(layers, expected.scene, native)
    if answer.dtype != np.bool_ or answer.shape != native.shape:
        raise ContractError(
            f"{type(masker).__name__} answered {answer.dtype} {answer.shape} for pixels of shape "
            f"{tuple(native.shape)}; a mask is bool and on the pixels it was given",
            zh=f"云掩膜返回 {answer.dtype} {answer.shape}，应为 {tuple(native.shape)} 的布尔数组",
        )
    both = (first.pixels != 0).view(np.uint8)
    both[1:-1, 1:-1] |= answer.view(np.uint8) << 1
    write_classes(Patch(both, first.transform), target, codes)
    return codes > 1, (codes & 1).view(np.bool_)


def _native(expected: Expected, band: str, there: Target, patch: Patch | None) -> npt.NDArray[Any]:
    """Bring one of the masker's bands onto its native grid; ``patch`` is what is read already."""
    patch = patch or fetch(expected, band, there.placement)
    if band in _CLASSES:
        classes = np.zeros(there.geobox.shape, np.uint8 if patch is None else patch.pixels.dtype)
        if patch is not None:
            write_classes(patch, there, classes)
        return classes
    numbers = np.zeros(there.geobox.shape, np.int16)
    if patch is not None:
        write_reflectance(patch, replace(expected.scene, offset=0, scale=1e-4), there, numbers)
        numbers[numbers == UNSEEN] = 0
    return numbers
