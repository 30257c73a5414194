"""A continuation, or a journey, as a playlist in a listener's account on the fake Spotify."""

import shutil
from functools import partial
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.dataset.dataset import Dataset
from core.spotify.client import Settings
from core.spotify.health import reset_health
from core.spotify.publish import publish
from core.training.train import train
from core.workspace import Workspace
from tests.conftest import made_once
from tests.pages.conftest import WITH_SIGNS, press, texts
from tests.spotify.consent import signed_in
from tests.spotify.fake import Fake

ON_SPOTIFY = 24
ELSEWHERE = ("local:one", "local:two")


def uri(number: int) -> str:
    return f"spotify:track:{number:022}"


@pytest.fixture(scope="module")
def made(make_dataset, tmp_path_factory) -> Path:
    """A workspace with "mixed", whose two most popular tracks are not on Spotify."""

    def make(workspace: Path) -> None:
        tracks = {str(number): {"uri": uri(number)} for number in range(ON_SPOTIFY)}
        tracks |= {"one": {"uri": ELSEWHERE[0], "title": WITH_SIGNS}, "two": {"uri": ELSEWHERE[1]}}
        playlists = [
            ["one", "two", *(str((first + step) % ON_SPOTIFY) for step in range(8))]
            for first in range(ON_SPOTIFY)
        ]
        dataset = make_dataset(playlists, None, tracks, name="mixed")
        shutil.copytree(dataset.folder, workspace / "mixed")
        settings = {"als": {"factors": 8, "iterations": 2}}
        train(Dataset(workspace / "mixed"), ["als"], "fast", map_method="pca", settings=settings)

    return made_once(tmp_path_factory, "publishing", make)


@pytest.fixture
def workspace(made: Path, empty: Workspace) -> Path:
    """A copy, instead of the workspace of the other pages' tests."""
    return shutil.copytree(made, empty.folder)


@pytest.fixture
def fake(fake: Fake) -> Fake:
    """With the tracks of "mixed" that are on Spotify."""
    for number in range(ON_SPOTIFY):
        fake.add_track(str(number), f"artist {number}", id=f"{number:022}")
    return fake


@pytest.fixture
def form(open_page, settings: Settings, monkeypatch) -> AppTest:
    """The form on the Continuation page, signed in, for seeds that are all on Spotify."""
    monkeypatch.setattr("pages.spotify.publish.publish", partial(publish, waiting=lambda _: None))
    at = open_page(dataset="mixed", seed=[uri(0), uri(1)], title="rainy sunday")
    at.session_state["spotify_listener"] = signed_in(settings)
    return press(at, "To Spotify")


def listed(at: AppTest) -> list[str]:
    """Uris of the continuation, as the page lists it, that are on Spotify."""
    titles = at.dataframe[-1].value["Track"]
    return [uri(int(title)) for title in titles if title.isdecimal()]


def test_the_list_goes_to_spotify_in_its_order_without_what_is_not_there(form, fake):
    wanted = listed(form)
    assert len(wanted) == 18
    assert "18 of 20 tracks are on Spotify. Left out: " in texts(form)
    assert "Signed in as **Listener**" in texts(form)
    press(form, "Create with 18 tracks")
    (made,) = fake.playlists.values()
    assert (made.name, made.public, made.items) == ("rainy sunday", False, wanted)
    assert form.success[0].value == "**rainy sunday** is on Spotify, private, with 18 tracks."
    (link,) = form.get("link_button")
    assert link.proto.url == f"https://open.spotify.com/playlist/{made.id}"


def test_it_is_named_and_shown_as_asked_with_the_playlist_before_it(form, fake):
    wanted = [uri(0), uri(1), *listed(form)]
    form.text_input("continuation_spotify_name").set_value("**Mine**")
    form.button_group("continuation_spotify_seen").set_value("Public")
    form.checkbox("continuation_spotify_before").check().run()
    press(form, "Create with 20 tracks")
    (made,) = fake.playlists.values()
    assert (made.name, made.public, made.items) == ("**Mine**", True, wanted)
    assert form.success[0].value.startswith(r"**\*\*Mine\*\*** is on Spotify, public")


def test_a_name_of_nothing_is_refused_in_one_sentence(form, fake):
    form.text_input("continuation_spotify_name").set_value("\x07")
    press(form, "Create with 18 tracks")
    assert "needs a name" in texts(form)
    assert not fake.playlists


def test_what_failed_half_way_goes_on_with_the_list_as_it_was(form, fake):
    wanted = listed(form)
    fake.fault(403, path="/items$", method="POST")
    press(form, "Create with 18 tracks")
    assert "does not let this listener" in texts(form)
    assert "0 of 18 tracks" in texts(form)
    form.session_state["request"] = form.session_state["request"].__class__(dataset="mixed")
    form.run()
    assert listed(form) != wanted
    press(form, "Go on")
    (made,) = fake.playlists.values()
    assert made.items == wanted
    press(form, "Create another")
    assert "tracks are on Spotify. Left out" in texts(form)
    assert len(fake.playlists) == 1


def test_what_spotify_knows_no_more_is_left_out_by_name(form, fake):
    gone, *wanted = listed(form)
    del fake.tracks[gone.removeprefix("spotify:track:")]
    press(form, "Create with 18 tracks")
    (made,) = fake.playlists.values()
    assert made.items == wanted
    assert f"does not know them any more: {int(gone[-22:])}" in texts(form)


def test_while_spotify_takes_no_requests_nobody_goes_on(form, fake):
    wanted = listed(form)
    fake.fault(429, path="/items$", method="POST", retry_after=600)
    press(form, "Create with 18 tracks")
    assert "takes no more requests from this app until" in form.error[0].value
    (go_on,) = [button for button in form.button if button.label == "Go on"]
    assert go_on.disabled
    reset_health()
    press(form.run(), "Go on")
    (made,) = fake.playlists.values()
    assert made.items == wanted


def test_a_failure_can_be_given_up(form, fake):
    fake.fault(403, path="/me/playlists$", method="POST")
    press(form, "Create with 18 tracks")
    press(form, "Give up")
    assert "tracks are on Spotify. Left out" in texts(form)
    assert not fake.playlists


def test_an_expired_sign_in_is_offered_again_and_keeps_what_was_asked(form, fake, settings):
    wanted = listed(form)
    fake.fault(403, path="/items$", method="POST")
    press(form, "Create with 18 tracks")
    fake.expire_tokens()
    fake.revoke()
    press(form, "Go on")
    assert "expired or was withdrawn" in texts(form)
    assert "Signed in as" not in texts(form)
    form.session_state["spotify_listener"] = signed_in(settings)
    form.run()
    (made,) = fake.playlists.values()
    assert made.items == wanted


def test_signing_out_forgets_the_tokens(form, fake):
    listener = form.session_state["spotify_listener"]
    press(form, "Sign out")
    assert "spotify_listener" not in form.session_state
    assert not [button for button in form.button if button.label.startswith("Create with")]
    fake.clear()
    with pytest.raises(Exception, match="sign in again"):
        listener.client().me()
    assert not fake.requests


def test_a_journey_goes_to_spotify_too(open_page, settings, fake):
    at = open_page("journey", dataset="mixed", **{"journey.from": uri(2), "journey.to": uri(14)})
    at.session_state["spotify_listener"] = signed_in(settings)
    press(at, "To Spotify")
    (create,) = [button.label for button in at.button if button.label.startswith("Create with")]
    press(at, create)
    (made,) = fake.playlists.values()
    assert (made.items[0], made.items[-1]) == (uri(2), uri(14))
    assert made.name.startswith("2 – artist 2 to 14")


def test_a_list_that_is_not_on_spotify_says_so(open_page, settings):
    at = open_page(dataset="mixed", seed=[uri(0)], k="5")
    at.session_state["request"] = at.session_state["request"].__class__(
        dataset="mixed", seeds=tuple(map(uri, range(ON_SPOTIFY)))
    )
    press(at.run(), "To Spotify")
    assert "knows none of these tracks by a Spotify id" in texts(at)
    assert not at.get("link_button")


def test_without_an_app_the_page_says_what_is_needed(open_page, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_ID", raising=False)
    at = press(open_page(dataset="mixed", seed=[uri(0)]), "To Spotify")
    (info,) = at.info
    assert "Signing in with Spotify needs" in info.value
    assert "set SPOTIFY\\_CLIENT\\_ID as https" in info.value
    assert "SECRET" not in texts(at)
    assert not at.get("link_button")
