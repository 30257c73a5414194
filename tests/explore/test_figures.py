import itertools
import json

import numpy as np
import pytest

from core.explore.figures import (
    CHARACTER_PX,
    CURVE_PX,
    LINE_PX,
    Categories,
    Mark,
    Overlay,
    Scale,
    ccdf_figure,
    chart_config,
    map_figure,
    playlist_length_figure,
    rank_frequency_figure,
)
from core.explore.figures.style import SAVE_LABEL
from core.explore.labels import Box
from core.explore.palette import PALETTE, palette
from core.explore.power_law import PowerLawFit
from core.explore.spread import Curve, ccdf, length_histogram, rank_frequency

N = 400
RANDOM = np.random.default_rng(0)
COORDINATES = RANDOM.uniform(-1, 1, (N, 2)).astype(np.float32)
GENRES = [f"genre {i % 9}" if i % 10 else None for i in range(N)]
NAMES = [f"track {i}" for i in range(N)]
COUNTS = np.sort(RANDOM.zipf(2.0, 5_000).clip(max=3_000))[::-1]
FIT = PowerLawFit(2.0, 0.01, 4, 1_000, 5_000, 0.01, ())
SEEDS = Overlay("seed", [5, 17], ["five", "seventeen"])
MARKS = [Mark("seed", f"seed {r}", r, int(COUNTS[r - 1])) for r in (1, 2, 3, 40, 41, 900, 4_999)]
MARKS += [Mark("continuation", f"next {r}", r, int(COUNTS[r - 1])) for r in range(10, 30)]


def every_figure(dark=False):
    yield map_figure(COORDINATES, dark=dark)
    yield map_figure(
        COORDINATES, Categories("Genre", GENRES), names=NAMES, overlays=[SEEDS], dark=dark
    )
    yield map_figure(COORDINATES, Scale("Year", np.arange(N)), dark=dark)
    yield rank_frequency_figure(rank_frequency(COUNTS), MARKS, dark=dark)
    yield ccdf_figure(ccdf(COUNTS), FIT, MARKS, dark=dark)
    yield playlist_length_figure(length_histogram(COUNTS), 3, dark=dark)


def traces(figure):
    """What the browser receives of each trace."""
    return [json.loads(trace.to_json()) for trace in figure.data]


@pytest.mark.parametrize("dark", [False, True])
def test_figures_sit_on_any_page(dark):
    for figure in every_figure(dark):
        layout = figure.layout
        assert layout.paper_bgcolor == palette(dark).background  # also when saved
        assert layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert layout.font.color == palette(dark).ink
        assert layout.font.family is None
        json.loads(figure.to_json())


def test_figures_change_colour_only_between_pages():
    for light, dark in zip(every_figure(False), every_figure(True), strict=True):
        assert len(light.data) == len(dark.data)
        assert len(light.layout.annotations) == len(dark.layout.annotations)


class TestCurves:
    @pytest.mark.parametrize(
        ("figure", "axis", "ticks"),
        [
            (rank_frequency_figure(rank_frequency(COUNTS)), "xaxis", [1, 10, 100, 1_000]),
            (rank_frequency_figure(rank_frequency(COUNTS)), "yaxis", [1, 10, 100, 1_000]),
            (ccdf_figure(ccdf(COUNTS)), "yaxis", [0.001, 0.01, 0.1, 1]),
            (ccdf_figure(ccdf(np.array([1, 2, 3, 7]))), "xaxis", [1, 2, 5]),
        ],
    )
    def test_ticks_are_decades_or_fractions_of_a_single_one(self, figure, axis, ticks):
        shown = figure.layout[axis]
        assert shown.type == "log"
        assert shown.tickvals == pytest.approx(ticks)
        assert shown.title.text

    def test_fit_is_drawn_from_x_min_and_says_its_exponent(self):
        figure = ccdf_figure(ccdf(COUNTS), FIT)
        line = figure.data[1]
        assert line.name == "Power law"
        assert line.x[0] == FIT.x_min
        texts = [annotation.text for annotation in figure.layout.annotations]
        assert texts == ["power law, exponent 2.00", "x_min = 4"]
        assert figure.layout.shapes[0].x0 == FIT.x_min

    def test_without_a_fit_there_is_only_the_curve(self):
        figure = ccdf_figure(ccdf(COUNTS))
        assert len(figure.data) == 1
        assert not figure.layout.annotations
        assert not figure.layout.shapes

    @pytest.mark.parametrize(
        "figure",
        [
            rank_frequency_figure(rank_frequency(COUNTS), MARKS),
            ccdf_figure(ccdf(COUNTS), FIT, MARKS),
        ],
    )
    def test_marks_fall_on_the_curve_and_reach_the_axis(self, figure):
        curve = figure.data[0]
        by_name = {trace.name: trace for trace in figure.data}
        assert len(by_name["Seeds"].x) == 7
        assert len(by_name["Continuation"].x) == 20
        for trace in (by_name["Seeds"], by_name["Continuation"]):
            on_curve = np.exp(np.interp(np.log(trace.x), np.log(curve.x), np.log(curve.y)))
            np.testing.assert_allclose(trace.y, on_curve, rtol=0.2)
            foot = trace.y - trace.error_y.arrayminus
            np.testing.assert_allclose(foot, 10 ** figure.layout.yaxis.range[0], rtol=1e-9)

    def test_names_of_seeds_overlap_neither_each_other_nor_their_lines(self):
        figure = rank_frequency_figure(rank_frequency(COUNTS), MARKS)
        (x0, x1), (y0, y1) = figure.layout.xaxis.range, figure.layout.yaxis.range
        texts, lines = [], []
        for note in figure.layout.annotations:
            x = (note.x - x0) / (x1 - x0) * CURVE_PX[0]
            foot = (note.y - y0) / (y1 - y0) * CURVE_PX[1]
            y = foot - note.ay
            width = len(note.text) * CHARACTER_PX
            left = x + 3 if note.xanchor == "left" else x - 3 - width
            texts.append(Box(left, y - LINE_PX / 2, left + width, y + LINE_PX / 2))
            lines.append(Box(x - 1, foot, x + 1, y))
        assert len(texts) >= 6
        assert not any(a.overlaps(b) for a, b in itertools.combinations(texts, 2))
        assert not any(text.overlaps(line) for text in texts for line in lines)

    def test_names_are_escaped_and_cut(self):
        mark = Mark("seed", "<script> & a very long title indeed", 3, 100)
        figure = rank_frequency_figure(rank_frequency(COUNTS), [mark])
        (note,) = figure.layout.annotations
        assert note.text == "&lt;script&gt; &amp; a very lon\u2026"
        assert figure.data[1].customdata[0].startswith("&lt;script&gt; &amp; a very long title in")

    def test_a_track_in_no_playlist_has_no_mark(self):
        mark = Mark("seed", "unheard", 5_001, 0)
        for figure in (
            rank_frequency_figure(rank_frequency(COUNTS), [mark]),
            ccdf_figure(ccdf(COUNTS), marks=[mark]),
        ):
            assert len(figure.data) == 1

    def test_artists_are_called_artists(self):
        figure = ccdf_figure(ccdf(COUNTS), noun="artist")
        assert "artists" in figure.layout.yaxis.title.text
        assert "artists" in figure.data[0].hovertemplate

    def test_nothing_to_draw_is_no_error(self):
        nothing = Curve(np.empty(0), np.empty(0))
        rank_frequency_figure(nothing)
        ccdf_figure(nothing)
        playlist_length_figure(length_histogram(np.empty(0)), 1)


def test_lengths_say_their_bin():
    figure = playlist_length_figure(length_histogram(np.array([10, 10, 50, 51, 53])), 50)
    (trace,) = figure.data
    said = dict(zip(trace.customdata, trace.y, strict=False))
    assert said["10"] == 2
    assert sum(trace.y[:-1]) == 5
    assert any(" to " in span for span in trace.customdata)
    assert figure.layout.shapes[0].x0 == 50


def test_chart_config_names_the_file_and_offers_both_formats():
    config = chart_config("map", zoom_by_wheel=True)
    assert config["toImageButtonOptions"] == {"format": "png", "filename": "map", "scale": 2}
    assert config["locales"]["en"]["dictionary"] == {"Download plot as a PNG": SAVE_LABEL}
    assert config["scrollZoom"] is True
    assert chart_config("tail")["scrollZoom"] is False


def test_the_menu_of_formats_finds_the_button_by_its_label():
    assert SAVE_LABEL in (PALETTE.parent / "chart_menu.html").read_text(encoding="utf-8")
