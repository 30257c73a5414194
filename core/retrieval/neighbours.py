"""Neighbours: playlists like this one, and tracks that share playlists with its tracks."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset, Playlists
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel

_ROWS = 1 << 16
"""Tracks whose similar tracks are searched in one go, which bounds memory."""


class PlaylistKNN(RetrievalModel):
    """The nearest playlists vote for their tracks.

    A seed that c playlists hold weighs 1 / ((c - 1)^p + 1), because rare tracks define a playlist
    better than common ones. The similarity to a playlist is the weight of the shared tracks over
    the square root of its length. The k nearest playlists vote with their similarity raised to a
    power, and a track's score is its share of the votes, 0 to 1. Nothing is stored that the
    dataset does not hold.
    """

    name = "playlist_knn"
    label = "Playlist neighbours"
    source = "D. M. Kelen et al., RecSys Challenge 2018, https://doi.org/10.1145/3267471.3267477"

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        neighbours : int
            Playlists that vote, k; more where several are equally near.
        popularity_power : float
            How much less a popular seed weighs, p.
        vote_power : float
            How much more the vote of a nearer playlist counts.
        """

        neighbours: int = 1000
        popularity_power: float = 0.4
        vote_power: float = 2.0

    params: Params

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._held = incidence(dataset.playlists)
        self._holders = self._held.T.tocsr()
        self._holders.data = self._held.data  # all ones: one array serves both
        self._weights = seed_weights(dataset.counts, self.params.popularity_power)
        self._norms = np.sqrt(dataset.playlists.lengths, dtype=np.float32)

    def _scores(self, queries: Queries) -> sparse.csr_array:
        similarity = self._similarity(queries.matrix(self.n_tracks))
        return self._votes(similarity) @ self._held

    def _similarity(self, seeds: sparse.csr_array) -> sparse.csr_array:
        """Similarity of rows of seeds to the playlists that share one, (rows, n_playlists)."""
        seeds.data *= self._weights[seeds.indices]
        similarity = seeds @ self._holders
        similarity.data /= self._norms[similarity.indices]
        return similarity

    def _votes(self, similarity: sparse.csr_array) -> sparse.csr_array:
        nearest = keep_nearest(similarity, self.params.neighbours)
        return as_shares(nearest, self.params.vote_power)

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks.

        Votes are not linear in the seeds, but the similarity that a vote comes from is: the vote
        is divided among the seeds in proportion to their parts in it.

        Parameters and returns as `RetrievalModel.seed_contributions`.
        """
        each = Queries(list(seeds[:, None]), [None] * len(seeds))
        parts = self._similarity(each.matrix(self.n_tracks))
        whole = self._similarity(Queries.single(seeds).matrix(self.n_tracks))
        votes = self._votes(whole).toarray()[0]
        parts.data *= votes[parts.indices] / whole.toarray()[0, parts.indices]
        return (parts @ self._held)[:, ids].toarray()


class ItemKNN(RetrievalModel):
    """Tracks that share playlists with the seeds.

    The similarity of a seed s and a track j is the asymmetric cosine of the playlists that hold
    them, s · j / (|s|^(2 alpha) |j|^(2 - 2 alpha) + shrink), where an entry of a playlist weighs
    length^-q, because sharing a short playlist says more. Only the k most similar tracks of each
    track are kept, while multiplying. The score is the sum of the seeds' similarities, a seed
    that c playlists hold weighted 1 / ((c - 1)^p + 1) as in `PlaylistKNN`: linear in the seeds.
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
        """

        neighbours: int = 200
        alpha: float = 0.7
        shrink: float = 0.5
        length_power: float = 0.25
        popularity_power: float = 0.4

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        # Equally similar tracks are cut off at k in the order of their numbers. Ids must not be
        # these numbers: they fall with popularity in the whole dataset, and would tell a training
        # split what is held out.
        order = np.random.default_rng(seed).permutation(self.n_tracks).astype(np.int32)
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
        held = queries.matrix(self.n_tracks)
        seeds, columns = np.unique(held.indices, return_inverse=True)
        held = sparse.csr_array((held.data, columns, held.indptr), (len(queries), len(seeds)))
        return held @ self._weighted(seeds)

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
        return self._weighted(seeds)[:, ids].toarray()


def incidence(playlists: Playlists) -> sparse.csr_array:
    """Ones where a playlist holds a track, (n_playlists, n_tracks), without copying the ids."""
    ones = np.ones(len(playlists.tracks), np.float32)
    shape = (len(playlists), playlists.n_tracks)
    return sparse.csr_array((ones, playlists.tracks, playlists.indptr), shape)


def seed_weights(counts: np.ndarray, power: float) -> np.ndarray:
    """Weight of a seed by the number of playlists that hold it, 1 / ((count - 1)^power + 1).

    Returns
    -------
    float32 array like `counts`, from near 0 to 1
    """
    others = np.maximum(counts - 1, 0).astype(np.float32)
    return 1 / (others**power + 1)


def keep_nearest(similarity: sparse.csr_array, k: int, least: float = 0.0) -> sparse.csr_array:
    """The k largest stored values of each row that are at least `least`.

    All values that equal the k-th are kept, so that no order of columns decides.
    """
    sizes = np.diff(similarity.indptr)
    bounds = np.full(len(sizes), least, np.float32)
    for row in np.flatnonzero(sizes > k):
        values = similarity.data[similarity.indptr[row] : similarity.indptr[row + 1]]
        bounds[row] = max(least, np.partition(values, len(values) - k)[len(values) - k])
    kept = similarity.data >= np.repeat(bounds, sizes)
    indptr = np.concatenate([[0], np.cumsum(kept)])[similarity.indptr]
    return sparse.csr_array(
        (similarity.data[kept], similarity.indices[kept], indptr), similarity.shape
    )


def as_shares(similarity: sparse.csr_array, power: float) -> sparse.csr_array:
    """Stored values raised to a power and divided by the sum of their row."""
    votes = similarity.copy()
    votes.data **= power
    sums = votes.sum(axis=1)
    votes.data /= np.repeat(sums, np.diff(votes.indptr))
    return votes
