"""
Consistency over years: the likeliest history of each pixel in which nothing impossible happens.

A hidden Markov chain over the periods of one season: what is true changes by a matrix for the
years between two periods, what is seen are the class probabilities of each, and the history is
the path of greatest probability (Viterbi 1967, doi:10.1109/TIT.1967.1054010; for land cover
series Abercrombie and Friedl 2016, doi:10.1109/TGRS.2015.2463689).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numba
import numpy as np
import numpy.typing as npt

from jinhua_rs.errors import ContractError
from jinhua_rs.schema import TREE_CLASSES, Land

__all__ = ["IMPOSSIBLE", "Impossible", "likeliest", "transitions"]

Floats = npt.NDArray[np.float32]
Scores = npt.NDArray[np.float64]
Codes = npt.NDArray[np.uint8]

_TREES, _PLANTED = frozenset(TREE_CLASSES), frozenset((Land.SHRUB, Land.ORCHARD))


@dataclass(frozen=True, slots=True)
class Impossible:
    """
    A change of class that takes at least ``years``, and why: English, then Chinese.

    It bars the way back as well: what cannot become forest within three years cannot have been
    forest, something else and forest again within them.
    """

    before: frozenset[Land]
    after: frozenset[Land]
    years: int
    reason: str
    reason_zh: str


IMPOSSIBLE: tuple[Impossible, ...] = (
    Impossible(
        frozenset((Land.BUILT,)),
        _TREES,
        5,
        "after demolition ground must be cleared and planted, and a stand needs 3-5 years until "
        "it counts (GB/T 15776-2023)",
        "拆除清理后造林，须 3–5 年方能成林（GB/T 15776-2023）",
    ),
    Impossible(
        frozenset((Land.BUILT,)),
        _PLANTED | {Land.CROPLAND},
        2,
        "demolition, removal of rubble and new soil take more than a year",
        "拆除、清运、覆土复垦需一年以上",
    ),
    Impossible(
        frozenset((Land.CROPLAND, Land.WATER)),
        _TREES,
        3,
        "a planting is judged forest after 3 years at the earliest (GB/T 15776-2023)",
        "造林满 3 年方可按成林判定（GB/T 15776-2023）",
    ),
    Impossible(
        frozenset((Land.BARE,)),
        _TREES - {Land.BAMBOO},
        3,
        "as for cropland; what stood as young growth in between is shrub",
        "同耕地；其间的幼林按灌木计",
    ),
    *(
        Impossible(
            frozenset((kind,)),
            _TREES - {kind},
            3,
            "a stand does not change its species unless it is felled and grown again",
            "林分不经采伐更新不会改变树种",
        )
        for kind in TREE_CLASSES
    ),
)
"""
Bamboo may come back on bare ground within a year: its rhizomes outlive a harvest. Shrub may
become forest at any time, for young stands are shrub until their crowns close.
"""


def transitions(
    states: Sequence[IntEnum], years: float, rate: float, rules: Sequence[Impossible] = ()
) -> Floats:
    """
    Logarithm of the probability that one class follows another after some years.

    A class stays with ``(1 - rate) ** years``; what is left is shared by all classes that are
    possible after so many years.

    Parameters
    ----------
    states : sequence of IntEnum
        Codes of :class:`~jinhua_rs.schema.Land` or of :class:`~jinhua_rs.schema.Forest`.
    years : float
        Between the two periods, above 0.
    rate : float
        Share of the ground that changes its class in a year, between 0 and 1.
    rules : sequence of Impossible
        Of classes of land: :data:`IMPOSSIBLE`.

    Returns
    -------
    ndarray, float32, dims (before, after)
        ``-inf`` = impossible.

    Raises
    ------
    ContractError
        If ``years`` or ``rate`` is not as said.
    """
    if not (years > 0 and 0 < rate < 1):
        raise ContractError(
            f"transitions need years above 0 and a rate between 0 and 1, got {years} and {rate}",
            zh=f"转移矩阵要求年数大于 0、年变化率在 0 与 1 之间，现为 {years} 与 {rate}",
        )
    possible = np.ones((len(states), len(states)), bool)
    for rule in rules:
        if years < rule.years:
            before, after = (np.isin(states, list(kinds)) for kinds in (rule.before, rule.after))
            possible &= ~np.outer(before, after)
    np.fill_diagonal(possible, val=False)
    stay = (1 - rate) ** years
    with np.errstate(divide="ignore"):
        shared = np.where(possible, (1 - stay) / np.maximum(possible.sum(axis=1), 1)[:, None], 0.0)
        np.fill_diagonal(shared, stay)
        return np.log(shared).astype(np.float32)


def likeliest(evidence: Floats, steps: Floats) -> Codes:
    """
    Find the likeliest history of each pixel.

    Parameters
    ----------
    evidence : ndarray, float32, dims (time, class, pixel)
        Logarithm of the probability of each class, finite; NaN in all classes where a pixel was
        not seen: it then says nothing, neither for a class nor against it.
    steps : ndarray, float32, dims (time - 1, before, after)
        From :func:`transitions`. Every class must be able to stay.

    Returns
    -------
    ndarray, uint8, dims (time, pixel)
        Place of the class in the axis ``class``; of equal histories the first. Also where a
        pixel was not seen: mask it where that must not be told.

    Raises
    ------
    ContractError
        If dimensions do not fit, or a class cannot stay.
    """
    times, classes = evidence.shape[:2]
    if (
        steps.shape != (times - 1, classes, classes)
        or not np.isfinite(np.diagonal(steps, axis1=1, axis2=2)).all()
    ):
        raise ContractError(
            f"{times} periods of {classes} classes need {times - 1} matrices of that size, in "
            f"which each class can stay; got {steps.shape}",
            zh=f"{times} 期、{classes} 类须有 {times - 1} 个同阶转移矩阵且各类可保持不变，"
            f"现为 {steps.shape}",
        )
    path = np.empty((times, evidence.shape[2]), np.uint8)
    _viterbi(np.ascontiguousarray(evidence), np.ascontiguousarray(steps), path)
    return path


@numba.njit(cache=True, nogil=True)
def _viterbi(evidence: Floats, steps: Floats, path: Codes) -> None:
    """Walk each pixel's periods forward, keeping the best way to each class, and back again."""
    times, classes, pixels = evidence.shape
    score, ahead = np.zeros(classes, np.float64), np.empty(classes, np.float64)
    came_from = np.zeros((times, classes), np.uint8)
    for pixel in range(pixels):
        _hear(evidence[0, :, pixel], np.zeros(classes, np.float64), score)
        for time in range(1, times):
            _step(score, steps[time - 1], ahead, came_from[time])
            _hear(evidence[time, :, pixel], ahead, score)
        at = score.argmax()
        for time in range(times - 1, -1, -1):
            path[time, pixel] = at
            at = came_from[time, at]


@numba.njit(cache=True, nogil=True)
def _hear(seen: Floats, score: Scores, into: Scores) -> None:
    """Add what was seen of each class to its score; what was not seen adds nothing."""
    for state in range(score.size):
        into[state] = score[state] + (0.0 if np.isnan(seen[state]) else seen[state])


@numba.njit(cache=True, nogil=True)
def _step(score: Scores, step: Floats, ahead: Scores, came_from: Codes) -> None:
    """Find the best way to each class, and the class that it comes from."""
    for after in range(score.size):
        ahead[after] = -np.inf
        for before in range(score.size):
            reached = score[before] + step[before, after]
            if reached > ahead[after]:
                ahead[after], came_from[after] = reached, before
