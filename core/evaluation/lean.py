"""How popular recommendations are: every model, at every setting of the popularity dial."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.evaluation.challenge import Challenge
from core.evaluation.dials import Scored, turned
from core.evaluation.stored import fitting
from core.ordering import PAGE, Dials
from core.progress import SILENT, Progress
from core.retrieval.base import Directions
from core.workspace import read_json, write_json

SETTINGS = (-1.0, -0.5, 0.0, 0.5, 1.0)
"""Of the popularity dial, from deep cuts to popular."""
LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
"""Quantiles that are kept."""

Spread = Sequence[float]
"""In how many training playlists tracks are: quantiles at `LEVELS`."""


@dataclass(frozen=True)
class Lean:
    """How popular one model's recommendations are.

    Attributes
    ----------
    model, label : str
    spreads : sequence of Spread
        One for each of `SETTINGS`, over the first 20 tracks of all lists.
    """

    model: str
    label: str
    spreads: Sequence[Spread]


@dataclass(frozen=True)
class LeanReport:
    """Measurements on one challenge.

    Attributes
    ----------
    dataset : str
    playlists : int
        Held-out playlists.
    training : Spread
        Of the entries of the training playlists: what listeners choose.
    hidden : Spread
        Of the hidden tracks.
    models : sequence of Lean
    """

    dataset: str
    playlists: int
    training: Spread
    hidden: Spread
    models: Sequence[Lean]

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        SegueError
            If the file is missing or does not fit this version.
        """
        stored: dict[str, Any] = read_json(path)
        with fitting(path):
            return cls(**stored | {"models": [Lean(**model) for model in stored["models"]]})


def spread(counts: np.ndarray) -> Spread:
    """Quantiles at `LEVELS`; NaN, which JSON has not, never: 0 where there are no counts."""
    if not len(counts):
        return (0.0,) * len(LEVELS)
    return tuple(np.quantile(counts, LEVELS).tolist())


def lean_lists(
    models: Mapping[str, Scored],
    challenge: Challenge,
    train: Dataset,
    directions: Directions | None = None,
    progress: Progress = SILENT,
) -> dict[str, np.ndarray]:
    """What each model recommends at every setting of the popularity dial.

    Parameters
    ----------
    models : mapping of name to callable
        Answers queries as `dial_lists` wants it.
    challenge : Challenge
    train : Dataset
        The training view of the split that made the challenge; its counts are the popularity.
    directions : Directions, optional
    progress : Progress

    Returns
    -------
    dict of name to int32 array, shape (len(SETTINGS), len(challenge), 20)
    """
    every = [Dials(popularity=value) for value in SETTINGS]
    return {
        name: turned(every, scored, challenge, train, directions, PAGE)
        for name, scored in progress.track(models.items(), "Popularity", len(models))
    }


def lean_report(
    labels: Mapping[str, str],
    lists: Mapping[str, np.ndarray],
    challenge: Challenge,
    train: Dataset,
) -> LeanReport:
    """How popular the tracks are that `lean_lists` gave on this challenge.

    Parameters
    ----------
    labels : mapping of name to label
    lists : mapping of name to int32 array, shape (len(SETTINGS), len(challenge), 20)
    challenge, train
        As for `lean_lists`.
    """
    found = [
        Lean(name, labels[name], [spread(train.counts[ids[ids >= 0]]) for ids in turned_lists])
        for name, turned_lists in lists.items()
    ]
    return LeanReport(
        train.name,
        len(challenge),
        spread(train.counts[train.playlists.tracks]),
        spread(train.counts[np.concatenate([*challenge.hidden, np.empty(0, np.int32)])]),
        found,
    )
