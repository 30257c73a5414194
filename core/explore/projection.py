"""Tracks as points of a map: embedding vectors laid out in two dimensions.

Distances are cosine distances throughout, as in the models. A map is a drawing: what is near on it
need not be near in the model, `trustworthiness` says how often it is, and `true_neighbours` answers
in the model's own space.
"""

import threading
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from core.errors import SegueError
from core.progress import SILENT, Progress

LIMIT = 12_000
"""Tracks on a map unless told otherwise: the most popular ones, some ten seconds of UMAP."""

MIN_POINTS = 10
NEIGHBOURS = 15
"""Neighbours that UMAP keeps together, its authors' default."""

CHUNK_SIMILARITIES = 16_000_000
"""Similarities held at once (64 MB)."""

_umap_lock = threading.Lock()


def project(
    vectors: np.ndarray,
    method: str = "umap",
    *,
    limit: int = LIMIT,
    seed: int = 0,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Coordinates of the most popular tracks on a map.

    Parameters
    ----------
    vectors : float array [n_tracks, d]
        Tracks by falling popularity, as the ids of a dataset are. Only the first `limit` are
        placed. A row of zeros or with a value that is not finite has no place.
    method : {"umap", "tsne", "pca"}
        UMAP (McInnes, Healy and Melville 2018), t-SNE (van der Maaten and Hinton 2008) or the
        first two principal components.
    seed : int
        Same vectors, method and seed: same map.
    progress : Progress

    Returns
    -------
    float32 array [min(n_tracks, limit), 2]
        Centred, the longer extent along x, nearly all within -1 to 1; NaN without a place.

    Raises
    ------
    SegueError
        Unknown method, or fewer than `MIN_POINTS` tracks with a vector.
    """
    if method not in _METHODS:
        known = ", ".join(_METHODS)
        raise SegueError(f'There is no map method "{method}": choose one of {known}.')
    head = np.asarray(vectors[:limit], np.float32)
    lengths = np.linalg.norm(head, axis=1)
    placed = np.isfinite(lengths) & (lengths > 0)
    if placed.sum() < MIN_POINTS:
        raise SegueError(
            f"A map needs at least {MIN_POINTS} tracks with a vector, and there are "
            f"{placed.sum()}: train on more playlists."
        )
    unit = head[placed] / lengths[placed, None]
    coordinates = np.full((len(head), 2), np.nan, np.float32)
    coordinates[placed] = _framed(_METHODS[method](unit, seed, progress))
    return coordinates


def trustworthiness(
    vectors: np.ndarray,
    coordinates: np.ndarray,
    *,
    k: int = NEIGHBOURS,
    sample: int = 2_000,
    seed: int = 0,
) -> float:
    """How far neighbours on the map are neighbours in the model: 0 to 1, 1 if all are.

    scikit-learn's measure (Venna and Kaski 2001) on a random sample of the placed tracks, with
    neighbours sought within the sample.

    Parameters
    ----------
    vectors : float array [n_tracks, d]
    coordinates : float array [n, 2]
        Row i places track i; NaN rows are left out.
    k : int
        Neighbours looked at on the map; fewer where the sample is small, for it must be less than
        half of it.
    """
    from sklearn import manifold

    placed = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    if len(placed) > sample:
        placed = np.sort(np.random.default_rng(seed).choice(placed, sample, replace=False))
    return float(
        manifold.trustworthiness(
            vectors[placed],
            coordinates[placed],
            n_neighbors=min(k, (len(placed) - 1) // 2),
            metric="cosine",
        )
    )


def true_neighbours(vectors: np.ndarray, track: int, k: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """The tracks nearest to one in the model's space.

    Parameters
    ----------
    vectors : float array [n_tracks, d]
    track : int
    k : int

    Returns
    -------
    ids : int32 array [at most k]
        By falling similarity, without the track itself and tracks without a vector.
    similarities : float32 array
        Cosines, -1 to 1.
    """
    lengths = np.linalg.norm(vectors, axis=1)
    products = np.asarray(vectors @ vectors[track], np.float32)
    cosines = np.full(len(vectors), -np.inf, np.float32)
    np.divide(products, lengths * lengths[track], out=cosines, where=lengths * lengths[track] > 0)
    cosines[track] = -np.inf
    k = min(k, int(np.isfinite(cosines).sum()))
    if not k:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    best = np.argpartition(-cosines, k - 1)[:k]
    best = best[np.lexsort((best, -cosines[best]))]
    return best.astype(np.int32), cosines[best]


def _pca(unit: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    from sklearn.decomposition import PCA

    progress.update("Finding principal components")
    return PCA(2, random_state=seed).fit_transform(unit)


def _tsne(unit: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    progress.update("Laying out the map")
    perplexity = min(30.0, (len(unit) - 1) / 3)
    # On vectors of length 1 Euclidean neighbours are cosine neighbours. Half of the default
    # iterations take half the time and are as trustworthy on playlists.
    tsne = TSNE(2, perplexity=perplexity, init="pca", max_iter=500, random_state=seed)
    # Threads wait for each other at every step: on a busy host two take several times longer.
    with threadpool_limits(1, "openmp"):
        return tsne.fit_transform(unit)


def _umap(unit: np.ndarray, seed: int, progress: Progress) -> np.ndarray:
    # Two fits at once can abort the process in numba's default threading layer.
    with _umap_lock:
        progress.update("Loading UMAP")
        import umap

        neighbours = min(NEIGHBOURS, len(unit) - 1)
        # With exact neighbours, umap need not compile its approximate search: 10 s, not 45.
        ids, distances = _neighbours(unit, neighbours, progress)
        progress.update("Laying out the map")
        with warnings.catch_warnings():
            # It says that new points cannot be added later.
            warnings.filterwarnings("ignore", message=".*NNDescent.*")
            return umap.UMAP(
                n_neighbors=neighbours,
                metric="cosine",
                init="pca",
                random_state=seed,
                n_jobs=1,
                precomputed_knn=(ids, distances, None),
            ).fit_transform(unit)


_METHODS: dict[str, Callable[[np.ndarray, int, Progress], Any]] = {
    "umap": _umap,
    "tsne": _tsne,
    "pca": _pca,
}


def _neighbours(unit: np.ndarray, k: int, progress: Progress) -> tuple[np.ndarray, np.ndarray]:
    """Exact cosine neighbours of vectors of length 1, each its own first one, [n, k] each."""
    n = len(unit)
    ids = np.empty((n, k), np.int32)
    distances = np.empty((n, k), np.float32)
    chunk = max(1, CHUNK_SIMILARITIES // n)
    for start in progress.track(range(0, n, chunk), "Finding neighbours"):
        rows = slice(start, start + chunk)
        away = 1 - unit[rows] @ unit.T
        away[np.arange(len(away)), np.arange(start, start + len(away))] = -1
        nearest = np.argpartition(away, k - 1, axis=1)[:, :k]
        away = np.take_along_axis(away, nearest, axis=1)
        order = np.argsort(away, axis=1, kind="stable")
        ids[rows] = np.take_along_axis(nearest, order, axis=1)
        distances[rows] = np.take_along_axis(away, order, axis=1).clip(0)
    return ids, distances


def _framed(points: np.ndarray) -> np.ndarray:
    """Turned so that the longer extent lies along x, centred, and scaled to -1 to 1.

    The turn makes the most of a wide page and means nothing else. A few stray points may lie
    outside: a frame around them would shrink all others.
    """
    points = points - points.mean(axis=0)
    axes = np.linalg.svd(points, full_matrices=False)[2]
    # The sign of an axis is arbitrary: fix it, or the map flips between library versions.
    axes *= np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])[:, None]
    points = points @ axes.T
    low, high = np.quantile(points, [0.005, 0.995], axis=0)
    half_extent = (high - low).max() / 2
    return (points - (low + high) / 2) / (half_extent if half_extent > 0 else 1.0)
