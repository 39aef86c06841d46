"""What a period left on disk, laid out for reading, and the form of an answer."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from jinhua_rs import catalog, planning, regions, store
from jinhua_rs.certificate import Certificate
from jinhua_rs.errors import IntegrityError, NoDataError
from jinhua_rs.ledger import Entry, Ledger
from jinhua_rs.period import Period
from jinhua_rs.planning import Plan
from jinhua_rs.settings import Settings

__all__ = [
    "Desk",
    "Explanation",
    "Line",
    "as_facts",
    "broken_assets",
    "history_lines",
    "open_desk",
]

WATCH = "alerts"
PRODUCTS = ("composite", "land", "refined", "forest", WATCH, "change")

_STEM = re.compile("[ /]")
_KINDS = {"tile": "瓦片", "scene": "影像", "header": "文件头", "asset": "文件"}
_STATES = {
    "done": "完成", "reused": "沿用", "failed": "失败", "used": "采用", "dropped": "未采用",
    "sound": "完好", "unsound": "有误",
}  # fmt: skip

Line = tuple[str, str]
"""One line for people, English and Chinese."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """
    What is known about one thing.

    Attributes
    ----------
    subject : str
        Id of the tile or scene, or code of the county.
    kind : str
        ``tile``, ``scene`` or ``unit``.
    facts : Mapping
        Everything, as JSON can hold it.
    lines : tuple of (English, Chinese)
        The same for people.
    """

    subject: str
    kind: str
    facts: Mapping[str, Any]
    lines: tuple[Line, ...]

    def text(self, language: str) -> str:
        """Tell people."""
        return "\n".join(zh if language == "zh" else en for en, zh in self.lines)


@dataclass(frozen=True)
class Desk:
    """A period's plan as it was, with its ledger, sidecars and certificates."""

    plan: Plan

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """Every event of the ledger, in order."""
        return self._ledger.entries()

    @property
    def _ledger(self) -> Ledger:
        return Ledger(self.plan.folder / "ledger.jsonl")

    @cached_property
    def certificate(self) -> Certificate | None:
        """What was measured on the scenes; None where nothing was, or it cannot be read."""
        path = self.plan.folder / planning.CERTIFICATE
        try:
            return Certificate.from_json(path.read_bytes()) if path.is_file() else None
        except IntegrityError:
            return None

    @property
    def products(self) -> tuple[str, ...]:
        """Products that the period has or should have: alerts only where the ground is watched."""
        watched = self.plan.settings.alerts.enabled or (self.plan.folder / "tiles" / WATCH).is_dir()
        return tuple(name for name in PRODUCTS if watched or name != WATCH)

    def piece(self, product: str, tile: str) -> Path:
        """Folder of a tile of a product."""
        return self.plan.folder / "tiles" / product / f"{tile}.zarr"

    def sidecar(self, product: str, tile: str) -> dict[str, Any]:
        """Sidecar of a tile; empty where there is none that can be read."""
        try:
            return store.read_facts(self.piece(product, tile))
        except IntegrityError:
            return {}

    def about_tile(self, tile: str) -> tuple[Entry, ...]:
        """Events of a tile in every stage."""
        return tuple(e for e in self.entries if e.kind == "tile" and e.id.endswith(f"/{tile}"))

    def about_scene(self, scene: str) -> tuple[Entry, ...]:
        """Events of a scene, its headers (``<scene> <hash>``) and assets (``<scene>/<band>``)."""
        return tuple(e for e in self.entries if _STEM.split(e.id, maxsplit=1)[0] == scene)


def open_desk(period: Period, settings: Settings, county: str | None) -> Desk:
    """
    Lay out what a period left; the inventory is read, never searched anew.

    Raises
    ------
    NoDataError
        If there is no inventory.
    """
    units = regions.load_units(settings.area)
    unit = None
    if county is not None:
        units = regions.select(units, county)
        unit = str(units.index[0])
    folder = planning.period_folder(settings, period, unit)
    snapshot = folder / "scenes.json"
    if not snapshot.is_file():
        raise NoDataError(
            f"{period} was never planned in {folder}; run `jinhua-rs plan {period}` first",
            zh=f"{folder} 中没有 {period} 的记录；请先执行 jinhua-rs plan {period}",
        )
    vouched = folder / planning.VOUCHED
    told = vouched if vouched.is_file() else snapshot
    inventory = catalog.Inventory.from_json(told.read_text(encoding="utf-8"))
    return Desk(Plan(period, settings, units, unit, inventory))


def history_lines(history: Sequence[Entry]) -> list[Line]:
    """Tell, for each thing, what became of it in order; what was repeated is told once."""
    things = dict.fromkeys((entry.kind, entry.id) for entry in history)
    lines = []
    for kind, name in things:
        own = [entry for entry in history if (entry.kind, entry.id) == (kind, name)]
        events = [(event, len(list(group))) for event, group in groupby(own)]
        en = ", ".join(
            _event(event.state, times) + (f" ({event.reason})" if event.reason else "")
            for event, times in events
        )
        zh = "，".join(
            _event(_STATES.get(event.state, event.state), times)
            + (f"：{event.chinese}" if event.reason else "")
            for event, times in events
        )
        lines.append((f"  {kind} {name}  {en}", f"  {_KINDS.get(kind, kind)} {name}  {zh}"))
    return lines


def _event(state: str, times: int) -> str:
    return state + (f" ×{times}" if times > 1 else "")


def as_facts(history: Sequence[Entry]) -> list[dict[str, str]]:
    """Events as JSON can hold them."""
    return [asdict(entry) for entry in history]


def broken_assets(sidecar: Mapping[str, Any], scene: str) -> list[str]:
    """Say of a tile's sidecar which assets of a scene could not be read: ``band: reason``."""
    assets = {asset.partition("/"): why for asset, why in sidecar.get("broken", {}).items()}
    return [f"{band}: {why}" for (stem, _, band), why in assets.items() if stem == scene]
