"""Why ground changed, or only seemed to: codes of alerts and of annual change, with their names."""

from enum import IntEnum

from jinhua_rs.schema import ClassInfo

__all__ = [
    "ALERT_CLASSES",
    "CAUSE_CLASSES",
    "CONFIDENCE_CLASSES",
    "EVIDENCE_CLASSES",
    "NULLS",
    "Alert",
    "Cause",
]


class Alert(IntEnum):
    """What the watch says of a pixel; 0 is "not seen, or not watched"."""

    UNSEEN = 0
    NONE = 1
    LOSS = 2
    GAIN = 3


class Cause(IntEnum):
    """
    Why; 0 is "nothing happened, or not told".

    Codes below 20 are real changes. From 20 on they are explanations without any change (null
    models): what they explain is no alert.
    """

    NONE = 0
    FELLING = 1
    CONSTRUCTION = 2
    MINING = 3
    BAMBOO_HARVEST = 4
    FARMING = 5
    CLEARED = 6
    OTHER_LOSS = 7
    PLANTING = 11
    NATURAL_RETURN = 12
    RESTORATION = 13
    GREENING = 14
    BAMBOO_CYCLE = 21
    PRUNING = 22
    CROP = 23
    SHADE = 24
    FLOOD = 25
    CLOUD = 26
    SCENE_FAULT = 27


NULLS = tuple(cause for cause in Cause if cause >= Cause.BAMBOO_CYCLE)
"""Explanations that an alert must beat."""

ALERT_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "watched, no alert", "已监测，无预警", "#e4e8dc"),
    ClassInfo(2, "loss of vegetation", "植被减少预警", "#d1342b"),
    ClassInfo(3, "gain of vegetation", "植被增加预警", "#2f6fd0"),
)
CONFIDENCE_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "low: seen once", "低（1 次观测）", "#f6c667"),
    ClassInfo(2, "high: confirmed once", "高（2 次独立观测）", "#ee7b30"),
    ClassInfo(3, "highest: confirmed twice or more", "最高（3 次及以上）", "#b3001b"),
)
EVIDENCE_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "two maps alone", "低（仅两期对比）", "#f6c667"),
    ClassInfo(2, "borne out once", "高（另有一项印证）", "#ee7b30"),
    ClassInfo(3, "borne out by a year between and by the watch", "最高（两项印证）", "#b3001b"),
)
CAUSE_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "felling", "林木采伐", "#d1342b"),
    ClassInfo(2, "construction", "建设占用", "#7d3c98"),
    ClassInfo(3, "mining", "采矿占用", "#6b4a2b"),
    ClassInfo(4, "bamboo harvest", "竹林采伐", "#e3a24f"),
    ClassInfo(5, "conversion to farmland", "林地转为耕地", "#e8c33d"),
    ClassInfo(6, "ground laid bare, use not known yet", "地表裸露（用途待判）", "#a0522d"),
    ClassInfo(7, "other loss of vegetation", "其他植被减少", "#f08a84"),
    ClassInfo(11, "planting", "人工造林", "#1f78b4"),
    ClassInfo(12, "natural return", "自然恢复", "#5fa8d3"),
    ClassInfo(13, "restoration of a mine", "矿山复绿", "#2a9d8f"),
    ClassInfo(14, "other gain of vegetation", "其他植被增加", "#8ecae6"),
    ClassInfo(21, "bamboo: on/off year, leaf change", "竹林大小年或换叶", "#cfd8a4"),
    ClassInfo(22, "pruning of tea or orchards", "茶园修剪、果园管护", "#d9cfa6"),
    ClassInfo(23, "crop phenology or rotation", "农作物物候或轮作", "#efe3b0"),
    ClassInfo(24, "terrain shadow", "地形阴影", "#9aa0a6"),
    ClassInfo(25, "flood", "水淹", "#9fc9e8"),
    ClassInfo(26, "haze or cloud left in the mask", "残云或薄雾", "#d5d5d5"),
    ClassInfo(27, "fault of a whole scene", "整景影像异常", "#bdbdbd"),
)
