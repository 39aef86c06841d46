"""
Areas and accuracies from a confusion matrix, in the closed form of Olofsson et al. 2014.

For strata that are the map's classes. :mod:`jinhua_rs.estimation.accuracy` comes to the same
numbers from points, by ratios; the two forms test each other.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from jinhua_rs.errors import ContractError, NoDataError
from jinhua_rs.estimation.area import Estimate

__all__ = ["Accuracy", "confusion_estimate"]

_Z = 1.96  # as printed in Olofsson et al. 2014


@dataclass(frozen=True, slots=True)
class Accuracy:
    """
    Areas and accuracies from a confusion matrix.

    ``classes`` is a DataFrame by class: ``area``, ``area_se`` in the unit of the areas given;
    ``users``, ``users_se``, ``producers``, ``producers_se`` as shares. ``overall`` is a share.
    A 95 % interval is the value ± 1.96 standard errors. NaN: the class was never met.
    """

    classes: pd.DataFrame
    overall: Estimate


def confusion_estimate(counts: pd.DataFrame, areas: pd.Series) -> Accuracy:
    """
    Areas and accuracies from a confusion matrix whose strata are the map's classes.

    Parameters
    ----------
    counts : DataFrame of int
        Points by map class (index) and reference class (columns), the same classes in the
        same order.
    areas : Series
        Mapped area by class, any unit.

    Returns
    -------
    Accuracy
        Formulas of Olofsson et al. 2014, equations 1-11.

    Raises
    ------
    ContractError
        If rows, columns and areas do not name the same classes.
    NoDataError
        If a class holds fewer than two points.
    """
    if not counts.index.equals(counts.columns) or not counts.index.equals(areas.index):
        raise ContractError(
            f"confusion matrix rows {list(counts.index)}, columns {list(counts.columns)} and areas "
            f"{list(areas.index)} must be the same classes in the same order",
            zh="混淆矩阵的行、列与面积须为相同顺序的相同类别",
        )
    n = counts.to_numpy(dtype="float64").sum(axis=1, keepdims=True)
    if (n < 2).any():
        few = counts.index[(n < 2)[:, 0]].tolist()
        raise NoDataError(
            f"map classes {few} hold fewer than 2 reference points; add points there",
            zh=f"地图类别 {few} 的参考样点不足 2 个；请补充样点",
        )
    total = float(areas.sum())
    weight = areas.to_numpy(dtype="float64")[:, np.newaxis] / total
    rate = counts.to_numpy(dtype="float64") / n
    spread = weight**2 * rate * (1 - rate) / (n - 1)
    share = (weight * rate).sum(axis=0)
    users = np.diag(rate)
    with np.errstate(invalid="ignore", divide="ignore"):
        producers = np.diag(weight * rate) / share
        # Equation 7: own row with (1 - P)², the other rows with P².
        own, others = np.diag(spread), spread.sum(axis=0) - np.diag(spread)
        producers_se = np.sqrt((1 - producers) ** 2 * own + producers**2 * others) / share
    agreed, agreed_se = float((weight[:, 0] * users).sum()), float(np.sqrt(np.diag(spread).sum()))
    classes = pd.DataFrame(
        {
            "area": total * share,
            "area_se": total * np.sqrt(spread.sum(axis=0)),
            "users": users,
            "users_se": np.sqrt(users * (1 - users) / (n[:, 0] - 1)),
            "producers": producers,
            "producers_se": producers_se,
        },
        index=counts.index,
    )
    low, high = max(agreed - _Z * agreed_se, 0.0), min(agreed + _Z * agreed_se, 1.0)
    return Accuracy(classes, Estimate(agreed, agreed_se, low, high, int(n.sum()), "normal"))
