"""Mixed playlists fall into the planted styles, and every beginning of a list keeps the shares."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import SegueError
from core.moods import closeness, continue_moods, divisions, moods, split
from core.ordering import Dials, has_steps, steps
from core.recommender import Recommender
from core.retrieval import MODELS
from core.retrieval.base import unit
from tests.conftest import style_of


@pytest.fixture(scope="module")
def recommender(planted):
    als = MODELS["als"](MODELS["als"].Params(factors=8)).fit(planted)
    return Recommender(planted, {"als": als, "playlist_knn": MODELS["playlist_knn"]().fit(planted)})


def mixed(dataset, counts, seed=0):
    """Seeds of several styles in random order: so many of each."""
    random = np.random.default_rng(seed)
    names = [
        f"t:{style}-{track:02}"
        for style, count in counts.items()
        for track in random.choice(30, count, replace=False)
    ]
    return dataset.ids_of(random.permutation(names).tolist())


def styles(dataset, seeds, mood):
    return set(style_of(dataset, seeds[list(mood.seeds)]))


@pytest.mark.parametrize(
    "counts", [{0: 10, 2: 6}, {1: 9, 3: 7, 0: 5}, {0: 12, 1: 9, 2: 7, 3: 6}], ids=len
)
def test_the_moods_of_a_mixed_playlist_are_its_styles(planted, recommender, counts):
    seeds = mixed(planted, counts)
    found = moods(recommender, seeds)
    assert [styles(planted, seeds, mood) for mood in found] == [{style} for style in counts]
    assert [mood.share for mood in found] == [n / len(seeds) for n in counts.values()]
    assert sorted(at for mood in found for at in mood.seeds) == list(range(len(seeds)))
    for mood in found:
        assert list(mood.seeds) == sorted(mood.seeds)


@pytest.mark.parametrize("counts", [{2: 20}, {0: 3, 1: 2}, {3: 1}, {1: 18, 2: 1}], ids=str)
def test_one_style_or_too_few_tracks_are_one_mood(planted, recommender, counts):
    seeds = mixed(planted, counts)
    (mood,) = moods(recommender, seeds)
    assert mood.seeds == tuple(range(len(seeds)))
    assert mood.share == 1
    assert mood.name


def test_no_seeds_have_no_mood(recommender):
    assert moods(recommender, np.empty(0, np.int32)) == []


def test_a_few_stray_tracks_join_the_nearest_mood(planted, recommender):
    seeds = mixed(planted, {0: 12, 2: 10, 3: 1})
    found = moods(recommender, seeds)
    assert len(found) == 2
    assert sum(len(mood.seeds) for mood in found) == 23


def test_without_vectors_there_is_one_mood(planted):
    alone = Recommender(planted, {"playlist_knn": MODELS["playlist_knn"]().fit(planted)})
    assert len(moods(alone, mixed(planted, {0: 10, 2: 10}))) == 1


def test_moods_are_named_by_the_titles_where_they_are_at_home(planted, recommender):
    found = moods(recommender, mixed(planted, {1: 9, 3: 7, 0: 5}))
    assert [mood.name for mood in found] == ["style one", "style three", "style zero"]


@pytest.fixture(scope="module")
def shelves(make_dataset):
    """Two kinds of tracks that never meet: jazz of two artists, and rock of which little is known.

    All their playlists are titled "my playlist".
    """
    random = np.random.default_rng(4)
    fields = {f"j{n}": {"artist": f"J{n % 2}", "genre": "jazz"} for n in range(20)}
    fields |= {f"r{n}": {"artist": "Rocker" if n % 3 else f"R{n}"} for n in range(20)}
    playlists = [[f"{kind}{n}" for n in random.choice(20, 8, replace=False)] for kind in "jr" * 30]
    return make_dataset(playlists, ["My Playlist"] * 60, fields, "shelves")


def test_a_known_genre_names_a_mood_and_else_its_artist(shelves):
    als = MODELS["als"](MODELS["als"].Params(factors=4)).fit(shelves)
    seeds = shelves.ids_of([f"t:j{n}" for n in range(8)] + [f"t:r{n}" for n in range(7)])
    found = moods(Recommender(shelves, {"als": als}), seeds)
    assert [mood.name for mood in found] == ["jazz", "Rocker"]


def test_names_are_distinct_where_one_genre_has_two_moods(make_dataset):
    random = np.random.default_rng(4)
    fields = {
        f"{kind}{n}": {"artist": f"{kind} {n}", "genre": "pop"} for kind in "xy" for n in range(20)
    }
    playlists = [[f"{kind}{n}" for n in random.choice(20, 8, replace=False)] for kind in "xy" * 30]
    dataset = make_dataset(playlists, ["Gym", "Sleep well"] * 30, fields, "pops")
    als = MODELS["als"](MODELS["als"].Params(factors=4)).fit(dataset)
    seeds = dataset.ids_of([f"t:y{n}" for n in range(8)] + [f"t:x{n}" for n in range(7)])
    found = moods(Recommender(dataset, {"als": als}), seeds)
    assert [mood.name for mood in found] == ["pop", "gym"]


@given(st.integers(0, 50), st.integers(6, 40))
def test_divisions_are_into_two_and_more_groups_and_always_the_same(seed, n):
    rows = unit(np.random.default_rng(seed).normal(size=(n, 5)))
    found = divisions(rows)
    for count, groups in enumerate(found, 2):
        assert set(groups.tolist()) == set(range(count))
    again = divisions(rows)
    assert all((one == other).all() for one, other in zip(found, again, strict=True))


def test_rows_that_do_not_differ_are_not_divided():
    rows = np.tile([1.0, 0.0], (9, 1))
    assert divisions(rows) == []
    directions = np.tile(np.array([1, 0], np.float32), (9, 1)).__getitem__
    assert not split(np.arange(9, dtype=np.int32), directions, np.arange(9)).any()


def test_closeness_is_seen_from_the_usual_direction():
    usual = np.array([0.0, 0.0, 5.0])
    rows = np.array([[1, 0, 5], [1, 0, 5], [0, 1, 5], [0, 1, 5]], float)
    assert closeness(rows, np.array([0, 0, 1, 1]), usual) == pytest.approx(0)
    assert closeness(rows, np.array([0, 0, 1, 1]), 0 * usual) == pytest.approx(25 / 26)
    rows[2:, :2] *= -1
    assert closeness(np.vstack([rows, -rows[:2]]), np.repeat([0, 1, 2], 2), 0 * usual) < 1


def asked(recommender, dataset, shares, k=20, **more):
    seeds = mixed(dataset, {0: 10, 2: 8, 1: 6})
    found = moods(recommender, seeds)
    return seeds, found, continue_moods(recommender, seeds, None, k, found, shares, **more)


@pytest.mark.parametrize("shares", [(1, 1, 1), (0.6, 0.3, 0.1), (70, 0, 30), (0, 0, 2)])
def test_every_beginning_of_the_list_keeps_the_shares(planted, recommender, shares):
    _, found, (answer, mood_of) = asked(recommender, planted, shares, 24)
    wanted = np.array(shares) / sum(shares)
    assert len(answer.tracks) == len(set(answer.tracks.tolist())) == len(mood_of) == 24
    for length in range(1, 25):
        counts = np.bincount(mood_of[:length], minlength=len(found))
        assert (np.abs(counts - wanted * length) < 1).all()
    assert set(mood_of.tolist()) == set(np.flatnonzero(wanted).tolist())
    of_style = np.array([0, 2, 1])[mood_of]
    assert np.mean(of_style == style_of(planted, answer.tracks)) > 0.9


def test_a_single_mood_is_continued_by_its_own_seeds(planted, recommender):
    seeds, found, (answer, mood_of) = asked(recommender, planted, (0, 1, 0), 10)
    alone = recommender.continue_playlist(seeds[list(found[1].seeds)], k=10)
    assert answer.tracks.tolist() == alone.tracks.tolist()
    assert mood_of.tolist() == [1] * 10
    np.testing.assert_array_equal(answer.scores, alone.scores)
    for name, places in alone.ranks.items():
        np.testing.assert_array_equal(answer.ranks[name], places)
    np.testing.assert_array_equal(seeds[answer.closest], seeds[list(found[1].seeds)][alone.closest])


def test_the_moods_are_answered_in_one_batch(planted, recommender, monkeypatch):
    monkeypatch.setattr(recommender, "_recent", {})
    queries = []
    model = recommender.models["als"]
    answer = model.recommend
    monkeypatch.setattr(
        model, "recommend", lambda query, k: (queries.append(len(query)), answer(query, k))[1]
    )
    asked(recommender, planted, (1, 1, 1))
    assert queries == [3]


def test_dials_hold_over_the_merged_list(planted, recommender):
    _, _, (answer, _) = asked(recommender, planted, (1, 1, 1), 18, dials=Dials(per_artist=1))
    artists = Counter(planted.artist[answer.tracks].tolist())
    assert max(artists.values()) == 1


def test_seeds_likes_and_dislikes_of_any_mood_are_not_shown(planted, recommender):
    seeds, _, (first, _) = asked(recommender, planted, (1, 1, 1), 12)
    told = {"likes": first.tracks[:2], "dislikes": first.tracks[2:5]}
    _, _, (again, _) = asked(recommender, planted, (1, 1, 1), 12, **told)
    assert len(again.tracks) == 12
    assert not set(again.tracks.tolist()) & {*seeds.tolist(), *first.tracks[:5].tolist()}


def test_a_liked_track_is_of_the_nearest_mood(planted, recommender):
    seeds = mixed(planted, {0: 10, 2: 8})
    found = moods(recommender, seeds)
    liked = planted.ids_of([f"t:2-{n:02}" for n in range(30)])
    liked = liked[~np.isin(liked, seeds)][:1]
    told, _ = continue_moods(recommender, seeds, None, 20, found, (0, 1), likes=liked)
    second = seeds[list(found[1].seeds)]
    alone = recommender.continue_playlist(second, k=20, likes=liked)
    assert told.tracks.tolist() == alone.tracks.tolist()
    other, _ = continue_moods(recommender, seeds, None, 20, found, (1, 0), likes=liked)
    without, _ = continue_moods(recommender, seeds, None, 20, found, (1, 0))
    assert other.tracks.tolist() == without.tracks.tolist()


def test_smooth_transitions_hold_across_moods(planted, recommender):
    _, _, (plain, _) = asked(recommender, planted, (1, 1, 1), 20)
    _, _, (smooth, mood_of) = asked(recommender, planted, (1, 1, 1), 20, dials=Dials(smooth=True))
    assert set(smooth.tracks.tolist()) == set(plain.tracks.tolist())
    assert length(planted, smooth.tracks) < length(planted, plain.tracks)
    assert np.mean(np.array([0, 2, 1])[mood_of] == style_of(planted, smooth.tracks)) > 0.9


def length(dataset, tracks):
    audio = dataset.audio[tracks]
    audio = audio[has_steps(audio)]
    return steps(audio[:-1], audio[1:]).sum()


@pytest.mark.parametrize(
    ("shares", "sentence"),
    [((0, 0, 0), "Every mood's share is 0"), ((1, -1, 1), "share is not 0 or more")],
)
def test_shares_that_say_nothing_are_an_error(planted, recommender, shares, sentence):
    with pytest.raises(SegueError, match=sentence):
        asked(recommender, planted, shares)
