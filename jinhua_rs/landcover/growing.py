"""Forests as they are grown here, and samples as they are dealt into blocks and folds."""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.landcover.blocks import assign_folds, block_of
from jinhua_rs.landcover.options import TrainOptions
from jinhua_rs.landcover.samples import Samples

__all__ = ["Dealt", "classifier_of", "deal", "grown", "regressor_of"]

Forest = TypeVar("Forest", RandomForestClassifier, RandomForestRegressor)


@dataclass(frozen=True, eq=False)
class Dealt:
    """Samples of one label: what is learnt from what, and the block and fold of each row."""

    features: npt.NDArray[np.float32]
    label: npt.NDArray[Any]
    blocks: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int64]


def deal(samples: Samples, options: TrainOptions) -> Dealt:
    """
    Deal samples into blocks and folds; classes are spread evenly over the folds.

    Raises
    ------
    NoDataError
        If all lie in one block.
    """
    blocks = block_of(samples.x, samples.y, options.block_m)
    classes = samples.label.astype(np.int64) if samples.label.dtype == np.int64 else None
    fold = assign_folds(blocks, classes, seed=0 if classes is None else options.seed)
    return Dealt(samples.features, samples.label, blocks, fold)


def classifier_of(options: TrainOptions) -> RandomForestClassifier:
    """Return an unfitted classifier; rare classes weigh as much as common ones in every tree."""
    return RandomForestClassifier(
        n_estimators=options.trees,
        max_depth=options.depth,
        min_samples_leaf=options.leaf,
        max_features="sqrt" if options.max_features is None else options.max_features,
        class_weight="balanced_subsample",
        n_jobs=-1,
        random_state=options.seed,
    )


def regressor_of(options: TrainOptions) -> RandomForestRegressor:
    """Return an unfitted regressor of canopy cover."""
    return RandomForestRegressor(
        n_estimators=options.trees,
        max_depth=options.depth,
        min_samples_leaf=options.leaf,
        max_features=1 / 3,
        n_jobs=-1,
        random_state=options.seed,
    )


def grown(forest: Forest) -> Forest:
    """
    Return a forest that was grown on all cores as it is kept: it answers on one of them.

    Of its trees only what an answer needs is kept: impurities and weights are gone (and with them
    ``feature_importances_``), values stand in leaves only, as float32 holds them. The file is
    a quarter as large when compressed, and answers differ by less than 1e-7.
    """
    forest.set_params(n_jobs=1)
    for member in forest.estimators_:
        state = member.tree_.__getstate__()
        nodes, values = state["nodes"], state["values"]
        nodes["impurity"] = nodes["weighted_n_node_samples"] = 0.0
        values[nodes["left_child"] >= 0] = 0.0
        values[:] = values.astype(np.float32)
        member.tree_.__setstate__(state)
    return forest
