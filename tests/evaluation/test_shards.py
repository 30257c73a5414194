from dataclasses import asdict, replace

import numpy as np
import pytest

from core.errors import SegueError
from core.evaluation import challenge, dials, leaderboard, shards
from core.evaluation.shards import Part, joined
from core.ranking.routes import ROUTES
from core.training.evaluate import measured_part, merged
from core.training.fitted import Held, fit_held_out, load_fitted, store_fitted
from tests.conftest import SMALL, in_this_process, proven_on

SETTINGS = {
    "popularity": {},
    "playlist_knn": {},
    "als": {"factors": 8},
    "titles": {},
    "ranker": asdict(SMALL),
}
COSTS = ("milliseconds", "milliseconds_alone")


@pytest.fixture
def small_batches(monkeypatch):
    """Batches of 8, so that a small challenge has several."""
    for module in (leaderboard, dials, shards):
        monkeypatch.setattr(module, "BATCH", 8)


@pytest.fixture(scope="module")
def fitted(planted):
    """With a ranker that answers every kind of query."""
    with in_this_process():
        made = fit_held_out(planted, Held(30, seed=1), SETTINGS)
    return replace(made, ranker=proven_on(made.ranker, [route.label for route in ROUTES]))


@pytest.mark.parametrize(
    ("length", "most", "cuts"),
    [
        (400, 4, [(0, 250), (250, 400)]),
        (1000, 2, [(0, 500), (500, 1000)]),
        (1000, 3, [(0, 250), (250, 500), (500, 1000)]),
        (10, 9, [(0, 10)]),
        (251, 1, [(0, 251)]),
    ],
)
def test_parts_are_whole_batches_and_as_equal_as_can_be(length, most, cuts):
    assert shards.shards(length, most) == cuts
    assert all(start % challenge.BATCH == 0 for start, _ in cuts)


def without_times(board):
    plain = board.as_json()
    for row in plain["rows"]:
        for cost in COSTS:
            del row[cost]
    return plain


def test_what_parts_come_to_is_what_the_whole_does(planted, fitted, small_batches, tmp_path):
    part = measured_part(fitted, 0, 30)
    lists = {one.system.name: one.lists for one in part.measured}
    assert (lists["ranker"] != lists["fusion"]).any()
    whole = merged(fitted, [part])
    store_fitted(fitted, Held(30, seed=1), tmp_path / "fitted")
    cuts = shards.shards(30, 3)
    assert len(cuts) == 3
    for start, stop in cuts:
        again = load_fitted(tmp_path / "fitted", planted)
        measured_part(again, start, stop).save(tmp_path / str(start))
    here = load_fitted(tmp_path / "fitted", planted)
    parts = [Part.load(tmp_path / str(start), here.systems) for start, _ in cuts]
    found = merged(here, parts)
    assert without_times(found.board) == without_times(whole.board)
    assert found.dials == whole.dials
    assert found.lean == whole.lean
    assert list(found.replays.systems) == list(whole.replays.systems)
    for one, other in zip(found.replays.playlists, whole.replays.playlists, strict=True):
        np.testing.assert_array_equal(one.places, other.places)
        np.testing.assert_array_equal(one.first, other.first)


def test_a_single_part_keeps_its_times(fitted):
    part = measured_part(fitted, 0, 30)
    for one, other in zip(joined([part]).measured, part.measured, strict=True):
        assert one.milliseconds == pytest.approx(other.milliseconds)
        assert one.milliseconds_alone == pytest.approx(other.milliseconds_alone)


def test_models_with_package_defaults_are_stored_too(planted, tmp_path):
    fitted = fit_held_out(planted, Held(30), {"track2vec": {"epochs": 1, "vector_size": 8}})
    store_fitted(fitted, Held(30), tmp_path)
    again = load_fitted(tmp_path, planted)
    assert again.references.keys() == fitted.references.keys()
    assert [one.name for one in again.systems] == [one.name for one in fitted.systems]
    assert [one.fit_seconds for one in again.systems] == [one.fit_seconds for one in fitted.systems]


def test_parts_of_other_systems_or_playlists_are_refused(planted, fitted, tmp_path):
    measured_part(fitted, 0, 30).save(tmp_path / "part")
    with pytest.raises(SegueError, match="measured with other systems"):
        Part.load(tmp_path / "part", fitted.systems[:-1])
    store_fitted(fitted, Held(30, seed=1), tmp_path / "fitted")
    other = type(planted)(planted.folder)
    other.manifest["fingerprint"] = "other"
    with pytest.raises(SegueError, match="fitted on other playlists"):
        load_fitted(tmp_path / "fitted", other)
