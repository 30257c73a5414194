"""The client against a real socket: what it reads, what it sends, what each failure says."""

import re
from dataclasses import replace

import pytest

from core.errors import SegueError
from core.spotify.client import Client, Page, Settings
from core.spotify.errors import (
    BrokenAnswerError,
    ExpiredError,
    ForbiddenError,
    NoCredentialsError,
    NotFoundError,
    OfflineError,
    RateLimitedError,
    RefusedError,
    SpotifyError,
)
from tests.conftest import led_to
from tests.spotify.clients import NOWHERE, patience_for
from tests.spotify.conftest import QUICK
from tests.spotify.fake import fake_spotify


@pytest.fixture
def extended(monkeypatch):
    """The fake of an app with an extended quota, and its client."""
    with fake_spotify("extended") as fake:
        yield fake, Client(led_to(fake, monkeypatch), patience=QUICK)


@pytest.fixture
def listener(fake, settings) -> Client:
    return Client(settings, fake.listener_token, QUICK)


def all_pages(read) -> list:
    items, offset = [], 0
    while offset is not None:
        page: Page = read(offset)
        items += page.items
        offset = page.next_offset
    return items


# --- what it reads ---


@pytest.mark.parametrize("fields", ["new", "old"])
@pytest.mark.parametrize("mode", ["development", "extended"])
def test_a_playlist_is_read_page_by_page_with_today_s_and_older_fields(mode, fields, monkeypatch):
    with fake_spotify(mode, fields) as fake:
        client = Client(led_to(fake, monkeypatch), patience=QUICK)
        tracks = [fake.add_track(f"Song {line}") for line in range(120)]
        key = fake.add_playlist("Mine", [*tracks[:60], None, fake.episode("Talk"), *tracks[60:]])
        about = client.playlist(key)
        first = client.playlist_items(key)
        items = all_pages(lambda offset: client.playlist_items(key, offset))
    assert (about["name"], about["owner"]["id"]) == ("Mine", "someone")
    assert not {"items", "tracks"} & set(about)
    assert (len(first.items), first.total, first.next_offset) == (50, 122, 50)
    assert [item and item["name"] for item in items[58:64]] == [
        "Song 58", "Song 59", None, "Talk", "Song 60", "Song 61",
    ]  # fmt: skip
    assert [item["id"] for item in items if item and item["type"] == "track"] == tracks


def test_albums_artists_tracks_and_searches_are_read(fake, client):
    songs = [fake.add_track(f"Song {line}", "Band") for line in range(23)]
    album = fake.add_album("Record", songs)
    track = client.track(songs[0])
    assert track["name"] == "Song 0"
    assert client.album(album)["name"] == "Record"
    read = all_pages(lambda offset: client.album_tracks(album, offset))
    assert [item["id"] for item in read] == songs
    assert client.artist(track["artists"][0]["id"])["name"] == "Band"
    found = client.search("Band", "track")
    assert (len(found.items), found.total, found.next_offset) == (10, 23, 10)
    assert len(all_pages(lambda offset: client.search("Band", "track", offset))) == 23


@pytest.mark.parametrize("missing", [["next"], ["total"], ["href", "limit", "offset", "previous"]])
def test_a_list_is_read_to_its_end_where_its_fields_are_missing(fake, client, missing):
    songs = [fake.add_track(f"Song {line}") for line in range(70)]
    key = fake.add_playlist("Mine", songs)
    fake.fault("missing", fields=missing, times=None)
    read = all_pages(lambda offset: client.playlist_items(key, offset))
    assert [item["id"] for item in read] == songs


@pytest.mark.parametrize("fault", ["missing", "null"])
def test_a_list_without_items_is_a_broken_answer(fake, client, fault):
    key = fake.add_playlist("Mine", [fake.add_track("Song")])
    fake.fault(fault, fields=["items"])
    with pytest.raises(BrokenAnswerError, match="a list without items"):
        client.playlist_items(key)
    fake.fault(fault, fields=["playlists"])
    with pytest.raises(BrokenAnswerError, match="a list without items"):
        client.search("Mine", "playlist")


@pytest.mark.parametrize(
    ("body", "following"),
    [
        ({"items": [{}], "next": "https://api/x?offset=20&limit=20"}, 20),
        ({"items": [{}], "next": "https://api/x?offset=0"}, 50),
        ({"items": [{}], "next": "https://api/x"}, 50),
        ({"items": [{}], "next": "https://api/x?offset=zero"}, 50),
        ({"items": [{}], "next": None, "total": 1000}, None),
        ({"items": [], "next": "https://api/x?offset=50", "total": 1000}, None),
        ({"items": [{}], "total": "many"}, None),
        ({"items": [{}]}, None),
    ],
)
def test_the_next_page_is_where_spotify_says_and_always_further(fake, client, body, following):
    fake.fault("instead", body=body)
    assert client.playlist_items(NOWHERE).next_offset == following


def test_looking_up_by_the_batch_needs_an_extended_quota(fake, client):
    song = fake.add_track("Song")
    for look_up in (client.tracks, client.artists, client.audio_features):
        with pytest.raises(ForbiddenError, match="extended quota; this app is in development"):
            look_up([song])


def test_batches_come_back_in_order_with_none_for_the_unknown(extended):
    fake, client = extended
    one = fake.add_track("One", features={"tempo": 120.0})
    two = fake.add_track("Two", features={"tempo": 90.0})
    band = fake.add_artist("Band")
    found = client.tracks([two, NOWHERE, one])
    artists = client.artists([NOWHERE, band])
    features = client.audio_features([two, NOWHERE, one])
    assert [track and track["name"] for track in found] == ["Two", None, "One"]
    assert [artist and artist["name"] for artist in artists] == [None, "Band"]
    assert [each and each["tempo"] for each in features] == [90.0, None, 120.0]


@pytest.mark.parametrize("body", [{}, {"tracks": None}, {"tracks": [None]}])
def test_a_batch_that_is_not_the_one_asked_for_is_a_broken_answer(extended, body):
    fake, client = extended
    fake.fault("instead", body=body)
    with pytest.raises(BrokenAnswerError, match="not the 2 tracks that were asked for"):
        client.tracks([NOWHERE, "1" * 22])


# --- what it sends ---


def test_tracks_are_added_where_they_belong(fake, listener):
    songs = [f"spotify:track:{fake.add_track(f'Song {line}')}" for line in range(4)]
    made = listener.create_playlist("Mine", True, "By me")
    listener.add_items(made["id"], songs[2:], 0)
    listener.add_items(made["id"], songs[:2], 0)
    held = fake.playlists[made["id"]]
    assert (held.name, held.public, held.description) == ("Mine", True, "By me")
    assert held.items == songs
    assert [playlist["id"] for playlist in listener.my_playlists().items] == [made["id"]]
    assert listener.me()["id"] == "listener"


@pytest.mark.parametrize("wrong", ["", "x", "../me", f"{NOWHERE}/x", f"{NOWHERE}?a=b", "0" * 21])
def test_nothing_is_sent_for_an_id_that_is_none(fake, client, wrong):
    calls = [
        client.playlist,
        client.playlist_items,
        client.album,
        client.album_tracks,
        client.artist,
        client.track,
        lambda one: client.tracks([NOWHERE, one]),
        lambda one: client.artists([NOWHERE, one]),
        lambda one: client.audio_features([NOWHERE, one]),
        lambda one: client.add_items(one, [f"spotify:track:{NOWHERE}"], 0),
        lambda one: client.add_items(NOWHERE, [f"spotify:track:{one}"], 0),
        lambda one: client.add_items(NOWHERE, [f"spotify:episode:{NOWHERE}"], 0),
    ]
    for call in calls:
        with pytest.raises(SegueError, match=r"no id|cannot be added"):
            call(wrong)
    assert fake.requests == []


@pytest.mark.parametrize("count", [0, 101])
def test_nothing_is_sent_for_a_batch_that_is_too_large_or_empty(fake, client, count):
    for call in (
        lambda: client.tracks([NOWHERE] * (count and 51)),
        lambda: client.audio_features([NOWHERE] * count),
        lambda: client.add_items(NOWHERE, [f"spotify:track:{NOWHERE}"] * count, 0),
    ):
        with pytest.raises(SegueError, match="at once, 1 to"):
            call()
    assert fake.requests == []


# --- what each failure says ---

SENTENCES = [
    (401, {}, ExpiredError, "does not accept the app's own access"),
    (403, {}, ForbiddenError, "only to its owner and its collaborators; sign in as one of them"),
    ("html", {"status": 403}, ForbiddenError, "only to its owner and its collaborators"),
    (
        404,
        {},
        NotFoundError,
        "gives no playlist [0-9A-Za-z]{22}: it is private, deleted",
    ),
    ("html", {"status": 404}, NotFoundError, "it is private, deleted, or one of Spotify's own"),
    (400, {}, RefusedError, "refuses the request as it stands (400)"),
    (429, {"retry_after": 7}, RateLimitedError, r"no more requests from this app until [\d:]{8} "),
    (500, {}, OfflineError, "gives no answer (server error 500); try again in a minute"),
    ("html", {}, OfflineError, "server error 502"),
    ("timeout", {}, OfflineError, "none within 0.2 s"),
    ("drop", {}, OfflineError, "the connection failed"),
    ("cut", {}, OfflineError, "the connection failed"),
    ("truncated", {}, BrokenAnswerError, "an answer that cannot be read (no JSON object)"),
    ("html", {"status": 200}, BrokenAnswerError, "sign-in page of the network"),
    ("null", {}, BrokenAnswerError, "no JSON object"),
    ("instead", {"body": ["a"]}, BrokenAnswerError, "no JSON object"),
    ("instead", {"body": b"[" * 100_000}, BrokenAnswerError, "no JSON object"),
    ("instead", {"body": {"error": "invalid_grant"}, "status": 400}, RefusedError, "invalid_grant"),
    ("instead", {"body": {"error": "my secret"}, "status": 418}, RefusedError, "it stands (418)"),
    ("instead", {"body": {"error": None}, "status": 404}, NotFoundError, "it is private, del"),
    ("instead", {"body": b"", "status": 403}, ForbiddenError, "only to its owner"),
]


@pytest.mark.parametrize(("kind", "details", "error", "words"), SENTENCES)
def test_each_failure_is_one_sentence(fake, settings, kind, details, error, words):
    client = Client(settings, patience=patience_for(kind))
    key = fake.add_playlist("Mine", [])
    fake.fault(kind, times=None, **details)
    with pytest.raises(SpotifyError) as caught:
        client.playlist_items(key)
    assert type(caught.value) is error
    pattern = words if "[" in words else re.escape(words)
    assert re.search(pattern, str(caught.value))
    assert re.fullmatch(r"Spotify [^\n]*[^.\n]\.", str(caught.value))


def test_without_credentials_the_sentence_says_what_is_needed(fake, settings):
    both = "set SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET as https"
    for lacking, sentence in (
        ({"client_id": None, "client_secret": None}, both),
        ({"client_id": None}, "set SPOTIFY_CLIENT_ID as https"),
        ({"client_secret": None}, "set SPOTIFY_CLIENT_SECRET as https"),
    ):
        with pytest.raises(NoCredentialsError, match=f"Asking Spotify needs .*{sentence}"):
            Client(replace(settings, **lacking))
    assert fake.requests == []


def test_however_a_playlist_is_asked_for_the_sentence_is_the_same_where_there_is_none(client):
    calls = [
        client.playlist,
        client.playlist_items,
        lambda one: client.add_items(one, [f"spotify:track:{NOWHERE}"], 0),
    ]
    said = set()
    for call in calls:
        with pytest.raises(NotFoundError) as caught:
            call(NOWHERE)
        said.add(str(caught.value))
    (sentence,) = said
    assert sentence.startswith(f"Spotify gives no playlist {NOWHERE}: it is private, deleted, or")


def test_where_nobody_listens_spotify_is_offline(settings):
    with fake_spotify() as gone:
        pass
    client = Client(replace(settings, api=f"{gone.address}/v1"), patience=QUICK)
    with pytest.raises(OfflineError, match="the connection failed"):
        client.track(NOWHERE)


# --- settings ---


def test_settings_come_from_the_environment(monkeypatch):
    for name in ("CLIENT_ID", "CLIENT_SECRET", "REDIRECT_URI", "API", "ACCOUNTS"):
        monkeypatch.delenv(f"SPOTIFY_{name}", raising=False)
    monkeypatch.delenv("RECCOBEATS_API", raising=False)
    assert Settings.from_environment() == Settings()
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", " hidden ")
    monkeypatch.setenv("SPOTIFY_API", "http://127.0.0.1:99/v1/")
    monkeypatch.setenv("SPOTIFY_REDIRECT_URI", "https://segue.example/spotify/callback")
    read = Settings.from_environment()
    assert read.client_secret == "hidden"
    assert read.api == "http://127.0.0.1:99/v1"
    assert read.redirect_uri == "https://segue.example/spotify/callback"
    assert "hidden" not in repr(read)


@pytest.mark.parametrize("name", ["SPOTIFY_API", "SPOTIFY_REDIRECT_URI", "RECCOBEATS_API"])
@pytest.mark.parametrize(
    "address",
    [
        "http://api.spotify.com/v1",
        "http://localhost:8501/x",
        "http://127.0.0.1.evil.org/",
        "https://user:planted@api.spotify.com",
        "ftp://127.0.0.1",
        "api.spotify.com",
        "https://",
        "http://[::1",
    ],
)
def test_addresses_are_https_or_on_this_machine(monkeypatch, name, address):
    monkeypatch.setenv(name, address)
    with pytest.raises(SegueError, match=f"{name} must be an https address") as caught:
        Settings.from_environment()
    assert address not in str(caught.value)


def test_credentials_with_impossible_letters_are_named_but_not_shown(monkeypatch):
    monkeypatch.setenv("SPOTIFY_CLIENT_SECRET", "planté")
    with pytest.raises(SegueError, match="SPOTIFY_CLIENT_SECRET") as caught:
        Settings.from_environment()
    assert "plant" not in str(caught.value)
