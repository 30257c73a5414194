"""What belongs to no single page: the way between them, lists, names, rows and the player."""

import csv
import re

from playwright.sync_api import expect

from tests.browser.actions import (
    LISTED,
    click_cell,
    expect_heading,
    expect_rows,
    link,
    search_and_add,
    seeds_in_link,
    visit,
)
from tests.browser.conftest import SIGNS, SPOTIFY_ID, serving


def test_a_playlist_is_begun_and_taken_away_on_a_phone(server, open_tab):
    page = open_tab("phone", "dark")
    visit(page, f"{server}/?dataset=demo")
    expect_heading(page, "What plays next?")
    expect(page.get_by_text("Simulated data").first).to_be_attached()
    search_and_add(page, "a", 2)
    expect(page.get_by_text("Up next")).to_be_visible()
    page.get_by_role("button", name="Keep").click()
    seeds_in_link(page, 3)
    expect_rows(page, "seeds", 3)
    expect_rows(page, "continuation", LISTED)

    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == 20
    page.keyboard.press("Escape")


def test_a_deep_link_on_a_cold_server(tmp_path, open_tab):
    with serving(tmp_path) as address:
        page = open_tab()
        page.goto(f"{address}/map?dataset=demo&title=party&k=7")
        expect_heading(page, "Map")
        expect(page.get_by_test_id("stSidebar").get_by_text("Tracks to add")).to_be_visible()
        assert link(page) == {"dataset": ["demo"], "title": ["party"], "k": ["7"]}
        page.context.close()  # before the server goes


def test_a_pasted_list_is_matched_and_a_broken_file_is_one_sentence(server, open_tab):
    page = open_tab()
    visit(page, f"{server}/?dataset=real")
    page.get_by_role("button", name="Paste or upload a list").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(
        {"name": "x.csv", "mimeType": "text/csv", "buffer": bytes(range(256))}
    )
    expect(dialog.get_by_role("alert")).to_contain_text("x.csv")
    dialog.get_by_role("button", name="Remove x.csv").click()
    expect(dialog.get_by_role("alert")).to_have_count(0)

    page.get_by_label("Paste tracks").fill(
        f"_Artist_ - Song 3\nNobody - Nothing\nhttps://open.spotify.com/track/{SPOTIFY_ID}05"
    )
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("2 of 3")).to_be_visible()
    expect(page.get_by_text("1 by id")).to_be_visible()
    rows = dialog.locator("canvas table tbody tr")
    expect(rows).to_have_count(3)
    assert "not found" in rows.nth(0).inner_text()
    page.get_by_role("button", name="Add 2 tracks").click()
    expect(dialog).to_have_count(0)
    seeds_in_link(page, 2)


def test_text_of_others_is_shown_as_it_is_written(server, open_tab):
    page = open_tab()
    visit(page, f"{server}/?dataset=real&seed={SPOTIFY_ID}01&title=%3Cb%3E**t**")
    page.get_by_role("searchbox").fill("bold")
    expect(page.get_by_text(f"{SIGNS} – _Artist_").first).to_be_visible()
    expect(page.get_by_text("No playlist here has a title like “<b>**t**”.")).to_be_visible()
    assert not page.locator(".stMain b, .stMain .katex").count()
    assert not page.locator(".stMain strong", has_text=re.compile("^(Bold|t)$")).count()


def test_rows_by_their_buttons_and_a_player_only_when_asked(server, open_tab):
    page = open_tab()
    asked = []

    def play(route) -> None:
        asked.append(route.request.url)
        route.fulfill(content_type="text/html", body="<html><body>player</body></html>")

    page.context.route("https://open.spotify.com/**", play)
    seeds = "&".join(f"seed={SPOTIFY_ID}0{i}" for i in (1, 2, 3))
    visit(page, f"{server}/?dataset=real&{seeds}")
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

    # The widths that the page gives its columns, with "Moved", as the list has changed.
    selection, place, moved, names, button = 33, 36, 62, 145 + 110, 44
    keep = selection + place + moved + names + button / 2
    expect_rows(page, "continuation", LISTED)
    click_cell(page, "continuation", keep, 0)
    seeds_in_link(page, 3)
    expect_rows(page, "seeds", 3)
    click_cell(page, "continuation", keep + 2 * button, 2)
    expect(page.get_by_text("Not shown")).to_be_visible()

    assert not asked
    page.locator("label", has_text="Play").click()
    frame = page.frame_locator("iframe[src*='open.spotify.com/embed/track']")
    expect(frame.get_by_text("player")).to_be_visible()
    assert len(asked) == 1


def test_a_chart_is_saved_as_svg_or_png(server, open_tab):
    page = open_tab()
    visit(page, f"{server}/popularity?dataset=demo")
    chart = page.locator(".js-plotly-plot").first
    chart.locator(".nsewdrag").first.wait_for(state="attached")
    chart.hover()
    for choice, start in (("SVG", b"<svg"), ("PNG", b"\x89PNG")):
        page.get_by_label("Save as PNG or SVG").first.click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=choice).click()
        assert download.value.suggested_filename.endswith(choice.lower())
        assert download.value.path().read_bytes().startswith(start)
