"""Crawls on the Library page: begun, gone on with, made into datasets, thrown away, and drawn."""

import json
import random
import time
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from core import jobs
from core.dataset.links import Link
from core.errors import SegueError
from core.spotify.crawling.crawl import crawl, crawl_state
from core.spotify.health import reset_health
from core.workspace import Workspace
from tests.pages.conftest import link, press, texts
from tests.spotify.conftest import QUICK
from tests.spotify.fake import Fake

PATIENCE_S = 60


@pytest.fixture
def workspace(settings, empty) -> Workspace:
    """A workspace without a dataset, beside the fake."""
    return empty


@pytest.fixture
def start(fake) -> Link:
    """A playlist whose artists are on six others."""
    draw = random.Random(0)
    artists = [f"Artist {letter}" for letter in "ABCDE"]
    tracks = {name: [fake.add_track(f"{name} {n}", name) for n in range(3)] for name in artists}
    first = fake.add_playlist("First", [tracks["Artist A"][0], tracks["Artist B"][0]])
    for number in range(6):
        chosen = draw.sample(artists, 2)
        fake.add_playlist(f"More {number}", [track for name in chosen for track in tracks[name]])
    return Link("playlist", first)


@pytest.fixture
def opened(open_page) -> Callable[..., AppTest]:
    """A function that opens the form, cold by its link."""
    return lambda **words: open_page("library", **{"library.add": "crawl"} | words)


def asked(at: AppTest, address: str, name: str) -> AppTest:
    at.text_input(key="crawl_link").set_value(address)
    at.text_input(key="crawl_name").set_value(name)
    return press(at, "Crawl")


def interrupted(workspace: Workspace, start: Link, fake: Fake) -> None:
    """A crawl that has four answers when Spotify is gone."""
    fake.fault("drop", after=4, times=None)
    with pytest.raises(SegueError, match="What was answered is kept"):
        crawl(workspace, "found", start, pause_s=0, patience=QUICK)
    fake.heal()
    fake.clear()
    reset_health()


def until(holds: Callable[[], object]) -> None:
    """Wait for another process."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def answers(workspace: Workspace) -> int:
    """Requests of the crawl that were answered so far."""
    state = crawl_state(workspace, "found")
    return state.requests if state else 0


def test_the_form_starts_what_the_command_line_would(opened, start, started):
    at = opened()
    at.number_input(key="crawl_depth").set_value(1)
    asked(at, f"{start.address}?si=123", "found")
    ((label, argv),) = started
    assert label == "Crawl “found”"
    sizes = ["--requests", "500", "--depth", "1", "--playlists", "200"]
    assert argv == ["crawl", start.uri, "--name", "found", *sizes]
    assert link(at)["library.add"] == ["crawl"]


@pytest.mark.parametrize(
    ("address", "name", "sentence"),
    [
        ("", "found", "Paste the link of a playlist"),
        ("https://open.spotify.com/artist/4gzpq5DPGxSnKTe4SA8HAU", "found", "links to an artist"),
        ("https://open.spotify.com/playlist/short", "found", "22 letters and digits"),
        ("https://open.spotify.com.evil.org/playlist/37i9dQZF1DX", "found", "open.spotify.com"),
        ("https://open.spotify.com/playlist/4gzpq5DPGxSnKTe4SA8HAU", "../up", "../up"),
        ("https://open.spotify.com/playlist/4gzpq5DPGxSnKTe4SA8HAU", "", "name"),
    ],
)
def test_what_cannot_be_crawled_is_said_before_anything_is_asked(
    opened, fake, started, address, name, sentence
):
    at = asked(opened(), address, name)
    assert sentence in at.error[0].value.replace("\\", "")
    assert started == []
    assert fake.requests == []


def test_without_credentials_it_says_what_is_needed(opened, workspace, start, fake, monkeypatch):
    interrupted(workspace, start, fake)
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    at = opened()
    needed = "Asking Spotify needs the credentials of an app: set SPOTIFY_CLIENT_SECRET as https"
    assert needed in texts(at).replace("\\", "")
    labels = [button.label for button in at.button]
    assert "Crawl" not in labels
    assert "Go on" not in labels
    assert "Make the dataset of what is here" in labels


def test_an_interrupted_crawl_goes_on_with_raised_bounds(opened, workspace, start, fake, started):
    interrupted(workspace, start, fake)
    at = opened()
    assert "with 4 requests" in texts(at)
    at.number_input(key="crawl_found_requests").set_value(50)
    press(at, "Go on")
    ((_, argv),) = started
    assert argv[:5] == ["crawl", "--name", "found", "--requests", "50"]


def test_what_is_there_becomes_a_dataset_and_keeps_its_graph(opened, workspace, start, fake):
    interrupted(workspace, start, fake)
    press(opened(), "Make the dataset of what is here")
    until(lambda: not jobs.current(workspace))
    assert jobs.last(workspace).state == "done", jobs.last(workspace).message
    at = opened(dataset="found", **{"library.part": "crawl"})
    state = crawl_state(workspace, "found")
    assert [metric.value for metric in at.metric][:2] == ["4 of 500", f"{state.playlists} of 200"]
    wide, _ = at.get("plotly_chart")
    names = [one["hovertext"] for one in json.loads(wide.proto.spec)["data"] if "hovertext" in one]
    assert names[0][0].startswith("<b>First</b><br>Playlist")
    assert "Make the dataset of what is here" not in [button.label for button in at.button]


def test_a_crawl_is_thrown_away(opened, workspace, start, fake):
    interrupted(workspace, start, fake)
    at = press(opened(), "Delete it")
    assert crawl_state(workspace, "found") is None
    assert "Delete it" not in [button.label for button in at.button]


def test_a_finished_crawl_goes_on_only_with_a_raised_bound(opened, workspace, start):
    crawl(workspace, "found", start, {"requests": 4}, pause_s=0, patience=QUICK)
    at = opened()
    (go_on,) = [button for button in at.button if button.label == "Go on"]
    assert go_on.disabled
    at.number_input(key="crawl_found_requests").set_value(5).run()
    (go_on,) = [button for button in at.button if button.label == "Go on"]
    assert not go_on.disabled


def test_a_damaged_crawl_hides_nothing_else(opened, workspace, start):
    crawl(workspace, "found", start, {"requests": 4}, pause_s=0, patience=QUICK)
    broken = workspace.folder / ".spotify" / "crawls" / "broken"
    broken.mkdir()
    (broken / "frontier.sqlite3").write_bytes(b"no database" * 100)
    (broken.parent / "found" / "frontier.sqlite3").write_bytes(b"x" * 999)
    at = opened(dataset="found")
    assert len(at.error) == 2
    assert [button.label for button in at.button].count("Delete it") == 2
    assert "Fingerprint" in str(at.table[0].value)


def test_a_crawl_that_was_cancelled_is_drawn_on_top_and_goes_on(opened, workspace, start, fake):
    fake.fault("slow", times=None, seconds=0.2)
    asked(opened(), start.address, "found")
    until(lambda: answers(workspace) > 3)
    running = opened()
    assert "Cancel" in [button.label for button in running.button]
    assert "interrupted" not in texts(running)
    assert len(running.get("plotly_chart")) == 2
    (cancel,) = [button for button in running.button if button.label == "Cancel"]
    cancel.click().run()
    until(lambda: not jobs.current(workspace))
    at = opened()
    assert cancel.help == "What was found is kept and can be gone on with."
    (ending,) = [info.value for info in at.info if "cancelled after" in info.value]
    assert ending.endswith(cancel.help)
    assert len(at.get("plotly_chart")) == 2
    assert "Go on" in [button.label for button in at.button]


def test_a_pause_that_spotify_asks_for_is_told(opened, workspace, start, fake):
    fake.fault(429, path=r"/items", times=None, retry_after=600)
    asked(opened(), start.address, "found")
    until(lambda: answers(workspace) and crawl_state(workspace, "found").waiting_until)
    assert "takes no more requests until" in texts(opened())
    jobs.cancel(workspace, jobs.current(workspace).id)


def test_nobody_crawls_on_a_public_host(opened, workspace, start, fake, monkeypatch):
    interrupted(workspace, start, fake)
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    labels = [button.label for button in opened().button]
    assert not {"Crawl", "Go on", "Delete it"} & set(labels)
