"""The standard set of pictures of a period, from its rows and its published maps."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import get_args

import geopandas as gpd

from jinhua_rs.causes import ALERT_CLASSES
from jinhua_rs.figures import (
    CANOPY,
    CLEAR_LOOKS,
    NDVI,
    Bar,
    Caption,
    Course,
    Language,
    Words,
    alert_bars,
    change_map,
    choropleth,
    class_map,
    course_chart,
    index_map,
    interval_bars,
)
from jinhua_rs.period import Period
from jinhua_rs.report import wording
from jinhua_rs.report.alerted import county_alerts
from jinhua_rs.report.data import ReportData
from jinhua_rs.report.html import FIGURES
from jinhua_rs.report.lines import lines
from jinhua_rs.schema import FOREST_CLASSES, LAND_CLASSES, Status

__all__ = ["draw"]

_CLASSES = {"landcover": LAND_CLASSES, "forest": FOREST_CLASSES, "alert": ALERT_CLASSES}
_RAMPS = {"ndvi": NDVI, "canopy": CANOPY, "n_clear": CLEAR_LOOKS}


def draw(
    data: ReportData,
    rasters: Mapping[str, Path],
    units: gpd.GeoDataFrame,
    languages: tuple[Language, ...] = get_args(Language),
) -> dict[str, bytes]:
    """
    Draw every picture that the report can show.

    Parameters
    ----------
    data : ReportData
        Numbers, dates, run and mark.
    rasters : Mapping of variable name to GeoTIFF
        Any of ``landcover``, ``forest``, ``canopy``, ``ndvi``, ``change``, ``alert``,
        ``n_clear``; other
        names are left alone.
    units : GeoDataFrame
        Index ``code``, columns ``name_zh``, ``name_en``, ``level``, geometry in the CRS of the
        rasters.
    languages : tuple of "zh", "en"
        Languages to draw in.

    Returns
    -------
    dict
        ``"name.language"`` to PNG bytes, ready for :func:`jinhua_rs.report.write`.
    """
    jobs = _of_rows(data, units) | _of_rasters(rasters, units)
    pictures = {}
    for name in FIGURES:
        for language in languages if name in jobs else ():
            pictures[f"{name}.{language}"] = jobs[name](_caption(data, FIGURES[name]), language)
    return pictures


Job = Callable[[Caption, Language], bytes]


def _of_rows(data: ReportData, units: gpd.GeoDataFrame) -> dict[str, Job]:
    found = lines(data)
    shares = {line.unit.code: line.share for line in found}
    bars = [Bar(line.unit.name, line.share, line.whole) for line in found]
    goal = next((target.value for target in data.targets if target.key == "forest_cover"), None)
    label = (
        Words(f"规划目标 {goal:g}%（对全市提出）", f"Plan: {goal:g}% (for the city)")
        if goal
        else None
    )

    def chart(caption: Caption, language: Language) -> bytes:
        return interval_bars(bars, caption, target=goal, target_label=label, language=language)

    def map_of_shares(caption: Caption, language: Language) -> bytes:
        return choropleth(units, shares, caption, language=language)

    def course(caption: Caption, language: Language) -> bytes:
        return course_chart(_courses(data), caption, target=goal, language=language)

    def watch(caption: Caption, language: Language) -> bytes:
        below = [unit.code for unit in data.units if unit.level != "city"]
        areas = [one for one in data.alerts if one.unit in below] or data.alerts
        return alert_bars(county_alerts(areas, data.names), caption, language=language)

    jobs: dict[str, Job] = {"choropleth": map_of_shares, "bars": chart}
    jobs |= {"alerts": watch} if data.alerts else {}
    years = {row.period for row in data.series if row.status != Status.INSUFFICIENT}
    return jobs | ({"course": course} if len(years) > 1 else {})


def _courses(data: ReportData) -> list[Course]:
    """Coverage by year of every unit, and in a word what is said of its trend."""
    found = []
    for line in lines(data):
        own = [row for row in data.series if row.unit == line.unit.code]
        years = {Period.parse(row.period).year: row.estimate for row in own}
        said = Words("", "") if line.trend is None else line.trend.cell
        found.append(Course(line.unit.name, years, said, line.whole))
    return found


def _of_rasters(rasters: Mapping[str, Path], units: gpd.GeoDataFrame) -> dict[str, Job]:
    jobs: dict[str, Job] = {}
    for name, path in rasters.items():
        job = _raster_job(name, path, units)
        if job is not None:
            jobs[name] = job
    return jobs


def _raster_job(name: str, path: Path, units: gpd.GeoDataFrame) -> Job | None:
    def draw_classes(caption: Caption, language: Language) -> bytes:
        return class_map(path, _CLASSES[name], units, caption, language=language)

    def draw_ramp(caption: Caption, language: Language) -> bytes:
        return index_map(path, _RAMPS[name], units, caption, language=language)

    def draw_change(caption: Caption, language: Language) -> bytes:
        return change_map(path, units, caption, language=language)

    if name in _CLASSES:
        return draw_classes
    if name in _RAMPS:
        return draw_ramp
    return draw_change if name == "change" else None


def _caption(data: ReportData, title: Words) -> Caption:
    """Caption of one picture; the change map's titles say between which periods."""
    period, dates = wording.period_name(data.period), wording.data_dates(data)
    before = ""
    before_en = ""
    if data.baseline and title == FIGURES["change"]:
        base = wording.period_name(data.baseline)
        before, before_en = f"（较{base.zh}）", f" (since {base.en})"
    return Caption(
        title=Words(f"{data.area.zh}{title.zh}", f"{data.area.en}: {title.en}"),
        when=Words(
            f"{period.zh}{before} · 影像日期 {dates.zh}",
            f"{period.en}{before_en} · images of {dates.en}",
        ),
        run_id=data.run_id,
        credit=Words(
            " · ".join(credit.zh for credit in data.credits),
            " · ".join(credit.en for credit in data.credits),
        ),
        mark=data.mark,
    )
