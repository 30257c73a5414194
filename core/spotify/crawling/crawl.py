"""Breadth-first from a playlist: its artists, the playlists found by searching for them, and so on.

Each answer is recorded with all that follows from it before the next request is made (see
`frontier`), so a crawl that was stopped goes on with the request that is next:

- SIGTERM and Ctrl-C let the request in flight finish and record its answer; no request is made
  twice.
- What gives no time to do so (SIGKILL, a power cut) loses the answer in flight at most: that one
  request is made again. Nothing can do better, since an answer can be sent and not yet recorded.

What Spotify asked for by `Retry-After` is waited out, by the next process too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from core.dataset.links import SAID, Link
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.spotify.crawling.crawled import Bounds, CrawlGraph, CrawlState, StoredPlaylist
from core.spotify.crawling.frontier import Frontier
from core.spotify.crawling.walk import SignalError, StartRefusedError, StopSignals, Walk
from core.spotify.errors import SpotifyError
from core.spotify.health import Patience
from core.workspace import Workspace, alone, checked_name, delete_folder, read_json

if TYPE_CHECKING:
    from core.dataset.sources.base import Batch

LICENCE = "Spotify's developer terms forbid passing it on and training models on it"
"""https://developer.spotify.com/terms"""
DEVELOPMENT = (
    "In development mode, Spotify gives an app the tracks of a playlist only for its owner and "
    "collaborators."
)
SOURCE = "spotify"
FILE = "frontier.sqlite3"
PATIENCE = Patience(attempts=6, pause_s=0.5, timeout_s=4.0, longest_wait_s=3600.0)
"""A request gives up sooner than a cancelled job is killed: its answer is recorded or there is
none (`core.jobs.GRACE_S`)."""
PAUSE_S = 0.25
"""Between two requests: Spotify counts those of the last 30 seconds,
https://developer.spotify.com/documentation/web-api/concepts/rate-limits."""
BATCH_PLAYLISTS = 200


class StoppedError(SegueError):
    """A signal asked the crawl to stop; everything answered is recorded.

    Attributes
    ----------
    signal : int
    """

    def __init__(self, name: str, requests: int, number: int) -> None:
        super().__init__(f"Stopped, with the answers to {requests:,} requests kept. {_how(name)}")
        self.signal = number


# --- what is there ---


def crawl_names(workspace: Workspace) -> list[str]:
    """Names of the crawls of a workspace."""
    return sorted(file.parent.name for file in _root(workspace).glob(f"[!.]*/{FILE}"))


def crawls(workspace: Workspace) -> list[CrawlState]:
    """Every crawl of a workspace, by name."""
    states = (crawl_state(workspace, name) for name in crawl_names(workspace))
    return [state for state in states if state]


def crawl_state(workspace: Workspace, name: str) -> CrawlState | None:
    """How far a crawl is, also while it runs; None where there is none of that name.

    Raises
    ------
    SegueError
        If its frontier is damaged or of another version.
    """
    with _opened(workspace, name) as frontier:
        return frontier.state() if frontier else None


def graph(workspace: Workspace, name: str, most: int = 600) -> CrawlGraph:
    """The playlists and artists that a crawl found first, also while it runs.

    Parameters
    ----------
    workspace : Workspace
    name : str
    most : int
        Nodes.

    Raises
    ------
    SegueError
        If there is no crawl of that name.
    """
    with _opened(workspace, name) as frontier:
        if frontier is None:
            raise _unknown(name)
        return frontier.graph(most)


def summary(state: CrawlState) -> list[str]:
    """What a crawl has brought, what it was refused and what it has left, in sentences."""
    said = [
        f"{state.name}: {state.ending or 'there is more to ask for'}. Requests: "
        f"{state.requests:,}; playlists read: {state.playlists:,}, to depth {state.depth}; artists "
        f"searched for: {state.artists:,}."
    ]
    if state.refused:
        counts = ", ".join(f"{count:,} {why}" for why, count in state.refused.items())
        said.append(f"Refused by Spotify: {counts}.")
    if "forbidden" in state.refused:
        said.append(DEVELOPMENT)
    if state.waiting_playlists or state.waiting_artists:
        how = _how(state.name)
        said.append(
            f"Found and not asked for: playlists: {state.waiting_playlists:,}; artists: "
            f"{state.waiting_artists:,}. {f'With higher bounds {how}' if state.finished else how}"
        )
    return said


@contextmanager
def _opened(workspace: Workspace, name: str) -> Iterator[Frontier | None]:
    """A crawl's frontier to be read; None where it has not begun."""
    file = _file(workspace, name)
    if not file.exists():
        yield None
        return
    with Frontier(file) as frontier:
        yield frontier if frontier.begun else None


def _root(workspace: Workspace) -> Path:
    return workspace.folder / ".spotify" / "crawls"


def _file(workspace: Workspace, name: str) -> Path:
    return _root(workspace) / checked_name(name) / FILE


def _unknown(name: str) -> SegueError:
    return SegueError(f"There is no crawl {name!r}; begin it with the link of a playlist.")


def _how(name: str) -> str:
    return f"`python -m core crawl --name {name}` goes on."


# --- a crawl, begun or taken up again ---


def crawl(
    workspace: Workspace,
    name: str,
    start: Link | None = None,
    bounds: Mapping[str, int] | None = None,
    *,
    pause_s: float = PAUSE_S,
    patience: Patience = PATIENCE,
    progress: Progress = SILENT,
) -> CrawlState:
    """Crawl until a bound is reached or nothing is left, then make the dataset.

    In the main thread: SIGTERM and SIGINT are taken note of meanwhile.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the crawl and of its dataset.
    start : Link, optional
        A playlist's; without it the crawl of that name goes on.
    bounds : mapping of str to int, optional
        Fields of `Bounds` that are to be others than the crawl's so far, or than the default.
    pause_s : float
        Between two requests.
    patience : Patience
    progress : Progress

    Returns
    -------
    CrawlState

    Raises
    ------
    StoppedError
        After SIGTERM or Ctrl-C.
    SegueError
        If there is no such crawl, another process is at it, Spotify refuses the start playlist,
        cannot be reached or cannot be understood; the sentence says how to go on.
    """
    if start is not None:
        _require_start(workspace, name, start)
    with _held(workspace, name, start) as folder:
        try:
            with Frontier(folder / FILE, writable=True) as frontier, StopSignals() as signals:
                _take_up(frontier, workspace, name, start, bounds or {})
                Walk(frontier, signals, pause_s, patience, progress).run()
                with signals.at_once():
                    _make_dataset(frontier, workspace, progress)
                return frontier.state()
        except SignalError as caught:
            state = crawl_state(workspace, name)
            raise StoppedError(name, state.requests if state else 0, caught.number) from None
        except SpotifyError as error:
            state = crawl_state(workspace, name)
            worth_keeping = state and (state.requests or state.waiting_until)
            if isinstance(error, StartRefusedError) or not worth_keeping:
                delete_folder(folder)
                raise
            raise SegueError(f"{error} What was answered is kept; {_how(name)}") from error


def finish(workspace: Workspace, name: str, progress: Progress = SILENT) -> CrawlState:
    """Make the dataset of what was answered so far, without any request.

    Raises
    ------
    SegueError
        If there is no such crawl, it has read no track yet, or another process is at it.
    """
    with (
        _held(workspace, name) as folder,
        Frontier(folder / FILE, writable=True) as frontier,
    ):
        if not frontier.begun:
            raise _unknown(name)
        _make_dataset(frontier, workspace, progress)
        return frontier.state()


def discard(workspace: Workspace, name: str) -> None:
    """Delete a crawl; a dataset made of it stays.

    Raises
    ------
    SegueError
        If there is no such crawl, or a process is at it.
    """
    with _held(workspace, name) as folder:
        delete_folder(folder)


@contextmanager
def _held(workspace: Workspace, name: str, start: Link | None = None) -> Iterator[Path]:
    """The folder of a crawl for this process alone; made where there is something to start from."""
    folder = _file(workspace, name).parent
    if start is not None:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.is_dir():
        raise _unknown(name)
    with alone(folder, f"The crawl {name!r} is running already; wait for it, or cancel it."):
        yield folder


def _require_start(workspace: Workspace, name: str, start: Link) -> None:
    """Make sure that a crawl of this name may start here."""
    if start.kind != "playlist":
        raise SegueError(
            f"A crawl starts from a playlist, and {start.address} is {SAID[start.kind]}; give a "
            "playlist's link."
        )
    state = crawl_state(workspace, name)
    if state and state.start != start:
        raise SegueError(
            f"The crawl {name!r} started from {state.start.address}; give another name."
        )
    _require_free(workspace, name, start)


def _require_free(workspace: Workspace, name: str, start: Link) -> None:
    """Make sure that no dataset of this name is of anything but a crawl from here."""
    if name not in workspace.names():
        return
    manifest = read_json(workspace.path(name) / "manifest.json")
    if (manifest["source"], manifest.get("address")) != (SOURCE, start.address):
        raise SegueError(
            f"There is a dataset {name!r} already, which is not of this crawl: delete it, or give "
            "another name."
        )


def _take_up(
    frontier: Frontier,
    workspace: Workspace,
    name: str,
    start: Link | None,
    bounds: Mapping[str, int],
) -> None:
    """Begin the crawl, or let it go on within other bounds."""
    if frontier.begun:
        _require_free(workspace, name, frontier.start)
        frontier.rebound(replace(frontier.bounds, **bounds))
    elif start is not None:
        frontier.begin(start, replace(Bounds(), **bounds))
    else:
        raise _unknown(name)


# --- its dataset ---


def _make_dataset(frontier: Frontier, workspace: Workspace, progress: Progress) -> None:
    """Make the dataset of all that was read, unless it is there already."""
    from core.dataset.build import Provenance, build

    state = frontier.state()
    if state.made and state.name in workspace.names():
        return
    if not state.tracks:
        raise SegueError(f"The crawl {state.name!r} has not read a track yet. {_how(state.name)}")
    _require_free(workspace, state.name, state.start)
    provenance = Provenance(state.name, SOURCE, licence=LICENCE, address=state.start.address)
    build(_batches(frontier), workspace.new_path(state.name), provenance, progress)
    frontier.made()


def _batches(frontier: Frontier) -> "Iterator[Batch]":
    playlists = frontier.playlists()
    while some := list(islice(playlists, BATCH_PLAYLISTS)):
        yield _batch(some)


def _batch(playlists: list[StoredPlaylist]) -> "Batch":
    from core.dataset.sources.base import Problem, batch_from_rows

    given = [playlist for playlist in playlists if playlist.tracks or playlist.state == "done"]
    rows = [
        {"source_id": playlist.link.uri, "title": playlist.title, "followers": playlist.followers}
        for playlist in given
    ]
    entries = [
        {"playlist": row} | track for row, playlist in enumerate(given) for track in playlist.tracks
    ]
    problems = [
        Problem(why, f"{playlist.link.address}, position {position + 1}")
        for playlist in playlists
        for position, why in playlist.skipped
    ]
    problems += [
        Problem(_unread(playlist), playlist.link.address)
        for playlist in playlists
        if playlist.state != "done"
    ]
    return batch_from_rows(rows, entries, problems)


def _unread(playlist: StoredPlaylist) -> str:
    in_part = playlist.state == "waiting"
    return "playlists read in part" if in_part else f"playlists {playlist.state}"
