"""Figures of the leaderboard."""

import json

import numpy as np
import pytest

from core.explore.figures import Dot, Price, cost_figure, dots_figure, heat_colours
from core.explore.figures.leaderboard import COST_PX
from core.explore.figures.style import text_box
from core.explore.labels import Placement
from core.explore.palette import palette

SIGNS = "<b>x</b> & co"
DOTS = [
    Dot("best", 0.3, 0.25, 0.36, loud=True),
    Dot(SIGNS, 0.2, 0.15, 0.22),
    Dot("control", 0.1, quiet=True),
]


def contrast(one, other):
    """WCAG contrast of two colours, from 1 to 21."""

    def luminance(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
def test_figures_sit_on_any_page_and_escape_names(dark):
    prices = [Price(dot, cost) for dot, cost in zip(DOTS, (10.0, 1.0, 100.0), strict=True)]
    for figure in (dots_figure(DOTS, "R", dark=dark), cost_figure(prices, "s", "R", dark=dark)):
        assert figure.layout.paper_bgcolor == palette(dark).background
        assert figure.layout.font.color == palette(dark).ink
        assert "<b>" not in figure.to_json()
        assert "&lt;b&gt;" in figure.to_json()


class TestDots:
    def test_each_row_has_its_value_its_interval_and_its_colour(self):
        figure = dots_figure(DOTS, "R-precision")
        (trace,) = figure.data
        colours = palette()
        np.testing.assert_allclose(trace.x, [0.3, 0.2, 0.1])
        np.testing.assert_allclose(trace.error_x.array, [0.06, 0.02, 0])
        np.testing.assert_allclose(trace.error_x.arrayminus, [0.05, 0.05, 0])
        assert list(trace.marker.color) == [colours.accent, colours.categorical[0], colours.other]
        assert trace.customdata[0] == "best: 0.300 [0.250, 0.360]"
        assert trace.customdata[2] == "control: 0.100"
        assert [note.text for note in figure.layout.annotations] == ["0.300", "0.200", "0.100"]
        first, last = figure.layout.yaxis.range
        assert first > last  # the first row is on top

    def test_differences_have_a_sign_and_a_zero(self):
        figure = dots_figure([Dot("a", 0.05), Dot("b", -0.01)], "gain", difference=True)
        assert [note.text for note in figure.layout.annotations] == ["+0.050", "-0.010"]
        assert figure.layout.shapes[0].x0 == figure.layout.shapes[0].x1 == 0

    def test_shares_are_percentages_beside_a_line_with_a_name(self):
        figure = dots_figure([Dot("a", 0.051)], "recall", percent=True, line=0.6, line_text="all")
        assert [note.text for note in figure.layout.annotations] == ["5.1%", "all"]
        assert figure.layout.shapes[0].x0 == 0.6

    def test_long_names_take_two_lines(self):
        figure = dots_figure([Dot("Multi-view playlist neighbours", 1.0)], "R")
        assert figure.layout.yaxis.ticktext == ("Multi-view playlist<br>neighbours",)


class TestCost:
    PRICES = (
        Price(Dot("cheap and bad", 0.1), 1.0),
        Price(Dot("surpassed", 0.08), 5.0),
        Price(Dot("fair", 0.2), 10.0),
        Price(Dot("dear and good", 0.3), 100.0),
        Price(Dot("dear and bad", 0.15), 200.0),
    )

    def test_the_line_joins_what_nothing_cheaper_surpasses(self):
        line, _ = cost_figure(self.PRICES, "s", "R").data
        corners = list(zip(line.x, line.y, strict=True))
        assert corners == [(1, 0.1), (10, 0.1), (10, 0.2), (100, 0.2), (100, 0.3)]

    def test_fewer_may_be_better(self):
        figure = cost_figure(self.PRICES, "s", "clicks", lower_is_better=True)
        line, _ = figure.data
        assert list(zip(line.x, line.y, strict=True)) == [(1, 0.1), (5, 0.1), (5, 0.08)]
        low, high = figure.layout.yaxis.range
        assert low > high  # up is better

    @pytest.mark.parametrize("phone", [False, True])
    def test_names_that_are_written_do_not_overlap(self, phone):
        random = np.random.default_rng(0)
        prices = [
            Price(Dot(f"model number {i}", float(random.random())), float(random.lognormal()))
            for i in range(25)
        ]
        figure = cost_figure(prices, "s", "R", phone=phone)
        notes = figure.layout.annotations
        assert 0 < len(notes) <= len(prices)
        (left, right), (low, high) = figure.layout.xaxis.range, figure.layout.yaxis.range
        width, height = COST_PX[phone]
        placement = Placement()
        for note in notes:
            x = (note.x - left) / (right - left) * width + note.xshift
            y = (note.y - low) / (high - low) * height + note.yshift
            boxes = [
                text_box(line, x, y + 18 * (note.text.count("<br>") / 2 - place), note.xanchor)
                for place, line in enumerate(note.text.split("<br>"))
            ]
            assert placement.fits(*boxes)
            placement.take(*boxes)

    def test_one_point_alone(self):
        json.loads(cost_figure(self.PRICES[:1], "s", "R").to_json())


class TestHeat:
    VALUES = np.array([[0.1, 5.0, np.nan], [0.3, 5.0, 1.0], [0.2, 5.0, 2.0]])

    def test_the_best_of_a_column_is_fullest(self):
        fills = heat_colours(self.VALUES)
        first = [fills[row][0] for row in (0, 2, 1)]
        assert sorted(first, key=lambda fill: contrast(fill, "#FFFFFF")) == first
        reverse = heat_colours(self.VALUES, lower_is_better=True)
        assert [reverse[row][0] for row in (1, 2, 0)] == first

    def test_equals_and_the_unknown_are_clear(self):
        fills = heat_colours(self.VALUES)
        assert [row[1] for row in fills] == ["", "", ""]
        assert fills[0][2] == ""
        assert fills[2][2] != ""

    @pytest.mark.parametrize("dark", [False, True])
    def test_text_is_legible_on_every_fill(self, dark):
        fills = heat_colours(np.linspace(0, 1, 20)[:, None], dark=dark)
        assert all(contrast(fill, palette(dark).ink) >= 4.5 for (fill,) in fills)
