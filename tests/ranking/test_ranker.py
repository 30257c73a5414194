"""Forests that order candidates: what they learn, what they are worth, and how they are kept."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest

from core.errors import SegueError
from core.ranking.ranker import (
    Ranker,
    Standing,
    Table,
    _teaching,
    grow,
    mixed,
    require_lightgbm,
)
from core.ranking.routes import ROUTES
from core.retrieval.base import Queries
from tests.conftest import proven_on, standing

PARAMS = Ranker.Params(negatives=1000, rounds=25, leaves=7, least=5)
FEATURES = ("x", "noise")


def made_of(values, hits, blend, indptr):
    tracks, ranks = np.arange(len(hits), dtype=np.int32), np.ones((len(hits), 1), np.int16)
    return Table(values, hits, blend, tracks, ranks, indptr)


def planted_table(n_queries, seed, hit_rate=0.1, size=40):
    """The candidates with the largest first feature of a query are its hits; the other is noise."""
    random = np.random.default_rng(seed)
    values = random.random((n_queries * size, 2)).astype(np.float32)
    place = values[:, 0].reshape(n_queries, size).argsort(1).argsort(1).ravel()
    hits = place >= size * (1 - hit_rate)
    values[random.random(len(values)) < 0.05, 1] = np.nan
    blend = random.random(len(values)).astype(np.float32)
    return made_of(values, hits, blend, np.arange(n_queries + 1) * size)


@pytest.fixture(scope="module")
def table():
    return planted_table(120, 0)


@pytest.fixture(scope="module")
def ranker(table):
    bags = np.arange(120) % 2
    boosters = [grow([table], [bags != bag], PARAMS, bag, threads=1) for bag in range(2)]
    quotas = np.arange(len(ROUTES) * 2).reshape(len(ROUTES), 2)
    stands = {"title": standing(-0.01), "5 seeds": standing(0.02)}
    mix = np.linspace(0, 1, len(ROUTES))
    return Ranker(PARAMS, ("a", "b"), FEATURES, quotas, mix, boosters, stands)


def precision(scores, table):
    """Share of hits among as many best candidates of a query, in the mean."""
    found = []
    for start, stop in zip(table.indptr[:-1], table.indptr[1:], strict=True):
        hits = table.hits[start:stop]
        best = np.argsort(-scores[start:stop])[: hits.sum()]
        found.append(hits[best].mean())
    return np.mean(found)


def test_a_planted_rule_orders_queries_that_were_not_seen(ranker):
    unseen = planted_table(60, seed=9)
    assert precision(ranker.score(unseen.values), unseen) > 0.9
    assert precision(unseen.values[:, 1], unseen) < 0.3


def test_the_binary_objective_learns_it_too(table):
    params = replace(PARAMS, objective="binary")
    booster = grow([table], [np.ones(120, bool)], params, threads=1)
    unseen = planted_table(60, seed=9)
    assert precision(booster.predict(unseen.values), unseen) > 0.9


def test_a_table_may_be_in_parts_of_half_precision(table):
    halves = [
        made_of(
            table.values[rows].astype(np.float16),
            table.hits[rows],
            table.blend[rows],
            np.arange(0, rows.stop - rows.start + 1, 40),
        )
        for rows in (slice(0, 2000), slice(2000, 4800))
    ]
    kept = [np.ones(50, bool), np.ones(70, bool)]
    booster = grow(halves, kept, PARAMS, threads=1)
    unseen = planted_table(60, seed=9)
    assert precision(booster.predict(unseen.values), unseen) > 0.9


def test_the_same_seed_grows_the_same_forest(table):
    kept = [np.ones(120, bool)]
    few = replace(PARAMS, negatives=10)
    one, again, other = (grow([table], kept, few, seed, threads=1) for seed in (3, 3, 4))
    assert one.model_to_string() == again.model_to_string()
    assert one.model_to_string() != other.model_to_string()


def test_queries_that_are_not_kept_or_have_no_hit_teach_nothing(table):
    wrong = replace(table, hits=np.zeros_like(table.hits))
    flipped = replace(table, hits=~table.hits)
    everyone, nobody = np.ones(120, bool), np.zeros(120, bool)
    alone = grow([table], [everyone], PARAMS, threads=1)
    among = grow([table, wrong, flipped], [everyone, everyone, nobody], PARAMS, threads=1)
    assert alone.model_to_string() == among.model_to_string()


@pytest.fixture
def uneven():
    """Queries of 30, 0, 4 and 200 candidates; the third has no hit."""
    random = np.random.default_rng(2)
    indptr = np.array([0, 30, 30, 34, 234])
    hits = np.zeros(234, bool)
    hits[[0, 7, 29, 40, 41, 42, 43, 44, 200]] = True
    blend = random.permutation(234).astype(np.float32)
    return made_of(np.zeros((234, 1), np.float16), hits, blend, indptr)


def test_all_hits_are_kept_and_wrong_candidates_sampled(uneven):
    params = replace(PARAMS, negatives=20, hard=0.25)
    rows, sizes = _teaching(uneven, np.ones(4, bool), params, np.random.default_rng(0))
    assert sizes.tolist() == [3 + 20, 6 + 20]
    assert set(np.flatnonzero(uneven.hits)) <= set(rows)
    assert (np.diff(rows) > 0).all()
    for start, stop in ((0, 30), (34, 234)):
        wrong = start + np.flatnonzero(~uneven.hits[start:stop])
        hardest = wrong[np.argsort(-uneven.blend[wrong])][:5]
        assert set(hardest) <= set(rows)
        drawn = np.setdiff1d(np.intersect1d(rows, wrong), hardest)
        assert len(drawn) == 15
    # The others of the long query are drawn from all that are left, not from the hardest again.
    assert np.median(uneven.blend[drawn]) < np.sort(uneven.blend[wrong])[-50]
    others, _ = _teaching(uneven, np.ones(4, bool), params, np.random.default_rng(1))
    assert set(others) != set(rows)


def test_a_query_with_few_wrong_candidates_keeps_them_all(uneven):
    params = replace(PARAMS, negatives=100)
    wanted = np.array([True, True, True, False])
    rows, sizes = _teaching(uneven, wanted, params, np.random.default_rng(0))
    assert rows.tolist() == list(range(30))
    assert sizes.tolist() == [30]


def test_contributions_sum_to_the_score(ranker):
    values = planted_table(5, seed=4).values
    parts = ranker.contributions(values)
    assert parts.shape == (200, 3)
    np.testing.assert_allclose(parts.sum(1), ranker.score(values), atol=1e-9)
    assert np.abs(parts[:, 0]).mean() > 5 * np.abs(parts[:, 1]).mean()
    assert np.ptp(parts[:, -1]) == 0


def test_a_mix_adds_the_fusion_in_deviations_of_the_forests():
    scores = np.array([1.0, 3.0, 5.0, 10.0, 20.0])
    fused = np.array([0.03, 0.01, 0.02, 0.5, 0.7])
    indptr = np.array([0, 3, 3, 5])
    found = mixed(scores, fused, indptr, np.array([0.5, 1.0, 2.0]))
    first = (fused[:3] - fused[:3].mean()) / fused[:3].std()
    second = (fused[3:] - fused[3:].mean()) / fused[3:].std()
    np.testing.assert_allclose(found[:3], scores[:3] + 0.5 * scores[:3].std() * first)
    np.testing.assert_allclose(found[3:], scores[3:] + 2.0 * scores[3:].std() * second)


def test_a_mix_of_nothing_is_the_forests_alone():
    scores, indptr = np.array([3.0, 1.0, 2.0]), np.array([0, 3])
    fused = np.array([0.1, 0.5, 0.2])
    np.testing.assert_allclose(mixed(scores, fused, indptr, np.zeros(1)), scores)


@pytest.mark.parametrize(
    ("scores", "fused"), [([1.0], [0.2]), ([1.0, 1.0], [0.1, 0.2]), ([1.0, 2.0], [0.3, 0.3])]
)
def test_what_does_not_vary_is_mixed_without_trouble(scores, fused):
    indptr = np.array([0, len(scores)])
    found = mixed(np.array(scores), np.array(fused), indptr, np.ones(1))
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(
        np.argsort(found), np.argsort(np.add(scores, 1e-9 * np.array(fused)))
    )


def test_nothing_to_score_is_no_score(ranker):
    assert ranker.score(np.empty((0, 2), np.float32)).shape == (0,)
    assert ranker.contributions(np.empty((0, 2), np.float32)).shape == (0, 3)


def test_quotas_are_those_of_the_route_and_of_known_sources(ranker):
    queries = Queries([np.arange(5), np.arange(0)], [None, "gym"])
    at = [next(i for i, one in enumerate(ROUTES) if one.label == n) for n in ("5 seeds", "title")]
    np.testing.assert_array_equal(
        ranker.quotas_of(queries, ["b", "unknown", "a"]),
        [[2 * row + 1, 0, 2 * row] for row in at],
    )
    assert ranker.quotas_of(queries, []).shape == (2, 0)
    assert ranker.quotas_of(Queries([], []), ["a"]).shape == (0, 1)


@pytest.mark.parametrize(
    ("low", "proven"), [(0.001, True), (0.0, False), (-0.001, False), (float("nan"), False)]
)
def test_a_ranker_is_proven_where_the_interval_is_above_zero(low, proven):
    assert standing(low).proven == proven


def test_the_blend_does_not_decide_whether_a_ranker_is_proven():
    assert Standing(9, "als", (0.1, 0.05, 0.2), (-0.1, -0.2, -0.05)).proven
    assert not Standing(9, "als", (0.1, -0.05, 0.2), (0.1, 0.05, 0.2)).proven


def test_a_ranker_is_proven_by_route_and_nowhere_else(ranker):
    assert [one.label for one, yes in zip(ROUTES, ranker.proven, strict=True) if yes] == ["5 seeds"]
    assert not proven_on(ranker, []).proven.any()


def test_a_stored_ranker_scores_the_same(ranker, tmp_path):
    ranker.save(tmp_path)
    stored = Ranker.load(tmp_path)
    values = planted_table(5, seed=4).values
    np.testing.assert_array_equal(stored.score(values), ranker.score(values))
    np.testing.assert_array_equal(stored.contributions(values), ranker.contributions(values))
    for name in ("params", "sources", "features", "standing"):
        assert getattr(stored, name) == getattr(ranker, name)
    np.testing.assert_array_equal(stored.quotas, ranker.quotas)
    np.testing.assert_array_equal(stored.mix, ranker.mix)
    np.testing.assert_array_equal(stored.proven, ranker.proven)


def rewritten(folder, change):
    """Change what `ranker.json` says."""
    stored = json.loads((folder / "ranker.json").read_text())
    change(stored)
    (folder / "ranker.json").write_text(json.dumps(stored))


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


DAMAGES = {
    "no forest": lambda folder: (folder / "forest-1.txt").unlink(),
    "an empty forest": lambda folder: (folder / "forest-1.txt").write_text(""),
    "half a forest": lambda folder: cut(folder / "forest-1.txt"),
    "a tale": lambda folder: (folder / "forest-1.txt").write_text("once upon a time\n"),
    "bytes": lambda folder: (folder / "forest-1.txt").write_bytes(b"\xff\xfe\x00"),
    "no quotas": lambda folder: (folder / "quotas.npy").unlink(),
    "half of the quotas": lambda folder: cut(folder / "quotas.npy"),
    "no JSON": lambda folder: (folder / "ranker.json").write_text("{"),
    "a list": lambda folder: (folder / "ranker.json").write_text("[]"),
    "no standing": lambda folder: rewritten(folder, lambda all_: all_.pop("standing")),
    "another standing": lambda folder: rewritten(
        folder, lambda all_: all_["standing"]["title"].update(extra=1)
    ),
    "another setting": lambda folder: rewritten(
        folder, lambda all_: all_["params"].update(extra=1)
    ),
    "nothing": shutil.rmtree,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_ranker_is_one_sentence(ranker, tmp_path, damage):
    folder = tmp_path / "ranker"
    folder.mkdir()
    ranker.save(folder)
    damage(folder)
    with pytest.raises(SegueError, match=r"train (it|the ranker) again\.$"):
        Ranker.load(folder)


def test_without_lightgbm_a_sentence_says_how_to_get_it(ranker, table, tmp_path, monkeypatch):
    ranker.save(tmp_path)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    for use in (
        require_lightgbm,
        lambda: Ranker.load(tmp_path),
        lambda: grow([table], [np.ones(120, bool)], PARAMS),
    ):
        with pytest.raises(SegueError, match=r"needs LightGBM.*pip install lightgbm.*libgomp1`\.$"):
            use()


def test_a_missing_system_library_says_the_same(monkeypatch):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "lightgbm":
                raise OSError("libgomp.so.1: cannot open shared object file")

    monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(SegueError, match=r"libgomp\.so\.1: cannot open.*apt-get install libgomp1"):
        require_lightgbm()
