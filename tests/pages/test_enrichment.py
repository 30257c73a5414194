"""The features of a dataset on the Library page: coverage, services to ask, what was joined."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest
from typer.testing import CliRunner

from core import jobs
from core.__main__ import app
from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.spotify.enrichment.enrich import enrich
from core.workspace import Workspace
from tests.pages.conftest import link, press, texts
from tests.spotify.conftest import QUICK
from tests.spotify.fake import Fake

LINK = {"dataset": "mine", "library.part": "features"}


def key(name: str) -> str:
    """Spotify's id of a track."""
    return name * 22


@pytest.fixture
def fake(fake: Fake) -> Fake:
    """With three tracks, two of them with audio features."""
    for name in "abc":
        features = None if name == "a" else {"energy": 0.5}
        fake.add_track(name, "A", id=key(name), album="First", features=features)
    return fake


@pytest.fixture(scope="module")
def made(make_dataset) -> list[Dataset]:
    """The dataset "mine", of those tracks and one without an id, and "invented" of none."""
    known = {name: {"uri": f"spotify:track:{key(name)}", "artist": "A"} for name in "abc"}
    return [
        make_dataset([["a", "b", "c", "d"]], tracks=tracks, name=name)
        for name, tracks in (("mine", known), ("invented", {}))
    ]


@pytest.fixture
def workspace(made, settings, empty) -> Workspace:
    """A workspace with copies of both, beside the fake."""
    for dataset in made:
        shutil.copytree(dataset.folder, empty.folder / dataset.folder.name)
    return empty


@pytest.fixture
def opened(open_page) -> Callable[..., AppTest]:
    """A function that opens the part cold by its link."""
    return lambda **words: open_page("library", **LINK | words)


def said(at: AppTest) -> str:
    return texts(at).replace("\\", "")


def buttons(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def test_the_keyless_source_comes_first_and_is_asked_by_a_job(opened, workspace, started):
    at = opened()
    assert "Audio features, without a key or an account." in said(at)
    assert (
        "Of 3 tracks: 3 to ask for, 40 a request. Without a Spotify id, and left as they are: 1."
    ) in said(at)
    assert "names no licence" in said(at)
    press(at, "Start")
    ((label, argv),) = started
    assert label == "Ask ReccoBeats about “mine”"
    assert argv == ["enrich", "--dataset", "mine", "--source", "reccobeats", "--most", "3"]


def test_spotify_is_asked_with_credentials_and_says_what_may_be_done(opened, workspace, started):
    at = opened(**{"library.source": "spotify"})
    assert "must not be used to train models" in said(at)
    assert "Of 3 tracks: 3 to ask for, 50 a request." in said(at)
    at.checkbox[-1].check().run()
    press(at, "Start")
    ((_, argv),) = started
    assert argv[-3:] == ["--most", "3", "--anew"]
    assert argv[4] == "spotify"
    assert link(at)["library.source"] == ["spotify"]


def test_without_credentials_it_says_what_is_needed(opened, workspace, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    at = opened(**{"library.source": "spotify"})
    assert "set SPOTIFY_CLIENT_SECRET as https" in said(at)
    assert "Start" not in buttons(at)
    assert "Join" in buttons(at)


def test_a_dataset_without_ids_is_left_to_files(opened, workspace):
    at = opened(dataset="invented")
    assert "None of the 4 tracks has a Spotify id" in said(at)
    assert "Start" not in buttons(at)
    assert "Join" in buttons(at)


def test_the_command_fills_the_gaps_and_the_page_shows_them(opened, workspace, started):
    press(opened(), "Start")
    ((_, argv),) = started
    assert CliRunner().invoke(app, argv).exit_code == 0
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
    assert "Of 3 tracks: 3 asked for before. What was answered is joined" in said(at)


def test_what_is_refused_is_said(opened, workspace, settings):
    enrich(workspace, "mine", "spotify", settings, most=1, patience=QUICK)
    at = opened(**{"library.source": "spotify"})
    assert "Of 3 tracks: 2 to ask for, 1 a request; 1 asked for before." in said(at)
    assert "Spotify refuses this app: tracks by the batch, artists by the batch" in said(at)
    assert "None of the artists has any yet: genres" in said(at)
    assert Dataset(workspace.folder / "mine").column("album")[0].as_py() == "First"


def test_where_all_is_refused_the_tracks_left_are_counted_as_refused(
    opened, workspace, settings, fake, tmp_path
):
    (tmp_path / "c.csv").write_text(
        "uri,energy,album,duration_ms,year,popularity,explicit\n"
        f"spotify:track:{key('c')},0.5,First,200000,2000,50,false\n"
    )
    join_features(Dataset(workspace.folder / "mine"), tmp_path / "c.csv")
    fake.fault(403, "^/v1/tracks", times=None)
    enrich(workspace, "mine", "spotify", settings, patience=QUICK)
    assert "Of 3 tracks: 2 refused; 1 known already." in said(
        opened(**{"library.source": "spotify"})
    )


def test_one_thing_at_a_time(opened, workspace, monkeypatch):
    job = jobs.Job("000001", "Train", ("train",), "running", "", None, "", "2026-01-01", 1.0, {})
    monkeypatch.setattr(jobs, "last", lambda _: job)
    (button,) = [button for button in opened().button if button.label == "Start"]
    assert button.disabled


def test_below_the_forms_stands_what_runs_or_has_failed(opened, workspace, monkeypatch):
    now = datetime.now(UTC).isoformat()
    job = jobs.Job("000001", "Train _all_", ("train",), "running", "", None, "", now, 1.0, {})
    monkeypatch.setattr(jobs, "last", lambda _: job)
    at = opened()
    told = [caption.value for caption in at.caption if "see above" in caption.value]
    assert told == [r":material/hourglass_top: Train \_all\_: running, see above."] * 2
    monkeypatch.setattr(jobs, "last", lambda _: replace(job, state="failed"))
    told = [caption.value for caption in at.run().caption if "see above" in caption.value]
    assert told == [r":material/error: Train \_all\_: failed, see above why."] * 2
    press(at, "Close")
    assert "see above" not in said(at)


def test_wrong_settings_are_one_sentence(opened, workspace, monkeypatch):
    monkeypatch.setenv("RECCOBEATS_API", "http://example.org")
    at = opened()
    assert "RECCOBEATS_API must be an https address" in said(at)
    assert "Join" in buttons(at)


def test_a_public_host_shows_what_is_known_and_asks_nobody(opened, workspace, monkeypatch):
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    at = opened()
    assert "None of the tracks has any yet: danceability" in said(at)
    assert not {"Start", "Join"} & {*buttons(at)}
