import hashlib
import subprocess
import sys

import numpy as np
import pytest

from core.dataset.dataset import Playlists
from core.retrieval import track2vec
from core.retrieval.base import Queries
from core.retrieval.track2vec import DEFAULTS, Track2Vec, _Sentences

QUICK = {"vector_size": 8, "window": 5, "epochs": 3}


def fit(dataset, seed=0, **params):
    return Track2Vec(Track2Vec.Params(**(QUICK | params))).fit(dataset, seed)


@pytest.fixture(scope="module")
def model(planted):
    return fit(planted)


def test_the_product_meets_inputs_with_outputs_both_ways(planted):
    model = fit(planted, bias=0.5, retrieval="centroid")
    seeds = np.array([3, 50])
    answer = model.recommend(Queries.single(seeds), 118)
    there = model.output_vectors @ model.vectors[seeds].mean(axis=0)
    back = model.vectors @ model.output_vectors[seeds].mean(axis=0)
    expected = (there + back) / 2 + 0.5 * np.log(planted.counts)
    np.testing.assert_allclose(answer.scores[0], expected[answer.ids[0]], rtol=1e-3, atol=1e-5)


def test_the_cosine_is_that_of_gensim(planted):
    from gensim.models import KeyedVectors

    model = fit(planted, score="cosine", retrieval="centroid")
    keyed = KeyedVectors(8)
    keyed.add_vectors(list(range(planted.n_tracks)), model.vectors)
    expected = keyed.most_similar(positive=[3, 50], topn=20)
    answer = model.recommend(Queries.single([3, 50]), 20)
    np.testing.assert_allclose(answer.scores[0], [cosine for _, cosine in expected], rtol=1e-4)


@pytest.mark.parametrize("score", ["product", "cosine"])
def test_answers_of_each_seed_are_merged(planted, score):
    model = fit(planted, score=score, retrieval="per_seed", bias=0.5)
    seeds = np.array([3, 50, 70])
    alone = (model.vectors[seeds] @ model.output_vectors.T) / 2
    alone += (model.output_vectors[seeds] @ model.vectors.T) / 2
    alone += 0.5 * np.log(planted.counts)
    if score == "cosine":
        unit = model.vectors / np.linalg.norm(model.vectors, axis=1, keepdims=True)
        alone = unit[seeds] @ unit.T
    z = (alone - alone.mean(axis=1, keepdims=True)) / alone.std(axis=1, keepdims=True)
    expected = np.exp(z / 2).mean(axis=0)
    answer = model.recommend(Queries.single(seeds), 117)
    np.testing.assert_allclose(answer.scores[0], expected[answer.ids[0]], rtol=1e-3)


@pytest.mark.parametrize("score", ["product", "cosine"])
@pytest.mark.parametrize("retrieval", ["centroid", "per_seed"])
def test_every_way_to_answer_divides_among_the_seeds(make_dataset, score, retrieval):
    names = "abcdef"
    dataset = make_dataset([[*names], [*names[::-1]], [*names, "once"]])
    *seeds, once = dataset.ids_of(["t:a", "t:b", "t:once"])
    model = fit(dataset, score=score, retrieval=retrieval, min_count=2)
    asked = np.array([*seeds, once])
    answer = model.recommend(Queries.single(asked), 4)
    shares = model.seed_contributions(asked, np.append(answer.ids[0], once))
    np.testing.assert_allclose(shares[:, :4].sum(axis=0), answer.scores[0], rtol=1e-4, atol=1e-6)
    assert shares[:2, :4].any(axis=1).all()
    assert not shares[2].any()
    assert not shares[:, 4].any()


def test_seeds_score_the_candidates_of_their_centroid(model, planted, monkeypatch):
    middle = fit(planted, retrieval="centroid")
    queries = Queries([np.arange(3), np.empty(0, np.int32), np.array([9])], [None] * 3)
    whole = model.recommend(queries, planted.n_tracks)
    monkeypatch.setattr(track2vec, "_CANDIDATES", 30)
    answer = model.recommend(queries, planted.n_tracks)
    centroid = middle.recommend(queries, 27)
    for row in (0, 2):
        found = answer.ids[row][answer.ids[row] >= 0]
        assert len(found) < 30
        assert set(centroid.ids[row]) <= set(found)
        np.testing.assert_array_equal(found, whole.ids[row][np.isin(whole.ids[row], found)])
    assert (answer.ids[1] == -1).all()


def test_tracks_that_are_all_alike_have_sound_scores(make_dataset):
    model = fit(make_dataset([["a", "b"], ["a", "b"]]), retrieval="per_seed")
    model._targets[:] = model._targets[0]
    answer = model.recommend(Queries.single([0]), 1)
    assert answer.scores[0, 0] == pytest.approx(1, abs=1e-2)


def test_one_seed_alone_ranks_as_its_centroid(model, planted):
    middle = fit(planted, retrieval="centroid")
    for seed in (0, 40, 119):
        alone = Queries.single([seed])
        np.testing.assert_array_equal(
            model.recommend(alone, 20).ids, middle.recommend(alone, 20).ids
        )


def test_tracks_below_the_minimum_have_no_vectors(make_dataset):
    dataset = make_dataset([["a", "b"], ["a", "b"], ["a", "b", "c"]])
    a, b, c = dataset.ids_of(["t:a", "t:b", "t:c"])
    model = fit(dataset, min_count=2)
    assert model.vectors.shape == (3, 8)
    assert model.vectors.dtype == np.float32
    assert model.vectors[[a, b]].any(axis=1).all()
    assert not model.vectors[c].any()
    assert set(model.recommend(Queries.single([a]), 3).ids[0]) == {b, -1}
    assert (model.recommend(Queries.single([c]), 3).ids == -1).all()
    np.testing.assert_array_equal(
        model.recommend(Queries.single([a, c]), 3).scores,
        model.recommend(Queries.single([a]), 3).scores,
    )


@pytest.mark.parametrize("retrieval", ["centroid", "per_seed"])
def test_a_minimum_that_no_track_reaches_leaves_nothing_to_say(make_dataset, retrieval):
    model = fit(make_dataset([["a", "b"]]), min_count=9, retrieval=retrieval)
    assert not model.vectors.any()
    assert (model.recommend(Queries.single([0]), 3).ids == -1).all()
    assert not model.seed_contributions(np.array([0]), np.array([1])).any()


def test_other_seeds_give_other_vectors(model, planted):
    assert not np.array_equal(model.vectors, fit(planted, seed=1).vectors)


def test_vectors_do_not_depend_on_the_hash_seed(model, planted):
    code = f"""
import hashlib, pathlib, sys
from core.dataset.dataset import Dataset
from core.retrieval.track2vec import Track2Vec
model = Track2Vec(Track2Vec.Params(**{QUICK!r})).fit(Dataset(pathlib.Path({str(planted.folder)!r})))
print(hashlib.sha256(model.vectors.tobytes() + model.output_vectors.tobytes()).hexdigest())
"""
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "12345", "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    here = hashlib.sha256(model.vectors.tobytes() + model.output_vectors.tobytes()).hexdigest()
    assert other.stdout.strip() == here


def test_long_playlists_are_read_whole():
    playlists = Playlists(np.array([0, 25_000, 25_002]), np.arange(25_002), [None, None], 25_002)
    sentences = list(_Sentences(playlists))
    assert [len(sentence) for sentence in sentences] == [10_000, 10_000, 5_000, 2]
    np.testing.assert_array_equal(np.concatenate(sentences), np.arange(25_002))


def test_the_reference_is_what_gensim_does_by_default():
    from inspect import signature

    from gensim.models import Word2Vec

    defaults = {name: p.default for name, p in signature(Word2Vec).parameters.items()}
    for name in ("sg", "negative", "ns_exponent", "sample", "epochs", "alpha", "min_count"):
        assert getattr(DEFAULTS, name) == defaults[name], name
