"""The recipe of a period: the one place where stages meet. Read it from top to bottom."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from itertools import chain
from pathlib import Path

from jinhua_rs import (
    __version__,
    features,
    landcover,
    masks,
    pieces,
    planning,
    publishing,
    store,
    watching,
)
from jinhua_rs.consistency import earlier_land, refine_the_land
from jinhua_rs.crew import carry_out, ledger_of
from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.grid import Tile
from jinhua_rs.ledger import Entry
from jinhua_rs.period import Period
from jinhua_rs.pieces import Ground, choice_of
from jinhua_rs.planning import Plan, fingerprint
from jinhua_rs.points import read_points
from jinhua_rs.samples import read_samples
from jinhua_rs.tasks import Pool, Progress, Task, pool
from jinhua_rs.teaching import learn, no_model
from jinhua_rs.vouching import header_id, told, vouch

__all__ = ["quiet", "run", "train"]

Tiles = Mapping[str, Path]
"""Finished pieces of one product, by tile id."""
Products = Mapping[str, Tiles]
"""Finished pieces of a period, by product."""


def quiet(stage: str, done: int, total: int) -> None:
    """Show no progress."""


def run(plan: Plan, *, now: datetime, progress: Progress = quiet) -> publishing.Published:
    """
    Make everything of a period that is not made yet, and publish it.

    Parameters
    ----------
    plan : Plan
    now : datetime
        Instant with zone that the report carries; no number depends on it.
    progress : callable
        Told about every finished piece.

    Raises
    ------
    NoDataError
        No scene, no clear pixel, no sample, or too little of the area seen: nothing is published.
    PartialError
        Tiles or too many assets failed; finished tiles are kept for the next run.
    LockedError
        Another run works on one of the periods.
    """
    _require_layers(plan)
    baseline = planning.baseline_of(plan)
    training = planning.training_periods(plan)
    with ExitStack() as held:
        wanted = {*training, plan.period, baseline or plan.period}
        workers, ground = _seen(plan, wanted, held, progress)
        model = learn([ground[one] for one in training], workers, progress)
        before = _named(ground[baseline], model, {}, workers, progress) if baseline else None
        prior = before.tiles["land"] if before else {}
        current = _named(ground[plan.period], model, prior, workers, progress)
        if _watched(plan):
            alerts = watching.watch(current.plan, workers, progress, prior=prior)
            current = replace(current, tiles={**current.tiles, watching.PRODUCT: alerts})
        if before is None:
            return publishing.publish(current, None, now=now, progress=progress)
        change = compare(current.plan, before.tiles, current.tiles, workers, progress)
        current = replace(current, tiles={**current.tiles, "change": change})
        return publishing.publish(current, before, now=now, progress=progress)


def _watched(plan: Plan) -> tuple[Period, ...]:
    """List the quarters of the watch; none where it is off, or the period is a year."""
    on = plan.settings.alerts.enabled and plan.period.quarter is not None
    return watching.quarters(plan) if on else ()


def _named(
    ground: Ground, model: Path, before: Tiles, workers: Pool, progress: Progress
) -> publishing.Products:
    """Name the land of a period and make it consistent; ``before`` is the baseline's land."""
    land = name_the_land(ground, model, before, workers, progress)
    refined = refine_the_land(ground.plan, land, workers, progress)
    return publishing.Products(
        ground.plan, {"composite": ground.own, "land": land, **refined}, model
    )


def train(plan: Plan, *, progress: Progress = quiet) -> Path:
    """
    Train the model of a period on its samples, and publish nothing.

    Returns
    -------
    Path
        Folder of the model, in the period's own folder.

    Raises
    ------
    NoDataError, PartialError, LockedError
        As :func:`run`.
    """
    _require_layers(plan)
    with ExitStack() as held:
        workers, ground = _seen(plan, {plan.period}, held, progress)
        return learn([ground[plan.period]], workers, progress)


def _seen(
    plan: Plan, wanted: set[Period], held: ExitStack, progress: Progress
) -> tuple[Pool, dict[Period, Ground]]:
    """See the ground of the periods that are wanted and of their companion quarters."""
    beside = {p: plan.settings.features.companions(p) for p in wanted}
    every = wanted.union(*(quarters.values() for quarters in beside.values()))
    plans, given = {p: planning.sibling(plan, p) for p in sorted(every)}, plan.settings
    for period in sorted(every.union(_watched(plan))):
        folder = planning.period_folder(given, period, plan.unit)
        held.enter_context(store.locked(folder))
        held.callback(store.sweep, folder)  # workers that were killed have left pieces
    needed = sum(planning.cost_of(its_plan).disk_bytes for its_plan in plans.values())
    store.require_space(plan.folder, needed)
    workers = held.enter_context(pool(given.run, given.cluster, plan.folder / "logs"))
    seen = {p: see_the_ground(its_plan, workers, progress) for p, its_plan in plans.items()}
    tiles = {p: its_tiles for p, (_, its_tiles) in seen.items()}
    return workers, {
        p: Ground(seen[p][0], tiles[p], {name: tiles[q] for name, q in beside[p].items()})
        for p in wanted
    }


def see_the_ground(plan: Plan, workers: Pool, progress: Progress) -> tuple[Plan, Tiles]:
    """
    Composite the clear looks of the period on every tile, and account for every asset.

    Returns the plan with the scenes that were vouched for, beside the tiles.
    """
    plan.inventory.require()
    store.sweep(plan.folder)
    planning.save_inventory(plan)
    vouched = vouch(plan, workers, progress)
    plan = vouched.plan
    tasks = [
        Task(tile.id, pieces.composite_tile, (_job(plan, tile, vouched.unsound),))
        for tile in sorted(plan.tiles, key=lambda tile: -_held(plan, tile))
    ]
    made = {one.tile: one for one in carry_out(plan, "composite", tasks, workers, progress)}
    again = [task for task in tasks if made[task.id].broken]
    if again:  # what broke in passing is whole by now; what is still broken stays out
        made |= {one.tile: one for one in carry_out(plan, "again", again, workers, progress)}
    broken = {scene: dict(wrong) for scene, wrong in vouched.unsound.items()}
    for asset, why in (item for piece in made.values() for item in piece.broken.items()):
        scene, band = asset.split("/")
        broken.setdefault(scene, {})[band] = why
    ledger_of(plan).note(*_account(plan, broken))
    vouched.require_readable({scene: told(wrong) for scene, wrong in broken.items()})
    if not any(piece.clear_pixels for piece in made.values()):
        raise _all_cloudy(plan)
    paths = {task.id: task.arguments[0].path for task in tasks}
    return plan, {tile.id: paths[tile.id] for tile in plan.tiles}


def _held(plan: Plan, tile: Tile) -> float:
    """Ground of the area in a tile: the largest go first, so that no worker waits for one long."""
    held: float = tile.geobox.extent.geom.intersection(plan.outline).area
    return held


def _job(plan: Plan, tile: Tile, unsound: Collection[str]) -> pieces.CompositeJob:
    settings = plan.settings
    return pieces.CompositeJob(
        path=plan.folder / "tiles" / "composite" / f"{tile.id}.zarr",
        key=plan.composite_key(tile, without=unsound),
        tile=tile,
        scenes=plan.scenes_of(tile, without=unsound),
        period=plan.period,
        area=plan.outline,
        stac=settings.stac,
        mask=settings.mask,
        options=settings.composite,
        label=plan.label,
    )


def _account(plan: Plan, broken: Mapping[str, Mapping[str, str]]) -> Iterator[Entry]:
    """
    Say of every scene found, and of every asset wanted, what became of it, and why.

    The headers of a scene that broke are looked at again in the next run.
    """
    bands = plan.settings.composite.bands
    for item in plan.inventory.dropped:
        yield Entry("scene", item.id, "dropped", item.reason, item.reason_zh)
        for band in (*bands, "scl") if item.scene else ():
            yield Entry("asset", f"{item.id}/{band}", "dropped", item.reason, item.reason_zh)
    own = {scene.id for scene in plan.inventory.kept}
    for scene in plan.scenes:
        wrong = broken.get(scene.id, {})
        used = "used" if scene.id in own else "spare"
        yield Entry("scene", scene.id, "failed" if wrong else used, told(wrong))
        for band in (*bands, "scl"):
            state = "failed" if band in wrong else "dropped" if wrong else used
            yield Entry("asset", f"{scene.id}/{band}", state, wrong.get(band, told(wrong)))
        if wrong:
            yield Entry("header", header_id(scene, bands), "unsound", told(wrong))


def _all_cloudy(plan: Plan) -> NoDataError:
    return NoDataError(
        f"no clear pixel in {plan.period}: all {len(plan.inventory.kept)} scenes are cloudy "
        "here; nothing is published; run again later with --refresh, "
        "or raise [stac] max_cloud",
        zh=f"{plan.period.name_zh}没有晴空像元（{len(plan.inventory.kept)} 景影像均被云覆盖），"
        "数据不足，未发布任何结果；请稍后加 --refresh 重新检索，或放宽 [stac] max_cloud",
    )


def name_the_land(
    ground: Ground, model: Path, before: Tiles, workers: Pool, progress: Progress
) -> Tiles:
    """Name the land cover and estimate the canopy of every tile; ``before`` is its baseline's."""
    plan, steady = ground.plan, ground.plan.settings.model.hysteresis
    likeness = plan.settings.refine.applicability
    card, wanted = store.digest(model / "card.json"), landcover.Model.load(model).card.feature_names
    tasks = []
    for tile in ground.own:
        path = plan.folder / "tiles" / "land" / f"{tile}.zarr"
        sources, earlier = ground.sources(tile, wanted), before.get(tile) if steady else None
        since = [store.read_facts(earlier)["sha256"], steady] if earlier else []
        key = fingerprint([__version__, plan.label, ground.facts(sources), card, since, likeness])
        job = pieces.LandJob(path, key, sources, model, plan.label, earlier, steady, likeness)
        tasks.append(Task(tile, pieces.classify_tile, (job,)))
    carry_out(plan, "land", tasks, workers, progress)
    return {task.id: task.arguments[0].path for task in tasks}


def compare(
    plan: Plan, before: Products, after: Products, workers: Pool, progress: Progress
) -> Tiles:
    """Find tree-cover gain and loss on every tile that both periods hold."""
    between, watch = _between(plan), _watch_since_baseline(plan, after)
    tasks = []
    for tile in after["land"]:
        path = plan.folder / "tiles" / "change" / f"{tile}.zarr"
        pair = [(of["forest"][tile], of["land"][tile]) for of in (before, after)]
        heard = between.get(tile), watch.get(tile)
        sources = [*chain(*pair), *(one for one in heard if one is not None)]
        facts = [store.read_facts(source)["sha256"] for source in sources]
        key = fingerprint([__version__, plan.label, *facts])
        tasks.append(Task(tile, pieces.change_tile, (path, key, *pair, heard, plan.label)))
    carry_out(plan, "change", tasks, workers, progress)
    return {task.id: task.arguments[0] for task in tasks}


def _between(plan: Plan) -> Tiles:
    """Return the named land of the last year between the baseline and the period, if any is."""
    baseline = planning.baseline_of(plan)
    years = [tiles for year, tiles in earlier_land(plan) if baseline and year > baseline.year]
    return years[-1] if years else {}


def _watch_since_baseline(plan: Plan, after: Products) -> Tiles:
    """Return the states of the watch, if it has been on since the baseline."""
    baseline = planning.baseline_of(plan)
    first = next(iter(_watched(plan)), None)
    if baseline is None or first is None or baseline + 1 < first:
        return {}
    return after[watching.PRODUCT]


def _require_layers(plan: Plan) -> None:
    """Look at the layers and at what they ask for before hours are spent on pixels."""
    settings = plan.settings
    model, reference, bands = settings.model, settings.reference, settings.composite.bands
    _require_bands(bands, masks.masker(settings.mask).bands, "[mask] source")
    if settings.mask.dem is not None and not settings.mask.dem.is_file():
        raise ConfigError(
            f"there is no elevation file {settings.mask.dem}; mend [mask] dem, or leave it empty",
            zh=f"没有高程文件 {settings.mask.dem}；请修改 [mask] dem，或留空",
        )
    if model.file is not None:
        card = landcover.Model.load(landcover.current(model.file)).card
        _require_bands(features.names(choice_of(plan)), card.feature_names, "[model] file")
        if card.simulated and not plan.simulated:
            raise ConfigError(
                f"model {card.name} was trained on simulated data and must not name real ground; "
                "set [model] file to another model, or [model] samples",
                zh=f"模型 {card.name} 由模拟数据训练，不得用于真实影像；"
                "请更换 [model] file，或设置 [model] samples",
            )
    elif model.samples is not None:
        read_samples(model.samples, settings.grid)
    else:
        raise no_model()
    if reference.file is not None:
        read_points(reference.file, settings.area.crs, any_of=("canopy",))


def _require_bands(there: Collection[str], wanted: Collection[str], by: str) -> None:
    missing = sorted(set(wanted) - set(there) - {"scl"})
    if missing:
        raise ConfigError(
            f"{by} needs {', '.join(missing)}, which [composite] bands, [features] and [mask] dem "
            "do not give; add what is missing",
            zh=f"{by} 需要 {'、'.join(missing)}，而 [composite] bands、[features] 与 [mask] dem "
            "均未提供；请补充",
        )
