import numpy as np
import pytest
from scipy.stats import spearmanr

from core.retrieval.base import Queries
from core.retrieval.neighbours import PlaylistKNN
from core.retrieval.rating import (
    Inputs,
    PopularityRating,
    embedded_artists,
    r_squared,
    ridge,
    standardised,
)

TRACKS = 300


@pytest.fixture(scope="module")
def energetic(make_dataset):
    """The more energy a track has, the more playlists hold it; every tenth has no features.

    Playlists are of the first or the second half of the tracks. The last 30 tracks are in one
    playlist only, the last: what is left when it is not selected rates them by audio alone.
    """
    random = np.random.default_rng(4)
    energy = random.permutation(np.linspace(0.02, 0.98, TRACKS))
    heard = TRACKS - 30
    chance = np.exp(3 * energy[:heard])
    playlists = []
    for row in range(200):
        half = np.flatnonzero(np.arange(heard) % 2 == row % 2)
        share = chance[half] / chance[half].sum()
        playlists.append([str(track) for track in random.choice(half, 20, False, share)])
    playlists.append([str(track) for track in range(TRACKS)])
    fields = {
        str(track): {"energy": float(energy[track]), "valence": float(random.random())}
        for track in range(TRACKS)
        if track % 10
    }
    return make_dataset(playlists, None, fields, name="energetic")


@pytest.fixture(scope="module")
def view(energetic):
    return energetic.select(np.arange(200))


@pytest.fixture(scope="module")
def model(view):
    return PopularityRating(PopularityRating.Params(penalty=1.0)).fit(view, seed=3)


def test_the_rating_follows_what_makes_tracks_popular(model, view):
    energy = np.array(view.values("energy", np.arange(view.n_tracks)), np.float64)
    unheard = np.flatnonzero((view.counts == 0) & np.isfinite(energy))
    assert len(unheard) >= 20
    assert spearmanr(model.ratings[unheard], energy[unheard]).statistic > 0.9


def test_held_out_tracks_are_rated_better_than_by_the_mean(model):
    assert 0.3 < model.fit_quality < 1


def test_where_nothing_tells_ratings_the_fit_is_not_better_than_the_mean(make_dataset):
    random = np.random.default_rng(0)
    playlists = [[str(track) for track in random.choice(200, 15, False)] for _ in range(60)]
    fields = {str(track): {"energy": float(random.random())} for track in range(200)}
    dataset = make_dataset(playlists, None, fields)
    assert PopularityRating().fit(dataset).fit_quality < 0.1


def test_candidates_are_those_of_the_neighbours_ordered_by_rating(view):
    model = PopularityRating(PopularityRating.Params(candidates=12)).fit(view)
    queries = Queries([np.array([3, 5], np.int32), np.array([8], np.int32)], [None, None])
    answer = model.recommend(queries, 20)
    nearest = PlaylistKNN().fit(view).recommend(queries, 12)
    assert (answer.ids[:, 12:] == -1).all()
    np.testing.assert_array_equal(np.sort(answer.ids[:, :12]), np.sort(nearest.ids))
    np.testing.assert_array_equal(answer.scores[:, :12], model.ratings[answer.ids[:, :12]])
    assert (answer.ids[:, :12] != nearest.ids).any()


def test_seeds_without_neighbours_have_no_candidates(model, view):
    unheard = np.flatnonzero(view.counts == 0).astype(np.int32)
    assert (model.recommend(Queries.single(unheard), 10).ids == -1).all()


def test_only_playlists_of_the_view_are_counted(model, energetic):
    whole = PopularityRating(model.params).fit(energetic, seed=3)
    again = PopularityRating(model.params).fit(energetic.select(np.arange(200)), seed=3)
    np.testing.assert_array_equal(again.ratings, model.ratings)
    assert (whole.ratings != model.ratings).any()


def test_saved_and_loaded_rates_equally(model, view, tmp_path):
    model.save(tmp_path)
    loaded = PopularityRating.load(tmp_path, view)
    np.testing.assert_array_equal(loaded.ratings, model.ratings)
    assert loaded.fit_quality == model.fit_quality


def test_ratings_that_do_not_differ_have_no_quality(make_dataset, tmp_path):
    dataset = make_dataset([["a", "b"], ["c", "d"]])
    model = PopularityRating().fit(dataset)
    assert np.isnan(model.fit_quality)
    assert not model.ratings.any()
    model.save(tmp_path)
    assert np.isnan(PopularityRating.load(tmp_path, dataset).fit_quality)


def test_a_common_artist_makes_a_rating(make_dataset):
    """Tracks of one artist are in many playlists: a track of its that none holds is rated high."""
    fields = {f"{who}{track}": {"artist": who} for who in "xyz" for track in range(20)}
    popular = [[f"x{track}" for track in range(19)] for _ in range(30)]
    rare = [[f"{who}{track}" for track in range(19)] for who in "yz"]
    last = [[f"{who}19" for who in "xyz"]]
    whole = make_dataset([*popular, *rare, *last], None, fields)
    view = whole.select(np.arange(32))
    model = PopularityRating(PopularityRating.Params(penalty=0.1)).fit(view)
    unheard = dict(
        zip("xyz", model.ratings[whole.ids_of(["t:x19", "t:y19", "t:z19"])], strict=True)
    )
    assert unheard["x"] > 0.5 > -0.5 > max(unheard["y"], unheard["z"])


def test_artists_that_share_playlists_are_alike(make_dataset):
    fields = {f"{who}{track}": {"artist": who} for who in "abcd" for track in range(6)}
    together = [
        [f"{who}{n % 6}" for who in who_both] for who_both in ("ab", "cd") for n in range(9)
    ]
    dataset = make_dataset(together, None, fields)
    of = dict(zip("abcd", dataset.artist[dataset.ids_of([f"t:{w}0" for w in "abcd"])], strict=True))
    vectors = embedded_artists(dataset, 2, seed=0)
    alike = vectors @ vectors.T
    np.testing.assert_allclose(np.diag(alike), 1, rtol=1e-5)
    assert min(alike[of["a"], of["b"]], alike[of["c"], of["d"]]) > 0.99
    assert np.abs(alike[of["a"], [of["c"], of["d"]]]).max() < 0.01


def test_only_artists_of_several_tracks_have_a_vector(make_dataset):
    fields = {f"{who}{track}": {"artist": who} for who in "ab" for track in range(2)}
    dataset = make_dataset([["a0", "a1", "b0", "c"], ["b1", "d"]], None, fields)
    view = dataset.select(np.array([0]))
    lengths = np.linalg.norm(embedded_artists(view, 2, seed=0), axis=1)
    artist = view.artist[view.ids_of(["t:a0", "t:b0", "t:c", "t:d"])]
    np.testing.assert_allclose(lengths[artist], [1, 0, 0, 0], rtol=1e-5)


def test_inputs_by_hand():
    audio = np.array([[2.0, np.nan], [-1.0, 3.0]], np.float32)
    vectors = np.array([[0.0, 1.0], [1.0, 0.0]], np.float32)
    inputs = Inputs(audio, np.array([1, 0], np.int32), vectors)
    wanted = [[1, 2, 0, 4, 0, 0, 1, 1, 0], [1, -1, 3, 1, 9, 0, 0, 0, 1]]
    np.testing.assert_array_equal(inputs.rows(np.array([0, 1])), wanted)


def test_ridge_finds_weights_and_shrinks_them():
    random = np.random.default_rng(0)
    n = 70_000  # more than one block
    inputs = Inputs(
        random.standard_normal((n, 1)).astype(np.float32),
        np.zeros(n, np.int32),
        np.zeros((1, 0), np.float32),
    )
    tracks = np.arange(n)
    wanted = np.array([0.5, 2.0, -1.0, 0.0])
    ratings = inputs.rows(tracks) @ wanted
    np.testing.assert_allclose(ridge(inputs, tracks, ratings, 1e-6), wanted, atol=1e-6)
    shrunk = ridge(inputs, tracks, ratings, 1e6)
    assert np.linalg.norm(shrunk) < 0.2 * np.linalg.norm(wanted)


def test_r_squared_by_hand():
    ratings = np.array([1.0, 3.0])
    assert r_squared(ratings, ratings) == 1
    assert r_squared(np.array([2.0, 2.0]), ratings) == 0
    assert r_squared(np.array([0.0, 3.0]), ratings) == 0.5
    assert np.isnan(r_squared(np.ones(2), np.ones(2)))
    assert np.isnan(r_squared(np.empty(0), np.empty(0)))


def test_standardised():
    np.testing.assert_allclose(standardised(np.array([1.0, 3.0])), [-1, 1])
    np.testing.assert_array_equal(standardised(np.array([4.0, 4.0])), [0, 0])
