"""The fake Spotify fails when it is told to, says what it was asked, and can be run by hand."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.spotify.asking import app, listener, read, refused, songs, speaking, uris
from tests.spotify.fake import fake_spotify

REPOSITORY = Path(__file__).resolve().parents[2]


def eventually(what: Callable[[], bool]) -> bool:
    """Whether it becomes true within seconds."""
    end = time.monotonic() + 5
    while not what() and time.monotonic() < end:
        time.sleep(0.005)
    return what()


@pytest.fixture
def track(fake) -> str:
    return fake.add_track("Song", "Osk")


@pytest.mark.parametrize("status", [401, 403, 404, 500, 503])
def test_a_status_strikes_once_and_no_more(fake, track, status):
    spotify = app(fake)
    fake.fault(status, message="Not now")
    assert refused(spotify.track, track) == (status, "Not now")
    assert spotify.track(track)["id"] == track


def test_a_rate_limit_says_how_long(fake, track):
    spotify = speaking(fake, auth=fake.listener_token())
    address, headers = f"{fake.address}/v1/tracks/{track}", spotify._auth_headers()
    for retry_after in (7, None):
        fake.fault(429, retry_after=retry_after)
        answer = requests.get(address, headers=headers, timeout=5)
        assert answer.json() == {"error": {"status": 429, "message": "API rate limit exceeded"}}
        assert answer.headers.get("Retry-After") == (retry_after and str(retry_after))


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("timeout", requests.exceptions.ReadTimeout),
        ("drop", requests.exceptions.ConnectionError),
        ("cut", requests.exceptions.ChunkedEncodingError),
    ],
)
def test_the_network_fails(fake, track, kind, error):
    spotify = app(fake)
    spotify.requests_timeout = 0.3 if kind == "timeout" else 5
    fake.fault(kind)
    with pytest.raises(error):
        spotify.track(track)
    assert spotify.track(track)["id"] == track
    assert [request.answered for request in fake.requests] == [True, False, True]


def test_answers_that_are_no_json(fake, track):
    spotify = app(fake)
    fake.fault("truncated")
    assert spotify.track(track) is None
    fake.fault("html", status=502)
    status, message = refused(spotify.track, track)
    assert status == 502
    assert message.startswith("<html>")


def test_an_answer_takes_its_time(fake, track):
    spotify = app(fake)
    spotify.requests_timeout = 0.3
    fake.fault("slow", seconds=0.6)
    with pytest.raises(requests.exceptions.ReadTimeout):
        spotify.track(track)
    fake.fault("slow", seconds=0.01)
    assert spotify.track(track)["id"] == track


def test_fields_are_missing_or_null(fake, track):
    spotify = app(fake)
    fake.fault("missing", fields=["duration_ms", "artists"])
    fake.fault("null", fields=["name"])
    fake.fault("null")
    missing, null, nothing = (spotify.track(track) for _ in range(3))
    assert not {"duration_ms", "artists"} & (set(missing) | set(missing["album"]))
    assert null["name"] is None
    assert null["artists"][0]["name"] is None
    assert nothing is None


def test_a_fault_is_aimed(fake, track):
    other = fake.add_track("Other")
    spotify = app(fake)
    fake.fault(404, path=f"/tracks/{track}$", times=2, after=1)
    for key, struck in ((track, False), (other, False), (track, True), (other, False)):
        if struck:
            assert refused(spotify.track, key)[0] == 404
        else:
            assert spotify.track(key)["id"] == key
    assert refused(spotify.track, track)[0] == 404
    assert spotify.track(track)["id"] == track


def test_faults_strike_in_the_order_they_were_declared(fake, track):
    spotify = app(fake)
    fake.fault(500, times=2)
    fake.fault(403, path="/tracks/")
    assert [refused(spotify.track, track)[0] for _ in range(3)] == [500, 500, 403]
    assert spotify.track(track)["id"] == track


def test_a_fault_lasts_until_it_is_healed(fake, track):
    spotify = app(fake)
    fake.fault(500, times=None)
    assert [refused(spotify.track, track)[0] for _ in range(5)] == [500] * 5
    fake.heal()
    assert spotify.track(track)["id"] == track


@pytest.mark.parametrize(("processed", "held"), [(False, 0), (True, 1)])
def test_a_lost_answer_may_have_been_applied(fake, track, processed, held):
    playlist = fake.add_playlist("Own", [], owner="listener")
    spotify = listener(fake)
    fake.fault("drop", method="POST", processed=processed)
    with pytest.raises(requests.exceptions.ConnectionError):
        spotify.playlist_add_items(playlist, [track])
    assert fake.playlists[playlist].items == uris([track] * held)


def test_pages_overlap_when_the_playlist_is_edited_meanwhile(fake):
    ids = songs(fake, 120)
    playlist = fake.add_playlist("Edited", ids)
    fake.fault("overlap", path="/items$", after=1, by=2)
    found = read(app(fake), playlist)
    assert found == uris(ids[:50] + ids[48:])


def test_something_happens_meanwhile(fake, track):
    spotify, seen = app(fake), []

    def meanwhile(call):
        seen.append(call.path)
        fake.expire_tokens()

    fake.fault("meanwhile", after=1, do=meanwhile)
    assert spotify.track(track)["id"] == track
    assert refused(spotify.track, track) == (401, "The access token expired")
    assert seen == [f"/v1/tracks/{track}"]


def test_an_unknown_fault_is_a_mistake(fake):
    with pytest.raises(ValueError, match="no such fault: fire"):
        fake.fault("fire")


def test_the_accounts_service_fails_in_its_own_words(fake):
    fake.fault(400, path="/api/token", message="invalid_grant")
    answer = requests.post(f"{fake.address}/api/token", timeout=5)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


# The log.


def test_the_log_holds_what_was_asked_but_no_authorization(fake, track):
    spotify = app(fake)
    spotify.track(track)
    spotify.search("Song", limit=3)
    token, one, search = fake.requests
    assert (token.method, token.path, token.body) == (
        "POST",
        "/api/token",
        {"grant_type": "client_credentials"},
    )
    assert (one.path, one.status, one.answered) == (f"/v1/tracks/{track}", 200, True)
    assert search.query["q"] == "Song"
    assert not [secret for secret in fake.secrets if secret in repr(fake.requests)]
    fake.clear()
    assert fake.requests == []


@pytest.mark.parametrize("read", [0, 1], ids=["before the answer", "with the answer unread"])
def test_a_client_that_is_gone_got_no_answer(fake, track, read):
    playlist = fake.add_playlist("All", [track] * 50)
    connection = socket.create_connection(("127.0.0.1", int(fake.address.rpartition(":")[2])))
    if not read:
        fake.fault("meanwhile", do=lambda _: connection.close())
    asked = f"GET /v1/playlists/{playlist}/items HTTP/1.1\r\nHost: fake\r\n"
    connection.send(f"{asked}Authorization: Bearer {fake.listener_token()}\r\n\r\n".encode())
    if read:
        connection.recv(read)
        connection.close()
    assert eventually(lambda: fake.requests and fake.requests[0].status == 200)
    assert eventually(lambda: not fake.requests[0].answered)


def test_a_fake_that_stopped_is_offline():
    with fake_spotify() as fake:
        track = fake.add_track("Song")
        spotify = app(fake)
        spotify.track(track)
    with pytest.raises(requests.exceptions.ConnectionError):
        spotify.track(track)


# By hand.


@pytest.mark.parametrize(("given", "playlists"), [([], 3), (["--tracks=mine.csv"], 1)])
def test_it_serves_by_hand(tmp_path, given, playlists):
    (tmp_path / "mine.csv").write_text("id,title,artist\n4uLU6hMCjMI75M1A2tKUQC,Song,Osk\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.spotify.fake", "--fields=old", *given],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        environment = json.loads(process.stdout.readline())
        form = {
            "grant_type": "client_credentials",
            "client_id": environment["SPOTIFY_CLIENT_ID"],
            "client_secret": environment["SPOTIFY_CLIENT_SECRET"],
        }
        accounts = environment["SPOTIFY_ACCOUNTS"]
        token = requests.post(f"{accounts}/api/token", form, timeout=5).json()["access_token"]
        found = requests.get(
            f"{environment['SPOTIFY_API']}/search?q=Osk&type=track,playlist",
            headers={"Authorization": f"Bearer {token}"},
            timeout=5,
        ).json()
    finally:
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=5)
    assert process.returncode == 0
    links = re.findall(r"https://open\.spotify\.com/playlist/(\w{22})", said)
    assert len(links) == playlists
    assert found["tracks"]["items"][0]["artists"][0]["name"] == "Osk"
    assert {playlist["id"] for playlist in found["playlists"]["items"]} <= set(links)
