"""Slope and lie of the land, so that like ground is compared with like."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["STEEP_DEG", "Terrain", "terrain_of"]

STEEP_DEG = 55.0
"""Slope from which a face stays bare whatever is done; told apart from the ground that can heal."""

_SLOPE_EDGES = (5.0, 15.0, 25.0, 35.0)
"""Degrees; slope classes of forestry practice (平 缓 斜 陡 急)."""
_FLAT_DEG = 5.0
"""Ground flatter than this has no aspect."""


@dataclass(frozen=True, slots=True)
class Terrain:
    """
    Slope and terrain class of each pixel.

    ``slope`` ndarray, float32, dims (y, x), degrees, NaN = not known; ``kind`` ndarray, int16,
    dims (y, x): slope class and aspect quadrant in one number, -1 = not known.
    """

    slope: NDArray[np.float32]
    kind: NDArray[np.int16]


def terrain_of(height: NDArray[np.float32], pixel: float) -> Terrain:
    """
    Slope and terrain class from elevation.

    Parameters
    ----------
    height : ndarray, float32, dims (y, x), m
        North up; NaN = not known.
    pixel : float
        Side of a pixel, m.
    """
    down, right = np.gradient(height.astype(np.float64), pixel)
    slope = np.degrees(np.arctan(np.hypot(down, right)))
    faces = np.degrees(np.arctan2(-right, down)) % 360  # where the slope looks to, from north
    quadrant = (((faces + 45) % 360) // 90).astype(np.int16)
    steepness = np.digitize(slope, _SLOPE_EDGES).astype(np.int16)
    kind = np.where(slope < _FLAT_DEG, 0, 1 + 4 * steepness + quadrant)
    kind = np.where(np.isnan(slope), -1, kind)
    return Terrain(slope.astype(np.float32), kind.astype(np.int16))
