import hashlib
import subprocess
import sys

import numpy as np
import pytest

from core.dataset.dataset import Playlists
from core.retrieval.base import Queries
from core.retrieval.track2vec import DEFAULTS, Track2Vec, _Sentences

QUICK = {"vector_size": 8, "window": 5, "epochs": 3}


def fit(dataset, seed=0, **params):
    return Track2Vec(Track2Vec.Params(**(QUICK | params))).fit(dataset, seed)


@pytest.fixture(scope="module")
def model(planted):
    return fit(planted)


def test_the_product_is_query_times_output_vector_plus_bias(planted):
    model = fit(planted, bias=0.5)
    seeds = np.array([3, 50])
    answer = model.recommend(Queries.single(seeds), 118)
    query = model.vectors[seeds].mean(axis=0)
    expected = model.output_vectors @ query + 0.5 * np.log(planted.counts)
    np.testing.assert_allclose(answer.scores[0], expected[answer.ids[0]], rtol=1e-3, atol=1e-5)


def test_the_cosine_is_that_of_gensim(planted):
    from gensim.models import KeyedVectors

    model = fit(planted, score="cosine")
    keyed = KeyedVectors(8)
    keyed.add_vectors(list(range(planted.n_tracks)), model.vectors)
    expected = keyed.most_similar(positive=[3, 50], topn=20)
    answer = model.recommend(Queries.single([3, 50]), 20)
    np.testing.assert_allclose(answer.scores[0], [cosine for _, cosine in expected], rtol=1e-4)


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


def test_a_minimum_that_no_track_reaches_leaves_nothing_to_say(make_dataset):
    model = fit(make_dataset([["a", "b"]]), min_count=9)
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
