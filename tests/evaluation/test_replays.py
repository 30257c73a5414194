"""Held-out playlists, kept with what was answered."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import SegueError
from core.evaluation.challenge import CATEGORIES, split
from core.evaluation.leaderboard import System, evaluate, measure_all, summarised
from core.evaluation.metrics import LENGTH
from core.evaluation.replays import A_CATEGORY, FIRST, Replays, replays
from core.explore.figures import replay_figure
from core.retrieval import MODELS


@pytest.fixture(scope="module")
def parts(planted):
    return split(planted, 60)


@pytest.fixture(scope="module")
def measured(parts):
    models = {name: MODELS[name]().fit(parts.train) for name in ("popularity", "playlist_knn")}
    systems = [System(name, model.label, model.recommend) for name, model in models.items()]
    return measure_all(systems, parts.test, parts.train)


@pytest.fixture(scope="module")
def kept(measured, parts) -> Replays:
    return replays(measured, parts.test, parts.train)


def test_every_category_that_was_measured_has_its_playlists(kept, parts):
    counts = np.bincount([one.category for one in kept.playlists], minlength=len(CATEGORIES))
    there = np.bincount(parts.test.category, minlength=len(CATEGORIES))
    assert counts.tolist() == np.minimum(there, A_CATEGORY).tolist()
    assert list(kept.systems) == ["playlist_knn", "popularity"]
    assert (kept.training_playlists, kept.held_out) == (180, 60)


def test_they_were_held_out_and_nothing_of_them_is_lost(kept, parts, planted):
    held_out = dict(zip(parts.test.rows.tolist(), range(60), strict=True))
    for one in kept.playlists:
        at = held_out[one.row]
        assert one.shown.tolist() == parts.test.queries.seeds[at].tolist()
        assert sorted([*one.shown, *one.hidden]) == sorted(planted.playlists[one.row])
    train = {tuple(parts.train.playlists[row]) for row in range(len(parts.train.playlists))}
    assert not train & {tuple(planted.playlists[one.row]) for one in kept.playlists}


def test_places_are_those_of_the_lists_that_were_judged(kept, measured, parts):
    at_row = {row: at for at, row in enumerate(parts.test.rows.tolist())}
    for one in kept.playlists:
        for system, row in zip(measured, one.places, strict=True):
            listed = system.lists[at_row[one.row]]
            found = row > 0
            assert (listed[row[found] - 1] == one.hidden[found]).all()
            assert not np.isin(one.hidden[~found], listed).any()
    assert sum((one.places > 0).sum() for one in kept.playlists) > 100


def test_figures_of_a_playlist_are_those_of_the_leaderboard(kept, measured, parts):
    """Kept whole, their mean is the leaderboard's."""
    every = replays(measured, parts.test, parts.train, a_category=60)
    assert len(every.playlists) == 60
    board = summarised(measured, parts.test, parts.train)
    means = np.mean([one.r_precision for one in every.playlists], axis=0)
    assert means == pytest.approx([row.overall["r_precision"].value for row in board.rows])


def test_found_counts_up_to_a_place(kept):
    for one in kept.playlists:
        assert (one.found() == (one.places > 0).sum(axis=1)).all()
        assert (one.found(0) == 0).all()
        first = np.isin(one.first, one.hidden).sum(axis=1)
        assert (one.found(FIRST) == first).all()


def test_what_no_training_playlist_holds_is_marked(make_dataset):
    everywhere = [f"{track}" for track in range(8)]
    playlists = [[*everywhere, f"own {row}"] for row in range(30)]
    parts = split(make_dataset(playlists, [f"t {row}" for row in range(30)], name="own"), 12)
    model = MODELS["popularity"]().fit(parts.train)
    measured = measure_all([System("p", "P", model.recommend)], parts.test, parts.train)
    for one in replays(measured, parts.test, parts.train).playlists:
        assert one.heard.tolist() == [*[True] * (len(one.hidden) - 1), False]
        assert one.places[0, -1] > 8  # only because so small a catalogue fills the list
        assert not one.beyond_reach.any()
        unfilled = replace(one, places=np.where(one.places > 8, 0, one.places))
        assert unfilled.beyond_reach.tolist() == (~one.heard).tolist()


def test_the_same_draw_every_time(kept, measured, parts):
    again = replays(measured, parts.test, parts.train)
    assert [one.row for one in again.playlists] == [one.row for one in kept.playlists]


def test_stored_and_read_again(kept, tmp_path):
    path = tmp_path / "replays.parquet"
    kept.save(path)
    read = Replays.load(path)
    assert dict(read.systems) == dict(kept.systems)
    assert (read.training_playlists, read.held_out) == (180, 60)
    for one, other in zip(read.playlists, kept.playlists, strict=True):
        for name in ("row", "category"):
            assert getattr(one, name) == getattr(other, name)
        for name in ("shown", "hidden", "heard", "places", "first", "r_precision"):
            here, there = getattr(one, name), getattr(other, name)
            assert here.dtype == there.dtype
            np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("content", [b"", b"not Parquet", None])
def test_a_file_of_another_version_is_one_sentence(tmp_path, content):
    path = tmp_path / "replays.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SegueError, match="evaluate again"):
        Replays.load(path)


def test_a_table_of_something_else_is_one_sentence(planted):
    with pytest.raises(SegueError, match="evaluate again"):
        Replays.load(planted.folder / "tracks.parquet")


def test_measuring_in_two_steps_is_evaluating(measured, parts):
    systems = [one.system for one in measured]
    board, again = (
        [row.overall for row in one.rows]
        for one in (
            evaluate(systems, parts.test, parts.train),
            summarised(measured, parts.test, parts.train),
        )
    )
    assert board == again


# --- the figure ---


@pytest.mark.parametrize("place", [0, 3, LENGTH])
@pytest.mark.parametrize("phone", [False, True])
def test_marks_are_the_finds_up_to_a_place(kept, place, phone):
    replay = kept.playlists[-1]
    names = [f"<b>{track}</b>" for track in replay.hidden]
    figure = replay_figure(replay, ["A", "B"], names, place, phone=phone)
    later, first = figure.data
    for row, places in enumerate(replay.places):
        seen = sorted(places[(places > 0) & (places <= place)].tolist())
        drawn = [
            sorted(x for x, y in zip(trace.x, trace.y, strict=True) if y == row)
            for trace in (first, later)
        ]
        assert drawn == [seen[:1], seen[1:]]
    said = [note.text for note in figure.layout.annotations]
    for count in replay.found(place):
        assert f"{count} of {len(replay.hidden)}" in said
    veils = [shape for shape in figure.layout.shapes if shape.type == "rect"]
    assert len(veils) == (place < LENGTH)
    hover = [text for trace in figure.data for text in trace.customdata]
    assert not any("<b><b>" in text for text in hover)
