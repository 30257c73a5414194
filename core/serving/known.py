"""Queries whose answers are known, and what is wrong with the answers that an endpoint gives."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from math import isclose
from typing import Any

import numpy as np
from pydantic import ValidationError

from core.dataset.dataset import Dataset
from core.dataset.sources.lists import parse_track
from core.query import answer
from core.serving.opened import Opened
from core.serving.schema import MOST_LETTERS, Prediction, QueryIn, TrackOut, prediction

CHECKED = 12
_SEEDS = (0, 1, 5, 25)
_RELATIVE, _ABSOLUTE = 1e-4, 1e-6
"""By which scores of two machines may differ by their arithmetic."""
_BEYOND = 20
"""Tracks after the last that was asked for: by an equal score, one of them may be there instead."""


def known_queries(here: Opened) -> list[dict[str, Any]]:
    """Bodies of `CHECKED` invocations, the same for the same dataset and models.

    They are starts of playlists, with and without titles, by uri and by name, by default and to
    several models, with dials and reasons; each half of them has something of each.
    """
    rows = np.linspace(0, here.dataset.n_playlists - 1, CHECKED).astype(int).tolist()
    return [_body(here, place, row) for place, row in enumerate(rows)]


def start_of(dataset: Dataset, row: int, n_seeds: int, titled: bool) -> dict[str, Any]:
    """Body of an invocation: the first tracks of a playlist, its title, or both.

    What is longer than the API takes is cut, or left out where it is a uri.
    """
    seeds = dataset.values("uri", dataset.playlists[row][:n_seeds])
    title = dataset.playlists.titles[row] if titled else None
    return {
        "seeds": [uri for uri in seeds if len(uri) <= MOST_LETTERS],
        "title": title and title[:MOST_LETTERS],
    }


def fault(here: Opened, body: Mapping[str, Any], said: Any) -> str:
    """What is wrong with an endpoint's answer to a query; empty if nothing is.

    Tracks of equal scores may come in any order, and scores differ a little: machines round in
    their own ways.

    Parameters
    ----------
    here : Opened
        What is to answer alike.
    body : mapping
        One of `known_queries`.
    said : Any
        The decoded JSON.
    """
    shown = json.dumps(body, ensure_ascii=False)[:200]
    try:
        theirs = Prediction.model_validate(said)
    except ValidationError:
        return f"{shown} is answered by something else than a continuation."
    query = QueryIn.model_validate(body).query(here.dataset, here.matcher)
    ours = prediction(answer(here.recommender, query))
    longer = answer(here.recommender, replace(query, k=query.k + _BEYOND, reasons=False))
    if not _same_tracks(prediction(longer).tracks, theirs.tracks, len(ours.tracks)):
        return f"{shown} is continued by other tracks."
    if not _all(_same_score, ours.tracks, theirs.tracks):
        return f"{shown} is continued with other scores."
    if not _all(_same_kind, ours.tracks, theirs.tracks):
        return f"{shown} gets other reasons."
    if (theirs.notes, theirs.not_found) != (ours.notes, ours.not_found):
        return f"{shown} gets other notes."
    return ""


def _body(here: Opened, place: int, row: int) -> dict[str, Any]:
    """With so many seeds, in one of three ways: four times three are all twelve."""
    n_seeds = _SEEDS[place % len(_SEEDS)]
    body = start_of(here.dataset, row, n_seeds, titled=n_seeds != 1)
    match place % 3:
        case 0:
            return body
        case 1:
            names, choices = _names(here.dataset, body["seeds"]), here.recommender.choices
            return body | {"seeds": names, "model": choices[place % len(choices)], "k": 10}
        case _:
            return body | {"dials": {"adventure": 0.5, "per_artist": 2}, "reasons": True}


def _names(dataset: Dataset, uris: Sequence[str]) -> list[str]:
    """Tracks as "Artist - Title"; by uri where that names none."""
    tracks = dataset.ids_of(uris)
    artists, titles = (dataset.values(name, tracks) for name in ("artist_name", "title"))
    return [
        name if artist and title and len(name) <= MOST_LETTERS and parse_track(name) else uri
        for uri, artist, title in zip(uris, artists, titles, strict=True)
        for name in [f"{artist} - {title}"]
    ]


def _same_tracks(ours: Sequence[TrackOut], theirs: Sequence[TrackOut], k: int) -> bool:
    """Whether k tracks are the first of ours, those of equal scores in any order."""
    uris = [track.uri for track in theirs]
    ends = [at for at, (a, b) in enumerate(pairwise(ours), 1) if not _same_score(a, b)]
    equal = pairwise([0, *ends, len(ours)])
    return len(uris) == len(set(uris)) == k and all(
        set(uris[start:stop]) <= {track.uri for track in ours[start:stop]} for start, stop in equal
    )


def _all(
    same: Callable[[TrackOut, TrackOut], bool],
    ours: Sequence[TrackOut],
    theirs: Sequence[TrackOut],
) -> bool:
    return all(same(a, b) for a, b in zip(ours, theirs, strict=True))


def _same_score(a: TrackOut, b: TrackOut) -> bool:
    return isclose(a.score, b.score, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE)


def _same_kind(a: TrackOut, b: TrackOut) -> bool:
    """Whether both give reasons of one kind, or none."""
    return (a.why or {}).get("kind") == (b.why or {}).get("kind")
