"""The sqlite3 file of a crawl: opened, read and written in transactions, failing in sentences.

One process writes, any number read meanwhile and are never in the way
(https://www.sqlite.org/wal.html).
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

from core.errors import SegueError

_BUSY_S = 10.0


class Database:
    """One file, of this version or still empty.

    Parameters
    ----------
    file : Path
    writable : bool
        Whether answers are to be recorded; one process at a time may.

    Attributes
    ----------
    begun : bool
        Whether the tables are there.

    Raises
    ------
    SegueError
        Here and in every method, if the database is damaged, of another version, or cannot be
        written.
    """

    VERSION: ClassVar[int]
    SCHEMA: ClassVar[str]

    def __init__(self, file: Path, *, writable: bool = False) -> None:
        self._file = file
        with self._sentence():
            self._connection = sqlite3.connect(
                f"{file.resolve().as_uri()}?mode={'rwc' if writable else 'ro'}",
                uri=True,
                timeout=_BUSY_S,
                isolation_level=None,
            )
            if writable:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = FULL")  # answers outlive a power cut
            (version,) = self._row("PRAGMA user_version")
            if version not in (0, self.VERSION):
                raise SegueError(
                    f"{file} was written by another version of Segue; discard the crawl and begin "
                    "again."
                )
            self.begun = version == self.VERSION

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def _create(self) -> None:
        """Make the tables; within a transaction."""
        for statement in filter(str.strip, self.SCHEMA.split(";")):
            self._connection.execute(statement)
        self._connection.execute(f"PRAGMA user_version = {self.VERSION}")

    def _row(self, query: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The one row that a query finds."""
        with self._sentence():
            row = self._connection.execute(query, values).fetchone()
        assert row is not None
        return tuple(row)

    @contextmanager
    def _transaction(self, kind: str = "IMMEDIATE") -> Iterator[None]:
        """All or nothing; a deferred one only reads, and sees one state."""
        with self._sentence():
            self._connection.execute(f"BEGIN {kind}")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def _sentence(self) -> Iterator[None]:
        """Make one sentence of what the database refuses."""
        try:
            yield
        except sqlite3.Error as error:
            raise SegueError(
                f"{self._file}: the crawl cannot be read or written ({error}); make room, or "
                "discard it and begin again."
            ) from error
