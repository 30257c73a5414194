"""The four stages composed, on planted playlists whose right continuation is known."""

import numpy as np
import pytest

from core.errors import SegueError
from core.ordering import Dials
from core.recommender import FUSION, Recommender
from core.retrieval import MODELS
from core.retrieval.base import Queries
from core.training.train import preset_params
from tests.conftest import style_of


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
