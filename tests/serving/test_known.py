"""Known queries, and which differences between two answers count."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from core.query import answer
from core.serving import known
from core.serving.known import CHECKED, fault, known_queries, start_of
from core.serving.opened import Opened, opened
from core.serving.schema import MOST_LETTERS, QueryIn, prediction


@pytest.fixture(scope="module")
def here(served) -> Opened:
    return opened(served, "planted")


def answered(here: Opened, body) -> dict:
    query = QueryIn.model_validate(body).query(here.dataset, here.matcher)
    return prediction(known.answer(here.recommender, query)).model_dump()


def test_known_queries_are_of_every_kind_in_each_half(here):
    queries = known_queries(here)
    assert len(queries) == CHECKED
    for half in (queries[: CHECKED // 2], queries[CHECKED // 2 :]):
        assert {len(query["seeds"]) for query in half} == {0, 1, 5, 12}
        assert {bool(query["title"]) for query in half} == {True, False}
        assert {"dials", "reasons", "model", "k"} <= {name for query in half for name in query}
        seeds = [seed for query in half for seed in query["seeds"]]
        assert {seed.startswith("t:") for seed in seeds} == {True, False}
    assert len({query.get("model") for query in queries}) > 3


def test_this_process_answers_as_this_process(here):
    assert [fault(here, body, answered(here, body)) for body in known_queries(here)] == [""] * 12


def test_names_are_found(here):
    said = [answered(here, body) for body in known_queries(here) if "model" in body]
    assert [one["not_found"] for one in said] == [[]] * 4


def exchanged(said, i, j):
    """Two tracks change places, and leave their scores where they are."""
    tracks = said["tracks"]
    tracks[i], tracks[j] = (
        tracks[j] | {"score": tracks[i]["score"]},
        tracks[i] | {"score": tracks[j]["score"]},
    )


def scaled(said, factor):
    for track in said["tracks"]:
        track["score"] *= factor


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda said: exchanged(said, 0, 1), "is continued by other tracks."),
        (lambda said: said["tracks"].pop(), "is continued by other tracks."),
        (lambda said: said["tracks"][-1].update(uri="t:else"), "is continued by other tracks."),
        (lambda said: scaled(said, 1.001), "is continued with other scores."),
        (lambda said: scaled(said, 1 + 1e-6), ""),
        (lambda said: [track.update(why=None) for track in said["tracks"]], "gets other reasons."),
        (
            lambda said: [track["why"].update(kind="else") for track in said["tracks"]],
            "gets other reasons.",
        ),
        (lambda said: said["notes"].append("Not so."), "gets other notes."),
        (lambda said: said["not_found"].append("t:1"), "gets other notes."),
        (lambda said: said.pop("tracks"), "is answered by something else than a continuation."),
    ],
)
def test_differences_that_count(here, change, found):
    body = next(body for body in known_queries(here) if "reasons" in body and body["seeds"])
    said = copy.deepcopy(answered(here, body))
    change(said)
    assert fault(here, body, said).endswith(found)
    assert bool(fault(here, body, said)) == bool(found)


def tied(recommender, query):
    """The first track alone, then pairs of equal scores, of which k cuts one."""
    given = answer(recommender, query)
    scores = given.found.scores.copy()
    scores[2::2] = scores[1::2][: len(scores[2::2])]
    return replace(given, found=replace(given.found, scores=scores))


def test_tracks_of_equal_scores_may_come_in_any_order(here, monkeypatch):
    monkeypatch.setattr(known, "answer", tied)
    body = known_queries(here)[3]
    said, longer = answered(here, body), answered(here, body | {"k": 21})
    exchanged(said, 1, 2)
    assert fault(here, body, said) == ""
    said["tracks"][-1] = longer["tracks"][-1]
    assert fault(here, body, said) == ""
    said["tracks"][2] = said["tracks"][1]
    assert "other tracks" in fault(here, body, said)
    exchanged(said := answered(here, body), 2, 3)
    assert "other tracks" in fault(here, body, said)


def test_scores_near_zero_may_differ_by_rounding(here, monkeypatch):
    def none(recommender, query):
        given = answer(recommender, query)
        return replace(given, found=replace(given.found, scores=np.zeros_like(given.found.scores)))

    monkeypatch.setattr(known, "answer", none)
    body = known_queries(here)[3]
    said = answered(here, body)
    said["tracks"][0]["score"] = 1e-9
    assert fault(here, body, said) == ""


def test_what_is_longer_than_the_api_takes_is_left_out(make_dataset):
    long = "long " * MOST_LETTERS
    uri = f"t:{'x' * MOST_LETTERS}"
    dataset = make_dataset([["a", "b"], ["b", "a"]], [long, None], {"a": {"uri": uri}})
    assert uri in dataset.values("uri", range(dataset.n_tracks))
    bodies = [start_of(dataset, row, 5, titled=True) for row in (0, 1)]
    assert [body["seeds"] for body in bodies] == [["t:b"], ["t:b"]]
    assert [len(body["title"] or "") for body in bodies] == [MOST_LETTERS, 0]
    for body in bodies:
        QueryIn.model_validate(body)
    assert known._names(make_dataset([["c"]], tracks={"c": {"title": long}}), ["t:c"]) == ["t:c"]
