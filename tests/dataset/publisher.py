"""A publisher on this machine, over real HTTP, who fails as publishers do."""

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from core.dataset.public_sets import PublicSet


class Publisher:
    """Serves one file; each request takes the next of `faults`, and those after them none.

    Faults: a status such as "404"; "drop" and "stall" after half of what was asked for; "whole"
    ignores ranges; "shifted" answers another range; "unsized" does not say the length; "longer"
    and "unsized longer" have more bytes than the file; "hold" waits for `go_on` half-way.
    """

    def __init__(self, content: bytes) -> None:
        self.content, self.etag = content, '"first"'
        self.faults: list[str] = []
        self.asked: list[dict[str, str]] = []
        self.go_on = threading.Event()
        self.holding = threading.Event()
        self.address = ""

    def set(self, **fields: object) -> PublicSet:
        """The file as a registered set."""
        known = {
            "name": "little",
            "label": "Little set",
            "about": "A few songs.",
            "address": f"{self.address}/songs.csv",
            "size": len(self.content),
            "sha256": hashlib.sha256(self.content).hexdigest(),
            "licence": "CC0 1.0",
            "source": "tidytuesday",
        }
        return PublicSet(**known | fields)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        publisher = self.server.publisher
        publisher.asked.append(dict(self.headers))
        fault = publisher.faults.pop(0) if publisher.faults else ""
        self.close_connection = True
        if fault.isdigit():
            self.send_response(int(fault))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(fault, publisher.content + b"more" * ("longer" in fault))

    def _answer(self, fault: str, content: bytes) -> None:
        start = self._start(len(content)) if fault != "whole" else 0
        self.send_response(206 if start else 200)
        self.send_header("ETag", self.server.publisher.etag)
        if start:
            shown = start + (fault == "shifted")
            self.send_header("Content-Range", f"bytes {shown}-{len(content) - 1}/{len(content)}")
        if "unsized" not in fault:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self._send(fault, content[start:])

    def _send(self, fault: str, rest: bytes) -> None:
        breaks = fault in ("drop", "stall", "hold")
        half = len(rest) // 2 if breaks else len(rest)
        self.wfile.write(rest[:half])
        self.wfile.flush()
        if fault in ("stall", "hold"):
            self.server.publisher.holding.set()
            self.server.publisher.go_on.wait(30)
        if fault == "hold":
            self.wfile.write(rest[half:])

    def _start(self, size: int) -> int:
        """The byte to begin with; 0 where a range is not asked for, or cannot be given."""
        etag = self.server.publisher.etag
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        same = self.headers.get("If-Range", etag) == etag
        return int(found[1]) if found and same and int(found[1]) < size else 0

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    publisher: Publisher

    def handle_error(self, *_: object) -> None:
        """A client that leaves is what these tests are about."""


@contextmanager
def publishing(content: bytes) -> Iterator[Publisher]:
    """A publisher at a free port of the loopback."""
    publisher = Publisher(content)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.publisher = publisher
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        publisher.address = f"http://127.0.0.1:{server.server_port}"
        yield publisher
        publisher.go_on.set()
        server.shutdown()
