"""What the query's title says of a candidate."""

from collections.abc import Sequence

import numpy as np

from core.ranking.features.arrays import indptr_of, segment_max, segment_sum
from core.ranking.features.base import Batch, Feature, FirstStage, Group
from core.retrieval.titles import Titles

_SMALL = 1e-3
"""Added to shares before their ratio."""


class Title(Group):
    """How alike the titles of a candidate's playlists are to the query's.

    Similarity is that of the title model. All is unknown without the model, and for titles that
    resemble none.
    """

    source = "titles"

    features = (
        Feature("title.share", "share of its playlists with a title like yours", "0 to 1"),
        Feature(
            "title.sum",
            "how many playlists with a title like yours hold it",
            "log(1 + sum of similarities), from 0",
        ),
        Feature("title.best", "likeness of its playlist titled most like yours", "0 to 1"),
        Feature("title.query", "likeness of the title most like yours", "0 to 1"),
        Feature("title.lift", "how much commoner it is where titles are like yours", "log ratio"),
    )

    def fit(self, stage: FirstStage) -> None:
        model = stage.models.get(self.source)
        self._titles = model if isinstance(model, Titles) else None

    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        n = len(batch.candidates)
        if self._titles is None or not any(batch.queries.titles):
            return [np.full(n, np.nan)] * len(self.features)
        alike = self._titles.alike(batch.queries.titles)
        top = segment_max(alike.data, alike.indptr, 0.0)
        mean = segment_sum(alike.data, alike.indptr) / alike.shape[1]
        held = batch.held
        similarity = alike.toarray()[batch.candidates.rows[held.owners], held.playlists]
        indptr = indptr_of(np.bincount(held.owners, minlength=n))
        total = segment_sum(similarity, indptr)
        share = total / np.maximum(np.diff(indptr), 1)
        known = batch.of_query(top > 0)
        values = [
            share,
            np.log1p(total),
            segment_max(similarity, indptr, 0.0),
            batch.of_query(top),
            np.log((share + _SMALL) / batch.of_query(mean + _SMALL)),
        ]
        return [np.where(known, column, np.nan) for column in values]
