"""One chart, one pure function that returns a plotly Figure; nothing here computes or loads.

Every figure has a transparent background and inherits its font, so that it sits on a light and on
a dark page; `dark` chooses the colours. Text from a dataset is escaped: plotly reads HTML.
"""

from core.explore.figures.curves import (
    CURVE_PX,
    Mark,
    ccdf_figure,
    playlist_length_figure,
    rank_frequency_figure,
)
from core.explore.figures.leaderboard import (
    Dot,
    Price,
    cost_figure,
    dots_figure,
    heat_colours,
)
from core.explore.figures.style import CHARACTER_PX, LINE_PX, Kind, chart_config
from core.explore.figures.track_map import (
    HOVER_TRACKS,
    Categories,
    Overlay,
    Scale,
    map_figure,
)

__all__ = [
    "CHARACTER_PX",
    "CURVE_PX",
    "HOVER_TRACKS",
    "LINE_PX",
    "Categories",
    "Dot",
    "Kind",
    "Mark",
    "Overlay",
    "Price",
    "Scale",
    "ccdf_figure",
    "chart_config",
    "cost_figure",
    "dots_figure",
    "heat_colours",
    "map_figure",
    "playlist_length_figure",
    "rank_frequency_figure",
]
