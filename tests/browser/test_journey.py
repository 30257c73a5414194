"""From one track to another, as a person goes there."""

import csv

from playwright.sync_api import Page, expect

from tests.browser.actions import await_word, settled, visit

FOUND = "cosine of"


def stops(page: Page) -> list[str]:
    """Titles of the stops, once the journey is there."""
    expect(page.get_by_text(FOUND).first).to_be_visible()
    settled(page)
    titles = page.locator("[class*=st-key-journey_listed] strong")
    expect(titles.first).to_be_visible()
    return titles.all_inner_texts()


def search(page: Page, which: str, query: str) -> None:
    """Type without pressing Enter, and take the first result."""
    page.get_by_label(f"{which}: search a track or artist").press_sequentially(query, delay=40)
    page.locator(f".st-key-journey_search_{which.lower()}_results button").first.click()


def test_a_journey_is_made_and_taken_away(journeys_server, open_tab):
    page = open_tab()
    visit(page, f"{journeys_server}/journey?dataset=open&journey.stops=12")
    first = stops(page)
    assert len(first) == 12
    expect(page.locator(".js-plotly-plot:visible")).to_have_count(2)

    page.get_by_role("button", name="Skip", exact=True).nth(2).click()
    page.wait_for_function("new URL(location.href).searchParams.has('journey.skip')")
    expect(page.get_by_text("Skipped:")).to_be_visible()
    skipping = stops(page)
    assert len(skipping) == 12
    assert first[3] not in skipping

    page.get_by_role("button", name="Another path").click()
    await_word(page, "journey.path", "1")
    expect(page.get_by_text("Path 2")).to_be_visible()
    other = stops(page)
    assert other != skipping

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    with download.value.path().open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["Track Name"] for row in rows] == other

    cold = open_tab()
    cold.goto(page.evaluate("location.href"))
    assert stops(cold) == other
