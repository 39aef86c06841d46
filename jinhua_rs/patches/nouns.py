"""The nouns of the room: what a period sees of a patch, what is kept of it, and the register."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import shapely
from shapely.geometry import Polygon

__all__ = ["OVERLAPS", "Facts", "Link", "Patch", "Register", "Sighting"]

OVERLAPS = ("basic_farmland", "red_line", "reserves", "parcels", "permits")
"""Layers of ``[layers]`` with which patches are overlaid."""


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What is measured on the ground of a patch.

    ``area_m2`` is planar on the grid, ``ellipsoid_m2`` on the ellipsoid; ``county`` the code of
    the unit with the largest share, ``township`` its name (``None``: no layer); ``before`` and
    ``after`` the majority :class:`~jinhua_rs.schema.Land` (0: not known); days ISO, empty if not
    known; ``confidence`` 0-3 (0: not known); ``cause`` a
    :class:`~jinhua_rs.causes.Cause` (0: none told); ``size`` the mean
    strength of the signal and ``looks`` the median number of clear looks, ``None`` if not known.
    ``overlaps`` m² by layer, ``None`` where the layer is not supplied, never 0 for it. ``parcel``
    and ``permit`` name the feature that covers most of the patch, empty if none.
    """

    area_m2: float
    ellipsoid_m2: float
    county: str
    county_name: str
    township: str | None
    before: int
    after: int
    first_day: str
    last_day: str
    confidence: int
    cause: int
    size: float | None
    looks: int | None
    overlaps: Mapping[str, float | None]
    parcel: str = ""
    permit: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """
    What one period saw of a patch: the evidence that is added beside it, period by period.

    ``relation`` is ``new``, ``same``, ``growth``, ``shrink``, ``split``, ``merge``, or ``frozen``
    where the patch was reviewed before and stays as it was; ``area_m2`` is the flagged ground, of a
    frozen patch that inside its outline, and ``beside_m2`` that just outside of it.
    """

    period: str
    relation: str
    area_m2: float
    confidence: int = 0
    size: float | None = None
    beside_m2: float = 0.0


@dataclass(frozen=True, slots=True)
class Patch:
    """
    A patch of changed ground with its identity.

    ``id`` is ``<county>-<first period>-<number>`` and never given twice; ``version`` counts the
    outlines it has had; ``sightings`` are ordered by period. A patch that merged into another
    keeps its record and names it; one that a rerun of its first period no longer finds is
    ``withdrawn`` and keeps its number.
    """

    id: str
    kind: str
    version: int
    outline: Polygon
    facts: Facts
    sightings: tuple[Sighting, ...]
    merged_into: str = ""
    withdrawn: bool = False

    @property
    def stands(self) -> bool:
        """False for a patch that merged into another or was withdrawn."""
        return not (self.merged_into or self.withdrawn)

    @property
    def last_period(self) -> str:
        """Period of the newest sighting."""
        return self.sightings[-1].period

    def seen(self, sighting: Sighting) -> Self:
        """Return the patch with one more sighting; a former one of the same period gives way."""
        others = [one for one in self.sightings if one.period != sighting.period]
        ordered = sorted([*others, sighting], key=lambda one: one.period)
        return replace(self, sightings=tuple(ordered))

    def same_ground(self, outline: Polygon) -> bool:
        """Tell whether an outline encloses the very ground of the patch."""
        return bool(shapely.equals(self.outline, outline))


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """A line of the lineage: ``child`` came of ``parent`` by ``split``, ``merge`` or ``growth``."""

    period: str
    parent: str
    child: str
    relation: str


@dataclass(frozen=True, slots=True)
class Register:
    """All patches known at the end of a period, sorted by id, and how they descend."""

    period: str
    patches: tuple[Patch, ...] = ()
    lineage: tuple[Link, ...] = ()

    @property
    def by_id(self) -> dict[str, Patch]:
        """The patches by their id."""
        return {patch.id: patch for patch in self.patches}

    @property
    def seen_now(self) -> tuple[Patch, ...]:
        """Patches that stand and of which the register's own period saw half at least."""
        return tuple(
            patch
            for patch in self.patches
            if patch.stands
            and patch.last_period == self.period
            and 2 * patch.sightings[-1].area_m2 >= patch.facts.area_m2
        )
