"""What the candidates of several retrieval models find together, and what each alone brings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from core.evaluation import metrics
from core.evaluation.metrics import Figures, stored_figures

DEPTHS = (200, 500, 1000)
"""How many of each model's first candidates are looked at."""

_ROWS = 250


def recall_at(depth: int) -> str:
    """Metric key of the share of hidden tracks among the first `depth` candidates."""
    return f"recall@{depth}"


def size_at(depth: int) -> str:
    """Metric key of the number of distinct tracks among the models' first `depth` candidates."""
    return f"size@{depth}"


@dataclass(frozen=True)
class Pool:
    """Figures of one group of playlists.

    Attributes
    ----------
    together : mapping of str to Figure
        By `recall_at`: recall of the union of each model's first candidates. By `size_at`: how
        many distinct tracks these are.
    added : mapping of model name to mapping of str to Figure
        By `recall_at`: what the union loses without the model, the share of hidden tracks that
        it alone finds.
    """

    together: Figures
    added: Mapping[str, Figures]


@dataclass(frozen=True)
class Union:
    """Candidates of several models taken together.

    Attributes
    ----------
    models : sequence of str
    overall : Pool
    by_category : mapping of category label to Pool
    """

    models: Sequence[str]
    overall: Pool
    by_category: Mapping[str, Pool]

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Self:
        """Read what `dataclasses.asdict` made of one; a KeyError or TypeError where it is not."""
        return cls(
            stored["models"],
            _pool(stored["overall"]),
            {label: _pool(pool) for label, pool in stored["by_category"].items()},
        )


def _pool(stored: dict[str, Any]) -> Pool:
    return Pool(
        stored_figures(stored["together"]),
        {name: stored_figures(values) for name, values in stored["added"].items()},
    )


def union(
    candidates: Mapping[str, np.ndarray],
    hidden: Sequence[np.ndarray],
    groups: Mapping[str, np.ndarray],
) -> Union:
    """Measure the union of candidates at every depth of `DEPTHS`.

    Parameters
    ----------
    candidates : mapping of model name to int32 array, shape (B, K)
        At least one model's tracks, best first, distinct within a row, padded with -1.
    hidden : sequence of B int arrays
        What should be found; none empty.
    groups : mapping of category label to int array
        Rows of each group.
    """
    names = list(candidates)
    lists = list(candidates.values())
    recall, added = _shares(lists, hidden)
    table = np.hstack([recall, _sizes(lists), added.reshape(len(hidden), -1)])
    recalls = [recall_at(depth) for depth in DEPTHS]
    together = recalls + [size_at(depth) for depth in DEPTHS]

    def pool(rows: np.ndarray) -> Pool:
        figures = metrics.bootstrap(table[rows])
        alone = figures[:, len(together) :].reshape(3, len(names), len(DEPTHS))
        return Pool(
            metrics.with_intervals(together, figures[:, : len(together)]),
            {name: metrics.with_intervals(recalls, alone[:, i]) for i, name in enumerate(names)},
        )

    every = np.arange(len(hidden))
    return Union(names, pool(every), {label: pool(rows) for label, rows in groups.items()})


def _shares(
    lists: Sequence[np.ndarray], hidden: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Share of a playlist's hidden tracks that any model finds, and that only each one finds.

    Returns
    -------
    recall : float64 array, shape (B, len(DEPTHS))
    added : float64 array, shape (B, len(lists), len(DEPTHS))
    """
    truth = metrics.judge(np.empty((len(hidden), 0), np.int32), hidden)
    places = np.stack([_places(ids, truth) for ids in lists])

    def share(found: np.ndarray) -> np.ndarray:
        return np.bincount(truth.rows, found, len(hidden)) / truth.sizes

    recall = np.empty((len(hidden), len(DEPTHS)))
    added = np.empty((len(hidden), len(lists), len(DEPTHS)))
    for column, depth in enumerate(DEPTHS):
        found = places < depth
        finders = found.sum(axis=0)
        recall[:, column] = share(finders > 0)
        for model in range(len(lists)):
            added[:, model, column] = share(found[model] & (finders == 1))
    return recall, added


def _places(ids: np.ndarray, truth: metrics.Judged) -> np.ndarray:
    """Place of each hidden track in its playlist's list, from 0; `max(DEPTHS)` where absent."""
    span = max(truth.hidden.max(initial=0), ids.max(initial=0)) + 1
    keys = np.where(ids < 0, -1, np.arange(len(ids))[:, None] * span + ids).ravel()
    order = np.argsort(keys)
    wanted = truth.rows * span + truth.hidden
    at = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    return np.where(keys[at] == wanted, at % ids.shape[1], max(DEPTHS))


def _sizes(lists: Sequence[np.ndarray]) -> np.ndarray:
    """Distinct tracks among the lists' first ones, float64, shape (B, len(DEPTHS))."""
    sizes = np.empty((len(lists[0]), len(DEPTHS)))
    for start in range(0, len(sizes), _ROWS):
        rows = slice(start, start + _ROWS)
        for column, depth in enumerate(DEPTHS):
            ids = np.sort(np.hstack([each[rows, :depth] for each in lists]), axis=1)
            first = np.diff(ids, axis=1, prepend=-1) > 0
            sizes[rows, column] = (first & (ids >= 0)).sum(axis=1)
    return sizes
