"""Which playlists hold a track or an artist."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import sparse

from core.dataset.dataset import Playlists
from core.ranking.features.arrays import Pairs, indptr_of

MOST_HOLDERS = 1000
"""Playlists of a track that are looked at: a fixed sample of those that hold it."""


@dataclass(frozen=True)
class Entries:
    """Entries of playlists, each for something that asked.

    Attributes
    ----------
    owners : int64 array, shape (n,)
        Who asked: a position, rising.
    playlists : int32 array, shape (n,)
    places : int32 array, shape (n,)
        Position in the playlist, from 0.
    """

    owners: np.ndarray
    playlists: np.ndarray
    places: np.ndarray


class Holders:
    """A sample of the playlists that hold each thing.

    All playlists are shuffled once, and those that come first are the sample of each thing that
    they hold. So the samples of two things meet where the things do, as independent ones would
    not: a bottom-k sketch (E. Cohen, H. Kaplan, PODC 2007,
    https://doi.org/10.1145/1281100.1281133).

    Parameters
    ----------
    held : sparse array, shape (n_playlists, n_things)
        The place where a playlist holds a thing.

    Attributes
    ----------
    n_playlists : int
    counts : int64 array, shape (n_things,)
        Playlists that hold each thing.
    looked : int64 array, shape (n_things,)
        Those in the sample, `MOST_HOLDERS` at most.
    sampled : float64 array, shape (n_things,)
        Share that the sample is of all.
    """

    def __init__(self, held: sparse.csr_array) -> None:
        self.n_playlists = held.shape[0]
        shuffled = np.random.default_rng(0).permutation(self.n_playlists)
        columns = sparse.csc_array(held[shuffled])
        self._starts = columns.indptr.astype(np.int64)
        self._playlists = shuffled.astype(np.int32)[columns.indices]
        self._places = columns.data
        self.counts = np.diff(self._starts)
        self.looked = np.minimum(self.counts, MOST_HOLDERS)
        self.sampled = self.looked / np.maximum(self.counts, 1)

    @classmethod
    def of_tracks(cls, playlists: Playlists) -> Self:
        """Of tracks, with their places in the playlists."""
        starts = playlists.indptr[:-1].astype(np.int32)
        places = np.arange(len(playlists.tracks), dtype=np.int32)
        places -= np.repeat(starts, playlists.lengths)
        shape = (len(playlists), playlists.n_tracks)
        return cls(sparse.csr_array((places, playlists.tracks, playlists.indptr), shape))

    def of(self, things: np.ndarray) -> Entries:
        """Sampled entries of these things; owners are positions in `things`."""
        sizes = self.looked[things]
        owners = np.repeat(np.arange(len(things)), sizes)
        shift = self._starts[things] - (np.cumsum(sizes) - sizes)
        at = np.arange(len(owners)) + shift[owners]
        return Entries(owners, self._playlists[at], self._places[at])


class Meetings:
    """Playlists that hold things of a query's candidates and things of its seeds.

    Those that hold something of the seeds are the *common* ones.

    Parameters
    ----------
    holders : Holders
    seeds, candidates : pairs of int arrays
        Query and thing of each, the queries of the candidates rising.
    n_queries : int
    held : Entries
        `holders.of` the candidates.

    Attributes
    ----------
    seeded : Entries
        Of the seeds.
    common : Pairs
        Of a query and a common playlist, with an index for each entry of `seeded`.
    owners, at, places : int arrays, shape (n,)
        Entries of candidates in common playlists: the candidate, rising, the common playlist, and
        the place there.
    indptr : int64 array, shape (n_candidates + 1,)
        Where each candidate's entries start and end.
    """

    def __init__(
        self,
        holders: Holders,
        seeds: tuple[np.ndarray, np.ndarray],
        candidates: tuple[np.ndarray, np.ndarray],
        n_queries: int,
        held: Entries,
    ) -> None:
        self._holders, self._seeds, self._candidates = holders, seeds[1], candidates[1]
        self.seeded = holders.of(seeds[1])
        self.common = Pairs(
            seeds[0][self.seeded.owners], self.seeded.playlists, n_queries, holders.n_playlists
        )
        at = self.common.find(candidates[0][held.owners], held.playlists)
        there = np.flatnonzero(at >= 0)
        self.owners, self.at, self.places = held.owners[there], at[there], held.places[there]
        self.indptr = indptr_of(np.bincount(self.owners, minlength=len(candidates[1])))

    def together(self) -> sparse.csr_array:
        """Playlists that hold a candidate and a seed of its query, float64.

        An estimate where one has more holders than are looked at: samples are whole up to the
        smaller of the two sampled shares.

        Returns
        -------
        csr_array, shape (n_candidates, n_seeds)
        """
        shape = (len(self._candidates), len(self.common))
        candidates = sparse.csr_array((np.ones(len(self.at)), self.at, self.indptr), shape)
        shape = (len(self.common), len(self._seeds))
        ones = np.ones(len(self.seeded.owners))
        seeds = sparse.csr_array((ones, (self.common.index, self.seeded.owners)), shape)
        counts = candidates @ seeds
        sampled = self._holders.sampled
        candidate = np.repeat(self._candidates, np.diff(counts.indptr))
        counts.data /= np.minimum(sampled[candidate], sampled[self._seeds[counts.indices]])
        return counts
