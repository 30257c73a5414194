"""A challenge file answered in parts is answered as in one: by functions, and by the flow."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from core.dataset.dataset import Dataset
from core.dataset.library import simulate_dataset
from core.errors import SegueError
from core.evaluation import shards
from core.training import batch_flow, submit
from core.training.asked import AskedQueries, asked_queries
from core.training.batch_flow import SegueBatchFlow
from core.training.depot import depot
from core.training.submit import (
    Submission,
    merge_parts,
    require_challenge,
    write_answers,
    write_part,
)
from core.training.train import train
from core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
QUERIES = 260
"""More than a batch holds."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("submit"))
    simulate_dataset(workspace, "small", 300, 800)
    train(Dataset(workspace.path("small")), ["popularity", "playlist_knn"], "fast")
    return workspace


@pytest.fixture(scope="module")
def dataset(workspace):
    return Dataset(workspace.path("small"))


@pytest.fixture(scope="module")
def challenge(dataset, tmp_path_factory):
    """A file of queries: the starts of playlists, each with its title; some seeds are unknown."""
    playlists = []
    for row in range(QUERIES):
        uris = dataset.values("uri", dataset.playlists[row][: row % 7])
        uris += ["t:unknown"] * (row % 7 == 6)
        tracks = [{"track_uri": uri, "pos": at} for at, uri in enumerate(uris)]
        playlists.append({"pid": row, "name": dataset.playlists.titles[row], "tracks": tracks})
    file = tmp_path_factory.mktemp("challenge") / "challenge_set.json"
    file.write_text(json.dumps({"playlists": playlists}))
    return file


@pytest.fixture(scope="module")
def whole(dataset, challenge, tmp_path_factory):
    """What one process writes."""
    file = tmp_path_factory.mktemp("whole") / "out.csv"
    written = write_answers(dataset, challenge, file, team="us", email="us@example.org")
    assert written == Submission(QUERIES, sum(row % 7 for row in range(QUERIES)) + 37, 37)
    return file


def test_parts_together_are_the_file_that_one_process_writes(
    dataset, challenge, whole, tmp_path, monkeypatch
):
    monkeypatch.setattr(submit, "BATCH", 50)
    monkeypatch.setattr(shards, "BATCH", 50)
    write_answers(dataset, challenge, tmp_path / "whole.csv", team="us", email="us@example.org")
    public = require_challenge(dataset, challenge)
    files = []
    for start, stop in shards.shards(len(public), 4):
        files.append(tmp_path / f"{start}.csv")
        write_part(dataset, public, files[-1], start, stop)
    merge_parts(dataset, public, files, tmp_path / "out.csv", "us", "us@example.org")
    assert len(files) == 4
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
    with (tmp_path / "out.csv").open() as file:
        assert [len(row) for row in csv.reader(file)] == [3] + [501] * QUERIES


def test_a_part_that_is_missing_is_one_sentence(dataset, challenge, tmp_path):
    public = require_challenge(dataset, challenge)
    write_part(dataset, public, tmp_path / "first.csv", 0, 250, "popularity")
    with pytest.raises(
        SegueError, match="answer 250 of 260 playlists and then lack the one with pid 250"
    ):
        merge_parts(dataset, public, [tmp_path / "first.csv"], tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_what_fails_the_check_replaces_nothing(dataset, challenge, whole, tmp_path):
    public = require_challenge(dataset, challenge)
    _, first, *rest = whole.read_text().splitlines(keepends=True)
    *uris, _ = first.split(",")
    part, out = tmp_path / "part.csv", tmp_path / "out.csv"
    part.write_text("".join([",".join([*uris, f"{uris[1]}\n"]), *rest]))
    out.write_text("what was there")
    with pytest.raises(SegueError, match="submission, line 2, pid 0: 1 of the tracks are repeated"):
        merge_parts(dataset, public, [part], out)
    assert out.read_text() == "what was there"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "part.csv"]


def test_a_dataset_has_tracks_enough_beside_the_longest_query_or_is_refused(dataset, tmp_path):
    def asked(seeds):
        tracks = [{"track_uri": uri} for uri in dataset.values("uri", range(seeds))]
        file = tmp_path / "challenge_set.json"
        file.write_text(json.dumps({"playlists": [{"pid": 1, "tracks": tracks}]}))
        return file

    most = dataset.n_tracks - 500
    assert len(require_challenge(dataset, asked(most))) == 1
    with pytest.raises(SegueError, match=f"too few for 500 beside up to {most + 1} seeds"):
        require_challenge(dataset, asked(most + 1))


def test_where_nothing_can_be_written_nothing_is_answered(dataset, challenge, tmp_path):
    with pytest.raises(SegueError, match="is a folder"):
        write_answers(dataset, tmp_path / "absent.json", tmp_path)
    asked = AskedQueries("small", str(challenge), str(tmp_path))
    with pytest.raises(SegueError, match="is a folder"):
        asked_queries(asked)


@pytest.fixture
def flow(workspace, challenge, tmp_path, monkeypatch):
    """The batch flow at its first step, as Metaflow would call it."""
    asked = {
        "dataset": "small",
        "challenge": str(challenge),
        "out": str(tmp_path / "out.csv"),
        "store": str(workspace.folder),
    }
    monkeypatch.setattr(
        batch_flow, "current", SimpleNamespace(parameter_names=list(asked), run_id="1")
    )
    flow = SimpleNamespace(**asked, model="", parts=2, _depot=lambda: depot(asked["store"]))
    flow._asked = lambda: SegueBatchFlow._asked(flow)
    return flow


def test_steps_of_the_batch_flow_refuse_other_models_than_their_run_began_with(flow, dataset):
    *_, flow.content = flow._asked()
    assert SegueBatchFlow._opened(flow)[0].manifest == dataset.manifest
    flow.content["models"] = "of another time"
    with pytest.raises(SegueError, match="the models have changed"):
        SegueBatchFlow._opened(flow)


def test_the_batch_flow_is_refused_before_it_is_cut_into_parts(flow, monkeypatch):
    out, flow.out = flow.out, ""
    with pytest.raises(SegueError, match="--out names a file"):
        SegueBatchFlow.start(flow)
    monkeypatch.setattr(batch_flow, "asked_queries", lambda asked: None)  # as of a store in S3
    flow.out, flow.model = out, "lstm"
    with pytest.raises(SegueError, match="'lstm' cannot answer on 'small'"):
        SegueBatchFlow.start(flow)


def test_the_batch_flow_writes_the_same_file(workspace, challenge, whole, tmp_path):
    out = tmp_path / "out.csv"
    command = [
        *(sys.executable, "-m", "core", "--workspace", str(workspace.folder), "flow", "queries"),
        *("run", "--dataset", "small", "--challenge", str(challenge), "--out", str(out)),
        *("--team", "us", "--email", "us@example.org", "--max-workers", "2"),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ.copy(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 child steps" in done.stdout
    assert out.read_bytes() == whole.read_bytes()
    assert not any((workspace.folder / ".batch").iterdir())
