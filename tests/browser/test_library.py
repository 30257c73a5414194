"""The library: fetch, import, join, delete, as a person does them."""

import csv
import re
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from core.dataset.dataset import Dataset
from tests.browser.actions import expect_heading, settled, upload, visit

JOINED = 5


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def show(page: Page, part: str) -> None:
    page.get_by_role("radio", name=part, exact=True).click()


def delete(page: Page) -> None:
    """Delete the dataset that is shown, by the second button."""
    button(page, "Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete it").click()
    expect(page.get_by_role("dialog")).to_have_count(0)


@pytest.fixture
def songs(shared_data):
    """A real public set."""
    return shared_data / "tidytuesday" / "spotify_songs.csv"


def names_in(songs, count: int) -> list[tuple[str, str]]:
    """Artist and title of the first songs whose names no list can misread."""
    found = {}
    with songs.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            names = row["track_artist"], row["track_name"]
            if all(re.fullmatch(r"[A-Za-z ]{3,}", name) for name in names):
                found[names] = None
            if len(found) == count:
                break
    return [*found]


def test_playlists_are_uploaded_given_features_and_deleted(server, workspace, songs, open_tab):
    name = f"uploaded-{uuid4().hex[:6]}"  # another if it is tried again
    page = open_tab("phone")
    visit(page, f"{server}/library?dataset=demo&library.add=import")
    lines = "\n".join(f"{artist} - {title}" for artist, title in names_in(songs, JOINED))
    upload(
        page,
        page.get_by_test_id("stFileUploader").locator("input[type=file]"),
        {"name": "mine.txt", "mimeType": "text/plain", "buffer": f"{lines}\nA - One\n".encode()},
    )
    field = page.get_by_label("Name of the dataset")
    field.fill(name)
    field.press("Enter")
    settled(page)
    button(page, "Import").click()
    expect(page.get_by_text(f"“{name}”: 1 playlist, {JOINED + 1} tracks.")).to_be_visible()
    page.locator(".st-key-use_new button").click()
    expect_heading(page, name)

    show(page, "Features")
    expect(page.get_by_text("None of the tracks has any yet: danceability")).to_be_visible()
    upload(page, page.get_by_test_id("stForm").locator("input[type=file]"), songs)
    button(page, "Join").click()
    expect(page.get_by_text(re.compile(f"{JOINED} by title and artist"))).to_be_visible()
    share = f"{JOINED / (JOINED + 1):.0%}"
    expect(page.get_by_text(f"0% before, {share} now")).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile(f"danceability {share}"))).to_be_attached()
    assert Dataset(workspace / name).manifest["features"][0]["by_name"] == JOINED
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0

    delete(page)
    page.wait_for_function(
        "name => new URL(location.href).searchParams.get('dataset') !== name", arg=name
    )
    assert not (workspace / name).exists()
