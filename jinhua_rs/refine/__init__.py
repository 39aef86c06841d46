"""From class probabilities to a map: smoothed by their neighbourhood, consistent over years."""

from jinhua_rs.refine.chain import Look, Refined, refine, sided, tree_parts
from jinhua_rs.refine.history import IMPOSSIBLE, Impossible, likeliest, transitions
from jinhua_rs.refine.smoothing import UNSEEN, smooth
from jinhua_rs.refine.steps import STEP_CLASSES, STEPS, forest_after, packed

__all__ = [
    "IMPOSSIBLE",
    "STEPS",
    "STEP_CLASSES",
    "UNSEEN",
    "Impossible",
    "Look",
    "Refined",
    "forest_after",
    "likeliest",
    "packed",
    "refine",
    "sided",
    "smooth",
    "transitions",
    "tree_parts",
]
