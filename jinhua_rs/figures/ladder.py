"""The chart of planting: reported, mapped, greened, forest, side by side for each group."""

from collections.abc import Sequence
from dataclasses import dataclass

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.sheet import GREY, INK, WIDTH_IN, new_sheet, stamp, to_png

__all__ = ["Rungs", "ladder_bars"]

_RUNGS = (
    (Words("上报", "reported"), "#d7dcdd"),
    (Words("上图", "on the map"), "#c9d9a8"),
    (Words("见绿", "greened"), "#86b56d"),
    (Words("成林", "forest"), "#1f6b3b"),
)
_ROW_IN, _HEAD_IN, _AXIS_IN = 0.62, 0.35, 0.4
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
    body = _HEAD_IN + _ROW_IN * len(groups) + _AXIS_IN
    figure, bottom, _ = new_sheet(caption, language, body)
    height = figure.get_figheight()
    axes = figure.add_axes(
        (1.2 / WIDTH_IN, (bottom + _AXIS_IN) / height, 5.7 / WIDTH_IN,
         _ROW_IN * len(groups) / height)
    )  # fmt: skip
    most = max(max(group.mu) for group in groups) or 1.0
    axes.set(xlim=(0, most * 1.02), ylim=(len(groups) - 0.5, -0.5))
    for place, (name, colour) in enumerate(_RUNGS):
        rows = [row - 0.3 + 0.2 * place for row in range(len(groups))]
        values = [group.mu[place] for group in groups]
        axes.barh(rows, values, height=0.18, color=colour, label=name.to(language))
        for row, value in zip(rows, values, strict=True):
            axes.text(value + most * 0.008, row, f"{value:,.1f}", size=6.5, color=GREY, va="center")
    axes.set_yticks(
        range(len(groups)), [group.name.to(language) for group in groups], size=9, color=INK
    )
    axes.tick_params(length=0, labelsize=8, labelcolor=GREY)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_xlabel(_AXIS.to(language), size=8, color=GREY)
    axes.grid(axis="x", color="#e6e9ea", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.legend(
        *axes.get_legend_handles_labels(), loc="upper left", ncol=4, fontsize=8, frameon=False,
        bbox_to_anchor=(0.13, (bottom + body) / height),
    )  # fmt: skip
    stamp(axes, caption, language, zorder=0.5, size=24)
    return to_png(figure)
