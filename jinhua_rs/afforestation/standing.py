"""Which ground is forest, year by year, where two witnesses must agree that it changed."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from jinhua_rs.schema import FOREST_CANOPY, TREE_CLASSES, Land

__all__ = ["SEALED", "standing", "wooded"]

SEALED = (Land.BUILT, Land.BARE)

Booleans = NDArray[np.bool_]


def wooded(canopy: NDArray[np.float32], land: NDArray[np.uint8]) -> Booleans:
    """
    Ground that both witnesses call wooded: a canopy of 0.20 or more, and a class of trees.

    Canopy alone reads 0.20 and more on shrub and grass; the class alone knows no 0.20.
    """
    return np.asarray((canopy >= FOREST_CANOPY) & np.isin(land, TREE_CLASSES))


def standing(
    canopy: NDArray[np.float32], land: NDArray[np.uint8], years: Sequence[int]
) -> Booleans:
    """
    Follow what is forest through the years.

    Ground becomes forest when canopy and class call it wooded in two years in a row, and it is
    lost when both say that no trees are there, in two seen years in a row or, where it lies
    bare or built-up, at once. Where the witnesses differ, or nothing was seen, it stays what it
    was: a hazy year fells no forest, and a green one plants none.

    Parameters
    ----------
    canopy : ndarray, float32, dims (year, y, x), 0-1
        NaN = not seen.
    land : ndarray, uint8, dims (year, y, x)
        Classes of :class:`~jinhua_rs.schema.Land`, 0 = not seen.
    years : sequence of int
        In order; there may be gaps.

    Returns
    -------
    ndarray, bool, dims (year, y, x)
        Forest at the end of each year. In the first year nothing is, for want of a year before.
    """
    trees = wooded(canopy, land)
    seen = ~np.isnan(canopy) & (land != 0)
    gone = seen & (canopy < FOREST_CANOPY) & ~np.isin(land, TREE_CLASSES)
    at_once = np.isin(land, SEALED)
    found = np.zeros_like(trees)
    forest = doubted = np.zeros(trees.shape[1:], bool)
    for at, year in enumerate(years):
        if at and year - years[at - 1] == 1:
            forest = forest | (trees[at] & trees[at - 1])
        found[at] = forest = forest & ~(gone[at] & (doubted | at_once[at]))
        doubted = np.where(seen[at], gone[at], doubted)
    return found
