"""The library: fetch, import, join, delete, as a person does them."""

import csv
import json
import re
from dataclasses import asdict, replace

import pytest
from playwright.sync_api import Page, expect

from core.dataset.dataset import Dataset
from core.dataset.public_sets import public_set
from core.workspace import Workspace
from tests.browser.conftest import serving
from tests.dataset.publisher import publishing

expect.set_options(timeout=60_000)
JOINED = 5


def expect_heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", name=text, exact=True)).to_be_visible()


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


def test_a_public_set_is_fetched_in_two_goes_and_deleted(songs, tmp_path, monkeypatch, open_tab):
    with publishing(songs.read_bytes()) as publisher:
        address = f"{publisher.address}/spotify_songs.csv"
        mirror = replace(public_set("tidytuesday"), address=address)
        (tmp_path / "sets.json").write_text(json.dumps([asdict(mirror)]))
        monkeypatch.setenv("SEGUE_SETS", str(tmp_path / "sets.json"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        publisher.faults = ["hold"]
        with serving(tmp_path / "workspace") as server:
            page = open_tab()
            page.goto(f"{server}/library?dataset=demo")
            expect(page.get_by_text("MIT (TidyTuesday, 2020-01-21)").first).to_be_visible()

            # broken off half-way
            button(page, "Fetch").click()
            expect(
                page.get_by_text(re.compile(r"Downloading .*[34]\.\d MB of 8\.0 MB"))
            ).to_be_visible()
            expect(button(page, "Fetch")).to_be_disabled()
            button(page, "Cancel").click()
            expect(page.get_by_text(re.compile("cancelled after"))).to_be_visible()
            publisher.go_on.set()

            # and gone on with
            expect(page.get_by_text(re.compile(r"MB of 8\.0 MB are here"))).to_be_visible()
            button(page, "Go on with the download").click()
            expect(page.get_by_text("“tidytuesday”: 471 playlists, 28,356 tracks.")).to_be_visible()
            assert int(re.findall(r"\d+", publisher.asked[1]["Range"])[0]) > 1_000_000
            page.locator(".st-key-use_new button").click()
            page.wait_for_function(
                "new URL(location.href).searchParams.get('dataset') === 'tidytuesday'"
            )
            expect_heading(page, "tidytuesday")
            expect(page.get_by_text(address)).to_be_visible()

            # and deleted: the demo takes its place
            delete(page)
            page.wait_for_function("new URL(location.href).searchParams.get('dataset') === 'demo'")
            expect_heading(page, "demo")
            expect(button(page, "Delete")).to_have_count(0)
            assert Workspace(tmp_path / "workspace").names() == ["demo"]
            page.context.close()


def test_playlists_are_uploaded_given_features_and_deleted(server, workspace, songs, open_tab):
    name = "uploaded"
    page = open_tab("phone")
    page.goto(f"{server}/library?dataset=demo&library.add=import")
    lines = "\n".join(f"{artist} - {title}" for artist, title in names_in(songs, JOINED))
    page.get_by_test_id("stFileUploader").locator("input[type=file]").set_input_files(
        {"name": "mine.txt", "mimeType": "text/plain", "buffer": f"{lines}\nA - One\n".encode()}
    )
    expect(page.get_by_text("mine.txt")).to_be_visible()
    field = page.get_by_label("Name of the dataset")
    field.fill(name)
    field.press("Enter")
    button(page, "Import").click()
    expect(page.get_by_text(f"“{name}”: 1 playlist, {JOINED + 1} tracks.")).to_be_visible()
    page.locator(".st-key-use_new button").click()
    expect_heading(page, name)

    show(page, "Features")
    expect(page.get_by_role("figure", name=re.compile("danceability 0%"))).to_be_attached()
    page.get_by_test_id("stForm").locator("input[type=file]").set_input_files(songs)
    expect(page.get_by_test_id("stForm").get_by_text("spotify_songs.csv")).to_be_visible()
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


def test_every_part_of_a_dataset_comes_back_from_its_link(journeys_server, open_tab):
    page = open_tab()
    page.goto(f"{journeys_server}/library?dataset=demo&library.dataset=open")
    expect_heading(page, "open")
    for part, shows in {
        "Cleaning": "rows were read",
        "Features": "Join a table of audio features",
        "Models": "“Use this dataset” opens it",
    }.items():
        show(page, part)
        expect(page.get_by_text(re.compile(shows))).to_be_visible()
    show(page, "Simulated")
    expect(button(page, "Invent")).to_be_visible()
    again = open_tab("phone", "dark")
    again.goto(page.evaluate("location.href"))
    expect_heading(again, "open")
    expect(again.get_by_text(re.compile("“Use this dataset” opens it"))).to_be_visible()
    expect(button(again, "Invent")).to_be_visible()
