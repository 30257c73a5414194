"""Whole journeys through the app, as a person makes them."""

import csv
import math
import re

import pytest
from playwright.sync_api import Error, Page, expect

from tests.browser.actions import (
    LISTED,
    click_cell,
    expect_heading,
    expect_rows,
    go_to,
    link,
    search_and_add,
    seeds_in_link,
)
from tests.browser.conftest import SIGNS, SPOTIFY_ID, serving

PAGES = {
    "": "What plays next?",
    "map": "Map",
    "journey": "Journey",
    "popularity": "Popularity",
    "comparison": "Comparison",
    "training": "Training",
    "library": "Library",
}
LOOKS = [(size, theme) for size in ("desktop", "phone") for theme in ("light", "dark")]


def lasso(page: Page) -> None:
    """Draw around the whole map."""
    plot = page.locator(".js-plotly-plot .nsewdrag").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    reach = min(box["width"], box["height"]) / 2 - 4
    corners = [(x + reach * math.cos(a / 4), y + reach * math.sin(a / 4)) for a in range(26)]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner)
    page.mouse.up()


def click_on_the_map(page: Page, trace: str, shows: str) -> None:
    """Click the first point of a trace until it `shows` something: a map being drawn is deaf."""
    for _ in range(10):
        place = page.wait_for_function(
            """name => {
                const plot = document.querySelector(".js-plotly-plot");
                const points = plot?._fullData?.find(trace => trace.name === name);
                if (plot?._fullLayout?.clickmode !== "event+select" || !points) return null;
                plot.scrollIntoView({block: "center", behavior: "instant"});
                const {xaxis, yaxis} = plot._fullLayout;
                const box = plot.getBoundingClientRect();
                return [box.x + xaxis._offset + xaxis.l2p(points.x[0]),
                        box.y + yaxis._offset + yaxis.l2p(points.y[0])];
            }""",
            arg=trace,
        ).json_value()
        page.mouse.move(place[0] - 2, place[1])
        page.mouse.move(*place)
        page.wait_for_timeout(300)
        page.mouse.click(*place)
        try:
            page.get_by_text(shows).wait_for(timeout=3_000)
        except Error:
            continue
        return
    pytest.fail(f"a click on the map does not show {shows!r}")


@pytest.mark.parametrize(("size", "theme"), LOOKS)
def test_the_whole_path(server, open_tab, size, theme):
    page = open_tab(size, theme)
    page.goto(f"{server}/?dataset=little")
    expect_heading(page, "What plays next?")
    expect(page.get_by_text("Simulated data").first).to_be_attached()

    # search as you type, three seeds, a continuation
    search_and_add(page, "a", 3)
    expect_heading(page, "Continuation")
    expect(page.get_by_text("Up next")).to_be_visible()
    expect_rows(page, "seeds", 3)
    expect_rows(page, "continuation", LISTED)

    # keep and not this
    page.get_by_role("button", name="Keep").click()
    seeds_in_link(page, 4)
    page.get_by_role("button", name="Not this").click()
    expect(page.get_by_text("Not shown")).to_be_visible()

    # export
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    page.keyboard.press("Escape")

    # the map: draw around tracks, then click one, twice
    go_to(page, "Map", size)
    page.get_by_role("radio", name="Lasso").click()
    page.wait_for_function(
        "document.querySelector('.js-plotly-plot')?._fullLayout?.dragmode === 'lasso'"
    )
    lasso(page)
    expect(page.get_by_role("heading", name=re.compile("selected"))).to_be_visible()
    page.get_by_role("button", name=re.compile("^Add the")).click()
    page.wait_for_function("new URL(location.href).searchParams.getAll('seed').length > 90")
    page.get_by_role("radio", name="Click").click()
    for _ in range(2):
        click_on_the_map(page, "Continuation", "Nearest in track2vec")
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_text("Nearest in track2vec")).to_be_hidden()

    # popularity
    go_to(page, "Popularity", size)
    expect_heading(page, "Is it a power law?")
    expect(page.locator(".js-plotly-plot .nsewdrag")).to_have_count(3)

    # all of it is in the address
    again = open_tab(size, theme)
    again.goto(page.evaluate("location.href"))
    expect_heading(again, "Popularity")
    assert link(again) == link(page)


@pytest.mark.parametrize("path", PAGES)
def test_a_cold_deep_link(workspace, open_tab, path):
    with serving(workspace) as address:
        page = open_tab()
        page.goto(f"{address}/{path}?dataset=little&title=party&k=7")
        expect_heading(page, PAGES[path])
        expect(page.get_by_test_id("stSidebar").get_by_text("Tracks to add")).to_be_visible()
        assert link(page) == {"dataset": ["little"], "title": ["party"], "k": ["7"]}
        page.context.close()  # before the server goes


@pytest.mark.parametrize(("size", "theme"), LOOKS)
@pytest.mark.parametrize("path", PAGES)
def test_every_page_in_every_look(server, open_tab, path, size, theme):
    page = open_tab(size, theme)
    page.goto(f"{server}/{path}?dataset=little&title=party")
    expect_heading(page, PAGES[path])
    if path in ("map", "popularity"):
        page.locator(".js-plotly-plot .nsewdrag").first.wait_for(state="attached")
    overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert overflow <= 0
    background = page.evaluate("getComputedStyle(document.querySelector('.stApp')).backgroundColor")
    red = int(re.findall(r"\d+", background)[0])
    assert (red < 128) == (theme == "dark")


def test_a_pasted_list_is_matched_reported_and_added(server, open_tab):
    page = open_tab()
    page.goto(f"{server}/?dataset=real")
    page.get_by_role("button", name="Paste or upload a list").click()
    page.get_by_label("Paste tracks").fill(
        f"_Artist_ - Song 3\nNobody - Nothing\nhttps://open.spotify.com/track/{SPOTIFY_ID}05"
    )
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("2 of 3")).to_be_visible()
    expect(page.get_by_text("1 by id")).to_be_visible()
    rows = page.get_by_role("dialog").locator("canvas table tbody tr")
    expect(rows).to_have_count(3)
    assert "not found" in rows.nth(0).inner_text()
    page.get_by_role("button", name="Add 2 tracks").click()
    expect(page.get_by_role("dialog")).to_have_count(0)
    seeds_in_link(page, 2)


def test_a_broken_upload_is_one_sentence(server, open_tab):
    page = open_tab()
    page.goto(f"{server}/?dataset=real")
    page.get_by_role("button", name="Paste or upload a list").click()
    page.get_by_role("dialog").locator("input[type=file]").set_input_files(
        {"name": "x.csv", "mimeType": "text/csv", "buffer": bytes(range(256))}
    )
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("x.csv")


def test_text_of_others_is_shown_as_it_is_written(server, open_tab):
    page = open_tab()
    page.goto(f"{server}/?dataset=real&seed={SPOTIFY_ID}01&title=%3Cb%3E**t**")
    page.get_by_role("searchbox").fill("bold")
    expect(page.get_by_text(f"{SIGNS} – _Artist_").first).to_be_visible()
    expect(page.get_by_text("No playlist here has a title like “<b>**t**”.")).to_be_visible()
    assert not page.locator(".stMain b, .stMain .katex").count()
    assert not page.locator(".stMain strong", has_text=re.compile("^(Bold|t)$")).count()


def test_the_player_loads_only_when_asked(server, open_tab):
    page = open_tab()
    asked = []

    def play(route) -> None:
        asked.append(route.request.url)
        route.fulfill(content_type="text/html", body="<html><body>player</body></html>")

    page.context.route("https://open.spotify.com/**", play)
    page.goto(f"{server}/?dataset=real&seed={SPOTIFY_ID}01")
    toggle = page.locator("label", has_text="Play")
    expect(toggle).to_be_visible()
    assert not asked
    toggle.click()
    frame = page.frame_locator("iframe[src*='open.spotify.com/embed/track']")
    expect(frame.get_by_text("player")).to_be_visible()
    assert len(asked) == 1


def test_rows_can_be_moved_and_removed_by_their_menu(server, open_tab):
    page = open_tab()
    page.goto(f"{server}/?dataset=real&" + "&".join(f"seed={SPOTIFY_ID}0{i}" for i in (1, 2, 3)))
    expect_rows(page, "seeds", 3)
    click_cell(page, "seeds", -20, 1)
    page.get_by_role("menuitem", name="Move up").click()
    page.wait_for_function(
        "id => new URL(location.href).searchParams.getAll('seed')[0] === id", arg=f"{SPOTIFY_ID}02"
    )
    click_cell(page, "seeds", -20, 1)
    page.get_by_role("menuitem", name="Remove").click()
    seeds_in_link(page, 2)
    assert link(page)["seed"] == [f"{SPOTIFY_ID}02", f"{SPOTIFY_ID}03"]


def test_rows_of_the_continuation_can_be_kept_and_barred(server, open_tab):
    page = open_tab()
    page.goto(f"{server}/?dataset=real&seed={SPOTIFY_ID}01")
    expect_rows(page, "continuation", LISTED)
    # The widths that the page gives its columns; "Moved" appears once the list has changed.
    selection, place, moved, names, button = 33, 36, 62, 145 + 110, 44
    keep = selection + place + names + button / 2
    not_this = selection + place + moved + names + 2.5 * button
    click_cell(page, "continuation", keep, 0)
    seeds_in_link(page, 2)
    expect_rows(page, "seeds", 2)
    click_cell(page, "continuation", not_this, 2)
    expect(page.get_by_text("Not shown")).to_be_visible()
