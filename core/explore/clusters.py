"""Regions of a map, each named by what concentrates there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from core.dataset.dataset import Dataset
from core.dataset.text import normalise

MOST = 24
POINTS_EACH = 60
"""Tracks that a cluster should have on average: a map of few tracks has few clusters."""

GENRES_KNOWN = 0.5
"""Share of tracks from which on genres, where they are known, name clusters."""

LETTERS = range(2, 25)
"""Length of a name."""

MIN_PLAYLISTS = 3
"""Playlists of a title that may name a cluster."""

DOUBT = 3.0
"""Occurrences, spread like everything, that are added to those of each name."""


@dataclass(frozen=True)
class Cluster:
    """A region of a map: the points nearer to its centre than to another's.

    Attributes
    ----------
    name : str
        No other cluster of the map has it.
    source : {"genre", "title", "artist", "number"}
        What the name is: a genre, a title of playlists, an artist, or nothing but a number.
    x, y : float
        The centre.
    """

    name: str
    source: str
    x: float
    y: float


class _Names(NamedTuple):
    """What may name clusters, and how much of each is in which: float [n_names, n_clusters]."""

    source: str
    names: Sequence[str]
    amounts: np.ndarray


def find_clusters(dataset: Dataset, coordinates: np.ndarray, seed: int = 0) -> list[Cluster]:
    """Divide a map by k-means and name its regions.

    Clusters are named by genre where that is known, otherwise by the titles of playlists that
    concentrate there, otherwise by an artist. What concentrates is told by its part of the
    log-likelihood ratio (Dunning 1993, https://aclanthology.org/J93-1003/): how much of it is in
    the cluster, times the logarithm of its share there over the cluster's share of everything.

    Parameters
    ----------
    dataset : Dataset
    coordinates : float array [n, 2]
        Row i places track i; NaN rows are left out.
    seed : int

    Returns
    -------
    list of Cluster
        The largest first.
    """
    from sklearn.cluster import KMeans

    placed = np.isfinite(coordinates).all(axis=1)
    points = coordinates[placed]
    distinct = len(np.unique(points, axis=0))
    k = int(np.clip(len(points) // POINTS_EACH, 1, min(MOST, max(distinct, 1))))
    centres = KMeans(k, n_init=4, random_state=seed).fit(points).cluster_centers_
    member = nearest_centre(centres, coordinates)
    sizes = np.bincount(member[placed], minlength=k)
    order = np.argsort(-sizes, kind="stable")
    rank = np.empty(k, np.int32)
    rank[order] = np.arange(k)
    names = _distinct(_sources(dataset, np.where(placed, rank[member], -1), k), k)
    return [
        Cluster(*name, *np.round(centres[i], 4).tolist())
        for name, i in zip(names, order, strict=True)
    ]


def hues(clusters: Sequence[Cluster], n: int, near: int = 6) -> np.ndarray:
    """A number of 0 to n - 1 for each cluster, int32, so that neighbours rarely share one.

    In order, each takes the number that its `near` nearest have least, the rarest of these.
    """
    centres = np.array([(cluster.x, cluster.y) for cluster in clusters])
    found = np.full(len(clusters), -1, np.int32)
    for i, centre in enumerate(centres):
        nearest = np.argsort(np.linalg.norm(centres - centre, axis=1))[1 : near + 1]
        beside = np.bincount(found[nearest][found[nearest] >= 0], minlength=n)
        used = np.bincount(found[:i], minlength=n)
        found[i] = np.lexsort((used, beside))[0]
    return found


def nearest_centre(centres: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    """Index of the nearest centre [k, 2] of each row, int32 [n]; -1 without a place."""
    from scipy.spatial import cKDTree

    placed = np.isfinite(coordinates).all(axis=1)
    member = np.full(len(coordinates), -1, np.int32)
    member[placed] = cKDTree(centres).query(coordinates[placed])[1]
    return member


def _sources(dataset: Dataset, member: np.ndarray, k: int) -> list[_Names]:
    """All that may name the clusters of the first tracks (int [n], -1 for none), in order."""
    genres = dataset.column("genre").slice(0, len(member))
    found = []
    if genres.null_count < (1 - GENRES_KNOWN) * len(genres):
        found.append(_of_tracks("genre", genres.to_pylist(), member, k))
    found.append(_of_titles(dataset, member, k))
    artists = dataset.column("artist_name").slice(0, len(member)).to_pylist()
    found.append(_of_tracks("artist", artists, member, k))
    return found


def _of_tracks(source: str, words: Sequence[str | None], member: np.ndarray, k: int) -> _Names:
    """What is known of tracks: one occurrence each."""
    known = np.array([word is not None for word in words], bool) & (member >= 0)
    names, rows = np.unique(
        np.array([word or "" for word in words], object)[known].astype(str), return_inverse=True
    )
    amounts = np.zeros((len(names), k))
    np.add.at(amounts, (rows, member[known]), 1.0)
    return _Names(source, names.tolist(), amounts)


def _of_titles(dataset: Dataset, member: np.ndarray, k: int) -> _Names:
    """Titles: each playlist counts 1, spread over the clusters as its placed tracks are.

    A title is spelt as most of its playlists spell it.
    """
    playlists = dataset.playlists
    spelt: dict[str, Counter[str]] = {}
    for title, plain in zip(playlists.titles, normalise(playlists.titles), strict=True):
        if plain and title:
            spelt.setdefault(plain, Counter())[" ".join(title.split())] += 1
    kept = [plain for plain, ways in spelt.items() if ways.total() >= MIN_PLAYLISTS]
    row_of = {plain: row for row, plain in enumerate(kept)}
    rows = np.array([row_of.get(plain, -1) for plain in normalise(playlists.titles)], np.int32)
    each = _spread(dataset, member, k)
    titled = rows >= 0
    ones = np.ones(int(titled.sum()))
    collect = sparse.csr_array(
        (ones, (rows[titled], np.flatnonzero(titled))), shape=(len(kept), len(playlists))
    )
    return _Names("title", [spelt[plain].most_common(1)[0][0] for plain in kept], collect @ each)


def _spread(dataset: Dataset, member: np.ndarray, k: int) -> np.ndarray:
    """Share of each playlist's placed tracks in each cluster, float [n_playlists, k]."""
    playlists = dataset.playlists
    tracks = np.asarray(playlists.tracks)
    of = np.full(dataset.n_tracks, -1, np.int32)
    of[: len(member)] = member
    cluster = of[tracks]
    rows = np.repeat(np.arange(len(playlists)), playlists.lengths)
    placed = cluster >= 0
    counts = np.bincount(rows[placed] * k + cluster[placed], minlength=len(playlists) * k)
    counts = counts.reshape(len(playlists), k).astype(float)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def concentration(amounts: np.ndarray) -> np.ndarray:
    """How much each name says about each cluster, float [n_names, n_clusters]; 0 for nothing.

    Parameters
    ----------
    amounts : float array [n_names, n_clusters]
        How much of each name is in each cluster.
    """
    everywhere = amounts.sum(axis=0) / max(amounts.sum(), 1e-9)
    total = amounts.sum(axis=1, keepdims=True)
    share = (amounts + DOUBT * everywhere) / (total + DOUBT)
    lift = np.log(share / np.maximum(everywhere, 1e-9), where=share > 0, out=np.zeros_like(share))
    return amounts * np.maximum(lift, 0)


def _distinct(sources: Sequence[_Names], k: int) -> list[tuple[str, str]]:
    """A name and its source for each cluster: the most telling first, no name twice."""
    found: dict[int, tuple[str, str]] = {}
    taken: set[str] = set()
    for source, names, amounts in sources:
        score = concentration(amounts)
        told, clusters = np.nonzero(score)
        for pair in np.argsort(-score[told, clusters], kind="stable"):
            name, cluster = names[told[pair]], int(clusters[pair])
            if cluster in found or name.casefold() in taken or len(name) not in LETTERS:
                continue
            found[cluster] = (name, source)
            taken.add(name.casefold())
    return [found.get(cluster, (f"Group {cluster + 1}", "number")) for cluster in range(k)]
