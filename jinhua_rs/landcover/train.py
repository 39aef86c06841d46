"""Samples to a model: random forests, scored in spatial blocks, described by a card."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.errors import ConfigError
from jinhua_rs.landcover.archive import Forests, pack
from jinhua_rs.landcover.blocks import (
    assign_folds,
    block_of,
    held_out,
    score_canopy,
    score_classes,
)
from jinhua_rs.landcover.card import (
    SIMULATED_PREFIX,
    CanopyTest,
    Feature,
    ForestShape,
    LandcoverTest,
    ModelCard,
    SampleCounts,
)
from jinhua_rs.landcover.model import Model, package_versions, sha256_of
from jinhua_rs.landcover.samples import Samples, clean
from jinhua_rs.schema import LAND_CLASSES, VARIABLES

__all__ = ["TrainOptions", "train"]

_NAME = re.compile(r"[A-Za-z0-9_.-]+")
_NOT_A_MAP = (
    "检验为空间块留出样本，不是地图精度 · scores are of block-held-out samples, "
    "not the accuracy of a map"
)
_CLASS_NAMES = {info.code: info for info in LAND_CLASSES}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainOptions:
    """
    How a model is trained; everything that, with the samples, decides its bytes and its card.

    Attributes
    ----------
    seed : int
        Of the forests and of the dealing of blocks.
    trees, depth, leaf : int
        Number of trees, greatest depth, fewest samples in a leaf.
    block_m : float
        Side of the spatial blocks that are held out together, metres.
    name : str
        ``[A-Za-z0-9_.-]+``; a simulated model gets ``sim-`` in front if it is not there.
    note : str
        Where the samples came from.
    periods : tuple[str, ...]
        Periods of the imagery that the features came from.
    units : tuple[tuple[str, str], ...]
        Feature name and unit, for features that the schema does not know.
    simulated : bool
        True if samples or imagery are simulated.
    """

    seed: int
    trees: int = 100
    depth: int = 20
    leaf: int = 5
    block_m: float = 5_000.0
    name: str = "landcover"
    note: str = ""
    periods: tuple[str, ...] = ()
    units: tuple[tuple[str, str], ...] = ()
    simulated: bool = False

    def __post_init__(self) -> None:
        if min(self.trees, self.depth, self.leaf) < 1 or not self.block_m > 0:
            raise ConfigError(
                f"trees, depth, leaf and block_m must be positive, got {self.trees}, {self.depth}, "
                f"{self.leaf} and {self.block_m}; mend [model]",
                zh=f"树数、深度、叶样本数和块边长必须为正（现为 {self.trees}、{self.depth}、"
                f"{self.leaf}、{self.block_m}）；请修改 [model]",
            )
        if not _NAME.fullmatch(self.name) or (
            self.name.startswith(SIMULATED_PREFIX) and not self.simulated
        ):
            raise ConfigError(
                f"model name {self.name!r} must be letters, digits, '_', '.', '-', and begin with "
                f"{SIMULATED_PREFIX!r} only if the model is simulated",
                zh=f"模型名 {self.name!r} 只能含字母、数字、“_”“.”“-”，且只有模拟模型可以 "
                f"{SIMULATED_PREFIX!r} 开头",
            )

    @property
    def full_name(self) -> str:
        """Name of the model, marked if it is simulated."""
        marked = not self.simulated or self.name.startswith(SIMULATED_PREFIX)
        return self.name if marked else f"{SIMULATED_PREFIX}{self.name}"


def train(table: pd.DataFrame, feature_names: Sequence[str], options: TrainOptions) -> Model:
    """
    Train a land-cover and/or a canopy-cover forest and score it in spatial blocks.

    Equal samples (in any order) and equal options give equal bytes, on one set of versions.

    Parameters
    ----------
    table : DataFrame
        One row per sample: the features (float), ``x`` and ``y`` (metres, CRS of the grid),
        ``class`` (:class:`~jinhua_rs.schema.Land` code; 0 or missing = not known) and/or
        ``canopy`` (0-1; missing = not known).
    feature_names : Sequence[str]
        Columns to learn from, in the order in which :func:`~jinhua_rs.landcover.predict`
        will be given them.
    options : TrainOptions
        Seed, size and name.

    Returns
    -------
    Model
        With a classifier where classes were given and a regressor where canopy was.

    Raises
    ------
    ConfigError
        On a column that is missing or not numeric, an unknown class, a canopy outside 0-1.
    NoDataError
        If samples are too few, all alike, or all in one block.
    """
    samples, counts = clean(table, feature_names)
    classifier, landcover = _classes(samples["class"], options) if "class" in samples else _NONE
    regressor, canopy = _canopy(samples["canopy"], options) if "canopy" in samples else _NONE
    data = pack(Forests(tuple(feature_names), classifier, regressor))
    card = ModelCard(
        name=options.full_name,
        kind="landcover+canopy" if landcover and canopy else "landcover" if landcover else "canopy",
        features=_features(feature_names, options),
        classes=() if classifier is None else tuple(int(code) for code in classifier.classes_),
        periods=options.periods,
        samples=counts,
        landcover=landcover,
        canopy=canopy,
        forest=ForestShape(
            trees=options.trees, depth=options.depth, leaf=options.leaf, seed=options.seed
        ),
        versions=package_versions(),
        sha256=sha256_of(data),
        note=options.note,
        limits=_limits(counts, landcover, options),
        simulated=options.simulated,
    )
    return Model(card, classifier, regressor)


_NONE = (None, None)
Forest = TypeVar("Forest", RandomForestClassifier, RandomForestRegressor)


def _classes(
    samples: Samples, options: TrainOptions
) -> tuple[RandomForestClassifier, LandcoverTest]:
    forest = RandomForestClassifier(
        n_estimators=options.trees,
        max_depth=options.depth,
        min_samples_leaf=options.leaf,
        class_weight="balanced_subsample",
        n_jobs=-1,
        random_state=options.seed,
    )
    truth = samples.label.astype(np.int64)
    blocks = block_of(samples.x, samples.y, options.block_m)
    fold = assign_folds(blocks, truth, seed=options.seed)
    predicted = held_out(forest, samples.features, truth, fold).astype(np.int64)
    test = score_classes(truth, predicted, blocks, fold, side_m=options.block_m)
    return _grown(forest.fit(samples.features, truth)), test


def _canopy(samples: Samples, options: TrainOptions) -> tuple[RandomForestRegressor, CanopyTest]:
    forest = RandomForestRegressor(
        n_estimators=options.trees,
        max_depth=options.depth,
        min_samples_leaf=options.leaf,
        max_features=1 / 3,
        n_jobs=-1,
        random_state=options.seed,
    )
    truth = samples.label.astype(np.float64)
    blocks = block_of(samples.x, samples.y, options.block_m)
    fold = assign_folds(blocks)
    predicted = held_out(forest, samples.features, truth, fold).astype(np.float64)
    test = score_canopy(truth, predicted, blocks, fold, side_m=options.block_m)
    return _grown(forest.fit(samples.features, truth)), test


def _grown(forest: Forest) -> Forest:
    """Return a forest that was grown on all cores, set to predict on one: workers share them."""
    forest.set_params(n_jobs=1)
    return forest


def _features(names: Sequence[str], options: TrainOptions) -> tuple[Feature, ...]:
    known = {name: variable.units for name, variable in VARIABLES.items()} | dict(options.units)
    return tuple(Feature(name=name, units=known.get(name, "not stated")) for name in names)


def _limits(
    counts: SampleCounts, landcover: LandcoverTest | None, options: TrainOptions
) -> tuple[str, ...]:
    found = [_NOT_A_MAP]
    if options.simulated:
        found.append(
            "由模拟数据训练，不可用于真实影像 · trained on simulated data, not for real imagery"
        )
    for score in landcover.scores if landcover else ():
        if score.blocks == 1:
            info = _CLASS_NAMES[score.code]
            found.append(
                f"{info.name_zh}的样本只在一个空间块内，其精度无从检验 · "
                f"samples of {info.name!r} lie in one block only, its accuracy cannot be tested"
            )
    if counts.contradictions:
        found.append(
            f"{counts.contradictions} 个样本位置与特征相同而标签不同 · {counts.contradictions} "
            "samples share place and features but not the label"
        )
    return tuple(found)
