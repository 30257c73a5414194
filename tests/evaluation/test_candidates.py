"""The union of candidates, by hand."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from core.evaluation.candidates import DEPTHS, Union, recall_at, size_at, union


def listed(*rows):
    """Candidate lists of 1,000 places; a row's dict says which track stands where, rest filled."""
    ids = np.full((len(rows), 1000), -1, np.int32)
    for row, tracks in enumerate(rows):
        for place, track in tracks.items():
            ids[row, place] = track
        empty = np.flatnonzero(ids[row, : max(tracks, default=-1) + 1] < 0)
        ids[row, empty] = 10_000 + 1_000 * row + np.arange(len(empty))
    return ids


HIDDEN = [np.array([1, 2, 3, 4]), np.array([5, 6])]
# Playlist 0: a finds 1 at once, 2 at place 300; b finds 1 and 3 at once, 4 at its last place.
# Playlist 1: only b finds 5, at place 199, and 6 at place 200.
LISTS = {
    "a": listed({0: 1, 300: 2}, {}),
    "b": listed({0: 3, 1: 1, 999: 4}, {199: 5, 200: 6}),
}
GROUPS = {"first": np.array([0]), "second": np.array([1])}


@pytest.fixture(scope="module")
def found():
    return union(LISTS, HIDDEN, GROUPS)


@pytest.mark.parametrize(
    ("depth", "first", "second"),
    [(200, 2 / 4, 1 / 2), (500, 3 / 4, 2 / 2), (1000, 4 / 4, 2 / 2)],
)
def test_recall_of_the_union(found, depth, first, second):
    key = recall_at(depth)
    assert found.by_category["first"].together[key].value == pytest.approx(first)
    assert found.by_category["second"].together[key].value == pytest.approx(second)
    assert found.overall.together[key].value == pytest.approx((first + second) / 2)


@pytest.mark.parametrize(
    ("depth", "a", "b"),
    [
        (200, (0, 0), (1 / 4, 1 / 2)),
        (500, (1 / 4, 0), (1 / 4, 1)),
        (1000, (1 / 4, 0), (2 / 4, 1)),
    ],
)
def test_what_each_model_alone_adds(found, depth, a, b):
    key = recall_at(depth)
    for name, shares in (("a", a), ("b", b)):
        for group, share in zip(GROUPS, shares, strict=True):
            figure = found.by_category[group].added[name][key]
            assert figure.value == pytest.approx(share)
        assert found.overall.added[name][key].value == pytest.approx(np.mean(shares))


def test_what_a_model_adds_is_the_union_with_it_minus_without_it():
    random = np.random.default_rng(0)
    lists = {
        name: np.stack([random.choice(1500, 1000, replace=False) for _ in range(30)])
        for name in "abc"
    }
    hidden = [random.choice(3000, size, replace=False) for size in random.integers(1, 40, 30)]
    every = union(lists, hidden, {}).overall
    for name in lists:
        rest = union({key: ids for key, ids in lists.items() if key != name}, hidden, {}).overall
        for depth in DEPTHS:
            key = recall_at(depth)
            lost = every.together[key].value - rest.together[key].value
            assert every.added[name][key].value == pytest.approx(lost)
            assert every.added[name][key].low <= lost <= every.added[name][key].high
            truth = np.mean(
                [
                    len(set(tracks) & set().union(*(ids[row, :depth] for ids in lists.values())))
                    / len(tracks)
                    for row, tracks in enumerate(hidden)
                ]
            )
            assert every.together[key].value == pytest.approx(truth)


def test_sizes_count_distinct_tracks(found):
    # Track 1 and the fillers are in both lists of playlist 0.
    both = set(LISTS["a"][0, :200]) | set(LISTS["b"][0, :200])
    assert found.by_category["first"].together[size_at(200)].value == len(both)
    assert found.by_category["second"].together[size_at(1000)].value == 201


def test_a_union_comes_back_from_json(found):
    assert Union.from_json(json.loads(json.dumps(asdict(found)))) == found


def test_models_without_an_answer_find_nothing():
    silent = np.full((2, 1000), -1, np.int32)
    nothing = union({"a": silent, "b": silent}, HIDDEN, {}).overall
    assert nothing.together[recall_at(1000)].value == 0
    assert nothing.together[size_at(1000)].value == 0
