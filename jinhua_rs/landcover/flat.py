"""
The hot loop of inference: a fitted forest as flat tables, and one compiled walk over them.

The answer is scikit-learn's to the last bit: thresholds are the largest float32 that is not
above scikit-learn's float64 (``x <= t`` is then the same question for a float32 ``x``), leaves
stay float64, and trees are summed in their order. Reference in the tests: ``predict_proba`` and
``predict`` of the same forest. Why it is ours: docs/decisions/0014.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

__all__ = ["FlatForest", "answer", "flatten"]

_LANES = 8
"""Pixels that walk down a tree side by side; docs/decisions/0014 has the other choices."""
_BLOCK = 8_192
"""Pixels over which all trees of a small forest pass before the next: they stay in the cache."""
_SMALL = 100_000
"""Nodes (ten bytes each) of such a forest; a larger one is better fetched once a tree."""


@dataclass(frozen=True, slots=True, eq=False)
class FlatForest:
    """
    The nodes of all trees, one tree after the other, siblings side by side.

    Attributes
    ----------
    threshold : ndarray, float32, (node,)
        A pixel above it goes right; infinite in a leaf.
    child : ndarray, uint32, (node,)
        Left child, which the right one follows; a leaf is its own child.
    feature : ndarray, uint16, (node,)
    values : ndarray, float64, (node, output)
        Class shares or canopy cover of a leaf; 0 elsewhere.
    roots : ndarray, uint32, (tree,)
    """

    threshold: npt.NDArray[np.float32]
    child: npt.NDArray[np.uint32]
    feature: npt.NDArray[np.uint16]
    values: npt.NDArray[np.float64]
    roots: npt.NDArray[np.uint32]


@lru_cache(maxsize=4)
def flatten(forest: RandomForestClassifier | RandomForestRegressor) -> FlatForest:
    """Lay the trees of a fitted forest out as tables; the same forest is laid out once."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    parts = [_flat_tree(tree, int(root)) for tree, root in zip(trees, roots, strict=True)]
    threshold, child, feature, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    return FlatForest(threshold, child, feature, values, roots.astype(np.uint32))


def answer(forest: FlatForest, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """
    Mean over the trees of what their leaves hold.

    Parameters
    ----------
    pixels : ndarray, float32, (pixel, feature)
        Finite.

    Returns
    -------
    ndarray, float64, (pixel, output)
    """
    idle = -len(pixels) % _LANES
    whole = np.ascontiguousarray(np.pad(pixels, ((0, idle), (0, 0)))) if idle else pixels
    total = np.zeros((len(whole), forest.values.shape[1]))
    tables = forest.threshold, forest.child, forest.feature, forest.values
    step = _BLOCK if forest.threshold.size <= _SMALL else max(1, len(whole))
    for start in range(0, len(whole), step):
        block = slice(start, start + step)
        _walk(*tables, forest.roots, whole[block], total[block])
    return total[: len(pixels)] / len(forest.roots)


def _flat_tree(tree: Any, root: int) -> tuple[npt.NDArray[Any], ...]:  # noqa: ANN401 - sklearn's
    """Lay out one tree breadth first, so that siblings are neighbours."""
    left, right = tree.children_left, tree.children_right
    order, level = [np.zeros(1, np.int64)], np.zeros(1, np.int64)
    while level.size:
        level = level[left[level] >= 0]
        level = np.column_stack([left[level], right[level]]).ravel()
        order.append(level)
    old = np.concatenate(order)
    new = np.empty_like(old)
    new[old] = np.arange(old.size)
    leaf = (left < 0)[old]
    threshold = np.where(leaf, np.float32(np.inf), _not_above(tree.threshold[old]))
    child = root + np.where(leaf, np.arange(old.size), new[left[old]])
    feature = np.where(leaf, 0, tree.feature[old])
    values = np.where(leaf[:, None], tree.value[old][:, 0, :], 0.0)
    return threshold, child.astype(np.uint32), feature.astype(np.uint16), values


def _not_above(threshold: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the largest float32 that is not above each threshold."""
    near = threshold.astype(np.float32)
    lower = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) > threshold, lower, near)


@numba.njit(cache=True)
def _walk(  # noqa: PLR0913, PLR0917 - the tables of one forest, as a compiled function takes them
    threshold: npt.NDArray[np.float32],
    child: npt.NDArray[np.uint32],
    feature: npt.NDArray[np.uint16],
    values: npt.NDArray[np.float64],
    roots: npt.NDArray[np.uint32],
    pixels: npt.NDArray[np.float32],
    total: npt.NDArray[np.float64],
) -> None:
    """
    Let each tree pass over all pixels in turn and add its leaves to ``total``.

    Lanes go down in step: there is no branch to guess, and the loads of one lane hide those of
    another. Whoever is at a leaf stays there; when all are, the tree is left.
    """
    node = np.empty(_LANES, np.uint32)
    for tree in range(roots.shape[0]):
        for start in range(0, pixels.shape[0], _LANES):
            for lane in range(_LANES):
                node[lane] = roots[tree]
            moved = np.uint32(1)
            while moved != 0:
                moved = np.uint32(0)
                for lane in range(_LANES):
                    at = node[lane]
                    above = pixels[start + lane, feature[at]] > threshold[at]
                    node[lane] = child[at] + np.uint32(above)
                    moved |= node[lane] ^ at
            for lane in range(_LANES):
                for output in range(values.shape[1]):
                    total[start + lane, output] += values[node[lane], output]
