"""Points where somebody knows what stands there: training samples and reference samples."""

from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.schema import Land

__all__ = ["read_points"]


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
        points = gpd.read_file(path)
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
