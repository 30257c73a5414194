"""Features whose value can be worked out by hand."""

from dataclasses import replace
from math import log, log2, sqrt
from pathlib import Path

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.ranking.candidates import Candidates
from core.ranking.features import Features, holders
from core.ranking.features.arrays import Pairs, segment_max, segment_mean, segment_sum
from core.retrieval.base import Queries
from core.retrieval.titles import Titles
from core.workspace import DEMO

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


class Asked:
    """Features of named candidates for named seeds.

    `asked[name]` is that feature of the candidates in order.
    """

    def __init__(self, dataset, seeds, candidates, title=None, models=None):
        ids = {name: i for i, name in enumerate(dataset.column("title").to_pylist())}
        tracks = np.array([ids[name] for name in candidates.split()], np.int32)
        none = np.empty((len(tracks), 0))
        pool = Candidates((), np.array([0, len(tracks)]), tracks, none.astype(int), none)
        self._features = Features(dataset, models or {})
        query = Queries.single([ids[name] for name in seeds.split()], title)
        self._values = self._features.values(query, pool)

    def __getitem__(self, name):
        return self._values[:, self._features.names.index(name)]

    def expect(self, name, values):
        np.testing.assert_allclose(self[name], values, rtol=1e-5, atol=1e-6, err_msg=name)


NAN = float("nan")


@pytest.fixture(scope="module")
def joined(make_dataset):
    """s is in three playlists, t in two, c in three, x and y in one with s, z in one alone."""
    return make_dataset([["s", "t", "c"], ["s", "x", "c"], ["s", "y"], ["c", "t"], ["z"]])


def test_playing_together(joined):
    asked = Asked(joined, "s t", "c x z")
    asked.expect("together.count", [log(4), log(2), 0])
    asked.expect("together.share", [1, 1, 0])
    asked.expect("together.conditional", [(2 / 3 + 1) / 2, 1 / 6, 0])
    asked.expect("together.conditional_max", [1, 1 / 3, 0])
    asked.expect("together.cosine_max", [2 / sqrt(2 * 3), 1 / sqrt(3), 0])
    asked.expect("together.seeds", [1, 0.5, 0])
    asked.expect("together.last", [1, 0, 0])


def test_playlists_like_the_query(joined):
    asked = Asked(joined, "s t", "c x z")
    of_s, of_t = 1 / (2**0.4 + 1), 1 / 2
    length = sqrt(of_s**2 + of_t**2)
    both, with_s = (of_s + of_t) / length / sqrt(3), of_s / length / sqrt(3)
    with_t, short = of_t / length / sqrt(2), of_s / length / sqrt(2)
    asked.expect("together.alike", [both**2 + with_s**2 + with_t**2, with_s**2, 0])
    asked.expect("together.alike_max", [both, with_s, 0])
    asked.expect("together.alike_mean", [(both + with_s + with_t) / 3, with_s, 0])
    asked.expect("query.alike", [both] * 3)
    asked.expect("query.mass", [both + with_s + short + with_t] * 3)
    # c is next to t in the first and in the fourth, two tracks after s in the second.
    near, two_away = 1 / (1 + 1 / 5), 1 / (1 + 2 / 5)
    near_c = both**2 * near + with_s**2 * two_away + with_t**2 * near
    asked.expect("near.sum", [near_c, with_s**2 * near, 0])
    asked.expect("near.alike", [near, near, 0])


def test_distance_in_tracks(make_dataset):
    dataset = make_dataset(
        [["b", "s", "1", "2", "a", "t"], ["u", "v", "w", "x", "s"], ["t", "3", "a"], ["n"]]
    )
    asked = Asked(dataset, "s t", "a b u n")
    # a: before t by 1, after s by 3, after t by 2. b: only before s. u: four before s.
    asked.expect("near.seed", [log2(2), log2(2), log2(5), NAN])
    asked.expect("near.after", [log2(3), NAN, NAN, NAN])
    asked.expect("near.last", [log2(3), NAN, NAN, NAN])
    asked = Asked(dataset, "t s", "a b")
    asked.expect("near.last", [log2(4), NAN])


def test_distance_is_measured_within_a_playlist(make_dataset):
    """The last track of a playlist is not beside the first of the next."""
    asked = Asked(make_dataset([["s", *"12345", "a"], ["s", "b"]]), "s", "a b")
    asked.expect("near.seed", [log2(7), 1])


def test_tracks_that_are_always_together_are_so_in_samples(make_dataset, monkeypatch):
    monkeypatch.setattr(holders, "MOST_HOLDERS", 5)
    playlists = [["a", "b"] for _ in range(60)]
    asked = Asked(make_dataset(playlists), "a", "b")
    for name in ("conditional", "cosine_max", "share", "seeds"):
        asked.expect(f"together.{name}", [1])
    asked.expect("artist.together", [1])


def test_without_seeds_nothing_is_known_of_company(joined):
    asked = Asked(joined, "", "c z")
    for name in ("together.count", "near.sum", "artist.share", "popularity.gap", "query.artists"):
        asked.expect(name, [NAN, NAN])
    asked.expect("popularity.count", [log(4), log(2)])
    asked.expect("query.seeds", [0, 0])


@pytest.fixture(scope="module")
def catalogue(make_dataset):
    def track(artist, **fields):
        return {"artist": artist} | fields

    return make_dataset(
        [["a1", "a2", "b1"], ["a1", "a3", "b1"], ["a1", "b2"], ["b1", "c1"]],
        tracks={
            "a1": track("A", album="One", duration_ms=100_000, year=1990),
            "a2": track("A", album="One", duration_ms=400_000, year=2000),
            "a3": track("A", album="One", duration_ms=200_000, year=2005),
            "b1": track("B", album="Two", duration_ms=200_000),
            "b2": track("B", album="One", duration_ms=200_000, year=1985),
            "c1": track("C"),
        },
    )


def test_artist(catalogue):
    asked = Asked(catalogue, "a1 a2 b1", "a3 b2 c1")
    asked.expect("artist.count", [log2(3), 1, 0])
    asked.expect("artist.share", [2 / 3, 1 / 3, 0])
    asked.expect("artist.last", [1 / 2, 1, 0])
    # A is in three playlists, B in all four, C in one, with B.
    asked.expect("artist.together", [(1 + 1 + 3 / 4) / 3, 1, (1 / 4) / 3])
    asked.expect("artist.together_max", [1, 1, 1 / 4])
    # a2 and a3 are level behind a1, b2 is behind b1.
    asked.expect("artist.rank", [log2(3), log2(3), log2(2)])
    asked.expect("artist.candidates", [1, 1, 1])
    asked.expect("popularity.artist", [log(6), log(5), log(2)])
    asked.expect("query.artists", [2 / 3] * 3)


def test_an_album_is_its_artists(catalogue):
    asked = Asked(catalogue, "a1 a2 b1 c1", "a3 b2 c1")
    asked.expect("album.count", [log2(3), 0, NAN])
    asked.expect("album.share", [2 / 3, 0, NAN])
    asked = Asked(catalogue, "c1", "a3")
    asked.expect("album.share", [NAN])


def test_popularity(catalogue):
    asked = Asked(catalogue, "a1 a2", "b1 c1")
    mean = (log(4) + log(2)) / 2
    asked.expect("popularity.seeds", [mean] * 2)
    asked.expect("popularity.gap", [log(4) - mean, log(2) - mean])
    asked.expect("popularity.gap_abs", [log(4) - mean, mean - log(2)])
    asked.expect("popularity.spread", [(log(4) - log(2)) / 2] * 2)
    asked.expect("popularity.length", [(2 * log(3) + log(2)) / 3, log(2)])
    of_seeds = ((2 * log(3) + log(2)) / 3 + log(3)) / 2
    asked.expect(
        "popularity.length_gap", [asked["popularity.length"][0] - of_seeds, log(2) - of_seeds]
    )


def test_duration_and_year(catalogue):
    asked = Asked(catalogue, "a1 a2 b1", "a3 b2 c1")
    asked.expect("duration.value", [log(200_000), log(200_000), NAN])
    asked.expect("duration.gap", [0, 0, NAN])
    asked.expect("year.gap", [10, -10, NAN])
    asked.expect("year.gap_abs", [10, 10, NAN])


def test_how_recent_its_playlists_are(catalogue):
    year = 365.25 * 24 * 3600
    dates = np.array([40.0, 44.0, NAN, 50.0]) * year
    dated = Dataset(catalogue.folder, replace(catalogue.playlists, modified=dates))
    asked = Asked(dated, "a1", "a2 a3 b1 b2")
    mean = (40 + 44) / 2
    asked.expect("modified.gap", [40 - mean, 44 - mean, (40 + 44 + 50) / 3 - mean, NAN])
    without = Asked(dated.select(np.array([0, 2, 3])), "a1", "a2 a3 b1")
    without.expect("modified.gap", [0, NAN, 5])
    Asked(catalogue, "a1", "a2").expect("modified.gap", [NAN])


def test_playlists_keep_their_dates():
    demo = Dataset(Path(DEMO))
    rows = np.array([5, 0, 9])
    assert np.isfinite(demo.playlists.modified).all()
    np.testing.assert_array_equal(
        demo.select(rows).playlists.modified, demo.playlists.modified[rows]
    )


def test_sound_with_gaps(make_dataset):
    dataset = make_dataset(
        [["a", "b", "c", "d", "e"]],
        tracks={
            "a": {"energy": 0.0, "valence": 0.0, "key": -1.0},
            "b": {"energy": 1.0, "valence": 1.0, "key": -1.0},
            "c": {"energy": 0.0},
            "d": {"energy": 1.0, "valence": 0.0},
        },
    )
    asked = Asked(dataset, "a b e", "c d e")
    # Mean 1/2 and deviation 1/2 of energy, mean 1/3 and deviation √2/3 of valence.
    valence = sqrt(2) / 3
    middle = (1 / 2 - 1 / 3) / valence
    gap = -1 / 3 / valence - middle
    asked.expect("audio.energy", [-1, 1, NAN])
    asked.expect("audio.valence", [NAN, gap, NAN])
    asked.expect("audio.key", [NAN] * 3)
    asked.expect("audio.centre", [1, sqrt((1 + gap**2) / 2), NAN])
    spread = sqrt((1 + (0.5 / valence) ** 2) / 2)
    asked.expect("audio.spread", [1 / spread, sqrt((1 + gap**2) / 2) / spread, NAN])
    # c is nearest to a in energy alone; d differs from a in energy only, from b in valence only.
    to_a, to_b = sqrt(2**2 / 2), sqrt((1 / valence) ** 2 / 2)
    asked.expect("audio.nearest", [0, min(to_a, to_b), NAN])
    asked.expect("audio.known", [2 / 3] * 3)


def test_titles(make_dataset):
    dataset = make_dataset(
        [["a", "b"], ["a", "c"], ["c"], ["d"]], ["Jazz", "jazz!", "metal", "metal"]
    )
    models = {"titles": Titles(Titles.Params(factors=0)).fit(dataset)}
    asked = Asked(dataset, "", "a c d", "JAZZ", models)
    asked.expect("title.share", [1, 1 / 2, 0])
    asked.expect("title.sum", [log(3), log(2), 0])
    asked.expect("title.best", [1, 1, 0])
    asked.expect("title.query", [1, 1, 1])
    asked.expect("title.lift", [log(1.001 / 0.501), 0, log(0.001 / 0.501)])
    asked.expect("query.title", [1, 1, 1])
    for title in (None, "", "Любимое"):
        Asked(dataset, "a", "c", title, models).expect("title.share", [NAN])


class Compass:
    """A model with vectors: a and b are at right angles, c between, d opposite a; e has none."""

    label = "Compass"

    def __init__(self, dataset):
        of_name = {"a": (2, 0), "b": (0, 1), "c": (3, 3), "d": (-1, 0)}
        names = dataset.column("title").to_pylist()
        self.vectors = np.array([of_name.get(name, (0, 0)) for name in names], np.float32)

    def track_vectors(self):
        return self.vectors


def test_nearness_in_a_space(make_dataset):
    tracks = {"d": {"artist": "two"}, "b": {"artist": "two"}, "e": {"artist": "one"}}
    dataset = make_dataset([list("abcde")], tracks=tracks | {"c": {"artist": "one"}})
    asked = Asked(dataset, "a b e", "c d e", models={"als": Compass(dataset)})
    asked.expect("als.centre", [1, -sqrt(0.5), NAN])
    asked.expect("als.nearest", [sqrt(0.5), 0, NAN])
    asked.expect("als.last", [sqrt(0.5), 0, NAN])
    # Artist "one" has c and e: its direction is c's; "two" has b + d = (-1, 1).
    asked.expect("als.artist", [1, 0, 1])
    asked.expect("als.homogeneity", [sqrt(0.5)] * 3)
    Asked(dataset, "e", "c", models={"als": Compass(dataset)}).expect("als.centre", [NAN])


def first_stage(dataset, scores):
    """Rank and score features of the tracks of one list, by falling score."""
    n = len(scores)
    scores = np.array(scores, np.float32)[:, None]
    ranks = np.where(np.isnan(scores), 0, np.arange(1, n + 1)[:, None]).astype(np.int32)
    tracks = np.arange(n, dtype=np.int32)
    given = Candidates(("als",), np.array([0, n]), tracks, ranks, scores)
    features = Features(dataset, {}, ["titles", "als"])
    values = features.values(Queries.single([], None), given)
    return {name: values[:, at] for at, name in enumerate(features.names)}


def test_ranks_and_scores(joined):
    found = first_stage(joined, [8, 4, 0, NAN])
    np.testing.assert_allclose(found["als.rank"], [0, 1, log2(3), NAN], rtol=1e-6)
    np.testing.assert_allclose(found["als.share"], [1, 0.5, 0, NAN])
    np.testing.assert_allclose(found["als.z"], [sqrt(1.5), 0, -sqrt(1.5), NAN], rtol=1e-6)
    np.testing.assert_array_equal(found["sources.count"], [1, 1, 1, 0])
    np.testing.assert_allclose(found["sources.best"], [0, 1, log2(3), NAN], rtol=1e-6)
    expected = [1 / 61, 1 / 62, 1 / 63, 0]
    np.testing.assert_allclose(found["sources.reciprocal"], expected, rtol=1e-6)
    assert np.isnan(found["titles.rank"]).all()


@pytest.mark.parametrize(
    ("scores", "share", "z"),
    [
        ([0.1, 0.1, 0.1], [1, 1, 1], [0, 0, 0]),
        ([0, 0, 0], [NAN] * 3, [0, 0, 0]),
        ([-1, -2, -3], [NAN] * 3, [sqrt(1.5), 0, -sqrt(1.5)]),
        ([1e-30, -1, -1], [1, -1, -1], [sqrt(2), -sqrt(0.5), -sqrt(0.5)]),
        ([5, NAN, NAN], [1, NAN, NAN], [0, NAN, NAN]),
        ([NAN] * 3, [NAN] * 3, [NAN] * 3),
    ],
)
def test_scores_that_hardly_differ(scores, share, z, joined):
    found = first_stage(joined, scores)
    np.testing.assert_allclose(found["als.share"], share)
    np.testing.assert_allclose(found["als.z"], z, rtol=1e-5)


def test_segments():
    values, indptr = np.array([1.0, NAN, 5.0, NAN]), np.array([0, 0, 3, 3, 4, 4])
    np.testing.assert_array_equal(segment_mean(values, indptr), [NAN, 3, NAN, NAN, NAN])
    np.testing.assert_array_equal(segment_max(values, indptr), [NAN, 5, NAN, NAN, NAN])
    np.testing.assert_array_equal(segment_max(values[:1], np.array([0, 1, 1]), 0.0), [1, 0])
    np.testing.assert_array_equal(
        segment_sum(np.ones((3, 2)), np.array([0, 2, 2, 3])), [[2, 2], [0, 0], [1, 1]]
    )


def test_pairs():
    pairs = Pairs(np.array([1, 0, 1, 1]), np.array([2, 0, 2, 1]), 2, 3)
    assert pairs.rows.tolist() == [0, 1, 1]
    assert pairs.keys.tolist() == [0, 1, 2]
    assert pairs.index.tolist() == [2, 0, 2, 1]
    assert pairs.find(np.array([1, 0]), np.array([1, 1])).tolist() == [1, -1]
