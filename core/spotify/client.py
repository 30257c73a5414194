"""Spotify's Web API as Segue asks it: every answer is checked, every failure is one sentence.

Speaks for apps in development mode and for those with an extended quota; the fields of either are
read (https://developer.spotify.com/documentation/web-api/tutorials/february-2026-migration-guide).
"""

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from core.dataset.links import Kind, Link, track_id
from core.errors import SegueError
from core.spotify.errors import (
    CLIENT_ID,
    CLIENT_SECRET,
    BrokenAnswerError,
    ExpiredError,
    ForbiddenError,
    NoCredentialsError,
    NotFoundError,
    RefusedError,
    SpotifyError,
)
from core.spotify.health import PAGE, Patience, health_of

T = TypeVar("T")
_ADDRESS = re.compile(
    r"(?:https://[\w.-]+|http://127\.0\.0\.1)(?::[0-9]{1,5})?(?:/[\w./~-]*)?", re.ASCII
)
PAGE_ITEMS, FOUND_ITEMS = 50, 10
"""Items of one page of a list, and of what a search found."""
MOST_IDS, MOST_FEATURES, MOST_ADDED = 50, 100, 100
"""Ids of one look-up, of one look-up of audio features, and tracks added at once."""


@dataclass(frozen=True)
class Settings:
    """Where Spotify is and who asks it.

    Attributes
    ----------
    client_id, client_secret : str or None
        Of an app.
    redirect_uri : str or None
        Where Spotify sends a listener back to, if not to the app's own address.
    api, accounts, reccobeats : str
        Addresses without a final slash.
    """

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    api: str = "https://api.spotify.com/v1"
    accounts: str = "https://accounts.spotify.com"
    reccobeats: str = "https://api.reccobeats.com/v1"

    @classmethod
    def from_environment(cls) -> "Settings":
        """Read SPOTIFY_CLIENT_ID, _CLIENT_SECRET, _REDIRECT_URI, _API, _ACCOUNTS, RECCOBEATS_API.

        Raises
        ------
        SegueError
            If an address is neither https nor http on 127.0.0.1, or a credential has letters that
            none has.
        """
        return cls(
            _credential(CLIENT_ID),
            _credential(CLIENT_SECRET),
            _address("SPOTIFY_REDIRECT_URI") or None,
            _address("SPOTIFY_API").rstrip("/") or cls.api,
            _address("SPOTIFY_ACCOUNTS").rstrip("/") or cls.accounts,
            _address("RECCOBEATS_API").rstrip("/") or cls.reccobeats,
        )

    @property
    def has_app(self) -> bool:
        """Whether there are both of an app's credentials, with which it may ask in its own name."""
        return not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """Variables of the environment that lack for that."""
        credentials = {CLIENT_ID: self.client_id, CLIENT_SECRET: self.client_secret}
        return tuple(name for name, value in credentials.items() if not value)


def refusal(settings: Settings) -> SpotifyError | None:
    """Why Spotify's Web API may not be asked now, with `until`; None where it may."""
    return health_of(settings.api, _SPOTIFY).refusal()


@dataclass(frozen=True)
class Page:
    """A part of a longer list.

    Attributes
    ----------
    items : tuple
        Objects as Spotify sends them, or None. Of a playlist: the tracks and episodes themselves.
    total : int or None
        Of the whole list.
    next_offset : int or None
        Where the next part starts; None after the last, which a part without items always is.
    """

    items: tuple[Any, ...]
    total: int | None
    next_offset: int | None


class Client:
    """Asks Spotify as an app or as a listener; may be used by several threads.

    Every id is checked before anything is sent. What only reads is tried again as patience allows;
    what creates or adds is sent again only after 429 and 401, which say that nothing was done.

    Parameters
    ----------
    settings : Settings
    token : callable, optional
        Gives a listener's access token; without it the app's own credentials are used.
    patience : Patience
    waiting : callable
        Sleeps so many seconds.
    refused : callable, optional
        Told a listener's token that was answered 401, so that `token` gives another one next.

    Raises
    ------
    NoCredentialsError
        If there is neither a token nor an app's credentials.
    """

    def __init__(
        self,
        settings: Settings,
        token: Callable[[], str] | None = None,
        patience: Patience = PAGE,
        waiting: Callable[[float], None] = time.sleep,
        refused: Callable[[str], None] | None = None,
    ) -> None:
        from core.spotify.app_token import AppToken
        from core.spotify.http import Session, spotipy

        self._listens = token is not None
        if token is None:
            if not settings.client_id or not settings.client_secret:
                raise NoCredentialsError(*settings.missing)
            app = AppToken(
                settings.accounts, settings.client_id, settings.client_secret, patience, waiting
            )
            token, refused = app, app.refused
        health = health_of(settings.api, _SPOTIFY)
        session = Session(_SPOTIFY, health, patience, waiting, token=token, refused=refused)
        self._api = spotipy().Spotify(requests_session=session)
        self._api.prefix = f"{settings.api}/"

    def playlist(self, playlist_id: str) -> dict[str, Any]:
        """What a playlist is, without its items."""
        link = Link("playlist", playlist_id)
        answer = self._ask_of(link, lambda api: api.playlist(link.id))
        return {name: value for name, value in answer.items() if name not in ("items", "tracks")}

    def playlist_items(self, playlist_id: str, offset: int = 0) -> Page:
        """Tracks and episodes of a playlist; in development mode, of its owner's alone."""
        link = Link("playlist", playlist_id)
        answer = self._ask_of(
            link,
            lambda api: api.playlist_items(link.id, limit=PAGE_ITEMS, offset=offset),
            f"Spotify gives the tracks of the {_named(link)} only to its owner and its "
            "collaborators; sign in as one of them, or upload or paste its tracks.",
        )
        return _page(answer, offset, PAGE_ITEMS, _item)

    def album(self, album_id: str) -> dict[str, Any]:
        """What an album is."""
        link = Link("album", album_id)
        return self._ask_of(link, lambda api: api.album(link.id))

    def album_tracks(self, album_id: str, offset: int = 0) -> Page:
        """Tracks of an album; they do not name the album."""
        link = Link("album", album_id)
        answer = self._ask_of(
            link, lambda api: api.album_tracks(link.id, limit=PAGE_ITEMS, offset=offset)
        )
        return _page(answer, offset, PAGE_ITEMS)

    def artist(self, artist_id: str) -> dict[str, Any]:
        """What an artist is."""
        link = Link("artist", artist_id)
        return self._ask_of(link, lambda api: api.artist(link.id))

    def track(self, track_id: str) -> dict[str, Any]:
        """What a track is."""
        link = Link("track", track_id)
        return self._ask_of(link, lambda api: api.track(link.id))

    def tracks(self, ids: Sequence[str]) -> list[dict[str, Any] | None]:
        """Up to 50 tracks at once, None for each unknown; for apps with an extended quota."""
        return self._looked_up("tracks", _checked("track", ids, MOST_IDS), "tracks")

    def artists(self, ids: Sequence[str]) -> list[dict[str, Any] | None]:
        """Up to 50 artists at once, None for each unknown; for apps with an extended quota."""
        return self._looked_up("artists", _checked("artist", ids, MOST_IDS), "artists")

    def audio_features(self, ids: Sequence[str]) -> list[dict[str, Any] | None]:
        """Of up to 100 tracks at once, None for each unknown; for apps with an extended quota."""
        return self._looked_up(
            "audio_features", _checked("track", ids, MOST_FEATURES), "audio features"
        )

    def search(self, query: str, kind: Kind, offset: int = 0) -> Page:
        """What Spotify finds for a text, ten at a time."""
        answer = self._ask(
            f"{kind} by search",
            lambda api: api.search(query, limit=FOUND_ITEMS, offset=offset, type=kind),
        )
        return _page(answer.get(f"{kind}s"), offset, FOUND_ITEMS)

    def me(self) -> dict[str, Any]:
        """Who the listener is."""
        return self._ask("listener", lambda api: api.me(), _LISTENER)

    def my_playlists(self, offset: int = 0) -> Page:
        """The listener's playlists, newest first."""
        answer = self._ask(
            "listener",
            lambda api: api.current_user_playlists(limit=PAGE_ITEMS, offset=offset),
            _LISTENER,
        )
        return _page(answer, offset, PAGE_ITEMS)

    def create_playlist(self, name: str, public: bool, description: str) -> dict[str, Any]:
        """Create an empty playlist in the listener's account."""
        return self._ask(
            "listener",
            lambda api: api.current_user_playlist_create(
                name, public=public, description=description
            ),
            _LISTENER,
        )

    def add_items(self, playlist_id: str, uris: Sequence[str], position: int) -> None:
        """Put up to 100 tracks into a playlist, the first at `position`, counted from 0."""
        link = Link("playlist", playlist_id)
        strange = [uri for uri in uris if track_id(uri) is None]
        if strange:
            raise SegueError(f"{strange[0][:60]!r} is no track of Spotify's and cannot be added.")
        if not 0 < len(uris) <= MOST_ADDED:
            raise SegueError(f"{len(uris)} tracks cannot be added at once, 1 to {MOST_ADDED} can.")
        self._ask_of(
            link,
            lambda api: api.playlist_add_items(link.id, list(uris), position=position),
            _LISTENER,
        )

    def _looked_up(self, call: str, ids: list[str], what: str) -> list[dict[str, Any] | None]:
        answer = self._ask(
            what,
            lambda api: getattr(api, call)(ids),
            f"Spotify gives {what} by the batch only to apps with an extended quota; this app is "
            "in development mode.",
        )
        found = answer.get(call) if isinstance(answer, dict) else answer
        if not isinstance(found, list) or len(found) != len(ids):
            raise BrokenAnswerError(_SPOTIFY, f"not the {len(ids)} {what} that were asked for")
        return [one if isinstance(one, dict) else None for one in found]

    def _ask_of(self, link: Link, call: Callable[[Any], T], forbidden: str = "") -> T:
        """Ask about what a link names; see `_ask`."""
        missing = _PLAYLIST_MISSING.format(link.id) if link.kind == "playlist" else ""
        return self._ask(_named(link), call, forbidden, missing)

    def _ask(
        self, what: str, call: Callable[[Any], T], forbidden: str = "", missing: str = ""
    ) -> T:
        """Call spotipy, and say what a refusal means.

        Parameters
        ----------
        what : str
            For sentences, in the singular.
        call : callable
            Of the spotipy client.
        forbidden, missing : str
            The sentences after 403 and 404, where they are others than the usual.
        """
        try:
            return call(self._api)
        except RefusedError as error:
            raise self._explained(error, what, forbidden, missing) from None

    def _explained(
        self, problem: RefusedError, what: str, forbidden: str, missing: str
    ) -> SpotifyError:
        if problem.status == 401:
            return ExpiredError() if self._listens else ExpiredError(_APP_EXPIRED)
        if problem.status == 403:
            default = (
                f"Spotify refuses this app the {what}; look in the app's dashboard whether it is "
                "in development mode or blocked."
            )
            return ForbiddenError(forbidden or default)
        if problem.status == 404:
            default = f"Spotify knows no {what}, or it is private; check the link."
            return NotFoundError(missing or default)
        return problem


_SPOTIFY = "Spotify"
_APP_EXPIRED = (
    f"Spotify does not accept the app's own access for this; sign in, or copy {CLIENT_ID} and "
    f"{CLIENT_SECRET} again from the app's dashboard."
)
# https://developer.spotify.com/blog/2024-11-27-changes-to-the-web-api
_PLAYLIST_MISSING = (
    "Spotify gives no playlist {}: it is private, deleted, or one of Spotify's own, which apps are "
    "not given; make it public, copy its tracks to one of yours, or paste or upload them."
)
_LISTENER = (
    "Spotify does not let this listener do that through this app; an app in development mode is "
    "for the few listeners that its dashboard names."
)


def _named(link: Link) -> str:
    return f"{link.kind} {link.id}"


def _checked(kind: Kind, ids: Sequence[str], most: int) -> list[str]:
    if not 0 < len(ids) <= most:
        raise SegueError(f"{len(ids)} ids cannot be looked up at once, 1 to {most} can.")
    return [Link(kind, one).id for one in ids]


def _page(raw: Any, offset: int, limit: int, of: Callable[[Any], Any] = lambda item: item) -> Page:
    """A page from a paging object, of which any field but `items` may be missing."""
    items = raw.get("items") if isinstance(raw, Mapping) else None
    if not isinstance(items, list):
        raise BrokenAnswerError(_SPOTIFY, "a list without items")
    total = raw.get("total")
    if not isinstance(total, int):
        total = None
    following = _next_offset(raw, offset, limit, total) if items else None
    return Page(tuple(of(item) for item in items), total, following)


def _next_offset(raw: Mapping[str, Any], offset: int, limit: int, total: int | None) -> int | None:
    """Where the next page starts: as its address says, which may skip less than was asked for."""
    address = raw.get("next")
    if isinstance(address, str):
        said = parse_qs(urlsplit(address).query).get("offset", [""])[0]
        return int(said) if said.isdecimal() and int(said) > offset else offset + limit
    is_last = "next" in raw or total is None or offset + limit >= total
    return None if is_last else offset + limit


def _item(entry: Any) -> Any:
    """The track or episode of a playlist's entry: `item`, formerly `track`."""
    if not isinstance(entry, Mapping):
        return None
    return entry.get("item", entry.get("track"))


def _credential(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    if not (value.isascii() and value.isprintable()):
        raise SegueError(f"{name} has letters that no credential has; copy it again.")
    return value or None


def _address(name: str) -> str:
    """An address of the environment, empty where there is none."""
    value = os.environ.get(name, "").strip()
    if value and not _ADDRESS.fullmatch(value):
        raise SegueError(f"{name} must be an https address, or http on 127.0.0.1; correct it.")
    return value
