"""Peers keep the contract of our models, and compute what they say."""

import json
import subprocess
import sys
from dataclasses import asdict

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from core.bench.peers import (
    FAMILIES,
    PEERS,
    AudioCosine,
    ImplicitALS,
    ImplicitBPR,
    ImplicitItemKNN,
    PublishedPlaylistKNN,
    SameTitle,
    SPlus,
    family_of,
)
from core.dataset.dataset import Dataset
from core.retrieval import MODELS
from core.retrieval.base import Queries
from tests.conftest import style_of
from tests.retrieval.test_contract import check

QUICK = {
    "implicit_als": {"factors": 16},
    "implicit_bpr": {"factors": 15, "iterations": 100},
    "lightfm_warp": {"no_components": 16, "epochs": 20},
    "gensim_word2vec": {"min_count": 1, "epochs": 60, "alpha": 0.1},
}

every_peer = pytest.mark.parametrize("name", PEERS)


def make(name):
    if name == "lightfm_warp":
        pytest.importorskip("lightfm")
    peer = PEERS[name]
    return peer.model(type(peer.params)(**asdict(peer.params) | QUICK.get(name, {})))


@pytest.fixture(scope="module")
def view(planted: Dataset) -> Dataset:
    """A view in which three tracks of style 0 have no playlist."""
    rows = [
        row
        for row in range(planted.n_playlists)
        if not np.isin([0, 1, 2], planted.playlists[row]).any()
    ]
    return planted.select(np.array(rows))


@pytest.fixture(scope="module")
def fitted(view):
    models = {}

    def fit(name):
        if name not in models:
            models[name] = make(name).fit(view, seed=1)
        return models[name]

    return fit


@pytest.fixture(scope="module")
def queries(view):
    """No seed, one, unheard ones, several, all; titles known, foreign, none."""
    random = np.random.default_rng(5)
    unheard = np.flatnonzero(view.counts == 0).astype(np.int32)
    some = [random.choice(view.n_tracks, n, replace=False).astype(np.int32) for n in (1, 5, 25)]
    seeds = [unheard[:0], unheard[:0], unheard, np.arange(view.n_tracks, dtype=np.int32), *some]
    return Queries(seeds, [None, " STYLE two", "Любимое", "style one", None, "🔥", "style one"])


@every_peer
@pytest.mark.parametrize("k", [1, 20, 500])
def test_answers_are_sound(name, k, fitted, queries, view):
    model = fitted(name)
    check(model, model.recommend(queries, k), queries, k, view)


@every_peer
def test_planted_styles_are_found(name, fitted, planted):
    random = np.random.default_rng(3)
    styles = np.array(style_of(planted, np.arange(planted.n_tracks)))
    queries = Queries(
        [random.choice(np.flatnonzero(styles == style), 3).astype(np.int32) for style in range(4)],
        [f"style {word}" for word in ("zero", "one", "two", "three")],
    )
    answer = fitted(name).recommend(queries, 15)
    right = styles[answer.ids] == np.arange(4)[:, None]
    assert right.mean() > 0.9


@every_peer
def test_saved_and_loaded_answers_identically(name, fitted, queries, view, tmp_path):
    model = fitted(name)
    model.save(tmp_path / "model")
    loaded = type(model).load(tmp_path / "model", view)
    before, after = model.recommend(queries, 30), loaded.recommend(queries, 30)
    np.testing.assert_array_equal(before.ids, after.ids)
    np.testing.assert_array_equal(before.scores, after.scores)


@every_peer
def test_the_same_seed_gives_the_same_model(name, fitted, queries, view):
    again = make(name).fit(view, seed=1).recommend(queries, 30)
    np.testing.assert_array_equal(fitted(name).recommend(queries, 30).ids, again.ids)


@every_peer
def test_one_playlist_of_one_track_is_enough_to_fit(name, make_dataset):
    dataset = make_dataset([["a"]])
    answer = make(name).fit(dataset).recommend(Queries.single([0], "a"), 5)
    assert (answer.ids == -1).all()


@every_peer
def test_peers_say_what_they_are(name):
    peer = PEERS[name]
    assert peer.label
    assert "https://" in peer.model.source
    assert peer.family in FAMILIES
    assert type(peer.params)(**json.loads(json.dumps(asdict(peer.params)))) == peer.params
    assert name not in MODELS


def test_a_model_of_ours_is_of_one_family_at_most():
    named = [model for models in FAMILIES.values() for model in models]
    assert len(named) == len(set(named))
    assert family_of("item_knn") == PEERS["similaripy_s_plus"].family
    assert family_of("popularity") is None


def test_published_playlist_neighbours_by_hand(make_dataset):
    """Two of three playlists vote; what they hold in common is worth what its rarity is."""
    dataset = make_dataset([["a", "b", "c"], ["a", "d"], ["a", "b", "e", "f"], ["g"]])
    names = dataset.values("title", range(dataset.n_tracks))
    number = {name: names.index(name) for name in names}
    model = PublishedPlaylistKNN(PublishedPlaylistKNN.Params(k=2, rho=0.5)).fit(dataset)
    answer = model.recommend(Queries.single([number["a"], number["b"]]), 10)
    # "a" is in 3 playlists and weighs 1 / (sqrt(2) + 1), "b" in 2 and weighs 1 / 2.
    a, b = 1 / (2**0.5 + 1), 1 / 2
    first, third = (a + b) / (2 * 3) ** 0.5, (a + b) / (2 * 4) ** 0.5
    second = a / (2 * 2) ** 0.5
    assert second < third < first
    votes = np.array([first**2, third**2, third**2]) / (first**2 + third**2)
    ids = answer.ids[0][answer.ids[0] >= 0]
    assert {names[i] for i in ids} == {"c", "e", "f"}
    assert names[ids[0]] == "c"
    np.testing.assert_allclose(answer.scores[0][:3], votes, rtol=1e-5)


def test_same_title_counts_by_hand(make_dataset):
    dataset = make_dataset(
        [["a", "b"], ["a", "c"], ["d"], ["e"]], ["Road trip", " road TRIP ", "Road", None]
    )
    names = dataset.values("title", range(dataset.n_tracks))
    model = SameTitle().fit(dataset)
    answer = model.recommend(Queries([np.empty(0, np.int32)] * 3, ["ROAD TRIP", "trip", None]), 5)
    assert names[answer.ids[0, 0]] == "a"
    assert list(answer.scores[0][:3]) == [2, 1, 1]
    assert (answer.ids[1:] == -1).all()


def test_least_squares_answer_as_the_library_does(view):
    query = Queries.single(np.array([5, 17, 60], np.int32))
    model = ImplicitALS(ImplicitALS.Params(factors=8)).fit(view)
    seeds = model._seeds(query)
    columns, scores = model._fitted.recommend(np.array([0]), seeds, N=10, recalculate_user=True)
    ours = model.recommend(query, 10)
    np.testing.assert_allclose(ours.scores, scores, rtol=1e-4)
    np.testing.assert_array_equal(ours.ids, model._tracks[columns])


def test_item_neighbours_answer_as_the_library_does(view):
    from implicit.nearest_neighbours import TFIDFRecommender

    query = Queries.single(np.array([5, 17, 60], np.int32))
    model = ImplicitItemKNN(ImplicitItemKNN.Params("tfidf", neighbours=40)).fit(view)
    library = TFIDFRecommender(40)
    held = view.playlists.matrix()[:, model._tracks]
    library.fit(narrow(held), show_progress=False)
    _, scores = library.recommend(0, narrow(model._seeds(query)), N=10)
    np.testing.assert_allclose(model.recommend(query, 10).scores[0], scores, rtol=1e-4)


def narrow(matrix):
    """The same with 32-bit numbers of rows and columns, as the library wants it."""
    indices = matrix.indices.astype(np.int32), matrix.indptr.astype(np.int32)
    return csr_matrix((matrix.data.astype(np.float64), *indices), matrix.shape)


def test_new_playlists_are_placed_where_those_of_the_training_are():
    """Playlists whose factors are a linear map of their tracks' mean are placed exactly."""
    random = np.random.default_rng(0)
    items, turn = random.normal(size=(30, 4)), random.normal(size=(4, 4))
    held = csr_matrix(random.random((2000, 30)) < 0.2)
    held = csr_matrix(held[held.sum(axis=1).A1 > 0], dtype=np.float32)
    playlists = held @ items / held.sum(axis=1).A @ turn
    model = ImplicitBPR()
    model._arrays = model._placed(held, items, playlists)
    np.testing.assert_allclose(model._playlists(held), playlists, atol=0.05)


def test_ties_are_not_cut_in_the_order_of_ids(make_dataset):
    """Of many equally similar tracks a table of one keeps others than the first by id."""
    dataset = make_dataset([[f"{n:02}" for n in range(40)]] * 2)
    for model in (SPlus(SPlus.Params(k=2)), ImplicitItemKNN(ImplicitItemKNN.Params(neighbours=2))):
        fitted = model.fit(dataset, seed=3)
        answers = [fitted.recommend(Queries.single([seed]), 1).ids[0, 0] for seed in range(20, 40)]
        assert np.mean(np.array(answers) < 3) < 0.9


def test_a_track_without_audio_features_says_nothing(planted):
    model = AudioCosine().fit(planted)
    silent = np.flatnonzero(np.isnan(planted.audio).all(axis=1))
    assert (model.recommend(Queries.single(silent[:2]), 5).ids == -1).all()


def test_importing_the_peers_imports_no_library():
    heavy = ("implicit", "lightfm", "similaripy", "sklearn", "gensim")
    code = f"import core.bench.peers, sys; print([m for m in {heavy!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
