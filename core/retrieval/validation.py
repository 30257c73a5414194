"""Playlists that a model sets aside while it is fitted: to stop early, to choose one number."""

from collections.abc import Sequence

import numpy as np

from core.dataset.dataset import Dataset
from core.retrieval.base import Queries, Recommendations

SET_ASIDE = "Hidden tracks found, of playlists set aside"
"""What progress calls a `hit_share`."""
_CUTS = (1, 5, 10, 25, 100)
"""Numbers of seeds that the protocol's categories show."""


def set_aside(
    dataset: Dataset, share: float, seed: int
) -> tuple[Dataset, Queries, list[np.ndarray]]:
    """Hide the ends of some playlists.

    Parameters
    ----------
    dataset : Dataset
        The training view.
    share : float
        Of its playlists with at least two tracks that are set aside, 0 to 1.
    seed : int

    Returns
    -------
    rest : Dataset
        View without them.
    queries : Queries
        Their first 1, 5, 10, 25 or 100 tracks, at random where they have more, and every second
        title.
    hidden : list of int32 arrays
        What follows, at least one track each.
    """
    random = np.random.default_rng(seed)
    lengths = dataset.playlists.lengths
    able = np.flatnonzero(lengths > 1)
    aside = np.sort(random.choice(able, int(share * len(able)), replace=False))
    seeds, hidden, titles = [], [], []
    for at, row in enumerate(aside):
        tracks = np.array(dataset.playlists[row])
        cut = random.choice([cut for cut in _CUTS if cut < len(tracks)])
        seeds.append(tracks[:cut])
        hidden.append(tracks[cut:])
        titles.append(dataset.playlists.titles[row] if at % 2 else None)
    rest = dataset.select(np.setdiff1d(np.arange(dataset.n_playlists), aside))
    return rest, Queries(seeds, titles), hidden


def hit_share(answer: Recommendations, hidden: Sequence[np.ndarray]) -> float:
    """Mean share of the hidden tracks among as many first recommendations, 0 to 1; 0 of none.

    The track-only R-precision of the protocol.
    """
    shares = [
        np.isin(tracks, ids[: len(tracks)]).mean()
        for ids, tracks in zip(answer.ids, hidden, strict=True)
    ]
    return float(np.mean(shares)) if shares else 0.0
