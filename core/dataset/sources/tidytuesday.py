"""TidyTuesday's `spotify_songs.csv` (2020-01-21): one row a track in a playlist, with features.

Columns: https://github.com/rfordatascience/tidytuesday, data/2020/2020-01-21.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from core.dataset.schema import AUDIO_FEATURES, BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources.base import Batch, Problem, complete
from core.dataset.tables import (
    TRACK_URI,
    Table,
    count,
    faults,
    number,
    number_text,
    open_table,
    sentences,
    stage,
    text,
    year_text,
)
from core.errors import SegueError
from core.progress import SILENT, Progress

PLAYLISTS_A_BATCH = 5_000

_NEEDED = ("track_id", "track_name", "track_artist", "playlist_id", "playlist_name")
_TEXTS = {
    "title": "track_name",
    "artist": "track_artist",
    "album": "track_album_name",
    "genre": "playlist_genre",
}
_NUMBERS = {
    "duration_ms": "duration_ms",
    "year": "track_album_release_date",
    "popularity": "track_popularity",
    **{name: name for name in AUDIO_FEATURES},
}


def read(paths: Sequence[Path], progress: Progress = SILENT) -> Iterator[Batch]:
    """Yield the playlists in the order in which the files first name them.

    A track's genre is that of the playlist, its year the album's. Rows whose names are missing
    (NA) are kept by their id and noted.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    SegueError
        If a file is no CSV of this shape, is truncated, has a stray quote or is not UTF-8.
    """
    for path in progress.track(paths, "Reading rows"):
        table = open_table(path)
        _check_columns(table)
        with stage(TRACK_URI) as connection:
            with sentences(table.name):
                _load(connection, table)
            yield from _batches(connection, table.name)


def _check_columns(table: Table) -> None:
    lacking = [column for column in _NEEDED if column not in table.columns]
    if lacking:
        raise SegueError(
            f"{table.name}: the column{'s' * (len(lacking) > 1)} {', '.join(lacking)} "
            f"{'are' if len(lacking) > 1 else 'is'} missing from the header, which has "
            f"{table.listing()}."
        )


def _load(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Stage the rows as text, under our names, numbered, with the playlist each belongs to."""
    texts = {ours: theirs for ours, theirs in _TEXTS.items() if theirs in table.columns}
    numbers = {ours: theirs for ours, theirs in _NUMBERS.items() if theirs in table.columns}
    fields = [
        *(f"nullif({text(theirs)}, 'NA') AS {ours}" for ours, theirs in texts.items()),
        *(
            f"{year_text(theirs) if ours == 'year' else number_text(theirs)} AS {ours}"
            for ours, theirs in numbers.items()
        ),
    ]
    connection.execute(
        f"""CREATE TABLE raw AS SELECT row_number() OVER () AS row, {text("track_id")} AS id,
            track_uri(track_id) AS uri, {text("playlist_id")} AS source_id,
            {text("playlist_name")} AS playlist_title, {", ".join(fields)}
        FROM {table.sql}"""
    )
    connection.execute(
        """CREATE TABLE playlists AS
        SELECT row_number() OVER (ORDER BY min(row)) - 1 AS playlist, source_id,
            arg_min(playlist_title, row) AS playlist_title
        FROM raw WHERE source_id IS NOT NULL GROUP BY source_id"""
    )
    connection.execute(
        f"""CREATE TABLE problems AS
        {faults(numbers, "raw")}
        UNION ALL SELECT row, 'track_id', 'track_id is not a Spotify id, now unknown' FROM raw
        WHERE id IS NOT NULL AND uri IS NULL
        UNION ALL SELECT row, 'track_name', 'rows without a track name, kept by id' FROM raw
        WHERE title IS NULL AND uri IS NOT NULL
        UNION ALL SELECT row, 'playlist_id', 'rows without a playlist id, skipped' FROM raw
        WHERE source_id IS NULL"""
    )
    connection.execute(
        f"""CREATE TABLE entries AS
        SELECT playlist, row, row_number() OVER (PARTITION BY playlist ORDER BY row) - 1
            AS position, uri, {", ".join(texts)},
            {", ".join(f"{number(field)} AS {field}" for field in numbers)}
        FROM raw JOIN playlists USING (source_id)"""
    )


def _batches(connection: duckdb.DuckDBPyConnection, name: str) -> Iterator[Batch]:
    problems = [
        Problem(kind, f"{name}, row {row}, {field}")
        for row, field, kind in connection.execute(
            "SELECT row, field, kind FROM problems ORDER BY row, field"
        ).fetchall()
    ]
    for first in range(0, max(count(connection, "playlists"), 1), PLAYLISTS_A_BATCH):
        within = f"playlist BETWEEN {first} AND {first + PLAYLISTS_A_BATCH - 1}"
        playlists = _fetch(
            connection,
            f"""SELECT source_id, playlist_title AS title FROM playlists
            WHERE {within} ORDER BY playlist""",
            BATCH_PLAYLISTS,
        )
        entries = _fetch(
            connection,
            f"""SELECT * REPLACE (playlist - {first} AS playlist) FROM entries
            WHERE {within} ORDER BY playlist, row""",
            BATCH_ENTRIES,
        )
        yield Batch(playlists, entries, problems)
        problems = []


def _fetch(connection: duckdb.DuckDBPyConnection, query: str, schema: pa.Schema) -> pa.Table:
    table = connection.sql(query).to_arrow_table()
    return complete({name: table[name] for name in table.column_names}, schema, len(table))
