"""What is known of a crawl, as plain values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from core.dataset.links import Link

Kind = Literal["playlist", "artist"]
Standing = Literal["waiting", "done", "forbidden", "not found", "refused"]
"""Of a playlist or an artist: still to be asked for, read or searched for, or refused."""
Skipped = tuple[int, str]
"""Position in a playlist, and why what is there is no track."""


@dataclass(frozen=True)
class Bounds:
    """Where a crawl ends.

    Attributes
    ----------
    requests : int
        Answers at most.
    depth : int
        Of a playlist at most: the start has 0, those found by its artists 1, by theirs 2.
    playlists : int
        Playlists read at most.
    """

    requests: int = 500
    depth: int = 2
    playlists: int = 200


@dataclass(frozen=True)
class Task:
    """What is to be asked next.

    Attributes
    ----------
    number : int
        Of the node.
    kind : {"playlist", "artist"}
    key : str
        The playlist's id, or the artist's name as names are compared here.
    name : str or None
    depth : int
        Steps from the start; an artist has that of the playlist it was found in.
    offset : int or None
        Of a playlist's next page; None where its title is to be asked first.
    """

    number: int
    kind: Kind
    key: str
    name: str | None
    depth: int
    offset: int | None


@dataclass(frozen=True)
class StoredPlaylist:
    """A playlist that was asked for.

    Attributes
    ----------
    link : Link
    title : str or None
    followers : int or None
    state : {"waiting", "done", "forbidden", "not found", "refused"}
        "waiting": read in part.
    tracks : list of dict
        Rows of `BATCH_ENTRIES` without the playlist.
    skipped : list of (position, why)
    """

    link: Link
    title: str | None
    followers: int | None
    state: Standing
    tracks: list[dict[str, Any]]
    skipped: list[Skipped]


@dataclass(frozen=True)
class CrawlState:
    """How far a crawl is.

    Attributes
    ----------
    name : str
    start : Link
    title : str or None
        Of the start playlist, once known.
    bounds : Bounds
    requests : int
        Answers so far.
    playlists, artists : int
        Playlists read to the end, artists searched for.
    waiting_playlists, waiting_artists : int
        Found, and not yet asked for.
    tracks : int
        Entries of playlists so far.
    depth : int
        Of the deepest playlist that was read.
    refused : mapping of str to int
        Playlists that Spotify does not give, and searches that it does not make, by why:
        "forbidden", "not found", "refused".
    skipped : mapping of str to int
        What was no track or no playlist, by why.
    waiting_until : float or None
        Epoch seconds before which Spotify asked not to be asked.
    ending : str or None
        Why there is nothing more to do within the bounds; None while there is.
    made : bool
        Whether a dataset was made of all these answers.
    """

    name: str
    start: Link
    title: str | None
    bounds: Bounds
    requests: int
    playlists: int
    artists: int
    waiting_playlists: int
    waiting_artists: int
    tracks: int
    depth: int
    refused: Mapping[str, int]
    skipped: Mapping[str, int]
    waiting_until: float | None
    ending: str | None
    made: bool

    @property
    def finished(self) -> bool:
        """Whether there is nothing more to do within the bounds."""
        return self.ending is not None


@dataclass(frozen=True)
class CrawlNode:
    """A playlist or an artist of the crawl's graph.

    Attributes
    ----------
    kind : {"playlist", "artist"}
    name : str
        Empty where Spotify gave none.
    depth : int
        Steps from the start; an artist has that of the playlist it was found in.
    tracks : int
        Entries read of the playlist, or by the artist.
    state : {"waiting", "done", "forbidden", "not found", "refused"}
        "done": the playlist is read, the artist searched for.
    """

    kind: Kind
    name: str
    depth: int
    tracks: int
    state: Standing


@dataclass(frozen=True)
class CrawlGraph:
    """Playlists and artists, and what led to what.

    Attributes
    ----------
    nodes : tuple of CrawlNode
        In order of discovery: while the crawl grows, those there keep their places.
    edges : np.ndarray of int32, (edges, 2)
        Rows of `nodes`: a playlist and an artist on it, or an artist and a playlist that the
        search for it found.
    left_out : int
        Nodes found later than those here.
    """

    nodes: tuple[CrawlNode, ...]
    edges: np.ndarray
    left_out: int
