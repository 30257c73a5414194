"""Places to start from: titles that many playlists have, and tracks that are typical of them."""

from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np

from core.dataset.dataset import Dataset
from core.dataset.text import normalise
from core.ordering import within_first

TRIED = 10
"""Frequent titles looked at for each that is wanted."""

DOUBT = 10
"""Playlists added to a track's count: one that few hold says little about a title."""


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
    """Frequent titles whose playlists agree, with the tracks they agree on.

    Of the most frequent titles those come first whose typical tracks occur most often under them:
    "salsa" before "random". Empty where no playlist has a title.

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
    frequent = sorted(rows.values(), key=len, reverse=True)[: TRIED * limit]
    found = [(alike, *_typical(dataset, np.array(alike), tracks)) for alike in frequent]
    found.sort(key=lambda each: -each[2])
    return [
        Example(Counter(titles[row] or "" for row in alike).most_common(1)[0][0], len(alike), best)
        for alike, best, _ in found[:limit]
    ]


def _typical(dataset: Dataset, rows: np.ndarray, n: int) -> tuple[tuple[int, ...], int]:
    """Tracks with the largest count here times share of their playlists that are here.

    Also how often they occur here, together.
    """
    here = dataset.playlists.select(rows).tracks
    found, counts = np.unique(here, return_counts=True)
    order = np.argsort(-(counts**2) / (dataset.counts[found] + DOUBT), kind="stable")
    order = order[within_first(dataset.artist[found[order]], 1)][:n]
    return tuple(found[order].tolist()), int(counts[order].sum())
