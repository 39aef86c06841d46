"""
The size of a forest, chosen in spatial blocks: the smallest that is as good as the best.

Equal means: at most half a point less accurate in classes, and at most 0.003 more canopy error
(RMSE) than the best of all sizes. Among equals the one whose answer costs least wins, counted in
nodes that a pixel passes. A random split is never looked at.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import product
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from jinhua_rs.landcover.card import Trial
from jinhua_rs.landcover.growing import Dealt, classifier_of, regressor_of
from jinhua_rs.landcover.options import TrainOptions

__all__ = ["tune"]

_DEPTHS, _LEAVES, _SHARES = (10, 20), (3, 8), (None, 0.3)
_PARTS = (0.25, 0.5, 1.0)
"""Of the trees that may be grown: the first trees of a forest are a smaller forest."""
_POINTS, _ERROR = 0.005, 0.003
"""How much less accurate, and how much more in error (canopy), a size may be than the best."""


class _Score(NamedTuple):
    """Held-out score (accuracy or RMSE) of a forest, and the nodes that a sample passes in it."""

    value: float
    visits: float


def tune(
    dealt: Mapping[str, Dealt], options: TrainOptions
) -> tuple[TrainOptions, tuple[Trial, ...]]:
    """
    Try sizes of forest on held-out blocks.

    Parameters
    ----------
    dealt : Mapping of Dealt
        By label, ``"class"`` and/or ``"canopy"``.
    options : TrainOptions
        ``trees`` is the most that are tried.

    Returns
    -------
    TrainOptions
        ``options`` with the trees, depth, leaf and max_features of the winner.
    tuple of Trial
        All that were tried, in order.
    """
    tried = [replace(one, tune=False) for one in _sizes(options)]
    classes = _scores(dealt.get("class"), tried, by_share=True)
    canopy = _scores(dealt.get("canopy"), tried, by_share=False)
    best = max((score.value for score in classes.values()), default=1.0)
    least = min((score.value for score in canopy.values()), default=0.0)
    cost = [(classes or canopy)[_key(one, by_share=bool(classes))].visits for one in tried]
    equal = [
        (not classes or classes[_key(one, by_share=True)].value >= best - _POINTS)
        and (not canopy or canopy[_key(one, by_share=False)].value <= least + _ERROR)
        for one in tried
    ]
    if not any(equal):  # best in classes and in canopy are of different sizes: classes decide
        equal = [classes[_key(one, by_share=True)].value >= best - _POINTS for one in tried]
    winner = min((at for at in range(len(tried)) if equal[at]), key=lambda at: cost[at])
    trials = tuple(
        Trial(
            trees=one.trees,
            depth=one.depth,
            leaf=one.leaf,
            max_features=one.max_features,
            visits=cost[at],
            accuracy=classes[_key(one, by_share=True)].value if classes else None,
            rmse=canopy[_key(one, by_share=False)].value if canopy else None,
            equal=equal[at],
            chosen=at == winner,
        )
        for at, one in enumerate(tried)
    )
    return tried[winner], trials


def _sizes(options: TrainOptions) -> Iterator[TrainOptions]:
    for depth, leaf, share in product(_DEPTHS, _LEAVES, _SHARES):
        for trees in sorted({max(1, round(part * options.trees)) for part in _PARTS}):
            yield replace(options, trees=trees, depth=depth, leaf=leaf, max_features=share)


_Key = tuple[int, int, int, float | None]


def _key(size: TrainOptions, *, by_share: bool) -> _Key:
    share = size.max_features if by_share else None
    return size.trees, size.depth, size.leaf, share


def _scores(
    dealt: Dealt | None, tried: list[TrainOptions], *, by_share: bool
) -> dict[_Key, _Score]:
    """Score every size; each forest is grown once, as large as it may be, and read part by part."""
    if dealt is None:
        return {}
    found: dict[_Key, _Score] = {}
    most, counts = max(one.trees for one in tried), sorted({one.trees for one in tried})
    for size in tried:
        if size.trees != most or _key(size, by_share=by_share) in found:
            continue
        forest = classifier_of(size) if by_share else regressor_of(size)
        for trees, score in _grow(forest, dealt, counts).items():
            found[_key(replace(size, trees=trees), by_share=by_share)] = score
    return found


def _grow(
    forest: RandomForestClassifier | RandomForestRegressor, dealt: Dealt, counts: list[int]
) -> dict[int, _Score]:
    codes = np.unique(dealt.label)
    width = len(codes) if isinstance(forest, RandomForestClassifier) else 1
    total = np.zeros((len(dealt.label), width))
    visits, sums = dict.fromkeys(counts, 0.0), {n: np.zeros_like(total) for n in counts}
    for number in range(int(dealt.fold.max()) + 1):
        out, kept = np.flatnonzero(dealt.fold == number), dealt.fold != number
        forest.fit(dealt.features[kept], dealt.label[kept])
        asked, passed, answer = dealt.features[out], 0.0, np.zeros((len(out), width))
        for at, tree in enumerate(forest.estimators_, start=1):
            passed += float(tree.decision_path(asked).sum())
            columns = np.searchsorted(codes, forest.classes_) if width > 1 else np.arange(1)
            answer[:, columns] += _asked(tree, asked)
            if at in sums:
                sums[at][out] = answer / at
                visits[at] += passed / len(dealt.label)
    return {
        n: _Score(_value(sums[n], dealt.label, codes, classes=width > 1), visits[n]) for n in counts
    }


def _asked(
    tree: DecisionTreeClassifier | DecisionTreeRegressor, asked: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    if isinstance(tree, DecisionTreeClassifier):
        return np.asarray(tree.predict_proba(asked), np.float64)
    return np.asarray(tree.predict(asked), np.float64)[:, None]


def _value(
    answer: npt.NDArray[np.float64],
    label: npt.NDArray[np.generic],
    codes: npt.NDArray[np.generic],
    *,
    classes: bool,
) -> float:
    """Accuracy of classes, or RMSE of canopy."""
    if classes:
        return float(np.mean(codes[answer.argmax(axis=1)] == label))
    return float(np.sqrt(np.mean((answer[:, 0] - label.astype(np.float64)) ** 2)))
