"""The real server and Debian's Chromium; a console error or a failed request fails the test."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.library import import_dataset
from core.dataset.sources.base import Batch, batch_from_rows
from core.trained import load_models
from core.training.maps import make_map
from core.training.train import train
from core.workspace import Workspace
from tests.conftest import made_once

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium-headless-shell") or shutil.which("chromium")
FLAGS = (
    "--no-sandbox",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
SIZES = {"desktop": (1440, 900), "phone": (360, 740)}
PATIENCE_MS = 60_000
STARTING_S = 60

# On a cold deep link such as /map, Streamlit's page looks for its server under /map first.
_PROBE = re.compile(r"^/[^/]+/_stcore/(health|host-config)$")

SIGNS = "**Bold** <b>x</b> [l](http://x.y) :red[z] $1$"
QUICK_MODELS = ("popularity", "titles", "playlist_knn", "item_knn")
JOURNEY_MODELS = (*QUICK_MODELS, "track2vec", "als")
SMALL = {
    "als": {"factors": 16, "iterations": 3},
    "track2vec": {"vector_size": 24, "window": 5, "epochs": 2},
}
SPOTIFY_ID = "0RhGFlknkTRsaTHfQzNE"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a busy machine a click may fall between two drawings: what fails twice has failed."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped "demo", and "real", trained, whose tracks claim to be on Spotify."""

    def make(folder: Path) -> None:
        build([_claimed()], folder / "real", Provenance("real", "test"))
        train(Dataset(folder / "real"), QUICK_MODELS, "fast")

    return made_once(tmp_path_factory, "workspace", make)


def _claimed() -> Batch:
    """Playlists of tracks that claim to be on Spotify."""
    entries = [
        {
            "playlist": playlist,
            "position": position,
            "uri": f"spotify:track:{SPOTIFY_ID}{track:02}",
            "title": SIGNS if track == 0 else f"Song {track}",
            "artist": "_Artist_",
        }
        for playlist in range(40)
        for position in range(6)
        for track in [(playlist + position) % 40]
    ]
    return batch_from_rows([{"title": "=1+1"} for _ in range(40)], entries)


@contextmanager
def serving(
    workspace: Path, environment: Mapping[str, str] | None = None, log: Path = Path(os.devnull)
) -> Iterator[str]:
    """The app on a free port, from a cold start to its end; yields its address.

    `environment` is added to this process's; `log` is what the server writes to its terminal.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless=true"]
    with log.open("wb") as written:
        process = subprocess.Popen(
            [*command, "--server.address=127.0.0.1", f"--server.port={port}"],
            cwd=REPOSITORY,
            env=os.environ | {"SEGUE_WORKSPACE": str(workspace)} | (environment or {}),
            stdout=written,
            stderr=subprocess.STDOUT,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        _await_health(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def _await_health(address: str, process: subprocess.Popen) -> None:
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start (exit code {process.poll()})")


@pytest.fixture(scope="session")
def server(workspace: Path) -> Iterator[str]:
    """One warm server for all tests that need no cold one."""
    with serving(workspace) as address:
        yield address


@pytest.fixture(scope="session")
def journeys_server(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A warm server with the shipped "demo" and the real "open", trained on a few models."""

    def make(folder: Path) -> None:
        playlists = shared_data / "open-playlists" / "open-playlists.zip"
        import_dataset(Workspace(folder), "open", "mpd", [playlists])
        dataset = Dataset(folder / "open")
        train(dataset, JOURNEY_MODELS, "fast", map_method="pca", settings=SMALL)
        make_map(dataset, "als", load_models(dataset)["als"].track_vectors(), "pca")

    with serving(made_once(tmp_path_factory, "journeys", make)) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        pytest.skip("the browser is not installed: apt-get install chromium-headless-shell")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def open_tab(browser) -> Iterator[Callable]:
    """A function that opens a fresh tab of a size and theme; what it complains of fails."""
    complaints: list[str] = []
    contexts = []

    def open_tab(size: str = "desktop", theme: str = "light"):
        width, height = SIZES[size]
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            reduced_motion="reduce",  # fading in software takes a third of a page's time
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        # Nothing may be asked of the outside, except where a test plays that part.
        context.route(lambda url: not url.startswith("http://127.0.0.1"), _refuse(complaints))
        page = context.new_page()
        page.on("console", lambda message: _on_console(message, complaints))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("requestfailed", lambda request: _on_failure(request, complaints))
        page.on("response", lambda response: _on_response(response, complaints))
        return page

    yield open_tab
    for context in contexts:
        context.close()
    assert not complaints


def _refuse(complaints: list[str]) -> Callable:
    def refuse(route) -> None:
        if not route.request.url.startswith(("data:", "blob:")):
            complaints.append(f"asked the outside: {route.request.url}")
        route.abort()

    return refuse


def _on_console(message, complaints: list[str]) -> None:
    if message.type == "error" and not _is_probe(message.location.get("url", "")):
        complaints.append(f"console: {message.text} {message.location}")


def _on_failure(request, complaints: list[str]) -> None:
    # Leaving a page ends what it was still loading.
    if request.failure != "net::ERR_ABORTED":
        complaints.append(f"failed: {request.url} {request.failure}")


def _on_response(response, complaints: list[str]) -> None:
    if response.status >= 400 and not _is_probe(response.url):
        complaints.append(f"{response.status}: {response.url}")


def _is_probe(url: str) -> bool:
    return bool(_PROBE.match(urlsplit(url).path))
