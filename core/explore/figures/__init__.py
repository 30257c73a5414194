"""One chart, one pure function that returns a plotly Figure; nothing here computes or loads.

Every figure is on the page's own colour and inherits its font, so that it sits on a light and on a
dark page; `dark` chooses the colours. Text from a dataset is escaped: plotly reads HTML.
"""

from core.explore.figures.agreement import matrix_figure, places_figure
from core.explore.figures.coverage import coverage_figure
from core.explore.figures.crawl import crawl_figure
from core.explore.figures.curves import (
    CURVE_PX,
    Mark,
    ccdf_figure,
    playlist_length_figure,
    rank_frequency_figure,
)
from core.explore.figures.grid import Axis, parallel_figure, written
from core.explore.figures.journey import profile_figure, route_figure
from core.explore.figures.leaderboard import (
    Dot,
    Price,
    cost_figure,
    dots_figure,
    heat_colours,
)
from core.explore.figures.lean import lean_figure
from core.explore.figures.learning import learning_figure
from core.explore.figures.lorenz import lorenz_figure
from core.explore.figures.reasons import Bar, owing_figure
from core.explore.figures.replay import replay_figure
from core.explore.figures.style import CHARACTER_PX, LINE_PX, Kind, chart_config
from core.explore.figures.track_map import (
    HOVER_TRACKS,
    Categories,
    Overlay,
    Scale,
    Trail,
    map_figure,
)

__all__ = [
    "CHARACTER_PX",
    "CURVE_PX",
    "HOVER_TRACKS",
    "LINE_PX",
    "Axis",
    "Bar",
    "Categories",
    "Dot",
    "Kind",
    "Mark",
    "Overlay",
    "Price",
    "Scale",
    "Trail",
    "ccdf_figure",
    "chart_config",
    "cost_figure",
    "coverage_figure",
    "crawl_figure",
    "dots_figure",
    "heat_colours",
    "lean_figure",
    "learning_figure",
    "lorenz_figure",
    "map_figure",
    "matrix_figure",
    "owing_figure",
    "parallel_figure",
    "places_figure",
    "playlist_length_figure",
    "profile_figure",
    "rank_frequency_figure",
    "replay_figure",
    "route_figure",
    "written",
]
