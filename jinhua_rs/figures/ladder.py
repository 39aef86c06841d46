"""The chart of planting: reported, mapped, greened, forest, side by side for each group."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.rows import Margins, row_axes
from jinhua_rs.figures.sheet import GREY, stamp, to_png

__all__ = ["Rungs", "ladder_bars"]

_RUNGS = (
    (Words("上报", "reported"), "#d7dcdd"),
    (Words("上图", "on the map"), "#c9d9a8"),
    (Words("见绿", "greened"), "#86b56d"),
    (Words("成林", "forest"), "#1f6b3b"),
)
_MARGINS = Margins(row=0.62, head=0.35, left=1.2, right=1.1)
_AXIS = Words("亩", "mu (1/15 ha)")


@dataclass(frozen=True, slots=True)
class Rungs:
    """One group of the chart: its name, and 上报, 上图, 见绿, 成林 in 亩."""

    name: Words
    mu: tuple[float, float, float, float]


def ladder_bars(groups: Sequence[Rungs], caption: Caption, *, language: Language = "zh") -> bytes:
    """
    Draw the four rungs of each group as bars, in the order given.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If there is no group.
    """
    if not groups:
        raise NoDataError("no parcel to chart; check [layers] parcels", zh="没有可绘制的造林小班")
    most = max(max(group.mu) for group in groups) or 1.0
    figure, axes = row_axes(
        [group.name for group in groups], caption, language,
        most=most * 1.02, axis=_AXIS, margins=_MARGINS,
    )  # fmt: skip
    for place, (name, colour) in enumerate(_RUNGS):
        rows = [row - 0.3 + 0.2 * place for row in range(len(groups))]
        values = [group.mu[place] for group in groups]
        axes.barh(rows, values, height=0.18, color=colour, label=name.to(language))
        for row, value in zip(rows, values, strict=True):
            axes.text(value + most * 0.008, row, f"{value:,.1f}", size=6.5, color=GREY, va="center")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="lower left", ncol=4, fontsize=8, frameon=False, bbox_to_anchor=(-0.03, 0.99))
    stamp(axes, caption, language, zorder=0.5, size=24)
    return to_png(figure)
