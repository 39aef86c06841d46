"""Building the twin on disk: scenes, catalogue, samples, truth; resumable, the same every time."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pandas as pd

from jinhua_rs.errors import NoDataError
from jinhua_rs.regions import load_units
from jinhua_rs.settings import Area
from jinhua_rs.twin import elevation
from jinhua_rs.twin.events import draw
from jinhua_rs.twin.facts import MARK, write_facts
from jinhua_rs.twin.items import Product, absolute, catalog, collection
from jinhua_rs.twin.orbits import TILES, Acquisition, MgrsTile, acquisitions, evenly, processings
from jinhua_rs.twin.place import painted
from jinhua_rs.twin.plots import Plot, lay, plots
from jinhua_rs.twin.publish import publish, published, read_item, read_sky, write_json
from jinhua_rs.twin.scenes import Painter, moment
from jinhua_rs.twin.spec import TwinSpec, claim
from jinhua_rs.twin.world import World

__all__ = ["Progress", "TwinSpec", "build"]

Progress = Callable[[int, int, str], None]
"""Told after every step: how many are done, of how many, and what it was."""

_Jobs = Sequence[tuple[str, Callable[[], None]]]

_WORK = ".work"
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
| `layers/` | afforestation parcels, mines, farmland, red line, reserves, gardens, rivers, \
land use; elevation (`dem.tif`) |
| `samples.gpkg`, `reference.gpkg` | training points; reference points for intervals |
| `truth/` | what is true, by unit and period, and what each scene's mask got wrong |
"""


@dataclass(frozen=True, slots=True)
class _Task:
    """One pass over one tile, with the products that come of it."""

    acquisition: Acquisition
    tile: MgrsTile
    products: tuple[Product, ...]


@dataclass(frozen=True, slots=True)
class _Crew:
    """Who does the jobs: this process or several others; whoever listens is told after each."""

    workers: int
    progress: Progress | None

    def do(self, jobs: _Jobs, *, after: int, total: int) -> None:
        """Do all jobs; ``after`` so many were done before, of ``total``."""
        for done, what in enumerate(self._each(jobs), start=after + 1):
            if self.progress is not None:
                self.progress(done, total, what)

    def _each(self, jobs: _Jobs) -> Iterator[str]:
        if self.workers <= 1 or len(jobs) < 2:
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
        Processes that paint; 1 works in this very process. More than 1 needs a main module
        that can be imported (``if __name__ == "__main__":``).
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
    NoDataError
        If no satellite passes in the periods.
    """
    folder = folder.resolve()
    wanted = painted(spec, load_units(Area()))
    painter = Painter(wanted, spec.seed, spec.resolution, spec.cloudiness)
    tasks = _tasks(painter, spec)
    claim(folder, spec)
    waiting = [task for task in tasks if not _finished(folder, task)]
    if waiting or not (folder / MARK).is_file() or not _dem(folder).is_file():
        first, scenes = _jobs(folder, spec, painter, tasks, waiting)
        crew, total = _Crew(workers, progress), len(first) + len(scenes)
        crew.do(first, after=0, total=total)
        crew.do(scenes, after=len(first), total=total)
    _finish(folder, spec, tasks)
    return folder / "catalog.json"


def _tasks(painter: Painter, spec: TwinSpec) -> list[_Task]:
    """List all that is to be painted, tile by tile and in order of time."""
    chosen: dict[tuple[int, int], Acquisition] = {}
    for period in spec.spans:
        passes = [
            one
            for one in acquisitions(period)
            if any(painter.window(one, tile) is not None for tile in TILES)
        ]
        covers = [painter.cover(one) for one in passes]
        chosen |= {one.key: one for one in evenly(passes, covers, spec.dates_per_period)}
    if not chosen:
        raise NoDataError(
            f"no satellite passes in {', '.join(spec.periods)}; give later periods",
            zh=f"{'、'.join(spec.periods)} 内没有卫星过境；请给出较晚的时段",
        )
    return [
        _Task(
            one,
            tile,
            tuple(
                Product(one, processing, tile, spec.dialect, sequence)
                for sequence, processing in enumerate(processings(one))
            ),
        )
        for tile in TILES
        for _, one in sorted(chosen.items())
        if painter.window(one, tile) is not None
    ]


def _finished(folder: Path, task: _Task) -> bool:
    return all(published(folder, product) for product in task.products)


def _jobs(
    folder: Path,
    spec: TwinSpec,
    painter: Painter,
    tasks: Sequence[_Task],
    waiting: Sequence[_Task],
) -> tuple[_Jobs, _Jobs]:
    """Say what is left to do: first the truth and the ground, then the scenes on that ground."""
    work = folder / _WORK
    work.mkdir(exist_ok=True)
    units = load_units(Area())
    world = World.build(spec.seed, units)
    history = draw(world, spec.seed)
    first: list[tuple[str, Callable[[], None]]] = []
    if not (folder / MARK).is_file():
        first.append(("truth", partial(write_facts, folder, spec, world, history, units)))
    if not _dem(folder).is_file():
        lay_out = partial(elevation.write, _dem(folder), world, painter.wanted, spec.resolution)
        first.append(("elevation", lay_out))
    scenes: list[tuple[str, Callable[[], None]]] = []
    for tile in TILES:
        wanted = [task for task in waiting if task.tile == tile]
        if not wanted:
            continue
        days = sorted({moment(one.acquisition).date() for one in tasks if one.tile == tile})
        strips = plots(tile, spec.resolution, painter.wanted, work)
        first += [(plot.name, partial(lay, world, history, days, plot)) for plot in strips]
        scenes += [
            (task.products[-1].id, partial(_paint, folder, painter, task, strips))
            for task in wanted
        ]
    return first, scenes


def _dem(folder: Path) -> Path:
    return folder / "layers" / elevation.FILE


def _paint(folder: Path, painter: Painter, task: _Task, strips: Sequence[Plot]) -> None:
    """Paint a pass over a tile once and write each of its products."""
    picture = painter.paint(task.acquisition, task.tile, strips)
    for product in task.products:
        publish(folder, product, picture, painter.resolution)


def _finish(folder: Path, spec: TwinSpec, tasks: Sequence[_Task]) -> None:
    """Write the catalogue, and clear away what is no longer needed."""
    names = sorted(product.id for task in tasks for product in task.products)
    items = [read_item(folder, name) for name in names]
    faults = pd.DataFrame([{"scene": name, **read_sky(folder, name)} for name in names])
    faults.to_csv(folder / "truth" / "scenes.csv", index=False, lineterminator="\n")
    served = {"type": "FeatureCollection", "features": absolute(items, folder)}
    write_json(folder / "items.json", served)
    write_json(folder / "collection.json", collection(spec.dialect, items))
    (folder / "README.md").write_text(_README, "utf-8")
    write_json(folder / "catalog.json", catalog())
    shutil.rmtree(folder / _WORK, ignore_errors=True)
    for left in (folder / "scenes").glob(".*"):
        shutil.rmtree(left)
