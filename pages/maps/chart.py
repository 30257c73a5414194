"""The chart of the map page: colours, marks, and what is drawn around on it."""

from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from core.dataset.dataset import Dataset
from core.dataset.schema import AUDIO_FEATURES
from core.explore.clusters import hues
from core.explore.figures import (
    HOVER_TRACKS,
    Categories,
    Kind,
    Overlay,
    Scale,
    Trail,
    map_figure,
)
from core.explore.figures.track_map import Drag
from core.explore.labels import Label, cluster_labels
from core.explore.palette import palette
from core.explore.projection import METHODS, simplified, within
from core.retrieval import MODELS
from core.training.maps import TrackMap, embeds
from pages.common import session
from pages.common.session import Version
from pages.common.view import between, one_of

COLOURS = ("cluster", "genre", "popularity", "year", *AUDIO_FEATURES)
WORDS = {
    "key": ("C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"),
    "mode": ("minor", "major"),
}
UNITS = {"loudness": " (dB)", "tempo": " (beats per minute)"}
HEIGHT, HEIGHT_BESIDE = 640, 520
MAPPED = tuple(model for model in MODELS if embeds(model))
MOST_CORNERS = 48  # of an outline: it has to fit into a link
EDGE = 4_000  # of all maps, in thousandths of a map unit


@dataclass(frozen=True)
class MapName:
    """Which map: a model and a method; in links "model-method"."""

    model: str
    method: str

    def __str__(self) -> str:
        return f"{self.model}-{self.method}"


@dataclass(frozen=True)
class Outline:
    """What is drawn around on a map.

    In links it is "model-method~x.y~x.y", so that the same tracks are found on a cold server.
    """

    map: MapName
    corners: tuple[tuple[int, int], ...]
    """In order, in thousandths of a map unit."""

    @staticmethod
    def drawn(name: MapName, shape: dict[str, list[float]]) -> "Outline":
        """From a lasso, or a box by two opposite corners, as the chart reports it."""
        x, y = shape["x"], shape["y"]
        if len(x) == 2:
            x, y = [x[0], x[1], x[1], x[0]], [y[0], y[0], y[1], y[1]]
        corners = np.rint(simplified(x, y, MOST_CORNERS) * 1000).clip(-EDGE, EDGE).astype(int)
        return Outline(name, tuple((x, y) for x, y in corners.tolist()))

    @staticmethod
    def read(text: str) -> "Outline":
        """From a link; a ValueError where it is none."""
        name, *corners = text.split("~")
        model, _, method = name.rpartition("-")
        shown = MapName(one_of(MAPPED, str)(model), one_of(METHODS, str)(method))
        place = between(-EDGE, EDGE)
        numbers = [place(number) for corner in corners for number in corner.split(".")]
        x, y = numbers[::2], numbers[1::2]
        return Outline(shown, tuple(zip(x, y, strict=True)))

    def __str__(self) -> str:
        return "~".join([str(self.map), *(f"{x}.{y}" for x, y in self.corners)])


@dataclass(frozen=True)
class Marks:
    """What is drawn above the tracks, as ids."""

    seeds: tuple[int, ...]
    continuation: tuple[int, ...]
    focus: int | None
    joined: bool
    """Whether lines join the playlist and its continuation, and numbers say their order."""


@dataclass(frozen=True)
class Look:
    """How the tracks are drawn."""

    colour: str
    points: int
    mouse: Drag
    dark: bool
    beside: bool
    """Whether another map stands beside it."""


def opened(version: Version, name: MapName) -> TrackMap:
    """A map that is stored."""
    found = session.track_map(version, name.model, name.method)
    assert found is not None
    return found


@st.cache_data(max_entries=16, show_spinner=False)
def colours(version: Version, name: MapName) -> list[str]:
    """What tracks can be coloured by here, that of most use first."""
    data, shown = session.dataset(version), opened(version, name)
    n = len(shown.coordinates)
    fields = ("genre", "year", *AUDIO_FEATURES)
    unknown = [field for field in fields if data.column(field).slice(0, n).null_count == n]
    if not shown.card.clusters:
        unknown.append("cluster")
    return [colour for colour in COLOURS if colour not in unknown]


def colour_label(name: str) -> str:
    return name.capitalize()


def _colour(data: Dataset, shown: TrackMap, name: str) -> Categories | Scale:
    """Values of the tracks of a map."""
    n = len(shown.coordinates)
    if name == "popularity":
        return Scale("Playlists that hold it", data.counts[:n].astype(np.float32), log=True)
    if name == "cluster":
        member = shown.membership()
        hue = hues(shown.card.clusters, len(palette().categorical))
        return Categories("Cluster", (), np.where(member >= 0, hue[member], -1))
    values = data.column(name).slice(0, n)
    if name == "genre":
        return Categories("Genre", values.to_pylist())
    if name in WORDS:
        words = dict(enumerate(WORDS[name]))
        return Categories(name.capitalize(), [words.get(value) for value in values.to_pylist()])
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float32)
    return Scale(name.capitalize() + UNITS.get(name, ""), numbers)


@st.cache_data(max_entries=8, show_spinner=False)
def _labels(version: Version, name: MapName, by_genre: bool) -> list[Label]:
    """Genres, or names of clusters, where they are dense."""
    shown = opened(version, name)
    if by_genre:
        genres = session.dataset(version).column("genre").slice(0, len(shown.coordinates))
        return cluster_labels(shown.coordinates, genres.to_pylist())
    words = [cluster.name for cluster in shown.card.clusters]
    texts = [words[i] if i >= 0 else None for i in shown.membership().tolist()]
    return cluster_labels(shown.coordinates, texts, limit=len(words))


@st.cache_resource(max_entries=12, show_spinner="Drawing the map")
def figure(
    version: Version, name: MapName, look: Look, marks: Marks, selected: np.ndarray | None
) -> go.Figure:
    shown, data = opened(version, name), session.dataset(version)
    focus = () if marks.focus is None else (marks.focus,)
    overlays: list[tuple[Kind, tuple[int, ...]]] = [
        ("continuation", marks.continuation),
        ("seed", marks.seeds),
        ("highlight", focus),
    ]
    trails = [
        Trail(marks.seeds),
        Trail((*marks.seeds[-1:], *marks.continuation), proposed=True),
    ]
    return map_figure(
        shown.coordinates,
        _colour(data, shown, look.colour),
        names=session.names(version, np.arange(min(len(shown.coordinates), HOVER_TRACKS))),
        labels=_labels(version, name, look.colour == "genre"),
        overlays=[
            Overlay(
                kind,
                tracks,
                session.names(version, tracks),
                numbered=marks.joined and kind != "highlight",
            )
            for kind, tracks in overlays
            if tracks
        ],
        trails=trails if marks.joined else (),
        shown=look.points,
        selected=selected,
        revision=f"{version.name}-{name}",
        drag=look.mouse,
        dark=look.dark,
        height=HEIGHT_BESIDE if look.beside else HEIGHT,
    )


@st.cache_data(max_entries=32, show_spinner=False)
def drawn_around(version: Version, outline: Outline) -> np.ndarray:
    """Tracks within an outline, those of the long tail too, int32 by falling popularity."""
    coordinates = opened(version, outline.map).coordinates
    corners = np.array(outline.corners).reshape(-1, 2) / 1000
    return np.flatnonzero(within(coordinates, *corners.T)).astype(np.int32)
