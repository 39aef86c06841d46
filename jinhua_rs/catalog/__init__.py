"""The catalogue: from a STAC provider's dialect to scenes, each with a decision and a reason."""

from jinhua_rs.catalog.hrefs import Access
from jinhua_rs.catalog.inventory import REASONS, Inventory
from jinhua_rs.catalog.items import to_scene
from jinhua_rs.catalog.profiles import Profile, load_profile, profile_names
from jinhua_rs.catalog.search import reach, search
from jinhua_rs.catalog.signing import Signer, sign_scenes, unsigned

__all__ = [
    "REASONS",
    "Access",
    "Inventory",
    "Profile",
    "Signer",
    "load_profile",
    "profile_names",
    "reach",
    "search",
    "sign_scenes",
    "to_scene",
    "unsigned",
]
