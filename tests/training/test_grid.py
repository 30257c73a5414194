import json
import shutil
import sys
from dataclasses import asdict, fields

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.leaderboard import System, measure
from core.evaluation.metrics import paired_difference
from core.retrieval import MODELS
from core.trained import cards, load_models
from core.training import grid as module
from core.training import points
from core.training.grid import grid, keep_best, stored_grid
from core.training.points import record_stamp, usual_sizes
from core.training.settings import combinations, parse_values

SIZES = {"holdout": 30, "validation": 20}
POINTS = [{"neighbours": 1}, {"neighbours": 40}]


@pytest.fixture
def dataset(planted, tmp_path):
    """A copy that may be written to."""
    shutil.copytree(planted.folder, tmp_path / "planted", ignore=shutil.ignore_patterns("models"))
    return Dataset(tmp_path / "planted")


@pytest.fixture
def asked(monkeypatch):
    """Work in this process, and the settings of every task that was asked for."""
    tasks = []

    def answers(_, todo, jobs):
        for task in todo:
            tasks.append(task["settings"])
            yield task, points._work(task)

    monkeypatch.setattr(module, "answers", answers)
    return tasks


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("window=20, 50", [20, 50]),
        ("ns_exponent=-0.5,1e-1,2", [-0.5, 0.1, 2.0]),
        ("sg=true,False", [True, False]),
        ("score=cosine,product", ["cosine", "product"]),
    ],
)
def test_values_have_the_type_of_their_field(text, values):
    (parsed,) = parse_values("track2vec", [text]).values()
    assert parsed == values
    assert [type(value) for value in parsed] == [type(value) for value in values]


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("lstm", "window=20", "There is no model 'lstm'; there are popularity"),
        ("track2vec", "windows=20", "track2vec has no setting 'windows'; there are: vector_size"),
        ("popularity", "window=20", "popularity has no setting 'window'; there are: none"),
        ("track2vec", "window=2.5", "'2.5' is no value of window: give an integer"),
        ("track2vec", "window=", "'' is no value of window"),
        ("track2vec", "alpha=nan", "'nan' is no value of alpha: give a number"),
        ("track2vec", "sg=yes", "'yes' is no value of sg: give False or True"),
        ("track2vec", "score=dot", "'dot' is no value of score: give product or cosine"),
        ("track2vec", "window", "'window' sets nothing"),
    ],
)
def test_a_wrong_setting_is_one_sentence(name, text, sentence):
    with pytest.raises(SegueError, match=sentence):
        parse_values(name, [text])


def test_a_setting_that_comes_twice_is_one_sentence():
    with pytest.raises(SegueError, match="write each setting once"):
        parse_values("track2vec", ["window=20", "window=50"])


@pytest.mark.parametrize("name", MODELS)
def test_every_setting_of_every_model_can_be_given(name):
    for field in fields(MODELS[name].Params):
        parsed = parse_values(name, [f"{field.name}={field.default}"])
        assert parsed == {field.name: [field.default]}


def test_combinations_are_all():
    points = combinations({"window": [20, 50], "sg": [True, False]})
    assert [tuple(point.values()) for point in points] == [
        (20, True),
        (20, False),
        (50, True),
        (50, False),
    ]
    assert combinations({}) == [{}]


def test_processes_measure_what_one_would_here_and_a_bad_point_costs_no_other(dataset):
    result = grid(dataset, "playlist_knn", [*POINTS, {"neighbours": -9}], jobs=2, **SIZES)
    parts = split(dataset, 30, 0, 20, (1, 2))
    expected = {}
    for neighbours in (1, 40):
        params = MODELS["playlist_knn"].Params(neighbours=neighbours)
        model = MODELS["playlist_knn"](params).fit(parts.train)
        one = measure(System("", "", model.recommend), parts.validation, parts.train)
        expected[neighbours] = one.values["r_precision"]
    by_neighbours = {row.point.settings["neighbours"]: row for row in result.rows}
    assert by_neighbours.keys() == expected.keys()
    for neighbours, values in expected.items():
        row = by_neighbours[neighbours]
        np.testing.assert_allclose(row.point.values["r_precision"], values)
        figure = row.figures["r_precision"]
        assert figure.value == pytest.approx(values.mean())
        assert figure.low < figure.value < figure.high
        assert row.point.cpu_seconds >= 0
        assert row.point.peak_mb > 10
    worse, better = sorted(expected, key=lambda neighbours: expected[neighbours].mean())
    assert result.best.point.settings["neighbours"] == better
    difference = paired_difference(expected[worse], expected[better])
    to_best = asdict(by_neighbours[worse].against_best)
    assert [*to_best.values()] == pytest.approx(difference.tolist())
    assert set(asdict(result.best.against_best).values()) == {0}
    (failure,) = result.failures
    assert failure.settings["neighbours"] == -9
    assert "Error" in failure.reason
    assert (result.varied, result.training_playlists) == (["neighbours"], 240 - 30 - 20)
    assert "values" not in json.loads(json.dumps(result.as_json()))["rows"][0]


def test_a_crashed_process_is_one_sentence(dataset, tmp_path, monkeypatch):
    crash = tmp_path / "python"
    crash.write_text("#!/bin/sh\necho out of luck >&2\nexit 3\n")
    crash.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(crash))
    with pytest.raises(SegueError, match=r"ended with code 3 \(out of luck\)"):
        grid(dataset, "playlist_knn", POINTS, **SIZES)
    assert not (dataset.folder / "grids").exists()


def test_what_is_measured_is_not_fitted_again(dataset, asked):
    assert record_stamp(dataset, "playlist_knn") == 0
    first = grid(dataset, "playlist_knn", POINTS, **SIZES)
    assert len(asked) == 2
    stamp = record_stamp(dataset, "playlist_knn")
    (dataset.folder / "grids" / "playlist_knn" / ".partial-x.json").touch()  # another's, unfinished
    assert stored_grid(dataset, "playlist_knn").rows == first.rows
    assert grid(dataset, "playlist_knn", POINTS, **SIZES) == first
    assert len(asked) == 2
    assert record_stamp(dataset, "playlist_knn") == stamp
    more = grid(dataset, "playlist_knn", [*POINTS, *POINTS, {"vote_power": 1.0}], **SIZES)
    assert len(asked) == 3
    assert len(more.rows) == 3
    assert record_stamp(dataset, "playlist_knn") > stamp > 0


def test_another_split_or_other_playlists_are_measured_anew(dataset, asked):
    def change(**fields):
        (dataset.folder / "manifest.json").write_text(json.dumps(dataset.manifest | fields))
        return Dataset(dataset.folder)

    grid(dataset, "playlist_knn", POINTS[:1], **SIZES)
    grid(dataset, "playlist_knn", POINTS[:1], holdout=29, validation=20)
    other = change(fingerprint="other")
    grid(other, "playlist_knn", POINTS[:1], holdout=29, validation=20)
    joined = change(features=[{"table": "new.csv"}])
    result = grid(joined, "playlist_knn", POINTS[:1], holdout=29, validation=20)
    assert len(asked) == 4
    assert len(result.rows) == 1
    assert stored_grid(other, "playlist_knn") is None
    assert stored_grid(joined, "playlist_knn").rows == result.rows
    (record,) = (dataset.folder / "grids" / "playlist_knn").glob("*.json")
    record.write_text(record.read_text().replace('"hit@10"', '"hit@9"'))  # of other metrics
    assert grid(joined, "playlist_knn", POINTS[:1], holdout=29, validation=20).rows
    assert len(asked) == 5
    last = grid(joined, "playlist_knn", POINTS[1:], **SIZES)
    assert stored_grid(joined, "playlist_knn").rows == last.rows  # of the split of the last


def test_what_was_measured_before_an_interruption_is_kept(dataset, asked, monkeypatch):
    whole = module.answers

    def interrupted(worker, tasks, jobs):
        yield next(whole(worker, tasks, jobs))
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "answers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        grid(dataset, "playlist_knn", POINTS, **SIZES)
    monkeypatch.setattr(module, "answers", whole)
    grid(dataset, "playlist_knn", POINTS, **SIZES)
    assert [settings["neighbours"] for settings in asked] == [1, 40]


def test_of_clicks_fewer_are_better(dataset, asked):
    points = [{"neighbours": neighbours} for neighbours in (1, 2, 200)]
    result = grid(dataset, "playlist_knn", points, "clicks", **SIZES)
    clicks = [np.mean(row.point.values["clicks"]) for row in result.rows]
    assert clicks == sorted(clicks)
    assert clicks[0] < clicks[-1]


def test_the_best_is_trained_on_the_whole_dataset(dataset, asked):
    result = grid(dataset, "playlist_knn", POINTS, **SIZES)
    card = keep_best(dataset, result)
    assert cards(dataset) == [card]
    assert card.params == result.best.point.settings
    (model,) = load_models(dataset).values()
    assert asdict(model.params) == card.params


def test_an_unknown_metric_or_setting_is_one_sentence(dataset):
    with pytest.raises(SegueError, match="There is no metric 'auc' to choose by; use r_precision"):
        grid(dataset, "playlist_knn", POINTS, "auc", **SIZES)
    with pytest.raises(SegueError, match="There is no metric 'auc'"):
        stored_grid(dataset, "playlist_knn", "auc")
    with pytest.raises(SegueError, match="playlist_knn has no setting 'window'"):
        grid(dataset, "playlist_knn", [{"window": 1}], **SIZES)
    with pytest.raises(SegueError, match="hold out fewer"):
        grid(dataset, "playlist_knn", POINTS, holdout=400, validation=250)
    with pytest.raises(SegueError, match="at least one validation playlist"):
        grid(dataset, "playlist_knn", POINTS, holdout=30, validation=0)


def test_where_as_many_as_is_usual_are_too_many_a_part_of_the_dataset_is_held_out(
    dataset, monkeypatch
):
    assert usual_sizes(dataset) == (24, 15)
    monkeypatch.setattr(points, "USUAL_SIZES", (30, 20))
    assert usual_sizes(dataset) == (30, 20)


def test_a_damaged_record_says_what_to_do(dataset):
    grid(dataset, "playlist_knn", POINTS[:1], **SIZES)
    (record,) = (dataset.folder / "grids" / "playlist_knn").glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text()) | {"point": {"x": 1}}))
    with pytest.raises(SegueError, match="does not fit this version of Segue"):
        grid(dataset, "playlist_knn", POINTS, **SIZES)
