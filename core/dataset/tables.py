"""Foreign CSV and Parquet tables, read by DuckDB; its errors become sentences, numbers are checked.

Nothing is guessed from a sample: the delimiter and the columns come from a CSV's header, every
value is read as text, and what is no valid number becomes null and is counted.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from core.errors import SegueError

MEMORY_LIMIT = "1GB"
_HEAD = 1 << 16
_MISSING = "('', 'na', 'n/a', 'nan', 'null', 'none', '-')"

RANGES = {
    "danceability": "BETWEEN 0 AND 1",
    "energy": "BETWEEN 0 AND 1",
    "key": "IN (-1, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)",
    "loudness": "BETWEEN -60 AND 5",
    "mode": "IN (0, 1)",
    "speechiness": "BETWEEN 0 AND 1",
    "acousticness": "BETWEEN 0 AND 1",
    "instrumentalness": "BETWEEN 0 AND 1",
    "liveness": "BETWEEN 0 AND 1",
    "valence": "BETWEEN 0 AND 1",
    "tempo": "BETWEEN 1e-9 AND 300",
    "popularity": "BETWEEN 0 AND 100",
    "duration_ms": "BETWEEN 0 AND 1e12",
    "year": "BETWEEN 1000 AND 9999",
}
"""What each number may be, as SQL; units as in `schema.AUDIO_FEATURES`, popularity in percent."""

FLAGS = frozenset({"explicit"})
"""Fields that are true or false: true and false, yes and no, 1 and 0, and their first letters."""

TRACK_URI = r"""
CREATE TEMP MACRO track_uri(x) AS
    'spotify:track:' || nullif(regexp_extract(trim(x), '^(?:spotify:track:|'
        '(?:https?://)?open\.spotify\.com/(?:intl-[a-z-]+/)?track/)?([0-9A-Za-z]{22})(?:[?#/].*)?$',
        1), '');
"""
"""SQL that defines `track_uri(x)`: a Spotify track's uri from its id, link or uri, else null."""


@dataclass(frozen=True)
class Table:
    """A table in a file.

    Attributes
    ----------
    name : str
        The file's name, for sentences.
    columns : tuple of str
        Distinct names, trimmed, in the file's order.
    sql : str
        DuckDB's table function that reads it; every column of a CSV is text.
    """

    name: str
    columns: tuple[str, ...]
    sql: str

    def find(self, aliases: Mapping[str, Iterable[str]]) -> dict[str, str]:
        """Which column holds each field: the first alias there is, upper or lower case alike."""
        there = {column.lower(): column for column in reversed(self.columns)}
        found = {
            field: next((there[alias] for alias in names if alias in there), None)
            for field, names in aliases.items()
        }
        return {field: column for field, column in found.items() if column is not None}

    def listing(self) -> str:
        """The columns as a sentence shows them."""
        shown = ", ".join(column[:40] for column in self.columns[:20])
        return shown + (" …" if len(self.columns) > 20 else "")


def open_table(path: Path) -> Table:
    """Look at a CSV's header or a Parquet file's schema.

    Raises
    ------
    SegueError
        If the file is missing, empty, neither text nor Parquet, or its header is not UTF-8.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise SegueError(f"{path}: cannot be read ({error.strerror}).") from error
    if head.startswith(b"PAR1"):
        return _parquet(path)
    if not head.strip():
        raise SegueError(f"{path.name}: the file is empty.")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise SegueError(_not_utf8(path.name, 1))
    if b"\0" in head:
        raise SegueError(
            f"{path.name}: the file is binary, not a table; give a CSV (UTF-8) or Parquet file."
        )
    return _csv(path, head)


def _parquet(path: Path) -> Table:
    sql = f"read_parquet({literal(no_glob(path))})"
    with stage() as connection, sentences(path.name):
        described = connection.execute(f"DESCRIBE FROM {sql}").fetchall()
    return Table(path.name, tuple(row[0] for row in described), sql)


def _csv(path: Path, head: bytes) -> Table:
    line = re.split(rb"\r\n|\r|\n", head.removeprefix(b"\xef\xbb\xbf"), maxsplit=1)[0]
    try:
        header = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise SegueError(_not_utf8(path.name, 1)) from error
    delimiter = max(",;\t", key=header.count)
    names = next(csv.reader(io.StringIO(header), delimiter=delimiter, skipinitialspace=True), [])
    columns = _distinct(names)
    types = ", ".join(f"{literal(column)}: 'VARCHAR'" for column in columns)
    sql = (
        f"read_csv({literal(no_glob(path))}, auto_detect = false, header = true, "
        f"delim = {literal(delimiter)}, quote = '\"', escape = '\"', strict_mode = true, "
        f"columns = {{{types}}})"
    )
    return Table(path.name, columns, sql)


def _distinct(names: Iterable[str]) -> tuple[str, ...]:
    """Trimmed names, numbered where empty or repeated: DuckDB wants them distinct in any case."""
    seen: dict[str, str] = {}
    for place, name in enumerate(names, 1):
        column = name.strip() or f"column {place}"
        while column.lower() in seen:
            column = f"{column} ({place})"
        seen[column.lower()] = column
    return tuple(seen.values())


def no_glob(path: Path) -> str:
    """The path with what DuckDB would take for a pattern in brackets."""
    return re.sub(r"([*?\[])", r"[\1]", str(path))


def literal(text: object) -> str:
    """A string, or a path, as SQL."""
    return "'" + str(text).replace("'", "''") + "'"


def quoted(column: str) -> str:
    """A column's name as SQL."""
    return '"' + column.replace('"', '""') + '"'


@contextmanager
def stage(macros: str = "") -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a database for intermediate tables, bounded in memory, that is gone afterwards."""
    with TemporaryDirectory(prefix="segue-") as folder, duckdb.connect() as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET temp_directory = {literal(folder)}")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(macros)
        yield connection


@contextmanager
def sentences(name: str) -> Iterator[None]:
    """Turn DuckDB's complaints about the file `name` into one sentence."""
    try:
        yield
    except duckdb.Error as error:
        raise SegueError(_sentence(name, str(error))) from error


def _sentence(name: str, message: str) -> str:
    line = re.search(r"CSV Error on Line: (\d+)", message)
    place = f"{name}, line {line[1]}" if line else name
    if "unterminated quote" in message or "Maximum line size" in message:
        return (
            f'{place}: a quote (") is opened and not closed where a field ends; remove it or '
            "double it."
        )
    if "unicode" in message.lower() or "utf-8" in message:
        return _not_utf8(name, line[1] if line else None)
    if counts := re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message):
        return (
            f"{place}: {counts[2]} fields where the header has {counts[1]}; the file may be "
            "truncated, or a comma unquoted."
        )
    return f"{place}: cannot be read as a table ({message.splitlines()[0][:200]})."


def _not_utf8(name: str, line: object) -> str:
    place = f"{name}, line {line}" if line else name
    return f"{place}: the text is not UTF-8; save the file as UTF-8 and try again."


def count(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """Rows of a table."""
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])


def text(column: str) -> str:
    """SQL: a column trimmed, null where empty."""
    return f"nullif(trim({quoted(column)}::VARCHAR), '')"


def number_text(column: str) -> str:
    """SQL: a column as text, null where it says that the number is missing ("NA", "null" …)."""
    trimmed = f"trim({quoted(column)}::VARCHAR)"
    return f"CASE WHEN lower({trimmed}) NOT IN {_MISSING} THEN {trimmed} END"


def year_text(column: str) -> str:
    """SQL: the year of a date YYYY, YYYY-MM or YYYY-MM-DD; other text stays, to be counted."""
    whole = number_text(column)
    date = r"'^(\d{4})(-\d\d){0,2}([ T].*)?$'"
    return f"coalesce(nullif(regexp_extract({whole}, {date}, 1), ''), {whole})"


def number(field: str) -> str:
    """SQL: the value of the text column `field` where it is a number in range, else null."""
    cast = f"TRY_CAST({quoted(field)} AS DOUBLE)"
    return f"CASE WHEN {cast} {RANGES[field]} THEN {cast} END"


def value(field: str) -> str:
    """SQL: what the text column `field` says where that is a number in range or a flag, or null."""
    if field in FLAGS:
        return f"TRY_CAST({quoted(field)} AS BOOLEAN)"
    return number(field)


def _fault(field: str) -> str:
    """SQL: what is wrong with a text that is no value of a field."""
    if field in FLAGS:
        return f"'{field} is neither true nor false, now unknown'"
    return f"""CASE WHEN TRY_CAST({quoted(field)} AS DOUBLE) IS NULL
        THEN '{field} is not a number, now unknown'
        ELSE '{field} is out of range, now unknown' END"""


def faults(fields: Iterable[str], table: str) -> str:
    """SQL: what is wrong with which text column of which row, a row a fault.

    Parameters
    ----------
    fields : iterable of str
        Columns of `table` with the text of numbers and flags, named as in `RANGES` and `FLAGS`.
    table : str
        Has a column `row` as well.

    Returns
    -------
    str
        A query of `row`, `field`, `kind`.
    """
    each = " UNION ALL ".join(
        f"""SELECT row, '{field}' AS field, {_fault(field)} AS kind
        FROM {table} WHERE {quoted(field)} IS NOT NULL AND {value(field)} IS NULL"""
        for field in fields
    )
    return each or "SELECT NULL::BIGINT AS row, NULL AS field, NULL AS kind WHERE false"
