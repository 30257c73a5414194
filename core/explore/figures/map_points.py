"""The tracks of a map: popular ones as points, the long tail as density."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import FONT_PX, faded, log_ticks
from core.explore.palette import Palette

GRID = 160
"""Cells along one side of the density's grid."""

BLUR = 1.2
"""Cells over which it is smoothed."""

DENSITY_REACH = 1.25
"""Half a side of that grid, in map units."""

DENSITY_OPACITY = 0.55
"""Of the densest cell."""

FAINT, FAINT_DENSITY = 0.1, 0.02
"""Opacity of points that are not selected while others are, and what such a track counts in the
density, whose square root is drawn."""


@dataclass(frozen=True)
class Categories:
    """Colour by a word.

    Attributes
    ----------
    title : str
        What the words say, as the legend's heading ("Genre").
    values : sequence of str or None
        One for each track; None where it is not known.
    hues : sequence of int, optional
        Index of each track's colour, counted round, instead of a colour for each of the most
        frequent words; the words are then not in a legend, but written on the map.
    """

    title: str
    values: Sequence[str | None]
    hues: np.ndarray | None = None


@dataclass(frozen=True)
class Scale:
    """Colour by a number.

    Attributes
    ----------
    title : str
        Name and unit, as the colour bar's heading ("Tempo (beats per minute)").
    values : float array
        One for each track; NaN where it is not known.
    log : bool
        Colour by the logarithm; values must be positive.
    diverging : bool
        Colour both ends apart, neutral half-way.
    """

    title: str
    values: np.ndarray
    log: bool = False
    diverging: bool = False


class Points:
    """The placed tracks of a map; the first `shown` rows of it are drawn as points.

    Parameters
    ----------
    coordinates : float32 array [n, 2]
    names : sequence of str
        Of the first tracks.
    shown : int
    selected : int array or None
        Tracks that stand out; None where all do.
    """

    def __init__(
        self,
        coordinates: np.ndarray,
        names: Sequence[str],
        shown: int,
        selected: np.ndarray | None = None,
    ) -> None:
        placed = np.flatnonzero(np.isfinite(coordinates).all(axis=1)).astype(np.int32)
        self.coordinates = coordinates
        self.drawn, self.tail = placed[placed < shown], placed[placed >= shown]
        self._names = [escape(name, quote=False) for name in names]
        self._selected = None
        if selected is not None:
            self._selected = np.zeros(len(coordinates), bool)
            self._selected[selected[selected < len(coordinates)]] = True
        n = max(min(len(coordinates), shown), 1)
        smallest = np.clip(300 / np.sqrt(n), 2.5, 9.0)
        fame = np.maximum(1 - np.arange(len(coordinates)) / n, 0) ** 8
        self._sizes = (smallest * (1 + 1.2 * fame)).astype(np.float32)

    def weights(self, tracks: np.ndarray) -> np.ndarray:
        """How much is seen of each of these tracks: what is not selected is faint."""
        if self._selected is None:
            return np.ones(len(tracks))
        return np.where(self._selected[tracks], 1.0, FAINT_DENSITY)

    def trace(
        self, tracks: np.ndarray, name: str, colour: str | np.ndarray, **more: Any
    ) -> go.Scattergl:
        """One trace of tracks given by rising id; `more` goes to the trace or its marker."""
        drawn = tracks[::-1]  # later is on top: the popular ones
        known = len(self._names)
        marker = {"color": colour, "size": self._sizes[drawn], "opacity": 0.8, "line": {"width": 0}}
        marker |= more.pop("marker", {})
        if self._selected is not None:
            more["selectedpoints"] = np.flatnonzero(self._selected[drawn]).astype(np.int32)
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
            unselected={"marker": {"opacity": FAINT}},
            **more,
        )

    def unknown(self, tracks: np.ndarray, colours: Palette) -> list[go.Scattergl]:
        """A trace of tracks of which it is not known what the colour says; none for no track."""
        if not len(tracks):
            return []
        rings = {"symbol": "circle-open", "line": {"width": 1}}
        return [self.trace(tracks, "Not known", colours.other, marker=rings, legendrank=2_000)]


def density_trace(points: Points, colours: Palette) -> list[go.Heatmap]:
    """How many tracks of the tail are where, darker for more by the square root; none for none."""
    if not len(points.tail):
        return []
    from scipy.ndimage import gaussian_filter

    x, y = points.coordinates[points.tail].T
    edges = [[-DENSITY_REACH, DENSITY_REACH]] * 2
    every = gaussian_filter(np.histogram2d(y, x, GRID, edges)[0], BLUR)
    seen = np.histogram2d(y, x, GRID, edges, weights=points.weights(points.tail))[0]
    smooth = np.sqrt(gaussian_filter(seen, BLUR) / max(every.max(), 1e-9))
    levels = np.rint(smooth * 255).astype(np.uint8)
    step = 2 * DENSITY_REACH / GRID
    return [
        go.Heatmap(
            z=levels,
            x0=-DENSITY_REACH + step / 2,
            dx=step,
            y0=-DENSITY_REACH + step / 2,
            dy=step,
            zmin=0,
            zmax=255,
            zsmooth="fast",
            colorscale=[
                (0, faded(colours.muted, 0)),
                (1, faded(colours.muted, DENSITY_OPACITY)),
            ],
            showscale=False,
            hoverinfo="skip",
            name="Long tail (density)",
            showlegend=True,
            legendrank=2_500,
        )
    ]


def colour_traces(
    points: Points, colour: Categories | Scale | None, colours: Palette
) -> list[go.Scattergl]:
    """The points, coloured; those of which nothing is known below the others."""
    if isinstance(colour, Scale):
        return _continuous(points, colour, colours)
    if colour is None:
        return [points.trace(points.drawn, "Tracks", colours.categorical[0], showlegend=False)]
    return (
        _numbered(points, colour, colours)
        if colour.hues is not None
        else _named(points, colour, colours)
    )


def _numbered(points: Points, colour: Categories, colours: Palette) -> list[go.Scattergl]:
    """A trace for each hue."""
    assert colour.hues is not None
    hues = colour.hues[points.drawn]
    traces = [
        points.trace(
            points.drawn[hues % len(colours.categorical) == hue],
            colour.title,
            colours.categorical[hue],
            showlegend=False,
        )
        for hue in np.unique(hues[hues >= 0] % len(colours.categorical)).tolist()
    ]
    return [*points.unknown(points.drawn[hues < 0], colours), *traces]


def _named(points: Points, colour: Categories, colours: Palette) -> list[go.Scattergl]:
    """A trace for each of the most frequent words, above the other words and the unknown."""
    values = np.array([value if value is not None else "" for value in colour.values])
    values = values[points.drawn]
    names, sizes = np.unique(values[values != ""], return_counts=True)
    frequent = names[np.argsort(-sizes, kind="stable")][: len(colours.categorical)]
    unknown = values == ""
    rest = ~np.isin(values, frequent) & ~unknown
    traces = points.unknown(points.drawn[unknown], colours)
    if rest.any():
        label = f"Other ({len(names) - len(frequent)})"
        traces.append(points.trace(points.drawn[rest], label, colours.other, legendrank=1_900))
    return [
        *traces,
        *(
            points.trace(points.drawn[values == name], escape(str(name), quote=False), hue)
            for name, hue in zip(frequent, colours.categorical, strict=False)
        ),
    ]


def _continuous(points: Points, colour: Scale, colours: Palette) -> list[go.Scattergl]:
    """The known values on a scale between their 2nd and 98th percentile."""
    values = np.asarray(colour.values, np.float32)[points.drawn]
    if colour.log:
        values = np.log10(np.where(values > 0, values, np.nan))
    known = np.isfinite(values)
    traces = points.unknown(points.drawn[~known], colours)
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
                points.drawn[known], "Tracks", values[known][::-1], marker=marker, showlegend=False
            )
        )
    return traces
