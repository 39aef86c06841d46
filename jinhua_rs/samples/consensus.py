"""Where reference maps agree: what they say of a pixel in common, away from every edge."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter, minimum_filter

from jinhua_rs.schema import TREE_CLASSES, Land

__all__ = ["EDGE_PX", "OPEN", "TREE", "agreement", "class_said"]

EDGE_PX = 2
"""A pixel counts where all others within so many pixels say the same: edges are where maps err."""

OPEN = 1 << Land.UNSEEN
"""No trees, and none of our classes (grass, wetland)."""
TREE = sum(1 << code for code in TREE_CLASSES)
"""Trees, not told apart."""

Said = npt.NDArray[np.uint16]


def agreement(
    maps: Sequence[tuple[npt.NDArray[np.uint8], Mapping[int, str]]], *, edge_px: int = EDGE_PX
) -> Said:
    """
    Tell what several maps say in common.

    A map that says "trees" and one that says "bamboo" agree on bamboo; "trees" and "trees" agree
    on trees of a kind that nobody told.

    Parameters
    ----------
    maps : sequence of (ndarray, mapping)
        Codes, uint8, dims (y, x), 0 = not seen, all on one grid; and what each code says, see
        :class:`jinhua_rs.atlas.Atlas`.
    edge_px : int
        Depth of the rim that is taken off every patch of agreement, pixels.

    Returns
    -------
    ndarray, uint16, dims (y, x)
        Bit set of the classes that all maps hold for possible (bit n is Land code n, bit 0 is
        :data:`OPEN`); 0 where a map says nothing, they disagree, or an edge or the border of the
        array is near.
    """
    said = np.bitwise_and.reduce([_words(classes)[codes] for codes, classes in maps])
    size, fill = 2 * edge_px + 1, {"mode": "constant", "cval": 0}
    same = minimum_filter(said, size, **fill) == maximum_filter(said, size, **fill)
    return np.where(same, said, np.uint16(0))


def _words(classes: Mapping[int, str]) -> Said:
    """Table from the code of a map to the bits that it stands for."""
    known = {"open": OPEN, "tree": TREE} | {land.name.lower(): 1 << land for land in Land if land}
    table = np.zeros(256, np.uint16)
    for code, word in classes.items():
        table[code] = known[word]
    return table


def class_said(said: int) -> int | None:
    """
    Land code that a bit set comes down to; None where it leaves several, or none of ours.

    >>> class_said(1 << Land.WATER), class_said(TREE), class_said(OPEN)
    (10, None, None)
    """
    return said.bit_length() - 1 if said > 1 and said.bit_count() == 1 else None
