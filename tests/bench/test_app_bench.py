"""The app under visitors: what it takes is measured on a real server."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.bench.app import (
    MEDIAN_MS,
    MEMORY_MB,
    AppReport,
    Served,
    _another_value,
    _ask,
    _serve,
    _serving,
    app_benchmark,
)
from core.errors import SegueError

HEAVY_AND_SLOW = """import time

import streamlit as st

@st.cache_resource
def held():
    return bytearray(b"x") * 200_000_000

held()
value = st.slider("Dial", 0, 100, key="dial_slow")
st.session_state.setdefault("seen", []).append(value)
if len(st.session_state.seen) > 1:
    time.sleep(0.2)
    assert value != st.session_state.seen[-2]
"""
PLAYLISTS = [["a"], ["b"], ["c"], ["d"]]


def test_known_memory_and_a_known_answer_are_found(tmp_path):
    page = tmp_path / "page.py"
    page.write_text(HEAVY_AND_SLOW, "utf-8")
    found = _serve(page, tmp_path, PLAYLISTS, 1, 4, np.random.default_rng(0), visits=1)
    assert 190 < found.visited_mb - found.fresh_mb < 320
    assert 190 < found.own_mb <= found.visited_mb
    assert found.peak_mb >= found.visited_mb
    assert found.p95_ms >= found.median_ms >= 200
    assert found.changes == 4
    assert found.wake_s > 0


def test_a_page_that_fails_is_named(tmp_path):
    page = tmp_path / "broken.py"
    page.write_text("raise ValueError('no such thing')", "utf-8")
    with _serving(page, tmp_path) as (_, address), pytest.raises(SegueError, match="no such thing"):
        _ask(address)


def test_the_app_is_visited_and_its_dials_turned(monkeypatch):
    monkeypatch.setattr("core.bench.app._wake_s", lambda *_: 1.0)  # as above
    report = app_benchmark(sessions=1, changes=2)
    ours, nothing = report.app, report.nothing
    assert ours.pages == nothing.pages == 7
    assert ours.changes == nothing.changes == 2
    assert ours.visited_mb > nothing.visited_mb > nothing.fresh_mb > 20
    assert ours.median_ms > nothing.median_ms > 0


@pytest.fixture
def report() -> AppReport:
    nothing = Served(7, 70, 90, 95, 80, 1, 10, 20, 60, 0.8)
    return AppReport(Served(7, 75, 599, 640, 500, 60, 301, 400, 60, 2.5), nothing, 10, 2)


def test_the_aims_are_named_and_judged(report):
    figures = json.loads(json.dumps(report.as_json()))
    assert figures["aims"] == {"visited_mb": MEMORY_MB, "median_ms": MEDIAN_MS}
    assert figures["met"] == {"visited_mb": True, "median_ms": False}


def test_the_command_prints_one_table(report, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "core.bench.app.app_benchmark", lambda *args, **more: asked.append(args) or report
    )
    done = CliRunner().invoke(app, ["bench", "app", "--sessions", "3", "--changes", "5"])
    assert asked == [(3, 5)]
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["app", "(2", "cores)", "Segue", "one", "slider", "aim"]
    assert lines[2].split()[-4:] == ["599", "90", "<", "600"]
    assert lines[6].split()[-4:] == ["301", "10", "<", "300"]
    assert lines[9].split()[-2:] == ["2.5", "0.8"]


@pytest.mark.parametrize(
    "dial",
    [
        {"value": True, "props": {}},
        {"value": "b", "props": {"options": ["a", "b", "c"]}},
        {"value": 5, "props": {"min_value": 5, "max_value": 100}},
        {"value": [1926, 2024], "props": {"min_value": 1926, "max_value": 2024}},
    ],
)
def test_a_dial_is_turned_to_another_value_that_it_may_take(dial):
    random = np.random.default_rng(0)
    for _ in range(50):
        value = _another_value(dial, random)
        assert value != dial["value"]
        assert type(value) is type(dial["value"])
        if "options" in dial["props"]:
            assert value in dial["props"]["options"]
        if "min_value" in dial["props"]:
            low, high = dial["props"]["min_value"], dial["props"]["max_value"]
            assert all(low <= end <= high for end in np.ravel(value))
        dial = dial | {"value": value}
