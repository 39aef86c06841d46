"""
Doubtful samples: labels that forests which never saw their neighbourhood will not believe.

Confident learning (Northcutt et al. 2021, doi:10.1613/jair.1.12125) estimates from held-out
probabilities how many labels of each class are wrong and which; the library is cleanlab. Held out
are whole spatial blocks: a forest that has seen the neighbours of a sample would repeat its error.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from cleanlab.filter import find_label_issues

from jinhua_rs.landcover.blocks import held_out_shares
from jinhua_rs.landcover.card import ClassScreening, Screening
from jinhua_rs.landcover.growing import classifier_of, deal
from jinhua_rs.landcover.options import TrainOptions
from jinhua_rs.landcover.samples import MIN_ROWS, Samples, together

__all__ = ["CLEAN", "DROP", "LOOK", "MOST_DROPPED", "Screened", "judge_labels", "screen"]

CLEAN, LOOK, DROP = "clean", "look", "drop"
"""What is to be done with a sample."""

MOST_DROPPED = 0.2
"""If more of a class than this would be dropped, the forest does not know the class: look again."""
_SURE = 3

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Texts = npt.NDArray[np.str_]


@dataclass(frozen=True, slots=True, eq=False)
class Screened:
    """
    What was found about the labels of a sample table.

    Attributes
    ----------
    doubtful : DataFrame
        Rows to be looked at or dropped, by the index of the table, the least believed first:
        ``verdict``, ``belief`` (held-out probability of the label, 0-1) and ``suggested`` (the
        class that held-out forests take for the likeliest).
    counts : Screening
        For the card of a model.
    """

    doubtful: pd.DataFrame
    counts: Screening

    @property
    def dropped(self) -> pd.Index:
        """Index of the rows that are to be left out."""
        return self.doubtful.index[self.doubtful["verdict"] == DROP]


def screen(
    table: pd.DataFrame, feature_names: Sequence[str], options: TrainOptions
) -> Screened | None:
    """
    Judge the classes of a sample table by forests that saw nothing of their block.

    Parameters
    ----------
    table : DataFrame
        As for :func:`~jinhua_rs.landcover.train`, and perhaps ``confidence`` (1-3, 3 = sure).
        Rows without class or features are passed over. The index must be unique.
    feature_names : sequence of str
    options : TrainOptions
        Of the forests and blocks.

    Returns
    -------
    Screened or None
        None where there are too few samples with a class, or one class only.

    Raises
    ------
    NoDataError
        If all samples lie in one block.
    """
    names = list(feature_names)
    known = table[table["class"].gt(0)] if "class" in table else table.iloc[:0]
    known = known[np.isfinite(known[names].to_numpy(np.float32)).all(axis=1)]
    if len(known) < MIN_ROWS or known["class"].nunique() < 2:
        return None
    rows = known.index
    dealt = deal(_samples(known, names), options)
    codes, shares = held_out_shares(classifier_of(options), dealt.features, dealt.label, dealt.fold)
    sure = np.zeros(len(rows), np.bool_)
    if "confidence" in table:
        sure = pd.to_numeric(table.loc[rows, "confidence"]).eq(_SURE).to_numpy()
    verdict = judge_labels(dealt.label, codes, shares, dealt.blocks, sure=sure)
    place = np.searchsorted(codes, dealt.label)
    found = pd.DataFrame(
        {
            "verdict": verdict,
            "belief": shares[np.arange(len(rows)), place],
            "suggested": codes[shares.argmax(axis=1)],
        },
        index=rows,
    )
    doubtful = found[found["verdict"] != CLEAN].sort_values("belief", kind="stable")
    return Screened(doubtful, _counted(dealt.label, verdict, dealt.blocks))


def _samples(known: pd.DataFrame, names: list[str]) -> Samples:
    place = known[["x", "y"]]
    if "group" in known:
        place = together(place, known["group"].fillna("").astype(str))
    return Samples(
        features=np.ascontiguousarray(known[names].to_numpy(np.float32)),
        x=place["x"].to_numpy(np.float64),
        y=place["y"].to_numpy(np.float64),
        label=known["class"].to_numpy(np.int64),
        by_unit={},
    )


def judge_labels(
    labels: Integers,
    codes: Integers,
    shares: Floats,
    blocks: Integers,
    *,
    sure: npt.NDArray[np.bool_],
) -> Texts:
    """
    Say of each label whether it is clean, to be looked at again, or not to be used.

    A label is dropped where both rules of confident learning, by class and by noise rate, hold it
    for wrong; where one of them does, it is to be looked at again. Never dropped are labels that
    somebody was ``sure`` of, and those of a class of which more than :data:`MOST_DROPPED` would
    go. Labels of classes that lie in one block only are clean: no held-out forest knows them.

    Parameters
    ----------
    labels, blocks : ndarray, int64, (row,)
        Class and block of each sample.
    codes : ndarray, int64, (class,)
        Classes of ``shares``, rising.
    shares : ndarray, float64, (row, class)
        Held-out probabilities.
    sure : ndarray, bool, (row,)

    Returns
    -------
    ndarray of str, (row,)
        :data:`CLEAN`, :data:`LOOK` or :data:`DROP`.
    """
    verdict = np.full(len(labels), CLEAN)
    spread = np.array([len(np.unique(blocks[labels == code])) > 1 for code in codes])
    judged = np.isin(labels, codes[spread])
    if spread.sum() < 2:
        return verdict
    known = shares[np.ix_(judged, spread)] + 1e-9
    known /= known.sum(axis=1, keepdims=True)
    place = np.searchsorted(codes[spread], labels[judged])
    by_class, by_noise = (
        find_label_issues(place, known, filter_by=rule, n_jobs=1)
        for rule in ("prune_by_class", "prune_by_noise_rate")
    )
    verdict[judged] = np.select([by_class & by_noise, by_class | by_noise], [DROP, LOOK], CLEAN)
    dropped = verdict == DROP
    too_many = pd.Series(dropped).groupby(labels).transform("mean").to_numpy() > MOST_DROPPED
    return np.where(dropped & (sure | too_many), LOOK, verdict)


def _counted(labels: Integers, verdict: Texts, blocks: Integers) -> Screening:
    return Screening(
        classes=tuple(
            ClassScreening(
                code=int(code),
                **{
                    kind: int((verdict[labels == code] == kind).sum())
                    for kind in (CLEAN, LOOK, DROP)
                },
                judged=len(np.unique(blocks[labels == code])) > 1,
            )
            for code in np.unique(labels)
        )
    )
