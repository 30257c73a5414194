"""The tracks of a dataset as a map: look around, find, select, see true neighbours."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from core.dataset.dataset import Dataset
from core.dataset.schema import AUDIO_FEATURES
from core.explore.figures import (
    HOVER_TRACKS,
    Categories,
    Kind,
    Overlay,
    Scale,
    chart_config,
    map_figure,
)
from core.explore.labels import Label, cluster_labels
from core.explore.projection import true_neighbours
from core.retrieval.track2vec import Track2Vec
from core.training.maps import TrackMap
from pages import session
from pages.session import Version
from pages.widgets import add_tracks, plain, row_button, search_box, sentences

# A click selects nothing while the mouse draws: Streamlit sets plotly's click mode so.
MOUSE = {"pan": "Click", "lasso": "Lasso", "select": "Box"}
METHODS = {"umap": "UMAP", "tsne": "t-SNE", "pca": "principal components"}
WORDS = {
    "key": ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"),
    "mode": ("minor", "major"),
}
UNITS = {"loudness": " (dB)", "tempo": " (beats per minute)"}
NEIGHBOURS = 15
LISTED = 100  # rows of a selection in sight
ADD, ADDED = ":material/add:", ":material/check:"


def page() -> None:
    st.title("Map", anchor=False)
    with sentences():
        shown = session.track_map(session.version())
        if shown is None:
            _no_map()
        else:
            _about(shown)
            _explore()


def _no_map() -> None:
    name = session.request_now().dataset
    st.info(
        f"“{name}” has no map yet. A map is laid out when track2vec is trained: train on the "
        f"Library page, or run the command below.",
        icon=":material/scatter_plot:",
    )
    st.code(f"python -m core train --dataset {name}", language="bash")


def _about(shown: TrackMap) -> None:
    card = shown.card
    st.caption(
        f"The {len(shown.coordinates):,} most popular tracks where {METHODS[card.method]} puts "
        f"{session.model_label(card.model)}'s vectors. Near here is not always near in the model "
        f"(trustworthiness {card.trustworthiness:.2f}, from 0.5 by chance to 1): click a track "
        "for its true neighbours."
    )


@st.fragment
def _explore() -> None:
    with sentences():
        chart, side = st.columns([7, 3], gap="medium")
        with side:
            search_box(
                "Find a track",
                "map_search",
                _focus,
                placeholder="Search by track or artist",
                icon=":material/my_location:",
            )
        with chart:
            _chart()
        with side:
            _side()


# --- the chart ---


def _chart() -> None:
    version = session.version()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        colour = st.selectbox(
            "Colour", _colours(version), key="map_colour", format_func=_colour_label, width=220
        )
        mouse = st.segmented_control(
            "Pick by",
            MOUSE,
            default="pan",
            key="map_mouse",
            format_func=MOUSE.__getitem__,
            required=True,
        )
    figure = _figure(
        version,
        colour,
        mouse or "pan",
        st.context.theme.type == "dark",
        session.seeds().ids,
        session.continued(),
        _found(),
    )
    config = chart_config(f"map-{version.name}", zoom_by_wheel=True)
    config["modeBarButtonsToRemove"] += ["pan2d", "lasso2d", "select2d"]  # see `MOUSE`
    st.plotly_chart(
        figure,
        key="map",
        on_select=_select,
        config=config,
        alt=f"Map of tracks, coloured by {_colour_label(colour).lower()}; the list beside it "
        "names what is picked.",
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _colours(version: Version) -> list[str]:
    """What tracks can be coloured by here: what is known of some."""
    opened = session.dataset(version)
    known = [
        name
        for name in ("genre", "year", *AUDIO_FEATURES)
        if opened.column(name).null_count < opened.n_tracks
    ]
    return sorted([*known, "playlists"], key=lambda name: name not in ("genre", "playlists"))


def _colour_label(name: str) -> str:
    return "Popularity" if name == "playlists" else name.capitalize()


def _colour(opened: Dataset, name: str, n: int) -> Categories | Scale:
    """Values of the first n tracks."""
    if name == "playlists":
        return Scale("Playlists that hold it", opened.counts[:n].astype(np.float32), log=True)
    values = opened.column(name).slice(0, n)
    if name == "genre":
        return Categories("Genre", values.to_pylist())
    if name in WORDS:
        words = dict(enumerate(WORDS[name]))
        return Categories(name.capitalize(), [words.get(value) for value in values.to_pylist()])
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float32)
    return Scale(name.capitalize() + UNITS.get(name, ""), numbers)


@st.cache_resource(max_entries=24, show_spinner="Drawing the map")
def _figure(
    version: Version,
    colour: str,
    mouse: str,
    dark: bool,
    seeds: tuple[int, ...],
    continuation: tuple[int, ...],
    found: tuple[int, ...],
) -> go.Figure:
    shown = session.track_map(version)
    assert shown is not None
    n = len(shown.coordinates)
    overlays: list[tuple[Kind, tuple[int, ...]]] = [
        ("continuation", continuation),
        ("seed", seeds),
        ("highlight", found),
    ]
    figure = map_figure(
        shown.coordinates,
        _colour(session.dataset(version), colour, n),
        names=session.names(version, np.arange(min(n, HOVER_TRACKS))),
        labels=_genres(version) if colour == "genre" else (),
        overlays=[
            Overlay(kind, tracks, session.names(version, tracks))
            for kind, tracks in overlays
            if tracks
        ],
        dark=dark,
    )
    return figure.update_layout(dragmode=mouse)


@st.cache_data(max_entries=4, show_spinner=False)
def _genres(version: Version) -> list[Label]:
    shown = session.track_map(version)
    assert shown is not None
    genres = session.dataset(version).column("genre").slice(0, len(shown.coordinates))
    return cluster_labels(shown.coordinates, genres.to_pylist())


def _found() -> tuple[int, ...]:
    _, focus = _picked()
    return () if focus is None else (focus,)


# --- what is picked on it ---
# The chart forgets its selection when it is drawn anew, so the session keeps it.


def _select() -> None:
    event = st.session_state["map"]["selection"]
    tracks = [int(np.ravel(point["customdata"])[0]) for point in event["points"]]
    if tracks and (event["box"] or event["lasso"]):
        _, focus = _picked()  # as long as it is drawn, the chart keeps its selection
        _pick(sorted(set(tracks)), focus)
    elif tracks:
        _pick(focus=tracks[-1])


def _focus(track: int) -> None:
    _pick(focus=track)


def _pick(area: Sequence[int] = (), focus: int | None = None) -> None:
    st.session_state.map_pick = {"of": session.version(), "area": [*area], "focus": focus}


def _picked() -> tuple[list[int], int | None]:
    """Tracks of the drawn area and the track in focus, of this very map."""
    pick = st.session_state.get("map_pick")
    if pick is None or pick["of"] != session.version():
        return [], None
    return pick["area"], pick["focus"]


# --- beside the chart ---


def _side() -> None:
    area, focus = _picked()
    if area:
        _area(area)
    elif focus is not None:
        _neighbours(focus)
    else:
        st.caption(
            "Click a track for its true neighbours, or choose the lasso and draw around some to "
            "add them to your playlist. Drag to move, scroll to zoom."
        )


def _area(tracks: Sequence[int]) -> None:
    """The selected tracks, the popular ones first, as their ids are."""
    st.subheader(f"{len(tracks):,} selected", anchor=False)
    listed = tracks[:LISTED]
    _buttons("Add all" if len(listed) == len(tracks) else f"Add the {LISTED} most popular", listed)
    _list("map_area", listed)


def _neighbours(track: int) -> None:
    version = session.version()
    shown = session.track_map(version)
    assert shown is not None
    st.subheader(plain(session.names(version, [track])[0]), anchor=False)
    if track >= len(shown.coordinates) or not np.isfinite(shown.coordinates[track]).all():
        st.caption("Too few playlists hold it for a place on the map.")
    _buttons("Add to playlist", [track])
    model = session.recommender(version).models.get(shown.card.model)
    if not isinstance(model, Track2Vec):
        st.caption("The model of this map is not there any more: train it again.")
        return
    tracks, similarities = true_neighbours(model.vectors, track, NEIGHBOURS)
    if not len(tracks):
        st.caption(f"{model.label} knows no neighbours of it: too few playlists hold it.")
        return
    st.markdown(f"**Nearest in {model.label}**")
    st.caption("By cosine of their vectors, wherever they are on the map.")
    _list("map_neighbours", tracks.tolist(), similarities)


def _buttons(label: str, tracks: Sequence[int]) -> None:
    with st.container(horizontal=True, gap="xsmall"):
        st.button(
            label,
            type="primary",
            icon=ADD,
            on_click=_add,
            args=(tracks,),
            disabled=set(tracks) <= set(session.seeds().ids),
        )
        st.button("Clear", on_click=_pick)


def _list(key: str, tracks: Sequence[int], similarities: np.ndarray | None = None) -> None:
    version = session.version()
    taken = set(session.seeds().ids)
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
        height=min(len(tracks) + 1, 14) * 35 + 2,
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


page()
