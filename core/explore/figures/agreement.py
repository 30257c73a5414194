"""Rankings of the same query beside each other: where tracks stand, how far rankings agree."""

from collections.abc import Sequence
from html import escape
from string import ascii_uppercase
from textwrap import wrap

import numpy as np
import plotly.graph_objects as go

from core.explore.agreement import Merged
from core.explore.figures.style import CHARACTER_PX, axis, base_layout, faded, short
from core.explore.palette import Palette, palette

PLACE_PX = {True: 22, False: 13}
"""Height of a place, where names stand beside it and where there are too many for names."""

NAMED_PLACES = 30
"""Longest rankings whose tracks are named beside the chart."""

NAME_CHARACTERS, HEAD_CHARACTERS = 24, 13
HEAD_PX, MATRIX_PX = 52, 56
GAP = "\u2003"  # an em space between a mark and its text; plotly trims common spaces


def places_figure(
    merged: Merged,
    labels: Sequence[str],
    names: Sequence[str],
    *,
    phone: bool = False,
    dark: bool = False,
) -> go.Figure:
    """A column a ranking, the first place on top; a line joins a track's places.

    Lines that pass a ranking without the track are dashed; a track of one ranking only is a hollow
    diamond, one of all a full dot on a strong line.

    Parameters
    ----------
    merged : Merged
        Of two rankings or more.
    labels : sequence of str
        Of the rankings.
    names : sequence of str
        Of the merged tracks.
    phone : bool
        Whether there is no room for names of tracks.
    """
    colours = palette(dark)
    deepest = int(merged.places.max(initial=1))
    named = deepest <= NAMED_PLACES and not phone
    side = round(NAME_CHARACTERS * CHARACTER_PX) + 16 if named else 12
    figure = go.Figure(
        layout=base_layout(
            colours,
            HEAD_PX + 16 + PLACE_PX[named] * deepest,
            margin={"l": side if named else 8, "r": side, "t": HEAD_PX, "b": 8, "pad": 4},
            showlegend=False,
        )
    )
    for dashed in (True, False):
        for of_all in (False, True):
            figure.add_trace(_lines(merged, dashed, of_all, colours))
    figure.add_trace(_marks(merged, labels, names, colours))
    last = len(labels) - 1
    figure.update_xaxes(
        axis(colours, ""),
        tickvals=list(range(len(labels))),
        ticktext=[_head(label) for label in labels],
        tickfont={"color": colours.ink},
        side="top",
        range=[-0.12 * last, 1.12 * last],
        showline=False,
        ticks="",
    )
    figure.update_yaxes(
        axis(colours, "" if named else "Place"),
        range=[deepest + 0.7, 0.3],
        tickvals=[] if named else [1, *range(5, deepest + 1, 5)],
        showline=False,
        ticks="",
    )
    if named:
        figure.add_trace(_names(merged, names, 0, "middle left", colours))
        figure.add_trace(_names(merged, names, last, "middle right", colours))
    return figure


def _lines(merged: Merged, dashed: bool, of_all: bool, colours: Palette) -> go.Scatter:
    """Joins of neighbouring places of the same track; dashed those that pass a ranking."""
    x: list[float | None] = []
    y: list[float | None] = []
    everywhere = merged.found_by == merged.places.shape[1]
    for places in merged.places[everywhere == of_all]:
        columns = np.flatnonzero(places)
        for here, there in zip(columns[:-1].tolist(), columns[1:].tolist(), strict=True):
            if (there - here > 1) == dashed:
                x += [here, there, None]
                y += [int(places[here]), int(places[there]), None]
    return go.Scatter(
        x=x,
        y=y,
        mode="lines",
        line={
            "color": faded(colours.accent if of_all else colours.categorical[0], 0.75),
            "width": 2.5 if of_all else 1.25,
            "dash": "dot" if dashed else "solid",
        },
        hoverinfo="skip",
    )


def _marks(
    merged: Merged, labels: Sequence[str], names: Sequence[str], colours: Palette
) -> go.Scatter:
    rows, columns = np.nonzero(merged.places)
    found = merged.found_by[rows]
    last = merged.places.shape[1]
    inks = np.select(
        [found == 1, found == last], [colours.other, colours.accent], colours.categorical[0]
    )
    hover = [
        f"<b>{short(names[row], 60)}</b><br>"
        + "<br>".join(
            f"{escape(label, quote=False)}: {place or 'not found'}"
            for label, place in zip(labels, merged.places[row].tolist(), strict=True)
        )
        for row in rows.tolist()
    ]
    return go.Scatter(
        x=columns,
        y=merged.places[rows, columns],
        mode="markers",
        marker={
            "size": np.where(found == 1, 8, 11).tolist(),
            "opacity": 1,
            "color": inks.tolist(),
            "symbol": np.where(found == 1, "diamond-open", "circle").tolist(),
            "line": {"width": 1.5, "color": np.where(found == 1, inks, colours.background)},
        },
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
    )


def _names(
    merged: Merged, names: Sequence[str], column: int, position: str, colours: Palette
) -> go.Scatter:
    """Places and names beside the first or the last ranking.

    A trace and not annotations, of which plotly is slow to take so many.
    """
    rows = np.flatnonzero(merged.places[:, column])
    places = merged.places[rows, column]
    cut = [short(names[row], NAME_CHARACTERS) for row in rows.tolist()]
    pairs = list(zip(cut, places.tolist(), strict=True))
    return go.Scatter(
        x=np.full(len(rows), column),
        y=places,
        mode="text",
        text=[f"{name}  {place}{GAP}" for name, place in pairs]
        if position == "middle left"
        else [f"{GAP}{place}  {name}" for name, place in pairs],
        textposition=position,
        textfont={
            "color": np.where(merged.found_by[rows] > 1, colours.ink, colours.muted).tolist()
        },
        cliponaxis=False,
        hoverinfo="skip",
    )


def matrix_figure(
    values: np.ndarray,
    labels: Sequence[str],
    title: str,
    *,
    phone: bool = False,
    dark: bool = False,
) -> go.Figure:
    """How far every two rankings agree: a number and a shade a cell, the fuller the closer.

    Parameters
    ----------
    values : float array, shape (m, m)
        From 0 to 1; NaN where two cannot be compared. The diagonal is left clear.
    labels : sequence of m str
    title : str
        What a number says, on hover.
    phone : bool
        Whether columns are too narrow for names: letters then stand for them.
    """
    colours = palette(dark)
    off = np.where(np.eye(len(labels), dtype=bool), np.nan, values)
    heads = [_head(label) for label in labels]
    letters = ascii_uppercase[: len(labels)]
    rows = [f"{head}  <b>{letter}</b>" for head, letter in zip(heads, letters, strict=True)]
    figure = go.Figure(
        go.Heatmap(
            z=off,
            zmin=0,
            zmax=1,
            colorscale=[
                (0, faded(colours.categorical[0], 0.05)),
                (1, faded(colours.categorical[0], 0.75)),
            ],
            showscale=False,
            xgap=2,
            ygap=2,
            text=[["" if np.isnan(cell) else f"{cell:.2f}" for cell in row] for row in off],
            texttemplate="%{text}",
            textfont={"color": colours.ink, "size": 15},
            customdata=[
                [f"{escape(one, quote=False)} and {escape(two, quote=False)}" for two in labels]
                for one in labels
            ],
            hovertemplate=f"%{{customdata}}<br>{title} %{{z:.3f}}<extra></extra>",
            hoverongaps=False,
        ),
        base_layout(
            colours,
            (HEAD_PX // 2 if phone else HEAD_PX) + MATRIX_PX * len(labels),
            margin={"l": 8, "r": 8, "t": HEAD_PX // 2 if phone else HEAD_PX, "b": 4, "pad": 6},
        ),
    )
    bare = {"showline": False, "ticks": "", "tickfont": {"color": colours.ink}}
    bare |= {"tickvals": list(range(len(labels)))}
    across = [f"<b>{letter}</b>" for letter in letters] if phone else heads
    figure.update_xaxes(axis(colours, "") | bare, ticktext=across, side="top", tickangle=0)
    figure.update_yaxes(
        axis(colours, "") | bare, ticktext=rows if phone else heads, autorange="reversed"
    )
    return figure


def _head(label: str) -> str:
    """A name on at most three short lines, escaped."""
    lines = wrap(label, HEAD_CHARACTERS, max_lines=3, placeholder="…")
    return "<br>".join(escape(line, quote=False) for line in lines)
