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
_LEVELS = 5
"""Levels between two looks at whether all lanes are at a leaf."""
_BLOCK = 512
"""Pixels over which all trees of a small forest pass before the next: they stay in the cache."""
_TOGETHER = 64, 8
"""Trees whose leaves are found before they are added up: of a small forest, of a large one."""
_SMALL = 40_000
"""Nodes (ten bytes each) of a small forest; a larger one is better fetched once a tree."""


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
        Class shares or canopy cover of a leaf; 0 elsewhere, and in the column that makes their
        number even.
    outputs : int
        Classes, or 1.
    roots : ndarray, uint32, (tree,)
    depth : ndarray, int64, (tree,)
    """

    threshold: npt.NDArray[np.float32]
    child: npt.NDArray[np.uint32]
    feature: npt.NDArray[np.uint16]
    values: npt.NDArray[np.float64]
    outputs: int
    roots: npt.NDArray[np.uint32]
    depth: npt.NDArray[np.int64]


@lru_cache(maxsize=4)
def flatten(forest: RandomForestClassifier | RandomForestRegressor) -> FlatForest:
    """Lay the trees of a fitted forest out as tables; the same forest is laid out once."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1]
    parts = [_flat_tree(tree, int(root)) for tree, root in zip(trees, roots, strict=True)]
    threshold, child, feature, values = (np.concatenate(part) for part in zip(*parts, strict=True))
    outputs = values.shape[1]
    even = np.pad(values, ((0, 0), (0, outputs % 2)))
    depth = np.array([tree.max_depth for tree in trees], np.int64)
    return FlatForest(threshold, child, feature, even, outputs, roots.astype(np.uint32), depth)


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
    small = forest.threshold.size <= _SMALL
    step = _BLOCK if small else max(1, len(whole))
    leaf = np.empty((min(step, len(whole)), _TOGETHER[0 if small else 1]), np.uint32)
    tables = forest.threshold, forest.child, forest.feature
    for start in range(0, len(whole), step):
        block = slice(start, start + step)
        for first in range(0, len(forest.roots), leaf.shape[1]):
            trees = slice(first, first + leaf.shape[1])
            _walk(*tables, forest.roots[trees], forest.depth[trees], whole[block], leaf)
            _add(forest.values, leaf, len(forest.roots[trees]), total[block])
    return total[: len(pixels), : forest.outputs] / len(forest.roots)


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
    roots: npt.NDArray[np.uint32],
    depth: npt.NDArray[np.int64],
    pixels: npt.NDArray[np.float32],
    leaf: npt.NDArray[np.uint32],
) -> None:
    """
    Let each tree pass over all pixels in turn; ``leaf`` (pixel, tree) is where they end.

    Lanes go down in step: there is no branch to guess, and the loads of one lane hide those of
    another. Whoever is at a leaf stays there; when all are, the tree is left.
    """
    node = np.empty(_LANES, np.uint32)
    for tree in range(roots.shape[0]):
        for start in range(0, pixels.shape[0], _LANES):
            node[:] = roots[tree]
            for level in range(0, depth[tree], _LEVELS):
                for _ in range(min(_LEVELS, depth[tree] - level)):
                    for lane in range(_LANES):
                        at = node[lane]
                        above = pixels[start + lane, feature[at]] > threshold[at]
                        node[lane] = child[at] + np.uint32(above)
                if _all_at_leaves(child, node):
                    break
            leaf[start : start + _LANES, tree] = node


@numba.njit(cache=True)
def _all_at_leaves(child: npt.NDArray[np.uint32], node: npt.NDArray[np.uint32]) -> bool:
    moving = np.uint32(0)
    for lane in range(_LANES):
        moving |= child[node[lane]] ^ node[lane]
    return bool(moving == 0)


@numba.njit(cache=True)
def _add(
    values: npt.NDArray[np.float64],
    leaf: npt.NDArray[np.uint32],
    trees: int,
    total: npt.NDArray[np.float64],
) -> None:
    """Add what the leaves of so many trees hold, in their order, two outputs at a time."""
    for pixel in range(total.shape[0]):
        for output in range(0, values.shape[1], 2):
            one, two = total[pixel, output], total[pixel, output + 1]
            for tree in range(trees):
                at = leaf[pixel, tree]
                one += values[at, output]
                two += values[at, output + 1]
            total[pixel, output], total[pixel, output + 1] = one, two
