"""Many settings of a model, and what each came to, on parallel axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from core.explore.figures.style import FONT_PX, base_layout, short
from core.explore.palette import Palette, palette

_PHONE_AXES = 4
_FEW_LINES = 25
"""Of more lines each is thinner."""


@dataclass(frozen=True)
class Axis:
    """One of the parallel axes, with a value of every line.

    Attributes
    ----------
    label : str
        With its unit.
    values : sequence
        One of each line; numbers, or anything where `steps`.
    steps : bool
        Whether each different value has a place of its own, evenly spaced, as a setting's few
        values have.
    falling : bool
        Whether small values are up, where fewer is better.
    """

    label: str
    values: Sequence[Any]
    steps: bool = False
    falling: bool = False

    def heights(self) -> list[float]:
        """Where each value is, from 0 to 1."""
        if self.steps:
            places = self.places()
            return [places[value] for value in self.values]
        low, high = min(self.values), max(self.values)
        shares = [(value - low) / (high - low) if high > low else 0.5 for value in self.values]
        return [1 - share for share in shares] if self.falling else shares

    def places(self) -> dict[Any, float]:
        """The values that are written beside the axis, and where: each, or both ends."""
        if not self.steps:
            low, high = min(self.values), max(self.values)
            if low == high:
                return {low: 0.5}
            return {high: 0.0, low: 1.0} if self.falling else {low: 0.0, high: 1.0}
        different = sorted(set(self.values), key=lambda value: (isinstance(value, str), value))
        if len(different) == 1:
            return {different[0]: 0.5}
        return {value: at / (len(different) - 1) for at, value in enumerate(different)}


def parallel_figure(
    axes: Sequence[Axis],
    judge: int,
    chosen: int,
    *,
    phone: bool = False,
    dark: bool = False,
    height: int = 420,
) -> go.Figure:
    """A line for each point of a grid across its settings and figures; the better the louder.

    Parameters
    ----------
    axes : sequence of Axis
        Equally long; good is up on those that say how good.
    judge : int
        The axis whose values colour the lines.
    chosen : int
        The line that is drawn boldly, above all others.
    phone : bool
        Show only the settings and the judge, as many as fit.
    """
    colours = palette(dark)
    shown = list(range(len(axes)))
    if phone:
        settings = [at for at in shown if axes[at].steps and at != judge]
        shown = [*settings[: _PHONE_AXES - 1], judge]
    heights = [axes[at].heights() for at in shown]
    loudness = axes[judge].heights()
    lines = sorted(range(len(loudness)), key=lambda line: (line == chosen, loudness[line]))
    figure = go.Figure(
        [
            _line(axes, [height[line] for height in heights], line, loudness[line], colours)
            for line in lines
            if line != chosen
        ]
    )
    figure.update_traces(line_width=2 if len(lines) <= _FEW_LINES else 1)
    figure.add_trace(_bold(axes, [height[chosen] for height in heights], chosen, colours))
    for at, index in enumerate(shown):
        _draw_axis(figure, axes[index], at, colours)
    across = [-0.35, len(shown) - 0.75] if phone else [-0.3, len(shown) - 0.7]
    hidden = {"visible": False, "fixedrange": True}
    figure.update_layout(
        base_layout(colours, height, showlegend=False, hoverdistance=12),
        xaxis=hidden | {"range": across},
        yaxis=hidden | {"range": [-0.06, 1.16]},
    )
    return figure


def _line(
    axes: Sequence[Axis], heights: Sequence[float], line: int, loudness: float, colours: Palette
) -> go.Scatter:
    scale = colours.sequential
    colour = scale[min(int((0.2 + 0.8 * loudness) * len(scale)), len(scale) - 1)]
    return go.Scatter(
        x=list(range(len(heights))),
        y=list(heights),
        mode="lines",
        line={"color": colour, "shape": "linear"},
        hoverinfo="text",
        hovertext=_told(axes, line),
    )


def _bold(
    axes: Sequence[Axis], heights: Sequence[float], line: int, colours: Palette
) -> go.Scatter:
    return go.Scatter(
        x=list(range(len(heights))),
        y=list(heights),
        mode="lines+markers",
        line={"color": colours.accent, "width": 4},
        marker={"symbol": "diamond", "size": 11, "color": colours.accent},
        hoverinfo="text",
        hovertext=_told(axes, line),
    )


def _told(axes: Sequence[Axis], line: int) -> str:
    """All that a line says."""
    return "<br>".join(f"{short(axis.label)}: {written(axis.values[line])}" for axis in axes)


def _draw_axis(figure: go.Figure, axis: Axis, at: int, colours: Palette) -> None:
    upright = {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "layer": "below"}
    figure.add_shape(upright | {"line": {"color": colours.muted, "width": 1}})
    common = {"x": at, "showarrow": False}
    head = {"color": colours.ink, "size": FONT_PX, "weight": 600}
    figure.add_annotation(
        common | {"y": 1.16, "yanchor": "top", "text": short(axis.label, 16), "font": head}
    )
    for value, place in axis.places().items():
        figure.add_annotation(
            common
            | {
                "y": place,
                "text": short(written(value), 12),
                "xanchor": "right",
                "xshift": -8,
                "font": {"color": colours.ink, "size": FONT_PX},
                "bgcolor": colours.background,
                "borderpad": 1,
                "opacity": 0.9,
            }
        )


def written(value: object) -> str:
    """A value of a setting or a figure, in few letters."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
