"""Samples: what somebody, or several maps, know to stand at a place, in one checked form."""

from jinhua_rs.samples.consensus import EDGE_PX, TREE, agreement, class_said
from jinhua_rs.samples.reading import read_samples
from jinhua_rs.samples.reviewed import of_reviews
from jinhua_rs.samples.sifting import by_class_and_unit, sift
from jinhua_rs.samples.table import ASIDE, SampleSet

__all__ = [
    "ASIDE",
    "EDGE_PX",
    "TREE",
    "SampleSet",
    "agreement",
    "by_class_and_unit",
    "class_said",
    "of_reviews",
    "read_samples",
    "sift",
]
