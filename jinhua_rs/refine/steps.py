"""Tree cover before and after each step, in one code a pixel."""

import numpy as np
import numpy.typing as npt

from jinhua_rs.schema import ClassInfo, Forest

__all__ = ["STEPS", "STEP_CLASSES", "forest_after", "packed"]

Codes = npt.NDArray[np.uint8]

STEPS = ("raw", "smoothing", "history", "minimum_unit")
"""
Steps to the published tree cover: as the model has it, then after each step of refinement.

``steps`` is 1 + 1, 2, 4, 8 for each of them after which a pixel has tree cover; 0 is "not seen".
"""

STEP_CLASSES: tuple[ClassInfo, ...] = tuple(
    ClassInfo(
        1 + bits,
        "→".join("tree" if bits >> n & 1 else "other" for n in range(len(STEPS))),
        "→".join("林" if bits >> n & 1 else "非" for n in range(len(STEPS))),
        {0: "#efeadf", 15: "#2e7d46"}.get(bits, "#2f6fd0" if bits & 8 else "#d1342b"),
    )
    for bits in range(16)
)


def packed(*covers: Codes) -> Codes:
    """
    Pack tree cover as it came, and after each step, into one code (:data:`STEPS`).

    Parameters
    ----------
    *covers : ndarray, uint8
        :class:`~jinhua_rs.schema.Forest` codes, one for each of ``STEPS``, 0 in the same pixels.

    Examples
    --------
    >>> other, tree = np.array([[0, 1, 1]], np.uint8), np.array([[0, 1, 2]], np.uint8)
    >>> packed(other, tree, tree, other).tolist(), forest_after(packed(other, *[tree] * 3)).tolist()
    ([[0, 1, 7]], [[0, 1, 2]])
    """
    bits = sum((cover == Forest.FOREST) << n for n, cover in enumerate(covers))
    return np.where(covers[0] == Forest.UNSEEN, 0, bits + 1).astype(np.uint8)


def forest_after(steps: Codes, step: str = STEPS[-1]) -> Codes:
    """Unpack the tree cover after one of the steps: :class:`~jinhua_rs.schema.Forest` codes."""
    bit = (steps.astype(np.int16) - 1) >> STEPS.index(step) & 1
    cover = np.where(bit, Forest.FOREST, Forest.OTHER)
    return np.where(steps == 0, Forest.UNSEEN, cover).astype(np.uint8)
