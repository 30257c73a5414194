"""Tracks as points of a map: embedding vectors laid out in two dimensions.

Distances are cosine distances throughout, as in the models. A map is a drawing: what is near on it
need not be near in the model, `trustworthiness` says how often it is, and `true_neighbours` answers
in the model's own space.
"""

import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from core.errors import SegueError
from core.progress import SILENT, Progress

MOST = 100_000
"""Tracks on a map, at most, unless told otherwise: the most popular ones."""

LAID_OUT = 15_000
"""Of these, how many UMAP and t-SNE lay out themselves: some ten seconds of UMAP."""

MIN_POINTS = 10
NEIGHBOURS = 15
"""Neighbours that UMAP keeps together, its authors' default."""

AMONG = 5
"""Laid-out neighbours that place a track of the tail."""

JUDGED = 2_000
"""Tracks whose neighbours are looked at to judge a map, drawn at random where there are more."""

CHUNK_SIMILARITIES = 2_000_000
"""Similarities held at once (8 MB, and twice that to sort them); more are slower, not faster."""

_umap_lock = threading.Lock()


class Trust(NamedTuple):
    """How far a map can be trusted.

    Attributes
    ----------
    trustworthiness : float
        0 to 1: 1 if all neighbours on the map are neighbours in the model, 0.5 by chance.
    kept : float
        Share of the neighbours on the map that are among as many nearest in the model, 0 to 1.
    k : int
        Neighbours looked at.
    """

    trustworthiness: float
    kept: float
    k: int


def project(
    vectors: np.ndarray,
    method: str = "umap",
    *,
    tracks: int = MOST,
    laid_out: int = LAID_OUT,
    seed: int = 0,
    progress: Progress = SILENT,
) -> np.ndarray:
    """Coordinates of the most popular tracks on a map.

    The time of UMAP and t-SNE grows faster than the number of tracks. They lay out the most popular
    ones; each of the others is placed at the mean of its `AMONG` nearest laid-out tracks in the
    model, weighted by the square of the cosine. Principal components are exact for all.

    Parameters
    ----------
    vectors : float array [n_tracks, d]
        Tracks by falling popularity, as the ids of a dataset are. Only the first `tracks` are
        placed. A row of zeros or with a value that is not finite has no place.
    method : {"umap", "tsne", "pca"}
        UMAP (McInnes, Healy and Melville 2018), t-SNE (van der Maaten and Hinton 2008) or the
        first two principal components.
    tracks : int
    laid_out : int
        Tracks that the method lays out itself.
    seed : int
        Same vectors, method and seed: same map.
    progress : Progress

    Returns
    -------
    float32 array [min(n_tracks, tracks), 2]
        Centred, the longer extent along x, nearly all within -1 to 1; NaN without a place.

    Raises
    ------
    SegueError
        Unknown method, or fewer than `MIN_POINTS` tracks with a vector.
    """
    if method not in METHODS:
        known = ", ".join(METHODS)
        raise SegueError(f'There is no map method "{method}": choose one of {known}.')
    head = np.asarray(vectors[:tracks], np.float32)
    lengths = np.linalg.norm(head, axis=1)
    placed = np.isfinite(lengths) & (lengths > 0)
    if placed.sum() < MIN_POINTS:
        raise SegueError(
            f"A map needs at least {MIN_POINTS} tracks with a vector, and there are "
            f"{placed.sum()}: train on more playlists."
        )
    unit = head[placed] / lengths[placed, None]
    first = len(unit) if method == "pca" else laid_out
    points = _METHODS[method](unit[:first], seed, progress)
    if first < len(unit):
        points = np.concatenate([points, _among(unit[first:], unit[:first], points, progress)])
    coordinates = np.full((len(head), 2), np.nan, np.float32)
    coordinates[placed] = _framed(points)
    return coordinates


def trust(
    vectors: np.ndarray,
    coordinates: np.ndarray,
    *,
    k: int = NEIGHBOURS,
    judged: int = JUDGED,
    seed: int = 0,
) -> Trust:
    """How far neighbours on the map are neighbours in the model.

    Trustworthiness as Venna and Kaski (2001, https://doi.org/10.1007/3-540-44668-0_68) define it
    and scikit-learn computes it, among all placed tracks; scikit-learn needs memory for the square
    of their number. Where more are placed, it is the mean over `judged` of them, drawn at random.

    Parameters
    ----------
    vectors : float array [n_tracks, d]
    coordinates : float array [n, 2]
        Row i places track i; NaN rows are left out.
    k : int
        Neighbours looked at on the map; fewer where few are placed, for it must be less than half
        of them.
    judged : int
    seed : int
    """
    from scipy.spatial import cKDTree

    placed = np.flatnonzero(np.isfinite(coordinates).all(axis=1))
    n = len(placed)
    k = min(k, (n - 1) // 2)
    points = np.asarray(coordinates[placed], np.float64)
    unit = np.asarray(vectors[placed], np.float32)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    rows = np.arange(n)
    if n > judged:
        rows = np.sort(np.random.default_rng(seed).choice(n, judged, replace=False))
    nearest = cKDTree(points).query(points[rows], k + 1)[1]
    penalty = kept = 0
    chunk = max(1, CHUNK_SIMILARITIES // n)
    for start in range(0, len(rows), chunk):
        ranks = _ranks(unit, rows[start : start + chunk], nearest[start : start + chunk], k)
        penalty += int(np.maximum(ranks - k, 0).sum())
        kept += int((ranks <= k).sum())
    worst = len(rows) * k * (2 * n - 3 * k - 1) / 2
    return Trust(1 - penalty / worst, kept / (len(rows) * k), k)


def advice(trustworthiness: float) -> str:
    """What to read off a map of this trustworthiness, in a sentence."""
    if trustworthiness >= 0.95:
        return "regions and most neighbourhoods hold."
    if trustworthiness >= 0.85:
        return "regions hold, neighbourhoods only roughly."
    return "only broad directions hold; do not read neighbours off it."


def _ranks(unit: np.ndarray, rows: np.ndarray, nearest: np.ndarray, k: int) -> np.ndarray:
    """Ranks in the model, from 1, of each row's k nearest on the map, itself not counted.

    A track may not be the first of its own nearest: others can share its place.
    """
    others = nearest != rows[:, None]
    others[others.all(axis=1), -1] = False
    nearest = nearest[others].reshape(-1, k)
    cosines = unit[rows] @ unit.T
    cosines[np.arange(len(rows)), rows] = -np.inf
    theirs = np.take_along_axis(cosines, nearest, axis=1)
    return 1 + np.stack([(cosines > theirs[:, [i]]).sum(axis=1) for i in range(k)], axis=1)


def within(coordinates: np.ndarray, x: Sequence[float], y: Sequence[float]) -> np.ndarray:
    """Which points are inside a polygon, bool [n], by the parity of the edges to their right.

    Parameters
    ----------
    coordinates : float array [n, 2]
        NaN rows are outside.
    x, y : sequence of float
        Corners in order; the last is joined to the first.
    """
    inside = np.zeros(len(coordinates), bool)
    if not len(x):
        return inside
    px, py = np.asarray(coordinates).T
    near = np.flatnonzero((px >= min(x)) & (px <= max(x)) & (py >= min(y)) & (py <= max(y)))
    px, py = px[near].astype(float), py[near].astype(float)
    odd = np.zeros(len(near), bool)
    corners = list(zip(x, y, strict=True))
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
        if y0 != y1:
            crosses = (y0 <= py) != (y1 <= py)
            odd ^= crosses & (px < x0 + (py - y0) * (x1 - x0) / (y1 - y0))
    inside[near] = odd
    return inside


def simplified(x: Sequence[float], y: Sequence[float], most: int) -> np.ndarray:
    """A polygon of at most `most` corners that is nearly the same, float [n, 2].

    The corner that makes the smallest triangle with its neighbours goes first (Visvalingam and
    Whyatt 1993, https://doi.org/10.1179/000870493786962263).

    Parameters
    ----------
    x, y : sequence of float
        Corners in order; the last is joined to the first.
    most : int
        At least 3.
    """
    corners = np.array([x, y], float).T
    while len(corners) > most:
        (ax, ay), (bx, by) = (
            (np.roll(corners, 1, axis=0) - corners).T,
            (np.roll(corners, -1, axis=0) - corners).T,
        )
        corners = np.delete(corners, np.abs(ax * by - ay * bx).argmin(), axis=0)
    return corners


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
        ids, distances = exact_neighbours(unit, neighbours, progress)
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
METHODS = tuple(_METHODS)


def _among(
    tail: np.ndarray, head: np.ndarray, points: np.ndarray, progress: Progress
) -> np.ndarray:
    """Places of vectors of length 1 among those that have one: the mean of their nearest's."""
    places = np.empty((len(tail), 2), np.float32)
    k = min(AMONG, len(head))
    chunk = max(1, CHUNK_SIMILARITIES // len(head))
    for start in progress.track(range(0, len(tail), chunk), "Placing the long tail"):
        rows = slice(start, start + chunk)
        cosines = tail[rows] @ head.T
        nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        weights = np.take_along_axis(cosines, nearest, axis=1).clip(1e-6) ** 2
        weights /= weights.sum(axis=1, keepdims=True)
        places[rows] = np.einsum("nk,nkd->nd", weights, points[nearest])
    return places


def exact_neighbours(
    unit: np.ndarray, k: int, progress: Progress = SILENT
) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest rows of each row by cosine distance, itself first.

    Parameters
    ----------
    unit : float array [n, d]
        Rows of length 1.
    k : int
        At most n.
    progress : Progress

    Returns
    -------
    ids : int32 array [n, k]
    distances : float32 array [n, k]
        1 - cosine, 0 to 2, rising along a row.
    """
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
