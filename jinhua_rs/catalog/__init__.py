"""The catalogue: from a STAC provider's dialect to scenes, each with a decision and a reason."""

from jinhua_rs.catalog.atlases import find_atlas, settle_atlas
from jinhua_rs.catalog.decisions import REASONS, Rules
from jinhua_rs.catalog.fetch import Courier
from jinhua_rs.catalog.forecast import forecast
from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.inventory import Inventory
from jinhua_rs.catalog.items import Lineage, to_scene
from jinhua_rs.catalog.profiles import (
    AtlasProfile,
    Profile,
    atlas_names,
    load_atlas,
    load_profile,
    profile_names,
)
from jinhua_rs.catalog.search import reach, search
from jinhua_rs.catalog.signing import unsigned

__all__ = [
    "REASONS",
    "Access",
    "AtlasProfile",
    "Courier",
    "Inventory",
    "Lineage",
    "Profile",
    "Rules",
    "atlas_names",
    "find_atlas",
    "forecast",
    "load_atlas",
    "load_profile",
    "profile_names",
    "reach",
    "search",
    "settle_atlas",
    "to_scene",
    "unsigned",
]
