"""How far rankings of the same query agree, what they say together, and what only one says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from core.ranking.fusion import CONSTANT

PERSISTENCE = 0.9
"""Chance that a reader of rank-biased overlap goes on to the next place: the first ten places carry
86 % of the weight."""


@dataclass(frozen=True)
class Merged:
    """Several rankings as one, by reciprocal rank fusion (see `core.ranking.fusion`).

    Attributes
    ----------
    tracks : int32 array, shape (n,)
        All that some ranking holds, best first.
    places : int32 array, shape (n, m)
        Place of each track in each ranking, from 1; 0 where it is not in it.
    scores : float64 array, shape (n,)
        Sum over the rankings that hold it of 1 / (60 + place); never rising.
    """

    tracks: np.ndarray
    places: np.ndarray
    scores: np.ndarray

    @property
    def found_by(self) -> np.ndarray:
        """Rankings that hold each track, int64, from 1 to m."""
        return (self.places > 0).sum(axis=1)

    def only_in(self, ranking: int) -> np.ndarray:
        """Rows of the tracks that no other ranking holds, by their place in it."""
        rows = np.flatnonzero((self.found_by == 1) & (self.places[:, ranking] > 0))
        return rows[np.argsort(self.places[rows, ranking])]


def merge(rankings: Sequence[np.ndarray]) -> Merged:
    """Merge rankings; of equal scores, the best place in any leads, then that in the first.

    Parameters
    ----------
    rankings : sequence of m int arrays
        Track ids, best first, distinct within one.
    """
    tracks = np.unique(np.concatenate([np.empty(0, np.int32), *rankings])).astype(np.int32)
    places = np.zeros((len(tracks), len(rankings)), np.int32)
    for column, ranking in enumerate(rankings):
        places[np.searchsorted(tracks, ranking), column] = np.arange(1, len(ranking) + 1)
    held = places > 0
    scores = np.where(held, 1 / (CONSTANT + places), 0.0).sum(axis=1)
    known = np.where(held, places, np.iinfo(np.int32).max)
    best, first = known.min(axis=1, initial=np.iinfo(np.int32).max), known.T[::-1]
    order = np.lexsort((*first, best, -scores))
    return Merged(tracks[order], places[order], scores[order])


def jaccard(one: np.ndarray, other: np.ndarray) -> float:
    """Tracks in both rankings over tracks in either, from 0 to 1; NaN where both are empty."""
    both = len(np.intersect1d(one, other))
    either = len(one) + len(other) - both
    return both / either if either else float("nan")


def rank_biased_overlap(
    one: np.ndarray, other: np.ndarray, persistence: float = PERSISTENCE
) -> float:
    """Agreement of two rankings that gives early places more weight, extrapolated.

    With A_d the share of the first d places that both rankings hold, and p the persistence,
    RBO_ext = A_k p^k + (1 - p) / p · Σ A_d p^d over d from 1 to k: the expected agreement at the
    depth where a reader stops who goes on from each place with chance p, if what lies below the
    k-th place agrees as the first k do (W. Webber, A. Moffat, J. Zobel, "A similarity measure for
    indefinite rankings", ACM TOIS 28(4), 2010, equation 23, https://doi.org/10.1145/1852102.1852106).

    Parameters
    ----------
    one, other : int arrays, shape (k,)
        Best first, distinct within one.
    persistence : float
        Above 0, below 1; 0.9 puts 86 % of the weight on the first ten places.

    Returns
    -------
    float
        1 for the same ranking, 0 for rankings without a common track, NaN for empty ones.

    Raises
    ------
    ValueError
        If the rankings are not of one length, or the persistence is out of range.
    """
    if len(one) != len(other):
        raise ValueError(f"rankings of {len(one)} and {len(other)} places have no overlap by depth")
    if not 0 < persistence < 1:
        raise ValueError(f"a persistence is above 0 and below 1, not {persistence}")
    if not len(one):
        return float("nan")
    _, here, there = np.intersect1d(one, other, return_indices=True)
    depths = np.arange(1, len(one) + 1)
    common = np.cumsum(np.bincount(np.maximum(here, there), minlength=len(one)))
    agreed, weights = common / depths, persistence**depths
    return float(
        agreed[-1] * weights[-1] + (1 - persistence) / persistence * (agreed * weights).sum()
    )


def matrix(
    rankings: Sequence[np.ndarray], measure: Callable[[np.ndarray, np.ndarray], float]
) -> np.ndarray:
    """A measure of every two rankings, float64, shape (m, m)."""
    return np.array([[measure(one, other) for other in rankings] for one in rankings], np.float64)
