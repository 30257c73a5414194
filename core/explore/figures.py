"""One chart, one pure function that returns a plotly Figure; nothing here computes or loads.

Every figure has a transparent background and inherits its font, so that it sits on a light and on
a dark page; `dark` chooses the colours. Text from a dataset is escaped: plotly reads HTML.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise, product
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go

from core.explore.labels import Box, Label, Placement
from core.explore.palette import Palette, palette
from core.explore.power_law import Curve, Histogram, PowerLawFit, fitted_line

HOVER_TRACKS = 3_000
"""Points of a map that carry a name: the most popular. Names are what makes a map heavy."""

Kind = Literal["seed", "continuation", "highlight"]
KIND_NAMES: dict[Kind, str] = {
    "continuation": "Continuation",
    "seed": "Seeds",
    "highlight": "Found",
}
"""What the legend calls each kind; later kinds are drawn above earlier ones."""

FONT_PX, CHARACTER_PX, LINE_PX = 13, 7.0, 18.0
"""Text on charts: size, and the room that a letter and a line of it take."""

CURVE_PX = (720, 320)
"""Where texts must not overlap, the plot is taken to be this wide and high."""

MAP_REACH = 1.08
MAP_PX = 290
"""Half a side of a map in its own unit, and pixels per unit where texts must not overlap."""

NAME_SPOTS = (("left", 12, 0), ("right", -12, 0), ("center", 0, 18), ("center", 0, -18))
"""Where a name may stand beside its point: the end that is near, and the pixels to it."""

NAMED_MARKS = 8
"""Overlaid tracks whose name is written out; the others say it on hover."""


@dataclass(frozen=True)
class Categories:
    """Colour by a word.

    Attributes
    ----------
    title : str
        What the words say, as the legend's heading ("Genre").
    values : sequence of str or None
        One for each point; None where it is not known.
    """

    title: str
    values: Sequence[str | None]


@dataclass(frozen=True)
class Scale:
    """Colour by a number.

    Attributes
    ----------
    title : str
        Name and unit, as the colour bar's heading ("Tempo (beats per minute)").
    values : float array
        One for each point; NaN where it is not known.
    log : bool
        Colour by the logarithm; values must be positive.
    diverging : bool
        Colour both ends apart, neutral half-way.
    """

    title: str
    values: np.ndarray
    log: bool = False
    diverging: bool = False


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
    """

    kind: Kind
    tracks: Sequence[int]
    names: Sequence[str]


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


def chart_config(name: str, zoom_by_wheel: bool = False) -> dict[str, Any]:
    """Plotly's `config` for a figure: few buttons, and an SVG named `name` to save."""
    return {
        "displaylogo": False,
        "scrollZoom": zoom_by_wheel,
        "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "svg", "filename": name},
    }


def map_figure(
    coordinates: np.ndarray,
    colour: Categories | Scale | None = None,
    *,
    names: Sequence[str] = (),
    labels: Sequence[Label] = (),
    overlays: Sequence[Overlay] = (),
    dark: bool = False,
    height: int = 640,
) -> go.Figure:
    """Tracks as points, popular ones larger and on top; overlays drawn above them.

    The first traces depend on everything but `overlays`, which come after them, and `uirevision`
    never changes: zoom and selection survive another seed. Every point carries its track id as
    `customdata`, those of overlays too: a selection may name a track twice.

    Parameters
    ----------
    coordinates : float array [n, 2]
        Row i places track i, by falling popularity; NaN rows are not drawn.
    colour : Categories, Scale or None
    names : sequence of str
        What the first tracks are called, shown on hover; at most `HOVER_TRACKS` are used.
    labels : sequence of Label
        Texts on the map.
    overlays : sequence of Overlay
    """
    colours = palette(dark)
    points = _Points(np.asarray(coordinates, np.float32), names[:HOVER_TRACKS])
    if isinstance(colour, Categories):
        traces = _categorical_traces(points, colour, colours)
    elif isinstance(colour, Scale):
        traces = _continuous_traces(points, colour, colours)
    else:
        traces = [points.trace(points.placed, "Tracks", colours.categorical[0], showlegend=False)]
    layout = _layout(colours, height, margin={"l": 0, "r": 0, "t": 0, "b": 0, "pad": 0})
    bare = {"visible": False, "range": [-MAP_REACH, MAP_REACH]}
    layout |= {
        "uirevision": "map",
        "dragmode": "lasso",
        "clickmode": "event+select",
        "xaxis": bare,
        "yaxis": bare | {"scaleanchor": "x"},
        # Upright, the buttons stand clear of the legend.
        "modebar": layout["modebar"] | {"orientation": "v"},
        "legend": layout["legend"] | {"itemsizing": "constant"},
        "newselection": {"line": {"color": colours.ink, "width": 1.5, "dash": "dot"}},
    }
    if isinstance(colour, Categories):
        font = {"size": FONT_PX, "color": colours.ink}
        heading = {"text": escape(colour.title, quote=False), "font": font}
        layout["legend"]["title"] = heading
    figure = go.Figure(traces, layout)
    placement = Placement()
    for label in labels:
        text = escape(label.text, quote=False)
        placement.take(_text_box(text, label.x * MAP_PX, label.y * MAP_PX, "center"))
        figure.add_annotation(
            x=label.x, y=label.y, text=text, showarrow=False, font=_over_points(colours, 600)
        )
    for overlay in overlays:
        _add_overlay(figure, overlay, points.coordinates, colours, placement)
    return figure


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
        From `power_law.rank_frequency`.
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
        From `power_law.ccdf`.
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
    histogram: Histogram, median: float, *, dark: bool = False, height: int = 320
) -> go.Figure:
    """Playlists by number of tracks, on a log axis.

    Parameters
    ----------
    histogram : Histogram
        From `power_law.length_histogram`.
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
        fillcolor=_faded(colours.categorical[0], 0.25),
    )
    figure = go.Figure(trace, _layout(colours, height, hovermode="x"))
    figure.update_xaxes(
        _axis(colours, "Tracks in the playlist"),
        **_log_axis(edges, _log_range(edges, 0.0)),
    )
    figure.update_yaxes(_axis(colours, "Playlists", grid=True), rangemode="tozero", tickformat=",")
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


class _Points:
    """The placed tracks of a map."""

    def __init__(self, coordinates: np.ndarray, names: Sequence[str]) -> None:
        self.coordinates = coordinates
        self.placed = np.flatnonzero(np.isfinite(coordinates).all(axis=1)).astype(np.int32)
        self._names = [escape(name, quote=False) for name in names]
        n = max(len(coordinates), 1)
        smallest = np.clip(300 / np.sqrt(n), 3.0, 9.0)
        fame = (1 - np.arange(n) / n) ** 8
        self._sizes = (smallest * (1 + 1.2 * fame)).astype(np.float32)

    def trace(
        self, tracks: np.ndarray, name: str, colour: str | np.ndarray, **more: Any
    ) -> go.Scattergl:
        """One trace of tracks given by rising id; `more` goes to the trace or its marker."""
        drawn = tracks[::-1]  # later is on top: the popular ones
        known = len(self._names)
        marker = {"color": colour, "size": self._sizes[drawn], "opacity": 0.8, "line": {"width": 0}}
        marker |= more.pop("marker", {})
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
            unselected={"marker": {"opacity": 0.12}},
            **more,
        )


def _categorical_traces(
    points: _Points, colour: Categories, colours: Palette
) -> list[go.Scattergl]:
    """A trace for each of the most frequent categories, above the rest and the unknown in grey."""
    values = np.array([value if value is not None else "" for value in colour.values])
    values = values[points.placed]
    names, sizes = np.unique(values[values != ""], return_counts=True)
    frequent = names[np.argsort(-sizes, kind="stable")][: len(colours.categorical)]
    rest = ~np.isin(values, frequent)
    below = points.trace(points.placed[rest], "Other, unknown", colours.other, legendrank=2_000)
    above = [
        points.trace(points.placed[values == name], escape(str(name), quote=False), hue)
        for name, hue in zip(frequent, colours.categorical, strict=False)
    ]
    return [below, *above] if rest.any() else above


def _continuous_traces(points: _Points, colour: Scale, colours: Palette) -> list[go.Scattergl]:
    """The known values on a scale between their 2nd and 98th percentile; the unknown in grey."""
    values = np.asarray(colour.values, np.float32)[points.placed]
    if colour.log:
        values = np.log10(np.where(values > 0, values, np.nan))
    known = np.isfinite(values)
    traces = []
    if not known.all():
        traces.append(points.trace(points.placed[~known], "Not known", colours.other))
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
            ticks = _log_ticks(10**low, 10**high)
            bar |= {"tickvals": np.log10(ticks), "ticktext": [f"{tick:,.0f}" for tick in ticks]}
        marker = {
            "colorscale": colours.scale(colour.diverging),
            "cmin": low,
            "cmax": high,
            "colorbar": bar,
        }
        traces.append(
            points.trace(
                points.placed[known], "Tracks", values[known][::-1], marker=marker, showlegend=False
            )
        )
    return traces


def _add_overlay(
    figure: go.Figure,
    overlay: Overlay,
    coordinates: np.ndarray,
    colours: Palette,
    placement: Placement,
) -> None:
    """Add the overlay's points, and write out the names of seeds and found tracks."""
    shown = [
        (track, name)
        for track, name in zip(overlay.tracks, overlay.names, strict=True)
        if track < len(coordinates) and np.isfinite(coordinates[track]).all()
    ]
    tracks = np.array([track for track, _ in shown], np.int32)
    figure.add_trace(
        go.Scattergl(
            x=coordinates[tracks, 0],
            y=coordinates[tracks, 1],
            customdata=tracks,
            mode="markers",
            name=KIND_NAMES[overlay.kind],
            hovertext=[escape(name, quote=False) for _, name in shown],
            hoverinfo="text",
            marker=_overlay_marker(overlay.kind, colours),
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            legendrank=3_000,
        )
    )
    if overlay.kind == "continuation":
        return
    for track, name in shown[:NAMED_MARKS]:
        x, y = coordinates[track].tolist()
        text = _short(name)
        for side, right, up in NAME_SPOTS:
            box = _text_box(text, x * MAP_PX + right, y * MAP_PX + up, side)
            if placement.fits(box):
                placement.take(box)
                figure.add_annotation(
                    x=x,
                    y=y,
                    text=text,
                    showarrow=False,
                    xanchor=side,
                    xshift=right,
                    yshift=up,
                    font=_over_points(colours, 700),
                )
                break


def _overlay_marker(kind: Kind, colours: Palette) -> dict[str, Any]:
    """Shape and colour both tell the kinds apart; the rim lifts them off the points below."""
    if kind == "highlight":
        return {
            "symbol": "circle-open",
            "size": 22,
            "color": colours.ink,
            "line": {"color": colours.ink, "width": 3},
        }
    fill, symbol = {
        "seed": (colours.ink, "diamond"),
        "continuation": (colours.accent, "circle"),
    }[kind]
    rim = {"color": colours.background, "width": 2}
    return {"symbol": symbol, "size": 13, "color": fill, "opacity": 1, "line": rim}


class _LogChart:
    """A falling curve on two log axes, with room for texts above it."""

    def __init__(self, curve: Curve, colours: Palette, height: int, headroom: bool) -> None:
        self._curve, self._colours = curve, colours
        self._figure = go.Figure(layout=_layout(colours, height))
        self._x = _log_range(curve.x, 0.0)
        self._y = _log_range(curve.y, 0.25 if headroom else 0.0)
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
        corner = f"power law, exponent {fit.exponent:.2f} \u00b1 {fit.standard_error:.2f}"
        self._texts.take(
            _text_box(corner, right, top - 1.5 * LINE_PX, "right"),
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
        )
        start = f"x_min = {fit.x_min:,}"
        self._texts.take(_text_box(start, across + 6, top - LINE_PX / 2, "left"))
        self._figure.add_annotation(
            x=np.log10(fit.x_min),
            xanchor="left",
            xshift=6,
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
        marker = _overlay_marker(kind, self._colours)
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
                    "color": _faded(marker["color"], 0.35),
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
        text = _short(mark.name, 22)
        across, up = self._pixels(x, y)
        for rise, (side, gap) in product(
            np.arange(20.0, CURVE_PX[1] - up, LINE_PX), (("left", 3), ("right", -3))
        ):
            label = _text_box(text, across + gap, up + rise, side)
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
                    arrowcolor=_faded(self._colours.muted, 0.6),
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
        figure.update_xaxes(_axis(colours, x_title), **_log_axis(self._curve.x, self._x))
        figure.update_yaxes(
            _axis(colours, y_title, grid=True),
            **_log_axis(self._curve.y, self._y) | {"tickformat": y_format},
        )
        return figure


def _layout(colours: Palette, height: int, **more: Any) -> dict[str, Any]:
    """What all figures share."""
    clear = "rgba(0,0,0,0)"
    return {
        "height": height,
        "paper_bgcolor": clear,
        "plot_bgcolor": clear,
        "font": {"color": colours.ink, "size": FONT_PX},
        "margin": {"l": 8, "r": 12, "t": 8, "b": 8, "pad": 0},
        "modebar": {"bgcolor": clear, "color": colours.muted, "activecolor": colours.ink},
        "dragmode": False,
        "hovermode": "closest",
        "hoverlabel": {
            "bgcolor": colours.background,
            "bordercolor": colours.grid,
            "font": {"color": colours.ink, "size": FONT_PX},
            "align": "left",
        },
        "legend": {
            "orientation": "h",
            "x": 0,
            "xanchor": "left",
            "y": 1.01,
            "yanchor": "bottom",
            "font": {"color": colours.ink},
            "bgcolor": clear,
        },
        **more,
    }


def _axis(colours: Palette, title: str, grid: bool = False) -> dict[str, Any]:
    """An axis of few lines: a title with its unit, hairlines across where `grid` is set."""
    return {
        "title": {
            "text": title,
            "font": {"color": colours.muted, "size": FONT_PX},
            "standoff": 10,
        },
        "tickfont": {"color": colours.muted},
        "showgrid": grid,
        "gridcolor": colours.grid,
        "zeroline": False,
        "showline": not grid,
        "linecolor": colours.grid,
        "ticks": "" if grid else "outside",
        "tickcolor": colours.grid,
        "automargin": True,
    }


def _log_range(values: np.ndarray, headroom: float) -> tuple[float, float]:
    """Decimal logarithms of an axis around positive values, `headroom` of their span above."""
    low, high = np.log10([values.min(), values.max()]) if len(values) else (0.0, 1.0)
    span = max(high - low, 0.3)
    return float(low - 0.03 * span), float(high + (0.04 + headroom) * span)


def _log_axis(values: np.ndarray, limits: tuple[float, float]) -> dict[str, Any]:
    """A log axis with ticks where `_log_ticks` puts them."""
    low, high = (values.min(), values.max()) if len(values) else (1, 10)
    ticks = _log_ticks(low, high)
    return {"type": "log", "range": list(limits), "tickvals": ticks, "tickformat": ","}


def _log_ticks(low: float, high: float) -> np.ndarray:
    """The decades between two positive numbers; 1, 2 and 5 of each if they span hardly one."""
    steps = (1,) if high >= 10 * low else (1, 2, 5)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.outer(decades, steps).ravel()
    return ticks[(ticks > low * 0.99) & (ticks < high * 1.01)]


def _over_points(colours: Palette, weight: int) -> dict[str, Any]:
    """A font with a halo of the page's colour, legible over points."""
    halo = ", ".join(f"0 0 {radius}px {colours.background}" for radius in (1, 2, 2, 3, 4))
    return {"color": colours.ink, "size": FONT_PX, "weight": weight, "shadow": halo}


def _text_box(text: str, x: float, y: float, side: str) -> Box:
    """Pixels of a text whose left end, right end or centre is at (x, y)."""
    width = len(text) * CHARACTER_PX
    left = x - {"left": 0.0, "center": width / 2, "right": width}[side]
    return Box(left, y - LINE_PX / 2, left + width, y + LINE_PX / 2)


def _short(name: str, length: int = 28) -> str:
    """A name cut to what fits on a chart, escaped."""
    cut = name if len(name) <= length else name[: length - 1].rstrip() + "\u2026"
    return escape(cut, quote=False)


def _faded(colour: str, opacity: float) -> str:
    """The colour, given as "#RRGGBB", with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
