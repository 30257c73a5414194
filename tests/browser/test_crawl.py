"""A crawl from the Library page: its graph grows, and a dataset comes of it."""

import random
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from core.dataset.links import Link
from tests.browser.actions import await_word, settled, visit
from tests.browser.conftest import serving
from tests.spotify.fake import Fake, fake_spotify

NODES = """() => {
    const plots = [...document.querySelectorAll(".st-key-crawl_running_wide .js-plotly-plot")];
    return Math.max(...plots.flatMap(plot => plot.data).map(one => one.hovertext?.length ?? 0));
}"""
"""How many playlists and artists are drawn."""


@pytest.fixture
def fake() -> Iterator[Fake]:
    with fake_spotify() as fake:
        yield fake


@pytest.fixture
def start(fake: Fake) -> Link:
    """A playlist of five artists, who are on thirty others with ten more."""
    draw = random.Random(0)
    artists = [f"Singer {number}" for number in range(15)]
    tracks = {name: [fake.add_track(f"{name} {n}", name) for n in range(2)] for name in artists}
    first = fake.add_playlist("First of all", [tracks[name][0] for name in artists[:5]])
    for number in range(30):
        chosen = draw.sample(artists, 3)
        fake.add_playlist(f"More {number}", [track for name in chosen for track in tracks[name]])
    return Link("playlist", first)


def test_the_graph_grows_and_a_dataset_comes_of_it(fake, start, tmp_path, open_tab):
    fake.fault("slow", times=None, seconds=0.5)
    with serving(tmp_path, fake.environment) as address:
        page = open_tab()
        visit(page, f"{address}/library?dataset=demo&library.add=crawl")
        page.get_by_label("Playlist to start from").fill(start.address)
        page.get_by_label("Name of the dataset").fill("found")
        requests = page.get_by_label("Requests", exact=True)
        requests.fill("25")
        requests.press("Enter")
        page.get_by_role("button", name="Crawl", exact=True).click()

        page.wait_for_function(f"() => ({NODES})() > 0")
        early = page.evaluate(NODES)
        page.wait_for_function(f"early => ({NODES})() > early", arg=early)

        page.get_by_role("button", name="Use this dataset").click()
        sidebar = page.get_by_test_id("stSidebar")
        expect(sidebar).to_contain_text(re.compile(r"\d playlists, \d+ tracks"))
        await_word(page, "dataset", "found")
        settled(page)
        page.get_by_role("radio", name="Crawl", exact=True).click()
        expect(page.get_by_text("25 of 25")).to_be_visible()
        page.set_viewport_size({"width": 360, "height": 740})
        expect(page.locator(".st-key-crawl_made_phone .js-plotly-plot")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        page.context.close()  # before the server goes
