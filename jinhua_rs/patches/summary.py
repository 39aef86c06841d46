"""Patches counted by county: how many and how much ground, losses and gains, by tier."""

from collections import Counter
from collections.abc import Collection

import geopandas as gpd
import pandas as pd

from jinhua_rs.patches.nouns import Register
from jinhua_rs.patches.value import tier
from jinhua_rs.patches.words import KINDS, TIERS
from jinhua_rs.settings import Patches
from jinhua_rs.units import mu

__all__ = ["by_county", "screen"]


def by_county(
    register: Register, counties: gpd.GeoDataFrame, rules: Patches, *, rejected: Collection[str]
) -> pd.DataFrame:
    """
    Count the patches that a register's own period saw, but for those that people rejected.

    A patch on a border counts where most of it lies, so that the counties add up to the total.

    Parameters
    ----------
    register : Register
    counties : GeoDataFrame
        Index code, column ``name_zh``.
    rules : settings.Patches
    rejected : collection of str
        Ids to leave out.

    Returns
    -------
    DataFrame
        Index county code; ``name`` and, for each kind, ``<kind>_n`` (int), ``<kind>_mu`` (float,
        亩) of patches of at least the reportable size, and ``<kind>_<tier>_n`` of every tier.
    """
    found: Counter[tuple[str, str]] = Counter()
    ground: dict[tuple[str, str], float] = {}
    for patch in (one for one in register.seen_now if one.id not in rejected):
        where, size = patch.facts.county, tier(patch, rules)
        found[where, f"{patch.kind}_{size}_n"] += 1
        if size != "candidate":
            found[where, f"{patch.kind}_n"] += 1
            key = where, f"{patch.kind}_mu"
            ground[key] = ground.get(key, 0.0) + mu(patch.facts.area_m2)
    table = pd.DataFrame({"name": counties["name_zh"].astype(str)}, index=counties.index)
    for kind in KINDS:
        for what in ("n", *(f"{size}_n" for size in TIERS)):
            column = f"{kind}_{what}"
            table[column] = [found[str(code), column] for code in counties.index]
        table[f"{kind}_mu"] = [ground.get((str(code), f"{kind}_mu"), 0.0) for code in table.index]
    return table


def screen(table: pd.DataFrame, language: str) -> tuple[list[str], list[list[str]]]:
    """Lay out what :func:`by_county` returns for a screen, with the total: headings and lines."""
    at = 0 if language == "zh" else 1
    words = ("县（市、区）", "处", "亩", "合计") if at == 0 else ("county", "n", "mu", "total")
    heads = [words[0]]
    for names in KINDS.values():
        heads += [f"{names[at]} {words[1]}", f"{names[at]} {words[2]}"]
    columns = [f"{kind}_{what}" for kind in KINDS for what in ("n", "mu")]
    numbers = [*table[columns].to_numpy().tolist(), table[columns].sum().tolist()]
    lines = [
        [name, *(f"{n:.1f}" if at % 2 else f"{n:.0f}" for at, n in enumerate(row))]
        for name, row in zip([*table["name"], words[3]], numbers, strict=True)
    ]
    return heads, lines
