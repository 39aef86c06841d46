"""Where ground changed: between two yearly maps, and from look to look."""

from jinhua_rs.change.alerts import advance, begin
from jinhua_rs.change.annual import MARGIN, Evidence, forest_change, tree_change
from jinhua_rs.change.series import BANDS
from jinhua_rs.change.votes import BLOCK_PX

__all__ = [
    "BANDS",
    "BLOCK_PX",
    "MARGIN",
    "Evidence",
    "advance",
    "begin",
    "forest_change",
    "tree_change",
]
