"""Playlists as rows over tracks, artists and title words."""

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset, Playlists
from core.dataset.text import normalise
from core.retrieval.base import Queries


class Columns:
    """What a playlist is a row over: tracks, then artists, then words of titles.

    A track has the value 1, an artist `artist_weight` times the square root of its number of
    tracks in the playlist, a word `title_weight`. What no playlist of a dataset view holds has no
    column.

    Parameters
    ----------
    dataset : Dataset
    artist_weight, title_weight : float
        Value of an artist with one track and of a word; a group of weight 0 has no columns.

    Attributes
    ----------
    tracks : int32 array
        The track of each of the first columns.
    track_column : int32 array, shape (n_tracks,)
        The column of each track, -1 where it has none.
    artists_of : csr_array, shape (n_tracks, number of columns of artists)
        One where a track is by an artist.
    """

    def __init__(self, dataset: Dataset, artist_weight: float, title_weight: float) -> None:
        self._artist_weight, self._title_weight = artist_weight, title_weight
        self.tracks = np.flatnonzero(dataset.counts).astype(np.int32)
        self.track_column = np.full(dataset.n_tracks, -1, np.int32)
        self.track_column[self.tracks] = np.arange(len(self.tracks))
        heard = self.tracks if artist_weight else self.tracks[:0]
        self.artists_of = _artists_of(dataset.artist, heard)
        titles = dataset.playlists.titles if title_weight else []
        self._word_column: dict[str, int] = {}
        for word in (word for text in normalise(titles) for word in text.split()):
            self._word_column.setdefault(word, len(self._word_column))

    def rows(self, queries: Queries) -> sparse.csr_array:
        """Values of each column, float32, shape (len(queries), n_columns)."""
        held = queries.matrix(len(self.track_column))
        artists = held @ self.artists_of
        artists.data = np.float32(self._artist_weight) * np.sqrt(artists.data)
        groups = [held[:, self.tracks], artists, self._words(queries.titles)]
        return sparse.hstack(groups, format="csr")

    def rows_of(self, playlists: Playlists) -> sparse.csr_array:
        """The same of playlists with their titles."""
        tracks = [playlists[row] for row in range(len(playlists))]
        return self.rows(Queries(tracks, playlists.titles))

    def _words(self, titles: Sequence[str | None]) -> sparse.csr_array:
        indptr, columns = [0], []
        for text in normalise(titles):
            words = dict.fromkeys(text.split())
            columns += [self._word_column[word] for word in words if word in self._word_column]
            indptr.append(len(columns))
        values = np.full(len(columns), self._title_weight, np.float32)
        return sparse.csr_array(
            (values, np.array(columns, np.int32), np.array(indptr)),
            (len(titles), len(self._word_column)),
        )


def _artists_of(artist: np.ndarray, heard: np.ndarray) -> sparse.csr_array:
    """Ones where a track is by an artist of some heard track, (n_tracks, n such artists)."""
    artists = np.unique(artist[heard])
    by = np.flatnonzero(np.isin(artist, artists))
    columns = np.searchsorted(artists, artist[by])
    ones = np.ones(len(by), np.float32)
    return sparse.csr_array((ones, (by, columns)), (len(artist), len(artists)))
