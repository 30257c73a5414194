"""Whether a candidate is by an artist, or from an album, of the seeds."""

from collections.abc import Sequence

import numpy as np

from core.dataset.dataset import Dataset
from core.ranking.features.arrays import Pairs, segment_max, segment_sum
from core.ranking.features.base import Batch, Feature, FirstStage, Group
from core.ranking.features.holders import Holders, Meetings
from core.retrieval.neighbours import artist_counts


class Artist(Group):
    """The candidate's artist among those of the seeds, and in their company."""

    features = (
        Feature("artist.count", "how many of your tracks are by its artist", "log2(1 + count)"),
        Feature("artist.share", "share of your tracks that are by its artist", "0 to 1"),
        Feature(
            "artist.last",
            "how lately its artist played",
            "1 / place from the end of your tracks, 0 to 1",
        ),
        Feature(
            "artist.together",
            "share of the playlists with your artists that hold its artist too, on average",
            "0 to 1",
        ),
        Feature(
            "artist.together_max",
            "the same share for the artist of yours where it is largest",
            "0 to 1",
        ),
        Feature(
            "artist.rank",
            "its place among its artist's tracks by popularity",
            "log2(1 + place), from 1",
        ),
        Feature(
            "artist.candidates", "how many candidates are by its artist", "log2(1 + count), from 1"
        ),
    )

    def fit(self, stage: FirstStage) -> None:
        dataset = stage.dataset
        self._holders = Holders(artist_counts(dataset))
        self._rank = np.log2(1 + _rank_within(dataset.artist, dataset.counts))

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        artists = batch.artists
        at = artists.index
        mean, largest = self._together(batch)
        count, lately = _among_seeds(batch)
        among = np.bincount(at, minlength=len(artists))
        of_seeds = [np.log2(1 + count[at]), count[at] / batch.n_seeds, lately[at]]
        return [
            *batch.unless_unseeded([*of_seeds, mean[at], largest[at]]),
            self._rank[batch.candidates.tracks],
            np.log2(1 + among[at]),
        ]

    def _together(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Mean and largest share of a seed's artist's playlists that hold each artist.

        The mean is over the seeds: an artist of two counts twice.
        """
        ours, theirs = batch.seed_artists, batch.artists
        held = self._holders.of(theirs.keys)
        met = Meetings(
            self._holders, (ours.rows, ours.keys), (theirs.rows, theirs.keys), len(batch), held
        )
        together = met.together()
        our = together.indices
        shares = np.minimum(together.data / self._holders.counts[ours.keys][our], 1)
        weight = np.bincount(ours.index, minlength=len(ours)) / batch.queries.lengths[ours.rows]
        return (
            segment_sum(shares * weight[our], together.indptr),
            segment_max(shares, together.indptr, 0.0),
        )


def _among_seeds(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """Seeds by each artist of the candidates, and 1 over the last one's place from the end."""
    ours, theirs = batch.seed_artists, batch.artists
    rows = batch.seeds[0]
    lately = np.zeros(len(ours))
    # Of several seeds of an artist the last is written last.
    lately[ours.index] = 1 / (batch.seed_indptr[rows + 1] - np.arange(len(rows)))
    counts = np.bincount(ours.index, minlength=len(ours))
    at = ours.find(theirs.rows, theirs.keys)
    return np.append(counts, 0)[at], np.append(lately, 0)[at]


class Album(Group):
    """The candidate's album among those of the seeds; unknown where either is."""

    features = (
        Feature("album.count", "how many of your tracks are from its album", "log2(1 + count)"),
        Feature("album.share", "share of your tracks that are from its album", "0 to 1"),
    )

    def fit(self, stage: FirstStage) -> None:
        self._album = _albums(stage.dataset)

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        rows, seeds = batch.seeds
        album, seed_album = self._album[batch.candidates.tracks], self._album[seeds]
        known = seed_album >= 0
        n_albums = int(self._album.max(initial=-1)) + 1
        ours = Pairs(rows[known], seed_album[known], len(batch), n_albums)
        with_album = np.bincount(rows[known], minlength=len(batch))
        told = (album >= 0) & batch.of_query(with_album > 0)
        counts = np.append(np.bincount(ours.index, minlength=len(ours)), 0)
        count = np.full(len(album), np.nan)
        count[told] = counts[ours.find(batch.candidates.rows[told], album[told])]
        return [np.log2(1 + count), count / np.maximum(batch.of_query(with_album), 1)]


def _albums(dataset: Dataset) -> np.ndarray:
    """A number of each track's album, int64, shape (n_tracks,); -1 where unknown.

    An album is one title by one artist.
    """
    codes = dataset.column("album").dictionary_encode().indices.fill_null(-1)
    codes = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    known = codes >= 0
    numbers = np.full(dataset.n_tracks, -1, np.int64)
    keys = codes[known] * (int(dataset.artist.max(initial=0)) + 1) + dataset.artist[known]
    numbers[known] = np.unique(keys, return_inverse=True)[1]
    return numbers


def _rank_within(artist: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """1 + the tracks of the same artist that more playlists hold, int64, shape (n_tracks,)."""
    order = np.lexsort((-counts, artist))
    artists, counts = artist[order], counts[order]
    first = np.searchsorted(artists, artists)
    positions = np.arange(len(order))
    higher = np.ones(len(order), bool)
    higher[1:] = (np.diff(artists) != 0) | (np.diff(counts) != 0)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = 1 + np.maximum.accumulate(np.where(higher, positions, 0)) - first
    return ranks
