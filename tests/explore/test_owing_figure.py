"""What a track owes its place to, drawn: bars begin and end where they should."""

import pytest

from core.explore.figures import Bar, owing_figure

FALLS = [Bar("A - far", 148.0, "3 → 148"), Bar("B - up", 2.0, "3 → 2"), Bar("C - same", 3.0, "3")]


def ends(figure):
    return [tuple(trace.x) for trace in figure.data]


@pytest.mark.parametrize("dark", [False, True])
def test_places_begin_at_the_tracks_own(dark):
    figure = owing_figure(FALLS, "Place in the list", start=3, places=True, dark=dark)
    assert ends(figure) == [(3, 148), (3, 2), (3, 3)]
    assert figure.layout.xaxis.type == "log"
    assert 3 in figure.layout.xaxis.tickvals
    low, high = (10**end for end in figure.layout.xaxis.range)
    assert low < 2
    assert high > 148


def test_what_speaks_against_it_is_told_by_shape_too():
    far, up, same = owing_figure(FALLS, "Place", start=3, places=True).data
    assert {trace.marker.symbol[1] for trace in (far, same)} == {"circle"}
    assert up.marker.symbol[1] == "circle-open"


def test_shares_begin_at_nothing_and_are_percentages():
    bars = [Bar("one", 0.75, "75 %"), Bar("two", -0.1, "-10 %")]
    figure = owing_figure(bars, "Share of the score", percent=True)
    assert ends(figure) == [(0, 0.75), (0, -0.1)]
    assert figure.layout.xaxis.tickformat.endswith("%")
    assert figure.layout.xaxis.title.text == "Share of the score"


def test_names_are_cut_escaped_and_whole_on_hover():
    name = "<b>" + "long " * 20
    figure = owing_figure([Bar(name, 1.0, "100 %")], "Share")
    label, text = (note.text for note in figure.layout.annotations)
    assert label.startswith("&lt;b&gt;")
    assert label.endswith("…")
    assert text == "100 %"
    assert name.replace("<", "&lt;").replace(">", "&gt;").strip() in figure.data[0].hovertext
