"""Held-out playlists kept with what every system answered, so that a person can watch.

A model of the workspace has learned from every playlist of its dataset, so none is hidden from it.
An evaluation fits every system without the held-out playlists; what these systems answered to some
of them is kept here, and nothing is asked again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.dataset.dataset import Dataset
from core.evaluation.challenge import CATEGORIES, Challenge
from core.evaluation.leaderboard import Measured
from core.evaluation.metrics import LENGTH
from core.evaluation.stored import fitting
from core.whatif import places_in
from core.workspace import atomic_file

A_CATEGORY = 3
"""Playlists that are kept of each category."""

FIRST = 10
"""Answers of each system that are kept whole; below, only the places of hidden tracks are."""

_INTS, _LISTS = pa.list_(pa.int32()), pa.list_(pa.list_(pa.int32()))
_SCHEMA = pa.schema(
    {
        "row": pa.int32(),
        "category": pa.int32(),
        "shown": _INTS,
        "hidden": _INTS,
        "heard": pa.list_(pa.bool_()),
        "places": _LISTS,
        "first": _LISTS,
        "r_precision": pa.list_(pa.float32()),
    }
)


@dataclass(frozen=True)
class Replay:
    """One held-out playlist, and where each system found what was hidden.

    Attributes
    ----------
    row : int
        Of the playlist in its dataset.
    category : int
        Index in `CATEGORIES`: what the systems were shown.
    shown, hidden : int32 arrays
        Track ids in playlist order; each is in one of the two.
    heard : bool array, shape (len(hidden),)
        Whether a training playlist holds the hidden track.
    places : int32 array, shape (n_systems, len(hidden))
        Place of each hidden track among the 500 recommendations, from 1; 0 where it is not there.
    first : int32 array, shape (n_systems, FIRST)
        The recommendations at the first places, -1 after the last.
    r_precision : float32 array, shape (n_systems,)
        On this playlist, as `core.evaluation.metrics.r_precision` has it.
    """

    row: int
    category: int
    shown: np.ndarray
    hidden: np.ndarray
    heard: np.ndarray
    places: np.ndarray
    first: np.ndarray
    r_precision: np.ndarray

    @property
    def beyond_reach(self) -> np.ndarray:
        """Hidden tracks that no system could know, bool: no training playlist holds them.

        Those that stand in a list all the same do because a catalogue of hardly 500 fills it.
        """
        return ~self.heard & ~(self.places > 0).any(axis=0)

    def found(self, place: int = LENGTH) -> np.ndarray:
        """Hidden tracks that each system has found by a place, int64, shape (n_systems,)."""
        return ((self.places > 0) & (self.places <= place)).sum(axis=1)


@dataclass(frozen=True)
class Replays:
    """Some held-out playlists of each category, drawn at random.

    Attributes
    ----------
    systems : mapping of name to label
        In the order of the arrays of a `Replay`: by falling R-precision over all playlists.
    training_playlists, held_out : int
        What the systems were fitted on, and how many playlists they were measured on.
    playlists : sequence of Replay
        By category, then by row.
    """

    systems: Mapping[str, str]
    training_playlists: int
    held_out: int
    playlists: Sequence[Replay]

    def save(self, path: Path) -> None:
        """Write as Parquet, whole or not at all."""
        columns = {
            name: [_stored(getattr(one, name)) for one in self.playlists] for name in _SCHEMA.names
        }
        about = {
            "systems": dict(self.systems),
            "training_playlists": self.training_playlists,
            "held_out": self.held_out,
        }
        table = pa.table(columns, _SCHEMA.with_metadata({"segue": json.dumps(about)}))
        with atomic_file(path) as partial:
            pq.write_table(table, partial, compression="zstd", compression_level=19)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        SegueError
            If the file is missing or does not fit this version.
        """
        with fitting(path):
            table = pq.read_table(path)
            about = json.loads((table.schema.metadata or {})[b"segue"])
            return cls(**about, playlists=[_replay(row) for row in table.to_pylist()])


def _stored(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray) else value


def _replay(row: Mapping[str, Any]) -> Replay:
    kinds = {"heard": bool, "r_precision": np.float32}
    fields: dict[str, Any] = {
        name: np.array(value, kinds.get(name, np.int32)) if isinstance(value, list) else value
        for name, value in row.items()
    }
    return Replay(**fields)


def replays(
    measured: Sequence[Measured],
    challenge: Challenge,
    train: Dataset,
    a_category: int = A_CATEGORY,
    seed: int = 0,
) -> Replays:
    """Keep some playlists of each category, drawn at random, with every system's answers.

    Parameters
    ----------
    measured : sequence of Measured
        On this challenge.
    challenge : Challenge
    train : Dataset
        What the systems were fitted on.
    a_category : int
        Playlists of each category, at most.
    seed : int
        Of the draw.
    """
    generator = np.random.default_rng(seed)
    rows: list[int] = []
    for index in range(len(CATEGORIES)):
        there = np.flatnonzero(challenge.category == index)
        rows += sorted(generator.permutation(there)[:a_category].tolist())
    return Replays(
        systems={one.system.name: one.system.label for one in measured},
        training_playlists=train.n_playlists,
        held_out=len(challenge),
        playlists=[_kept(measured, challenge, train, row) for row in rows],
    )


def _kept(measured: Sequence[Measured], challenge: Challenge, train: Dataset, row: int) -> Replay:
    hidden = challenge.hidden[row].astype(np.int32)
    return Replay(
        row=int(challenge.rows[row]),
        category=int(challenge.category[row]),
        shown=challenge.queries.seeds[row].astype(np.int32),
        hidden=hidden,
        heard=train.counts[hidden] > 0,
        places=np.array([places_in(one.lists[row], hidden) for one in measured], np.int32),
        first=np.array([one.lists[row, :FIRST] for one in measured], np.int32),
        r_precision=np.array([one.values["r_precision"][row] for one in measured], np.float32),
    )
