"""What was used, dropped, done or failed, and why: one JSON line per event, only ever appended."""

import json
import re
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Entry", "Ledger", "in_chinese"]

_CLASSES = tuple(
    (re.compile(pattern, re.IGNORECASE), zh)
    for pattern, zh in (
        (
            r"missing|HTTP (response code: )?4(04|10)|no such (file|asset)|does not exist",
            "文件缺失",
        ),
        (r"refused: |HTTP (response code: )?40[13]|access ?denied", "拒绝访问"),
        (r"not allowed|allowed_(hosts|roots)|sends on to", "地址不在允许范围内"),
        (r"time[d ]?out|silent|no answer|stopped", "连接超时或中断"),
        (r"is no (GTiff|JP2)|first bytes|not recognized|no GeoTIFF", "文件格式不符"),
        (r"bytes, the item says|bytes instead of|file:checksum", "文件大小或校验值不符"),
        (r"no place on the ground|no transform", "文件没有地理坐标"),
        (r"scene classes are|where one is expected|none of u?int", "波段数或数据类型不符"),
        (r"^(\w+: )?CRS is", "坐标系与条目不符"),
        (r"^(\w+: )?(size|transform) is .*the item says", "栅格大小或位置与条目不符"),
        (r"the scene's footprint on", "栅格范围与影像范围不符"),
        (r"has pixels of|px large|has blocks of", "像元或栅格大小异常"),
        (r"memory", "内存不足"),
        (r"disk|space left", "磁盘空间不足或无法写入"),
        (r"PoisonError|worker", "工作进程异常退出"),
        (r"cannot be (read|had)|read|decod|tiff|HTTP", "无法读取"),
    )
)
"""What reasons noted in English are about; the first that is found holds."""


def in_chinese(reason: str) -> str:
    """
    Say in Chinese what class of trouble a reason is; its own words follow in brackets.

    Reasons of several bands (``band: reason; band: reason``) are told one by one. What is in
    Chinese already, and the empty reason, stay as they are.

    >>> in_chinese("red: missing: red.tif does not exist")
    'red：文件缺失（missing: red.tif does not exist）'
    """
    if not reason or re.search(r"[\u4e00-\u9fff]", reason):
        return reason
    return "；".join(_one_in_chinese(part) for part in re.split(r"; (?=\w+: )", reason))


def _one_in_chinese(reason: str) -> str:
    band, said = "", reason
    if named := re.match(r"([a-z]+\d*): ", reason):
        band, said = named[1], reason[named.end() :]
    if band == "missing":
        band, said = "", reason
    band = "文件头" if band == "header" else band
    kind = next((zh for pattern, zh in _CLASSES if pattern.search(said)), "处理失败")
    return f"{band}：{kind}（{said}）" if band else f"{kind}（{said}）"


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

    @property
    def chinese(self) -> str:
        """The reason in Chinese: as it was noted, else the class of trouble that it is."""
        return self.reason_zh or in_chinese(self.reason)


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
