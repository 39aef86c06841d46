"""Named land made even and consistent: which neighbours and years a tile hears, by which key."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from jinhua_rs import __version__, planning, refining, store
from jinhua_rs.crew import carry_out
from jinhua_rs.errors import IntegrityError
from jinhua_rs.planning import Plan, fingerprint
from jinhua_rs.tasks import Pool, Progress, Task

__all__ = ["earlier_land", "refine_the_land"]

Tiles = Mapping[str, Path]
"""Finished pieces of one product, by tile id."""

_FIRST_YEAR = 2015
"""Before it there is no Sentinel-2."""


def refine_the_land(plan: Plan, land: Tiles, workers: Pool, progress: Progress) -> dict[str, Tiles]:
    """
    Refine the probabilities tile by tile, then keep the minimum mapping unit on the whole map.

    Earlier years are heard as they lie in the output root when the period is run: one that is
    made later changes the keys, so that the next run of this period publishes anew.

    Returns
    -------
    dict of product to tiles
        ``refined`` and ``forest``, see :mod:`jinhua_rs.refining`.
    """
    options, told = plan.settings.refine, plan.settings.refine.model_dump()
    rim = options.rim(plan.settings.area.resolution)
    years = [*earlier_land(plan), (plan.period.year, land)]
    digests = [{t: store.read_facts(path)["sha256"] for t, path in of.items()} for _, of in years]
    tasks = []
    for tile in plan.tiles:
        looks, facts = [], []
        for (year, there), digest in zip(years, digests, strict=True):
            if tile.id in there:
                around = {at: t for at, t in plan.settings.grid.around(tile).items() if t in there}
                looks.append((year, {at: there[t] for at, t in around.items()}))
                facts.append([year, sorted((*at, digest[t]) for at, t in around.items())])
        path = plan.folder / "tiles" / "refined" / f"{tile.id}.zarr"
        key = fingerprint([__version__, plan.label, told, facts])
        job = refining.RefineJob(path, key, tuple(looks), options, rim, plan.label)
        tasks.append(Task(tile.id, refining.refine_tile, (job,)))
    carry_out(plan, "refined", tasks, workers, progress)
    refined = {task.id: task.arguments[0].path for task in tasks}
    made = [store.read_facts(path)["sha256"] for path in refined.values()]
    key, folder = fingerprint([__version__, told, made]), plan.folder / "tiles" / "forest"
    unit = Task("map", refining.keep_units, (refined, folder, key, options, plan.label))
    carry_out(plan, "forest", [unit], workers, progress)
    return {"refined": refined, "forest": {tile: folder / f"{tile}.zarr" for tile in refined}}


def earlier_land(plan: Plan) -> list[tuple[int, Tiles]]:
    """
    Find the named land of the same season in the years before, as far as it is finished.

    Only of the same area: a county run hears its own earlier runs. A tile that is missing,
    unfinished or damaged is not there.

    Returns
    -------
    list of (year, tiles)
        In order of time, at most ``[refine] history_years`` back; years without a tile left out.
    """
    back, period = plan.settings.refine.history_years, plan.period
    found: list[tuple[int, Tiles]] = []
    for year in range(max(_FIRST_YEAR, period.year - back), period.year):
        past = replace(period, year=year)
        folder = planning.period_folder(plan.settings, past, plan.unit) / "tiles" / "land"
        paths = {tile.id: folder / f"{tile.id}.zarr" for tile in plan.tiles}
        sound = {tile: path for tile, path in paths.items() if _sound(path)}
        if sound:
            found.append((year, sound))
    return found


def _sound(path: Path) -> bool:
    """Tell whether named land is finished, undamaged, and says how sure its tree cover is."""
    try:
        facts = store.read_facts(path)
    except IntegrityError:
        return False
    return "canopy_slope" in facts and store.is_sealed(path, str(facts.get("key")))
