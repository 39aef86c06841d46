"""Points of the reference sample: where somebody looked, what was seen, how they were drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.schema import Land

__all__ = ["STRATA_LAYER", "Drawn", "read_drawn", "read_points"]

STRATA_LAYER = "strata"
"""Table beside the points: ``design``, ``unit``, ``stratum``, ``area_m2``."""


@dataclass(frozen=True)
class Drawn:
    """
    How a reference sample was drawn: the name of its design, and its strata.

    ``areas`` is m², index unit, columns stratum; 0 where a unit has none of a stratum.
    """

    design: str
    areas: pd.DataFrame


def read_points(path: Path, crs: str, *, any_of: Sequence[str]) -> gpd.GeoDataFrame:
    """
    Read a point layer and bring it to ``crs``.

    Parameters
    ----------
    path : Path
        Any vector file that GDAL reads.
    crs : str
        CRS of the grid.
    any_of : sequence of str
        Columns of which at least one must be there: ``class`` (:class:`~jinhua_rs.schema.Land`
        codes) and ``canopy`` (0-1).

    Returns
    -------
    GeoDataFrame
        Points only, in the order of the file.

    Raises
    ------
    ConfigError
        If the file cannot be read, has no CRS, other geometry than points, none of the
        columns, a canopy outside 0-1 or an unknown class.
    NoDataError
        If the layer is empty.
    """
    try:
        points = gpd.read_file(path, layer=_spatial(path))
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, OSError) as error:
        raise ConfigError(
            f"cannot read the points {path}: {error}", zh=f"无法读取点图层 {path}：{error}"
        ) from error
    if points.empty:
        raise NoDataError(f"{path} holds no point", zh=f"{path} 中没有点")
    wrong = _wrong(points, any_of)
    if wrong is not None:
        raise ConfigError(f"{path}: {wrong[0]}", zh=f"{path}：{wrong[1]}")
    return points.to_crs(crs)


def _spatial(path: Path) -> str | None:
    """Name of the layer that has geometry, if there is just one; tables stand beside it."""
    named = [str(name) for name, kind in pyogrio.list_layers(path) if kind is not None]
    return named[0] if len(named) == 1 else None


def read_drawn(path: Path, points: gpd.GeoDataFrame) -> Drawn | None:
    """
    Read how the points of a layer were drawn, if the file says so.

    Parameters
    ----------
    path : Path
        File the points were read from.
    points : GeoDataFrame
        From :func:`read_points`.

    Returns
    -------
    Drawn or None
        None: the file has no strata of its own, and those of a map must do.

    Raises
    ------
    ConfigError
        If the table is not of one design, an area is no number above 0, or a point lies in a
        stratum that the table does not have.
    """
    if STRATA_LAYER not in pyogrio.list_layers(path)[:, 0]:
        return None
    table = pyogrio.read_dataframe(path, layer=STRATA_LAYER, read_geometry=False)
    wrong = _wrong_strata(table, points)
    if wrong is not None:
        raise ConfigError(
            f"{path}, table {STRATA_LAYER}: {wrong[0]}; write it with `jinhua-rs sample read`",
            zh=f"{path} 的 {STRATA_LAYER} 表：{wrong[1]}；请用 jinhua-rs sample read 生成",
        )
    areas = table.pivot_table(index="unit", columns="stratum", values="area_m2", fill_value=0.0)
    return Drawn(str(table["design"].iloc[0]), areas)


def _wrong_strata(table: pd.DataFrame, points: gpd.GeoDataFrame) -> tuple[str, str] | None:
    missing = {"design", "unit", "stratum", "area_m2"} - set(table.columns)
    if missing or not {"design", "stratum"} <= set(points.columns):
        name = sorted(missing or {"design", "stratum"} - set(points.columns))[0]
        return f"column {name!r} is missing", f"缺少字段 {name!r}"
    if table["design"].nunique() != 1 or set(points["design"]) != set(table["design"]):
        return "points and strata are not of one design", "样点与分层不属于同一设计"
    if table.duplicated(["unit", "stratum"]).any():
        return "a stratum stands twice in one unit", "同一单元内分层重复"
    if not (table["area_m2"] > 0).all():
        return "areas must be above 0", "面积须大于 0"
    strange = set(points["stratum"]) - set(table["stratum"])
    if strange:
        name = sorted(map(str, strange))[0]
        return f"points lie in stratum {name!r}, unknown there", f"样点所在分层 {name!r} 未列出"
    return None


def _wrong(points: gpd.GeoDataFrame, any_of: Sequence[str]) -> tuple[str, str] | None:
    """Say what is wrong with a point layer, in English and Chinese; None when it is sound."""
    if points.crs is None:
        return "no CRS is declared; define it in a GIS", "没有坐标系定义；请在 GIS 中指定"
    if not (points.geom_type == "Point").all():
        return "other geometry than points", "含有非点要素"
    if not set(any_of) & set(points.columns):
        wanted = ", ".join(any_of)
        return f"needs one of the columns {wanted}", f"至少需要一个字段：{wanted}"
    if "canopy" in points and not points["canopy"].dropna().between(0, 1).all():
        return "canopy must lie in 0-1", "canopy 必须在 0–1 之间"
    if "class" in points and not np.isin(points["class"].dropna(), list(Land)).all():
        return f"class must be one of {[int(c) for c in Land]}", "class 含有未知类别代码"
    return None
