"""
The third recipe: trends over the published years of one season, pixel by pixel, as maps.

The headline is the series of each county (``tree_cover_trend`` in the indicators); the maps show
where its ground went up or down. Method and its weakness: docs/decisions/0023.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr
from shapely.geometry import box

from jinhua_rs import __version__, catalog, figures, history, regions, schema, store, zonal
from jinhua_rs.crew import carry_out
from jinhua_rs.dossier import Brief
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.estimation.printed import DASH, percent, shown
from jinhua_rs.estimation.trend import trends
from jinhua_rs.estimation.verdicts import LEVEL, MIN_YEARS
from jinhua_rs.figures import Ramp, Words
from jinhua_rs.following import TREND, Place
from jinhua_rs.history import Publication
from jinhua_rs.pieces import Made
from jinhua_rs.planning import PUBLISHED, Plan, fingerprint
from jinhua_rs.schema import TREND_CLASSES, Slope, Status, described
from jinhua_rs.tasks import Pool, Progress, Task, pool

__all__ = ["Trended", "run", "screen"]

_MEASURES = {"ndvi": Words("植被指数", "NDVI"), "canopy": Words("林冠覆盖度", "Canopy cover")}
_COLOURS = ("#7f3b16", "#c98350", "#eedcc3", "#d3e3cf", "#6aa874", "#14532d")
_STEPS = 10_000
"""Steps in which p is kept, rounded up: never smaller than it was."""


@dataclass(frozen=True, slots=True)
class Trended:
    """
    Where the trends of a period lie, and what they say by unit.

    ``rows`` has a line for each unit and measure: the headline of the unit (points of tree cover a
    year, 95 % interval, p, status) and the shares of its tested ground that fell and rose.
    """

    folder: Path
    rows: pd.DataFrame
    years: Mapping[str, Sequence[int]]


@dataclass(frozen=True, slots=True)
class _Job:
    """One measure on one tile: the years, the ground, and where the answer goes."""

    path: Path
    key: str
    published: tuple[Publication, ...]
    measure: str
    bounds: tuple[float, float, float, float]
    label: str


def run(place: Place, *, progress: Progress) -> Trended:
    """
    Find the trend of NDVI and canopy cover at every pixel, over all published years of the season.

    Tile by tile, resumable; trends from the same publications stand as they are.

    Raises
    ------
    NoDataError
        If the period is not published, or no measure has eight years.
    IntegrityError
        If a publication is damaged.
    LockedError
        If another run works on the period.
    """
    label, now = place.label, place.period
    found = history.publications(place.settings.output.root, now, unit=place.unit)
    season = next(one.season for one in found if one.period == now)
    same = tuple(one for one in found if (one.label, one.season) == (label, season))
    series = {name: tuple(one for one in same if one.map(name)) for name in _MEASURES}
    series = {name: them for name, them in series.items() if len(them) >= MIN_YEARS}
    if not series:
        raise _too_few(now.name_zh, str(now), len(same))
    made = {name: [(str(one.period), one.run_id) for one in them] for name, them in series.items()}
    key = fingerprint([__version__, label, made, sorted(map(str, place.units.index))])
    target = place.folder / TREND
    with store.locked(place.folder):
        if not _stands(target, key):
            store.sweep(place.folder)
            plan, asked = _plan(place), place.settings
            with pool(asked.run, asked.cluster, place.folder / "logs") as workers:
                tiles = {
                    name: _tiles(plan, name, them, workers, progress)
                    for name, them in series.items()
                }
            with store.whole(target) as part:
                part.mkdir()
                _write(place, part, series, tiles)
                receipt = {"key": key, "period": str(now), "label": label, "publications": made}
                store.write_json(part / "run.json", receipt)
                store.write_sums(part, [path for path in part.rglob("*") if path.is_file()])
    rows = pd.read_csv(target / "trend-by-unit.csv", dtype={"unit": str})
    return Trended(target, rows, {name: _years(them) for name, them in series.items()})


def _years(published: Iterable[Publication]) -> list[int]:
    return [one.period.year for one in published]


def _too_few(zh: str, period: str, years: int) -> NoDataError:
    return NoDataError(
        f"{period}: a trend needs {MIN_YEARS} years of one season with maps of NDVI or canopy, "
        f"{years} are published; run the earlier years first",
        zh=f"{zh}：趋势至少需要同一季节 {MIN_YEARS} 年的 NDVI 或林冠覆盖度图，现已发布 {years} 年；"
        "请先运行更早年份",
    )


def _stands(target: Path, key: str) -> bool:
    try:
        told = store.read_json(target / "run.json") if (target / "run.json").is_file() else {}
        return isinstance(told, dict) and told.get("key") == key and not store.verify_sums(target)
    except IntegrityError:
        return False


def _tiles(
    plan: Plan, measure: str, published: tuple[Publication, ...], workers: Pool, progress: Progress
) -> list[Path]:
    """Find slopes and p tile by tile, then judge them all as one family."""
    runs = [(str(one.period), one.run_id) for one in published]
    jobs, label = [], published[-1].label
    for tile in plan.tiles:
        extent = tile.geobox.extent.boundingbox
        bounds = (extent.left, extent.bottom, extent.right, extent.top)
        path = plan.folder / "tiles" / f"{TREND}_{measure}" / f"{tile.id}.zarr"
        key = fingerprint([__version__, label, measure, runs, bounds])
        jobs.append(_Job(path, key, published, measure, bounds, label))
    tasks = [Task(job.path.stem, slopes_of_tile, (job,)) for job in jobs]
    carry_out(plan, f"{TREND} {measure}", tasks, workers, progress)
    line = _line(store.read_facts(job.path)["p_steps"] for job in jobs)
    judged = [job.path.with_name(f"{job.path.stem}.judged.zarr") for job in jobs]
    tasks = [
        Task(job.path.stem, judge_tile, (path, job, line))
        for path, job in zip(judged, jobs, strict=True)
    ]
    carry_out(plan, f"{TREND} {measure} judged", tasks, workers, progress)
    return judged


def _plan(place: Place) -> Plan:
    """Plan without scenes: everything was published before."""
    none = catalog.Inventory(
        period=place.period, profile="", source="", bounds=(0, 0, 0, 0), decisions=()
    )
    return Plan(place.period, place.settings, place.units, place.unit, none)


def slopes_of_tile(job: _Job) -> Made:
    """Find slope, p and the side of 0 that the interval lies on, for the pixels of a tile."""
    if store.is_sealed(job.path, job.key):
        return Made(job.path.stem, "reused", {}, int(store.read_facts(job.path)["clear_pixels"]))
    years = history.series(job.published, job.measure, box(*job.bounds))
    found = trends(years.to_numpy(), [int(year) for year in years.year])
    side = np.where(found.low > 0, Slope.RISING, np.where(found.high < 0, Slope.FALLING, 2))
    known = ~np.isnan(found.slope)
    steps = np.ceil(found.p * _STEPS - 1e-6)
    layers = {
        "trend_slope": found.slope,
        "trend_p": steps / _STEPS,
        "trend": np.where(known, side, Slope.UNSEEN),
    }
    _write_tile(job.path, years.isel(year=0, drop=True), job, layers)
    counts = Counter(int(step) for step in steps[known])
    facts = {"clear_pixels": int(known.sum()), "p_steps": sorted(counts.items())}
    store.seal(job.path, job.key, facts)
    return Made(job.path.stem, "done", {}, int(known.sum()))


def _line(tiles: Iterable[Sequence[tuple[int, int]]]) -> int:
    """
    Greatest p, in steps, at which a trend is called over the whole map; -1 is at none.

    Benjamini and Hochberg 1995: the greatest p that is below 5 % of its rank among all pixels.
    """
    counts: Counter[int] = Counter()
    for tile in tiles:
        for step, number in tile:
            counts[int(step)] += int(number)
    steps = np.array(sorted(counts), np.int64)
    rank = np.cumsum([counts[int(step)] for step in steps])
    called = steps[steps / _STEPS * counts.total() < LEVEL * rank]
    return int(called.max(initial=-1))


def judge_tile(path: Path, job: _Job, line: int) -> Made:
    """Keep the trends of a tile that the whole map's line lets stand."""
    key = fingerprint([job.key, line])
    if store.is_sealed(path, key):
        return Made(job.path.stem, "reused", {}, int(store.read_facts(path)["clear_pixels"]))
    data = store.open_tile(job.path).load()
    steps, side = np.rint(data["trend_p"].to_numpy() * _STEPS), data["trend"].to_numpy()
    kept = np.where((side == Slope.UNSEEN) | (steps <= line), side, Slope.NONE)
    layers = {name: data[name].to_numpy() for name in ("trend_slope", "trend_p")} | {"trend": kept}
    _write_tile(path, data["trend_slope"], job, layers)
    seen = int((kept != Slope.UNSEEN).sum())
    store.seal(path, key, {"clear_pixels": seen})
    return Made(job.path.stem, "done", {}, seen)


def _write_tile(
    path: Path, like: xr.DataArray, job: _Job, layers: Mapping[str, npt.NDArray[np.generic]]
) -> None:
    made = {name: described(like.copy(data=values), name) for name, values in layers.items()}
    store.write_tile(path, xr.Dataset(made), job.label)


def _write(
    place: Place,
    folder: Path,
    series: Mapping[str, tuple[Publication, ...]],
    tiles: Mapping[str, Sequence[Path]],
) -> None:
    """Write maps, pictures and the table by unit."""
    geobox = place.settings.grid.covering(regions.outline(place.units).bounds)
    tables = []
    for measure, judged in tiles.items():
        years = _years(series[measure])
        tags = {"period": str(place.period), "label": place.label, "measure": measure}
        tags |= {"years": ",".join(map(str, years))}
        for name in ("trend_slope", "trend_p", "trend"):
            path = folder / f"{measure}_{name}.tif"
            classes = TREND_CLASSES if name == "trend" else ()
            store.write_mosaic(path, name, judged, geobox, classes=classes, tags=tags)
        _draw(place, folder, measure, years)
        tables.append(_by_unit(place, folder, measure))
    pd.concat(tables).to_csv(folder / "trend-by-unit.csv", index=False)


def _draw(place: Place, folder: Path, measure: str, years: Sequence[int]) -> None:
    run_id, named = str(place.published.get("run_id", "")), _MEASURES[measure]
    brief = Brief(
        period=place.period,
        run_id=run_id,
        label=place.label,
        credit=place.credit,
        units=place.units,
        remarks=[],
    )
    span = f"{years[0]}–{years[-1]}"
    ramp = Ramp(Words(f"{named.zh}，每年", f"{named.en} a year"), -0.05, 0.05, _COLOURS)
    slope = Words(f"{named.zh}逐像元趋势（{span} 年同季）", f"{named.en}: slope, {span}")
    found = Words(
        f"{named.zh}显著升降（{span} 年同季，错误发现率 5%）",
        f"{named.en}: trends found, {span}, 5 % false discovery",
    )
    for language in place.settings.report.languages:
        suffix = "" if language == "zh" else f"-{language}"
        picture = figures.index_map(
            folder / f"{measure}_trend_slope.tif", ramp, place.units, brief.caption(slope),
            language=language,
        )  # fmt: skip
        (folder / f"{measure}-slope{suffix}.png").write_bytes(picture)
        picture = figures.class_map(
            folder / f"{measure}_trend.tif", TREND_CLASSES, place.units, brief.caption(found),
            language=language,
        )  # fmt: skip
        (folder / f"{measure}-trend{suffix}.png").write_bytes(picture)


def _by_unit(place: Place, folder: Path, measure: str) -> pd.DataFrame:
    """Headline of each unit, and how much of its tested ground fell and rose."""
    areas = zonal.class_areas(folder / f"{measure}_trend.tif", place.units)
    areas = areas.reindex(columns=[int(code) for code in Slope], fill_value=0.0)
    tested = areas.drop(columns=int(Slope.UNSEEN)).sum(axis="columns")
    head = _headline(place)
    return pd.DataFrame(
        {
            "unit": list(map(str, place.units.index)),
            "name_zh": list(place.units["name_zh"]),
            "name_en": list(place.units["name_en"]),
            **{
                f"tree_cover_{name}": list(head[name])
                for name in ("value", "low", "high", "p", "status")
            },
            "measure": measure,
            "falling_share": list(areas[int(Slope.FALLING)] / tested),
            "rising_share": list(areas[int(Slope.RISING)] / tested),
            "tested_share": list(tested / areas.sum(axis="columns")),
        }
    )


def _headline(place: Place) -> pd.DataFrame:
    """Trend of tree cover of each unit, as it was published; insufficient where it was not."""
    path = place.folder / PUBLISHED / "indicators.csv"
    codes, table = list(map(str, place.units.index)), schema.rows([])
    if path.is_file():
        table = pd.read_csv(path, dtype={"unit": str, "period": str})
    own = table[table["indicator"] == "tree_cover_trend"].drop_duplicates("unit").set_index("unit")
    return own.reindex(codes).fillna({"status": str(Status.INSUFFICIENT)})


def screen(found: Trended, language: str) -> tuple[list[str], list[list[str]]]:
    """Lay out headline and shares by unit for a screen: headings and lines."""
    zh = language == "zh"
    heads = ["单元", "林木覆盖（百分点/年，95% 区间）", "图", "显著下降", "显著上升"]
    if not zh:
        heads = ["unit", "tree cover, points a year, 95 % interval", "map", "falling", "rising"]
    lines = [
        [
            str(row["name_zh" if zh else "name_en"]),
            _head_text(row),
            _MEASURES[row["measure"]].to("zh" if zh else "en"),
            percent(100 * row["falling_share"]),
            percent(100 * row["rising_share"]),
        ]
        for row in found.rows.to_dict("records")
    ]
    return heads, lines


def _head_text(row: Mapping[Hashable, Any]) -> str:
    value, low, high = (float(row[f"tree_cover_{name}"]) for name in ("value", "low", "high"))
    return DASH if np.isnan(value) else f"{shown(value)} ({shown(low)} ~ {shown(high)})"
