import subprocess
import sys

import numpy as np
import pytest

from core.errors import SegueError
from core.retrieval import two_tower
from core.retrieval.base import Queries
from core.retrieval.two_tower import (
    TwoTower,
    _Sampler,
    last_seeds,
    query_vectors,
    sampled_softmax,
    track_vectors,
)

QUICK = {
    "dimensions": 16,
    "batch": 32,
    "targets": 4,
    "negatives": 64,
    "epochs": 8,
    "aside": 0.1,
}


def fit(dataset, seed=0, **params):
    return TwoTower(TwoTower.Params(**(QUICK | params))).fit(dataset, seed)


@pytest.fixture(scope="module")
def model(planted):
    return fit(planted)


def sampler(dataset, seed=0, **params):
    return _Sampler(dataset, TwoTower.Params(**(QUICK | params)), np.random.default_rng(seed))


def test_the_loss_is_the_softmax_worked_out_by_hand():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 1.0, 3.0]], np.float32)
    chance = np.array([0.5, 0.1, 0.25], np.float32)
    own = np.array([[True, False, True], [False, False, True]])
    targets = np.array([[0, 2], [2, 0]])
    weight = np.array([[0.5, 0.5], [1.0, 0.0]], np.float32)
    # A logit minus log(q) is e^logit / q; query 0 has negative 1 only, query 1 has 0 and 1.
    e = np.exp(logits.astype(float)) / chance
    first = np.log(e[0, 0] / (e[0, 0] + e[0, 1])), np.log(e[0, 2] / (e[0, 2] + e[0, 1]))
    second = np.log(e[1, 2] / (e[1, 2] + e[1, 0] + e[1, 1]))
    expected = -(sum(first) / 2 + second) / 2
    loss = sampled_softmax(logits, np.log(chance), own, targets, weight)
    assert float(loss) == pytest.approx(expected, rel=1e-5)


def remember(draws, method):
    """What a method of a sampler returns, in a list that grows."""
    results = []
    original = getattr(draws, method)
    setattr(draws, method, lambda *given: results.append(original(*given)) or results[-1])
    return results


def test_log_q_is_how_often_a_track_is_a_candidate(make_dataset):
    random = np.random.default_rng(1)
    chance = 1 / np.arange(1, 61) / (1 / np.arange(1, 61)).sum()
    playlists = [
        [f"{track}" for track in random.permutation(random.choice(60, 8, False, chance))]
        for _ in range(40)
    ]
    dataset = make_dataset(playlists)
    draws = sampler(dataset, batch=4, targets=2, negatives=6)
    local = remember(draws, "_local_tracks")
    for _ in range(300):
        draws.draw()
    seen = np.bincount(np.concatenate([tracks[:n_real] for tracks, n_real in local])) / len(local)
    for alike in np.array_split(np.argsort(dataset.counts), 5):
        expected = np.exp(draws.log_q[alike]).mean()
        assert seen[alike].mean() == pytest.approx(expected, rel=0.1)
    assert np.exp(np.ptp(draws.log_q)) > 3


def test_own_tracks_are_targets_or_left_out_but_never_negatives(planted):
    draws = sampler(planted)
    split, local = remember(draws, "_split"), remember(draws, "_local_tracks")
    for _ in range(5):
        batch = draws.draw()
        (entries, _), (tracks, n_real) = split[-1], local[-1]
        candidates = tracks[: batch.own.shape[1]]
        for query in range(len(batch.own)):
            mine = entries.track[entries.row == query]
            negatives = candidates[~batch.own[query]]
            assert not np.isin(negatives, mine).any()
            assert set(negatives) == set(candidates[:n_real]) - set(mine)
            real = batch.weight[query] > 0
            targets = candidates[batch.targets[query][real]]
            assert np.isin(targets, mine).all()
            assert not np.isin(targets, tracks[batch.held[query] > 0]).any()
            assert batch.weight[query].sum() == pytest.approx(1)


def test_training_queries_show_first_or_scattered_tracks_in_order(planted):
    draws = sampler(planted, scattered=0.0, seed_dropout=0.0)
    playlists = planted.playlists.select(np.arange(20))
    entries, n_seeds = draws._split(playlists, np.ones(20, bool))
    place = np.arange(len(entries.row)) - playlists.indptr[entries.row]
    np.testing.assert_array_equal(entries.is_seed, place < n_seeds[entries.row])
    assert {0, 1, 5, 10} <= set(n_seeds)
    draws = sampler(planted, scattered=1.0, seed_dropout=0.0)
    entries, n_seeds = draws._split(playlists, np.zeros(20, bool))
    assert (np.bincount(entries.row[entries.is_seed], minlength=20) == n_seeds).all()
    assert (entries.is_seed & (place > n_seeds[entries.row])).any()
    assert n_seeds.min() == 1


def test_last_seeds_are_the_last_first():
    rows, tracks = np.array([0, 0, 0, 2]), np.array([7, 8, 9, 5])
    expected = [[9, 8], [-1, -1], [5, -1]]
    np.testing.assert_array_equal(last_seeds(rows, tracks, 3, 2), expected)


def test_numpy_computes_what_jax_does(model, planted):
    import jax
    import jax.numpy as jnp

    queries = Queries(
        [np.array([3, 50, 7, 8, 9, 1, 2]), np.array([], np.int32), np.array([4])],
        ["style two", "style one", None],
    )
    query = model._query(queries)
    dense = query._replace(held=query.held.toarray())
    weights = {name: jnp.asarray(weight) for name, weight in model._weights.items()}
    there = jax.jit(lambda query: query_vectors(jnp, weights, query))(dense)
    here = query_vectors(np, model._weights, query)
    np.testing.assert_allclose(here, there, atol=1e-5)
    random = np.random.default_rng(0)
    track, artist, audio = (
        random.normal(size=(5, size)).astype(np.float32) for size in (16, 16, 22)
    )
    np.testing.assert_allclose(
        track_vectors(model._weights, track, artist, audio),
        jax.jit(track_vectors)(weights, track, artist, audio),
        atol=1e-5,
    )


def test_the_score_is_cosine_over_temperature_plus_popularity(model, planted):
    queries = Queries.single([3, 50], "style one")
    answer = model.recommend(queries, 20)
    [vector] = query_vectors(np, model._weights, model._query(queries))
    expected = model.vectors @ vector / np.exp(model._weights["log_temperature"]) + model._weights[
        "popularity"
    ] * np.log1p(planted.counts)
    np.testing.assert_allclose(answer.scores[0], expected[answer.ids[0]], rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(model.vectors, axis=1), 1, rtol=1e-4)


@pytest.fixture(scope="module")
def with_cold_tracks(make_dataset):
    """Artists 0 and 1, of whom each playlist holds one; tracks "0-new" and "1-new" once."""
    random = np.random.default_rng(0)
    playlists = [
        [f"{style}-{track}" for track in random.choice(20, 8, replace=False)]
        for style in (0, 1)
        for _ in range(40)
    ]
    names = [f"{style}-{track}" for style in (0, 1) for track in (*range(20), "new")]
    tracks = {name: {"artist": f"artist {name[0]}"} for name in names}
    playlists.append(["0-new", "1-new"])
    return make_dataset(playlists, None, tracks)


def test_a_cold_track_is_placed_by_its_artist(with_cold_tracks):
    dataset = with_cold_tracks.select(np.arange(80))
    model = fit(dataset, epochs=15)
    [zero, one] = dataset.ids_of(["t:0-new", "t:1-new"])
    assert dataset.counts[[zero, one]].tolist() == [0, 0]
    heard = dataset.counts > 0
    by_zero = dataset.artist == dataset.artist[zero]
    for cold, mine in ((zero, by_zero), (one, ~by_zero)):
        likeness = model.vectors @ model.vectors[cold]
        assert likeness[mine & heard].min() > likeness[~mine & heard].max()
        answer = model.recommend(Queries.single([cold]), 15).ids[0]
        assert mine[answer].all()
        assert zero not in answer
        assert one not in answer


def test_a_track_of_which_nothing_is_known_says_nothing(make_dataset):
    dataset = make_dataset([["a", "b", "c"]] * 3 + [["d", "e"]])
    view = dataset.select(np.arange(3))
    [unknown, known] = dataset.ids_of(["t:d", "t:a"])
    model = fit(view)
    assert (model.recommend(Queries.single([unknown]), 3).ids == -1).all()
    with_unknown = model.recommend(Queries.single([known, unknown]), 3)
    np.testing.assert_array_equal(
        with_unknown.scores, model.recommend(Queries.single([known]), 3).scores
    )


def test_the_order_of_seeds_matters(model):
    seeds = [3, 50, 20, 71, 90, 33]
    forth = model.recommend(Queries.single(seeds), 50)
    back = model.recommend(Queries.single(seeds[::-1]), 50)
    assert not np.allclose(forth.scores, back.scores, atol=1e-3)


def test_the_last_seeds_are_read_from_the_end(model):
    query = model._query(Queries.single([3, 50, 20]))
    [last] = query.last
    assert last[3:].tolist() == [-1, -1]
    end = [20, 50, 3]
    np.testing.assert_allclose(
        query.tracks[last[:3]], model.vectors[end] * model._lengths[end, None]
    )


def test_the_best_epoch_is_kept(planted, monkeypatch):
    def fit_judged(shares):
        script = iter(shares)
        epochs = []
        monkeypatch.setattr(two_tower, "hit_share", lambda *_: epochs.append(1) or next(script))
        fitted = fit(planted, epochs=len(shares), patience=2)
        return fitted._state(), len(epochs)

    best, _ = fit_judged([0.1, 0.5])
    kept, ran = fit_judged([0.1, 0.5, 0.2, 0.3, 0.9])
    later, _ = fit_judged([0.1, 0.5, 0.6])
    assert ran == 4
    for name, array in best.items():
        np.testing.assert_array_equal(array, kept[name])
    assert not np.array_equal(best["track"], later["track"])


def test_without_playlists_to_set_aside_all_epochs_are_run(make_dataset):
    dataset = make_dataset([["a", "b", "c"]] * 4 + [["d", "e", "f"]] * 4)
    one, many = fit(dataset, epochs=1), fit(dataset, epochs=9, patience=1)
    assert not np.array_equal(one._state()["track"], many._state()["track"])


def test_the_same_seed_gives_the_same_arrays(model, planted):
    again, other = fit(planted)._state(), fit(planted, seed=1)._state()
    for name, array in model._state().items():
        np.testing.assert_array_equal(array, again[name])
    assert not np.array_equal(model._state()["track"], other["track"])


def test_loading_and_recommending_need_no_jax(model, planted, tmp_path):
    model.save(tmp_path / "model")
    code = f"""
import pathlib, sys
sys.modules["jax"] = sys.modules["optax"] = None
from core.dataset.dataset import Dataset
from core.retrieval.base import Queries
from core.retrieval.two_tower import TwoTower
dataset = Dataset(pathlib.Path({str(planted.folder)!r}))
model = TwoTower.load(pathlib.Path({str(tmp_path / "model")!r}), dataset)
print(model.recommend(Queries.single([3, 50], "style two"), 9).ids[0].tolist())
"""
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = model.recommend(Queries.single([3, 50], "style two"), 9).ids[0].tolist()
    assert other.stdout.strip() == str(here)


@pytest.mark.parametrize("missing", ["jax", "optax"])
def test_a_missing_library_is_named(planted, missing, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(SegueError, match=rf"{missing}.*install -r requirements-train\.txt"):
        fit(planted)
