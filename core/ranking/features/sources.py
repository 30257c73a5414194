"""What the first stage says of a candidate."""

from collections.abc import Sequence

import numpy as np

from core.ranking.candidates import Candidates
from core.ranking.features.arrays import segment_max, segment_mean
from core.ranking.features.base import Batch, Feature, Group
from core.ranking.fusion import CONSTANT
from core.retrieval import MODELS

AGREEMENT = ("sources.count", "sources.best", "sources.reciprocal")
"""Names of what `agreement` gives."""

_LEAST_SPREAD = 1e-6
"""Spread of scores over their mean below which they count as equal."""


def label(source: str) -> str:
    """Name of a model that a person reads."""
    return MODELS[source].label if source in MODELS else source


class Sources(Group):
    """Rank and score in each source's list, and how the sources agree.

    Scores are compared within the candidates of a query. A source that the candidates lack knows
    nothing of them.

    Parameters
    ----------
    sources : sequence of str
        Names of models.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        self._sources = list(sources)
        most = len(sources)
        self.features = [
            feature for source in sources for feature in _features_of(source, label(source))
        ] + [
            Feature("sources.count", "how many methods suggest it", f"methods, 0 to {most}"),
            Feature("sources.best", "its best place in any method's list", "log2 of place, from 0"),
            Feature(
                "sources.reciprocal",
                "how high all methods together place it",
                f"sum of 1 / ({CONSTANT} + place), 0 to {most / (CONSTANT + 1):.3f}",
            ),
        ]

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        ranks, scores = self._columns(batch.candidates)
        most = len(self._sources)
        shares, deviations = _shares(batch, scores), _deviations(batch, scores)
        kinds = (_logs(ranks), shares, deviations)
        return [
            *(kind[:, column] for column in range(most) for kind in kinds),
            *agreement(ranks),
        ]

    def _columns(self, candidates: Candidates) -> tuple[np.ndarray, np.ndarray]:
        """Ranks and scores by the sources of this group; 0 and NaN where the candidates lack one.

        Returns
        -------
        ranks : int32 array, shape (n_candidates, n_sources)
        scores : float64 array, the same
        """
        ranks = np.zeros((len(candidates), len(self._sources)), np.int32)
        scores = np.full(ranks.shape, np.nan)
        for column, source in enumerate(self._sources):
            if source in candidates.sources:
                given = candidates.sources.index(source)
                ranks[:, column] = candidates.ranks[:, given]
                scores[:, column] = candidates.scores[:, given]
        return ranks, scores


def agreement(ranks: np.ndarray) -> Sequence[np.ndarray]:
    """What is known of candidates from all sources together.

    Parameters
    ----------
    ranks : int array, shape (n_candidates, n_sources)
        Place in each source's list, from 1; 0 where it is not in it.

    Returns
    -------
    three float arrays, shape (n_candidates,)
        `AGREEMENT`'s features, in this order.
    """
    placed = ranks > 0
    return [
        placed.sum(axis=1),
        np.fmin.reduce(_logs(ranks), axis=1, initial=np.nan),
        np.where(placed, 1 / (CONSTANT + ranks), 0).sum(axis=1),
    ]


def _logs(ranks: np.ndarray) -> np.ndarray:
    """log2 of the places, NaN where there is none."""
    return np.log2(ranks, out=np.full(ranks.shape, np.nan), where=ranks > 0)


def _features_of(source: str, name: str) -> tuple[Feature, ...]:
    return (
        Feature(f"{source}.rank", f"its place in the list of “{name}”", "log2 of place, 0 to 10"),
        Feature(
            f"{source}.share", f"its score by “{name}”, against the best candidate's", "-1 to 1"
        ),
        Feature(
            f"{source}.z",
            f"how far “{name}” scores it above the other candidates",
            "standard deviations, about -5 to 30",
        ),
    )


def _shares(batch: Batch, scores: np.ndarray) -> np.ndarray:
    """Scores over the query's best; NaN where that is not above 0."""
    best = batch.of_query(segment_max(scores, batch.candidates.indptr))
    shares = np.full(scores.shape, np.nan)
    np.divide(scores, best, out=shares, where=best > 0)
    return np.clip(shares, -1, 1)


def _deviations(batch: Batch, scores: np.ndarray) -> np.ndarray:
    """Scores less the query's mean, over their standard deviation; 0 where all are equal."""
    indptr = batch.candidates.indptr
    mean = segment_mean(scores, indptr)
    gaps = scores - batch.of_query(mean)
    spread = np.sqrt(segment_mean(gaps**2, indptr))
    varied = batch.of_query(spread > _LEAST_SPREAD * np.abs(mean))
    return np.divide(gaps, batch.of_query(spread), out=gaps * 0, where=varied)
