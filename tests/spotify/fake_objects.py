"""The JSON objects of the Web API, with today's field names or the older ones.

Today's are those of https://developer.spotify.com/documentation/web-api (2026), where the items of
a playlist are "items" and each entry's is "item"; they were "tracks" and "track".
"""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

from tests.spotify.fake_catalogue import Album, Artist, Catalogue, Playlist, Track
from tests.spotify.fake_http import Call

Object = dict[str, Any]
Mode = Literal["development", "extended"]
Fields = Literal["new", "old"]

FEATURES = (
    "acousticness",
    "danceability",
    "energy",
    "instrumentalness",
    "key",
    "liveness",
    "loudness",
    "mode",
    "speechiness",
    "tempo",
    "valence",
)


@dataclass(frozen=True)
class Objects:
    """What the catalogue holds, as the Web API describes it.

    A development-mode app is not told popularity and followers.
    """

    catalogue: Catalogue
    api: str
    mode: Mode
    fields: Fields

    @property
    def items_name(self) -> str:
        return "items" if self.fields == "new" else "tracks"

    def page(
        self,
        call: Call,
        held: Sequence[Any],
        describe: Callable[[Any], Object | None],
        default: int = 20,
        most: int = 50,
    ) -> Object:
        """The part of a list that the query's limit and offset ask for."""
        limit = call.number("limit", default, 1, most)
        offset = call.number("offset", 0, 0, 100_000)
        path = call.path.removeprefix("/v1")

        def at(start: int) -> str:
            return f"{self.api}{path}?{urlencode({**call.query, 'offset': start, 'limit': limit})}"

        return {
            "href": at(offset),
            "limit": limit,
            "next": at(offset + limit) if offset + limit < len(held) else None,
            "offset": offset,
            "previous": at(max(0, offset - limit)) if offset else None,
            "total": len(held),
            "items": [describe(one) for one in held[offset : offset + limit]],
        }

    def artist(self, artist: Artist) -> Object:
        told: Object = {"genres": list(artist.genres), "images": []}
        if self.mode == "extended":
            told |= {
                "followers": {"href": None, "total": artist.followers},
                "popularity": artist.popularity,
            }
        return self.simple_artist(artist) | told

    def simple_artist(self, artist: Artist) -> Object:
        return self._named("artist", artist.id, artist.name)

    def album(self, album: Album) -> Object:
        first = Call("GET", f"/v1/albums/{album.id}/tracks", {}, None)
        tracks = self.page(first, *self.tracks_of(album), 50)
        told: Object = {"copyrights": [], "genres": [], "tracks": tracks}
        if self.mode == "extended":
            told |= {"label": "A label", "popularity": 50}
        return self.simple_album(album) | told

    def tracks_of(self, album: Album) -> tuple[Sequence[Track], Callable[[Track], Object]]:
        """The tracks of an album, and how they are described on its pages."""
        return [self.catalogue.tracks[track] for track in album.tracks], self.simple_track

    def simple_album(self, album: Album) -> Object:
        artists = self.catalogue.tracks[album.tracks[0]].artists if album.tracks else ()
        return self._named("album", album.id, album.title) | {
            "album_type": "album" if len(album.tracks) > 1 else "single",
            "artists": [self.simple_artist(artist) for artist in artists[:1]],
            "images": [],
            "release_date": None if album.year is None else f"{album.year}-06-01",
            "release_date_precision": "day",
            "total_tracks": len(album.tracks),
        }

    def track(self, track: Track) -> Object:
        told: Object = {
            "album": self.simple_album(track.album),
            "external_ids": {"isrc": f"XX{track.id[:10].upper()}"},
        }
        if self.mode == "extended":
            told["popularity"] = track.popularity
        return self.simple_track(track) | told

    def simple_track(self, track: Track) -> Object:
        return self._named("track", track.id, track.title) | {
            "artists": [self.simple_artist(artist) for artist in track.artists],
            "disc_number": 1,
            "duration_ms": track.duration_ms,
            "explicit": track.explicit,
            "is_local": False,
            "is_playable": True,
            "preview_url": None,
            "track_number": track.album.tracks.index(track.id) + 1,
        }

    def audio_features(self, track: Track) -> Object | None:
        """As Spotify's own end point gives them; None for a track that was never analysed."""
        if track.features is None:
            return None
        return self._features(track.features) | {
            "analysis_url": f"{self.api}/audio-analysis/{track.id}",
            "duration_ms": track.duration_ms,
            "id": track.id,
            "time_signature": 4,
            "track_href": f"{self.api}/tracks/{track.id}",
            "type": "audio_features",
            "uri": f"spotify:track:{track.id}",
        }

    def reccobeats(self, track: Track) -> Object:
        """As ReccoBeats gives them, under an id of its own and a link to Spotify's."""
        own = track.id.encode().hex()
        return self._features(track.features or {}) | {
            "id": f"{own[:8]}-{own[8:12]}-{own[12:16]}-{own[16:20]}-{own[20:32]}",
            "href": f"https://open.spotify.com/track/{track.id}",
        }

    def user(self, name: str) -> Object:
        told = {"display_name": name.title(), "images": []}
        return self._linked("user", name) | told

    def playlist(self, playlist: Playlist, items: Object | None) -> Object:
        """A playlist with a page of its items, their count alone, or nothing said of them."""
        told = {
            "collaborative": playlist.collaborative,
            "description": html.escape(playlist.description),  # Spotify's are, its names are not
            "images": [],
            "owner": self.user(playlist.owner),
            "primary_color": None,
            "public": playlist.public,
            "snapshot_id": playlist.snapshot_id,
        }
        if items is not None:
            told[self.items_name] = items
        if self.mode == "extended":
            told["followers"] = {"href": None, "total": 0}
        return self._named("playlist", playlist.id, playlist.name) | told

    def count(self, playlist: Playlist) -> Object:
        """What is said of the items of a playlist in a list of playlists."""
        href = f"{self.api}/playlists/{playlist.id}/{self.items_name}"
        return {"href": href, "total": len(playlist.items)}

    def entry(self, uri: str | None) -> Object:
        """One line of a playlist."""
        return {
            "added_at": "2024-02-03T04:05:06Z",
            "added_by": self._linked("user", "someone"),
            "is_local": bool(uri and uri.startswith("spotify:local:")),
            "item" if self.fields == "new" else "track": self._item(uri),
        }

    def _item(self, uri: str | None) -> Object | None:
        if uri is None:
            return None
        kind, key = uri.split(":")[1:3]
        if kind == "local":
            return self._local_file(uri)
        if kind == "episode":
            return self._episode(key)
        shown = self.catalogue.relinked.get(key)
        told = self.track(self.catalogue.tracks[shown or key])
        if shown:
            told["linked_from"] = self._linked("track", key)
        return told | {"episode": False, "track": True}

    def _local_file(self, uri: str) -> Object:
        file = self.catalogue.local_files[uri]
        nobody: Object = {"external_urls": {}, "href": None, "id": None, "uri": None}
        return nobody | {
            "album": {**nobody, "name": "", "type": "album", "artists": [], "images": []},
            "artists": [{**nobody, "name": file.artist, "type": "artist"}],
            "duration_ms": 200_000,
            "explicit": False,
            "is_local": True,
            "name": file.title,
            "type": "track",
            "uri": uri,
        }

    def _episode(self, key: str) -> Object:
        episode = self.catalogue.episodes[key]
        return self._named("episode", key, episode.title) | {
            "duration_ms": 1_800_000,
            "episode": True,
            "explicit": False,
            "is_local": False,
            "release_date": "2024-01-02",
            "show": {"name": "A podcast", "type": "show"},
            "track": False,
        }

    def _named(self, kind: str, key: str, name: str) -> Object:
        return self._linked(kind, key) | {"name": name}

    def _linked(self, kind: str, key: str) -> Object:
        return {
            "external_urls": {"spotify": f"https://open.spotify.com/{kind}/{key}"},
            "href": f"{self.api}/{kind}s/{key}",
            "id": key,
            "type": kind,
            "uri": f"spotify:{kind}:{key}",
        }

    @staticmethod
    def _features(known: Mapping[str, float | None]) -> Object:
        return {name: known.get(name) for name in FEATURES}
