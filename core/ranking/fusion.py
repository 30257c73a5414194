"""Scoring without a learned ranker: weighted reciprocal rank fusion.

Cormack, Clarke and Büttcher, "Reciprocal Rank Fusion outperforms Condorcet and individual Rank
Learning Methods", SIGIR 2009: a document's score is the sum over rankings of 1 / (60 + rank).
Each ranking has a weight here, which depends on the number of seeds.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from core.ranking.candidates import Candidates

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


def blend(candidates: Candidates, by_model: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Score candidates by their ranks alone.

    Parameters
    ----------
    candidates : Candidates
    by_model : sequence of mapping of model name to weight, one a query

    Returns
    -------
    float64 array, shape (len(candidates),)
        From 0 to the sum of the query's weights / 61.
    """
    weight = np.array(
        [[one.get(source, 0.0) for source in candidates.sources] for one in by_model]
    ).reshape(len(by_model), len(candidates.sources))
    shares = np.where(candidates.ranks > 0, 1 / (CONSTANT + candidates.ranks), 0)
    return (shares * weight[candidates.rows]).sum(axis=1)
