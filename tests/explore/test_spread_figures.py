"""The Lorenz curve, and how popular recommendations are."""

import numpy as np
import pytest

from core.evaluation.lean import LEVELS, SETTINGS, Lean, LeanReport
from core.explore.figures import lean_figure, lorenz_figure
from core.explore.palette import palette
from core.explore.spread import Curve, lorenz

FALLING = np.array([[s * 10**-setting for s in (1, 2, 4, 8, 16)] for setting in (2, 1, 0, -1, -2)])


def lean(name: str, scale: float = 10.0) -> Lean:
    """A model whose tracks are ten times as popular at each step of the dial, from deep cuts."""
    return Lean(name, f"<b>{name}</b>", (FALLING * scale).tolist())


def report(n: int) -> LeanReport:
    models = [lean(f"model {i}") for i in range(n)]
    return LeanReport("some", 60, (1, 5, 20, 40, 80), (1, 4, 15, 30, 60), models)


def named(figure, name):
    return [trace for trace in figure.data if trace.name == name]


class TestLorenz:
    COUNTS = np.sort(np.random.default_rng(0).zipf(2.2, 3_000).clip(max=500))

    def test_it_shows_the_curve_and_equal_shares(self):
        curve = lorenz(self.COUNTS)
        figure = lorenz_figure(curve, noun="artist")
        equal, shown, _ = figure.data
        assert list(equal.x) == list(equal.y) == [0, 1]
        assert equal.line.dash
        np.testing.assert_array_equal(shown.y, curve.y)
        assert shown.fill == "tonexty"
        assert "artists" in figure.layout.xaxis.title.text

    def test_it_says_what_the_most_popular_hold(self):
        figure = lorenz_figure(lorenz(self.COUNTS))
        top = self.COUNTS[::-1]
        held = [100 * top[: len(top) // 100 * share].sum() / top.sum() for share in (1, 10)]
        texts = [note.text for note in figure.layout.annotations]
        assert texts == [f"top {s} % hold {h:.0f} %" for s, h in zip((1, 10), held, strict=True)]
        assert list(figure.data[2].x) == pytest.approx([0.99, 0.9])

    @pytest.mark.parametrize("counts", [[5] * 100, [0] * 99 + [7]])
    def test_texts_stay_inside_however_unequal(self, counts):
        figure = lorenz_figure(lorenz(np.array(counts)))
        for note in figure.layout.annotations:
            assert 0 <= note.y <= 1
            assert note.xanchor == "right"
            assert note.x <= 1

    def test_nothing_to_share_is_no_error(self):
        lorenz_figure(Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0])), dark=True)


class TestLean:
    @pytest.mark.parametrize("n", [1, 3, 4, 5, 12])
    @pytest.mark.parametrize("phone", [False, True])
    def test_a_chart_a_model_inside_the_figure(self, n, phone):
        figure = lean_figure(report(n), phone=phone)
        lines = named(figure, "Recommended tracks")
        assert len(lines) == n
        assert len({line.xaxis for line in lines}) == n
        assert [note.text for note in figure.layout.annotations] == [
            f"&lt;b&gt;model {i}&lt;/b&gt;" for i in range(n)
        ]
        boxes = []
        for line in lines:
            number = line.xaxis[1:]
            boxes.append(
                figure.layout[f"xaxis{number}"].domain + figure.layout[f"yaxis{number}"].domain
            )
        for left, right, bottom, top in boxes:
            assert 0 <= left < right <= 1
            assert 0 <= bottom < top <= 1
        assert len({(left, top) for left, _, _, top in boxes}) == n
        assert len({left for left, *_ in boxes}) <= (2 if phone else 4)

    def test_lines_are_the_medians_and_bands_the_middle_half(self):
        figure = lean_figure(report(2))
        (line, _), (band, _) = named(figure, "Recommended tracks"), named(figure, "Middle half")
        assert list(line.x) == list(SETTINGS)
        middle, low, high = (FALLING[:, LEVELS.index(level)] * 10 for level in (0.5, 0.25, 0.75))
        assert list(line.y) == pytest.approx(middle.clip(1).tolist())
        assert list(band.y) == pytest.approx([*low.clip(1), *high[::-1].clip(1)])
        # As on the dial, popular is at the left.
        assert figure.layout.xaxis.range[0] > 0 > figure.layout.xaxis.range[1]

    def test_what_listeners_chose_is_across_every_chart_and_once_in_the_legend(self):
        figure = lean_figure(report(3))
        for name, value in (("Entries of training playlists", 20), ("Hidden tracks", 15)):
            (key,) = named(figure, f"{name}: {value}")
            lines = [shape for shape in figure.layout.shapes if shape.y0 == value]
            assert {line.xref for line in lines} == {"x", "x2", "x3"}
            assert {line.line.dash for line in lines} == {key.line.dash}
            assert all(line.y1 == value for line in lines)
        assert len({shape.line.dash for shape in figure.layout.shapes}) == 2  # not colour alone

    def test_all_share_one_scale_that_holds_them(self):
        figure = lean_figure(report(5))
        ranges = {figure.layout[f"yaxis{n}"].range for n in ("", 2, 3, 4, 5)}
        assert len(ranges) == 1
        low, high = ranges.pop()
        shown = np.concatenate([trace.y for trace in figure.data if trace.xaxis])
        assert low <= np.log10(shown.min())
        assert np.log10(shown.max()) <= high

    def test_tracks_of_no_playlist_are_on_the_scale(self):
        nothing = Lean("none", "None", [[0.0] * len(LEVELS)] * len(SETTINGS))
        figure = lean_figure(LeanReport("some", 1, (0,) * 5, (0,) * 5, [nothing]), dark=True)
        assert np.isfinite(figure.layout.yaxis.range).all()
        assert min(min(trace.y) for trace in figure.data if trace.xaxis) == 1
        assert figure.layout.font.color == palette(True).ink
