"""Files over HTTP on loopback, with faults on demand; a test double, nothing more."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loopback import Handler, answering


@dataclass
class Hit:
    """One request: path with query, its Range and If-Range, and the bytes of body sent."""

    path: str
    range: str
    if_range: str
    sent: int = 0


@dataclass
class Files:
    """What the server holds and how it lies."""

    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[str]] = field(default_factory=dict)
    """
    By path, one for each request: a status, reset, hang, html, rot, drip, ``cut 0.6``, ``to URL``;
    ``ok`` is none.
    """
    ranges: bool = True
    """Obey Range."""
    conditions: bool = True
    """Obey If-Range."""
    length: str = "content-length"
    """How the end of a body is told: also ``transfer-encoding`` or, by closing, ``none``."""
    tags: bool = True
    """Send an ETag."""
    need: str = ""
    """Query without which a file is refused with 403."""
    brake: threading.Event = field(default_factory=threading.Event)
    """``hold 0.6`` sends that share and the rest when this is set."""
    hits: list[Hit] = field(default_factory=list)

    def asked(self, path: str) -> list[Hit]:
        return [hit for hit in self.hits if hit.path.partition("?")[0] == path]


@contextmanager
def serving_files(files: Files) -> Iterator[str]:
    """Serve on a free port of loopback until the block ends."""
    with answering(_Handler, files) as root:
        try:
            yield root
        finally:
            files.brake.set()


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802 - what http.server calls
        files = self.server.told
        path, _, query = self.path.partition("?")
        ranges = self.headers.get("range", ""), self.headers.get("if-range", "")
        self.hit = Hit(self.path, *ranges)
        files.hits.append(self.hit)
        waiting = files.faults.get(path)
        fault = waiting.pop(0) if waiting else ""
        if fault.startswith("to "):
            return self.answer(302, b"", location=fault[3:])
        if fault.isdecimal():
            return self.answer(int(fault), b"no", retry_after="0" if fault == "429" else "")
        if fault == "html":
            return self.answer(200, b"<!DOCTYPE html><html>please log in</html>", kind="text/html")
        if fault in ("reset", "hang"):
            time.sleep(1.5 if fault == "hang" else 0)
            return self.reset()
        if path not in files.files or (files.need and query != files.need):
            return self.answer(403 if files.need else 404, b"no")
        return self.file(files.files[path], fault)

    def file(self, data: bytes, fault: str) -> None:
        files = self.server.told
        data = bytes(len(data)) if fault == "rot" else data
        tag = f'"{len(data)}-{hash(data):x}"' if files.tags else ""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.hit.range)
        fits = not files.conditions or self.hit.if_range in ("", tag)
        if not (files.ranges and wanted and fits):
            return self.answer(200, data, tag=tag, fault=fault)
        first, last = int(wanted[1]), int(wanted[2] or len(data) - 1)
        if first >= len(data):
            return self.answer(416, b"", tag=tag, span=f"bytes */{len(data)}")
        span = f"bytes {first}-{min(last, len(data) - 1)}/{len(data)}"
        return self.answer(206, data[first : last + 1], tag=tag, span=span, fault=fault)

    def answer(
        self,
        status: int,
        data: bytes,
        *,
        kind: str = "image/tiff",
        location: str = "",
        retry_after: str = "",
        tag: str = "",
        span: str = "",
        fault: str = "",
    ) -> None:
        named = {"location": location, "retry-after": retry_after, "etag": tag}
        named |= {"content-range": span, "content-type": kind}
        length = self.server.told.length if data else "content-length"
        named[length] = "chunked" if length == "transfer-encoding" else str(len(data))
        self.send_response(status)
        for name, value in named.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        how, _, share = fault.partition(" ")
        if how == "drip":
            self.drip(data)
        cut = int(len(data) * float(share)) if share else len(data)
        self.send(data[:cut])
        if how == "hold":
            self.wfile.flush()
            self.server.told.brake.wait(30)
            self.send(data[cut:])
        self.close_connection = self.close_connection or how == "cut" or length == "none"
        if length == "transfer-encoding" and how != "cut":
            self.wfile.write(b"0\r\n\r\n")

    def send(self, data: bytes) -> None:
        chunked = self.server.told.length == "transfer-encoding"
        for start in range(0, len(data), 1 << 16):
            piece = data[start : start + (1 << 16)]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            self.hit.sent += len(piece)

    def drip(self, data: bytes) -> None:
        for one in data[:200]:
            self.wfile.write(bytes([one]))
            time.sleep(0.02)
        self.reset()
