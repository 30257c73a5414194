import numpy as np
import pytest

from core.retrieval.base import Queries
from core.retrieval.titles import Ngrams, Titles, ngrams


@pytest.fixture(scope="module")
def dataset(make_dataset):
    return make_dataset(
        [["a", "b"], ["a", "c"], ["d", "e"], ["f", "g"], ["h"], ["i"], ["j"]],
        ["Summer Hits", "summer hits!", "Running", "Été 2019", "🔥🔥", None, "夏の歌"],
    )


def answer(dataset, title, **params):
    model = Titles(Titles.Params(**params)).fit(dataset)
    found = model.recommend(Queries.single([], title), 10).ids[0]
    return dataset.values("title", found[found >= 0])


@pytest.mark.parametrize(
    ("title", "tracks"),
    [
        ("SUMMER  HITS", "abc"),
        ("sumer hit", "abc"),
        ("hits of the summer", "abc"),
        ("runnning", "de"),
        ("ete", "fg"),
        ("🔥", "h"),
        ("夏", "j"),
    ],
)
def test_like_titles_share_tracks(dataset, title, tracks):
    assert set(answer(dataset, title)) == set(tracks)


@pytest.mark.parametrize("title", ["Любимое", "ζωή", "xq zzz", "", "  ", "—", None])
def test_titles_like_none_get_no_answer(dataset, title):
    assert answer(dataset, title) == []


def test_tracks_of_more_playlists_with_the_title_come_first(dataset):
    assert answer(dataset, "summer hits")[0] == "a"


def test_votes_of_the_same_title_are_shared_out(dataset):
    model = Titles(Titles.Params(popularity=0)).fit(dataset)
    found = model.recommend(Queries.single([], "summer hits"), 3)
    np.testing.assert_allclose(found.scores, [[1, 0.5, 0.5]], rtol=1e-5)


def test_popularity_orders_tracks_of_equal_votes(make_dataset):
    dataset = make_dataset([["a", "b"], ["b"], ["b"], ["b"]], ["road", None, None, None])
    assert answer(dataset, "road", popularity=0.05) == ["b", "a"]
    assert answer(dataset, "road", popularity=-0.05) == ["a", "b"]


def test_the_same_title_outvotes_like_ones(make_dataset):
    dataset = make_dataset([["a"], ["b"], ["c"]], ["rock", "rock ballads", "rocky road"])
    assert answer(dataset, "rock")[0] == "a"


def test_only_the_nearest_titles_vote(make_dataset):
    dataset = make_dataset([["a"], ["b"], ["c"]], ["rock", "rock", "rocky"])
    assert set(answer(dataset, "rock", neighbours=1)) == {"a", "b"}


def test_seeds_do_not_matter_but_are_left_out(dataset):
    model = Titles().fit(dataset)
    a = dataset.ids_of(["t:a"])
    found = model.recommend(Queries.single(a, "summer hits"), 10).ids[0]
    assert set(dataset.values("title", found[found >= 0])) == {"b", "c"}
    assert (model.recommend(Queries.single(a), 10).ids == -1).all()


def test_a_dataset_without_titles_answers_none(make_dataset):
    assert answer(make_dataset([["a"], ["b"]]), "a") == []


def test_ngrams_mark_the_ends_of_words():
    assert list(ngrams("ab c")) == [" a", "ab", "b ", " ab", "ab ", " ab ", " c", "c ", " c "]


def test_vectors_are_unit_long_and_shorter_where_ngrams_are_new():
    vectors = Ngrams(["rock", "jazz"]).vectors(["rock", "rockxyz", "ζωή"])
    lengths = np.sqrt((vectors**2).sum(axis=1))
    assert lengths[0] == pytest.approx(1)
    assert 0 < lengths[1] < 1
    assert lengths[2] == 0


def test_rare_ngrams_weigh_more():
    collection = ["mix one", "mix two", "mix six", "jazz mix"]
    query, *others = Ngrams(collection).vectors(["jazz mix", *collection]).toarray()
    similarity = np.array(others) @ query
    assert similarity[3] == pytest.approx(1)
    assert similarity[:3].max() < 0.5
