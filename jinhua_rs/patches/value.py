"""Which patches to look at first: how likely a patch is real, times its area, times its weight."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from jinhua_rs.patches.nouns import OVERLAPS, Patch, Register
from jinhua_rs.patches.verdicts import Book
from jinhua_rs.patches.words import State
from jinhua_rs.schema import Land
from jinhua_rs.settings import Patches
from jinhua_rs.units import hectares, mu

__all__ = ["Worth", "tier", "worth"]

_REAL = (State.CONFIRMED, State.REPAIR, State.CLOSED)
_LEAST_WEIGHT = 0.1
_NO_REPORT = {
    "loss": {Land.CROPLAND, Land.BUILT, Land.BARE, Land.WATER},
    "gain": {Land.BAMBOO},
}
"""What stood before: ground that has no trees to lose, and bamboo, which greens in its year."""

Likeness = tuple[str, int, int]
"""Kind, confidence and cause: patches that are alike."""


@dataclass(frozen=True, slots=True)
class Worth:
    """
    What it is worth to look at a patch.

    ``probable`` that it is real, 0-1; ``weight`` of what it touches; ``value`` in expected 亩:
    ``probable x 亩 x weight``; ``rank`` among the patches nobody has looked at, 0 for others.
    """

    probable: float
    weight: float
    value: float
    rank: int


def tier(patch: Patch, rules: Patches) -> str:
    """
    Tell ``candidate``, ``reportable`` or ``priority`` by area.

    A patch whose confidence is below the one from which its kind is reported waits as
    ``candidate``, whatever its size, and so does a loss where no trees, shrub or orchard stood, or
    a gain of bamboo, which is its green year; what is not known (0) speaks against neither.
    """
    facts = patch.facts
    least = rules.report_loss if patch.kind == "loss" else rules.report_gain
    waits = 0 < facts.confidence < least
    waits |= facts.before in _NO_REPORT[patch.kind]
    if waits or mu(facts.area_m2) < rules.reportable_mu:
        return "candidate"
    return "priority" if hectares(facts.area_m2) >= rules.priority_ha else "reportable"


def worth(register: Register, book: Book, rules: Patches) -> dict[str, Worth]:
    """
    Rank the patches of a register that stand.

    A patch is real with probability ``(w p + r) / (w + r + f)``: ``p`` is what is expected of
    its confidence (settings), which counts like ``w`` verdicts, ``r`` and ``f`` are the verdicts so
    far on patches of the same kind, confidence and cause, real and false. The weight is
    ``1 + sum(weight x share of the patch that overlaps)`` over the layers, at least 0.1; a layer
    that is not supplied adds nothing.

    Returns
    -------
    dict of id to Worth
    """
    judged = _judged(register, book)
    found = {}
    for patch in register.patches:
        if patch.stands:
            probable, weight = _probable(patch, judged, rules), _weight(patch, rules)
            found[patch.id] = (probable, weight, probable * mu(patch.facts.area_m2) * weight)
    states = book.states
    unseen = [name for name in found if name not in states]
    order = sorted(unseen, key=lambda name: (-found[name][2], name))
    ranks = {name: rank for rank, name in enumerate(order, start=1)}
    return {name: Worth(*numbers, ranks.get(name, 0)) for name, numbers in found.items()}


def _judged(register: Register, book: Book) -> Mapping[Likeness, Counter[bool]]:
    """Count real and false patches among those that were judged, by likeness."""
    counts: dict[Likeness, Counter[bool]] = {}
    patches = register.by_id
    for name, state in book.states.items():
        if name in patches and state in (*_REAL, State.REJECTED):
            counts.setdefault(_likeness(patches[name]), Counter())[state in _REAL] += 1
    return counts


def _likeness(patch: Patch) -> Likeness:
    return patch.kind, patch.facts.confidence, patch.facts.cause


def _probable(patch: Patch, judged: Mapping[Likeness, Counter[bool]], rules: Patches) -> float:
    expected = (rules.real_low, rules.real_low, rules.real_high, rules.real_highest)
    seen = judged.get(_likeness(patch), Counter())
    trust = rules.prior_verdicts
    prior = expected[min(patch.facts.confidence, 3)]
    return (trust * prior + seen[True]) / (trust + seen.total())


def _weight(patch: Patch, rules: Patches) -> float:
    total = 1.0
    for role in OVERLAPS:
        share = (patch.facts.overlaps[role] or 0.0) / patch.facts.area_m2
        total += float(getattr(rules, f"weight_{role}")) * min(share, 1.0)
    return max(total, _LEAST_WEIGHT)
