"""The features of a dataset on the Library page: coverage, services to ask, what was joined."""

import json
import shutil
import time
from collections.abc import Iterator

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import jobs
from core.dataset.dataset import Dataset
from core.spotify.client import Settings
from core.spotify.enrichment.enrich import enrich
from core.spotify.health import reset_health
from core.workspace import Workspace
from tests.pages.conftest import SHELL, link, press, texts
from tests.spotify.conftest import QUICK
from tests.spotify.fake import Fake, fake_spotify

PATIENCE_S = 60
LINK = {"dataset": "mine", "library.part": "features"}


@pytest.fixture
def fake(monkeypatch) -> Iterator[Fake]:
    """A development-mode app's Spotify with three tracks, two of them with audio features."""
    reset_health()
    with fake_spotify() as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        for number in range(3):
            features = {"energy": 0.5} if number else None
            fake.add_track(f"T{number}", "A", album="First", features=features)
        yield fake


@pytest.fixture
def workspace(fake, make_dataset, tmp_path, monkeypatch):
    """A workspace with "mine", of those tracks and one without an id, and "invented" of none."""
    uris = [f"spotify:track:{each}" for each in fake.tracks]
    tracks = {name: {"uri": uri, "artist": "A"} for name, uri in zip("abc", uris, strict=True)}
    for name, known in (("mine", tracks), ("invented", {})):
        made = make_dataset([["a", "b", "c", "d"]], tracks=known, name=name)
        shutil.copytree(made.folder, tmp_path / "workspace" / name)
    monkeypatch.setenv("SEGUE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr("core.workspace.DEMO", tmp_path / "demo")
    monkeypatch.delenv("SEGUE_PUBLIC", raising=False)
    yield Workspace(tmp_path / "workspace")
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def started(monkeypatch):
    """The jobs that the page starts, which then do not run."""
    commands = []
    monkeypatch.setattr(jobs, "start", lambda _, label, argv, files: commands.append((label, argv)))
    return commands


def opened(page: str = "library", **words) -> AppTest:
    """The part, or another page, opened cold by its link."""
    at = AppTest.from_file(str(SHELL), default_timeout=60)
    at.query_params.update(LINK | words)
    at.run()
    at.switch_page(f"{page}.py").run()
    assert not at.exception, at.exception
    return at


def said(at: AppTest) -> str:
    return texts(at).replace("\\", "")


def buttons(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_the_keyless_source_comes_first_and_is_asked_by_a_job(workspace, started):
    at = opened()
    assert "Audio features, without a key or an account." in said(at)
    assert "3 tracks to ask for, 40 a request. 1 track without a Spotify id stay" in said(at)
    assert "names no licence" in said(at)
    press(at, "Start")
    ((label, argv),) = started
    assert label == "Ask ReccoBeats about “mine”"
    assert argv == ["enrich", "--dataset", "mine", "--source", "reccobeats", "--most", "3"]


def test_spotify_is_asked_with_credentials_and_says_what_may_be_done(workspace, started):
    at = opened(**{"library.source": "spotify"})
    assert "must not be used to train models" in said(at)
    assert "3 tracks to ask for, 50 a request." in said(at)
    at.checkbox[-1].check().run()
    press(at, "Start")
    ((_, argv),) = started
    assert argv[-3:] == ["--most", "3", "--anew"]
    assert argv[4] == "spotify"
    assert link(at)["library.source"] == ["spotify"]


def test_whoever_trains_is_told_what_may_be_done(workspace, fake):
    assert "Licence of the data" not in said(opened("training"))
    enrich(workspace, "mine", "spotify", Settings.from_environment())
    assert "Licence of the data: What comes from Spotify must not" in said(opened("training"))


def test_without_credentials_it_says_what_is_needed(workspace, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    at = opened(**{"library.source": "spotify"})
    assert "set SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET" in said(at)
    assert "Start" not in buttons(at)
    assert "Join" in buttons(at)


def test_a_dataset_without_ids_is_left_to_files(workspace):
    at = opened(dataset="invented")
    assert "None of the 4 tracks has a Spotify id" in said(at)
    assert "Start" not in buttons(at)
    assert "Join" in buttons(at)


def test_a_job_fills_the_gaps_and_the_page_shows_them(workspace, fake):
    press(opened(), "Start")
    end = time.monotonic() + PATIENCE_S
    while jobs.current(workspace):
        assert time.monotonic() < end
        time.sleep(0.05)
    assert jobs.last(workspace).state == "done", jobs.last(workspace).message
    at = opened()
    assert "ReccoBeats was joined last: 2 tracks found by id" in said(at)
    chart, *_ = at.get("plotly_chart")
    after, before = json.loads(chart.proto.spec)["data"]
    assert (after["text"][1], before["text"][1]) == ("50 %", "0 %")
    (joins,) = [
        each.value for each in at.dataframe if "Licence" in each.value and "From" in each.value
    ]
    assert list(joins["From"]) == ["ReccoBeats"]
    assert "names no licence" in joins["Licence"][0]
    assert "All of them were asked for before" in said(at)


def test_what_is_refused_is_said(workspace, fake):
    settings = Settings.from_environment()
    enrich(workspace, "mine", "spotify", settings, most=1, patience=QUICK)
    at = opened(**{"library.source": "spotify"})
    assert "2 tracks to ask for, 1 a request." in said(at)
    assert "Spotify refuses this app: tracks by the batch, artists by the batch" in said(at)
    titles = [chart.proto.spec for chart in at.get("plotly_chart")]
    assert "Artists for which it is known" in titles[-1]
    assert Dataset(workspace.folder / "mine").column("album")[0].as_py() == "First"


def test_one_thing_at_a_time(workspace, monkeypatch):
    job = jobs.Job("000001", "Train", ("train",), "running", "", None, "", "2026-01-01", 1.0, {})
    monkeypatch.setattr(jobs, "last", lambda _: job)
    (button,) = [button for button in opened().button if button.label == "Start"]
    assert button.disabled


def test_wrong_settings_are_one_sentence(workspace, monkeypatch):
    monkeypatch.setenv("RECCOBEATS_API", "http://example.org")
    at = opened()
    assert "RECCOBEATS_API must be an https address" in said(at)
    assert "Join" in buttons(at)


def test_a_public_host_shows_what_is_known_and_asks_nobody(workspace, monkeypatch):
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    at = opened()
    assert len(at.get("plotly_chart")) == 3
    assert not {"Start", "Join"} & {*buttons(at)}
