"""How good models are, and what they cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
import plotly.graph_objects as go

from core.explore.figures.style import (
    FONT_PX,
    LINE_PX,
    axis,
    base_layout,
    faded,
    log_axis,
    log_range,
    text_box,
)
from core.explore.labels import Box, Placement
from core.explore.palette import Palette, palette

ROW_PX, LABEL_CHARACTERS = 36, 20
"""Height of a model's row, and letters on a line of its name."""

COST_PX = {False: (560, 330), True: (230, 330)}
"""Where names must not overlap, the plot of costs is taken to be this wide and high; on a phone."""

PHONE_CHARACTERS = 13
"""Letters on a line of a name beside a point on a phone."""

NAME_PLACES = (("center", 0, 17), ("left", 11, 0), ("right", -11, 0), ("center", 0, -17))
"""Where a name may stand beside its point: the end that is near, and the pixels to it."""

LIGHTEST, DARKEST = 0.04, 0.55
"""Share of the tint in the worst and in the best cell of a heat table: ink stays legible."""


@dataclass(frozen=True)
class Dot:
    """One model's figure.

    Attributes
    ----------
    label : str
    value : float
    low, high : float or None
        Its interval, if it has one.
    loud : bool
        Whether the page wants it seen.
    quiet : bool
        Whether it is there for comparison only.
    """

    label: str
    value: float
    low: float | None = None
    high: float | None = None
    loud: bool = False
    quiet: bool = False

    def colour(self, colours: Palette) -> str:
        """Its colour on a page."""
        if self.loud:
            return colours.accent
        return colours.other if self.quiet else colours.categorical[0]


def dots_figure(
    dots: Sequence[Dot],
    title: str,
    *,
    digits: int = 3,
    percent: bool = False,
    difference: bool = False,
    line: float | None = None,
    line_text: str = "",
    dark: bool = False,
) -> go.Figure:
    """A dot with whiskers for each model, the first on top, its value written at the right.

    Parameters
    ----------
    dots : sequence of Dot
    title : str
        Of the axis: what is measured.
    digits : int
        Decimals of a value.
    percent : bool
        Write values, which are shares, as percentages with one decimal.
    difference : bool
        Write values, which are differences, with their sign, and mark 0.
    line : float or None
        A value to compare with, drawn across all rows and called `line_text`.
    """
    colours = palette(dark)
    form = ".1%" if percent else f".{digits}f"
    if difference:
        form, line = f"+{form}", 0.0
    head = LINE_PX if line_text else 0
    layout = base_layout(
        colours,
        round(ROW_PX * len(dots) + 58 + head),
        margin={"l": 8, "r": 56, "t": 4 + head, "b": 8, "pad": 4},
        showlegend=False,
    )
    figure = go.Figure([_whiskers(dots, form, colours)], layout)
    figure.update_xaxes(
        axis(colours, title, grid=True),
        tickformat=".1~%" if percent else _ticks([dot.value for dot in dots]),
        nticks=6,
    )
    figure.update_yaxes(
        axis(colours, ""),
        tickvals=list(range(len(dots))),
        ticktext=[_wrapped(dot.label) for dot in dots],
        tickfont={"color": colours.ink},
        range=[len(dots) - 0.5, -0.5],
        showline=False,
        ticks="",
    )
    for row, dot in enumerate(dots):
        figure.add_annotation(
            x=1,
            xref="paper",
            xanchor="left",
            xshift=10,
            y=row,
            text=f"{dot.value:{form}}",
            showarrow=False,
            font={"color": dot.colour(colours) if dot.loud else colours.ink},
        )
    if line is not None:
        figure.add_vline(line, line={"color": colours.muted, "width": 1.5, "dash": "dot"})
        if line_text:
            figure.add_annotation(
                x=line,
                y=1,
                yref="paper",
                yanchor="bottom",
                text=escape(line_text, quote=False),
                showarrow=False,
                font={"color": colours.muted},
            )
    return figure


def _whiskers(dots: Sequence[Dot], form: str, colours: Palette) -> go.Scatter:
    value = np.array([dot.value for dot in dots])
    low = np.array([dot.value if dot.low is None else dot.low for dot in dots])
    high = np.array([dot.value if dot.high is None else dot.high for dot in dots])
    hover = [
        f"{escape(dot.label, quote=False)}: {dot.value:{form}}"
        + ("" if dot.low is None or dot.high is None else f" [{dot.low:{form}}, {dot.high:{form}}]")
        for dot in dots
    ]
    inks = [dot.colour(colours) for dot in dots]
    return go.Scatter(
        x=value,
        y=np.arange(len(dots)),
        mode="markers",
        marker={
            "color": inks,
            "size": 11,
            "opacity": 1,
            "line": {"color": colours.background, "width": 1.5},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": high - value,
            "arrayminus": value - low,
            "color": colours.muted,
            "thickness": 1.5,
            "width": 0,
        },
        customdata=hover,
        hovertemplate="%{customdata}<extra></extra>",
    )


@dataclass(frozen=True)
class Price:
    """One model's figure and what it cost; `cost` above 0, in the unit of the axis."""

    dot: Dot
    cost: float


def cost_figure(
    prices: Sequence[Price],
    cost_title: str,
    title: str,
    *,
    lower_is_better: bool = False,
    digits: int = 3,
    phone: bool = False,
    dark: bool = False,
    height: int = 430,
) -> go.Figure:
    """Quality against cost on a log axis; a line joins those that nothing cheaper surpasses.

    Parameters
    ----------
    prices : sequence of Price
    cost_title, title : str
        Of the axes.
    lower_is_better : bool
        Of the quality.
    phone : bool
        Whether names must find room on a narrow screen; those that do not are left to the hover.
    """
    colours = palette(dark)
    figure = go.Figure(layout=base_layout(colours, height, showlegend=False))
    costs = np.array([price.cost for price in prices])
    values = np.array([price.dot.value for price in prices])
    front = _front(costs, -values if lower_is_better else values)
    line = np.repeat(costs[front], 2)[1:], np.repeat(values[front], 2)[:-1]
    figure.add_trace(
        go.Scatter(
            x=line[0],
            y=line[1],
            mode="lines",
            line={"color": faded(colours.accent, 0.5), "width": 2},
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=costs,
            y=values,
            mode="markers",
            marker={
                "color": [price.dot.colour(colours) for price in prices],
                "size": 12,
                "opacity": 1,
                "line": {"color": colours.background, "width": 1.5},
            },
            customdata=[
                f"{escape(price.dot.label, quote=False)}<br>"
                f"{price.dot.value:.{digits}f} for {price.cost:,.3g}"
                for price in prices
            ],
            hovertemplate="%{customdata}<extra></extra>",
        )
    )
    across, up = log_range(costs, 0.0), _padded(values)
    middle, half = sum(across) / 2, max((across[1] - across[0]) * 0.6, 0.3)
    across = (middle - half, middle + half)
    figure.update_xaxes(axis(colours, cost_title), **log_axis(costs, across))
    figure.update_yaxes(
        axis(colours, title, grid=True),
        range=up[::-1] if lower_is_better else up,
        tickformat=_ticks(values.tolist()),
    )
    names = _Names(across, up[::-1] if lower_is_better else up, phone)
    names.avoid(costs, values)
    names.avoid_line(*line)
    for price in prices:
        names.add(figure, price)
    return figure


def _front(costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """By rising cost, the points better than all cheaper ones."""
    order = np.lexsort((-values, costs))
    best = np.maximum.accumulate(values[order])
    return order[np.diff(best, prepend=-np.inf) > 0]


def _ticks(values: Sequence[float]) -> str:
    """A number format with as many decimals as the span of values needs."""
    span = max(values, default=1.0) - min(values, default=0.0)
    return ".3f" if span < 0.05 else ".2f" if span < 1.5 else ",.3~f"


def _padded(values: np.ndarray) -> tuple[float, float]:
    low, high = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if not np.isfinite([low, high]).all():
        return 0.0, 1.0
    room = max(high - low, 1e-3) * 0.12
    return low - room, high + room


class _Names:
    """Names beside points where they find room, on a plot of nominal size.

    Parameters
    ----------
    across : pair of float
        Decimal logarithms at the left and right end.
    up : pair of float
        Values at the lower and upper end.
    phone : bool
    """

    def __init__(self, across: tuple[float, float], up: tuple[float, float], phone: bool) -> None:
        self._across, self._up, self._phone = across, up, phone
        self._width, self._height = COST_PX[phone]
        self._placement = Placement()

    def _pixels(self, cost: Any, value: Any) -> tuple[Any, Any]:
        x = (np.log10(cost) - self._across[0]) / (self._across[1] - self._across[0])
        y = (value - self._up[0]) / (self._up[1] - self._up[0])
        return x * self._width, y * self._height

    def avoid(self, costs: np.ndarray, values: np.ndarray) -> None:
        """Keep names off points."""
        for x, y in zip(*self._pixels(costs, values), strict=True):
            self._placement.take(Box(x - 7, y - 7, x + 7, y + 7))

    def avoid_line(self, costs: np.ndarray, values: np.ndarray) -> None:
        """Keep names off a line of upright and level pieces."""
        for (x, y), (to_x, to_y) in pairwise(zip(*self._pixels(costs, values), strict=True)):
            self._placement.take(
                Box(min(x, to_x) - 2, min(y, to_y) - 2, max(x, to_x) + 2, max(y, to_y) + 2)
            )

    def add(self, figure: go.Figure, price: Price) -> None:
        """Write the name where there is room, or not at all."""
        x, y = self._pixels(price.cost, price.dot.value)
        lines = wrap(price.dot.label, PHONE_CHARACTERS) if self._phone else [price.dot.label]
        for side, right, up in NAME_PLACES:
            rise = up + np.sign(up) * (len(lines) - 1) * LINE_PX / 2
            boxes = [
                text_box(line, x + right, y + rise + LINE_PX * (len(lines) / 2 - 0.5 - place), side)
                for place, line in enumerate(lines)
            ]
            inside = all(box.left >= 0 and box.right <= self._width for box in boxes)
            if inside and self._placement.fits(*boxes):
                self._placement.take(*boxes)
                figure.add_annotation(
                    x=np.log10(price.cost),
                    y=price.dot.value,
                    text="<br>".join(escape(line, quote=False) for line in lines),
                    align=side,
                    showarrow=False,
                    xanchor=side,
                    xshift=right,
                    yshift=rise,
                    font={"size": FONT_PX},
                )
                return


def heat_colours(
    values: np.ndarray, *, lower_is_better: bool = False, dark: bool = False
) -> list[list[str]]:
    """Fill of each cell of a table, from faint, the worst of its column, to full, the best.

    Parameters
    ----------
    values : float array, shape (rows, columns)
        NaN where there is nothing; such a cell, and a column of equals, is clear.

    Returns
    -------
    list of lists of str
        "#RRGGBB", one for each cell, or "" for a clear one.
    """
    colours = palette(dark)
    fills = [[""] * values.shape[1] for _ in values]
    for column, cells in enumerate(values.T):
        known = np.flatnonzero(np.isfinite(cells))
        if not len(known) or cells[known].min() == cells[known].max():
            continue
        low, high = cells[known].min(), cells[known].max()
        for row in known.tolist():
            share = (cells[row] - low) / (high - low)
            share = 1 - share if lower_is_better else share
            tint = LIGHTEST + (DARKEST - LIGHTEST) * share
            fills[row][column] = _mixed(colours.background, colours.categorical[0], tint)
    return fills


def _mixed(ground: str, tint: str, share: float) -> str:
    """A colour between two, all as "#RRGGBB"."""
    parts = [
        round((1 - share) * int(ground[i : i + 2], 16) + share * int(tint[i : i + 2], 16))
        for i in (1, 3, 5)
    ]
    return "#" + "".join(f"{part:02X}" for part in parts)


def _wrapped(label: str) -> str:
    """A name on at most two lines, escaped."""
    lines = wrap(label, LABEL_CHARACTERS, max_lines=2, placeholder="…")
    return "<br>".join(escape(line, quote=False) for line in lines)
