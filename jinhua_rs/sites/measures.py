"""
How well a map agrees with ground truth that its training never saw: pure measures on arrays.

Predictions, truth and folds are plain arrays on the cells of the truth; a NaN in prediction or
truth leaves that cell out. Names of the measures follow Olofsson et al. 2014 (Remote Sensing of
Environment 148, 42-57): *user's accuracy* is the share of mapped forest that is forest,
*producer's accuracy* the share of forest that is mapped. Blocks rather than single cells are held
out because neighbours resemble each other (Roberts et al. 2017, Ecography 40, 913-929).
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jinhua_rs.errors import ConfigError, ContractError, NoDataError

__all__ = [
    "Agreement",
    "Bin",
    "Fit",
    "NdviChange",
    "agreement",
    "block_folds",
    "block_means",
    "by_truth",
    "correlation",
    "fit",
    "held_out",
    "ndvi_change",
    "per_fold",
    "persistence",
]

Floats = npt.NDArray[np.floating]
Ints = npt.NDArray[np.integer]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Fit:
    """
    Agreement of a continuous map with truth; shares 0-1, ``n`` cells.

    ``bias`` is map minus truth; ``r2`` is ``1 - SSE/SST`` (0 = as good as the mean of the truth
    itself, negative = worse), ``r`` the linear correlation; both NaN where the truth is constant.
    """

    n: int
    rmse: float
    bias: float
    r2: float
    r: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """
    Agreement of forest (density at or above ``threshold``) in map and truth; shares 0-1.

    ``users`` is NaN where the map holds no forest, ``producers`` where the truth holds none.
    ``users_other`` and ``producers_other`` say the same of ground that is not forest.
    """

    threshold: float
    n: int
    truth_share: float
    map_share: float
    overall: float
    users: float
    producers: float
    users_other: float
    producers_other: float


@dataclass(frozen=True, slots=True)
class Bin:
    """Cells with truth in ``low <= truth < high``: mean truth and mean map, NaN where empty."""

    low: float
    high: float
    n: int
    truth: float
    predicted: float


@dataclass(frozen=True, slots=True)
class NdviChange:
    """Pixels whose NDVI fell or rose by more than ``step`` among ``n`` seen in both periods."""

    step: float
    n: int
    fell: int
    rose: int


def block_folds(shape: tuple[int, int], *, block: int, folds: int) -> npt.NDArray[np.uint8]:
    """
    Deal square blocks of cells to folds like a Latin square.

    With ``folds`` odd, each fold occurs once in every ``folds`` neighbouring blocks of a row and
    of a column, and no two blocks of one fold share a side.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns of cells.
    block : int
        Side of a block in cells, at least 1.
    folds : int
        Odd, at least 3.

    Returns
    -------
    array, uint8, dims (row, column)
        Fold number, 0 to ``folds - 1``.

    Raises
    ------
    ConfigError
        If ``block`` or ``folds`` is out of range.

    Examples
    --------
    >>> block_folds((3, 3), block=1, folds=3).tolist()
    [[0, 1, 2], [2, 0, 1], [1, 2, 0]]
    """
    if block < 1 or folds < 3 or folds % 2 == 0:
        raise ConfigError(
            f"blocks of {block} cells and {folds} folds: give a block of 1 or more cells and an "
            "odd number of folds from 3",
            zh=f"分块 {block} 个单元、{folds} 折无效：分块至少 1 个单元，折数须为不小于 3 的奇数",
        )
    row, column = np.indices(shape) // block
    return ((2 * row + column) % folds).astype(np.uint8)


def block_means(values: Floats, side: int) -> Floats:
    """
    Mean of each ``side`` x ``side`` square of pixels.

    Parameters
    ----------
    values : array, float, dims (row, column)
        NaN = not seen.
    side : int
        Pixels per square; must divide both dimensions.

    Returns
    -------
    array, float, dims (row, column)
        NaN where any pixel of the square is NaN.

    Raises
    ------
    ContractError
        If ``side`` does not divide the shape.
    """
    rows, columns = values.shape
    if rows % side or columns % side:
        raise ContractError(
            f"{rows} x {columns} pixels cannot be split into squares of {side}",
            zh=f"{rows}×{columns} 像元无法按 {side} 像元分块",
        )
    means: Floats = values.reshape(rows // side, side, columns // side, side).mean(axis=(1, 3))
    return means


def held_out(predict: Callable[[Bools], Floats], folds: Ints) -> Floats:
    """
    Predict every cell by a model that never saw its block.

    Parameters
    ----------
    predict : callable
        Takes a bool array (True = training may use this cell) and returns the prediction for
        all cells, same shape.
    folds : array, int, dims (row, column)
        Fold of each cell.

    Returns
    -------
    array, float64, dims as ``folds``
        Prediction of each cell by the model trained without the cell's fold.

    Raises
    ------
    ContractError
        If a prediction has another shape.
    """
    found = np.full(folds.shape, np.nan)
    for fold in np.unique(folds):
        outside = folds == fold
        predicted = predict(~outside)
        _require_same_shape(predicted, folds)
        found[outside] = predicted[outside]
    return found


def fit(predicted: Floats, truth: Floats) -> Fit:
    """
    Measure a continuous map against truth.

    Raises
    ------
    ContractError
        If the shapes differ.
    NoDataError
        If no cell has both.
    """
    a, b = _paired(predicted, truth)
    error = a - b
    spread = float(((b - b.mean()) ** 2).sum())
    r2 = 1 - float((error**2).sum()) / spread if spread > 0 else np.nan
    return Fit(
        len(a), float(np.sqrt((error**2).mean())), float(error.mean()), r2, correlation(a, b)
    )


def per_fold(predicted: Floats, truth: Floats, folds: Ints) -> tuple[Fit, ...]:
    """Measure each fold on its own, in order; their spread tells how far one number holds."""
    _require_same_shape(predicted, folds)
    return tuple(fit(predicted[folds == fold], truth[folds == fold]) for fold in np.unique(folds))


def correlation(first: Floats, second: Floats) -> float:
    """
    Linear correlation of the cells that have both; NaN where one of them is constant.

    Raises
    ------
    ContractError
        If the shapes differ.
    NoDataError
        If no cell has both.
    """
    a, b = _paired(first, second)
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / scale if scale > 0 else np.nan


def agreement(predicted: Floats, truth: Floats, threshold: float) -> Agreement:
    """
    Cut map and truth at one density and compare.

    Raises
    ------
    ContractError
        If the shapes differ.
    NoDataError
        If no cell has both.
    """
    a, b = _paired(predicted, truth)
    mapped, real = a >= threshold, b >= threshold
    return Agreement(
        threshold=threshold,
        n=len(a),
        truth_share=float(real.mean()),
        map_share=float(mapped.mean()),
        overall=float((mapped == real).mean()),
        users=_share(real, mapped),
        producers=_share(mapped, real),
        users_other=_share(~real, ~mapped),
        producers_other=_share(~mapped, ~real),
    )


def by_truth(predicted: Floats, truth: Floats, edges: Sequence[float]) -> tuple[Bin, ...]:
    """
    Compare means between the edges of the truth: shows a map that shrinks towards its mean.

    The last bin holds its upper edge.

    Raises
    ------
    ContractError
        If the shapes differ.
    NoDataError
        If no cell has both.
    """
    a, b = _paired(predicted, truth)
    found = []
    for low, high in itertools.pairwise(edges):
        inside = (b >= low) & ((b < high) | ((high == edges[-1]) & (b == high)))
        n = int(inside.sum())
        means = (float(b[inside].mean()), float(a[inside].mean())) if n else (np.nan, np.nan)
        found.append(Bin(low, high, n, *means))
    return tuple(found)


def ndvi_change(before: Floats, after: Floats, *, step: float = 0.2) -> NdviChange:
    """
    Count pixels whose NDVI fell below ``-step`` or rose above ``+step``.

    Raises
    ------
    ContractError
        If the shapes differ.
    NoDataError
        If no pixel was seen in both.
    """
    a, b = _paired(before, after)
    return NdviChange(step, len(a), int((b - a < -step).sum()), int((b - a > step).sum()))


def persistence(before: Floats, between: Floats, after: Floats, *, step: float = 0.2) -> float:
    """
    Share of the pixels fallen by more than ``step`` in between that are still so afterwards.

    Felled forest stays low for years, a cloud that was missed does not: a low share says that
    most of the falls were noise. Half of ``step`` counts as "still", so that regrowth does not.

    Returns
    -------
    float
        0-1; NaN where nothing had fallen.

    Raises
    ------
    ContractError
        If the shapes differ.
    """
    _require_same_shape(before, between)
    _require_same_shape(before, after)
    with np.errstate(invalid="ignore"):
        seen = np.isfinite(before) & np.isfinite(between) & np.isfinite(after)
        fallen = seen & (between - before < -step)
        return _share(after - before < -step / 2, fallen)


def _share(what: Bools, among: Bools) -> float:
    return float(what[among].mean()) if among.any() else np.nan


def _require_same_shape(first: npt.NDArray[np.generic], second: npt.NDArray[np.generic]) -> None:
    if first.shape != second.shape:
        raise ContractError(
            f"arrays of {first.shape} and {second.shape} cells cannot be compared; "
            "bring both to the cells of the truth",
            zh=f"数组形状 {first.shape} 与 {second.shape} 不一致；请统一到真值单元",
        )


def _paired(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    _require_same_shape(first, second)
    both = np.isfinite(first) & np.isfinite(second)
    if not both.any():
        raise NoDataError(
            "no cell has both a prediction and a truth; look at the clear views of the period",
            zh="没有同时具备预测值和真值的单元；请检查该时段的晴空观测",
        )
    return first[both].astype("float64"), second[both].astype("float64")
