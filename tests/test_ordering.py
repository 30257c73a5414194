import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.ordering import Dials, filter_candidates, order, popularity_weight, within_first

NONE = np.empty(0, np.int32)


@pytest.fixture(scope="module")
def songs(make_dataset):
    """Ids 0 to 5 by popularity: a song, its live version, two more by the artist, two others."""
    fields = {
        "a": {"title": "Halo", "artist": "X"},
        "b": {"title": "Halo (Live)", "artist": "X"},
        "c": {"title": "Sun", "artist": "X"},
        "d": {"title": "Moon", "artist": "X"},
        "e": {"title": "Halo", "artist": "Y"},
        "f": {"title": "Rain", "artist": "Z"},
    }
    playlists = [list("abcdef")[: 6 - cut] for cut in range(6)]
    return make_dataset(playlists, tracks=fields, name="songs")


def ids(dataset, names):
    return dataset.ids_of([f"t:{name}" for name in names])


def test_the_filter_bars_seeds_dislikes_and_their_versions(songs):
    everything = np.arange(6, dtype=np.int32)
    allowed = filter_candidates(everything, ids(songs, "a"), ids(songs, "f"), songs, Dials())
    assert set(songs.values("uri", everything[allowed])) == {"t:c", "t:d", "t:e"}


def test_versions_stay_when_asked_for(songs):
    everything = np.arange(6, dtype=np.int32)
    dials = Dials(one_version=False)
    allowed = filter_candidates(everything, ids(songs, "a"), NONE, songs, dials)
    assert set(songs.values("uri", everything[allowed])) == {f"t:{name}" for name in "bcdef"}


def test_the_better_scored_version_is_shown(songs):
    candidates = ids(songs, "abcdef")
    scores = np.array([1, 5, 2, 3, 4, 6.0])
    best = candidates[order(candidates, scores, songs, Dials())]
    assert songs.values("uri", best) == ["t:f", "t:b", "t:e", "t:d", "t:c"]


def test_an_artist_has_so_many_tracks_and_the_best_of_them(songs):
    candidates = ids(songs, "acdef")
    scores = np.array([1, 5, 4, 3, 2.0])
    best = candidates[order(candidates, scores, songs, Dials(per_artist=2))]
    assert songs.values("uri", best) == ["t:c", "t:d", "t:e", "t:f"]


def test_the_popularity_dial_turns_the_order_around(songs):
    candidates = ids(songs, "acdef")
    scores = np.ones(5)
    popular = candidates[order(candidates, scores, songs, Dials(popularity=1))]
    deep = candidates[order(candidates, scores, songs, Dials(popularity=-1))]
    assert songs.values("uri", popular) == [f"t:{name}" for name in "acdef"]
    np.testing.assert_array_equal(deep, popular[::-1])


def test_equally_popular_candidates_are_not_steered(songs):
    same = ids(songs, "a")
    np.testing.assert_array_equal(popularity_weight(same, songs, 1.0), [1.0])
    assert len(popularity_weight(NONE, songs, 1.0)) == 0


@given(st.lists(st.integers(0, 5)), st.integers(1, 4))
def test_within_first_counts_each_group(groups, limit):
    expected, seen = [], {}
    for group in groups:
        seen[group] = seen.get(group, 0) + 1
        expected.append(seen[group] <= limit)
    assert within_first(np.array(groups, np.int64), limit).tolist() == expected
