"""What a Spotify link names, read page by page: the tracks of a playlist, album or artist."""

from collections import Counter
from dataclasses import replace
from typing import Any

from core.dataset.links import SAID, Link
from core.dataset.sources.base import Problem
from core.dataset.sources.lists import ListedPlaylist, ListedTrack
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.spotify.client import Client, Page
from core.spotify.errors import BrokenAnswerError
from core.spotify.objects import Track, read_track, text

REPEAT = "repeat"
"""Why an item is skipped whose track was read before: a playlist may hold it twice, and one that
is edited while it is read shows it on two pages."""

_NOUNS = ("local file", "podcast episode", REPEAT)

MOST_RESULTS = 50
"""Search results that are looked through for an artist's tracks."""


class Reading:
    """The tracks that a link names, as far as they are read.

    Parameters
    ----------
    client : Client
    link : Link

    Attributes
    ----------
    client : Client
        Who asks; may become another between two pages, such as one of a listener who signed in.
    link : Link
    title : str or None
        Name of the playlist, album, artist or track; known after the first `advance`.
    tracks : list of ListedTrack
        Each once, in the order of the playlist or album, or as Spotify's search finds those of an
        artist, the popular ones first. `line` counts the items read, from 1.
    skipped : Counter of str
        Items that name no further track, by why: "local file", "podcast episode", "no longer
        available", "without an id" or "repeat".
    read : int
        Items read.
    total : int or None
        Items there are, as Spotify counts them; None where it does not, and for artists.
    done : bool
    """

    def __init__(self, client: Client, link: Link) -> None:
        self.client, self.link = client, link
        self.title: str | None = None
        self.tracks: list[ListedTrack] = []
        self.skipped: Counter[str] = Counter()
        self.read = 0
        self.total: int | None = None
        self.done = False
        self._linked: dict[str, Any] | None = None
        self._offset = 0
        self._seen: set[str] = set()
        self._problems: list[Problem] = []

    @property
    def share(self) -> float | None:
        """Of the items, how many are read, from 0 to 1; None where the total is not known."""
        return min(self.read / self.total, 1.0) if self.total else None

    def advance(self) -> None:
        """Read the next page; what failed is read again by the next call, nothing twice.

        Raises
        ------
        SpotifyError
            If Spotify does not give it, with what to do instead.
        """
        if self.done:
            return
        if self._linked is None:
            self._linked = self._look_up()
            self.title = text(self._linked.get("name"))
        page = self._page(self._linked)
        self._take(page)
        enough = self.link.kind == "artist" and self.read >= MOST_RESULTS
        self.done = page.next_offset is None or enough
        self._offset = page.next_offset or self._offset

    def finish(self, progress: Progress = SILENT) -> ListedPlaylist:
        """Read the rest; see `advance` and `listed`."""
        while not self.done:
            progress.update(f"Reading {SAID[self.link.kind]} from Spotify", self.share)
            self.advance()
        return self.listed()

    def listed(self) -> ListedPlaylist:
        """The tracks so far as a list like any other; `problems` are the items skipped.

        Only of a playlist the name is the list's title: no other name says what a playlist is.

        Raises
        ------
        SegueError
            If all is read and names no track.
        """
        if self.done and not self.tracks:
            raise SegueError(
                f"{self._named} on Spotify holds no track that can be read"
                f"{f' ({self.said_skipped})' if self.skipped else ''}; choose another."
            )
        title = self.title if self.link.kind == "playlist" else None
        return ListedPlaylist(title, list(self.tracks), list(self._problems))

    @property
    def said_skipped(self) -> str:
        """What is skipped, in words: "2 podcast episodes, 1 repeat"; empty for nothing."""
        return ", ".join(
            f"{count:,} {why}{'s' if count > 1 and why in _NOUNS else ''}"
            for why, count in self.skipped.most_common()
        )

    @property
    def _named(self) -> str:
        return f"“{self.title}”" if self.title else f"The {self.link.kind}"

    def _look_up(self) -> dict[str, Any]:
        """The playlist, album, artist or track itself."""
        key = self.link.id
        match self.link.kind:
            case "album":
                return self.client.album(key)
            case "artist":
                return self.client.artist(key)
            case "track":
                return self.client.track(key)
        return self.client.playlist(key)

    def _page(self, linked: dict[str, Any]) -> Page:
        key = self.link.id
        match self.link.kind:
            case "playlist":
                return self.client.playlist_items(key, self._offset)
            case "album":
                return self.client.album_tracks(key, self._offset)
            case "track":
                return Page((linked,), 1, None)
        if self.title is None:
            raise BrokenAnswerError("Spotify", "an artist without a name")
        quoted = self.title.replace('"', " ")
        return self.client.search(f'artist:"{quoted}"', "track", self._offset)

    def _take(self, page: Page) -> None:
        """Sort the items of a page into tracks and what is skipped."""
        for raw in page.items:
            self.read += 1
            found = read_track(raw)
            if isinstance(found, str):
                self._skip(found)
            elif found.uri in self._seen:
                self._skip(REPEAT)
            elif self.link.kind != "artist" or self.link.uri in dict(found.artists):
                self._add(found)
        if self.link.kind != "artist":
            self.total = page.total

    def _add(self, track: Track) -> None:
        listed = track.listed(self.read)
        if self.link.kind == "album":
            listed = replace(listed, album=self.title)  # an album's own tracks do not name it
        self._seen.add(track.uri)
        self.tracks.append(listed)

    def _skip(self, why: str) -> None:
        self.skipped[why] += 1
        self._problems.append(Problem(why, f"{self._named}, item {self.read}"))
