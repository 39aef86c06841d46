"""The chart of patches by county: how many and how much ground, losses and gains."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.rows import Margins, row_axes
from jinhua_rs.figures.sheet import GREY, INK, WIDTH_IN, stamp, to_png

__all__ = ["CountyPatches", "patch_bars"]

_MARGINS = Margins(row=0.44, head=0.34, left=1.05, right=1.75)
_KINDS = (("#d1342b", Words("林木减少", "Loss")), ("#2f6fd0", Words("林木增加", "Gain")))
_COUNT = Words("{n} 处  {mu:,.1f} 亩", "{n}, {mu:,.1f} mu")
_ALL = Words("：合计 ", ", all: ")
_AXIS = Words("面积（亩）", "Area (mu)")


@dataclass(frozen=True, slots=True)
class CountyPatches:
    """Patches of a county: number and 亩, losses first, then gains."""

    name: Words
    n: tuple[int, int]
    mu: tuple[float, float]


def patch_bars(
    counties: Sequence[CountyPatches], caption: Caption, *, language: Language = "zh"
) -> bytes:
    """
    Draw number and area of patches by county, losses and gains, with their total.

    Parameters
    ----------
    counties : sequence of CountyPatches
        In the order of the rows.
    caption : Caption
        Words around the chart.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If there is no county.
    """
    if not counties:
        raise NoDataError("no unit to chart; check [area] units", zh="没有可绘制的统计单元")
    longest = max(1.0, *(area for one in counties for area in one.mu))
    figure, axes = row_axes(
        [one.name for one in counties], caption, language,
        most=longest * 1.02, axis=_AXIS, margins=_MARGINS,
    )  # fmt: skip
    for kind, (colour, _) in enumerate(_KINDS):
        for row, one in enumerate(counties):
            _bar(axes, row + 0.4 * kind - 0.2, (one.n[kind], one.mu[kind]), colour, language)
    _legend(figure, axes.get_position().y1, counties, language)
    stamp(axes, caption, language, zorder=3, size=22)
    return to_png(figure)


def _bar(axes: Axes, at: float, told: tuple[int, float], colour: str, language: Language) -> None:
    n, area = told
    axes.barh(at, area, height=0.34, color=colour)
    axes.annotate(
        _COUNT.to(language).format(n=n, mu=area), (1, at), (8, 0), va="center", size=8,
        xycoords=("axes fraction", "data"), textcoords="offset points",
        color=colour if n else GREY,
    )  # fmt: skip


def _legend(
    figure: Figure, top: float, counties: Sequence[CountyPatches], language: Language
) -> None:
    """Write both colours with their totals above the bars."""
    y = top + (_MARGINS.head - 0.14) / figure.get_figheight()
    for kind, (colour, name) in enumerate(_KINDS):
        n = sum(one.n[kind] for one in counties)
        area = sum(one.mu[kind] for one in counties)
        left = (_MARGINS.left + 3.1 * kind) / WIDTH_IN
        size = 0.1 / figure.get_figheight()
        figure.add_artist(Rectangle((left, y - size / 2), 0.1 / WIDTH_IN, size, color=colour))
        text = name.to(language) + _ALL.to(language) + _COUNT.to(language).format(n=n, mu=area)
        figure.text(left + 0.02, y, text, size=8.5, color=INK, va="center")
