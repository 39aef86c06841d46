"""The additive offset of a scene, decided once: from a flag, a declaration or the baseline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinhua_rs.catalog.profiles import Profile
from jinhua_rs.errors import IntegrityError

__all__ = ["Facts", "decide_offset"]


@dataclass(frozen=True, slots=True)
class Facts:
    """
    What an item says that bears on its offset.

    ``declared`` holds, for each reflectance asset wanted, ``(scale, offset)`` in reflectance
    as the raster extension gives them; ``None`` where the asset does not say.
    """

    properties: Mapping[str, Any]
    baseline: str
    declared: Mapping[str, tuple[float | None, float | None]]


def decide_offset(profile: Profile, facts: Facts) -> tuple[int, str]:
    """
    Decide what must be added to a DN before it is scaled.

    Reflectance is ``(DN + offset) * scale`` (Sentinel-2 Products Specification Document:
    ``(DN + BOA_ADD_OFFSET) / QUANTIFICATION_VALUE``).

    Returns
    -------
    (int, str)
        Offset, DN, 0 or the profile's ``dn``; and the facts that decided it.

    Raises
    ------
    IntegrityError
        If the bands contradict one another or the profile, or nothing tells.
    """
    for band, (scale, _) in facts.declared.items():
        if scale is not None and abs(scale / profile.scale - 1) > 1e-6:
            raise _undecided(f"{band} declares scale {scale}, the profile {profile.scale}")
    return _RULES[profile.offset.rule](profile, facts)


def _by_baseline(profile: Profile, facts: Facts) -> tuple[int, str]:
    rule = profile.offset
    if facts.baseline >= rule.since:
        return rule.dn, f"baseline {facts.baseline} >= {rule.since}: {rule.dn} DN to be added"
    return 0, f"baseline {facts.baseline} < {rule.since}: no offset"


def _by_flag(profile: Profile, facts: Facts) -> tuple[int, str]:
    flag = profile.offset.flag
    value = facts.properties.get(flag)
    if value is True:
        return 0, f"{flag} is true: already applied to the pixels"
    if value not in (False, None):
        raise _undecided(f"{flag} is {value!r}, neither true nor false")
    offset, reason = _by_baseline(profile, facts)
    said = "is absent" if value is None else "is false"
    caution = "" if offset == 0 else "; this flag was wrong before, verify on the pixels"
    return offset, f"{flag} {said}, {reason}{caution}"


def _by_declaration(profile: Profile, facts: Facts) -> tuple[int, str]:
    rule = profile.offset
    said = {offset for _, offset in facts.declared.values()}
    if len(said) > 1:
        raise _undecided(f"the bands declare different offsets {sorted(map(str, said))}")
    declared = next(iter(said), None)
    if declared is None:
        if facts.baseline >= rule.since:
            raise _undecided(f"baseline {facts.baseline} but no offset is declared")
        return 0, f"no offset declared and baseline {facts.baseline} < {rule.since}: no offset"
    offset = round(declared / profile.scale)
    if offset not in (0, rule.dn):
        raise _undecided(f"the bands declare {declared}, that is {offset} DN")
    surprise = (offset != 0) != (facts.baseline >= rule.since)
    caution = f"; unusual for baseline {facts.baseline}, verify on the pixels" if surprise else ""
    return offset, f"the assets declare {declared:g} in reflectance{caution}"


_RULES: Mapping[str, Callable[[Profile, Facts], tuple[int, str]]] = {
    "baseline": _by_baseline,
    "flag-then-baseline": _by_flag,
    "declared": _by_declaration,
}


def _undecided(what: str) -> IntegrityError:
    return IntegrityError(
        f"offset cannot be decided: {what}; compare the item with [offset] of the profile",
        zh=f"无法判定辐射偏移量：{what}；请对照数据源配置的 [offset]",
    )
