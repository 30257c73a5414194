"""Spotify in a real browser against the fake: a playlist link in, a new playlist out."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Download, Locator, Page, expect

from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources.base import batch_from_rows
from core.training.train import train
from tests.browser.actions import LISTED, expect_rows, seeds_in_link, visit
from tests.browser.conftest import SIGNS, serving
from tests.conftest import made_once
from tests.spotify.fake import Fake, fake_spotify

TRACKS = 180
LINKED, ADDED = 6, 100
"""Of the playlist that is pasted, and of its continuation: together more than one request takes."""
EVERY_LOGGER = "import logging; logging.basicConfig(level=logging.DEBUG)"


def key(number: int) -> str:
    """Id of a track, on Spotify and in the dataset."""
    return f"0Segue{number:016}"


def title(number: int) -> str:
    return SIGNS if number == 0 else f"Song {number}"


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Only "known", all of whose tracks are on the fake Spotify."""

    def make(folder: Path) -> None:
        entries = [
            {
                "playlist": playlist,
                "position": position,
                "uri": f"spotify:track:{key(track)}",
                "title": title(track),
                "artist": "_Artist_",
            }
            for playlist in range(60)
            for position in range(12)
            for track in [(3 * playlist + position) % TRACKS]
        ]
        batch = batch_from_rows([{"title": None} for _ in range(60)], entries)
        build([batch], folder / "known", Provenance("known", "test"))
        train(Dataset(folder / "known"), ["popularity", "playlist_knn"], "fast")

    return made_once(tmp_path_factory, "known", make)


@pytest.fixture(scope="module")
def fake() -> Iterator[Fake]:
    with fake_spotify() as fake:
        for number in range(TRACKS):
            fake.add_track(title(number), "_Artist_", id=key(number))
        yield fake


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the server writes to its terminal, with every logger as talkative as it can be."""
    return tmp_path_factory.mktemp("log") / "log.txt"


@pytest.fixture(scope="module")
def server(workspace: Path, fake: Fake, log: Path) -> Iterator[str]:
    (log.parent / "sitecustomize.py").write_text(EVERY_LOGGER)
    with serving(workspace, fake.environment | {"PYTHONPATH": str(log.parent)}, log) as address:
        yield address


def panel(page: Page) -> Locator:
    return page.locator(".st-key-continuation_spotify_panel")


def open_panel(page: Page) -> None:
    button = page.get_by_role("button", name="To Spotify")
    expect(button).to_have_count(1)  # while a page changes, what was there may be there twice
    button.click()


def answer(page: Page, role: str, name: str) -> Page:
    """Go to Spotify and answer there; the tab that was sent back."""
    with page.expect_popup() as opened:
        panel(page).get_by_role("link", name="Sign in with Spotify").click()
    consent = opened.value
    consent.get_by_role(role, name=name).click()
    expect(consent.get_by_text("This tab can be closed")).to_be_visible()
    return consent


def exported(page: Page) -> Download:
    """The continuation's uris."""
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_test_id("stPopoverBody").get_by_role("button", name="URIs").click()
    return download.value


def test_a_link_in_and_a_playlist_out_though_it_fails_half_way(
    server, fake, workspace, log, open_tab, tmp_path
):
    linked = [key(3 * number) for number in range(LINKED)]
    items = [*linked[:2], fake.local_file("Mine"), fake.episode("Talk"), None, *linked[2:]]
    theirs = fake.add_playlist("Road **trip**", items)
    page = open_tab()
    addresses: list[str] = []
    page.context.on("page", lambda tab: tab.on("framenavigated", lambda f: addresses.append(f.url)))
    page.on("framenavigated", lambda frame: addresses.append(frame.url))
    visit(page, f"{server}/?dataset=known&k={ADDED}")

    # a playlist link in: read, matched, added
    page.get_by_role("searchbox").fill(f"https://open.spotify.com/playlist/{theirs}?si=x")
    page.get_by_role("button", name="Read this playlist").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_text(f"{LINKED} of {LINKED}")).to_be_visible()
    expect(dialog.get_by_text("1 podcast episode")).to_be_visible()
    dialog.get_by_role("button", name=f"Add {LINKED} tracks").click()
    seeds_in_link(page, LINKED)
    expect_rows(page, "continuation", LISTED)

    # sign in, in another tab; this one keeps its playlist
    open_panel(page)
    consent = answer(page, "button", "Agree")
    expect(panel(page).get_by_text("Signed in as Listener")).to_be_visible()
    seeds_in_link(page, LINKED)

    # the answer to the first hundred is lost: it has failed half-way, and is not added again
    fake.fault("drop", path="/items$", method="POST", processed=True)
    panel(page).get_by_text("With your playlist before it").click()
    create = panel(page).get_by_role("button", name=f"Create with {LINKED + ADDED} tracks")
    create.click()
    expect(panel(page).get_by_text(f"0 of {LINKED + ADDED} tracks")).to_be_visible()
    expect(create).to_have_count(0)
    (made,) = [one for one in fake.playlists.values() if one.owner == "listener"]
    assert len(made.items) == 100
    panel(page).get_by_role("button", name="Go on").click()
    made_link = panel(page).get_by_role("link", name="Open in Spotify")
    expect(made_link).to_be_visible()

    # the server holds exactly those tracks in that order
    file = tmp_path / "uris.txt"
    exported(page).save_as(file)
    wanted = [f"spotify:track:{one}" for one in linked] + file.read_text().split()
    assert len(wanted) == LINKED + ADDED
    assert len(fake.playlists) == 2
    assert made.items == wanted
    assert (made.name, made.public) == ("Road **trip**", False)
    assert made_link.get_attribute("href") == f"https://open.spotify.com/playlist/{made.id}"

    # another session of the same browser knows nothing of the sign-in
    other = page.context.new_page()
    visit(other, f"{server}/?dataset=known&seed={key(1)}")
    open_panel(other)
    expect(panel(other).get_by_role("link", name="Sign in with Spotify")).to_be_visible()

    # and nothing secret is anywhere
    tabs = [page, consent, other]
    said = [log.read_text(), file.read_text(), *addresses]
    said += [tab.content() for tab in tabs] + [tab.url for tab in tabs]
    said += [one.read_bytes().decode("latin-1") for one in workspace.rglob("*") if one.is_file()]
    assert len(fake.secrets) >= 5
    assert "DEBUG:urllib3" in log.read_text()
    assert not [secret for secret in fake.secrets if any(secret in text for text in said)]


def test_signing_in_on_a_phone_cancelled_stolen_and_done(server, open_tab):
    page = open_tab("phone", "dark")
    visit(page, f"{server}/?dataset=known&seed={key(1)}")
    open_panel(page)
    cancelled = answer(page, "link", "Cancel")
    expect(cancelled.get_by_text("cancelled at Spotify")).to_be_visible()
    expect(panel(page).get_by_text("cancelled at Spotify")).to_be_visible()

    # whoever is passed the address cannot sign in for this session
    passed_on = panel(page).get_by_role("link", name="Sign in with Spotify").get_attribute("href")
    with page.expect_popup():
        panel(page).get_by_role("link", name="Sign in with Spotify").click()
    stranger = open_tab("phone")
    stranger.goto(passed_on)
    stranger.get_by_role("button", name="Agree").click()
    expect(stranger.get_by_text("answered in another browser")).to_be_visible()
    expect(panel(page).get_by_text("answered in another browser")).to_be_visible()

    answer(page, "button", "Agree")
    expect(panel(page).get_by_text("Signed in as")).to_be_visible()
    expect(panel(page).get_by_role("button", name="Create with 20 tracks")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    panel(page).get_by_role("button", name="Sign out").click()
    expect(panel(page).get_by_role("link", name="Sign in with Spotify")).to_be_visible()
