"""How popularity is spread, as a person reads it."""

import re

from playwright.sync_api import Page, expect

from core.dataset.dataset import Dataset
from core.explore.examples import examples
from core.workspace import DEMO
from tests.browser.actions import settled

VERDICT = re.compile("samples drawn from the fitted law")


def figure(page: Page, name: str) -> str:
    """What a headline figure says."""
    shown = page.get_by_test_id("stMetric").filter(has_text=name)
    return shown.get_by_test_id("stMetricValue").inner_text()


def names(page: Page, chart: int) -> list[str]:
    """Names of the traces of a chart, once it is drawn."""
    drawn = page.locator(".js-plotly-plot").nth(chart)
    expect(drawn.locator(".main-svg").first).to_be_visible()
    return drawn.evaluate("plot => plot.data.map(trace => trace.name)")


def test_from_tracks_to_artists_and_back_by_the_link(journeys_server, open_tab):
    demo = Dataset(DEMO)
    seeds = demo.values("uri", examples(demo)[0].tracks)
    page = open_tab()
    page.goto(f"{journeys_server}/popularity?dataset=demo&" + "&".join(f"seed={s}" for s in seeds))
    expect(page.get_by_text(VERDICT)).to_be_visible()
    expect(page.get_by_text(re.compile(r"95 %: \d\.\d+ to \d\.\d+"))).to_be_visible()
    of_tracks = figure(page, "Gini coefficient")
    assert "Seeds" in names(page, 0)
    assert {"Continuation", "Power law"} <= {*names(page, 1)}
    assert names(page, 2)[:2] == ["Equal shares", "All tracks"]

    page.get_by_role("radio", name="Artists").click()
    page.wait_for_function("new URL(location.href).searchParams.get('popularity.of') === 'artist'")
    expect(page.get_by_text("An artist has one entry in a playlist")).to_be_visible()
    expect(page.get_by_text(VERDICT)).to_be_visible()
    page.wait_for_function(
        """() => document.querySelectorAll(".js-plotly-plot")[2]?.data
            .some(trace => trace.name === "All artists")"""
    )
    settled(page)
    of_artists = figure(page, "Gini coefficient")
    assert of_artists != of_tracks

    again = open_tab()
    again.goto(page.url)
    expect(again.get_by_text(VERDICT)).to_be_visible()
    assert figure(again, "Gini coefficient") == of_artists
