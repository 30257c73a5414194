"""Every system on one challenge, side by side: figures with intervals, differences, cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation import metrics
from core.evaluation.challenge import CATEGORIES, Challenge, complete, popular_order
from core.progress import SILENT, Progress
from core.retrieval.base import Queries, Recommendations
from core.workspace import read_json, write_json

CANDIDATES = 1000
"""Tracks asked of each system; the list that the challenge judges is the first 500."""

_BATCH = 250
_HITS = (10, 100, 500)
_RECALLS = (200, 500, 1000)

LABELS = {
    "r_precision": "R-precision",
    "track_r_precision": "track only",
    "ndcg": "NDCG",
    "clicks": "clicks",
    **{f"hit@{k}": f"hit@{k}" for k in _HITS},
    **{f"recall@{k}": f"recall@{k}" for k in _RECALLS},
    "novelty": "novelty",
    "coverage": "coverage",
    "gini": "Gini",
    "popularity_lift": "lift",
}
"""What a person reads for each metric, by its key."""


@dataclass(frozen=True)
class System:
    """Something that continues playlists, and what it cost to make.

    Attributes
    ----------
    name : str
        Identifier, distinct in a leaderboard.
    label : str
        Name that a person reads.
    recommend : callable (queries, k) -> Recommendations
    fit_seconds : float or None
        Wall time of its training; None where unknown.
    peak_bytes : int or None
        Peak resident memory of its training.
    """

    name: str
    label: str
    recommend: Callable[[Queries, int], Recommendations]
    fit_seconds: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Figure:
    """A measured value and its 95 % bootstrap interval over playlists.

    The value is None where it is undefined. The ends are None for metrics of all lists together
    (coverage, Gini, lift): resampled playlists repeat, repeats cover less, so a bootstrap of
    these is biased.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


Figures = Mapping[str, Figure]


@dataclass(frozen=True)
class Row:
    """One system's measurements, figures by metric key (see `LABELS`).

    Attributes
    ----------
    name, label : str
    overall : mapping of str to Figure
        Means over all playlists.
    by_category : mapping of category label to such figures
    against_best : mapping of str to Figure
        Paired mean difference to the first system of the leaderboard, for metrics that each
        playlist has; 0 for that system itself.
    milliseconds : float
        Wall time a query for 1,000 tracks, in batches of 250, after one query to warm up.
    fit_seconds : float or None
    peak_bytes : int or None
    """

    name: str
    label: str
    overall: Figures
    by_category: Mapping[str, Figures]
    against_best: Figures
    milliseconds: float
    fit_seconds: float | None
    peak_bytes: int | None


@dataclass(frozen=True)
class Leaderboard:
    """Measurements of several systems on one challenge.

    Attributes
    ----------
    dataset : str
    training_playlists : int
    playlists : mapping of category label to int
        Held-out playlists of each category that has any, in the protocol's order.
    rows : sequence of Row
        By falling R-precision.
    """

    dataset: str
    training_playlists: int
    playlists: Mapping[str, int]
    rows: Sequence[Row]

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and None."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, self.as_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        SegueError
            If the file is missing or does not fit this version.
        """
        stored = read_json(path)
        try:
            return cls(**stored | {"rows": [_row(row) for row in stored["rows"]]})
        except (AttributeError, KeyError, TypeError) as error:
            raise SegueError(
                f"{path} does not fit this version of Segue ({error!r}): evaluate again."
            ) from error


def _row(stored: dict[str, Any]) -> Row:
    def figures(values: dict[str, Any]) -> Figures:
        return {name: Figure(**figure) for name, figure in values.items()}

    return Row(
        **stored
        | {
            "overall": figures(stored["overall"]),
            "by_category": {key: figures(value) for key, value in stored["by_category"].items()},
            "against_best": figures(stored["against_best"]),
        }
    )


def evaluate(
    systems: Sequence[System],
    challenge: Challenge,
    train: Dataset,
    progress: Progress = SILENT,
) -> Leaderboard:
    """Measure systems on one challenge.

    Rules, the same for every system:

    - Each is asked for 1,000 tracks. Candidate recall is that of this list as it is.
    - For all other figures the list is cut at 500 or, where shorter, completed to 500 with the
      most popular tracks of the training playlists that are neither in it nor seeds.
    - Tracks with equal scores are put in order of training popularity, ties of that in a fixed
      random order. (Ids follow the popularity of the full dataset, so an order by id would tell
      which tracks the held-out playlists hold.)
    - Means are over playlists.

    Parameters
    ----------
    systems : sequence of System
        At least one, fitted on `train`.
    challenge : Challenge
    train : Dataset
        The training view of the split that made the challenge.
    progress : Progress

    Raises
    ------
    ValueError
        If a system breaks the contract: a seed, a track twice, an id out of range.
    """
    popular = popular_order(train)
    measured = [
        _measure(system, challenge, train, popular, progress.within(at, at + 1, system.label))
        for at, system in enumerate(systems)
    ]
    return measured


