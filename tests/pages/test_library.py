"""The library page: what there is, and how more comes and goes."""

import json
import time
from dataclasses import asdict
from types import SimpleNamespace

import pytest

from core import jobs
from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.dataset.public_sets import SETS
from core.retrieval import MODELS
from core.workspace import Workspace
from pages.datasets.additions import _contents
from tests.dataset.publisher import publishing
from tests.pages.conftest import link, press, texts

TABLE = (
    b"track_id,track_name,track_artist,playlist_id,playlist_name\n"
    b"0RhGFlknkTRsaTHfQzNE01,One,A,p,Mine\n0RhGFlknkTRsaTHfQzNE02,Two,B,p,Mine\n"
)
PATIENCE_S = 60


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    monkeypatch.delenv("SEGUE_PUBLIC", raising=False)
    monkeypatch.delenv("SEGUE_SETS", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def started(monkeypatch):
    """The jobs that the page starts, which then do not run."""
    commands = []

    def start(workspace, label, argv, files=None):
        jobs.require_private()
        commands.append((label, list(argv), dict(files or {})))

    monkeypatch.setattr(jobs, "start", start)
    return commands


def finished(workspace):
    """Wait for the job of a workspace."""
    end = time.monotonic() + PATIENCE_S
    while jobs.current(Workspace(workspace)):
        assert time.monotonic() < end
        time.sleep(0.1)
    return jobs.last(Workspace(workspace))


def fill(at, **fields):
    for label, value in fields.items():
        (field,) = [
            each for each in at.text_input if each.label.startswith(label.replace("_", " "))
        ]
        field.set_value(value)
    return at.run()


def tables(at):
    return [table.value for table in at.dataframe]


# --- what there is ---


def test_datasets_are_listed_and_the_one_in_use_is_marked(open_page):
    (datasets, *_) = tables(open_page("library"))
    assert list(datasets["Dataset"]) == ["planted", "signs"]
    assert list(datasets["Models"]) == [len(MODELS), 0]
    assert list(datasets[""]) == ["in use", ""]


def test_another_dataset_is_looked_at_by_link_and_then_used(open_page):
    at = open_page("library", **{"library.dataset": "signs", "library.part": "models"})
    assert at.subheader[0].value == "signs"
    assert "No model is trained on this dataset yet" in texts(at)
    press(at, "Use this dataset")
    assert link(at) == {"dataset": ["signs"], "library.part": ["models"]}


def test_a_dataset_of_a_link_that_is_not_there_is_named(open_page):
    at = open_page("library", **{"library.dataset": "gone", "library.part": "colour"})
    said = texts(at).replace("\\", "")
    assert "library.dataset=gone, which is no choice here" in said
    assert "library.part=colour, which is no choice here" in said
    assert at.subheader[0].value == "planted"


def test_a_damaged_dataset_does_not_hide_the_others(open_page, workspace):
    broken = workspace / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}", "utf-8")
    at = open_page("library", **{"library.dataset": "broken"})
    (datasets, *_) = tables(at)
    assert list(datasets["Dataset"]) == ["broken", "planted", "signs"]
    assert datasets["Data"].iloc[0] == "cannot be opened"
    assert "schema version" in texts(at)


def test_an_empty_workspace_leads_on(open_page, workspace):
    for name in ("planted", "signs"):
        Workspace(workspace).delete(name)
    at = open_page("library")
    assert "No dataset yet" in texts(at)
    assert any(button.label == "Fetch" for button in at.button)


def test_the_coverage_of_features_before_and_after_a_join(open_page, workspace, tmp_path):
    at = open_page("library", **{"library.part": "features"})
    chart, *_ = at.get("plotly_chart")
    (bars,) = json.loads(chart.proto.spec)["data"]
    assert bars["text"][:3] == ["80 %", "80 %", "0 %"]
    table = tmp_path / "features.csv"
    rows = "".join(f",{style}-00,artist {style}-0,0.5\n" for style in range(4))
    table.write_text(f"uri,title,artist,energy\n{rows}", "utf-8")
    join_features(Dataset(workspace / "planted"), table)
    at = open_page("library", **{"library.part": "features"})
    chart, *_ = at.get("plotly_chart")
    after, before = json.loads(chart.proto.spec)["data"]
    assert (after["text"][1], before["text"][1]) == ("83 %", "80 %")
    said = texts(at).replace("\\", "")
    assert "features.csv was joined last: 0 tracks found by id, 4 by title and artist" in said
    assert "**80%** before, **83%** now" in said


# --- add ---


def test_a_set_is_fetched_and_offered(open_page, workspace, monkeypatch, tmp_path):
    with publishing(TABLE) as publisher:
        (tmp_path / "sets.json").write_text(json.dumps([asdict(publisher.set())]))
        monkeypatch.setenv("SEGUE_SETS", str(tmp_path / "sets.json"))
        at = open_page("library")
        said = texts(at).replace("\\", "")
        for fact in (SETS[0].label, "8.0 MB", SETS[0].licence, SETS[0].sha256[:12], "Little set"):
            assert fact in said
        at.button(key="fetch_little_button").click().run()
        assert finished(workspace).state == "done", finished(workspace).message
    at = open_page("library")
    assert "“little”: 1 playlist, 2 tracks." in texts(at)
    at.button(key="use_new").click().run()
    assert link(at)["dataset"] == ["little"]
    assert "CC0 1\\.0" in list(at.table[0].value["Value"])
    assert not [button for button in at.button if button.key == "use_new"]


def test_an_interrupted_download_says_how_far_it_came(open_page, workspace):
    folder = workspace / ".downloads" / SETS[0].sha256[:16]
    folder.mkdir(parents=True)
    (folder / "spotify_songs.csv.part").write_bytes(bytes(3_000_000))
    at = open_page("library")
    assert "Go on with the download" in [button.label for button in at.button]
    (bar,) = at.get("progress")
    assert "3.0 MB of 8.0 MB are here" in bar.proto.text


def test_a_registry_that_is_broken_is_one_sentence(open_page, monkeypatch):
    monkeypatch.setenv("SEGUE_SETS", "/nowhere/sets.json")
    assert "/nowhere/sets.json cannot be read" in texts(open_page("library")).replace("\\", "")


def test_a_server_path_is_imported_as_on_the_command_line(open_page, tmp_path, workspace):
    file = tmp_path / "mine.txt"
    file.write_text("A - One\nB - Two\n", "utf-8")
    at = open_page("library", **{"library.add": "import"})
    fill(at, or_a_path=str(file), Name="mine")
    press(at, "Import")
    assert finished(workspace).state == "done"
    assert Dataset(workspace / "mine").n_tracks == 2
    at = open_page("library", **{"library.add": "import"})
    assert "“mine”: 1 playlist, 2 tracks." in texts(at)


def test_a_wrong_import_is_one_sentence_and_starts_nothing(open_page, started):
    at = open_page("library", **{"library.add": "import"})
    for path, name, expected in (
        ("", "x", "Upload a file"),
        ("/nowhere/x.csv", "x", "/nowhere/x.csv: there is no such file"),
        ("/tmp", "no/name", "cannot name a dataset"),
        ("/tmp", "", "Give the dataset a name"),
        ("/tmp", "planted", "a dataset “planted” already"),
    ):
        fill(at, or_a_path=path, Name=name)
        press(at, "Import")
        (error,) = at.error
        assert expected in error.value.replace("\\", "")
    assert not started


def test_uploads_have_names_of_their_own_that_are_no_options_and_not_hidden():
    named = ("a.csv", "--replace", ".a.csv", "x/../a.csv", "-")
    files = [SimpleNamespace(name=name, getvalue=lambda name=name: name) for name in named]
    assert _contents(files) == {
        "a.csv": "a.csv",
        "replace": "--replace",
        "3-a.csv": ".a.csv",
        "4-a.csv": "x/../a.csv",
        "upload": "-",
    }


def test_a_dataset_is_replaced_only_where_that_is_said(open_page, started):
    at = open_page("library")
    assert not at.checkbox
    fill(at, Name="signs")
    at.checkbox(key="replace_tidytuesday").check().run()
    press(at, "Fetch")
    ((label, argv, _),) = started
    assert argv == ["fetch", "tidytuesday", "--name", "signs", "--replace"]
    assert label == "Fetch TidyTuesday Spotify songs as “signs”"


def test_a_dataset_is_invented_in_bounds(open_page, started):
    at = open_page("library", **{"library.add": "simulate"})
    fill(at, Name="new")
    playlists, tracks, _ = at.number_input
    assert (playlists.max, tracks.max) == (50_000, 200_000)
    playlists.set_value(300)
    press(at, "Invent")
    ((_, argv, _),) = started
    assert argv == [
        "simulate",
        "--name",
        "new",
        "--playlists",
        "300",
        "--tracks",
        "12000",
        "--seed",
        "0",
    ]


# --- delete ---


def test_a_dataset_is_deleted_after_a_second_click(open_page, workspace):
    at = open_page("library", **{"library.dataset": "signs"})
    press(at, "Delete")
    assert (workspace / "signs").exists()
    press(at, "Delete it")
    assert Workspace(workspace).names() == ["planted"]
    assert link(at) == {"dataset": ["planted"]}
    assert not list(workspace.glob(".deleted-*"))


def test_a_dataset_can_be_kept(open_page, workspace):
    at = press(open_page("library"), "Delete")
    press(at, "Keep it")
    assert (workspace / "planted").exists()


def test_another_takes_the_place_of_the_dataset_in_use(open_page):
    at = press(open_page("library"), "Delete")
    assert "“signs” takes its place" in texts(at)
    press(at, "Delete it")
    assert link(at)["dataset"] == ["signs"]
    assert not at.error
    assert not at.warning


def test_other_sessions_get_a_sentence_when_their_dataset_goes(open_page, workspace):
    pages = ("continuation", "map", "popularity", "library")
    others = [open_page(page, dataset="planted", seed=["t:1-00"]) for page in pages]
    Workspace(workspace).delete("planted")
    for other in others:
        other.run()
        assert not other.exception
        assert "There is no dataset “planted” here; this is “signs”" in texts(other)
        assert link(other)["dataset"] == ["signs"]


def test_a_dataset_that_goes_while_it_is_listed_is_one_sentence(open_page, monkeypatch, workspace):
    at = open_page("library", **{"library.dataset": "signs"})
    monkeypatch.setattr(Workspace, "names", lambda _: ["planted", "signs"])
    press(at, "Delete")
    Workspace(workspace).delete("signs")
    press(at, "Delete it")
    assert "There is no dataset 'signs'" in texts(at)


def test_nothing_is_deleted_while_a_job_runs(open_page, workspace, monkeypatch):
    job = jobs.Job("000001", "Train", ("train",), "running", "", None, "", "2026-01-01", 1.0, {})
    at = press(open_page("library"), "Delete")
    with monkeypatch.context() as patch:
        patch.setattr(jobs, "current", lambda _: job)
        press(at, "Delete it")
    assert "not deleted while “Train” is running" in texts(at)
    assert (workspace / "planted").exists()


def test_the_demo_that_ships_cannot_be_deleted(open_page, workspace, monkeypatch):
    (workspace / "signs").rename(workspace.parent / "demo")
    at = open_page("library", **{"library.dataset": "demo"})
    assert at.subheader[0].value == "demo"
    assert "Delete" not in [button.label for button in at.button]


# --- a public host ---


def test_a_public_host_says_what_is_off(open_page, monkeypatch, started):
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    at = open_page("library", **{"library.part": "features"})
    assert "training, import and deletion are off here" in texts(at)
    assert not {button.label for button in at.button} & {"Delete", "Fetch", "Import", "Join"}
    assert not at.get("file_uploader")
