"""From evidence to verdicts: which scenes are set aside, and what the quarter is worth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import hypot

import numpy as np

from jinhua_rs.certificate.document import (
    SET_ASIDE,
    SOUND,
    UNMEASURED,
    Certificate,
    SceneVerdict,
    StepVerdict,
    Summary,
    SurfaceNumbers,
)
from jinhua_rs.certificate.examine import SceneEvidence
from jinhua_rs.certificate.notes import Note, joined
from jinhua_rs.certificate.offset import OffsetEvidence, contradiction
from jinhua_rs.certificate.seam import Step
from jinhua_rs.settings import Certificate as Options

__all__ = ["judge"]

_STEP_DN = 400
"""
Step between neighbours of one day that is not borne, DN. Aerosol is estimated tile by tile and
makes up to 200; a forgotten offset makes 1000.
"""
_MOST = 0.5


def judge(
    evidence: Sequence[SceneEvidence], options: Options, steps: Sequence[Step] = ()
) -> Certificate:
    """
    Judge all scenes of a period.

    A scene is set aside when its pixels carry another offset than its item says, when it is
    shifted by more than ``options.max_shift_px``, or when its classification is nonsense. (One
    that contradicts itself on where it lies was dropped by the catalogue; one whose files lie
    elsewhere than it says does not pass :mod:`jinhua_rs.opening`.) A step between two scenes sets
    aside the one that was not measured sound by itself; where both were, the step is reported and
    nothing more.

    Parameters
    ----------
    evidence : sequence of SceneEvidence
        Of all tiles, in any order.
    options : settings.Certificate
    steps : sequence of Step
        From :func:`jinhua_rs.certificate.seam.measure_step`.
    """
    ordered = sorted(evidence, key=lambda one: one.id)
    faults = {one.id: _faults(one, ordered, options) for one in ordered}
    gaps = {one.id: _gaps(one) for one in ordered}
    judged = tuple(_judged(step, options) for step in steps)
    large = [step for step in judged if step.too_large]
    # First the steps that have one suspect alone: whom these convict explains others.
    for step in sorted(large, key=lambda one: _suspects(one, gaps)):
        _blame(step, faults, gaps)
    verdicts = tuple(_verdict(one, faults[one.id], gaps[one.id]) for one in ordered)
    return Certificate(summary=_summary(verdicts, judged), scenes=verdicts, steps=judged)


def _faults(one: SceneEvidence, everyone: Sequence[SceneEvidence], options: Options) -> list[Note]:
    """Reasons to set a scene aside, the weightiest first."""
    found: list[Note | None] = []
    if one.dark is not None:
        found.append(contradiction(one.dark, one.said, one.said_because, _confirmed(one, everyone)))
    found.append(_shifted(one.shift.length, options))
    found += one.classes.nonsense if one.classes else ()
    return [note for note in found if note is not None]


def _confirmed(
    one: SceneEvidence, everyone: Sequence[SceneEvidence]
) -> list[tuple[OffsetEvidence, int]]:
    """Other scenes of the tile whose pixels confirm what their item says."""
    return [
        (other.dark, other.said)
        for other in everyone
        if other.tile == one.tile
        and other.id != one.id
        and other.dark is not None
        and other.dark.measured == other.said
    ]


def _shifted(length: float | None, options: Options) -> Note | None:
    if length is None or length <= options.max_shift_px:
        return None
    return Note(
        "shifted",
        f"shifted by {length:.2f} pixels against the other dates, "
        f"{options.max_shift_px:g} are borne",
        f"相对其他日期偏移 {length:.2f} 个像元，允许 {options.max_shift_px:g}",
    )


def _gaps(one: SceneEvidence) -> list[Note]:
    """Say what could not be measured of a scene."""
    if one.problem is not None:
        return [one.problem]
    found = []
    if one.dark is None or one.dark.measured is None:
        found.append(Note("offset-unmeasured", "offset not measured", "偏移量未能测定"))
    elif one.dark.measured != one.said:
        found.append(
            Note(
                "offset-unsettled",
                "dark ground is too bright: haze, or an offset that the item does not tell",
                "暗目标偏亮：可能是霾，也可能存在未声明的偏移量",
            )
        )
    if one.shift.length is None:
        found.append(Note("shift-unmeasured", "registration not measured", "配准未能测定"))
    return found


def _judged(step: Step, options: Options) -> StepVerdict:
    """Turn a step into numbers, and say whether it is borne."""
    found = [step.problem] if step.problem else []
    size = max((abs(one) for one in (step.red, step.nir) if one is not None), default=0.0)
    if size > _STEP_DN:
        found.append(
            Note(
                "step",
                f"step of {size:.0f} DN, {_STEP_DN} are borne",
                f"相邻影像像元值相差 {size:.0f}",
            )
        )
    length = step.shift.length
    if length is not None and length > options.max_shift_px:
        found.append(
            Note("step", f"{length:.2f} pixels apart", f"相邻影像错位 {length:.2f} 个像元")
        )
    text, text_zh = joined(found)
    return StepVerdict(
        first=step.first,
        second=step.second,
        red=_rounded(step.red),
        nir=_rounded(step.nir),
        shift=_pair(step.shift.dy, step.shift.dx),
        n_pixels=step.n_pixels,
        too_large=any(note.code == "step" for note in found),
        remark=text,
        remark_zh=text_zh,
    )


def _suspects(step: StepVerdict, gaps: Mapping[str, list[Note]]) -> int:
    return sum(bool(gaps.get(side)) for side in (step.first, step.second))


def _blame(
    step: StepVerdict, faults: Mapping[str, list[Note]], gaps: Mapping[str, list[Note]]
) -> None:
    """Set aside the side of a step that was not measured sound, unless the other is at fault."""
    sides = (step.first, step.second)
    if any(faults.get(side) for side in sides):
        return
    for side, other in (sides, sides[::-1]):
        if side in faults and gaps[side]:
            faults[side].append(
                Note(
                    "step",
                    f"does not join {other} of the same day: {step.remark}",
                    f"与同日影像 {other} 不衔接：{step.remark_zh}",
                )
            )


def _verdict(one: SceneEvidence, faults: Sequence[Note], gaps: Sequence[Note]) -> SceneVerdict:
    verdict = SET_ASIDE if faults else UNMEASURED if gaps else SOUND
    reasons = tuple(faults or gaps)
    reason, reason_zh = joined(reasons)
    dark = one.dark.surfaces if one.dark else {}
    return SceneVerdict(
        id=one.id,
        tile=one.tile,
        verdict=verdict,
        codes=tuple(note.code for note in reasons),
        reason=reason,
        reason_zh=reason_zh,
        offset_said=one.said,
        offset_measured=one.dark.measured if one.dark else None,
        offset_because=one.said_because,
        dark={
            name: SurfaceNumbers(found.n, round(found.p1, 4), round(found.p50, 4))
            for name, found in dark.items()
        },
        forest_ndvi=_rounded(one.dark.ndvi) if one.dark else None,
        lowest=one.dark.lowest if one.dark else None,
        shift=_pair(one.shift.dy, one.shift.dx),
        shift_quality=round(one.shift.quality, 4),
        shift_spread=_rounded(one.shift.spread),
        n_chips=one.shift.n_chips,
        classes={code: round(share, 4) for code, share in one.classes.shares.items()}
        if one.classes
        else {},
        remarks=one.classes.remarks if one.classes else (),
    )


def _summary(scenes: Sequence[SceneVerdict], steps: Sequence[StepVerdict]) -> Summary:
    counted = Counter(one.verdict for one in scenes)
    aside = {one.id for one in scenes if one.verdict == SET_ASIDE}
    shifts = [hypot(*one.shift) for one in scenes if one.shift and one.id not in aside]
    sizes = [
        abs(size)
        for one in steps
        if not {one.first, one.second} & aside
        for size in (one.red, one.nir)
        if size is not None
    ]
    remark = remark_zh = ""
    doubted = sum("offset-unsettled" in one.codes for one in scenes)
    if doubted > _MOST * len(scenes):
        remark = (
            f"the pixels of {doubted} of {len(scenes)} scenes look as if they carried another "
            "offset than their items say, or much haze; look at them before you trust the period"
        )
        remark_zh = (
            f"{len(scenes)} 景中有 {doubted} 景的像元疑似带有与元数据不同的偏移量（或霾重），"
            "请人工核查后再采信本期结果"
        )
    if scenes and len(aside) > _MOST * len(scenes):
        remark = (
            f"{len(aside)} of {len(scenes)} scenes contradict their items: "
            "the collection or its profile is wrong, not the scenes"
        )
        remark_zh = (
            f"{len(scenes)} 景中有 {len(aside)} 景与元数据矛盾："
            "问题多半出在数据集或其配置，而非单景"
        )
    return Summary(
        n_scenes=len(scenes),
        n_sound=counted[SOUND],
        n_unmeasured=counted[UNMEASURED],
        n_set_aside=counted[SET_ASIDE],
        by_code=dict(sorted(Counter(code for one in scenes for code in one.codes).items())),
        median_shift=round(float(np.median(shifts)), 4) if shifts else None,
        largest_shift=round(max(shifts), 4) if shifts else None,
        n_steps=sum(one.red is not None or one.nir is not None for one in steps),
        n_steps_too_large=sum(one.too_large for one in steps),
        largest_step=round(max(sizes), 4) if sizes else None,
        remark=remark,
        remark_zh=remark_zh,
    )


def _pair(dy: float | None, dx: float | None) -> tuple[float, float] | None:
    return None if dy is None or dx is None else (round(dy, 4) + 0.0, round(dx, 4) + 0.0)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4) + 0.0
