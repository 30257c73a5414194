"""Rows in, a clean dataset out, written whole or not at all.

Batches are cleaned and staged in a DuckDB file beside the target, so memory is bounded by one
batch and DuckDB's own limit, not by the number of playlists.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.dataset.schema import TRACK_FIELDS, VERSION
from core.dataset.sources.base import Batch, Problem
from core.dataset.text import MACROS
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import atomic_folder, write_json

MEMORY_LIMIT = "2GB"
LONGEST_MS = 24 * 60 * 60 * 1000
EXAMPLES = 5

_STAGE = f"""
CREATE TABLE playlists (playlist INTEGER, source_id VARCHAR, title VARCHAR, followers BIGINT,
                        modified BIGINT);
CREATE TABLE entries (playlist INTEGER, position INTEGER, identity UBIGINT);
CREATE TABLE tracks (identity UBIGINT, {
    ", ".join(
        f"{f.name} {t}"
        for f, t in zip(
            TRACK_FIELDS,
            (
                {"string": "VARCHAR", "int64": "BIGINT", "int32": "INTEGER", "float": "FLOAT"}[
                    str(f.type)
                ]
                for f in TRACK_FIELDS
            ),
            strict=True,
        )
    )
});
CREATE TEMP MACRO tidy(x) AS
    nullif(trim(CASE WHEN regexp_matches(x, '[\\x00-\\x1f\\x7f]')
        THEN regexp_replace(x, '[\\x00-\\x1f\\x7f]+', ' ', 'g') ELSE x END), '');
CREATE TEMP MACRO minted(kind, x) AS 'segue:' || kind || ':' || left(md5(x), 16);
"""

# A track's identity: its uri, else its artist and title as they are compared.
_IDENTITY = """CASE WHEN uri <> '' THEN hash(uri)
    WHEN title <> '' AND artist <> ''
    THEN hash(minted('track', normal(artist) || chr(31) || normal(title))) END"""


@dataclass(frozen=True)
class Provenance:
    """Where a dataset comes from.

    Attributes
    ----------
    name : str
        The dataset's name in the workspace.
    source : str
        The reader, e.g. "mpd".
    licence : str or None
        As far as known.
    simulated : bool
        Whether the playlists are invented; pages say so.
    files : sequence of str
        Names of what was read.
    """

    name: str
    source: str
    licence: str | None = None
    simulated: bool = False
    files: tuple[str, ...] = ()


def build(
    batches: Iterable[Batch],
    folder: Path,
    provenance: Provenance,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Clean and write a dataset; replace `folder` at success only.

    Cleaning: rows without a track, repeats inside a playlist (first kept), empty playlists,
    repeated playlist ids (first kept), control characters, impossible durations. Where batches
    know a track differently the first batch is believed.

    Returns
    -------
    dict
        The manifest: counts, cleaning report (counts and examples), fingerprint.

    Raises
    ------
    SegueError
        If no playlist with a track is left.
    """
    with atomic_folder(folder) as partial:
        report = CleaningReport()
        with _stage(partial) as stage:
            _read(stage, batches, report)
            progress.update("Numbering tracks and playlists")
            counts = _number(stage, report)
            if not counts["playlists"]:
                raise SegueError(
                    f"{', '.join(provenance.files) or provenance.source}: no playlist with a "
                    f"track was found{report.hint()}; nothing was imported."
                )
            progress.update("Writing tables")
            _write_tables(stage, partial)
        _write_arrays(partial, counts)
        manifest = {
            "version": VERSION,
            "name": provenance.name,
            "source": provenance.source,
            "licence": provenance.licence,
            "simulated": provenance.simulated,
            "files": list(provenance.files),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "counts": counts,
            "cleaning": report.as_json(),
            "features": [],
            "fingerprint": fingerprint(partial),
        }
        write_json(partial / "manifest.json", manifest)
    return manifest


class CleaningReport:
    """Counts what cleaning dropped or changed, with a few examples of each."""

    def __init__(self) -> None:
        self.rows = 0
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, list[str]] = {}

    def add(self, kind: str, count: int = 1, where: str | None = None) -> None:
        """Count `count` more of `kind`."""
        if count:
            self.counts[kind] += count
        if where and len(self.examples.setdefault(kind, [])) < EXAMPLES:
            self.examples[kind].append(where)

    def add_problems(self, problems: Iterable[Problem]) -> None:
        """Count what a reader skipped."""
        for problem in problems:
            self.add(problem.kind, where=problem.where)

    def hint(self) -> str:
        """The most frequent problem in brackets, for an error's sentence."""
        if not self.counts:
            return ""
        kind, count = self.counts.most_common(1)[0]
        where = self.examples.get(kind)
        return f" ({kind}: {count}{', first in ' + where[0] if where else ''})"

    def as_json(self) -> dict[str, Any]:
        """For the manifest: rows read, and count and examples by kind, most frequent first."""
        return {
            "rows_read": self.rows,
            "changes": [
                {"what": kind, "count": count, "examples": self.examples.get(kind, [])}
                for kind, count in self.counts.most_common()
            ],
        }


@contextmanager
def _stage(partial: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection to a staging database that is gone afterwards."""
    folder = partial / "stage"
    folder.mkdir()
    connection = duckdb.connect(str(folder / "stage.duckdb"))
    try:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute("SET temp_directory = $folder", {"folder": str(folder)})
        connection.execute("SET enable_progress_bar = false")
        connection.execute(MACROS + _STAGE)
        yield connection
    finally:
        connection.close()
        shutil.rmtree(folder)


def _read(
    stage: duckdb.DuckDBPyConnection, batches: Iterable[Batch], report: CleaningReport
) -> None:
    offset = 0
    for batch in batches:
        report.add_problems(batch.problems)
        report.rows += len(batch.entries)
        _stage_batch(stage, batch, offset, report)
        offset += len(batch.playlists)


def _stage_batch(
    stage: duckdb.DuckDBPyConnection, batch: Batch, offset: int, report: CleaningReport
) -> None:
    stage.register("batch_playlists", batch.playlists)
    stage.execute(
        f"""INSERT INTO playlists
        SELECT row_number() OVER () - 1 + {offset}, source_id, tidy(title), followers, modified
        FROM batch_playlists"""
    )
    present = [name for name in TRACK_FIELDS.names if _known(batch.entries[name])]
    absent = [name for name in ("uri", "title", "artist") if name not in present]
    stage.register("batch_entries", batch.entries.select(["playlist", "position", *present]))
    missing = "".join(f", NULL::VARCHAR AS {name}" for name in absent)
    stage.execute(
        f"""CREATE OR REPLACE TEMP TABLE batch AS
        SELECT *, {_IDENTITY} AS identity FROM (SELECT *{missing} FROM batch_entries)"""
    )
    before = _count(stage, "entries")
    stage.execute(
        f"""INSERT INTO entries SELECT playlist + {offset}, min(position), identity FROM batch
        WHERE identity IS NOT NULL GROUP BY playlist, identity ORDER BY playlist, min(position)"""
    )
    kept = _count(stage, "entries") - before
    nameless = _count(stage, "batch WHERE identity IS NULL")
    report.add("rows without a track", nameless)
    report.add("repeats inside a playlist, first kept", len(batch.entries) - nameless - kept)
    stage.execute(
        f"""INSERT INTO tracks BY NAME
        SELECT identity, {", ".join(f"any_value({name}) AS {name}" for name in present)}
        FROM batch WHERE identity IS NOT NULL AND identity NOT IN (SELECT identity FROM tracks)
        GROUP BY identity"""
    )


def _known(column: pa.ChunkedArray) -> bool:
    return column.null_count < len(column)


def _count(stage: duckdb.DuckDBPyConnection, what: str) -> int:
    row = stage.execute(f"SELECT count(*) FROM {what}").fetchone()
    assert row is not None
    return int(row[0])


def _number(stage: duckdb.DuckDBPyConnection, report: CleaningReport) -> dict[str, int]:
    """Give playlists, tracks, artists and songs their dense ids; count what is dropped."""
    stage.execute(
        """CREATE TABLE repeated AS SELECT playlist FROM playlists WHERE source_id IS NOT NULL
        QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY playlist) > 1"""
    )
    report.add("playlists with the id of an earlier one, first kept", _count(stage, "repeated"))
    stage.execute(
        """CREATE TABLE kept AS
        SELECT playlist, row_number() OVER (ORDER BY playlist) - 1 AS id, length FROM
        (SELECT playlist, count(*) AS length FROM entries ANTI JOIN repeated USING (playlist)
         GROUP BY playlist)"""
    )
    empty = _count(
        stage, "playlists ANTI JOIN repeated USING (playlist) ANTI JOIN kept USING (playlist)"
    )
    report.add("empty playlists", empty)
    stage.execute(
        f"""CREATE TABLE cleaned AS SELECT * REPLACE (
            tidy(title) AS title, tidy(artist) AS artist, tidy(album) AS album,
            CASE WHEN duration_ms BETWEEN 1 AND {LONGEST_MS} THEN duration_ms END AS duration_ms,
            coalesce(nullif(uri, ''), minted('track', normal(artist) || chr(31) || normal(title)))
                AS uri),
            coalesce(nullif(artist_uri, ''), minted('artist', normal(artist)), 'segue:artist:of:'
                || uri) AS artist_key,
            playlists
        FROM tracks JOIN (SELECT identity, count(*)::INTEGER AS playlists FROM entries
                          JOIN kept USING (playlist) GROUP BY identity) USING (identity)"""
    )
    for kind, what in (
        (
            "impossible durations, now unknown",
            f"tracks WHERE duration_ms NOT BETWEEN 1 AND {LONGEST_MS}",
        ),
        (
            "names with control characters, now spaces",
            "tracks WHERE regexp_matches(concat(title, artist, album), '[\\x00-\\x1f\\x7f]')",
        ),
        ("tracks without a title", "cleaned WHERE title IS NULL"),
    ):
        report.add(kind, _count(stage, what))
    stage.execute(
        """CREATE TABLE artists AS
        SELECT artist_key, row_number() OVER (ORDER BY sum(playlists) DESC, artist_key) - 1 AS id,
            arg_max(artist, (playlists, uri)) AS name, count(*)::INTEGER AS tracks,
            sum(playlists)::INTEGER AS entries
        FROM cleaned GROUP BY artist_key"""
    )
    stage.execute(
        """CREATE TABLE numbered AS
        SELECT cleaned.*, artists.id AS artist_id,
            row_number() OVER (ORDER BY playlists DESC, uri) - 1 AS id,
            dense_rank() OVER (ORDER BY artists.id, coalesce(song(title), uri)) - 1 AS song
        FROM cleaned JOIN artists USING (artist_key)"""
    )
    return {
        "playlists": _count(stage, "kept"),
        "entries": _count(stage, "entries JOIN kept USING (playlist)"),
        "tracks": _count(stage, "numbered"),
        "artists": _count(stage, "artists"),
    }


def _write_tables(stage: duckdb.DuckDBPyConnection, folder: Path) -> None:
    descriptive = [
        name for name in TRACK_FIELDS.names if name not in ("uri", "title", "artist", "artist_uri")
    ]
    tables = {
        "playlists": """SELECT source_id, title, followers, modified, length::INTEGER AS length
            FROM playlists JOIN kept USING (playlist) ORDER BY id""",
        "tracks": f"""SELECT uri, title, artist_id::INTEGER AS artist, artist AS artist_name,
            {", ".join(descriptive)}, playlists, song::INTEGER AS song FROM numbered ORDER BY id""",
        "artists": """SELECT artist_key AS uri, name, NULL::VARCHAR AS genres,
            NULL::BIGINT AS followers, NULL::FLOAT AS popularity, tracks, entries
            FROM artists ORDER BY id""",
        "entries": """SELECT kept.id::INTEGER AS playlist,
            (row_number() OVER (PARTITION BY kept.id ORDER BY position) - 1)::INTEGER AS position,
            numbered.id::INTEGER AS track
            FROM entries JOIN kept USING (playlist) JOIN numbered USING (identity)
            ORDER BY 1, 2""",
    }
    for name, query in tables.items():
        stage.execute(
            f"COPY ({query}) TO '{_quoted(folder / name)}.parquet' (FORMAT parquet, "
            "COMPRESSION zstd)"
        )


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _write_arrays(folder: Path, counts: dict[str, int]) -> None:
    """Write what models read at once as plain arrays, memory-mapped when opened."""
    arrays = folder / "arrays"
    arrays.mkdir()
    lengths = pq.read_table(folder / "playlists.parquet", columns=["length"])["length"].to_numpy()
    np.save(arrays / "indptr.npy", np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]))
    track = np.lib.format.open_memmap(
        arrays / "track.npy", mode="w+", dtype=np.int32, shape=(counts["entries"],)
    )
    done = 0
    for batch in pq.ParquetFile(folder / "entries.parquet").iter_batches(
        1 << 20, columns=["track"]
    ):
        track[done : done + len(batch)] = batch["track"].to_numpy()
        done += len(batch)
    track.flush()
    tracks = pq.read_table(folder / "tracks.parquet", columns=["uri", "artist", "song"])
    np.save(arrays / "artist.npy", tracks["artist"].to_numpy())
    np.save(arrays / "song.npy", tracks["song"].to_numpy())
    order = pc.array_sort_indices(tracks["uri"].combine_chunks())
    np.save(arrays / "uri_order.npy", order.to_numpy().astype(np.int32))


def fingerprint(folder: Path) -> str:
    """SHA-256 over playlists, their titles and the tracks' uris: what models learn from."""
    digest = hashlib.sha256()
    for name in ("indptr", "track"):
        digest.update(np.load(folder / "arrays" / f"{name}.npy", mmap_mode="r").data)
    for table, column in (("tracks", "uri"), ("playlists", "title")):
        for batch in pq.ParquetFile(folder / f"{table}.parquet").iter_batches(columns=[column]):
            digest.update("\x1f".join(v or "" for v in batch[column].to_pylist()).encode())
    return digest.hexdigest()
