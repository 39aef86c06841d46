"""The work on one tile: what a worker does, ending in a finished, checksummed folder."""

from jinhua_rs.pieces.looking import (
    CompositeJob,
    composite_tile,
    examine_scenes,
    inspect_scene,
    measure_step,
)
from jinhua_rs.pieces.made import Made
from jinhua_rs.pieces.naming import LandJob, change_tile, classify_tile, features_at
from jinhua_rs.pieces.sources import Ground, Sources, choice_of

__all__ = [
    "CompositeJob",
    "Ground",
    "LandJob",
    "Made",
    "Sources",
    "change_tile",
    "choice_of",
    "classify_tile",
    "composite_tile",
    "examine_scenes",
    "features_at",
    "inspect_scene",
    "measure_step",
]
