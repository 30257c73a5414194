"""The map of tracks."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import (
    FONT_PX,
    KIND_NAMES,
    NAMED_MARKS,
    Kind,
    base_layout,
    log_ticks,
    over_points,
    overlay_marker,
    short,
    text_box,
)
from core.explore.labels import Label, Placement
from core.explore.palette import Palette, palette

HOVER_TRACKS = 3_000
"""Points of a map that carry a name: the most popular. Names are what makes a map heavy."""

MAP_REACH = 1.08

MAP_PX = 290
"""Half a side of a map in its own unit, and pixels per unit where texts must not overlap."""

NAME_SPOTS = (("left", 12, 0), ("right", -12, 0), ("center", 0, 18), ("center", 0, -18))
"""Where a name may stand beside its point: the end that is near, and the pixels to it."""


@dataclass(frozen=True)
class Categories:
    """Colour by a word.

    Attributes
    ----------
    title : str
        What the words say, as the legend's heading ("Genre").
    values : sequence of str or None
        One for each point; None where it is not known.
    """

    title: str
    values: Sequence[str | None]


@dataclass(frozen=True)
class Scale:
    """Colour by a number.

    Attributes
    ----------
    title : str
        Name and unit, as the colour bar's heading ("Tempo (beats per minute)").
    values : float array
        One for each point; NaN where it is not known.
    log : bool
        Colour by the logarithm; values must be positive.
    diverging : bool
        Colour both ends apart, neutral half-way.
    """

    title: str
    values: np.ndarray
    log: bool = False
    diverging: bool = False


@dataclass(frozen=True)
class Overlay:
    """Tracks to be seen above all others on a map.

    Attributes
    ----------
    kind : {"seed", "continuation", "highlight"}
    tracks : sequence of int
        Ids; those without a place on the map are left out.
    names : sequence of str
        What each is called, in the same order.
    """

    kind: Kind
    tracks: Sequence[int]
    names: Sequence[str]


def map_figure(
    coordinates: np.ndarray,
    colour: Categories | Scale | None = None,
    *,
    names: Sequence[str] = (),
    labels: Sequence[Label] = (),
    overlays: Sequence[Overlay] = (),
    dark: bool = False,
    height: int = 640,
) -> go.Figure:
    """Tracks as points, popular ones larger and on top; overlays drawn above them.

    The first traces depend on everything but `overlays`, which come after them, and `uirevision`
    never changes: zoom and selection survive another seed. Every point carries its track id as
    `customdata`, those of overlays too: a selection may name a track twice.

    Parameters
    ----------
    coordinates : float array [n, 2]
        Row i places track i, by falling popularity; NaN rows are not drawn.
    colour : Categories, Scale or None
    names : sequence of str
        What the first tracks are called, shown on hover; at most `HOVER_TRACKS` are used.
    labels : sequence of Label
        Texts on the map.
    overlays : sequence of Overlay
    """
    colours = palette(dark)
    points = _Points(np.asarray(coordinates, np.float32), names[:HOVER_TRACKS])
    if isinstance(colour, Categories):
        traces = _categorical_traces(points, colour, colours)
    elif isinstance(colour, Scale):
        traces = _continuous_traces(points, colour, colours)
    else:
        traces = [points.trace(points.placed, "Tracks", colours.categorical[0], showlegend=False)]
    layout = base_layout(colours, height, margin={"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0})
    bare = {"visible": False, "range": [-MAP_REACH, MAP_REACH]}
    layout |= {
        "uirevision": "map",
        "dragmode": "lasso",
        "clickmode": "event+select",
        "xaxis": bare,
        "yaxis": bare | {"scaleanchor": "x"},
        # Upright, the buttons stand clear of the legend.
        "modebar": layout["modebar"] | {"orientation": "v"},
        "legend": layout["legend"] | {"itemsizing": "constant"},
        "newselection": {"line": {"color": colours.ink, "width": 1.5, "dash": "dot"}},
    }
    if isinstance(colour, Categories):
        font = {"size": FONT_PX, "color": colours.ink}
        heading = {"text": escape(colour.title, quote=False), "font": font}
        layout["legend"]["title"] = heading
    figure = go.Figure(traces, layout)
    placement = Placement()
    for label in labels:
        text = escape(label.text, quote=False)
        placement.take(text_box(text, label.x * MAP_PX, label.y * MAP_PX, "center"))
        figure.add_annotation(
            x=label.x, y=label.y, text=text, showarrow=False, font=over_points(colours, 600)
        )
    for overlay in overlays:
        _add_overlay(figure, overlay, points.coordinates, colours, placement)
    return figure


class _Points:
    """The placed tracks of a map."""

    def __init__(self, coordinates: np.ndarray, names: Sequence[str]) -> None:
        self.coordinates = coordinates
        self.placed = np.flatnonzero(np.isfinite(coordinates).all(axis=1)).astype(np.int32)
        self._names = [escape(name, quote=False) for name in names]
        n = max(len(coordinates), 1)
        smallest = np.clip(300 / np.sqrt(n), 3.0, 9.0)
        fame = (1 - np.arange(n) / n) ** 8
        self._sizes = (smallest * (1 + 1.2 * fame)).astype(np.float32)

    def trace(
        self, tracks: np.ndarray, name: str, colour: str | np.ndarray, **more: Any
    ) -> go.Scattergl:
        """One trace of tracks given by rising id; `more` goes to the trace or its marker."""
        drawn = tracks[::-1]  # later is on top: the popular ones
        known = len(self._names)
        marker = {"color": colour, "size": self._sizes[drawn], "opacity": 0.8, "line": {"width": 0}}
        marker |= more.pop("marker", {})
        return go.Scattergl(
            x=self.coordinates[drawn, 0],
            y=self.coordinates[drawn, 1],
            customdata=drawn,
            mode="markers",
            name=name,
            # An empty text shows nothing, where a template would show an empty box.
            hovertext=[self._names[track] if track < known else "" for track in drawn.tolist()],
            hoverinfo="text",
            marker=marker,
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 0.12}},
            **more,
        )


def _categorical_traces(
    points: _Points, colour: Categories, colours: Palette
) -> list[go.Scattergl]:
    """A trace for each of the most frequent categories, above the rest and the unknown in grey."""
    values = np.array([value if value is not None else "" for value in colour.values])
    values = values[points.placed]
    names, sizes = np.unique(values[values != ""], return_counts=True)
    frequent = names[np.argsort(-sizes, kind="stable")][: len(colours.categorical)]
    rest = ~np.isin(values, frequent)
    below = points.trace(points.placed[rest], "Other, unknown", colours.other, legendrank=2_000)
    above = [
        points.trace(points.placed[values == name], escape(str(name), quote=False), hue)
        for name, hue in zip(frequent, colours.categorical, strict=False)
    ]
    return [below, *above] if rest.any() else above


def _continuous_traces(points: _Points, colour: Scale, colours: Palette) -> list[go.Scattergl]:
    """The known values on a scale between their 2nd and 98th percentile; the unknown in grey."""
    values = np.asarray(colour.values, np.float32)[points.placed]
    if colour.log:
        values = np.log10(np.where(values > 0, values, np.nan))
    known = np.isfinite(values)
    traces = []
    if not known.all():
        traces.append(points.trace(points.placed[~known], "Not known", colours.other))
    if known.any():
        low, high = np.quantile(values[known], [0.02, 0.98]).tolist()
        bar: dict[str, Any] = {
            "title": {"text": escape(colour.title), "side": "top", "font": {"size": FONT_PX}},
            "orientation": "h",
            "thickness": 10,
            "len": 260,
            "lenmode": "pixels",
            "x": 0,
            "xanchor": "left",
            "y": 0,
            "yanchor": "top",
            "outlinewidth": 0,
        }
        if colour.log:
            ticks = log_ticks(10**low, 10**high)
            bar |= {"tickvals": np.log10(ticks), "ticktext": [f"{tick:,.0f}" for tick in ticks]}
        marker = {
            "colorscale": colours.scale(colour.diverging),
            "cmin": low,
            "cmax": high,
            "colorbar": bar,
        }
        traces.append(
            points.trace(
                points.placed[known], "Tracks", values[known][::-1], marker=marker, showlegend=False
            )
        )
    return traces


def _add_overlay(
    figure: go.Figure,
    overlay: Overlay,
    coordinates: np.ndarray,
    colours: Palette,
    placement: Placement,
) -> None:
    """Add the overlay's points, and write out the names of seeds and found tracks."""
    shown = [
        (track, name)
        for track, name in zip(overlay.tracks, overlay.names, strict=True)
        if track < len(coordinates) and np.isfinite(coordinates[track]).all()
    ]
    tracks = np.array([track for track, _ in shown], np.int32)
    figure.add_trace(
        go.Scattergl(
            x=coordinates[tracks, 0],
            y=coordinates[tracks, 1],
            customdata=tracks,
            mode="markers",
            name=KIND_NAMES[overlay.kind],
            hovertext=[escape(name, quote=False) for _, name in shown],
            hoverinfo="text",
            marker=overlay_marker(overlay.kind, colours),
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            legendrank=3_000,
        )
    )
    if overlay.kind == "continuation":
        return
    for track, name in shown[:NAMED_MARKS]:
        x, y = coordinates[track].tolist()
        text = short(name)
        for side, right, up in NAME_SPOTS:
            box = text_box(text, x * MAP_PX + right, y * MAP_PX + up, side)
            if placement.fits(box):
                placement.take(box)
                figure.add_annotation(
                    x=x,
                    y=y,
                    text=text,
                    showarrow=False,
                    xanchor=side,
                    xshift=right,
                    yshift=up,
                    font=over_points(colours, 700),
                )
                break
