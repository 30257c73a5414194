"""What every retrieval model promises, whatever it computes."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import Progress
from core.retrieval import MODELS, PRESETS, REFERENCES
from core.retrieval.base import Queries, Recommendations, RetrievalModel, unit
from tests.conftest import style_of

QUICK = {
    "als": {"factors": 32},
    "track2vec": {"vector_size": 16, "window": 12, "epochs": 20, "alpha": 0.2},
    "two_tower": {"dimensions": 16, "batch": 32, "targets": 4, "negatives": 64, "epochs": 12},
}
NOT_LINEAR = {"popularity", "titles", "two_tower", "audio", "rating"}
"""Models that divide no score among the seeds."""
ABSENT = 3
"""Tracks of style 0 that no training playlist holds."""

every_model = pytest.mark.parametrize("name", MODELS)


def make(name: str) -> RetrievalModel:
    return MODELS[name](MODELS[name].Params(**QUICK.get(name, {})))


@pytest.fixture(scope="module")
def view(planted: Dataset) -> Dataset:
    """A training split in which `ABSENT` tracks have no playlist."""
    absent = [track for track in range(planted.n_tracks) if style_of(planted, [track]) == [0]]
    rows = [
        row
        for row in range(planted.n_playlists)
        if not np.isin(absent[:ABSENT], planted.playlists[row]).any()
    ]
    split = planted.select(np.array(rows))
    assert (split.counts == 0).sum() == ABSENT
    return split


@pytest.fixture(scope="module")
def fitted(view: Dataset) -> dict[str, RetrievalModel]:
    return {name: make(name).fit(view, seed=1) for name in MODELS}


@pytest.fixture(scope="module")
def queries(view: Dataset) -> Queries:
    """No seed, one, several, absent ones, nearly all; titles known, mistyped, foreign, none."""
    random = np.random.default_rng(5)
    absent = np.flatnonzero(view.counts == 0).astype(np.int32)
    seeds = [
        np.empty(0, np.int32),
        np.empty(0, np.int32),
        absent,
        np.array([7], np.int32),
        np.concatenate([absent[:1], np.array([3, 90], np.int32)]),
        random.permutation(view.n_tracks).astype(np.int32)[: view.n_tracks - 4],
        random.permutation(view.n_tracks).astype(np.int32),
        *(
            random.choice(view.n_tracks, size, replace=False).astype(np.int32)
            for size in (2, 5, 25)
        ),
    ]
    titles = [None, "style two", "stile too", "Любимое", "", "🔥", "STYLE   Three!", None, "x", "—"]
    return Queries(seeds, titles)


def check(
    model: RetrievalModel, answer: Recommendations, queries: Queries, k: int, view: Dataset
) -> None:
    assert answer.ids.shape == answer.scores.shape == (len(queries), k)
    assert answer.ids.dtype == np.int32
    assert answer.scores.dtype == np.float32
    for row, seeds in enumerate(queries.seeds):
        ids, scores = answer.ids[row], answer.scores[row]
        n = int((ids >= 0).sum())
        assert (ids[n:] == -1).all()
        assert np.isneginf(scores[n:]).all()
        assert np.isfinite(scores[:n]).all()
        assert (np.diff(scores[:n]) <= 0).all()
        assert len(set(ids[:n])) == n
        assert not set(ids[:n]) & set(seeds)
        assert (ids[:n] < view.n_tracks).all()
        assert model.proposes_unheard or (view.counts[ids[:n]] > 0).all()


@every_model
@pytest.mark.parametrize("k", [1, 20, 500])
def test_answers_are_sound(name, k, fitted, queries, view):
    check(fitted[name], fitted[name].recommend(queries, k), queries, k, view)


@every_model
def test_a_batch_answers_as_its_queries_do_alone(name, fitted, queries):
    batch = fitted[name].recommend(queries, 20)
    for row in range(len(queries)):
        alone = fitted[name].recommend(queries[row : row + 1], 20)
        np.testing.assert_allclose(alone.scores[0], batch.scores[row], rtol=1e-4, atol=1e-6)
        assert len(set(alone.ids[0]) & set(batch.ids[row])) >= len(set(batch.ids[row])) - 1


@every_model
def test_no_query_no_answer(name, fitted):
    assert fitted[name].recommend(Queries([], []), 5).ids.shape == (0, 5)


@every_model
def test_only_models_that_need_neither_seed_nor_title_answer_without(name, fitted):
    model = fitted[name]
    answer = model.recommend(Queries.single([], None), 5)
    assert (answer.ids >= 0).all() == (not model.uses_seeds and not model.uses_titles)


@every_model
def test_absent_tracks_say_only_what_metadata_knows(name, fitted, view):
    model = fitted[name]
    absent = np.flatnonzero(view.counts == 0).astype(np.int32)
    if model.uses_metadata:
        answer = model.recommend(Queries.single(absent), 10)
        assert (np.array(style_of(view, answer.ids[0])) == 0).mean() > 0.8
        return
    with_absent = model.recommend(Queries.single([*absent, 7, 11], "style two"), 10)
    without = model.recommend(Queries.single([7, 11], "style two"), 10)
    np.testing.assert_array_equal(with_absent.ids, without.ids)
    if model.uses_seeds:
        assert (model.recommend(Queries.single(absent), 10).ids == -1).all()


@every_model
def test_more_seeds_than_most_playlists_have(name, make_dataset):
    random = np.random.default_rng(2)
    dataset = make_dataset(
        [[f"{track}" for track in random.choice(400, 80, replace=False)] for _ in range(30)],
        ["mix"] * 30,
        {f"{track}": {"energy": energy} for track, energy in enumerate(random.random(400))},
    )
    queries = Queries.single(np.arange(250, dtype=np.int32), "mix")
    model = make(name).fit(dataset)
    answer = model.recommend(queries, 500)
    check(model, answer, queries, 500, dataset)
    assert (answer.ids >= 0).sum() > 100


@pytest.mark.parametrize("name", [name for name in MODELS if name != "popularity"])
def test_planted_styles_are_found(name, fitted, planted):
    random = np.random.default_rng(3)
    styles = np.array(style_of(planted, np.arange(planted.n_tracks)))
    queries = Queries(
        [random.choice(np.flatnonzero(styles == style), 3).astype(np.int32) for style in range(4)],
        [f"style {word}" for word in ("zero", "one", "two", "three")],
    )
    answer = fitted[name].recommend(queries, 15)
    right = styles[answer.ids] == np.arange(4)[:, None]
    assert right.mean() > 0.95


@every_model
def test_saved_and_loaded_answers_identically(name, fitted, queries, view, tmp_path):
    fitted[name].save(tmp_path / "model")
    loaded = MODELS[name].load(tmp_path / "model", view)
    assert loaded.params == fitted[name].params
    before, after = fitted[name].recommend(queries, 30), loaded.recommend(queries, 30)
    np.testing.assert_array_equal(before.ids, after.ids)
    np.testing.assert_array_equal(before.scores, after.scores)
    names = {file.suffix for file in (tmp_path / "model").iterdir()}
    assert names <= {".npy", ".json"}


@every_model
def test_a_model_loads_only_its_own_folder(name, fitted, view, tmp_path):
    fitted[name].save(tmp_path)
    others = [other for other in MODELS if other != name]
    for other in others:
        with pytest.raises(SegueError, match=f"holds the model '{name}'"):
            MODELS[other].load(tmp_path, view)


@every_model
def test_the_same_seed_gives_the_same_model(name, fitted, queries, view):
    again = make(name).fit(view, seed=1).recommend(queries, 30)
    first = fitted[name].recommend(queries, 30)
    np.testing.assert_array_equal(first.ids, again.ids)
    np.testing.assert_array_equal(first.scores, again.scores)


@every_model
def test_contributions_of_seeds_sum_to_the_scores(name, fitted, view):
    model = fitted[name]
    absent = np.flatnonzero(view.counts == 0).astype(np.int32)
    seeds = np.array([40, 7, absent[0], 11], np.int32)
    answer = model.recommend(Queries.single(seeds), 20)
    shares = model.seed_contributions(seeds, answer.ids[0])
    if shares is None:
        assert name in NOT_LINEAR
        return
    assert shares.shape == (4, 20)
    np.testing.assert_allclose(shares.sum(axis=0), answer.scores[0], rtol=1e-4, atol=1e-6)
    assert model.uses_metadata or not shares[2].any()


@every_model
def test_vectors_of_tracks_tell_styles_apart(name, fitted, view):
    vectors = fitted[name].track_vectors()
    some = np.array([40, 7, *np.flatnonzero(view.counts == 0)[:1], 7])
    if vectors is None:
        assert fitted[name].vectors_of(some) is None
        return
    assert vectors.dtype == np.float32
    assert len(vectors) == view.n_tracks
    np.testing.assert_array_equal(fitted[name].vectors_of(some), vectors[some])
    absent = view.counts == 0
    assert fitted[name].uses_metadata or not vectors[absent].any()
    styles = np.array(style_of(view, np.arange(view.n_tracks)))[~absent]
    cosines = unit(vectors[~absent]) @ unit(vectors[~absent]).T
    same = styles[:, None] == styles
    assert cosines[same].mean() > cosines[~same].mean() + 0.3


@every_model
def test_one_playlist_of_one_track_is_enough_to_fit(name, make_dataset):
    dataset = make_dataset([["a"]])
    answer = make(name).fit(dataset).recommend(Queries.single([0], "a"), 5)
    assert (answer.ids == -1).all()


@every_model
def test_progress_stays_in_bounds(name, view):
    class Recorder(Progress):
        fractions: list[float | None] = []  # noqa: RUF012

        def update(self, label, fraction=None):
            assert label
            self.fractions.append(fraction)

    recorder = Recorder()
    make(name).fit(view, progress=recorder)
    assert all(fraction is None or 0 <= fraction <= 1 for fraction in recorder.fractions)


@every_model
def test_models_say_what_they_are(name):
    model = MODELS[name]
    assert model.name == name
    assert model.label
    assert "https://" in model.source
    assert model.Params(**json.loads(json.dumps(asdict(model.Params())))) == model.Params()


def test_presets_and_references_name_settings_that_exist():
    assert {"fast", "full"} <= set(PRESETS)
    for preset in PRESETS.values():
        for name, params in preset.items():
            MODELS[name].Params(**params)
    for name, (label, params) in REFERENCES.items():
        assert label
        assert MODELS[name].Params(**params) != MODELS[name].Params()
