"""From composites, texture and terrain to the named features a model reads."""

from jinhua_rs.features.assembly import index_maps, stack
from jinhua_rs.features.catalogue import Choice, Needs, names, needs, units
from jinhua_rs.features.surroundings import RIM, terrain, texture

__all__ = [
    "RIM",
    "Choice",
    "Needs",
    "index_maps",
    "names",
    "needs",
    "stack",
    "terrain",
    "texture",
    "units",
]
