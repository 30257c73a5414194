"""What is joined into the tables of a dataset after it was built, and the record of it.

A join replaces one table by one rename. Its record is within that file, so that a crash leaves all
or nothing of it; the manifest's list "features" is a copy of the records, which those who keep what
they learnt from a dataset compare.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import duckdb
import pyarrow.parquet as pq

from core.dataset.schema import AUDIO_FEATURES, TRACK_SQL_TYPES
from core.dataset.search import build_index
from core.dataset.tables import literal, no_glob
from core.progress import SILENT, Progress
from core.workspace import atomic_file, atomic_folder, read_json, write_json

TRACK_FACTS = ("album", "duration_ms", "year", "popularity", "genre", "explicit")
ARTIST_FACTS = ("genres", "followers", "popularity")
"""What may be known of a track besides its audio features, and of an artist."""

JoinedTable = Literal["tracks", "artists"]
SQL_TYPES: Mapping[JoinedTable, Mapping[str, str]] = {
    "tracks": {name: TRACK_SQL_TYPES[name] for name in (*AUDIO_FEATURES, *TRACK_FACTS)},
    "artists": {"genres": "VARCHAR", "followers": "BIGINT", "popularity": "FLOAT"},
}
"""DuckDB's type of each field that may be joined."""


@dataclass(frozen=True)
class Origin:
    """Where joined values come from that are not from a file of the user's.

    Attributes
    ----------
    source : str
        What a person calls it, such as "ReccoBeats".
    licence : str
        What may be done with them, in a sentence.
    """

    source: str
    licence: str


def provenance(folder: Path) -> list[dict[str, Any]]:
    """The joins that a dataset folder's tables have seen, oldest first."""
    joins = [*_records(folder / "tracks.parquet"), *_records(folder / "artists.parquet")]
    return sorted(joins, key=lambda join: join["joined"])


def licences(manifest: Mapping[str, Any]) -> list[str]:
    """What may be done with a dataset and with what was joined to it, as far as it was said."""
    joined = [join.get("licence") for join in manifest["features"]]
    return list(dict.fromkeys(one for one in (manifest["licence"], *joined) if one))


def _records(path: Path) -> list[dict[str, Any]]:
    return list(json.loads((pq.read_metadata(path).metadata or {}).get(b"features", b"[]")))


def coverage(
    folder: Path, fields: Sequence[str] = AUDIO_FEATURES, table: JoinedTable = "tracks"
) -> dict[str, float]:
    """Share of a dataset folder's tracks, or artists, that have each field, from 0 to 1.

    Taken from the file's own statistics, so it costs nothing at any size.
    """
    metadata = pq.read_metadata(folder / f"{table}.parquet")
    known = dict.fromkeys(fields, 0)
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        for place in range(group.num_columns):
            column = group.column(place)
            if column.path_in_schema in known:
                nulls = column.statistics.null_count if column.statistics else 0
                known[column.path_in_schema] += group.num_rows - nulls
    return {name: count / max(metadata.num_rows, 1) for name, count in known.items()}


def rows(folder: Path, table: JoinedTable) -> str:
    """SQL: a table and its `file_row_number`, with the columns that it was written without."""
    types = SQL_TYPES[table]
    missing = ", ".join(f"NULL::{kind} AS {name}" for name, kind in types.items())
    path = literal(no_glob(folder / f"{table}.parquet"))
    return f"""(FROM read_parquet({path}, file_row_number = true)
        UNION ALL BY NAME SELECT {missing} WHERE false)"""


def rewrite(
    connection: duckdb.DuckDBPyConnection,
    folder: Path,
    table: JoinedTable,
    fields: Sequence[str],
    record: Mapping[str, Any],
    progress: Progress = SILENT,
) -> None:
    """Replace fields of a table by those of the connection's table `merged`, row by `id`.

    Where that changes albums, the search index is made anew before: it may be ahead of the
    tracks after a crash, but not behind.
    """
    path = folder / f"{table}.parquet"
    joins = [
        *_records(path),
        {"joined": datetime.now(UTC).isoformat(timespec="seconds"), **record},
    ]
    replaced = ", ".join(f"merged.{name} AS {name}" for name in fields)
    with atomic_file(path) as partial:
        connection.execute(
            f"""COPY (SELECT old.* EXCLUDE (file_row_number) REPLACE ({replaced})
                FROM {rows(folder, table)} AS old JOIN merged ON merged.id = old.file_row_number
                ORDER BY merged.id)
            TO {literal(partial)} (FORMAT parquet, COMPRESSION zstd,
                KV_METADATA {{features: {literal(json.dumps(joins))}}})"""
        )
        if "album" in fields and (folder / "search").exists():
            _index(folder, partial, progress)
    manifest = folder / "manifest.json"
    write_json(manifest, read_json(manifest) | {"features": provenance(folder)})


def _index(folder: Path, tracks: Path, progress: Progress) -> None:
    """Make the search index of these tracks."""
    names = pq.read_table(tracks, columns=["title", "artist_name", "album"])
    artists = pq.read_table(folder / "artists.parquet", columns=["name"])
    with atomic_folder(folder / "search") as partial:
        build_index(
            partial,
            titles=names["title"],
            artists=names["artist_name"],
            albums=names["album"],
            artist_names=artists["name"],
            progress=progress,
        )
