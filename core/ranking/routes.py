"""Kinds of queries that are treated apart: with or without a title, of few seeds or many."""

from dataclasses import dataclass

import numpy as np

from core.retrieval.base import Queries


@dataclass(frozen=True)
class Route:
    """Queries with or without a title and about so many seeds.

    Attributes
    ----------
    titled : bool
    seeds : int
    """

    titled: bool
    seeds: int

    @property
    def label(self) -> str:
        """What a person reads."""
        seeds = {0: "", 1: "1 seed"}.get(self.seeds, f"{self.seeds} seeds")
        return " + ".join(part for part in ("title" * self.titled, seeds) if part)


ROUTES = (
    Route(True, 0),
    Route(True, 1),
    Route(True, 5),
    Route(False, 5),
    Route(True, 10),
    Route(False, 10),
    Route(True, 25),
    Route(True, 100),
)
"""Those of the ten categories; whether seeds are the first or a random sample, a query hides."""

_FEWEST = 0.25
"""What no seeds count as where numbers of seeds are compared as ratios."""


def route(queries: Queries) -> np.ndarray:
    """Index in `ROUTES` of each query, int64, shape (len(queries),).

    That with the nearest number of seeds, as a ratio, among those with or without a title; no seed
    is only nearest to no seed. A query of neither seeds nor title is as one with few seeds.

    >>> route(Queries([np.arange(7), np.arange(0)], [None, "gym"])).tolist()
    [3, 0]
    """
    titled = np.array([bool(title) for title in queries.titles], bool)
    seeds = np.log(np.maximum(queries.lengths, _FEWEST))
    centres = np.log(np.maximum([one.seeds for one in ROUTES], _FEWEST))
    distance = np.abs(seeds[:, None] - centres)
    other = titled[:, None] != np.array([one.titled for one in ROUTES])
    return np.where(other, np.inf, distance).argmin(axis=1)
