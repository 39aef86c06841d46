"""What people decide of patches: a book that is only ever appended, each line sealing the last."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from jinhua_rs import store
from jinhua_rs.errors import IntegrityError
from jinhua_rs.patches.words import REASONS, ROLES, State

__all__ = ["TRANSITIONS", "Book", "Verdict", "forbidden"]

_BEGINNING = "0" * 64
_NOTE, _NAME = 2_000, 60
"""Longest note and name, characters."""

TRANSITIONS: Mapping[State, Mapping[State, tuple[str, ...]]] = {
    State.OPEN: {
        State.FIELD: ("interpreter", "inspector", "auditor"),
        State.REJECTED: ("interpreter", "auditor"),
    },
    State.FIELD: {
        State.CONFIRMED: ("inspector", "auditor"),
        State.REJECTED: ("inspector", "auditor"),
    },
    State.CONFIRMED: {
        State.REPAIR: ("inspector", "auditor"),
        State.CLOSED: ("auditor",),
        State.FIELD: ("auditor",),
    },
    State.REJECTED: {State.FIELD: ("auditor",)},
    State.REPAIR: {State.CLOSED: ("auditor",), State.FIELD: ("auditor",)},
    State.CLOSED: {State.FIELD: ("auditor",)},
}
"""From a state to those that may follow, and who may decide so. Only an auditor reopens."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """
    One decision: of which patch and which version, from what state to what, why, by whom, when.

    ``version`` is that of the patch as it was judged; ``role`` one of ``words.ROLES``, as the
    user stated it; ``reason`` one of ``words.REASONS``, empty where none is needed; ``when`` an
    instant with zone, ISO 8601.
    """

    patch: str
    version: int
    before: State
    after: State
    reason: str
    who: str
    role: str
    when: str
    note: str = ""


def forbidden(verdict: Verdict) -> tuple[str, str] | None:
    """Say in English and Chinese why a verdict is not allowed; None when it is."""
    if not verdict.who.strip() or len(verdict.who) > _NAME or len(verdict.note) > _NOTE:
        return (
            f"a name of 1-{_NAME} characters is needed, and a note of at most {_NOTE}",
            f"须填写 1–{_NAME} 字的姓名，备注不超过 {_NOTE} 字",
        )
    roles = TRANSITIONS[verdict.before].get(verdict.after)
    if roles is None:
        after = "、".join(TRANSITIONS[verdict.before])
        return (
            f"{verdict.before.english} cannot become {verdict.after.english}",
            f"“{verdict.before}”不能改为“{verdict.after}”，只能改为：{after}",
        )
    if verdict.role not in roles:
        may = "、".join(ROLES[role][0] for role in roles)
        return (
            f"only {' or '.join(roles)} may make it {verdict.after.english}",
            f"只有{may}可以改为“{verdict.after}”",
        )
    if verdict.after in (State.CONFIRMED, State.REJECTED):
        return _wrong_reason(verdict)
    return None


def _wrong_reason(verdict: Verdict) -> tuple[str, str] | None:
    known = REASONS.get(verdict.reason)
    if known is not None and verdict.after in known[2]:
        return None
    fitting = {code: names[0] for code, names in REASONS.items() if verdict.after in names[2]}
    return (
        f"{verdict.after.english} needs one of the reasons {', '.join(fitting)}",
        f"“{verdict.after}”须选择原因：{'、'.join(fitting.values())}",
    )


class Book:
    """
    The verdicts of an area, one JSON line each: number, hash of the line before, own hash.

    Parameters
    ----------
    path : Path
        ``verdicts.jsonl``; need not be there yet.

    Raises
    ------
    IntegrityError
        On opening a book of which a line was changed, taken out or put in, naming the first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        text = path.read_text("utf-8") if path.is_file() else ""
        self._lines = tuple(text.removesuffix("\n").split("\n")) if text else ()
        heads, verdicts = [_BEGINNING], []
        for number, line in enumerate(self._lines, start=1):
            verdict, head = _opened(line, number, heads[-1], path)
            verdicts.append(verdict)
            heads.append(head)
        self.verdicts: tuple[Verdict, ...] = tuple(verdicts)
        self._heads = heads

    @property
    def head(self) -> str:
        """Hash of the newest line: it stands for the whole book."""
        return self._heads[-1]

    def append(self, verdicts: Sequence[Verdict]) -> "Book":
        """Return the book with further verdicts, written whole or not at all."""
        lines, head = list(self._lines), self.head
        for number, verdict in enumerate(verdicts, start=len(lines) + 1):
            body = {"n": number, "before_this": head} | {"verdict": asdict(verdict)}
            head = _hash(body)
            lines.append(_json(body | {"hash": head}))
        with store.whole(self.path) as part:
            part.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        return Book(self.path)

    def holds(self, n: int, head: str) -> bool:
        """Tell whether line ``n`` is there and has the hash ``head``: nothing was cut off."""
        return n <= len(self._heads) - 1 and self._heads[n] == head

    def state(self, patch: str) -> State:
        """Where a patch stands."""
        return self.states.get(patch, State.OPEN)

    @property
    def states(self) -> dict[str, State]:
        """State of every patch that was ever judged."""
        return {verdict.patch: verdict.after for verdict in self.verdicts}

    @property
    def rejected(self) -> frozenset[str]:
        """Patches that were found to be none."""
        return frozenset(name for name, state in self.states.items() if state is State.REJECTED)

    @property
    def counts(self) -> Counter[str]:
        """Number of verdicts of each patch."""
        return Counter(verdict.patch for verdict in self.verdicts)

    @property
    def newest(self) -> dict[str, Verdict]:
        """Newest verdict of each patch that was ever judged."""
        return {verdict.patch: verdict for verdict in self.verdicts}

    @property
    def frozen(self) -> frozenset[str]:
        """Patches that people have acted on: their outline and facts never change again."""
        return frozenset(self.states)


def _opened(line: str, number: int, head: str, path: Path) -> tuple[Verdict, str]:
    try:
        body = json.loads(line)
        told = body.pop("hash")
        sound = body["n"] == number and body["before_this"] == head and told == _hash(body)
        fields = body["verdict"]
        states = {key: State(fields[key]) for key in ("before", "after")}
        verdict = Verdict(**(fields | states)) if sound else None
    except (ValueError, KeyError, TypeError, AttributeError):
        verdict, told = None, ""
    if verdict is None:
        raise IntegrityError(
            f"{path} was changed at line {number}; put back a copy from before, or ask who did it",
            zh=f"{path} 第 {number} 行被改动；请用备份恢复，并查明原因",
        )
    return verdict, str(told)


def _hash(body: Mapping[str, object]) -> str:
    return sha256(_json(body).encode()).hexdigest()


def _json(body: Mapping[str, object]) -> str:
    return json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
