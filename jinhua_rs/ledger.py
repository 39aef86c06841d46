"""What was used, dropped, done or failed, and why: one JSON line per event, only ever appended."""

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Entry", "Ledger"]


@dataclass(frozen=True, slots=True)
class Entry:
    """
    One event.

    ``kind``, ``id`` and ``state`` say what happened to what: a ``scene`` was ``used``, ``dropped``
    or ``failed``; a ``tile`` (``<stage>/<tile>``) is ``done``, ``reused`` or ``failed``; the
    ``header`` of a scene is ``sound`` or ``unsound``. ``reason`` is empty where nothing went wrong,
    ``reason_zh`` its Chinese wording, as far as there is one.
    """

    kind: str
    id: str
    state: str
    reason: str = ""
    reason_zh: str = ""


@dataclass(frozen=True, slots=True)
class Ledger:
    """The events of one period's runs. The newest entry of a thing is the one that holds."""

    path: Path

    def note(self, *entries: Entry) -> None:
        """Append entries; a torn last line of a killed run is closed first."""
        lines = "".join(json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in entries)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as file:
            if file.tell():
                file.seek(-1, 2)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(lines.encode())

    def entries(self) -> tuple[Entry, ...]:
        """Return all that was noted, in order; torn lines of killed runs are passed over."""
        if not self.path.is_file():
            return ()
        lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        return tuple(entry for entry in map(_parsed, lines) if entry is not None)

    def current(self) -> dict[tuple[str, str], Entry]:
        """Return the newest entry of each thing, by kind and id."""
        return {(entry.kind, entry.id): entry for entry in self.entries()}

    def counts(self, kind: str) -> Counter[str]:
        """Count the things of a kind in each state."""
        return Counter(entry.state for (k, _), entry in self.current().items() if k == kind)


def _parsed(line: str) -> Entry | None:
    """Read one line; ``None`` for the torn line that a killed run can leave."""
    try:
        return Entry(**json.loads(line))
    except (ValueError, TypeError):
        return None
