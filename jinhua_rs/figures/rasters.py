"""Maps of a published raster: classes, change, and continuous quantities."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba
from matplotlib.patches import PathPatch, Rectangle
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import Resampling
from rasterio.errors import RasterioIOError
from rasterio.io import DatasetReader
from rasterio.windows import Window

from jinhua_rs.errors import GridMismatch, IntegrityError, NoDataError
from jinhua_rs.figures.base import MapSheet, empty_patch, map_sheet, name_units
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.sheet import INK, to_png
from jinhua_rs.schema import CHANGE_CLASSES, LAND_CLASSES, ClassInfo

__all__ = [
    "CANOPY",
    "CLEAR_LOOKS",
    "NDVI",
    "Ramp",
    "backdrop",
    "change_map",
    "class_map",
    "index_map",
]


@dataclass(frozen=True, slots=True)
class Ramp:
    """
    How a continuous quantity is drawn.

    ``colours`` run from ``low`` to ``high`` in even steps; ``empty`` is a value that means
    "not seen" beside the raster's own no-data (``None``: there is none).
    """

    label: Words
    low: float
    high: float
    colours: tuple[str, ...]
    empty: float | None = None


NDVI = Ramp(
    Words("植被指数 NDVI", "NDVI"), 0.0, 1.0,
    ("#a5764b", "#d9bf8b", "#f4efc9", "#a8cf7b", "#4f9a4b", "#0b4f2c"),
)  # fmt: skip
CANOPY = Ramp(
    Words("林冠覆盖度", "Canopy cover"), 0.0, 1.0,
    ("#f7f3e6", "#d3e3b4", "#94c27e", "#4a9358", "#15603a", "#073d26"),
)  # fmt: skip
CLEAR_LOOKS = Ramp(
    Words("晴空观测次数", "Clear looks"), 0.0, 15.0,
    ("#f6e7d4", "#cfdce0", "#8fb8cd", "#4a87ad", "#1f5583", "#0c2d55"), 0.0,
)  # fmt: skip

_STEPS = 64
_PALE = 0.3
"""Share of a colour in a backdrop; the rest is white."""
_LEGEND = Words("图例", "Legend")
_BACKDROP = Words("底图（浅色）：\n本期地类图", "Pale: land cover\nof this period")

Extent = tuple[float, float, float, float]


def class_map(
    raster: Path,
    classes: Sequence[ClassInfo],
    units: gpd.GeoDataFrame,
    caption: Caption,
    *,
    language: Language = "zh",
) -> bytes:
    """
    Draw a class raster over the units.

    Parameters
    ----------
    raster : Path
        GeoTIFF, integer classes, 0 = not seen, in the CRS of ``units``. Read through its
        overviews at the size of the picture, never whole.
    classes : sequence of ClassInfo
        What the codes mean; a code that is not named is drawn as not seen.
    units : GeoDataFrame
        Index ``code``, columns ``name_zh``, ``name_en``, ``level``, geometry in a projected CRS.
    caption : Caption
        Words around the map.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    IntegrityError
        If the raster is missing or damaged.
    GridMismatch
        If raster and units differ in CRS.
    NoDataError
        If there is no unit, or the raster does not reach them.
    """
    return to_png(_classes_drawn(raster, classes, units, caption, language).figure)


def change_map(
    raster: Path, units: gpd.GeoDataFrame, caption: Caption, *, language: Language = "zh"
) -> bytes:
    """
    Draw a change raster (:class:`jinhua_rs.schema.Change`) over the units.

    Patches smaller than a pixel of the picture may be invisible; a map so coarse says so.
    Parameters, result and errors as :func:`class_map`.
    """
    sheet = _classes_drawn(raster, CHANGE_CLASSES, units, caption, language)
    with rasterio.open(raster, driver="GTiff") as source:
        shown = sheet.metres_per_px <= source.res[0]
    if not shown:
        step = math.ceil(sheet.metres_per_px / 10) * 10
        note = Words(
            f"小于约 {step} 米的图斑\n在本图上可能不可见，\n面积以表格为准。",
            f"Patches under about\n{step} m may not show;\nsee the table for areas.",
        )
        sheet.say(note.to(language), below_in=1.75)
    return to_png(sheet.figure)


def index_map(
    raster: Path,
    ramp: Ramp,
    units: gpd.GeoDataFrame,
    caption: Caption,
    *,
    language: Language = "zh",
) -> bytes:
    """
    Draw a continuous raster (NDVI, canopy cover, clear looks) over the units.

    Parameters
    ----------
    raster : Path
        GeoTIFF, NaN or its no-data value = not seen; scale and offset are applied.
    ramp : Ramp
        ``NDVI``, ``CANOPY``, ``CLEAR_LOOKS`` or another.
    units, caption, language
        As :func:`class_map`, as are result and errors.
    """
    sheet = map_sheet(units, caption, language)
    values, extent = _read(raster, sheet, Resampling.average)
    if ramp.empty is not None:
        values = np.ma.masked_equal(values, ramp.empty)
    colours = LinearSegmentedColormap.from_list("ramp", ramp.colours, N=_STEPS)
    scale = Normalize(ramp.low, ramp.high, clip=True)
    rgba = colours(scale(values.filled(ramp.low)))
    rgba[np.ma.getmaskarray(values)] = 0
    _show(sheet, rgba, extent)
    name_units(sheet, language, {})
    _colour_bar(sheet, ScalarMappable(scale, colours), ramp, language)
    sheet.legend([empty_patch(language)], below_in=2.85)
    return to_png(sheet.figure)


def backdrop(sheet: MapSheet, landcover: Path, language: Language, *, below_in: float) -> None:
    """
    Lay a class raster (:class:`jinhua_rs.schema.Land`) palely under a map, and say so.

    ``below_in`` is where the remark stands under the upper edge of the panel; errors as
    :func:`class_map`.
    """
    _lay(sheet, landcover, LAND_CLASSES, strength=_PALE)
    sheet.say(_BACKDROP.to(language), below_in=below_in)


def _classes_drawn(
    raster: Path,
    classes: Sequence[ClassInfo],
    units: gpd.GeoDataFrame,
    caption: Caption,
    language: Language,
) -> MapSheet:
    sheet = map_sheet(units, caption, language)
    _lay(sheet, raster, classes, strength=1.0)
    name_units(sheet, language, {})
    handles = [
        Rectangle(
            (0, 0), 1, 1, facecolor=info.color, edgecolor="#8a9194", linewidth=0.4,
            label=info.name_zh if language == "zh" else info.name,
        )
        for info in classes
    ]  # fmt: skip
    sheet.legend([*handles, empty_patch(language)], _LEGEND.to(language))
    return sheet


def _lay(sheet: MapSheet, raster: Path, classes: Sequence[ClassInfo], *, strength: float) -> None:
    """Draw classes in their colours, mixed with white where ``strength`` is below 1."""
    codes, extent = _read(raster, sheet, Resampling.nearest)
    table = np.zeros((256, 4))
    for info in classes:
        colour = np.array(to_rgba(info.color))
        table[info.code] = 1 - strength * (1 - colour)
    _show(sheet, table[codes.filled(0).astype("uint8")], extent)


def _read(path: Path, sheet: MapSheet, resampling: Resampling) -> tuple[np.ma.MaskedArray, Extent]:
    """Read the part under the map, decimated to the picture's pixels, and its extent in metres."""
    try:
        with rasterio.open(path, driver="GTiff") as source:
            if CRS.from_user_input(source.crs) != CRS.from_user_input(sheet.units.crs):
                raise GridMismatch(
                    f"{path.name} is in {source.crs}, the units in {sheet.units.crs}; "
                    "draw both on one grid",
                    zh=f"{path.name} 与统计单元的坐标系不一致（{source.crs}）",
                )
            return _decimated(source, path, sheet, resampling)
    except RasterioIOError as error:
        raise IntegrityError(
            f"cannot read {path}: {error}; run the period again",
            zh=f"无法读取 {path}；请重新运行该时段",
        ) from error


def _decimated(
    source: DatasetReader, path: Path, sheet: MapSheet, resampling: Resampling
) -> tuple[np.ma.MaskedArray, Extent]:
    left, bottom, right, top = sheet.bounds
    west, south, east, north = source.bounds
    left, bottom, right, top = (
        max(left, west),
        max(bottom, south),
        min(right, east),
        min(top, north),
    )
    if left >= right or bottom >= top:
        raise NoDataError(
            f"{path.name} does not reach the units; check [area]",
            zh=f"{path.name} 与统计单元不相交；请检查 [area]",
        )
    dx, dy = source.res
    window = Window(
        (left - west) / dx, (north - top) / dy, (right - left) / dx, (top - bottom) / dy
    )
    step = max(sheet.metres_per_px, dx)
    shape = (max(1, round((top - bottom) / step)), max(1, round((right - left) / step)))
    pixels = source.read(1, window=window, out_shape=shape, masked=True, resampling=resampling)
    if pixels.dtype.kind == "f":
        pixels = np.ma.masked_invalid(pixels)
    scale, offset = source.scales[0], source.offsets[0]
    if (scale, offset) != (1.0, 0.0):
        pixels = pixels * scale + offset
    return pixels, (left, right, bottom, top)


def _show(sheet: MapSheet, rgba: NDArray[np.float64], extent: Extent) -> None:
    """Draw pixels, cut along the outline of the units."""
    image = sheet.axes.imshow(
        rgba, extent=extent, origin="upper", interpolation="nearest", aspect="auto", zorder=5
    )
    image.set_clip_path(PathPatch(sheet.clip, transform=sheet.axes.transData))
    left, bottom, right, top = sheet.bounds
    sheet.axes.set(xlim=(left, right), ylim=(bottom, top))


def _colour_bar(sheet: MapSheet, mappable: ScalarMappable, ramp: Ramp, language: Language) -> None:
    axes = sheet.panel(2.2, below_in=0.32)
    bar = sheet.figure.colorbar(mappable, cax=axes, ticks=list(np.linspace(ramp.low, ramp.high, 6)))
    labels = [f"{tick:g}" for tick in np.round(np.linspace(ramp.low, ramp.high, 6), 2)]
    if ramp.empty is not None:
        labels[-1] = f"≥ {labels[-1]}"
    bar.ax.set_yticklabels(labels, size=8, color=INK)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(width=0.5, length=2.5)
    sheet.legend([], ramp.label.to(language))
