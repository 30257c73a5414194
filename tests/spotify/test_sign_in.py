"""Sign-in with Spotify against the fake: consent, codes, states, renewal, and what stays unsaid."""

import gc
import logging
import threading
import traceback
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors import SegueError
from core.spotify import sign_in
from core.spotify.client import Settings
from core.spotify.errors import (
    BrokenAnswerError,
    ExpiredError,
    NoCredentialsError,
    OfflineError,
    SpotifyError,
)
from core.spotify.sign_in import SCOPES, OtherAddressError, Outcome, arrive, begin, callback_address
from tests.spotify.consent import BROWSER, REDIRECT, agreed, began, signed_in


def tokens_asked(fake, grant):
    """Requests for tokens by a grant."""
    asked = [request for request in fake.requests if request.path == "/api/token"]
    return [request for request in asked if request.body["grant_type"] == grant]


# --- the way through ---


def test_whoever_agrees_is_signed_in_and_asks_in_their_own_name(fake, settings):
    pending = began(settings)
    assert pending.collect() is None
    assert arrive(**agreed(pending), error="", browser=BROWSER) is Outcome.ARRIVED
    listener = pending.collect()
    assert listener.name == "Listener"
    listener.client().create_playlist("Mine", False, "")
    assert [playlist.owner for playlist in fake.playlists.values()] == ["listener"]


def test_the_address_asks_for_what_is_needed_and_nothing_secret_is_in_it(fake, settings):
    pending = began(settings)
    address = urlsplit(pending.address)
    asked = {name: value for name, (value,) in parse_qs(address.query).items()}
    assert f"{address.scheme}://{address.netloc}" == fake.address
    assert asked.pop("code_challenge_method") == "S256"
    assert asked.pop("code_challenge")
    assert asked.pop("state") == pending.state
    assert asked == {
        "client_id": settings.client_id,
        "response_type": "code",
        "redirect_uri": REDIRECT,
        "scope": SCOPES,
    }
    arrive(**agreed(pending), error="", browser=BROWSER)
    pending.collect()
    (exchange,) = tokens_asked(fake, "authorization_code")
    assert "client_secret" not in exchange.body
    assert exchange.body["code_verifier"] not in pending.address


def test_each_sign_in_has_its_own_state_and_challenge(settings):
    first, second = (parse_qs(urlsplit(began(settings).address).query) for _ in range(2))
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


# --- answers that are not taken ---


def test_a_code_is_of_no_use_in_another_sign_in(settings):
    robbed, robber = began(settings), began(settings)
    code = agreed(robbed)["code"]
    assert arrive(robber.state, code, "", BROWSER) is Outcome.ARRIVED
    with pytest.raises(SpotifyError, match="did not complete the sign-in"):
        robber.collect()
    assert robbed.collect() is None


def test_an_answer_from_another_browser_signs_nobody_in(fake, settings):
    pending = began(settings)
    answer = agreed(pending)
    assert arrive(**answer, error="", browser="another") is Outcome.ELSEWHERE
    assert arrive(**answer, error="", browser=BROWSER) is Outcome.USED
    with pytest.raises(SpotifyError, match="another browser"):
        pending.collect()
    assert not tokens_asked(fake, "authorization_code")


@pytest.mark.parametrize("browser", ["", "é"])
def test_a_browser_without_a_proper_name_signs_nobody_in(settings, browser):
    pending = began(settings)
    assert arrive(pending.state, "code", "", browser) is Outcome.ELSEWHERE


def test_an_unknown_state_is_refused_and_the_sign_in_goes_on(settings):
    pending = began(settings)
    answer = agreed(pending)
    assert arrive(pending.state[:-1], answer["code"], "", BROWSER) is Outcome.UNKNOWN
    assert arrive("", answer["code"], "", BROWSER) is Outcome.UNKNOWN
    assert arrive(**answer, error="", browser=BROWSER) is Outcome.ARRIVED
    assert pending.collect() is not None


def test_a_state_is_answered_once(fake, settings):
    pending = began(settings)
    answer = agreed(pending)
    assert arrive(**answer, error="", browser=BROWSER) is Outcome.ARRIVED
    assert arrive(**answer, error="", browser=BROWSER) is Outcome.USED
    assert pending.collect() is not None
    assert answer["code"] not in str(vars(pending))
    assert arrive(**answer, error="", browser=BROWSER) is Outcome.USED
    with pytest.raises(SpotifyError, match="answered before"):
        pending.collect()
    assert len(tokens_asked(fake, "authorization_code")) == 1


def test_an_answer_comes_too_late(settings):
    pending = began(settings, life_s=-1)
    answer = agreed(pending)
    assert arrive(**answer, error="", browser=BROWSER) is Outcome.EXPIRED
    with pytest.raises(SpotifyError, match="took too long"):
        pending.collect()


def test_waiting_ends_where_no_answer_comes(settings):
    pending = began(settings, life_s=-1)
    with pytest.raises(SpotifyError, match="took too long"):
        pending.collect()
    assert arrive(**agreed(pending), error="", browser=BROWSER) is Outcome.USED


@pytest.mark.parametrize(
    ("code", "error", "outcome"),
    [
        ("", "access_denied", Outcome.CANCELLED),
        ("", "server_error", Outcome.REFUSED),
        ("a code", "invalid_scope", Outcome.REFUSED),
        ("", "", Outcome.REFUSED),
    ],
)
def test_no_consent_is_said_in_both_tabs(fake, settings, code, error, outcome):
    pending = began(settings)
    assert arrive(pending.state, code, error, BROWSER) is outcome
    with pytest.raises(SpotifyError) as told:
        pending.collect()
    assert str(told.value) == outcome.value
    assert not tokens_asked(fake, "authorization_code")


def test_the_oldest_are_forgotten_first(settings, monkeypatch):
    monkeypatch.setattr(sign_in, "MOST_PENDING", 2)
    first, *others = (began(settings) for _ in range(3))
    assert arrive(first.state, "code", "", BROWSER) is Outcome.UNKNOWN
    assert {arrive(one.state, "code", "", BROWSER) for one in others} == {Outcome.ARRIVED}


def test_what_ended_long_ago_is_forgotten_with_its_code(settings, monkeypatch):
    monkeypatch.setattr(sign_in, "_waiting", {})
    ended = began(settings, life_s=-sign_in.LIFE_S)
    kept = weakref.ref(ended)
    state = ended.state
    del ended
    began(settings)
    assert kept() is None
    assert arrive(state, "code", "", BROWSER) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("fault", "details", "error"),
    [
        (500, {}, OfflineError),
        ("drop", {}, OfflineError),
        ("html", {}, SpotifyError),
        ("truncated", {}, BrokenAnswerError),
        ("null", {}, BrokenAnswerError),
        ("missing", {"fields": ["access_token"]}, BrokenAnswerError),
        ("null", {"fields": ["access_token"]}, BrokenAnswerError),
        ("missing", {"fields": ["expires_in"]}, BrokenAnswerError),
    ],
)
def test_a_failing_exchange_is_one_sentence_and_ends_the_sign_in(
    fake, settings, fault, details, error
):
    fake.fault(fault, path="/api/token", **details)
    pending = began(settings)
    arrive(**agreed(pending), error="", browser=BROWSER)
    with pytest.raises(error) as told:
        pending.collect()
    assert str(told.value).endswith(".")
    with pytest.raises(SpotifyError, match="answered before"):
        pending.collect()
    assert signed_in(settings).name == "Listener"


def test_a_listener_whom_the_app_does_not_know_is_told_so(fake, settings):
    fake.fault(403, path="/v1/me$")
    with pytest.raises(SpotifyError, match="its dashboard names"):
        signed_in(settings)


# --- tokens ---


def test_tokens_are_renewed_before_they_end_again_and_again(fake, settings):
    fake.accounts.token_life_s = 30
    client = signed_in(settings).client()
    fake.clear()
    for _ in range(3):
        client.me()
    used = [request.body["refresh_token"] for request in tokens_asked(fake, "refresh_token")]
    assert len(set(used)) == len(used) == 3  # each gives the next one


def test_a_token_that_is_refused_is_renewed_and_the_request_repeated(fake, settings):
    client = signed_in(settings).client()
    fake.expire_tokens()
    fake.clear()
    client.create_playlist("Once", True, "")
    assert [request.status for request in fake.requests] == [401, 200, 201]
    assert len(fake.playlists) == 1


def test_threads_that_need_a_new_token_renew_it_once(fake, settings):
    listener = signed_in(settings)
    fake.expire_tokens()
    together = threading.Barrier(4)

    def ask(_):
        client = listener.client()
        together.wait()
        return client.me()["id"]

    with ThreadPoolExecutor(4) as pool:
        assert [*pool.map(ask, range(4))] == ["listener"] * 4
    assert len(tokens_asked(fake, "refresh_token")) == 1


def test_withdrawn_access_ends_the_sign_in(fake, settings):
    listener = signed_in(settings)
    fake.expire_tokens()
    fake.revoke()
    for _ in range(2):
        with pytest.raises(ExpiredError, match="sign in again"):
            listener.client().me()
    assert len(tokens_asked(fake, "refresh_token")) == 1


def test_access_without_renewal_lasts_as_long_as_its_token(fake, settings):
    fake.fault("missing", path="/api/token", fields=["refresh_token"])
    client = signed_in(settings).client()
    assert client.me()["id"] == "listener"
    fake.expire_tokens()
    with pytest.raises(ExpiredError, match="sign in again"):
        client.me()


def test_a_renewal_without_an_answer_can_be_tried_again(fake, settings):
    client = signed_in(settings).client()
    fake.expire_tokens()
    fake.fault(500, path="/api/token")
    with pytest.raises(OfflineError):
        client.me()
    assert client.me()["id"] == "listener"


@pytest.mark.parametrize("fault", ["truncated", "null", "missing"])
def test_a_broken_renewal_is_one_sentence(fake, settings, fault):
    client = signed_in(settings).client()
    fake.expire_tokens()
    fake.fault(fault, path="/api/token", fields=["access_token"], processed=True)
    with pytest.raises(BrokenAnswerError):
        client.me()
    with pytest.raises(ExpiredError):  # its refresh token was taken, the next one lost
        client.me()


def test_signing_out_ends_every_client_of_the_listener(fake, settings):
    listener = signed_in(settings)
    client = listener.client()
    listener.forget()
    fake.clear()
    with pytest.raises(ExpiredError):
        client.me()
    assert not fake.requests


def test_a_listener_who_has_signed_out_leaves_no_token_behind(settings):
    listener = signed_in(settings)
    tokens = weakref.ref(listener._flow.cache_handler)
    gc.collect()
    assert tokens() is not None
    listener.forget()
    gc.collect()
    assert tokens() is None


# --- nothing secret is said ---


def test_nothing_secret_is_logged_shown_or_raised(fake, settings, caplog):
    caplog.set_level(logging.DEBUG)
    for name in logging.Logger.manager.loggerDict:
        logging.getLogger(name).setLevel(logging.DEBUG)
    said = []
    pending = began(settings)
    answer = agreed(pending)
    arrive(**answer, error="", browser=BROWSER)
    said.append(repr(pending))
    listener = pending.collect()
    said += [repr(pending), repr(listener), repr(listener.client()), repr(settings)]
    fake.expire_tokens()
    fake.fault("truncated", path="/api/token", processed=True)
    for _ in range(2):
        try:
            listener.client().me()
        except SegueError as error:
            said += [str(error), repr(error), *traceback.format_exception(error)]
    caught = began(settings)
    arrive(caught.state, answer["code"], "", BROWSER)
    with pytest.raises(SpotifyError) as told:
        caught.collect()
    said += traceback.format_exception(told.value)
    everything = caplog.text + "\n".join(said)
    assert len(fake.secrets) >= 6
    assert not [secret for secret in fake.secrets if secret in everything]


# --- where it may begin ---


def test_an_app_without_an_id_is_told_what_it_needs():
    with pytest.raises(NoCredentialsError, match=r"Signing in .*SPOTIFY_CLIENT_ID as") as caught:
        begin(Settings(), REDIRECT, BROWSER)
    assert "SECRET" not in str(caught.value)


def test_a_browser_without_cookies_is_told_so(settings):
    with pytest.raises(SegueError, match="keeps no cookie"):
        begin(settings, REDIRECT, "")


@pytest.mark.parametrize(
    ("app", "address"),
    [
        ("https://segue.example", "https://segue.example/spotify/callback"),
        ("https://a.example/segue/", "https://a.example/segue/spotify/callback"),
        ("http://127.0.0.1:8501", "http://127.0.0.1:8501/spotify/callback"),
    ],
)
def test_people_are_sent_back_to_the_app(app, address):
    assert callback_address(Settings(), app) == address


@pytest.mark.parametrize(
    "app", ["http://192.168.1.5:8501", "http://127.0.0.1.example", "", "file:"]
)
def test_people_are_sent_back_nowhere_else(app):
    with pytest.raises(SegueError, match="https addresses only"):
        callback_address(Settings(), app)


def test_who_is_on_localhost_is_led_to_its_other_name():
    with pytest.raises(OtherAddressError, match=r"open Segue at 127\.0\.0\.1:8501") as told:
        callback_address(Settings(), "http://localhost:8501/segue")
    assert told.value.address == "http://127.0.0.1:8501/segue"


def test_a_redirect_past_the_callback_is_named():
    settings = Settings(redirect_uri="https://segue.example/elsewhere")
    with pytest.raises(SegueError, match="must end with /spotify/callback"):
        callback_address(settings, "https://segue.example")


def test_a_redirect_of_the_settings_is_taken_where_the_person_is_there(settings):
    elsewhere = replace(settings, redirect_uri="https://segue.example/a/spotify/callback")
    assert callback_address(elsewhere, "https://segue.example/a") == elsewhere.redirect_uri
    for app in ("http://127.0.0.1:8501", "http://segue.example/a"):
        with pytest.raises(OtherAddressError) as told:
            callback_address(elsewhere, app)
        assert told.value.address == "https://segue.example/a"
