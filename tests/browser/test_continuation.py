"""The Continuation page, as a person uses it: ask, look why, try what if, steer, share."""

import re

from playwright.sync_api import Page, expect

from tests.browser.actions import (
    LISTED,
    click_cell,
    expect_heading,
    expect_rows,
    link,
    search_and_add,
    seeds_in_link,
    settled,
    visit,
)

# Where columns of the continuation begin, after that of the selection, "#" and, once the list has
# changed, "Moved"; and half a button.
TRACK, MOVED, TEXTS, BUTTON, HALF = 33 + 36, 62, 145 + 110, 44, 22
RADIO, SPEAKER = 16, 33 + 22
STEADY_MS = 700
CELLS = """name => {
    const table = document.querySelector(".st-key-continuation canvas table");
    const names = [...table?.querySelectorAll("thead th") ?? []].map(cell => cell.innerText);
    const place = names.indexOf(name);
    return place < 0 ? [] : [...table.querySelectorAll("tbody tr")].map(
        row => row.querySelectorAll("td")[place].innerText);
}"""
"""A column of the continuation, as the table tells it to screen readers."""


def cells(page: Page, column: str) -> list[str]:
    return page.evaluate(CELLS, column)


def expect_cells(page: Page, column: str, said: list[str]) -> None:
    page.wait_for_function(
        f"([name, said]) => String(({CELLS})(name)) === String(said)", arg=[column, said]
    )


def steady_cells(page: Page, column: str) -> list[str]:
    """A column of the continuation, once the browser has drawn what the server sent last."""
    settled(page)
    before, now = [], cells(page, column)
    while before != now:
        page.wait_for_timeout(STEADY_MS)
        before, now = now, cells(page, column)
    return now


def word(page: Page, name: str, count: int) -> None:
    """Wait until the address says a word so many times."""
    page.wait_for_function(
        "([name, n]) => new URL(location.href).searchParams.getAll(name).length === n",
        arg=[name, count],
    )


def turn(page: Page, dial: str, key: str) -> None:
    """Turn a dial by keyboard."""
    page.locator(f".st-key-dial_{dial}").get_by_role("slider").press(key)


def test_the_whole_path(journeys_server, open_tab):
    page = open_tab()
    visit(page, f"{journeys_server}/?dataset=open")
    expect_heading(page, "What plays next?")
    search_and_add(page, "the", 2)
    expect_rows(page, "continuation", LISTED)

    # why, of another track than the first
    expect(page.get_by_text("Why this track")).to_be_visible()
    click_cell(page, "continuation", RADIO, 2)
    word(page, "continuation.track", 1)
    expect(page.get_by_text("Then, number 3")).to_be_visible()
    expect(page.get_by_text("Who proposed it")).to_be_visible()
    expect(page.locator(".st-key-why .js-plotly-plot .nsewdrag").first).to_be_visible()
    click_cell(page, "continuation", RADIO, 0)
    word(page, "continuation.track", 0)

    # what if one of them were not there
    before = cells(page, "Track")
    click_cell(page, "seeds", SPEAKER, 0)
    word(page, "mute", 1)
    expect_rows(page, "seeds", 2)
    change = page.locator(".st-key-last_change")
    expect(change).to_contain_text(re.compile(r"\d+ new: .*\d+ left: |new order|same list"))
    assert all(re.fullmatch("|new|[▲▼]\\d+", cell) for cell in cells(page, "Moved"))
    change.get_by_role("button", name="Undo").click()
    word(page, "mute", 0)
    expect_cells(page, "Track", before)

    # like in the list, not this beside it
    click_cell(page, "continuation", TRACK + MOVED + TEXTS + BUTTON + HALF, 1)
    word(page, "like", 1)
    expect(page.get_by_text("More like")).to_be_visible()
    page.get_by_role("button", name="Not this").click()
    word(page, "not", 1)
    expect(page.get_by_text("Not shown")).to_be_visible()

    # a dial says what it costs
    turn(page, "popularity", "ArrowRight")
    word(page, "popularity", 1)
    told = page.get_by_test_id("stSidebar").get_by_text("Cost not measured here")
    expect(told).to_be_visible()

    # all of it comes back from the address
    asked, answered = link(page), steady_cells(page, "Track")
    page.reload()
    expect_cells(page, "Track", answered)
    assert link(page) == asked

    # the dials, then the playlist, back to nothing
    page.get_by_role("button", name="Reset dials").click()
    word(page, "popularity", 0)
    page.get_by_role("button", name="Clear").click()
    seeds_in_link(page, 0)
    assert link(page) == {"dataset": ["open"]}
