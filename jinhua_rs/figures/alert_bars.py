"""The chart of alerts by county: how much ground, losses and gains, by confidence."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jinhua_rs.errors import NoDataError
from jinhua_rs.estimation.printed import shown
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.rows import Margins, row_axes
from jinhua_rs.figures.sheet import GREY, INK, WIDTH_IN, stamp, to_png

__all__ = ["CountyAlerts", "alert_bars"]

_MARGINS = Margins(row=0.46, head=0.62, left=1.05, right=1.25)
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
    longest = max(1.0, *(sum(areas) for one in counties for areas in (one.loss_mu, one.gain_mu)))
    figure, axes = row_axes(
        [one.name for one in counties], caption, language,
        most=longest * 1.02, axis=_AXIS, margins=_MARGINS,
    )  # fmt: skip
    axes.xaxis.set_major_formatter(lambda value, _: shown(value, 0))
    top = axes.get_position().y1 + _MARGINS.head / figure.get_figheight()
    for row, one in enumerate(counties):
        for kind, areas in enumerate((one.loss_mu, one.gain_mu)):
            _stack(axes, row + 0.4 * kind - 0.2, areas, _KINDS[kind][1])
    for kind in range(len(_KINDS)):
        _legend(figure, kind, top - (0.16 + 0.22 * kind) / figure.get_figheight(), language)
    stamp(axes, caption, language, zorder=3, size=22)
    return to_png(figure)


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
    figure.text(_MARGINS.left / WIDTH_IN, y, name.to(language), size=8.5, color=INK, va="center")
    for level, (shade, words) in enumerate(zip(shades, _LEVELS, strict=True)):
        left = (_MARGINS.left + 0.85 + 1.75 * level) / WIDTH_IN
        figure.add_artist(Rectangle((left, y - size / 2), 0.1 / WIDTH_IN, size, color=shade))
        figure.text(left + 0.02, y, words.to(language), size=8.5, color=INK, va="center")
