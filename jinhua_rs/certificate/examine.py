"""The evidence of all scenes of one tile: the unit of work that may run anywhere."""

from collections.abc import Container, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from jinhua_rs.certificate import classes, offset
from jinhua_rs.certificate.classes import ClassEvidence
from jinhua_rs.certificate.notes import Note
from jinhua_rs.certificate.offset import OffsetEvidence
from jinhua_rs.certificate.places import choose
from jinhua_rs.certificate.registration import (
    ChipShift,
    Shift,
    chip_shift,
    median_base,
    tile_shift,
)
from jinhua_rs.certificate.sample import Chip, sample_scene
from jinhua_rs.scene import Scene

__all__ = ["SceneEvidence", "examine"]

_BASE_LOOKS = 8
"""The base image is the median of so many other scenes, the clearest of each place."""
_FEWEST_LOOKS = 2
_SUSPECT_PX = 1.0
"""A scene further off than this is no part of the base."""

ChipRow = tuple[Chip | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SceneEvidence:
    """
    What was measured of one scene; small enough to travel.

    Attributes
    ----------
    id, tile : str
    said : int
        Offset of the item, DN.
    said_because : str
        Why the catalogue decided on it.
    dark : OffsetEvidence or None
        None where the coarse view could not be read.
    classes : ClassEvidence or None
        The same.
    shift : Shift
        Against the median of the tile's other scenes.
    problem : Note or None
        Why something could not be read.
    """

    id: str
    tile: str
    said: int
    said_because: str
    dark: OffsetEvidence | None
    classes: ClassEvidence | None
    shift: Shift
    problem: Note | None


def examine(scenes: Sequence[Scene]) -> tuple[SceneEvidence, ...]:
    """
    Measure all scenes of one tile in one period.

    Memory is bounded: one coarse view at a time, and nine chips of 200 kB for each scene.

    Parameters
    ----------
    scenes : sequence of Scene
        Of one tile; the more there are, the better is the base image.

    Returns
    -------
    tuple of SceneEvidence
        One for each scene, sorted by id. Trouble with reading is told, not raised.
    """
    ordered = sorted(scenes, key=lambda scene: scene.id)
    places = choose(ordered)
    evidence, chips = [], []
    for scene in ordered:
        sample = sample_scene(scene, places)
        chips.append(sample.chips)
        dark = seen = None
        if sample.view is not None:
            dark = offset.measure(sample.view, scene.offset)
            carried = scene.offset if dark.measured is None else dark.measured
            seen = classes.inspect(sample.view, carried, scene.cloud)
        evidence.append((scene, dark, seen, sample.problem))
    shifts = _shifts(chips)
    return tuple(
        SceneEvidence(
            id=scene.id,
            tile=scene.tile,
            said=scene.offset,
            said_because=scene.offset_reason,
            dark=dark,
            classes=seen,
            shift=shift,
            problem=problem,
        )
        for (scene, dark, seen, problem), shift in zip(evidence, shifts, strict=True)
    )


def _shifts(chips: Sequence[ChipRow]) -> list[Shift]:
    """
    Shift of each scene, from the chips of all.

    A scene that lies off would pull the base of the others, above all where they are few: the one
    furthest off is taken out of all bases and the rest measured again, until none stands out.
    """
    banned: set[int] = set()
    while True:
        shifts = _shifts_without(chips, banned)
        lengths = [0.0 if at in banned else one.length or 0.0 for at, one in enumerate(shifts)]
        worst = int(np.argmax(lengths)) if lengths else 0
        trusted = len(chips) - len(banned)
        if not lengths or lengths[worst] <= _SUSPECT_PX or trusted <= _FEWEST_LOOKS + 1:
            return shifts
        banned.add(worst)


def _shifts_without(chips: Sequence[ChipRow], banned: Container[int]) -> list[Shift]:
    """Shift of each scene against the median of the others that are not banned."""
    n_places = max((len(row) for row in chips), default=0)
    found: list[list[ChipShift | None]] = [[] for _ in chips]
    for place in range(n_places):
        looks = {at: chip for at, row in enumerate(chips) if row and (chip := row[place])}
        ranked = sorted(looks, key=lambda at: (-np.count_nonzero(looks[at].clear), at))
        for at, chip in looks.items():
            others = [looks[one] for one in ranked if one != at and one not in banned]
            found[at].append(_against(chip, others[:_BASE_LOOKS]))
    return [tile_shift(one) for one in found]


def _against(chip: Chip, others: Sequence[Chip]) -> ChipShift | None:
    """Shift of a chip against the median of others; None where there is too little to match."""
    if sum(other.clear.any() for other in others) < _FEWEST_LOOKS:
        return None
    base, known = median_base(
        [_numbers(other) for other in others], [other.clear for other in others]
    )
    match = chip_shift(_numbers(chip), chip.clear, base, known)
    if match is None:
        return None
    # the window was cut a fraction beside its place: what it shows lies that much further back
    down, right = np.subtract(chip.beside, np.median([other.beside for other in others], axis=0))
    return ChipShift(match.dy + float(down), match.dx + float(right), match.peak, match.ratio)


def _numbers(chip: Chip) -> npt.NDArray[np.float32]:
    return chip.values.astype("float32")
