"""Which scenes of a period may be used: headers that are sound, pixels that keep their word."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import attrgetter

from jinhua_rs import __version__, certificate, pieces, store
from jinhua_rs.certificate import Certificate
from jinhua_rs.crew import carry_out, ledger_of, reason_of
from jinhua_rs.errors import PartialError
from jinhua_rs.ledger import Entry, in_chinese
from jinhua_rs.planning import CERTIFICATE, Plan, fingerprint, save_vouched
from jinhua_rs.scene import Scene
from jinhua_rs.tasks import Pool, Progress, Task

__all__ = ["Vouched", "header_id", "told", "vouch"]

_UNREAD = "unread"
"""Code of a verdict on a scene that could not be read: see :mod:`jinhua_rs.certificate`."""
_MISSING = "missing"
"""How the reason of an asset begins that is not there: see :func:`jinhua_rs.cube.inspect`."""


@dataclass(frozen=True, slots=True)
class Vouched:
    """
    A plan whose scenes were looked at.

    Attributes
    ----------
    plan : Plan
        With the inventory that is left.
    unsound : mapping
        Scenes of it whose headers are wrong, which no tile may use: id, band, reason.
    found : int
        Scenes of the period before any was looked at.
    lost : int
        Of these, ghosts that no older copy stands in for.
    """

    plan: Plan
    unsound: Mapping[str, Mapping[str, str]]
    found: int
    lost: int

    def require_readable(self, failed: Mapping[str, str]) -> None:
        """
        Stop when more scenes of the period are lost or ``failed`` (id, reason) than is allowed.

        Raises
        ------
        PartialError
            Naming the share and the first reason.
        """
        own = {scene.id for scene in self.plan.inventory.kept}
        reasons = [reason for scene, reason in failed.items() if scene in own]
        count = len(reasons) + self.lost
        share, limit = count / self.found, self.plan.settings.gates.max_failed_assets
        if share > limit:
            first, period = (*reasons, "files are gone")[0], self.plan.period
            first_zh = in_chinese(first) if reasons else "文件已不存在"
            where = self.plan.folder / "ledger.jsonl"
            raise PartialError(
                f"{count} of {self.found} scenes of {period} could not be "
                f"read ({share:.1%}, limit {limit:.1%}), first: {first}; see {where}; run again, "
                "or raise [gates] max_failed_assets",
                zh=f"{period.name_zh}有 {count}/{self.found} 景影像无法读取"
                f"（{share:.1%}，上限 {limit:.1%}），首个原因：{first_zh}；详见 {where}；"
                "请重新运行或放宽 [gates] max_failed_assets",
            )


def vouch(plan: Plan, workers: Pool, progress: Progress) -> Vouched:
    """
    Look at the headers and at a sample of the pixels of every scene before it is used.

    A ghost, an item of which every asset is gone, is dropped, and the older copy that it had
    replaced returns. What the pixels contradict (offset, place, scene classification) is set
    aside. Both are judged once and kept; the rerun of a period reads them.

    Raises
    ------
    PartialError
        If more scenes are unsound than ``[gates] max_failed_assets`` allows.
    NoDataError
        If no scene is left.
    """
    looked, unsound = _without_ghosts(plan, workers, progress)
    lost = len(plan.inventory.kept) - len(looked.inventory.kept)
    vouched = Vouched(looked, unsound, len(plan.inventory.kept), lost)
    vouched.require_readable({scene: told(wrong) for scene, wrong in unsound.items()})
    looked.inventory.require()
    if plan.settings.certificate.check:
        written = _certificate(looked, unsound, workers, progress)
        reasons = {
            scene: (why, written.set_aside_zh[scene]) for scene, why in written.set_aside.items()
        }
        looked = replace(looked, inventory=looked.inventory.aside(reasons))
        looked.inventory.require()
    save_vouched(looked)
    return replace(vouched, plan=looked)


def told(wrong: Mapping[str, str]) -> str:
    """Tell what is wrong with the bands of a scene in one line."""
    return "; ".join(f"{band}: {reason}" for band, reason in wrong.items())


def _without_ghosts(
    plan: Plan, workers: Pool, progress: Progress
) -> tuple[Plan, dict[str, dict[str, str]]]:
    """Look at headers until no ghost is left: a copy that returns is looked at too."""
    while True:
        found = _inspect(plan, workers, progress)
        ghosts = {
            scene: next(iter(wrong.values()))
            for scene, wrong in found.items()
            if len(wrong) == len(plan.settings.composite.bands) + 1
            and all(reason.startswith(_MISSING) for reason in wrong.values())
        }
        if not ghosts:
            return plan, found
        plan = replace(plan, inventory=plan.inventory.without(ghosts))


def _inspect(plan: Plan, workers: Pool, progress: Progress) -> dict[str, dict[str, str]]:
    """Look at the headers of scenes not yet found sound; return what is wrong, by scene, band."""
    ledger = ledger_of(plan)
    sound = {entry.id for entry in ledger.current().values() if entry.state == "sound"}
    bands, stac = plan.settings.composite.bands, plan.settings.stac
    tasks = [
        Task(scene.id, pieces.inspect_scene, (scene, bands, stac))
        for scene in plan.scenes
        if header_id(scene, bands) not in sound
    ]
    found: dict[str, dict[str, str]] = {}
    for task, outcome in workers.run(tasks, f"{plan.period} headers", progress):
        wrong = {"header": reason_of(outcome)} if isinstance(outcome, Exception) else outcome
        header = header_id(task.arguments[0], bands)
        ledger.note(Entry("header", header, "unsound" if wrong else "sound", told(wrong)))
        if wrong:
            found[task.id] = wrong
    return found


def header_id(scene: Scene, bands: Sequence[str]) -> str:
    """Name the headers that were looked at: other bands or addresses are other headers."""
    hrefs = [scene.assets[band].href for band in (*bands, "scl")]
    return f"{scene.id} {fingerprint(hrefs)}"


def _certificate(
    plan: Plan, unsound: Collection[str], workers: Pool, progress: Progress
) -> Certificate:
    """
    Write the certificate of the period, or read the one that was written of these scenes.

    As long as something could not be read for it, it holds for this run only.
    """
    scenes = [scene for scene in plan.scenes if scene.id not in unsound]
    path = plan.folder / CERTIFICATE
    options, bands = plan.settings.certificate, plan.settings.composite.bands
    key = fingerprint([__version__, [scene.facts for scene in scenes], bands, options.model_dump()])
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
    if not any(
        _UNREAD in (*one.codes, *(note.code for note in one.remarks)) for one in written.scenes
    ):
        store.seal(path, key)
    return written
