import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.leaderboard import Leaderboard, System, evaluate, measure
from core.evaluation.metrics import paired_difference
from core.ranking.ranker import RANKER
from core.recommender import FUSION
from core.retrieval import MODELS
from core.retrieval.base import Queries
from core.trained import cards, default_model, load_models, load_recommender
from core.training import grid as grid_module
from core.training import points, shelf
from core.training import trial as module
from core.training.overview import overview
from core.training.points import OTHER_TEST_SEEDS, TEST_SEED, usual_sizes
from core.training.shelf import answers, choose_default, delete_model
from core.training.train import train
from core.training.trial import discard, keep, trials, try_models

NAME = "playlist_knn"
NEW = {NAME: {"neighbours": 3}}


@pytest.fixture
def dataset(planted, tmp_path, monkeypatch):
    """A copy with two models in use, measured in this process."""

    def work_here(_, tasks, jobs):
        for task in tasks:
            yield task, points._work(task)

    monkeypatch.setattr(grid_module, "answers", work_here)
    shutil.copytree(planted.folder, tmp_path / "planted", ignore=shutil.ignore_patterns("models"))
    opened = Dataset(tmp_path / "planted")
    train(opened, ["popularity", NAME], "fast")
    return opened


def settings_in_use(dataset, name=NAME):
    return load_models(dataset)[name].params


def test_a_trial_leaves_what_is_in_use_until_it_is_kept(dataset):
    before = settings_in_use(dataset)
    try_models(dataset, [NAME], settings=NEW)
    assert settings_in_use(dataset) == before
    assert [card.model for card in cards(dataset)] == ["popularity", NAME]
    (waiting,) = trials(dataset)
    assert waiting.changed == {"neighbours": (before.neighbours, 3)}
    card = keep(dataset, NAME)
    assert card == waiting.card
    assert settings_in_use(dataset) == replace(before, neighbours=3)
    assert trials(dataset) == []


def test_discarding_leaves_what_is_in_use(dataset):
    before = settings_in_use(dataset)
    try_models(dataset, [NAME], settings=NEW)
    discard(dataset, NAME)
    assert trials(dataset) == []
    assert settings_in_use(dataset) == before
    assert not any((dataset.folder / "trial").iterdir())


def test_both_are_measured_on_the_same_validation_playlists(dataset):
    (found,) = try_models(dataset, [NAME], settings=NEW)
    holdout, validation = usual_sizes(dataset)
    parts = split(dataset, holdout, TEST_SEED, validation, OTHER_TEST_SEEDS)
    values = []
    for params in (found.card.params, found.before):
        model = MODELS[NAME](MODELS[NAME].Params(**params)).fit(parts.train, TEST_SEED)
        system = System(NAME, NAME, model.recommend)
        values.append(measure(system, parts.validation, parts.train).values["ndcg"])
    told = found.comparison
    assert told.validation_playlists == len(parts.validation)
    assert told.new["ndcg"].value == pytest.approx(values[0].mean())
    assert told.old["ndcg"].value == pytest.approx(values[1].mean())
    difference = told.difference["ndcg"]
    expected = paired_difference(*values).tolist()
    assert [difference.value, difference.low, difference.high] == pytest.approx(expected)
    assert trials(dataset) == [found]


def test_the_same_settings_differ_by_nothing(dataset):
    (found,) = try_models(dataset, [NAME], "fast")
    assert found.changed == {}
    for figure in found.comparison.difference.values():
        assert (figure.value, figure.low, figure.high) == (0, 0, 0)


def test_the_first_of_its_kind_has_nothing_to_be_compared_with(dataset):
    (found,) = try_models(dataset, ["titles"])
    assert found.before is None
    assert found.comparison.new
    assert not found.comparison.old
    assert set(found.changed) == set(found.card.params)
    keep(dataset, "titles")
    assert "titles" in load_models(dataset)


def test_what_cannot_be_measured_is_still_tried(make_dataset, tmp_path):
    tiny = make_dataset([["a", "b"]] * 3)
    shutil.copytree(tiny.folder, tmp_path / "tiny")
    (found,) = try_models(Dataset(tmp_path / "tiny"), ["popularity"])
    assert "hold" in found.comparison.note
    assert not found.comparison.new


def test_a_trial_that_fails_leaves_nothing(dataset, monkeypatch):
    def fails(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_compare", fails)
    with pytest.raises(KeyboardInterrupt):
        try_models(dataset, [NAME], settings=NEW)
    assert trials(dataset) == []
    assert not any((dataset.folder / "trial").iterdir())


def test_a_trial_of_other_playlists_is_not_kept(dataset):
    try_models(dataset, [NAME], settings=NEW)
    path = dataset.folder / "trial" / NAME / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "other"}))
    before = settings_in_use(dataset)
    with pytest.raises(SegueError, match="other playlists"):
        keep(dataset, NAME)
    assert settings_in_use(dataset) == before


@pytest.mark.parametrize("action", [keep, discard])
def test_what_does_not_wait_is_one_sentence(dataset, action):
    with pytest.raises(SegueError, match=r"No trial of 'als' waits on 'planted' \(there: none\)"):
        action(dataset, "als")


def test_the_ranker_is_tried_alone(dataset):
    with pytest.raises(SegueError, match="tried alone"):
        try_models(dataset, [NAME, RANKER])


def test_a_setting_that_is_none_is_one_sentence(dataset):
    with pytest.raises(SegueError, match="has no setting 'window'"):
        try_models(dataset, [NAME], settings={NAME: {"window": 3}})


# --- default, deletion, overview ---


def test_the_default_answers_and_leads_the_choices(dataset):
    assert answers(dataset) == [FUSION, "popularity", NAME]
    choose_default(dataset, NAME)
    assert answers(dataset) == [NAME, FUSION, "popularity"]
    recommender = load_recommender(dataset)
    assert recommender.choices == answers(dataset)
    query = Queries.single([3, 5])
    same = recommender.recommend(query, 10).ids
    np.testing.assert_array_equal(same, recommender.recommend(query, 10, NAME).ids)
    assert (same != recommender.recommend(query, 10, "popularity").ids).any()
    choose_default(dataset, None)
    assert load_recommender(dataset).choices[0] == FUSION


def test_only_what_is_there_can_be_the_default(dataset, monkeypatch):
    with pytest.raises(SegueError, match="'als' cannot answer on 'planted'"):
        choose_default(dataset, "als")
    monkeypatch.setattr(shelf, "cards", lambda _: [SimpleNamespace(model=RANKER)])
    with pytest.raises(SegueError, match="No model is trained on 'planted'"):
        choose_default(dataset, RANKER)  # which is nothing without models


def test_a_deleted_model_is_gone_and_no_default(dataset):
    choose_default(dataset, NAME)
    delete_model(dataset, NAME)
    assert default_model(dataset) is None
    assert list(load_models(dataset)) == ["popularity"]
    assert answers(dataset) == [FUSION, "popularity"]
    assert [path.name for path in (dataset.folder / "models").iterdir()] == ["popularity"]
    with pytest.raises(SegueError, match="No 'playlist_knn' is trained"):
        delete_model(dataset, NAME)


def a_board(dataset, settings) -> Leaderboard:
    parts = split(dataset, 20)
    systems = [System(m, m, MODELS[m]().fit(parts.train).recommend) for m in ("popularity", NAME)]
    return replace(evaluate(systems, parts.test, parts.train), settings=settings)


@pytest.mark.parametrize(
    ("settings", "same"),
    [({}, None), ({NAME: {"neighbours": 1}}, False), ("its own", True)],
)
def test_the_overview_says_whether_figures_are_of_these_settings(dataset, settings, same):
    card = next(card for card in cards(dataset) if card.model == NAME)
    board = a_board(dataset, {NAME: card.params} if settings == "its own" else settings)
    board.save(dataset.folder / "leaderboard.json")
    popularity, known = overview(dataset)
    assert known.measured_so is same
    assert known.figures["ndcg"] == board.rows[0].overall["ndcg"]
    assert popularity.card.model == "popularity"
    assert not known.problem


def test_the_overview_without_a_leaderboard(dataset):
    choose_default(dataset, NAME)
    popularity, known = overview(dataset)
    assert not known.figures
    assert (popularity.is_default, known.is_default) == (False, True)


def test_a_model_of_other_playlists_is_said_to_be(dataset):
    path = dataset.folder / "models" / NAME / "card.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"fingerprint": "other"}))
    assert "other playlists" in overview(dataset)[1].problem


def test_keeping_is_at_once_or_not_at_all(dataset, monkeypatch):
    try_models(dataset, [NAME], settings=NEW)
    before = settings_in_use(dataset)
    monkeypatch.setattr("pathlib.Path.rename", _fails_on("trial"))
    with pytest.raises(OSError, match="full"):
        keep(dataset, NAME)
    monkeypatch.undo()
    assert settings_in_use(dataset) == before
    assert len(trials(dataset)) == 1


def _fails_on(part: str):
    """A rename that fails for what comes from a folder of this name."""
    real = Path.rename

    def rename(path, target):
        if part in path.parts:
            raise OSError("disk full")
        return real(path, target)

    return rename
