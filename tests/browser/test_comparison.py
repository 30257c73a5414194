"""Models compared in a real browser: on one playlist, on hidden tracks, and over all."""

import re

from playwright.sync_api import Page, expect

from tests.browser.actions import await_word, choose, expect_heading, link, settled, visit
from tests.browser.conftest import SIZES

CHARTS = ".js-plotly-plot .nsewdrag:visible"


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_models_side_by_side(journeys_server, open_tab):
    page = open_tab()
    visit(page, f"{journeys_server}/comparison?dataset=open")
    page.locator("[class*=st-key-comparison_start]").get_by_role("button").first.click()
    expect_heading(page, "All lists as one")
    expect(page.get_by_text(re.compile(r"Of \d+ tracks in the first 20 of each"))).to_be_visible()
    expect(page.locator(CHARTS)).to_have_count(2)

    # one model leaves, another comes, the agreement is counted otherwise
    page.get_by_role("button", name=re.compile("track2vec")).first.click()
    expect(page.get_by_text(re.compile(r"are in both|is in both"))).to_be_visible()
    choose(page, "Models to compare", "Item neighbours")
    page.keyboard.press("Escape")
    settled(page)
    page.get_by_role("radio", name="Jaccard").click()
    expect(page.get_by_text("whatever their places")).to_be_visible()
    await_word(page, "comparison.agreement", "jaccard")
    asked = link(page)
    assert asked["comparison.models"][0].split(",")[1:] == ["als", "item_knn"]
    assert len(asked["seed"]) == 3
    assert fits(page)

    # all of it comes back from the address, on a phone as well
    width, height = SIZES["phone"]
    page.set_viewport_size({"width": width, "height": height})
    page.reload()
    expect_heading(page, "All lists as one")
    expect(page.get_by_role("radio", name="Jaccard")).to_be_checked()
    expect(page.locator(CHARTS)).to_have_count(2)
    assert link(page) == asked
    assert fits(page)


def test_hidden_tracks_are_found_place_by_place(journeys_server, open_tab):
    page = open_tab()
    page.goto(f"{journeys_server}/comparison?dataset=demo&comparison.part=Hide+and+predict")
    expect(page.get_by_text("These playlists were truly hidden")).to_be_visible()
    expect(page.locator(CHARTS)).to_have_count(1)
    choose(page, "How much is shown", "title only")
    expect(page.get_by_text("the title is all there is")).to_be_visible()

    # watch for a while
    settled(page)
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_text(re.compile("The first (5|10|20|50) places"))).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Watch")).to_be_visible()
    page.get_by_role("radio", name="First answers").click()
    expect(page.get_by_text("Ticked: it was hidden")).to_be_visible()
    assert fits(page)

    page.wait_for_function("new URL(location.href).searchParams.has('comparison.table')")
    asked = link(page)
    assert {"comparison.playlist", "comparison.table"} <= set(asked)
    assert 5 <= int(asked["comparison.place"][0]) < 500
    page.reload()
    expect(page.get_by_text("the title is all there is")).to_be_visible()
    expect(page.get_by_text("Ticked: it was hidden")).to_be_visible()
    assert link(page) == asked
