"""The pipeline from end to end, as `python -m core flow` runs it.

It runs once, with all that it keeps in S3's stand-in: killed in the middle and resumed. What it
comes to must be what the same functions come to in this process, without parts.
"""

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from core.dataset.dataset import Dataset
from core.evaluation import challenge, dials, leaderboard, shards
from core.trained import load_recommender
from core.training.depot import depot
from core.training.evaluate import Evaluation, measured_part, merged, write_evaluation
from core.training.fitted import Held, fit_held_out
from core.training.pipeline import Choice, chosen, further_settings
from core.training.pipeline import test_figures as figures_of_the_test
from core.training.points import TEST_SEED, chosen_sizes, measured_point, planned
from core.training.run_card import told
from core.training.runs import Run, Standing, standing, stored_runs
from core.training.servable import ANSWERING, TABLES, build_servable
from core.training.settings import combinations
from core.workspace import REPOSITORY, Workspace, read_json

TRIED = {"playlist_knn": {"neighbours": (5, 40)}, "als": {"factors": (10**20,)}}
"""So many factors cannot be fitted."""
GRID = f"playlist_knn.neighbours=5,40 als.factors={10**20}"
HELD_OUT, VALIDATION, BATCH = 30, 20, 15
PIPELINE = (
    "run", "--dataset", "planted", "--grid", GRID, "--also", "popularity", "--preset", "fast",
    "--holdout", f"{HELD_OUT}", "--validation", f"{VALIDATION}", "--max-workers", "1",
)  # fmt: skip


def started(workspace, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "core", "--workspace", str(workspace), "flow", *arguments],
        cwd=REPOSITORY,
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
def small_batches(tmp_path_factory):
    """Smaller batches in this process and, by the environment given, in others.

    So that a few held-out playlists are measured in several parts.
    """
    folder = tmp_path_factory.mktemp("site")
    (folder / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'flow.py' in ' '.join(sys.orig_argv):\n"
        "    import core.evaluation.challenge\n"
        f"    core.evaluation.challenge.BATCH = {BATCH}\n"
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in (challenge, leaderboard, dials, shards):
            patch.setattr(module, "BATCH", BATCH)
        yield {"PYTHONPATH": os.pathsep.join([str(folder), str(REPOSITORY)])}


@dataclass(frozen=True)
class Resumed:
    """A run that was killed when its first point was measured, and then resumed.

    Attributes
    ----------
    killed, run : Run
        Its record before it was resumed, and in the end.
    stood : str
        How it was before it was resumed.
    said : str
        By the resumed run.
    records : Path
        Metaflow's own.
    servable : Path
        What was built, fetched.
    """

    killed: Run
    run: Run
    stood: Standing
    said: str
    records: Path
    servable: Path


@pytest.fixture(scope="module")
def resumed(planted, bucket, small_batches, tmp_path_factory):
    address, environment = bucket
    store = depot(f"{address}/flow")
    with store.writing("planted") as folder:
        ignored = shutil.ignore_patterns("models", "grids")
        shutil.copytree(planted.folder, folder, dirs_exist_ok=True, ignore=ignored)
    workspace = tmp_path_factory.mktemp("flow")
    environment = {**environment, **small_batches}
    process = started(workspace, *PIPELINE, "--store", f"{address}/flow", **environment)
    deadline = time.monotonic() + 120
    while not [*store.reading("planted", ["grids"]).glob("grids/playlist_knn/*.json")]:
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (killed,) = stored_runs(store)
    stood = standing(killed)
    said = finished(started(workspace, "resume", **environment))
    (run,) = stored_runs(store)
    built = depot(run.servable).reading("planted")
    return Resumed(killed, run, stood, said, workspace / ".metaflow", built.parent)


@dataclass(frozen=True)
class Here:
    """What the same functions come to in this process."""

    choice: Choice
    evaluation: Evaluation
    servable: Path


@pytest.fixture(scope="module")
def here(planted, small_batches, tmp_path_factory):
    folder = tmp_path_factory.mktemp("here")
    ignored = shutil.ignore_patterns("models", "grids")
    dataset = Dataset(shutil.copytree(planted.folder, folder / "planted", ignore=ignored))
    sizes = chosen_sizes(dataset, HELD_OUT, VALIDATION)
    tasks = [
        task for name, tried in TRIED.items() for task in planned(name, combinations(tried), sizes)
    ]
    found = [measured_point(dataset, task) for task in tasks]
    reasons = [one if isinstance(one, str) else "" for one in found]
    further = further_settings("popularity", "fast", TRIED)
    choice = chosen(dataset, tasks, reasons, "r_precision", further)
    fitted = fit_held_out(dataset, Held(HELD_OUT, TEST_SEED), choice.settings)
    evaluation = merged(fitted, [measured_part(fitted, 0, HELD_OUT)])
    (folder / "evaluation").mkdir()
    write_evaluation(evaluation, folder / "evaluation")
    servable = folder / "servable"
    build_servable(dataset, servable / "planted", choice.settings, folder / "evaluation", TEST_SEED)
    return Here(choice, evaluation, servable)


def test_a_killed_run_goes_on_where_it_was(resumed, bucket):
    killed, run = resumed.killed, resumed.run
    assert (resumed.stood, killed.step, killed.grid) == ("broken off", "train", {})
    assert (run.id, run.state, run.step) == (killed.id, "done", "end")
    assert len(run.tries) == 2
    assert "Cloning" in resumed.said or "cloned" in resumed.said
    store = depot(f"{bucket[0]}/flow")
    assert not {"fitted", "parts"} & {*store.names(f".runs/{run.id}")}


def test_its_grid_is_what_this_process_measures(resumed, here):
    run = resumed.run
    assert run.parameters["grid"] == GRID
    assert run.sizes == {"holdout": HELD_OUT, "validation": VALIDATION, "training": 190}
    assert without_times(run.grid) == without_times(here.choice.grid)
    assert [point["settings"]["neighbours"] for point in run.grid["points"]] == [40, 5]
    assert [lost["settings"]["factors"] for lost in run.grid["failures"]] == [10**20]
    assert run.winner == run.grid["points"][0]
    assert run.settings == here.choice.settings


def test_parts_in_processes_of_their_own_are_measured_as_one_is_here(resumed, here):
    assert f"{HELD_OUT // BATCH} child steps" in resumed.said
    figures = figures_of_the_test(here.evaluation.board, "r_precision")
    assert resumed.run.test["rows"] == figures["rows"]
    for name in ("leaderboard", "dials", "lean"):
        one, other = (
            without_times(read_json(folder / "planted" / f"{name}.json"))
            for folder in (resumed.servable, here.servable)
        )
        assert one == other


def without_times(value):
    """JSON without what differs from run to run."""
    if isinstance(value, dict):
        return {key: without_times(each) for key, each in value.items() if key not in COSTS}
    return [without_times(each) for each in value] if isinstance(value, list) else value


COSTS = {
    *("fit_seconds", "cpu_seconds", "milliseconds", "milliseconds_alone"),
    *("peak_mb", "peak_bytes"),
}


def test_the_folder_that_was_built_answers_as_one_built_here(resumed, here, planted):
    servable = Workspace(resumed.servable)
    assert [name for name in servable.names() if name != "demo"] == ["planted"]
    query = planted.playlists[3][:5]
    there, mine = (
        load_recommender(Dataset(folder / "planted"))
        for folder in (resumed.servable, here.servable)
    )
    assert set(there.models) == {"popularity", "playlist_knn"}
    one, other = (each.continue_playlist(query, k=20) for each in (there, mine))
    assert one.tracks.tolist() == other.tracks.tolist()
    assert one.scores.tolist() == other.scores.tolist()


def test_what_was_built_is_itself_a_store_in_s3(resumed):
    built = depot(resumed.run.servable)
    data = Dataset(built.reading("planted", (*TABLES, *ANSWERING)))
    assert set(load_recommender(data).models) == {"popularity", "playlist_knn"}


# --- cards ---


def components(card):
    """What a card that Metaflow has written shows, each by its type."""
    data = re.search(r'__MF_DATA__\["[^"]+"\] = "([^"]+)"', card.read_text())
    waiting, found = [json.loads(base64.b64decode(data[1]))], []
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            found += [one] if "type" in one else []
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    return found


@pytest.mark.parametrize("card", ["grid", "evaluation"])
def test_its_cards_show_the_figures(resumed, card):
    (file,) = resumed.records.rglob(f"*-{card}-*.html")
    shown = components(file)
    run, words = resumed.run, json.dumps(shown, ensure_ascii=False)
    rows = run.grid["points"] if card == "grid" else run.test["rows"]
    if card == "grid":
        assert "**Best: playlist_knn neighbours=40**" in words
        assert f"als factors={10**20}: not measured" in words
    else:
        assert told(run) in words
    for row in rows:
        assert f"{row['figures']['r_precision'][0]:.3f} [" in words
    charts = [one["spec"]["data"]["values"] for one in shown if one["type"] == "vegaChart"]
    assert len(charts) == 2
    assert len(charts[0]) == len(rows)
    assert [value["value"] for value in charts[0]] == [
        row["figures"]["r_precision"][0] for row in rows
    ]


# --- on a cluster ---


def documented_resources():
    """Cores and MB of each step."""
    text = (REPOSITORY / "docs" / "hosting.md").read_text("utf-8")
    (table,) = re.findall(r"^\| step \| cores \| memory, MB \|\n((?:\|.*\n)+)", text, re.M)
    rows = re.findall(r"^\| ([a-z, ]+) \| (\d+) \| ([\d,]+) \|$", table, re.M)
    return {
        step: (int(cores), int(memory.replace(",", "")))
        for steps, cores, memory in rows
        for step in steps.split(", ")
    }


def test_compiled_for_argo_each_step_has_its_image_resources_and_store(bucket, tmp_path):
    pytest.importorskip("kubernetes")
    address, environment = bucket
    arguments = ("argo-workflows", "create", "--only-json")
    environment = environment | {
        "METAFLOW_DATASTORE_SYSROOT_S3": f"{address}/metaflow",
        "METAFLOW_KUBERNETES_CONTAINER_IMAGE": "registry.example/segue-train:1",
        "SEGUE_STORE": f"{address}/store",
    }
    said = finished(started(tmp_path, "--datastore=s3", *arguments, **environment))
    compiled = json.loads(said[said.index("{") :])["spec"]
    parameters = {one["name"]: one["value"] for one in compiled["arguments"]["parameters"]}
    assert json.loads(parameters["store"]) == f"{address}/store"
    steps = {
        template["name"]: template["container"]
        for template in compiled["templates"]
        if "METAFLOW_STEP_NAME" in str(template.get("container"))
    }
    asked = {name: step["resources"]["requests"] for name, step in steps.items()}
    assert {
        name: (float(one["cpu"]), float(one["memory"].removesuffix("M")))
        for name, one in asked.items()
    } == documented_resources()
    assert all(step["resources"]["limits"] == asked[name] for name, step in steps.items())
    assert {step["image"] for step in steps.values()} == {"registry.example/segue-train:1"}
    alone = {
        name
        for name, step in steps.items()
        if any(one["name"] == "OMP_NUM_THREADS" and one["value"] == "1" for one in step["env"])
    }
    assert alone == {"train", "measure"}
