"""What the servers of the tests share: a free port of loopback, and a line that is cut."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Handler", "answering"]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, handler: type["Handler"], told: Any) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.told = told
        self.closing = threading.Event()

    def handle_error(self, request, client_address) -> None:
        """Clients hang up on faults; that is the point."""


class Handler(BaseHTTPRequestHandler):
    """Quiet, and able to hang up; ``server.told`` says how it is to behave."""

    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or every answer waits 40 ms for the client's acknowledgement

    def log_message(self, format, *args) -> None:
        """Keep quiet."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def reset(self) -> None:
        """Cut the line as a router does that was switched off."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True


@contextmanager
def answering(handler: type[Handler], told: Any) -> Iterator[str]:
    """Serve on a free port of loopback until the block ends."""
    server = _Server(handler, told)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
