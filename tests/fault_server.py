"""A STAC API on loopback that misbehaves on demand; a test double, nothing more."""

import gzip
import json
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from loopback import Handler, answering

_BODIES = {
    "html": b"<html>please log in</html>",
    "empty": b"",
    "deep": b"[" * 100_000,
    "message": b'{"code": 1, "description": "come again"}',
    "void": b'{"type": "FeatureCollection", "features": [], "links": [], "numberMatched": 4}',
}
"""Answers with status 200 that are no answer."""
_SEARCH = "https://api.stacspec.org/v1.0.0/item-search"


@dataclass
class Behaviour:
    """What the server holds and how it lies."""

    items: list[dict[str, Any]]
    faults: list[str] = field(default_factory=list)
    """
    Consumed one for each search: a status such as 429 or 404, reset, html, empty, deep, message,
    void, cut, drip, hang, redirect.
    """
    retry_after: str = "0"
    page: int | None = None
    """Items on a page, whatever limit was asked."""
    lose_next: bool = False
    loop: bool = False
    endless: bool = False
    count: bool = True
    """Say ``numberMatched``."""
    obey: bool = True
    """Filter by date and frame."""
    packed: bool = False
    """Answer searches with gzip in chunks of a few bytes."""
    conforms: bool = True
    away: str = ""
    """Host to which redirects and ``next`` links point."""
    token: dict[str, Any] = field(default_factory=dict)
    token_faults: list[str] = field(default_factory=list)
    searches: list[dict[str, Any]] = field(default_factory=list)
    tokens_given: int = 0


def serving(behaviour: Behaviour) -> AbstractContextManager[str]:
    """Serve on a free port of loopback until the block ends."""
    return answering(_Handler, behaviour)


class _Handler(Handler):
    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def do_GET(self) -> None:  # noqa: N802 - what http.server calls
        behaviour = self.server.told
        if self.path.startswith("/token/"):
            fault = behaviour.token_faults.pop(0) if behaviour.token_faults else ""
            behaviour.tokens_given += not fault
            if fault:
                return self.answer(fault.encode(), status=int(fault))
            token = {"token": f"sig=secret{behaviour.tokens_given}", **behaviour.token}
            return self.answer(json.dumps(token).encode())
        landing = {
            "type": "Catalog",
            "stac_version": "1.0.0",
            "id": "double",
            "description": "test double",
            "conformsTo": [_SEARCH] if behaviour.conforms else [],
            "links": [
                {"rel": "self", "href": f"{self.root}/"},
                {"rel": "root", "href": f"{self.root}/"},
                {
                    "rel": "search",
                    "href": f"{self.root}/search",
                    "type": "application/geo+json",
                    "method": "POST",
                },
            ],
        }
        return self.answer(json.dumps(landing).encode())

    def do_POST(self) -> None:  # noqa: N802 - what http.server calls
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        behaviour = self.server.told
        fault = behaviour.faults.pop(0) if behaviour.faults else ""
        if fault:
            return self.misbehave(fault)
        behaviour.searches.append(body)
        if behaviour.packed:
            return self.pack(json.dumps(self.page(body)).encode())
        return self.answer(json.dumps(self.page(body)).encode())

    def page(self, body: dict[str, Any]) -> dict[str, Any]:
        behaviour = self.server.told
        found = [one for one in behaviour.items if not behaviour.obey or _matches(one, body)]
        size = behaviour.page or body["limit"]
        skip = 0 if behaviour.loop else body.get("skip", 0)
        features = found[skip : skip + size]
        if behaviour.endless:
            features = [{**found[0], "id": f"S{body.get('skip', 0)}"}]
        more = behaviour.endless or behaviour.loop or skip + size < len(found)
        href = f"{behaviour.away or self.root}/search"
        link = {
            "rel": "next",
            "href": href,
            "method": "POST",
            "body": {**body, "skip": body.get("skip", 0) + size},
        }
        page = {
            "type": "FeatureCollection",
            "features": features,
            "links": [link] if more and not behaviour.lose_next else [],
        }
        return page | ({"numberMatched": len(found)} if behaviour.count else {})

    def misbehave(self, fault: str) -> None:
        if fault == "reset":
            self.reset()
        elif fault in _BODIES:
            self.answer(_BODIES[fault], kind="text/html")
        elif fault == "cut":
            self.answer(b'{"type": "FeatureCollection", "features": [', claim=1000)
        elif fault == "drip":
            self.drip()
        elif fault == "hang":
            self.server.closing.wait(10)
            self.close_connection = True
        elif fault == "redirect":
            self.answer(b"", status=307, location=f"{self.server.told.away}/search")
        else:
            self.answer(b"{}", status=int(fault))

    def pack(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("content-encoding", "gzip")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        packed = gzip.compress(data)
        for start in range(0, len(packed), 7):
            piece = packed[start : start + 7]
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def drip(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "1000")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b" ")
            time.sleep(0.02)

    def answer(
        self,
        data: bytes,
        *,
        status: int = 200,
        kind: str = "application/json",
        claim: int | None = None,
        location: str = "",
    ) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data) if claim is None else claim))
        if status == 429:
            self.send_header("retry-after", self.server.told.retry_after)
        if location:
            self.send_header("location", location)
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = self.close_connection or claim is not None


def _matches(item: dict[str, Any], body: dict[str, Any]) -> bool:
    first, last = body["datetime"].split("/")
    when = item["properties"]["datetime"][:19] + "Z"
    west, south, east, north = item["bbox"]
    left, bottom, right, top = body["bbox"]
    there = west <= right and left <= east and south <= top and bottom <= north
    return there and first <= when <= last
