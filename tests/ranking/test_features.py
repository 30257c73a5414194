"""What holds for all features, whatever they compute."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.ranking import features as package
from core.ranking.candidates import Candidates, pool
from core.ranking.features import Features, documented, holders
from core.ranking.features.__main__ import table
from core.retrieval import MODELS
from core.retrieval.base import Queries

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

SOURCES = ("popularity", "playlist_knn", "item_knn", "titles", "als", "audio")


@pytest.fixture(scope="module")
def view(planted):
    """A training view with three tracks that no playlist holds, and dates."""
    absent = planted.by_popularity[-3:]
    rows = [
        row
        for row in range(planted.n_playlists)
        if not np.isin(absent, planted.playlists[row]).any()
    ]
    split = planted.select(np.array(rows))
    assert (split.counts == 0).sum() == 3
    dates = np.random.default_rng(1).uniform(1.2e9, 1.6e9, len(rows))
    dates[::4] = np.nan
    return Dataset(planted.folder, replace(split.playlists, modified=dates))


@pytest.fixture(scope="module")
def models(view):
    params = {"als": MODELS["als"].Params(factors=16)}
    return {name: MODELS[name](params.get(name)).fit(view) for name in SOURCES}


@pytest.fixture(scope="module")
def queries(view):
    """No seed, unheard ones, one, several; with and without titles."""
    random = np.random.default_rng(4)
    absent = np.flatnonzero(view.counts == 0).astype(np.int32)
    seeds = [
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        absent[:2],
        np.array([3], np.int32),
        np.array([*absent[:1], 7, 11], np.int32),
        *(random.permutation(view.n_tracks)[:n].astype(np.int32) for n in (5, 25, 60)),
    ]
    return Queries(seeds, ["style two", None, None, "style one", "", "🔥", "Style  three", None])


@pytest.fixture(scope="module")
def candidates(view, models, queries):
    answers = {name: model.recommend(queries, 40) for name, model in models.items()}
    return pool(answers, np.full((len(queries), len(models)), 20), view.n_tracks)


@pytest.fixture(scope="module")
def all_features(view, models):
    return Features(view, models)


@pytest.fixture(scope="module")
def values(all_features, queries, candidates):
    return all_features.values(queries, candidates)


def test_one_float_a_candidate_and_feature(all_features, values, candidates):
    assert values.shape == (len(candidates), len(all_features.features))
    assert values.dtype == np.float32
    assert not np.isinf(values).any()


def test_every_feature_says_what_it_is():
    everything = documented()
    assert len({feature.name for feature in everything}) == len(everything)
    assert len({feature.meaning for feature in everything}) == len(everything)
    for feature in everything:
        assert feature.unit
        assert len(feature.meaning) < 90


def test_the_default_sources_are_the_models(all_features):
    assert list(all_features.sources) == list(SOURCES)
    assert all_features.features == documented(SOURCES)
    assert all_features.names == [feature.name for feature in all_features.features]


def test_every_feature_is_known_somewhere_and_varies(all_features, values):
    unknown = {"album.count", "album.share", "duration.gap", "duration.value"}
    unknown |= {"year.gap", "year.gap_abs"}
    constant = {"popularity.length", "popularity.length_gap"}
    for name, column in zip(all_features.names, values.T, strict=True):
        known = column[~np.isnan(column)]
        lacks = name in unknown or name.removeprefix("audio.") in package.audio.AUDIO_FEATURES
        assert len(known) > 0 or lacks, name
        assert len(known) == 0 or np.ptp(known) > 0 or name in constant, name


@pytest.mark.parametrize("chunk", [1, 20_000])
def test_a_batch_has_the_values_of_its_queries_alone(
    chunk, all_features, values, queries, candidates, monkeypatch
):
    monkeypatch.setattr(package, "_CHUNK", chunk)
    np.testing.assert_allclose(
        all_features.values(queries, candidates), values, rtol=1e-4, atol=1e-5
    )
    for row in range(len(queries)):
        alone = all_features.values(queries[row : row + 1], candidates.take(np.array([row])))
        part = values[candidates.indptr[row] : candidates.indptr[row + 1]]
        np.testing.assert_allclose(alone, part, rtol=1e-4, atol=1e-5)


def test_the_order_of_candidates_changes_nothing(all_features, values, queries, candidates):
    random = np.random.default_rng(2)
    order = np.lexsort((random.random(len(candidates)), candidates.rows))
    shuffled = Candidates(
        candidates.sources,
        candidates.indptr,
        candidates.tracks[order],
        candidates.ranks[order],
        candidates.scores[order],
    )
    np.testing.assert_allclose(
        all_features.values(queries, shuffled), values[order], rtol=1e-4, atol=1e-5
    )


def test_the_order_of_queries_changes_nothing(all_features, values, queries, candidates):
    order = np.random.default_rng(3).permutation(len(queries))
    swapped = Queries([queries.seeds[i] for i in order], [queries.titles[i] for i in order])
    rows = np.concatenate(
        [np.arange(candidates.indptr[i], candidates.indptr[i + 1]) for i in order]
    )
    again = all_features.values(swapped, candidates.take(order))
    np.testing.assert_allclose(again, values[rows], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("gone", SOURCES)
def test_a_model_that_is_gone_leaves_its_columns_unknown(
    gone, view, models, all_features, values, queries, candidates
):
    rest = {name: model for name, model in models.items() if name != gone}
    kept = [i for i, name in enumerate(candidates.sources) if name != gone][::-1]
    fewer = Candidates(
        tuple(candidates.sources[i] for i in kept),
        candidates.indptr,
        candidates.tracks,
        candidates.ranks[:, kept],
        candidates.scores[:, kept],
    )
    left = Features(view, rest, SOURCES)
    assert left.features == all_features.features
    found = left.values(queries, fewer)
    lost = {f"{gone}.{part}" for part in ("rank", "share", "z")}
    if gone == "als":
        lost |= {f"als.{part}" for part in ("centre", "nearest", "last", "artist", "homogeneity")}
    if gone == "titles":
        lost |= {name for name in left.names if name.startswith("title.")}
    changed = {"sources.count", "sources.best", "sources.reciprocal"}
    for at, name in enumerate(left.names):
        if name in lost:
            assert np.isnan(found[:, at]).all(), name
        elif name not in changed:
            np.testing.assert_array_equal(found[:, at], values[:, at], err_msg=name)


def test_no_models_no_candidates_no_queries(view, models):
    bare = Features(view, {}, ())
    assert "sources.count" in bare.names
    nothing = Candidates(
        (), np.zeros(3, int), np.empty(0, np.int32), np.empty((0, 0), np.int32),
        np.empty((0, 0), np.float32),
    )  # fmt: skip
    two = Queries([np.empty(0, np.int32), np.array([1], np.int32)], ["style two", None])
    for features in (bare, Features(view, models)):
        assert features.values(two, nothing).shape == (0, len(features.names))
        none = replace(nothing, indptr=np.zeros(1, int))
        assert features.values(Queries([], []), none).shape == (0, len(features.names))


def test_samples_of_holders_change_little(view, models, queries, candidates, values, monkeypatch):
    monkeypatch.setattr(holders, "MOST_HOLDERS", int(np.median(view.counts)))
    sampled = Features(view, models)
    found = sampled.values(queries, candidates)
    assert np.nanmax(found[:, sampled.names.index("together.conditional_max")]) <= 1
    for name in ("together.conditional", "artist.together"):
        at = sampled.names.index(name)
        seeded = ~np.isnan(values[:, at]) & (values[:, at] > 0)
        assert abs(found[seeded, at].mean() / values[seeded, at].mean() - 1) < 0.1


def test_nothing_of_held_out_playlists_is_seen(make_dataset):
    """Two datasets that differ only in what the view leaves out give the same values."""
    random = np.random.default_rng(6)
    names = [f"t{number}" for number in range(40)]
    tracks = {
        name: {"artist": f"artist {number % 9}", "energy": float(random.random())}
        for number, name in enumerate(names)
    }
    seen = [list(random.choice(names, 8, replace=False)) for _ in range(30)]
    hidden = [names[i : i + 10] for i in range(0, 40, 10)]
    marked = [[*(names[0:1] if row % 2 else []), *names[30:40]] for row in range(20)]
    titles = ["rock", "jazz", "soul"] * 10

    def values(rest):
        dataset = make_dataset([*seen, *rest], [*titles, *["marker"] * len(rest)], tracks)
        view = dataset.select(np.arange(len(seen)))
        id_of = {title: i for i, title in enumerate(dataset.column("title").to_pylist())}
        ids = np.array([id_of[name] for name in names], np.int32)
        models = {name: MODELS[name]().fit(view) for name in ("playlist_knn", "titles")}
        queries = Queries([ids[[2, 5, 35]], ids[:0]], ["jazz", "marker"])
        shape = (2 * len(ids), 2)
        given = Candidates(
            tuple(models),
            np.array([0, len(ids), 2 * len(ids)]),
            np.tile(ids, 2),
            np.ones(shape, np.int32),
            np.ones(shape, np.float32),
        )
        return Features(view, models).values(queries, given)

    same_tracks = [*hidden, *hidden]
    np.testing.assert_allclose(values(same_tracks), values([*hidden, *marked]), rtol=1e-4)


def test_the_documents_list_every_feature():
    shown = Path(__file__).resolve().parents[2] / "docs" / "features.md"
    assert shown.read_text("utf-8") == table()
