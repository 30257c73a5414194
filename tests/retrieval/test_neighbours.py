from math import sqrt

import numpy as np
import pytest
from scipy import sparse

from core.retrieval.base import Queries
from core.retrieval.neighbours import (
    ArtistKNN,
    PlaylistKNN,
    as_shares,
    keep_nearest,
    tail_weights,
    unit_rows,
)


def ids(dataset, names):
    return dataset.ids_of([f"t:{name}" for name in names])


def scores_by_name(dataset, answer):
    names = dataset.values("title", answer.ids[0][answer.ids[0] >= 0])
    return dict(zip(names, answer.scores[0].tolist(), strict=False))


@pytest.fixture(scope="module")
def dataset(make_dataset):
    return make_dataset([["a", "b", "x"], ["a", "c", "y", "z"], ["d", "e"], ["a", "f"]])


def test_votes_are_similarities_to_a_power(dataset):
    """Seeds a (3 playlists, weight 1/(2^.5 + 1)) and b (weight 1) against lengths 3, 4 and 2."""
    params = PlaylistKNN.Params(popularity_power=0.5, tail_power=0, vote_power=2)
    model = PlaylistKNN(params).fit(dataset)
    answer = model.recommend(Queries.single(ids(dataset, "ab")), 10)
    weight = 1 / (sqrt(2) + 1)
    votes = np.array([(weight + 1) / sqrt(3), weight / sqrt(4), weight / sqrt(2)]) ** 2
    first, second, third = votes / votes.sum()
    expected = {"x": first, "f": third, "c": second, "y": second, "z": second}
    assert scores_by_name(dataset, answer) == pytest.approx(expected, rel=1e-5)


def test_only_the_nearest_playlists_vote(dataset):
    model = PlaylistKNN(PlaylistKNN.Params(neighbours=1)).fit(dataset)
    answer = model.recommend(Queries.single(ids(dataset, "ab")), 10)
    assert scores_by_name(dataset, answer) == pytest.approx({"x": 1.0})


def test_equally_near_playlists_all_vote(make_dataset):
    dataset = make_dataset([["a", "b"], ["a", "c"], ["a", "d", "e"]])
    model = PlaylistKNN(PlaylistKNN.Params(neighbours=1)).fit(dataset)
    answer = model.recommend(Queries.single(ids(dataset, "a")), 10)
    assert scores_by_name(dataset, answer) == pytest.approx({"b": 0.5, "c": 0.5})


def test_contributions_divide_a_vote_by_similarity(dataset):
    params = PlaylistKNN.Params(popularity_power=0.5, tail_power=0)
    model = PlaylistKNN(params).fit(dataset)
    shares = model.seed_contributions(ids(dataset, "ab"), ids(dataset, "xf"))
    of_a = (1 / (sqrt(2) + 1)) / (1 / (sqrt(2) + 1) + 1)
    assert shares[0, 0] / shares[:, 0].sum() == pytest.approx(of_a, rel=1e-5)
    assert shares[1, 1] == 0


def test_last_seeds_weigh_more(dataset):
    """Seeds in two playlists that differ in nothing else: the later one's votes are more."""
    params = PlaylistKNN.Params(tail_power=1, vote_power=1)
    model = PlaylistKNN(params).fit(dataset)
    found = scores_by_name(dataset, model.recommend(Queries.single(ids(dataset, "de")), 5))
    assert found == {}
    forward = scores_by_name(dataset, model.recommend(Queries.single(ids(dataset, "xc")), 10))
    back = scores_by_name(dataset, model.recommend(Queries.single(ids(dataset, "cx")), 10))
    similar = np.array([1 / sqrt(4), 1 / 2 / sqrt(3)])  # of the playlists with c and with x
    assert forward["y"] == pytest.approx(similar[0] / similar.sum(), rel=1e-5)
    assert back["y"] < forward["y"]


def test_tail_weights_fall_from_the_end_of_each_query():
    weights = tail_weights(np.array([3, 0, 1]), 1)
    np.testing.assert_allclose(weights, [1 / 3, 1 / 2, 1, 1])


LONG = [f"{place:03}" for place in range(400)]


def test_a_vote_goes_to_what_is_near_the_shared_tracks(make_dataset):
    """Within 5, 20, 80 and 320 tracks of the only seed: 4, 3, 2 or 1 of the 4 reaches."""
    dataset = make_dataset([LONG])
    model = PlaylistKNN(PlaylistKNN.Params(nearness=0.8)).fit(dataset)
    found = scores_by_name(dataset, model.recommend(Queries.single(ids(dataset, ["010"])), 400))
    expected = {"005": 1, "015": 1, "016": 0.75, "030": 0.75, "031": 0.5, "330": 0.25, "331": 0}
    for name, share in expected.items():
        assert found[name] == pytest.approx(0.2 + 0.8 * share, abs=1e-5), name


def test_nearness_does_not_cross_the_end_of_a_playlist(make_dataset):
    dataset = make_dataset([["s", *LONG], ["x", "y"]])
    model = PlaylistKNN(PlaylistKNN.Params(nearness=1)).fit(dataset)
    found = scores_by_name(dataset, model.recommend(Queries.single(ids(dataset, "s")), 500))
    assert set(found) == set(LONG[:320])


def test_nearness_weighs_each_seed(make_dataset):
    """Two equal seeds 200 apart, seen from beside one: 3 reaches have a half, one has all."""
    dataset = make_dataset([LONG])
    model = PlaylistKNN(PlaylistKNN.Params(nearness=1, tail_power=0)).fit(dataset)
    seeds = ids(dataset, ["100", "300"])
    found = scores_by_name(dataset, model.recommend(Queries.single(seeds), 400))
    assert found["101"] == pytest.approx((3 * 0.5 + 1) / 4, rel=1e-5)
    shares = model.seed_contributions(seeds, ids(dataset, ["101"]))
    assert shares[:, 0] == pytest.approx([0.5, 0.125], rel=1e-5)


@pytest.fixture(scope="module")
def by_artist(make_dataset):
    artists = {"a": "one", "b": "one", "n": "one", "x": "two", "y": "three", "z": "four"}
    tracks = {track: {"artist": artist} for track, artist in artists.items()}
    whole = make_dataset([["a", "b", "x"], ["a", "y"], ["z", "x"], ["n"]], tracks=tracks)
    return whole.select(np.array([0, 1, 2]))


def test_artists_are_compared_by_cosine(by_artist):
    """Weights: root of tracks × (log(4 / (1 + playlists)) + 1)."""
    model = ArtistKNN(ArtistKNN.Params(vote_power=1)).fit(by_artist)
    found = scores_by_name(by_artist, model.recommend(Queries.single(ids(by_artist, "n")), 9))
    common, rare = np.log(4 / 3) + 1, np.log(4 / 2) + 1  # artists of two and of one playlist
    first = sqrt(2) * common / np.hypot(sqrt(2) * common, common)
    second = common / np.hypot(common, rare)
    share = first / (first + second)
    expected = {"a": 1, "b": share, "x": share, "y": 1 - share}
    assert found == pytest.approx(expected, rel=1e-5)


def test_seeds_of_one_artist_share_its_part(by_artist):
    model = ArtistKNN().fit(by_artist)
    seeds = ids(by_artist, "nbz")
    answer = model.recommend(Queries.single(seeds), 3)
    shares = model.seed_contributions(seeds, answer.ids[0])
    np.testing.assert_allclose(shares.sum(axis=0), answer.scores[0], rtol=1e-5)
    np.testing.assert_allclose(shares[0], shares[1], rtol=1e-5)


def test_fitting_leaves_the_dataset_alone(by_artist):
    before = [by_artist.playlists.indptr.copy(), by_artist.playlists.tracks.copy()]
    ArtistKNN().fit(by_artist).recommend(Queries.single(ids(by_artist, "ab")), 3)
    np.testing.assert_array_equal(by_artist.playlists.indptr, before[0])
    np.testing.assert_array_equal(by_artist.playlists.tracks, before[1])


def rows(*dense):
    return sparse.csr_array(np.array(dense, np.float32))


def test_keep_nearest_keeps_ties_and_drops_what_is_far():
    kept = keep_nearest(rows([3, 1, 2, 2], [0, 1, 0, 0], [0, 0, 0, 0]), 2)
    np.testing.assert_array_equal(kept.toarray(), [[3, 0, 2, 2], [0, 1, 0, 0], [0, 0, 0, 0]])
    kept = keep_nearest(rows([3, 1, 2, 2], [0, 1, 0, 0]), 1, least=1.5)
    np.testing.assert_array_equal(kept.toarray(), [[3, 0, 0, 0], [0, 0, 0, 0]])


def test_shares_sum_to_one_and_keep_their_source():
    source = rows([3, 0, 1], [0, 0, 0], [0, 2, 0])
    shared = as_shares(source, 2)
    np.testing.assert_allclose(shared.toarray(), [[0.9, 0, 0.1], [0, 0, 0], [0, 1, 0]], rtol=1e-6)
    assert source.max() == 3


def test_rows_of_length_one_keep_zeros():
    found = unit_rows(rows([3, 4], [0, 0], [0, 2])).toarray()
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0], [0, 1]], rtol=1e-6)


def test_no_seed_contributes_nothing(by_artist):
    for model in (PlaylistKNN, ArtistKNN):
        none = np.empty(0, np.int32)
        shares = model().fit(by_artist).seed_contributions(none, ids(by_artist, "ab"))
        assert shares.shape == (0, 2)
