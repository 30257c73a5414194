"""Scoring without a learned ranker: weighted reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods", SIGIR 2009: a document's score is the sum over rankings of 1 / (60 + rank).
Each ranking has a weight here, which depends on the number of seeds.
"""

from collections.abc import Collection, Mapping

import numpy as np

from core.retrieval.base import Recommendations

CONSTANT = 60

WEIGHTS = (
    (0, {"titles": 1.0}),
    (
        1,
        {
            "titles": 1.0,
            "multi_view_knn": 1.0,
            "als": 1.0,
            "two_tower": 0.5,
            "playlist_knn": 0.25,
            "audio": 0.02,
        },
    ),
    (
        10,
        {
            "multi_view_knn": 1.0,
            "als": 0.75,
            "two_tower": 0.5,
            "track2vec": 0.5,
            "playlist_knn": 0.25,
            "titles": 0.25,
            "audio": 0.02,
        },
    ),
    (
        25,
        {
            "multi_view_knn": 1.0,
            "als": 1.0,
            "playlist_knn": 1.0,
            "track2vec": 0.25,
            "titles": 0.1,
            "audio": 0.02,
        },
    ),
    (250, {"playlist_knn": 2.0, "als": 1.0, "multi_view_knn": 0.5, "audio": 0.02}),
)
"""Weights by largest number of seeds; chosen on validation playlists, but for audio's: it only
answers where no other model can."""


def weights(n_seeds: int, models: Collection[str]) -> Mapping[str, float]:
    """Weight of each of these models for a query of so many seeds.

    A model that is not in the result takes no part. Where none of the models has a weight, all
    count equally.
    """
    wanted = next((by_model for most, by_model in WEIGHTS if n_seeds <= most), WEIGHTS[-1][1])
    return {name: wanted[name] for name in models if name in wanted} or dict.fromkeys(models, 1.0)


def fuse(
    answers: Mapping[str, Recommendations], row: int, by_model: Mapping[str, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Fuse one query's rankings.

    Parameters
    ----------
    answers : mapping of model name to Recommendations
    row : int
        The query.
    by_model : mapping of model name to weight

    Returns
    -------
    candidates : int32 array, shape (n,)
        Union of the rankings, by id.
    scores : float64 array, shape (n,)
        Positive; at most the sum of the weights / 61.
    """
    rankings = [
        (ids[ids >= 0], by_model[name])
        for name, ids in ((name, answer.ids[row]) for name, answer in answers.items())
        if by_model.get(name, 0.0) > 0
    ]
    if not rankings:
        return np.empty(0, np.int32), np.empty(0)
    found = np.concatenate([ids for ids, _ in rankings])
    parts = np.concatenate(
        [weight / (CONSTANT + np.arange(1, len(ids) + 1)) for ids, weight in rankings]
    )
    candidates, inverse = np.unique(found, return_inverse=True)
    return candidates, np.bincount(inverse, parts, len(candidates))
