import json
import shutil

import psutil
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.training import launch
from core.training.depot import depot
from core.training.launch import bounded, environment, workers
from core.training.pipeline import (
    cleaned,
    failures,
    further_settings,
    grid_results,
    in_order,
    last_words,
    require_reachable,
)
from core.training.points import chosen_sizes, measured_point, planned
from core.training.runs import begin, note, stored_runs
from core.training.servable import build_servable
from core.training.train import load_recommender
from core.workspace import REPOSITORY, Workspace

LINES = "Artist A - One\nArtist B - Two\nArtist C - Three\n"


@pytest.fixture
def store(tmp_path):
    return depot(str(tmp_path / "store"))


def test_raw_files_become_a_dataset_of_the_depot(store, tmp_path):
    (tmp_path / "list.txt").write_text(LINES)
    manifest = cleaned(store, "mine", str(tmp_path / "list.txt"), "list")
    assert manifest["counts"]["tracks"] == 3
    assert Dataset(store.reading("mine")).manifest == manifest
    assert cleaned(store, "mine") == manifest


def test_a_dataset_of_the_same_content_stays_with_what_was_made_of_it(store, tmp_path):
    file = tmp_path / "list.txt"
    file.write_text(LINES)
    cleaned(store, "mine", str(file), "list")
    kept = store.reading("mine") / "grids" / "als" / "x.json"
    kept.parent.mkdir(parents=True)
    kept.write_text("{}")
    cleaned(store, "mine", str(file), "list")
    assert kept.exists()
    file.write_text(f"{LINES}Artist D - Four\n")
    assert cleaned(store, "mine", str(file), "list")["counts"]["tracks"] == 4
    assert not kept.exists()


def test_without_files_the_demo_is_at_hand_and_nothing_else_is(store):
    assert cleaned(store, "demo")["simulated"]
    assert store.exists("demo")
    with pytest.raises(SegueError, match="There is no dataset 'absent'"):
        cleaned(store, "absent")


def test_models_besides_are_not_those_of_the_grid():
    further = further_settings("popularity, als,ranker", "fast", ["als"])
    assert list(further) == ["popularity", "ranker"]
    assert further_settings(" ", "fast", []) == {}
    with pytest.raises(SegueError, match="There is no model lstm"):
        further_settings("lstm", "fast", [])


def test_a_model_that_fails_costs_no_other(planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    dataset = Dataset(tmp_path / "planted")
    sizes = chosen_sizes(dataset, 30, 20)
    tasks = planned("popularity", [{}], sizes)
    tasks += planned("playlist_knn", [{"neighbours": -9}, {"neighbours": -8}], sizes)
    found = [measured_point(dataset, task) for task in tasks]
    reasons = [one if isinstance(one, str) else "" for one in found]
    (result,) = grid_results(dataset, tasks, reasons, "hit@10")
    assert (result.model, len(result.rows)) == ("popularity", 1)
    lost = failures(tasks, reasons)
    assert [one["settings"]["neighbours"] for one in lost] == [-9, -8]
    assert all("Error" in one["reason"] for one in lost)
    with pytest.raises(SegueError, match="No settings of playlist_knn could be measured"):
        grid_results(dataset, tasks[1:], reasons[1:], "hit@10")


@pytest.mark.parametrize(
    ("crash", "said"),
    [
        ("Traceback:\n  File x\nmodule.Error: It failed: twice.\n", "It failed: twice."),
        ("killed", "killed"),
        ("", "no word of why"),
    ],
)
def test_a_crash_is_told_by_its_last_words(crash, said):
    assert last_words(crash) == said


def test_the_ranker_comes_last():
    settings = {"ranker": {"pool": 1}, "titles": {}, "popularity": {}}
    assert list(in_order(settings)) == ["popularity", "titles", "ranker"]


def test_a_local_endpoint_needs_a_local_store():
    require_reachable("sagemaker", "s3://bucket")
    require_reachable("local", "x")
    with pytest.raises(SegueError, match="serves a local folder"):
        require_reachable("local", "s3://bucket")


# --- the servable folder ---


def test_a_servable_folder_holds_one_dataset_and_the_chosen_models(planted, tmp_path):
    source = tmp_path / "planted"
    shutil.copytree(planted.folder, source, dirs_exist_ok=True)
    (source / "grids").mkdir(exist_ok=True)
    (source / "default.json").write_text('{"model": "track2vec"}')
    folder = tmp_path / "servable"
    folder.mkdir()
    settings = {"popularity": {}, "playlist_knn": {"neighbours": 7}}
    cards = build_servable(Dataset(source), folder, settings)
    assert [card.model for card in cards] == ["popularity", "playlist_knn"]
    assert [path.name for path in folder.iterdir()] == ["planted"]
    assert not {"grids", "default.json"} & {path.name for path in (folder / "planted").iterdir()}
    served = Workspace(folder)
    recommender = load_recommender(Dataset(served.path("planted")))
    assert recommender.models["playlist_knn"].params.neighbours == 7
    with pytest.raises(SegueError, match="at least one model"):
        build_servable(Dataset(source), folder, {})


# --- records ---


def test_a_record_grows_and_knows_when_it_was_resumed(store):
    run = begin(store, {"dataset": "a", "grid": "x"}, "1")
    begin(store, {"dataset": "b"}, "7")
    note(store, run, "choose", "1", winner={"model": "als"})
    grown = note(store, run, "end", "2", state="done")
    assert (grown.winner, grown.tries, grown.state) == ({"model": "als"}, ["1", "2"], "done")
    assert stored_runs(store, "a") == [grown]
    assert len(stored_runs(store)) == 2


def test_a_record_of_another_version_is_one_sentence(store):
    store.write_json(".runs/x/run.json", {"parameters": {}})
    with pytest.raises(SegueError, match="does not fit this version"):
        stored_runs(store)


# --- starting ---


def test_workers_are_as_many_as_cores_and_measured_memory_allow(tmp_path, planted, monkeypatch):
    workspace = Workspace(tmp_path)
    shutil.copytree(planted.folder, tmp_path / "planted")
    shutil.rmtree(tmp_path / "planted" / "grids", ignore_errors=True)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 8)
    memory = type("Memory", (), {"available": 10e9})
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    assert workers(workspace, None) == 5
    assert workers(workspace, "planted") == 5
    for name, peak in (("als", 400), ("titles", 4_000)):
        file = tmp_path / "planted" / "grids" / name / "point.json"
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps({"point": {"peak_mb": peak}}))
        assert workers(workspace, "planted") == (8 if peak == 400 else 2)


def test_steps_that_run_elsewhere_are_not_bounded_by_this_machine(tmp_path):
    workspace = Workspace(tmp_path)
    assert bounded(workspace, ["run", "--dataset", "a"])[3] == "--max-workers"
    assert int(bounded(workspace, ["resume"])[2]) >= 1
    for given in (["run", "--max-workers=3"], ["run", "--with", "kubernetes"], ["card", "list"]):
        assert bounded(workspace, given) == given


def test_metaflow_finds_the_package_and_keeps_its_records_in_the_workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(launch.getpass, "getuser", lambda: "root")
    made = environment(Workspace(tmp_path), {"PYTHONPATH": "x", "SEGUE_STORE": "s3://b"})
    assert made["PYTHONPATH"].split(":") == [str(REPOSITORY), "x"]
    assert made["METAFLOW_DATASTORE_SYSROOT_LOCAL"] == str(tmp_path)
    assert made["SEGUE_STORE"] == "s3://b"
    assert made["METAFLOW_USER"] == "segue"


def test_without_metaflow_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "metaflow", None)
    with pytest.raises(SegueError, match=r"requirements-train\.txt"):
        launch.launch(Workspace(tmp_path), "pipeline", ["run"])
