"""
Ground unlike anything in training: the area of applicability, compiled.

After Meyer and Pebesma 2021 (Methods in Ecology and Evolution 12, doi:10.1111/2041-210X.13650),
as in the R package CAST. Features are standardised and weighted by their importance; the
dissimilarity index of a pixel is its distance to the nearest training sample, over the mean
distance between training samples. It is unlike training where the index is above that of the
training samples themselves, each against the samples of other folds: their greatest index that
is no outlier (not above the upper quartile by more than 1.5 times the interquartile range).
"""

from dataclasses import dataclass
from typing import Self

import numba
import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree
from scipy.spatial.distance import pdist

from jinhua_rs.landcover.archive import Training

__all__ = ["Likeness"]

Pixels = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_AT_ONCE = 8
"""Features whose part of a distance is added before it is asked whether it is too far already."""


@dataclass(frozen=True, eq=False)
class Likeness:
    """
    Training samples in the space in which distances are measured.

    Attributes
    ----------
    order : ndarray, int64, (used,)
        Features in order of weight, the weightiest first; those that tell nothing left out.
    centre, factor : ndarray, float32, (used,)
        A feature is ``(value - centre) · factor`` in that space.
    points : ndarray, float32, (row, used)
        The samples.
    mean_distance : float
        Between two samples.
    threshold : float
        Dissimilarity index above which a pixel is unlike training; infinite where all samples
        are of one fold or alike.
    """

    order: npt.NDArray[np.int64]
    centre: Pixels
    factor: Pixels
    points: Pixels
    mean_distance: float
    threshold: float

    @classmethod
    def of(cls, training: Training) -> Self:
        """
        Measure the training samples that were kept against each other.

        Features of no importance are left out; without folds everything is like training.
        """
        weight = training.importances
        heaviest_first = np.argsort(-weight, kind="stable")
        order = heaviest_first[weight[heaviest_first] > 0]
        centre = training.mean[order].astype(np.float32)
        factor = (weight / training.scale)[order].astype(np.float32)
        points = np.ascontiguousarray((training.features[:, order] - centre) * factor)
        fold = np.zeros(len(points), np.int64) if training.fold is None else training.fold
        away = float(pdist(points).mean()) if len(points) > 1 else 0.0
        limit = np.inf
        if away > 0 and len(np.unique(fold)) > 1:
            limit = _greatest_usual(_to_other_folds(points, fold) / away)
        return cls(order, centre, factor, points, away, limit)

    def like(self, pixels: Pixels) -> npt.NDArray[np.bool_]:
        """
        Tell which pixels are like some training sample.

        Parameters
        ----------
        pixels : ndarray, float32, (pixel, feature)
            Finite, features as in training.

        Returns
        -------
        ndarray, bool, (pixel,)
        """
        placed = np.ascontiguousarray((pixels[:, self.order] - self.centre) * self.factor)
        idle = -len(self.order) % _AT_ONCE
        points = np.pad(self.points, ((0, 0), (0, idle)))
        found = np.zeros(len(placed), np.bool_)
        within = np.float32((self.threshold * self.mean_distance) ** 2)
        _near(points, np.pad(placed, ((0, 0), (0, idle))), within, found)
        return found


def _to_other_folds(points: Pixels, fold: npt.NDArray[np.int64]) -> Floats:
    """Distance of each sample to the nearest of another fold."""
    nearest = np.empty(len(points))
    for number in np.unique(fold):
        own = fold == number
        nearest[own] = cKDTree(points[~own]).query(points[own])[0]
    return nearest


def _greatest_usual(index: Floats) -> float:
    """Find the greatest value that is no outlier, as the upper whisker of a box plot."""
    lower, upper = np.quantile(index, (0.25, 0.75))
    return float(index[index <= upper + 1.5 * (upper - lower)].max())


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _near(points: Pixels, pixels: Pixels, within: np.float32, found: npt.NDArray[np.bool_]) -> None:
    """
    Tell which pixels lie within a squared distance of any point.

    A pixel is compared first with the point that its neighbour was near to: the answer does not
    depend on it, and most are near to the same.
    """
    last = 0
    for pixel in range(pixels.shape[0]):
        at = pixels[pixel]
        if _is_near(points[last], at, within):
            found[pixel] = True
            continue
        for point in range(points.shape[0]):
            if _is_near(points[point], at, within):
                found[pixel], last = True, point
                break


@numba.njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"}, inline="always")
def _is_near(point: Pixels, at: Pixels, within: np.float32) -> bool:
    total = np.float32(0)
    for first in range(0, at.size, 8):
        for k in range(first, first + 8):
            step = point[k] - at[k]
            total += step * step
        if total > within:
            return False
    return True
