"""The fake Web API and the fake ReccoBeats: which path answers what, and to whom."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tests.spotify.fake_accounts import Accounts, Token
from tests.spotify.fake_catalogue import Catalogue, Playlist
from tests.spotify.fake_fields import narrowed
from tests.spotify.fake_http import Call, WebApiError, bounded
from tests.spotify.fake_objects import Object, Objects
from tests.spotify.fake_search import search

_ID = re.compile(r"[0-9A-Za-z]{22}")
_KINDS = ("album", "artist", "playlist", "track")
_MOST_ADDED = 100
_MOST_RECCOBEATS = 40
_FARTHEST_SEARCH = 1000

_ROUTES: list[tuple[str, re.Pattern[str], Callable[..., Any]]] = []


def _route(method: str, path: str) -> Callable[[Callable], Callable]:
    """Let a method of `WebApi` answer a path, whose braces are its further arguments."""

    def register(function: Callable) -> Callable:
        pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path))
        _ROUTES.append((method, pattern, function))
        return function

    return register


class WebApi:
    """What the catalogue says to an app of one mode, in one set of field names."""

    def __init__(self, catalogue: Catalogue, accounts: Accounts, objects: Objects) -> None:
        self._catalogue = catalogue
        self._accounts = accounts
        self._objects = objects

    def answer(self, call: Call) -> Any:
        """The JSON for a call, or a WebApiError."""
        token = self._accounts.whose(call.authorization)
        for method, pattern, function in _ROUTES:
            match = pattern.fullmatch(call.path)
            if match and method == call.method:
                return function(self, call, token, **match.groupdict())
        raise WebApiError(404, "Service not found")

    def reccobeats(self, call: Call) -> Any:
        """Audio features without any key: only of what is known, in an order of its own."""
        ids = call.query.get("ids", "").split(",")
        if not 1 <= len(ids) <= _MOST_RECCOBEATS or not all(ids):
            raise WebApiError(400, "ids must hold 1 to 40 ids")
        known = [self._catalogue.tracks[key] for key in ids if key in self._catalogue.tracks]
        told = [self._objects.reccobeats(track) for track in known if track.features is not None]
        return {"content": sorted(told, key=lambda one: one["id"])}

    @_route("GET", "/v1/me")
    def _me(self, call: Call, token: Token) -> Object:
        return self._objects.user(_listener(token))

    @_route("GET", "/v1/me/playlists")
    def _my_playlists(self, call: Call, token: Token) -> Object:
        user = _listener(token, "playlist-read-private")
        own = [p for p in self._catalogue.playlists.values() if p.owner == user]
        return self._objects.page(call, own, self._listed)

    @_route("POST", "/v1/me/playlists")
    def _create(self, call: Call, token: Token) -> Object:
        body = call.body if isinstance(call.body, dict) else {}
        public = body.get("public", True)
        user = _listener(token, _modifying(public))
        if not body.get("name"):
            raise WebApiError(400, "Missing required field: name")
        key = self._catalogue.add_playlist(
            body["name"],
            (),
            owner=user,
            public=public,
            description=body.get("description") or "",
        )
        playlist = self._catalogue.playlists[key]
        return self._objects.playlist(playlist, self._entries(playlist))

    @_route("GET", "/v1/playlists/{key}")
    def _playlist(self, call: Call, token: Token, key: str) -> Object:
        playlist = self._seen_playlist(key, token)
        items = self._entries(playlist) if self._may_read(playlist, token) else None
        return _wanted(call, self._objects.playlist(playlist, items))

    @_route("GET", "/v1/playlists/{key}/items")
    def _items(self, call: Call, token: Token, key: str) -> Object:
        playlist = self._seen_playlist(key, token)
        if not self._may_read(playlist, token):
            raise WebApiError(403, "Forbidden")
        return _wanted(call, self._objects.page(call, playlist.items, self._objects.entry))

    @_route("GET", "/v1/playlists/{key}/tracks")
    def _older_items(self, call: Call, token: Token, key: str) -> Object:
        self._only_before_2026()
        return self._items(call, token, key)

    @_route("POST", "/v1/playlists/{key}/items")
    def _add(self, call: Call, token: Token, key: str) -> Object:
        playlist = self._seen_playlist(key, token)
        if _listener(token, _modifying(playlist.public)) != playlist.owner:
            raise WebApiError(403, "You cannot add tracks to a playlist you don't own.")
        body = call.body if isinstance(call.body, dict) else {"uris": call.body}
        uris = body.get("uris") or call.query.get("uris", "").split(",")
        self._check_added(uris)
        end = len(playlist.items)
        position = body.get("position", call.query.get("position", end))
        position = bounded("position", position, 0, end)
        playlist.items[position:position] = uris
        return {"snapshot_id": playlist.snapshot_id}

    @_route("POST", "/v1/playlists/{key}/tracks")
    def _older_add(self, call: Call, token: Token, key: str) -> Object:
        self._only_before_2026()
        return self._add(call, token, key)

    @_route("GET", "/v1/search")
    def _search(self, call: Call, token: Token) -> Object:
        query, kinds = call.query.get("q", ""), call.query.get("type", "").split(",")
        if not query.strip():
            raise WebApiError(400, "No search query")
        if not set(kinds) <= set(_KINDS):
            raise WebApiError(400, "Bad search type field")
        most, default = (10, 5) if self._objects.mode == "development" else (50, 20)
        call.number("offset", 0, 0, _FARTHEST_SEARCH)
        describe: dict[str, Callable[[Any], Object | None]] = {
            "album": self._objects.simple_album,
            "artist": self._objects.artist,
            "playlist": self._listed,
            "track": self._objects.track,
        }
        return {
            f"{kind}s": self._objects.page(
                call, search(self._catalogue, kind, query), describe[kind], default, most
            )
            for kind in kinds
        }

    @_route("GET", "/v1/tracks/{key}")
    def _track(self, call: Call, token: Token, key: str) -> Object:
        return self._objects.track(_found(self._catalogue.tracks, key))

    @_route("GET", "/v1/tracks")
    def _tracks(self, call: Call, token: Token) -> Object:
        return {"tracks": self._batch(call, self._catalogue.tracks, self._objects.track)}

    @_route("GET", "/v1/artists/{key}")
    def _artist(self, call: Call, token: Token, key: str) -> Object:
        return self._objects.artist(_found(self._catalogue.artists, key))

    @_route("GET", "/v1/artists")
    def _artists(self, call: Call, token: Token) -> Object:
        return {"artists": self._batch(call, self._catalogue.artists, self._objects.artist)}

    @_route("GET", "/v1/artists/{key}/top-tracks")
    def _top_tracks(self, call: Call, token: Token, key: str) -> Object:
        self._only_extended()
        artist = _found(self._catalogue.artists, key)
        own = [track for track in self._catalogue.tracks.values() if artist in track.artists]
        best = sorted(own, key=lambda track: -track.popularity)[:10]
        return {"tracks": [self._objects.track(track) for track in best]}

    @_route("GET", "/v1/artists/{key}/albums")
    def _artist_albums(self, call: Call, token: Token, key: str) -> Object:
        artist = _found(self._catalogue.artists, key)
        tracks = self._catalogue.tracks
        own = [
            album
            for album in self._catalogue.albums.values()
            if any(artist in tracks[track].artists for track in album.tracks)
        ]
        return self._objects.page(call, own, self._objects.simple_album)

    @_route("GET", "/v1/albums/{key}")
    def _album(self, call: Call, token: Token, key: str) -> Object:
        return self._objects.album(_found(self._catalogue.albums, key))

    @_route("GET", "/v1/albums/{key}/tracks")
    def _album_tracks(self, call: Call, token: Token, key: str) -> Object:
        album = _found(self._catalogue.albums, key)
        return self._objects.page(call, *self._objects.tracks_of(album))

    @_route("GET", "/v1/audio-features")
    def _audio_features(self, call: Call, token: Token) -> Object:
        told = self._batch(call, self._catalogue.tracks, self._objects.audio_features, 100)
        return {"audio_features": told}

    @_route("GET", "/v1/audio-features/{key}")
    def _audio_features_of(self, call: Call, token: Token, key: str) -> Object | None:
        self._only_extended()
        features = self._objects.audio_features(_found(self._catalogue.tracks, key))
        if features is None:
            raise WebApiError(404, "analysis not found")
        return features

    def _batch(
        self, call: Call, held: dict[str, Any], describe: Callable[[Any], Any], most: int = 50
    ) -> list[Object | None]:
        """What several ids stand for, in their order; None for one that does not exist."""
        self._only_extended()
        ids = call.query.get("ids", "").split(",")
        if len(ids) > most:
            raise WebApiError(400, "Too many ids requested")
        if not all(_ID.fullmatch(key) for key in ids):
            raise WebApiError(400, "Invalid base62 id")
        return [describe(held[key]) if key in held else None for key in ids]

    def _seen_playlist(self, key: str, token: Token) -> Playlist:
        """A playlist that this token may know of: Spotify's own have not been since 2024."""
        playlist = _found(self._catalogue.playlists, key)
        if playlist.owner == "spotify" or not (playlist.public or playlist.owner == token.user):
            raise WebApiError(404, "Resource not found")
        return playlist

    def _may_read(self, playlist: Playlist, token: Token) -> bool:
        everything = self._objects.mode == "extended" or playlist.open
        return everything or playlist.owner == token.user

    def _entries(self, playlist: Playlist) -> Object:
        """The first page of the items, as a playlist's own object holds it."""
        path = f"/v1/playlists/{playlist.id}/{self._objects.items_name}"
        first = Call("GET", path, {}, None)
        return self._objects.page(first, playlist.items, self._objects.entry, 100, 100)

    def _listed(self, playlist: Playlist) -> Object | None:
        if playlist.owner == "spotify":
            return None
        return self._objects.playlist(playlist, self._objects.count(playlist))

    def _check_added(self, uris: Sequence[object]) -> None:
        if len(uris) > _MOST_ADDED:
            raise WebApiError(400, "You can add a maximum of 100 tracks per request.")
        for uri in uris:
            if not re.fullmatch(r"spotify:(track|episode):[0-9A-Za-z]{22}", str(uri)):
                raise WebApiError(400, f"Invalid track uri: {uri}")
            if not self._catalogue.holds(uri):
                raise WebApiError(400, "Payload contains a non-existing ID")

    def _only_before_2026(self) -> None:
        """Refuse the paths that development-mode apps lost when fields were named anew."""
        if self._objects.mode == "development" and self._objects.fields == "new":
            raise WebApiError(403, "Forbidden")

    def _only_extended(self) -> None:
        """Refuse what development-mode apps are no longer told."""
        if self._objects.mode == "development":
            raise WebApiError(403, "Forbidden")


def _listener(token: Token, scope: str | None = None) -> str:
    """Who signed in, where the token is a listener's and covers what is asked."""
    if token.user is None:
        raise WebApiError(401, "Valid user authentication required")
    if scope is not None and scope not in token.scopes:
        raise WebApiError(403, "Insufficient client scope")
    return token.user


def _modifying(public: bool) -> str:
    return "playlist-modify-public" if public else "playlist-modify-private"


def _found(held: dict[str, Any], key: str) -> Any:
    if not _ID.fullmatch(key):
        raise WebApiError(400, "Invalid base62 id")
    if key not in held:
        raise WebApiError(404, "Resource not found")
    return held[key]


def _wanted(call: Call, told: Object) -> Object:
    return narrowed(told, call.query["fields"]) if call.query.get("fields") else told
