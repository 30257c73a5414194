import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from core.retrieval import factorization
from core.retrieval.base import Queries
from core.retrieval.factorization import Factorization
from tests.conftest import style_of

QUICK = {"factors": 16, "alpha": 20.0, "regularization": 0.5}
PLAIN = {"artist_weight": 0.0, "title_weight": 0.0, "artist_share": 0.0}


def fit(dataset, seed=0, **params):
    return Factorization(Factorization.Params(**(QUICK | params))).fit(dataset, seed)


def ids(dataset, *names):
    return dataset.ids_of([f"t:{name}" for name in names])


@pytest.fixture(scope="module")
def model(planted):
    return fit(planted)


@pytest.fixture(scope="module")
def band(make_dataset):
    """Two worlds of playlists; in each, some tracks are by one artist.

    "rare" of the first band is in one playlist, "unheard" of the first in none of the view.
    """
    tracks = {
        **{name: {"artist": "first"} for name in ("a0", "a1", "a2", "rare", "unheard")},
        **{name: {"artist": "second"} for name in ("b0", "b1", "b2")},
        "nobody": {"artist": "third"},
    }
    first = ["a0", "a1", "a2", "c0", "c1"]
    second = ["b0", "b1", "b2", "d0", "d1"]
    playlists = [first] * 6 + [second] * 6 + [["rare", "c0", "e"], ["unheard", "nobody"]]
    titles = ["rainy day"] * 6 + ["gym"] * 6 + [None, "gym"]
    dataset = make_dataset(playlists, titles, tracks)
    return dataset.select(np.arange(len(playlists) - 1))


@pytest.mark.parametrize("side", [{}, PLAIN])
def test_folding_in_a_training_playlist_is_recalculating_the_user(planted, side):
    from implicit.als import AlternatingLeastSquares

    model = fit(planted, **side)
    playlists = planted.playlists
    queries = Queries([playlists[row] for row in range(len(playlists))], playlists.titles)
    rows = model._columns.rows(queries)
    peer = AlternatingLeastSquares(factors=16, alpha=20.0, regularization=0.5)
    peer.item_factors = model._factors.astype(np.float32)
    expected = peer.recalculate_user(np.arange(len(playlists)), sparse.csr_matrix(rows))
    folded = model._fold_in(rows)
    np.testing.assert_allclose(folded, expected, rtol=1e-3, atol=1e-4)
    scores = model.recommend(queries[:3], planted.n_tracks).scores[:, 0]
    products = expected[:3] @ model._targets.T
    for row in range(3):
        products[row, playlists[row]] = -np.inf
    np.testing.assert_allclose(scores, products.max(axis=1), rtol=1e-3)


def test_folding_in_solves_the_weighted_least_squares(model, planted):
    """Against the sums over every cell of the row, present or not."""
    rows = model._columns.rows(Queries.single([3, 50, 7], "style one"))
    cells = rows.toarray()[0].astype(float)
    y = model._factors.astype(float)
    confidence = np.where(cells > 0, 20.0 * cells, 1.0)
    system = (y.T * confidence) @ y + 0.5 * np.eye(16)
    side = y.T @ (confidence * (cells > 0))
    np.testing.assert_allclose(model._fold_in(rows)[0], np.linalg.solve(system, side), rtol=1e-5)


def test_a_checkerboard_is_recovered(make_dataset):
    """Even playlists hold even tracks, odd ones odd, each without one of its own."""
    size = 30
    board = [
        [f"{track:02}" for track in range(size) if (row + track) % 2 == 0 and track != row]
        for row in range(size)
    ]
    dataset = make_dataset(board)
    model = fit(dataset, **PLAIN | {"factors": 2, "regularization": 0.01})
    numbers = np.array([int(title) for title in dataset.values("title", range(size))])
    queries = Queries([dataset.playlists[row] for row in range(size)], [None] * size)
    answer = model.recommend(queries, size)
    np.testing.assert_array_equal(numbers[answer.ids[:, 0]], np.arange(size))
    np.testing.assert_allclose(answer.scores[:, 0], 1, atol=0.1)
    others = answer.scores[:, 1 : 1 + size // 2]
    np.testing.assert_allclose(others, 0, atol=0.1)


def test_an_unheard_track_places_a_playlist_through_its_artist(band):
    unheard, nobody = ids(band, "unheard", "nobody")
    assert not band.counts[[unheard, nobody]].any()
    model = fit(band)
    answer = set(model.recommend(Queries.single([unheard]), 7).ids[0])
    assert set(ids(band, "a0", "a1", "a2", "c0", "c1")) <= answer
    assert not set(ids(band, "b0", "b1", "b2", "d0", "d1")) & answer
    assert (model.recommend(Queries.single([nobody]), 5).ids == -1).all()
    assert (fit(band, artist_weight=0.0).recommend(Queries.single([unheard]), 5).ids == -1).all()


def test_a_title_alone_places_a_playlist(band):
    model = fit(band)
    titles = ["Rainy", "day rainy", "GYM!", "gym gym", "sunny", "", None]
    answer = model.recommend(Queries([np.empty(0, int)] * 7, titles), 5).ids
    first = set(ids(band, "a0", "a1", "a2", "c0", "c1"))
    second = set(ids(band, "b0", "b1", "b2", "d0", "d1"))
    assert set(answer[0]) == set(answer[1]) == first
    assert set(answer[2]) == second
    np.testing.assert_array_equal(answer[2], answer[3])
    assert (answer[4:] == -1).all()
    untitled = fit(band, title_weight=0.0)
    assert (untitled.recommend(Queries.single([], "gym"), 5).ids == -1).all()


def test_a_title_turns_a_query(band):
    seeds = ids(band, "a0")
    model = fit(band, title_weight=2.0)
    without = model.recommend(Queries.single(seeds), 4).ids[0]
    with_title = model.recommend(Queries.single(seeds, "gym"), 8).ids[0]
    d0 = ids(band, "d0")[0]
    assert d0 not in without
    assert d0 in with_title


def test_a_rare_track_gains_by_its_artist(band):
    def rank_of_rare(share):
        answer = fit(band, artist_share=share).recommend(
            Queries.single(ids(band, "a0", "a1")), band.n_tracks
        )
        return int(np.flatnonzero(answer.ids[0] == ids(band, "rare")[0])[0])

    def gain(share):
        model = fit(band, artist_share=share)
        rare = ids(band, "rare")
        return model.seed_contributions(ids(band, "a0", "a1"), rare).sum()

    assert gain(0.3) > gain(0.0) + 0.1
    assert rank_of_rare(0.3) <= rank_of_rare(0.0)


def test_contributions_are_the_terms_of_the_paper(model, planted):
    """Σ over seeds of c times y of the target, A⁻¹, y of the seed; here without artists."""
    model = fit(planted, artist_weight=0.0)
    seeds, targets = np.array([3, 50, 7]), np.array([1, 60])
    columns = model._columns.track_column
    y = model._factors.astype(float)
    of_seeds = y[columns[seeds]]
    system = y.T @ y + 0.5 * np.eye(16) + (of_seeds.T * (20.0 - 1)) @ of_seeds
    expected = 20.0 * of_seeds @ np.linalg.inv(system) @ y[columns[targets]].T
    shares = model.seed_contributions(seeds, targets)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares, expected, rtol=1e-4, atol=1e-6)


def test_an_artists_part_is_divided_evenly_among_its_tracks(band):
    """An unheard track has a third of its artist's √3, and one of an unknown artist nothing."""
    model = fit(band)
    seeds = ids(band, "a0", "a1", "unheard", "nobody")
    targets = ids(band, "c1", "b0")
    shares = model.seed_contributions(seeds, targets)
    scores = model._scores(Queries.single(seeds))[0, targets]
    np.testing.assert_allclose(shares.sum(axis=0), scores, rtol=1e-4, atol=1e-6)

    columns = model._columns
    rows = columns.rows(Queries.single(seeds))
    artist = rows.indices[rows.indices >= len(columns.tracks)]
    y = model._factors.astype(float)
    cells = rows.toarray()[0]
    system = (y.T * np.where(cells > 0, 20.0 * cells, 1.0)) @ y + 0.5 * np.eye(16)
    expected = 20.0 * 0.3 / np.sqrt(3) * y[artist] @ np.linalg.inv(system)
    of_targets = model._targets[columns.track_column[targets]]
    np.testing.assert_allclose(shares[2], of_targets @ expected[0], rtol=1e-4, atol=1e-6)
    assert shares[0, 0] > shares[2, 0] > 0
    assert not shares[3].any()


def test_what_is_unknown_contributes_nothing(band):
    nobody, a0 = ids(band, "nobody", "a0")
    model = fit(band)
    assert not model.seed_contributions(np.array([nobody]), np.array([a0])).any()
    assert not model.seed_contributions(np.array([a0]), np.array([nobody])).any()
    assert model.seed_contributions(np.empty(0, int), np.array([a0])).shape == (0, 1)


def test_blocks_of_a_batch_change_nothing(model, planted, monkeypatch):
    random = np.random.default_rng(0)
    seeds = [random.choice(planted.n_tracks, size, replace=False) for size in (90, 1, 0, 30, 2, 60)]
    queries = Queries(seeds, ["style two", None, "style two", "x", None, "style one"])
    whole = model.recommend(queries, 10)
    monkeypatch.setattr(factorization, "_BLOCK", 2_000)
    parts = model.recommend(queries, 10)
    np.testing.assert_array_equal(parts.ids, whole.ids)
    np.testing.assert_allclose(parts.scores, whole.scores, rtol=1e-5)
    np.testing.assert_allclose(factorization._gram(model._factors), model._gram, rtol=1e-10)


def test_styles_share_directions(model, planted):
    """Tracks of a style point the same way, those of others do not."""
    unit = model._targets / np.linalg.norm(model._targets, axis=1, keepdims=True)
    styles = np.array(style_of(planted, model._columns.tracks))
    same = styles[:, None] == styles
    cosines = unit @ unit.T
    assert cosines[same].mean() > cosines[~same].mean() + 0.4


def test_another_seed_another_model(model, planted):
    again = fit(planted, seed=1)
    assert again._factors.dtype == np.float16
    assert not np.array_equal(again._factors, model._factors)


def test_answering_imports_no_training_library(model, planted, tmp_path):
    model.save(tmp_path)
    code = f"""
import pathlib, sys
from core.dataset.dataset import Dataset
from core.retrieval.base import Queries
from core.retrieval.factorization import Factorization
dataset = Dataset(pathlib.Path({str(planted.folder)!r}))
model = Factorization.load(pathlib.Path({str(tmp_path)!r}), dataset)
assert (model.recommend(Queries.single([3], "style one"), 5).ids >= 0).all()
print([name for name in ("implicit", "threadpoolctl", "sklearn") if name in sys.modules])
"""
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
