"""How unevenly popularity is spread: its curves, as points that a browser can take."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from core.dataset.dataset import Playlists

CURVE_POINTS = 1_000
"""Points of a curve that go to the browser, at most."""

_ENTRIES_AT_ONCE = 2_000_000


class Curve(NamedTuple):
    """Points of a line: two arrays of equal length, `x` rising."""

    x: np.ndarray
    y: np.ndarray


class Histogram(NamedTuple):
    """`counts[i]` values v with `edges[i] <= v < edges[i + 1]`; all int64."""

    edges: np.ndarray
    counts: np.ndarray


def artist_counts(playlists: Playlists, artist: np.ndarray, n_artists: int) -> np.ndarray:
    """Playlists that hold at least one track of each artist.

    Playlists are taken some at a time, so that the pairs of playlist and artist that are sorted
    never need more than a few megabytes.

    Parameters
    ----------
    playlists : Playlists
    artist : int array, shape (n_tracks,)
        Artist of each track; negative where unknown, which counts for none.
    n_artists : int

    Returns
    -------
    int64 array, shape (n_artists,)
    """
    indptr, counts = playlists.indptr, np.zeros(n_artists, np.int64)
    cuts = np.searchsorted(indptr, np.arange(0, indptr[-1], _ENTRIES_AT_ONCE))
    for start, stop in pairwise(np.unique([*cuts, len(playlists)])):
        rows = np.repeat(np.arange(stop - start), playlists.lengths[start:stop])
        held = artist[playlists.tracks[indptr[start] : indptr[stop]]]
        pairs = np.unique((rows * n_artists + held)[held >= 0])
        counts += np.bincount(pairs % n_artists, minlength=n_artists)
    return counts


def rank_frequency(counts: np.ndarray) -> Curve:
    """Counts by falling rank: x = rank from 1, y = count, thinned evenly in log rank."""
    ordered = np.sort(positive(counts))[::-1]
    picked = _thinned(len(ordered))
    return Curve(picked + 1, ordered[picked])


def ccdf(counts: np.ndarray) -> Curve:
    """Share of counts that are at least x: x = distinct counts, y from 1 down, thinned in log x."""
    values, multiplicities = np.unique(positive(counts), return_counts=True)
    at_least = np.cumsum(multiplicities[::-1])[::-1] / max(multiplicities.sum(), 1)
    picked = _thinned(len(values))
    return Curve(values[picked], at_least[picked])


def lorenz(counts: np.ndarray) -> Curve:
    """Share of all entries that the least popular share x hold, both from 0 to 1.

    (M. O. Lorenz, Publications of the American Statistical Association 9, 1905,
    https://doi.org/10.2307/2276207.) Thinned most where the curve is flat: dense towards the most
    popular. Twice the area between it and the diagonal is the Gini coefficient.

    Parameters
    ----------
    counts : int array
        Not negative; zeros take part. Without any entry the curve is the diagonal.
    """
    rising = np.concatenate([[0], np.cumsum(np.sort(counts).astype(np.int64))])
    n, total = len(rising) - 1, int(rising[-1])
    if not total:
        return Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]))
    picked = np.unique(np.r_[n - _thinned(n + 1), np.linspace(0, n, 200).round().astype(np.int64)])
    return Curve(picked / n, rising[picked] / total)


def top_share(counts: np.ndarray, share: float) -> float:
    """Share of all entries that the most popular `share` of owners, at least one, hold."""
    top = np.sort(counts)[::-1][: max(1, round(share * len(counts)))]
    return float(top.sum() / max(int(np.sum(counts)), 1))


def length_histogram(lengths: np.ndarray, ratio: float = 1.15) -> Histogram:
    """Playlists by length, in bins of whole numbers that widen by `ratio`.

    Bins of equal width would put most playlists into one of them: lengths span several powers of
    ten. Widths never shrink, so that no comb appears where a bin rounds to fewer whole numbers.
    """
    lengths = positive(lengths)
    if not len(lengths):
        return Histogram(np.array([1, 2]), np.zeros(1, np.int64))
    edges = [int(lengths.min())]
    while edges[-1] <= lengths.max():
        edges.append(edges[-1] + max(1, int(edges[-1] * (ratio - 1))))
    counts, _ = np.histogram(lengths, edges)
    return Histogram(np.array(edges), counts)


def positive(counts: np.ndarray) -> np.ndarray:
    """Those above 0, int64: what is held by nobody has no place on a log axis."""
    counts = np.asarray(counts)
    return counts[counts > 0].astype(np.int64)


def _thinned(n: int) -> np.ndarray:
    """At most `CURVE_POINTS` indices below n, first and last among them, evenly in log index."""
    if n <= CURVE_POINTS:
        return np.arange(n)
    return np.unique(np.geomspace(1, n, CURVE_POINTS).round().astype(np.int64)) - 1
