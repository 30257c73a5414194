"""track2vec: word2vec, with playlists for sentences and tracks for words."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from core.dataset.dataset import Dataset, Playlists
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel

if TYPE_CHECKING:
    from gensim.models import Word2Vec

_LONGEST = 10_000
"""Words of a sentence; gensim drops what comes after."""


class Track2Vec(RetrievalModel):
    """Tracks that occur around the seeds in playlists, by skip-gram with negative sampling.

    A track has two vectors: its input vector for the middle of a window, its output vector for
    what is around. A query is the mean of its seeds' input vectors.

    - Score "product" is the query times a track's output vector, plus `bias` times the logarithm
      of the track's count: the training makes this product large where the track occurs around
      the seeds (E. Nalisnick et al., WWW 2016, https://doi.org/10.1145/2872518.2889361).
    - Score "cosine" is the cosine with the track's own input vector, the seeds' scaled to length
      1 before their mean, as gensim's `most_similar` does it.

    Both are linear in the seeds. A track that fewer than `min_count` playlists hold has no
    vectors: it is never proposed, and no help as a seed.
    """

    name = "track2vec"
    label = "track2vec"
    source = (
        "T. Mikolov et al., NIPS 2013, https://arxiv.org/abs/1310.4546; for playlists "
        "H. Caselles-Dupré et al., RecSys 2018, https://arxiv.org/abs/1804.04212"
    )

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings; up to `workers` they are gensim's.

        Attributes
        ----------
        vector_size : int
        window : int
            Largest distance of two tracks that occur around each other.
        sg : bool
            Skip-gram; else CBOW.
        negative : int
            Random tracks that each true one is set against.
        ns_exponent : float
            Random tracks are drawn in proportion to count^ns_exponent.
        sample : float
            Share of all entries above which some of a track's are skipped; 0 skips none.
        epochs : int
        alpha : float
            First learning rate; it falls to near 0.
        min_count : int
            Playlists that a track needs for its vectors.
        workers : int
            Threads; the same seed gives the same vectors only with 1.
        score : "product" or "cosine"
        bias : float
            Weight of the logarithm of a track's count in the product.
        """

        vector_size: int = 64
        window: int = 50
        sg: bool = True
        negative: int = 5
        ns_exponent: float = 0.75
        sample: float = 0.0
        epochs: int = 30
        alpha: float = 0.1
        min_count: int = 1
        workers: int = 1
        score: Literal["product", "cosine"] = "product"
        bias: float = 0.5

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        tracks = np.flatnonzero(dataset.counts >= max(self.params.min_count, 1)).astype(np.int32)
        size = (len(tracks), self.params.vector_size)
        inputs = outputs = np.zeros(size, np.float16)
        if len(tracks):
            word2vec = self._train(dataset.playlists, seed, progress)
            order = np.argsort(word2vec.wv.index_to_key)
            inputs = word2vec.wv.vectors[order].astype(np.float16)
            outputs = word2vec.syn1neg[order].astype(np.float16)
        self._restore({"tracks": tracks, "inputs": inputs, "outputs": outputs}, dataset)

    def _train(self, playlists: Playlists, seed: int, progress: Progress) -> "Word2Vec":
        from gensim.models import Word2Vec
        from gensim.models.callbacks import CallbackAny2Vec

        class Report(CallbackAny2Vec):
            epochs = 0

            def on_epoch_end(self, model: Word2Vec) -> None:
                self.epochs += 1
                progress.update("Training vectors", self.epochs / model.epochs)

        return Word2Vec(
            _Sentences(playlists),
            vector_size=self.params.vector_size,
            window=self.params.window,
            sg=int(self.params.sg),
            negative=self.params.negative,
            ns_exponent=self.params.ns_exponent,
            sample=self.params.sample,
            epochs=self.params.epochs,
            alpha=self.params.alpha,
            min_count=max(self.params.min_count, 1),
            workers=self.params.workers,
            seed=seed,
            callbacks=[Report()],
        )

    def _state(self) -> dict[str, np.ndarray]:
        return {"tracks": self._tracks, "inputs": self._inputs, "outputs": self._outputs}

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._tracks = arrays["tracks"]
        self._inputs, self._outputs = arrays["inputs"], arrays["outputs"]
        self._row = np.full(self.n_tracks, -1, np.int32)
        self._row[self._tracks] = np.arange(len(self._tracks))
        if self.params.score == "cosine":
            self._sources = self._targets = _unit(self._inputs.astype(np.float32))
            self._bias = np.zeros(len(self._tracks), np.float32)
        else:
            self._sources = self._inputs.astype(np.float32)
            self._targets = self._outputs.astype(np.float32)
            self._bias = np.float32(self.params.bias) * np.log(
                dataset.counts[self._tracks], dtype=np.float32
            )

    def _scores(self, queries: Queries) -> np.ndarray:
        seeds = queries.matrix(self.n_tracks)[:, self._tracks]
        known = np.flatnonzero(np.diff(seeds.indptr))
        sums = seeds[known] @ self._sources
        scale = self._scale(sums, np.diff(seeds.indptr)[known])
        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        scores[np.ix_(known, self._tracks)] = (sums / scale) @ self._targets.T + self._bias
        return scores

    def _scale(self, sums: np.ndarray, n_seeds: np.ndarray) -> np.ndarray:
        """What sums of seeds' vectors are divided by, shape (len(sums), 1)."""
        if self.params.score == "cosine":
            return np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), _TINY)
        return n_seeds[:, None].astype(np.float32)

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks, as `RetrievalModel.seed_contributions`.

        0 for seeds and tracks without vectors; the bias is divided evenly among the seeds.
        """
        known, there = self._row[seeds] >= 0, self._row[ids] >= 0
        contributions = np.zeros((len(seeds), len(ids)), np.float32)
        if known.any():
            sources, targets = self._row[seeds[known]], self._row[ids[there]]
            vectors = self._sources[sources]
            scale = self._scale(vectors.sum(axis=0, keepdims=True), known.sum()[None])
            contributions[np.ix_(known, there)] = vectors / scale @ self._targets[
                targets
            ].T + self._bias[targets] / len(sources)
        return contributions

    @cached_property
    def vectors(self) -> np.ndarray:
        """Input vectors, float32, shape (n_tracks, vector_size); zeros for tracks without."""
        return self._dense(self._inputs)

    @cached_property
    def output_vectors(self) -> np.ndarray:
        """Output vectors, as `vectors`."""
        return self._dense(self._outputs)

    def _dense(self, rows: np.ndarray) -> np.ndarray:
        dense = np.zeros((self.n_tracks, rows.shape[1]), np.float32)
        dense[self._tracks] = rows
        return dense


DEFAULTS = Track2Vec.Params(
    vector_size=48,
    window=10,
    sg=False,
    negative=5,
    ns_exponent=0.75,
    sample=1e-3,
    epochs=5,
    alpha=0.025,
    min_count=5,
    score="cosine",
)
"""gensim's own settings, as a known tutorial has them: what tuning is measured against."""

_TINY = np.finfo(np.float32).tiny


class _Sentences:
    """Playlists as gensim reads them, again for every epoch."""

    def __init__(self, playlists: Playlists) -> None:
        self._playlists = playlists

    def __iter__(self) -> Iterator[list[int]]:
        for row in range(len(self._playlists)):
            tracks = self._playlists[row].tolist()
            for start in range(0, len(tracks), _LONGEST):
                yield tracks[start : start + _LONGEST]


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Rows scaled to length 1; zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _TINY)
