"""Patches of changed ground (图斑) with memory: outlined, measured, named, judged, ranked."""

from jinhua_rs.patches.identity import Memory, identify, register_of
from jinhua_rs.patches.keeping import LINEAGE, PATCHES, read_register, write_register
from jinhua_rs.patches.measure import Ground, measure
from jinhua_rs.patches.nouns import OVERLAPS, Facts, Link, Patch, Register, Sighting
from jinhua_rs.patches.summary import by_county, screen
from jinhua_rs.patches.trace import Flags, trace
from jinhua_rs.patches.value import Worth, tier, worth
from jinhua_rs.patches.verdicts import TRANSITIONS, Book, Verdict, forbidden
from jinhua_rs.patches.words import CONFIDENCE, KINDS, REASONS, RELATIONS, ROLES, TIERS, State

__all__ = [
    "CONFIDENCE",
    "KINDS",
    "LINEAGE",
    "OVERLAPS",
    "PATCHES",
    "REASONS",
    "RELATIONS",
    "ROLES",
    "TIERS",
    "TRANSITIONS",
    "Book",
    "Facts",
    "Flags",
    "Ground",
    "Link",
    "Memory",
    "Patch",
    "Register",
    "Sighting",
    "State",
    "Verdict",
    "Worth",
    "by_county",
    "forbidden",
    "identify",
    "measure",
    "read_register",
    "register_of",
    "screen",
    "tier",
    "trace",
    "worth",
    "write_register",
]
