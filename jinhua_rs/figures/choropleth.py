"""The map that gives each unit the colour of its value."""

from collections.abc import Mapping
from itertools import pairwise

import geopandas as gpd
from matplotlib.patches import PathPatch, Rectangle

from jinhua_rs.estimation.printed import shown
from jinhua_rs.figures.base import (
    MapSheet,
    empty_patch,
    map_sheet,
    name_units,
    outline_path,
)
from jinhua_rs.figures.caption import Caption, Language, Words
from jinhua_rs.figures.estimate import MISSING, Estimate
from jinhua_rs.figures.sheet import to_png

__all__ = ["choropleth"]

_EDGES = (40.0, 50.0, 60.0, 70.0, 80.0)
"""Class limits in percent: the same in every period, so that maps can be laid side by side."""
_GREENS = ("#f4f1dc", "#d5e3b5", "#a9cd8e", "#6fae6a", "#37874d", "#0f5a35")
_GREYS = ("#f4f4f4", "#e2e2e2", "#cecece", "#b8b8b8", "#a0a0a0", "#868686")
_INSUFFICIENT = Words("数据不足", "insufficient data")
_CONTEXT = Words("仅供参考", "for context only")
_JUDGED_TITLE = Words("覆盖率（%）", "Coverage (%)")
_CONTEXT_TITLE = Words("像元统计（%）\n仅供参考，不作评价", "Pixel count (%),\ncontext only")
_NOTE = Words("括号内为95%置信区间", "95 % interval in brackets")


def choropleth(
    units: gpd.GeoDataFrame,
    values: Mapping[str, Estimate],
    caption: Caption,
    *,
    language: Language = "zh",
) -> bytes:
    """
    Draw percentages by unit, each with its interval.

    An estimate with an interval is green, a pixel count without one is grey and says that it
    is for context, and a unit without data is hatched; none of the three can be mistaken.

    Parameters
    ----------
    units : GeoDataFrame
        Index ``code``, columns ``name_zh``, ``name_en``, ``level``, geometry in a projected CRS.
    values : Mapping of code to Estimate, percent
        A code that is missing is drawn as insufficient.
    caption : Caption
        Words around the map.
    language : "zh" or "en"
        Language of everything written.

    Returns
    -------
    bytes
        PNG, 1600 px wide.

    Raises
    ------
    NoDataError
        If there is no unit to draw.
    """
    sheet = map_sheet(units, caption, language)
    labels: dict[str, str] = {}
    for code, shape in sheet.units.geometry.items():
        estimate = values.get(str(code), MISSING)
        labels[str(code)] = _label(estimate, language)
        colour = _colour(estimate)
        if colour is not None:
            patch = PathPatch(outline_path(shape), facecolor=colour, linewidth=0, zorder=6)
            sheet.axes.add_patch(patch)
    name_units(sheet, language, labels)
    _legends(sheet, [values.get(str(code), MISSING) for code in sheet.units.index], language)
    return to_png(sheet.figure)


def class_of(value: float) -> int:
    """
    Index of the colour class of a percentage; a value on a limit belongs to the upper class.

    >>> class_of(39.99), class_of(60.0), class_of(100.0)
    (0, 3, 5)
    """
    return sum(value >= edge for edge in _EDGES)


def _colour(estimate: Estimate) -> str | None:
    """Face of a unit; ``None`` leaves the hatched ground to be seen."""
    if estimate.judged:
        return _GREENS[class_of(estimate.value)]
    if estimate.context_only:
        return _GREYS[class_of(estimate.value)]
    return None


def _label(estimate: Estimate, language: Language) -> str:
    if estimate.judged:
        return f"{shown(estimate.value)}\n({shown(estimate.low)}–{shown(estimate.high)})"
    if estimate.context_only:
        return f"{shown(estimate.value)}\n{_CONTEXT.to(language)}"
    return _INSUFFICIENT.to(language)


def _legends(sheet: MapSheet, shown: list[Estimate], language: Language) -> None:
    """One legend for each kind of number that is on the map, then the one for none."""
    below = 0.0
    kinds = (
        (any(estimate.judged for estimate in shown), _JUDGED_TITLE, _GREENS),
        (any(estimate.context_only for estimate in shown), _CONTEXT_TITLE, _GREYS),
    )
    for present, title, colours in kinds:
        if present:
            sheet.legend(_ramp_handles(colours), title.to(language), below_in=below)
            below += 1.72 if title is _JUDGED_TITLE else 1.9
    sheet.legend([empty_patch(language)], below_in=below)
    if kinds[0][0]:
        sheet.say(_NOTE.to(language), below_in=below + 0.32)


def _ramp_handles(colours: tuple[str, ...]) -> list[Rectangle]:
    names = (
        f"< {_EDGES[0]:g}",
        *(f"{low:g}–{high:g}" for low, high in pairwise(_EDGES)),
        f"≥ {_EDGES[-1]:g}",
    )
    return [
        Rectangle((0, 0), 1, 1, facecolor=colour, edgecolor="#8a9194", linewidth=0.4, label=name)
        for colour, name in zip(reversed(colours), reversed(names), strict=True)
    ]
