"""One mine on one sheet: its years beside its reference, its bare ground, and pictures of it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import east_asian_width

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from jinhua_rs.figures.base import EMPTY_FACE, outline_path
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.chips import mixed
from jinhua_rs.figures.rasters import NDVI
from jinhua_rs.figures.sheet import GREY, INK, RED, WIDTH_IN, new_sheet, stamp, to_png

__all__ = ["MineSheet", "Picture", "mine_card"]

Array = NDArray[np.floating[Any]]

_CHART_IN, _PICTURE_IN, _TITLE_IN, _REST_IN = 2.1, 2.35, 0.2, 1.05
_PANEL_SIGNS = 40
"""Half-width characters in a line of the panel beside the chart."""
_PIECES = re.compile(r"[\w.%+-]+|.", re.ASCII)
_GREEN, _TARGET, _BARE = "#2e7d46", "#8aa6b8", "#c9a37c"
_VALUE = Words("矿区 NBR", "Mine, NBR")
_RING = Words("参照环 NBR", "Reference ring, NBR")
_CANOPY = Words("林冠覆盖度", "Canopy cover")
_GOAL = Words("目标的 80%", "80 % of the target")
_START = Words("开始恢复", "restoration begins")
_BARE_SHARE = Words("裸露占比（%）", "Bare share (%)")
_GREENNESS = Words("植被指数 NDVI", "NDVI")
_COLOUR = Words("真彩色合成", "true colour")
_NO_COLOUR = Words("合成影像未保留", "composite not kept")


@dataclass(frozen=True, slots=True)
class Picture:
    """
    A mine and its surroundings in a year.

    ``ndvi`` float, dims (y, x), NaN = not seen; ``extent`` (left, right, bottom, top), metres;
    ``bands`` reflectance by band name on the same pixels, empty where no composite is kept.
    """

    year: int
    ndvi: Array
    extent: tuple[float, float, float, float]
    bands: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class MineSheet:
    """
    What a card shows.

    ``value``, ``ring``, ``canopy``, ``bare`` are by year, NaN = not seen; ``target`` is the goal
    in NBR (NaN: none); ``start`` the year restoration began; ``lines`` stand in the panel.
    """

    years: Sequence[int]
    value: Array
    ring: Array
    canopy: Array
    bare: Array
    target: float
    start: int | None
    status: Words
    lines: Sequence[Words]
    outline: BaseGeometry
    pictures: Sequence[Picture]


def mine_card(sheet: MineSheet, caption: Caption, *, language: Language = "zh") -> bytes:
    """
    Draw the card of a mine.

    Parameters
    ----------
    sheet : MineSheet
        At most three pictures are shown.
    caption : Caption
        Words around the card.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.
    """
    pictures = list(sheet.pictures[:3])
    rows = (_colour, _index) if any(one.bands for one in pictures) else (_index,)
    row_in = _PICTURE_IN + _TITLE_IN + 0.05
    figure, bottom, top = new_sheet(
        caption, language, _REST_IN + _CHART_IN + (len(rows) if pictures else 0) * row_in
    )
    height = figure.get_figheight()
    chart = figure.add_axes(
        (0.55 / WIDTH_IN, (top - 0.3 - _CHART_IN) / height, 4.75 / WIDTH_IN, _CHART_IN / height)
    )
    _course(chart, sheet, language)
    stamp(chart, caption, language, zorder=1, size=20)
    strip = figure.add_axes(
        (0.55 / WIDTH_IN, (top - 0.95 - _CHART_IN) / height, 4.75 / WIDTH_IN, 0.28 / height)
    )
    _bare(strip, sheet, language)
    _panel(figure, sheet, language, (top - 0.15) / height)
    for line, draw in enumerate(reversed(rows)):
        for place, picture in enumerate(pictures):
            left = (0.25 + place * (_PICTURE_IN + 0.22)) / WIDTH_IN
            low = (bottom + 0.08 + line * row_in) / height
            axes = figure.add_axes((left, low, _PICTURE_IN / WIDTH_IN, _PICTURE_IN / height))
            draw(axes, picture, language)
            _frame(axes, picture, sheet.outline)
    return to_png(figure)


def _course(axes: Axes, sheet: MineSheet, language: Language) -> None:
    """Draw NBR of mine and ring, canopy, the goal, and the year in which restoration began."""
    years = list(sheet.years)
    axes.set(ylim=(-0.2, 1.0), xlim=(years[0] - 0.4, years[-1] + 0.4))
    axes.set_xticks(years, [str(year) for year in years], size=7.5, color=GREY)
    axes.tick_params(length=0, labelsize=7.5, labelcolor=GREY)
    axes.grid(axis="y", color="#e6e9ea", linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c4cacc")
    axes.plot(years, sheet.ring, color=_TARGET, linewidth=1.4, label=_RING.to(language))
    axes.plot(
        years, sheet.canopy, color=_GREEN, linewidth=1.2, linestyle=(0, (2, 2)),
        label=_CANOPY.to(language),
    )  # fmt: skip
    axes.plot(
        years, sheet.value, color=INK, linewidth=1.8, marker="o", markersize=3.5,
        label=_VALUE.to(language),
    )  # fmt: skip
    if not np.isnan(sheet.target):
        axes.axhline(
            0.8 * sheet.target, color=RED, linewidth=1, linestyle=(0, (5, 3)),
            label=_GOAL.to(language),
        )  # fmt: skip
    if sheet.start is not None and years[0] <= sheet.start <= years[-1]:
        axes.axvline(sheet.start, color=GREY, linewidth=0.8, linestyle=":")
        axes.text(sheet.start + 0.06, 0.93, _START.to(language), size=7, color=GREY, va="top")
    axes.legend(loc="upper left", bbox_to_anchor=(0, 1.14), ncol=4, fontsize=7, frameon=False)


def _bare(axes: Axes, sheet: MineSheet, language: Language) -> None:
    """Write the bare share of each year under the chart, darker where more is bare."""
    years = list(sheet.years)
    axes.set(xlim=(years[0] - 0.4, years[-1] + 0.4), ylim=(0, 1), xticks=[], yticks=[])
    for side in axes.spines.values():
        side.set_visible(False)
    for year, share in zip(years, np.asarray(sheet.bare), strict=True):
        seen = not np.isnan(share)
        axes.bar(
            year, 1, width=0.86, color=_BARE if seen else EMPTY_FACE,
            alpha=float(0.15 + 0.85 * share) if seen else 1.0,
        )  # fmt: skip
        axes.text(
            year, 0.5, f"{100 * share:.0f}" if seen else "—", size=7.5, color=INK,
            ha="center", va="center",
        )  # fmt: skip
    axes.set_title(_BARE_SHARE.to(language), size=7.5, color=GREY, loc="left", pad=3)


def _panel(figure: Figure, sheet: MineSheet, language: Language, top: float) -> None:
    left = 5.55 / WIDTH_IN
    figure.text(left, top, sheet.status.to(language), size=14, color=INK, va="top")
    told = [part for line in sheet.lines for part in line.to(language).split("\n")]
    text = "\n".join(part for line in told for part in _wrapped(line))
    figure.text(left, top - 0.06, text, size=7.8, color=INK, va="top", linespacing=1.75)


def _index(axes: Axes, picture: Picture, language: Language) -> None:
    """Show NDVI."""
    colours = LinearSegmentedColormap.from_list("ndvi", NDVI.colours)
    axes.imshow(
        picture.ndvi, extent=picture.extent, cmap=colours, vmin=NDVI.low, vmax=NDVI.high,
        interpolation="nearest",
    )  # fmt: skip
    axes.set_title(f"{picture.year}  {_GREENNESS.to(language)}", size=8, color=INK, pad=3)


def _colour(axes: Axes, picture: Picture, language: Language) -> None:
    """Show red, green and blue, or say that they are not kept."""
    seen = mixed(picture.bands)
    if seen is None:
        axes.text(0.5, 0.5, _NO_COLOUR.to(language), size=8, color=GREY, ha="center",
                  va="center", transform=axes.transAxes)  # fmt: skip
    else:
        clear = ~np.isnan(seen).any(axis=-1, keepdims=True)
        shown = np.concatenate([np.nan_to_num(seen), clear.astype("float32")], axis=-1)
        axes.imshow(shown, extent=picture.extent, interpolation="nearest")
    axes.set_title(f"{picture.year}  {_COLOUR.to(language)}", size=8, color=INK, pad=3)


def _frame(axes: Axes, picture: Picture, outline: BaseGeometry) -> None:
    axes.set_facecolor(EMPTY_FACE)
    axes.add_patch(PathPatch(outline_path(outline), fill=False, edgecolor=RED, linewidth=1.2))
    axes.set(xticks=[], yticks=[], xlim=picture.extent[:2], ylim=picture.extent[2:])


def _wrapped(line: str) -> Iterator[str]:
    """Break a line where the panel ends, in no number: Chinese has no spaces to break at."""
    part, width = "", 0
    for piece in _PIECES.findall(line):
        wide = sum(2 if east_asian_width(sign) in "WF" else 1 for sign in piece)
        if part and width + wide > _PANEL_SIGNS:
            yield part
            part, width = "", 0
        part, width = part + piece, width + wide
    yield part
