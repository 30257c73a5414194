"""Finding a list's tracks in a dataset: by uri, then by title and artist as they are compared.

A track's match key is a 64-bit hash of its song title (version and guest marks dropped, see
`text`) and its first artist. A sorted array of keys looks up any number of tracks in a dataset of
millions without a dictionary; the few that share a key are then compared by name.
"""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Literal

import duckdb
import numpy as np
import pyarrow as pa

from core.dataset.dataset import Dataset
from core.dataset.sources.lists import ListedTrack
from core.dataset.text import MACROS, normalise, song_title
from core.errors import SegueError

How = Literal["id", "title and artist", "title and artist swapped", "not found"]

# Commas within numbers do not separate ("10,000 Maniacs"), nor do slashes within names ("AC/DC").
_NEXT_ARTIST = (
    r"(?s)\s*(;|,(\D|$)|\s[&+/]\s|\s(and|x|vs\.?|with|feat\.?|ft\.?|featuring)\s|"
    r"[(\[](feat|ft|featuring|with)\b).*$"
)

MATCH_MACROS = rf"""
{MACROS}
CREATE OR REPLACE TEMP MACRO first_artist(x) AS
    regexp_replace(
        coalesce(nullif(normal(regexp_replace(lower(x), '{_NEXT_ARTIST}', '')), ''),
                 nullif(normal(x), ''), nullif(lower(trim(x)), '')),
        '^the (.)', '\1');
CREATE OR REPLACE TEMP MACRO match_key(title, artist) AS
    coalesce(md5_number_lower(coalesce(nullif(song(title), ''), nullif(lower(trim(title)), ''))
        || chr(31) || first_artist(artist)), 0::UBIGINT);
"""
"""SQL that defines `first_artist(x)` and `match_key(title, artist)`, on top of `text.MACROS`."""

_lock = threading.Lock()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(MATCH_MACROS)
    return connection


def match_keys(
    titles: Iterable[str | None] | pa.ChunkedArray, artists: Iterable[str | None] | pa.ChunkedArray
) -> np.ndarray:
    """Hash song titles with first artists.

    "Heroes - 2017 Remaster" by "David Bowie" and "Heroes" by "David Bowie, Brian Eno" share a key;
    so do "The Beatles" and "Beatles".

    Parameters
    ----------
    titles, artists : iterables of str or None, of equal length n, or Arrow columns

    Returns
    -------
    uint64 array, shape (n,)
        The lower half of an MD5 sum, the same on every machine; 0 where a title or artist is
        missing.
    """
    names = pa.table({"title": _column(titles), "artist": _column(artists)})
    with _lock:
        keys = _connection().from_arrow(names).project("match_key(title, artist) AS key")
        return keys.fetchnumpy()["key"].astype(np.uint64)


def _column(texts: Iterable[str | None] | pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    return texts if isinstance(texts, pa.ChunkedArray) else pa.array(texts, pa.string())


@dataclass(frozen=True)
class Match:
    """What became of one listed track.

    Attributes
    ----------
    listed : ListedTrack
    track : int
        Id in the dataset; -1 if it was not found.
    how : str
        "id", "title and artist", "title and artist swapped" or "not found".
    """

    listed: ListedTrack
    track: int
    how: How


@dataclass(frozen=True)
class MatchReport:
    """What became of each track of a list, in its order."""

    rows: list[Match] = field(default_factory=list)

    @property
    def unknown(self) -> list[ListedTrack]:
        """Tracks that the dataset does not hold."""
        return [row.listed for row in self.rows if row.track < 0]

    @property
    def counts(self) -> dict[How, int]:
        """Tracks by how they were found, most frequent first."""
        return dict(Counter(row.how for row in self.rows).most_common())

    @property
    def missing(self) -> int:
        """Tracks of the list that were not found."""
        return len(self.unknown)

    @property
    def ways(self) -> str:
        """How the others were found, in words: "2 by id, 1 by title and artist"."""
        counts = self.counts.items()
        return ", ".join(f"{count:,} by {how}" for how, count in counts if how != "not found")

    @property
    def tracks(self) -> np.ndarray:
        """Ids of the tracks found, int32, in the list's order, each once."""
        return np.array(list(dict.fromkeys(row.track for row in self.rows if row.track >= 0)), "i4")


def artists_named(dataset: Dataset, names: Sequence[str]) -> list[int]:
    """Ids of artists by name, as names are compared; the one with most entries of several.

    Raises
    ------
    SegueError
        If the dataset has no artist of a name.
    """
    if not names:
        return []
    known = normalise(dataset.artists["name"].to_pylist())
    by_name = {name: at for at, name in reversed(list(enumerate(known))) if name}
    for name in names:
        if normalise([name])[0] not in by_name:
            raise SegueError(f"{dataset.name} has no artist “{name}”: write the name in full.")
    return [by_name[normalise([name])[0]] for name in names]


class Matcher:
    """Finds listed tracks in one dataset; keep it, for its index is sorted at the first use."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Keys in order, and the track of each; the more popular first where keys are equal."""
        keys = self._dataset.match_key
        order = np.argsort(keys, kind="stable").astype(np.int32)
        return keys[order], order

    def match(self, listed: Sequence[ListedTrack]) -> MatchReport:
        """Find each track by its uri, else by title and artist, else with these two swapped.

        Of several versions of a song the one named exactly wins if the list names a version, else
        the most popular.
        """
        tracks = np.full(len(listed), -1, np.int32)
        hows: list[How] = ["not found"] * len(listed)
        with_uri = [row for row, track in enumerate(listed) if track.uri]
        tracks[with_uri] = self._dataset.ids_of([listed[row].uri or "" for row in with_uri])
        for row in np.flatnonzero(tracks >= 0).tolist():
            hows[row] = "id"
        ways: tuple[tuple[How, bool], ...] = (
            ("title and artist", False),
            ("title and artist swapped", True),
        )
        for how, swapped in ways:
            rows = [row for row in np.flatnonzero(tracks < 0).tolist() if listed[row].title]
            names = [(listed[row].title or "", listed[row].artist or "") for row in rows]
            found = self._by_name([name[::-1] for name in names] if swapped else names)
            for row, track in zip(rows, found, strict=True):
                if track >= 0:
                    tracks[row], hows[row] = track, how
        return MatchReport(
            [
                Match(each, int(track), how)
                for each, track, how in zip(listed, tracks, hows, strict=True)
            ]
        )

    def _by_name(self, names: Sequence[tuple[str, str]]) -> list[int]:
        """The best track for each title and artist, -1 where there is none."""
        if not names:
            return []
        titles, artists = zip(*names, strict=True)
        keys = match_keys(titles, artists)
        sorted_keys, order = self._index
        starts = np.searchsorted(sorted_keys, keys, "left")
        stops = np.where(keys == 0, starts, np.searchsorted(sorted_keys, keys, "right"))
        lengths = stops - starts
        offsets = np.cumsum(lengths) - lengths
        candidates = order[np.arange(lengths.sum()) + np.repeat(starts - offsets, lengths)]
        differs = self._differs(candidates, np.repeat(np.arange(len(names)), lengths), names)
        # By name first, then by id: ids fall with popularity.
        ranked = differs.astype(np.int64) * self._dataset.n_tracks + candidates
        best = np.full(len(names), -1, np.int64)
        some = lengths > 0
        if some.any():
            best[some] = np.minimum.reduceat(ranked, offsets[some]) % self._dataset.n_tracks
        return best.tolist()

    def _differs(
        self, candidates: np.ndarray, rows: np.ndarray, names: Sequence[tuple[str, str]]
    ) -> np.ndarray:
        """How far each candidate's names are from those listed: 2 another artist, 1 version."""
        listed_titles, listed_artists = zip(*names, strict=True)
        titles = np.array(normalise(listed_titles))[rows]
        artists = np.array(normalise(listed_artists))[rows]
        songs = np.array(song_title(listed_titles))[rows]
        their_titles = np.array(normalise(self._dataset.values("title", candidates)))
        their_artists = np.array(normalise(self._dataset.values("artist_name", candidates)))
        names_version = titles != songs
        return 2 * (artists != their_artists) + (names_version & (titles != their_titles))
