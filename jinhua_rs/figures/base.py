"""The base map: frame, unit outlines and names, scale bar, north arrow and legend panel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline
from matplotlib.patheffects import Normal, Stroke
from pyproj import CRS
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.sheet import DPI, GREY, INK, WIDTH_IN, new_sheet, stamp

__all__ = [
    "EMPTY_FACE",
    "EMPTY_HATCH",
    "MapSheet",
    "empty_patch",
    "map_sheet",
    "name_units",
    "outline_path",
]

EMPTY_FACE, EMPTY_HATCH = "#eceeee", "////"
"""How ground without data is drawn, everywhere."""

_MAP_LEFT_IN, _MAP_WIDTH_IN, _PANEL_LEFT_IN = 0.25, 5.95, 6.36
_LABEL_LIMIT = 40
"""More names than this hide the map; a township layer is drawn without names."""
_MARGIN = 0.035
_KEYS_IN = 0.52
"""Height of scale bar and north arrow, with what is kept free around them."""
_EMPTY = Words("未观测 / 数据不足", "Not seen / insufficient")


@dataclass(frozen=True, slots=True)
class MapSheet:
    """
    A started map figure.

    Attributes
    ----------
    figure : Figure
    axes : Axes
        In the units' CRS, metres, equal aspect, limits ``bounds``.
    units : GeoDataFrame
        The units that are drawn: the counties, or whatever lies below the city.
    clip : Path
        Outline of all units together: whatever is drawn is cut along it.
    bounds : tuple of float
        ``(left, bottom, right, top)`` of the axes, metres.
    top_in : float
        Upper edge of the body, inches from the bottom of the figure.
    """

    figure: Figure
    axes: Axes
    units: gpd.GeoDataFrame
    clip: Outline
    bounds: tuple[float, float, float, float]
    top_in: float

    @property
    def width_px(self) -> int:
        """Width of the map in pixels of the picture."""
        return round(_MAP_WIDTH_IN * DPI)

    @property
    def metres_per_px(self) -> float:
        """Ground covered by one pixel of the picture, metres."""
        return (self.bounds[2] - self.bounds[0]) / self.width_px

    def panel(self, height_in: float, *, below_in: float = 0.0) -> Axes:
        """Add axes ``height_in`` high in the panel, ``below_in`` under its upper edge."""
        height = self.figure.get_figheight()
        bottom = self.top_in - below_in - height_in
        return self.figure.add_axes(
            (_PANEL_LEFT_IN / WIDTH_IN, bottom / height, 0.024, height_in / height)
        )

    def legend(
        self, handles: Sequence[Artist], title: str | None = None, *, below_in: float = 0.0
    ) -> None:
        """Put a legend in the panel, ``below_in`` under its upper edge."""
        legend = self.figure.legend(
            handles=handles,
            title=title,
            loc="upper left",
            frameon=False,
            fontsize=8,
            title_fontsize=9,
            alignment="left",
            borderpad=0,
            borderaxespad=0,
            labelspacing=0.65,
            handlelength=1.7,
            handleheight=1.05,
            labelcolor=INK,
            bbox_to_anchor=(
                _PANEL_LEFT_IN / WIDTH_IN,
                (self.top_in - below_in) / self.figure.get_figheight(),
            ),
        )
        legend.get_title().set(color=INK, linespacing=1.45)

    def say(self, text: str, *, below_in: float) -> None:
        """Write a small remark in the panel, its top ``below_in`` under the upper edge."""
        y = (self.top_in - below_in) / self.figure.get_figheight()
        self._small(text, y, "top")

    def note(self, text: str) -> None:
        """Write a small remark at the foot of the panel."""
        y = (self.top_in - self._body_in) / self.figure.get_figheight()
        self._small(text, y, "bottom")

    def _small(self, text: str, y: float, side: str) -> None:
        x = _PANEL_LEFT_IN / WIDTH_IN
        self.figure.text(x, y, text, size=7, color=GREY, va=side, linespacing=1.55)

    @property
    def _body_in(self) -> float:
        left, bottom, right, top = self.bounds
        return _MAP_WIDTH_IN * (top - bottom) / (right - left)


def map_sheet(units: gpd.GeoDataFrame, caption: Caption, language: Language) -> MapSheet:
    """
    Start a map: frame, ground without data, scale bar, north arrow, coordinate system.

    Parameters
    ----------
    units : GeoDataFrame
        Index ``code``, columns ``name_zh``, ``name_en``, ``level``, geometry in a projected
        CRS, metres. The city's own row is not drawn where there are parts of it.
    caption : Caption
        Words around the map.
    language : "zh" or "en"
        Language of everything written.

    Raises
    ------
    NoDataError
        If there is no unit to draw.
    """
    if units.empty:
        raise NoDataError(
            "no unit to draw a map of; check [area] units",
            zh="没有可绘制的统计单元；请检查 [area] units",
        )
    units = _parts(units)
    bounds = _with_keys(units, _padded(tuple(units.total_bounds)))
    body_in = _MAP_WIDTH_IN * (bounds[3] - bounds[1]) / (bounds[2] - bounds[0])
    figure, bottom, top = new_sheet(caption, language, body_in)
    height = figure.get_figheight()
    axes = figure.add_axes(
        (_MAP_LEFT_IN / WIDTH_IN, bottom / height, _MAP_WIDTH_IN / WIDTH_IN, body_in / height)
    )
    axes.set(xlim=bounds[::2], ylim=bounds[1::2], xticks=[], yticks=[], facecolor="#fbfbf9")
    for spine in axes.spines.values():
        spine.set(color=INK, linewidth=1.0)
    step = (bounds[2] - bounds[0]) / (_MAP_WIDTH_IN * DPI)
    clip = outline_path(units.geometry.union_all().simplify(step / 2))
    sheet = MapSheet(figure, axes, units, clip, bounds, top)
    _ground(sheet)
    _outlines(sheet, step)
    _scale_bar(axes, bounds, language)
    _north(axes, bounds)
    sheet.note(_crs_line(units.crs, language))
    stamp(axes, caption, language, zorder=22)
    return sheet


def name_units(sheet: MapSheet, language: Language, extra: Mapping[str, str]) -> None:
    """
    Write the units' names with a white halo, and ``extra`` text by code under them.

    Layers of more than forty units are drawn without names.
    """
    if len(sheet.units) > _LABEL_LIMIT:
        return
    column = "name_zh" if language == "zh" else "name_en"
    for code, unit in sheet.units.iterrows():
        point = unit.geometry.representative_point()
        below = extra.get(str(code), "")
        label = f"{unit[column]}\n{below}" if below else str(unit[column])
        text = sheet.axes.text(
            point.x,
            point.y,
            label,
            size=8,
            color=INK,
            ha="center",
            va="center",
            linespacing=1.3,
            zorder=30,
        )
        text.set_path_effects([Stroke(linewidth=2.4, foreground="white", alpha=0.92), Normal()])


def empty_patch(language: Language) -> Rectangle:
    """Legend entry for ground without data."""
    return Rectangle(
        (0, 0),
        1,
        1,
        facecolor=EMPTY_FACE,
        edgecolor="#a9b0b3",
        hatch=EMPTY_HATCH,
        linewidth=0.4,
        label=_EMPTY.to(language),
    )


def outline_path(shape: BaseGeometry) -> Outline:
    """Turn a polygon or multipolygon into one matplotlib path, holes included."""
    parts = getattr(shape, "geoms", [shape])
    rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
    return Outline.make_compound_path(
        *(Outline(np.asarray(ring.coords)[:, :2], closed=True) for ring in rings)
    )


def _parts(units: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Return the counties; where there are none, all but the city; where nothing else, the city."""
    for chosen in (units["level"] == "county", units["level"] != "city"):
        if chosen.any():
            return units[chosen]
    return units


def _padded(bounds: tuple[float, ...]) -> tuple[float, float, float, float]:
    """Grow bounds by a margin; keep the map 0.5 to 1.5 times as high as wide."""
    left, bottom, right, top = bounds
    width, height = (right - left) * (1 + 2 * _MARGIN), (top - bottom) * (1 + 2 * _MARGIN)
    width, height = max(width, height / 1.5), max(height, width / 2)
    x, y = (left + right) / 2, (bottom + top) / 2
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _with_keys(
    units: gpd.GeoDataFrame, bounds: tuple[float, float, float, float]
) -> tuple[float, float, float, float]:
    """Grow bounds downwards where scale bar or north arrow would lie on a unit."""
    left, bottom, right, top = bounds
    high, wide = _KEYS_IN * (right - left) / _MAP_WIDTH_IN, 0.3 * (right - left)
    corners = box(left, bottom, left + wide, bottom + high).union(
        box(right - wide / 3, bottom, right, bottom + high)
    )
    lies_on = units.geometry.intersects(corners).any()
    return (left, bottom - high, right, top) if lies_on else bounds


def _ground(sheet: MapSheet) -> None:
    """Hatch the whole area: what no pixel covers stays visibly without data."""
    sheet.axes.add_patch(
        PathPatch(
            sheet.clip,
            facecolor=EMPTY_FACE,
            edgecolor="#b9bfc1",
            hatch=EMPTY_HATCH,
            linewidth=0,
            zorder=1,
        )
    )


def _outlines(sheet: MapSheet, step: float) -> None:
    for shape in sheet.units.geometry.simplify(step / 2):
        path = outline_path(shape)
        sheet.axes.add_patch(
            PathPatch(path, fill=False, edgecolor="white", linewidth=1.5, alpha=0.75, zorder=19)
        )
        sheet.axes.add_patch(
            PathPatch(path, fill=False, edgecolor="#4b5559", linewidth=0.6, zorder=20)
        )
    sheet.axes.add_patch(PathPatch(sheet.clip, fill=False, edgecolor=INK, linewidth=1.1, zorder=21))


def _scale_bar(axes: Axes, bounds: tuple[float, float, float, float], language: Language) -> None:
    """Draw a bar of a round length, about a fifth of the map wide, in two halves."""
    span = bounds[2] - bounds[0]
    length = _round_length(span / 5)
    x, y, thick = bounds[0] + 0.03 * span, bounds[1] + 0.035 * span, 0.007 * span
    for half, colour in enumerate((INK, "white")):
        axes.add_patch(
            Rectangle(
                (x + half * length / 2, y),
                length / 2,
                thick,
                facecolor=colour,
                edgecolor=INK,
                linewidth=0.7,
                zorder=32,
            )
        )
    divisor, unit = (1000, Words("千米", "km")) if length >= 2000 else (1, Words("米", "m"))
    ends = (
        (0.0, "0"),
        (0.5, f"{length / 2 / divisor:g}"),
        (1.0, f"{length / divisor:g} {unit.to(language)}"),
    )
    for share, label in ends:
        axes.text(
            x + share * length, y + 1.8 * thick, label, size=6.5, color=INK, ha="center", zorder=32
        )


def _round_length(metres: float) -> float:
    """
    Largest 1, 2 or 5 times a power of ten that is not longer than ``metres``.

    >>> _round_length(31_000), _round_length(570)
    (20000.0, 500.0)
    """
    power = 10.0 ** np.floor(np.log10(metres))
    return float(max(factor * power for factor in (1, 2, 5) if factor * power <= metres))


def _north(axes: Axes, bounds: tuple[float, float, float, float]) -> None:
    """Draw an arrow to grid north in the lower right corner."""
    span = bounds[2] - bounds[0]
    x, y = bounds[2] - 0.045 * span, bounds[1] + 0.025 * span
    for side, colour in ((-1, INK), (1, "white")):
        arrow = [(x, y + 0.04 * span), (x + side * 0.013 * span, y), (x, y + 0.009 * span)]
        axes.add_patch(
            PathPatch(
                Outline(np.array([*arrow, arrow[0]]), closed=True),
                facecolor=colour,
                edgecolor=INK,
                linewidth=0.7,
                zorder=32,
            )
        )
    axes.text(x, y + 0.044 * span, "N", size=8, color=INK, ha="center", zorder=32)


def _crs_line(crs: object, language: Language) -> str:
    known = CRS.from_user_input(crs)
    code = known.to_epsg()
    if code == 4549:
        return (
            "CGCS2000 / 3度带\nEPSG:4549" if language == "zh" else "CGCS2000 / 3-degree\nEPSG:4549"
        )
    return f"{known.name}\nEPSG:{code}" if code else known.name
