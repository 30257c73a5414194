import itertools
import json

import numpy as np
import pytest

from core.explore.figures import (
    CHARACTER_PX,
    HOVER_TRACKS,
    LINE_PX,
    Categories,
    Overlay,
    Scale,
    Trail,
    map_figure,
)
from core.explore.figures.map_marks import NARROW_PX
from core.explore.figures.track_map import MAP_PX, MAP_REACH
from core.explore.labels import Box, Label
from core.explore.palette import palette

N = 400
RANDOM = np.random.default_rng(0)
COORDINATES = RANDOM.uniform(-1, 1, (N, 2)).astype(np.float32)
GENRES = [f"genre {i % 9}" if i % 10 else None for i in range(N)]
NAMES = [f"track {i}" for i in range(N)]
SEEDS = Overlay("seed", [5, 17], ["five", "seventeen"])
CONTINUATION = Overlay("continuation", [30, 31, 32], ["a", "b", "c"])


def traces(figure):
    """What the browser receives of each trace."""
    return [json.loads(trace.to_json()) for trace in figure.data]


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
        unknown, other, *above = figure.data
        assert (unknown.name, other.name) == ("Not known", "Other (2)")
        assert unknown.marker.color == other.marker.color == colours.other
        assert unknown.marker.symbol == "circle-open"  # not by colour alone
        assert {GENRES[track] for track in unknown.customdata} == {None}
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

    def test_hues_have_a_trace_each_and_no_legend(self):
        hues = np.arange(N) % 3
        hues[10] = -1
        figure = map_figure(COORDINATES, Categories("Cluster", (), hues))
        unknown, *above = figure.data
        assert unknown.customdata.tolist() == [10]
        assert [trace.marker.color for trace in above] == list(palette().categorical[:3])
        assert not any(trace.showlegend for trace in above)
        assert figure.layout.legend.title.text is None

    def test_the_long_tail_is_density_and_each_track_is_in_one_of_the_two(self):
        points = np.concatenate([COORDINATES[:100], np.full((300, 2), 0.5, np.float32)])
        points[250] = np.nan
        density, drawn = map_figure(points, shown=100).data
        assert sorted(drawn.customdata) == list(range(100))
        assert density.type == "heatmap"
        assert density.z.dtype == np.uint8
        row, column = np.unravel_index(density.z.argmax(), density.z.shape)
        assert density.x0 + column * density.dx == pytest.approx(0.5, abs=density.dx)
        assert density.y0 + row * density.dy == pytest.approx(0.5, abs=density.dy)
        assert density.z[0, 0] == 0
        assert density.name in "Long tail (density)"  # named in the legend

    def test_axes_of_the_density_are_not_swapped(self):
        tail = np.tile(np.float32([[0.8, -0.3]]), (50, 1))
        density = map_figure(np.concatenate([COORDINATES[:20], tail]), shown=20).data[0]
        row, column = np.unravel_index(density.z.argmax(), density.z.shape)
        assert density.x0 + column * density.dx == pytest.approx(0.8, abs=density.dx)
        assert density.y0 + row * density.dy == pytest.approx(-0.3, abs=density.dy)

    def test_a_hundred_thousand_points_are_a_few_bytes_each(self):
        random = np.random.default_rng(1)
        points = random.normal(0, 0.4, (100_000, 2)).astype(np.float32)
        names = [f"Some track {i}, Some artist" for i in range(HOVER_TRACKS)]
        hues = random.integers(0, 24, 100_000)
        figure = map_figure(points, Categories("Cluster", (), hues), names=names)
        assert len(figure.to_json()) < 3_500_000
        less = map_figure(points, Categories("Cluster", (), hues), names=names, shown=10_000)
        assert len(less.to_json()) < 600_000

    def test_what_is_selected_stands_out_in_every_trace(self):
        selected = np.array([3, 17, 18, 399, 5_000], np.int32)
        figure = map_figure(COORDINATES, Categories("Genre", GENRES), selected=selected)
        bright = [trace.customdata[trace.selectedpoints] for trace in figure.data]
        assert sorted(np.concatenate(bright).tolist()) == [3, 17, 18, 399]
        other = map_figure(COORDINATES, selected=selected[:2])
        assert other.layout.selectionrevision != figure.layout.selectionrevision
        assert map_figure(COORDINATES).data[0].selectedpoints is None

    def test_the_density_fades_where_nothing_is_selected(self):
        spots = np.float32([[0.5, 0.5], [-0.5, -0.5]])
        points = np.concatenate([COORDINATES[:50], spots.repeat(100, axis=0)])
        whole = map_figure(points, shown=50).data[0].z
        half = map_figure(points, shown=50, selected=np.arange(50, 150)).data[0].z
        right = slice(whole.shape[1] // 2, None)
        np.testing.assert_array_equal(half[:, right], whole[:, right])
        left = slice(0, whole.shape[1] // 2)
        assert 0 < half[:, left].max() < whole[:, left].max() / 4

    @pytest.mark.parametrize("drag", ["lasso", "select"])
    def test_what_is_drawn_touches_no_points(self, drag):
        figure = map_figure(COORDINATES, shown=50, overlays=[SEEDS], drag=drag)
        *others, sheet = figure.data
        assert figure.layout.dragmode == drag
        # Plotly selects among the traces on the uppermost axes: those of the sheet.
        assert sheet.yaxis == "y2"
        assert figure.layout.yaxis2.matches == "y"
        assert figure.layout.yaxis2.range == figure.layout.yaxis.range
        assert sheet.x == (None,)
        assert all(trace.yaxis is None for trace in others)
        assert len(map_figure(COORDINATES, shown=50, overlays=[SEEDS]).data) == len(others)

    def test_numbers_are_places_in_the_playlist(self):
        coordinates = COORDINATES.copy()
        coordinates[17] = np.nan
        overlay = Overlay("seed", [5, 17, 30], ["a", "b", "c"], numbered=True)
        marks = map_figure(coordinates, overlays=[overlay]).data[-1]
        assert marks.customdata.tolist() == [5, 30]
        assert marks.text == ("1", "3")

    def test_a_trail_joins_the_placed_tracks_in_order_and_points_onwards(self):
        coordinates = np.array([[-0.5, 0], [0, 0.5], [np.nan, 0], [0.5, 0.5], [0.5, -0.5]])
        figure = map_figure(coordinates, trails=[Trail([0, 2, 3, 9, 4]), Trail([4, 1], True)])
        line, arrows, proposed = figure.data[1:]
        np.testing.assert_allclose(np.c_[line.x, line.y], coordinates[[0, 3, 4]])
        assert (line.line.dash, proposed.line.dash) == ("solid", "dot")
        assert arrows.marker.symbol == "triangle-up"
        # Clockwise from upwards: east-north-east, then down.
        assert arrows.marker.angle % 360 == pytest.approx([np.degrees(np.arctan2(1, 0.5)), 180])
        np.testing.assert_allclose(np.c_[proposed.x, proposed.y], coordinates[[4, 1]])
        assert len(map_figure(coordinates, trails=[Trail([0, 9])]).data) == 1

    def test_on_a_phone_fewer_texts_stay_within_the_map_and_do_not_overlap(self):
        labels = [
            Label(x, y, "a genre of music") for x in (-1, -0.5, 0, 0.9) for y in (-0.4, 0, 0.1)
        ]
        figure = map_figure(COORDINATES, labels=labels, overlays=[SEEDS])
        annotations = figure.layout.annotations
        narrow = figure.layout.meta["narrow"]
        assert 3 <= narrow < len(annotations) <= len(labels) + 2
        for unit, some in (
            (MAP_PX / 2 / MAP_REACH, annotations),
            (NARROW_PX, annotations[:narrow]),
        ):
            boxes = [pixels(note, unit) for note in some]
            assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
        for box in (pixels(note, NARROW_PX) for note in annotations[:narrow]):
            assert max(-box.left, box.right) <= MAP_REACH * NARROW_PX + 1e-6


def pixels(note, unit):
    """Where a text stands, from what the browser is told."""
    x, y = note.x * unit + note.xshift, note.y * unit + note.yshift
    width = len(note.text) * CHARACTER_PX
    left = x - {"left": 0, "center": width / 2, "right": width}[note.xanchor]
    return Box(left, y - LINE_PX / 2, left + width, y + LINE_PX / 2)
