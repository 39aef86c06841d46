"""
Held-out scores in spatial blocks: neighbours never sit on both sides of a fold.

Samples close together look alike, so a random split tests a model on what it has seen.
Blocks are for choosing and comparing models; they do not give the accuracy of a map, which
needs a probability sample (Wadoux et al. 2021, doi:10.1016/j.ecolmodel.2021.109692).
"""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_expit
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.landcover.card import CanopyTest, ClassScore, HeldOut, LandcoverTest
from jinhua_rs.schema import FOREST_CANOPY

__all__ = [
    "MAX_FOLDS",
    "assign_folds",
    "block_of",
    "held_out",
    "held_out_shares",
    "score_canopy",
    "score_classes",
]

MAX_FOLDS = 5

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def block_of(x: Floats, y: Floats, side_m: float) -> Integers:
    """
    Say in which square block each sample lies: blocks of ``side_m`` metres, edges on its multiples.

    Returns
    -------
    ndarray, int64, (row,)
        Block of each sample, counted from 0, in order of (column, row) of the block.

    Examples
    --------
    >>> block_of(np.array([10.0, 4999, 5001, -1]), np.array([0.0, 4999, 0, 0]), 5000).tolist()
    [1, 1, 2, 0]
    """
    if not side_m > 0:
        raise ConfigError(
            f"the side of a block must be positive, got {side_m} m; mend block_m in [model]",
            zh=f"空间块边长必须为正（现为 {side_m} 米）；请修改 [model] block_m",
        )
    corners = np.floor(np.column_stack([x, y]) / side_m).astype(np.int64)
    _, number = np.unique(corners, axis=0, return_inverse=True)
    return np.asarray(number, dtype=np.int64).reshape(-1)


def assign_folds(blocks: Integers, strata: Integers | None = None, *, seed: int = 0) -> Integers:
    """
    Deal whole blocks into folds, up to :data:`MAX_FOLDS`.

    Parameters
    ----------
    blocks : ndarray, int64, (row,)
        Block of each sample.
    strata : ndarray, int64, (row,), optional
        Class of each sample: folds are then dealt so that classes are spread evenly.
        Classes with fewer samples than folds ride along with the commonest.
    seed : int
        Order in which equally good blocks are dealt (with ``strata`` only).

    Returns
    -------
    ndarray, int64, (row,)
        Fold of each sample, from 0; every fold holds at least one sample.

    Raises
    ------
    NoDataError
        If there is only one block, so that nothing can be held out.
    """
    n_blocks = len(np.unique(blocks))
    if n_blocks < 2:
        raise NoDataError(
            f"all {len(blocks)} samples lie in one spatial block, nothing can be held out; choose "
            "a smaller block_m in [model], add samples elsewhere, or check that x and y are metres",
            zh=f"{len(blocks)} 个样本全部落在同一空间块内，无法留出检验；请减小 [model] block_m、"
            "在别处补充样本，或检查 x、y 是否以米为单位",
        )
    # With as many blocks as folds no dealer leaves a fold empty: an empty one is filled first.
    n_folds = min(MAX_FOLDS, n_blocks)
    fold = np.zeros(len(blocks), dtype=np.int64)
    empty = np.zeros((len(blocks), 1))
    if strata is None:
        split = GroupKFold(n_folds).split(empty, groups=blocks)
    else:
        dealer = StratifiedGroupKFold(n_folds, shuffle=True, random_state=seed)
        split = dealer.split(empty, _common(strata, n_folds), groups=blocks)
    for number, (_, rows) in enumerate(split):
        fold[rows] = number
    return fold


def _common(strata: Integers, n_folds: int) -> Integers:
    codes, counts = np.unique(strata, return_counts=True)
    rare = codes[counts < n_folds]
    return np.where(np.isin(strata, rare), codes[np.argmax(counts)], strata)


def held_out(
    forest: RandomForestClassifier | RandomForestRegressor,
    features: npt.NDArray[np.float32],
    label: npt.NDArray[np.generic],
    fold: Integers,
) -> npt.NDArray[np.generic]:
    """
    Predict every sample by a forest that saw nothing of its fold.

    Parameters
    ----------
    forest : RandomForestClassifier or RandomForestRegressor
        Unfitted; a copy is fitted for each fold.
    features : ndarray, float32, (row, feature)
        Finite.
    label : ndarray, (row,)
        Class codes or canopy cover.
    fold : ndarray, int64, (row,)
        From :func:`assign_folds`; at least two folds.

    Returns
    -------
    ndarray, dtype of ``label``, (row,)
        One prediction for each sample.
    """
    predicted = np.empty_like(label)
    for number in range(int(fold.max()) + 1):
        out = fold == number
        grown = clone(forest).fit(features[~out], label[~out])
        grown.set_params(n_jobs=1)  # one thread sums the trees in one order: equal digits each time
        predicted[out] = grown.predict(features[out])
    return predicted


def held_out_shares(
    forest: RandomForestClassifier,
    features: npt.NDArray[np.float32],
    label: Integers,
    fold: Integers,
) -> tuple[Integers, Floats]:
    """
    Ask, for every sample, a forest that saw nothing of its fold for shares of votes.

    Returns
    -------
    ndarray, int64, (class,)
        Codes that occur in ``label``, rising.
    ndarray, float64, (row, class)
        0 for a class that lies in the held-out fold only.
    """
    codes = np.unique(label)
    shares = np.zeros((len(label), len(codes)))
    for number in range(int(fold.max()) + 1):
        out = np.flatnonzero(fold == number)
        kept = fold != number
        grown = clone(forest).fit(features[kept], label[kept])
        grown.set_params(n_jobs=1)  # one thread sums the trees in one order: equal digits each time
        shares[np.ix_(out, np.isin(codes, grown.classes_))] = grown.predict_proba(features[out])
    return codes, shares


def score_classes(
    truth: Integers, predicted: Integers, blocks: Integers, fold: Integers, *, side_m: float
) -> LandcoverTest:
    """
    Count right and wrong classes among held-out samples.

    User's accuracy is the share of samples predicted as a class that are of it, producer's
    accuracy the share of samples of a class that are predicted as it, both unweighted.
    """
    codes = np.unique(truth)
    # confusion_matrix puts the truth in rows; here rows are what was predicted.
    table = confusion_matrix(truth, predicted, labels=codes).T
    right, as_predicted, as_true = np.diag(table), table.sum(axis=1), table.sum(axis=0)
    scores = tuple(
        ClassScore(
            code=int(code),
            samples=int(as_true[k]),
            blocks=len(np.unique(blocks[truth == code])),
            users_accuracy=float(right[k] / as_predicted[k]) if as_predicted[k] else None,
            producers_accuracy=float(right[k] / as_true[k]),
        )
        for k, code in enumerate(codes)
    )
    return LandcoverTest(
        held_out=_described(blocks, fold, side_m),
        samples=len(truth),
        accuracy=float(right.sum() / table.sum()),
        fold_accuracy=tuple(float(np.mean((truth == predicted)[rows])) for rows in _each(fold)),
        confusion=tuple(tuple(int(n) for n in row) for row in table),
        scores=scores,
    )


def score_canopy(
    truth: Floats, predicted: Floats, blocks: Integers, fold: Integers, *, side_m: float
) -> CanopyTest:
    """
    Compare canopy cover (0-1) of held-out samples with the truth.

    ``r2 = 1 - sum((p - t)²) / sum((t - mean(t))²)`` over all held-out samples together.
    """
    error = predicted - truth
    spread = float(np.sum((truth - truth.mean()) ** 2))
    is_forest, as_forest = truth >= FOREST_CANOPY, predicted >= FOREST_CANOPY
    cells = [[int(np.sum((as_forest == p) & (is_forest == t))) for t in (0, 1)] for p in (0, 1)]
    return CanopyTest(
        held_out=_described(blocks, fold, side_m),
        samples=len(truth),
        rmse=float(np.sqrt(np.mean(error**2))),
        bias=float(error.mean()),
        r2=1.0 - float(np.sum(error**2)) / spread if spread > 0 else None,
        fold_rmse=tuple(float(np.sqrt(np.mean(error[rows] ** 2))) for rows in _each(fold)),
        forest_agreement=float(np.mean(is_forest == as_forest)),
        forest_confusion=((cells[0][0], cells[0][1]), (cells[1][0], cells[1][1])),
        line_slope=_line_slope(predicted, is_forest),
    )


def _line_slope(predicted: Floats, is_forest: npt.NDArray[np.bool_]) -> float:
    """Find the slope of the logistic curve through ½ at 0.20 by greatest likelihood, 1-200."""
    off = np.where(is_forest, 1.0, -1.0) * (predicted - FOREST_CANOPY)
    found = minimize_scalar(
        lambda slope: -log_expit(slope * off).mean(), bounds=(1.0, 200.0), method="bounded"
    )
    return round(float(found.x), 2)


def _each(fold: Integers) -> list[npt.NDArray[np.bool_]]:
    return [fold == number for number in range(int(fold.max()) + 1)]


def _described(blocks: Integers, fold: Integers, side_m: float) -> HeldOut:
    return HeldOut(side_m=side_m, blocks=len(np.unique(blocks)), folds=int(fold.max()) + 1)
