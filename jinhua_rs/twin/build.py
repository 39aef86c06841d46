"""Building the twin on disk: scenes, catalogue, samples, truth; resumable, the same every time."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely import box
from shapely.geometry.base import BaseGeometry

from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.period import Period
from jinhua_rs.regions import load_units, outline, select
from jinhua_rs.settings import Area
from jinhua_rs.twin.effects import Event
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.items import Dialect, Product, absolute, catalog, collection
from jinhua_rs.twin.orbits import TILES, Acquisition, MgrsTile, acquisitions, evenly, processings
from jinhua_rs.twin.plots import Plot, lay, plots
from jinhua_rs.twin.publish import publish, published, read_item, read_sky, write_json
from jinhua_rs.twin.scenes import Painter
from jinhua_rs.twin.truth import truth_table
from jinhua_rs.twin.world import World

__all__ = ["TwinSpec", "build"]

Progress = Callable[[int, int, str], None]

_RECIPE = 1
"""Raise it when the same spec would give other pixels, so that old folders are not reused."""
_SPEC_FILE = "twin.json"
_WORK = ".work"
_TRUTH_MARK = "truth/truth.csv"
_README = """\
# SIMULATED Jinhua · 模拟金华

**Everything in this folder is simulated. No satellite has seen it; no number here is a fact
about the real Jinhua.**

**本文件夹内全部为模拟数据，并非卫星观测；其中任何数字都不代表真实的金华。**

The ground, its history, the weather and the faults of the scene classification were drawn
from one seed (see `twin.json`), so that products can be judged against a known truth.

| | |
| --- | --- |
| `catalog.json`, `collection.json`, `items/` | static STAC catalogue, relative links |
| `items.json` | the same items with absolute addresses, for a local STAC API |
| `scenes/<id>/*.tif` | Cloud Optimized GeoTIFF, one for each band; DN 0 is "not seen" |
| `layers/`, `samples.gpkg`, `reference.gpkg` | layers, training points, reference points |
| `truth/` | what is true, by unit and period, and what each scene's mask got wrong |
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinSpec:
    """
    What is to be built; equal specs give equal bytes.

    Attributes
    ----------
    seed : int
        Of ground, history, weather and noise.
    resolution : float
        Pixel size (m) of the bands that are 10 m in truth; the others have twice that.
    periods : tuple of str
        ``("2019Q4", "2024Q4")``.
    unit : str or None
        Code of the county whose surroundings are painted; ``None`` is the whole city.
    dates_per_period : int or None
        At most so many passes in each period, shared out among the relative orbits that see
        the place; ``None`` is all of them.
    cloudiness : float
        Factor on the monthly mean of cloud cover; 0 is never a cloud.
    samples_per_class : int
        Training points of each land-cover class.
    reference_points : int
        Reference points of each county.
    dialect : str
        Collection of Earth Search v1 whose habits the items have.
    buffer_m : float
        Painted beyond the bounds of city or county, metres.
    """

    seed: int = 20200101
    resolution: float = 10.0
    periods: tuple[str, ...] = ("2019Q4", "2024Q4")
    unit: str | None = None
    dates_per_period: int | None = 8
    cloudiness: float = 1.0
    samples_per_class: int = 300
    reference_points: int = 100
    dialect: Dialect = "sentinel-2-c1-l2a"
    buffer_m: float = 3_000.0

    def __post_init__(self) -> None:
        if self.resolution < 10 or not self.periods or self.cloudiness < 0:
            raise ConfigError(
                "a twin needs a resolution of 10 m or more, a period and a cloudiness of 0 or "
                f"more, got {self.resolution}, {self.periods}, {self.cloudiness}",
                zh=f"模拟数据的分辨率须不小于 10 米、至少一个时段、云量系数不小于 0，现为 "
                f"{self.resolution}、{self.periods}、{self.cloudiness}",
            )

    @property
    def facts(self) -> dict[str, Any]:
        """The spec as JSON holds it, with the number of the recipe."""
        return json.loads(json.dumps(asdict(self) | {"recipe": _RECIPE}))

    @property
    def sha256(self) -> str:
        """Digest of the facts."""
        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Task:
    """One pass over one tile, with the products that come of it."""

    acquisition: Acquisition
    tile: MgrsTile
    products: tuple[Product, ...]


def build(
    folder: Path, spec: TwinSpec, *, workers: int = 1, progress: Progress | None = None
) -> Path:
    """
    Build the twin, or finish what an earlier build has left.

    Parameters
    ----------
    folder : Path
        New, empty, or of an earlier build of the same spec.
    spec : TwinSpec
    workers : int
        Processes that paint; 1 works in this very process.
    progress : callable, optional
        Told ``(done, total, what)`` after every step.

    Returns
    -------
    Path
        ``catalog.json`` in ``folder``.

    Raises
    ------
    ConfigError
        If the folder holds another twin (naming what differs) or foreign files, or the spec
        names an unknown unit or period.
    """
    folder = folder.resolve()
    units = load_units(Area())
    _claim(folder, spec)
    painter = Painter((), _wanted(units, spec), spec.seed, spec.resolution, spec.cloudiness)
    tasks = _tasks(painter, spec)
    waiting = [task for task in tasks if not _finished(folder, task)]
    if waiting or not (folder / _TRUTH_MARK).is_file():
        _work(folder, spec, painter, waiting, _Crew(workers, progress))
    _finish(folder, spec, tasks)
    return folder / "catalog.json"


@dataclass(frozen=True, slots=True)
class _Crew:
    """Who does the jobs: this process, or several others; tells after each."""

    workers: int
    progress: Progress | None

    def do(self, jobs: Sequence[tuple[str, Callable[[], None]]], after: int, total: int) -> None:
        """Do all jobs; ``after`` so many were done before, of ``total``."""
        for done, what in enumerate(self._each(jobs), start=after + 1):
            if self.progress is not None:
                self.progress(done, total, what)

    def _each(self, jobs: Sequence[tuple[str, Callable[[], None]]]) -> Iterator[str]:
        if self.workers <= 1:
            for what, job in jobs:
                job()
                yield what
            return
        pool = ProcessPoolExecutor(self.workers, mp_context=get_context("spawn"))
        try:
            pending = {pool.submit(job): what for what, job in jobs}
            for future in as_completed(pending):
                future.result()
                yield pending[future]
        finally:
            pool.shutdown(cancel_futures=True)


def _work(
    folder: Path, spec: TwinSpec, painter: Painter, tasks: Sequence[_Task], crew: _Crew
) -> None:
    """Make the ground first and read its truth, then paint what is waiting."""
    work = folder / _WORK
    work.mkdir(exist_ok=True)
    world = World.build(spec.seed, load_units(Area()))
    history = draw(world, spec.seed)
    painter = replace(painter, events=history)
    needed = {task.tile for task in tasks}
    ground = {
        tile: plots(tile, spec.resolution, painter.wanted, work) for tile in TILES if tile in needed
    }
    first: list[tuple[str, Callable[[], None]]] = []
    if not (folder / _TRUTH_MARK).is_file():
        first.append(("truth", partial(_tell_truth, folder, spec, world, history)))
    first += [
        (plot.file.stem, partial(lay, world, plot)) for strips in ground.values() for plot in strips
    ]
    scenes = [
        (task.products[-1].id, partial(_paint, folder, painter, task, ground[task.tile]))
        for task in tasks
    ]
    total = len(first) + len(scenes)
    crew.do(first, 0, total)
    crew.do(scenes, len(first), total)


def _paint(folder: Path, painter: Painter, task: _Task, strips: tuple[Plot, ...]) -> None:
    """Paint a pass over a tile once and write each of its products."""
    painted = painter.paint(task.acquisition, task.tile, strips)
    if painted is None:
        return
    for product in task.products:
        publish(folder, product, painted, painter.resolution)


def _finished(folder: Path, task: _Task) -> bool:
    return all(published(folder, product) for product in task.products)


def _finish(folder: Path, spec: TwinSpec, tasks: Sequence[_Task]) -> None:
    """Write the catalogue of what is there, and clear away what is no longer needed."""
    identities = sorted(product.id for task in tasks for product in task.products)
    found = [entry for name in identities if (entry := read_item(folder, name)) is not None]
    if not found:
        raise NoDataError(
            f"no pass of {', '.join(spec.periods)} sees {spec.unit or 'the city'}; "
            "give other periods",
            zh=f"{'、'.join(spec.periods)} 内没有覆盖该区域的影像；请更换时段",
        )
    _mask_faults(folder, found).to_csv(folder / "truth" / "scenes.csv", index=False)
    write_json(
        folder / "items.json", {"type": "FeatureCollection", "features": absolute(found, folder)}
    )
    write_json(folder / "collection.json", collection(spec.dialect, found))
    (folder / "README.md").write_text(_README, "utf-8")
    write_json(folder / "catalog.json", catalog())
    shutil.rmtree(folder / _WORK, ignore_errors=True)
    for rest in (folder / "scenes").glob(".*"):
        shutil.rmtree(rest)


def _mask_faults(folder: Path, found: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row for each scene: true cloud and shadow, and what its mask made of them (pixels)."""
    return pd.DataFrame(
        [{"scene": entry["id"], **read_sky(folder, entry["id"])} for entry in found]
    )


def _wanted(units: gpd.GeoDataFrame, spec: TwinSpec) -> BaseGeometry:
    """Rectangle around the city or the county, in the CRS of the units."""
    area = outline(units) if spec.unit is None else select(units, spec.unit).geometry.iloc[0]
    left, bottom, right, top = area.bounds
    margin = spec.buffer_m
    return box(left - margin, bottom - margin, right + margin, top + margin)


def _claim(folder: Path, spec: TwinSpec) -> None:
    """Take possession of a folder, or refuse it."""
    file = folder / _SPEC_FILE
    if file.is_file():
        held = json.loads(file.read_text("utf-8"))["spec"]
        wanted = spec.facts
        differ = [
            f"{name} {held.get(name)!r} -> {wanted.get(name)!r}"
            for name in sorted({*held, *wanted})
            if held.get(name) != wanted.get(name)
        ]
        if differ:
            raise ConfigError(
                f"{folder} holds another twin: {'; '.join(differ)}; give another folder",
                zh=f"{folder} 中已有另一份模拟数据（{'；'.join(differ)}）；请换一个文件夹",
            )
        return
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError(
            f"{folder} is not empty and holds no twin; give a new folder",
            zh=f"{folder} 不是空文件夹，也不是模拟数据；请换一个文件夹",
        )
    write_json(file, {"simulated": True, "spec": spec.facts, "sha256": spec.sha256})


def _tasks(painter: Painter, spec: TwinSpec) -> list[_Task]:
    """All that is to be painted, tile by tile and in order of time."""
    chosen: list[Acquisition] = []
    for text in spec.periods:
        passes = acquisitions(Period.parse(text))
        seeing = [one for one in passes if any(painter.window(one, tile) for tile in TILES)]
        covers = [painter.cover(one) for one in seeing]
        chosen += evenly(seeing, covers, spec.dates_per_period)
    return [
        _Task(one, tile, _products(one, tile, spec.dialect))
        for tile in TILES
        for one in chosen
        if painter.window(one, tile) is not None
    ]


def _products(acquisition: Acquisition, tile: MgrsTile, dialect: Dialect) -> tuple[Product, ...]:
    return tuple(
        Product(acquisition, processing, tile, dialect, sequence)
        for sequence, processing in enumerate(processings(acquisition))
    )


def _tell_truth(folder: Path, spec: TwinSpec, world: World, history: Sequence[Event]) -> None:
    """Write samples, reference, layers and tables; the table of cover comes last."""
    (folder / "truth").mkdir(exist_ok=True)
    periods = [Period.parse(text) for text in spec.periods]
    units = load_units(Area())
    if spec.unit is not None:
        units = select(units, spec.unit)
    rng = np.random.default_rng([spec.seed, 4])
    n_samples = spec.samples_per_class
    t = truth_table(world, history, units, periods, resolution=spec.resolution)
    t.to_csv(folder / _TRUTH_MARK, index=False)
