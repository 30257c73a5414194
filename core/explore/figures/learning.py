"""How well a model does while it learns."""

from collections.abc import Sequence

import plotly.graph_objects as go

from core.explore.figures.style import axis, base_layout, short
from core.explore.palette import palette

_DOTS, _WHOLE = 40, 12
"""A curve of more points is a line without dots, or has not each step on its axis."""


def learning_figure(
    points: Sequence[tuple[float, float]],
    name: str,
    *,
    unit: str = "Epoch or step",
    dark: bool = False,
    height: int = 220,
) -> go.Figure:
    """One curve of a model that is being fitted, its last value written out.

    Parameters
    ----------
    points : sequence of (step, value)
        At least one, steps rising.
    name : str
        What is measured, for the axis.
    unit : str
        What is counted along.
    """
    colours = palette(dark)
    steps, values = zip(*points, strict=True)
    figure = go.Figure(
        go.Scatter(
            x=steps,
            y=values,
            mode="lines+markers" if len(points) <= _DOTS else "lines",
            line={"color": colours.accent, "width": 2},
            marker={"size": 6},
            hovertemplate=f"{unit} %{{x}}: %{{y:.4g}}<extra></extra>",
        )
    )
    figure.add_annotation(
        x=steps[-1],
        y=values[-1],
        text=f"{values[-1]:.4g}",
        showarrow=False,
        xanchor="right",
        yanchor="bottom",
        yshift=4,
        font={"color": colours.ink},
    )
    figure.add_annotation(
        x=0,
        y=1,
        xref="paper",
        yref="paper",
        text=short(name, 48),
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        yshift=10,
        font={"color": colours.muted},
    )
    few = len(points) <= _WHOLE
    figure.update_layout(
        base_layout(
            colours,
            height,
            showlegend=False,
            uirevision=name,
            margin={"l": 8, "r": 12, "t": 36, "b": 8, "pad": 0},
        ),
        xaxis=axis(colours, unit) | {"dtick": 1 if few else None, "tickformat": ",d"},
        yaxis=axis(colours, "", grid=True) | {"nticks": 5, "tickformat": ".3~g"},
    )
    return figure
