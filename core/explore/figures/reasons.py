"""What one track owes its place to."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10
from typing import Any

import plotly.graph_objects as go

from core.explore.figures.style import FONT_PX, axis, base_layout, log_ticks, short
from core.explore.palette import Palette, palette

ROW_PX = 34
"""Height of a row: a label, and its bar below it."""
_LABEL_PX, _FOOT_PX = 13, 46
_ROOM = 0.06
"""Share of the span of values that is left free beyond them."""
_APART = 0.2
"""Share of the span by which ticks keep away from that of the start."""
_LEAST_DECADES = 0.5
"""A span of places is so long at least."""


@dataclass(frozen=True)
class Bar:
    """One of the things that a track owes its place to.

    Attributes
    ----------
    label : str
    value : float
        Where its bar ends.
    text : str
        What is written at its right.
    hover : str
        The whole of it in words.
    """

    label: str
    value: float
    text: str
    hover: str = ""


def owing_figure(
    bars: Sequence[Bar],
    title: str,
    *,
    start: float = 0.0,
    places: bool = False,
    percent: bool = False,
    letters: int = 40,
    dark: bool = False,
) -> go.Figure:
    """A thin bar for each, its label above it; those to the left of the start are hollow.

    Parameters
    ----------
    bars : sequence of Bar
        First on top.
    title : str
        Of the axis, with its unit.
    start : float
        Where the bars begin: 0 for shares, the track's own place for places.
    places : bool
        Values are places, from 1, on a log axis.
    percent : bool
        Values are shares of 1.
    letters : int
        Of a label and its text together, at most.
    """
    colours = palette(dark)
    ends = [bar.value for bar in bars]
    scale = _places(start, ends) if places else _shares(ends, percent)
    texts = [_texts(bar, row, letters, colours) for row, bar in enumerate(bars)]
    layout = base_layout(
        colours,
        ROW_PX * len(bars) + _FOOT_PX,
        margin={"l": 8, "r": 8, "t": 2, "b": _FOOT_PX, "pad": 0},
        showlegend=False,
        xaxis=axis(colours, title) | {"automargin": False} | scale,
        yaxis={"visible": False, "range": [len(bars) - 0.6, -0.75], "fixedrange": True},
        annotations=[text for pair in texts for text in pair],
    )
    return go.Figure([_line(start, bar, row, colours) for row, bar in enumerate(bars)], layout)


def _texts(bar: Bar, row: int, letters: int, colours: Palette) -> list[dict[str, Any]]:
    """The label and, at the right, the text of a bar, both above it."""
    label = short(bar.label, max(letters - len(bar.text), 8))
    return [
        {
            "x": x,
            "xref": "paper",
            "xanchor": side,
            "y": row,
            "yshift": _LABEL_PX,
            "text": text,
            "showarrow": False,
            "font": {"color": colour, "size": FONT_PX},
        }
        for x, side, text, colour in (
            (0, "left", label, colours.ink),
            (1, "right", escape(bar.text, quote=False), colours.muted),
        )
    ]


def _line(start: float, bar: Bar, row: int, colours: Palette) -> go.Scatter:
    """A bar that ends in a dot, so that one of no length is seen too."""
    against = bar.value < start
    colour = colours.muted if against else colours.categorical[0]
    return go.Scatter(
        x=[start, bar.value],
        y=[row, row],
        mode="lines+markers",
        line={"color": colour, "width": 2 if against else 6},
        marker={
            "symbol": ["line-ns", "circle-open" if against else "circle"],
            "size": [8, 10],
            "opacity": 1,
            "color": colour,
            "line": {"color": colour, "width": 2},
        },
        hovertext=escape(bar.hover or f"{bar.label}: {bar.text}", quote=False),
        hoverinfo="text",
    )


def _places(start: float, ends: Sequence[float]) -> dict[str, Any]:
    """A log axis of places, with a tick where the bars start."""
    low, high = log10(min(start, *ends)), log10(max(start, *ends))
    span = max(high - low, _LEAST_DECADES)
    limits = [low - _ROOM * span, low + (1 + _ROOM) * span]
    ticks = log_ticks(10 ** limits[0], 10 ** limits[1])
    apart = [tick for tick in ticks if abs(log10(tick / start)) > _APART * span]
    return {"type": "log", "range": limits, "tickvals": [start, *apart], "tickformat": ",d"}


def _shares(ends: Sequence[float], percent: bool) -> dict[str, Any]:
    """A linear axis from 0."""
    low, high = min(0.0, *ends), max(0.0, *ends)
    room = _ROOM * ((high - low) or 1.0)
    limits = [low - room, high + room]
    return {"range": limits, "nticks": 5, "tickformat": ".0%" if percent else "+.2~f"}
