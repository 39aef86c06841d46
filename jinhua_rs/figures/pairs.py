"""The sheet of patches before and after, side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures.base import EMPTY_FACE, EMPTY_HATCH, outline_path
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.rasters import NDVI
from jinhua_rs.figures.sheet import GREY, INK, RED, WIDTH_IN, new_sheet, stamp, to_png

__all__ = ["PatchPair", "pair_sheet"]

_LOSS, _GAIN = "#d1342b", "#2f6fd0"
_SIDE_IN, _GAP_IN, _TITLE_IN = 1.83, 0.06, 0.4
_A_ROW = 2
_NONE = Words("无同季影像", "no image of the season")

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class PatchPair:
    """
    A patch before and after.

    ``before`` and ``after`` are NDVI, float, dims (y, x), NaN = not seen, None where there is no
    image; ``when`` says of which periods they are; ``extent`` (left, right, bottom, top) of both,
    metres, in the CRS of ``outline``.
    """

    title: Words
    lines: Words
    outline: BaseGeometry
    before: Array | None
    after: Array | None
    when: tuple[str, str]
    extent: tuple[float, float, float, float]
    loss: bool


def pair_sheet(chips: Sequence[PatchPair], caption: Caption, *, language: Language = "zh") -> bytes:
    """
    Draw patches before and after, two a row, in the order given.

    Parameters
    ----------
    chips : sequence of PatchPair
    caption : Caption
        Words around the sheet.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If there is no chip.
    """
    if not chips:
        raise NoDataError("no patch to show", zh="没有可展示的图斑")
    row_in = _TITLE_IN + _SIDE_IN + 0.16
    rows = -(-len(chips) // _A_ROW)
    figure, _, top = new_sheet(caption, language, row_in * rows)
    for at, chip in enumerate(chips):
        left = 0.25 + (at % _A_ROW) * (2 * _SIDE_IN + _GAP_IN + 0.16)
        upper = top - (at // _A_ROW) * row_in
        for axes in _placed(figure, chip, left, upper, language):
            stamp(axes, caption, language, zorder=4, size=11)
    return to_png(figure)


def _placed(
    figure: Figure, chip: PatchPair, left_in: float, top_in: float, language: Language
) -> list[Axes]:
    """Draw one patch with its words and both images; return the axes of the images."""
    height, x = figure.get_figheight(), left_in / WIDTH_IN
    colour = _LOSS if chip.loss else _GAIN
    for text, below, size, ink in (
        (chip.title, 0.06, 8.5, colour), (chip.lines, 0.23, 7, GREY)
    ):  # fmt: skip
        figure.text(x, (top_in - below) / height, text.to(language), size=size, color=ink, va="top")
    drawn = []
    low = (top_in - _TITLE_IN - _SIDE_IN) / height
    for side, (name, image) in enumerate(zip(chip.when, (chip.before, chip.after), strict=True)):
        place = (left_in + side * (_SIDE_IN + _GAP_IN)) / WIDTH_IN
        axes = figure.add_axes((place, low, _SIDE_IN / WIDTH_IN, _SIDE_IN / height))
        _image(axes, chip, image, name, language)
        drawn.append(axes)
    return drawn


def _image(axes: Axes, chip: PatchPair, image: Array | None, name: str, language: Language) -> None:
    left, right, bottom, top = chip.extent
    axes.set(xticks=[], yticks=[], facecolor=EMPTY_FACE)
    if image is None:
        axes.add_patch(
            Rectangle((left, bottom), right - left, top - bottom, hatch=EMPTY_HATCH,
                      facecolor=EMPTY_FACE, edgecolor="#c3c9cb", linewidth=0)
        )  # fmt: skip
        low = (left + right) / 2, bottom + 0.08 * (top - bottom)
        axes.text(*low, _NONE.to(language), size=8, color=GREY, ha="center", va="center")
    else:
        colours = LinearSegmentedColormap.from_list("ndvi", NDVI.colours)
        rgba = colours(Normalize(NDVI.low, NDVI.high, clip=True)(np.nan_to_num(image)))
        rgba[np.isnan(image)] = 0
        axes.imshow(rgba, extent=chip.extent, interpolation="nearest", aspect="auto")
    path = outline_path(chip.outline)
    for order, (colour, width) in enumerate((("white", 2.2), (RED, 1.1)), start=5):
        axes.add_patch(PathPatch(path, fill=False, edgecolor=colour, linewidth=width, zorder=order))
    axes.set(xlim=(left, right), ylim=(bottom, top))
    axes.text(
        0.03, 0.96, name, size=8, color=INK, va="top", transform=axes.transAxes, zorder=7,
        bbox={"boxstyle": "square,pad=0.2", "facecolor": "white", "edgecolor": "none"},
    )  # fmt: skip
    for spine in axes.spines.values():
        spine.set(color="#9aa3a6", linewidth=0.6)
