"""Where each system finds the hidden tracks of one playlist."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.evaluation.metrics import LENGTH
from core.evaluation.replays import Replay
from core.explore.figures.style import LINE_PX, axis, base_layout, faded, short
from core.explore.palette import Palette, palette

SYSTEM_PX, NAME_ABOVE_PX = 34, 16
"""Height of a row, and how far above it its name stands on a phone."""

LEFT_END, RIGHT_END = 0.85, LENGTH * 1.15

TICKS = {False: (1, 2, 5, 10, 20, 50, 100, 200, 500), True: (1, 5, 20, 100, 500)}
"""Places that the axis names; on a phone."""


def replay_figure(
    replay: Replay,
    labels: Sequence[str],
    names: Sequence[str],
    place: int = LENGTH,
    *,
    phone: bool = False,
    dark: bool = False,
) -> go.Figure:
    """A row a system, a mark at each place where it finds a hidden track, up to a place.

    Parameters
    ----------
    replay : Replay
    labels : sequence of str
        Of the systems.
    names : sequence of str
        Of the hidden tracks.
    place : int
        As far as the lists are looked at; what lies beyond is under a veil.
    phone : bool
        Whether names stand above their rows, so that the marks have the whole width.
    """
    colours = palette(dark)
    row_px = SYSTEM_PX + NAME_ABOVE_PX * phone
    figure = go.Figure(
        layout=base_layout(
            colours,
            round(row_px * len(labels) + 62 + LINE_PX),
            margin={"l": 8, "r": 12 if phone else 78, "t": 6 + LINE_PX, "b": 8, "pad": 4},
            showlegend=False,
        )
    )
    for first in (False, True):
        figure.add_trace(_hits(replay, labels, names, place, first, colours))
    figure.update_xaxes(
        axis(colours, f"Place in the list of {LENGTH}"),
        type="log",
        range=[np.log10(LEFT_END), np.log10(RIGHT_END)],
        tickvals=TICKS[phone],
        ticktext=[str(tick) for tick in TICKS[phone]],
    )
    figure.update_yaxes(
        axis(colours, "", grid=True),
        tickvals=list(range(len(labels))),
        showticklabels=not phone,
        ticktext=[escape(label, quote=False) for label in labels],
        tickfont={"color": colours.ink},
        range=[len(labels) - 0.5, -0.5 - 0.2 * phone],
    )
    figure.layout.shapes = _lines(replay, place, colours)
    figure.layout.annotations = list(_texts(replay, labels, place, phone, colours))
    return figure


def _lines(replay: Replay, place: int, colours: Palette) -> list[dict[str, Any]]:
    """How far R-precision looks, as many places as tracks are hidden; a veil over what is not seen.

    The ends are those of the axis, whose logarithms plotly takes itself.
    """
    end = min(len(replay.hidden), LENGTH)
    dots = {"color": colours.muted, "width": 1.5, "dash": "dot"}
    upright = {"yref": "paper", "y0": 0, "y1": 1}
    lines: list[dict[str, Any]] = [{"type": "line", "x0": end, "x1": end, "line": dots} | upright]
    if place < LENGTH:
        veil = {"fillcolor": faded(colours.other, 0.25), "line": {"width": 0}, "layer": "below"}
        start = np.sqrt(place * (place + 1)) if place else LEFT_END
        lines.append({"type": "rect", "x0": start, "x1": RIGHT_END} | upright | veil)
    return lines


def _texts(
    replay: Replay, labels: Sequence[str], place: int, phone: bool, colours: Palette
) -> Iterator[dict[str, Any]]:
    """How many each system has found, beside its row; above it with its name on a phone."""
    bare = {"showarrow": False, "font": {"color": colours.ink}}
    quiet = {"showarrow": False, "font": {"color": colours.muted}}
    top = {"x": np.log10(min(len(replay.hidden), LENGTH)), "y": 1, "yref": "paper"}
    yield quiet | top | {"yanchor": "bottom", "text": f"{len(replay.hidden)} hidden"}
    for row, (label, found) in enumerate(zip(labels, replay.found(place).tolist(), strict=True)):
        here = {"xref": "paper", "y": row, "yshift": NAME_ABOVE_PX * phone}
        count = {"text": f"{found} of {len(replay.hidden)}", "x": 1}
        count |= {"xanchor": "right"} if phone else {"xanchor": "left", "xshift": 8}
        yield (bare if found else quiet) | here | count
        if phone:
            yield bare | here | {"text": escape(label, quote=False), "x": 0, "xanchor": "left"}


def _hits(
    replay: Replay,
    labels: Sequence[str],
    names: Sequence[str],
    place: int,
    first: bool,
    colours: Palette,
) -> go.Scatter:
    """Marks of each system's first find, or of all others."""
    x: list[int] = []
    y: list[int] = []
    hover: list[str] = []
    for row, places in enumerate(replay.places):
        hits = np.flatnonzero((places > 0) & (places <= place))
        best = hits[places[hits] == places[hits].min(initial=LENGTH + 1)]
        for track in best.tolist() if first else np.setdiff1d(hits, best).tolist():
            x.append(int(places[track]))
            y.append(row)
            hover.append(
                f"<b>{short(names[track], 60)}</b><br>"
                f"{escape(labels[row], quote=False)}: place {places[track]}"
            )
    ink = colours.accent if first else colours.categorical[0]
    return go.Scatter(
        x=x,
        y=y,
        mode="markers",
        marker={
            "symbol": "diamond" if first else "line-ns",
            "size": 11 if first else 14,
            "color": ink,
            "opacity": 1,
            "line": {"width": 0 if first else 2.5, "color": ink},
        },
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
    )
