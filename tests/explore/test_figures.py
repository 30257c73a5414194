import itertools
import json

import numpy as np
import pytest

from core.explore.figures import (
    CHARACTER_PX,
    CURVE_PX,
    HOVER_TRACKS,
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
from core.explore.labels import Box, Label
from core.explore.palette import palette
from core.explore.power_law import (
    Curve,
    PowerLawFit,
    ccdf,
    length_histogram,
    rank_frequency,
)

N = 400
RANDOM = np.random.default_rng(0)
COORDINATES = RANDOM.uniform(-1, 1, (N, 2)).astype(np.float32)
GENRES = [f"genre {i % 9}" if i % 10 else None for i in range(N)]
NAMES = [f"track {i}" for i in range(N)]
COUNTS = np.sort(RANDOM.zipf(2.0, 5_000).clip(max=3_000))[::-1]
FIT = PowerLawFit(2.0, 0.01, 4, 1_000, 5_000, 0.01, ())
SEEDS = Overlay("seed", [5, 17], ["five", "seventeen"])
CONTINUATION = Overlay("continuation", [30, 31, 32], ["a", "b", "c"])
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
        assert layout.paper_bgcolor == layout.plot_bgcolor == "rgba(0,0,0,0)"
        assert layout.font.color == palette(dark).ink
        assert layout.font.family is None
        json.loads(figure.to_json())


def test_figures_change_colour_only_between_pages():
    for light, dark in zip(every_figure(False), every_figure(True), strict=True):
        assert len(light.data) == len(dark.data)
        assert len(light.layout.annotations) == len(dark.layout.annotations)


class TestMap:
    def test_base_traces_do_not_depend_on_overlays(self):
        colour = Categories("Genre", GENRES)
        base = map_figure(COORDINATES, colour, names=NAMES)
        full = map_figure(COORDINATES, colour, names=NAMES, overlays=[SEEDS, CONTINUATION])
        assert traces(full)[: len(base.data)] == traces(base)
        assert [trace.name for trace in full.data[len(base.data) :]] == ["Seeds", "Continuation"]
        assert base.layout.uirevision == full.layout.uirevision

    def test_every_placed_track_is_drawn_once_as_small_numbers(self):
        coordinates = COORDINATES.copy()
        coordinates[[3, 50]] = np.nan
        for colour in (None, Categories("Genre", GENRES), Scale("Year", np.arange(N))):
            data = map_figure(coordinates, colour).data
            drawn = np.concatenate([trace.customdata for trace in data])
            assert sorted(drawn) == [track for track in range(N) if track not in (3, 50)]
            for trace in data:
                assert trace.type == "scattergl"
                assert trace.x.dtype == trace.y.dtype == np.float32
                assert trace.customdata.dtype == np.int32
                np.testing.assert_array_equal(trace.x, coordinates[trace.customdata, 0])

    def test_popular_tracks_are_larger_and_on_top(self):
        (trace,) = map_figure(COORDINATES).data
        assert trace.customdata[-1] == 0
        assert (np.diff(trace.marker.size) >= 0).all()
        assert trace.marker.size[-1] > 1.5 * trace.marker.size[0]

    def test_only_popular_tracks_are_named(self):
        n = HOVER_TRACKS + 500
        coordinates = np.zeros((n, 2), np.float32)
        (trace,) = map_figure(coordinates, names=[f"<b>{i}</b> & co" for i in range(n)]).data
        assert trace.hovertext[-1] == "&lt;b&gt;0&lt;/b&gt; &amp; co"
        named = [
            track for track, text in zip(trace.customdata, trace.hovertext, strict=True) if text
        ]
        assert sorted(named) == list(range(HOVER_TRACKS))

    def test_frequent_categories_have_a_colour_each_and_the_rest_is_grey_below(self):
        figure = map_figure(COORDINATES, Categories("Genre & style", GENRES))
        colours = palette()
        below, *above = figure.data
        assert below.name == "Other, unknown"
        assert below.marker.color == colours.other
        assert [trace.marker.color for trace in above] == list(colours.categorical)
        assert len({trace.name for trace in above}) == len(colours.categorical)
        for trace in above:
            assert {GENRES[track] for track in trace.customdata} == {trace.name}
        assert figure.layout.legend.title.text == "Genre &amp; style"

    def test_few_categories_need_no_grey(self):
        figure = map_figure(COORDINATES, Categories("Mode", ["major", "minor"] * (N // 2)))
        assert sorted(trace.name for trace in figure.data) == ["major", "minor"]

    def test_numbers_are_coloured_between_their_percentiles_and_the_unknown_is_grey(self):
        values = np.linspace(0, 100, N)
        values[7] = np.nan
        values[8] = 1e9  # one wrong value must not flatten all others
        unknown, known = map_figure(COORDINATES, Scale("Tempo (bpm)", values)).data
        assert unknown.customdata.tolist() == [7]
        assert known.marker.cmin == pytest.approx(2, abs=1)
        assert known.marker.cmax == pytest.approx(98, abs=1)
        np.testing.assert_allclose(known.marker.color, values[known.customdata], rtol=1e-6)
        assert known.marker.colorbar.title.text == "Tempo (bpm)"

    def test_log_scale_says_plain_numbers(self):
        values = np.geomspace(1, 10_000, N)
        values[0] = 0
        unknown, known = map_figure(COORDINATES, Scale("Playlists", values, log=True)).data
        assert unknown.customdata.tolist() == [0]
        assert known.marker.colorbar.ticktext == ("10", "100", "1,000")
        assert known.marker.colorbar.tickvals.tolist() == [1, 2, 3]

    def test_overlays_leave_out_what_has_no_place(self):
        coordinates = COORDINATES.copy()
        coordinates[5] = np.nan
        overlay = Overlay("seed", [5, N + 3, 17], ["nowhere", "unpopular", "a <i>title"])
        seeds = map_figure(coordinates, overlays=[overlay]).data[-1]
        assert seeds.customdata.tolist() == [17]
        assert list(seeds.hovertext) == ["a &lt;i&gt;title"]

    def test_overlay_survives_a_selection_of_others(self):
        figure = map_figure(COORDINATES, overlays=[SEEDS])
        assert figure.data[0].unselected.marker.opacity < 0.3
        assert figure.data[-1].unselected.marker.opacity == 1
        assert figure.layout.dragmode == "lasso"

    def test_seeds_and_labels_are_written_out(self):
        figure = map_figure(
            COORDINATES, labels=[Label(0.1, 0.2, "r&b")], overlays=[SEEDS, CONTINUATION]
        )
        texts = [annotation.text for annotation in figure.layout.annotations]
        assert texts == ["r&amp;b", "five", "seventeen"]

    def test_names_of_seeds_on_one_spot_do_not_overlap(self):
        coordinates = np.zeros((20, 2), np.float32)
        overlay = Overlay("seed", list(range(8)), ["a rather long title"] * 8)
        figure = map_figure(coordinates, overlays=[overlay])
        boxes = []
        for a in figure.layout.annotations:
            width = len(a.text) * CHARACTER_PX
            left = a.xshift - {"left": 0, "center": width / 2, "right": width}[a.xanchor]
            y = a.yshift or 0
            boxes.append(Box(left, y - LINE_PX / 2, left + width, y + LINE_PX / 2))
        assert len(boxes) == 4
        assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


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
        assert texts == ["power law, exponent 2.00 \u00b1 0.01", "x_min = 4"]
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


def test_chart_config_saves_an_svg():
    config = chart_config("map", zoom_by_wheel=True)
    assert config["toImageButtonOptions"] == {"format": "svg", "filename": "map"}
    assert config["scrollZoom"] is True
    assert chart_config("tail")["scrollZoom"] is False
