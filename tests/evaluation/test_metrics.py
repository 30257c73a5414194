"""The metrics against answers worked out by hand and against a plain reading of their formulas."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.evaluation import metrics
from core.evaluation.metrics import Figure, independent_difference, judge, plain, with_intervals

N_TRACKS = 40


def padded(*lists):
    width = max(map(len, lists), default=0)
    return np.array([[*ids, *[-1] * (width - len(ids))] for ids in lists], np.int32)


def arrays(*lists):
    return [np.array(tracks, np.int32) for tracks in lists]


def every_track_its_artist():
    return np.arange(1000, dtype=np.int32)


def challenge_figures(judged, artist):
    return (
        metrics.r_precision(judged, artist).tolist(),
        metrics.ndcg(judged).tolist(),
        metrics.clicks(judged).tolist(),
    )


def test_perfect_list_has_one_one_zero():
    judged = judge(padded([3, 1, 2, 9, 8]), arrays([1, 2, 3]))
    assert challenge_figures(judged, every_track_its_artist()) == ([1], [1], [0])


def test_list_without_a_hit_has_zero_zero_fifty_one():
    judged = judge(padded(range(500)), arrays([600, 700]))
    assert challenge_figures(judged, every_track_its_artist()) == ([0], [0], [51])


@pytest.mark.parametrize(("place", "clicks"), [(0, 0), (9, 0), (10, 1), (19, 1), (499, 49)])
def test_clicks_counts_pages_of_ten(place, clicks):
    ids = [*range(100, 100 + place), 7, *range(700, 700 + 499 - place)]
    assert metrics.clicks(judge(padded(ids), arrays([7]))).tolist() == [clicks]


def test_what_comes_after_500_does_not_count():
    judged = judge(padded(range(501)), arrays([500]))
    assert challenge_figures(judged, np.arange(600)) == ([0], [0], [51])
    judged = judge(padded(range(600)), arrays([*range(500, 700), *range(1000, 1400)]))
    assert metrics.r_precision(judged, np.arange(1400)).tolist() == [0]


def test_ndcg_by_hand():
    # Hits at places 2 and 4 of three hidden tracks.
    judged = judge(padded([9, 1, 8, 2]), arrays([1, 2, 3]))
    gained = 1 / math.log2(3) + 1 / math.log2(5)
    ideal = 1 + 1 / math.log2(3) + 1 / math.log2(4)
    assert metrics.ndcg(judged) == pytest.approx([gained / ideal])


def test_ndcg_is_one_for_500_hits_of_more():
    judged = judge(padded(range(500)), arrays(range(600)))
    assert metrics.ndcg(judged) == pytest.approx([1])


@pytest.mark.parametrize(
    ("recommended", "hidden", "expected"),
    [
        ([0, 1], [1, 0], 1.0),
        # One hit; 12 is missed, of the artist of 2.
        ([0, 12], [0, 2], (1 + 0.25) / 2),
        # The missed 10 is of the artist of the hit 0, which is among G's artists.
        ([0, 10], [0, 2], (1 + 0.25) / 2),
        # Two missed tracks of one artist count once.
        ([12, 22, 5], [2, 3, 4], 0.25 / 3),
        # Two missed tracks of two artists count twice.
        ([12, 13, 5], [2, 3, 4], 0.5 / 3),
        # The right artist comes after |G| places.
        ([5, 6, 12], [2, 3], 0.0),
        # A hit after |G| places is none.
        ([5, 6, 2], [2, 3], 0.0),
        # A list shorter than |G|: its end is a miss without artist.
        ([2], [2, 39], 0.5),
        # A hidden track that occurs twice is one.
        ([2, 5], [2, 2], 1.0),
    ],
)
def test_r_precision_by_hand(recommended, hidden, expected):
    # Track t is of artist t mod 10, so 2, 12 and 22 share one.
    artist = np.arange(N_TRACKS) % 10
    judged = judge(padded([*recommended, -1, -1]), arrays(hidden))
    assert metrics.r_precision(judged, artist) == pytest.approx([expected])


def test_unknown_artists_match_nothing():
    artist = np.full(N_TRACKS, -1, np.int32)
    judged = judge(padded([5, 6]), arrays([2, 3]))
    assert metrics.r_precision(judged, artist).tolist() == [0]


def test_track_only_r_precision_leaves_out_the_artist():
    judged = judge(padded([0, 12]), arrays([0, 2]))
    assert metrics.track_r_precision(judged).tolist() == [0.5]


def test_recall_and_hit_ratio():
    judged = judge(padded([9, 1, 8, 2]), arrays([2, 1, 30, 31]))
    assert [metrics.recall(judged, k).item() for k in (1, 2, 4, 1000)] == [0, 0.25, 0.5, 0.5]
    assert [metrics.hit_ratio(judged, k).item() for k in (3, 4)] == [0, 1]  # next is track 2


def test_judge_refuses_a_playlist_that_hides_nothing():
    with pytest.raises(ValueError, match="without hidden tracks"):
        judge(padded([1]), arrays([]))
    with pytest.raises(ValueError, match="2 lists"):
        judge(padded([1], [2]), arrays([1]))


def test_novelty_by_hand():
    counts = np.array([8, 4, 1, 0])
    novelty = metrics.novelty(padded([0, 1], [2, 3], [1], []), counts, 16)
    assert novelty[:3].tolist() == [1.5, 4, 2]
    assert np.isnan(novelty[3])


def test_coverage_counts_distinct_tracks():
    assert metrics.coverage(padded([0, 1], [1, 2], []), 10) == 0.3


def test_gini_ends():
    assert metrics.gini(padded([0, 1], [2, 3]), 4) == pytest.approx(0)
    assert metrics.gini(padded([0], [0], [0]), 4) == pytest.approx(1 - 1 / 4)
    assert metrics.gini(padded([0, 1], [0, 1], [0]), 3) == pytest.approx(
        sum(abs(a - b) for a in (3, 2, 0) for b in (3, 2, 0)) / (2 * 3 * 5)
    )
    assert math.isnan(metrics.gini(padded([], []), 4))


def test_popularity_lift_by_hand():
    counts = np.array([12, 6, 2, 0])
    ids, profiles = padded([0, 1], [1, 2]), arrays([2], [1, 2])
    assert metrics.popularity_lift(ids, profiles, counts) == pytest.approx((9 + 4) / (2 + 4) - 1)
    assert math.isnan(metrics.popularity_lift(ids, arrays([3], [3]), counts))


def test_intra_list_similarity_by_hand():
    embeddings = np.array([[2, 0], [0, 3], [-1, 0], [0, 0]], np.float32)
    found = metrics.intra_list_similarity(padded([0, 1], [0, 2], [0, 1, 2], [0, 3]), embeddings)
    assert found[:3] == pytest.approx([0, -1, -1 / 3])
    assert np.isnan(found[3])


# A plain reading of section 5 of the protocol, one playlist at a time.


def plain_r_precision(recommended, hidden, artist):
    truth = set(hidden)
    first = recommended[: len(truth)]
    hits = [track for track in first if track in truth]
    artists = {artist[track] for track in truth}
    right = {artist[track] for track in first if track not in truth} & artists
    return (len(hits) + 0.25 * len(right - {-1})) / len(truth)


def plain_ndcg(recommended, hidden):
    truth = set(hidden)
    dcg = sum(1 / math.log2(i + 1) for i, t in enumerate(recommended, 1) if t in truth)
    return dcg / sum(1 / math.log2(i + 1) for i in range(1, min(len(truth), 500) + 1))


def plain_clicks(recommended, hidden):
    places = [place for place, track in enumerate(recommended) if track in set(hidden)]
    return places[0] // 10 if places else 51


tracks = st.integers(0, N_TRACKS - 1)
playlist = st.tuples(st.lists(tracks, unique=True), st.lists(tracks, min_size=1))


@given(
    playlists=st.lists(playlist, min_size=1, max_size=6),
    artist=st.lists(st.integers(-1, 6), min_size=N_TRACKS, max_size=N_TRACKS),
    k=st.integers(1, 50),
)
def test_batches_agree_with_the_plain_reading(playlists, artist, k):
    lists, hidden = zip(*playlists, strict=True)
    judged = judge(padded(*lists), arrays(*hidden))
    assert metrics.r_precision(judged, np.array(artist)) == pytest.approx(
        [plain_r_precision(ids, truth, artist) for ids, truth in playlists]
    )
    assert metrics.ndcg(judged) == pytest.approx([plain_ndcg(*pair) for pair in playlists])
    assert metrics.clicks(judged).tolist() == [plain_clicks(*pair) for pair in playlists]
    assert metrics.recall(judged, k) == pytest.approx(
        [len(set(ids[:k]) & set(truth)) / len(set(truth)) for ids, truth in playlists]
    )
    assert metrics.hit_ratio(judged, k).tolist() == [
        float(truth[0] in ids[:k]) for ids, truth in playlists
    ]


@given(
    lists=st.lists(st.lists(tracks, unique=True), min_size=1, max_size=6),
    seed=st.integers(0, 5),
)
def test_figures_of_lists_agree_with_the_plain_reading(lists, seed):
    random = np.random.default_rng(seed)
    counts = random.integers(0, 9, N_TRACKS)
    embeddings = random.normal(size=(N_TRACKS, 3))
    ids = padded(*lists)

    novelty = [
        np.mean([-math.log2(max(counts[t], 1) / 9) for t in row]) if row else math.nan
        for row in lists
    ]
    assert metrics.novelty(ids, counts, 9) == pytest.approx(novelty, nan_ok=True)

    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    similarity = [
        np.mean([units[a] @ units[b] for a in row for b in row if a != b])
        if len(row) > 1
        else math.nan
        for row in lists
    ]
    assert metrics.intra_list_similarity(ids, embeddings) == pytest.approx(similarity, nan_ok=True)

    times = np.array([sum(t in row for row in lists) for t in range(N_TRACKS)])
    if times.any():
        gini = np.abs(times[:, None] - times).sum() / (2 * N_TRACKS * times.sum())
        assert metrics.gini(ids, N_TRACKS) == pytest.approx(gini)
    assert metrics.coverage(ids, N_TRACKS) == (times > 0).mean()


def test_bootstrap_is_seeded_and_its_interval_holds_the_mean():
    values = np.random.default_rng(1).exponential(size=(300, 2))
    value, low, high = metrics.bootstrap(values, seed=3)
    assert value == pytest.approx(values.mean(axis=0))
    assert (low < value).all()
    assert (value < high).all()
    assert (metrics.bootstrap(values, seed=3) == [value, low, high]).all()
    assert (metrics.bootstrap(values, seed=4)[1:] != [low, high]).all()
    assert metrics.bootstrap(values[:, 0], seed=3) == pytest.approx([value[0], low[0], high[0]])


def test_bootstrap_interval_has_the_width_of_the_normal_one_for_many_playlists():
    values = np.random.default_rng(2).normal(size=2000)
    _, low, high = metrics.bootstrap(values, resamples=2000)
    assert high - low == pytest.approx(2 * 1.96 / math.sqrt(2000), rel=0.1)


def test_bootstrap_of_equal_values_has_no_width():
    assert metrics.bootstrap(np.full(7, 0.3)) == pytest.approx([0.3, 0.3, 0.3])


def test_bootstrap_leaves_out_playlists_without_a_figure():
    values = np.array([[1, 1, math.nan], [3, math.nan, math.nan], [5, 5, math.nan]])
    figures = metrics.bootstrap(values)
    assert figures[0, :2].tolist() == [3, 3]
    assert (figures[1, :2] >= 1).all()
    assert np.isnan(figures[:, 2]).all()


def test_paired_difference_is_narrower_than_the_unpaired_one():
    random = np.random.default_rng(5)
    hard = random.normal(size=400)
    better, worse = hard + 0.1 + random.normal(scale=0.1, size=400), hard
    value, low, high = metrics.paired_difference(better, worse)
    assert value == pytest.approx((better - worse).mean())
    assert 0 < low < value < high
    assert high - low < 0.2 * np.ptp(metrics.bootstrap(better)[1:])


def test_difference_of_independent_figures_adds_errors_in_squares():
    found = independent_difference(Figure(0.5, 0.47, 0.54), Figure(0.3, 0.27, 0.36))
    assert found.value == pytest.approx(0.2)
    assert found.low == pytest.approx(0.2 - np.hypot(0.03, 0.06))
    assert found.high == pytest.approx(0.2 + np.hypot(0.04, 0.03))
    assert independent_difference(Figure(0.5, 0.4, 0.6), Figure(None)) == Figure(None)


def test_it_is_near_the_bootstrap_of_both():
    random = np.random.default_rng(0)
    one, other = random.beta(2, 5, 300), random.beta(2, 7, 200)
    first, second = (
        with_intervals(["x"], metrics.bootstrap(values[:, None]))["x"] for values in (one, other)
    )
    found = independent_difference(first, second)
    means = [
        random.choice(one, 300).mean() - random.choice(other, 200).mean() for _ in range(4_000)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.004)


def test_undefined_figures_are_none():
    assert [plain(value) for value in (0.5, float("nan"), float("inf"))] == [0.5, None, None]
