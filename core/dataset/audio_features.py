"""Join an audio-feature table into a dataset: by id, then by title and artist.

A table is any CSV or Parquet with a Spotify id, or a title and an artist, and some of the eleven
features. DuckDB streams it within a bounded memory, whatever its size.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from core.dataset.build import CleaningReport
from core.dataset.dataset import Dataset
from core.dataset.joins import TRACK_FACTS, Origin, coverage, rewrite, rows
from core.dataset.matching import MATCH_MACROS
from core.dataset.schema import AUDIO_FEATURES, TRACK_SQL_TYPES
from core.dataset.tables import (
    TRACK_URI,
    Table,
    count,
    faults,
    number_text,
    open_table,
    sentences,
    stage,
    text,
    value,
    year_text,
)
from core.errors import SegueError
from core.progress import SILENT, Progress

_IDENTITY: dict[str, tuple[str, ...]] = {
    "uri": ("track_uri", "uri", "track_id", "spotify_id", "spotify_uri", "url", "id"),
    "title": ("track_name", "title", "name", "track", "song"),
    "artist": ("track_artist", "artist_name", "artist", "artists", "artist_names"),
}
_VALUES: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in AUDIO_FEATURES},
    "duration_ms": ("duration_ms",),
    "year": ("year", "release_year", "release_date", "track_album_release_date"),
    "popularity": ("popularity", "track_popularity"),
    "explicit": ("explicit", "is_explicit", "track_explicit"),
}
_TEXTS: dict[str, tuple[str, ...]] = {
    "genre": ("genre", "track_genre", "playlist_genre"),
    "album": ("album", "album_name", "track_album_name"),
}


@dataclass(frozen=True)
class FeatureReport:
    """What a join did.

    Attributes
    ----------
    table : str
        The file's name, or what its values come from.
    licence : str or None
        What may be done with the values, where that is known.
    rows : int
        Rows of the table.
    by_id, by_name : int
        Tracks of the dataset found by id, and by title and artist.
    before, after : float
        Share of the dataset's tracks that have at least one audio feature, 0 to 1.
    features_before, features : dict of str to float
        Share of the tracks that have each feature, before and afterwards.
    facts_before, facts : dict of str to float
        The same of what else the tables know of tracks, `joins.TRACK_FACTS`.
    problems : dict
        What was skipped, as the cleaning report gives it: rows read, count and examples by kind.
    """

    table: str
    rows: int
    by_id: int
    by_name: int
    before: float
    after: float
    features_before: dict[str, float]
    features: dict[str, float]
    facts_before: dict[str, float]
    facts: dict[str, float]
    licence: str | None = None
    problems: dict[str, Any] = field(default_factory=dict)

    @property
    def brings_news(self) -> bool:
        """Whether more is known of the tracks than before."""
        return self.features != self.features_before or self.facts != self.facts_before


def join_features(
    dataset: Dataset, path: Path, progress: Progress = SILENT, origin: Origin | None = None
) -> FeatureReport:
    """Add the table's features to the dataset's tracks.

    A row found by id replaces the features that it knows; a row found by title and first artist
    only fills gaps, as do album, genre, year, popularity, duration and the explicit flag always,
    and everything where the table has an `origin`: what a user's own file says stays. The title
    must be the same version's, for a live take has other features than its studio recording. Text
    that is no number or flag, numbers out of range and repeated ids (the first is kept) are
    counted.

    A crash leaves all or nothing of the join, at worst without the manifest's copy of the record,
    which the next join makes; see `joins.rewrite`. A table with an origin that brings nothing new
    leaves the files alone.

    Parameters
    ----------
    dataset : Dataset
        The one to extend, on disk; open it again to see the features.
    path : Path
        CSV (UTF-8, comma, semicolon or tab) or Parquet. Columns in upper or lower case: track_id,
        id, uri or url; track_name, title or name with artist, artist_name or artists; the
        features; album, genre, year or release_date, popularity, duration_ms, explicit (true or
        false).
    origin : Origin, optional
        Of a table that no user has made; the record names it and its licence.

    Returns
    -------
    FeatureReport

    Raises
    ------
    SegueError
        If the table cannot be read, or has no column to find a track by, or no feature.
    """
    table = open_table(path)
    columns = _recognise(table)
    folder = dataset.folder
    before = {"features": coverage(folder), "facts": coverage(folder, TRACK_FACTS)}
    with stage(MATCH_MACROS + TRACK_URI + _NAME_KEY) as connection:
        progress.update("Reading features", None)
        with sentences(table.name):
            _load(connection, table, columns)
        report = _problems(connection, table.name, columns)
        progress.update("Finding tracks", None)
        by_id, by_name = _find(connection, rows(folder, "tracks"))
        progress.update("Writing tracks", None)
        merged = [name for name in columns if name not in _IDENTITY]
        _merge(connection, rows(folder, "tracks"), merged, replacing=origin is None)
        result = FeatureReport(
            table=origin.source if origin else table.name,
            rows=report.rows,
            by_id=by_id,
            by_name=by_name,
            features_before=before["features"],
            facts_before=before["facts"],
            **_coverage(connection),
            licence=origin.licence if origin else None,
            problems=report.as_json(),
        )
        if origin is None or result.brings_news:
            rewrite(connection, folder, "tracks", merged, asdict(result), progress)
    return result


def _recognise(table: Table) -> dict[str, str]:
    """Field to column; see `join_features` for what is needed."""
    columns = table.find(_IDENTITY | _VALUES | _TEXTS)
    if "uri" not in columns and not {"title", "artist"} <= columns.keys():
        raise SegueError(
            f'{table.name}: tracks need an id ("track_id", "uri") or a title and an artist '
            f'("track_name", "artist"); the columns are {table.listing()}.'
        )
    if not columns.keys() & set(AUDIO_FEATURES):
        raise SegueError(
            f"{table.name}: none of the audio features ({', '.join(AUDIO_FEATURES)}) is among the "
            f"columns, which are {table.listing()}."
        )
    return columns


# Not the song title of `match_key`: versions differ in their features. Guests are no version.
_NAME_KEY = r"""
CREATE TEMP MACRO name_key(title, artist) AS
    md5_number_lower(
        nullif(normal(regexp_replace(lower(title),
            '\s*[(\[](feat|ft|featuring|with)\b[^)\]]*[)\]]', '')), '')
        || chr(31) || first_artist(artist));
"""


def _load(connection: duckdb.DuckDBPyConnection, table: Table, columns: dict[str, str]) -> None:
    """Stage the rows as text, under our names, numbered; an id that is a link as a uri."""
    fields = []
    for ours, theirs in columns.items():
        if ours == "uri":
            sql = f"coalesce(track_uri({text(theirs)}), {text(theirs)})"
        elif ours == "year":
            sql = year_text(theirs)
        else:
            sql = number_text(theirs) if ours in _VALUES else text(theirs)
        fields.append(f"{sql} AS {ours}")
    fields += [f"NULL::VARCHAR AS {name}" for name in _IDENTITY if name not in columns]
    connection.execute(
        f"CREATE TABLE raw AS SELECT row_number() OVER () AS row, {', '.join(fields)} "
        f"FROM {table.sql}"
    )


def _problems(
    connection: duckdb.DuckDBPyConnection, name: str, columns: Mapping[str, str]
) -> CleaningReport:
    """Count what is skipped; the first rows of each kind as examples."""
    report = CleaningReport()
    report.rows = count(connection, "raw")
    values = [field for field in columns if field in _VALUES]
    found = connection.execute(
        f"""SELECT kind, field, count(*), min(row) FROM ({faults(values, "raw")})
        GROUP BY kind, field ORDER BY kind"""
    ).fetchall()
    found += connection.execute(
        """SELECT 'rows with the id of an earlier one, skipped', 'uri', count(*), min(row) FROM
            (SELECT row FROM raw WHERE uri IS NOT NULL
             QUALIFY row_number() OVER (PARTITION BY uri ORDER BY row) > 1)
        UNION ALL
        SELECT 'rows without an id or a title and an artist, skipped', 'uri', count(*), min(row)
        FROM raw WHERE uri IS NULL AND (title IS NULL OR artist IS NULL)"""
    ).fetchall()
    for kind, where, times, row in found:
        if times:
            report.add(kind, times, f"{name}, row {row}, {columns.get(where, 'title')}")
    return report


def _find(connection: duckdb.DuckDBPyConnection, tracks: str) -> tuple[int, int]:
    """Fill the tables `by_id` and `by_name` (id, row); return how many tracks are in each."""
    connection.execute(
        f"""CREATE TABLE tracks AS SELECT file_row_number AS id, uri, title, artist_name
        FROM {tracks}"""
    )
    connection.execute(
        """CREATE TABLE by_id AS
        SELECT id, min(row) AS row FROM tracks JOIN raw USING (uri) GROUP BY id"""
    )
    connection.execute(
        """CREATE TABLE by_name AS
        SELECT id, row FROM
            (SELECT id, name_key(title, artist_name) AS names
             FROM tracks ANTI JOIN by_id USING (id))
        JOIN
            (SELECT name_key(title, artist) AS names, min(row) AS row FROM raw GROUP BY names)
        USING (names)"""
    )
    return count(connection, "by_id"), count(connection, "by_name")


def _merge(
    connection: duckdb.DuckDBPyConnection, tracks: str, names: Sequence[str], *, replacing: bool
) -> None:
    """Fill the table `merged`: what every track's row will say, by id, and what it said before."""
    values = ", ".join(
        f"{value(name) if name in _VALUES else name}::{TRACK_SQL_TYPES[name]} AS {name}"
        for name in names
    )
    connection.execute(
        f"""CREATE TABLE found AS SELECT id, is_by_id, {values} FROM
            (SELECT *, true AS is_by_id FROM by_id UNION ALL SELECT *, false FROM by_name)
        JOIN raw USING (row)"""
    )
    known = {name: f"old.{name}" for name in (*AUDIO_FEATURES, *TRACK_FACTS)}
    filled = {name: f"coalesce(old.{name}, found.{name})" for name in names}
    replaced = {
        name: f"CASE WHEN is_by_id THEN coalesce(found.{name}, old.{name}) ELSE {filled[name]} END"
        for name in names
        if name in AUDIO_FEATURES and replacing
    }
    columns = ", ".join(f"{sql} AS {name}" for name, sql in (known | filled | replaced).items())
    had = " OR ".join(f"old.{name} IS NOT NULL" for name in AUDIO_FEATURES)
    connection.execute(
        f"""CREATE TABLE merged AS SELECT old.file_row_number AS id, {had} AS had, {columns}
        FROM {tracks} AS old LEFT JOIN found ON found.id = old.file_row_number"""
    )


def _coverage(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Shares of `merged`, for the report."""
    some = " OR ".join(f"{name} IS NOT NULL" for name in AUDIO_FEATURES)
    fields = (*AUDIO_FEATURES, *TRACK_FACTS)
    each = ", ".join(f"count({name}) / count(*)" for name in fields)
    before, after, *shares = connection.execute(
        f"""SELECT count(*) FILTER (had) / count(*), count(*) FILTER ({some}) / count(*), {each}
        FROM merged"""
    ).fetchall()[0]
    now = dict(zip(fields, shares, strict=True))
    return {
        "before": before,
        "after": after,
        "features": {name: now[name] for name in AUDIO_FEATURES},
        "facts": {name: now[name] for name in TRACK_FACTS},
    }
