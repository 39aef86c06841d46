"""The frame of every bar chart: one row for each name, one axis below them."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.sheet import GREY, INK, WIDTH_IN, new_sheet

__all__ = ["Margins", "row_axes"]

_AXIS_IN = 0.42


@dataclass(frozen=True, slots=True)
class Margins:
    """Height of a row, and what is left free above, left and right of the rows, inches."""

    row: float
    head: float
    left: float
    right: float


def row_axes(
    names: Sequence[Words],
    caption: Caption,
    language: Language,
    *,
    most: float,
    axis: Words,
    margins: Margins,
) -> tuple[Figure, Axes]:
    """
    Start a sheet with a row for each name, the first on top.

    Parameters
    ----------
    names : sequence of Words
        Names of the rows; row ``n`` lies at ``y = n``.
    caption : Caption
        Words around the chart.
    language : "zh" or "en"
        Language of everything written.
    most : float
        Where the axis ends; it begins at 0.
    axis : Words
        What is measured, with its unit.
    margins : Margins
        Room around the rows.

    Returns
    -------
    figure : Figure
        The sheet.
    axes : Axes
        Rows begin ``margins.head`` below the caption; what is drawn lies over the grid.
    """
    rows = margins.row * len(names)
    figure, bottom, _ = new_sheet(caption, language, margins.head + rows + _AXIS_IN)
    height = figure.get_figheight()
    width = 1 - (margins.left + margins.right) / WIDTH_IN
    axes = figure.add_axes(
        (margins.left / WIDTH_IN, (bottom + _AXIS_IN) / height, width, rows / height)
    )
    axes.set(xlim=(0, most), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), [name.to(language) for name in names])
    axes.set_xlabel(axis.to(language), size=8, color=GREY)
    axes.tick_params(length=0, labelcolor=GREY, labelsize=8)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
    axes.grid(axis="x", color="#e6e9ea", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c4cacc")
    return figure, axes
