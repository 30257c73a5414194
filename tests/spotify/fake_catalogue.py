"""What the fake Spotify holds: tracks, artists, albums, episodes, local files and playlists."""

import hashlib
import string
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote_plus

_BASE62 = string.digits + string.ascii_letters


@dataclass(frozen=True)
class Artist:
    id: str
    name: str
    genres: tuple[str, ...] = ()
    followers: int = 0
    popularity: int = 50


@dataclass
class Album:
    id: str
    title: str
    year: int | None
    tracks: list[str] = field(default_factory=list)


@dataclass
class Track:
    id: str
    title: str
    artists: tuple[Artist, ...]
    album: Album
    duration_ms: int
    explicit: bool
    popularity: int
    features: Mapping[str, float | None] | None


@dataclass(frozen=True)
class Episode:
    id: str
    title: str


@dataclass(frozen=True)
class LocalFile:
    uri: str
    title: str
    artist: str


@dataclass
class Playlist:
    """A playlist; `items` are URIs, with None for what is no longer available.

    Where `open` is false, a development-mode app is given the items for the owner only.
    """

    id: str
    name: str
    owner: str
    public: bool
    description: str
    items: list[str | None]
    open: bool = True
    collaborative: bool = False

    @property
    def snapshot_id(self) -> str:
        """Another one after every change."""
        held = repr((self.name, self.description, self.public, self.items))
        return hashlib.sha256(held.encode()).hexdigest()[:32]


class Catalogue:
    """Everything the server knows; the same calls in the same order give the same ids.

    In playlists, tracks of `relinked` are shown as the other release that is to be had instead.
    """

    def __init__(self) -> None:
        self.artists: dict[str, Artist] = {}
        self.albums: dict[str, Album] = {}
        self.tracks: dict[str, Track] = {}
        self.episodes: dict[str, Episode] = {}
        self.local_files: dict[str, LocalFile] = {}
        self.playlists: dict[str, Playlist] = {}
        self.relinked: dict[str, str] = {}
        self._named: dict[str, Artist] = {}
        self._counts: Counter[str] = Counter()

    def add_artist(
        self,
        name: str,
        genres: Iterable[str] = (),
        followers: int = 0,
        *,
        id: str | None = None,  # noqa: A002
    ) -> str:
        artist = Artist(id or self._new_id("artist"), name, tuple(genres), followers)
        self.artists[artist.id] = artist
        self._named.setdefault(name, artist)
        return artist.id

    def add_track(
        self,
        title: str,
        artist: str | Sequence[str] = "An artist",
        *,
        id: str | None = None,  # noqa: A002
        album: str | None = None,
        duration_ms: int = 200_000,
        year: int | None = 2001,
        explicit: bool = False,
        popularity: int = 50,
        features: Mapping[str, float | None] | None = None,
    ) -> str:
        """Add a track by one or more artists, who are added where their names are new.

        `album` is an album's title: one of the same artist's is used again. Without it the track
        is a single.
        """
        names = [artist] if isinstance(artist, str) else artist
        artists = tuple(self._artist_named(name) for name in names)
        on = self._album_of(artists[0], album, year) if album else self._new_album(title, year)
        track = Track(
            id or self._new_id("track"),
            title,
            artists,
            on,
            duration_ms,
            explicit,
            popularity,
            features,
        )
        self.tracks[track.id] = track
        on.tracks.append(track.id)
        return track.id

    def add_album(self, title: str, tracks: Sequence[str], *, year: int | None = 2001) -> str:
        """Add an album of tracks that are there already; they leave the albums they were on."""
        album = self._new_album(title, year)
        for track in tracks:
            left = self.tracks[track].album
            left.tracks.remove(track)
            if not left.tracks:
                del self.albums[left.id]
            self.tracks[track].album = album
            album.tracks.append(track)
        return album.id

    def add_playlist(
        self,
        name: str,
        items: Iterable[str | None],
        *,
        owner: str = "someone",
        public: bool = True,
        id: str | None = None,  # noqa: A002
        description: str = "",
        open: bool = True,  # noqa: A002
    ) -> str:
        """Add a playlist of tracks' ids, and of what `local_file` and `episode` give, and None."""
        uris = [self._uri(item) for item in items]
        playlist = Playlist(
            id or self._new_id("playlist"), name, owner, public, description, uris, open
        )
        self.playlists[playlist.id] = playlist
        return playlist.id

    def local_file(self, title: str, artist: str = "An artist") -> str:
        """The URI of a file on a listener's own computer, which no one else can play."""
        uri = f"spotify:local:{quote_plus(artist)}::{quote_plus(title)}:200"
        self.local_files[uri] = LocalFile(uri, title, artist)
        return uri

    def episode(self, title: str) -> str:
        """The URI of an episode of a podcast."""
        episode = Episode(self._new_id("episode"), title)
        self.episodes[episode.id] = episode
        return f"spotify:episode:{episode.id}"

    def holds(self, uri: object) -> bool:
        """Whether a playlist may be given this: the URI of a track or an episode that exists."""
        kind, _, key = str(uri).removeprefix("spotify:").partition(":")
        held: Mapping[str, object] = self.tracks if kind == "track" else self.episodes
        return key in held

    def add_on_top(self, playlist: str, count: int) -> None:
        """Put new tracks above a playlist's items, as its owner might while it is read."""
        new = [self.add_track(f"Added meanwhile {line + 1}") for line in range(count)]
        self.playlists[playlist].items[:0] = [self._uri(track) for track in new]

    def _uri(self, item: str | None) -> str | None:
        if item is None or item.startswith("spotify:"):
            return item
        return f"spotify:track:{self.tracks[item].id}"

    def _artist_named(self, name: str) -> Artist:
        if name not in self._named:
            self.add_artist(name)
        return self._named[name]

    def _album_of(self, artist: Artist, title: str, year: int | None) -> Album:
        for album in self.albums.values():
            first = self.tracks[album.tracks[0]] if album.tracks else None
            if first and album.title == title and first.artists[0] == artist:
                return album
        return self._new_album(title, year)

    def _new_album(self, title: str, year: int | None) -> Album:
        album = Album(self._new_id("album"), title, year)
        self.albums[album.id] = album
        return album

    def _new_id(self, kind: str) -> str:
        self._counts[kind] += 1
        number = int.from_bytes(hashlib.sha256(f"{kind} {self._counts[kind]}".encode()).digest())
        letters = []
        for _ in range(22):
            number, letter = divmod(number, 62)
            letters.append(_BASE62[letter])
        return "".join(letters)
