from math import sqrt

import numpy as np
import pytest

from core.retrieval.base import Queries
from core.retrieval.item_neighbours import ItemKNN


def ids(dataset, names):
    return dataset.ids_of([f"t:{name}" for name in names])


def scores_by_name(dataset, answer):
    names = dataset.values("title", answer.ids[0][answer.ids[0] >= 0])
    return dict(zip(names, answer.scores[0].tolist(), strict=False))


@pytest.fixture(scope="module")
def dataset(make_dataset):
    return make_dataset([["a", "b", "x"], ["a", "c", "y", "z"], ["d", "e"], ["a", "f"]])


def item_knn(dataset, **params):
    plain = {"alpha": 0.5, "shrink": 0, "length_power": 0, "popularity_power": 0, "tail_power": 0}
    return ItemKNN(ItemKNN.Params(**(plain | params))).fit(dataset)


def similarity(dataset, seed, **params):
    answer = item_knn(dataset, **params).recommend(Queries.single(ids(dataset, seed)), 10)
    return scores_by_name(dataset, answer)


HALF = 0.5
"""Weight of any seed at popularity power 0."""


def test_item_similarity_is_the_cosine_of_playlists(dataset):
    expected = {name: HALF / sqrt(3) for name in "bxcyzf"}
    assert similarity(dataset, "a") == pytest.approx(expected, rel=1e-3)


def test_alpha_puts_the_normalisation_on_the_seed(dataset):
    """a is in 3 playlists, b in 1: conditional probabilities 1/3 and 1."""
    assert similarity(dataset, "a", alpha=1)["b"] == pytest.approx(HALF / 3, rel=1e-3)
    assert similarity(dataset, "b", alpha=1)["a"] == pytest.approx(HALF, rel=1e-3)


def test_shrink_is_added_to_the_denominator(dataset):
    shrunk = similarity(dataset, "b", shrink=2)
    assert shrunk["x"] == pytest.approx(HALF / (1 + 2), rel=1e-3)
    assert shrunk["a"] == pytest.approx(HALF / (sqrt(3) + 2), rel=1e-3)


def test_short_playlists_say_more(dataset):
    """Squared weights of entries: 1/3, 1/4 and 1/2; a has the norm of all three."""
    norm = sqrt(1 / 3 + 1 / 4 + 1 / 2)
    near = similarity(dataset, "a", length_power=0.5)
    assert near["f"] == pytest.approx(HALF * (1 / 2) / (norm * sqrt(1 / 2)), rel=1e-3)
    assert near["f"] > near["x"] > near["y"]


def test_rare_seeds_weigh_more(dataset):
    model = item_knn(dataset, popularity_power=1)
    shares = model.seed_contributions(ids(dataset, "ab"), ids(dataset, "x"))
    assert shares[:, 0] == pytest.approx([1 / 3 / sqrt(3), 1.0], rel=1e-3)


def test_last_seeds_weigh_more(dataset):
    model = item_knn(dataset, tail_power=1)
    shares = model.seed_contributions(ids(dataset, "bxa"), ids(dataset, "c"))
    assert shares[:, 0] == pytest.approx([0, 0, HALF / sqrt(3)], rel=1e-3)
    shares = model.seed_contributions(ids(dataset, "abx"), ids(dataset, "c"))
    assert shares[:, 0] == pytest.approx([HALF / sqrt(3) / 3, 0, 0], rel=1e-3)


def test_only_the_most_similar_tracks_are_kept(planted):
    model = item_knn(planted, neighbours=5)
    kept = np.diff(model._state()["indptr"])
    assert (kept == 5).all()
    assert not (model._state()["similar"].reshape(-1, 5) == np.arange(120)[:, None]).any()


def test_the_kept_tracks_are_those_of_the_full_product(planted):
    held = planted.playlists.matrix()
    norms = np.sqrt(planted.counts)
    cosine = (held.T @ held).toarray() / norms[:, None] / norms
    np.fill_diagonal(cosine, 0)
    state = item_knn(planted, neighbours=5)._state()
    best = -np.sort(-cosine, axis=1)[:, :5]
    found = -np.sort(-state["similarity"].astype(np.float32).reshape(-1, 5), axis=1)
    np.testing.assert_allclose(found, best, rtol=1e-3)


def test_ids_do_not_decide_between_equally_similar_tracks(make_dataset):
    """Cut off at 50 of 399, the kept ids are anywhere, not the smallest or largest."""
    dataset = make_dataset([[f"{track:03}" for track in range(400)]])
    similar = item_knn(dataset, neighbours=50)._state()["similar"]
    assert 150 < similar.mean() < 250


@pytest.mark.parametrize("seed", range(5))
def test_tracks_that_no_playlist_of_the_view_holds_are_no_obstacle(dataset, seed):
    """Whatever the order that the seed draws: the library fails where empty rows come last."""
    model = ItemKNN().fit(dataset.select(np.array([2])), seed)
    assert model.recommend(Queries.single(ids(dataset, "d")), 10).ids[0, 0] == ids(dataset, "e")
