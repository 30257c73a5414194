"""#nowplaying's `spotify_dataset.csv`: one row a track in a playlist of a user, 12.9 million rows.

Columns: "user_id", "artistname", "trackname", "playlistname", every value in quotes, quotes inside
as they are, doubled or after a backslash (M. Pichl, E. Zangerle, G. Specht, ICDM Workshops 2015,
https://doi.org/10.1109/ICDMW.2015.145). A playlist is a user and a name; a track has no id, it is
its artist and title.
"""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from core.dataset.schema import BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources.base import Batch, Problem, batch_from_rows, complete
from core.dataset.tables import open_table, stage
from core.errors import SegueError
from core.progress import SILENT, Progress

ENTRIES_A_BATCH = 250_000
"""A batch ends with the playlist that reaches this many entries."""
ROWS_A_CHUNK = 100_000
MEMORY_LIMIT = "512MB"
"""Of the rows that wait for the others of their playlists; more are on disk."""
_LINES_A_ROW = 10
"""A row whose names hold line breaks is looked for in this many lines."""

_COLUMNS = ("user_id", "artistname", "trackname", "playlistname")
_WORDS = ("a user id", "an artist", "a track name", "a playlist name")
_ESCAPED = re.compile(r'\\(["\\])|""')

Line = tuple[int, list[str] | str]
"""Number of a line, from 1, and the fields of the row that begins there, or what is wrong."""


def read(paths: Sequence[Path], progress: Progress = SILENT) -> Iterator[Batch]:
    """Yield the playlists in the order in which the files first name them.

    Rows of a playlist need not be adjacent, nor in one file. Rows that are no row of the header's
    fields, not UTF-8, or without a user, artist, track or playlist name are skipped and noted.

    Parameters
    ----------
    paths : sequence of Path

    Raises
    ------
    SegueError
        If a file is missing, empty, binary or lacks a column.
    """
    with stage() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        columns = ", ".join(f"{column} VARCHAR" for column in _COLUMNS)
        connection.execute(f"CREATE TABLE rows ({columns})")
        for path in paths:
            for problems in _load(connection, path, progress):
                yield batch_from_rows([], [], problems)
        progress.update("Sorting rows by playlist")
        _sort(connection)
        yield from _batches(connection, progress)


def _load(
    connection: duckdb.DuckDBPyConnection, path: Path, progress: Progress
) -> Iterator[list[Problem]]:
    """Stage the rows of a file in their order; yield what is wrong with the others."""
    places, width = _places(path)
    rows: list[list[str]] = []
    problems: list[Problem] = []
    for number, fields in _lines(path, width, progress):
        if isinstance(fields, list):
            fields = [fields[place] for place in places]
            if all(map(str.strip, fields)):
                rows.append(fields)
            else:
                lacks = next(i for i, field in enumerate(fields) if not field.strip())
                fields = f"rows without {_WORDS[lacks]}, skipped"
        if isinstance(fields, str):
            problems.append(Problem(fields, f"{path.name}, line {number}"))
        if len(rows) + len(problems) == ROWS_A_CHUNK:
            _insert(connection, rows)
            yield problems
            rows, problems = [], []
    _insert(connection, rows)
    yield problems


def _places(path: Path) -> tuple[list[int], int]:
    """Where each of `_COLUMNS` is in a row, and the number of fields of a row."""
    table = open_table(path)
    found = table.find({column: (column,) for column in _COLUMNS})
    lacking = [column for column in _COLUMNS if column not in found]
    if lacking:
        raise SegueError(
            f"{path.name}: the header needs {', '.join(_COLUMNS)}; it lacks "
            f"{', '.join(lacking)} and has {table.listing()}."
        )
    return [table.columns.index(found[column]) for column in _COLUMNS], len(table.columns)


def _lines(path: Path, width: int, progress: Progress) -> Iterator[Line]:
    """Every row after the header, and every line that is no part of one."""
    begun: list[tuple[int, str]] = []
    for number, line in _decoded(path, progress):
        if line is None:
            yield from _refused(begun, width)
            begun = []
            yield number, "rows that are not UTF-8, skipped"
            continue
        # The rest of a row may look like a row of its own, so it is tried as a rest first.
        more = begun and not _begins(line)
        fields = _fields("".join(text for _, text in begun) + line, width) if more else None
        if fields is None:
            fields = _fields(line, width)
            if fields is not None or not more:
                yield from _refused(begun, width)
                begun = []
        begun.append((number, line))
        if fields is not None:
            yield begun[0][0], fields
            begun = []
        elif len(begun) > _LINES_A_ROW or not begun[0][1].strip():
            yield from _refused(begun[:1], width)
            begun = begun[1:]
    yield from _refused(begun, width)


def _decoded(path: Path, progress: Progress) -> Iterator[tuple[int, str | None]]:
    """Number and text of each line after the header, None where it is not UTF-8."""
    size = path.stat().st_size
    with path.open("rb") as file:
        done = len(file.readline())
        for number, raw in enumerate(file, 2):
            done += len(raw)
            if number % ROWS_A_CHUNK == 0:
                progress.update("Reading rows", min(done / size, 1.0))
            try:
                yield number, raw.decode()
            except UnicodeDecodeError:
                yield number, None


def _refused(lines: Iterable[tuple[int, str]], width: int) -> Iterator[Line]:
    """Lines that make no row; blank ones are nobody's loss."""
    return (
        (number, f"rows of other than {width} fields, skipped")
        for number, line in lines
        if line.strip()
    )


def _begins(line: str) -> bool:
    """Whether a line is the beginning of a row, not more of one whose names hold line breaks."""
    return line.startswith('"') and not line.startswith(('""', '",'))


def _fields(text: str, width: int) -> list[str] | None:
    """The fields of a row, or None where they are not `width`.

    Quotes inside a field need no escape as long as no comma between two of them looks like the
    end of one; where it does, or not every field is in quotes, the text must be proper CSV.
    """
    text = text.rstrip("\r\n")
    if text.startswith('"') and text.endswith('"'):
        fields = text[1:-1].split('","')
        if len(fields) == width:
            return _unescaped(fields) if "\\" in text or '""' in text else fields
    try:
        rows = list(csv.reader([text], strict=True, skipinitialspace=True))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 and len(rows[0]) == width else None


def _unescaped(fields: Iterable[str]) -> list[str]:
    return [_ESCAPED.sub(lambda found: found[1] or '"', field) for field in fields]


def _insert(connection: duckdb.DuckDBPyConnection, rows: list[list[str]]) -> None:
    if rows:
        arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
        connection.register("chunk", pa.table(arrays, names=list(_COLUMNS)))
        connection.execute("INSERT INTO rows FROM chunk")
        connection.unregister("chunk")


def _sort(connection: duckdb.DuckDBPyConnection) -> None:
    """Number the playlists, divide them into batches, and bring the rows into their order."""
    connection.execute(
        f"""CREATE TABLE playlists AS
        SELECT user_id, playlistname, row_number() OVER (ORDER BY min(rowid)) - 1 AS playlist,
            (sum(count(*)) OVER (ORDER BY min(rowid)) // {ENTRIES_A_BATCH})::BIGINT AS batch
        FROM rows GROUP BY user_id, playlistname"""
    )
    connection.execute(
        """CREATE TABLE entries AS
        SELECT playlist, artistname AS artist, trackname AS title
        FROM rows JOIN playlists USING (user_id, playlistname) ORDER BY playlist, rows.rowid"""
    )
    connection.execute("DROP TABLE rows")


def _batches(connection: duckdb.DuckDBPyConnection, progress: Progress) -> Iterator[Batch]:
    bounds = connection.execute(
        "SELECT min(playlist), max(playlist) FROM playlists GROUP BY batch ORDER BY batch"
    ).fetchall()
    for first, last in progress.track(bounds, "Cleaning rows"):
        within = f"playlist BETWEEN {first} AND {last}"
        playlists = connection.sql(
            f"""SELECT user_id || '/' || playlistname AS source_id, playlistname AS title
            FROM playlists WHERE {within} ORDER BY playlist"""
        )
        entries = connection.sql(
            f"""SELECT playlist - {first} AS playlist, artist, title,
                row_number() OVER (PARTITION BY playlist ORDER BY rowid) - 1 AS position
            FROM entries WHERE {within} ORDER BY rowid"""
        )
        yield Batch(_table(playlists, BATCH_PLAYLISTS), _table(entries, BATCH_ENTRIES))


def _table(rows: duckdb.DuckDBPyRelation, schema: pa.Schema) -> pa.Table:
    table = rows.to_arrow_table()
    return complete({name: table[name] for name in table.column_names}, schema, len(table))
