"""The load on the HTTP API: what is right, wrong and failed is told apart, on real servers."""

import json
import shutil
import socket
import sys
from http.client import HTTPResponse

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.bench import serve as bench
from core.bench.serve import Load, ServeReport
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import SILENT
from core.training.train import train
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
    monkeypatch.undo()
    read = HTTPResponse.read
    monkeypatch.setattr(HTTPResponse, "read", lambda self: read(self)[:-1])
    load = bench._load(process, port, [{}], [{"a": 1}], 1, 0.3, SILENT)
    assert load.errors == load.requests
    assert load.first_error == 'no JSON: {"a":1'
    monkeypatch.undo()
    with pytest.raises(SegueError, match="answers nothing; the first error: ConnectionRefused"):
        bench._load(process, free_port(), [{}], [{}], 1, 0.2, SILENT)
    process.terminate()
    process.wait(10)
    with pytest.raises(SegueError, match="ended under load"):
        bench._load(process, port, [{}], [{}], 1, 0.2, SILENT)


def test_what_ends_a_client_ends_the_run(bare, monkeypatch):
    def defect(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(bench.HTTPConnection, "request", defect)
    with pytest.raises(ZeroDivisionError):
        bench._load(*bare, [{}], [{}], 2, 60.0, SILENT)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


def test_a_server_that_does_not_start_is_one_sentence(tmp_path):
    with (
        pytest.raises(SegueError, match="did not start"),
        bench._serving([sys.executable, "-c", ""], Workspace(tmp_path)),
    ):
        pass


def test_the_api_is_asked_beside_a_bare_route(planted, tmp_path, monkeypatch):
    shutil.copytree(planted.folder, tmp_path / "planted")
    train(Dataset(tmp_path / "planted"), ("popularity", "item_knn"), "fast", map_method=None)
    monkeypatch.setattr(bench, "QUERIES", 8)
    monkeypatch.setenv("SEGUE_HOST", "127.0.0.2")
    report = bench.serve_benchmark(Workspace(tmp_path), "planted", clients=2, seconds=1.0)
    assert report.api.requests >= 3
    assert (report.api.errors, report.api.differing, report.bare.errors) == (0, 0, 0)
    assert report.api.p50_ms > report.bare.p50_ms
    assert report.api.late_mb > report.bare.late_mb


BARE = Load(900, 0, 0, 450, 2, 4, 30, 30, 31)


def test_the_command_prints_one_table_with_its_aims(monkeypatch):
    slow = Load(100, 1, 0, 50, 20, 40, 400, 440, 445, "404: no")
    report = ServeReport(slow, BARE, 64, 2, 2.0)
    asked = []
    monkeypatch.setattr(
        bench, "serve_benchmark", lambda *args, **more: asked.append(args[1:]) or report
    )
    command = ["bench", "serve", "--clients", "64", "--seconds", "2"]
    done = CliRunner().invoke(app, command)
    lines = done.stdout.splitlines()
    assert asked == [("demo", 64, 2.0)]
    assert lines[0].startswith("64 clients, 2 s (2 cores) ")
    assert lines[0].split()[-4:] == ["Segue", "bare", "route", "aim"]
    assert lines[2].split() == ["errors", "1", "0", "0"]
    assert str(done.exception) == (
        "The API misses its aims: 1 of 100 requests failed, the first by '404: no'; "
        "memory grew by 10%."
    )
    done = CliRunner().invoke(app, [*command, "--json"])
    assert isinstance(done.exception, SegueError)
    figures = json.loads(done.stdout)
    assert figures["met"] == {"errors": False, "differing": True, "memory": False}
    assert figures["api"]["p99_ms"] == 40


@pytest.mark.parametrize(
    ("api", "said"),
    [
        (Load(9, 0, 0, 5, 2, 4, 30, 31, 31), None),
        (Load(9, 0, 2, 5, 2, 4, 30, 30, 31), "2 answers differ from this process's"),
        (Load(9, 0, 0, 5, 2, 4, 30, 33, 33), "memory grew by 10%"),
    ],
)
def test_aims_that_are_missed_are_said(api, said):
    report = ServeReport(api, BARE, 64, 2, 2.0)
    if said is None:
        report.require_met()
        return
    with pytest.raises(SegueError, match=rf"^The API misses its aims: {said}\.$"):
        report.require_met()
