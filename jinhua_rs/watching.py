"""The watch from quarter to quarter: which states are needed, and what each is made from."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from jinhua_rs import __version__, planning, store
from jinhua_rs.alerting import WatchJob, alert_tile
from jinhua_rs.crew import carry_out, ledger_of
from jinhua_rs.errors import ConfigError, NoDataError
from jinhua_rs.grid import Tile
from jinhua_rs.ledger import Entry
from jinhua_rs.period import Period
from jinhua_rs.planning import Plan, fingerprint
from jinhua_rs.scene import Scene
from jinhua_rs.tasks import Pool, Progress, Task
from jinhua_rs.vouching import Vouched, vouch

__all__ = ["PRODUCT", "Tiles", "quarters", "watch"]

PRODUCT = "alerts"
"""Name of the tile product that keeps the state of the watch."""
_MOST = 60
"""Quarters that a watch may be behind."""

Tiles = Mapping[str, Path]
"""Finished pieces of one product, by tile id."""


def quarters(plan: Plan) -> tuple[Period, ...]:
    """
    List the quarters that must be watched, one after another, up to the one of the plan.

    They begin with ``[alerts] since``; where that is empty, with the first quarter of which a
    state is kept, or with the plan's own.

    Raises
    ------
    ConfigError
        If the plan is no quarter, or the watch begins after it.
    """
    if plan.period.quarter is None:
        raise ConfigError(
            f"the watch goes from quarter to quarter, {plan.period} is a year; "
            "run a quarter, or set [alerts] enabled = false",
            zh=f"变化监测按季度进行，{plan.period} 为年度；"
            "请运行季度，或设 [alerts] enabled = false",
        )
    since = plan.settings.alerts.since
    first = Period.parse(since) if since else _first_kept(plan)
    found = [plan.period]
    while first < found[0] and len(found) < _MOST:
        found.insert(0, found[0] - 1)
    if found[0] != first:
        raise ConfigError(
            f"[alerts] since {since} is no quarter up to {plan.period}; name one such as 2020Q1",
            zh=f"[alerts] since {since} 不是 {plan.period} 之前的季度；请写成 2020Q1 之类",
        )
    return tuple(found)


def _first_kept(plan: Plan) -> Period:
    """Find the first quarter up to the plan's own of which states are kept."""
    first = plan.period
    for back in range(1, _MOST):
        with suppress(ConfigError):  # before the first satellite
            earlier = plan.period - back
            if (
                planning.period_folder(plan.settings, earlier, plan.unit) / "tiles" / PRODUCT
            ).is_dir():
                first = earlier
    return first


def watch(plan: Plan, workers: Pool, progress: Progress, *, prior: Tiles | None = None) -> Tiles:
    """
    Watch the ground up to the quarter of a plan; the caller holds the folders of its quarters.

    Each quarter goes on from the state of the one before and reads its own scenes alone; what
    is there already from the same inputs stands. The first one reads the
    ``[alerts] history_quarters`` before it too.

    Parameters
    ----------
    plan : Plan
        Of a quarter; scenes that were vouched for are vouched for again, which costs nothing.
    prior : mapping, optional
        Land tiles from before the watch, by tile id: what stood where something changes.

    Returns
    -------
    mapping of str to Path
        State of each tile after the quarter, see :func:`jinhua_rs.change.advance`.

    Raises
    ------
    ConfigError
        See :func:`quarters`.
    PartialError
        If tiles or too many scenes failed.
    """
    former: Tiles | None = None
    for period in quarters(plan):
        one = _vouched(planning.sibling(plan, period), workers, progress)
        former = _quarter(one, former, prior or {}, workers, progress)
    return former or {}


def _vouched(plan: Plan, workers: Pool, progress: Progress) -> Vouched:
    """Vouch for the scenes of a quarter; one without any scene has none to vouch for."""
    planning.save_inventory(plan)
    try:
        return vouch(plan, workers, progress)
    except NoDataError:
        return Vouched(plan, {scene.id: {} for scene in plan.scenes}, 0, 0)


def _quarter(
    one: Vouched, former: Tiles | None, prior: Tiles, workers: Pool, progress: Progress
) -> Tiles:
    """Make the states of one quarter."""
    plan = one.plan
    earlier = [] if former is not None else _history(plan, workers, progress)
    tasks = []
    for tile in plan.tiles:
        job = _job(
            one, tile, earlier, None if former is None else former[tile.id], prior.get(tile.id)
        )
        tasks.append(Task(tile.id, alert_tile, (job,)))
    made = {one.tile: one for one in carry_out(plan, PRODUCT, tasks, workers, progress)}
    again = [task for task in tasks if made[task.id].broken]
    if again:  # what broke in passing is whole by now
        made |= {
            one.tile: one for one in carry_out(plan, f"{PRODUCT} again", again, workers, progress)
        }
    broken = {asset: why for piece in made.values() for asset, why in piece.broken.items()}
    ledger_of(plan).note(*(Entry("asset", asset, "failed", why) for asset, why in broken.items()))
    return {task.id: task.arguments[0].path for task in tasks}


def _history(plan: Plan, workers: Pool, progress: Progress) -> list[Vouched]:
    """Vouch for the quarters from which the usual course is learnt, as far as there are any."""
    found = []
    for back in range(plan.settings.alerts.history_quarters, 0, -1):
        with suppress(ConfigError):  # before the first satellite
            found.append(_vouched(planning.sibling(plan, plan.period - back), workers, progress))
    return found


def _job(
    one: Vouched, tile: Tile, earlier: list[Vouched], former: Path | None, prior: Path | None
) -> WatchJob:
    plan, settings = one.plan, one.plan.settings
    begun = former is not None
    made = {
        "code": __version__,
        "alerts": settings.alerts.model_dump(exclude={"enabled", "since"}),
        "quarters": [each.plan.composite_key(tile, each.unsound) for each in (*earlier, one)],
        "former": store.read_facts(former)["sha256"] if former is not None else "",
        "prior": store.read_facts(prior)["sha256"] if prior is not None and not begun else "",
    }
    return WatchJob(
        path=plan.folder / "tiles" / PRODUCT / f"{tile.id}.zarr",
        key=fingerprint(made),
        tile=tile,
        scenes=_own(one, tile),
        former=former,
        history=tuple(scene for each in earlier for scene in _own(each, tile)),
        prior=None if begun else prior,
        area=plan.outline,
        stac=settings.stac,
        mask=settings.mask,
        options=settings.alerts,
        label=plan.label,
    )


def _own(one: Vouched, tile: Tile) -> tuple[Scene, ...]:
    """Scenes of a quarter itself, none of the days around it."""
    return tuple(
        s for s in one.plan.scenes_of(tile, one.unsound) if one.plan.period.contains(s.acquired)
    )
