import errno
import json
import shutil
import subprocess
import time
from dataclasses import replace
from types import SimpleNamespace

import psutil
import pytest

from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.metrics import Figure
from core.ranking.ranker import Ranker
from core.retrieval import MODELS
from core.trained import load_recommender, set_default
from core.training import servable
from core.training.depot import depot
from core.training.pipeline import (
    chosen,
    cleaned,
    content,
    content_to_answer,
    failures,
    further_settings,
    grid_results,
    in_order,
    require_unchanged,
)
from core.training.pipeline import test_figures as figures_of_the_test
from core.training.points import chosen_sizes, measured_point, planned
from core.training.runs import begin, delete_run, enter, note, standing, stored_runs
from core.training.servable import build_servable
from core.training.train import train
from core.workspace import Workspace, write_json

LINES = "Artist A - One\nArtist B - Two\nArtist C - Three\n"


@pytest.fixture
def store(tmp_path):
    return depot(str(tmp_path / "store"))


def test_raw_files_become_a_dataset_of_the_depot(store, tmp_path):
    (tmp_path / "list.txt").write_text(LINES)
    manifest = cleaned(store, "mine", f" {tmp_path / 'list.txt'} , ", "list")
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
    assert [one["varied"] for one in lost] == [{"neighbours": -9}, {"neighbours": -8}]
    assert all("Error" in one["reason"] for one in lost)
    none = [*planned("titles", [{}], sizes), *tasks[1:]]
    with pytest.raises(SegueError) as failed:
        grid_results(dataset, none, ["It broke.", *["It failed twice."] * 2], "hit@10")
    assert str(failed.value) == (
        "No settings of titles could be measured: It broke. "
        "No settings of playlist_knn could be measured: It failed twice."
    )


def test_the_best_of_all_is_chosen_and_the_others_stand_beside_it(planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    dataset = Dataset(tmp_path / "planted")
    sizes = chosen_sizes(dataset, 30, 20)
    tasks = planned("popularity", [{}], sizes)
    tasks += planned("playlist_knn", [{"neighbours": 5}, {"neighbours": 40}], sizes)
    for task in tasks:
        measured_point(dataset, task)
    choice = chosen(dataset, tasks, [""] * 3, "hit@10", {"titles": {}})
    points = choice.grid["points"]
    assert choice.winner == points[0]
    assert points[0]["against_best"] == [0, 0, 0]
    values = [point["figures"]["hit@10"][0] for point in points]
    assert values == sorted(values, reverse=True)
    for point, value in zip(points, values, strict=True):
        assert point["against_best"][0] == pytest.approx(value - values[0])
    assert list(choice.settings) == ["popularity", "playlist_knn", "titles"]
    assert choice.settings["playlist_knn"] == next(
        point["settings"] for point in points if point["model"] == "playlist_knn"
    )
    (alone,) = failures(planned("playlist_knn", [{"neighbours": -9}], sizes), ["no"])
    assert alone["varied"] == {"neighbours": -9}


def test_a_full_disk_is_no_fault_of_the_settings(planted, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    shutil.copytree(planted.folder, tmp_path / "planted")
    dataset = Dataset(tmp_path / "planted")
    (task,) = planned("popularity", [{}], chosen_sizes(dataset, 31, 20))
    monkeypatch.setattr("core.training.points.fit", full)
    with pytest.raises(OSError, match="No space"):
        measured_point(dataset, task)


def test_a_step_refuses_other_data_than_its_run_began_with(planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    dataset, asked = Dataset(tmp_path / "planted"), tmp_path / "asked.json"
    train(dataset, ["popularity"], "fast", map_method=None)
    asked.write_text("{}")
    begun = content_to_answer(dataset, asked)
    require_unchanged("planted", begun, content_to_answer(Dataset(dataset.folder), asked))
    asked.write_text("[]")
    with pytest.raises(SegueError, match=r"^Since this run on 'planted' began, the questions have"):
        require_unchanged("planted", begun, content_to_answer(dataset, asked))
    train(dataset, ["popularity"], "fast", map_method=None, seed=1)
    with pytest.raises(SegueError, match="the models and the questions have changed: start"):
        require_unchanged("planted", begun, content_to_answer(dataset, asked))
    begun = content_to_answer(dataset, asked)
    set_default(dataset, "popularity")
    with pytest.raises(SegueError, match="began, the models have changed"):
        require_unchanged("planted", begun, content_to_answer(dataset, asked))
    other = content(dataset.manifest | {"fingerprint": "f" * 64})
    with pytest.raises(SegueError, match="the playlists have changed"):
        require_unchanged("planted", content(dataset.manifest), other)


def test_on_the_test_playlists_the_best_by_the_metric_of_the_choice_comes_first():
    def row(name, **figures):
        figures = {metric: Figure(value) for metric, value in figures.items()}
        return SimpleNamespace(
            name=name, label=name.upper(), overall=figures, by_category={"first 5": figures}
        )

    rows = [row("als", ndcg=0.2, clicks=3.0), row("titles", ndcg=0.1, clicks=2.0)]
    board = SimpleNamespace(playlists={"first 5": 9}, rows=rows)
    for metric, best, value in (("ndcg", "als", 0.2), ("clicks", "titles", 2.0)):
        first, _ = figures_of_the_test(board, metric)["rows"]
        assert (first["name"], first["by_category"]) == (best, {"first 5": value})


def test_the_ranker_comes_last():
    settings = {"ranker": {"pool": 1}, "titles": {}, "popularity": {}}
    assert list(in_order(settings)) == ["popularity", "titles", "ranker"]


# --- the servable folder ---


def test_a_servable_folder_holds_one_dataset_and_the_chosen_models(planted, tmp_path):
    source = tmp_path / "planted"
    shutil.copytree(planted.folder, source, dirs_exist_ok=True)
    (source / "grids").mkdir(exist_ok=True)
    (source / "default.json").write_text('{"model": "track2vec"}')
    folder = tmp_path / "servable"
    folder.mkdir()
    settings = {"popularity": {}, "playlist_knn": {"neighbours": 7}}
    cards = build_servable(Dataset(source), folder / "planted", settings)
    assert [card.model for card in cards] == ["popularity", "playlist_knn"]
    assert [path.name for path in folder.iterdir()] == ["planted"]
    assert not {"grids", "default.json"} & {path.name for path in (folder / "planted").iterdir()}
    served = Workspace(folder)
    recommender = load_recommender(Dataset(served.path("planted")))
    assert recommender.models["playlist_knn"].params.neighbours == 7
    with pytest.raises(SegueError, match="at least one model"):
        build_servable(Dataset(source), folder / "planted", {})


def test_the_ranker_of_a_servable_folder_learns_from_its_models(planted, tmp_path, monkeypatch):
    made = []

    def make(name, params, dataset, folder, seed, progress):
        made.append((params, dataset.folder, folder))
        return None, name

    monkeypatch.setattr(servable, "make", make)
    folder = tmp_path / "planted"
    build_servable(planted, folder, {"titles": {}, "ranker": {"playlists": 40}})
    assert made == [
        (MODELS["titles"].Params(), folder, folder / "models" / "titles"),
        (Ranker.Params(playlists=40), folder, folder / "models" / "ranker"),
    ]


def test_a_servable_folder_takes_no_room_twice(planted, tmp_path, monkeypatch):
    source = shutil.copytree(planted.folder, tmp_path / "planted")
    write_json(source / "leaderboard.json", {})
    names = ["entries.parquet", "arrays/track.npy", "search/artists/names/meta.json"]
    for kind in ("linked", "copied"):
        (folder := tmp_path / kind).mkdir()
        build_servable(Dataset(source), folder / "planted", {"popularity": {}})
        for name in names:
            one, other = source / name, folder / "planted" / name
            assert one.samefile(other) == (kind == "linked")
            assert one.read_bytes() == other.read_bytes()
        monkeypatch.setattr(servable.os, "link", forbidden)


def forbidden(*_):
    raise OSError(errno.EXDEV, "Invalid cross-device link")


def test_what_is_joined_to_a_dataset_later_leaves_the_servable_folder_as_it_was(planted, tmp_path):
    source = shutil.copytree(planted.folder, tmp_path / "planted")
    (folder := tmp_path / "servable").mkdir()
    build_servable(Dataset(source), folder / "planted", {"popularity": {}})
    built = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    table = tmp_path / "features.csv"
    title, artist = (Dataset(source).values(name, [0])[0] for name in ("title", "artist_name"))
    table.write_text(f"title,artist,tempo,album\n{title},{artist},120,An album\n")
    assert join_features(Dataset(source), table).by_name == 1
    assert {path: path.read_bytes() for path in built} == built
    assert (source / "tracks.parquet").read_bytes() != built[folder / "planted" / "tracks.parquet"]


# --- records ---


def test_a_record_grows_and_knows_when_it_was_resumed(store):
    run = begin(store, {"dataset": "a", "grid": "x"}, "1")
    begin(store, {"dataset": "b"}, "7")
    note(store, run, "choose", "1", winner={"model": "als"})
    grown = note(store, run, "end", "2", state="done")
    assert (grown.winner, grown.tries, grown.state) == ({"model": "als"}, ["1", "2"], "done")
    assert stored_runs(store, "a") == [grown]
    assert len(stored_runs(store)) == 2


def test_a_start_that_is_tried_again_keeps_its_record(store):
    first = begin(store, {"dataset": "a"}, "1")
    assert begin(store, {"dataset": "a"}, "1") == first  # as after `--with retry`
    assert begin(store, {"dataset": "a"}, "2", origin="1") == first
    assert begin(store, {"dataset": "a"}, "3", origin="2") == first
    (run,) = stored_runs(store)
    assert run.tries == ["1", "2", "3"]
    assert begin(store, {"dataset": "a"}, "4") != first


def test_a_step_is_told_when_it_begins_and_its_tasks_once(store, monkeypatch):
    run = begin(store, {"dataset": "a"}, "1")
    note(store, run, "fit", "1", state="failed", problem="The disk is full.")
    begun = enter(store, run, "fit", "2")
    assert (begun.state, begun.step, begun.problem) == ("running", "fit", "")
    assert begun.tries == ["1", "2"]
    with monkeypatch.context() as patch:
        patch.setattr(store, "write_json", None)
        assert enter(store, run, "fit", "2") == begun  # another task of the step writes nothing
    assert enter(store, run, "fit", "3").tries == ["1", "2", "3"]


def test_a_run_whose_process_is_gone_is_broken_off(store):
    run = begin(store, {"dataset": "a"}, "1")
    (there,) = stored_runs(store)
    assert standing(there) == "running"
    ended = subprocess.Popen(["true"])
    process = psutil.Process(ended.pid)
    while process.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.01)
    zombie = there.process | {"pid": process.pid, "created": process.create_time()}
    assert standing(note(store, run, "fit", "1", process=zombie)) == "broken off"
    ended.wait()
    gone = there.process | {"created": 0.0}
    assert standing(note(store, run, "fit", "1", process=gone)) == "broken off"
    elsewhere = note(store, run, "fit", "1", process=gone | {"host": "a pod"})
    assert standing(elsewhere) == "running"
    assert standing(replace(elsewhere, updated="2026-01-01T00:00:00+00:00")) == "broken off"
    assert standing(note(store, run, "fit", "1", state="failed")) == "failed"


SOUND = {"id": "x", "state": "done", "updated": "2026-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    "record",
    [
        "{",
        "[]",
        '{"parameters": {}}',
        json.dumps(SOUND | {"updated": ""}),
        json.dumps(SOUND | {"grid": 4}),
    ],
)
def test_a_damaged_record_costs_no_other(store, tmp_path, record):
    begin(store, {"dataset": "a"}, "1")
    store.write_json(".runs/zero/run.json", {})
    (tmp_path / "store" / ".runs" / "zero" / "run.json").write_text(record)
    (tmp_path / "store" / ".runs" / "without").mkdir()
    damaged, other = stored_runs(store, "a")
    assert (damaged.id, standing(damaged), other.tries) == ("zero", "damaged", ["1"])
    assert damaged.problem.endswith(".")


def test_a_run_is_deleted_with_all_that_it_left_once_it_is_over(store):
    name = begin(store, {"dataset": "a"}, "1")
    with store.writing(f".runs/{name}/parts/0") as folder:
        (folder / "x").write_text("1")
    (run,) = stored_runs(store)
    with pytest.raises(SegueError, match="on its way: stop it"):
        delete_run(store, run)
    ended = note(store, name, "fit", "1", state="failed")
    served = {store.address(f".runs/{name}/servable")}
    with pytest.raises(SegueError, match="An endpoint answers from what the run"):
        delete_run(store, ended, served)
    delete_run(store, ended)
    assert not store.exists(f".runs/{name}")
    assert stored_runs(store) == []
