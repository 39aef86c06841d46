"""What staff call things: kinds, tiers, confidence, states, reasons, in both languages."""

from collections.abc import Mapping
from enum import StrEnum

__all__ = ["CONFIDENCE", "KINDS", "REASONS", "RELATIONS", "ROLES", "TIERS", "State"]

Words = Mapping[str, tuple[str, str]]
"""Name to what it is called in Chinese and English."""

KINDS: Words = {"loss": ("林木减少", "tree-cover loss"), "gain": ("林木增加", "tree-cover gain")}
TIERS: Words = {
    "candidate": ("候选", "candidate"),
    "reportable": ("可上报", "reportable"),
    "priority": ("优先", "priority"),
}
CONFIDENCE: Mapping[int, tuple[str, str]] = {
    0: ("未知", "not known"),
    1: ("低", "low"),
    2: ("高", "high"),
    3: ("最高", "highest"),
}
RELATIONS: Words = {
    "new": ("新增", "new"),
    "same": ("不变", "same"),
    "growth": ("扩大", "growth"),
    "shrink": ("缩小", "shrink"),
    "split": ("分裂", "split"),
    "merge": ("合并", "merge"),
    "frozen": ("已处理，图形不变", "reviewed, outline kept"),
}


class State(StrEnum):
    """Where a patch stands in the work of people; its value is what staff call it."""

    OPEN = "待判"
    """Nobody has looked at it."""
    FIELD = "待核"
    """Sent to the field."""
    CONFIRMED = "确认"
    """Real, and what the reason says."""
    REJECTED = "排除"
    """No change that matters, for the reason told."""
    REPAIR = "整改"
    """To be put right by whoever did it."""
    CLOSED = "销号"
    """Put right and struck off."""

    @property
    def english(self) -> str:
        """English name."""
        return self.name.lower()


ROLES: Words = {
    "interpreter": ("判读员", "interpreter"),
    "inspector": ("核查员", "field inspector"),
    "auditor": ("审核员", "auditor"),
}
"""Who may act, as the user of the program states it."""

_YES, _NO = (State.CONFIRMED,), (State.REJECTED,)
REASONS: Mapping[str, tuple[str, str, tuple[State, ...]]] = {
    "felled": ("无证采伐", "felled without permit", _YES),
    "built": ("建设占用林地", "forest land built on", _YES),
    "mined": ("采矿采石", "quarrying", _YES),
    "tilled": ("毁林开垦", "cleared for farming", _YES),
    "hazard": ("火灾或其他灾害", "fire or other hazard", _YES),
    "planted": ("人工造林", "planted", _YES),
    "grown": ("自然更新", "natural return", _YES),
    "permitted": ("合法采伐", "felled with permit", (State.CONFIRMED, State.REJECTED)),
    "bamboo": ("竹林采伐或大小年", "bamboo harvest, on or off year", _NO),
    "not_forest": ("原非林地", "was no forest before", _NO),
    "season": ("季节物候", "season", _NO),
    "cloud": ("云或阴影", "cloud or shadow", _NO),
    "farming": ("农事耕作", "farming", _NO),
    "water": ("水位变化", "water level", _NO),
    "shift": ("配准偏差", "misregistration", _NO),
    "nothing": ("现地未变化", "no change on the ground", _NO),
}
"""Reason to what it is called in Chinese and English, and the states that it may be given for."""
