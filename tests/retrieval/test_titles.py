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


VOTES_ONLY = {"factors": 0, "named": 0, "prior": 0}


def answer(dataset, title, **params):
    model = Titles(Titles.Params(**(VOTES_ONLY | params))).fit(dataset)
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


def test_a_playlist_of_the_same_title_is_one_vote(dataset):
    model = Titles(Titles.Params(**VOTES_ONLY)).fit(dataset)
    found = model.recommend(Queries.single([], "summer hits"), 3)
    np.testing.assert_allclose(found.scores, [[2, 1, 1]], rtol=1e-5)


def test_popularity_orders_tracks_of_equal_votes(make_dataset):
    dataset = make_dataset([["a", "b"], ["b"], ["b"], ["b"]], ["road", None, None, None])
    assert answer(dataset, "road", prior=0.1) == ["b", "a"]
    model = Titles(Titles.Params(**(VOTES_ONLY | {"prior": 0.1}))).fit(dataset)
    found = model.recommend(Queries.single([], "road"), 2)
    np.testing.assert_allclose(found.scores, [[1 + 0.1, 1 + 0.1 / 4]], rtol=1e-5)


def test_popular_tracks_follow_where_a_title_says_little(dataset):
    assert answer(dataset, "running")[2:] == []
    assert answer(dataset, "running", prior=0.1)[:3] == [*answer(dataset, "running"), "a"]
    assert set(answer(dataset, "running", prior=0.1)) == set("abcdefghij")
    assert answer(dataset, "ζωή", prior=0.1) == []


def test_an_artist_in_the_title_brings_tracks_by_popularity(make_dataset):
    tracks = {name: {"artist": "The Knife"} for name in "abc"}
    dataset = make_dataset([["a", "x"], ["a", "b"], ["y"]], ["p", None, "q"], tracks)
    assert answer(dataset, "Best of THE KNIFE!", named=1) == ["a", "b"]
    assert answer(dataset, "knife", named=1) == []
    assert answer(dataset, "Best of the knife") == []


def test_an_artist_counts_as_far_as_such_titles_are_the_artists(make_dataset):
    """ "Happy" is a word here: three playlists with it hold none of the artist of this name."""
    tracks = {"h": {"artist": "Happy"}, "k": {"artist": "Kraftwerk"}}
    dataset = make_dataset(
        [["a"], ["b"], ["c"], ["h"], ["k"], ["k", "a"]],
        ["happy days", "happy mix", "happy", "x", "kraftwerk", "kraftwerk 2"],
        tracks,
    )
    model = Titles(Titles.Params(**(VOTES_ONLY | {"named": 1, "least": 1.1}))).fit(dataset)
    titles = ["so happy", "this is kraftwerk"]
    found = model.recommend(Queries([np.empty(0, np.int32)] * 2, titles), 1)
    np.testing.assert_allclose(found.scores[:, 0], [0.35 / 4, (1 + 0.5 + 0.35) / 3], rtol=1e-5)


def test_factors_meet_titles_that_share_no_ngram(make_dataset):
    """Playlists of one kind of artists are titled in two languages."""
    random = np.random.default_rng(0)
    playlists, titles = [], []
    for kind, words in ((0, ("running", "laufen")), (1, ("sleep", "nacht"))):
        for row in range(20):
            chosen = random.choice(12, 6, replace=False)
            playlists.append([f"{kind}-{track:02}-{row % 2}" for track in chosen])
            titles.append(words[row % 2])
    tracks = {
        f"{kind}-{track:02}-{half}": {"artist": f"artist {kind} {track}"}
        for kind in range(2)
        for track in range(12)
        for half in range(2)
    }
    dataset = make_dataset(playlists, titles, tracks)
    query = Queries.single([], "running")

    def found(factors):
        params = VOTES_ONLY | {"factors": factors}
        ids = Titles(Titles.Params(**params)).fit(dataset).recommend(query, 24).ids[0]
        return dataset.values("title", ids[ids >= 0])

    assert {(name[0], name[-1]) for name in found(0)} == {("0", "0")}
    assert {(name[0], name[-1]) for name in found(4)} == {("0", "0"), ("0", "1")}


def test_the_same_title_outvotes_like_ones(make_dataset):
    dataset = make_dataset([["a"], ["b"], ["c"]], ["rock", "rock ballads", "rocky road"])
    assert answer(dataset, "rock")[0] == "a"


def test_only_the_nearest_titles_vote(make_dataset):
    dataset = make_dataset([["a"], ["b"], ["c"]], ["rock", "rock", "rocky"])
    assert set(answer(dataset, "rock", neighbours=1)) == {"a", "b"}


def test_likeness_of_titles_is_part_of_the_evidence(dataset):
    model = Titles().fit(dataset)
    titles = ["summer hits", None, "été"]
    alike = model.alike(titles)
    assert alike.shape == (3, dataset.n_playlists)
    np.testing.assert_allclose(alike.toarray()[0, :2], 1, rtol=1e-5)
    np.testing.assert_array_equal(alike.toarray(), model.evidence(titles)[0].toarray())


def test_seeds_do_not_matter_but_are_left_out(dataset):
    model = Titles(Titles.Params(**VOTES_ONLY)).fit(dataset)
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
