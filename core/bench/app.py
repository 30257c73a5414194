"""The app's memory with many visitors and its answer to a turned dial, beside a page of one slider.

Both are driven through Streamlit's agent interface, which runs a page as a browser's message would,
waits until the run is over, and answers with the page as JSON. What that JSON costs is part of the
answer time, so a browser is served a little sooner.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import DEMO, REPOSITORY

MEMORY_MB, MEDIAN_MS = 600, 300
"""What the app may take at most: resident memory, time to answer a turned dial."""

PLAYLIST, CHANGES_A_PLAYLIST = 5, 10
"""Tracks of a visitor's playlist; dials turned before the next playlist."""

WARM = 3
"""Changes before the clock runs."""

NOTHING = """import streamlit as st

st.write(st.slider("Dial", 0, 100_000, key="dial_nothing"))
"""
_DIALS = "dial_"
_NO_DIALS = ("dial_dataset", "dial_model")  # they open other data: not turned but chosen
_STARTING_S, _PATIENCE_S, _LOOK_S = 60, 300, 0.05

Snapshot = Mapping[str, Any]


@dataclass(frozen=True)
class Served:
    """What serving took.

    Attributes
    ----------
    pages : int
        Visited by every session.
    fresh_mb, visited_mb, peak_mb : float
        Resident memory of the server's processes, in MB of 10^6 bytes: before the first visit,
        when every session had visited every page, and at most until then.
    own_mb : float
        Of the latter, what the processes do not share with others (USS).
    visits_s : float
        From the first visit to the last.
    median_ms, p95_ms : float
        From sending a turned dial to the finished page.
    changes : int
        Dials turned.
    wake_s : float
        From the start of another, cold process to its first finished page.
    """

    pages: int
    fresh_mb: float
    visited_mb: float
    peak_mb: float
    own_mb: float
    visits_s: float
    median_ms: float
    p95_ms: float
    changes: int
    wake_s: float


@dataclass(frozen=True)
class AppReport:
    """The app and a page of one slider, in one run.

    Attributes
    ----------
    app, nothing : Served
    sessions, cores : int
    """

    app: Served
    nothing: Served
    sessions: int
    cores: int

    def as_json(self) -> dict[str, Any]:
        """Figures, aims, and whether they are met."""
        aims = {"visited_mb": MEMORY_MB, "median_ms": MEDIAN_MS}
        met = {name: getattr(self.app, name) < aim for name, aim in aims.items()}
        return asdict(self) | {"aims": aims, "met": met}

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows for a terminal."""
        app, nothing, n = self.app, self.nothing, self.sessions

        def row(label: str, name: str, aim: str = "", digits: int = 0) -> list[str]:
            values = (getattr(served, name) for served in (app, nothing))
            return [label, *(f"{value:,.{digits}f}" for value in values), aim]

        header = [f"app ({self.cores} cores)", "Segue", "one slider", "aim"]
        return header, [
            row("memory before the first visit (MB)", "fresh_mb"),
            row(f"after {n} sessions, {app.pages} pages each (MB)", "visited_mb", f"< {MEMORY_MB}"),
            row("of that, shared with nothing else (MB)", "own_mb"),
            row("at most while they visited (MB)", "peak_mb"),
            row("these visits, all at once (s)", "visits_s"),
            row("answer to a dial, median (ms)", "median_ms", f"< {MEDIAN_MS}"),
            row("answer to a dial, 95th percentile (ms)", "p95_ms"),
            row("dials turned", "changes"),
            row("from a cold start to the first page (s)", "wake_s", digits=1),
        ]


def app_benchmark(
    sessions: int = 10, changes: int = 60, seed: int = 0, progress: Progress = SILENT
) -> AppReport:
    """Serve the shipped demo, and then a page of one slider, to the same visitors.

    Parameters
    ----------
    sessions : int
        Visitors at once; each, with a playlist of its own, sees every page.
    changes : int
        Dials turned by one visitor on the first page, one after the other, each to a value that
        differs; every `CHANGES_A_PLAYLIST` of them begin with a playlist that nobody had.
    seed : int
        Of playlists and values.
    progress : Progress

    Raises
    ------
    SegueError
        If a server does not start, or a page fails.
    """
    random = np.random.default_rng(seed)
    playlists = _playlists(sessions + changes // CHANGES_A_PLAYLIST + 2, random)
    with TemporaryDirectory() as name:
        page = Path(name) / "nothing.py"
        page.write_text(NOTHING, "utf-8")
        progress.update("Visiting the app")
        app = _serve(REPOSITORY / "app.py", Path(name), playlists, sessions, changes, random)
        progress.update("Visiting a page of one slider")
        nothing = _serve(page, Path(name), playlists, sessions, changes, random, app.pages)
    return AppReport(app, nothing, sessions, len(os.sched_getaffinity(0)))


def _playlists(count: int, random: np.random.Generator) -> list[list[str]]:
    """Uris of the first tracks of so many playlists of the demo."""
    demo = Dataset(DEMO)
    long = np.flatnonzero(demo.playlists.lengths >= PLAYLIST)
    rows = random.choice(long, count, replace=False)
    return [demo.values("uri", demo.playlists[row][:PLAYLIST]) for row in rows]


def _serve(
    script: Path,
    workspace: Path,
    playlists: Sequence[Sequence[str]],
    sessions: int,
    changes: int,
    random: np.random.Generator,
    visits: int | None = None,
) -> Served:
    """Figures of one server; a script of one page is visited so many times."""
    wake_s = _wake_s(script, workspace, playlists[0])
    with _serving(script, workspace) as (process, address):
        fresh = _resident_mb(process)
        start = time.perf_counter()
        with ThreadPoolExecutor(sessions) as pool:
            visitors = [
                pool.submit(_visit, address, playlist, visits) for playlist in playlists[:sessions]
            ]
            peak = _peak_mb(process, visitors)
        visits_s = time.perf_counter() - start
        (pages, *_) = (visitor.result() for visitor in visitors)
        visited, own = _resident_mb(process), _own_mb(process)
        answers = _turn(address, playlists[sessions:], changes, random)
    median, p95 = np.percentile(answers, [50, 95]).tolist()
    peak = max(peak, visited)
    return Served(pages, fresh, visited, peak, own, visits_s, median, p95, len(answers), wake_s)


def _wake_s(script: Path, workspace: Path, playlist: Sequence[str]) -> float:
    """Seconds from the start of a server to its first finished page."""
    start = time.perf_counter()
    with _serving(script, workspace) as (_, address):
        _enter(address, playlist)
        return time.perf_counter() - start


@contextmanager
def _serving(script: Path, workspace: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A server on a free port of this computer, and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = {
        "headless": "true",
        "address": "127.0.0.1",
        "port": str(port),
        "enableAgentApi": "true",
        "agentWaitTimeout": str(_PATIENCE_S),
        "agentPreviewRows": "1",
    }
    process = subprocess.Popen(  # noqa: S603 - our own command
        [sys.executable, "-m", "streamlit", "run", str(script), "--client.showErrorDetails=full"]
        + [f"--server.{name}={value}" for name, value in options.items()],
        cwd=script.parent,
        env=os.environ | {"SEGUE_WORKSPACE": str(workspace)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address = f"http://127.0.0.1:{port}"
        _await(f"{address}/_stcore/health", process)
        yield psutil.Process(process.pid), address
    finally:
        process.terminate()
        process.wait(10)


def _await(address: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + _STARTING_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=1):  # noqa: S310 - our own http address
                return
        except OSError:
            time.sleep(0.1)
    raise SegueError(
        f"The server did not start (exit code {process.poll()}): try `streamlit run app.py`."
    )


def _family(process: psutil.Process) -> list[psutil.Process]:
    return [process, *process.children(recursive=True)]


def _resident_mb(process: psutil.Process) -> float:
    """Resident memory of a process and those it started."""
    total = 0
    for each in _family(process):
        with suppress(psutil.NoSuchProcess):  # it may have ended by now
            total += each.memory_info().rss
    return total / 1e6


def _own_mb(process: psutil.Process) -> float:
    """What of it is shared with no other process."""
    return sum(each.memory_full_info().uss for each in _family(process)) / 1e6


def _peak_mb(process: psutil.Process, work: Sequence[Future]) -> float:
    """The most resident memory until the work is done, looked at some times a second."""
    peak = 0.0
    while wait(work, _LOOK_S).not_done:
        peak = max(peak, _resident_mb(process))
    return peak


def _ask(address: str, **request: Any) -> Snapshot:
    """Send a visitor's change and wait for the finished page."""
    message = urllib.request.Request(  # noqa: S310 - our own http address
        f"{address}/_stcore/agent/interact",
        json.dumps(request).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(message, timeout=_PATIENCE_S) as answer:  # noqa: S310
            snapshot = json.load(answer)
    except urllib.error.HTTPError as error:
        raise SegueError(f"The app refused {request}: {error.read()[:300].decode()}") from error
    if snapshot.get("status") != "ready":
        where = snapshot.get("page", {}).get("title", "a page")
        raise SegueError(f"The app failed on {where}: {_failure(snapshot)}")
    return snapshot


def _failure(snapshot: Snapshot) -> str:
    found = [node for node in _nodes(snapshot.get("tree", {})) if node.get("type") == "exception"]
    return str(found[0].get("props", {}).get("message")) if found else json.dumps(snapshot)[:300]


def _nodes(node: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield node
    for child in node.get("children", ()):
        yield from _nodes(child)


def _enter(address: str, playlist: Sequence[str]) -> Snapshot:
    """A new visitor with a playlist, on the first page."""
    return _ask(address, query_params={"dataset": ["demo"], "seed": list(playlist)})


def _visit(address: str, playlist: Sequence[str], visits: int | None) -> int:
    """See every page, or the only one so many times; how many were seen."""
    snapshot = _enter(address, playlist)
    session = snapshot["session_id"]
    pages = [page["url_path"] for page in snapshot["pages"]]
    for page in pages[1:] if visits is None else pages * (visits - 1):
        _ask(address, session_id=session, page=page)
    return len(pages) if visits is None else visits


def _turn(
    address: str,
    playlists: Sequence[Sequence[str]],
    changes: int,
    random: np.random.Generator,
) -> list[float]:
    """Milliseconds that each turn of a dial took, over several playlists."""
    _turn_dials(address, playlists[0], WARM, random)
    answers: list[float] = []
    for playlist in playlists[1:]:
        wanted = min(CHANGES_A_PLAYLIST, changes - len(answers))
        answers += _turn_dials(address, playlist, wanted, random)
    return answers


def _turn_dials(
    address: str, playlist: Sequence[str], changes: int, random: np.random.Generator
) -> list[float]:
    """Turn the dials of a new visitor in turn, each to another value than it has."""
    snapshot = _enter(address, playlist)
    session = snapshot["session_id"]
    answers: list[float] = []
    keys = cycle([node["key"] for node in _dials(snapshot)])
    while len(answers) < changes:
        key = next(keys)
        (dial,) = (node for node in _dials(snapshot) if node["key"] == key)
        state = {key: _another_value(dial, random)}
        start = time.perf_counter()
        snapshot = _ask(address, session_id=session, widget_state=state)
        answers.append(1_000 * (time.perf_counter() - start))
    return answers


def _dials(snapshot: Snapshot) -> list[Mapping[str, Any]]:
    """Dials that can be turned on a page."""
    open_keys = {action.get("key") for action in snapshot["actions"]}
    return [
        node
        for node in _nodes(snapshot["tree"])
        if str(node.get("key", "")).startswith(_DIALS)
        and node["key"] not in _NO_DIALS
        and node["key"] in open_keys
    ]


def _another_value(dial: Mapping[str, Any], random: np.random.Generator) -> Any:
    """A value that the dial may take and does not have."""
    now, props = dial.get("value"), dial["props"]
    if isinstance(now, bool):
        return not now
    if "options" in props:
        others = [option for option in props["options"] if option != now]
        return others[random.integers(len(others))]
    low, high = props["min_value"], props["max_value"]
    first = int(random.integers(low, (low + high) // 2))
    if isinstance(now, list):
        return [first + (first == now[0]), high]
    return first + (first == now)
