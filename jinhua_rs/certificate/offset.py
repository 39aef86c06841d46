"""Which radiometric offset the pixels themselves carry, measured on dark ground."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jinhua_rs.certificate.notes import Note
from jinhua_rs.certificate.sample import View

__all__ = ["CARRIED", "OffsetEvidence", "Surface", "contradiction", "measure"]

CARRIED = -1000
"""What must be added to DN that carry the offset of processing baseline 04.00 and later."""

_LEAST_PIXELS = 100
"""Fewer pixels of a surface are no evidence."""
_LOW_PERCENTILE = 1.0
_FLOOR, _CEILING = -100, 700
"""
Dark ground, DN after removal: the 1st percentile of blue, red and far short-wave infrared over
dense vegetation, and of short-wave infrared over water, lies there. Atmospheric correction leaves
a little below 0.
"""
_VETO_SHARE = 0.001
"""
Share of all seen pixels, in one band, below 700 that shows that no offset of 1000 is in them: it
would make their reflectance less than -0.03.
"""
_BLUEST = 80
"""
Haze lifts blue over vegetation above red by more than this, DN; an offset lifts both alike, and
clear vegetation is hardly bluer than red. (Of 140 real dates over Romania one is so hazy that red
forest stands at 1000-1200 DN without any offset: blue is 112 above red there.)
"""
_FEWEST_WITNESSES = 2
"""Bands that must show an offset of which the item does not tell: haze reaches one more easily."""
_JUMP = (650, 1350)
"""A jump between neighbours in time of this size, DN, is an offset and no weather."""
_BRIGHT_JUMP = 300
"""Bright bands jump by an offset as well, but their seasons are as large: at least this much."""
_FEWEST_NEIGHBOURS = 2

_VEGETATION, _WATER = 4, 6
_NIR, _SWIR = ("nir", "nir08"), ("swir22", "swir16")
_DARK_PLANTS, _BRIGHT_PLANTS = ("blue", "red", "swir22"), ("nir", "nir08", "swir16")
"""Bands in which dense vegetation is dark, and bands in which it is not."""

Numbers = npt.NDArray[np.uint16]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Surface:
    """A kind of ground in one band: pixels, 1st percentile and median, DN before removal."""

    n: int
    p1: float
    p50: float


@dataclass(frozen=True, slots=True)
class OffsetEvidence:
    """
    What the pixels say about their offset.

    Attributes
    ----------
    measured : int or None
        Offset that makes sense of the dark ground, DN: 0 or -1000; None where it does not tell.
    doubtful : bool
        Haze could make the same picture: only one band tells, or blue stands above red.
    surfaces : mapping of Surface
        ``red.vegetation``, ``swir22.water`` and so on; only those with enough pixels.
    ndvi : float or None
        Median of the densest vegetation with the offset that the item says, 1. Above 1 where red
        is negative; about 0.55 where an offset was forgotten.
    lowest : int or None
        Smallest DN that was seen, not 0.
    """

    measured: int | None
    doubtful: bool
    surfaces: Mapping[str, Surface]
    ndvi: float | None
    lowest: int | None


def measure(view: View, said: int) -> OffsetEvidence:
    """
    Measure the offset that the pixels carry.

    Each dark surface votes by its 1st percentile, DN as stored; all votes must agree. That the
    pixels carry an offset is not believed where a share of them is too dark to carry one.

    Parameters
    ----------
    view : View
        Raw digital numbers.
    said : int
        Offset that the item says, for ``ndvi`` alone: it has no say in the measurement.
    """
    surfaces = _surfaces(view)
    votes = {name: vote for name, one in surfaces.items() if (vote := _vote(name, one)) is not None}
    agreed = set(votes.values())
    measured = agreed.pop() if len(agreed) == 1 else None
    if measured == CARRIED and _too_dark(view):
        measured = None
    witnesses = {name.partition(".")[0] for name in votes}
    seen = [band[band > 0] for band in view.bands.values()]
    return OffsetEvidence(
        measured,
        len(witnesses) < _FEWEST_WITNESSES or _hazy(surfaces),
        surfaces,
        _ndvi(view, said),
        min((int(band.min()) for band in seen if band.size), default=None),
    )


def contradiction(
    evidence: OffsetEvidence,
    said: int,
    said_because: str,
    neighbours: Sequence[tuple[OffsetEvidence, int]],
) -> Note | None:
    """
    Say how the pixels contradict the item; None where they agree or do not tell.

    That an offset is in the pixels of which the item does not tell is doubted where haze could
    look the same: then the tile's other dates must confirm it, and they can refute it.

    Parameters
    ----------
    neighbours : sequence of (OffsetEvidence, int)
        Scenes of the tile whose pixels confirm what their item says, with that offset.
    """
    if evidence.measured == said and not evidence.doubtful:
        return None
    dark, bright = _jumps(evidence, said, neighbours)
    jump = _jump(dark, bright)
    if evidence.measured == said:
        return jump
    if evidence.measured == 0:
        return _twice(evidence, said, said_because)
    refuted = any(abs(one) < _BRIGHT_JUMP for one in bright)
    if evidence.measured == CARRIED and not refuted and (jump or not evidence.doubtful):
        return _missing(evidence, said_because)
    return jump


def _vote(name: str, surface: Surface) -> int | None:
    """Offset that makes sense of a dark surface; None where none does or it is not dark."""
    band, _, ground = name.partition(".")
    if ground == "vegetation" and band not in _DARK_PLANTS:
        return None
    if 0 < surface.p1 < _CEILING:
        return 0
    return CARRIED if _FLOOR <= surface.p1 + CARRIED < _CEILING else None


def _jumps(
    evidence: OffsetEvidence, said: int, neighbours: Sequence[tuple[OffsetEvidence, int]]
) -> tuple[list[float], list[float]]:
    """Median of dense vegetation less that of the neighbours, DN: dark bands, bright bands."""
    found = []
    for bands in (_DARK_PLANTS, _BRIGHT_PLANTS):
        steps = []
        for name in (f"{band}.vegetation" for band in bands):
            others = [
                other.surfaces[name].p50 + offset
                for other, offset in neighbours
                if name in other.surfaces
            ]
            if name in evidence.surfaces and len(others) >= _FEWEST_NEIGHBOURS:
                steps.append(evidence.surfaces[name].p50 + said - float(np.median(others)))
        found.append(steps)
    return found[0], found[1]


def _jump(dark: Sequence[float], bright: Sequence[float]) -> Note | None:
    """Say that every band jumps as an offset makes it jump; None where one does not."""
    if not dark or not all(_JUMP[0] <= abs(one) <= _JUMP[1] for one in dark):
        return None
    one_way = len({one > 0 for one in (*dark, *bright)}) == 1
    if not one_way or any(abs(one) < _BRIGHT_JUMP for one in bright):
        return None
    step = round(float(np.median(dark)))
    return Note(
        "offset-jump",
        f"dense vegetation is {step:+d} DN off that of the tile's other dates",
        f"茂密植被的像元值与同图幅其他日期相差 {step:+d}",
    )


def _missing(evidence: OffsetEvidence, said_because: str) -> Note:
    ndvi, ndvi_zh = _forest(evidence)
    return Note(
        "offset-missing",
        f"the pixels carry an offset that the item does not tell{ndvi}; item: {said_because}",
        f"像元含有元数据未声明的偏移量{ndvi_zh}；元数据依据：{said_because}",
    )


def _twice(evidence: OffsetEvidence, said: int, said_because: str) -> Note:
    ndvi, ndvi_zh = _forest(evidence)
    return Note(
        "offset-twice",
        f"the item tells an offset of {said} that is already removed from the pixels{ndvi}; "
        f"item: {said_because}",
        f"元数据声明偏移量 {said}，但像元中已扣除{ndvi_zh}；元数据依据：{said_because}",
    )


def _forest(evidence: OffsetEvidence) -> tuple[str, str]:
    """Say which NDVI dense vegetation would have; above 1 it is nonsense, and so it is said."""
    if evidence.ndvi is None:
        return "", ""
    return f" (forest NDVI would be {evidence.ndvi:.2f})", f"（森林 NDVI 将为 {evidence.ndvi:.2f}）"


def _surfaces(view: View) -> dict[str, Surface]:
    dense, water = _dense(view), view.scl == _WATER
    found = {
        f"{name}.vegetation": _surface(view.bands[name], dense)
        for name in (*_DARK_PLANTS, *_BRIGHT_PLANTS)
        if name in view.bands
    }
    found |= {
        f"{name}.water": _surface(view.bands[name], water) for name in _SWIR if name in view.bands
    }
    return {name: surface for name, surface in found.items() if surface is not None}


def _surface(band: Numbers, where: Flags) -> Surface | None:
    values = band[where & (band > 0)]
    if values.size < _LEAST_PIXELS:
        return None
    low, middle = np.percentile(values, (_LOW_PERCENTILE, 50))
    return Surface(int(values.size), float(low), float(middle))


def _dense(view: View) -> Flags:
    """Find the half of the vegetation with the higher ratio of near infrared to red."""
    red, nir = _pair(view)
    if red is None or nir is None:
        return np.zeros(view.scl.shape, bool)
    green: Flags = (view.scl == _VEGETATION) & (red > 0) & (nir > 0)
    if not green.any():
        return green
    ratio = np.divide(nir, red, out=np.zeros(red.shape), where=green)
    dense: Flags = green & (ratio >= np.median(ratio[green]))
    return dense


def _pair(view: View) -> tuple[Numbers | None, Numbers | None]:
    nir = next((view.bands[name] for name in _NIR if name in view.bands), None)
    return view.bands.get("red"), nir


def _ndvi(view: View, said: int) -> float | None:
    dense = _dense(view)
    red, nir = _pair(view)
    if red is None or nir is None or np.count_nonzero(dense) < _LEAST_PIXELS:
        return None
    low, high = red[dense].astype(float) + said, nir[dense].astype(float) + said
    total = low + high
    index = (high - low)[total > 0] / total[total > 0]
    return float(np.median(index)) if index.size else None


def _too_dark(view: View) -> bool:
    """Tell whether more pixels than chance are too dark to carry an offset, in any band."""
    for band in view.bands.values():
        seen = band[band > 0]
        if seen.size and np.count_nonzero(seen < _CEILING) > _VETO_SHARE * seen.size:
            return True
    return False


def _hazy(surfaces: Mapping[str, Surface]) -> bool:
    blue, red = (surfaces.get(f"{band}.vegetation") for band in ("blue", "red"))
    return blue is not None and red is not None and blue.p50 - red.p50 > _BLUEST
