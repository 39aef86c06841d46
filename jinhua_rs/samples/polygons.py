"""Sample polygons become points: centres of pixels of the grid, some way from the edge."""

from math import ceil, sqrt

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry.base import BaseGeometry

__all__ = ["MOST_A_POLYGON", "points_in"]

MOST_A_POLYGON = 20
"""Points that a polygon gives at most: its pixels look alike, and more would only weigh it more."""
_MOST_TRIED = 40_000


def points_in(frame: gpd.GeoDataFrame, resolution: float) -> tuple[gpd.GeoDataFrame, list[bool]]:
    """
    Turn the polygons of a frame into points; points pass as they are.

    A polygon gives the centres of pixels that lie wholly inside it (by a circle around the
    pixel), thinned evenly to :data:`MOST_A_POLYGON`. They share the ``group`` of the polygon.

    Parameters
    ----------
    frame : GeoDataFrame
        Points and polygons in the CRS of the grid, with ``id`` and ``group`` (text).
    resolution : float
        Side of a pixel, metres; edges lie on its multiples.

    Returns
    -------
    GeoDataFrame, list of bool
        The points; and for each row of ``frame`` whether it gave any.
    """
    geometries = frame.geometry.to_numpy()
    places = [_places(one, resolution) for one in geometries]
    counts = [len(place) for place in places]
    rows = np.repeat(np.arange(len(frame)), counts)
    spread = frame.iloc[rows].reset_index(drop=True)
    areal = shapely.get_dimensions(geometries)[rows] == 2
    spread["group"] = spread["group"].where(~areal | (spread["group"] != ""), "#" + spread["id"])
    xy = np.concatenate([*places, np.empty((0, 2))])
    return spread.set_geometry(shapely.points(xy), crs=frame.crs), [count > 0 for count in counts]


def _places(geometry: BaseGeometry, resolution: float) -> npt.NDArray[np.float64]:
    """Points of one geometry, dims (point, 2)."""
    if geometry.geom_type == "Point":
        return np.array([[geometry.x, geometry.y]])
    inner = geometry.buffer(-resolution / sqrt(2))
    if inner.is_empty:
        return np.empty((0, 2))
    left, bottom, right, top = inner.bounds
    across = (right - left) * (top - bottom) / resolution**2
    step = resolution * max(1, ceil(sqrt(across / _MOST_TRIED)))
    x, y = np.meshgrid(
        _centres(left, right, resolution, step), _centres(bottom, top, resolution, step)
    )
    shapely.prepare(inner)
    inside = shapely.contains_xy(inner, x, y)
    found = np.column_stack([x[inside], y[inside]])
    few = np.linspace(0, len(found) - 1, min(MOST_A_POLYGON, len(found))).astype(int)
    thinned: npt.NDArray[np.float64] = found[few]
    return thinned


def _centres(low: float, high: float, resolution: float, step: float) -> npt.NDArray[np.float64]:
    """Pixel centres from ``low`` to ``high``, every ``step`` metres."""
    first = (ceil(low / resolution - 0.5) + 0.5) * resolution
    centres: npt.NDArray[np.float64] = np.arange(first, high + resolution / 1000, step)
    return centres
