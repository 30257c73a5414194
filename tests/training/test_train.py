import json
import shutil
import sys
from dataclasses import asdict

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ranking.ranker import RANKER, Ranker
from core.recommender import FUSION
from core.retrieval import MODELS
from core.retrieval.base import Queries
from core.trained import cards, load_models, load_recommender
from core.training import fitted
from core.training.evaluate import (
    evaluate_models,
    store_evaluation,
    stored_dials,
    stored_leaderboard,
    stored_replays,
)
from core.training.maps import load_map
from core.training.train import chosen_models, preset_params, train
from tests.conftest import SMALL, SOURCES, in_this_process


@pytest.fixture
def dataset(planted, tmp_path):
    """A copy that may be written to."""
    shutil.copytree(planted.folder, tmp_path / "planted", ignore=shutil.ignore_patterns("models"))
    return Dataset(tmp_path / "planted")


def test_a_model_whose_packages_are_missing_is_left_out_of_all(monkeypatch):
    monkeypatch.setattr(MODELS["track2vec"], "trains_with", ("no_such_package",))
    assert "track2vec" not in chosen_models("all")
    with pytest.raises(SegueError, match=r"no_such_package.*requirements-train\.txt"):
        chosen_models("popularity,track2vec")


def test_names_come_in_the_order_of_the_registry():
    assert chosen_models("ranker, track2vec, popularity") == ["popularity", "track2vec", "ranker"]
    assert chosen_models("all") == [*MODELS, "ranker"]


def test_without_lightgbm_the_ranker_is_left_out_of_all(monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert chosen_models("all") == list(MODELS)
    with pytest.raises(SegueError, match="The ranker needs LightGBM"):
        chosen_models("popularity,ranker")


def test_presets_of_the_ranker_are_settings_of_it():
    assert preset_params("ranker", "full") == Ranker.Params()
    assert preset_params("ranker", "fast").rounds < Ranker.Params().rounds
    with pytest.raises(SegueError, match="There is no preset 'slow'; there are fast, full"):
        preset_params("ranker", "slow")


@pytest.mark.parametrize("names", ["", "popularity,lstm"])
def test_an_unknown_model_is_one_sentence(names):
    with pytest.raises(SegueError, match=r"There is no model .*; there are popularity"):
        chosen_models(names)


def test_a_trained_model_comes_back_with_its_card(dataset):
    (card,) = train(dataset, ["item_knn"], "fast", seed=3)
    assert (card.model, card.seed) == ("item_knn", 3)
    assert card.seconds > 0
    assert card.peak_mb > 10
    assert cards(dataset) == [card]
    fresh = MODELS["item_knn"](MODELS["item_knn"].Params(**card.params)).fit(dataset, seed=3)
    queries = Queries.single([0, 5])
    stored = load_models(dataset)["item_knn"].recommend(queries, 20)
    np.testing.assert_array_equal(stored.ids, fresh.recommend(queries, 20).ids)


def test_training_track2vec_lays_out_its_map(dataset):
    assert load_map(dataset) is None
    train(dataset, ["track2vec"], "fast", map_method="pca")
    found = load_map(dataset)
    assert found.coordinates.shape == (dataset.n_tracks, 2)
    assert (found.card.model, found.card.method) == ("track2vec", "pca")
    assert 0.5 < found.card.trustworthiness <= 1


@pytest.mark.parametrize(("tracks", "mapped"), [(3, False), (10, True), (31, True)])
def test_a_small_dataset_is_trained_with_or_without_a_map(make_dataset, tracks, mapped):
    names = [f"t{i}" for i in range(tracks)]
    few = make_dataset([names, names[::-1]], name=f"few-{tracks}")
    train(few, list(MODELS), "fast", map_method="pca")
    assert (load_map(few) is not None) == mapped
    assert load_models(few).keys() == MODELS.keys()


def test_models_of_other_playlists_are_refused(dataset):
    train(dataset, ["popularity"])
    manifest = json.loads((dataset.folder / "manifest.json").read_text())
    (dataset.folder / "manifest.json").write_text(json.dumps(manifest | {"fingerprint": "other"}))
    with pytest.raises(SegueError, match="was trained on another version of 'planted'"):
        load_models(Dataset(dataset.folder))


@pytest.mark.parametrize("content", ["{", '{"model": "popularity"}', '{"model": "titles"}'])
def test_a_damaged_model_is_one_sentence(dataset, content):
    train(dataset, ["popularity"])
    (dataset.folder / "models" / "popularity" / "params.json").write_text(content)
    with pytest.raises(SegueError, match=r"cannot be read|does not fit|holds the model"):
        load_models(dataset)


def test_the_leaderboard_measures_refitted_models_and_comes_back(dataset):
    train(dataset, ["popularity", "playlist_knn", "titles"])
    evaluation = evaluate_models(dataset, holdout=30, seed=1)
    board = evaluation.board
    assert board.training_playlists == dataset.n_playlists - 30
    by_name = {row.name: row.overall["r_precision"].value for row in board.rows}
    assert by_name.keys() == {"fusion", "popularity", "playlist_knn", "titles"}
    assert by_name["playlist_knn"] > 3 * by_name["popularity"]
    assert set(board.union.models) == {"popularity", "playlist_knn", "titles"}
    assert {row.name for row in board.rows if row.reads_titles} == {"fusion", "titles"}
    assert all(row.peak_bytes > 10e6 for row in board.rows if row.retrieves)
    assert not evaluation.standing
    store_evaluation(dataset, evaluation)
    assert stored_leaderboard(dataset) == board
    assert stored_dials(dataset) == evaluation.dials
    replays = stored_replays(dataset)
    assert list(replays.systems) == [row.name for row in board.rows]
    assert (replays.held_out, replays.training_playlists) == (30, board.training_playlists)


def test_validation_playlists_are_not_the_test_playlists(dataset):
    train(dataset, ["popularity"])
    board = evaluate_models(dataset, holdout=30, on_validation=True).board
    assert board.training_playlists == dataset.n_playlists - 60


def test_an_untrained_dataset_says_how_to_train(dataset):
    with pytest.raises(SegueError, match="python -m core train --dataset planted"):
        evaluate_models(dataset, 10)


@pytest.fixture(scope="module")
def with_ranker(planted, tmp_path_factory):
    """A folder with the models of `SOURCES` and their ranker; not to be written to."""
    folder = tmp_path_factory.mktemp("ranked") / "planted"
    shutil.copytree(planted.folder, folder, ignore=shutil.ignore_patterns("models"))
    dataset = Dataset(folder)
    with in_this_process():
        train(dataset, [*SOURCES, RANKER], "fast", settings={RANKER: asdict(SMALL)})
    return dataset


@pytest.fixture
def ranked(with_ranker, tmp_path):
    """A copy of it that may be written to."""
    shutil.copytree(with_ranker.folder, tmp_path / "planted")
    return Dataset(tmp_path / "planted")


def test_the_ranker_is_stored_with_its_card_and_loaded(with_ranker):
    card = cards(with_ranker)[-1]
    assert [card.model for card in cards(with_ranker)] == [*SOURCES, RANKER]
    assert card.params == asdict(SMALL)
    assert card.seconds > 0
    assert load_models(with_ranker).keys() == SOURCES.keys()
    recommender = load_recommender(with_ranker)
    assert recommender.choices == [RANKER, FUSION, *SOURCES]
    assert recommender.ranker.sources == tuple(SOURCES)
    assert len(recommender.continue_playlist([1, 2, 3, 4, 5], k=5).tracks) == 5
    assert not list(with_ranker.folder.glob("crossfit*"))


def why_unused(dataset):
    """What is said where a stored ranker is not used, once the fusion has answered."""
    recommender = load_recommender(dataset)
    assert recommender.choices == [FUSION, *(card.model for card in cards(dataset)[:-1])]
    assert recommender.continue_playlist([1, 2], k=3).notes == recommender.notes
    (note,) = recommender.notes
    return note.removesuffix(" Until then the models' ranks are fused.")


def test_a_ranker_of_other_models_is_not_used(ranked):
    train(ranked, ["playlist_knn"], settings={"playlist_knn": {"neighbours": 7}})
    assert why_unused(ranked) == (
        "The ranker was trained with other models than there are: train it again."
    )


def test_a_ranker_of_fewer_models_is_not_used(ranked):
    train(ranked, ["titles"], "fast")
    assert "other models than there are" in why_unused(ranked)


def test_the_same_models_trained_again_keep_the_ranker(ranked):
    train(ranked, list(SOURCES), "fast", seed=4)
    assert load_recommender(ranked).choices[0] == RANKER


def test_a_ranker_of_other_playlists_is_not_used(ranked):
    card = ranked.folder / "models" / "ranker" / "card.json"
    card.write_text(card.read_text().replace(ranked.manifest["fingerprint"], "other"))
    assert why_unused(ranked) == "The ranker was trained on other playlists: train it again."


def test_a_ranker_of_other_features_is_not_used(ranked):
    about = ranked.folder / "models" / "ranker" / "ranker.json"
    about.write_text(about.read_text().replace('"popularity.count"', '"popularity.plays"'))
    assert why_unused(ranked) == (
        "The ranker was trained with other features than there are: train it again."
    )


def test_a_damaged_ranker_is_not_used(ranked):
    (ranked.folder / "models" / "ranker" / "forest-0.txt").write_text("tree")
    assert "does not fit this version of Segue" in why_unused(ranked)


def test_without_lightgbm_the_ranker_is_not_used(with_ranker, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert "The ranker needs LightGBM" in why_unused(with_ranker)


def test_a_ranker_needs_two_models(dataset):
    train(dataset, ["popularity"])
    with pytest.raises(SegueError, match="A ranker needs two trained models"):
        train(dataset, [RANKER], "fast")


def test_the_leaderboard_has_the_ranker_trained_without_the_held_out(ranked, monkeypatch):
    views = []
    whole = fitted.train_ranker

    def watched(view, *rest):
        views.append(view)
        return whole(view, *rest)

    monkeypatch.setattr(fitted, "train_ranker", watched)
    with in_this_process():
        evaluation = evaluate_models(ranked, holdout=40, seed=1)
    (view,) = views
    assert view.n_playlists == ranked.n_playlists - 40
    assert {row.name for row in evaluation.board.rows} == {RANKER, FUSION, *SOURCES}
    seeds = {"5 seeds", "10 seeds"}
    titled = {"title", "title + 1 seed", *(f"title + {one}" for one in seeds)}
    assert evaluation.standing.keys() == seeds | titled
    assert not list(ranked.folder.glob("crossfit*"))
