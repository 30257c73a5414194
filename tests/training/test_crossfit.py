"""The ranker's training data: folds that share nothing, and runs that go on where they stopped."""

import os
import shutil
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ranking.routes import ROUTES, route
from core.recommender import CANDIDATES
from core.training import crossfit as module
from core.training.crossfit import CrossFit, crossfit, working
from tests.conftest import SMALL, SOURCES, in_this_process

CHEAP = {"popularity": {}, "playlist_knn": {}}
EVERY_SIGNAL = SOURCES | {
    "artist_knn": {},
    "titles": {},
    "als": {"factors": 8, "iterations": 2},
    "audio": {},
}


def planned(view, tmp_path, **settings):
    return CrossFit(view, CHEAP, replace(SMALL, **settings), 0, tmp_path)


def assert_same_tables(one, other):
    assert one.features == other.features
    np.testing.assert_array_equal(one.quotas, other.quotas)
    assert one.folds == other.folds
    for fold in one.folds:
        for name in ("values", "hits", "blend", "tracks", "ranks", "indptr"):
            left, right = getattr(one.table(fold), name), getattr(other.table(fold), name)
            np.testing.assert_array_equal(left, right)


def test_folds_are_disjoint_equal_parts_of_what_is_masked(planted, tmp_path):
    whole = planned(planted, tmp_path, folds=5, playlists=1000)
    assert np.bincount(whole.fold).tolist() == [48] * 5
    some = planned(planted, tmp_path, folds=3, playlists=90)
    assert np.bincount(some.fold + 1).tolist() == [150, 30, 30, 30]
    for fold in some.folds:
        assert set(some.masked(fold).rows) == set(np.flatnonzero(some.fold == fold))
        assert some.view(fold).n_playlists == 240 - 30
    assert list(planned(planted, tmp_path, playlists=23).folds) == [0]


def test_a_fold_s_playlists_are_masked_in_full(trained):
    made = trained.made
    for fold in made.folds:
        challenge = made.masked(fold)
        assert np.bincount(challenge.rows).max() == SMALL.masks
        for row, seeds, hidden in zip(
            challenge.rows, challenge.queries.seeds, challenge.hidden, strict=True
        ):
            assert sorted([*seeds, *hidden]) == sorted(made.dataset.playlists[row].tolist())


def test_a_table_says_what_is_hidden_and_what_each_source_said(trained):
    made = trained.made
    for fold in made.folds:
        table, challenge, found = made.table(fold), made.masked(fold), made.answers(fold)
        assert table.values.shape == (len(table.hits), len(made.features))
        assert not np.isinf(table.values).any()
        assert table.indptr[-1] == len(table.hits)
        for row, hidden in enumerate(challenge.hidden):
            part = slice(table.indptr[row], table.indptr[row + 1])
            tracks = table.tracks[part]
            assert len(set(tracks.tolist())) == len(tracks)
            assert not np.isin(tracks, challenge.queries.seeds[row]).any()
            np.testing.assert_array_equal(table.hits[part], np.isin(tracks, hidden))
            for column, name in enumerate(made.sources):
                list_ = found[name].ids[row].tolist()
                places = [list_.index(t) + 1 if t in list_ else 0 for t in tracks]
                assert table.ranks[part, column].tolist() == places


def test_the_first_stage_of_a_fold_is_fitted_on_all_the_others(trained):
    made = trained.made
    for fold in made.folds:
        view, queries = made.view(fold), made.masked(fold).queries
        model = module.MODELS["item_knn"]().fit(view, made.seed)
        np.testing.assert_array_equal(
            made.answers(fold)["item_knn"].ids, model.recommend(queries, CANDIDATES).ids
        )


def test_a_route_that_no_playlist_takes_has_no_quotas(trained):
    made = trained.made
    taken = np.unique(np.concatenate([route(made.masked(fold).queries) for fold in made.folds]))
    assert (made.quotas[taken].sum(axis=1) > 0).all()
    rest = np.setdiff1d(np.arange(len(ROUTES)), taken)
    assert len(rest)
    assert not made.quotas[rest].any()


def marked(dataset, rows):
    """A view in which these playlists, and no others, end with one and the same track."""
    marker = dataset.playlists[0][0]
    playlists = dataset.playlists
    lists = [np.setdiff1d(playlists[row], [marker]) for row in range(len(playlists))]
    lists = [np.append(one, marker) if row in rows else one for row, one in enumerate(lists)]
    indptr = np.append(0, np.cumsum([len(one) for one in lists]))
    tracks = np.concatenate(lists).astype(np.int32)
    return Dataset(dataset.folder, replace(playlists, indptr=indptr, tracks=tracks)), marker


def test_a_track_of_one_fold_alone_is_no_candidate_there(planted, tmp_path):
    """The marker is in every playlist of the fold: whoever had seen one of them would say so."""
    params = replace(SMALL, folds=2, playlists=1000, masks=1, pool=100)
    rows = np.flatnonzero(CrossFit(planted, EVERY_SIGNAL, params, 0, tmp_path).fold == 0)
    view, marker = marked(planted, set(rows.tolist()))
    with in_this_process():
        made = crossfit(view, EVERY_SIGNAL, params, tmp_path / "work")
    assert made.view(0).counts[marker] == 0
    assert made.view(1).counts[marker] == len(rows)
    assert all(marker in hidden for hidden in made.masked(0).hidden)
    # The audio model may propose what no playlist holds; it says nothing of playlists.
    heard = [name for name in EVERY_SIGNAL if name != "audio"]
    for name in heard:
        assert not (made.answers(0)[name].ids == marker).any()
        assert (made.answers(1)[name].ids == marker).any()
    table = made.table(0)
    here = table.tracks == marker
    assert not table.values[here][:, made.features.index("popularity.count")].any()
    assert not table.ranks[here][:, [at for at, n in enumerate(EVERY_SIGNAL) if n in heard]].any()
    assert (made.table(1).tracks == marker).any()


def test_what_a_fold_hides_changes_nothing_but_its_hits(planted, tmp_path, monkeypatch):
    params = replace(SMALL, folds=2, playlists=1000, masks=1)
    with in_this_process():
        first = crossfit(planted, EVERY_SIGNAL, params, tmp_path / "first")
        # Every playlist of fold 0 keeps its seeds and hides other tracks.
        random = np.random.default_rng(5)
        tracks = np.array(planted.playlists.tracks)
        challenge = first.masked(0)
        for row, seeds in zip(challenge.rows, challenge.queries.seeds, strict=True):
            start, stop = planted.playlists.indptr[row : row + 2]
            others = np.setdiff1d(np.arange(planted.n_tracks), planted.playlists[row])
            hidden = random.choice(others, stop - start - len(seeds), replace=False)
            tracks[start + len(seeds) : stop] = hidden
        other = Dataset(planted.folder, replace(planted.playlists, tracks=tracks))
        monkeypatch.setattr(module, "_quotas", lambda made: np.array(first.quotas))
        second = crossfit(other, EVERY_SIGNAL, params, tmp_path / "second")
    for name in EVERY_SIGNAL:
        one, two = first.answers(0)[name], second.answers(0)[name]
        np.testing.assert_array_equal(one.ids, two.ids)
        np.testing.assert_array_equal(one.scores, two.scores)
    one, two = first.table(0), second.table(0)
    for name in ("values", "blend", "tracks", "ranks", "indptr"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.hits != two.hits).mean() > 0.1
    assert not np.array_equal(first.table(1).tracks, second.table(1).tracks)


class StoppedError(Exception):
    """What an interruption is here."""


@pytest.mark.parametrize("after", [1, 5, 7])
def test_an_interrupted_run_goes_on_where_it_stopped(trained, tmp_path, monkeypatch, after):
    made = trained.made
    with in_this_process() as done:
        whole = module.answers

        def interrupted(worker, tasks, jobs):
            for pair in whole(worker, tasks, jobs):
                yield pair
                if len(done) == after - 1:
                    raise StoppedError

        with monkeypatch.context() as patch:
            patch.setattr(module, "answers", interrupted)
            with pytest.raises(StoppedError):
                crossfit(made.dataset, SOURCES, SMALL, tmp_path / "work")
        again = crossfit(made.dataset, SOURCES, SMALL, tmp_path / "work")
    # The task during which it was stopped was finished, but not noted.
    assert len(done) == 2 * len(SOURCES) + 2 - 1
    assert len({(task["fold"], task.get("source")) for task in done}) == len(done)
    assert_same_tables(again, made)


@pytest.fixture
def asked(trained, tmp_path, monkeypatch):
    """A function that says how many tasks a run on what is there already asks for."""
    shutil.copytree(trained.made.folder, tmp_path / "copy")

    def answers(_, tasks, jobs):
        if tasks:
            raise StoppedError(len(tasks))
        yield from ()

    monkeypatch.setattr(module, "answers", answers)

    def asked(dataset=trained.made.dataset, sources=SOURCES, seed=0, **settings):
        try:
            crossfit(dataset, sources, replace(SMALL, **settings), tmp_path / "copy", seed)
        except StoppedError as stopped:
            return stopped.args[0]
        return 0

    return asked


def test_what_is_there_is_not_made_again(asked):
    assert asked() == 0


def test_settings_of_the_forests_need_no_other_data(asked):
    assert asked(rounds=3, negatives=7, leaves=2) == 0


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"pool": 61},
        {"masks": 1},
        {"playlists": 101},
        {"sources": SOURCES | {"playlist_knn": {"neighbours": 7}}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_other_settings_start_anew(asked, change):
    assert asked(**change) == 6


def test_other_playlists_start_anew(asked, trained):
    view = trained.made.dataset
    assert asked(dataset=view.select(np.arange(view.n_playlists)[::-1])) == 6
    titles = ["other", *view.playlists.titles[1:]]
    assert asked(dataset=Dataset(view.folder, replace(view.playlists, titles=titles))) == 6


def test_too_few_playlists_or_models_are_one_sentence(planted, tmp_path):
    few = planted.select(np.arange(19))
    with pytest.raises(SegueError, match=r"20 playlists; on planted are 2 and 19\.$"):
        crossfit(few, CHEAP, SMALL, tmp_path / "few")
    with pytest.raises(SegueError, match=r"two trained models .* are 1 and 240\.$"):
        crossfit(planted, {"popularity": {}}, SMALL, tmp_path / "few")
    assert not (tmp_path / "few").exists()


def test_a_model_that_cannot_be_fitted_is_one_sentence_and_costs_no_other(planted, tmp_path):
    sources = {"popularity": {}, "playlist_knn": {"neighbours": -9}}
    with (
        in_this_process(),
        pytest.raises(SegueError, match=r"training data could not be made: .*Error"),
    ):
        crossfit(planted, sources, SMALL, tmp_path / "work")
    assert not list((tmp_path / "work").glob("fold-*/playlist_knn"))


def test_dates_reach_the_features(planted, tmp_path):
    dates = np.random.default_rng(1).uniform(1.2e9, 1.6e9, planted.n_playlists)
    dated = Dataset(planted.folder, replace(planted.playlists, modified=dates))
    with in_this_process():
        made = crossfit(dated, CHEAP, replace(SMALL, playlists=20), tmp_path / "work")
    gaps = made.table(0).values[:, made.features.index("modified.gap")]
    assert np.isfinite(gaps).any()


def test_processes_make_what_this_one_would(planted, tmp_path):
    params = replace(SMALL, playlists=20)
    there = crossfit(planted, CHEAP, params, tmp_path / "there", jobs=2)
    with in_this_process():
        here = crossfit(planted, CHEAP, params, tmp_path / "here")
    assert list(here.folds) == [0]
    assert_same_tables(there, here)


def test_different_data_have_folders_of_their_own_and_the_same_one_at_a_time(planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    dataset = Dataset(tmp_path / "planted")
    with working(dataset, CHEAP, SMALL) as one, working(dataset, CHEAP, SMALL, seed=1) as other:
        assert one != other
        with (
            pytest.raises(SegueError, match="Another process makes the same training data"),
            working(dataset, CHEAP, SMALL),
        ):
            pass
        one.mkdir()
    assert not list(dataset.folder.glob("crossfit*"))


def test_what_an_interrupted_crossfit_left_is_found_again_until_it_is_old(planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    dataset = Dataset(tmp_path / "planted")
    with suppress(KeyboardInterrupt), working(dataset, CHEAP, SMALL) as left:
        left.mkdir()
        raise KeyboardInterrupt
    with working(dataset, CHEAP, SMALL, seed=1):
        assert left.exists()
    os.utime(left.parent / "lock", (0, 0))
    with working(dataset, CHEAP, SMALL, seed=1):
        assert not left.exists()
