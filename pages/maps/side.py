"""Beside the map: the tracks that are drawn around, or the true neighbours of one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from core.explore.figures.map_marks import is_placed
from core.explore.projection import true_neighbours
from pages.common import session, view
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import add_tracks, plain, row_button
from pages.maps.chart import MapName, Outline, drawn_around, opened

NEIGHBOURS = 15
LISTED = 100  # rows of a selection in sight
ROWS, ROW_PX = 14, 35
ADD, ADDED = ":material/add:", ":material/check:"
FOCUS = Choice("map.focus", "", str)
AREA: Choice[Outline | None] = Choice("map.area", None, Outline.read)
_AREA_OF, _CLEARED = "map_area_of", "map_cleared"


# --- what is picked ---
# The chart forgets its selection when it is drawn anew, so the link keeps it.


def focus_on(track: int) -> None:
    """Look at one track; for callbacks."""
    _forget_area()
    view.put(FOCUS, session.dataset(session.version()).values("uri", [track])[0])


def select(outline: Outline) -> None:
    """Look at what is drawn around; for callbacks."""
    view.put(AREA, outline)
    st.session_state[_AREA_OF] = session.version().name


def clear() -> None:
    """Look at nothing in particular."""
    _forget_area()
    view.put(FOCUS, FOCUS.default)


def cleared() -> int:
    """How often what was drawn was cleared.

    Streamlit restores a chart that it has shown before with all that was drawn on it, so a chart
    needs a new key to be blank again.
    """
    return st.session_state.get(_CLEARED, 0)


def _forget_area() -> None:
    if view.get(AREA) is not None:
        view.put(AREA, None)
        st.session_state.pop(_AREA_OF, None)
        st.session_state[_CLEARED] = cleared() + 1


def focus() -> int | None:
    """The track that is looked at; one that the dataset lacks is named on the page."""
    uri = view.get(FOCUS)
    if not uri:
        return None
    found = session.known(session.version(), (uri,)).ids
    if not found:
        session.say(f"The link looks at the track {uri}, which this dataset does not have.")
        view.put(FOCUS, FOCUS.default)
        return None
    return found[0]


def area() -> np.ndarray | None:
    """Tracks that are drawn around, int32 by falling popularity, None where nothing is drawn."""
    outline, version = view.get(AREA), session.version()
    if outline is None:
        return None
    if st.session_state.setdefault(_AREA_OF, version.name) != version.name:
        _forget_area()  # it was of another dataset
        return None
    if session.track_map(version, outline.map.model, outline.map.method) is None:
        session.say(f"The link marks tracks on the map “{outline.map}”, which is not here.")
        _forget_area()
        return None
    return drawn_around(version, outline)


# --- what is shown of it ---


def side(maps: Sequence[MapName]) -> None:
    """What is picked, in the first of these maps' words, or what can be."""
    tracks, track = area(), focus()
    if tracks is not None:
        _area(tracks)
    elif track is not None:
        _neighbours(track, maps)
    else:
        st.caption(
            "Click a track for its true neighbours, or choose the lasso and draw around some to "
            "add them to your playlist. Drag to move, scroll to zoom."
        )


def _area(tracks: np.ndarray) -> None:
    st.subheader(f"{len(tracks):,} selected", anchor=False)
    if not len(tracks):
        st.caption("No track is there.")
        st.button("Clear", on_click=clear)
        return
    listed = tracks[:LISTED].tolist()
    _buttons("Add all" if len(listed) == len(tracks) else f"Add the {LISTED} most popular", listed)
    _list("map_area_list", listed)


def _neighbours(track: int, maps: Sequence[MapName]) -> None:
    version = session.version()
    st.subheader(plain(session.names(version, [track])[0]), anchor=False)
    if not any(is_placed(opened(version, name).coordinates, track) for name in maps):
        st.caption("Too few playlists hold it for a place on the map.")
    _buttons("Add to playlist", [track])
    models = list(dict.fromkeys(name.model for name in maps))
    found = {model: _nearest(version, model, track) for model in models}
    if len(models) == 2:
        both = set(found[models[0]][0].tolist()) & set(found[models[1]][0].tolist())
        st.caption(f"{len(both)} of {NEIGHBOURS} neighbours are the same in both models.")
    for model, column in zip(models, st.columns(len(models)), strict=True):
        tracks, similarities = found[model]
        label = session.model_label(model)
        with column:
            if not len(tracks):
                st.caption(f"{label} knows no neighbours of it: too few playlists hold it.")
                continue
            st.markdown(
                f"**Nearest in {label}**",
                help="By the cosine of their vectors, wherever they are on the map.",
            )
            _list(f"map_neighbours_{model}", tracks.tolist(), similarities)


@st.cache_data(max_entries=256, show_spinner=False)
def _nearest(version: Version, model: str, track: int) -> tuple[np.ndarray, np.ndarray]:
    vectors = session.recommender(version).models[model].track_vectors()
    assert vectors is not None
    return true_neighbours(vectors, track, NEIGHBOURS)


def _buttons(label: str, tracks: Sequence[int]) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            label,
            type="primary",
            icon=ADD,
            on_click=_add,
            args=(tracks,),
            disabled=set(tracks) <= set(session.playlist().ids),
        )
        st.button("Clear", on_click=clear)


def _list(key: str, tracks: Sequence[int], similarities: np.ndarray | None = None) -> None:
    version = session.version()
    taken = set(session.playlist().ids)
    frame = pd.DataFrame(
        {
            "Track": session.names(version, tracks),
            "add": [ADDED if track in taken else ADD for track in tracks],
        }
    )
    if similarities is not None:
        frame.insert(1, "Cosine", similarities)
    uris = session.dataset(version).values("uri", tracks)
    st.dataframe(
        frame,
        key=key,
        hide_index=True,
        height=(min(len(tracks), ROWS) + 1) * ROW_PX + 2,
        alt="Tracks",
        column_config={
            "Track": st.column_config.TextColumn(width=190),
            "Cosine": st.column_config.NumberColumn(width=60, format="%.2f"),
            "add": row_button(
                f"{key}_add", {ADD: _add_uri, ADDED: _add_uri}, uris, "Add to your playlist"
            ),
        },
    )


def _add(tracks: Sequence[int]) -> None:
    add_tracks(tracks)
    st.rerun()


def _add_uri(uri: str) -> None:
    session.add_seeds([uri])
    st.rerun()
