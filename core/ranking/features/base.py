"""What a feature is, and what all groups of features may use of the first stage and of a batch."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.dataset.dataset import Dataset
from core.ranking.candidates import Candidates
from core.ranking.features.arrays import Pairs, indptr_of, segment_mean
from core.ranking.features.holders import Entries, Holders
from core.retrieval.base import Queries, RetrievalModel


@dataclass(frozen=True)
class Feature:
    """One number about a candidate of a query.

    Attributes
    ----------
    name : str
        Distinct in a table, such as "als.rank".
    meaning : str
        What it says, in words that a listener understands.
    unit : str
        Of its values, with their range.
    """

    name: str
    meaning: str
    unit: str


@dataclass(frozen=True)
class FirstStage:
    """All that a feature may know besides the query.

    Attributes
    ----------
    dataset : Dataset
        The view that the models were fitted on.
    models : mapping of name to RetrievalModel
    """

    dataset: Dataset
    models: Mapping[str, RetrievalModel]

    @cached_property
    def n_artists(self) -> int:
        return int(self.dataset.artist.max(initial=-1)) + 1

    @cached_property
    def holders(self) -> Holders:
        """The playlists that hold each track."""
        return Holders.of_tracks(self.dataset.playlists)


@dataclass(frozen=True)
class Batch:
    """Queries and their candidates, with what several groups derive from them.

    Attributes
    ----------
    stage : FirstStage
    queries : Queries
    candidates : Candidates
    """

    stage: FirstStage
    queries: Queries
    candidates: Candidates

    def __len__(self) -> int:
        return len(self.queries)

    @cached_property
    def seeds(self) -> tuple[np.ndarray, np.ndarray]:
        """Query and track of each seed, two int arrays."""
        return self.queries.flat()

    @cached_property
    def seed_indptr(self) -> np.ndarray:
        """Where the seeds of each query start and end in `seeds`."""
        return indptr_of(self.queries.lengths)

    @cached_property
    def seeded(self) -> np.ndarray:
        """Whether a candidate's query has a seed, bool, shape (n_candidates,)."""
        return self.of_query(self.queries.lengths > 0)

    @cached_property
    def n_seeds(self) -> np.ndarray:
        """Seeds of each candidate's query, at least 1, int64, shape (n_candidates,)."""
        return self.of_query(np.maximum(self.queries.lengths, 1))

    @cached_property
    def seed_artists(self) -> Pairs:
        """Distinct artists of the seeds of each query."""
        return self._artists(*self.seeds)

    @cached_property
    def artists(self) -> Pairs:
        """Distinct artists of the candidates of each query."""
        return self._artists(self.candidates.rows, self.candidates.tracks)

    def _artists(self, rows: np.ndarray, tracks: np.ndarray) -> Pairs:
        return Pairs(rows, self.stage.dataset.artist[tracks], len(self), self.stage.n_artists)

    @cached_property
    def held(self) -> Entries:
        """Playlists that hold the candidates."""
        return self.stage.holders.of(self.candidates.tracks)

    def seed_mean(self, values: np.ndarray) -> np.ndarray:
        """Mean of the seeds' values, (n_queries, …); NaN where none is known.

        Parameters
        ----------
        values : float array, shape (n_seeds, …)
            NaN where missing.
        """
        return segment_mean(values, self.seed_indptr)

    def of_query(self, values: np.ndarray) -> np.ndarray:
        """A value of each query, repeated for its candidates."""
        return values[self.candidates.rows]

    def gap(self, of_track: np.ndarray) -> np.ndarray:
        """What a value of each track is for the candidates, less its mean over the seeds."""
        mean = self.seed_mean(of_track[self.seeds[1]])
        return of_track[self.candidates.tracks] - self.of_query(mean)

    def unless_unseeded(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The same, NaN for the candidates of queries without seeds."""
        return [np.where(self.seeded, column, np.nan) for column in values]


class Group(ABC):
    """Features of one kind.

    Constructing a group says which features it has, without any data; `fit` gives it the data.
    """

    features: Sequence[Feature]

    def fit(self, stage: FirstStage) -> None:  # noqa: B027 - optional
        """Prepare what does not depend on the query; by default there is nothing."""

    @abstractmethod
    def values(self, batch: Batch) -> Sequence[np.ndarray]:
        """One float array of shape (n_candidates,) a feature; NaN where it is unknown."""
