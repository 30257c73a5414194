"""Who asks Spotify from a page, and what is said where nobody can."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import press, texts
from tests.spotify.consent import signed_in


def page() -> None:
    """A page that asks Spotify, and offers to sign in."""
    import streamlit as st

    from pages.common.widgets import sentences
    from pages.spotify import account

    st.session_state.page_path = ""
    with sentences():
        client = account.client()
        if client is None:
            st.text("nobody")
            st.caption(account.needed())
        elif account.listener():
            st.text(client.me()["id"])
        else:
            st.text(client.search("a", "artist").total)
        account.sign_in("here")


@pytest.fixture
def at(monkeypatch) -> AppTest:
    """That page, not run yet, where nothing is configured."""
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIFY_REDIRECT_URI"):
        monkeypatch.delenv(name, raising=False)
    return AppTest.from_function(page, default_timeout=30)


def test_without_an_app_nobody_asks_and_the_page_says_what_is_needed(at):
    at.run()
    assert at.text[0].value == "nobody"
    (needed,) = at.caption
    assert "set SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET as https" in needed.value
    assert needed.value.endswith("or set the id alone and sign in.")
    (sign_in,) = at.info
    assert r"set SPOTIFY\_CLIENT\_ID as https" in sign_in.value
    assert "SECRET" not in sign_in.value


def test_an_app_without_a_secret_asks_for_a_listener(at, settings, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    at.run()
    assert at.text[0].value == "nobody"
    assert "set SPOTIFY_CLIENT_SECRET as https" in at.caption[0].value
    assert at.caption[0].value.endswith("or sign in with Spotify.")


def test_an_app_asks_until_somebody_signs_in_and_again_once_they_sign_out(at, settings, fake):
    fake.add_track("A song", "a")
    at.run()
    assert at.text[0].value == "1"
    at.session_state["spotify_listener"] = signed_in(settings)
    at.run()
    assert at.text[0].value == "listener"
    assert "Signed in as **Listener**" in texts(at)
    press(at, "Sign out")
    assert at.text[0].value == "1"


def test_a_listener_whose_access_is_withdrawn_is_signed_out(at, settings, fake):
    at.session_state["spotify_listener"] = signed_in(settings)
    fake.expire_tokens()
    fake.revoke()
    at.run()
    assert "sign in again" in texts(at)
    at.run()
    assert at.text[0].value == "0"
    assert "Signed in as" not in texts(at)


def test_a_name_is_shown_as_it_is_written(at, settings, fake):
    fake.accounts.listener = "**bold** <b>"
    at.session_state["spotify_listener"] = signed_in(settings)
    at.run()
    assert r"Signed in as **\*\*Bold\*\* \<B\>**" in texts(at)


def test_a_wrong_address_in_the_environment_is_one_sentence(at, monkeypatch):
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "id")
    monkeypatch.setenv("SPOTIFY_ACCOUNTS", "http://accounts.example")
    at.run()
    assert [error.value for error in at.error] == [
        r"SPOTIFY\_ACCOUNTS must be an https address, or http on 127\.0\.0\.1; correct it\."
    ]
