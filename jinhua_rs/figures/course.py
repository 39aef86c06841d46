"""The chart of coverage over the years: a panel for each unit, the interval as a band."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, MaxNLocator

from jinhua_rs.errors import NoDataError
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.estimate import MISSING, Estimate
from jinhua_rs.figures.sheet import GREY, INK, RED, WIDTH_IN, new_sheet, stamp, to_png

__all__ = ["Course", "course_chart"]

_COLUMNS, _PANEL_IN, _GAP_IN = 5, 1.12, 0.52
_LEFT_IN, _RIGHT_IN, _STEP_IN = 0.52, 0.25, 0.30
_GREEN, _BAND, _CONTEXT = "#1d5c3a", "#bfdcbf", "#9aa1a4"
_AXIS = Words("覆盖率（%），带为95%区间", "Coverage (%), band: 95 % interval")
_TARGET = Words(
    "；红虚线为规划目标 {:g}%（对全市提出）", "; dashed: the plan's {:g}% (for the city)"
)
_LEAST = 2.0
"""Smallest height of a panel, points, so that noise is not blown up to look like a trend."""


@dataclass(frozen=True, slots=True)
class Course:
    """A unit's name, its coverage in percent by year, what is said of its trend, and its rank."""

    name: Words
    years: Mapping[int, Estimate]
    said: Words
    whole: bool = False


def course_chart(
    courses: Sequence[Course],
    caption: Caption,
    *,
    target: float | None = None,
    language: Language = "zh",
) -> bytes:
    """
    Draw coverage over the years, a small panel for each unit in the order given.

    All panels are equally high in points, each around its own values, so that slopes can be
    compared by eye. A year with an interval is a green dot in its band; a pixel count is a grey
    dot without one; a year without data is a gap.

    Parameters
    ----------
    courses : sequence of Course
        Percent; the city is drawn in bold.
    caption : Caption
        Words around the chart.
    target : float, optional
        Percent; a dashed line in the panels whose range holds it.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If no unit has a value in any year.
    """
    spans = [span for course in courses if (span := _span(course)) is not None]
    if not spans:
        raise NoDataError("no year of any unit to chart", zh="没有可绘制的年度数据")
    height = max(_LEAST, 1.15 * max(high - low for low, high in spans))
    years = sorted({year for course in courses for year in course.years})
    rows = ceil(len(courses) / _COLUMNS)
    body = rows * (_PANEL_IN + _GAP_IN) + 0.10
    figure, bottom, top = new_sheet(caption, language, body)
    whole = figure.get_figheight()
    width = (WIDTH_IN - _LEFT_IN - _RIGHT_IN - (_COLUMNS - 1) * _STEP_IN) / _COLUMNS
    for place, course in enumerate(courses):
        row, column = divmod(place, _COLUMNS)
        left = _LEFT_IN + column * (width + _STEP_IN)
        foot = top - (row + 1) * (_PANEL_IN + _GAP_IN) + 0.22
        axes = figure.add_axes((left / WIDTH_IN, foot / whole, width / WIDTH_IN, _PANEL_IN / whole))
        _panel(axes, course, years, language)
        _range(axes, _span(course), height, target)
    note = _AXIS.to(language)
    if target is not None:
        note += _TARGET.to(language).format(target)
    figure.text(_LEFT_IN / WIDTH_IN, (bottom - 0.02) / whole, note, size=7, color=GREY)
    back = figure.add_axes((0.05, bottom / whole, 0.9, body / whole), zorder=-1)
    back.set_axis_off()
    stamp(back, caption, language, zorder=-1, size=30)
    return to_png(figure)


def _span(course: Course) -> tuple[float, float] | None:
    """Lowest and highest number of a unit, its intervals included; None where nothing is known."""
    known = [one for one in course.years.values() if one.judged or one.context_only]
    if not known:
        return None
    lows = [one.low if one.judged else one.value for one in known]
    highs = [one.high if one.judged else one.value for one in known]
    return min(lows), max(highs)


def _panel(axes: Axes, course: Course, years: Sequence[int], language: Language) -> None:
    counted = {year: one for year, one in course.years.items() if one.context_only}
    at = range(years[0], years[-1] + 1)
    own = [course.years.get(year, MISSING) for year in at]
    known = [one if one.judged else MISSING for one in own]  # a gap is a gap
    low, high = [one.low for one in known], [one.high for one in known]
    width = 2.0 if course.whole else 1.3
    axes.fill_between(at, low, high, color=_BAND, linewidth=0)
    axes.vlines(at, low, high, color=_BAND, linewidth=3)
    values = [one.value for one in known]
    axes.plot(at, values, color=_GREEN, linewidth=width, marker="o", markersize=3)
    axes.plot(
        list(counted), [one.value for one in counted.values()],
        color=_CONTEXT, linestyle="", marker="o", markersize=3,
    )  # fmt: skip
    axes.set_title(course.name.to(language), size=9, color=INK, loc="left", pad=4)
    axes.text(
        1, 1.04, course.said.to(language), transform=axes.transAxes, size=6.5, color=GREY,
        ha="right", va="bottom",
    )  # fmt: skip
    axes.set_xlim(years[0] - 0.4, years[-1] + 0.4)
    axes.xaxis.set_major_locator(FixedLocator([years[0], years[-1]]))
    axes.xaxis.set_major_formatter("{x:.0f}")


def _range(
    axes: Axes, span: tuple[float, float] | None, height: float, target: float | None
) -> None:
    axes.tick_params(length=0, labelsize=7, labelcolor=GREY)
    axes.patch.set_alpha(0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color("#c4cacc")
    middle = 50.0 if span is None else sum(span) / 2
    low, high = middle - height / 2, middle + height / 2
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#e6e9ea", linewidth=0.6)
    axes.set_axisbelow(True)
    if target is not None and low <= target <= high:
        axes.axhline(target, color=RED, linewidth=1.0, linestyle=(0, (5, 3)))
