"""Stages 2 and 4: what may not be shown, and the order of what is."""

from dataclasses import dataclass

import numpy as np

from core.dataset.dataset import Dataset
from core.retrieval.base import falling


@dataclass(frozen=True)
class Dials:
    """What a listener may turn.

    Attributes
    ----------
    one_version : bool
        Show one version of a song (remaster, radio edit, live …) and none of a seed's.
    per_artist : int or None
        At most so many tracks by one artist; None for no limit.
    popularity : float
        From -1, deep cuts first, over 0, as scored, to 1, popular tracks first.
    """

    one_version: bool = True
    per_artist: int | None = None
    popularity: float = 0.0


def filter_candidates(
    candidates: np.ndarray,
    seeds: np.ndarray,
    dislikes: np.ndarray,
    dataset: Dataset,
    dials: Dials,
) -> np.ndarray:
    """Stage 2: which candidates may be shown at all.

    Parameters
    ----------
    candidates, seeds, dislikes : int32 arrays of track ids
    dataset : Dataset
    dials : Dials

    Returns
    -------
    bool array, shape (len(candidates),)
        False for seeds, dislikes and, with `one_version`, their other versions.
    """
    barred = np.concatenate([seeds, dislikes]).astype(np.int64)
    if dials.one_version:
        return ~np.isin(dataset.song[candidates], dataset.song[barred])
    return ~np.isin(candidates, barred)


def order(candidates: np.ndarray, scores: np.ndarray, dataset: Dataset, dials: Dials) -> np.ndarray:
    """Stage 4: the positions of the candidates to show, first to last.

    Parameters
    ----------
    candidates : int32 array, shape (n,)
        Distinct track ids.
    scores : float array, shape (n,)
        Non-negative, higher is better.
    dataset : Dataset
    dials : Dials

    Returns
    -------
    int64 array
        Positions in `candidates`; fewer than n where versions or an artist's surplus are left out.
    """
    steered = scores * popularity_weight(candidates, dataset, dials.popularity)
    ranking = falling(steered, candidates)
    if dials.one_version:
        ranking = ranking[within_first(dataset.song[candidates[ranking]], 1)]
    if dials.per_artist is not None:
        ranking = ranking[within_first(dataset.artist[candidates[ranking]], dials.per_artist)]
    return ranking


def popularity_weight(candidates: np.ndarray, dataset: Dataset, dial: float) -> np.ndarray:
    """Factor that favours popular (dial > 0) or obscure (dial < 0) candidates.

    The factor is exp(2 * dial * z), z the standardised logarithm of the playlist count among the
    candidates: at a full dial, one standard deviation outweighs a seven-fold score.
    """
    if not dial or not len(candidates):
        return np.ones(len(candidates))
    logs = np.log1p(dataset.counts[candidates])
    return np.exp(2 * dial * (logs - logs.mean()) / (logs.std() or 1.0))


def within_first(groups: np.ndarray, limit: int) -> np.ndarray:
    """True where a position is among the first `limit` of its group.

    >>> within_first(np.array([7, 8, 7, 7]), 2).tolist()
    [True, True, True, False]
    """
    by_group = np.argsort(groups, kind="stable")
    ordered = groups[by_group]
    _, starts, sizes = np.unique(ordered, return_index=True, return_counts=True)
    place = np.empty(len(groups), np.int64)
    place[by_group] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return place < limit
