"""Sifting samples: what lies outside, repeats or contradicts is set aside; what is thin is told."""

from collections.abc import Iterator, Sequence

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.grid import Grid
from jinhua_rs.layers import shifted
from jinhua_rs.samples.table import ASIDE, SampleSet
from jinhua_rs.schema import FOREST_CANOPY, LAND_CLASSES, TREE_CLASSES

__all__ = ["ENOUGH", "by_class_and_unit", "sift"]

ENOUGH = 100
"""Samples of a class below which it is told: what HJ 1166-2021, appendix C, asks for."""

_NAMES = {info.code: info for info in LAND_CLASSES}
Remark = tuple[str, str]
Flags = npt.NDArray[np.bool_]


def sift(
    samples: SampleSet,
    grid: Grid,
    area: BaseGeometry,
    units: gpd.GeoDataFrame,
    *,
    check_datum: bool = True,
) -> SampleSet:
    """
    Set aside what cannot be used, and say what is thin.

    Of samples in one pixel at one time that say the same one is kept; if they say different
    things, all are set aside. Rows without date and period count as of one time.

    Parameters
    ----------
    samples : SampleSet
        As read.
    grid : Grid
        Says what one pixel is.
    area : BaseGeometry
        Outline in the CRS of the grid.
    units : GeoDataFrame
        Counties, index ``code``, with ``name_zh``, ``name_en`` and ``level``, in the CRS of the
        grid.
    check_datum : bool
        Refuse samples that fit into the area only when GCJ-02's shift is taken back.

    Returns
    -------
    SampleSet

    Raises
    ------
    NoDataError
        If nothing is left.
    ConfigError
        If the samples look like GCJ-02.
    """
    frame = samples.frame.reset_index(drop=True)
    _refuse_shifted(frame, area, check_datum=check_datum)
    why = np.full(len(frame), "", dtype=object)
    shapely.prepare(area)
    why[~shapely.intersects(area, frame.geometry.to_numpy())] = "outside"
    why[(why == "") & _mute(frame)] = "unlabelled"
    pixel = _pixels(frame, grid)
    same = frame.assign(pixel=pixel)[why == ""]
    time = [name for name in ("date", "period") if name in frame]
    said = [name for name in ("class", "canopy") if name in frame]
    repeated = same.duplicated(["pixel", *time, *said])
    unlike = same[~repeated].duplicated(["pixel", *time], keep=False)
    why[repeated.index[repeated]] = "repeated"
    why[unlike.index[unlike]] = "contradictory"
    kept = frame[why == ""].reset_index(drop=True)
    aside = pd.concat([samples.aside, frame[why != ""].assign(why=why[why != ""])])
    if kept.empty:
        raise _nothing(aside)
    remarks = (*samples.remarks, *_told_aside(aside), *_odd(kept), *_thin(kept, units))
    return SampleSet(kept, gpd.GeoDataFrame(aside, crs=grid.crs).reset_index(drop=True), remarks)


def by_class_and_unit(frame: gpd.GeoDataFrame, units: gpd.GeoDataFrame) -> pd.DataFrame:
    """
    Count samples.

    Returns
    -------
    DataFrame of int
        Rows are counties (index as ``units``, level ``county`` only), columns the class codes that
        occur anywhere.
    """
    counties = units[units["level"] == "county"] if "level" in units else units
    codes = sorted({int(code) for code in _classes(frame).dropna()})
    points = frame.geometry.to_numpy()
    shapely.prepare(counties.geometry.to_numpy())
    held = [shapely.intersects(shape, points) for shape in counties.geometry]
    is_class = [(_classes(frame) == code).to_numpy() for code in codes]
    numbers = [[int((there & of).sum()) for of in is_class] for there in held]
    return pd.DataFrame(numbers, index=counties.index, columns=codes)


def _classes(frame: gpd.GeoDataFrame) -> pd.Series:
    return frame["class"] if "class" in frame else pd.Series(np.nan, frame.index)


def _pixels(frame: gpd.GeoDataFrame, grid: Grid) -> list[tuple[float, float]]:
    at = np.floor(shapely.get_coordinates(frame.geometry.to_numpy()) / grid.resolution)
    return [(float(x), float(y)) for x, y in at]


def _mute(frame: gpd.GeoDataFrame) -> Flags:
    labels = [name for name in ("class", "canopy") if name in frame]
    mute: Flags = frame[labels].isna().to_numpy().all(axis=1)
    return mute


def _told_aside(aside: pd.DataFrame) -> Iterator[Remark]:
    counts = aside["why"].value_counts()
    for why, (en, zh) in ASIDE.items():
        if counts.get(why, 0):
            yield f"{counts[why]} samples {en}: set aside", f"{counts[why]} {zh}，未采用"


def _odd(frame: gpd.GeoDataFrame) -> Iterator[Remark]:
    """Say how many rows contradict themselves."""
    if "canopy" not in frame:
        return
    trees = _classes(frame).isin([int(code) for code in TREE_CLASSES])
    bare = int((trees & (frame["canopy"] < FOREST_CANOPY)).sum())
    if bare:
        yield (
            f"{bare} samples of a forest class have canopy below {FOREST_CANOPY:.2f}; look again",
            f"{bare} 个林地类样本的郁闭度低于 {FOREST_CANOPY:.2f}，请复核",
        )


def _thin(frame: gpd.GeoDataFrame, units: gpd.GeoDataFrame) -> Iterator[Remark]:
    """Say which classes are thin, and which a county lacks."""
    table = by_class_and_unit(frame, units)
    totals = _classes(frame).value_counts()
    codes = sorted(int(code) for code in totals.index)
    few = [(code, int(totals[code])) for code in codes if totals[code] < ENOUGH]
    if few:
        yield (
            f"fewer than {ENOUGH} samples: "
            + ", ".join(f"{_NAMES[code].name} {n}" for code, n in few),
            f"样本不足 {ENOUGH} 个：" + "、".join(f"{_NAMES[code].name_zh} {n}" for code, n in few),
        )
    names = units.reindex(table.index)[["name_en", "name_zh"]]
    named = {
        unit: (str(row.name_en) or str(row.name_zh), str(row.name_zh))
        for unit, row in names.iterrows()
    }
    empty = [named[unit] for unit in table.index[table.sum(axis=1) == 0]]
    if empty:
        yield (
            "no sample with a class in: " + ", ".join(en for en, _ in empty),
            "没有带类别样本的县（市、区）：" + "、".join(zh for _, zh in empty),
        )
    for unit, row in table[table.sum(axis=1) > 0].iterrows():
        missing = [int(code) for code in table.columns[row == 0]]
        if missing:
            yield (
                f"{named[unit][0]} has no sample of {_listed(missing, 'en')}",
                f"{named[unit][1]}没有这些类别的样本：{_listed(missing, 'zh')}",
            )


def _listed(codes: Sequence[int], language: str) -> str:
    if language == "zh":
        return "、".join(_NAMES[code].name_zh for code in codes)
    return ", ".join(_NAMES[code].name for code in codes)


def _refuse_shifted(frame: gpd.GeoDataFrame, area: BaseGeometry, *, check_datum: bool) -> None:
    found = shifted(frame, area) if check_datum and len(frame) else None
    if found is None:
        return
    raise ConfigError(
        f"{found[0]:.1%} of the samples lie outside the area, and {found[1]:.1%} would if moved "
        "440 m west and 305 m north: this looks like GCJ-02; convert them to CGCS2000, or set "
        "area.check_datum = false if it is meant so",
        zh=f"有 {found[0]:.1%} 的样本超出区域，而整体西移 440 米、北移 305 米后仅 {found[1]:.1%}，"
        "疑为 GCJ-02（火星坐标）；请转换为 CGCS2000，确需使用时设 area.check_datum = false",
    )


def _nothing(aside: pd.DataFrame) -> NoDataError:
    counts = aside["why"].value_counts().to_dict()
    en = "; ".join(f"{n} {ASIDE[str(why)][0]}" for why, n in counts.items())
    zh = "；".join(f"{n} {ASIDE[str(why)][1]}" for why, n in counts.items())
    return NoDataError(
        f"no sample can be used: {en}; check CRS, extent and columns (lon and lat may be swapped)",
        zh=f"没有可用的样本：{zh}；请检查坐标系、范围和字段（经纬度是否颠倒）",
    )
