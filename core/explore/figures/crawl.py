"""What a crawl has found: playlists and artists on rings around the playlist it began with."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import base_layout, faded, over_points, short, text_box
from core.explore.labels import Placement
from core.explore.palette import Palette, palette
from core.explore.rings import outer_radius, ring_layout
from core.spotify.crawling.crawled import CrawlGraph, CrawlNode

DRAWING_PX, LEGEND_PX = {False: 560, True: 320}, {False: 36, True: 60}
"""Heights; on a phone."""
NAMES_PX = {False: 900, True: 320}
"""Width that names must fit into; on a phone."""
MARK_PX, CROWDED = {False: (7.0, 24.0), True: (4.5, 14.0)}, (0.45, 1.1)
"""Smallest and largest mark, on a phone; and at most as shares of the step between neighbours."""
LARGEST = 100
"""Tracks of the largest mark: a node of more is drawn alike."""
NAMED, NAME_LETTERS = {False: 16, True: 6}, {False: 26, True: 16}
SYMBOLS = {"playlist": "square", "artist": "circle"}
KINDS = {"playlist": "Playlist", "artist": "Artist"}


class _Mark(NamedTuple):
    """A node, where it is, and how wide."""

    node: CrawlNode
    x: float
    y: float
    size: float


def crawl_figure(graph: CrawlGraph, *, phone: bool = False, dark: bool = False) -> go.Figure:
    """The graph of a crawl: shape says the kind, colour the depth, size the tracks.

    A node stays where it is while the graph grows; the frame widens in steps.

    Parameters
    ----------
    graph : CrawlGraph
        As `core.spotify.crawling.crawl.graph` gives it.
    phone : bool
        For a narrow screen: smaller marks, fewer and shorter names.
    """
    colours = palette(dark)
    positions, parents = ring_layout(len(graph.nodes), graph.edges)
    reach = outer_radius(positions)
    unit = DRAWING_PX[phone] / 2 / reach
    sizes = [min(px, share * unit) for px, share in zip(MARK_PX[phone], CROWDED, strict=True)]
    marks = [
        _Mark(node, x, y, _size(node, *sizes))
        for node, (x, y) in zip(graph.nodes, positions.tolist(), strict=True)
    ]
    frame = {"visible": False, "range": [-reach, reach]}
    layout = base_layout(
        colours,
        DRAWING_PX[phone] + LEGEND_PX[phone],
        margin={"l": 0, "r": 0, "t": LEGEND_PX[phone], "b": 0, "pad": 0},
        dragmode="pan",
        uirevision=reach,
        xaxis=frame,
        yaxis=frame | {"scaleanchor": "x"},
        annotations=_names(marks, unit, phone, colours),
    )
    layout["legend"] |= {"itemclick": False, "itemdoubleclick": False}
    lines = _edges(graph.edges, positions, parents, colours)
    return go.Figure([*lines, _nodes(marks, colours), *_legend(graph.nodes, colours)], layout)


def _size(node: CrawlNode, smallest: float, largest: float) -> float:
    """Pixels across: the area beyond the smallest mark grows with the tracks."""
    share = min((node.tracks or 0) / LARGEST, 1.0)
    return smallest + (largest - smallest) * share**0.5


def _edges(
    edges: np.ndarray, positions: np.ndarray, parents: np.ndarray, colours: Palette
) -> Iterator[go.Scatter]:
    """Faint lines; those that make no new node fainter, and below."""
    is_first = parents[edges[:, 1]] == edges[:, 0]
    for shown, opacity in ((edges[~is_first], 0.12), (edges[is_first], 0.5)):
        ends = np.full((len(shown), 3, 2), np.nan)
        ends[:, :2] = positions[shown]
        yield go.Scatter(
            x=ends[:, :, 0].ravel(),
            y=ends[:, :, 1].ravel(),
            mode="lines",
            line={"color": faded(colours.other, opacity), "width": 1},
            hoverinfo="skip",
            showlegend=False,
        )


def _nodes(marks: Sequence[_Mark], colours: Palette) -> go.Scatter:
    return go.Scatter(
        x=[mark.x for mark in marks],
        y=[mark.y for mark in marks],
        mode="markers",
        marker={
            "symbol": [SYMBOLS[mark.node.kind] for mark in marks],
            "size": [mark.size for mark in marks],
            "color": [_colour(mark.node.depth, colours) for mark in marks],
            "opacity": 1,
            "line": {"color": colours.background, "width": 1},
        },
        hovertext=[_hover(mark.node) for mark in marks],
        hoverinfo="text",
        showlegend=False,
    )


def _colour(depth: int, colours: Palette) -> str:
    return colours.categorical[min(depth, len(colours.categorical) - 1)]


def _hover(node: CrawlNode) -> str:
    facts = [KINDS[node.kind], f"depth {node.depth}"]
    if node.tracks:
        facts.append(f"{node.tracks:,} track{'' if node.tracks == 1 else 's'}")
    if node.state != "done":
        facts.append("not asked for yet" if node.state == "waiting" else node.state)
    return f"<b>{escape(node.name, quote=False)}</b><br>{', '.join(facts)}"


def _legend(nodes: Sequence[CrawlNode], colours: Palette) -> Iterator[go.Scatter]:
    """Entries for what is drawn: the kinds by shape, the depths by colour."""
    for kind, symbol in SYMBOLS.items():
        yield _entry(KINDS[kind], symbol, colours.muted)
    deepest = len(colours.categorical) - 1
    for depth in sorted({min(node.depth, deepest) for node in nodes}):
        label = f"Depth {depth}{' or more' if depth == deepest else ''}"
        yield _entry(label, "diamond", _colour(depth, colours))


def _entry(label: str, symbol: str, colour: str) -> go.Scatter:
    marker = {"symbol": symbol, "size": 11, "color": colour}
    return go.Scatter(x=[None], y=[None], mode="markers", name=label, marker=marker)


def _names(
    marks: Sequence[_Mark], unit: float, phone: bool, colours: Palette
) -> list[dict[str, Any]]:
    """The start's name and the largest nodes', where they fit; `unit` is pixels a step.

    A name stands outside of its mark, where fewer others are, if there is room.

    Among equals the earliest comes first, so that names seldom change while the graph grows.
    """
    placement, frame = Placement(), NAMES_PX[phone] / 2
    largest = sorted(marks[1:], key=lambda mark: -(mark.node.tracks or 0))
    written: list[dict[str, Any]] = []
    for mark in [*marks[:1], *largest]:
        text = short(mark.node.name, NAME_LETTERS[phone])
        if not text:
            continue
        away = mark.size / 2 + 3
        sides = (("left", away), ("right", -away))
        for side, shift in sides if mark.x >= 0 else sides[::-1]:
            box = text_box(text, mark.x * unit + shift, mark.y * unit, side)
            if -frame < box.left and box.right < frame and placement.fits(box):
                placement.take(box)
                font = over_points(colours, 700 if mark is marks[0] else 500)
                place = {"x": mark.x, "y": mark.y, "xanchor": side, "xshift": shift}
                written.append({"text": text, "showarrow": False, "font": font} | place)
                break
        if len(written) == NAMED[phone]:
            break
    return written
