"""Places to start from: titles that many playlists have, and tracks that are typical of them."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from core.dataset.dataset import Dataset
from core.dataset.text import normalise
from core.ordering import within_first

SHRINK = 10
"""Playlists elsewhere that every track is taken to have besides its own."""


@dataclass(frozen=True)
class Example:
    """A title and tracks that its playlists hold more often than others do.

    Attributes
    ----------
    title : str
        As most of the playlists spell it.
    playlists : int
        That have it.
    tracks : tuple of int
        The most typical first, each by another artist.
    """

    title: str
    playlists: int
    tracks: tuple[int, ...]


def examples(dataset: Dataset, limit: int = 6, tracks: int = 3) -> list[Example]:
    """The most frequent titles with their typical tracks; empty where no playlist has a title.

    Parameters
    ----------
    dataset : Dataset
    limit : int
        Titles, at most.
    tracks : int
        For each title, at most.
    """
    titles = dataset.playlists.titles
    rows: dict[str, list[int]] = defaultdict(list)
    for row, title in enumerate(normalise(titles)):
        if title:
            rows[title].append(row)
    frequent = sorted(rows.values(), key=len, reverse=True)[:limit]
    return [
        Example(
            Counter(titles[row] or "" for row in alike).most_common(1)[0][0],
            len(alike),
            _typical(dataset, np.array(alike), tracks),
        )
        for alike in frequent
    ]


def _typical(dataset: Dataset, rows: np.ndarray, n: int) -> tuple[int, ...]:
    """Tracks with the largest count here times share of their playlists that are here.

    The share is shrunk, or tracks of a single playlist would come first.
    """
    here = dataset.playlists.select(rows).tracks
    found, counts = np.unique(here, return_counts=True)
    best = found[np.argsort(-(counts**2) / (dataset.counts[found] + SHRINK), kind="stable")]
    return tuple(best[within_first(dataset.artist[best], 1)][:n].tolist())
