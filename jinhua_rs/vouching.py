"""Which scenes of a period may be used: headers that are sound, pixels that keep their word."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter

from jinhua_rs import __version__, certificate, pieces, store
from jinhua_rs.certificate import Certificate
from jinhua_rs.crew import carry_out, ledger_of, reason_of
from jinhua_rs.errors import PartialError
from jinhua_rs.ledger import Entry
from jinhua_rs.planning import CERTIFICATE, Plan, fingerprint
from jinhua_rs.scene import Scene
from jinhua_rs.tasks import Pool, Progress, Task

__all__ = ["gate_failed", "vouch"]

_MISSING = "missing"
"""How the reason of an asset begins that is not there: see :func:`jinhua_rs.cube.inspect`."""


def vouch(plan: Plan, workers: Pool, progress: Progress) -> tuple[Plan, dict[str, str]]:
    """
    Look at the headers and at a sample of the pixels of every scene before it is used.

    A ghost, an item of which every asset is gone, is dropped, and the older copy that it had
    replaced returns. What the pixels contradict (offset, place, scene classification) is set
    aside. Both are judged once and kept; the rerun of a period reads them.

    Returns
    -------
    (Plan, dict)
        The plan with the inventory that is left; and scenes of it whose headers are wrong, id to
        reason, which no tile may use.

    Raises
    ------
    PartialError
        If more scenes are unsound than ``[gates] max_failed_assets`` allows.
    NoDataError
        If no scene is left.
    """
    looked, unsound = _without_ghosts(plan, workers, progress)
    lost = len(plan.inventory.kept) - len(looked.inventory.kept)
    kept = {scene.id for scene in looked.inventory.kept}
    failed = {scene: reason for scene, reason in unsound.items() if scene in kept}
    gate_failed(plan, len(failed) + lost, *failed.values(), "dead links")
    looked.inventory.require()
    if plan.settings.certificate.check:
        written = _certificate(looked, unsound, workers, progress)
        reasons = {
            scene: (why, written.set_aside_zh[scene]) for scene, why in written.set_aside.items()
        }
        inventory = looked.inventory.aside(reasons)
        looked = replace(looked, inventory=inventory)
        inventory.require()
    return looked, unsound


def gate_failed(plan: Plan, failed: int, *reasons: str) -> None:
    """Stop when more scenes could not be read than the gate allows."""
    first = reasons[0] if reasons else ""
    total = len(plan.inventory.kept)
    share, limit = failed / max(1, total), plan.settings.gates.max_failed_assets
    if share > limit:
        where = plan.folder / "ledger.jsonl"
        raise PartialError(
            f"{failed} of {total} scenes of {plan.period} could not be "
            f"read ({share:.1%}, limit {limit:.1%}), first: {first}; see {where}; run again, "
            "or raise [gates] max_failed_assets",
            zh=f"{plan.period.name_zh}有 {failed}/{total} 景影像无法读取"
            f"（{share:.1%}，上限 {limit:.1%}），首个原因：{first}；详见 {where}；"
            "请重新运行或放宽 [gates] max_failed_assets",
        )


def _without_ghosts(plan: Plan, workers: Pool, progress: Progress) -> tuple[Plan, dict[str, str]]:
    """Look at headers until no ghost is left: a copy that returns is looked at too."""
    unsound: dict[str, str] = {}
    while True:
        found = _inspect(plan, workers, progress)
        ghosts = {
            scene: next(iter(wrong.values()))
            for scene, wrong in found.items()
            if len(wrong) == len(plan.settings.composite.bands) + 1
            and all(reason.startswith(_MISSING) for reason in wrong.values())
        }
        unsound = {
            scene: "; ".join(f"{band}: {reason}" for band, reason in wrong.items())
            for scene, wrong in found.items()
            if scene not in ghosts
        }
        if not ghosts:
            return plan, unsound
        plan = replace(plan, inventory=plan.inventory.without(ghosts))


def _inspect(plan: Plan, workers: Pool, progress: Progress) -> dict[str, dict[str, str]]:
    """Look at the headers of scenes not yet found sound; return what is wrong, by scene, band."""
    ledger = ledger_of(plan)
    sound = {entry.id for entry in ledger.current().values() if entry.state == "sound"}
    bands, stac = plan.settings.composite.bands, plan.settings.stac
    tasks = [
        Task(scene.id, pieces.inspect_scene, (scene, bands, stac))
        for scene in plan.scenes
        if _header_id(scene, bands) not in sound
    ]
    found: dict[str, dict[str, str]] = {}
    for task, outcome in workers.run(tasks, f"{plan.period} headers", progress):
        wrong = {"header": reason_of(outcome)} if isinstance(outcome, Exception) else outcome
        header = _header_id(task.arguments[0], bands)
        reason = "; ".join(f"{band}: {why}" for band, why in wrong.items())
        ledger.note(Entry("header", header, "unsound" if wrong else "sound", reason))
        if wrong:
            found[task.id] = wrong
    ledger.note(
        *(
            Entry("asset", f"{s}/{b}", "failed", why)
            for s, w in found.items()
            for b, why in w.items()
        )
    )
    return found


def _header_id(scene: Scene, bands: Sequence[str]) -> str:
    """Name the headers that were looked at: other bands or addresses are other headers."""
    hrefs = [scene.assets[band].href for band in (*bands, "scl")]
    return f"{scene.id} {fingerprint(hrefs)}"


def _certificate(
    plan: Plan, unsound: Mapping[str, str], workers: Pool, progress: Progress
) -> Certificate:
    """Write the certificate of the period, or read the one that was written of these scenes."""
    scenes = [scene for scene in plan.scenes if scene.id not in unsound]
    path = plan.folder / CERTIFICATE
    options, bands = plan.settings.certificate, plan.settings.composite.bands
    key = fingerprint([__version__, [scene.facts for scene in scenes], options.model_dump()])
    if store.is_sealed(path, key):
        return Certificate.from_json(path.read_text(encoding="utf-8"))
    by_tile = groupby(sorted(scenes, key=attrgetter("tile", "acquired", "id")), attrgetter("tile"))
    tasks = [
        Task(tile, pieces.examine_scenes, (tuple(members), bands, plan.settings.stac))
        for tile, members in by_tile
    ]
    found = carry_out(plan, "certificate", tasks, workers, progress)
    pairs = [
        Task(f"{one.id} {other.id}", pieces.measure_step, (one, other, bands, plan.settings.stac))
        for one, other in certificate.pairs(scenes)
    ]
    steps = carry_out(plan, "seams", pairs, workers, progress)
    written = certificate.judge([one for tile in found for one in tile], options, steps)
    with store.whole(path) as part:
        part.write_text(written.to_json(), encoding="utf-8")
    store.seal(path, key)
    return written
