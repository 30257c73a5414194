"""A new playlist in a listener's account, of exactly the tracks given, whatever fails on the way.

Spotify cannot be told to do a thing only if it is not done yet, and a request whose answer was
lost may have been obeyed or not. So before anything is sent again, Spotify is asked what it holds:
a playlist whose creation was not answered is known by the number in its description, and what a
playlist holds already must be the first of our tracks. Nothing is ever removed or moved.
"""

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from core.dataset.links import Link, track_id
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.spotify.client import MOST_ADDED, Client, Page
from core.spotify.errors import BrokenAnswerError, NotFoundError, RefusedError, SpotifyError
from core.spotify.objects import Track, id_of, on_one_line, read_track

MOST_TRACKS = 10_000
"""Of a playlist on Spotify."""
LONGEST_NAME = 100
"""Characters, without line breaks: Spotify answers others with a server error."""
SETTLING_S = 3.0
"""After a change was asked for, what Spotify holds is looked at no sooner: a request may be obeyed
late, and what was obeyed shows late."""


class ChangedError(SpotifyError):
    """The listener changed the playlist while it was filled."""


@dataclass
class Publication:
    """A playlist that is to be on Spotify, and how far it has come.

    Parameters
    ----------
    name : str
        Written on one line, and shortened to what Spotify takes.
    public : bool
    uris : tuple of str
        Spotify tracks in order, at most 10,000.
    settling_s : float
        See `SETTLING_S`.

    Attributes
    ----------
    number : str
        In the `description`, by which the playlist is known again.
    begun : bool
        Whether Spotify was asked to create it.
    playlist_id : str or None
        Once the playlist is there.
    confirmed : int
        Tracks that it holds for certain: the first of `wanted`.
    unknown : set of str
        Those of `uris` that Spotify does not know, which are left out.
    sent_at : float or None
        When Spotify was last asked to change something, on the monotonic clock.

    Raises
    ------
    SegueError
        If there is no name, no track, too many, or one that is not Spotify's.
    """

    name: str
    public: bool
    uris: tuple[str, ...] = field(repr=False)
    settling_s: float = SETTLING_S
    number: str = field(default_factory=lambda: secrets.token_hex(6), init=False)
    begun: bool = field(default=False, init=False)
    playlist_id: str | None = field(default=None, init=False)
    confirmed: int = field(default=0, init=False)
    unknown: set[str] = field(default_factory=set, init=False)
    sent_at: float | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.name = on_one_line(self.name, LONGEST_NAME)
        if not self.name:
            raise SegueError("A playlist on Spotify needs a name; give it one.")
        if not self.uris:
            raise SegueError("There is no track to put on Spotify; add some first.")
        if len(self.uris) > MOST_TRACKS:
            raise SegueError(
                f"A playlist on Spotify holds {MOST_TRACKS:,} tracks at most, not "
                f"{len(self.uris):,}; leave some out."
            )
        strange = next((uri for uri in self.uris if track_id(uri) is None), None)
        if strange is not None:
            raise SegueError(f"{strange[:60]!r} is no track of Spotify's; leave it out.")

    @property
    def description(self) -> str:
        """What the playlist says of itself."""
        return f"Made with Segue (no. {self.number})"

    @property
    def wanted(self) -> list[str]:
        """The tracks that the playlist shall hold, in order."""
        return [uri for uri in self.uris if uri not in self.unknown]

    @property
    def done(self) -> bool:
        """Whether the playlist is there and holds all of `wanted`."""
        return self.playlist_id is not None and self.confirmed == len(self.wanted)

    @property
    def address(self) -> str | None:
        """Where the playlist is shown, once it is there."""
        return Link("playlist", self.playlist_id).address if self.playlist_id else None


def publish(
    client: Client,
    publication: Publication,
    progress: Progress = SILENT,
    waiting: Callable[[float], None] = time.sleep,
) -> None:
    """Create the playlist and fill it; after any failure the same call goes on.

    Parameters
    ----------
    client : Client
        Of the listener in whose account the playlist shall be.
    publication : Publication
        Keeps what is done.
    progress : Progress
    waiting : callable
        Sleeps so many seconds.

    Raises
    ------
    SpotifyError
        If Spotify does not do it now, or if the playlist was changed in between.
    """
    if publication.done:
        return
    _Publisher(client, publication, progress, waiting).go_on()


class _Publisher:
    def __init__(
        self,
        client: Client,
        publication: Publication,
        progress: Progress,
        waiting: Callable[[float], None],
    ) -> None:
        self._client, self._publication = client, publication
        self._progress, self._waiting = progress, waiting

    def go_on(self) -> None:
        publication = self._publication
        key = publication.playlist_id or (self._created_before() if publication.begun else None)
        if key is None:
            key = publication.playlist_id = self._create()
        else:
            publication.playlist_id = key
            publication.confirmed = self._held(key)
        while not publication.done:
            share = publication.confirmed / len(publication.wanted)
            self._progress.update("Adding the tracks on Spotify", share)
            self._add(key)
        self._progress.update("Adding the tracks on Spotify", 1.0)

    def _create(self) -> str:
        publication = self._publication
        self._progress.update("Creating the playlist on Spotify")
        publication.begun = True
        with self._sending():
            created = self._client.create_playlist(
                publication.name, publication.public, publication.description
            )
            key = id_of(created)
            if key is None:
                raise BrokenAnswerError("Spotify", "a new playlist without an id")
        return key

    def _created_before(self) -> str | None:
        """The playlist whose creation was obeyed but not answered, None if it was not obeyed."""
        self._settle()
        for raw in _all(self._client.my_playlists):
            key = id_of(raw)
            if key and self._publication.number in str(raw.get("description")):
                return key
        return None

    def _add(self, key: str) -> None:
        """Add the next tracks, or find out which of them Spotify does not know."""
        publication = self._publication
        start = publication.confirmed
        batch = publication.wanted[start : start + MOST_ADDED]
        try:
            with self._sending():
                self._client.add_items(key, batch, start)
        except RefusedError:
            unknown = self._unknown(batch) if self._held(key) == start else set()
            if not unknown:
                raise
            publication.unknown |= unknown
        else:
            publication.confirmed += len(batch)

    @contextmanager
    def _sending(self) -> Iterator[None]:
        """Around a request that changes something."""
        try:
            yield
        finally:
            self._publication.sent_at = time.monotonic()

    def _settle(self) -> None:
        """Wait until what Spotify was asked to change would show."""
        self._progress.update("Asking Spotify what is there")
        if self._publication.sent_at is not None:
            passed = time.monotonic() - self._publication.sent_at
            self._waiting(max(self._publication.settling_s - passed, 0.0))

    def _held(self, key: str) -> int:
        """How many of our tracks the playlist holds; what the listener put behind all is theirs."""
        self._settle()
        wanted, confirmed = self._publication.wanted, self._publication.confirmed
        held = 0
        try:
            for raw in _all(lambda offset: self._client.playlist_items(key, offset)):
                if held == len(wanted):
                    break
                if not _is(raw, wanted[held]):
                    raise self._changed(f"its track {held + 1:,} is another one")
                held += 1
        except NotFoundError:
            raise self._changed("it is gone") from None
        if held < confirmed:
            raise self._changed(f"it holds {held:,} of the {confirmed:,} tracks added")
        return held

    def _changed(self, how: str) -> ChangedError:
        return ChangedError(
            f"“{self._publication.name}” was changed on Spotify while it was filled ({how}); it "
            "is left as it is: add the rest there, or create a new playlist."
        )

    def _unknown(self, uris: Sequence[str]) -> set[str]:
        """Those of the tracks that Spotify does not know; it refuses all for one of them."""
        return {uri for uri in uris if not self._knows(track_id(uri) or "")}

    def _knows(self, key: str) -> bool:
        try:
            self._client.track(key)
        except NotFoundError:
            return False
        return True


def _all(page_at: Callable[[int], Page]) -> Iterator[Any]:
    """The items of every page."""
    offset: int | None = 0
    while offset is not None:
        page = page_at(offset)
        yield from page.items
        offset = page.next_offset


def _is(raw: Any, uri: str) -> bool:
    """Whether a playlist's item is this track; one that is no longer shown may be."""
    found = read_track(raw)
    return raw is None or (isinstance(found, Track) and found.uri == uri)
