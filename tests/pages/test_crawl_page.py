"""Crawls on the Library page: begun, gone on with, made into datasets, thrown away, and drawn."""

import json
import random
import time
from collections.abc import Callable

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import jobs
from core.dataset.links import Link
from core.errors import SegueError
from core.spotify.crawling.crawl import crawl, crawl_state
from core.spotify.health import reset_health
from core.workspace import Workspace
from tests.pages.conftest import SHELL, link, press, texts
from tests.spotify.conftest import QUICK
from tests.spotify.fake import Fake

PATIENCE_S = 60


@pytest.fixture
def space(tmp_path, settings, monkeypatch):
    """An empty workspace besides "other", in use, led to the fake."""
    monkeypatch.setenv("SEGUE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr("core.workspace.DEMO", tmp_path / "demo")
    monkeypatch.delenv("SEGUE_PUBLIC", raising=False)
    yield Workspace(tmp_path / "workspace")
    st.cache_data.clear()
    st.cache_resource.clear()


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


def opened(**words) -> AppTest:
    at = AppTest.from_file(str(SHELL), default_timeout=60)
    at.query_params.update({"library.add": "crawl"} | words)
    at.run()
    at.switch_page("library.py").run()
    assert not at.exception, at.exception
    return at


def asked(at: AppTest, address: str, name: str) -> AppTest:
    at.text_input(key="crawl_link").set_value(address)
    at.text_input(key="crawl_name").set_value(name)
    return press(at, "Crawl")


def interrupted(space: Workspace, start: Link, fake: Fake) -> None:
    """A crawl that has four answers when Spotify is gone."""
    fake.fault("drop", after=4, times=None)
    with pytest.raises(SegueError, match="What was answered is kept"):
        crawl(space, "found", start, pause_s=0, patience=QUICK)
    fake.heal()
    fake.clear()
    reset_health()


def until(holds: Callable[[], object]) -> None:
    """Wait for another process."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def answers(space: Workspace) -> int:
    """Requests of the crawl that were answered so far."""
    state = crawl_state(space, "found")
    return state.requests if state else 0


def test_the_form_starts_what_the_command_line_would(space, start, started):
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
    space, fake, started, address, name, sentence
):
    at = asked(opened(), address, name)
    assert sentence in at.error[0].value.replace("\\", "")
    assert started == []
    assert fake.requests == []


def test_without_credentials_it_says_what_is_needed(space, start, fake, monkeypatch):
    interrupted(space, start, fake)
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    at = opened()
    assert "SPOTIFY_CLIENT_SECRET" in texts(at).replace("\\", "")
    labels = [button.label for button in at.button]
    assert "Crawl" not in labels
    assert "Go on" not in labels
    assert "Make the dataset of what is here" in labels


def test_an_interrupted_crawl_goes_on_with_raised_bounds(space, start, fake, started):
    interrupted(space, start, fake)
    at = opened()
    assert "with 4 requests" in texts(at)
    at.number_input(key="crawl_found_requests").set_value(50)
    press(at, "Go on")
    ((_, argv),) = started
    assert argv[:5] == ["crawl", "--name", "found", "--requests", "50"]


def test_what_is_there_becomes_a_dataset_and_keeps_its_graph(space, start, fake):
    interrupted(space, start, fake)
    press(opened(), "Make the dataset of what is here")
    until(lambda: not jobs.current(space))
    assert jobs.last(space).state == "done", jobs.last(space).message
    at = opened(dataset="found", **{"library.part": "crawl"})
    state = crawl_state(space, "found")
    assert [metric.value for metric in at.metric][:2] == ["4 of 500", f"{state.playlists} of 200"]
    wide, _ = at.get("plotly_chart")
    names = [one["hovertext"] for one in json.loads(wide.proto.spec)["data"] if "hovertext" in one]
    assert names[0][0].startswith("<b>First</b><br>Playlist")
    assert "Make the dataset of what is here" not in [button.label for button in at.button]


def test_a_crawl_is_thrown_away(space, start, fake):
    interrupted(space, start, fake)
    at = press(opened(), "Delete it")
    assert crawl_state(space, "found") is None
    assert "Delete it" not in [button.label for button in at.button]


def test_a_finished_crawl_goes_on_only_with_a_raised_bound(space, start):
    crawl(space, "found", start, {"requests": 4}, pause_s=0, patience=QUICK)
    at = opened()
    (go_on,) = [button for button in at.button if button.label == "Go on"]
    assert go_on.disabled
    at.number_input(key="crawl_found_requests").set_value(5).run()
    (go_on,) = [button for button in at.button if button.label == "Go on"]
    assert not go_on.disabled


def test_a_damaged_crawl_hides_nothing_else(space, start):
    crawl(space, "found", start, {"requests": 4}, pause_s=0, patience=QUICK)
    broken = space.folder / ".spotify" / "crawls" / "broken"
    broken.mkdir()
    (broken / "frontier.sqlite3").write_bytes(b"no database" * 100)
    (space.folder / ".spotify" / "crawls" / "found" / "frontier.sqlite3").write_bytes(b"x" * 999)
    at = opened(dataset="found")
    assert len(at.error) == 2
    assert [button.label for button in at.button].count("Delete it") == 2
    assert "Fingerprint" in str(at.table[0].value)


def test_a_crawl_that_was_stopped_is_drawn_on_top(space, start, fake):
    fake.fault("slow", times=None, seconds=0.2)
    asked(opened(), start.address, "found")
    until(lambda: answers(space) > 3)
    running = opened()
    assert "Cancel" in [button.label for button in running.button]
    assert "interrupted" not in texts(running)
    assert len(running.get("plotly_chart")) == 2
    jobs.cancel(space, jobs.current(space).id)
    until(lambda: not jobs.current(space))
    at = opened()
    assert len(at.get("plotly_chart")) == 2
    assert "Go on" in [button.label for button in at.button]


def test_a_pause_that_spotify_asks_for_is_told(space, start, fake):
    fake.fault(429, path=r"/items", times=None, retry_after=600)
    asked(opened(), start.address, "found")
    until(lambda: answers(space) and crawl_state(space, "found").waiting_until)
    assert "takes no more requests until" in texts(opened())
    jobs.cancel(space, jobs.current(space).id)


def test_nobody_crawls_on_a_public_host(space, start, fake, monkeypatch):
    interrupted(space, start, fake)
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    labels = [button.label for button in opened().button]
    assert not {"Crawl", "Go on", "Delete it"} & set(labels)
