"""Where a tile is looked at closely: a few squares that as many of its scenes as possible show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import shapely
from pyproj import Transformer
from shapely.geometry.base import BaseGeometry

from jinhua_rs.scene import Asset, Scene

__all__ = ["CHIP_BANDS", "Places", "choose", "choose_within", "in_crs"]

CHIP_BANDS = ("nir", "red")
"""Bands in which ground is matched, the better first: near infrared shows fields and shores."""

_SIZES = (256, 128, 96, 64)
"""Sides of a chip, pixels, the better first. 256 divides a block of a COG."""
_ENOUGH = 3
"""A smaller size is taken for the sake of so many places for each scene: they vouch for another."""
_MOST = 9
_PROBES = np.array([1 / 6, 1 / 2, 5 / 6])
"""Where along a side of a chip the footprint is asked."""
_LEAST_SHOWN = 0.6
"""A chip of which a scene's footprint shows less is no chip for that scene."""


@dataclass(frozen=True, slots=True)
class Places:
    """
    Squares on the ground, the same for all scenes of a tile.

    Attributes
    ----------
    crs : str
        CRS of the corners.
    pixel : float
        Side of a pixel, metres.
    size : int
        Side of a square, pixels.
    corners : tuple of (x, y)
        Upper-left corners, metres, on pixel edges of the tile's grid.
    """

    crs: str
    pixel: float
    size: int
    corners: tuple[tuple[float, float], ...]


def choose(scenes: Sequence[Scene]) -> Places | None:
    """
    Choose up to nine squares for the scenes of one tile.

    The grid is that of the most frequent CRS; scenes in another take no part. Squares are
    chosen one by one: each time the one that serves best the scenes that have fewest so far, and
    of equals the one furthest from those chosen. Nothing is left to chance.

    Returns
    -------
    Places or None
        None where no item says on which grid its pixels stand, or none of the squares is shown.
    """
    if not scenes:
        return None
    crs = min(Counter(scene.crs for scene in scenes).items(), key=lambda pair: (-pair[1], pair[0]))[
        0
    ]
    alike = sorted((scene for scene in scenes if scene.crs == crs), key=lambda scene: scene.id)
    asset = next(filter(None, map(_gridded, alike)), None)
    if asset is None:
        return None
    return choose_within(crs, asset, [in_crs(scene.footprint, crs) for scene in alike], most=_MOST)


def choose_within(
    crs: str, asset: Asset, outlines: Sequence[BaseGeometry], *, most: int
) -> Places | None:
    """
    Choose up to ``most`` squares on the grid of ``asset`` within ``outlines`` (in ``crs``).

    Returns
    -------
    Places or None
        None where the grid is unknown or no outline shows a square of the smallest size.
    """
    if asset.transform is None or asset.shape is None:
        return None
    tried = []
    for size in _SIZES:
        corners = _corners(asset.transform, asset.shape, size)
        side = size * abs(asset.transform[0])
        shown = np.array([_shown(outline, corners, side) for outline in outlines])
        shown[shown < _LEAST_SHOWN] = 0
        if shown.any():
            chosen = _greedy(shown, corners, most)
            found = tuple((float(x), float(y)) for x, y in corners[chosen])
            fewest = int((shown[:, chosen] > 0).sum(axis=1).min())
            tried.append((fewest, Places(crs, abs(asset.transform[0]), size, found)))
    for wanted in (_ENOUGH, 1, 0):
        for fewest, places in tried:
            if fewest >= wanted:
                return places
    return None


def in_crs(footprint: BaseGeometry, crs: str) -> BaseGeometry:
    """Bring an outline from longitude and latitude into ``crs``."""
    forth = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    return shapely.transform(
        footprint, lambda points: np.column_stack(forth.transform(points[:, 0], points[:, 1]))
    )


def _gridded(scene: Scene) -> Asset | None:
    assets = (scene.assets.get(name) for name in CHIP_BANDS)
    return next((one for one in assets if one is not None and one.transform and one.shape), None)


def _corners(
    transform: tuple[float, ...], shape: tuple[int, int], size: int
) -> npt.NDArray[np.float64]:
    """Upper-left corners of all whole squares of the grid, row by row, ``(n, 2)``."""
    rows, columns = (np.arange(length // size) * size for length in shape)
    x, y = np.meshgrid(transform[2] + columns * transform[0], transform[5] + rows * transform[4])
    return np.column_stack([x.ravel(), y.ravel()])


def _shown(
    outline: BaseGeometry, corners: npt.NDArray[np.float64], side: float
) -> npt.NDArray[np.float64]:
    """Share of nine probes of each square that lie within the outline."""
    shapely.prepare(outline)
    right, down = (steps.ravel() for steps in np.meshgrid(_PROBES * side, _PROBES * side))
    inside = shapely.contains_xy(
        outline, corners[:, :1] + right[np.newaxis], corners[:, 1:] - down[np.newaxis]
    )
    share: npt.NDArray[np.float64] = inside.mean(axis=1)
    return share


def _greedy(
    shown: npt.NDArray[np.float64], corners: npt.NDArray[np.float64], most: int
) -> list[int]:
    """Return the indices of the chosen squares, in the order of the grid."""
    served = np.zeros(len(shown))
    candidates: npt.NDArray[np.bool_] = np.any(shown > 0, axis=0)
    middle = corners[candidates].mean(axis=0)
    far = -np.hypot(*(corners - middle).T)
    chosen: list[int] = []
    while len(chosen) < most and candidates.any():
        value = np.round((shown / (1 + served[:, np.newaxis])).sum(axis=0), 6)
        value[~candidates] = -1
        best = np.flatnonzero(value == value.max())
        pick = int(best[np.argmax(far[best])])
        candidates[pick] = False
        served += shown[:, pick]
        step = np.hypot(*(corners - corners[pick]).T)
        far = np.minimum(far, step) if chosen else step
        chosen.append(pick)
    return sorted(chosen)
