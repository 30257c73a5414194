"""Arithmetic over segments of arrays, and look-up of pairs."""

import numpy as np


class Pairs:
    """Distinct pairs of a query and a key, found by look-up in a dense table.

    Parameters
    ----------
    rows, keys : int arrays, shape (n,)
        The query and the key of each pair, with repetitions; keys from 0.
    n_rows, n_keys : int

    Attributes
    ----------
    rows, keys : int64 arrays
        Of the distinct pairs, by row.
    index : int32 array, shape (n,)
        The distinct pair that each given pair is.
    """

    def __init__(self, rows: np.ndarray, keys: np.ndarray, n_rows: int, n_keys: int) -> None:
        self._width = n_keys
        flat = rows * np.int64(n_keys) + keys
        self._table = np.full(n_rows * n_keys, -1, np.int32)
        self._table[flat] = 0
        distinct = np.flatnonzero(self._table >= 0)
        self._table[distinct] = np.arange(len(distinct))
        self.rows, self.keys = np.divmod(distinct, max(n_keys, 1))
        self.index = self._table[flat]

    def __len__(self) -> int:
        return len(self.rows)

    def find(self, rows: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """The distinct pair that each of these is, int32; -1 where it is none."""
        return self._table[rows * np.int64(self._width) + keys]


def indptr_of(lengths: np.ndarray) -> np.ndarray:
    """Where segments of these lengths start and end, int64, one longer."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def segment_sum(values: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Sum of each segment that `indptr` delimits, float64, shape (n_segments, …)."""
    sums = np.zeros((len(indptr) - 1, *values.shape[1:]))
    filled = np.flatnonzero(np.diff(indptr))
    if len(filled):
        sums[filled] = np.add.reduceat(values, indptr[filled], axis=0, dtype=np.float64)
    return sums


def segment_mean(values: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """Mean of the known values of each segment, as `segment_sum`; NaN where none is known."""
    known = ~np.isnan(values)
    sums = segment_sum(np.where(known, values, 0), indptr)
    counts = segment_sum(known, indptr)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)


def segment_max(values: np.ndarray, indptr: np.ndarray, empty: float = np.nan) -> np.ndarray:
    """Largest known value of each segment, as `segment_sum`; `empty` where there is no value."""
    largest = np.full((len(indptr) - 1, *values.shape[1:]), empty)
    filled = np.flatnonzero(np.diff(indptr))
    if len(filled):
        largest[filled] = np.fmax.reduceat(values, indptr[filled], axis=0)
    return largest
