"""Objects of Spotify's Web API as Segue reads them: what is missing is None, nothing is trusted."""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.dataset.links import Kind, is_id
from core.dataset.sources.lists import ListedTrack

_YEAR = re.compile(r"([1-9][0-9]{3})(?![0-9])")
_NOT_OF_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
_COUNTABLE = 2**53


@dataclass(frozen=True)
class Track:
    """A track.

    Attributes
    ----------
    uri : str
        As "spotify:track:…".
    title : str or None
    artists : tuple of (str or None, str)
        Uri, as "spotify:artist:…", and name of each.
    album, album_uri : str or None
    duration_ms : int or None
    year : int or None
        Of the album's release.
    popularity : float or None
        From 0 to 100.
    explicit : bool or None
    """

    uri: str
    title: str | None
    artists: tuple[tuple[str | None, str], ...]
    album: str | None
    album_uri: str | None
    duration_ms: int | None
    year: int | None
    popularity: float | None
    explicit: bool | None

    @property
    def row(self) -> dict[str, Any]:
        """Fields of `core.dataset.schema.TRACK_FIELDS`; the artist is the first."""
        artist_uri, artist = self.artists[0] if self.artists else (None, None)
        return {
            "uri": self.uri,
            "title": self.title,
            "artist": artist,
            "artist_uri": artist_uri,
            "album": self.album,
            "duration_ms": self.duration_ms,
            "year": self.year,
            "popularity": self.popularity,
            "explicit": self.explicit,
        }

    def listed(self, line: int) -> ListedTrack:
        """The track as a list names it, with all its artists, as number `line` of the list."""
        artist = ", ".join(name for _, name in self.artists) or None
        return ListedTrack(
            self.uri, self.title, artist, self.album, self.duration_ms, line, self.explicit
        )


def read_track(raw: Any) -> Track | str:
    """Read a track object, or say in a few words why it is no track.

    Where a track is not to be had in a listener's country, Spotify shows another release in its
    place; it keeps the uri of the track that was asked for, or put into a playlist:
    https://developer.spotify.com/documentation/web-api/concepts/track-relinking.

    Parameters
    ----------
    raw : Any
        As Spotify sends it; None where a playlist's track is gone.

    Returns
    -------
    Track or str
        "no longer available", "podcast episode", "local file" or "without an id".
    """
    if not isinstance(raw, Mapping):
        return "no longer available"
    if raw.get("type") == "episode":
        return "podcast episode"
    if raw.get("is_local") is True or str(raw.get("uri")).startswith("spotify:local:"):
        return "local file"
    original = raw.get("linked_from")
    uri = _uri("track", original) if isinstance(original, Mapping) else None
    uri = uri or _uri("track", raw)
    if uri is None:
        return "without an id"
    album = raw.get("album")
    album = album if isinstance(album, Mapping) else {}
    return Track(
        uri=uri,
        title=text(raw.get("name")),
        artists=_artists(raw.get("artists")),
        album=text(album.get("name")),
        album_uri=_uri("album", album),
        duration_ms=_whole(raw.get("duration_ms")),
        year=_year(album.get("release_date")),
        popularity=percent(raw.get("popularity")),
        explicit=raw.get("explicit") if isinstance(raw.get("explicit"), bool) else None,
    )


def _artists(raw: Any) -> tuple[tuple[str | None, str], ...]:
    listed = raw if isinstance(raw, list) else []
    objects = [artist for artist in listed if isinstance(artist, Mapping)]
    return tuple(
        (_uri("artist", artist), name)
        for artist in objects
        if (name := text(artist.get("name"))) is not None
    )


def _uri(kind: Kind, raw: Mapping[str, Any]) -> str | None:
    """The object's uri, by its id or by the uri itself."""
    prefix = f"spotify:{kind}:"
    uri = raw.get("uri")
    said = uri.removeprefix(prefix) if isinstance(uri, str) and uri.startswith(prefix) else ""
    key = id_of(raw) or (said if is_id(said) else None)
    return f"{prefix}{key}" if key else None


def id_of(raw: Any) -> str | None:
    """The id of an object; None for what has no valid one, or is no object."""
    key = raw.get("id") if isinstance(raw, Mapping) else None
    return key if isinstance(key, str) and is_id(key) else None


def text(value: Any) -> str | None:
    """A name or title, on one line; None for none, and for what is no text.

    Halves of surrogate pairs, which JSON can hold and no file can, become question marks.
    """
    if not isinstance(value, str):
        return None
    return on_one_line(value.encode("utf-8", errors="replace").decode()) or None


def on_one_line(name: str, longest: int | None = None) -> str:
    """A name without line breaks and control characters, cut to a length with an ellipsis."""
    line = " ".join(_NOT_OF_A_LINE.sub(" ", name).split())
    return line if longest is None or len(line) <= longest else f"{line[: longest - 1].rstrip()}…"


def number(
    value: Any, low: float = -sys.float_info.max, high: float = sys.float_info.max
) -> float | None:
    """A number within bounds; None for none, and for what is no number."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and low <= value <= high else None


def percent(value: Any) -> float | None:
    """A popularity, from 0 to 100."""
    known = number(value, 0, 100)
    return None if known is None else float(known)


def followers_of(raw: Mapping[str, Any]) -> int | None:
    """How many follow a playlist or an artist."""
    followers = raw.get("followers")
    if not isinstance(followers, Mapping):
        return None
    total = number(followers.get("total"), 0, _COUNTABLE)
    return None if total is None else int(total)


def _whole(value: Any) -> int | None:
    """Milliseconds; 0 is what Spotify says of a track whose length it does not know."""
    known = number(value, 0, 2**31 - 1)
    return None if known is None else round(known) or None


def _year(release_date: Any) -> int | None:
    """Of "2017-05-26", "2017-05" or "2017"; "0000" stands for an unknown date."""
    found = _YEAR.match(release_date) if isinstance(release_date, str) else None
    return int(found[1]) if found else None
