"""Track neighbours: tracks that share playlists with the seeds."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel
from core.retrieval.neighbours import incidence, seed_weights, summed, tail_weights

_ROWS = 1 << 16
"""Tracks whose similar tracks are searched in one go, which bounds memory."""


class ItemKNN(RetrievalModel):
    """Tracks that share playlists with the seeds.

    The similarity of a seed s and a track j is the asymmetric cosine of the playlists that hold
    them, s · j / (|s|^(2 alpha) |j|^(2 - 2 alpha) + shrink), where an entry of a playlist weighs
    length^-q, because sharing a short playlist says more. Only the k most similar tracks of each
    track are kept, while multiplying. The score is the sum of the seeds' similarities, a seed
    that c playlists hold and that is the n-th from the end weighted 1 / ((c - 1)^p + 1) × 1 / n^t
    as in `PlaylistKNN`: linear in the seeds.
    """

    name = "item_knn"
    label = "Item neighbours"
    source = "F. Aiolli, RecSys 2013, https://doi.org/10.1145/2507157.2507189"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        neighbours : int
            Similar tracks kept of each track, k.
        alpha : float
            Share of the normalisation that falls on the seed, 0 to 1; 0.5 is the cosine, more
            proposes more popular tracks.
        shrink : float
            Added to the denominator, against similarity that rests on little.
        length_power : float
            How much less an entry of a long playlist weighs, q.
        popularity_power : float
            How much less a popular seed weighs, p.
        tail_power : float
            How much more the last seeds weigh, t; 0 for a set of seeds without order.
        """

        neighbours: int = 200
        alpha: float = 0.7
        shrink: float = 0.5
        length_power: float = 0.25
        popularity_power: float = 0.4
        tail_power: float = 0.25

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        # Equally similar tracks are cut off at k in the order of their numbers. Ids must not be
        # these numbers: they fall with popularity in the whole dataset, and would tell a training
        # split what is held out.
        order = np.random.default_rng(seed).permutation(self.n_tracks).astype(np.int32)
        # The library fails where the last rows of a matrix are empty: unheard tracks come first.
        order = order[np.argsort(dataset.counts[order] > 0, kind="stable")]
        number = np.argsort(order).astype(np.int32)
        held = incidence(dataset.playlists)
        lengths = dataset.playlists.lengths
        weights = np.repeat(lengths.astype(np.float32) ** -self.params.length_power, lengths)
        holders = sparse.csc_matrix(
            (weights, number[held.indices], held.indptr), shape=held.shape[::-1]
        ).tocsr()
        id_type = np.uint16 if self.n_tracks <= 1 << 16 else np.int32
        sizes, similar, similarity = [np.zeros(1, np.int64)], [], []
        for start in progress.track(range(0, self.n_tracks, _ROWS), "Comparing tracks"):
            part = self._most_similar(holders, number[start : start + _ROWS])
            sizes.append(np.diff(part.indptr))
            similar.append(order[part.indices].astype(id_type))
            similarity.append(part.data.astype(np.float16))
        state = {
            "indptr": np.cumsum(np.concatenate(sizes)),
            "similar": np.concatenate(similar),
            "similarity": np.concatenate(similarity),
        }
        self._restore(state, dataset)

    def _most_similar(self, holders: sparse.csr_matrix, rows: np.ndarray) -> sparse.csr_matrix:
        """The k tracks most similar to each of some, without itself, (len(rows), n_tracks)."""
        from similaripy import asymmetric_cosine

        similarity = asymmetric_cosine(
            holders,
            alpha=self.params.alpha,
            shrink=self.params.shrink,
            k=self.params.neighbours + 1,
            target_rows=rows,
            verbose=False,
            format_output="csr",
        )[rows]
        itself = np.repeat(rows, np.diff(similarity.indptr)) == similarity.indices
        similarity.data[itself] = 0
        similarity.eliminate_zeros()
        return similarity

    def _state(self) -> dict[str, np.ndarray]:
        return {
            "indptr": self._indptr,
            "similar": self._similar,
            "similarity": self._similarity,
        }

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._indptr = arrays["indptr"]
        self._similar = arrays["similar"]
        self._similarity = arrays["similarity"]
        self._weights = seed_weights(dataset.counts, self.params.popularity_power)

    def _scores(self, queries: Queries) -> sparse.csr_array:
        rows, tracks = queries.flat()
        tail = tail_weights(queries.lengths, self.params.tail_power)
        seeds, columns = np.unique(tracks, return_inverse=True)
        return summed(rows, columns, tail, (len(queries), len(seeds))) @ self._weighted(seeds)

    def _weighted(self, seeds: np.ndarray) -> sparse.csr_array:
        """Weight of each seed times its similarities, float32, shape (len(seeds), n_tracks)."""
        starts = self._indptr[seeds]
        sizes = self._indptr[seeds + 1] - starts
        indptr = np.concatenate([[0], np.cumsum(sizes)])
        entries = np.arange(indptr[-1]) + np.repeat(starts - indptr[:-1], sizes)
        similarity = self._similarity[entries] * np.repeat(self._weights[seeds], sizes)
        similar = self._similar[entries].astype(np.int32)
        return sparse.csr_array((similarity, similar, indptr), (len(seeds), self.n_tracks))

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks, as `RetrievalModel.seed_contributions`."""
        tail = tail_weights(np.array([len(seeds)]), self.params.tail_power)
        return self._weighted(seeds)[:, ids].toarray() * tail[:, None]
