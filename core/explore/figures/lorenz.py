"""How unevenly the entries of playlists are shared out."""

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import axis, base_layout, faded
from core.explore.palette import palette
from core.explore.spread import Curve

TOPS = (0.01, 0.1)
"""The most popular shares that are marked."""


def lorenz_figure(
    curve: Curve, *, noun: str = "track", dark: bool = False, height: int = 420
) -> go.Figure:
    """Share of all entries that the least popular share hold, beside equal shares.

    Parameters
    ----------
    curve : Curve
        From `spread.lorenz`.
    noun : str
        What holds entries: "track" or "artist".
    """
    colours = palette(dark)
    blue = colours.categorical[0]
    figure = go.Figure(layout=base_layout(colours, height))
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            name="Equal shares",
            line={"color": colours.muted, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
    )
    # To the trace before: the area between the two is half the Gini coefficient.
    figure.add_trace(
        go.Scatter(
            x=curve.x,
            y=curve.y,
            mode="lines",
            name=f"All {noun}s",
            line={"color": blue, "width": 2.5},
            fill="tonexty",
            fillcolor=faded(blue, 0.14),
            hovertemplate=f"The least popular %{{x:.1%}} of {noun}s<br>hold %{{y:.1%}} of entries"
            "<extra></extra>",
        )
    )
    _add_tops(figure, curve, noun, dark)
    figure.update_xaxes(
        axis(colours, f"Share of {noun}s, the least popular first"),
        range=[0, 1.02],
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],
    )
    figure.update_yaxes(
        axis(colours, "Share of entries they hold", grid=True),
        range=[0, 1.02],
        tickformat=".0%",
        tickvals=[0, 0.25, 0.5, 0.75, 1],
    )
    return figure


def _add_tops(figure: go.Figure, curve: Curve, noun: str, dark: bool) -> None:
    """Mark where the most popular shares begin, and say what they hold."""
    colours = palette(dark)
    below = np.interp([1 - top for top in TOPS], curve.x, curve.y)
    held = [
        f"top {top * 100:g} % hold {(1 - share) * 100:.0f} %"
        for top, share in zip(TOPS, below.tolist(), strict=True)
    ]
    figure.add_trace(
        go.Scatter(
            x=[1 - top for top in TOPS],
            y=below,
            mode="markers",
            name=f"Most popular {noun}s",
            showlegend=False,
            marker={
                "color": colours.accent,
                "size": 10,
                "line": {"color": colours.background, "width": 2},
            },
            customdata=held,
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    for line, (top, share, text) in enumerate(zip(TOPS, below.tolist(), held, strict=True)):
        # Below the curve is room at the right; where it sags too far, there is left of the mark.
        foot = 0.05 + 0.085 * line
        if share > foot + 0.1:
            figure.add_shape(
                type="line",
                x0=1 - top,
                x1=1 - top,
                y0=foot + 0.04,
                y1=share - 0.03,
                line={"color": faded(colours.muted, 0.6), "width": 1},
            )
            place = {"x": 1.0, "y": foot}
        else:
            place = {"x": 1 - top, "y": share, "xshift": -12}
        figure.add_annotation(
            text=text, showarrow=False, xanchor="right", font={"color": colours.ink}, **place
        )
