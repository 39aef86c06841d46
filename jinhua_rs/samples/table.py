"""The one form of a sample: a place, what stands there, when, and who says so."""

from collections.abc import Mapping
from dataclasses import dataclass

import geopandas as gpd

from jinhua_rs.schema import LAND_CLASSES, Land

__all__ = ["ASIDE", "COLUMNS", "CONFIDENCES", "SampleSet", "class_code"]

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "编号"),
    "class": ("class", "类别", "地类"),
    "canopy": ("canopy", "郁闭度", "林冠覆盖度"),
    "date": ("date", "日期"),
    "period": ("period", "时段"),
    "source": ("source", "来源"),
    "interpreter": ("interpreter", "解译人", "调查人"),
    "confidence": ("confidence", "可信度"),
    "group": ("group", "组"),
    "simulated": ("simulated",),
}
"""
Columns of a sample by the names under which they are found, in any case. All others are kept as
they are.

``class`` is a :class:`~jinhua_rs.schema.Land` code or name, ``canopy`` a share 0-1 and
``confidence`` 1 (a guess), 2 (fair) or 3 (sure). Samples of one ``group`` (a polygon, a patch) are
never parted between training and test.
"""

CONFIDENCES = (1, 2, 3)

ASIDE: Mapping[str, tuple[str, str]] = {
    "unplaced": ("have no usable place", "个没有有效位置"),
    "outside": ("lie outside the area", "个在区域之外"),
    "narrow": (
        "polygons hold no pixel that lies wholly inside",
        "个多边形过窄，不含完整的内部像元",
    ),
    "unlabelled": ("say neither class nor canopy", "个既无类别也无郁闭度"),
    "repeated": ("repeat another one", "个与其他样本重复"),
    "contradictory": (
        "contradict another one in the same pixel at the same time",
        "个与同一像元、同一时间的其他样本矛盾",
    ),
}
"""Why a sample is set aside: code to its wording."""


@dataclass(frozen=True, slots=True, eq=False)
class SampleSet:
    """
    Samples that were read, and what became of those that cannot be used.

    Attributes
    ----------
    frame : GeoDataFrame
        Points in the CRS of the grid: ``class`` (float, Land code, NaN = not known), ``canopy``
        (0-1, NaN = not known), ``confidence`` (float, NaN = not said), ``group`` (text, ``""`` =
        stands for itself), further columns as supplied.
    aside : GeoDataFrame
        The others, with ``why`` (see :data:`ASIDE`) beside.
    remarks : tuple of (str, str)
        What staff should know, in English and Chinese.
    """

    frame: gpd.GeoDataFrame
    aside: gpd.GeoDataFrame
    remarks: tuple[tuple[str, str], ...] = ()

    @property
    def simulated(self) -> bool:
        """True where any sample says that it was made, not seen."""
        return "simulated" in self.frame and bool(self.frame["simulated"].any())


def class_code(text: str) -> float | None:
    """
    Code of a class by code or name; NaN where it says nothing, None where it is unknown.

    >>> class_code("4"), class_code("竹林"), class_code("Bamboo"), class_code("0"), class_code("x")
    (4.0, 4.0, 4.0, nan, None)
    """
    return _CODES.get(text.strip().casefold().removesuffix(".0"))


_CODES: Mapping[str, float] = {
    **{
        name.casefold(): float(info.code)
        for info in LAND_CLASSES
        for name in (str(info.code), info.name, info.name_zh, Land(info.code).name)
    },
    **dict.fromkeys(("", "0", "nan", "未知"), float("nan")),
}
