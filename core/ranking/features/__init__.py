"""What a ranker sees of a candidate: every feature with its meaning and unit."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from core.dataset.dataset import Dataset
from core.ranking.candidates import Candidates
from core.ranking.features.audio import Audio
from core.ranking.features.base import Batch, Feature, FirstStage, Group
from core.ranking.features.catalogue import Description, Popularity, Query
from core.ranking.features.cooccurrence import Cooccurrence
from core.ranking.features.embeddings import SPACES, Embedding
from core.ranking.features.kinship import Album, Artist
from core.ranking.features.sources import Sources
from core.ranking.features.titles import Title
from core.retrieval import MODELS
from core.retrieval.base import Queries, RetrievalModel

_CHUNK = 4_000_000
"""Numbers of one kind that are held at once (32 MB in double precision)."""


class Features:
    """The features of candidates, in one pass of array code.

    Parameters
    ----------
    dataset : Dataset
        The view that the first stage was fitted on; nothing else is known of any track.
    models : mapping of name to RetrievalModel
        The first stage.
    sources : sequence of str, optional
        Names of the models that decide which features there are; by default those of `models`.
        What a source says is unknown where `models`, or the candidates, lack it.

    Attributes
    ----------
    sources : tuple of str
    features : tuple of Feature
        One for each column of `values`; names are distinct.
    """

    def __init__(
        self,
        dataset: Dataset,
        models: Mapping[str, RetrievalModel],
        sources: Sequence[str] | None = None,
    ) -> None:
        self._stage = FirstStage(dataset, models)
        self.sources = tuple(models if sources is None else sources)
        # A query's tables of playlists twice, artists twice, and albums, of which there are fewer.
        self._tables = 2 * dataset.n_playlists + 3 * self._stage.n_artists
        self._groups = _groups(self.sources)
        self.features = _all(self._groups)
        for group in self._groups:
            group.fit(self._stage)

    @property
    def names(self) -> list[str]:
        """Of the features."""
        return [feature.name for feature in self.features]

    def values(self, queries: Queries, candidates: Candidates) -> np.ndarray:
        """The features of every candidate.

        Parameters
        ----------
        queries : Queries
        candidates : Candidates
            Of these queries.

        Returns
        -------
        float32 array, shape (len(candidates), len(features))
            NaN where a feature is unknown. A row depends on its own query and on that query's
            candidates alone, not on their order.
        """
        values = np.empty((len(candidates), len(self.features)), np.float32)
        for part in self._parts(queries, candidates):
            rows = slice(candidates.indptr[part.start], candidates.indptr[part.stop])
            some = candidates.take(np.arange(part.start, part.stop))
            batch = Batch(self._stage, queries[part], some)
            columns = (column for group in self._groups for column in group.values(batch))
            for at, column in enumerate(columns):
                values[rows, at] = column
        return values

    def _parts(self, queries: Queries, candidates: Candidates) -> Iterator[slice]:
        """Runs of queries that are answered at once."""
        counts = np.diff(candidates.indptr)
        held = np.append(0, np.cumsum(self._stage.holders.looked[candidates.tracks]))
        sizes = np.diff(held[candidates.indptr]) + counts * (queries.lengths + len(self.features))
        sizes += self._tables
        start, room = 0, _CHUNK
        for row, size in enumerate(sizes.tolist()):
            if size > room and row > start:
                yield slice(start, row)
                start, room = row, _CHUNK
            room -= size
        if start < len(queries):
            yield slice(start, len(queries))


_ALL_SOURCES = tuple(name for name, model in MODELS.items() if model.retrieves)


def documented(sources: Sequence[str] = _ALL_SOURCES) -> tuple[Feature, ...]:
    """Every feature that these sources give, without any data: name, meaning and unit.

    By default of all models that propose tracks.
    """
    return _all(_groups(sources))


def _all(groups: Sequence[Group]) -> tuple[Feature, ...]:
    return tuple(feature for group in groups for feature in group.features)


def _groups(sources: Sequence[str]) -> list[Group]:
    spaces = [Embedding(source) for source in SPACES if source in sources]
    titles = [Title()] if Title.source in sources else []
    return [
        Sources(sources),
        Cooccurrence(),
        Popularity(),
        Artist(),
        Album(),
        Query(),
        Description(),
        *spaces,
        Audio(),
        *titles,
    ]
