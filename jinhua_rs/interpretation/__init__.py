"""
People look at points: the sample is drawn from a map, handed out blind, and read back.

A design never reaches an interpreter, and no map class does.
"""

from jinhua_rs.interpretation.frame import survey
from jinhua_rs.interpretation.imagery import Imagery
from jinhua_rs.interpretation.keeping import read_design, require_new, write_design
from jinhua_rs.interpretation.package import Manifest, Order, read_manifest, write_package
from jinhua_rs.interpretation.reading import Reading, read_package
from jinhua_rs.interpretation.reference import join
from jinhua_rs.interpretation.telling import reading_facts, reading_lines, reading_table

__all__ = [
    "Imagery",
    "Manifest",
    "Order",
    "Reading",
    "join",
    "read_design",
    "read_manifest",
    "read_package",
    "reading_facts",
    "reading_lines",
    "reading_table",
    "require_new",
    "survey",
    "write_design",
    "write_package",
]
