"""What all charts share: fonts, axes, marks, and where texts may stand."""

from html import escape
from typing import Any, Literal

import numpy as np

from core.explore.labels import Box
from core.explore.palette import Palette

FONT_PX, CHARACTER_PX, LINE_PX = 13, 7.0, 18.0
"""Text on charts: size, and the room that a letter and a line of it take."""

Kind = Literal["seed", "continuation", "highlight"]

KIND_NAMES: dict[Kind, str] = {
    "continuation": "Continuation",
    "seed": "Seeds",
    "highlight": "Found",
}
"""What the legend calls each kind; later kinds are drawn above earlier ones."""

NAMED_MARKS = 8
"""Overlaid tracks whose name is written out; the others say it on hover."""


SAVE_LABEL = "Save as PNG or SVG"
"""What the save button of every chart says; data/chart_menu.html finds it by this."""


def chart_config(name: str, zoom_by_wheel: bool = False) -> dict[str, Any]:
    """Plotly's `config` for a figure: few buttons, and one to save it as a file called `name`.

    Plotly knows one format, PNG here; data/chart_menu.html lets a person choose SVG as well.
    """
    return {
        "displaylogo": False,
        "scrollZoom": zoom_by_wheel,
        "modeBarButtonsToRemove": ["zoomIn2d", "zoomOut2d", "autoScale2d"],
        "toImageButtonOptions": {"format": "png", "filename": name, "scale": 2},
        "locales": {"en": {"dictionary": {"Download plot as a PNG": SAVE_LABEL}}},
    }


def base_layout(colours: Palette, height: int, **more: Any) -> dict[str, Any]:
    """What all figures share."""
    clear = "rgba(0,0,0,0)"
    return {
        "height": height,
        "paper_bgcolor": colours.background,  # a saved chart is legible on any paper
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


def axis(colours: Palette, title: str, grid: bool = False) -> dict[str, Any]:
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


def log_range(values: np.ndarray, headroom: float) -> tuple[float, float]:
    """Decimal logarithms of an axis around positive values, `headroom` of their span above."""
    low, high = np.log10([values.min(), values.max()]) if len(values) else (0.0, 1.0)
    span = max(high - low, 0.3)
    return float(low - 0.03 * span), float(high + (0.04 + headroom) * span)


def log_axis(values: np.ndarray, limits: tuple[float, float]) -> dict[str, Any]:
    """A log axis with ticks where `log_ticks` puts them."""
    low, high = (values.min(), values.max()) if len(values) else (1, 10)
    ticks = log_ticks(low, high)
    return {"type": "log", "range": list(limits), "tickvals": ticks, "tickformat": ","}


def log_ticks(low: float, high: float) -> np.ndarray:
    """The decades between two positive numbers; 1, 2 and 5 of each if they span hardly one."""
    steps = (1,) if high >= 10 * low else (1, 2, 5)
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.outer(decades, steps).ravel()
    return ticks[(ticks > low * 0.99) & (ticks < high * 1.01)]


def overlay_marker(kind: Kind, colours: Palette) -> dict[str, Any]:
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


def over_points(colours: Palette, weight: int) -> dict[str, Any]:
    """A font with a halo of the page's colour, legible over points."""
    halo = ", ".join(f"0 0 {radius}px {colours.background}" for radius in (1, 2, 2, 3, 4))
    return {"color": colours.ink, "size": FONT_PX, "weight": weight, "shadow": halo}


def text_box(text: str, x: float, y: float, side: str) -> Box:
    """Pixels of a text whose left end, right end or centre is at (x, y)."""
    width = len(text) * CHARACTER_PX
    left = x - {"left": 0.0, "center": width / 2, "right": width}[side]
    return Box(left, y - LINE_PX / 2, left + width, y + LINE_PX / 2)


def short(name: str, length: int = 28) -> str:
    """A name cut to what fits on a chart, escaped."""
    cut = name if len(name) <= length else name[: length - 1].rstrip() + "\u2026"
    return escape(cut, quote=False)


def faded(colour: str, opacity: float) -> str:
    """The colour, given as "#RRGGBB", with an opacity."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"
