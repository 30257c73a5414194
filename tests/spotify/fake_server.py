"""The socket under the fake Spotify: HTTP/1.1 on loopback, one thread for each connection."""

import json
import select
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.spotify.fake_http import Answer, Call

_HANGING_S = 60
_LOOKING_S = 0.02


@dataclass
class Request:
    """One line of the log; the Authorization header is never in it.

    `status` is None until there is an answer. `answered` says that the whole answer went out and
    that the client did not break off before it had read it.
    """

    method: str
    path: str
    query: dict[str, str]
    body: Any
    status: int | None = None
    answered: bool = False


Take = Callable[[Call], tuple[Request, Answer]]


class Server(ThreadingHTTPServer):
    """Passes each call to `take`, and sends what that gives."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, port: int, take: Take) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.take = take
        self.stopping = threading.Event()
        self._open: set[socket.socket] = set()

    def stop(self) -> None:
        """Close the port and every connection, also those that hang."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)


class _Handler(BaseHTTPRequestHandler):
    """One connection; each answer goes out in one piece."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    last: Request | None = None

    def handle(self) -> None:
        try:
            super().handle()
        except ConnectionError:
            # A client that goes with an answer unread resets the connection.
            if self.last is not None:
                self.last.answered = False

    def finish(self) -> None:
        with suppress(ConnectionError):
            super().finish()

    def log_message(self, *_: Any) -> None:
        """Say nothing: `Fake.requests` is the log."""

    def do_GET(self) -> None:
        request, answer = self.server.take(self._call())
        self.last = request
        self.server.stopping.wait(answer.delay_s)
        if answer.delivery == "never":
            self._hang()
        if answer.delivery in ("never", "dropped"):
            self.close_connection = True
        else:
            self._send(request, answer)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815

    def _call(self) -> Call:
        address = urlsplit(self.path)
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        form = self.headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded")
        return Call(
            self.command,
            address.path.rstrip("/"),
            dict(parse_qsl(address.query)),
            dict(parse_qsl(text)) if form else _json(text),
            self.headers.get("Authorization"),
        )

    def _send(self, request: Request, answer: Answer) -> None:
        content = answer.content
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if answer.delivery == "cut":
            content = content[: len(content) // 2]
            self.close_connection = True
        # Said before it goes out: who has read the answer may look at the log at once.
        request.status = answer.status
        request.answered = answer.delivery == "whole"
        self.wfile.write(content)
        self.wfile.flush()

    def _hang(self) -> None:
        """Say nothing until the client gives up."""
        for _ in range(int(_HANGING_S / _LOOKING_S)):
            readable, _, _ = select.select([self.connection], [], [], _LOOKING_S)
            if readable or self.server.stopping.is_set():
                return


def _json(text: str) -> Any:
    try:
        return json.loads(text or "null")
    except ValueError:
        return text
