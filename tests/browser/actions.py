"""What a person does in the app and sees of it, for all journeys."""

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as LateError

SOON_MS = 10_000
LISTED = 9
"""Rows of the continuation in the browser: eight in sight, and the next."""

expect.set_options(timeout=60_000)


def link(page: Page) -> dict[str, list[str]]:
    """The words of the address, as the browser shows it."""
    return parse_qs(urlsplit(page.evaluate("location.href")).query)


def await_word(page: Page, word: str, said: str | None) -> None:
    """Wait until the address says this, or no such word."""
    page.wait_for_function(
        "([word, said]) => new URL(location.href).searchParams.get(word) === said",
        arg=[word, said],
    )


def seeds_in_link(page: Page, count: int) -> None:
    page.wait_for_function(
        "n => new URL(location.href).searchParams.getAll('seed').length === n", arg=count
    )


def expect_heading(page: Page, text: str) -> None:
    """A page has this heading and has answered: a click while it is drawn may be lost."""
    expect(page.get_by_role("heading", name=text, exact=True)).to_be_visible()
    settled(page)


def visit(page: Page, address: str) -> None:
    page.goto(address)
    settled(page)


def expect_rows(page: Page, key: str, count: int) -> None:
    """A table has so many rows, from what it tells screen readers."""
    expect(page.locator(f".st-key-{key} canvas table tbody tr")).to_have_count(count)


def settled(page: Page) -> None:
    """Wait until the page has answered: nothing is being computed for it any more."""
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def upload(page: Page, field: Locator, file: Any) -> None:
    """Hand over a file; its name is on the page before the server has it."""
    with page.expect_response(lambda answer: "/upload_file/" in answer.url):
        field.set_input_files(file)
    settled(page)


def choose(page: Page, label: str, option: str) -> None:
    """Take an option of a list; what the page draws late may close the list, so open it again."""
    taken = page.get_by_role("option", name=option).first
    for _ in range(3):
        settled(page)
        page.get_by_role("combobox", name=re.compile(label)).click()
        try:
            taken.click(timeout=SOON_MS)
        except LateError:
            page.keyboard.press("Escape")
        else:
            return
    raise AssertionError(f"{label!r} does not offer {option!r}")


def click_cell(page: Page, key: str, x: float, row: int) -> None:
    """Click into a row of a table, x pixels from its left edge or, below 0, its right."""
    table = page.locator(f".st-key-{key} canvas[data-testid=data-grid-canvas]")
    table.scroll_into_view_if_needed()
    box = table.bounding_box()
    left = box["x"] + (x if x > 0 else box["width"] + x)
    page.mouse.click(left, box["y"] + 35 * (row + 1.5))


def go_to(page: Page, name: str, size: str) -> None:
    """Follow the navigation; on a phone it comes and goes by buttons."""
    if size == "phone":
        page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
    expect_heading(page, name)
    if size == "phone":
        page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
        expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()


def search_and_add(page: Page, query: str, count: int) -> None:
    """Type without pressing Enter, and take the first results."""
    before = len(link(page).get("seed", []))
    page.get_by_role("searchbox").press_sequentially(query, delay=40)
    results = page.locator(".st-key-seed_search_results button")
    for place in range(count):
        results.nth(place).click()
        seeds_in_link(page, before + place + 1)
