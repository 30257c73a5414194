"""The four stages composed, on planted playlists whose right continuation is known."""

import numpy as np
import pytest

from core.errors import SegueError
from core.ordering import Dials, Taste
from core.ranking.candidates import pool
from core.ranking.features import Features
from core.ranking.fusion import blend, weights
from core.ranking.ranker import RANKER, mixed
from core.ranking.routes import ROUTES, route
from core.recommender import CANDIDATES, FUSION, Recommender
from core.retrieval import MODELS
from core.retrieval.base import Queries, falling
from core.training.train import preset_params
from tests.conftest import SOURCES, proven_on, style_of


@pytest.fixture(scope="module")
def recommender(planted):
    models = {
        name: kind(preset_params(name, "fast")).fit(planted, seed=0)
        for name, kind in MODELS.items()
    }
    return Recommender(planted, models)


def seeds_of(dataset, style, count=3):
    return dataset.ids_of([f"t:{style}-{track:02}" for track in range(count)])


@pytest.mark.parametrize("style", range(4))
def test_seeds_are_continued_in_their_style(planted, recommender, style):
    found = recommender.continue_playlist(seeds_of(planted, style), k=20)
    assert np.mean(np.array(style_of(planted, found.tracks)) == style) >= 0.9
    assert not found.notes


def test_a_title_alone_is_enough_and_says_so(planted, recommender):
    found = recommender.continue_playlist([], "Style  TWO!", k=20)
    assert np.mean(np.array(style_of(planted, found.tracks)) == 2) >= 0.9
    assert found.notes == ("Made from the title alone: tracks of playlists titled alike.",)


def test_an_unknown_title_gets_popular_tracks_and_says_so(planted, recommender):
    found = recommender.continue_playlist([], "日本語", k=10)
    assert len(found.tracks) == 10
    assert found.notes[0] == "No playlist here has a title like “日本語”."


def test_unknown_seeds_are_counted(planted, recommender):
    found = recommender.continue_playlist([], k=5, unknown=2)
    assert len(found.tracks) == 5
    assert found.notes[0] == "2 of 2 seeds are not in this dataset and took no part."


def test_a_dislike_and_a_seed_never_come_back(planted, recommender):
    seeds = seeds_of(planted, 1)
    first = recommender.continue_playlist(seeds, k=10)
    again = recommender.continue_playlist(seeds, k=10, dislikes=first.tracks[:3])
    assert not set(again.tracks) & (set(first.tracks[:3].tolist()) | set(seeds.tolist()))
    assert len(set(again.tracks.tolist())) == 10


def test_a_like_steers_the_list_and_is_not_shown(planted, recommender):
    seeds, liked = seeds_of(planted, 1, 6), seeds_of(planted, 3, 2)
    found = recommender.continue_playlist(seeds, k=20, likes=liked)
    styles = style_of(planted, found.tracks)
    assert not set(found.tracks) & {*seeds.tolist(), *liked.tolist()}
    before = style_of(planted, recommender.continue_playlist(seeds, k=20).tracks)
    assert styles.count(3) > before.count(3) + 5
    of_closest = style_of(planted, np.concatenate([seeds, liked])[found.closest])
    assert of_closest == styles


def test_a_dislike_pushes_what_is_like_it_down(planted, recommender):
    seeds = np.concatenate([seeds_of(planted, 1, 4), seeds_of(planted, 3, 4)])
    before = recommender.continue_playlist(seeds, k=20)
    disliked = before.tracks[np.array(style_of(planted, before.tracks)) == 3][:2]
    found = recommender.continue_playlist(seeds, k=20, dislikes=disliked)
    counts = [style_of(planted, one.tracks).count(3) for one in (before, found)]
    assert counts[1] < counts[0] / 2


def test_a_muted_track_is_not_shown_and_changes_nothing_else(planted, recommender):
    seeds = seeds_of(planted, 1, 6)
    before = recommender.continue_playlist(seeds, k=20).tracks
    found = recommender.continue_playlist(seeds, k=19, muted=before[3:4]).tracks
    np.testing.assert_array_equal(found, np.delete(before, 3))


@pytest.mark.parametrize("model", [FUSION, *MODELS])
def test_a_liked_track_alone_is_continued_and_wishes_of_nothing_change_nothing(
    planted, recommender, model
):
    liked = seeds_of(planted, 2, 1)
    found = recommender.continue_playlist([], k=10, likes=liked, model=model)
    alone = recommender.continue_playlist(liked, k=10, model=model)
    assert len(found.tracks) == 10
    assert liked[0] not in found.tracks
    assert "No seed and no title: the most popular tracks." not in found.notes
    assert found.ranks.keys() == alone.ranks.keys()
    nothing = recommender.continue_playlist(
        [], k=10, model=model, dislikes=liked, dials=Dials(adventure=1.0)
    )
    assert len(nothing.tracks) == 10
    assert liked[0] not in nothing.tracks


def test_several_playlists_in_one_batch_are_as_one_by_one(planted, recommender):
    tastes = [
        Taste(seeds_of(planted, 0, 4)),
        Taste(seeds_of(planted, 2, 12), likes=seeds_of(planted, 3, 1)),
        Taste(dislikes=seeds_of(planted, 1, 2)),
    ]
    dials = Dials(adventure=0.5, per_artist=2)
    batch = recommender.continue_each(tastes, "style one", 10, dials=dials)
    for taste, found in zip(tastes, batch, strict=True):
        told = {"likes": taste.likes, "dislikes": taste.dislikes}
        one = recommender.continue_playlist(taste.seeds, "style one", 10, dials=dials, **told)
        assert found.completed().notes == one.notes
        np.testing.assert_array_equal(found.tracks, one.tracks)
        np.testing.assert_array_equal(found.closest, one.closest)
        assert found.ranks.keys() == one.ranks.keys()
        for name, places in one.ranks.items():
            np.testing.assert_array_equal(found.ranks[name], places)
    assert recommender.continue_each([], k=10) == []


def test_the_adventure_dial_leaves_the_artists_of_the_playlist(planted, recommender):
    seeds = seeds_of(planted, 1, 4)
    artists = planted.artist[seeds]
    shares = []
    for adventure in (-1.0, 0.0, 1.0):
        dials = Dials(adventure=adventure)
        found = recommender.recommend(Queries.single(seeds), 10, dials=dials).ids[0]
        single = recommender.continue_playlist(seeds, k=10, dials=dials)
        np.testing.assert_array_equal(single.tracks, found)
        shares.append(np.isin(planted.artist[found], artists).mean())
    assert shares[0] > shares[1] > shares[2]


def test_ranks_tell_who_proposed_a_track(planted, recommender):
    found = recommender.continue_playlist(seeds_of(planted, 0), k=10)
    queries = Queries.single(seeds_of(planted, 0))
    proposed = recommender.models["playlist_knn"].recommend(queries, 1000).ids[0].tolist()
    for track, rank in zip(found.tracks, found.ranks["playlist_knn"], strict=True):
        assert rank == (proposed.index(track) + 1 if track in proposed else 0)


def test_the_closest_seed_is_of_the_tracks_style(planted, recommender):
    seeds = np.concatenate([seeds_of(planted, 0, 2), seeds_of(planted, 3, 2)])
    found = recommender.continue_playlist(seeds, k=20)
    styles = np.array(style_of(planted, found.tracks))
    of_closest = np.array(style_of(planted, seeds[found.closest]))
    assert set(styles.tolist()) == {0, 3}
    assert (styles == of_closest).all()


@pytest.mark.parametrize("model", [FUSION, *MODELS])
def test_a_batch_is_full_distinct_and_without_seeds(planted, recommender, model):
    seeds = [
        np.empty(0, np.int32),
        seeds_of(planted, 0, 1),
        seeds_of(planted, 1, 25),
        np.arange(60, dtype=np.int32),
    ]
    queries = Queries(seeds, ["style one", None, "?", "style two"])
    k = planted.n_tracks - 60
    answer = recommender.recommend(queries, k, model)
    for row, known in zip(answer.ids, seeds, strict=True):
        assert (row >= 0).all()
        assert len(set(row.tolist())) == k
        assert not set(row.tolist()) & set(known.tolist())
    assert (np.diff(answer.scores, axis=1) < 0).all()


def test_batch_and_single_answers_agree(planted, recommender):
    queries = Queries([seeds_of(planted, 0), seeds_of(planted, 2)], [None, "style one"])
    batch = recommender.recommend(queries, 20)
    for row in range(2):
        single = recommender.continue_playlist(queries.seeds[row], queries.titles[row], k=20)
        np.testing.assert_array_equal(batch.ids[row], single.tracks)


def test_the_artist_cap_holds_also_where_popular_tracks_complete(make_dataset):
    playlists = [[f"{artist}{i}" for i in range(9)] for artist in "ab" for _ in range(3)]
    fields = {track: {"artist": track[0]} for playlist in playlists for track in playlist}
    dataset = make_dataset(playlists, tracks=fields, name="cap")
    model = MODELS["popularity"]().fit(dataset)
    found = Recommender(dataset, {"popularity": model}).continue_playlist(
        [], k=4, dials=Dials(per_artist=2)
    )
    assert sorted(dataset.values("artist_name", found.tracks)) == ["a", "a", "b", "b"]


def test_a_list_longer_than_the_rules_allow_is_still_filled(make_dataset):
    playlists = [["halo", "live", "sun", "moon"]]
    fields = {
        "halo": {"title": "Halo", "artist": "X"},
        "live": {"title": "Halo (Live)", "artist": "X"},
    }
    dataset = make_dataset(playlists, tracks=fields, name="few")
    recommender = Recommender(dataset, {"popularity": MODELS["popularity"]().fit(dataset)})
    answer = recommender.recommend(Queries.single(dataset.ids_of(["t:halo"])), 3)
    assert songs(dataset, answer.ids[0])[-1] == "Halo (Live)"
    assert set(songs(dataset, answer.ids[0])) == {"sun", "moon", "Halo (Live)"}


def songs(dataset, ids):
    return dataset.values("title", ids)


def test_an_unknown_model_names_those_there_are(recommender):
    with pytest.raises(SegueError, match=r"no model 'x' on 'planted'; there are fusion, "):
        recommender.continue_playlist([], model="x")


def test_no_model_says_how_to_train(planted):
    with pytest.raises(SegueError, match=r"python -m core train --dataset planted"):
        Recommender(planted, {})


PROVEN = "5 seeds"


@pytest.fixture(scope="module")
def ranked(trained):
    """A recommender whose ranker is proven for five seeds without a title, and nothing else."""
    return Recommender(trained.parts.train, trained.models, proven_on(trained.ranker, [PROVEN]))


@pytest.fixture(scope="module")
def fused(trained):
    return Recommender(trained.parts.train, trained.models)


@pytest.fixture(scope="module")
def asked(trained):
    """Queries of several routes, and whether the ranker answers them."""
    queries = trained.parts.test.queries
    mine = np.array([ROUTES[at].label == PROVEN for at in route(queries)])
    assert 0 < mine.sum() < len(queries)
    return queries, mine


def test_the_first_choice_is_the_ranker_where_there_is_one(ranked, fused):
    assert ranked.choices == [RANKER, FUSION, *SOURCES]
    assert fused.choices == [FUSION, *SOURCES]
    assert ranked.require_choice(None) == RANKER
    assert fused.require_choice(None) == FUSION
    with pytest.raises(SegueError, match="no model 'ranker' on 'planted'; there are fusion, "):
        fused.recommend(Queries.single([1]), 5, RANKER)


def test_where_the_ranker_is_not_proven_the_fusion_answers(ranked, fused, asked):
    queries, mine = asked
    by_default, by_fusion = ranked.recommend(queries, 40).ids, fused.recommend(queries, 40).ids
    np.testing.assert_array_equal(by_default[~mine], by_fusion[~mine])
    assert (by_default[mine] != by_fusion[mine]).any()
    np.testing.assert_array_equal(ranked.recommend(queries, 40, FUSION).ids, by_fusion)


def test_where_the_ranker_is_proven_its_order_is_the_answer(ranked, trained, asked):
    queries, mine = asked
    queries = queries.take(np.flatnonzero(mine))
    answers = {name: one.recommend(queries, CANDIDATES) for name, one in trained.models.items()}
    quotas = ranked.ranker.quotas_of(queries, list(SOURCES))
    candidates = pool(answers, quotas, ranked.dataset.n_tracks)
    values = Features(ranked.dataset, trained.models, list(SOURCES)).values(queries, candidates)
    weight = [weights(length, list(SOURCES)) for length in queries.lengths.tolist()]
    mix = ranked.ranker.mix[route(queries)]
    fused = blend(candidates, weight)
    scores = mixed(ranked.ranker.score(values), fused, candidates.indptr, mix)
    any_version = Dials(one_version=False)
    found = ranked.recommend(queries, 10, dials=any_version).ids
    for row, ids in enumerate(found):
        part = slice(candidates.indptr[row], candidates.indptr[row + 1])
        tracks = candidates.tracks[part]
        best = tracks[falling(scores[part], tracks)][:10]
        np.testing.assert_array_equal(ids[: len(best)], best)
    tracks, scores = ranked.scored(queries)[0]
    assert len(tracks) == candidates.indptr[1]
    assert (scores > 0).all()


def test_a_fallback_says_so_and_a_ranked_answer_does_not(ranked, planted):
    seeds = seeds_of(planted, 1, 5)
    by_ranker = ranked.continue_playlist(seeds, k=5)
    assert not by_ranker.notes
    for model in (None, RANKER):
        found = ranked.continue_playlist(seeds, "style one", k=5, model=model)
        assert found.notes[-1] == (
            "The ranker is not proven better than the best single model for queries like "
            "“title + 5 seeds”: the models are fused instead."
        )
    for model in (FUSION, "item_knn"):
        found = ranked.continue_playlist(seeds, "style one", k=5, model=model)
        assert not any("ranker" in note for note in found.notes)
    assert not any("ranker" in note for note in ranked.continue_playlist([], k=5).notes)


def test_one_and_many_queries_get_the_same_ranked_answer(ranked, asked):
    queries, _ = asked
    batch = ranked.recommend(queries, 20)
    for row in range(0, len(queries), 5):
        single = ranked.continue_playlist(queries.seeds[row], queries.titles[row], k=20)
        np.testing.assert_array_equal(batch.ids[row], single.tracks)


def test_a_note_of_why_there_is_no_ranker_is_told_by_default_only(trained):
    told = Recommender(trained.parts.train, trained.models, notes=("No ranker: a reason.",))
    assert told.continue_playlist([1, 2], k=3).notes == ("No ranker: a reason.",)
    assert told.continue_playlist([1, 2], k=3, model=FUSION).notes == ()


@pytest.mark.parametrize("missing", [*SOURCES, "all but popularity"])
def test_a_source_less_never_breaks_the_ranker(trained, planted, asked, missing):
    queries, _ = asked
    ranker = proven_on(trained.ranker, [one.label for one in ROUTES])
    left = {
        name: model
        for name, model in trained.models.items()
        if (name == "popularity" if missing.startswith("all") else name != missing)
    }
    recommender = Recommender(trained.parts.train, left, ranker)
    answer = recommender.recommend(queries, 50)
    assert all(len(set(row.tolist())) == 50 for row in answer.ids)
    assert (answer.ids >= 0).all()
    found = recommender.continue_playlist(seeds_of(planted, 2, 5), k=10)
    assert len(found.tracks) == 10
    assert found.ranks.keys() == left.keys()


def test_a_source_that_the_ranker_does_not_know_changes_nothing_where_it_answers(
    ranked, trained, asked
):
    queries, mine = asked
    queries = queries.take(np.flatnonzero(mine))
    more = trained.models | {"titles": MODELS["titles"]().fit(trained.parts.train)}
    recommender = Recommender(trained.parts.train, more, ranked.ranker)
    np.testing.assert_array_equal(
        recommender.recommend(queries, 20).ids, ranked.recommend(queries, 20).ids
    )


@pytest.fixture(scope="module")
def re_orderer(trained):
    """A model that only re-orders another's candidates."""
    kind = next(kind for kind in MODELS.values() if not kind.retrieves)
    return kind().fit(trained.parts.train)


def test_a_model_that_only_re_orders_takes_no_part_in_the_fusion(trained, fused, asked, re_orderer):
    queries, _ = asked
    more = Recommender(trained.parts.train, trained.models | {re_orderer.name: re_orderer})
    np.testing.assert_array_equal(more.recommend(queries, 20).ids, fused.recommend(queries, 20).ids)
    found = more.continue_playlist(queries.seeds[-1], k=5)
    assert found.ranks.keys() <= set(SOURCES)
    assert len(more.continue_playlist(queries.seeds[-1], k=5, model=re_orderer.name).tracks) == 5


def test_a_model_that_only_re_orders_answers_where_it_is_alone(trained, planted, re_orderer):
    alone = Recommender(trained.parts.train, {re_orderer.name: re_orderer})
    found = alone.continue_playlist(seeds_of(planted, 2, 5), k=5)
    assert set(style_of(planted, found.tracks)) == {2}


def test_no_queries_get_no_answers(ranked):
    assert ranked.recommend(Queries([], []), 5).ids.shape == (0, 5)
    assert ranked.scored(Queries([], [])) == []


def test_a_dial_asks_no_model_again_and_another_seed_does(planted, recommender, monkeypatch):
    model, times = recommender.models["als"], []
    answer = model.recommend
    monkeypatch.setattr(recommender, "_recent", {})
    monkeypatch.setattr(
        model, "recommend", lambda queries, k: (times.append(k), answer(queries, k))[1]
    )
    seeds = seeds_of(planted, 1, 4)
    first = recommender.continue_playlist(seeds, k=20)
    turned = recommender.continue_playlist(seeds, k=20, dials=Dials(popularity=1.0))
    again = recommender.continue_playlist(seeds, k=20)
    assert len(times) == 1
    assert again.tracks.tolist() == first.tracks.tolist() != turned.tracks.tolist()
    recommender.continue_playlist(seeds[:3], k=20)
    assert len(times) == 2
