from core.explore.figures import coverage_figure
from core.explore.figures.coverage import percent

NOW, BEFORE = {"energy": 0.75, "key": 0.004, "tempo": 1.0}, {"energy": 0.5, "tempo": 0.0}


def test_a_bar_a_field_from_the_top_and_a_line_where_it_stood():
    figure = coverage_figure(NOW, BEFORE)
    now, before = figure.data
    assert list(now.y) == list(before.y) == ["Energy", "Key", "Tempo"]
    assert figure.layout.yaxis.autorange == "reversed"
    assert list(now.x) == [0.75, 0.004, 1.0]
    assert list(before.x) == [0.5, 0.0, 0.0]
    assert figure.layout.showlegend


def test_without_a_join_there_is_no_before():
    figure = coverage_figure(NOW)
    assert len(figure.data) == 1
    assert not figure.layout.showlegend


def test_shares_are_said_so_that_few_are_not_none():
    shares = (0.0, 0.0001, 0.5, 0.9999, 1.0)
    assert [percent(share) for share in shares] == ["0 %", "< 1 %", "50 %", "> 99 %", "100 %"]


def test_light_and_dark_differ_in_colour_only():
    light, dark = (coverage_figure(NOW, BEFORE, dark=dark).to_dict() for dark in (False, True))
    assert light != dark
    assert [trace["x"] for trace in light["data"]] == [trace["x"] for trace in dark["data"]]
