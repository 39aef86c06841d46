"""The steps one after another, for the classes of land and for tree cover alike."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.special import log_expit, logsumexp

from jinhua_rs.refine.history import IMPOSSIBLE, likeliest, transitions
from jinhua_rs.refine.smoothing import PARTS, UNSEEN, logits, smooth
from jinhua_rs.schema import FOREST_CANOPY, Forest, Land
from jinhua_rs.settings import Refine

__all__ = ["Look", "Refined", "refine", "sided", "tree_parts"]

Codes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_LANDS = tuple(kind for kind in Land if kind)
_COVERS = (Forest.FOREST, Forest.OTHER)


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """
    What one period says of a piece of ground, with a rim around it.

    Attributes
    ----------
    year : int
        Of the period; all looks are of one season.
    trees : ndarray, uint8, dims (y, x), unit 1/250
        Probability of tree cover, 255 = not seen.
    classes : ndarray, uint8, dims (class, y, x), unit 1/250, or None
        Probability of the classes 1-10 of land; ``None`` where the model names none.
    """

    year: int
    trees: Codes
    classes: Codes | None


@dataclass(frozen=True, eq=False, slots=True)
class Refined:
    """
    What became of the last of some looks, without its rim.

    Attributes
    ----------
    raw, smoothed, forest : ndarray, uint8, dims (y, x)
        :class:`~jinhua_rs.schema.Forest` codes as they came, after smoothing, and after both
        steps; 0 = not seen, in the same pixels.
    landcover : ndarray, uint8, dims (y, x), or None
        :class:`~jinhua_rs.schema.Land` codes after both steps, 0 = not seen.
    confidence : ndarray, float32, dims (y, x), unit 1, or None
        Smoothed probability of that class, NaN = not seen.
    """

    raw: Codes
    smoothed: Codes
    forest: Codes
    landcover: Codes | None
    confidence: Floats | None


def refine(looks: Sequence[Look], options: Refine, rim: int) -> Refined:
    """
    Smooth each look and, if there are several, find the likeliest history that ends in the last.

    Parameters
    ----------
    looks : sequence of Look
        At least one, in order of time, of one shape; years between them may be missing.
    options : Refine
    rim : int
        Pixels around each look that its smoothing hears and that are cut off; 0 is no smoothing.
    """
    height, width = looks[-1].trees.shape
    trees = looks[-1].trees[rim : height - rim, rim : width - rim]
    seen = trees != UNSEEN
    raw = np.where(seen, np.where(trees >= PARTS // 2, Forest.FOREST, Forest.OTHER), Forest.UNSEEN)
    years = [look.year for look in looks]
    covers = [np.stack([look.trees, _others(look.trees)]) for look in looks]
    smoothed, forest, _ = _told(covers, years, _COVERS, (options, rim))
    landcover = confidence = None
    if looks[-1].classes is not None:
        named = [(look.year, look.classes) for look in looks if look.classes is not None]
        years, classes = [year for year, _ in named], [parts for _, parts in named]
        _, landcover, confidence = _told(classes, years, _LANDS, (options, rim))
    return Refined(raw.astype(np.uint8), smoothed, forest, landcover, confidence)


def tree_parts(forest: Codes, canopy: Floats, slope: float) -> Codes:
    """
    Probability that a pixel has tree cover, from its estimated canopy cover.

    ``1 / (1 + exp(-slope · (canopy - 0.20)))``: even at the threshold, and surer the farther off.

    Parameters
    ----------
    forest : ndarray, uint8, dims (y, x)
        :class:`~jinhua_rs.schema.Forest` codes, with which it agrees (:func:`sided`).
    canopy : ndarray, float32, dims (y, x), unit 1
        NaN = not seen.
    slope : float
        Per unit of canopy cover, above 0.

    Returns
    -------
    ndarray, uint8, dims (y, x), unit 1/250
        255 = not seen.
    """
    shown = np.nan_to_num(canopy) - np.float32(FOREST_CANOPY)
    return sided(forest, np.rint(PARTS * np.exp(log_expit(slope * shown))))


def sided(forest: Codes, parts: npt.NDArray[np.generic]) -> Codes:
    """
    Probability of tree cover that agrees with a map of it: above 125 where there is some.

    Parameters
    ----------
    forest : ndarray, uint8, dims (y, x)
        :class:`~jinhua_rs.schema.Forest` codes.
    parts : ndarray, dims (y, x), unit 1/250

    Returns
    -------
    ndarray, uint8, dims (y, x), unit 1/250
        255 = not seen.
    """
    half = PARTS // 2
    least = np.where(forest == Forest.FOREST, half + 1, 0)
    most = np.where(forest == Forest.FOREST, PARTS, half - 1)
    return np.where(forest == Forest.UNSEEN, UNSEEN, np.clip(parts, least, most)).astype(np.uint8)


def _others(trees: Codes) -> Codes:
    return np.where(trees == UNSEEN, UNSEEN, PARTS - trees).astype(np.uint8)


def _told(
    looks: Sequence[Codes], years: Sequence[int], states: Sequence[IntEnum], how: tuple[Refine, int]
) -> tuple[Codes, Codes, Floats]:
    """Name the last look after smoothing, and after both steps with the smoothed probability."""
    options, rim = how
    evidence = [_evidence(look, options, rim) for look in looks]
    last, shape = evidence[-1], evidence[-1].shape[1:]
    smoothed = np.nan_to_num(last).argmax(axis=0).astype(np.uint8)
    told = smoothed
    if len(years) > 1:
        of_land = options.change_rate, IMPOSSIBLE
        rate, rules = of_land if states is _LANDS else (options.line_rate, ())
        gaps = [after - before for before, after in pairwise(years)]
        steps = np.stack([transitions(states, gap, rate, rules) for gap in gaps])
        flat = np.stack([one.reshape(len(states), -1) for one in evidence])
        told = likeliest(flat, steps)[-1].reshape(shape)
    share = np.exp(np.take_along_axis(last, told[None].astype(np.intp), axis=0)[0])
    seen, codes = ~np.isnan(last[0]), np.array([int(state) for state in states], np.uint8)
    named, consistent = (np.where(seen, codes[at], np.uint8(0)) for at in (smoothed, told))
    return named, consistent, share


def _evidence(parts: Codes, options: Refine, rim: int) -> Floats:
    """Logarithm of the probability of each class, smoothed, adding up to 1; without the rim."""
    if rim:
        found = smooth(
            parts,
            window=2 * rim + 1,
            fraction=options.neigh_fraction,
            smoothness=options.smoothness,
        )
    else:
        found = logits(parts)
    single: Floats = log_expit(found)
    total: Floats = logsumexp(single, axis=0, keepdims=True)
    return single - total
