"""What samples that resemble each other too much do to a score: the reason for blocks."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GroupKFold, KFold, cross_val_predict

__all__ = ["accuracy_by_split", "n_alike"]

FOLDS = 4


def n_alike(features: npt.NDArray[np.float32]) -> int:
    """
    Count rows that repeat the features of an earlier row to the last digit.

    Two places never look so: such rows were copied, or drawn with replacement.

    >>> n_alike(np.array([[1, 2], [3, 4], [1, 2], [1, 2]], "float32"))
    2
    """
    return int(pd.DataFrame(features).duplicated().sum())


def accuracy_by_split(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    splits: Mapping[str, npt.NDArray[np.int64] | None],
    *,
    trees: int = 50,
    seed: int = 0,
) -> dict[str, float]:
    """
    Accuracy of one and the same forest on one and the same rows, held out in different ways.

    Parameters
    ----------
    features : ndarray, float32, (row, feature)
        Finite.
    labels : ndarray, int64, (row,)
    splits : mapping of str to ndarray, int64, (row,), or None
        Name to the group of each row (polygon, region); groups are held out whole. None deals
        rows at random.
    trees, seed : int
        Of the forest, which is full-grown.

    Returns
    -------
    dict of str to float
        Share of the rows named right by a forest that saw nothing of their fold, 0-1.
    """
    forest = RandomForestClassifier(n_estimators=trees, n_jobs=-1, random_state=seed)
    found = {}
    for name, groups in splits.items():
        folds = (
            KFold(FOLDS, shuffle=True, random_state=seed) if groups is None else GroupKFold(FOLDS)
        )
        named = cross_val_predict(forest, features, labels, cv=folds, groups=groups)
        found[name] = float(np.mean(named == labels))
    return found
