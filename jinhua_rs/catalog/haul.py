"""Bringing one file over: piece by piece, from where the last try ended."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import requests

from jinhua_rs import store
from jinhua_rs.catalog.proof import HEAD, claimed, damaged, looks_wrong, web_page
from jinhua_rs.catalog.wire import PassingError, Wire

__all__ = ["Haul", "require_kind", "start_of"]

MAX_BYTES = 2 * 2**30
"""A file larger than this is no asset of a scene."""
LONGEST_S = 3600.0
"""Time for one file, seconds."""
SLOWEST = 1024
"""Fewer bytes a second than this over one timeout is a hang."""
GAIN = 2**20
"""A try that brought this many bytes before it broke was not in vain."""
_CHUNK = 2**18
_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)")
_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Haul:
    """
    What is to be brought over, and how far it is.

    Attributes
    ----------
    wire : Wire
    part : Partial
        The file so far.
    size, checksum : optional
        Bytes and multihash that the item states.
    """

    wire: Wire
    part: store.Partial
    size: int | None
    checksum: str | None

    def bring(self, href: str) -> None:
        """
        Append what is missing.

        Raises
        ------
        IntegrityError
            If it is no imagery, or longer than it should be.
        NoDataError
            If it is missing, refused, or breaks off too often.
        ConfigError
            If there is no room for it.
        """
        self.wire.patiently(partial(self._piece, href), href, LONGEST_S)

    def _piece(self, href: str) -> None:
        """Ask once for what is missing and append it."""
        part = self.part
        if part.size and part.size == self.size:
            return
        if not part.validator and not claimed(self.checksum):
            part.restart()  # nothing would tell whether the rest is of the same file
        headers = {"Range": f"bytes={part.size}-"} if part.size else {}
        if part.validator:
            headers["If-Range"] = part.validator
        before = part.size
        with self.wire.asking(href, headers) as (answer, _):
            total = self._agreed(answer)
            self._require_room(href, total)
            try:
                self._pour(answer, href)
            except PassingError as fault:
                raise PassingError(str(fault), gained=part.size - before >= GAIN) from fault
        if total is not None and part.size < total:
            raise PassingError("a cut answer", gained=part.size - before >= GAIN)

    def _agreed(self, answer: requests.Response) -> int | None:
        """
        Make the part fit the answer: it goes on where the part ends, or begins anew.

        Returns the bytes of the whole file, None where the answer does not say.
        """
        part, found = self.part, _RANGE.fullmatch(answer.headers.get("content-range", ""))
        total = int(found[2]) if found else None
        if answer.status_code == 416 and total == part.size and total:
            return total
        if answer.status_code == 200:
            part.restart(_validator(answer))
            return self._length(answer)
        same = _validator(answer) == part.validator
        if not found or found[1] != str(part.size) or not same:
            part.restart()
            raise PassingError("an answer that does not fit what is there")
        return total

    def _length(self, answer: requests.Response) -> int | None:
        """Bytes of a whole body; something must tell its end from a broken connection."""
        length = answer.headers.get("content-length", "")
        if length.isdecimal():
            return int(length)
        chunked = "chunked" in answer.headers.get("transfer-encoding", "").lower()
        if not chunked and self.size is None and not claimed(self.checksum):
            raise damaged(answer.url, "neither server nor item say how long it is")
        return self.size

    def _require_room(self, href: str, total: int | None) -> None:
        if total is None:
            return
        if total > MAX_BYTES or (self.size is not None and total != self.size):
            self.part.restart()
            raise damaged(href, f"{total} bytes instead of {self.size or f'at most {MAX_BYTES}'}")
        store.require_space(self.part.path.parent, total - self.part.size)

    def _pour(self, answer: requests.Response, href: str) -> None:
        """Append a body; its first bytes are looked at before anything is kept."""
        if answer.status_code == 416:
            return
        part, wire = self.part, self.wire
        if not part.size:
            head = start_of(wire, answer)
            require_kind(href, head, answer.headers)
            part.write(head)
        end, there = time.monotonic() + wire.timeout_s, part.size
        while data := wire.read(answer, _CHUNK):
            part.write(data)
            if part.size > MAX_BYTES:
                part.restart()
                raise damaged(href, f"more than {MAX_BYTES} bytes")
            if time.monotonic() > end:
                if part.size - there < SLOWEST * wire.timeout_s:
                    raise PassingError("a body that drips")
                end, there = time.monotonic() + wire.timeout_s, part.size


def start_of(wire: Wire, answer: requests.Response) -> bytes:
    """Read the first bytes of an answer, :data:`HEAD` of them if there are so many."""
    head = b""
    if answer.status_code == 416:
        return head
    while len(head) < HEAD and (data := wire.read(answer, HEAD - len(head))):
        head += data
    return head


def require_kind(href: str, head: bytes, headers: Mapping[str, str] = _NOTHING) -> None:
    """
    Pass imagery only.

    Raises
    ------
    PassingError
        On a web page, which a proxy or a log-in may have put in between.
    IntegrityError
        On anything else that is neither GeoTIFF nor, by its name, JPEG 2000.
    """
    if web_page(head, headers.get("content-type", "")):
        raise PassingError("a web page instead of pixels, perhaps of a proxy or a log-in")
    if wrong := looks_wrong(href, head):
        raise damaged(href, wrong)


def _validator(answer: requests.Response) -> str:
    """Strong ETag, else the date of the last change (RFC 9110, 13.1.5); empty if neither."""
    tag = answer.headers.get("etag", "")
    return str(tag if tag.startswith('"') else answer.headers.get("last-modified", ""))
