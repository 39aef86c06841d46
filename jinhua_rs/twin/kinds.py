"""What lies on the twin's ground, finer than the classes of the schema."""

from enum import IntEnum
from typing import Final

import numpy as np
import numpy.typing as npt

from jinhua_rs.schema import Land

__all__ = ["LAND_OF_KIND", "Kind"]


class Kind(IntEnum):
    """What lies on the ground; 0 does not occur. Kinds 1 to 4 are the tree classes."""

    EVERGREEN_BROADLEAF = 1
    CONIFER = 2
    DECIDUOUS = 3
    MOSO_BAMBOO = 4
    TEA = 5
    OIL_CAMELLIA = 6
    OTHER_SHRUB = 7
    ORCHARD = 8
    PADDY = 9
    DRY_CROP = 10
    RAPE_ROTATION = 11
    BUILT_DENSE = 12
    VILLAGE = 13
    BARE = 14
    MINE = 15
    RIVER = 16
    RESERVOIR = 17


LAND_OF_KIND: Final[npt.NDArray[np.uint8]] = np.array(
    [
        Land.UNSEEN,
        Land.EVERGREEN_BROADLEAF,
        Land.CONIFER,
        Land.DECIDUOUS,
        Land.BAMBOO,
        *[Land.SHRUB] * 3,
        Land.ORCHARD,
        *[Land.CROPLAND] * 3,
        *[Land.BUILT] * 2,
        *[Land.BARE] * 2,
        *[Land.WATER] * 2,
    ],
    np.uint8,
)
"""Lookup from kind to ``schema.Land``: ``LAND_OF_KIND[kind]`` works on whole arrays."""
LAND_OF_KIND.setflags(write=False)
