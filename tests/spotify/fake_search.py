"""How the fake Spotify finds things: every word of the query somewhere in what is described."""

import re
from collections.abc import Iterable, Sequence
from functools import cache

from tests.spotify.fake_catalogue import Album, Artist, Catalogue, Playlist, Track

_FILTER = re.compile(r'(artist|album|track|year):(?:"([^"]*)"|(\S+))')

Found = Sequence[Track] | Sequence[Artist] | Sequence[Album] | Sequence[Playlist]


def search(catalogue: Catalogue, kind: str, query: str) -> Found:
    """Everything of one kind that fits, tracks and artists by popularity, else as it was added.

    Playlists are found by their names and descriptions, and by the artists of their tracks.
    """
    filters = {found[1]: found[2] or found[3] or "" for found in _FILTER.finditer(query)}
    words = _FILTER.sub(" ", query)
    if kind == "track":
        fitting = [t for t in catalogue.tracks.values() if _fits_track(t, words, filters)]
        return sorted(fitting, key=lambda track: -track.popularity)
    if kind == "artist":
        sought = f"{words} {filters.get('artist', '')}"
        found = [a for a in catalogue.artists.values() if _fits(sought, [a.name])]
        return sorted(found, key=lambda artist: -artist.popularity)
    if kind == "album":
        sought = f"{words} {filters.get('album', '')} {filters.get('artist', '')}"
        return [a for a in catalogue.albums.values() if _fits(sought, _of_album(catalogue, a))]
    public = (playlist for playlist in catalogue.playlists.values() if playlist.public)
    return [p for p in public if _fits(words, _of_playlist(catalogue, p))]


def _fits_track(track: Track, words: str, filters: dict[str, str]) -> bool:
    names = [artist.name for artist in track.artists]
    year = str(track.album.year)
    return (
        _fits(words, [track.title, track.album.title, *names])
        and _fits(filters.get("track", ""), [track.title])
        and _fits(filters.get("artist", ""), names)
        and _fits(filters.get("album", ""), [track.album.title])
        and filters.get("year", year) == year
    )


def _of_album(catalogue: Catalogue, album: Album) -> list[str]:
    artists = (artist for track in album.tracks for artist in catalogue.tracks[track].artists)
    return [album.title, *(artist.name for artist in artists)]


def _of_playlist(catalogue: Catalogue, playlist: Playlist) -> list[str]:
    tracks = (catalogue.tracks.get((uri or "").rpartition(":")[2]) for uri in playlist.items)
    artists = {artist.name for track in tracks if track for artist in track.artists}
    return [playlist.name, playlist.description, *artists]


def _fits(sought: str, described: Iterable[str]) -> bool:
    return _words(sought) <= frozenset().union(*map(_words, described))


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.casefold()))
