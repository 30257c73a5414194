"""The one contract of candidate generation: fit, recommend in batches, save, load."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import load_arrays, read_json, save_arrays, write_json

CHUNK_SCORES = 16_000_000
"""Scores held at once: a batch is answered in chunks of this many floats (64 MB)."""

TINY = np.finfo(np.float32).tiny
"""What lengths are at least, where they divide."""
_PART = 32
"""Scores of which only the largest is looked at first when the best are searched."""


@dataclass(frozen=True)
class Queries:
    """Playlists to be continued.

    Attributes
    ----------
    seeds : sequence of int32 arrays
        Known tracks of each playlist in order, ids of the dataset; empty where there is none.
    titles : sequence of str or None
    """

    seeds: Sequence[np.ndarray]
    titles: Sequence[str | None]

    def __post_init__(self) -> None:
        if len(self.seeds) != len(self.titles):
            raise ValueError("a query has seeds and a title: both lists must be equally long")

    @classmethod
    def single(cls, seeds: Sequence[int] | np.ndarray, title: str | None = None) -> Self:
        """One query."""
        return cls([np.asarray(seeds, np.int32)], [title])

    def __len__(self) -> int:
        return len(self.seeds)

    def __getitem__(self, part: slice) -> Self:
        return type(self)(self.seeds[part], self.titles[part])

    def take(self, rows: np.ndarray) -> Self:
        """Some queries, in this order."""
        return type(self)([self.seeds[row] for row in rows], [self.titles[row] for row in rows])

    @property
    def lengths(self) -> np.ndarray:
        """Number of seeds of each query, int64."""
        return np.array([len(seeds) for seeds in self.seeds], np.int64)

    def flat(self) -> tuple[np.ndarray, np.ndarray]:
        """Every seed: its query's row and its track, two int arrays of equal length."""
        rows = np.repeat(np.arange(len(self)), self.lengths)
        tracks = np.concatenate([*self.seeds, np.empty(0, np.int32)]).astype(np.int32)
        return rows, tracks

    def matrix(self, n_tracks: int) -> sparse.csr_array:
        """Ones where a query holds a seed, float32, shape (len(self), n_tracks)."""
        rows, tracks = self.flat()
        ones = np.ones(len(tracks), np.float32)
        matrix = sparse.csr_array((ones, (rows, tracks)), shape=(len(self), n_tracks))
        matrix.data[:] = 1.0
        return matrix


@dataclass(frozen=True)
class Recommendations:
    """Ranked answers to a batch of queries.

    Attributes
    ----------
    ids : int32 array, shape (n_queries, k)
        Distinct tracks, best first, never a seed; -1 fills up where a model knows no more.
    scores : float32 array, shape (n_queries, k)
        Falling and finite; -inf where `ids` is -1. Only comparable within a row.
    """

    ids: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)


class RetrievalModel(ABC):
    """A candidate generator.

    A subclass names itself, holds its settings in a frozen dataclass `Params`, and implements
    `_scores` and `_restore`, and where it learns something `_fit` and `_state`. Batches are
    arrays: no loop over queries where the arithmetic allows.
    """

    name: ClassVar[str]
    """Identifier on the command line and in folders."""
    label: ClassVar[str]
    """Name that a person reads."""
    source: ClassVar[str]
    """The publication that defines it."""
    uses_titles: ClassVar[bool] = False
    uses_seeds: ClassVar[bool] = True
    uses_metadata: ClassVar[bool] = False
    """Whether a track that no playlist holds says something as a seed: its artist, its audio."""
    proposes_unheard: ClassVar[bool] = False
    """Whether tracks that no playlist holds may be proposed."""
    retrieves: ClassVar[bool] = True
    """Whether it generates candidates for the union and the fusion; False for a model that only
    re-orders another's."""
    trains_with: ClassVar[tuple[str, ...]] = ()
    """Packages of requirements-train.txt that its fit imports; answering needs none of them."""

    @dataclass(frozen=True)
    class Params:
        """No settings."""

    def __init__(self, params: Any = None) -> None:
        self.params = params if params is not None else self.Params()

    @classmethod
    def missing_packages(cls) -> list[str]:
        """Those of `trains_with` that this machine lacks."""
        return [package for package in cls.trains_with if find_spec(package) is None]

    @classmethod
    def require_packages(cls) -> None:
        """Make sure that the model can be fitted here.

        Raises
        ------
        SegueError
            If a package is missing; the sentence says how to get it.
        """
        if missing := cls.missing_packages():
            raise SegueError(
                f"{cls.label} is fitted with {' and '.join(missing)}, which this machine lacks: "
                "run `pip install -r requirements-train.txt`."
            )

    def fit(self, dataset: Dataset, seed: int = 0, progress: Progress = SILENT) -> Self:
        """Learn from the playlists of a dataset view.

        Parameters
        ----------
        dataset : Dataset
            Only `dataset.playlists` of the view is learnt from.
        seed : int
            Same seed, same data, one worker: same model.
        progress : Progress

        Returns
        -------
        Self

        Raises
        ------
        SegueError
            If a package of `trains_with` is not installed.
        """
        self.require_packages()
        self.n_tracks = dataset.n_tracks
        self._fit(dataset, seed, progress)
        return self

    def recommend(self, queries: Queries, k: int) -> Recommendations:
        """The k best tracks of each query, without its seeds.

        Parameters
        ----------
        queries : Queries
        k : int
            At least 1.

        Returns
        -------
        Recommendations
            Rows end with -1 where the model has nothing more to say.
        """
        step = max(1, CHUNK_SCORES // self.n_tracks)
        parts = [
            self._answer(queries[start : start + step], k) for start in range(0, len(queries), step)
        ]
        if not parts:
            return Recommendations(np.empty((0, k), np.int32), np.empty((0, k), np.float32))
        return Recommendations(
            np.concatenate([part.ids for part in parts]),
            np.concatenate([part.scores for part in parts]),
        )

    def _answer(self, queries: Queries, k: int) -> Recommendations:
        scores = self._scores(queries)
        if isinstance(scores, np.ndarray):
            scores[queries.flat()] = -np.inf
            return top_dense(scores, k)
        return top_sparse(scores, queries, k)

    def save(self, folder: Path) -> None:
        """Write settings as JSON and state as plain arrays."""
        save_arrays(folder, self._state())
        write_json(folder / "params.json", {"model": self.name, "params": asdict(self.params)})

    @classmethod
    def load(cls, folder: Path, dataset: Dataset) -> Self:
        """Read what `save` wrote; `dataset` is the one that the model was fitted on.

        Raises
        ------
        SegueError
            If the folder is damaged or holds another model.
        """
        stored = read_json(folder / "params.json")
        try:
            if stored["model"] != cls.name:
                raise SegueError(f"{folder} holds the model {stored['model']!r}, not {cls.name!r}.")
            model = cls(cls.Params(**stored["params"]))
            model.n_tracks = dataset.n_tracks
            model._restore(load_arrays(folder), dataset)
        except (KeyError, TypeError, ValueError) as error:
            raise SegueError(
                f"{folder} does not fit this version of Segue ({error!r}): train the model again."
            ) from error
        return model

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray | None:
        """Exact share of each seed in the scores of tracks, where the model is linear in them.

        Parameters
        ----------
        seeds : int32 array, shape (n_seeds,)
        ids : int32 array, shape (n,)

        Returns
        -------
        float32 array, shape (n_seeds, n), or None
            Columns sum to the scores that `recommend` gives for these seeds without a title;
            None where the model is not linear.
        """
        return None

    def track_vectors(self) -> np.ndarray | None:
        """Vectors whose directions say which tracks are alike; not to be changed.

        Returns
        -------
        float32 array, shape (n_tracks, d), or None
            Zeros where a track has none; None where the model has none at all.
        """
        return None

    def vectors_of(self, tracks: np.ndarray) -> np.ndarray | None:
        """Rows of `track_vectors` for these ids, without the others where that is cheaper."""
        vectors = self.track_vectors()
        return None if vectors is None else vectors[tracks]

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        """Learn; by default there is nothing to learn that the dataset does not hold."""
        self._restore({}, dataset)

    @abstractmethod
    def _scores(self, queries: Queries) -> np.ndarray | sparse.csr_array:
        """Score every track, shape (len(queries), n_tracks), float32; higher is better.

        Dense: -inf where the model has nothing to say. The array is the caller's to change.
        Sparse: stored entries are the candidates.
        """

    def _state(self) -> dict[str, np.ndarray]:
        """Arrays that with `params` and the dataset make the fitted model; by default none."""
        return {}

    @abstractmethod
    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        """Become the model whose `_state` was `arrays`, fitted on `dataset`."""


def top_dense(scores: np.ndarray, k: int) -> Recommendations:
    """Best k of each row of finite scores; see `falling` for ties.

    Parameters
    ----------
    scores : float32 array, shape (n_queries, n_tracks)
        -inf for what may not be answered.
    k : int
    """
    rows = []
    for values in scores:
        tracks = np.flatnonzero(values >= _reached(values, k))
        rows.append(_best(values[tracks], tracks, k))
    return _stack(rows, k)


def _reached(values: np.ndarray, k: int) -> np.float32:
    """A finite score that the k best reach, and not many others where there are many values.

    The k-th largest of the maxima of disjoint parts: k values at least are as large.
    """
    lowest = np.finfo(np.float32).min
    parts = len(values) // _PART
    if k >= parts:
        return lowest
    maxima = values[: parts * _PART].reshape(_PART, parts).max(axis=0)
    return max(np.partition(maxima, parts - k)[parts - k], lowest)


def top_sparse(scores: sparse.csr_array, queries: Queries, k: int) -> Recommendations:
    """Best k stored entries of each row that are no seeds; see `falling` for ties."""
    rows = []
    for row, seeds in enumerate(queries.seeds):
        part = slice(scores.indptr[row], scores.indptr[row + 1])
        tracks, values = scores.indices[part], scores.data[part]
        free = ~np.isin(tracks, seeds)
        rows.append(_best(values[free], tracks[free], k))
    return _stack(rows, k)


def falling(scores: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Positions from the highest score to the lowest.

    Equal scores follow in a fixed scrambled order of ids: ids fall with the popularity in the
    whole dataset, so their own order would tell a held-out evaluation what it hides.
    """
    return np.lexsort((scrambled(tracks), -scores))


def scrambled(tracks: np.ndarray) -> np.ndarray:
    """A fixed pseudo-random key of each id (Knuth's multiplicative hash), distinct by id."""
    return tracks.astype(np.uint32) * np.uint32(2654435761)


def _best(values: np.ndarray, tracks: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k best of some tracks, and their scores."""
    if k < len(values):
        bound = np.partition(values, len(values) - k)[len(values) - k]
        near = np.flatnonzero(values >= bound)
        values, tracks = values[near], tracks[near]
    top = falling(values, tracks)[:k]
    return tracks[top], values[top]


def _stack(rows: list[tuple[np.ndarray, np.ndarray]], k: int) -> Recommendations:
    ids = np.full((len(rows), k), -1, np.int32)
    scores = np.full((len(rows), k), -np.inf, np.float32)
    for row, (tracks, values) in enumerate(rows):
        ids[row, : len(tracks)] = tracks
        scores[row, : len(tracks)] = values
    return Recommendations(ids, scores)


Directions = Callable[[np.ndarray], np.ndarray]
"""What says which tracks are alike: ids to float32 unit rows, (n, d); zeros where unknown."""


def unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), TINY)


def rows_at(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Rows of an array by number, float32; zeros for -1."""
    found = vectors[rows].astype(np.float32)
    found[rows < 0] = 0
    return found


def placed(vectors: np.ndarray, tracks: np.ndarray, n_tracks: int) -> np.ndarray:
    """Vectors of some tracks as those of all, float32, shape (n_tracks, d); zeros elsewhere."""
    dense = np.zeros((n_tracks, vectors.shape[1]), np.float32)
    dense[tracks] = vectors
    return dense
