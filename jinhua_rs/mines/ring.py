"""The ground that a mine is measured against: stable vegetation around it, on like terrain."""

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import ndimage

from jinhua_rs.schema import TREE_CLASSES, Land

__all__ = ["RING_LEAST", "reference_ring"]

RING_LEAST = 50
"""Pixels that a reference ring must have."""

_SHRUBLAND = (*TREE_CLASSES, Land.SHRUB)
_SHARE = 0.05
"""A class of terrain that makes up less of the mine than this is not looked for around it."""
_STEADY = 0.15
"""A pixel whose index strayed further than this from its median in any year is not stable."""

Booleans = NDArray[np.bool_]


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
