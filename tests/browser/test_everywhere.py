"""What holds on every page: it fits a phone, and it can be used without eyes or without a mouse."""

import re

from playwright.sync_api import Page, expect

from tests.browser.actions import go_to, settled

PAGES = ("Map", "Journey", "Popularity", "Comparison", "Training", "Library")
QUIET_MS = 1_500

NAMELESS = """() => {
    const named = element => (
        element.getAttribute("aria-label") || element.getAttribute("aria-labelledby")
        || element.title || element.labels?.[0]?.textContent || element.innerText || element.alt
        || ""
    ).trim();
    const asked = ".stMain button, .stMain input, .stMain textarea, .stMain a, .stMain img,"
        + " .stMain [role=slider], .stMain [role=combobox],"
        + " [data-testid=stSidebar] button, [data-testid=stSidebar] input";
    return [...document.querySelectorAll(asked)]
        .filter(element => element.checkVisibility() && !element.closest("[aria-hidden=true]"))
        .filter(element => element.tabIndex >= 0 || element.tagName === "IMG")
        .filter(element => !named(element))
        .map(element => element.outerHTML.slice(0, 200));
}"""
"""Controls and pictures that a screen reader cannot name."""

SILENT_CHARTS = """() => [...document.querySelectorAll("[data-testid=stPlotlyChart]")]
    .filter(chart => !chart.closest("[aria-label]") && !chart.querySelector("[aria-label]")
        && !chart.querySelector("[alt]") && !chart.hasAttribute("aria-label"))
    .map(chart => chart.outerHTML.slice(0, 200))"""


def judge(page: Page) -> None:
    """Nothing is wider than the window, and a screen reader can name all there is."""
    settled(page)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    page.wait_for_timeout(QUIET_MS)
    assert not page.locator(".stMain [data-testid=stException]").count()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.evaluate(NAMELESS) == []
    assert page.evaluate(SILENT_CHARTS) == []


def test_every_page_fits_and_names_what_it_shows(journeys_server, open_tab):
    page = open_tab("phone", "dark")
    page.goto(f"{journeys_server}/?dataset=demo&title=party")
    page.get_by_role("heading", level=1).first.wait_for()
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    red = int(re.findall(r"\d+", background)[0])
    assert red < 128
    judge(page)
    for name in PAGES:
        go_to(page, name, "phone")
        judge(page)


def test_the_keyboard_reaches_search_answer_and_navigation(journeys_server, open_tab):
    page = open_tab()
    page.goto(f"{journeys_server}/?dataset=demo")
    page.get_by_role("heading", level=1).first.wait_for()
    settled(page)
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => {
                    const {activeElement: now} = document;
                    if (now.type === "search") return "search";
                    if (now.closest("[data-testid=stSidebarNav]")) return "navigation";
                    if (now.closest("[data-testid=stDataFrame]")) return "answer";
                    return now.closest("[data-testid=stSidebar]") ? "dials" : "";
                }"""
            )
        )
    assert {"search", "navigation", "answer", "dials"} <= reached
