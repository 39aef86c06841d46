"""What state a mine is in: from yearly values, bare share and new bare ground to one status."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from jinhua_rs.mines.metrics import GOAL, KEPT, first_sustained
from jinhua_rs.schema import FOREST_CANOPY

__all__ = ["Course", "MineStatus", "Verdict", "judge", "opening_of", "slope_interval", "start_of"]

NEW_BARE_M2 = 400.0
"""Growth of bare ground within a year from which a mine is at work."""
_MOSTLY = 0.5
"""Share of the ground that must be mapped as trees: a canopy that is grass is no forest."""
_BARE_SITE = 0.30
"""Bare share from which a site that never greened counts as in use."""
_RISE = 0.10
"""Rise of NBR above its lowest value that begins a recovery, if half of it is kept a year later."""
_FALL = 0.15
"""Fall of NBR from one year to the next by which an opening is known."""
_BARE_AGAIN = 0.20
"""Rise of the bare share above its lowest since the start of restoration that is a relapse."""
_GROWN_AGE = 3
"""Years since the start of restoration before which no planting counts as forest."""
_WATCHED_YEARS = 4
"""Years seen after the start before which no recovery has stalled."""
_TREND_YEARS = 5
_TREND_LEAST = 3

Array = NDArray[np.float64]


class MineStatus(StrEnum):
    """State of a mine; the value is the Chinese word that staff read."""

    ACTIVE = "在采或裸露"
    RECOVERING = "恢复中"
    STALLED = "恢复停滞"
    RESTORED = "已恢复（持续）"
    RELAPSED = "复垦后退化"
    UNKNOWN = "不能判定"

    def text(self, language: str) -> str:
        """Return the word in ``language`` (``"zh"`` or ``"en"``)."""
        return self.value if language == "zh" else self.name.lower()


@dataclass(frozen=True, slots=True)
class Course:
    """
    What was seen of a mine, year by year; arrays float64, dims (year,), NaN = not seen.

    ``value`` is mean NBR, freed of what the reference ring did in the same year; ``canopy`` mean
    canopy cover, 0-1; ``trees`` share of the ground that is mapped as trees, 0-1; ``bare`` the bare
    share, 0-1; ``new_bare_m2`` ground that lies bare and did not when last seen.
    """

    years: tuple[int, ...]
    value: Array
    canopy: Array
    trees: Array
    bare: Array
    new_bare_m2: Array


@dataclass(frozen=True, slots=True)
class Verdict:
    """A status, the year restoration began (None: not seen to begin), and why, in two languages."""

    status: MineStatus
    start: int | None
    why: str
    why_zh: str


def opening_of(course: Course) -> int | None:
    """
    Year in which a site was opened, as seen: NBR fell by 0.15 or more and ground was laid bare.

    None where it never was, or lay bare before: what falls then was opened earlier.
    """
    seen = np.flatnonzero(~np.isnan(course.value))
    for before, now in pairwise(seen):
        if course.bare[before] >= _BARE_SITE:
            return None
        fell = course.value[before] - course.value[now] >= _FALL
        if fell and course.new_bare_m2[now] >= NEW_BARE_M2:
            return course.years[now]
    return None


def start_of(course: Course, opened: int | None) -> int | None:
    """
    Year in which a recovery began: the last low before NBR rose by 0.10 and kept half of it.

    None where it never did.
    """
    places = [
        at
        for at, year in enumerate(course.years)
        if (opened is None or year >= opened) and not np.isnan(course.value[at])
    ]
    for number, at in enumerate(places):
        so_far = course.value[places[: number + 1]]
        low = so_far.min()
        kept = number + 1 == len(places) or course.value[places[number + 1]] >= low + _RISE / 2
        if course.value[at] >= low + _RISE and kept:
            return course.years[places[int(np.flatnonzero(so_far <= low + _RISE / 4)[-1])]]
    return None


def slope_interval(years: Sequence[int], values: Array) -> tuple[float, float, float]:
    """
    Slope of the last five seen years with its 95 % interval, by ordinary least squares.

    Returns
    -------
    (float, float, float)
        Slope, low, high, per year; NaN with fewer than three years seen.
    """
    seen = ~np.isnan(values)
    t, v = np.asarray(years, np.float64)[seen][-_TREND_YEARS:], values[seen][-_TREND_YEARS:]
    if len(v) < _TREND_LEAST:
        return (np.nan, np.nan, np.nan)
    fit = stats.linregress(t, v)
    reach = float(stats.t.ppf(0.975, len(v) - 2) * fit.stderr)
    return float(fit.slope), float(fit.slope) - reach, float(fit.slope) + reach


def judge(course: Course, target: float, *, opened: int | None, start: int | None) -> Verdict:
    """
    Judge a mine in the last year it was seen.

    Parameters
    ----------
    course : Course
    target : float
        V*, in NBR; NaN = no target, so that recovery cannot be judged.
    opened, start : int, optional
        Years of opening and of the start of restoration, as reported or as :func:`opening_of` and
        :func:`start_of` find them.

    Returns
    -------
    Verdict
        In this order: relapsed (was restored and fell below 70 % of the target, or greened and is
        bare again), active (bare, and never seen to recover; or new bare ground), restored (three
        years after the start or later: two of three years hold 80 % of the target and, where they
        are known, a canopy of 0.20 and trees on half of the ground: grass is green, but no forest),
        stalled (from the fourth year seen after the start on, below the goal: the interval of the
        slope of NBR in the years after the start in which the ground was green covers 0: that it
        greened is no trend), recovering.
    """
    seen = np.flatnonzero(~np.isnan(course.value) | ~np.isnan(course.bare))
    if seen.size == 0:
        return _verdict(MineStatus.UNKNOWN, start, "never seen clear", "无晴空观测")
    last = int(seen[-1])
    since = _since(course, start or opened)
    held = _held(course, since, target)
    relapse = _relapse(course, since, last, None if held is None else (held, KEPT * target))
    if relapse is None and start is not None:
        relapse = _bare_again(course, since, last)
    if relapse is not None:
        return _verdict(MineStatus.RELAPSED, start, *relapse)
    at_work = _at_work(course, start, last)
    if at_work is not None:
        return _verdict(MineStatus.ACTIVE, start, *at_work)
    if np.isnan(target):
        return _verdict(MineStatus.UNKNOWN, start, "no reference", "无参照植被")
    if held is not None and _of_age(course.years[last], start):
        year = course.years[held]
        return _verdict(
            MineStatus.RESTORED, start, f"holds the goal since {year}", f"{year} 年起持续达标"
        )
    return _under_way(course, start or opened, start)


def _of_age(year: int, start: int | None) -> bool:
    return start is None or year - start >= _GROWN_AGE


def _at_work(course: Course, start: int | None, last: int) -> tuple[str, str] | None:
    """Say why a mine is taken to be in use; None where it is not."""
    if start is None and course.bare[last] >= _BARE_SITE:
        share = f"{course.bare[last]:.0%}"
        return f"{share} bare, no recovery seen", f"裸露 {share}，未见恢复"
    if course.new_bare_m2[last] >= NEW_BARE_M2:
        size = f"{course.new_bare_m2[last]:.0f} m²"
        return f"{size} newly bare", f"当年新增裸露 {size}"
    return None


def _since(course: Course, year: int | None) -> NDArray[np.intp]:
    """Positions of the years from one on; of all years where that one was not seen."""
    return np.flatnonzero(np.asarray(course.years) >= (year or course.years[0]))


def _held(course: Course, since: NDArray[np.intp], target: float) -> int | None:
    """Position of the first year from which on the site was forest again; None where it was not."""
    if np.isnan(target):
        return None
    wooded = np.isnan(course.canopy) | (course.canopy >= FOREST_CANOPY)
    wooded &= np.isnan(course.trees) | (course.trees >= _MOSTLY)
    forest = np.where(wooded, course.value, -np.inf)[since]
    found = first_sustained(np.where(np.isnan(course.value[since]), np.nan, forest), GOAL * target)
    return None if found is None else int(since[found])


def _relapse(
    course: Course, since: NDArray[np.intp], last: int, held: tuple[int, float] | None
) -> tuple[str, str] | None:
    """Say why a mine has relapsed; None where it has not."""
    if held is not None and course.value[last] < held[1]:
        year = course.years[held[0]]
        return (
            f"held the goal in {year} and fell below 70 % of the target",
            f"{year} 年曾达标，现低于目标的 70%",
        )
    greened = since.size > 1 and course.bare[since[0]] >= _BARE_SITE
    if greened and np.nanmin(course.bare[since]) <= course.bare[since[0]] - _BARE_AGAIN:
        return _bare_again(course, since, last)
    return None


def _bare_again(course: Course, since: NDArray[np.intp], last: int) -> tuple[str, str] | None:
    """Say by how much the bare share grew from its least; None where it did not."""
    grown = course.bare[last] - _least(course.bare[since])
    if grown >= _BARE_AGAIN:
        return f"bare share up by {grown:.0%} again", f"裸露占比回升 {grown:.0%}"
    return None


def _least(values: Array) -> float:
    known = values[~np.isnan(values)]
    return float(known.min()) if known.size else np.nan


def _under_way(course: Course, began: int | None, start: int | None) -> Verdict:
    """Tell a recovery that goes on from one that has stopped, once the first green has come."""
    years = np.asarray(course.years)
    after = (years > (began or 0)) & ~np.isnan(course.value)
    if after.sum() < _WATCHED_YEARS:
        en, zh = "fewer than four years seen", "恢复起始后有效观测不足四年，仍在观察"
        return _verdict(MineStatus.RECOVERING, start, en, zh)
    green = after & ~(course.bare >= _BARE_SITE)
    slope, low, high = slope_interval(years[green].tolist(), course.value[green])
    if np.isnan(slope):
        en, zh = "green for fewer than three years", "见绿不足三年，仍在观察"
        return _verdict(MineStatus.RECOVERING, start, en, zh)
    told = f"{slope:+.3f} ({low:+.3f} ~ {high:+.3f})"
    told_zh = f"年变化 {slope:+.3f}（{low:+.3f} ~ {high:+.3f}）"
    if low <= 0:
        en, zh = f"no rise of NBR beyond doubt: {told} a year", f"NBR 无显著上升：{told_zh}"
        return _verdict(MineStatus.STALLED, start, en, zh)
    en, zh = f"NBR rises by {told} a year", f"NBR 上升：{told_zh}"
    return _verdict(MineStatus.RECOVERING, start, en, zh)


def _verdict(status: MineStatus, start: int | None, why: str, why_zh: str) -> Verdict:
    return Verdict(status, start, why, why_zh)
