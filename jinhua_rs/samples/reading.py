"""Reading samples: GeoPackage and its like, GeoParquet or CSV, checked on the way in."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely
from pyarrow import ArrowException
from pyproj import CRS
from pyproj.exceptions import CRSError

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.grid import Grid
from jinhua_rs.layers import mended, read_vector, text
from jinhua_rs.samples.polygons import points_in
from jinhua_rs.samples.table import COLUMNS, CONFIDENCES, SampleSet, class_code

__all__ = ["read_samples"]

_MOST_BYTES = 2**30
_PLACES = (("lon", "lat"), ("longitude", "latitude"), ("经度", "纬度"), ("x", "y"))
_WKT = ("wkt", "geometry", "geom")


def read_samples(path: Path, grid: Grid, *, role: str = "[model] samples") -> SampleSet:
    """
    Read samples and bring them to the grid.

    Parameters
    ----------
    path : Path
        GeoPackage, Shapefile, FileGDB, FlatGeobuf or GeoJSON with one layer of points and/or
        polygons; GeoParquet; or CSV (UTF-8 or GBK) with columns ``lon``, ``lat`` (degrees, WGS 84
        or CGCS2000), or ``x``, ``y`` (metres in the CRS of the grid), or ``wkt`` and ``crs``.
        Columns: :data:`jinhua_rs.samples.table.COLUMNS`, ``class`` or ``canopy`` at least.
    grid : Grid
        Polygons give centres of its pixels.
    role : str
        The setting that names the file; told in errors.

    Returns
    -------
    SampleSet
        Not sifted yet (:func:`~jinhua_rs.samples.sift`): set aside are rows without a place and
        polygons too narrow to hold a pixel.

    Raises
    ------
    ConfigError
        If the file cannot be read, has no CRS, lines, neither class nor canopy, an unknown class,
        a canopy outside 0-1 or a confidence that is not 1, 2 or 3.
    NoDataError
        If it holds no sample at all.
    """
    raw = _read(path, grid.crs, role)
    if raw.empty:
        raise NoDataError(f"{path} holds no sample", zh=f"{path} 中没有样本")
    frame = _named(raw)
    if not {"class", "canopy"} & set(frame.columns):
        raise _bad(path, role, "has neither class nor canopy", "缺少 class 和 canopy 字段")
    frame = _typed(frame, path, role)
    placed = _placed(frame, path, role)
    there = frame[placed].to_crs(grid.crs)
    areal = shapely.get_dimensions(there.geometry.to_numpy()) == 2
    there.loc[areal, there.geometry.name] = mended(there.geometry[areal].to_numpy())
    points, gave = points_in(there, grid.resolution)
    aside = pd.concat(
        [
            frame[~placed].set_geometry(gpd.GeoSeries(None, frame.index[~placed]), crs=grid.crs),
            there[~np.array(gave, bool)],
        ]
    ).assign(why=["unplaced"] * int((~placed).sum()) + ["narrow"] * gave.count(False))
    return SampleSet(points, gpd.GeoDataFrame(aside, crs=grid.crs))


def _read(path: Path, crs: str, role: str) -> gpd.GeoDataFrame:
    suffix = path.suffix.lower()
    try:
        if suffix in (".csv", ".parquet", ".geoparquet") and path.stat().st_size > _MOST_BYTES:
            raise _bad(path, role, "is larger than 1 GiB", "超过 1 GiB")
        if suffix == ".csv":
            return _of_table(_csv(path), crs, path, role)
        if suffix in (".parquet", ".geoparquet"):
            return _parquet(path, crs, role)
    except (OSError, ValueError, ArrowException) as error:
        raise _bad(path, role, f"cannot be read ({error})", f"无法读取（{error}）") from error
    return read_vector(path, role)


def _csv(path: Path) -> pd.DataFrame:
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except UnicodeDecodeError:
        return pd.read_csv(path, dtype=str, keep_default_na=False, encoding="gb18030")


def _parquet(path: Path, crs: str, role: str) -> gpd.GeoDataFrame:
    try:
        frame = gpd.read_parquet(path)
    except ValueError:  # no geometry: a table with coordinates
        return _of_table(pd.read_parquet(path), crs, path, role)
    if frame.crs is None:
        raise _no_crs(path, role)
    return frame


def _of_table(table: pd.DataFrame, crs: str, path: Path, role: str) -> gpd.GeoDataFrame:
    """Give a table its geometry."""
    names = {str(name).casefold(): name for name in table.columns}
    for east, north in _PLACES:
        if east in names and north in names:
            place = [pd.to_numeric(table[names[name]], errors="coerce") for name in (east, north)]
            rest = table.drop(columns=[names[east], names[north]])
            points = gpd.points_from_xy(*place)
            return gpd.GeoDataFrame(rest, geometry=points, crs=crs if east == "x" else "EPSG:4326")
    wkt = next((names[name] for name in _WKT if name in names), None)
    if wkt is None:
        raise _bad(
            path,
            role,
            "has no columns lon and lat, x and y, or wkt",
            "没有 lon/lat、x/y 或 wkt 字段",
        )
    stated = {text(value) for value in table[names["crs"]]} if "crs" in names else set()
    if len(stated) != 1:
        raise _no_crs(path, role)
    geometry = shapely.from_wkt(table[wkt].map(text).to_numpy(dtype=object), on_invalid="ignore")
    try:
        known = CRS.from_user_input(stated.pop())
    except CRSError as error:
        raise _no_crs(path, role) from error
    return gpd.GeoDataFrame(table.drop(columns=[wkt, names["crs"]]), geometry=geometry, crs=known)


def _named(raw: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Call the columns as the house does; every row gets an ``id``, repeated ones stay repeated."""
    there = {str(name).casefold(): name for name in raw.columns}
    known = {
        there[alias.casefold()]: name
        for name, aliases in COLUMNS.items()
        for alias in reversed(aliases)
        if alias.casefold() in there
    }
    frame = raw.rename(columns=known).reset_index(drop=True)
    if frame.geometry.name != "geometry":
        frame = frame.rename_geometry("geometry")
    ids = frame["id"].map(text) if "id" in frame else pd.Series("", frame.index)
    numbers = pd.Series([f"{place}" for place in range(1, len(frame) + 1)])
    groups = frame["group"].map(text) if "group" in frame else ""
    return frame.assign(id=ids.where(ids != "", numbers), group=groups)


def _typed(frame: gpd.GeoDataFrame, path: Path, role: str) -> gpd.GeoDataFrame:
    """Turn class, canopy, confidence and date into what they mean, or refuse."""
    found = {}
    if "class" in frame:
        codes = [class_code(text(value)) for value in frame["class"]]
        unknown = [text(v) for v, code in zip(frame["class"], codes, strict=True) if code is None]
        if unknown:
            what = f"class must be a code 1-10 or its name, found {sorted(set(unknown))[:5]}"
            zh = f"类别须为代码 1–10 或其名称，现有 {sorted(set(unknown))[:5]}"
            raise _bad(path, role, what, zh)
        found["class"] = np.array(codes, float)
    limits: dict[str, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.bool_]]] = {
        "canopy": lambda share: (share >= 0) & (share <= 1),
        "confidence": lambda level: np.isin(level, CONFIDENCES),
    }
    wanted = {
        "canopy": ("must lie in 0-1; divide percentages by 100", "须在 0–1 之间；百分数请除以 100"),
        "confidence": ("must be 1, 2 or 3", "须为 1、2 或 3"),
    }
    for name in limits.keys() & set(frame.columns):
        numbers = pd.to_numeric(frame[name].replace("", np.nan), errors="coerce").to_numpy(float)
        said = np.array([text(value) != "" for value in frame[name]])
        if not limits[name](numbers[said]).all():
            raise _bad(path, role, f"{name} {wanted[name][0]}", f"{name} {wanted[name][1]}")
        found[name] = numbers
    if "simulated" in frame:
        found["simulated"] = frame["simulated"].map(text).str.casefold().isin(("true", "1"))
    if "date" in frame:
        found["date"] = frame["date"].map(_iso)
    return frame.assign(**found)


def _iso(value: object) -> str:
    """Day as ISO text; a text that is no day stays as it is, for people to read."""
    if isinstance(value, date):
        return value.isoformat()[:10]
    return text(value)[:10] if text(value)[4:5] == "-" else text(value)


def _placed(frame: gpd.GeoDataFrame, path: Path, role: str) -> npt.NDArray[np.bool_]:
    """Tell which rows have a place; lines are refused, several points as one geometry too."""
    if frame.crs is None:
        raise _no_crs(path, role)
    geometry = frame.geometry.to_numpy()
    there = ~(shapely.is_missing(geometry) | shapely.is_empty(geometry))
    kinds = set(frame.geom_type[there]) - {"Point", "Polygon", "MultiPolygon"}
    if kinds:
        what = f"other geometry than points and polygons: {', '.join(sorted(kinds))}"
        raise _bad(path, role, what, f"含有点、面以外的要素：{'、'.join(sorted(kinds))}")
    bounds = shapely.bounds(geometry)
    placed: npt.NDArray[np.bool_] = there & np.isfinite(bounds).all(axis=1)
    return placed


def _no_crs(path: Path, role: str) -> ConfigError:
    return _bad(
        path,
        role,
        "no CRS is declared; define it in a GIS, or give a CSV lon and lat, or a column crs",
        "没有坐标系定义；请在 GIS 中指定，CSV 请用 lon、lat 字段，或加 crs 字段",
    )


def _bad(path: Path, role: str, what: str, what_zh: str) -> ConfigError:
    return ConfigError(
        f"{path}: {what}; mend the file or {role}", zh=f"{path}：{what_zh}；请修改文件或 {role}"
    )
