"""A journey: how alike and how popular its stops are, and where it runs on the map."""

from collections.abc import Sequence
from html import escape
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import (
    FONT_PX,
    LINE_PX,
    axis,
    base_layout,
    over_points,
    short,
    text_box,
)
from core.explore.labels import Box, Placement
from core.explore.palette import Palette, palette

PROFILE_PX = 330
ROUTE_PX = {False: 470, True: 340}
ROUTE_WIDTH_PX = {False: 520, True: 320}
"""Height, and the width that names must fit into; on a phone."""
CLOUD = 20_000
"""Tracks drawn behind a journey, the most popular ones."""
REACH, CLOSEST, AIR = 1.08, 0.12, 1.35
"""Half the height of the map's frame: at most, at least, and as a multiple of the journey's."""
MARK_PX, NAME_LETTERS = 20, {False: 26, True: 15}
NAME_SPOTS = (("left", 16, 0), ("right", -16, 0), ("center", 0, 22), ("center", 0, -22))
"""Where a name may stand beside its stop: the end that is near, and the pixels to it."""


def profile_figure(
    names: Sequence[str], cosines: np.ndarray, counts: np.ndarray, *, dark: bool = False
) -> go.Figure:
    """Similarity of each step above, popularity of each stop below, along the journey.

    Parameters
    ----------
    names : sequence of n str
        What the stops are called.
    cosines : float array [n - 1]
        Of the steps.
    counts : int array [n]
        Playlists that hold each stop.
    """
    colours = palette(dark)
    n = len(names)
    stops = np.arange(1, n + 1)
    held = np.maximum(counts, 1)
    written = [f"{cosine:.2f}" for cosine in cosines]
    steps = go.Bar(
        x=stops[:-1] + 0.5,
        y=cosines,
        width=0.62,
        marker={"color": colours.categorical[0]},
        text=written if n <= 13 else None,
        textposition="outside",
        textfont={"color": colours.ink},
        cliponaxis=False,
        customdata=[f"From stop {i} to {i + 1}" for i in range(1, n)],
        hovertemplate="%{customdata}: cosine %{y:.2f}<extra></extra>",
    )
    popularity = go.Scatter(
        x=stops,
        y=held,
        yaxis="y2",
        mode="lines+markers",
        line={"color": colours.accent, "width": 2, "dash": "dot"},
        marker={
            "color": colours.accent,
            "size": [11 if stop in (1, n) else 8 for stop in stops],
            "symbol": ["diamond" if stop in (1, n) else "circle" for stop in stops],
        },
        hovertext=[escape(name, quote=False) for name in names],
        customdata=counts,
        hovertemplate="%{hovertext}<br>in %{customdata:,} playlists<extra></extra>",
    )
    top = max(1.0, 0.0 if not len(cosines) else float(cosines.max()))
    low = min(0.0, float(cosines.min()) if len(cosines) else 0.0)
    figure = go.Figure([steps, popularity], base_layout(colours, PROFILE_PX, showlegend=False))
    figure.update_layout(
        margin={"l": 8, "r": 12, "t": 24, "b": 8, "pad": 4},
        xaxis=axis(colours, "Stop")
        | {"range": [0.5, n + 0.5], "dtick": 1 if n <= 14 else 2, "tick0": 1, "anchor": "y2"},
        yaxis=axis(colours, "Cosine of the step", grid=True)
        | {"domain": [0.56, 1], "range": [1.1 * low, 1.08 * top], "nticks": 4},
        yaxis2=axis(colours, "Playlists", grid=True)
        | {"type": "log", "range": _around(np.log10(held)), "tickvals": _ticks(held)}
        | {"tickformat": ",", "domain": [0, 0.42], "anchor": "x"},
    )
    return figure


def _around(values: np.ndarray) -> list[float]:
    """A range with room for marks at both ends."""
    room = max(0.15 * float(np.ptp(values)), 0.15)
    return [float(values.min()) - room, float(values.max()) + room]


def _ticks(values: np.ndarray) -> np.ndarray:
    """Round numbers around the values: decades where they span many, else 1, 2 and 5 of each."""
    low, high = values.min() / 2, values.max() * 2
    steps = (1,) if high > 1_000 * low else (1, 2, 5)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.outer(decades, steps).ravel()
    return ticks[(ticks >= max(low, 1)) & (ticks <= high)]


def route_figure(
    coordinates: np.ndarray,
    tracks: Sequence[int],
    names: Sequence[str],
    *,
    phone: bool = False,
    dark: bool = False,
) -> go.Figure:
    """A journey drawn over a map of tracks, its stops numbered in order.

    Parameters
    ----------
    coordinates : float array [m, 2]
        Row i places track i; NaN without a place.
    tracks : sequence of n int
        The stops; one without a place is left out, and the line goes on to the next.
    names : sequence of n str
    phone : bool
        For a narrow screen: names are shorter.
    """
    colours = palette(dark)
    stops = [
        _Stop(
            number,
            float(coordinates[track, 0]),
            float(coordinates[track, 1]),
            name,
            number in (1, len(tracks)),
        )
        for number, (track, name) in enumerate(zip(tracks, names, strict=True), 1)
        if track < len(coordinates) and np.isfinite(coordinates[track]).all()
    ]
    x, y, half = _frame(stops)
    layout = base_layout(
        colours,
        ROUTE_PX[phone],
        margin={"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0},
        showlegend=False,
        dragmode="pan",
        uirevision="journey",
        xaxis={"visible": False, "range": [x - half, x + half]},
        yaxis={"visible": False, "range": [y - half, y + half], "scaleanchor": "x"},
    )
    unit = ROUTE_PX[phone] / 2 / half
    placement = Placement()
    ends_first = sorted(stops, key=lambda stop: not stop.is_end)
    numbered = [stop for stop in ends_first if _take_mark(stop, unit, placement)]
    cloud = _cloud(coordinates[:CLOUD], half, colours)
    figure = go.Figure([cloud, _line(stops, numbered, colours)], layout)
    for stop in numbered:
        number = {"color": colours.background, "size": FONT_PX - 1, "weight": 700}
        figure.add_annotation(x=stop.x, y=stop.y, text=stop.number, showarrow=False, font=number)
    width = ROUTE_WIDTH_PX[phone] / 2
    frame = Box(x * unit - width, -np.inf, x * unit + width, np.inf)
    for annotation in _names(ends_first, unit, frame, placement, NAME_LETTERS[phone], colours):
        figure.add_annotation(annotation)
    return figure


class _Stop(NamedTuple):
    """A stop with a place on the map."""

    number: int
    x: float
    y: float
    name: str
    is_end: bool


def _take_mark(stop: _Stop, unit: float, placement: Placement) -> bool:
    """Take the room of a mark with a number, if it is free."""
    x, y, room = stop.x * unit, stop.y * unit, MARK_PX / 2
    box = Box(x - room, y - room, x + room, y + room)
    free = placement.fits(box)
    placement.take(box)
    return free


def _frame(stops: Sequence[_Stop]) -> tuple[float, float, float]:
    """Centre and half the height of the part of the map where the journey is."""
    if not stops:
        return 0.0, 0.0, REACH
    x, y = (np.array([getattr(stop, axis) for stop in stops]) for axis in ("x", "y"))
    half = max(float(np.ptp(x)), float(np.ptp(y))) / 2 * AIR
    middle_x, middle_y = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    return float(middle_x), float(middle_y), float(np.clip(half, CLOSEST, REACH))


def _cloud(coordinates: np.ndarray, half: float, colours: Palette) -> go.Scattergl:
    size = float(np.clip(300 / np.sqrt(max(len(coordinates), 1)), 2.5, 7) / np.sqrt(half))
    return go.Scattergl(
        x=coordinates[:, 0],
        y=coordinates[:, 1],
        mode="markers",
        marker={"size": size, "color": colours.other, "opacity": 0.35, "line": {"width": 0}},
        hoverinfo="skip",
    )


def _line(stops: Sequence[_Stop], numbered: Sequence[_Stop], colours: Palette) -> go.Scattergl:
    return go.Scattergl(
        x=[stop.x for stop in stops],
        y=[stop.y for stop in stops],
        mode="lines+markers",
        line={"color": colours.accent, "width": 2.5},
        marker={
            "size": [MARK_PX if stop in numbered else MARK_PX / 2 for stop in stops],
            "opacity": 1,
            "symbol": ["square" if stop.is_end else "circle" for stop in stops],
            "color": [colours.ink if stop.is_end else colours.accent for stop in stops],
            "line": {"color": colours.background, "width": 2},
        },
        hovertext=[f"{stop.number}. {escape(stop.name, quote=False)}" for stop in stops],
        hoverinfo="text",
    )


def _names(
    stops: Sequence[_Stop],
    unit: float,
    frame: Box,
    placement: Placement,
    letters: int,
    colours: Palette,
) -> list[dict[str, Any]]:
    """The names that fit into the frame, the first ones first; `unit` is pixels a map unit."""
    written = []
    for stop in stops:
        lengths = (letters, letters // 2) if stop.is_end else (letters,)
        for text, (side, right, up) in product((short(stop.name, n) for n in lengths), NAME_SPOTS):
            box = text_box(text, stop.x * unit + right, stop.y * unit + up, side)
            if box.left > frame.left and box.right < frame.right and placement.fits(box):
                placement.take(Box(box.left, box.bottom, box.right, box.top + LINE_PX / 4))
                place = {"x": stop.x, "y": stop.y, "xanchor": side, "xshift": right, "yshift": up}
                font = over_points(colours, 700 if stop.is_end else 500)
                written.append({"text": text, "showarrow": False, "font": font} | place)
                break
    return written
