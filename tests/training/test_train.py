import json
import shutil

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.retrieval import MODELS
from core.retrieval.base import Queries
from core.training.evaluate import evaluate_models, store_leaderboard, stored_leaderboard
from core.training.maps import load_map
from core.training.train import cards, chosen_models, load_models, train


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
    assert chosen_models("track2vec, popularity") == ["popularity", "track2vec"]
    assert chosen_models("all") == list(MODELS)


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
    board = evaluate_models(dataset, holdout=30, seed=1)
    assert board.training_playlists == dataset.n_playlists - 30
    by_name = {row.name: row.overall["r_precision"].value for row in board.rows}
    assert by_name.keys() == {"fusion", "popularity", "playlist_knn", "titles"}
    assert by_name["playlist_knn"] > 3 * by_name["popularity"]
    assert set(board.union.models) == {"popularity", "playlist_knn", "titles"}
    assert {row.name for row in board.rows if row.reads_titles} == {"fusion", "titles"}
    assert all(row.peak_bytes > 10e6 for row in board.rows if row.retrieves)
    store_leaderboard(dataset, board)
    assert stored_leaderboard(dataset) == board


def test_validation_playlists_are_not_the_test_playlists(dataset):
    train(dataset, ["popularity"])
    board = evaluate_models(dataset, holdout=30, on_validation=True)
    assert board.training_playlists == dataset.n_playlists - 60


def test_an_untrained_dataset_says_how_to_train(dataset):
    with pytest.raises(SegueError, match="python -m core train --dataset planted"):
        evaluate_models(dataset, 10)
