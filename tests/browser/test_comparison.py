"""Models compared in a real browser: on one playlist, on hidden tracks, and over all."""

import csv
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.actions import expect_heading, link

CHARTS = ".js-plotly-plot .nsewdrag:visible"


def await_word(page: Page, word: str, said: str | None) -> None:
    """Wait until the address says this, or no such word."""
    page.wait_for_function(
        "([word, said]) => new URL(location.href).searchParams.get(word) === said",
        arg=[word, said],
    )


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def choose(page: Page, label: str, option: str | re.Pattern) -> None:
    page.get_by_role("combobox", name=re.compile(label)).click()
    page.get_by_role("option", name=option).first.click()


@pytest.mark.parametrize(("dataset", "size"), [("demo", "desktop"), ("open", "phone")])
def test_models_side_by_side(journeys_server, open_tab, dataset, size):
    page = open_tab(size)
    page.goto(f"{journeys_server}/comparison?dataset={dataset}")
    expect_heading(page, "Comparison")
    page.locator("[class*=st-key-comparison_start]").get_by_role("button").first.click()
    expect_heading(page, "All lists as one")
    expect(page.get_by_text(re.compile(r"Of \d+ tracks in the first 20 of each"))).to_be_visible()
    expect(page.locator(CHARTS)).to_have_count(2)

    # one model leaves, another comes, the agreement is counted otherwise
    page.get_by_role("button", name=re.compile("track2vec")).first.click()
    expect(page.get_by_text(re.compile(r"are in both|is in both"))).to_be_visible()
    choose(page, "Models to compare", "Item neighbours")
    page.keyboard.press("Escape")
    page.get_by_role("radio", name="Jaccard").click()
    expect(page.get_by_text("whatever their places")).to_be_visible()
    await_word(page, "comparison.agreement", "jaccard")
    models = link(page)["comparison.models"][0].split(",")
    assert models[1:] == ["als", "item_knn"]
    assert len(link(page)["seed"]) == 3
    assert fits(page)

    # all of it is in the address
    again = open_tab(size)
    again.goto(page.evaluate("location.href"))
    expect_heading(again, "All lists as one")
    expect(again.get_by_role("radio", name="Jaccard")).to_be_checked()
    expect(again.locator(CHARTS)).to_have_count(2)
    assert link(again) == link(page)


def test_hidden_tracks_are_found_place_by_place(journeys_server, open_tab):
    page = open_tab()
    page.goto(f"{journeys_server}/comparison?dataset=demo&comparison.part=Hide+and+predict")
    expect(page.get_by_text("These playlists were truly hidden")).to_be_visible()
    expect(page.locator(CHARTS)).to_have_count(1)
    choose(page, "How much is shown", "title only")
    expect(page.get_by_text("the title is all there is")).to_be_visible()
    playlist = link(page)["comparison.playlist"]

    # watch for a while
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_text("The first 5 places")).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Watch")).to_be_visible()
    place = link(page)["comparison.place"]
    assert 5 <= int(place[0]) < 500
    page.get_by_role("radio", name="First answers").click()
    expect(page.get_by_text("Ticked: it was hidden")).to_be_visible()
    assert fits(page)

    again = open_tab()
    again.goto(page.evaluate("location.href"))
    expect(again.get_by_text("Ticked: it was hidden")).to_be_visible()
    assert link(again) == link(page)
    assert link(again)["comparison.playlist"] == playlist
    assert link(again)["comparison.place"] == place


def test_nothing_measured_says_what_to_run(journeys_server, open_tab):
    page = open_tab()
    page.goto(f"{journeys_server}/comparison?dataset=open&comparison.part=Hide+and+predict")
    expect(page.get_by_text("python -m core evaluate --dataset open")).to_be_visible()
    page.get_by_role("radio", name="Leaderboard").click()
    expect(page.get_by_text("Nothing is measured on “open” yet")).to_be_visible()
    await_word(page, "comparison.part", "Leaderboard")


@pytest.mark.parametrize(("size", "theme"), [("desktop", "light"), ("phone", "dark")])
def test_every_view_of_the_leaderboard(server, open_tab, size, theme):
    page = open_tab(size, theme)
    page.goto(f"{server}/comparison?dataset=little&comparison.part=Leaderboard")
    for view, charts in {
        "By category": 1,
        "Titles": 3,
        "Candidates": 2,
        "Cost": 1,
        "Catalogue": 1,
        "Overall": 1,
    }.items():
        page.get_by_role("radio", name=view, exact=True).click()
        expect(page.locator(CHARTS)).to_have_count(charts)
        expect(page.locator("canvas[data-testid=data-grid-canvas]")).to_have_count(1)
        await_word(page, "comparison.view", None if view == "Overall" else view)
        assert fits(page)
    expect(page.get_by_role("button", name="CSV", exact=True)).to_have_count(1)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    with download.value.path().open(encoding="utf-8", newline="") as file:
        assert {line["system"] for line in csv.DictReader(file)} >= {"titles", "union"}


def test_a_view_of_the_leaderboard_by_its_link(server, open_tab):
    page = open_tab()
    words = {
        "part": "Leaderboard",
        "view": "By+category",
        "metric": "clicks",
        "category": "first+5",
    }
    link_words = "&".join(f"comparison.{word}={said}" for word, said in words.items())
    page.goto(f"{server}/comparison?dataset=little&{link_words}")
    expect(page.get_by_text("How often a listener asks for ten more")).to_be_visible()
    expect(page.get_by_role("combobox", name="Category")).to_have_value(re.compile("first 5"))
