"""Runs of the pipeline on the Training page."""

import pytest

from core.training import runs
from core.training.depot import depot
from tests.pages.conftest import link, texts

FIGURES = {"r_precision": [0.2, 0.15, 0.25], "ndcg": [0.3, 0.2, 0.4]}


@pytest.fixture
def recorded(workspace) -> list[str]:
    """A finished run and a later one that was broken off, by id."""
    store = depot(str(workspace))
    asked = {"dataset": "planted", "grid": "als.factors=8,16", "also": "titles"}
    point = {"model": "als", "settings": {}, "varied": {"factors": 16}, "figures": FIGURES}
    worse = point | {"varied": {"factors": 8}, "figures": {"r_precision": [0.1, 0.05, 0.15]}}
    first = runs.begin(store, asked, "1")
    runs.note(store, first, "choose", "1", winner=point, data={"fingerprint": "f" * 64})
    runs.note(store, first, "check", "2", grid={"metric": "r_precision", "points": [point, worse]})
    tested = {"playlists": 40, "rows": [{"name": "als", "label": "MF", "figures": FIGURES}]}
    checked = {"asked": 12, "wrong": ["<b>one</b> is continued by other tracks."]}
    runs.note(store, first, "end", "2", state="done", test=tested, check=checked)
    second = runs.begin(store, asked, "3")
    runs.begin(store, asked | {"dataset": "signs"}, "4")
    return [first, second]


def test_runs_are_listed_the_last_first(open_page, recorded):
    at = open_page("training", **{"training.part": "runs"})
    table = at.dataframe[0].value
    assert list(table["State"]) == ["on its way (start)", "done"]
    assert list(table["Winner"]) == ["", "Matrix factorisation (factors 16)"]
    assert table["Best on test (R-precision)"][1] == 0.2
    assert list(table["Tries"]) == [1, 2]
    assert "goes on with `python -m core flow resume`" in texts(at)


def test_one_run_is_shown_in_full_and_travels_in_the_link(open_page, recorded):
    at = open_page("training", **{"training.part": "runs", "training.run": recorded[0]})
    _, tried, tested = (table.value for table in at.dataframe)
    assert list(tried["Settings"]) == ["factors 16", "factors 8"]
    assert list(tried["R-precision"]) == [0.2, 0.1]
    assert list(tested["Model"]) == ["MF"]
    assert "12 known queries asked of the endpoint, 1 wrong" in texts(at)
    assert "<b>" not in texts(at)
    assert link(at)["training.run"] == [recorded[0]]


def test_where_nothing_ran_it_says_how(open_page):
    at = open_page("training", **{"training.part": "runs"})
    assert "No run of the pipeline" in texts(at)
    assert "core flow run --dataset planted" in at.code[0].value
