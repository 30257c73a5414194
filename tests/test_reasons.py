"""Reasons are true: what they call exact adds up, and what they predict happens."""

import json
from pathlib import Path

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.ordering import Dials
from core.ranking.features import documented
from core.ranking.ranker import RANKER
from core.ranking.routes import ROUTES
from core.reasons import GROUPS, MOST, as_json, explain, sentences
from core.recommender import CANDIDATES, FUSION, Recommender
from core.retrieval import MODELS
from core.retrieval.base import Queries, RetrievalModel
from core.trained import load_recommender
from tests.conftest import proven_on

ROOT = Path(__file__).resolve().parents[1]

LINEAR = ("playlist_knn", "item_knn", "als")
K = 20


@pytest.fixture(scope="module")
def recommender(trained):
    """The ranker of three models, proven everywhere, and two more models beside them."""
    view = trained.parts.train
    models = {
        **trained.models,
        "titles": MODELS["titles"]().fit(view),
        "als": MODELS["als"](MODELS["als"].Params(factors=8)).fit(view),
    }
    ranker = proven_on(trained.ranker, [route.label for route in ROUTES])
    return Recommender(view, models, ranker)


def random_seeds(recommender, count, n_seeds=4):
    """Seeds of two styles each."""
    random = np.random.default_rng(7)
    heard = np.flatnonzero(recommender.dataset.counts)
    return [random.choice(heard, n_seeds, replace=False).astype(np.int32) for _ in range(count)]


def explained(recommender, seeds, title=None, model=None, k=K):
    found = recommender.continue_playlist(seeds, title, k, model=model)
    return found, explain(recommender, seeds, title, found.tracks, model=model)


@pytest.mark.parametrize("title", [None, "style two"])
@pytest.mark.parametrize("model", [RANKER, FUSION, *LINEAR])
def test_parts_sum_to_the_score(recommender, model, title):
    for seeds in random_seeds(recommender, 3):
        found, reasons = explained(recommender, seeds, title, model)
        assert reasons.kind == model
        scored = found.scores > 0
        assert scored.any()
        sums = reasons.parts.base + reasons.parts.shares.sum(axis=1)
        np.testing.assert_allclose(sums, reasons.scores)
        np.testing.assert_array_equal(np.isfinite(sums), scored)
        if model == RANKER:
            answered = 1 / (1 + np.exp(-sums))
        elif model == FUSION:
            answered = sums
        else:
            own = recommender.models[model].recommend(Queries.single(seeds, title), CANDIDATES)
            places = [own.ids[0].tolist().index(track) for track in found.tracks[scored]]
            np.testing.assert_allclose(sums[scored], own.scores[0, places], rtol=1e-5)
            continue
        np.testing.assert_allclose(answered[scored], found.scores[scored], rtol=1e-5)


def test_attributions_of_features_sum_to_the_rankers_raw_score(recommender):
    for seeds in random_seeds(recommender, 3):
        _, reasons = explained(recommender, seeds, "style one")
        features = reasons.features
        known = np.isfinite(reasons.scores)
        raw = recommender.ranker.score(features.values[known])
        sums = reasons.parts.base + features.shares[known].sum(axis=1)
        np.testing.assert_allclose(sums, raw)
        fused = reasons.parts.shares[known, reasons.parts.names.index(FUSION)]
        np.testing.assert_allclose(reasons.scores[known], raw + fused)
        shares = [abs(share) for _, _, share in features.largest(0)]
        assert shares == sorted(shares, reverse=True)
        np.testing.assert_allclose(
            sum(share for _, _, share in features.largest(0)), raw[0] - reasons.parts.base
        )


@pytest.mark.parametrize("model", LINEAR)
def test_exact_shares_of_seeds_sum_to_the_score(recommender, model):
    for seeds in random_seeds(recommender, 3):
        _, reasons = explained(recommender, seeds, None, model)
        assert reasons.seeds.exact
        known = np.isfinite(reasons.scores)
        np.testing.assert_allclose(
            reasons.seeds.shares[known].sum(axis=1), reasons.scores[known], rtol=1e-3, atol=1e-5
        )


def test_shares_are_not_called_exact_where_something_else_takes_part(recommender):
    seeds = random_seeds(recommender, 1)[0]
    assert not explained(recommender, seeds, "style one", "als")[1].seeds.exact
    assert explained(recommender, seeds, "style one", "item_knn")[1].seeds.exact
    for model in (RANKER, FUSION):
        assert not explained(recommender, seeds, None, model)[1].seeds.exact


@pytest.mark.parametrize("model", [RANKER, FUSION, *LINEAR])
def test_a_source_places_a_track_as_its_own_list_does(recommender, model):
    for seeds in random_seeds(recommender, 3):
        _, reasons = explained(recommender, seeds, "style one", model)
        known = np.isfinite(reasons.scores)
        assert known.any()
        for name, places in zip(reasons.sources.names, reasons.sources.places.T, strict=True):
            listed = recommender.models[name].recommend(
                Queries.single(seeds, "style one"), CANDIDATES
            )
            own = {track: place for place, track in enumerate(listed.ids[0].tolist(), 1)}
            wanted = [own.get(track, 0) for track in reasons.tracks[known].tolist()]
            assert places[known].tolist() == wanted


def places_without(recommender, seeds, seed, model):
    """Places of tracks in what the recommender itself answers without a seed.

    The seed itself and its other versions are not counted: they are new there.
    """
    again = recommender.continue_playlist(np.delete(seeds, seed), None, 130, model=model)
    song = recommender.dataset.song
    same = song[again.tracks] == song[seeds[seed]]
    listed = again.tracks[(again.scores > 0) & ~same].tolist()
    return {track: place for place, track in enumerate(listed, 1)}


@pytest.mark.parametrize("model", [RANKER, FUSION, *LINEAR])
def test_without_the_seed_that_is_credited_most_a_track_falls(recommender, model):
    falls = []
    for seeds in random_seeds(recommender, 15):
        found, reasons = explained(recommender, seeds, None, model)
        without = [places_without(recommender, seeds, seed, model) for seed in range(len(seeds))]
        for at, track in enumerate(found.tracks[found.scores > 0].tolist()):
            assert reasons.seeds.places[at] == at + 1
            places = [listed.get(track, 0) for listed in without]
            assert reasons.seeds.without[at].tolist() == places
            gone = [place or np.inf for place in places]
            credited = reasons.seeds.credited(at)
            later = sorted((place for place in gone if place > at + 1), reverse=True)
            assert [gone[seed] for seed in credited] == later
            falls += [gone[seed] - (at + 1) for seed in credited[:1]]
    assert len(falls) >= 100
    assert min(falls) > 0


@pytest.fixture(scope="module")
def demo():
    """The shipped demo with all its models, and its ranker proven everywhere."""
    shipped = load_recommender(Dataset(ROOT / "data" / "demo"))
    ranker = proven_on(shipped.ranker, [route.label for route in ROUTES])
    return Recommender(shipped.dataset, shipped.models, ranker)


CLAIMING = [
    name
    for name, kind in MODELS.items()
    if kind.seed_contributions is not RetrievalModel.seed_contributions
]


@pytest.mark.parametrize("model", [RANKER, FUSION, *CLAIMING])
def test_on_the_demo_the_seed_that_is_credited_most_is_missed(demo, model):
    random = np.random.default_rng(11)
    credited = 0
    for row in random.choice(demo.dataset.n_playlists, 3, replace=False):
        seeds = demo.dataset.playlists[row][:5].copy()
        found, reasons = explained(demo, seeds, None, model, k=10)
        assert reasons.kind == model
        scored = found.scores > 0
        assert reasons.seeds.exact == (model in CLAIMING)
        if model in CLAIMING:
            own = demo.models[model].recommend(Queries.single(seeds), CANDIDATES)
            places = [own.ids[0].tolist().index(track) for track in found.tracks[scored]]
            shares = reasons.seeds.shares[scored].sum(axis=1)
            np.testing.assert_allclose(shares, own.scores[0, places], rtol=2e-3, atol=1e-5)
        most = {at: reasons.seeds.credited(at, 1) for at in np.flatnonzero(scored).tolist()}
        for seed in {seed for found in most.values() for seed in found}:
            places = places_without(demo, seeds, seed, model)
            for at in (at for at, best in most.items() if best == [seed]):
                assert places.get(int(found.tracks[at]), np.inf) > at + 1
                credited += 1
    assert credited >= 15


@pytest.fixture(scope="module")
def apart(make_dataset):
    """Two playlists that share nothing."""
    dataset = make_dataset([["a", "b", "c"], ["d", "e"]], ["both", None], name="apart")
    return Recommender(dataset, {"item_knn": MODELS["item_knn"]().fit(dataset)})


def test_a_track_that_only_one_seed_brings_counts_as_after_the_longer_list(apart):
    seeds = apart.dataset.ids_of(["t:a", "t:d"])
    tracks = apart.dataset.ids_of(["t:b", "t:c", "t:e"])
    reasons = explain(apart, seeds, None, tracks, model=FUSION)
    assert sorted(reasons.seeds.places) == [1, 2, 3]
    assert reasons.seeds.without[:, 0].tolist()[:2] == [0, 0]
    assert reasons.seeds.without[2].tolist() == [1, 0]
    np.testing.assert_allclose(reasons.seeds.shares[:2, 0], np.log2(4 / reasons.seeds.places[:2]))
    np.testing.assert_allclose(reasons.seeds.shares[2, 1], np.log2(4 / reasons.seeds.places[2]))
    assert reasons.seeds.credited(0) == [0]
    assert reasons.seeds.credited(2) == [1]
    assert any("out of the list without it" in said for said in sentences(reasons, 0))


def test_playlists_that_hold_a_track_with_the_seeds(apart):
    tracks = apart.dataset.ids_of(["t:c", "t:e"])
    seeds = apart.dataset.ids_of(["t:a", "t:b"])
    held, alone = explain(apart, seeds, None, tracks).together
    assert (held.playlists, held.seeds, held.with_most) == (1, 2, 1)
    assert (held.rows, held.titles, held.held) == ((0,), ("both",), (2,))
    assert (alone.playlists, alone.rows) == (0, ())
    said = sentences(explain(apart, seeds, None, tracks), 0)
    assert "1 playlist holds it with both seeds, “both”." in said


def test_playlists_are_those_with_the_most_seeds_then_the_shortest(recommender):
    playlists = recommender.dataset.playlists
    seeds = random_seeds(recommender, 1)[0]
    _, reasons = explained(recommender, seeds)
    for track, together in zip(reasons.tracks, reasons.together, strict=True):
        best = sorted(
            (-int(np.isin(playlist, seeds).sum()), len(playlist), row)
            for row, playlist in enumerate(map(playlists.__getitem__, range(len(playlists))))
            if track in playlist and np.isin(playlist, seeds).any()
        )
        assert together.playlists == len(best)
        assert together.rows == tuple(row for _, _, row in best[:3])
        assert together.held == tuple(-held for held, _, _ in best[:3])
        assert together.with_most == sum(held == best[0][0] for held, _, _ in best)


def test_all_queries_are_answered_in_one_batch(recommender, monkeypatch):
    asked = []
    for name, model in recommender.models.items():

        def recommend(queries, k, name=name, answer=model.recommend):
            asked.append((name, len(queries)))
            return answer(queries, k)

        monkeypatch.setattr(model, "recommend", recommend)
    seeds = random_seeds(recommender, 1, 10)[0]
    explain(recommender, seeds, "style one", np.arange(3))
    assert sorted(asked) == sorted((name, 11) for name in recommender.ranker.sources)


def test_of_many_seeds_those_that_meet_the_tracks_most_are_left_out(recommender):
    seeds = random_seeds(recommender, 1, MOST + 15)[0]
    _, reasons = explained(recommender, seeds, None, "item_knn")
    tried = reasons.seeds.tried
    assert tried.sum() == MOST
    assert not reasons.seeds.without[:, ~tried].any()
    np.testing.assert_allclose(reasons.seeds.shares.sum(axis=1), reasons.scores, rtol=1e-4)
    _, reasons = explained(recommender, seeds, None, RANKER)
    assert np.isnan(reasons.seeds.shares[:, ~reasons.seeds.tried]).all()
    assert np.isfinite(reasons.seeds.shares[:, reasons.seeds.tried]).all()


@pytest.mark.parametrize("model", [RANKER, FUSION, "als", "titles"])
@pytest.mark.parametrize(
    ("n_seeds", "title"), [(0, None), (0, "日本語"), (0, "style one"), (1, None), (1, "日本語")]
)
def test_any_query_is_explained(recommender, model, n_seeds, title):
    seeds = random_seeds(recommender, 1, n_seeds)[0] if n_seeds else []
    found, reasons = explained(recommender, seeds, title, model)
    np.testing.assert_array_equal(np.isfinite(reasons.scores), found.scores > 0)
    for at in range(len(found.tracks)):
        assert sentences(reasons, at)
        json.dumps(as_json(reasons, at), allow_nan=False)
        if not found.scores[at]:
            assert sentences(reasons, at) == ["No model proposes it: it only completes the list."]
    assert explain(recommender, seeds, title, [], model=model).parts.shares.shape[0] == 0


def test_where_the_ranker_is_not_proven_the_fusion_is_explained(recommender):
    some = proven_on(recommender.ranker, ["title + 5 seeds"])
    partly = Recommender(recommender.dataset, recommender.models, some)
    seeds = random_seeds(recommender, 1, 5)[0]
    assert explained(partly, seeds, "style one")[1].kind == RANKER
    found, reasons = explained(partly, seeds)
    assert reasons.kind == FUSION
    assert reasons.features is None
    assert set(reasons.parts.names) == set(found.ranks)


def test_places_are_those_that_the_dials_and_dislikes_leave(recommender):
    seeds = random_seeds(recommender, 1)[0]
    dials = Dials(per_artist=1, popularity=-1.0)
    first = recommender.continue_playlist(seeds, None, K, dials=dials)
    asked = {"dials": dials, "dislikes": first.tracks[:3]}
    found = recommender.continue_playlist(seeds, None, K, **asked)
    reasons = explain(recommender, seeds, None, found.tracks, **asked)
    scored = found.scores > 0
    assert reasons.seeds.places[scored].tolist() == list(range(1, scored.sum() + 1))


@pytest.mark.parametrize("model", [RANKER, FUSION, "als"])
def test_likes_and_dislikes_are_in_what_is_explained(recommender, model):
    seeds, wishes = random_seeds(recommender, 2)
    told = {"likes": wishes[:2], "dislikes": wishes[2:], "dials": Dials(adventure=0.5)}
    found = recommender.continue_playlist(seeds, None, K, model=model, **told)
    reasons = explain(recommender, seeds, None, found.tracks, model=model, **told)
    scored = found.scores > 0
    assert len(reasons.seeds.names) == len(seeds) + 2
    assert reasons.seeds.places[scored].tolist() == list(range(1, scored.sum() + 1))
    told["likes"] = wishes[1:2]
    again = recommender.continue_playlist(seeds, None, 130, model=model, **told)
    listed = again.tracks[(again.scores > 0) & (again.tracks != wishes[0])].tolist()
    places = {track: place for place, track in enumerate(listed, 1)}
    wanted = [places.get(track, 0) for track in found.tracks[scored].tolist()]
    assert reasons.seeds.without[scored, len(seeds)].tolist() == wanted


@pytest.mark.parametrize("model", [RANKER, FUSION, "als"])
def test_sentences_are_plain_text_and_the_same_each_time(recommender, model):
    seeds = random_seeds(recommender, 1)[0]
    first, again = (explained(recommender, seeds, None, model)[1] for _ in range(2))
    for at in range(K):
        said = sentences(first, at)
        assert said == sentences(again, at)
        assert not set("".join(said)) & set("<>*_`#[]{}|\\\n")
        assert all(sentence.endswith(".") for sentence in said)


def test_every_group_of_features_has_a_name(recommender):
    prefixes = {feature.name.partition(".")[0] for feature in documented(())}
    assert prefixes <= set(GROUPS)
    assert prefixes | {"title"} >= set(GROUPS) - {"sources"}


@pytest.mark.parametrize("model", [RANKER, "item_knn"])
def test_a_judge_that_remembers_changes_nothing_and_is_not_asked_of_dials(recommender, model):
    seeds = random_seeds(recommender, 1)[0]
    asked = []

    def judge(queries, name, k):
        asked.append([tuple(some) for some in queries.seeds])
        return recommender.judged(queries, name, k)

    for dials in (Dials(), Dials(popularity=-0.5)):
        found = recommender.continue_playlist(seeds, None, K, model=model, dials=dials)
        told = {"model": model, "dials": dials}
        remembered = explain(recommender, seeds, None, found.tracks[:1], judge=judge, **told)
        fresh = explain(recommender, seeds, None, found.tracks[:1], **told)
        assert as_json(remembered, 0) == as_json(fresh, 0)
    assert asked[0] == asked[1]


def test_muted_tracks_are_in_no_list_and_have_no_other_part(recommender):
    seeds = random_seeds(recommender, 1)[0]
    found = recommender.continue_playlist(seeds, None, K, model="item_knn")
    muted = found.tracks[:2]
    left = recommender.continue_playlist(seeds, None, K, model="item_knn", muted=muted)
    assert left.tracks[: K - 2].tolist() == found.tracks[2:].tolist()
    reasons = explain(recommender, seeds, None, found.tracks, model="item_knn", muted=muted)
    assert reasons.seeds.places[:4].tolist() == [0, 0, 1, 2]
    assert len(reasons.seeds.names) == len(seeds)
