"""The map of tracks."""

from collections.abc import Sequence
from html import escape
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.map_marks import Overlay, Trail, add_overlay, add_trail, texts
from core.explore.figures.map_points import (
    Categories,
    Points,
    Scale,
    colour_traces,
    density_trace,
)
from core.explore.figures.style import FONT_PX, base_layout
from core.explore.labels import Label
from core.explore.palette import palette

HOVER_TRACKS = 3_000
"""Points of a map that carry a name: the most popular. Names are what makes a map heavy."""

MAP_REACH = 1.08
"""Half a side of a map in its own unit."""

MAP_PX = 640

Drag = Literal["pan", "lasso", "select"]


def map_figure(
    coordinates: np.ndarray,
    colour: Categories | Scale | None = None,
    *,
    names: Sequence[str] = (),
    labels: Sequence[Label] = (),
    overlays: Sequence[Overlay] = (),
    trails: Sequence[Trail] = (),
    shown: int | None = None,
    selected: np.ndarray | None = None,
    revision: str = "map",
    drag: Drag = "pan",
    dark: bool = False,
    height: int = MAP_PX,
) -> go.Figure:
    """Tracks as points, popular ones larger and on top; the long tail as density below them.

    The first traces are the same for all `overlays` and `trails`, which come after them, and
    `uirevision` is `revision`: the zoom survives another seed. Every point carries its track id as
    `customdata`, those of overlays too: a selection may name a track twice. The first
    `layout.meta["narrow"]` annotations are those that a phone has room for.

    Parameters
    ----------
    coordinates : float array [n, 2]
        Row i places track i, by falling popularity; NaN rows are not drawn.
    colour : Categories, Scale or None
    names : sequence of str
        What the first tracks are called, shown on hover; at most `HOVER_TRACKS` are used.
    labels : sequence of Label
        Texts on the map, the most important first; those that do not fit are left out.
    overlays : sequence of Overlay
    trails : sequence of Trail
    shown : int, optional
        The first rows, which are drawn as points; by default all are.
    selected : int array, optional
        Tracks that stand out from the others.
    revision : str
        Says which map this is.
    drag : {"pan", "lasso", "select"}
        What dragging does: move the map, or draw an outline or a box. While it draws, a sheet
        without points lies over the map and takes the mouse: the browser then reports what is drawn
        and none of the many points inside, which it would test at each move of the mouse.
    """
    colours = palette(dark)
    coordinates = np.asarray(coordinates, np.float32)
    shown = len(coordinates) if shown is None else shown
    points = Points(coordinates, names[:HOVER_TRACKS], shown, selected)
    layout = base_layout(colours, height, margin={"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0})
    bare: dict[str, Any] = {"visible": False, "range": [-MAP_REACH, MAP_REACH]}
    layout |= {
        "uirevision": revision,
        # What is selected is what the session says, whatever the chart remembers.
        "selectionrevision": revision if selected is None else str(hash(selected.tobytes())),
        "dragmode": drag,
        "clickmode": "event+select",
        "xaxis": bare,
        "yaxis": bare | {"scaleanchor": "x"},
        # Upright, the buttons stand clear of the legend.
        "modebar": layout["modebar"] | {"orientation": "v"},
        "legend": layout["legend"] | {"itemsizing": "constant"},
        "newselection": {"line": {"color": colours.ink, "width": 1.5, "dash": "dot"}},
    }
    if isinstance(colour, Categories) and colour.hues is None:
        font = {"size": FONT_PX, "color": colours.ink}
        heading = {"text": escape(colour.title, quote=False), "font": font}
        layout["legend"]["title"] = heading
    traces = [
        *density_trace(points, colours),
        *colour_traces(points, colour, colours),
    ]
    figure = go.Figure(traces, layout)
    unit_px = height / (2 * MAP_REACH)
    for trail in trails:
        add_trail(figure, trail, coordinates, colours, unit_px)
    for overlay in overlays:
        add_overlay(figure, overlay, coordinates, colours)
    if drag != "pan":
        figure.add_trace(go.Scatter(x=[None], y=[None], yaxis="y2", name="", showlegend=False))
        figure.update_layout(yaxis2=bare | {"matches": "y"})
    annotations, narrow = texts(labels, overlays, coordinates, colours, MAP_REACH, unit_px)
    return figure.update_layout(annotations=annotations, meta={"narrow": narrow})
