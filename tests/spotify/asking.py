"""The real spotipy led to the fake, without anything of ours between them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
import spotipy
from spotipy.cache_handler import MemoryCacheHandler
from spotipy.oauth2 import SpotifyClientCredentials, SpotifyOauthError, SpotifyPKCE

from tests.spotify.fake import Fake

NOWHERE = "0" * 22
REDIRECT = "http://127.0.0.1:8501/spotify/callback"
SCOPE = "playlist-modify-private playlist-modify-public playlist-read-private"


def speaking(fake: Fake, **auth: Any) -> spotipy.Spotify:
    """Spotipy without retries of its own, led to the fake."""
    spotify = spotipy.Spotify(requests_session=requests.Session(), requests_timeout=5, **auth)
    spotify.prefix = f"{fake.environment['SPOTIFY_API']}/"
    return spotify


def app(fake: Fake) -> spotipy.Spotify:
    """An app that asks in its own name."""
    manager = SpotifyClientCredentials(
        fake.environment["SPOTIFY_CLIENT_ID"],
        fake.environment["SPOTIFY_CLIENT_SECRET"],
        requests_session=requests.Session(),
        cache_handler=MemoryCacheHandler(),
    )
    manager.OAUTH_TOKEN_URL = f"{fake.environment['SPOTIFY_ACCOUNTS']}/api/token"
    return speaking(fake, auth_manager=manager)


def listener(fake: Fake) -> spotipy.Spotify:
    """An app that asks in a listener's name."""
    return speaking(fake, auth=fake.listener_token())


def signing_in(fake: Fake, redirect: str = REDIRECT) -> SpotifyPKCE:
    """A sign-in that has not begun."""
    manager = SpotifyPKCE(
        fake.environment["SPOTIFY_CLIENT_ID"],
        redirect,
        state="the state",
        scope=SCOPE,
        requests_session=requests.Session(),
        open_browser=False,
        cache_handler=MemoryCacheHandler(),
    )
    manager.OAUTH_AUTHORIZE_URL = f"{fake.environment['SPOTIFY_ACCOUNTS']}/authorize"
    manager.OAUTH_TOKEN_URL = f"{fake.environment['SPOTIFY_ACCOUNTS']}/api/token"
    return manager


def agreed(manager: SpotifyPKCE) -> str:
    """The code that the listener's agreement gives."""
    response = requests.post(manager.get_authorize_url(), allow_redirects=False, timeout=5)
    address, _, query = response.headers["Location"].partition("?")
    told = parse_qs(query)
    assert address == manager.redirect_uri
    assert told["state"] == ["the state"]
    return told["code"][0]


def refused(ask: Callable, *given: Any, **named: Any) -> tuple[int, str]:
    """The status and the message of what the Web API does not do."""
    with pytest.raises(spotipy.SpotifyException) as raised:
        ask(*given, **named)
    return raised.value.http_status, raised.value.msg.partition("\n ")[2]


def denied(ask: Callable, *given: Any, **named: Any) -> tuple[str, str]:
    """The error and the description of what the accounts service does not do."""
    with pytest.raises(SpotifyOauthError) as raised:
        ask(*given, **named)
    return raised.value.error, raised.value.error_description


def songs(fake: Fake, count: int, **fields: Any) -> list[str]:
    return [fake.add_track(f"Song {number}", **fields) for number in range(count)]


def uris(ids: list[str]) -> list[str]:
    return [f"spotify:track:{key}" for key in ids]


def read(spotify: spotipy.Spotify, playlist: str, entry: str = "item") -> list[str]:
    """The URIs of a playlist, page after page as each tells where the next one is."""
    page = spotify.playlist_items(playlist)
    found = page["items"]
    while page["next"]:
        page = spotify.next(page)
        found += page["items"]
    return [one[entry]["uri"] for one in found]
