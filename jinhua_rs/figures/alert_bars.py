"""The chart of alerts by county: how much ground, losses and gains, by confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.printed import shown
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.sheet import GREY, INK, WIDTH_IN, new_sheet, stamp, to_png

__all__ = ["CountyAlerts", "alert_bars"]

_ROW_IN, _AXIS_IN, _HEAD_IN = 0.46, 0.42, 0.62
_LEFT_IN, _RIGHT_IN = 1.05, 1.25
_KINDS = (
    (Words("植被减少", "Loss"), ("#f3b9b4", "#e0605a", "#96120d")),
    (Words("植被增加", "Gain"), ("#bcd0f1", "#5f8fdb", "#163f8f")),
)
"""Names, and a shade for each confidence, the lowest first."""
_LEVELS = (
    Words("低（1 次观测）", "low, seen once"),
    Words("高（2 次）", "high, twice"),
    Words("最高（3 次及以上）", "highest, three times or more"),
)
_AXIS = Words(
    "预警面积（亩），像元统计，仅供参考", "Ground in alert (mu), pixels counted: context only"
)


@dataclass(frozen=True, slots=True)
class CountyAlerts:
    """Ground in alert in a county, 亩, by confidence 1, 2, 3: losses and gains."""

    name: Words
    loss_mu: tuple[float, float, float]
    gain_mu: tuple[float, float, float]


def alert_bars(
    counties: Sequence[CountyAlerts], caption: Caption, *, language: Language = "zh"
) -> bytes:
    """
    Draw the ground in alert by county: losses and gains, each stacked by confidence.

    Parameters, result and errors as :func:`jinhua_rs.figures.patch_bars`.
    """
    if not counties:
        raise NoDataError("no unit to chart; check [area] units", zh="没有可绘制的统计单元")
    rows = len(counties)
    figure, bottom, top = new_sheet(caption, language, _HEAD_IN + _ROW_IN * rows + _AXIS_IN)
    height = figure.get_figheight()
    low, tall = (bottom + _AXIS_IN) / height, _ROW_IN * rows / height
    width = 1 - (_LEFT_IN + _RIGHT_IN) / WIDTH_IN
    axes = figure.add_axes((_LEFT_IN / WIDTH_IN, low, width, tall))
    _frame(axes, counties, language)
    for row, one in enumerate(counties):
        for kind, areas in enumerate((one.loss_mu, one.gain_mu)):
            _stack(axes, row + 0.4 * kind - 0.2, areas, _KINDS[kind][1])
    for kind in range(len(_KINDS)):
        _legend(figure, kind, (top - 0.16 - 0.22 * kind) / height, language)
    stamp(axes, caption, language, zorder=3, size=22)
    return to_png(figure)


def _frame(axes: Axes, counties: Sequence[CountyAlerts], language: Language) -> None:
    longest = max(1.0, *(sum(areas) for one in counties for areas in (one.loss_mu, one.gain_mu)))
    axes.set(xlim=(0, longest * 1.02), ylim=(len(counties) - 0.5, -0.5))
    axes.set_yticks(range(len(counties)), [one.name.to(language) for one in counties])
    axes.set_xlabel(_AXIS.to(language), size=8, color=GREY)
    axes.xaxis.set_major_formatter(lambda value, _: shown(value, 0))
    axes.tick_params(length=0, labelcolor=GREY, labelsize=8)
    axes.tick_params(axis="y", labelcolor=INK, labelsize=9)
    axes.grid(axis="x", color="#e6e9ea", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color("#c4cacc")


def _stack(axes: Axes, at: float, areas: Sequence[float], shades: Sequence[str]) -> None:
    left = 0.0
    for area, shade in zip(areas, shades, strict=True):
        axes.barh(at, area, left=left, height=0.34, color=shade)
        left += area
    axes.annotate(
        shown(left, 1), (1, at), (8, 0), va="center", size=8,
        xycoords=("axes fraction", "data"), textcoords="offset points",
        color=shades[-1] if left else GREY,
    )  # fmt: skip


def _legend(figure: Figure, kind: int, y: float, language: Language) -> None:
    """Write what the shades of a kind mean, in one line above the bars."""
    name, shades = _KINDS[kind]
    size = 0.1 / figure.get_figheight()
    figure.text(_LEFT_IN / WIDTH_IN, y, name.to(language), size=8.5, color=INK, va="center")
    for level, (shade, words) in enumerate(zip(shades, _LEVELS, strict=True)):
        left = (_LEFT_IN + 0.85 + 1.75 * level) / WIDTH_IN
        figure.add_artist(Rectangle((left, y - size / 2), 0.1 / WIDTH_IN, size, color=shade))
        figure.text(left + 0.02, y, words.to(language), size=8.5, color=INK, va="center")
