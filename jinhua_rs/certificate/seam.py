"""The step from one scene to its neighbour in the next tile or zone."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations

import numpy as np
import numpy.typing as npt

from jinhua_rs.certificate.notes import Note
from jinhua_rs.certificate.places import CHIP_BANDS, Places, choose_within, in_crs
from jinhua_rs.certificate.registration import UNMEASURED, Shift, chip_shift, tile_shift
from jinhua_rs.certificate.sample import TROUBLE, warped_chip
from jinhua_rs.ledger import in_chinese
from jinhua_rs.scene import Scene

__all__ = ["Step", "measure_step", "pairs", "solar_day"]

_MOST_DAYS = 12
"""Days compared for each pair of tiles, the least cloudy first."""
_MOST_PLACES = 4
_LEAST_PIXELS = 1000
_STEP_BANDS = ("red", "nir")


@dataclass(frozen=True, slots=True)
class Step:
    """
    The step between two scenes of one solar day, where both show clear ground.

    Attributes
    ----------
    first, second : str
        Scene ids.
    red, nir : float or None
        Median of second less first, DN, the offset of each removed; None where not measured.
    n_pixels : int
        Pixels that both show clear.
    shift : Shift
        Of the second against the first, pixels of the first.
    problem : Note or None
        Why it could not be measured.
    """

    first: str
    second: str
    red: float | None
    nir: float | None
    n_pixels: int
    shift: Shift
    problem: Note | None = None


def solar_day(scene: Scene) -> str:
    """Local solar day of a scene, ``2024-10-19``: the same in neighbouring tiles of one pass."""
    return f"{scene.acquired + timedelta(hours=scene.footprint.centroid.x / 15):%Y-%m-%d}"


def pairs(scenes: Sequence[Scene]) -> tuple[tuple[Scene, Scene], ...]:
    """
    Pairs of scenes of one solar day whose tiles overlap, the least cloudy days of each two tiles.

    Returns
    -------
    tuple of (Scene, Scene)
        At most twelve for each pair of tiles; sorted by tiles, then by day.
    """
    days = defaultdict(list)
    for scene in sorted(scenes, key=lambda one: (one.tile, one.id)):
        days[solar_day(scene)].append(scene)
    found = defaultdict(list)
    for day, alike in days.items():
        for first, second in combinations(alike, 2):
            if first.tile != second.tile and first.footprint.intersection(second.footprint).area:
                cloud = np.nanmax([first.cloud, second.cloud, 0.0])
                found[first.tile, second.tile].append((cloud, day, first, second))
    chosen = []
    for tiles in sorted(found):
        clearest = sorted(found[tiles], key=lambda one: one[:2])[:_MOST_DAYS]
        chosen += [pair[2:] for pair in sorted(clearest, key=lambda one: one[1])]
    return tuple(chosen)


def measure_step(first: Scene, second: Scene) -> Step:
    """
    Compare two scenes of one solar day on a few squares of their overlap, grid of the first.

    Returns
    -------
    Step
        Trouble is told in ``problem``, not raised.
    """
    places = _overlap(first, second)
    if places is None:
        return _unmeasured(first, second, "no-overlap", "too little overlap", "重叠区过小")
    try:
        looks = {
            band: _both(first, second, band, places)
            for band in _STEP_BANDS
            if _has(first, second, band)
        }
    except TROUBLE as error:
        text = " ".join(str(error).split())
        return _unmeasured(
            first, second, "unread", f"cannot be read: {text}", f"无法读取：{in_chinese(text)}"
        )
    steps = {band: _median_step(found, first, second) for band, found in looks.items()}
    matched = next((looks[band] for band in CHIP_BANDS if band in looks), [])
    shift = tile_shift([chip_shift(b, seen_b, a, seen_a) for (a, seen_a), (b, seen_b) in matched])
    n_pixels = max((n for _, n in steps.values()), default=0)
    red, nir = (steps.get(band, (None, 0))[0] for band in _STEP_BANDS)
    problem = None
    if n_pixels < _LEAST_PIXELS:
        problem = Note("cloudy", "too few clear pixels in common", "共同晴空像元过少")
    return Step(first.id, second.id, red, nir, n_pixels, shift, problem)


Look = tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]


def _has(first: Scene, second: Scene, band: str) -> bool:
    return band in first.assets and band in second.assets


def _overlap(first: Scene, second: Scene) -> Places | None:
    asset = next((first.assets[band] for band in CHIP_BANDS if _has(first, second, band)), None)
    if asset is None:
        return None
    common = in_crs(first.footprint.intersection(second.footprint), first.crs)
    return choose_within(first.crs, asset, [common], most=_MOST_PLACES)


def _both(first: Scene, second: Scene, band: str, places: Places) -> list[tuple[Look, Look]]:
    looks = []
    for at in range(len(places.corners)):
        (a, seen_a), (b, seen_b) = (
            warped_chip(scene, band, places, at) for scene in (first, second)
        )
        looks.append(((a.astype("float32"), seen_a), (b.astype("float32"), seen_b)))
    return looks


def _median_step(
    looks: Sequence[tuple[Look, Look]], first: Scene, second: Scene
) -> tuple[float | None, int]:
    """Median of second less first, DN after removal, and on how many pixels."""
    off = second.offset - first.offset
    differences = np.concatenate([(b - a)[seen_a & seen_b] for (a, seen_a), (b, seen_b) in looks])
    if differences.size < _LEAST_PIXELS:
        return None, int(differences.size)
    return float(np.median(differences)) + off, int(differences.size)


def _unmeasured(first: Scene, second: Scene, code: str, en: str, zh: str) -> Step:
    return Step(first.id, second.id, None, None, 0, UNMEASURED, Note(code, en, zh))
