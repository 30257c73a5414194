"""The ranker trained: it learns what is planted, is judged fairly, and sees no held-out track."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.dataset.dataset import Dataset
from core.evaluation.challenge import split
from core.ranking.ranker import RANKER
from core.ranking.routes import ROUTES, route
from core.recommender import FUSION, Recommender
from core.retrieval import MODELS
from core.training import ranking as module
from core.training.crossfit import CrossFit
from core.training.ranking import train_ranker
from tests.conftest import SMALL, SOURCES, in_this_process, proven_on

EVERY_ROUTE = [one.label for one in ROUTES]


def test_the_ranker_is_of_the_sources_and_judged_on_each_route(trained):
    ranker, made = trained.ranker, trained.made
    assert ranker.sources == tuple(SOURCES)
    assert ranker.features == tuple(made.features)
    assert len(ranker.boosters) == SMALL.bags
    routes = np.concatenate([route(made.masked(fold).queries) for fold in made.folds])
    assert {label: one.playlists for label, one in ranker.standing.items()} == {
        ROUTES[index].label: count
        for index, count in zip(*np.unique(routes, return_counts=True), strict=True)
    }
    for one in ranker.standing.values():
        assert one.single in SOURCES
        assert one.against_single[1] <= one.against_single[0] <= one.against_single[2]


def test_a_standing_is_against_the_best_single_source_of_its_route():
    gains = np.random.default_rng(0).uniform(0.05, 0.15, 40)
    weak, strong = np.linspace(0.1, 0.3, 40), np.linspace(0.2, 0.6, 40)
    routes = np.repeat([0, 3], 20)
    first = routes == 0
    better, worse = strong + gains, strong - gains
    precision = {
        **dict.fromkeys(module.MIXES, worse - 0.1),
        module.MIXES[0]: np.where(first, better, worse - 0.1),
        module.MIXES[-1]: worse,
        FUSION: strong,
        "a": np.where(first, weak, strong),
        "b": np.where(first, strong, weak),
    }
    mix, standing = module._judged(routes, np.arange(40), np.arange(40) % 2, precision)
    assert (mix[0], mix[3]) == (module.MIXES[0], module.MIXES[-1])
    assert mix.shape == (len(ROUTES),)
    assert {label: (one.single, one.playlists) for label, one in standing.items()} == {
        "title": ("b", 20),
        "5 seeds": ("a", 20),
    }
    assert standing["title"].against_single[0] == pytest.approx(gains[:20].mean())
    assert standing["5 seeds"].against_single[0] == pytest.approx(-gains[20:].mean())
    assert [standing[label].proven for label in ("title", "5 seeds")] == [True, False]


def test_a_playlist_is_judged_by_the_forest_that_has_not_seen_it(trained, monkeypatch):
    made, kept, table = trained.made, [], CrossFit.table

    class Forest:
        """Knows what is right, and says that or the contrary."""

        def __init__(self, sign):
            self.sign = sign

        def predict(self, values, **_):
            return self.sign * values[:, 0]

    def grow(tables, wanted, params, seed, **_):
        kept.append(wanted)
        return Forest(1 - 2 * (len(kept) - 1))

    def told(self, fold):
        whole = table(self, fold)
        return replace(whole, values=whole.hits[:, None])

    monkeypatch.setattr(CrossFit, "table", told)
    captured = {}

    def judged(routes, playlists, bags, precision):
        captured.update(precision)
        return np.zeros(len(ROUTES)), {}

    monkeypatch.setattr(module, "grow", grow)
    monkeypatch.setattr(module, "_judged", judged)
    module.fit_ranker(made, SMALL)
    rows = [made.masked(fold).rows for fold in made.folds]
    for fold, of in enumerate(rows):
        assert (kept[0][fold] ^ kept[1][fold]).all()
        for learnt in kept:
            # All masks of a playlist are learnt from, or none.
            assert not set(of[learnt[fold]]) & set(of[~learnt[fold]])
    unseen = np.concatenate([~of for of in kept[0]])
    alone = captured[0.0]
    assert alone[unseen].mean() > 3 * alone[~unseen].mean()


def mean_rank(recommender, queries, hidden, model=None):
    """Mean place of the hidden tracks of each query among all tracks."""
    n_tracks = recommender.dataset.n_tracks
    ids = recommender.recommend(queries, n_tracks, model).ids
    return np.array(
        [
            np.flatnonzero(np.isin(row, tracks)).mean()
            for row, tracks in zip(ids, hidden, strict=True)
        ]
    )


def fitted(view, sources):
    return {
        name: MODELS[name](MODELS[name].Params(**params)).fit(view)
        for name, params in sources.items()
    }


def test_the_order_of_playlists_changes_no_more_than_noise(trained, tmp_path):
    test, train = trained.parts.test, trained.parts.train
    order = np.random.default_rng(3).permutation(train.n_playlists)
    shuffled = train.select(order)
    with in_this_process():
        other = train_ranker(shuffled, SOURCES, tmp_path / "work", SMALL)
    ranks = [
        mean_rank(
            Recommender(view, fitted(view, SOURCES), proven_on(ranker, EVERY_ROUTE)),
            test.queries,
            test.hidden,
        )
        for view, ranker in ((train, trained.ranker), (shuffled, other))
    ]
    # Among 120 tracks; what is planted puts the hidden tracks among the first thirty.
    assert max(one.mean() for one in ranks) < 30
    assert abs(ranks[0].mean() - ranks[1].mean()) < 1.5


def vandalised(folder, rows, target):
    """A copy of a dataset in which everything that held-out playlists say is another.

    Their tracks are exchanged for tracks that nobody else has, and so are all the sums over the
    whole dataset.
    """
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("models", "search", "crossfit*"))
    arrays = target / "arrays"
    indptr, tracks = np.load(arrays / "indptr.npy"), np.load(arrays / "track.npy")
    n_tracks = int(tracks.max()) + 1
    random = np.random.default_rng(7)
    for row in rows:
        part = slice(indptr[row], indptr[row + 1])
        tracks[part] = random.choice(n_tracks, part.stop - part.start, replace=False)
    np.save(arrays / "track.npy", tracks)
    for name in ("tracks", "artists"):
        table = pq.read_table(target / f"{name}.parquet")
        for column in {"playlists", "tracks", "entries", "count"} & set(table.column_names):
            at = table.column_names.index(column)
            table = table.set_column(at, column, table[column].combine_chunks()[::-1])
        pq.write_table(table, target / f"{name}.parquet")
    pq.write_table(pq.read_table(target / "entries.parquet")[:0], target / "entries.parquet")
    manifest = json.loads((target / "manifest.json").read_text())
    kept = ("tracks", "entries")  # by these memory is judged
    counts = {name: manifest["counts"][name] for name in kept}
    manifest |= {"counts": counts, "fingerprint": "other"}
    (target / "manifest.json").write_text(json.dumps(manifest))
    return Dataset(target)


def test_nothing_depends_on_what_is_held_out(planted, tmp_path):
    """A ranker trained on a view is a function of the view, whatever the folder holds besides."""
    sources = SOURCES | {"titles": {}, "artist_knn": {}, "audio": {}}
    params = replace(SMALL, playlists=60)
    before = split(planted, 60, seed=0, validation=20)
    held = np.concatenate([before.test.rows, before.validation.rows])
    other = vandalised(planted.folder, held, tmp_path / "other")
    after = split(other, 60, seed=0, validation=20)
    np.testing.assert_array_equal(before.test.rows, after.test.rows)
    hidden = [
        np.array_equal(*two) for two in zip(before.test.hidden, after.test.hidden, strict=True)
    ]
    assert not any(hidden)

    rankers, tables, answers = [], [], []
    with in_this_process():
        for name, view in (("before", before.train), ("after", after.train)):
            work = tmp_path / name
            ranker = train_ranker(view, sources, work, params)
            rankers.append(ranker)
            tables.append(sorted(work.glob("table-*/*.npy")))
            recommender = Recommender(view, fitted(view, sources), proven_on(ranker, EVERY_ROUTE))
            answers.append(recommender.recommend(before.test.queries, 100).ids)
    one, two = rankers
    assert len(tables[0]) > 6
    for left, right in zip(*tables, strict=True):
        np.testing.assert_array_equal(np.load(left), np.load(right))
    np.testing.assert_array_equal(one.quotas, two.quotas)
    np.testing.assert_array_equal(one.mix, two.mix)
    assert one.standing == two.standing
    assert [each.model_to_string() for each in one.boosters] == [
        each.model_to_string() for each in two.boosters
    ]
    np.testing.assert_array_equal(*answers)


def test_a_track_that_only_held_out_playlists_hide_is_never_a_candidate(planted, tmp_path):
    """The marker is in all of the test playlists, which would make it the most popular track."""
    parts = split(planted, 40, seed=0)
    marker = planted.by_popularity[0]
    lists = [np.setdiff1d(one, [marker]) for one in map(planted.playlists.__getitem__, range(240))]
    lists = [
        np.append(one, marker) if at in parts.test.rows else one for at, one in enumerate(lists)
    ]
    indptr = np.append(0, np.cumsum([len(one) for one in lists]))
    tracks = np.concatenate(lists).astype(np.int32)
    marked = Dataset(planted.folder, replace(planted.playlists, indptr=indptr, tracks=tracks))
    assert marked.counts[marker] == 40
    train = marked.select(np.setdiff1d(np.arange(240), parts.test.rows))
    with in_this_process():
        ranker = train_ranker(train, SOURCES, tmp_path / "work", SMALL)
    for path in (tmp_path / "work").glob("table-*/tracks.npy"):
        assert not (np.load(path) == marker).any()
    for path in (tmp_path / "work").glob("fold-*/*/ids.npy"):
        assert not (np.load(path) == marker).any()
    recommender = Recommender(train, fitted(train, SOURCES), proven_on(ranker, EVERY_ROUTE))
    for model in recommender.choices:
        for candidates, _ in recommender.scored(parts.test.queries, model):
            assert marker not in candidates


@pytest.fixture(scope="module")
def heard(make_dataset):
    """Playlists of tracks of about the same energy and valence, drawn at random from those.

    A thousand tracks, each in about three playlists, so that tracks which go together have seldom
    met: what sounds alike says more than what was seen together.
    """
    random = np.random.default_rng(0)
    sound = random.random((1000, 2))
    names = [f"{track:04}" for track in range(1000)]
    playlists = []
    for centre in random.uniform(0.1, 0.9, (260, 2)):
        near = np.argsort(((sound - centre) ** 2).sum(1))[:60]
        playlists.append([names[track] for track in random.choice(near, 12, replace=False)])
    fields = {
        name: {"energy": float(energy), "valence": float(valence)}
        for name, (energy, valence) in zip(names, sound, strict=True)
    }
    return make_dataset(playlists, ["mix"] * 260, fields, name="heard")


FEW = {"popularity": {}, "item_knn": {}}


@pytest.fixture(scope="module")
def by_ear(heard, tmp_path_factory):
    """Parts of those playlists, and a ranker of their audio."""
    params = replace(SMALL, pool=1000, playlists=300, negatives=200, rounds=40)
    parts = split(heard, 40, seed=0)
    with in_this_process():
        ranker = train_ranker(parts.train, FEW, tmp_path_factory.mktemp("work") / "w", params)
    return parts, proven_on(ranker, EVERY_ROUTE), ranker.standing


def test_a_signal_that_only_audio_has_is_found(by_ear):
    parts, ranker, standing = by_ear
    for label in ("title + 1 seed", "title + 5 seeds"):
        assert standing[label].against_blend[1] > 0
        assert standing[label].proven
    gains = sum(one.feature_importance("gain") for one in ranker.boosters)
    assert ranker.features[gains.argmax()].startswith("audio.")
    recommender = Recommender(parts.train, fitted(parts.train, FEW), ranker)
    rows = np.flatnonzero(parts.test.queries.lengths)
    queries, hidden = parts.test.queries.take(rows), [parts.test.hidden[row] for row in rows]
    found = {
        model: np.array(
            [
                np.isin(ids, tracks).sum()
                for ids, tracks in zip(
                    recommender.recommend(queries, 60, model).ids, hidden, strict=True
                )
            ]
        )
        for model in (RANKER, FUSION)
    }
    assert found[RANKER].mean() > 1.4 * found[FUSION].mean()


def test_an_exact_copy_of_the_query_raises_what_it_hides(heard, by_ear):
    parts, ranker, _ = by_ear
    test = parts.test
    rows = np.flatnonzero(test.queries.lengths)[:16]
    queries, hidden = test.queries.take(rows), [test.hidden[row] for row in rows]
    left = np.setdiff1d(np.arange(heard.n_playlists), test.rows)
    gains = []
    for at, row in enumerate(test.rows[rows]):
        ranks = []
        for view in (parts.train, heard.select(np.append(left, row))):
            recommender = Recommender(view, fitted(view, FEW), ranker)
            one = queries.take(np.array([at]))
            ranks.append(mean_rank(recommender, one, [hidden[at]])[0])
        gains.append(ranks[0] - ranks[1])
    assert np.mean(np.array(gains) > 0) > 0.8
    assert np.mean(gains) > 40
