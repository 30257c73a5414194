"""When the client asks again, when it waits, when it stops, and with which token."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from core.spotify.client import Client
from core.spotify.errors import (
    BrokenAnswerError,
    ExpiredError,
    NotFoundError,
    OfflineError,
    RateLimitedError,
    SpotifyError,
    WrongCredentialsError,
)
from core.spotify.health import FAILURES, PAGE, health_of
from tests.spotify.clients import NOWHERE, WAITING, asked, patience_for
from tests.spotify.conftest import QUICK

# --- trying again ---


@pytest.mark.parametrize("kind", [500, "html", "timeout", "drop", "cut", "truncated", "null"])
def test_what_only_reads_is_asked_again(fake, settings, kind):
    client = Client(settings, patience=patience_for(kind))
    song = fake.add_track("Song")
    fake.fault(kind, times=2)
    assert client.track(song)["name"] == "Song"
    assert len(asked(fake)) == 3


@pytest.mark.parametrize("kind", [400, 403, 404])
def test_a_refusal_is_not_asked_again(fake, client, kind):
    fake.fault(kind, times=None)
    with pytest.raises(SpotifyError):
        client.track(NOWHERE)
    assert len(asked(fake)) == 1


@pytest.mark.parametrize("kind", [500, "timeout", "drop", "truncated"])
def test_what_creates_is_never_sent_again_where_the_answer_is_lost(fake, settings, kind):
    listener = Client(settings, fake.listener_token, replace(patience_for(kind), longest_wait_s=60))
    fake.fault(kind, method="POST", processed=True)
    with pytest.raises(SpotifyError):
        listener.create_playlist("Mine", False, "")
    assert [playlist.name for playlist in fake.playlists.values()] == ["Mine"]


def test_pauses_double_with_jitter(fake, settings):
    pauses = []
    patience = replace(QUICK, attempts=4, pause_s=1)
    fake.fault(500, times=None)
    for _ in range(2):
        health_of(settings.api, "Spotify").reset()
        client = Client(settings, patience=patience, waiting=pauses.append)
        with pytest.raises(OfflineError):
            client.track(NOWHERE)
    assert len(pauses) == 6
    for number, pause in enumerate(pauses):
        assert 0.5 <= pause / 2 ** (number % 3) <= 1.5
    assert pauses[:3] != pauses[3:]


# --- rate limits ---


def test_a_page_does_not_wait_and_nothing_more_is_sent_by_anybody(fake, settings):
    def never(seconds):
        pytest.fail(f"waits {seconds} s")

    fake.fault(429, retry_after=600)
    clients = [Client(settings, patience=PAGE, waiting=never) for _ in range(2)]
    for client in clients:
        with pytest.raises(RateLimitedError) as caught:
            client.track(NOWHERE)
    assert caught.value.until > 0
    assert len(asked(fake)) == 1


def test_a_job_waits_as_long_as_it_is_told_and_goes_on(fake, settings):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        health_of(settings.api, "Spotify").reset()

    song = fake.add_track("Song")
    fake.fault(429, retry_after=30)
    assert Client(settings, patience=WAITING, waiting=wait).track(song)["name"] == "Song"
    assert len(waits) == 1
    assert 20 < waits[0] <= 30.1


def test_a_limit_longer_than_patience_ends_at_once(fake, settings):
    fake.fault(429, retry_after=61)
    with pytest.raises(RateLimitedError):
        Client(settings, patience=WAITING, waiting=pytest.fail).track(NOWHERE)


def test_limits_are_waited_out_only_as_long_as_patience_lasts_in_all(fake, settings):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        health_of(settings.api, "Spotify").reset()

    fake.fault(429, retry_after=40, times=None)
    with pytest.raises(RateLimitedError):
        Client(settings, patience=WAITING, waiting=wait).track(NOWHERE)
    assert len(waits) == 1


def test_limit_after_limit_ends(fake, settings):
    fake.fault(429, retry_after=0, times=None)
    with pytest.raises(RateLimitedError):
        Client(settings, patience=WAITING).track(NOWHERE)
    assert len(asked(fake)) == WAITING.attempts


def test_what_creates_is_sent_again_after_a_limit_which_says_that_nothing_was_done(fake, settings):
    listener = Client(settings, fake.listener_token, WAITING)
    fake.fault(429, method="POST", retry_after=0)
    listener.create_playlist("Mine", False, "")
    assert [playlist.name for playlist in fake.playlists.values()] == ["Mine"]


# --- the circuit breaker ---


def test_after_failures_in_a_row_nothing_is_sent_by_any_client(fake, settings):
    fake.fault(500, times=None)
    for _ in range(4):
        with pytest.raises(OfflineError):
            Client(settings, patience=QUICK).track(NOWHERE)
    assert len(asked(fake)) == FAILURES
    with pytest.raises(OfflineError, match=r"5 requests in a row .* nothing is sent until [\d:]+"):
        Client(settings, patience=QUICK).track(NOWHERE)


def test_a_job_waits_for_the_trial(fake, settings):
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if seconds > 1:
            health_of(settings.api, "Spotify").reset()

    song = fake.add_track("Song")
    fake.fault(500, times=FAILURES)
    patience = replace(WAITING, attempts=FAILURES + 1)
    assert Client(settings, patience=patience, waiting=wait).track(song)["name"] == "Song"
    assert 20 < max(waits) < 31


# --- tokens ---


def test_an_app_s_token_is_fetched_once_for_all_clients(fake, settings):
    for _ in range(3):
        with pytest.raises(NotFoundError):
            Client(settings, patience=QUICK).track(NOWHERE)
    assert len(asked(fake, "/api/token")) == 1


def test_an_app_s_token_that_is_refused_is_fetched_anew_once(fake, client):
    song = fake.add_track("Song")
    client.track(song)
    fake.expire_tokens()
    assert client.track(song)["name"] == "Song"
    assert len(asked(fake, "/api/token")) == 2
    fake.fault(401, times=None)
    fake.clear()
    with pytest.raises(ExpiredError, match="app's own access"):
        client.track(song)
    assert len(asked(fake)) == 2


def test_a_listener_s_token_that_is_refused_is_renewed_once(fake, settings):
    held, refused = [fake.listener_token()], []

    def renew(token):
        refused.append(token)
        held[0] = fake.listener_token()

    listener = Client(settings, lambda: held[0], QUICK, refused=renew)
    first = held[0]
    fake.expire_tokens()
    assert listener.create_playlist("Mine", False, "")["name"] == "Mine"
    assert refused == [first]
    fake.fault(401, times=None)
    with pytest.raises(ExpiredError, match="sign-in to Spotify has expired or was withdrawn"):
        listener.me()
    assert len(refused) == 2


def test_a_listener_s_token_that_cannot_be_renewed_has_expired(fake, settings):
    token = fake.listener_token()
    fake.expire_tokens()
    with pytest.raises(ExpiredError, match="sign in again"):
        Client(settings, lambda: token, QUICK).me()
    assert len(asked(fake)) == 1


def test_wrong_credentials_are_told_from_missing_ones(fake, settings):
    assert Client(settings, patience=QUICK).search("a", "track").total == 0  # with a token kept
    fake.clear()
    wrong = replace(settings, client_secret="wrong-secret")
    with pytest.raises(WrongCredentialsError, match="does not accept SPOTIFY_CLIENT_ID"):
        Client(wrong, patience=QUICK).track(NOWHERE)
    assert asked(fake) == []


@pytest.mark.parametrize(
    ("kind", "details", "error"),
    [
        (500, {}, OfflineError),
        ("timeout", {}, OfflineError),
        ("truncated", {}, BrokenAnswerError),
        ("html", {"status": 200}, BrokenAnswerError),
        ("missing", {"fields": ["access_token"]}, BrokenAnswerError),
        ("missing", {"fields": ["expires_in"]}, BrokenAnswerError),
        ("null", {"fields": ["access_token"]}, BrokenAnswerError),
        ("null", {"fields": ["expires_in"]}, BrokenAnswerError),
        (429, {"retry_after": 60}, RateLimitedError),
        (400, {}, WrongCredentialsError),
        (404, {}, WrongCredentialsError),
    ],
)
def test_what_goes_wrong_with_the_token_is_said_and_forgotten(fake, settings, kind, details, error):
    song = fake.add_track("Song")
    client = Client(settings, patience=patience_for(kind))
    fake.fault(kind, path="^/api/token", times=None, **details)
    with pytest.raises(error):
        client.track(song)
    assert asked(fake) == []
    fake.heal()
    health_of(settings.accounts, "Spotify").reset()
    assert client.track(song)["name"] == "Song"


def test_a_lost_answer_to_the_token_is_asked_for_again(fake, client):
    song = fake.add_track("Song")
    fake.fault("drop", path="^/api/token", times=2)
    assert client.track(song)["name"] == "Song"


def test_a_netrc_does_not_replace_the_token(fake, client, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password else\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    song = fake.add_track("Song")
    assert client.track(song)["name"] == "Song"


def test_tokens_of_two_sessions_are_never_mixed(fake, settings):
    together = threading.Barrier(8)
    listening = Client(settings, fake.listener_token, QUICK)
    app = Client(settings, patience=QUICK)

    def ask(number):
        together.wait()
        if number % 2:
            return listening.me()["id"]
        with pytest.raises(ExpiredError):
            app.me()
        return "nobody"

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(ask, range(48))) == ["nobody", "listener"] * 24


def test_one_client_serves_many_threads_while_its_token_expires(fake, client):
    songs = [fake.add_track(f"Song {line}") for line in range(8)]

    def ask(number):
        if number == 20:
            fake.expire_tokens()
        return client.track(songs[number % 8])["name"]

    with ThreadPoolExecutor(8) as pool:
        names = list(pool.map(ask, range(48)))
    assert len(asked(fake, "/api/token")) == 2
    assert names == [f"Song {number % 8}" for number in range(48)]
