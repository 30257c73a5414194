"""How popular the recommendations of each model are, at each setting of the popularity dial."""

from collections.abc import Sequence
from html import escape
from math import ceil
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.evaluation.lean import LEVELS, SETTINGS, LeanReport
from core.explore.figures.style import LINE_PX, axis, base_layout, faded, log_ticks, short
from core.explore.palette import Palette, palette

COLUMNS = {False: 4, True: 2}
"""Charts beside each other; on a phone."""

ROW_PX, GAP_PX, TOP_PX, BOTTOM_PX = 150, 46, 56, 62
ENDS = ("popular", "deep cuts")
"""Left and right, as on the dial itself: from 1 to -1."""

_LOW, _MIDDLE, _HIGH = (LEVELS.index(level) for level in (0.25, 0.5, 0.75))


def lean_figure(report: LeanReport, *, phone: bool = False, dark: bool = False) -> go.Figure:
    """A small chart a model: how many playlists hold what it recommends, along the dial.

    The line is the track in the middle, the band the middle half. All share one log scale of
    playlists, with what listeners chose as a line across each.

    Parameters
    ----------
    report : LeanReport
    phone : bool
        Whether fewer charts stand beside each other.
    """
    colours = palette(dark)
    columns = min(COLUMNS[phone], max(len(report.models), 1))
    rows = ceil(len(report.models) / columns)
    height = TOP_PX + BOTTOM_PX + rows * ROW_PX + (rows - 1) * GAP_PX
    margin = {"l": 8, "r": 12, "t": TOP_PX, "b": BOTTOM_PX, "pad": 4}
    layout = base_layout(colours, height, margin=margin, shapes=[], annotations=[])
    layout["legend"]["y"] = 1 + 22 / max(height - TOP_PX - BOTTOM_PX, 1)
    lines = [
        (f"{name}: {max(spread[_MIDDLE], 1.0):,.0f}", max(spread[_MIDDLE], 1.0), dash, colour)
        for name, spread, dash, colour in (
            ("Entries of training playlists", report.training, "dash", colours.ink),
            ("Hidden tracks", report.hidden, "dot", colours.accent),
        )
    ]
    traces = [_key(*line) for line in lines]
    limits = _limits(report)
    for place, model in enumerate(report.models):
        last = place + columns >= len(report.models)
        layout |= _small_axes(place, rows, columns, limits, last, colours)
        layout["shapes"] += [_across(place, *line[1:]) for line in lines]
        layout["annotations"].append(_name(place, model.label, colours))
        traces += _model(place, model.spreads, model.label, colours)
    # Built at once from plain dicts: plotly takes ten times as long to add one after the other.
    return go.Figure(traces, layout)


def _limits(report: LeanReport) -> tuple[float, float]:
    """The least and the largest number of playlists drawn; none is below 1 on a log axis."""
    shown = [spread[at] for model in report.models for spread in model.spreads for at in (1, 3)]
    shown += [report.training[_MIDDLE], report.hidden[_MIDDLE]]
    return max(min(shown), 1.0), max(*shown, 2.0)


def _small_axes(
    place: int,
    rows: int,
    columns: int,
    limits: tuple[float, float],
    last: bool,
    colours: Palette,
) -> dict[str, Any]:
    """The axes of one chart; only the lowest of a column say what is below them."""
    row, column = divmod(place, columns)
    width = 1 / columns
    inside = rows * ROW_PX + (rows - 1) * GAP_PX
    top = 1 - row * (ROW_PX + GAP_PX) / inside
    at = _at(place)
    low, high = np.log10(limits)
    room = 0.08 * max(high - low, 0.3)
    return {
        f"xaxis{at}": axis(colours, "Popularity dial" if last else "")
        | {
            "domain": [column * width + 0.1 * width * (column > 0), (column + 1) * width],
            "anchor": f"y{at}",
            "range": [1.15, -1.15],
            "showticklabels": last,
            "tickvals": [0.78, 0, -0.78],
            "ticktext": [ENDS[0], "0", ENDS[1]],
            "ticks": "",
            "fixedrange": True,
        },
        f"yaxis{at}": axis(colours, "Playlists" if column == 0 else "", grid=True)
        | {
            "domain": [max(top - ROW_PX / inside, 0.0), top],
            "anchor": f"x{at}",
            "type": "log",
            "range": [low - room, high + room],
            "tickvals": log_ticks(*limits),
            "tickformat": ",",
            "showticklabels": column == 0,
            "fixedrange": True,
        },
    }


def _key(name: str, value: float, dash: str, colour: str) -> dict[str, Any]:
    """What the legend says of a line across all charts."""
    line = {"color": colour, "width": 1.5, "dash": dash}
    return {"x": [None], "y": [None], "mode": "lines", "name": name, "line": line}


def _across(place: int, value: float, dash: str, colour: str) -> dict[str, Any]:
    return {
        "type": "line",
        "xref": f"x{_at(place)}",
        "yref": f"y{_at(place)}",
        "x0": -1.15,
        "x1": 1.15,
        "y0": value,
        "y1": value,
        "line": {"color": colour, "width": 1.5, "dash": dash},
    }


def _model(
    place: int, spreads: Sequence[Sequence[float]], label: str, colours: Palette
) -> list[dict[str, Any]]:
    """The band and the line of one chart; the first stands for all in the legend."""
    blue = colours.categorical[0]
    table = np.maximum(np.array(spreads, float), 1.0)
    axes = {"xaxis": f"x{_at(place)}", "yaxis": f"y{_at(place)}", "showlegend": place == 0}
    half = [f"{low:,.0f} to {high:,.0f}" for low, high in table[:, [_LOW, _HIGH]]]
    band = {
        "x": [*SETTINGS, *SETTINGS[::-1]],
        "y": np.concatenate([table[:, _LOW], table[::-1, _HIGH]]),
        "mode": "lines",
        "name": "Middle half",
        "legendgroup": "Middle half",
        "fill": "toself",
        "fillcolor": faded(blue, 0.2),
        "line": {"width": 0},
        "hoverinfo": "skip",
    }
    line = {
        "x": SETTINGS,
        "y": table[:, _MIDDLE],
        "mode": "lines+markers",
        "name": "Recommended tracks",
        "legendgroup": "Recommended tracks",
        "line": {"color": blue, "width": 2.5},
        "marker": {"size": 7, "color": blue},
        "customdata": half,
        "hovertemplate": f"{escape(label, quote=False)}, dial at %{{x:+g}}<br>"
        "in %{y:,.0f} playlists; half are in %{customdata}<extra></extra>",
    }
    return [band | axes, line | axes]


def _name(place: int, label: str, colours: Palette) -> dict[str, Any]:
    return {
        "text": short(label, 26),
        "x": 0,
        "xref": f"x{_at(place)} domain",
        "xanchor": "left",
        "y": 1,
        "yref": f"y{_at(place)} domain",
        "yanchor": "bottom",
        "yshift": LINE_PX / 6,
        "showarrow": False,
        "font": {"color": colours.ink, "weight": 600},
    }


def _at(place: int) -> str:
    """The number of an axis as plotly names it: the first has none."""
    return str(place + 1) if place else ""
