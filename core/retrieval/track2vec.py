"""track2vec: word2vec, with playlists for sentences and tracks for words."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset, Playlists
from core.progress import Progress
from core.retrieval.base import TINY, Queries, RetrievalModel, placed, unit

if TYPE_CHECKING:
    from gensim.models import Word2Vec

_LONGEST = 10_000
"""Words of a sentence; gensim drops what comes after."""
_WATCHED, _CONTEXT = 200, 5
"""Playlists by which the training is watched, and tracks that their next one follows."""


class Track2Vec(RetrievalModel):
    """Tracks that occur around the seeds in playlists, by skip-gram with negative sampling.

    A track has two vectors: its input vector for the middle of a window, its output vector for
    what is around.

    - Score "product" of a seed and a track is the input vector of one times the output vector of
      the other, averaged over both directions, plus `bias` times the logarithm of the track's
      count. The training makes this product large where one occurs around the other
      (E. Nalisnick et al., WWW 2016, https://doi.org/10.1145/2872518.2889361); a window looks
      both ways, so the two directions are two estimates of the same.
    - Score "cosine" is that of the input vectors.

    Several seeds are put together in one of two ways.

    - Retrieval "centroid" is the mean of their scores: one query, the mean of their vectors. With
      the cosine it is gensim's `most_similar`.
    - Retrieval "per_seed" lets each seed speak for itself: its scores z of all tracks are
      standardised to mean 0 and deviation 1, and merged by the mean of exp(z / 2), which lies
      between the mean and the maximum. Candidates are the 5,000 tracks that the centroid finds.

    Both divide into the seeds' parts exactly. A track that fewer than `min_count` playlists hold
    has no vectors: it is never proposed, and no help as a seed.
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
            Length of a vector.
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
            Times that every playlist is read.
        alpha : float
            First learning rate; it falls to near 0.
        min_count : int
            Playlists that a track needs for its vectors.
        workers : int
            Threads; the same seed gives the same vectors only with 1.
        score : "product" or "cosine"
            Input times output vectors, or the cosine of input vectors.
        bias : float
            Weight of the logarithm of a track's count in the product.
        retrieval : "centroid" or "per_seed"
            One query for the mean of the seeds, or one for each seed, merged.
        """

        vector_size: int = 64
        window: int = 50
        sg: bool = True
        negative: int = 5
        ns_exponent: float = 0.75
        sample: float = 0.0
        epochs: int = 20
        alpha: float = 0.1
        min_count: int = 1
        workers: int = 1
        score: Literal["product", "cosine"] = "product"
        bias: float = 0.5
        retrieval: Literal["centroid", "per_seed"] = "per_seed"

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
                progress.figure("Hit ratio@10 of next tracks learnt from", self.epochs, hits(model))

        hits = _NextTracks(playlists, seed).hit_ratio

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
        vectors, bias = self._inputs.astype(np.float32), np.float32(0)
        if self.params.score == "cosine":
            vectors = unit(vectors)
        else:
            vectors = np.hstack([vectors, self._outputs], dtype=np.float32)
            bias = np.float32(self.params.bias)
        logarithms = np.log(dataset.counts[self._tracks], dtype=np.float32)
        self._targets = np.column_stack([vectors, bias * logarithms])

    def _scores(self, queries: Queries) -> np.ndarray | sparse.csr_array:
        seeds = queries.matrix(self.n_tracks)[:, self._tracks]
        known = np.flatnonzero(np.diff(seeds.indptr))
        nearest = self._centroid(seeds[known])
        if self.params.retrieval == "per_seed" and len(known):
            return self._per_seed(seeds, known, nearest)
        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        scores[np.ix_(known, self._tracks)] = nearest
        return scores

    def _centroid(self, seeds: sparse.csr_array) -> np.ndarray:
        """Scores of the tracks with vectors, for rows with at least one of them."""
        sums = seeds @ self._targets
        means = sums / self._scale(sums, np.diff(seeds.indptr))
        return self._sources(means) @ self._targets.T

    def _scale(self, sums: np.ndarray, n_seeds: np.ndarray) -> np.ndarray:
        """What sums of seeds' targets are divided by, shape (len(sums), 1)."""
        if self.params.score == "cosine":
            return np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), TINY)
        return n_seeds[:, None].astype(np.float32)

    def _sources(self, targets: np.ndarray) -> np.ndarray:
        """What other targets are multiplied with, of seeds with these targets or of their mean.

        For the product outputs meet inputs; the last column meets the bias.
        """
        sources = np.ones_like(targets)
        sources[:, :-1] = targets[:, :-1]
        if self.params.score == "product":
            sources[:, :-1] = np.roll(targets[:, :-1], self._inputs.shape[1], axis=1) / 2
        return sources

    def _per_seed(
        self, seeds: sparse.csr_array, known: np.ndarray, nearest: np.ndarray
    ) -> sparse.csr_array:
        """Merged answers of each row's seeds, for the candidates that its centroid finds."""
        kept = min(_CANDIDATES, len(self._tracks))
        candidates = np.argpartition(nearest, -kept)[:, -kept:]
        merged = [
            self._alone(seeds.indices[seeds.indptr[row] : seeds.indptr[row + 1]], tracks).mean(0)
            for row, tracks in zip(known, candidates, strict=True)
        ]
        indptr = np.append(0, np.cumsum(kept * (np.diff(seeds.indptr) > 0)))
        ids = self._tracks[candidates.ravel()]
        shape = (seeds.shape[0], self.n_tracks)
        return sparse.csr_array((np.concatenate(merged), ids, indptr), shape)

    def _alone(self, seeds: np.ndarray, tracks: np.ndarray) -> np.ndarray:
        """What each seed alone gives each track, exp(z / 2); both are rows of vectors."""
        mean, square = self._moments
        sources = self._sources(self._targets[seeds])
        power = np.einsum("sd,de,se->s", sources, square, sources, optimize=True)
        variance = power - (sources @ mean) ** 2
        # Scores that are all alike have a variance of rounding errors, which must not blow up.
        deviation = np.sqrt(np.maximum(variance, 1e-6 * power + TINY))
        sources *= (_SHARPNESS / deviation)[:, None]
        return np.exp(sources @ (self._targets[tracks] - mean).T)

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean of the targets, and of their products with one another, (D,) and (D, D)."""
        return self._targets.mean(axis=0), self._targets.T @ self._targets / len(self._targets)

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks, as `RetrievalModel.seed_contributions`.

        0 for seeds and tracks without vectors; a centroid's bias is divided evenly.
        """
        known, there = self._row[seeds] >= 0, self._row[ids] >= 0
        contributions = np.zeros((len(seeds), len(ids)), np.float32)
        if known.any():
            sources, targets = self._row[seeds[known]], self._row[ids[there]]
            if self.params.retrieval == "per_seed":
                shares = self._alone(sources, targets) / len(sources)
            else:
                vectors = self._targets[sources]
                scale = self._scale(vectors.sum(axis=0, keepdims=True), known.sum()[None])
                shares = self._sources(vectors) / scale @ self._targets[targets].T
            contributions[np.ix_(known, there)] = shares
        return contributions

    def track_vectors(self) -> np.ndarray:
        """Input vectors, as `RetrievalModel.track_vectors`."""
        return self.vectors

    @cached_property
    def vectors(self) -> np.ndarray:
        """Input vectors, float32, shape (n_tracks, vector_size); zeros for tracks without."""
        return placed(self._inputs, self._tracks, self.n_tracks)

    @cached_property
    def output_vectors(self) -> np.ndarray:
        """Output vectors, as `vectors`."""
        return placed(self._outputs, self._tracks, self.n_tracks)


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
    retrieval="centroid",
)
"""gensim's own settings, as a known tutorial has them: what tuning is measured against."""


_SHARPNESS = 0.5
"""How far merged answers go from the seeds' mean towards their maximum."""

_CANDIDATES = 5_000
"""Tracks of the centroid that seeds score one by one: five times the longest list."""


class _NextTracks:
    """What tells whether the training takes: for some playlists, tracks and the one that follows.

    The playlists are learnt from, so this is no measure of quality.
    """

    def __init__(self, playlists: Playlists, seed: int) -> None:
        random = np.random.default_rng(seed)
        long = random.permutation(np.flatnonzero(playlists.lengths > 1))[:_WATCHED]
        self._parts = []
        for row in long:
            tracks = playlists[row]
            cut = random.integers(1, len(tracks))
            self._parts.append((tracks[max(0, cut - _CONTEXT) : cut].tolist(), int(tracks[cut])))

    def hit_ratio(self, model: "Word2Vec") -> float:
        """How often the next track is among the 10 with the largest product, 0 to 1."""
        row = model.wv.key_to_index
        known = [([row[t] for t in seeds if t in row], row.get(t)) for seeds, t in self._parts]
        known = [(seeds, target) for seeds, target in known if seeds and target is not None]
        hits = 0
        for seeds, target in known:
            products = model.syn1neg @ model.wv.vectors[seeds].mean(axis=0)
            products[seeds] = -np.inf
            hits += int((products > products[target]).sum() < 10)
        return hits / max(len(known), 1)


class _Sentences:
    """Playlists as gensim reads them, again for every epoch."""

    def __init__(self, playlists: Playlists) -> None:
        self._playlists = playlists

    def __iter__(self) -> Iterator[list[int]]:
        for row in range(len(self._playlists)):
            tracks = self._playlists[row].tolist()
            for start in range(0, len(tracks), _LONGEST):
                yield tracks[start : start + _LONGEST]
