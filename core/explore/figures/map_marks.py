"""What is drawn above a map's tracks: marks, playlists as lines, and texts that do not overlap."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import (
    KIND_NAMES,
    NAMED_MARKS,
    Kind,
    over_points,
    overlay_marker,
    short,
    text_box,
)
from core.explore.labels import Box, Label, Placement
from core.explore.palette import Palette

NARROW_PX = 150
"""Pixels per map unit on a phone 360 pixels wide."""

NAME_SPOTS = (("left", 12, 0), ("right", -12, 0), ("center", 0, 18), ("center", 0, -18))
"""Where a name may stand beside its point: the end that is near, and the pixels to it."""

LABEL_SPOTS = (("center", 0, 0), ("left", 0, 0), ("right", 0, 0))
"""Where a label may stand over its point; by an end only where it would leave a narrow map."""

ARROW_APART_PX = 40
"""Steps of a playlist that are shorter have no arrow."""

NUMBERED_PX, NUMBER_PX = 20, 11
"""Size of a mark with a number in it, and of the number."""


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
    numbered : bool
        Whether each mark says its place in that order, from 1.
    """

    kind: Kind
    tracks: Sequence[int]
    names: Sequence[str]
    numbered: bool = False


@dataclass(frozen=True)
class Trail:
    """Tracks joined by a line in their order.

    Attributes
    ----------
    tracks : sequence of int
        Ids; where one has no place on the map the line goes on to the next.
    proposed : bool
        Whether it is what a model proposes: a thin dotted line, where a playlist has a solid one
        with arrows.
    """

    tracks: Sequence[int]
    proposed: bool = False


class _Text(NamedTuple):
    """A text at a point of the map, and where it may stand."""

    x: float
    y: float
    text: str
    weight: int
    spots: Sequence[tuple[str, int, int]]

    def box(self, spot: tuple[str, int, int], unit_px: float) -> Box:
        side, right, up = spot
        return text_box(self.text, self.x * unit_px + right, self.y * unit_px + up, side)


def is_placed(coordinates: np.ndarray, track: int) -> bool:
    """Whether a track is on the map."""
    return track < len(coordinates) and bool(np.isfinite(coordinates[track]).all())


def add_overlay(
    figure: go.Figure, overlay: Overlay, coordinates: np.ndarray, colours: Palette
) -> None:
    """Add the tracks' marks."""
    shown = [
        (place, track, name)
        for place, (track, name) in enumerate(zip(overlay.tracks, overlay.names, strict=True), 1)
        if is_placed(coordinates, track)
    ]
    tracks = np.array([track for _, track, _ in shown], np.int32)
    marker, numbers = overlay_marker(overlay.kind, colours), {}
    if overlay.numbered:
        marker |= {"size": NUMBERED_PX}
        numbers = {
            "text": [str(place) for place, _, _ in shown],
            "textfont": {"color": colours.background, "size": NUMBER_PX, "weight": "bold"},
        }
    figure.add_trace(
        go.Scattergl(
            x=coordinates[tracks, 0],
            y=coordinates[tracks, 1],
            customdata=tracks,
            mode="markers+text" if overlay.numbered else "markers",
            name=KIND_NAMES[overlay.kind],
            hovertext=[escape(name, quote=False) for _, _, name in shown],
            hoverinfo="text",
            marker=marker,
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            legendrank=3_000,
            **numbers,
        )
    )


def add_trail(
    figure: go.Figure, trail: Trail, coordinates: np.ndarray, colours: Palette, unit_px: float
) -> None:
    """Add a line through the tracks; of a playlist, an arrow half-way along each long step."""
    tracks = [track for track in trail.tracks if is_placed(coordinates, track)]
    points = np.asarray(coordinates[np.array(tracks, np.int32)], float)
    if len(points) < 2:
        return
    colour = colours.accent if trail.proposed else colours.ink
    name = "Continuation, in order" if trail.proposed else "Your playlist, in order"
    figure.add_trace(
        go.Scattergl(
            x=points[:, 0],
            y=points[:, 1],
            mode="lines",
            name=name,
            line={
                "color": colour,
                "width": 1 if trail.proposed else 2,
                "dash": "dot" if trail.proposed else "solid",
            },
            hoverinfo="skip",
            legendrank=3_100,
        )
    )
    if trail.proposed:
        return
    steps = np.diff(points, axis=0)
    far = np.linalg.norm(steps, axis=1) * unit_px > ARROW_APART_PX
    middles = (points[:-1] + points[1:])[far] / 2
    figure.add_trace(
        go.Scattergl(
            x=middles[:, 0],
            y=middles[:, 1],
            mode="markers",
            name=f"{name}: direction",
            marker={
                "symbol": "triangle-up",
                "size": 11,
                "color": colour,
                # Clockwise from upwards.
                "angle": np.degrees(np.arctan2(steps[far, 0], steps[far, 1])),
                "line": {"color": colours.background, "width": 1},
            },
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            hoverinfo="skip",
            showlegend=False,
        )
    )


def texts(
    labels: Sequence[Label],
    overlays: Sequence[Overlay],
    coordinates: np.ndarray,
    colours: Palette,
    reach: float,
    unit_px: float,
) -> tuple[list[dict[str, Any]], int]:
    """Annotations for labels, and for the names of found tracks and seeds, that do not overlap.

    Returns
    -------
    annotations : list of dict
        None overlaps another at `unit_px` pixels per map unit.
    narrow : int
        How many of the first do not overlap either, nor leave the map, on a phone.
    """
    wanted = [
        *_names(overlays, "highlight", coordinates),
        *(
            _Text(label.x, label.y, escape(label.text, quote=False), 600, LABEL_SPOTS)
            for label in labels
        ),
        *_names(overlays, "seed", coordinates),
    ]
    wide, narrow = Placement(), Placement()
    everywhere: list[dict[str, Any]] = []
    only_wide: list[dict[str, Any]] = []
    for text in wanted:
        spots = sorted(text.spots, key=lambda spot: not _inside(text.box(spot, NARROW_PX), reach))
        spot = next((spot for spot in spots if wide.fits(text.box(spot, unit_px))), None)
        if spot is None:
            continue
        wide.take(text.box(spot, unit_px))
        box = text.box(spot, NARROW_PX)
        fits = _inside(box, reach) and narrow.fits(box)
        if fits:
            narrow.take(box)
        (everywhere if fits else only_wide).append(_annotation(text, spot, colours))
    return [*everywhere, *only_wide], len(everywhere)


def _inside(box: Box, reach: float) -> bool:
    """Whether a box on a phone is within the map's width."""
    return box.left >= -reach * NARROW_PX and box.right <= reach * NARROW_PX


def _names(overlays: Sequence[Overlay], kind: Kind, coordinates: np.ndarray) -> list[_Text]:
    """Names of the first tracks of a kind."""
    return [
        _Text(
            float(coordinates[track, 0]), float(coordinates[track, 1]), short(name), 700, NAME_SPOTS
        )
        for overlay in overlays
        if overlay.kind == kind
        for track, name in list(zip(overlay.tracks, overlay.names, strict=True))[:NAMED_MARKS]
        if is_placed(coordinates, track)
    ]


def _annotation(text: _Text, spot: tuple[str, int, int], colours: Palette) -> dict[str, Any]:
    side, right, up = spot
    return {
        "x": text.x,
        "y": text.y,
        "text": text.text,
        "showarrow": False,
        "xanchor": side,
        "xshift": right,
        "yshift": up,
        "font": over_points(colours, text.weight),
    }
