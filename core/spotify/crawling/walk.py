"""The requests of a crawl, one after the other, and the signals that end it between two of them."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

from core.progress import Progress
from core.spotify.client import Client, Settings
from core.spotify.crawling.crawled import Skipped, Standing, Task
from core.spotify.crawling.frontier import Frontier
from core.spotify.errors import (
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    RefusedError,
    SpotifyError,
    clock_time,
)
from core.spotify.health import Patience
from core.spotify.objects import Track, followers_of, id_of, read_track, text

STEPS = 100
"""A crawl says how far it is this often."""
WORTH_SAYING_S = 5.0
"""A shorter wait is not worth a line."""
NO_PLAYLIST = "search results that are no playlist"


class SignalError(Exception):
    """SIGTERM or SIGINT was received."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class StartRefusedError(SpotifyError):
    """Spotify does not give the playlist that everything starts from."""


class StopSignals:
    """SIGTERM and SIGINT, taken note of until `check`; at once where nothing can be lost.

    A context of the main thread.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._immediate = False

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._receive)
            for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _receive(self, number: int, _: FrameType | None) -> None:
        self._received = number
        if self._immediate:
            self.check()

    def check(self) -> None:
        """Raise a `SignalError` if there was a signal."""
        if self._received is not None:
            raise SignalError(self._received)

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end what the block does, wherever it is."""
        self._immediate = True
        try:
            self.check()
            yield
        finally:
            self._immediate = False

    def sleep(self, seconds: float) -> None:
        """Sleep until a signal at most."""
        with self.at_once():
            time.sleep(max(seconds, 0.0))


class Walk:
    """Asks what the frontier has next, and records each answer.

    Parameters
    ----------
    frontier : Frontier
    signals : StopSignals
    pause_s : float
        Between two requests.
    patience : Patience
        Of a request.
    progress : Progress
    """

    def __init__(
        self,
        frontier: Frontier,
        signals: StopSignals,
        pause_s: float,
        patience: Patience,
        progress: Progress,
    ) -> None:
        self._frontier, self._signals = frontier, signals
        self._pause_s, self._patience, self._progress = pause_s, patience, progress
        self._next_at = time.monotonic()
        self._label, self._said = "Asking Spotify", -1

    def run(self) -> None:
        """Walk until a bound is reached or nothing is left.

        Raises
        ------
        SignalError
            Between two requests.
        SpotifyError
            If there is no answer; a `StartRefusedError` if there is nothing to start from.
        """
        task = self._frontier.next()
        if task is None:
            return
        client = Client(Settings.from_environment(), None, self._patience, self._wait)
        while task:
            self._wait_out()
            self._signals.sleep(self._next_at - time.monotonic())
            try:
                self._ask(client, task)
            except RateLimitedError as error:
                self._frontier.wait(error.until)
            self._next_at = time.monotonic() + self._pause_s
            self._report()
            task = self._frontier.next()

    def _ask(self, client: Client, task: Task) -> None:
        """Make one request and record what came of it."""
        try:
            if task.kind == "artist":
                self._search(client, task)
            elif task.offset is None:
                self._describe(client, task)
            else:
                self._read(client, task, task.offset)
        except (ForbiddenError, NotFoundError, RefusedError) as error:
            if task.depth == 0 and task.kind == "playlist":
                raise StartRefusedError(str(error)) from error
            if task.kind == "artist" and isinstance(error, ForbiddenError):
                raise  # whoever may not search for one may not search at all
            self._frontier.refuse(task, _why(error))

    def _describe(self, client: Client, task: Task) -> None:
        raw = client.playlist(task.key)
        self._frontier.describe(task, text(raw.get("name")), followers_of(raw))

    def _read(self, client: Client, task: Task, offset: int) -> None:
        page = client.playlist_items(task.key, offset)
        tracks: list[dict[str, Any]] = []
        skipped: list[Skipped] = []
        for position, raw in enumerate(page.items, offset):
            track = read_track(raw)
            if isinstance(track, Track):
                tracks.append({"position": position} | track.row)
            else:
                skipped.append((position, track))
        following = page.next_offset if page.items else None
        self._frontier.read(task, tracks, skipped, following)

    def _search(self, client: Client, task: Task) -> None:
        """Ask for the playlists of an artist's name; whatever is found is taken."""
        items = client.search(task.name or task.key, "playlist").items
        found = [(key, text(raw.get("name"))) for raw in items if (key := id_of(raw))]
        missing = len(items) - len(found)
        self._frontier.found(task, found, {NO_PLAYLIST: missing} if missing else {})

    # --- waiting ---

    def _wait_out(self) -> None:
        """Sleep until Spotify may be asked again, unless that is too long."""
        until = self._frontier.waiting_until
        if until is None:
            return
        if until - time.time() > self._patience.longest_wait_s:
            raise RateLimitedError("Spotify", until)
        self._sleep_until(until)

    def _wait(self, seconds: float) -> None:
        """Sleep for the client; whoever takes the crawl up meanwhile sleeps the rest."""
        until = time.time() + seconds
        self._frontier.wait(until)
        self._sleep_until(until)

    def _sleep_until(self, until: float) -> None:
        if until - time.time() > WORTH_SAYING_S:
            self._progress.update(f"Spotify is asked again at {clock_time(until)}")
        self._signals.sleep(until - time.time())

    def _report(self) -> None:
        """Say how far the crawl is, in other words every `STEPS`th part of its requests."""
        state = self._frontier.state()
        bounds = state.bounds
        step = state.requests * STEPS // bounds.requests
        if step > self._said:
            self._said = step
            self._label = (
                f"Requests: {state.requests:,} of {bounds.requests:,}; playlists read: "
                f"{state.playlists:,}; artists searched for: {state.artists:,}"
            )
        done = max(state.requests / bounds.requests, state.playlists / bounds.playlists)
        self._progress.update(self._label, min(done, 1.0))


def _why(error: SpotifyError) -> Standing:
    if isinstance(error, ForbiddenError):
        return "forbidden"
    return "not found" if isinstance(error, NotFoundError) else "refused"
