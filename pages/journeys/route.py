"""What a journey is of and how it is found: its words in the link, its graph, its path."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

import numpy as np
import streamlit as st

from core.explore.journey import (
    Journey,
    TrackGraph,
    Wishes,
    build_graph,
    far_from,
    find_journey,
    join,
)
from pages.common import session, view
from pages.common.session import Version
from pages.common.widgets import counted

MOST_SKIPPED, MOST_PATHS = 40, 9
ARTISTS_TRACKS = 5
"""An artist outside the graph is joined to it by so many tracks."""

_one_search = threading.Lock()
"""Ten searches at once take ten times the memory, and no less time."""


def _read_skipped(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unquote(part) for part in text.split()))[:MOST_SKIPPED]


FROM = view.Choice("journey.from", "", str)
TO = view.Choice("journey.to", "", str)
ANOTHER = view.Choice("journey.path", 0, view.between(0, MOST_PATHS))
SKIPPED: view.Choice[tuple[str, ...]] = view.Choice(
    "journey.skip", (), _read_skipped, lambda uris: " ".join(quote(uri, safe=":") for uri in uris)
)


@dataclass(frozen=True)
class End:
    """A track, or an artist, who stands for any of their tracks.

    Attributes
    ----------
    tracks : tuple of int
        Ids, the most popular first.
    name, about : str
    word : str
        What the link says of it.
    """

    tracks: tuple[int, ...]
    name: str
    about: str
    word: str


# --- what is asked; for callbacks ---


def settle(start: End, end: End) -> None:
    """Write both ends into the link, before the playlist that they may come from changes."""
    view.put(FROM, start.word)
    view.put(TO, end.word)


def swap(start: End, end: End) -> None:
    """Turn the journey round."""
    settle(end, start)
    view.put(ANOTHER, 0)


def choose(choice: view.Choice[str], word: str) -> None:
    """Take another start or end."""
    view.put(choice, word)
    view.put(ANOTHER, 0)
    allow([word])


def skip(uri: str) -> None:
    """Go past this track."""
    view.put(SKIPPED, (*view.get(SKIPPED), uri))


def allow(uris: Sequence[str]) -> None:
    """Skip these no longer."""
    view.put(SKIPPED, tuple(uri for uri in view.get(SKIPPED) if uri not in uris))


def skipped() -> tuple[int, ...]:
    """Tracks that are to be no stops."""
    found = session.known(session.version(), view.get(SKIPPED))
    if found.missing:
        view.put(SKIPPED, found.uris)
        session.say(
            f"{counted(len(found.missing), 'skipped stop')} of the link "
            f"{'is' if len(found.missing) == 1 else 'are'} not in this dataset: "
            f"{', '.join(found.missing[:3])[:80]}."
        )
    return found.ids


# --- the graph and the way, shared by all sessions ---


def _vectors(version: Version, model: str) -> np.ndarray:
    vectors = session.recommender(version).models[model].track_vectors()
    assert vectors is not None  # the page offers no other models
    return vectors


@st.cache_resource(max_entries=4, show_spinner="Finding every track's neighbours")
def graph(version: Version, model: str) -> TrackGraph:
    """The neighbour graph of a model's vectors."""
    opened = session.dataset(version)
    return build_graph(_vectors(version, model), opened.counts, opened.artist)


def _with(version: Version, model: str, *ends: Sequence[int]) -> TrackGraph:
    """The graph, and in it at least one track of each end, if they have vectors."""
    found = graph(version, model)
    missing = [t for end in ends if not len(found.nodes_of(end)) for t in end[:ARTISTS_TRACKS]]
    return join(found, _vectors(version, model), missing) if missing else found


@st.cache_data(max_entries=64, show_spinner=False)
def far(version: Version, model: str, track: int) -> int:
    """A popular track unlike this one, that a journey can reach."""
    found = _with(version, model, [track])
    if not len(found.nodes_of([track])):
        return int(found.tracks[int(found.tracks[0] == track)])
    return far_from(found, _vectors(version, model), track)


def opening(version: Version, model: str) -> int:
    """A track to start from: the most popular one."""
    return int(graph(version, model).tracks[0])


@st.cache_data(max_entries=256, show_spinner=False)
def journey(
    version: Version,
    model: str,
    start: tuple[int, ...],
    end: tuple[int, ...],
    wishes: Wishes,
    another: int,
) -> Journey:
    """The way, or another one than those before; see `core.explore.journey.find_journey`."""
    before = [journey(version, model, start, end, wishes, path) for path in range(another)]
    joined = _with(version, model, start, end)
    with _one_search:
        return find_journey(joined, start, end, wishes, before)
