"""Rows in, a clean dataset out, written whole or not at all.

Batches are cleaned and staged: distinct tracks in DuckDB, which spills to disk over its limit, and
entries in a flat file. Memory is bounded by a batch, that limit and a few bytes a playlist.
"""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.dataset.matching import match_keys
from core.dataset.schema import AUDIO_FEATURES, TRACK_FIELDS, TRACK_SQL_TYPES, VERSION
from core.dataset.search import build_index
from core.dataset.sources.base import Batch, Problem
from core.dataset.text import MACROS, normalise
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import atomic_folder, write_json

MEMORY_LIMIT = "512MB"
LONGEST_MS = 24 * 60 * 60 * 1000
EXAMPLES = 5
CHUNK_ENTRIES = 1_000_000
_CONTROL = r"[\x00-\x1f\x7f]"

_STAGE = f"""
CREATE TABLE playlists (source_id VARCHAR, title VARCHAR, followers BIGINT, modified BIGINT,
    length INTEGER, playlist INTEGER);
CREATE TABLE tracks (staged INTEGER, identity UBIGINT,
    {", ".join(f"{name} {kind}" for name, kind in TRACK_SQL_TYPES.items())});
CREATE TEMP MACRO tidy(x) AS
    nullif(trim(CASE WHEN regexp_matches(x, '{_CONTROL}')
        THEN regexp_replace(x, '{_CONTROL}+', ' ', 'g') ELSE x END), '');
CREATE TEMP MACRO name_key(artist, title) AS normal(artist) || chr(31) || normal(title);
CREATE TEMP MACRO minted(kind, x) AS 'segue:' || kind || ':' || left(md5(x), 16);
"""


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
    address : str or None
        Where a downloaded set was published.
    """

    name: str
    source: str
    licence: str | None = None
    simulated: bool = False
    files: tuple[str, ...] = ()
    address: str | None = None


def build(
    batches: Iterable[Batch],
    folder: Path,
    provenance: Provenance,
    progress: Progress = SILENT,
    *,
    searchable: bool = True,
) -> dict[str, Any]:
    """Clean and write a dataset; replace `folder` at success only.

    Cleaning: rows without a track, repeats inside a playlist (first kept), empty playlists,
    repeated playlist ids (first kept), control characters, impossible durations. Where batches
    know a track differently the first batch is believed. A dataset that is not `searchable` lacks
    the text index and the look-up by names, and is sooner written.

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
            kept = _keep_playlists(stage, report)
            if not kept.any():
                raise SegueError(
                    f"{', '.join(provenance.files) or provenance.source}: no playlist with a "
                    f"track was found{report.hint()}; nothing was imported."
                )
            _number_tracks(stage, kept, report)
            progress.update("Writing tables")
            counts = _write(stage, kept, partial)
        if searchable:
            progress.update("Indexing names for search")
            _write_indices(partial, progress)
        manifest = {
            "version": VERSION,
            "name": provenance.name,
            "source": provenance.source,
            "licence": provenance.licence,
            "simulated": provenance.simulated,
            "files": list(provenance.files),
            "address": provenance.address,
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


@dataclass
class _Stage:
    """Distinct tracks and playlists in DuckDB, which spills to disk, and a flat file of entries.

    The entries are int32 numbers of staged tracks, playlist after playlist.
    """

    folder: Path
    database: duckdb.DuckDBPyConnection
    entries: BinaryIO

    def count(self, what: str) -> int:
        row = self.database.execute(f"SELECT count(*) FROM {what}").fetchone()
        assert row is not None
        return int(row[0])

    def column(self, query: str) -> np.ndarray:
        """The only column of a query's result."""
        (values,) = self.database.execute(query).fetchnumpy().values()
        return np.asarray(values)

    def chunks(self) -> Iterator[np.ndarray]:
        """The entries, `CHUNK_ENTRIES` at a time."""
        self.entries.flush()
        path = self.folder / "entries"
        size = path.stat().st_size // 4
        for start in range(0, size, CHUNK_ENTRIES):
            yield np.fromfile(path, np.int32, CHUNK_ENTRIES, offset=4 * start)


@contextmanager
def _stage(partial: Path) -> Iterator[_Stage]:
    """Yield a stage whose files are gone afterwards."""
    folder = partial / "stage"
    folder.mkdir()
    database = duckdb.connect()
    try:
        database.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        database.execute("SET temp_directory = $folder", {"folder": str(folder)})
        database.execute("SET enable_progress_bar = false")
        database.execute(MACROS + _STAGE)
        with (folder / "entries").open("wb") as entries:
            yield _Stage(folder, database, entries)
    finally:
        database.close()
        shutil.rmtree(folder)


def _read(stage: _Stage, batches: Iterable[Batch], report: CleaningReport) -> None:
    for batch in batches:
        report.add_problems(batch.problems)
        report.rows += len(batch.entries)
        playlist, track = _distinct_entries(batch.entries, report)
        is_first = np.zeros(len(batch.entries), bool)
        is_first[track] = True
        staged = _stage_tracks(stage, batch.entries, np.flatnonzero(is_first))
        code = np.cumsum(is_first) - 1
        stage.entries.write(staged[code[track]].astype(np.int32).tobytes())
        lengths = np.bincount(playlist, minlength=len(batch.playlists))
        _stage_playlists(stage, batch.playlists, lengths)


def _distinct_entries(entries: pa.Table, report: CleaningReport) -> tuple[np.ndarray, np.ndarray]:
    """Playlist and track of each entry that stays, by playlist and position.

    A track stands for itself as the first row of the batch that holds it.
    """
    track = _tracks_of(entries)
    playlist = entries["playlist"].to_numpy().astype(np.int64)
    known = track >= 0
    report.add("rows without a track", int((~known).sum()))
    order = _in_order(playlist, entries["position"].to_numpy())
    order = order[known[order]]
    playlist, track = playlist[order], track[order]
    pairs = pa.array(playlist * len(entries) + track)
    first = _first_of_each(pairs.dictionary_encode().indices.to_numpy())
    report.add("repeats inside a playlist, first kept", len(track) - len(first))
    return playlist[first], track[first]


def _in_order(playlist: np.ndarray, position: np.ndarray) -> np.ndarray:
    """Rows by playlist and position; sources mostly yield them so already."""
    place = playlist << 32 | position
    if (place[1:] >= place[:-1]).all():
        return np.arange(len(place))
    return np.argsort(place, kind="stable")


def _first_of_each(codes: np.ndarray) -> np.ndarray:
    """Where each of the codes 0, 1, … that are numbered by first appearance appears first."""
    highest = np.maximum.accumulate(codes)
    return np.flatnonzero(np.diff(highest, prepend=-1))


def _tracks_of(entries: pa.Table) -> np.ndarray:
    """For each entry the first row with the same track, -1 where there is no track.

    A track is its uri; without one, its artist and title as they are compared.
    """
    identity = entries["uri"]
    if not _all_have_uris(entries):
        identity = pc.coalesce(
            pc.if_else(pc.equal(identity, ""), None, identity),
            _names(entries),
        )
    # Codes count distinct values by first appearance.
    codes = identity.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    first = _first_of_each(codes)
    return np.where(codes >= 0, first[codes], -1) if len(first) else codes


def _names(entries: pa.Table) -> pa.ChunkedArray:
    """Artist and title as they are compared, null where either is missing."""
    artist, title = (
        pa.array([name or None for name in normalise(entries[column].to_pylist())], pa.string())
        for column in ("artist", "title")
    )
    return pa.chunked_array([pc.binary_join_element_wise(artist, title, "\x1f")])


def _stage_tracks(stage: _Stage, entries: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Stage the tracks of these rows that are new; the staged number of each, int32."""
    if not len(rows):
        return np.empty(0, np.int32)
    present = [name for name in TRACK_FIELDS.names if entries[name].null_count < len(entries)]
    uri = "uri"
    if not _all_have_uris(entries):
        present = list(dict.fromkeys(["uri", "title", "artist", *present]))
        uri = "coalesce(nullif(uri, ''), minted('track', name_key(artist, title)))"
    stage.database.register("batch", entries.select(present).take(pa.array(rows)))
    stage.database.execute(
        f"""CREATE OR REPLACE TEMP TABLE arrived AS
        SELECT * REPLACE ({uri} AS uri), hash({uri}) AS identity, row_number() OVER () AS row
        FROM batch"""
    )
    stage.database.execute(
        f"""INSERT INTO tracks BY NAME
        SELECT {stage.count("tracks")} + row_number() OVER (ORDER BY row) - 1 AS staged, identity,
            {", ".join(present)}
        FROM arrived WHERE identity NOT IN (SELECT identity FROM tracks)"""
    )
    return stage.column("SELECT staged FROM arrived JOIN tracks USING (identity) ORDER BY row")


def _all_have_uris(entries: pa.Table) -> bool:
    uri = entries["uri"]
    return not uri.null_count and not pc.any(pc.equal(uri, "")).as_py()


def _stage_playlists(stage: _Stage, playlists: pa.Table, lengths: np.ndarray) -> None:
    measured = playlists.append_column("length", pa.array(lengths, pa.int32()))
    stage.database.register("batch", measured)
    stage.database.execute(
        f"""INSERT INTO playlists SELECT source_id, tidy(title), followers, modified, length,
            row_number() OVER () - 1 + {stage.count("playlists")} FROM batch"""
    )


def _keep_playlists(stage: _Stage, report: CleaningReport) -> np.ndarray:
    """Which staged playlists stay, bool, by number; the others are counted."""
    repeated = np.zeros(stage.count("playlists"), bool)
    repeated[
        stage.column(
            """SELECT playlist FROM playlists WHERE source_id IS NOT NULL
            QUALIFY row_number() OVER (PARTITION BY source_id ORDER BY playlist) > 1"""
        )
    ] = True
    empty = stage.column("SELECT length FROM playlists ORDER BY playlist") == 0
    report.add("playlists with the id of an earlier one, first kept", int(repeated.sum()))
    report.add("empty playlists", int((empty & ~repeated).sum()))
    return ~repeated & ~empty


def _kept_entries(stage: _Stage, kept: np.ndarray) -> Iterator[np.ndarray]:
    """Chunks of the entries of the playlists that stay."""
    ends = np.cumsum(stage.column("SELECT length FROM playlists ORDER BY playlist"), dtype=np.int64)
    start = 0
    for chunk in stage.chunks():
        owner = np.searchsorted(ends, np.arange(start, start + len(chunk)), side="right")
        start += len(chunk)
        yield chunk[kept[owner]]


def _number_tracks(stage: _Stage, kept: np.ndarray, report: CleaningReport) -> None:
    """Give tracks, artists and songs their dense ids in the table `numbered`."""
    counts = np.zeros(stage.count("tracks"), np.int32)
    for chunk in _kept_entries(stage, kept):
        counts += np.bincount(chunk, minlength=len(counts)).astype(np.int32)
    staged = np.arange(len(counts), dtype=np.int32)
    stage.database.register("counted", pa.table({"staged": staged, "playlists": counts}))
    report.add(
        "impossible durations, now unknown",
        stage.count(f"tracks WHERE duration_ms NOT BETWEEN 1 AND {LONGEST_MS}"),
    )
    report.add(
        "names with control characters, now spaces",
        stage.count(f"tracks WHERE regexp_matches(concat(title, artist, album), '{_CONTROL}')"),
    )
    stage.database.execute(
        """CREATE TABLE named AS
        SELECT staged, playlists, artist, uri, coalesce(song(title), uri) AS song,
            CASE WHEN artist_uri <> '' THEN artist_uri
                WHEN normal(artist) <> '' THEN minted('artist', normal(artist))
                ELSE 'segue:artist:of:' || uri END AS artist_uri,
            coalesce(trim(title), '') = '' AS untitled
        FROM tracks JOIN counted USING (staged) WHERE playlists > 0"""
    )
    report.add("tracks without a title", stage.count("named WHERE untitled"))
    stage.database.execute(
        """CREATE TABLE artists AS
        SELECT artist_uri AS uri, tidy(arg_max(artist, playlists)) AS name,
            count(*)::INTEGER AS tracks, sum(playlists)::INTEGER AS entries,
            (row_number() OVER (ORDER BY entries DESC, artist_uri) - 1)::INTEGER AS id
        FROM named GROUP BY artist_uri"""
    )
    stage.database.execute(
        """CREATE TABLE numbered AS
        SELECT staged, named.uri, playlists, artists.id AS artist,
            row_number() OVER (ORDER BY playlists DESC, named.uri) - 1 AS id,
            (dense_rank() OVER (ORDER BY artists.id, song) - 1)::INTEGER AS song
        FROM named JOIN artists ON named.artist_uri = artists.uri"""
    )


def _write(stage: _Stage, kept: np.ndarray, folder: Path) -> dict[str, int]:
    """Write tables and arrays; the counts for the manifest."""
    stage.database.register("keeping", pa.table({"kept": kept, "playlist": np.arange(len(kept))}))
    descriptive = ", ".join(("year", "popularity", "genre", "explicit", *AUDIO_FEATURES))
    tables = {
        "playlists": """SELECT source_id, title, followers, modified, length
            FROM playlists JOIN keeping USING (playlist) WHERE kept ORDER BY playlist""",
        "tracks": f"""SELECT numbered.uri, tidy(title) AS title, numbered.artist,
            tidy(tracks.artist) AS artist_name, tidy(album) AS album,
            CASE WHEN duration_ms BETWEEN 1 AND {LONGEST_MS} THEN duration_ms END AS duration_ms,
            {descriptive}, playlists, song
            FROM tracks JOIN numbered USING (staged) ORDER BY id""",
        "artists": """SELECT uri, name, NULL::VARCHAR AS genres, NULL::BIGINT AS followers,
            NULL::FLOAT AS popularity, tracks, entries FROM artists ORDER BY id""",
    }
    for name, query in tables.items():
        target = str(folder / f"{name}.parquet").replace("'", "''")
        stage.database.execute(f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
    arrays = folder / "arrays"
    arrays.mkdir()
    lengths = stage.column("SELECT length FROM playlists ORDER BY playlist")[kept]
    indptr = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    np.save(arrays / "indptr.npy", indptr)
    _write_entries(stage, kept, indptr, folder)
    _write_track_arrays(folder)
    return {
        "playlists": int(kept.sum()),
        "entries": int(indptr[-1]),
        "tracks": stage.count("numbered"),
        "artists": stage.count("artists"),
    }


def _write_entries(stage: _Stage, kept: np.ndarray, indptr: np.ndarray, folder: Path) -> None:
    """The entries as a table, and their tracks as the array that models map."""
    number = np.full(stage.count("tracks"), -1, np.int32)
    numbered = stage.database.execute("SELECT staged, id FROM numbered").fetchnumpy()
    number[numbered["staged"]] = numbered["id"]
    track = np.lib.format.open_memmap(
        folder / "arrays" / "track.npy", mode="w+", dtype=np.int32, shape=(int(indptr[-1]),)
    )
    schema = pa.schema([(name, pa.int32()) for name in ("playlist", "position", "track")])
    start = 0
    with pq.ParquetWriter(folder / "entries.parquet", schema, compression="zstd") as writer:
        for chunk in _kept_entries(stage, kept):
            rows = np.arange(start, start + len(chunk))
            start += len(chunk)
            track[rows] = number[chunk]
            playlist = np.searchsorted(indptr, rows, side="right") - 1
            columns = (playlist, rows - indptr[playlist], number[chunk])
            writer.write_table(
                pa.table([column.astype(np.int32) for column in columns], schema=schema)
            )
    track.flush()


def _write_indices(folder: Path, progress: Progress) -> None:
    names = pq.read_table(folder / "tracks.parquet", columns=["title", "artist_name", "album"])
    artists = pq.read_table(folder / "artists.parquet", columns=["name"])
    build_index(
        folder / "search",
        titles=names["title"],
        artists=names["artist_name"],
        albums=names["album"],
        artist_names=artists["name"],
        progress=progress,
    )
    keys = match_keys(names["title"], names["artist_name"])
    np.save(folder / "arrays" / "match_key.npy", keys)


def _write_track_arrays(folder: Path) -> None:
    """Artist and song of each track, and the order of uris for look-ups."""
    tracks = pq.read_table(folder / "tracks.parquet", columns=["uri", "artist", "song"])
    arrays = folder / "arrays"
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
