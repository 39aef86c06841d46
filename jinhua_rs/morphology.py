"""Connected patches of a class map: holes closed and small patches dropped, seen ground only."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from jinhua_rs.schema import Forest

__all__ = ["minimum_unit"]

Codes = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int32]
_NO_ROUNDING = 1e-6
"""Seven pixels of 95.2381 m² are 1 亩 less a rounding, and are one."""


def minimum_unit(forest: Codes, pixel_m2: float, *, patch_m2: float, hole_m2: float) -> Codes:
    """
    Bring a tree-cover map to its minimum mapping unit.

    Pixels belong together where they share an edge (4-connectivity), in forest and in holes.
    First a hole smaller than ``hole_m2`` becomes forest, then a patch of forest smaller than
    ``patch_m2``, its closed holes counted in, becomes other land. Done twice it changes nothing
    more. A hole or patch that touches ground not seen, or the edge of the map, stays as it is:
    how large it is was not seen. For the same reason it must be done on a map in one piece.

    Parameters
    ----------
    forest : ndarray, uint8, dims (y, x)
        :class:`~jinhua_rs.schema.Forest` codes, 0 = not seen.
    pixel_m2 : float, m²
    patch_m2, hole_m2 : float, m²
        Smallest patch and smallest hole that stand; 0 leaves patches or holes alone, and so
        does every pixel at least as large.

    Returns
    -------
    ndarray, uint8, dims (y, x)
        New map; 0 exactly where ``forest`` is 0.

    Examples
    --------
    >>> ring = np.ones((5, 5), np.uint8)
    >>> ring[1:4, 1:4] = 2
    >>> ring[2, 2] = 1
    >>> minimum_unit(ring, 100, patch_m2=10_000 / 15, hole_m2=400)[2].tolist()
    [1, 2, 2, 2, 1]
    """
    closed = _flipped(forest, Forest.OTHER, Forest.FOREST, hole_m2 / pixel_m2)
    return _flipped(closed, Forest.FOREST, Forest.OTHER, patch_m2 / pixel_m2)


def _flipped(codes: Codes, kind: Forest, other: Forest, pixels: float) -> Codes:
    """Give patches of ``kind`` below a size the code ``other``, if their size is known."""
    if pixels <= 1:
        return codes
    patch, number = ndimage.label(codes == kind)
    small = np.bincount(patch.ravel(), minlength=number + 1) < pixels - _NO_ROUNDING
    small[0] = False
    for numbers in _of_unknown_size(patch, codes == Forest.UNSEEN):
        small[numbers] = False
    return np.where(small[patch], np.uint8(other), codes)


def _of_unknown_size(patch: Labels, unseen: npt.NDArray[np.bool_]) -> Iterator[Labels]:
    """Name the patches that touch the edge of the map, or an unseen pixel by an edge."""
    yield from (patch[0], patch[-1], patch[:, 0], patch[:, -1])
    pairs = (slice(1, None), slice(None, -1))
    for here, there in (pairs, pairs[::-1]):
        yield patch[here][(patch[here] > 0) & unseen[there]]
        yield patch[:, here][(patch[:, here] > 0) & unseen[:, there]]
