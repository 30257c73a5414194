import numpy as np
import pytest

from core.retrieval.base import Queries
from core.retrieval.neighbours import PlaylistKNN
from core.retrieval.titles import Titles
from core.retrieval.views import MultiViewKNN


@pytest.fixture(scope="module")
def dataset(make_dataset):
    tracks = {name: {"artist": "one"} for name in "abn"}
    whole = make_dataset(
        [["a", "c"], ["b", "d"], ["e", "f"], ["n"]], ["x", "y", "rock", None], tracks
    )
    return whole.select(np.array([0, 1, 2]))


def answer(dataset, names, title=None, **params):
    model = MultiViewKNN(MultiViewKNN.Params(**params)).fit(dataset)
    seeds = dataset.ids_of([f"t:{name}" for name in names])
    found = model.recommend(Queries.single(seeds, title), 10)
    names = dataset.values("title", found.ids[0][found.ids[0] >= 0])
    return dict(zip(names, found.scores[0].tolist(), strict=False))


def test_tracks_alone_are_playlist_neighbours(planted):
    queries = Queries([np.array([3, 50], np.int32), np.array([7], np.int32)], [None, None])
    alone = MultiViewKNN(MultiViewKNN.Params(artist_weight=0)).fit(planted)
    expected = PlaylistKNN().fit(planted).recommend(queries, 20)
    found = alone.recommend(queries, 20)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5)


def test_without_a_seed_the_order_is_that_of_titles(planted):
    query = Queries.single([], "style two")
    found = MultiViewKNN(MultiViewKNN.Params(title_weight=0)).fit(planted).recommend(query, 20)
    np.testing.assert_array_equal(found.ids, Titles().fit(planted).recommend(query, 20).ids)


def test_artists_reach_playlists_that_share_no_track(dataset):
    found = answer(dataset, "a")
    assert found["c"] > found["b"] > 0
    assert found["b"] == pytest.approx(found["d"])
    assert "d" not in answer(dataset, "a", artist_weight=0)


def test_an_unheard_seed_speaks_through_its_artist(dataset):
    assert set(answer(dataset, "n")) == set("abcd")


def test_titles_reach_playlists_that_share_nothing(dataset):
    assert {"e", "f"} <= set(answer(dataset, "a", "rock"))
    assert not {"e", "f"} & set(answer(dataset, "a"))


def test_the_title_decides_between_playlists_that_share_the_seed(make_dataset):
    dataset = make_dataset([["a", "b"], ["a", "c"]], ["calm", "loud"])
    for title, first in (("calm", "b"), ("loud", "c")):
        assert next(iter(answer(dataset, "a", title, title_score=0))) == first
