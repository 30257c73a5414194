"""Runs of the pipeline on the Training page."""

import shutil
import socket

import psutil
import pytest

from core.serving.endpoint import target_of
from core.serving.local import _Process, _Record
from core.training import runs
from core.training.depot import depot
from tests.pages.conftest import link, press, texts

FIGURES = {"r_precision": [0.2, 0.15, 0.25], "ndcg": [0.3, 0.2, 0.4]}
BEST = {"r_precision": [0.3, 0.25, 0.35], "ndcg": [0.3, 0.2, 0.4]}


@pytest.fixture
def recorded(workspace) -> list[str]:
    """A finished run, and later ones: broken off, failed, and on its way; by id."""
    store = depot(str(workspace))
    asked = {"dataset": "planted", "grid": "als.factors=8,16", "also": "titles"}
    point = {"model": "als", "settings": {}, "varied": {"factors": 16}, "figures": FIGURES}
    worse = {"model": "gone", "varied": {}, "figures": {"r_precision": [0.1, 0.05, 0.15]}}
    first = runs.begin(store, asked, "1")
    runs.note(store, first, "choose", "1", winner=point, data={"fingerprint": "f" * 64})
    runs.note(store, first, "check", "2", grid={"metric": "r_precision", "points": [point, worse]})
    rows = [
        {"name": "popularity", "label": "Popularity", "figures": BEST},
        {"name": "als", "label": "MF", "figures": FIGURES},
    ]
    tested = {"playlists": {"title only": 40}, "rows": rows}
    checked = {"asked": 12, "wrong": ["<b>one</b> is continued by other tracks."]}
    runs.note(store, first, "end", "2", state="done", test=tested, check=checked, serves="als")
    second = runs.begin(store, asked, "3")
    gone = {"host": socket.gethostname(), "pid": 1, "created": 0.0}
    runs.note(store, second, "fit", "31", process=gone)
    third = runs.begin(store, asked, "4")
    runs.note(store, third, "fit", "4", state="failed", problem="<b>The disk</b> is full.")
    fourth = runs.begin(store, asked, "5")
    runs.begin(store, asked | {"dataset": "signs"}, "6")
    return [first, second, third, fourth]


def test_runs_are_listed_the_last_first(open_page, recorded):
    at = open_page("training", **{"training.part": "runs"})
    table = at.dataframe[0].value
    states = ["on its way (start)", "failed (fit)", "broken off (fit)", "done"]
    assert list(table["State"]) == states
    assert list(table["Winner"]) == ["", "", "", "Matrix factorisation (factors 16)"]
    assert list(table["Answers"]) == ["", "", "", "MF"]
    assert table["On test playlists"][3] == 0.2  # what answers, not the highest of them
    assert list(table["Tries"]) == [1, 1, 2, 2]
    assert "Last heard of at" in texts(at)


@pytest.mark.parametrize(("which", "number"), [(1, "31"), (2, "4")])
def test_what_ended_early_says_why_and_how_it_goes_on(open_page, recorded, which, number):
    at = open_page("training", **{"training.part": "runs", "training.run": recorded[which]})
    assert at.code[0].value == f"python -m core flow resume --origin-run-id {number}"
    said = "" if which == 1 else r"\<b\>The disk\</b\> is full\."
    assert "".join(error.value for error in at.error) == said


def test_a_record_that_cannot_be_read_is_a_row_of_its_own(open_page, recorded, workspace):
    (workspace / ".runs" / "zero").mkdir()
    (workspace / ".runs" / "zero" / "run.json").write_text("{")
    at = open_page("training", **{"training.part": "runs"})
    assert list(at.dataframe[0].value["State"])[:2] == ["not readable", "on its way (start)"]
    assert "cannot be read" in at.error[0].value


def test_one_run_is_shown_in_full_and_travels_in_the_link(open_page, recorded):
    at = open_page("training", **{"training.part": "runs", "training.run": recorded[0]})
    _, tried, tested = (table.value for table in at.dataframe)
    assert list(tried["Settings"]) == ["factors 16", ""]
    assert list(tried["Model"]) == ["Matrix factorisation", "gone"]
    assert list(tried["R-precision"]) == ["0.200 (0.150 to 0.250)", "0.100 (0.050 to 0.150)"]
    assert list(tested["Model"]) == ["Popularity", "MF"]
    assert r"What is built answers with MF, R\-precision 0\.200" in texts(at)
    facts = at.table[0].value.set_index("")["Value"]
    assert facts["Endpoint"].startswith("12 known queries asked, 1 answered wrongly")
    assert "<b>" not in texts(at) + facts["Endpoint"]
    assert link(at)["training.run"] == [recorded[0]]


def test_where_nothing_ran_it_says_how(open_page):
    at = open_page("training", **{"training.part": "runs"})
    assert "No run of the pipeline" in texts(at)
    assert "core flow run --dataset planted" in at.code[0].value


def test_runs_of_the_store_are_listed(open_page, recorded, monkeypatch, tmp_path):
    store = depot(str(tmp_path / "store"))
    runs.begin(store, {"dataset": "planted", "grid": "titles.x=1"}, "77")
    monkeypatch.setenv("SEGUE_STORE", str(tmp_path / "store"))
    at = open_page("training", **{"training.part": "runs"})
    assert len(at.dataframe[0].value) == 1
    assert r"titles\.x=1" in at.table[0].value["Value"].tolist()


def test_a_run_is_deleted_once_that_is_confirmed(open_page, recorded, workspace, monkeypatch):
    monkeypatch.setattr("pages.fitting.runs.is_remote", lambda _: True)  # its list is kept
    at = open_page("training", **{"training.part": "runs", "training.run": recorded[0]})
    press(press(at, "Delete this run"), "Keep it")
    assert len(at.dataframe[0].value) == 4
    press(press(at, "Delete this run"), "Delete it")
    assert len(at.dataframe[0].value) == 3
    left = {run.id for run in runs.stored_runs(depot(str(workspace)), "planted")}
    assert left == {*recorded[1:]}
    assert "training.run" not in link(at)
    assert not (workspace / ".runs" / recorded[0]).exists()


def test_a_run_that_an_endpoint_answers_from_stays(
    open_page, recorded, workspace, tmp_path, monkeypatch
):
    """Whether a command deployed it, or the flow, which remembers it in its store."""
    me, store = psutil.Process(), tmp_path / "store"
    monkeypatch.setenv("SEGUE_STORE", str(store))
    shutil.move(workspace / ".runs", store / ".runs")
    folder = store / ".runs" / recorded[0] / "servable"
    server = _Process(me.pid, me.create_time(), 1, str(folder.resolve()))
    at = open_page("training", **{"training.part": "runs", "training.run": recorded[0]})
    for home in (workspace, store):
        target = target_of("local", "any", home)
        target._write(_Record(server))
        press(press(at, "Delete this run"), "Delete it")
        assert "An endpoint answers from what the run" in texts(at)
        assert len(at.dataframe[0].value) == 4
        target._write(_Record())


def test_on_a_public_host_no_run_is_deleted(open_page, recorded, monkeypatch):
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    at = open_page("training", **{"training.part": "runs"})
    assert "Delete this run" not in [button.label for button in at.button]
