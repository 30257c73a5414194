import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.dataset import Playlists
from core.evaluation.metrics import gini_coefficient
from core.explore import spread
from core.explore.spread import (
    artist_counts,
    ccdf,
    length_histogram,
    lorenz,
    rank_frequency,
    top_share,
)

COUNTS = st.lists(st.integers(0, 50), min_size=1, max_size=60).map(np.array)


def playlists(*tracks: list[int]) -> Playlists:
    held = np.array([track for row in tracks for track in row], np.int32)
    indptr = np.cumsum([0, *map(len, tracks)])
    return Playlists(indptr, held, [None] * len(tracks), 6)


class TestArtistCounts:
    ARTIST = np.array([0, 0, 1, 2, -1, 1], np.int32)

    def test_an_artist_counts_once_in_a_playlist(self):
        some = playlists([0, 1, 2], [], [1, 0], [4], [2, 5, 3])
        assert artist_counts(some, self.ARTIST, 4).tolist() == [2, 2, 1, 0]

    @pytest.mark.parametrize("at_once", [1, 2, 3, 100])
    def test_however_many_entries_are_taken_at_once(self, at_once, monkeypatch):
        monkeypatch.setattr(spread, "_ENTRIES_AT_ONCE", at_once)
        random = np.random.default_rng(0)
        rows = [random.choice(6, random.integers(0, 7), replace=False) for _ in range(40)]
        expected = [sum(a in self.ARTIST[row] for row in rows) for a in range(3)]
        assert artist_counts(playlists(*rows), self.ARTIST, 3).tolist() == expected

    def test_nothing_is_no_error(self):
        assert artist_counts(playlists(), self.ARTIST, 3).tolist() == [0, 0, 0]
        assert artist_counts(playlists([], []), self.ARTIST, 3).tolist() == [0, 0, 0]


class TestLorenz:
    def test_by_hand(self):
        curve = lorenz(np.array([6, 1, 0, 3]))
        assert curve.x.tolist() == [0, 0.25, 0.5, 0.75, 1]
        assert curve.y == pytest.approx([0, 0, 0.1, 0.4, 1])

    def test_equal_counts_are_the_diagonal(self):
        curve = lorenz(np.full(37, 5))
        assert curve.y == pytest.approx(curve.x)
        assert gini_coefficient(np.full(37, 5)) == pytest.approx(0, abs=1e-12)

    def test_one_owner_of_all(self):
        assert gini_coefficient(np.array([0, 0, 9, 0, 0])) == pytest.approx(1 - 1 / 5)
        assert lorenz(np.array([0, 0, 9, 0, 0])).y.tolist() == [0, 0, 0, 0, 0, 1]

    def test_gini_by_hand(self):
        # Mean absolute difference of all pairs, 2.5, over twice the mean, 2.5.
        assert gini_coefficient(np.array([1, 2, 3, 4])) == pytest.approx(0.25)

    @given(COUNTS)
    def test_twice_the_area_to_the_diagonal_is_the_gini_coefficient(self, counts):
        x, y = lorenz(counts)
        if not counts.sum():
            assert np.isnan(gini_coefficient(counts))
            return
        area = ((x - y)[1:] + (x - y)[:-1]) @ np.diff(x)
        assert area == pytest.approx(gini_coefficient(counts), abs=1e-9)

    def test_thinned_near_the_top_least(self):
        counts = np.arange(1, 300_001)
        x, y = lorenz(counts)
        assert len(x) < 1_300
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) > 0).all()
        assert 1 - x[-2] == pytest.approx(1 / 300_000)
        area = ((x - y)[1:] + (x - y)[:-1]) @ np.diff(x)
        assert area == pytest.approx(gini_coefficient(counts), abs=1e-4)


def test_top_share():
    counts = np.array([1] * 90 + [11] * 10)
    assert top_share(counts, 0.1) == pytest.approx(110 / 200)
    assert top_share(counts, 0.001) == pytest.approx(11 / 200)
    assert top_share(np.empty(0, int), 0.01) == 0


def test_rank_frequency():
    curve = rank_frequency(np.array([1, 0, 7, 3, 3]))
    assert curve.x.tolist() == [1, 2, 3, 4]
    assert curve.y.tolist() == [7, 3, 3, 1]


@given(st.lists(st.integers(0, 30), min_size=1))
def test_ccdf_is_the_share_that_is_at_least_x(counts):
    counts = np.array(counts)
    kept = counts[counts > 0]
    curve = ccdf(counts)
    assert curve.x.tolist() == sorted(set(kept.tolist()))
    assert curve.y == pytest.approx(np.array([(kept >= x).mean() for x in curve.x]))


def test_curves_are_thinned_but_keep_their_ends():
    counts = np.random.default_rng(0).permutation(np.arange(1, 200_001))
    for curve in (rank_frequency(counts), ccdf(counts)):
        assert 500 < len(curve.x) <= spread.CURVE_POINTS
        assert len(curve.y) == len(curve.x)
        assert (np.diff(curve.x) > 0).all()
        assert curve.x[[0, -1]].tolist() == [1, 200_000]
    assert ccdf(counts).y[[0, -1]] == pytest.approx([1, 1 / 200_000])


@given(st.lists(st.integers(1, 10_000), min_size=1, max_size=200))
def test_length_histogram_counts_every_playlist_in_bins_that_never_shrink(lengths):
    histogram = length_histogram(np.array(lengths))
    assert histogram.counts.sum() == len(lengths)
    assert histogram.edges[0] == min(lengths)
    assert histogram.edges[-1] > max(lengths)
    assert (np.diff(histogram.edges, 2) >= 0).all()


def test_nothing_is_no_error():
    nothing = np.empty(0, np.int32)
    assert len(rank_frequency(nothing).x) == len(ccdf(nothing).x) == 0
    assert length_histogram(nothing).counts.tolist() == [0]
    assert lorenz(nothing).y.tolist() == [0, 1]
    assert top_share(nothing, 0.01) == 0
