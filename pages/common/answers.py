"""What plays next after the session's playlist, why, and of which mood; shared by all sessions.

A request is turned into a `Query` of ids, and every cached answer depends on that alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core.moods import Mood, continue_moods, divided
from core.moods import moods as moods_of
from core.ordering import Dials, Taste
from core.reasons import Reasons, explain
from core.recommender import Continuation, Judgement
from core.retrieval.base import Queries
from pages.common import session
from pages.common.request import Request
from pages.common.session import Version


@dataclass(frozen=True)
class Query:
    """A request as its dataset understands it: all that an answer depends on, as ids.

    `shares` is empty where the playlist is continued as one.
    """

    seeds: tuple[int, ...]
    muted: tuple[int, ...]
    unknown: int
    title: str
    k: int
    model: str
    dials: Dials
    likes: tuple[int, ...]
    dislikes: tuple[int, ...]
    shares: tuple[int, ...]


@dataclass(frozen=True)
class Answer:
    """A continuation, and the mood that each of its tracks is of; None where it is undivided."""

    found: Continuation
    mood_of: np.ndarray | None


def query(request: Request | None = None) -> Query:
    """A request, by default the present one, as the open dataset understands it."""
    now, asked = session.version(), request or session.request_now()
    seeds = session.known(now, asked.heard)
    in_shares = asked.shares and len(asked.shares) == len(_moods(now, seeds.ids))
    return Query(
        seeds.ids,
        session.known(now, asked.muted).ids,
        len(seeds.missing),
        asked.title.strip(),
        asked.k,
        asked.model,
        asked.dials(session.known_artists(now, asked.blocked).ids),
        session.known(now, asked.likes).ids,
        session.known(now, asked.dislikes).ids,
        asked.shares if in_shares else (),
    )


def answer(request: Request | None = None) -> Answer:
    """What plays next after a request's playlist, by default the present one's.

    Raises
    ------
    SegueError
        If there is no dataset, or no model is trained on it.
    """
    return _answer(session.version(), query(request))


def continuation() -> Continuation:
    """What plays next after the session's playlist; raises as `answer` does."""
    return answer().found


def continued() -> tuple[int, ...]:
    """Tracks of the continuation; none while nothing is asked, or no model can answer."""
    if session.is_blank() or not session.cards(session.version()):
        return ()
    return tuple(continuation().tracks.tolist())


@st.cache_data(max_entries=256, show_spinner=False)
def _answer(version: Version, query: Query) -> Answer:
    asked = session.recommender(version)
    told: dict[str, Any] = {
        "model": query.model or None,
        "dials": query.dials,
        "likes": query.likes,
        "dislikes": query.dislikes,
        "muted": query.muted,
    }
    title = query.title or None
    if query.shares:
        moods, seeds = _moods(version, query.seeds), _ids(query.seeds)
        return Answer(*continue_moods(asked, seeds, title, query.k, moods, query.shares, **told))
    found = asked.continue_playlist(query.seeds, title, query.k, unknown=query.unknown, **told)
    return Answer(found, None)


def moods() -> list[Mood]:
    """The moods of the playlist; one where it is not mixed."""
    return _moods(session.version(), session.seeds().ids)


@st.cache_data(max_entries=64, show_spinner=False)
def _moods(version: Version, seeds: tuple[int, ...]) -> list[Mood]:
    return moods_of(session.recommender(version), _ids(seeds))


def settle_moods() -> None:
    """Continue as one where the playlist has not the moods that shares are asked for."""
    shares = session.request_now().shares
    if shares and (not session.cards(session.version()) or len(shares) != len(moods())):
        found = len(moods()) if session.cards(session.version()) else 1
        session.say(
            f"The playlist was to be divided into {len(shares)} moods, but "
            f"{'is all of one' if found == 1 else f'{found} are found in it'} now: it is continued "
            "as one."
        )
        session.settle(shares=())


def reasons(track: int, mood: int | None = None) -> Reasons:
    """Why a track of the answer is in it; of a divided playlist, by the seeds of its mood."""
    return _reasons(session.version(), query(), track, mood)


@st.cache_data(max_entries=256, show_spinner=False)
def _reasons(version: Version, query: Query, track: int, mood: int | None) -> Reasons:
    asked = session.recommender(version)
    taste = Taste(*map(_ids, (query.seeds, query.likes, query.dislikes, query.muted)))
    if mood is not None:
        whole = taste
        taste = divided(whole, _moods(version, query.seeds), asked.directions)[mood]
        taste = replace(taste, muted=np.setdiff1d(_ids([*whole.asked, *whole.muted]), taste.asked))
    return explain(
        asked,
        taste.seeds,
        query.title or None,
        [track],
        model=query.model or None,
        dials=query.dials,
        dislikes=taste.dislikes,
        likes=taste.likes,
        muted=taste.muted,
        judge=lambda queries, name, _: _judged(
            version, tuple(map(_packed, queries.seeds)), query.title, name
        ),
    )


@st.cache_resource(max_entries=4, show_spinner=False)
def _judged(version: Version, seeds: tuple[bytes, ...], title: str, name: str) -> Judgement:
    """Candidates and scores, which no dial changes, of playlists that each lack one seed."""
    lists = [np.frombuffer(packed, np.int32) for packed in seeds]
    return session.recommender(version).judged(Queries(lists, [title or None] * len(lists)), name)


def _ids(tracks: Sequence[int]) -> np.ndarray:
    return np.asarray(tracks, np.int32)


def _packed(tracks: np.ndarray) -> bytes:
    return tracks.astype(np.int32).tobytes()
