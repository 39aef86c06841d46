"""The map of places by category: mines by status, parcels by stage."""

from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
from matplotlib.patches import PathPatch, Rectangle

from jinhua_rs.figures.base import map_sheet, name_units, outline_path
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.rasters import backdrop
from jinhua_rs.figures.sheet import INK, to_png

__all__ = ["Category", "place_map"]

Category = tuple[Words, str]
"""How a category is called and the colour it has."""

_DOT_PX = 7
_LAND = "#f1efe6"


def place_map(
    places: gpd.GeoDataFrame,
    categories: Mapping[str, Category],
    units: gpd.GeoDataFrame,
    caption: Caption,
    *,
    ground: Path | None = None,
    language: Language = "zh",
) -> bytes:
    """
    Draw places over the units, each in the colour of its category.

    Parameters
    ----------
    places : GeoDataFrame
        Column ``category`` and polygons in the CRS of ``units``. A place too small to be seen gets
        a dot at its centre.
    categories : mapping
        In the order of the legend; the number of places of each is told there.
    units : GeoDataFrame
        Index ``code``, columns ``name_zh``, ``name_en``, ``level``, geometry in a projected CRS.
    caption : Caption
        Words around the map.
    ground : Path, optional
        Class raster (``schema.Land``) to lay palely under the places, in the CRS of ``units``.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If there is no unit, or ``ground`` does not reach them.
    IntegrityError, GridMismatch
        If ``ground`` cannot be read, or lies in another CRS.
    """
    sheet = map_sheet(units, caption, language)
    sheet.axes.add_patch(PathPatch(sheet.clip, facecolor=_LAND, linewidth=0, zorder=2))
    handles = []
    for key, (name, colour) in categories.items():
        chosen = places[places["category"] == key]
        for shape in chosen.geometry:
            path = outline_path(shape)
            sheet.axes.add_patch(
                PathPatch(path, facecolor=colour, edgecolor=INK, linewidth=0.3, zorder=23)
            )
        small = chosen[chosen.area < (_DOT_PX * sheet.metres_per_px) ** 2]
        points = small.geometry.representative_point()
        sheet.axes.scatter(
            points.x, points.y, s=16, color=colour, edgecolor=INK, linewidth=0.4, zorder=24
        )
        label = f"{name.to(language)}  {len(chosen)}"
        handles.append(Rectangle((0, 0), 1, 1, facecolor=colour, linewidth=0, label=label))
    sheet.legend(handles)
    if ground is not None:
        backdrop(sheet, ground, language, below_in=0.3 + 0.185 * len(handles))
    name_units(sheet, language, {})
    return to_png(sheet.figure)
