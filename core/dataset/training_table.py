"""A training table as TensorFlow Recommenders' retrieval tutorials read it.

One row a step of a playlist: the tracks just before, the candidate that follows, the features of
them all (https://www.tensorflow.org/recommenders/examples/sequential_retrieval).
"""

from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.dataset.dataset import Dataset
from core.dataset.schema import AUDIO_FEATURES
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import atomic_file

_CHUNK_ENTRIES = 200_000
"""Entries looked at in one go, which bounds memory."""

_CONTEXT = [
    pa.field("playlist", pa.int32()),
    pa.field("position", pa.int32()),
    pa.field("playlist_title", pa.string()),
]

_STORED = {
    "uri": ("uri", pa.string()),
    "title": ("title", pa.string()),
    "artist": ("artist_name", pa.string()),
    "duration_ms": ("duration_ms", pa.int64()),
    **{name: (name, pa.float32()) for name in AUDIO_FEATURES},
}
"""Column of the tracks table and type of each stored feature."""

_TRACK = [
    pa.field("id", pa.int32()),
    *(pa.field(name, kind) for name, (_, kind) in _STORED.items()),
    pa.field("count", pa.int32()),
]


def export_training_table(
    dataset: Dataset, path: Path, previous: int = 5, progress: Progress = SILENT
) -> int:
    """Write one row for each entry of a playlist but its first, as Parquet.

    Columns: `playlist` (row in the view), `position` (of the candidate, from 1) and
    `playlist_title`; then `candidate_…` for the track at that position and `previous_1_…`,
    `previous_2_…` and so on for those before it, the nearest first: `id`, `uri`, `title`,
    `artist`, `duration_ms`, the eleven audio features, and `count`, the number of playlists of
    this view that hold the track. Unknown, and before a playlist's start, is null. Rows are in
    the order of the playlists.

    Parameters
    ----------
    dataset : Dataset
        Only the playlists of the view are written.
    path : Path
        Replaced at success only.
    previous : int
        Tracks before the candidate, at least 1.
    progress : Progress

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    SegueError
        If `previous` is below 1 or the file cannot be written.
    """
    if previous < 1:
        raise SegueError(f"A training row needs at least 1 previous track, not {previous}.")
    places = ["candidate", *(f"previous_{back}" for back in range(1, previous + 1))]
    tracks = [field.with_name(f"{place}_{field.name}") for place in places for field in _TRACK]
    schema = pa.schema(_CONTEXT + tracks)
    starts = range(0, len(dataset.playlists.tracks), _CHUNK_ENTRIES)
    written = 0
    try:
        with (
            atomic_file(path) as partial,
            duckdb.connect() as connection,
            pq.ParquetWriter(partial, schema, compression="zstd") as writer,
        ):
            for start in progress.track(starts, "Writing training rows"):
                rows = _rows(dataset, connection, start, previous)
                writer.write_table(pa.Table.from_arrays(rows, schema=schema))
                written += len(rows[0])
    except OSError as error:
        raise SegueError(
            f"{path} cannot be written ({error}); choose another place or make room."
        ) from error
    return written


def _rows(
    dataset: Dataset, connection: duckdb.DuckDBPyConnection, start: int, previous: int
) -> list[pa.Array | pa.ChunkedArray]:
    """Columns of the rows of the next entries from `start` on."""
    playlists = dataset.playlists
    entries = np.arange(start, min(start + _CHUNK_ENTRIES, len(playlists.tracks)))
    owner = np.searchsorted(playlists.indptr, entries, side="right") - 1
    entries, owner = _with_a_past(entries, owner, playlists.indptr)
    position = entries - playlists.indptr[owner]
    titles = [playlists.titles[row] for row in owner]

    first = max(start - previous, 0)
    ids = np.array(playlists.tracks[first : start + _CHUNK_ENTRIES])
    held = np.unique(ids)
    features = _features(dataset, connection, held)
    columns: list[pa.Array | pa.ChunkedArray] = [
        pa.array(owner, pa.int32()),
        pa.array(position, pa.int32()),
        pa.array(titles, pa.string()),
    ]
    at = np.searchsorted(held, ids)
    for back in range(previous + 1):
        missing = position < back
        rows = at[np.where(missing, entries, entries - back) - first]
        columns += features.take(pa.array(rows, mask=missing)).columns
    return columns


def _with_a_past(
    entries: np.ndarray, owner: np.ndarray, indptr: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Only the entries that are not the first of their playlist, and their playlists."""
    later = entries > indptr[owner]
    return entries[later], owner[later]


def _features(dataset: Dataset, connection: duckdb.DuckDBPyConnection, ids: np.ndarray) -> pa.Table:
    """One row a track with the columns of `_TRACK`, in the order of rising ids."""
    connection.register("wanted", pa.table({"id": ids}))
    stored = ", ".join(f"{column} AS {name}" for name, (column, _) in _STORED.items())
    table = connection.sql(
        f"""SELECT file_row_number::INTEGER AS id, {stored}
        FROM read_parquet($tracks, file_row_number = true)
        WHERE file_row_number IN (SELECT id FROM wanted) ORDER BY file_row_number""",
        params={"tracks": str(dataset.folder / "tracks.parquet")},
    ).to_arrow_table()
    return table.append_column("count", pa.array(dataset.counts[ids], pa.int32())).cast(
        pa.schema(_TRACK)
    )
