"""The ground that a spec asks for: what is painted, and by which units its truth is told."""

import geopandas as gpd
import pandas as pd
import shapely
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError
from jinhua_rs.regions import outline, select
from jinhua_rs.twin.spec import TwinSpec

__all__ = ["painted", "reported"]

_COARSELY_M = 200.0


def painted(spec: TwinSpec, units: gpd.GeoDataFrame) -> BaseGeometry:
    """Outline of city, county or window with its margin, in the CRS of ``units``."""
    if spec.window is not None:
        return reported(spec, units).geometry.iloc[0].buffer(spec.buffer_m, join_style="mitre")
    area = outline(units) if spec.unit is None else select(units, spec.unit).geometry.iloc[0]
    return area.simplify(_COARSELY_M).buffer(spec.buffer_m).simplify(_COARSELY_M)


def reported(spec: TwinSpec, units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """
    Units by which the truth is told: all, one county, or the window.

    A window has code and names of the county of which it holds most, and level ``county``.

    Raises
    ------
    ConfigError
        If the window lies outside all counties, or the county is unknown.
    """
    if spec.window is None:
        return units if spec.unit is None else select(units, spec.unit)
    window = shapely.box(*spec.window)
    counties = units[units["level"] == "county"]
    shared = pd.Series(counties.intersection(window).area)
    if not shared.max() > 0:
        raise ConfigError(
            f"the window {spec.window} lies outside all counties; give metres of EPSG:4549",
            zh=f"窗口 {spec.window} 不在任何县（市、区）内；请给出 EPSG:4549 坐标（米）",
        )
    return counties.loc[[shared.idxmax()]].set_geometry([window], crs=units.crs)
