"""
People look at points: the sample is drawn from a map, handed out blind, and read back.

A design never reaches an interpreter, and no map class does.
"""

from jinhua_rs.interpretation.frame import NEAR, survey
from jinhua_rs.interpretation.keeping import read_design, require_new, strata_table, write_design

__all__ = ["NEAR", "read_design", "require_new", "strata_table", "survey", "write_design"]
