"""Names, dtypes, units, no-data and classes of everything the house passes on."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import xarray as xr

from jinhua_rs.errors import ContractError
from jinhua_rs.scene import BAND_NAMES
from jinhua_rs.schema.indicators import INDICATORS, ROW_COLUMNS, IndicatorInfo, Status, rows

__all__ = [
    "APPLICABLE_CLASSES",
    "CHANGE_CLASSES",
    "FOREST_CANOPY",
    "FOREST_CLASSES",
    "INDICATORS",
    "LAND_CLASSES",
    "ROW_COLUMNS",
    "TREE_CLASSES",
    "TREND_CLASSES",
    "VARIABLES",
    "WINDOW_CLASSES",
    "Applicable",
    "Change",
    "ClassInfo",
    "Forest",
    "IndicatorInfo",
    "Land",
    "Slope",
    "Status",
    "Variable",
    "Window",
    "check",
    "described",
    "rows",
]

FOREST_CANOPY = 0.20
"""Canopy cover from which ground counts as tree-covered (郁闭度 ≥ 0.20)."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An array that crosses a door: its dtype, unit, valid range and what empty means."""

    name: str
    dtype: str
    units: str
    low: float
    high: float
    empty: str
    meaning: str
    meaning_zh: str


def _reflectance(name: str) -> Variable:
    return Variable(
        name,
        "float32",
        "1",
        -0.2,
        2.0,
        "NaN",
        f"surface reflectance, {name}",
        f"地表反射率（{name}）",
    )


def _index(name: str, meaning: str, meaning_zh: str) -> Variable:
    return Variable(name, "float32", "1", -1.0, 1.0, "NaN", meaning, meaning_zh)


def _probability(code: int) -> Variable:
    return Variable(
        f"p{code}",
        "uint8",
        "1/250",
        0,
        250,
        "255",
        f"probability of land-cover class {code}",
        f"土地覆盖类别 {code} 的概率",
    )


def _percentile(index: str, percent: int) -> Variable:
    return _index(
        f"{index}_p{percent}",
        f"percentile {percent} of {index.upper()} over the clear looks",
        f"晴空观测 {index.upper()} 的第 {percent} 百分位",
    )


_FEATURES: tuple[tuple[str, str, float, float, str, str], ...] = (
    ("mtci", "1", -8, 8, "chlorophyll index (red, rededge1, rededge2)", "陆地叶绿素指数"),
    ("nir_sd", "1", 0, 2, "standard deviation of nir in 5 x 5 pixels", "5×5 窗口近红外标准差"),
    ("nir_relief", "1", -2, 2, "nir less its mean in 5 x 5 pixels", "近红外与 5×5 窗口均值之差"),
    ("elevation", "m", -500, 9000, "height above the sea", "海拔"),
    ("slope", "degree", 0, 90, "slope of the ground", "坡度"),
    ("northness", "1", -1, 1, "northward part of the ground's unit normal", "坡面法向量北向分量"),
    ("eastness", "1", -1, 1, "eastward part of the ground's unit normal", "坡面法向量东向分量"),
)
"""Features that are no band, index or spread: name, unit, range and meaning."""


def _watched() -> tuple[Variable, ...]:
    """Return what the watch says of a pixel, then what it remembers (empty = not watched)."""
    days = ("d", -30_000, 60_000, "0")
    return (
        Variable("alert", "uint8", "class", 0, 3, "0", "alert of the watch", "监测预警"),
        Variable("alert_confidence", "uint8", "class", 0, 3, "0", "confidence", "预警置信度"),
        Variable(
            "alert_day",
            "int32",
            *days,
            "first anomalous look, days since 1970-01-01",
            "首次异常观测日（自 1970-01-01 起的天数）",
        ),
        Variable(
            "alert_last",
            "int32",
            *days,
            "last look that confirms it, days since 1970-01-01",
            "最近一次印证日（同上）",
        ),
        Variable("alert_cause", "uint8", "class", 0, 27, "0", "cause, or explanation", "预警原因"),
        Variable("alert_size", "float32", "1", -2, 2, "NaN", "NDVI off its course", "NDVI 偏离"),
        Variable("n_looks", "uint16", "count", 0, 65535, "0", "looks watched", "监测观测次数"),
        Variable("alert_run", "uint8", "class", 0, 3, "0", "anomaly that runs", "进行中的异常"),
        Variable("alert_hits", "uint8", "count", 0, 255, "0", "looks that confirm", "印证次数"),
        Variable("alert_calm", "uint8", "count", 0, 255, "0", "looks against it", "未印证次数"),
        Variable(
            "last_look",
            "int32",
            *days,
            "last look that counted, days since 1970-01-01",
            "最近一次有效观测日（同上）",
        ),
        Variable("alert_prior", "uint8", "class", 0, 10, "0", "class before", "变化前类别"),
        Variable("history", "float32", "1", -3.2, 3.2, "NaN", "usual course", "历史常态系数"),
        Variable("history_spread", "float32", "1", 0, 3.2, "NaN", "its deviation", "常态离差"),
        Variable("history_looks", "uint16", "count", 0, 65535, "0", "its looks", "常态观测次数"),
    )


VARIABLES: dict[str, Variable] = {
    variable.name: variable
    for variable in (
        *map(_reflectance, BAND_NAMES),
        Variable("scl", "uint8", "class", 0, 11, "0", "Sen2Cor scene classification", "场景分类"),
        Variable(
            "n_clear",
            "uint16",
            "count",
            0,
            65535,
            "never empty; 0 = never seen clear",
            "clear looks that the pixel's composite is made of",
            "像元合成所用的晴空观测次数",
        ),
        Variable(
            "window", "uint8", "class", 0, 2, "0", "days that the looks are from", "观测所用的时窗"
        ),
        Variable("smad", "float32", "1", 0, 2, "NaN", "spectral (cosine) MAD", "光谱角绝对偏差"),
        Variable("emad", "float32", "1", 0, 10, "NaN", "Euclidean MAD", "欧氏绝对偏差"),
        Variable("bcmad", "float32", "1", 0, 1, "NaN", "Bray-Curtis MAD", "Bray-Curtis 绝对偏差"),
        *(_percentile(index, at) for index in ("ndvi", "nbr", "ndmi") for at in (10, 50, 90)),
        _index("ndvi", "normalised difference vegetation index", "归一化植被指数"),
        _index("nbr", "normalised burn ratio (nir08, swir22)", "归一化燃烧指数"),
        _index("ndmi", "normalised difference moisture index (nir08, swir16)", "归一化水分指数"),
        _index("ndre", "normalised difference red edge (nir08, rededge1)", "归一化红边指数"),
        _index("bsi", "bare soil index (swir16, red, nir, blue)", "裸土指数"),
        _index("ndwi", "normalised difference water index (green, nir)", "归一化水体指数"),
        *(Variable(n, "float32", u, lo, hi, "NaN", en, zh) for n, u, lo, hi, en, zh in _FEATURES),
        Variable("landcover", "uint8", "class", 0, 10, "0", "land-cover class", "土地覆盖类别"),
        Variable("confidence", "float32", "1", 0, 1, "NaN", "probability of the class", "类别概率"),
        *(_probability(code) for code in range(1, 11)),
        Variable("canopy", "float32", "1", 0, 1, "NaN", "tree canopy cover", "林冠覆盖度"),
        Variable(
            "forest", "uint8", "class", 0, 2, "0", "tree cover, canopy ≥ 0.20", "树冠覆盖 ≥ 20%"
        ),
        Variable(
            "applicable",
            "uint8",
            "class",
            0,
            2,
            "0",
            "ground like or unlike the training samples",
            "地物与训练样本是否相似",
        ),
        Variable(
            "steps",
            "uint8",
            "class",
            0,
            16,
            "0",
            "tree cover after each step of refinement",
            "后处理各步之后的林木覆盖",
        ),
        Variable(
            "change", "uint8", "class", 0, 4, "0", "forest change between periods", "林地变化"
        ),
        Variable("reason", "uint8", "class", 0, 27, "0", "reason of the change", "变化原因"),
        Variable(
            "change_confidence", "uint8", "class", 0, 3, "0", "confidence of it", "变化置信度"
        ),
        *_watched(),
        Variable(
            "trend_slope", "float32", "1/yr", -3.2, 3.2, "NaN", "median change a year", "每年变化"
        ),
        Variable("trend_p", "float32", "1", 0, 1, "NaN", "p of the trend", "趋势检验 p 值"),
        Variable("trend", "uint8", "class", 0, 3, "0", "trend over the years", "历年趋势"),
    )
}


class Land(IntEnum):
    """Land-cover classes; 0 is "not seen"."""

    UNSEEN = 0
    EVERGREEN_BROADLEAF = 1
    CONIFER = 2
    DECIDUOUS = 3
    BAMBOO = 4
    SHRUB = 5
    ORCHARD = 6
    CROPLAND = 7
    BUILT = 8
    BARE = 9
    WATER = 10


TREE_CLASSES = (Land.EVERGREEN_BROADLEAF, Land.CONIFER, Land.DECIDUOUS, Land.BAMBOO)


class Window(IntEnum):
    """Days that a pixel's looks are from; 0 is "not seen"."""

    UNSEEN = 0
    OWN = 1
    WIDENED = 2


class Forest(IntEnum):
    """Tree cover; 0 is "not seen"."""

    UNSEEN = 0
    OTHER = 1
    FOREST = 2


class Applicable(IntEnum):
    """Whether the model has learnt from ground of this kind; 0 is "not seen"."""

    UNSEEN = 0
    UNLIKE = 1
    LIKE = 2


class Slope(IntEnum):
    """Trend of a pixel over the years; 0 is "too few years seen"."""

    UNSEEN = 0
    FALLING = 1
    NONE = 2
    RISING = 3


class Change(IntEnum):
    """Tree cover of two periods; 0 is "not seen in one of them"."""

    UNSEEN = 0
    STABLE_OTHER = 1
    GAIN = 2
    LOSS = 3
    STABLE_FOREST = 4


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """How a class is called and drawn; ``color`` is ``#rrggbb``."""

    code: int
    name: str
    name_zh: str
    color: str


LAND_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "evergreen broadleaf", "常绿阔叶林", "#1b6b3a"),
    ClassInfo(2, "conifer", "针叶林", "#0f4d3f"),
    ClassInfo(3, "deciduous", "落叶阔叶林", "#5fa04e"),
    ClassInfo(4, "bamboo", "竹林", "#9ccb5a"),
    ClassInfo(5, "shrub, tea, oil-camellia", "灌木/茶/油茶", "#c6b65a"),
    ClassInfo(6, "orchard", "果园", "#e3a24f"),
    ClassInfo(7, "cropland", "耕地", "#f3e6a2"),
    ClassInfo(8, "built-up", "建设用地", "#b0413e"),
    ClassInfo(9, "bare, mine", "裸地/矿山", "#a08679"),
    ClassInfo(10, "water", "水域", "#4a90c2"),
)
WINDOW_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "looks of the period", "本期观测", "#9fc5a8"),
    ClassInfo(2, "widened: days around the period too", "放宽时窗（含前后观测）", "#e8a33d"),
)
FOREST_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "other land", "非林地", "#efeadf"),
    ClassInfo(2, "tree cover", "林木覆盖", "#2e7d46"),
)
APPLICABLE_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "unlike anything in training", "与训练样本均不相似", "#c4562f"),
    ClassInfo(2, "like training samples", "与训练样本相似", "#dfe6e2"),
)
TREND_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "falling", "下降", "#b5532c"),
    ClassInfo(2, "no trend found", "未检出显著趋势", "#efeadf"),
    ClassInfo(3, "rising", "上升", "#2e7d46"),
)
CHANGE_CLASSES: tuple[ClassInfo, ...] = (
    ClassInfo(1, "stable other land", "稳定非林地", "#efeadf"),
    ClassInfo(2, "tree-cover gain", "林木增加", "#2f6fd0"),
    ClassInfo(3, "tree-cover loss", "林木减少", "#d1342b"),
    ClassInfo(4, "stable tree cover", "稳定林木", "#b9d3b0"),
)


def described(array: xr.DataArray, name: str) -> xr.DataArray:
    """Give an array its name, dtype and fresh attributes from the schema (never inherited ones)."""
    variable = VARIABLES[name]
    array = array.astype(variable.dtype).rename(name)
    array.attrs = {"units": variable.units, "long_name": variable.meaning}
    return array


def check(data: xr.Dataset, *names: str) -> xr.Dataset:
    """
    Pass ``data`` on if it holds ``names`` with the dtype and unit of the schema.

    Raises
    ------
    ContractError
        Naming the first variable that is missing or of another dtype.
    """
    for name in names:
        if name not in data:
            raise ContractError(
                f"{name!r} is missing, found {sorted(map(str, data.data_vars))}",
                zh=f"缺少变量 {name!r}",
            )
        if data[name].dtype != np.dtype(VARIABLES[name].dtype):
            raise ContractError(
                f"{name!r} must be {VARIABLES[name].dtype}, got {data[name].dtype}",
                zh=f"变量 {name!r} 的类型应为 {VARIABLES[name].dtype}，实为 {data[name].dtype}",
            )
    return data
