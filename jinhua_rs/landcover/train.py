"""Samples to a model: random forests, scored in spatial blocks, described by a card."""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from jinhua_rs.landcover.archive import Forests, Training, pack
from jinhua_rs.landcover.blocks import held_out, held_out_shares, score_canopy, score_classes
from jinhua_rs.landcover.calibration import score_probabilities
from jinhua_rs.landcover.card import (
    CalibrationTest,
    CanopyTest,
    Feature,
    ForestShape,
    LandcoverTest,
    ModelCard,
    SampleCounts,
    Trial,
)
from jinhua_rs.landcover.growing import Dealt, classifier_of, deal, grown, regressor_of
from jinhua_rs.landcover.model import Model, package_versions, sha256_of
from jinhua_rs.landcover.options import TrainOptions
from jinhua_rs.landcover.samples import clean
from jinhua_rs.landcover.tuning import tune
from jinhua_rs.schema import LAND_CLASSES, VARIABLES

__all__ = ["train"]

_NOT_A_MAP = (
    "检验为空间块留出样本，不是地图精度 · scores are of block-held-out samples, "
    "not the accuracy of a map"
)
_CLASS_NAMES = {info.code: info for info in LAND_CLASSES}


def train(table: pd.DataFrame, feature_names: Sequence[str], options: TrainOptions) -> Model:
    """
    Train a land-cover and/or a canopy-cover forest and score it in spatial blocks.

    Equal samples (in any order) and equal options give equal bytes, on one set of versions.

    Parameters
    ----------
    table : DataFrame
        One row per sample: the features (float), ``x`` and ``y`` (metres, CRS of the grid),
        ``class`` (:class:`~jinhua_rs.schema.Land` code; 0 or missing = not known) and/or
        ``canopy`` (0-1; missing = not known), and perhaps ``unit`` (code of the reporting unit).
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
    dealt = {label: deal(own, options) for label, own in samples.items()}
    trials: tuple[Trial, ...] = ()
    if options.tune:
        options, trials = tune(dealt, options)
    classes = _classes(dealt["class"], options) if "class" in dealt else _NOTHING
    canopy = _canopy(dealt["canopy"], options) if "canopy" in dealt else _NOTHING
    first = "class" if "class" in dealt else "canopy"
    kept = _kept(dealt[first], options, classes if first == "class" else canopy)
    forests = Forests(
        tuple(feature_names), classes.classifier, canopy.regressor, classes.table, kept
    )
    data = pack(forests)
    card = ModelCard(
        name=options.full_name,
        kind=_KINDS[frozenset(samples)],
        features=_features(feature_names, options),
        classes=() if classes.codes is None else tuple(classes.codes.tolist()),
        periods=options.periods,
        samples=counts,
        landcover=classes.landcover,
        canopy=canopy.canopy,
        forest=ForestShape(
            trees=options.trees,
            depth=options.depth,
            leaf=options.leaf,
            seed=options.seed,
            max_features=options.max_features,
        ),
        versions=package_versions(),
        sha256=sha256_of(data),
        note=options.note,
        limits=_limits(counts, classes.landcover, options),
        simulated=options.simulated,
        companions=options.companions,
        resolution_m=options.resolution_m,
        by_unit=samples["class"].by_unit if "class" in samples else {},
        calibration=classes.calibration,
        tuning=trials,
    )
    return Model(card, classes.classifier, canopy.regressor, classes.table, kept)


_KINDS: Final[dict[frozenset[str], Literal["landcover", "canopy", "landcover+canopy"]]] = {
    frozenset({"class"}): "landcover",
    frozenset({"canopy"}): "canopy",
    frozenset({"class", "canopy"}): "landcover+canopy",
}


class _Learnt(NamedTuple):
    """What came of one label: its forest with importances, and its scores."""

    classifier: RandomForestClassifier | None = None
    regressor: RandomForestRegressor | None = None
    importances: npt.NDArray[np.float64] | None = None
    codes: npt.NDArray[np.int64] | None = None
    landcover: LandcoverTest | None = None
    canopy: CanopyTest | None = None
    calibration: CalibrationTest | None = None
    table: npt.NDArray[np.float64] | None = None


_NOTHING: Final = _Learnt()


def _classes(dealt: Dealt, options: TrainOptions) -> _Learnt:
    forest = classifier_of(options)
    codes, shares = held_out_shares(forest, dealt.features, dealt.label, dealt.fold)
    predicted = codes[shares.argmax(axis=1)]
    test = score_classes(dealt.label, predicted, dealt.blocks, dealt.fold, side_m=options.block_m)
    calibration, table = score_probabilities(
        shares, np.searchsorted(codes, dealt.label), dealt.fold
    )
    importances = forest.fit(dealt.features, dealt.label).feature_importances_
    return _Learnt(
        classifier=grown(forest),
        importances=importances,
        codes=codes,
        landcover=test,
        calibration=calibration,
        table=table,
    )


def _canopy(dealt: Dealt, options: TrainOptions) -> _Learnt:
    forest = regressor_of(options)
    predicted = held_out(forest, dealt.features, dealt.label, dealt.fold).astype(np.float64)
    test = score_canopy(dealt.label, predicted, dealt.blocks, dealt.fold, side_m=options.block_m)
    importances = forest.fit(dealt.features, dealt.label).feature_importances_
    return _Learnt(regressor=grown(forest), importances=importances, canopy=test)


def _kept(dealt: Dealt, options: TrainOptions, learnt: _Learnt) -> Training:
    """Keep some of the samples, drawn at random, and the mean and scale of all of them."""
    rows = dealt.features
    number = min(options.kept_rows, len(rows))
    drawn = np.sort(np.random.default_rng(options.seed).choice(len(rows), number, replace=False))
    scale = rows.std(axis=0, dtype=np.float64)
    # Three digits are enough to tell what is far off, and take half the room when compressed.
    coarse = rows[drawn].view(np.int32) & np.int32(-0x1000)
    return Training(
        features=coarse.view(np.float32),
        mean=rows.mean(axis=0, dtype=np.float64),
        scale=np.where(scale > 0, scale, 1.0),
        importances=np.asarray(learnt.importances, np.float64),
        fold=dealt.fold[drawn],
    )


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
    if counts.alike:
        found.append(
            f"{counts.alike} 个样本与异地样本特征完全相同（疑为复制），已归入同一空间块 · "
            f"{counts.alike} samples repeat the features of samples elsewhere, as copies do; they "
            "were kept in one block"
        )
    return tuple(found)
