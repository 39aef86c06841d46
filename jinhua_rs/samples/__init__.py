"""Samples: what somebody, or several maps, know to stand at a place, in one checked form."""

from jinhua_rs.samples.reading import read_samples
from jinhua_rs.samples.sifting import by_class_and_unit, sift
from jinhua_rs.samples.table import ASIDE, SampleSet

__all__ = ["ASIDE", "SampleSet", "by_class_and_unit", "read_samples", "sift"]
