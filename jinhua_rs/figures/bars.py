"""The chart of coverage by unit, each bar with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.printed import percent, shown
from jinhua_rs.figures.base import EMPTY_FACE, EMPTY_HATCH
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.estimate import Estimate
from jinhua_rs.figures.rows import Margins, row_axes
from jinhua_rs.figures.sheet import GREY, INK, RED, stamp, to_png

__all__ = ["Bar", "interval_bars"]

_MARGINS = Margins(row=0.34, head=0.22, left=1.25, right=2.75)
_GREEN, _CITY_GREEN, _CONTEXT_GREY = "#9cc49a", "#4f9a63", "#cfd3d4"
_INSUFFICIENT = Words("数据不足", "insufficient data")
_HEAD = Words("覆盖率（95%区间）", "Coverage (95 % interval)")
_CONTEXT = Words("像元统计，仅供参考", "pixel count, context only")
_CLEAR = Words("有效观测", "Seen clear")
_AXIS = Words("占土地面积（%）", "Share of land (%)")


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of the chart: a unit's name, its estimate in percent, and whether it is the city."""

    name: Words
    estimate: Estimate
    whole: bool = False


def interval_bars(
    bars: Sequence[Bar],
    caption: Caption,
    *,
    target: float | None = None,
    target_label: Words | None = None,
    language: Language = "zh",
) -> bytes:
    """
    Draw coverage by unit as bars with 95 % intervals, in the order given.

    Parameters
    ----------
    bars : sequence of Bar
        Percent. A pixel count without interval is grey and says so; a unit without data has
        no bar, only a hatched field.
    caption : Caption
        Words around the chart.
    target : float, optional
        Percent; drawn as a dashed line.
    target_label : Words, optional
        What the line is.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If there is no bar.
    """
    if not bars:
        raise NoDataError("no unit to chart; check [area] units", zh="没有可绘制的统计单元")
    names = [bar.name for bar in bars]
    figure, axes = row_axes(names, caption, language, most=100, axis=_AXIS, margins=_MARGINS)
    axes.set_xticks(range(0, 101, 20))
    _beside(axes, -0.85, _HEAD.to(language), _CLEAR.to(language), colour=GREY, size=7.5)
    for row, bar in enumerate(bars):
        _draw(axes, row, bar, language)
    if target is not None:
        _target_line(axes, target, target_label, language)
    stamp(axes, caption, language, zorder=3, size=22)
    return to_png(figure)


def _draw(axes: Axes, row: int, bar: Bar, language: Language) -> None:
    estimate = bar.estimate
    clear = percent(estimate.clear_share * 100, 1)
    if estimate.judged:
        axes.barh(row, estimate.value, height=0.62, color=_CITY_GREEN if bar.whole else _GREEN)
        axes.hlines(row, estimate.low, estimate.high, color=INK, linewidth=1.3, zorder=5)
        axes.vlines((estimate.low, estimate.high), row - 0.16, row + 0.16, color=INK, linewidth=1.3)
        text = f"{percent(estimate.value)}（{shown(estimate.low)}–{shown(estimate.high)}）"
        text = text if language == "zh" else text.replace("（", " (").replace("）", ")")
        _beside(axes, row, text, clear, colour=INK)
    elif estimate.context_only:
        axes.barh(row, estimate.value, height=0.62, color=_CONTEXT_GREY)
        text = f"{percent(estimate.value)}  {_CONTEXT.to(language)}"
        _beside(axes, row, text, clear, colour=GREY)
    else:
        axes.barh(
            row,
            100,
            height=0.62,
            color=EMPTY_FACE,
            hatch=EMPTY_HATCH,
            edgecolor="#c3c9cb",
            linewidth=0,
        )
        _beside(axes, row, _INSUFFICIENT.to(language), clear, colour=GREY)


def _beside(axes: Axes, row: float, text: str, clear: str, *, colour: str, size: float = 8) -> None:
    """Write the number and the clear-view share in two columns right of the bars."""
    for x, words, side in ((103, text, "left"), (162, clear, "right")):
        axes.text(x, row, words, color=colour, size=size, ha=side, va="center", clip_on=False)


def _target_line(axes: Axes, target: float, label: Words | None, language: Language) -> None:
    axes.axvline(target, color=RED, linewidth=1.1, linestyle=(0, (5, 3)), zorder=6)
    if label is not None:
        axes.text(
            target,
            -0.85,
            label.to(language),
            color=RED,
            size=7.5,
            ha="center",
            va="center",
            clip_on=False,
        )
