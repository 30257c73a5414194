"""Playlist neighbours: playlists like this one, by tracks or by artists, vote for their tracks."""

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset, Playlists
from core.retrieval.base import Queries, RetrievalModel

_REACHES = (5, 20, 80, 320)
"""How far apart two tracks of a playlist may be to count as near, in tracks; all count equally."""

_BLOCK = 32
"""Queries whose neighbours' entries are held at once, which bounds memory."""


class Neighbours(RetrievalModel):
    """The nearest playlists vote for their tracks, above all for those near what they share.

    A playlist is a vector over keys: its tracks, or their artists. The k playlists with the most
    similar vectors vote with their similarity raised to a power, as shares of 1. A playlist gives
    its vote to each of its tracks, but a part of it, `nearness`, only as far as the shared keys are
    near: by the mean over several reaches of the share of the shared weight within reach. Nothing
    is stored that the dataset does not hold.
    """

    params: Any

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._held = incidence(dataset.playlists)

    @abstractmethod
    def _keys(self, tracks: np.ndarray) -> np.ndarray:
        """The key of each track, int32."""

    @abstractmethod
    def _vectors(self, queries: Queries) -> sparse.csr_array:
        """Queries over keys, rows of length 1 or empty, float32."""

    @abstractmethod
    def _similarity(self, vectors: sparse.csr_array) -> sparse.csr_array:
        """Similarity of vectors to the playlists that share a key, (rows, n_playlists)."""

    @abstractmethod
    def _shared(self, vectors: sparse.csr_array) -> sparse.csr_array:
        """Weight of a playlist's entries by the vectors' keys, (rows, n_playlists)."""

    def _scores(self, queries: Queries) -> sparse.csr_array:
        vectors = self._vectors(queries)
        return self._spread(self._votes(self._similarity(vectors)), vectors)

    def _votes(self, similarity: sparse.csr_array) -> sparse.csr_array:
        nearest = keep_nearest(similarity, self.params.neighbours)
        return as_shares(nearest, self.params.vote_power)

    def _spread(self, votes: sparse.csr_array, vectors: sparse.csr_array) -> sparse.csr_array:
        """Scores of tracks by the votes of playlists, (rows, n_tracks)."""
        part = self.params.nearness
        everywhere = votes * (1 - part) @ self._held
        return everywhere + self._near(self._rates(votes, vectors), vectors)

    def _rates(self, votes: sparse.csr_array, vectors: sparse.csr_array) -> sparse.csr_array:
        """The part of a vote that is for near tracks, by weight that is near."""
        inverse = self._shared(vectors)
        inverse.data = self.params.nearness / inverse.data
        return sparse.csr_array(votes.multiply(inverse))

    def _near(self, rates: sparse.csr_array, vectors: sparse.csr_array) -> sparse.csr_array:
        """Each entry's rate times the weight of the vector that is near it, summed by track."""
        blocks = [
            self._near_block(rates[start : start + _BLOCK], vectors[start : start + _BLOCK])
            for start in range(0, max(1, vectors.shape[0]), _BLOCK)
        ]
        return sparse.csr_array(sparse.vstack(blocks, format="csr"))

    def _near_block(self, rates: sparse.csr_array, vectors: sparse.csr_array) -> sparse.csr_array:
        weights = np.zeros(vectors.shape[1], np.float32)
        tracks, values, sizes = [np.empty(0, np.int32)], [np.empty(0, np.float32)], [0]
        for vector, (playlists, rate) in zip(_rows(vectors), _rows(rates), strict=True):
            entries, ends, lengths = self._entries(playlists)
            held = self._held.indices[entries]
            keys, weight = vector
            weights[keys] = weight
            near = _weight_near(weights[self._keys(held)], ends, lengths)
            weights[keys] = 0
            reached = near > 0
            tracks.append(held[reached])
            values.append(near[reached] * np.repeat(rate, lengths)[reached])
            sizes.append(len(tracks[-1]))
        return _sums(np.concatenate(tracks), np.concatenate(values), sizes, self.n_tracks)

    def _entries(self, playlists: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All entries of some playlists: where they are, where each playlist's end, its length."""
        starts = self._held.indptr[playlists]
        lengths = self._held.indptr[playlists + 1] - starts
        ends = np.cumsum(lengths)
        entries = np.arange(lengths.sum()) + np.repeat(starts - (ends - lengths), lengths)
        return entries, ends, lengths

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks.

        Votes are not linear in the seeds, but the similarity that a vote comes from is: the vote
        is divided among the seeds in proportion to their parts in it. What is near a track is
        divided as it is. Seeds of one key share its part equally.

        Parameters and returns as `RetrievalModel.seed_contributions`.
        """
        whole = self._vectors(Queries.single(seeds))
        parts = self._parts(seeds, whole)
        return self._divided(self._similarity(whole), self._similarity(parts), whole, parts)[
            :, ids
        ].toarray()

    def _parts(self, seeds: np.ndarray, whole: sparse.csr_array) -> sparse.csr_array:
        """What each seed adds to the vector of all, (n_seeds, number of keys)."""
        keys = self._keys(seeds)
        _, at, times = np.unique(keys, return_inverse=True, return_counts=True)
        values = whole.toarray()[0, keys] / times[at]
        return sparse.csr_array(
            (values, keys, np.arange(len(keys) + 1)), (len(keys), whole.shape[1])
        )

    def _divided(
        self,
        similarity: sparse.csr_array,
        similarities: sparse.csr_array,
        whole: sparse.csr_array,
        parts: sparse.csr_array,
    ) -> sparse.csr_array:
        """Each seed's share of the scores, (n_seeds, n_tracks).

        Parameters
        ----------
        similarity, similarities : csr_array, shapes (1, n_playlists), (n_seeds, n_playlists)
            Of the query to playlists, and its seeds' parts in it.
        whole, parts : csr_array, shapes (1, number of keys), (n_seeds, number of keys)
            The query's vector and its seeds' parts in it.
        """
        votes = self._votes(similarity)
        rates = self._rates(votes, whole).toarray()[0]
        shared = self._shared(parts)
        shared.data = rates[shared.indices]
        shared.eliminate_zeros()
        similarities.data *= votes.toarray()[0, similarities.indices]
        similarities.data /= similarity.toarray()[0, similarities.indices]
        everywhere = similarities * (1 - self.params.nearness) @ self._held
        return everywhere + self._near(shared, parts)


class PlaylistKNN(Neighbours):
    """Playlists that share tracks with this one vote, see `Neighbours`.

    A seed that c playlists hold weighs 1 / ((c - 1)^p + 1), because rare tracks define a playlist
    better than common ones, times 1 / n^t where it is the n-th from the end, because the
    continuation follows the last. The similarity to a playlist is the weight of the shared tracks
    over the square root of its length.
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
        tail_power : float
            How much more the last seeds weigh, t; 0 for a set of seeds without order.
        vote_power : float
            How much more the vote of a nearer playlist counts.
        nearness : float
            Part of a vote that only tracks near the shared ones get, 0 to 1.
        """

        neighbours: int = 500
        popularity_power: float = 0.4
        tail_power: float = 0.25
        vote_power: float = 2.0
        nearness: float = 0.9

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        super()._restore(arrays, dataset)
        self._holders = self._held.T.tocsr()
        self._holders.data = self._held.data  # all ones: one array serves both
        heard = dataset.counts > 0
        self._weights = seed_weights(dataset.counts, self.params.popularity_power) * heard
        self._norms = np.sqrt(dataset.playlists.lengths, dtype=np.float32)

    def _keys(self, tracks: np.ndarray) -> np.ndarray:
        return tracks

    def _vectors(self, queries: Queries) -> sparse.csr_array:
        rows, tracks = queries.flat()
        weights = self._weights[tracks] * tail_weights(queries.lengths, self.params.tail_power)
        return unit_rows(summed(rows, tracks, weights, (len(queries), self.n_tracks)))

    def _shared(self, vectors: sparse.csr_array) -> sparse.csr_array:
        return vectors @ self._holders

    def _similarity(self, vectors: sparse.csr_array) -> sparse.csr_array:
        similarity = vectors @ self._holders
        similarity.data /= self._norms[similarity.indices]
        return similarity


class ArtistKNN(Neighbours):
    """Playlists of the same artists vote, see `Neighbours`: unheard seeds say something too.

    The similarity is the cosine of vectors over artists, where an artist weighs the square root of
    its number of tracks × (1 + log of the inverse share of playlists that hold it).
    """

    name = "artist_knn"
    label = "Artist neighbours"
    source = "G. Salton, C. Buckley, 1988, https://doi.org/10.1016/0306-4573(88)90021-0 (TF-IDF)"
    uses_metadata = True

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings, as those of `PlaylistKNN`.

        Attributes
        ----------
        neighbours : int
            Playlists that vote, k; more where several are equally near.
        vote_power : float
            How much more the vote of a nearer playlist counts.
        nearness : float
            Part of a vote that only tracks of artists near the shared ones get, 0 to 1.
        """

        neighbours: int = 500
        vote_power: float = 3.0
        nearness: float = 0.8

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        super()._restore(arrays, dataset)
        self._artist = dataset.artist
        counts = artist_counts(dataset)
        self._rarity = rarity(counts)
        self._entries_of = counts.T.tocsr()
        self._playlists = artist_vectors(counts, self._rarity).T.tocsr()

    def _keys(self, tracks: np.ndarray) -> np.ndarray:
        return self._artist[tracks]

    def _vectors(self, queries: Queries) -> sparse.csr_array:
        rows, tracks = queries.flat()
        shape = (len(queries), len(self._rarity))
        ones = np.ones(len(tracks), np.float32)
        return artist_vectors(summed(rows, self._keys(tracks), ones, shape), self._rarity)

    def _shared(self, vectors: sparse.csr_array) -> sparse.csr_array:
        return vectors @ self._entries_of

    def _similarity(self, vectors: sparse.csr_array) -> sparse.csr_array:
        return vectors @ self._playlists


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


def tail_weights(lengths: np.ndarray, power: float) -> np.ndarray:
    """Weight of each seed of queries by its place from the end, 1 / place^power, last 1.

    Parameters
    ----------
    lengths : int64 array, shape (n_queries,)
        Seeds of each query.
    power : float

    Returns
    -------
    float32 array, shape (lengths.sum(),)
    """
    places = np.repeat(np.cumsum(lengths), lengths) - np.arange(lengths.sum())
    return (1 / places**power).astype(np.float32)


def summed(
    rows: np.ndarray, columns: np.ndarray, values: np.ndarray, shape: tuple[int, int]
) -> sparse.csr_array:
    """Values at rows and columns, those of one place added up, float32."""
    return sparse.coo_array((values.astype(np.float32), (rows, columns)), shape).tocsr()


def unit_rows(matrix: sparse.csr_array) -> sparse.csr_array:
    """Rows scaled to length 1 where they are not zero."""
    lengths = np.sqrt((matrix**2).sum(axis=1))
    lengths[lengths == 0] = 1
    scaled = matrix.copy()
    scaled.data /= np.repeat(lengths, np.diff(matrix.indptr)).astype(np.float32)
    return scaled


def artist_counts(dataset: Dataset) -> sparse.csr_array:
    """Tracks of each artist in each playlist, float32, shape (n_playlists, n_artists)."""
    held = incidence(dataset.playlists)
    artists = dataset.artist[held.indices]
    shape = (held.shape[0], int(dataset.artist.max(initial=-1)) + 1)
    counts = sparse.csr_array((held.data, artists, held.indptr), shape, copy=True)
    counts.sum_duplicates()
    return counts


def rarity(counts: sparse.csr_array) -> np.ndarray:
    """1 + log of the inverse share of rows that hold each column, float32 (smoothed IDF)."""
    holders = np.bincount(counts.indices, minlength=counts.shape[1])
    return (np.log((1 + counts.shape[0]) / (1 + holders)) + 1).astype(np.float32)


def artist_vectors(counts: sparse.csr_array, weights: np.ndarray) -> sparse.csr_array:
    """Square roots of counts times weights of columns, in rows of length 1."""
    vectors = counts.copy()
    vectors.data = np.sqrt(vectors.data) * weights[vectors.indices]
    return unit_rows(vectors)


def _rows(matrix: sparse.csr_array) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Columns and values of each row."""
    for start, end in zip(matrix.indptr, matrix.indptr[1:], strict=False):
        yield matrix.indices[start:end], matrix.data[start:end]


def _weight_near(weights: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Weight within reach of each entry in its own playlist, mean over `_REACHES`, float32."""
    until = np.concatenate([[0.0], np.cumsum(weights, dtype=np.float64)])
    entry = np.arange(len(weights))
    first, last = np.repeat(ends - lengths, lengths), np.repeat(ends, lengths)
    near = np.zeros(len(weights))
    for reach in _REACHES:
        near += until[np.minimum(entry + reach + 1, last)]
        near -= until[np.maximum(entry - reach, first)]
    near /= len(_REACHES)
    near[near < 1e-9] = 0  # what differences of running sums leave
    return near.astype(np.float32)


def _sums(
    columns: np.ndarray, values: np.ndarray, sizes: list[int], width: int
) -> sparse.csr_array:
    """Rows of (column, value) pairs, those of one column added up, (len(sizes) - 1, width).

    A product with one-hot rows adds up without sorting.
    """
    count = len(columns)
    one_hot = sparse.csr_array((values, columns, np.arange(count + 1)), (count, width))
    ones = np.ones(count, np.float32)
    rows = sparse.csr_array((ones, np.arange(count), np.cumsum(sizes)), (len(sizes) - 1, count))
    return rows @ one_hot
