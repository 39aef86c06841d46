"""Which patch a piece of changed ground is: matched by overlap, with splits, merges and growth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
import shapely
from shapely.geometry import Polygon

from jinhua_rs.patches.nouns import Facts, Link, Patch, Register, Sighting

__all__ = ["Memory", "Piece", "Seen", "identify", "register_of"]

_SAME_AREA = 0.05
"""A change of area by less than this share is none."""


@dataclass(frozen=True, slots=True)
class Memory:
    """
    What is known when a period is followed up.

    ``former`` is the register of the period before; ``own`` the one that this period already has,
    if it is run again; ``later`` those of periods after it, if an earlier one is corrected;
    ``frozen`` the ids of patches that people have acted on: their outline never changes.
    """

    former: Register
    own: Register | None = None
    later: tuple[Register, ...] = ()
    frozen: frozenset[str] = frozenset()

    @property
    def registers(self) -> tuple[Register, ...]:
        """All registers, the nearest first."""
        own = () if self.own is None else (self.own,)
        return (self.former, *own, *self.later)

    def everyone(self) -> dict[str, Patch]:
        """
        Every patch of any register, as the nearest register knows it.

        A frozen one is as it was judged, which is its newest version in any register.
        """
        found: dict[str, Patch] = {}
        for patch in (p for register in reversed(self.registers) for p in register.patches):
            judged = patch.id in self.frozen and patch.id in found
            if not judged or patch.version >= found[patch.id].version:
                found[patch.id] = patch
        return found


@dataclass(frozen=True, slots=True)
class Piece:
    """Changed ground of a period: the patch that it continues, if any, and where it comes from."""

    kind: str
    outline: Polygon
    patch: Patch | None = None
    relation: str = "new"
    parents: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a period saw: its pieces, what it saw of frozen patches, and what merged into what."""

    pieces: tuple[Piece, ...]
    frozen: Mapping[str, tuple[float, float]]
    """Id to flagged m² inside the outline and just beside it."""
    merged: Mapping[str, int]
    """Id to the position of the piece that swallowed it."""


def identify(
    found: gpd.GeoDataFrame,
    memory: Memory,
    *,
    same_share: float,
    min_m2: float,
    pixel_m: float,
) -> Seen:
    """
    Tell which known patch each outline is.

    Ground of a frozen patch stays that patch. Of an outline that goes beyond it, the rest is a
    patch of its own (``growth``) if it has ``min_m2`` and is more than one pixel wide, so that a
    rim of shifted edges founds nothing. Other outlines and patches of a kind belong together where
    they share ``same_share`` of the smaller of the two; where neither has such a partner, it is
    enough that they meet and would share as much if the patch were one pixel wider, since small
    patches seem to jump by the error of registration. The pair that shares most ground keeps the
    identity, but a child gives way to the patch that it once split from; of further outlines each
    is a child (``split``), and further patches end in the outline with which they share most
    (``merge``). An outline that then has no identity takes that of a patch which this or a later
    period knew already, so that a rerun gives no second name.

    Parameters
    ----------
    found : GeoDataFrame
        ``kind``, ``geometry`` (Polygon) on the grid.
    memory : Memory
    same_share : float
        0-1.
    min_m2, pixel_m : float
        Smallest patch, m², and side of a pixel, metres.
    """
    fixed = [p for p in memory.everyone().values() if p.id in memory.frozen and p.stands]
    pieces, evidence = _beyond(found, fixed, min_m2, pixel_m)
    movable = [p for p in memory.former.patches if p.stands and p.id not in memory.frozen]
    links = _linked(pieces, movable, same_share)
    near = _nearly_linked(pieces, movable, same_share, pixel_m)
    pieces, merged = _continued(pieces, movable, links, near, memory.former.lineage)
    known = {patch.id for patch in memory.former.patches} | memory.frozen
    for register in memory.registers[1:]:
        others = [p for p in register.patches if p.id not in known and not p.merged_into]
        pieces = _recognised(pieces, others, same_share)
        known |= {patch.id for patch in others}
    return Seen(tuple(pieces), evidence, merged)


def register_of(seen: Seen, facts: Sequence[Facts | None], memory: Memory, period: str) -> Register:
    """
    Write down what a period saw: former patches carried over, seen ones brought up to date.

    Parameters
    ----------
    seen : Seen
    facts : sequence of Facts or None
        Of ``seen.pieces``, in order; a piece with None lies outside all units and is left out.
    memory : Memory
    period : str
        The period that is followed up.

    Returns
    -------
    Register
        The same inputs give the same register, also when ``memory.own`` is that register.
    """
    own = {} if memory.own is None else memory.own.by_id
    patches = memory.former.by_id
    names = _Names(memory, period)
    links = set(memory.former.lineage)
    given: dict[int, str] = {}
    for at, (piece, fact) in enumerate(zip(seen.pieces, facts, strict=True)):
        if fact is None:
            continue
        name = names.next(fact.county) if piece.patch is None else piece.patch.id
        before = patches.get(name)
        patches[name] = _updated(name, piece, fact, before, own.get(name), period)
        given[at] = name
        links |= {Link(period, parent, name, how) for parent, how in piece.parents}
    for name, at in seen.merged.items():
        if at in given:
            patches[name] = replace(patches[name], merged_into=given[at])
            links.add(Link(period, name, given[at], "merge"))
    everyone = memory.everyone()
    for name in sorted(memory.frozen & everyone.keys()):
        inside, beside = seen.frozen.get(name, (0.0, 0.0))
        if inside or name in patches or name in own:
            patches[name] = _reviewed(everyone[name], inside, beside, period)
    for name in own.keys() - patches.keys():
        patches[name] = replace(own[name], withdrawn=True)
    ordered = tuple(patches[name] for name in sorted(patches))
    return Register(period, ordered, tuple(sorted(links)))


# --- matching ----------------------------------------------------------------------------------


def _beyond(
    found: gpd.GeoDataFrame, fixed: Sequence[Patch], min_m2: float, pixel_m: float
) -> tuple[list[Piece], dict[str, tuple[float, float]]]:
    """Take the ground of frozen patches out of the outlines; tell how much of each was flagged."""
    whole = [Piece(kind, one) for kind, one in zip(found["kind"], found.geometry, strict=True)]
    evidence: dict[str, tuple[float, float]] = {}
    pieces: list[Piece] = []
    touching: dict[int, list[int]] = {}
    for at, theirs, shared in _shared(whole, fixed):
        touching.setdefault(at, []).append(theirs)
        inside, beside = evidence.get(fixed[theirs].id, (0.0, 0.0))
        evidence[fixed[theirs].id] = (inside + shared, beside)
    for at, piece in enumerate(whole):
        if at not in touching:
            pieces.append(piece)
            continue
        near = [fixed[theirs] for theirs in touching[at]]
        rest = piece.outline.difference(shapely.union_all([patch.outline for patch in near]))
        parts = [part for part in shapely.get_parts(rest) if part.geom_type == "Polygon"]
        large = [p for p in parts if p.area >= min_m2 and _has_core(p, pixel_m)]
        parents = tuple(sorted((patch.id, "growth") for patch in near))
        pieces += [Piece(piece.kind, part, None, "growth", parents) for part in large]
        inside, beside = evidence[near[0].id]
        rim = sum(part.area for part in parts) - sum(part.area for part in large)
        evidence[near[0].id] = (inside, beside + rim)
    return pieces, evidence


def _has_core(outline: Polygon, pixel_m: float) -> bool:
    """Tell whether an outline is anywhere more than one pixel wide both ways."""
    return not shapely.buffer(outline, -0.51 * pixel_m, join_style="mitre").is_empty


def _shared(pieces: Sequence[Piece], patches: Sequence[Patch]) -> list[tuple[int, int, float]]:
    """Position of piece and patch of a kind that share ground, and how much, most first."""
    if not pieces or not patches:
        return []
    mine = np.array([piece.outline for piece in pieces])
    theirs = np.array([patch.outline for patch in patches])
    left, right = shapely.STRtree(theirs).query(mine, predicate="intersects")
    areas = shapely.area(shapely.intersection(mine[left], theirs[right]))
    found = [
        (int(i), int(j), float(area))
        for i, j, area in zip(left, right, areas, strict=True)
        if area > 0 and pieces[i].kind == patches[j].kind
    ]
    return sorted(found, key=lambda one: (-one[2], patches[one[1]].id, one[0]))


def _linked(
    pieces: Sequence[Piece], patches: Sequence[Patch], same_share: float
) -> list[tuple[int, int]]:
    """Pairs that share enough of the smaller of the two, most ground first."""
    return [
        (i, j)
        for i, j, area in _shared(pieces, patches)
        if area >= same_share * min(pieces[i].outline.area, patches[j].outline.area)
    ]


def _nearly_linked(
    pieces: Sequence[Piece], patches: Sequence[Patch], same_share: float, pixel_m: float
) -> list[tuple[int, int]]:
    """Pairs that share some ground, and enough if the patch were one pixel wider."""
    found = []
    for i, j, _ in _shared(pieces, patches):
        mine, theirs = pieces[i].outline, patches[j].outline
        wider = shapely.buffer(theirs, pixel_m, join_style="mitre")
        if mine.intersection(wider).area >= same_share * min(mine.area, theirs.area):
            found.append((i, j))
    return found


def _continued(
    pieces: Sequence[Piece],
    patches: Sequence[Patch],
    links: Sequence[tuple[int, int]],
    near: Sequence[tuple[int, int]],
    lineage: Sequence[Link],
) -> tuple[list[Piece], dict[str, int]]:
    """Give pieces the identity of patches; the others of a family are children or merge."""
    parents: dict[int, list[int]] = {}
    children: dict[int, list[int]] = {}
    for i, j in links:
        parents.setdefault(i, []).append(j)
        children.setdefault(j, []).append(i)
    split_from = {(one.child, one.parent) for one in lineage if one.relation == "split"}
    alone = [(i, j) for i, j in near if i not in parents and j not in children]

    def gives_way(pair: tuple[int, int]) -> bool:
        i, j = pair
        return any((patches[j].id, patches[k].id) in split_from for k in parents.get(i, ()))

    taken: dict[int, int] = {}
    going_on: set[int] = set()
    for i, j in (*sorted(links, key=gives_way), *alone):
        if i not in taken and j not in going_on:
            taken[i] = j
            going_on.add(j)
    told = list(pieces)
    for i, j in taken.items():
        merging = any(other not in going_on for other in parents.get(i, ()))
        splitting = any(other not in taken for other in children.get(j, ()))
        relation = "merge" if merging else "split" if splitting else ""
        relation = relation or _growth(pieces[i].outline, patches[j].outline)
        told[i] = replace(pieces[i], patch=patches[j], relation=relation)
    for i in parents.keys() - taken.keys():
        names = sorted((patches[j].id, "split") for j in parents[i])
        told[i] = replace(pieces[i], relation="split", parents=(*pieces[i].parents, *names))
    merged = {patches[j].id: children[j][0] for j in children if j not in going_on}
    return told, merged


def _recognised(
    pieces: Sequence[Piece], patches: Sequence[Patch], same_share: float
) -> list[Piece]:
    """Give pieces without identity that of a patch which another register knows."""
    told, used = list(pieces), set()
    for i, j in _linked(pieces, patches, same_share):
        if told[i].patch is None and j not in used:
            told[i] = replace(told[i], patch=patches[j])
            used.add(j)
    return told


def _growth(now: Polygon, before: Polygon) -> str:
    if abs(now.area - before.area) <= _SAME_AREA * before.area:
        return "same"
    return "growth" if now.area > before.area else "shrink"


# --- writing down ------------------------------------------------------------------------------


class _Names:
    """Numbers that were never given, by county; the newest of a period is remembered."""

    def __init__(self, memory: Memory, period: str) -> None:
        self._period = period
        self._last: dict[str, int] = {}
        for name in memory.everyone():
            county, born, number = name.rsplit("-", 2)
            if born == period:
                self._last[county] = max(self._last.get(county, 0), int(number))

    def next(self, county: str) -> str:
        self._last[county] = self._last.get(county, 0) + 1
        return f"{county}-{self._period}-{self._last[county]:04d}"


def _updated(
    name: str, piece: Piece, facts: Facts, before: Patch | None, own: Patch | None, period: str
) -> Patch:
    """Write a patch as the period saw it; a new outline is a new version."""
    known = own or before
    version = 1
    if known is not None:
        version = known.version + (not known.same_ground(piece.outline))
    sightings = () if before is None else before.sightings
    patch = Patch(name, piece.kind, version, piece.outline, facts, sightings)
    area = facts.area_m2
    return patch.seen(Sighting(period, piece.relation, area, facts.confidence, facts.size))


def _reviewed(patch: Patch, inside: float, beside: float, period: str) -> Patch:
    """Add to a frozen patch what the period saw of it, and nothing else."""
    past = tuple(one for one in patch.sightings if one.period < period)
    if not inside and past:
        return replace(patch, sightings=past)
    kept = replace(patch, sightings=past)
    return kept.seen(Sighting(period, "frozen", inside, beside_m2=beside))
