"""Decisions on scenes: one copy of every acquisition, then season, cloud and period."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from jinhua_rs.catalog.items import Candidate
from jinhua_rs.errors import ConfigError
from jinhua_rs.period import ZONE, Period
from jinhua_rs.scene import Scene, SceneDecision

__all__ = ["REASONS", "Rules", "collapse", "drop", "judge", "keep", "ordered", "rank"]

REASONS: Mapping[str, tuple[str, str]] = {
    "kept": ("used", "采用"),
    "spare": ("sound, from the days around the period", "时段前后的备用影像"),
    "cloud": ("too cloudy", "云量过高"),
    "season": ("outside the season", "不在所选季节"),
    "area": ("outside the area", "不在监测范围内"),
    "duplicate": ("older copy of the same acquisition", "同一次成像的旧版本"),
    "ghost": ("listed, but its files cannot be had", "有条目而无文件"),
    "certificate": ("set aside after measurement", "质量检验不合格"),
    "damaged": ("damaged or incomplete item", "元数据残缺或有误"),
}
"""Code of a decision to its English and Chinese name, in the order in which they are listed."""

_SAME_INSTANT = timedelta(minutes=1)
_SAME_PLACE = 0.9
"""Copies whose outlines share this much of their union show the same ground."""
_COVERED = 0.99
"""An older copy is needless where the newer one covers this share of it."""
_LONGEST_MARGIN = 366
_VERDICTS = ("kept", "spare", "dropped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """
    What is asked of a sound scene.

    Attributes
    ----------
    max_cloud : float
        Scenes with more cloud are dropped, percent.
    margin_days : int
        Days before and after the period that are searched too, for spare scenes.
    season : tuple of str
        First and last day of the year, ``("10-01", "12-31")``, in Asia/Shanghai; it may run
        over the new year. Empty is all the year.

    Raises
    ------
    ConfigError
        If the margin or the season makes no sense.
    """

    max_cloud: float = 100.0
    margin_days: int = 0
    season: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.margin_days <= _LONGEST_MARGIN:
            raise ConfigError(
                f"the days around the period must be 0 to {_LONGEST_MARGIN}, got "
                f"{self.margin_days}; mend [composite] widen_days",
                zh=f"时段前后天数应为 0 至 {_LONGEST_MARGIN}，现为 {self.margin_days}；"
                "请修改 [composite] widen_days",
            )
        if len(self.season) not in (0, 2) or not all(map(_is_day, self.season)):
            raise ConfigError(
                f"a season is a first and a last day of the year such as 10-01 and 12-31, got "
                f"{list(self.season)}; mend [composite] season",
                zh=f"季节应写首末两天，如 10-01 与 12-31，现为 {list(self.season)}；"
                "请修改 [composite] season",
            )

    def window(self, period: Period) -> tuple[datetime, datetime]:
        """
        First instant that is searched and first one after it, in UTC.

        >>> [f"{end:%Y-%m-%dT%H}" for end in Rules(margin_days=30).window(Period(2024, 4))]
        ['2024-08-31T16', '2025-01-30T16']
        """
        margin = timedelta(days=self.margin_days)
        return (period.start - margin).astimezone(UTC), (period.stop + margin).astimezone(UTC)

    def in_season(self, day: date) -> bool:
        """
        Tell whether a day lies in the season, both ends included.

        >>> winter = Rules(season=("12-01", "02-29"))
        >>> winter.in_season(date(2024, 1, 15)), winter.in_season(date(2024, 3, 1))
        (True, False)
        """
        if not self.season:
            return True
        first, last = self.season
        today = f"{day:%m-%d}"
        return first <= today <= last if first <= last else today >= first or today <= last


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(f"2024-{text}")  # a leap year: 29 February is a day
    except ValueError:
        return False
    return re.fullmatch(r"[0-9]{2}-[0-9]{2}", text) is not None


def keep(scene: Scene) -> SceneDecision:
    """Decide for a scene."""
    return SceneDecision(scene.id, "kept", REASONS["kept"][0], scene, "kept", REASONS["kept"][1])


def drop(
    identity: str, code: str, *, detail: str = "", detail_zh: str = "", scene: Scene | None = None
) -> SceneDecision:
    """Decide against an item, by a code of :data:`REASONS`; without ``detail`` the code's name."""
    english, chinese = REASONS[code]
    return SceneDecision(
        identity, "dropped", detail or english, scene, code, detail_zh or detail or chinese
    )


def judge(scene: Scene, period: Period, rules: Rules) -> SceneDecision:
    """
    Decide on a scene that is the best copy of its acquisition: season, cloud, period.

    A scene belongs to exactly one quarter, ``start <= t < stop``: outside of ``period`` a sound
    one is spare, never kept. Unknown cloud cover is no reason to drop.
    """
    day = scene.acquired.astimezone(ZONE).date()
    if not rules.in_season(day):
        span = " – ".join(rules.season)
        return drop(
            scene.id,
            "season",
            detail=f"{day} is outside the season {span}",
            detail_zh=f"{day} 不在所选季节（{span}）",
            scene=scene,
        )
    if scene.cloud > rules.max_cloud:
        return drop(
            scene.id,
            "cloud",
            detail=f"cloud cover {scene.cloud:.1f} % > {rules.max_cloud:g} %",
            detail_zh=f"云量 {scene.cloud:.1f}% 超过 {rules.max_cloud:g}%",
            scene=scene,
        )
    if period.contains(scene.acquired):
        return keep(scene)
    english, chinese = REASONS["spare"]
    return SceneDecision(scene.id, "spare", english, scene, "spare", chinese)


def collapse(candidates: Iterable[Candidate]) -> tuple[SceneDecision, ...]:
    """
    Keep one copy of every acquisition: the newest baseline, then processing, then sequence.

    Copies are scenes of one tile and one datatake (or one platform within a minute) that
    show the same ground; strips of one datatake that show different ground are both kept.
    """
    chosen: dict[str, list[Candidate]] = {}
    decisions = []
    for one in sorted(candidates, key=rank, reverse=True):
        there = chosen.setdefault(one.scene.tile, [])
        better = next((other for other in there if _supersedes(other, one)), None)
        if better is None:
            there.append(one)
            decisions.append(keep(one.scene))
            continue
        newer, older = better.scene, one.scene
        decisions.append(
            drop(
                older.id,
                "duplicate",
                detail=f"replaced by {newer.id} (baseline {older.baseline} -> {newer.baseline})",
                detail_zh=f"由 {newer.id} 取代（处理基线 {older.baseline} → {newer.baseline}）",
                scene=older,
            )
        )
    return tuple(decisions)


def rank(one: Candidate) -> tuple[str, str, int, str]:
    """Sort key of copies of one acquisition, the best one last."""
    return one.scene.baseline, one.lineage.processed, one.lineage.sequence, one.scene.id


def _supersedes(newer: Candidate, older: Candidate) -> bool:
    """Tell whether the better one of two scenes of one tile makes the other needless."""
    first, second = newer.scene, older.scene
    same_take = bool(newer.lineage.datatake) and newer.lineage.datatake == older.lineage.datatake
    same_look = (
        first.platform == second.platform and abs(first.acquired - second.acquired) <= _SAME_INSTANT
    )
    if not (same_take or same_look):
        return False
    common = first.footprint.intersection(second.footprint).area
    union = first.footprint.area + second.footprint.area - common
    return bool(common >= _SAME_PLACE * union or common >= _COVERED * second.footprint.area)


def ordered(decisions: Iterable[SceneDecision]) -> tuple[SceneDecision, ...]:
    """Sort decisions: kept, spare, dropped, each by acquisition and id."""
    return tuple(sorted(decisions, key=_order))


def _order(one: SceneDecision) -> tuple[int, str, str, str]:
    acquired = one.scene.acquired.isoformat() if one.scene else ""
    return _VERDICTS.index(one.verdict), acquired, one.id, one.reason
