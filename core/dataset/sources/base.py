"""What a source yields: batches of whole playlists as Arrow tables, and what it had to skip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from core.dataset.schema import BATCH_ENTRIES, BATCH_PLAYLISTS


@dataclass(frozen=True)
class Problem:
    """A row or a field that was skipped.

    Attributes
    ----------
    kind : str
        What is wrong, the same words for every occurrence, e.g. "duration_ms is not a number".
    where : str
        File, row and field, e.g. "a.json, playlist 12, track 3, duration_ms".
    """

    kind: str
    where: str


@dataclass(frozen=True)
class Batch:
    """Whole playlists, some thousands at most.

    Attributes
    ----------
    playlists : pa.Table
        Of schema `BATCH_PLAYLISTS`.
    entries : pa.Table
        Of schema `BATCH_ENTRIES`; `playlist` counts from 0 within this batch.
    problems : sequence of Problem
    """

    playlists: pa.Table
    entries: pa.Table
    problems: Sequence[Problem] = field(default_factory=tuple)


def batch_from_rows(
    playlists: Sequence[Mapping[str, Any]],
    entries: Sequence[Mapping[str, Any]],
    problems: Sequence[Problem] = (),
) -> Batch:
    """Make a batch of Python rows; keys that a row lacks become null."""
    return Batch(
        pa.Table.from_pylist(list(playlists), schema=BATCH_PLAYLISTS),
        pa.Table.from_pylist(list(entries), schema=BATCH_ENTRIES),
        tuple(problems),
    )


def complete(columns: Mapping[str, pa.Array], schema: pa.Schema, rows: int) -> pa.Table:
    """Make a table of `schema` from some of its columns; the others become null."""
    return pa.table(
        [
            columns[column.name].cast(column.type)
            if column.name in columns
            else pa.nulls(rows, column.type)
            for column in schema
        ],
        schema=schema,
    )
