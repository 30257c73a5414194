"""The pipeline from end to end, as `python -m core flow` runs it.

Once whole, in S3's stand-in; once killed in the middle and resumed, in a folder: both must come to
the same.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.dataset.library import open_dataset
from core.training.depot import depot
from core.training.runs import standing, stored_runs
from core.training.train import load_recommender
from core.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = (
    "run", "--dataset", "planted", "--grid", "playlist_knn.neighbours=-9,1,5,40", "--also",
    "popularity", "--preset", "fast", "--holdout", "30", "--validation", "20", "--max-workers", "2",
)  # fmt: skip


def started(workspace, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "core", "--workspace", str(workspace), "flow", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finished(process):
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    return said


@pytest.fixture(scope="module")
def resumed(planted, tmp_path_factory):
    """A workspace whose run was killed when its first point was measured, and then resumed."""
    workspace = tmp_path_factory.mktemp("flow") / "workspace"
    shutil.copytree(planted.folder, workspace / "planted", ignore=shutil.ignore_patterns("models"))
    process = started(workspace, *PIPELINE)
    points = workspace / "planted" / "grids" / "playlist_knn"
    deadline = time.monotonic() + 120
    while not list(points.glob("[!.]*.json")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (killed,) = stored_runs(depot(str(workspace)))
    said = finished(started(workspace, "resume"))
    return workspace, killed, said


@pytest.fixture(scope="module")
def run(resumed):
    """The record of the run that was resumed."""
    (one,) = stored_runs(depot(str(resumed[0])))
    return one


@pytest.fixture(scope="module")
def whole(planted, bucket, tmp_path_factory):
    """The record of a run that was not interrupted, all of it in S3's stand-in, and its depot."""
    address, environment = bucket
    store = depot(f"{address}/flow")
    with store.writing("planted") as folder:
        ignored = shutil.ignore_patterns("models", "grids")
        shutil.copytree(planted.folder, folder, dirs_exist_ok=True, ignore=ignored)
    workspace = tmp_path_factory.mktemp("elsewhere")
    finished(started(workspace, *PIPELINE, "--store", f"{address}/flow", **environment))
    (run,) = stored_runs(store, "planted")
    return run, store


def test_a_killed_run_goes_on_where_it_was(resumed, run):
    workspace, killed, said = resumed
    assert (standing(killed), killed.step) == ("broken off", "train")
    assert (run.id, run.state, run.step) == (killed.id, "done", "end")
    assert len(run.tries) == 2
    assert "Cloning" in said or "cloned" in said
    assert not {"fitted", "parts"} & {
        path.name for path in (workspace / ".runs" / run.id).iterdir()
    }


def test_a_resumed_run_and_a_whole_one_in_s3_come_to_the_same(run, whole):
    other, _ = whole
    assert other.state == "done"

    def figures(points):
        return [(point["settings"], point["figures"]) for point in points]

    assert figures(run.grid["points"]) == figures(other.grid["points"])
    assert run.winner["settings"] == other.winner["settings"]
    assert run.settings == other.settings
    assert run.test == other.test
    assert run.data == other.data
    assert run.sizes == {"holdout": 30, "validation": 20, "training": 190}


def test_the_record_says_what_was_asked_and_found(resumed, run):
    assert not stored_runs(depot(str(resumed[0])), "other")
    assert run.parameters["grid"] == "playlist_knn.neighbours=-9,1,5,40"
    (failure,) = run.grid["failures"]
    assert failure["settings"]["neighbours"] == -9
    assert "Error" in failure["reason"]
    best = max(run.grid["points"], key=lambda point: point["figures"]["r_precision"][0])
    assert run.winner == best
    assert run.settings["playlist_knn"] == best["settings"]
    assert {row["name"] for row in run.test["rows"]} >= {"playlist_knn", "popularity", "fusion"}


def test_the_folder_that_was_built_answers(resumed, run, planted):
    servable = Workspace(Path(run.servable))
    assert [name for name in servable.names() if name != "demo"] == ["planted"]
    recommender = load_recommender(open_dataset(servable, "planted"))
    assert set(recommender.models) == {"popularity", "playlist_knn"}
    found = recommender.continue_playlist(planted.playlists[0][:4], k=10)
    assert len(found.tracks) == 10
    assert not (resumed[0] / "planted" / "models").exists()


def test_the_folder_in_s3_holds_the_same_models(run, whole):
    record, store = whole
    there = Dataset(store.reading(f".runs/{record.id}/servable") / "planted")
    here = Dataset(Path(run.servable) / "planted")
    query = here.playlists[3][:5]
    one, other = (load_recommender(each).continue_playlist(query, k=20) for each in (here, there))
    assert one.tracks.tolist() == other.tracks.tolist()
    assert one.scores.tolist() == other.scores.tolist()


@pytest.mark.parametrize("card", ["grid", "evaluation"])
def test_its_cards_show_the_figures(resumed, card):
    (file,) = (resumed[0] / ".metaflow").rglob(f"*-{card}-*.html")
    assert file.stat().st_size > 100_000


def test_a_wrong_question_is_refused_at_the_first_step(tmp_path):
    process = started(tmp_path, "run", "--dataset", "demo", "--grid", "als.factors=few")
    said, _ = process.communicate(timeout=120)
    assert process.returncode
    assert "'few' is no value of factors" in said
    assert not stored_runs(depot(str(tmp_path)))


def test_compiled_for_argo_each_step_has_its_resources(bucket, tmp_path):
    pytest.importorskip("kubernetes")
    address, environment = bucket
    arguments = ("argo-workflows", "create", "--only-json")
    environment = environment | {"METAFLOW_DATASTORE_SYSROOT_S3": f"{address}/metaflow"}
    said = finished(started(tmp_path, "--datastore=s3", *arguments, **environment))
    compiled = json.loads(said[said.index("{") :])
    asked = {
        template["name"]: template["container"]["resources"]["requests"]
        for template in compiled["spec"]["templates"]
        if "container" in template
    }
    steps = {
        "start", "clean", "prepare", "train", "choose", "fit", "measure", "evaluate", "build",
        "deploy", "check", "end",
    }  # fmt: skip
    assert steps <= asked.keys()
    assert float(asked["fit"]["cpu"]) == 4
    assert asked["fit"]["memory"].startswith("16000")
    assert float(asked["train"]["cpu"]) == 1
