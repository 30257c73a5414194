"""What is known of the tracks, and of their artists."""

from collections.abc import Mapping

import plotly.graph_objects as go

from core.explore.figures.style import axis, base_layout
from core.explore.palette import palette

_ROW_PX, _FRAME_PX, _LABEL_PX = 24, 84, 52


def coverage_figure(
    now: Mapping[str, float],
    before: Mapping[str, float] | None = None,
    *,
    of: str = "tracks",
    dark: bool = False,
) -> go.Figure:
    """Share of the tracks whose value is known, a bar a field; a line where it stood before.

    Parameters
    ----------
    now : mapping of field to share
        From 0 to 1; drawn from the top in this order.
    before : mapping of field to share, optional
        Before the last table was joined.
    of : str
        What it is a share of, in the plural.
    dark : bool
    """
    colours = palette(dark)
    fields = [name.removesuffix("_ms").capitalize() for name in now]
    figure = go.Figure(
        go.Bar(
            x=list(now.values()),
            y=fields,
            orientation="h",
            name="Known now",
            marker={"color": colours.categorical[0]},
            text=[percent(share) for share in now.values()],
            textposition="outside",
            textfont={"color": colours.ink},
            cliponaxis=False,
            hovertemplate=f"%{{y}}: known for %{{text}} of the {of}<extra></extra>",
        )
    )
    if before:
        shares = [before.get(name, 0.0) for name in now]
        figure.add_scatter(
            x=shares,
            y=fields,
            mode="markers",
            name="Before the last join",
            marker={
                "symbol": "line-ns",
                "size": 16,
                "line": {"color": colours.accent, "width": 3},
            },
            text=[percent(share) for share in shares],
            hovertemplate="%{y}: %{text} before the last join<extra></extra>",
        )
    layout = base_layout(
        colours, _FRAME_PX + _ROW_PX * len(fields), showlegend=bool(before), bargap=0.35
    )
    layout["margin"] |= {"r": _LABEL_PX}
    figure.update_layout(
        layout,
        xaxis=axis(colours, f"{of.capitalize()} for which it is known (%)", grid=True)
        | {"range": [0, 1], "tickvals": [0, 0.25, 0.5, 0.75, 1], "tickformat": ".0%"},
        yaxis=axis(colours, "")
        | {"autorange": "reversed", "showline": False, "ticks": "", "ticklabelstandoff": 8},
    )
    return figure


def percent(share: float) -> str:
    """Say a share so that few are not none, and most are not all."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{share:.0%}".replace("%", " %")
