"""A fake Spotify on loopback: accounts service, Web API and ReccoBeats, with faults on demand.

It speaks real HTTP and knows nothing of the project. `python -m tests.spotify.fake` serves a small
catalogue until it is stopped and prints the environment that leads an app to it.
"""

import argparse
import json
import math
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_args

from tests.spotify.fake_accounts import CLIENT_ID, CLIENT_SECRET, SCOPES, Accounts
from tests.spotify.fake_catalogue import Catalogue
from tests.spotify.fake_faults import KINDS, Fault
from tests.spotify.fake_http import Answer, Call, WebApiError
from tests.spotify.fake_objects import Fields, Mode, Objects
from tests.spotify.fake_sample import fill, fill_from
from tests.spotify.fake_server import Request, Server
from tests.spotify.fake_web_api import WebApi


class Fake(Catalogue):
    """A running fake: what it holds, what it was asked, and what shall go wrong."""

    def __init__(self, mode: Mode, fields: Fields, port: int = 0) -> None:
        super().__init__()
        self.accounts = Accounts()
        self.requests: list[Request] = []
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._server = Server(port, self._take)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        objects = Objects(self, f"{self.address}/v1", mode, fields)
        self._web_api = WebApi(self, self.accounts, objects)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead the app here; all its secrets are planted ones."""
        return {
            "SPOTIFY_CLIENT_ID": CLIENT_ID,
            "SPOTIFY_CLIENT_SECRET": CLIENT_SECRET,
            "SPOTIFY_API": f"{self.address}/v1",
            "SPOTIFY_ACCOUNTS": self.address,
            "RECCOBEATS_API": f"{self.address}/reccobeats/v1",
            "no_proxy": "127.0.0.1",
        }

    @property
    def secrets(self) -> set[str]:
        """Every secret that was planted, given out or sent here."""
        return self.accounts.secrets

    def fault(
        self,
        kind: int | str,
        path: str = "^/v1/",
        method: str | None = None,
        times: float | None = 1,
        after: int = 0,
        processed: bool = False,
        **details: Any,
    ) -> None:
        """Let calls fail whose path has the pattern `path` in it.

        Of two faults that fit, the one declared first strikes; the other's turn comes after it.

        Parameters
        ----------
        kind
            What happens, with its details:

            - a status such as 401, 403, 404, 429 or 500: `message`; `retry_after` in seconds (1),
              None to leave the header out
            - "timeout": no answer; "drop": the connection is closed without one
            - "html": an error page with `status` (502); "instead": `body`, with `status` (200) and
              `headers`
            - "truncated": half of the JSON; "cut": half of what was announced, then the connection
              is closed; "slow": sent after `seconds`
            - "missing": `fields` are left out of every object; "null": they are null, or without
              `fields` the whole answer is
            - "overlap": `by` tracks (1) are put on top of the playlist first, so that its page
              begins with what ended the one before
            - "meanwhile": `do` is called with the call first, then the answer is sent as ever
        times
            How many calls fail; None for all.
        after
            How many fitting calls are spared first.
        processed
            Whether the call has its effect before it fails.
        """
        if kind == "overlap":
            details["add_on_top"] = self.add_on_top
        if not isinstance(kind, int) and kind not in KINDS:
            raise ValueError(f"no such fault: {kind}")
        often = math.inf if times is None else times
        self._faults.append(Fault(kind, path, method, often, after, processed, details))

    def heal(self) -> None:
        """Take back every fault."""
        self._faults.clear()

    def clear(self) -> None:
        """Forget the requests so far."""
        self.requests.clear()

    def expire_tokens(self) -> None:
        """Let every access token answer 401 from now on; refreshing gives new ones."""
        self.accounts.expire_tokens()

    def revoke(self) -> None:
        """Let every refresh token answer "invalid_grant" from now on."""
        self.accounts.revoke()

    def listener_token(self, scope: str = SCOPES) -> str:
        """An access token of `accounts.listener`, as signing in would give."""
        return self.accounts.listener_token(scope)

    def serve(self) -> None:
        """Answer until `stop`."""
        self._server.serve_forever(poll_interval=0.01)

    def stop(self) -> None:
        """Close the port and every connection."""
        self._server.stop()

    def _take(self, call: Call) -> tuple[Request, Answer]:
        """Write a call down and answer it, or let it fail."""
        request = Request(call.method, call.path, dict(call.query), call.body)
        with self._lock:
            self.requests.append(request)
            fault = next((fault for fault in self._faults if fault.strikes(call)), None)
            if fault is None:
                return request, self._answer(call)
            return request, fault.spoil(call, lambda: self._answer(call))

    def _answer(self, call: Call) -> Answer:
        try:
            match call.method, call.path:
                case "GET", "/authorize":
                    return self.accounts.ask(call)
                case "POST", "/authorize":
                    return self.accounts.agree(call)
                case "POST", "/api/token":
                    return self.accounts.token(call)
                case "GET", "/reccobeats/v1/audio-features":
                    return Answer(self._web_api.reccobeats(call))
            status = 201 if call.method == "POST" else 200
            return Answer(self._web_api.answer(call), status)
        except WebApiError as refusal:
            return refusal.answer


@contextmanager
def fake_spotify(mode: Mode = "development", fields: Fields = "new") -> Iterator[Fake]:
    """A fake that answers in a thread of its own until the block ends."""
    fake = Fake(mode, fields)
    thread = threading.Thread(target=fake.serve, daemon=True)
    thread.start()
    try:
        yield fake
    finally:
        fake.stop()
        thread.join()


def main() -> None:
    """Serve until stopped; the environment goes to the output, the playlists' links beside it."""
    parser = argparse.ArgumentParser(description="A fake Spotify to look at the app with.")
    parser.add_argument("--mode", choices=get_args(Mode), default="development")
    parser.add_argument("--fields", choices=get_args(Fields), default="new")
    parser.add_argument("--port", type=int, default=0, help="by default any that is free")
    parser.add_argument("--tracks", type=Path, help="a CSV with the columns id, title, artist")
    given = parser.parse_args()
    fake = Fake(given.mode, given.fields, given.port)
    playlists = fill_from(fake, given.tracks) if given.tracks else fill(fake)
    for key in playlists:
        sys.stderr.write(f"https://open.spotify.com/playlist/{key}  {fake.playlists[key].name}\n")
    sys.stdout.write(f"{json.dumps(fake.environment)}\n")
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        fake.serve()
    except KeyboardInterrupt:
        sys.stderr.write("stopped\n")


if __name__ == "__main__":
    main()
