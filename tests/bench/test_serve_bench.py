"""The load on the HTTP API: what is right, wrong and failed is told apart, on real servers."""

import json
import socket
import sys

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.bench import serve as bench
from core.bench.serve import Load, ServeReport
from core.errors import SegueError
from core.progress import SILENT
from core.workspace import Workspace


@pytest.fixture
def bare(tmp_path):
    """A bare route that always answers {"a": 1}: its process and port."""
    command = [sys.executable, "-c", bench._BARE.format(answer='{"a": 1}')]
    with bench._serving(command, Workspace(tmp_path)) as server:
        yield server


def test_right_and_wrong_answers_are_told_apart(bare):
    process, port = bare
    right = bench._load(process, port, [{}], [{"a": 1}], 2, 0.5, SILENT)
    assert right.requests > 2
    assert (right.errors, right.differing, right.first_error) == (0, 0, "")
    assert 0 < right.p50_ms <= right.p99_ms
    assert 20 < right.early_mb <= right.peak_mb < 200
    wrong = bench._load(process, port, [{}], [{"a": 2}], 2, 0.5, SILENT)
    assert wrong.differing == wrong.requests


def test_what_is_no_answer_is_an_error(bare, monkeypatch):
    process, port = bare
    real = bench.HTTPConnection.request
    monkeypatch.setattr(
        bench.HTTPConnection,
        "request",
        lambda self, method, path, *more: real(self, method, "/elsewhere", *more),
    )
    load = bench._load(process, port, [{}], [{}], 1, 0.3, SILENT)
    assert load.errors == load.requests
    assert load.first_error.startswith("404: ")
    with pytest.raises(SegueError, match="answers nothing; the first error: ConnectionRefused"):
        bench._load(process, free_port(), [{}], [{}], 1, 0.2, SILENT)
    process.terminate()
    process.wait(10)
    with pytest.raises(SegueError, match="ended under load"):
        bench._load(process, port, [{}], [{}], 1, 0.2, SILENT)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_server_that_does_not_start_is_one_sentence(tmp_path):
    with (
        pytest.raises(SegueError, match="did not start"),
        bench._serving([sys.executable, "-c", ""], Workspace(tmp_path)),
    ):
        pass


def test_the_demo_is_asked_beside_a_bare_route(monkeypatch):
    monkeypatch.setattr(bench, "QUERIES", 8)
    report = bench.serve_benchmark(Workspace(), "demo", clients=3, seconds=2.0)
    assert report.api.requests >= 3
    assert (report.api.errors, report.api.differing, report.bare.errors) == (0, 0, 0)
    assert report.api.p50_ms > report.bare.p50_ms
    assert report.api.late_mb > report.bare.late_mb


def test_the_command_prints_one_table_with_its_aims(monkeypatch):
    bare = Load(900, 0, 0, 450, 2, 4, 30, 30, 31)
    slow = Load(100, 1, 0, 50, 20, 40, 400, 440, 445, "404: no")
    report = ServeReport(slow, bare, 64, 2, 2.0)
    asked = []
    monkeypatch.setattr(
        bench, "serve_benchmark", lambda *args, **more: asked.append(args[1:]) or report
    )
    command = ["bench", "serve", "--clients", "64", "--seconds", "2"]
    lines = CliRunner().invoke(app, command).stdout.splitlines()
    assert asked == [("demo", 64, 2.0)]
    assert lines[0].startswith("64 clients, 2 s (2 cores) ")
    assert lines[0].split()[-4:] == ["Segue", "bare", "route", "aim"]
    assert lines[2].split() == ["errors", "1", "0", "0"]
    assert lines[-1] == "The first error: 404: no"
    figures = json.loads(CliRunner().invoke(app, [*command, "--json"]).stdout)
    assert figures["met"] == {"errors": False, "differing": True, "memory": False}
    assert figures["api"]["p99_ms"] == 40
