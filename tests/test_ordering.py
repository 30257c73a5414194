from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.schema import AUDIO_FEATURES
from core.errors import SegueError
from core.ordering import (
    PAGE,
    Dials,
    Taste,
    adventure_bonus,
    cosines,
    diversified,
    filter_candidates,
    has_steps,
    nearest_cosine,
    order,
    parse_years,
    popularity_bonus,
    relevance,
    same_artist,
    sequence,
    steering,
    steps,
    within_first,
)

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
    np.testing.assert_array_equal(popularity_bonus(same, songs, 1.0), [0.0])
    assert len(popularity_bonus(NONE, songs, 1.0)) == 0


@pytest.fixture(scope="module")
def compass(songs):
    """Directions of the songs: a and f point apart, c is near a, e and d between, b has none."""
    angles = {"a": 0, "c": 20, "d": 80, "e": 60, "f": 180}
    rows = np.zeros((songs.n_tracks, 2), np.float32)
    for name, angle in angles.items():
        rows[ids(songs, name)] = [np.cos(np.radians(angle)), np.sin(np.radians(angle))]
    return rows.__getitem__


def names(dataset, tracks):
    return "".join(uri.removeprefix("t:") for uri in dataset.values("uri", tracks))


def test_the_nearest_of_several_counts(songs, compass):
    near = nearest_cosine(ids(songs, "cdb"), ids(songs, "abf"), compass)
    np.testing.assert_allclose(near[:2], np.cos(np.radians([20, 80])), rtol=1e-6)
    assert np.isnan(near[2])
    assert np.isnan(nearest_cosine(ids(songs, "cd"), ids(songs, "b"), compass)).all()
    assert np.isnan(nearest_cosine(ids(songs, "cd"), ids(songs, "a"), None)).all()


def test_adventure_leads_away_from_the_seeds_and_familiarity_back(songs, compass):
    shown, seeds = ids(songs, "acdf"), ids(songs, "e")  # 60, 40, 20 and 120 degrees away
    for dial, expected in ((-1.0, "dcaf"), (1.0, "facd")):
        best = order(shown, np.ones(4), songs, Dials(adventure=dial), Taste(seeds), compass)
        assert names(songs, shown[best]) == expected
    bonus = adventure_bonus(shown, seeds, songs, compass, 0.5)
    np.testing.assert_allclose(bonus.sum(), 0, atol=1e-6)
    np.testing.assert_allclose(bonus.std(), 0.3, rtol=1e-6)
    assert adventure_bonus(shown, NONE, songs, compass, 1.0).tolist() == [0] * 4


def test_an_artist_of_the_playlist_is_as_familiar_as_can_be(songs, compass):
    # d is by the seed's artist and points away from it; f is by another and unlike it.
    bonus = adventure_bonus(ids(songs, "dfe"), ids(songs, "a"), songs, compass, -1.0)
    assert bonus[0] > bonus[2] > bonus[1]


def test_unknown_likeness_is_neither_familiar_nor_adventurous(make_dataset):
    dataset = make_dataset([["a", "b", "c", "d"]], name="four")
    rows = np.zeros((4, 2), np.float32)
    rows[dataset.ids_of(["t:a", "t:b", "t:c"])] = [[1, 0], [1, 0], [0, 1]]
    candidates = dataset.ids_of(["t:b", "t:c", "t:d"])
    bonus = adventure_bonus(candidates, dataset.ids_of(["t:a"]), dataset, rows.__getitem__, 1.0)
    np.testing.assert_allclose(bonus, [-0.6, 0.6, 0])
    unknown_seed = dataset.ids_of(["t:d"])
    assert not adventure_bonus(candidates[:2], unknown_seed, dataset, rows.__getitem__, 1.0).any()


def test_without_vectors_adventure_is_another_artist(songs):
    shown, taste = ids(songs, "acef"), Taste(ids(songs, "d"))
    best = order(shown, np.array([4, 3, 2, 1.0]), songs, Dials(adventure=1.0), taste)
    assert names(songs, shown[best]) == "efac"


def test_likes_draw_near_and_dislikes_push_away(songs, compass):
    shown = ids(songs, "acdf")
    liked = steering(shown, Taste(likes=ids(songs, "e")), songs, compass)
    np.testing.assert_allclose(liked, np.cos(np.radians([60, 40, 20, 120])), rtol=1e-6)
    disliked = steering(shown, Taste(dislikes=ids(songs, "e")), songs, compass)
    np.testing.assert_allclose(disliked, -liked)
    taste = Taste(likes=ids(songs, "f"), dislikes=ids(songs, "a"))
    best = order(shown, np.ones(4), songs, Dials(), taste, compass)
    assert names(songs, shown[best]) == "fdca"
    assert not steering(shown, Taste(ids(songs, "e")), songs, compass).any()


def test_steering_takes_what_is_unknown_for_the_mean(songs, compass):
    near = steering(ids(songs, "abf"), Taste(dislikes=ids(songs, "c")), songs, compass)
    assert near[1] == pytest.approx((near[0] + near[2]) / 2)


def test_without_vectors_tracks_of_one_artist_are_alike(songs):
    near = steering(ids(songs, "ace"), Taste(likes=ids(songs, "d")), songs, None)
    assert near.tolist() == [1, 1, 0]


def test_models_are_asked_for_seeds_then_likes_each_once():
    taste = Taste(np.array([3, 1], np.int32), np.array([5, 3], np.int32), np.array([9], np.int32))
    assert taste.asked.tolist() == [3, 1, 5]


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("1990-1999", (1990, 1999)),
        (" 1990 - 1999 ", (1990, 1999)),
        ("1990-", (1990, None)),
        ("-1999", (None, 1999)),
        ("1990", (1990, 1990)),
    ],
)
def test_years_as_they_are_written(text, years):
    assert parse_years(text) == years


@pytest.mark.parametrize("text", ["", "-", "90s", "1990 1999", "1990-99", "199-2000"])
def test_what_is_no_years_is_named(text):
    with pytest.raises(SegueError, match="are no years: write 1990-1999, 1990- or -1999"):
        parse_years(text)


@given(st.lists(st.integers(0, 5)), st.integers(1, 4))
def test_within_first_counts_each_group(groups, limit):
    expected, seen = [], {}
    for group in groups:
        seen[group] = seen.get(group, 0) + 1
        expected.append(seen[group] <= limit)
    assert within_first(np.array(groups, np.int64), limit).tolist() == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"per_artist": 0},
        {"popularity": -1.1},
        {"popularity": float("nan")},
        {"variety": 1.5},
        {"adventure": -1.01},
        {"adventure": float("nan")},
        {"years": (2000, 1999)},
    ],
)
def test_a_dial_out_of_range_is_an_error(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Dials(**wrong)


@pytest.fixture(scope="module")
def library(make_dataset):
    """Ids 0 to 4: explicit or not or unknown, of 1990, 2000, 2010 and two of no year."""
    fields = {
        "a": {"artist": "X", "explicit": True, "year": 1990},
        "b": {"artist": "Y", "explicit": False, "year": 2000},
        "c": {"artist": "X", "year": 2010},
        "d": {"artist": "Z", "explicit": True},
        "e": {"artist": "Y"},
    }
    return make_dataset([list("abcde")[: 5 - cut] for cut in range(5)], tracks=fields)


def shown(dataset, **dials):
    everything = np.arange(dataset.n_tracks, dtype=np.int32)
    allowed = filter_candidates(everything, NONE, NONE, dataset, Dials(**dials))
    return "".join(uri.removeprefix("t:") for uri in dataset.values("uri", everything[allowed]))


def test_only_what_is_known_to_be_explicit_is_hidden(library):
    assert shown(library) == "abcde"
    assert shown(library, explicit=False) == "bce"


@pytest.mark.parametrize(
    ("years", "expected"),
    [
        ((1990, 2000), "ab"),
        ((2000, None), "bc"),
        ((None, 2000), "ab"),
        ((None, None), "abc"),
        ((2011, 2020), ""),
    ],
)
def test_years_are_inclusive_and_hide_the_undated(library, years, expected):
    assert shown(library, years=years) == expected


def test_blocked_artists_are_not_shown(library):
    blocked = tuple(library.artist[ids(library, "ad")].tolist())
    assert shown(library, blocked_artists=blocked) == "be"


def test_what_bars_stays_when_wishes_go(library):
    blocked = tuple(library.artist[ids(library, "b")].tolist())
    bars = Dials(True, 1, 0.5, False, (1990, 2010), blocked, 0.5, True, 0.5).only_bars()
    assert bars == Dials(
        one_version=False, explicit=False, years=(1990, 2010), blocked_artists=blocked
    )


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=30),
    st.sampled_from([np.exp, lambda x: 7 * x + 100, np.arctan]),
)
def test_relevance_does_not_depend_on_the_scale_of_scores(scores, rescaled):
    scores = np.array(scores, np.float64)
    worth = relevance(scores)
    np.testing.assert_array_equal(relevance(rescaled(scores)), worth)
    assert worth.max() == 1
    np.testing.assert_array_equal(np.sign(np.diff(worth)), np.sign(np.diff(scores)))


def test_relevance_falls_by_a_fifth_where_the_place_doubles():
    worth = relevance(np.array([1.0, 9.0, 5.0, 2.0]))
    np.testing.assert_allclose(worth, [0.6, 1.0, 0.8, 1 - 0.2 * np.log2(3)])


def test_marginal_relevance_by_hand():
    # Worth 1, .8, .683, .6. Chosen first: 0. Then .5 * worth - .5 * likeness to it is
    # 1: .4 - .5 = -.1; 2: .34 - .4 = -.06; 3: .3 - .0 = .3. With 3 chosen as well, 2 is
    # likest to 3: .34 - .45 = -.11, and 1 comes before it.
    likeness = np.array(
        [[1, 1, 0.8, 0.0], [1, 1, 0.8, 0.1], [0.8, 0.8, 1, 0.9], [0.0, 0.1, 0.9, 1]]
    )
    worth = relevance(np.array([4.0, 3, 2, 1]))
    assert diversified(worth, likeness.__getitem__, 0.5).tolist() == [0, 3, 1, 2]
    assert diversified(worth, likeness.__getitem__, 0.05).tolist() == [0, 1, 2, 3]
    assert diversified(worth, likeness.__getitem__, 0.5, k=1).tolist() == [0, 1, 2, 3]
    assert diversified(worth, likeness.__getitem__, 0.5, k=2).tolist() == [0, 3, 1, 2]


def brute_force(worth, matrix, variety):
    chosen, left = [], list(range(len(worth)))
    while left:
        gain = [
            (1 - variety) * worth[i] - variety * max([matrix[i, j] for j in chosen], default=-1)
            for i in left
        ]
        chosen.append(left.pop(int(np.argmax(gain))))
    return chosen


@pytest.mark.parametrize("variety", [0.2, 0.5, 1.0])
def test_marginal_relevance_agrees_with_its_definition(variety):
    random = np.random.default_rng(1)
    vectors = random.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    worth = relevance(-np.arange(40.0))
    # The same products of float32 as the code's, so that no tie is broken by rounding.
    matrix = np.stack([vectors @ vector for vector in vectors], axis=1)
    found = diversified(worth, cosines(vectors), variety)
    assert found.tolist() == brute_force(worth, matrix, variety)


def test_a_track_without_a_vector_is_neither_variety_nor_repetition():
    vectors = np.array([[1, 0], [1, 0], [0, 0], [0, 1]], np.float32)
    likeness = cosines(vectors)
    np.testing.assert_allclose(likeness(0), [1, 1, 2 / 3, 0], rtol=1e-6)
    np.testing.assert_allclose(likeness(2), [2 / 3, 2 / 3, 5 / 9, 1 / 3], rtol=1e-6)
    assert diversified(np.ones(4), likeness, 1.0).tolist() == [0, 3, 2, 1]


def test_variety_compares_artists_where_there_are_no_vectors(songs):
    candidates = ids(songs, "acdef")
    scores = np.array([5, 4, 3, 2, 1.0])
    varied = candidates[order(candidates, scores, songs, Dials(variety=0.8))]
    assert songs.values("uri", varied) == ["t:a", "t:e", "t:f", "t:c", "t:d"]
    np.testing.assert_array_equal(same_artist(np.array([3, 4, 3]))(0), [1, 0, 1])


def test_directions_are_of_the_candidates(songs):
    candidates = ids(songs, "fac")
    rows = np.zeros((songs.n_tracks, 2), np.float32)
    rows[candidates] = [[0, 1], [1, 0], [0, 1]]
    for scores, expected in (([1, 3, 2.0], "acf"), ([2, 1, 3.0], "caf")):
        scores = np.array(scores)
        best = order(candidates, scores, songs, Dials(variety=0.9), Taste(), rows.__getitem__)
        assert songs.values("uri", candidates[best]) == [f"t:{name}" for name in expected]


def audio(tempo=np.nan, key=np.nan, mode=np.nan, energy=np.nan):
    values = {"tempo": tempo, "key": key, "mode": mode, "energy": energy}
    return np.array([values.get(name, np.nan) for name in AUDIO_FEATURES], np.float32)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (audio(tempo=120), audio(tempo=120), 0),
        (audio(tempo=70), audio(tempo=140), 0),
        (audio(tempo=60), audio(tempo=240), 0),
        (audio(tempo=100), audio(tempo=100 * 2**0.5), 1),
        (audio(tempo=100), audio(tempo=100 * 2**0.25), 0.5),
        (audio(key=0, mode=1), audio(key=9, mode=0), 1 / 7),  # C major and A minor
        (audio(key=0, mode=1), audio(key=7, mode=1), 1 / 7),  # C and G major
        (audio(key=0, mode=1), audio(key=5, mode=1), 1 / 7),  # C and F major
        (audio(key=0, mode=1), audio(key=1, mode=1), 5 / 7),
        (audio(key=0, mode=1), audio(key=6, mode=1), 6 / 7),
        (audio(key=0, mode=1), audio(key=3, mode=0), 1),  # C major and E flat minor
        (audio(key=-1, mode=1), audio(key=3, mode=1), np.nan),
        (audio(energy=0.2), audio(energy=0.5), 0.3),
        (audio(energy=0.2), audio(tempo=100), np.nan),
        (audio(tempo=100, energy=0.2), audio(tempo=200, energy=0.6), 0.2),
    ],
)
def test_steps_between_tracks(one, other, expected):
    np.testing.assert_allclose(steps(one, other), expected, atol=1e-6)
    np.testing.assert_allclose(steps(other, one), expected, atol=1e-6)


@pytest.fixture(scope="module")
def heard(make_dataset):
    """50 tracks of any tempo, key and energy; every seventh has no audio."""
    random = np.random.default_rng(3)
    fields = {
        f"{track:02}": {
            "tempo": random.uniform(60, 200),
            "key": float(random.integers(12)),
            "mode": float(random.integers(2)),
            "energy": random.uniform(),
        }
        for track in range(50)
        if track % 7 != 6
    }
    return make_dataset([[f"{track:02}" for track in range(50)]], tracks=fields, name="heard")


def length(dataset, tracks):
    known = dataset.audio[tracks]
    known = known[has_steps(known)]
    return steps(known[:-1], known[1:]).sum()


def test_a_sequence_is_smoother_and_keeps_every_page(heard):
    tracks = np.random.default_rng(0).permutation(50).astype(np.int32)
    smooth = tracks[sequence(tracks, heard)]
    assert length(heard, smooth) < 0.7 * length(heard, tracks)
    for start in range(0, 50, PAGE):
        page = slice(start, start + PAGE)
        assert set(smooth[page]) == set(tracks[page])
    silent = np.isnan(heard.audio[tracks]).all(axis=1)
    assert silent.sum() == 7
    np.testing.assert_array_equal(smooth[silent], tracks[silent])
    assert smooth[0] == tracks[0]


def test_a_sequence_goes_on_from_the_last_seed(heard):
    seed, *tracks = heard.ids_of([f"t:{track:02}" for track in (0, 1, 2, 3, 4, 5)])
    tracks = np.array(tracks)
    smooth = tracks[sequence(tracks, heard, seed)]
    shortest = min(length(heard, [seed, *path]) for path in permutations(tracks))
    assert length(heard, [seed, *smooth]) == pytest.approx(shortest)


def test_a_silent_seed_leaves_the_best_first(heard):
    seed, *tracks = heard.ids_of([f"t:{track:02}" for track in (6, 13, 1, 2, 3, 4)])
    tracks = np.array(tracks)
    smooth = tracks[sequence(tracks, heard, seed)]
    np.testing.assert_array_equal(smooth, tracks[sequence(tracks, heard)])
    np.testing.assert_array_equal(smooth[:2], tracks[:2])


@pytest.mark.parametrize("tracks", [[], [6], [1], [6, 1], [6, 13, 20]])
def test_short_and_silent_lists_stay(heard, tracks):
    tracks = heard.ids_of([f"t:{track:02}" for track in tracks])
    for seed in (None, 1, 6):
        np.testing.assert_array_equal(sequence(tracks, heard, seed), np.arange(len(tracks)))
