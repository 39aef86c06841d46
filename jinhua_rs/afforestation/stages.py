"""How far a planting has come: one stage a parcel, by age and evidence."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from jinhua_rs.afforestation.evidence import LEAST_PX, Evidence

__all__ = ["CLOSED_AGE", "JUDGED_AGE", "Finding", "Stage", "stage_of"]

JUDGED_AGE = 3
"""Years from which a planting may be judged (保存率 after 3-5 years, GB/T 15776-2023, 16.3)."""
CLOSED_AGE = 5
"""Years after which ground below 0.20 is no longer young plantation (未成林造林地)."""
_SEEN_LEAST = 0.5
_ALPHA = 0.05
_GAP = 0.05
_WOODY = 0.10
_MOST = 0.5
_FALLEN = 0.5
"""A forest that has shrunk to this share of its best is lost."""


class Stage(StrEnum):
    """Stage of a parcel; the value is the Chinese word that staff read."""

    NO_YEAR = "遥感不可判（无造林年度）"
    PLANNED = "未到造林年度"
    TOO_SMALL = "遥感不可判（面积过小）"
    UNSEEN = "遥感不可判（无晴空观测）"
    NO_LIKE = "遥感不可判（无可比对照）"
    WOODY_BEFORE = "遥感不可判（原为林灌果园）"
    LOST = "已失去"
    FOREST = "成林"
    OVERDUE = "逾期未成林"
    WOODY = "已见木本"
    GREENING = "已见绿"
    SITE_PREPARED = "已整地"
    TOO_YOUNG = "遥感不可判（幼树太小）"
    FAILING = "未见成效"

    @property
    def judged(self) -> bool:
        """False where satellites cannot tell, yet or at all."""
        return self not in {
            Stage.NO_YEAR, Stage.PLANNED, Stage.TOO_SMALL, Stage.UNSEEN, Stage.NO_LIKE,
            Stage.WOODY_BEFORE, Stage.TOO_YOUNG,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """A stage and what it rests on, in English and Chinese."""

    stage: Stage
    why: str
    why_zh: str


def stage_of(seen: Evidence, age: int | None, *, economic: bool) -> Finding:
    """
    Judge a parcel.

    Parameters
    ----------
    seen : Evidence
    age : int, optional
        Years since planting; None = no year reported.
    economic : bool
        Tea, oil-camellia, orchards: canopy cover does not judge them, greening does. Without like
        ground to compare with nothing is said of them, nor where trees, shrub or orchard grew
        before and the ground is no greener than like ground: a new shrub looks like an old one.

    Returns
    -------
    Finding
        In this order: what cannot be judged for want of a year, of size, of clear looks; lost (of
        what was forest on most of it half is gone, or most of it is built-up or bare from the third
        year on); forest (age 3 or more, on most of it); overdue (age 5 and more, most of it not
        wooded this year either); woody (canopy 0.10 and age 2); greening (above like ground,
        p < 0.05); site prepared (below like ground in the first two years); too young (before
        age 3); failing.
    """
    for finding in (_unjudged(seen, age), _lost(seen, age or 0, economic=economic)):
        if finding is not None:
            return finding
    years = age or 0
    told, told_zh = _told(seen, years)
    stage = _of_economic(seen, years) if economic else _grown(seen, years)
    stage = stage or _young(seen, years)
    return Finding(stage, told, told_zh)


def _unjudged(seen: Evidence, age: int | None) -> Finding | None:
    if age is None:
        return Finding(Stage.NO_YEAR, "no year of planting", "未报造林年度")
    if age < 0:
        return Finding(Stage.PLANNED, f"planted in {-age} years", f"{-age} 年后造林")
    if seen.px < LEAST_PX:
        return Finding(Stage.TOO_SMALL, f"{seen.px} pixels", f"仅 {seen.px} 个像元")
    if not seen.seen_share >= _SEEN_LEAST or np.isnan(seen.canopy):
        share = f"{0.0 if np.isnan(seen.seen_share) else seen.seen_share:.0%}"
        return Finding(Stage.UNSEEN, f"{share} seen clear", f"有效观测 {share}")
    return None


def _lost(seen: Evidence, age: int, *, economic: bool) -> Finding | None:
    fell = seen.stood_share >= _MOST and seen.forest_share <= _FALLEN * seen.stood_share
    if fell and not economic:
        now, best = f"{seen.forest_share:.0%}", f"{seen.stood_share:.0%}"
        return Finding(Stage.LOST, f"{now} forest, was {best}", f"成林占比 {now}，曾达 {best}")
    if age >= JUDGED_AGE and seen.sealed_share >= _MOST:
        share = f"{seen.sealed_share:.0%}"
        return Finding(Stage.LOST, f"{share} built-up or bare", f"{share} 为建设用地或裸地")
    return None


def _told(seen: Evidence, age: int) -> tuple[str, str]:
    canopy, share = f"{seen.canopy:.2f}", f"{seen.forest_share:.0%}"
    if np.isnan(seen.gap):
        gap, gap_zh = "no like ground to compare with", "无可比对照"
    else:
        told = f"{seen.gap:+.2f}, p = {seen.gap_p:.3f}"
        gap, gap_zh = f"NDVI against like ground {told}", f"NDVI 较对照 {told}"
    return (
        f"age {age}; canopy {canopy}; {share} of it forest; {gap}",
        f"林龄 {age} 年；林冠覆盖度 {canopy}；成林占比 {share}；{gap_zh}",
    )


def _of_economic(seen: Evidence, age: int) -> Stage | None:
    """Why a planting of shrub crops cannot be judged; None where it can."""
    if age < JUDGED_AGE or _greener(seen):
        return None
    if np.isnan(seen.gap):
        return Stage.NO_LIKE
    return Stage.WOODY_BEFORE if seen.was_woody_share >= _MOST else None


def _grown(seen: Evidence, age: int) -> Stage | None:
    """Stage of a planting whose canopy can be judged; None for one that cannot."""
    if age >= JUDGED_AGE and seen.forest_share >= _MOST:
        return Stage.FOREST
    if age >= CLOSED_AGE and seen.wooded_share < _MOST:
        return Stage.OVERDUE
    if age >= 2 and seen.canopy >= _WOODY:
        return Stage.WOODY
    return None


def _greener(seen: Evidence) -> bool:
    return seen.gap >= _GAP and seen.gap_p < _ALPHA


def _young(seen: Evidence, age: int) -> Stage:
    if _greener(seen):
        return Stage.GREENING
    if age <= 1 and seen.gap <= -_GAP and seen.gap_p > 1 - _ALPHA:
        return Stage.SITE_PREPARED
    return Stage.FAILING if age >= JUDGED_AGE else Stage.TOO_YOUNG
