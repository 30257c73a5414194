"""The union of what several models propose: what a ranker chooses from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from core.retrieval.base import Recommendations

_STEP = 25
"""Tracks of a list by which a quota grows."""


@dataclass(frozen=True)
class Candidates:
    """Candidates of a batch of queries, one after the other.

    Attributes
    ----------
    sources : tuple of str
        The models that proposed them.
    indptr : int64 array, shape (n_queries + 1,)
        Where each query's candidates start and end.
    tracks : int32 array, shape (n,)
        Distinct within a query.
    ranks : int32 array, shape (n, n_sources)
        Place in each source's list, from 1; 0 where it is not in it.
    scores : float32 array, shape (n, n_sources)
        The source's score; NaN where it is not in its list.
    """

    sources: tuple[str, ...]
    indptr: np.ndarray
    tracks: np.ndarray
    ranks: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.tracks)

    @property
    def n_queries(self) -> int:
        return len(self.indptr) - 1

    @cached_property
    def rows(self) -> np.ndarray:
        """The query of each candidate, int64, shape (n,)."""
        return np.repeat(np.arange(self.n_queries), np.diff(self.indptr))

    def take(self, queries: np.ndarray) -> Self:
        """The candidates of some queries, in this order."""
        sizes = np.diff(self.indptr)[queries]
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        at = np.arange(indptr[-1]) + np.repeat(self.indptr[queries] - indptr[:-1], sizes)
        return type(self)(self.sources, indptr, self.tracks[at], self.ranks[at], self.scores[at])


def pool(answers: Mapping[str, Recommendations], quotas: np.ndarray, n_tracks: int) -> Candidates:
    """Unite the first candidates of each source.

    Parameters
    ----------
    answers : mapping of source to Recommendations
        Of the same queries; at least one source.
    quotas : int array, shape (n_queries, n_sources)
        How many of a source's first tracks become candidates of a query.
    n_tracks : int

    Returns
    -------
    Candidates
        With ranks and scores of every list in full, also beyond a source's quota.
    """
    n_queries = len(quotas)
    keys = []
    for column, answer in enumerate(answers.values()):
        first = np.arange(answer.ids.shape[1]) < quotas[:, column, None]
        rows, places = np.nonzero(first & (answer.ids >= 0))
        keys.append(rows * n_tracks + answer.ids[rows, places])
    united = np.unique(np.concatenate(keys))
    ranks = np.zeros((len(united), len(answers)), np.int32)
    scores = np.full((len(united), len(answers)), np.nan, np.float32)
    for column, answer in enumerate(answers.values()):
        rows, places = np.nonzero(answer.ids >= 0)
        wanted = rows * n_tracks + answer.ids[rows, places]
        at = np.searchsorted(united, wanted)
        at[at == len(united)] = 0
        there = united[at] == wanted if len(united) else np.zeros(len(at), bool)
        ranks[at[there], column] = places[there] + 1
        scores[at[there], column] = answer.scores[rows[there], places[there]]
    rows, tracks = np.divmod(united, n_tracks)
    indptr = np.searchsorted(rows, np.arange(n_queries + 1))
    return Candidates(tuple(answers), indptr, tracks.astype(np.int32), ranks, scores)


def heard(
    answers: Mapping[str, Recommendations], counts: np.ndarray, rows: np.ndarray
) -> dict[str, Recommendations]:
    """Answers to some queries without the tracks that no playlist holds.

    A ranker cannot learn what speaks for these: in its training data they are in the catalogue only
    because the masked playlists hold them, so that each would be right.

    Parameters
    ----------
    answers : mapping of source to Recommendations
    counts : int array, shape (n_tracks,)
        Playlists that hold each track.
    rows : bool array, shape (n_queries,)
        The queries; answers to others stay.

    Returns
    -------
    dict of source to Recommendations
        With -1 in the places of those tracks; all others keep theirs.
    """
    kept = {name: (counts[answer.ids] > 0) | ~rows[:, None] for name, answer in answers.items()}
    return {
        name: Recommendations(np.where(kept[name], answer.ids, -1), answer.scores)
        for name, answer in answers.items()
    }


def measured_quotas(lists: np.ndarray, hidden: Sequence[np.ndarray], size: int) -> np.ndarray:
    """How many first tracks of each list to take, for the best recall of a pool of a given size.

    Quotas grow by steps, each time that of the list whose next tracks bring the most recall for
    each track that is not in the pool yet: greedy maximum coverage under a budget
    (S. Khuller, A. Moss, J. Naor, 1999, https://doi.org/10.1016/S0020-0190(99)00031-9).

    Parameters
    ----------
    lists : int32 array, shape (n_sources, n_queries, K)
        What each source proposes, best first, distinct within a list, padded with -1.
    hidden : sequence of n_queries int arrays
        What should be found; none empty.
    size : int
        Tracks of a pool, in the mean over queries.

    Returns
    -------
    int64 array, shape (n_sources,)
        Multiples of 25, at most K. They end where no list's next tracks find anything.
    """
    n_sources, n_queries, depth = lists.shape
    worth, steps = _steps(lists, hidden)
    budget = size * n_queries
    quotas = np.zeros(n_sources, np.int64)
    taken = np.zeros(len(worth), bool)
    while taken.sum() < budget:
        best, best_rate = -1, 0.0
        for source in np.flatnonzero(quotas < depth):
            step = steps[source][quotas[source] // _STEP]
            fresh = step[~taken[step]]
            rate = worth[fresh].sum() / max(len(fresh), 1)
            if rate > best_rate:
                best, best_rate = int(source), rate
        if best < 0:
            break
        taken[steps[best][quotas[best] // _STEP]] = True
        quotas[best] += _STEP
    return np.minimum(quotas, depth)


def _steps(
    lists: np.ndarray, hidden: Sequence[np.ndarray]
) -> tuple[np.ndarray, list[list[np.ndarray]]]:
    """Everything proposed, numbered: what each is worth, and each step of each list.

    Returns
    -------
    worth : float64 array, shape (n_proposed,)
        What it adds to a query's recall, 0 where it is no hidden track.
    steps : for each source, for each step, an int array of numbers
    """
    span = int(max(lists.max(initial=0), *(tracks.max() for tracks in hidden))) + 1
    rows = np.arange(lists.shape[1])[:, None]
    keys = np.where(lists < 0, -1, rows * span + lists)
    proposed, numbers = np.unique(keys, return_inverse=True)
    sizes = [len(tracks) for tracks in hidden]
    truth = np.repeat(np.arange(len(hidden)), sizes) * span + np.concatenate(list(hidden))
    worth = np.isin(proposed, truth) / np.array(sizes)[proposed // span]
    numbers = np.where(keys < 0, -1, numbers.reshape(lists.shape))
    steps = [
        [part[part >= 0] for part in np.split(one, range(_STEP, one.shape[1], _STEP), axis=1)]
        for one in numbers
    ]
    return worth, steps
