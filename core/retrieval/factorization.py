"""Matrix factorisation of playlists by tracks, artists and title words."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.progress import Progress
from core.retrieval.base import Queries, RetrievalModel, placed, rows_at
from core.retrieval.columns import Columns

_BLOCK = 1 << 23
"""Floats of one array that are held at once in double precision (64 MB)."""
_SAMPLE = 200
"""Rows whose loss is reported while it is fitted."""


class Factorization(RetrievalModel):
    """Implicit-feedback alternating least squares, also over artists and title words.

    A playlist is a row over three groups of columns: its tracks with value 1, its artists with
    `artist_weight` times the square root of their number of tracks in it, and the words of its
    title with `title_weight`. A value times `alpha` is the confidence c that the cell is 1; all
    other cells are 0 with confidence 1. Factors x of rows and y of columns minimise
    Σ c (cell - x·y)² + `regularization` (Σ |x|² + Σ |y|²).

    A query is such a row, folded in exactly: x = A⁻¹ b with b = Σ c y and
    A = G + regularization I + Σ (c - 1) y yᵀ, where the sums run over the query's columns and
    G = Σ y yᵀ over all. So an artist places a query whose tracks no playlist holds, and a title
    places it alone. The score of a track is the product of x and the track's factors plus
    `artist_share` times its artist's, which says what few playlists cannot say of a rare track.
    """

    name = "als"
    label = "Matrix factorisation"
    source = "Y. Hu, Y. Koren, C. Volinsky, ICDM 2008, https://doi.org/10.1109/ICDM.2008.22"
    uses_titles = True
    uses_metadata = True

    @dataclass(frozen=True)
    class Params(RetrievalModel.Params):
        """Settings.

        Attributes
        ----------
        factors : int
            Length of a factor vector.
        alpha : float
            Confidence in a track that is there; in one that is not it is 1.
        regularization : float
            Above 0.
        iterations : int
            Rounds over rows and columns.
        artist_weight : float
            Value of an artist with one track; 0 leaves artists out.
        title_weight : float
            Value of a title word; 0 leaves titles out.
        artist_share : float
            How much of its artist's factors a recommended track adds to its own.
        """

        factors: int = 256
        alpha: float = 60.0
        regularization: float = 10.0
        iterations: int = 10
        artist_weight: float = 0.3
        title_weight: float = 0.5
        artist_share: float = 0.1

    params: Params

    def _fit(self, dataset: Dataset, seed: int, progress: Progress) -> None:
        rows = self._columns_of(dataset).rows_of(dataset.playlists)
        factors = self._factorise(rows, seed, progress)
        self._restore({"factors": factors, "gram": _gram(factors)}, dataset)

    def _factorise(self, rows: sparse.csr_array, seed: int, progress: Progress) -> np.ndarray:
        """Factors of the columns, float16, shape (n_columns, factors)."""
        from implicit.als import AlternatingLeastSquares
        from threadpoolctl import threadpool_limits

        def report(iteration: int, *_: float | None) -> None:
            progress.update("Factorising", (iteration + 1) / self.params.iterations)
            loss = sampled_loss(als.user_factors[sample], als.item_factors, confidence)
            progress.figure("Loss", iteration + 1, loss)

        sample = np.random.default_rng(seed).permutation(rows.shape[0])[:_SAMPLE]
        confidence = self.params.alpha * rows[sample]

        # The library has threads of its own, and each would start all of those of BLAS.
        with threadpool_limits(1, "blas"):
            als = AlternatingLeastSquares(
                factors=self.params.factors,
                regularization=self.params.regularization,
                alpha=self.params.alpha,
                iterations=self.params.iterations,
                random_state=seed,
                use_gpu=False,
            )
            als.fit(sparse.csr_matrix(rows), show_progress=False, callback=report)
        return als.item_factors.astype(np.float16)

    def _state(self) -> dict[str, np.ndarray]:
        return {"factors": self._factors, "gram": self._gram}

    def _restore(self, arrays: dict[str, np.ndarray], dataset: Dataset) -> None:
        self._factors, self._gram = arrays["factors"], arrays["gram"]
        self._columns = columns = self._columns_of(dataset)
        n_tracks, n_artists = len(columns.tracks), columns.artists_of.shape[1]
        artists = self._factors[n_tracks : n_tracks + n_artists].astype(np.float32)
        artists *= np.float32(self.params.artist_share)
        self._targets = columns.artists_of[columns.tracks] @ artists
        self._targets += self._factors[:n_tracks]

    def _columns_of(self, dataset: Dataset) -> Columns:
        return Columns(dataset, self.params.artist_weight, self.params.title_weight)

    def _scores(self, queries: Queries) -> np.ndarray:
        rows = self._columns.rows(queries)
        known = np.flatnonzero(np.diff(rows.indptr))
        scores = np.full((len(queries), self.n_tracks), -np.inf, np.float32)
        folded = self._fold_in(rows[known]).astype(np.float32)
        scores[np.ix_(known, self._columns.tracks)] = folded @ self._targets.T
        return scores

    def track_vectors(self) -> np.ndarray:
        """What the product with a query's factors scores, as `RetrievalModel.track_vectors`."""
        return placed(self._targets, self._columns.tracks, self.n_tracks)

    def vectors_of(self, tracks: np.ndarray) -> np.ndarray:
        """As `RetrievalModel.vectors_of`."""
        return rows_at(self._targets, self._columns.track_column[tracks])

    def _fold_in(self, rows: sparse.csr_array) -> np.ndarray:
        """Factors of rows that `Columns.rows` makes, float64, shape (len(rows), factors)."""
        folded = np.empty((rows.shape[0], self.params.factors))
        for block in self._blocks(np.diff(rows.indptr)):
            systems, sides = self._equations(rows[block])
            folded[block] = np.linalg.solve(systems, sides[:, :, None])[:, :, 0]
        return folded

    def _blocks(self, sizes: np.ndarray) -> Iterator[np.ndarray]:
        """Rows of about equal sizes, as many as may be padded to the longest of them."""
        width = self.params.factors
        order = np.argsort(-sizes, kind="stable")
        start = 0
        while start < len(order):
            floats = width * (width + int(sizes[order[start]]))
            step = max(1, _BLOCK // floats)
            yield order[start : start + step]
            start += step

    def _equations(self, rows: sparse.csr_array) -> tuple[np.ndarray, np.ndarray]:
        """A and b of each row, float64, shapes (n, factors, factors) and (n, factors)."""
        sizes = np.diff(rows.indptr)
        there = np.arange(sizes.max()) < sizes[:, None]
        columns = np.zeros(there.shape, np.int32)
        columns[there] = rows.indices
        confidence = np.zeros(there.shape)
        confidence[there] = self.params.alpha * rows.data
        factors = self._factors[columns].astype(np.float64)
        sides = (confidence[:, None, :] @ factors)[:, 0]
        weighted = factors * np.where(there, confidence - 1, 0)[:, :, None]
        systems = weighted.transpose(0, 2, 1) @ factors
        systems += self._gram + self.params.regularization * np.eye(self.params.factors)
        return systems, sides

    def seed_contributions(self, seeds: np.ndarray, ids: np.ndarray) -> np.ndarray:
        """Share of each seed in the scores of tracks.

        With the A of all seeds, x = A⁻¹ b is linear in b, to which a seed adds c y of its own
        column and an equal part of its artist's (section 5 of the paper).

        Parameters and returns as `RetrievalModel.seed_contributions`.
        """
        whole = self._columns.rows(Queries.single(seeds))
        each = self._columns.rows(Queries(list(seeds[:, None]), [None] * len(seeds)))
        sums = each.sum(axis=0)
        each.data *= whole.toarray()[0, each.indices] / sums[each.indices]
        sides = self.params.alpha * each[:, whole.indices] @ self._factors[whole.indices]
        systems, _ = self._equations(whole)
        parts = np.linalg.solve(systems[0], sides.T).T
        contributions = np.zeros((len(seeds), len(ids)), np.float32)
        columns = self._columns.track_column[ids]
        heard = columns >= 0
        contributions[:, heard] = parts @ self._targets[columns[heard]].T
        return contributions


def sampled_loss(
    row_factors: np.ndarray, column_factors: np.ndarray, confidence: sparse.csr_array
) -> float:
    """What the factorisation makes small, without the penalty: the mean over some rows.

    For a row, the sum over all columns of c (p - x·y)², where p is 1 and c is its confidence if
    the row holds the column, and p is 0 and c is 1 if not.

    Parameters
    ----------
    row_factors : float array, shape (n, factors)
    column_factors : float array, shape (n_columns, factors)
    confidence : sparse array, shape (n, n_columns)
    """
    rows = np.repeat(np.arange(len(row_factors)), np.diff(confidence.indptr))
    products = np.einsum("ij,ij->i", row_factors[rows], column_factors[confidence.indices])
    held = confidence.data * (1 - products) ** 2 - products**2
    everywhere = ((row_factors @ _gram(column_factors)) * row_factors).sum()
    return float(everywhere + held.sum()) / len(row_factors)


def _gram(factors: np.ndarray) -> np.ndarray:
    """Σ y yᵀ over rows of factors, float64, shape (factors, factors)."""
    n, width = factors.shape
    total = np.zeros((width, width))
    step = _BLOCK // width
    for start in range(0, n, step):
        block = factors[start : start + step].astype(np.float64)
        total += block.T @ block
    return total
