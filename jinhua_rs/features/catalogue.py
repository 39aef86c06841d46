"""
Names of features, in the order in which models read them, and what each is made from.

A plain name (``ndvi``, ``ndvi_p10``, ``nir_sd``, ``slope``) is of the period itself, a name that
ends in a quarter (``ndvi_q1``) of the companion quarter, and ``ndvi_minus_q1`` is the period's
own less the companion's.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import xarray as xr

from jinhua_rs import indices
from jinhua_rs.errors import ContractError
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema import VARIABLES

__all__ = [
    "INDICES", "SPREADS", "TERRAIN", "TEXTURE", "Choice", "Needs", "Part", "names", "needs", "part",
    "units",
]  # fmt: skip

INDICES: Final[dict[str, tuple[Callable[..., xr.DataArray], tuple[str, ...]]]] = {
    "ndvi": (indices.ndvi, ("red", "nir")),
    "nbr": (indices.nbr, ("nir08", "swir22")),
    "ndmi": (indices.ndmi, ("nir08", "swir16")),
    "ndre": (indices.ndre, ("rededge1", "nir08")),
    "bsi": (indices.bsi, ("blue", "red", "nir", "swir16")),
    "ndwi": (indices.ndwi, ("green", "nir")),
    "mtci": (indices.mtci, ("red", "rededge1", "rededge2")),
}
"""Function and bands of each index."""
SPREADS: Final = ("smad", "emad", "bcmad")
TEXTURE: Final = ("nir_sd", "nir_relief")
TERRAIN: Final = ("elevation", "slope", "northness", "eastness")

_RANGES: Final = {
    f"{index}_p{at}": INDICES[index][1] for index in ("ndvi", "nbr", "ndmi") for at in (10, 50, 90)
}
_FORM: Final = re.compile(r"(?P<base>[a-z0-9_]+?)(?:_(?P<minus>minus_)?(?P<season>q[1-4]))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """
    What features are made from.

    Attributes
    ----------
    bands : tuple of str
        Canonical bands of the composites.
    seasons : tuple of str
        Companion quarters, ``("q1",)``.
    texture, terrain : bool
        Whether there is a rim around each tile, and elevation.
    """

    bands: tuple[str, ...]
    seasons: tuple[str, ...] = ()
    texture: bool = False
    terrain: bool = False


class Part(NamedTuple):
    """One name taken apart: the quantity, its companion quarter or "", whether it is a change."""

    base: str
    season: str
    minus: bool


@dataclass(frozen=True, slots=True)
class Needs:
    """What must be at hand for some features: companion quarters, bands, a rim, elevation."""

    seasons: tuple[str, ...]
    bands: frozenset[str]
    texture: bool
    terrain: bool


def names(choice: Choice) -> tuple[str, ...]:
    """
    Names of the features that a choice allows, in the order in which models read them.

    >>> names(Choice(bands=("green", "red", "nir"), seasons=("q1",)))[:7]
    ('green', 'red', 'nir', 'ndvi', 'ndwi', 'smad', 'emad')
    >>> names(Choice(bands=("red",), seasons=("q1",)))[4:]
    ('red_q1', 'smad_q1', 'emad_q1', 'bcmad_q1')
    """
    bands = set(choice.bands)
    allowed = [name for name, (_, wanted) in INDICES.items() if set(wanted) <= bands]
    ranges = [name for name, wanted in _RANGES.items() if set(wanted) <= bands]
    found = [*choice.bands, *allowed, *SPREADS, *ranges]
    if choice.texture and "nir" in bands:
        found += TEXTURE
    if choice.terrain:
        found += TERRAIN
    for season in choice.seasons:
        found += [f"{name}_{season}" for name in (*choice.bands, *allowed, *SPREADS)]
        found += [f"{name}_minus_{season}" for name in allowed]
    return tuple(found)


def part(name: str) -> Part:
    """
    Take a name apart.

    Raises
    ------
    ContractError
        If no feature has that name.

    Examples
    --------
    >>> part("ndvi_p10"), part("ndvi_minus_q1")
    (Part(base='ndvi_p10', season='', minus=False), Part(base='ndvi', season='q1', minus=True))
    """
    found = _FORM.fullmatch(name)
    base = found["base"] if found else ""
    own_only = base in {*TEXTURE, *TERRAIN}
    if found is None or base not in _SOURCES or (own_only and found["season"]):
        raise ContractError(
            f"there is no feature {name!r}; the model may be of a newer version: "
            "train it again or choose another model",
            zh=f"没有名为 {name!r} 的特征；模型可能来自较新版本：请重新训练或更换模型",
        )
    return Part(base, found["season"] or "", bool(found["minus"]))


_SOURCES: Final[dict[str, frozenset[str]]] = {
    **{name: frozenset({name}) for name in BAND_NAMES},
    **{name: frozenset(wanted) for name, (_, wanted) in INDICES.items()},
    **{name: frozenset(wanted) for name, wanted in _RANGES.items()},
    **dict.fromkeys(TEXTURE, frozenset({"nir"})),
    **dict.fromkeys((*SPREADS, *TERRAIN), frozenset()),
}
"""Bands that each quantity is made from."""


def needs(wanted: Sequence[str]) -> Needs:
    """Say what must be at hand for features; raises :class:`ContractError` as :func:`part`."""
    parts = [part(name) for name in wanted]
    bases = {one.base for one in parts}
    return Needs(
        seasons=tuple(sorted({one.season for one in parts} - {""})),
        bands=frozenset().union(*(_SOURCES[base] for base in bases)),
        texture=not bases.isdisjoint(TEXTURE),
        terrain=not bases.isdisjoint(TERRAIN),
    )


def units(wanted: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Name and unit of features, for the card of a model."""
    return tuple((name, VARIABLES[part(name).base].units) for name in wanted)
