import pytest

from core.explore.figures import Axis, learning_figure, parallel_figure, written

AXES = [
    Axis("Factors", [8, 64, 16, 8], steps=True),
    Axis("Score", ["product", "cosine", "product", "cosine"], steps=True),
    Axis("R-precision", [0.1, 0.4, 0.2, 0.3]),
    Axis("Clicks", [9.0, 1.0, 5.0, 3.0], falling=True),
]


def test_good_is_up_and_settings_are_evenly_spaced():
    factors, score, precision, clicks = AXES
    assert factors.heights() == [0, 1, 0.5, 0]
    assert score.heights() == [1, 0, 1, 0]
    assert precision.heights() == pytest.approx([0, 1, 1 / 3, 2 / 3])
    assert clicks.heights() == pytest.approx([0, 1, 0.5, 0.75])
    assert clicks.places() == {9.0: 0.0, 1.0: 1.0}


def test_one_value_is_in_the_middle():
    assert Axis("x", [5, 5], steps=True).heights() == [0.5, 0.5]
    assert Axis("x", [5.0, 5.0]).heights() == [0.5, 0.5]
    assert Axis("x", [5.0, 5.0], falling=True).heights() == [0.5, 0.5]


def test_every_point_is_a_line_and_the_chosen_one_is_bold_and_last():
    figure = parallel_figure(AXES, judge=2, chosen=3)
    assert len(figure.data) == 4
    bold = figure.data[-1]
    assert list(bold.y) == pytest.approx([0, 0, 2 / 3, 0.75])
    assert bold.mode == "lines+markers"
    assert all(bold.line.width > other.line.width for other in figure.data[:-1])
    assert "Factors: 8<br>Score: cosine<br>R-precision: 0.3<br>Clicks: 3" in bold.hovertext
    # what is left is drawn from the worst to the best, which is loudest
    assert [line.y[2] for line in figure.data[:-1]] == pytest.approx([0, 1 / 3, 1])
    assert len({line.line.color for line in figure.data[:-1]}) == 3
    assert len(figure.layout.shapes) == len(AXES)


def test_a_phone_sees_the_settings_and_what_they_are_judged_by():
    axes = [Axis(f"s{i}", [1, 2], steps=True) for i in range(6)] + [Axis("good", [0.1, 0.2])]
    figure = parallel_figure(axes, judge=6, chosen=0, phone=True)
    heads = [note.text for note in figure.layout.annotations if note.yanchor == "top"]
    assert heads == ["s0", "s1", "s2", "good"]
    assert all(len(line.x) == 4 for line in figure.data)


def test_texts_of_settings_are_escaped():
    axes = [Axis("a<b>", ["<i>x</i>", "y"], steps=True), Axis("good", [0.0, 1.0])]
    figure = parallel_figure(axes, judge=1, chosen=0)
    assert "<b>" not in str(figure.layout.annotations)


@pytest.mark.parametrize(
    ("value", "text"), [(20.0, "20"), (0.12345, "0.123"), (8, "8"), ("x", "x")]
)
def test_values_are_written_shortly(value, text):
    assert written(value) == text


@pytest.mark.parametrize("dark", [False, True])
def test_a_curve_says_its_last_value(dark):
    figure = learning_figure([(1, 0.5), (2, 0.25)], "Loss <b>", dark=dark)
    (curve,) = figure.data
    assert (list(curve.x), list(curve.y)) == ([1, 2], [0.5, 0.25])
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["0.25", "Loss &lt;b&gt;"]
    assert figure.layout.xaxis.title.text
