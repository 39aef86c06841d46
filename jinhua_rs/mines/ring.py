"""The ground that a mine is measured against: stable vegetation around it, on like terrain."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from jinhua_rs.schema import TREE_CLASSES, Land

__all__ = ["RING_LEAST", "STEEP_DEG", "Terrain", "reference_ring", "terrain_of"]

RING_LEAST = 50
"""Pixels that a reference ring must have."""

STEEP_DEG = 55.0
"""Slope from which a face stays bare whatever is done; told apart from the ground that can heal."""

_SHRUBLAND = (*TREE_CLASSES, Land.SHRUB)
_SLOPE_EDGES = (5.0, 15.0, 25.0, 35.0)
"""Degrees; slope classes of forestry practice (平 缓 斜 陡 急)."""
_FLAT_DEG = 5.0
"""Ground flatter than this has no aspect."""
_SHARE = 0.05
"""A class of terrain that makes up less of the mine than this is not looked for around it."""
_STEADY = 0.15
"""A pixel whose index strayed further than this from its median in any year is not stable."""

Booleans = NDArray[np.bool_]


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


def reference_ring(
    stack: xr.Dataset,
    inside: Booleans,
    barred: Booleans,
    *,
    kind: NDArray[np.int16] | None,
    reach_m: tuple[float, float],
) -> Booleans:
    """
    Choose the reference ecosystem (参照生态系统, GB/T 43933-2024, 7.1) of a mine.

    Parameters
    ----------
    stack : Dataset, dims (year, y, x)
        ``nbr`` float32 (NaN = not seen) and ``landcover`` uint8 (:class:`~jinhua_rs.schema.Land`,
        0 = not seen).
    inside : ndarray, bool, dims (y, x)
        Pixels of the mine; at least one.
    barred : ndarray, bool, dims (y, x)
        Pixels that may not be taken: other mines, known disturbance.
    kind : ndarray, int16, dims (y, x), optional
        Terrain class (:class:`Terrain`); None compares ground whatever its slope and aspect.
    reach_m : (float, float)
        Nearest and furthest distance from the mine, m.

    Returns
    -------
    ndarray, bool, dims (y, x)
        Pixels at that distance that were trees in every year they were seen, whose NBR never
        strayed from its median by more than 0.15, on terrain that the mine has too. Where there
        are fewer than 50 of them shrubs count as well; empty where even so there are fewer.
    """
    pixel = abs(float(stack.x[1] - stack.x[0]))
    away = ndimage.distance_transform_edt(~inside, sampling=pixel)
    land, index = stack["landcover"].to_numpy(), stack["nbr"].to_numpy()
    seen = ~np.isnan(index)
    steady = (
        np.abs(np.where(seen, index, np.float32(0)) - _median(index, seen)) <= _STEADY
    ) | ~seen
    fit = (away >= reach_m[0]) & (away <= reach_m[1]) & ~barred & _alike(kind, inside)
    fit &= steady.all(axis=0) & seen.any(axis=0) & (land != 0).any(axis=0)
    for classes in (TREE_CLASSES, _SHRUBLAND):
        grown = np.isin(land, [0, *(int(code) for code in classes)]).all(axis=0)
        if (fit & grown).sum() >= RING_LEAST:
            return np.asarray(fit & grown, bool)
    return np.zeros_like(inside)


def _alike(kind: NDArray[np.int16] | None, inside: Booleans) -> Booleans:
    """Ground of a terrain class that the mine has too; all of it where terrain is not known."""
    if kind is None:
        return np.ones_like(inside)
    kinds, counts = np.unique(kind[inside & (kind >= 0)], return_counts=True)
    return np.asarray(np.isin(kind, kinds[counts >= _SHARE * max(1, counts.sum())]), bool)


def _median(index: NDArray[np.float32], seen: Booleans) -> NDArray[np.float32]:
    """Median over the years seen; 0 where there is none."""
    never = ~seen.any(axis=0)
    safe = np.where(never, np.float32(0), index)
    return np.asarray(np.nanmedian(safe, axis=0), np.float32)
