"""How popularity and lengths are spread."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, product
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import (
    KIND_NAMES,
    LINE_PX,
    NAMED_MARKS,
    Kind,
    axis,
    base_layout,
    faded,
    log_axis,
    log_range,
    overlay_marker,
    short,
    text_box,
)
from core.explore.labels import Box, Placement
from core.explore.palette import Palette, palette
from core.explore.power_law import PowerLawFit, fitted_line
from core.explore.spread import Curve, Histogram

CURVE_PX = (720, 320)
"""Where texts must not overlap, the plot is taken to be this wide and high."""


@dataclass(frozen=True)
class Mark:
    """Where a track falls on a popularity curve.

    Attributes
    ----------
    kind : {"seed", "continuation", "highlight"}
    name : str
    rank : int
        1 for the most popular.
    count : int
        Playlists that hold it.
    """

    kind: Kind
    name: str
    rank: int
    count: int


def rank_frequency_figure(
    curve: Curve,
    marks: Sequence[Mark] = (),
    *,
    noun: str = "track",
    dark: bool = False,
    height: int = 420,
) -> go.Figure:
    """Popularity by rank on log axes, with the places of the current seeds and continuation.

    Parameters
    ----------
    curve : Curve
        From `spread.rank_frequency`.
    marks : sequence of Mark
    noun : str
        What is counted: "track" or "artist".
    """
    chart = _LogChart(curve, palette(dark), height, headroom=bool(marks))
    chart.add_curve(f"All {noun}s", "Rank %{x:,}: in %{y:,} playlists")
    chart.add_marks([(mark, mark.rank, mark.count) for mark in marks])
    return chart.finished(f"Popularity rank (1 = the most popular {noun})", "Playlists", ",")


def ccdf_figure(
    curve: Curve,
    fit: PowerLawFit | None = None,
    marks: Sequence[Mark] = (),
    *,
    noun: str = "track",
    dark: bool = False,
    height: int = 420,
) -> go.Figure:
    """Share of tracks in at least so many playlists on log axes, with the fitted power law.

    Parameters
    ----------
    curve : Curve
        From `spread.ccdf`.
    fit : PowerLawFit or None
        Drawn from x_min, which is marked.
    marks : sequence of Mark
    noun : str
        What is counted: "track" or "artist".
    """
    chart = _LogChart(curve, palette(dark), height, headroom=bool(marks))
    chart.add_curve(f"All {noun}s", f"%{{y:.3~%}} of {noun}s are in %{{x:,}} or more playlists")
    if fit is not None:
        chart.add_fit(fit)
    chart.add_marks(
        [(mark, mark.count, float(np.interp(mark.count, curve.x, curve.y))) for mark in marks]
    )
    return chart.finished("Playlists", f"Share of {noun}s in as many or more", "~%")


def playlist_length_figure(
    histogram: Histogram, median: float, *, dark: bool = False, height: int = 420
) -> go.Figure:
    """Playlists by number of tracks, on a log axis.

    Parameters
    ----------
    histogram : Histogram
        From `spread.length_histogram`.
    median : float
        Tracks of the playlist in the middle, marked.
    """
    colours = palette(dark)
    edges, counts = histogram
    spans = [
        f"{low:,}" if high == low + 1 else f"{low:,} to {high - 1:,}"
        for low, high in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
    ]
    # Steps and not bars: plotly centres a bar, and its width is no width on a log axis.
    trace = go.Scatter(
        x=edges,
        y=np.append(counts, counts[-1]),
        customdata=[*spans, spans[-1]],
        hovertemplate="%{customdata} tracks: %{y:,} playlists<extra></extra>",
        line={"shape": "hv", "color": colours.categorical[0], "width": 1.5},
        fill="tozeroy",
        fillcolor=faded(colours.categorical[0], 0.25),
    )
    figure = go.Figure(trace, base_layout(colours, height, hovermode="x"))
    figure.update_xaxes(
        axis(colours, "Tracks in the playlist"),
        **log_axis(edges, log_range(edges, 0.0)),
    )
    figure.update_yaxes(axis(colours, "Playlists", grid=True), rangemode="tozero", tickformat=",")
    figure.add_vline(median, line={"color": colours.accent, "width": 1.5, "dash": "dot"})
    figure.add_annotation(
        x=np.log10(median),
        y=1,
        yref="paper",
        text=f"median {median:,.0f}",
        showarrow=False,
        xanchor="left",
        xshift=6,
        yanchor="top",
        font={"color": colours.accent},
    )
    return figure


class _LogChart:
    """A falling curve on two log axes, with room for texts above it."""

    def __init__(self, curve: Curve, colours: Palette, height: int, headroom: bool) -> None:
        self._curve, self._colours = curve, colours
        self._figure = go.Figure(layout=base_layout(colours, height))
        self._x = log_range(curve.x, 0.0)
        self._y = log_range(curve.y, 0.25 if headroom else 0.0)
        self._texts, self._line = Placement(), Placement()

    def add_curve(self, name: str, hover: str) -> None:
        """Draw the curve, and keep names off it."""
        if not len(self._curve.x):
            return
        across, up = self._pixels(self._curve.x, self._curve.y)
        columns = np.arange(0.0, CURVE_PX[0], LINE_PX / 3)
        heights = np.interp(columns, across, up, left=-LINE_PX, right=-LINE_PX)
        for (left, top), (right, bottom) in pairwise(zip(columns, heights, strict=True)):
            self._line.take(Box(left, min(top, bottom) - 2, right, max(top, bottom) + 2))
        self._figure.add_trace(
            go.Scatter(
                x=self._curve.x,
                y=self._curve.y,
                mode="lines",
                name=name,
                line={"color": self._colours.categorical[0], "width": 2.5},
                hovertemplate=hover + "<extra></extra>",
            )
        )

    def add_fit(self, fit: PowerLawFit) -> None:
        """Draw the fitted line, mark where its tail begins, and say the exponent in the corner."""
        colours = self._colours
        line = fitted_line(fit, int(self._curve.x[-1]))
        self._figure.add_trace(
            go.Scatter(
                x=line.x,
                y=line.y,
                mode="lines",
                name="Power law",
                line={"color": colours.ink, "width": 1.5, "dash": "dash"},
                hovertemplate="Power law: %{y:.3~%} in %{x:,} or more<extra></extra>",
            )
        )
        self._figure.add_vline(fit.x_min, line={"color": colours.muted, "width": 1, "dash": "dot"})
        across, _ = self._pixels(fit.x_min, 1)
        right, top = CURVE_PX
        corner = f"power law, exponent {fit.exponent:.2f}"
        self._texts.take(
            text_box(corner, right, top - 1.5 * LINE_PX, "right"),
            Box(across - 2, 0, across + 2, top),
        )
        self._figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="right",
            y=1,
            yref="paper",
            yshift=-LINE_PX,
            text=corner,
            showarrow=False,
            bgcolor=colours.background,
        )
        start = f"x_min = {fit.x_min:,}"
        side, gap = ("left", 6) if across < right / 2 else ("right", -6)
        self._texts.take(text_box(start, across + gap, top - LINE_PX / 2, side))
        self._figure.add_annotation(
            x=np.log10(fit.x_min),
            xanchor=side,
            xshift=gap,
            y=1,
            yref="paper",
            text=start,
            showarrow=False,
            font={"color": colours.muted},
        )

    def add_marks(self, places: Sequence[tuple[Mark, float, float]]) -> None:
        """Mark tracks at (x, y) with a line down to the axis, and name the seeds that find room.

        A track that no playlist holds has no place on a log axis.
        """
        places = [place for place in places if place[0].count > 0]
        for kind, name in KIND_NAMES.items():
            group = [(mark, x, y) for mark, x, y in places if mark.kind == kind]
            if group:
                self._add_group(kind, name, group)
            if kind != "continuation":
                # From the right, each name has free room above the names that are there.
                for mark, x, y in sorted(group[:NAMED_MARKS], key=lambda place: -place[1]):
                    self._add_name(mark, x, y)

    def _add_group(self, kind: Kind, name: str, group: list[tuple[Mark, float, float]]) -> None:
        marker = overlay_marker(kind, self._colours)
        y = np.array([y for _, _, y in group])
        self._figure.add_trace(
            go.Scatter(
                x=[x for _, x, _ in group],
                y=y,
                mode="markers",
                name=name,
                marker=marker | {"size": 9 if kind == "continuation" else 12},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": np.zeros(len(y)),
                    "arrayminus": y - 10 ** self._y[0],
                    "color": faded(marker["color"], 0.35),
                    "thickness": 1,
                    "width": 0,
                },
                customdata=[
                    f"{escape(mark.name, quote=False)}<br>rank {mark.rank:,}, "
                    f"in {mark.count:,} playlists"
                    for mark, _, _ in group
                ],
                hovertemplate="%{customdata}<extra></extra>",
            )
        )

    def _add_name(self, mark: Mark, x: float, y: float) -> None:
        """Write the name above its mark, at the lowest free height, with a line down to it."""
        text = short(mark.name, 22)
        across, up = self._pixels(x, y)
        # Towards the middle first: a phone has less room beside it than a nominal plot.
        sides = (("left", 3), ("right", -3))[:: 1 if across < CURVE_PX[0] / 2 else -1]
        for rise, (side, gap) in product(np.arange(20.0, CURVE_PX[1] - up, LINE_PX), sides):
            label = text_box(text, across + gap, up + rise, side)
            leader = Box(across - 2, up + 8, across + 2, up + rise)
            inside = label.left >= 0 and label.right <= CURVE_PX[0]
            if inside and self._texts.fits(label, leader) and self._line.fits(label):
                self._texts.take(label, leader)
                self._figure.add_annotation(
                    x=np.log10(x),
                    y=np.log10(y),
                    text=text,
                    ax=0,
                    ay=-rise,
                    xanchor=side,
                    arrowhead=0,
                    arrowwidth=1,
                    arrowcolor=faded(self._colours.muted, 0.6),
                    standoff=6,
                )
                return

    def _pixels(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Where points are drawn, from the lower left, on a plot of nominal size."""
        across = (np.log10(x) - self._x[0]) / (self._x[1] - self._x[0])
        up = (np.log10(y) - self._y[0]) / (self._y[1] - self._y[0])
        return across * CURVE_PX[0], up * CURVE_PX[1]

    def finished(self, x_title: str, y_title: str, y_format: str) -> go.Figure:
        """The figure with its axes."""
        figure, colours = self._figure, self._colours
        figure.update_xaxes(axis(colours, x_title), **log_axis(self._curve.x, self._x))
        figure.update_yaxes(
            axis(colours, y_title, grid=True),
            **log_axis(self._curve.y, self._y) | {"tickformat": y_format},
        )
        return figure
