"""The popularity page."""

import json

from tests.pages.conftest import texts


def test_popularity_is_drawn_or_the_reason_given(open_page):
    at = open_page("popularity", seed=["t:1-00"])
    assert len(at.get("plotly_chart")) == 3
    names = [
        trace["name"]
        for chart in at.get("plotly_chart")
        for trace in json.loads(chart.proto.spec)["data"]
        if "name" in trace
    ]
    assert names.count("Seeds") == names.count("Continuation") == 2
    at = open_page("popularity", dataset="signs")
    assert "Too few to fit" in texts(at)
