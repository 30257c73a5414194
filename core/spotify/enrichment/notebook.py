"""What services have answered, kept as it comes, so that nothing is asked twice.

One sqlite3 file serves all datasets of a workspace. Each batch of answers is one transaction:
whatever kills the process, what was kept is there.
"""

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from core.errors import SegueError
from core.workspace import Workspace

Answer = Mapping[str, Any]
"""What is known of a track or an artist, by field; fields that are not known are left out."""

_CHUNK = 500
_PATIENCE_S = 30.0
_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    question TEXT, id TEXT, answer TEXT, asked REAL, PRIMARY KEY (question, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refusals (
    app TEXT, endpoint TEXT, refused REAL, PRIMARY KEY (app, endpoint)
) WITHOUT ROWID;
"""


class Notebook:
    """Answers by question and id, and which endpoints refuse which app.

    Parameters
    ----------
    connection : sqlite3.Connection
        See `open_notebook`.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def unanswered(self, question: str, ids: Sequence[str]) -> list[str]:
        """Those of the ids that were never answered, in their order."""
        return [
            each
            for chunk in _chunks(ids)
            for answered in [{row[0] for row in self._rows("id", question, chunk)}]
            for each in chunk
            if each not in answered
        ]

    def answers(self, question: str, ids: Sequence[str]) -> Iterator[tuple[str, Answer]]:
        """The ids that something is known of, in their order, each with its answer."""
        for chunk in _chunks(ids):
            known: dict[str, str] = dict(self._rows("id, answer", question, chunk))
            yield from ((each, json.loads(known[each])) for each in chunk if known.get(each))

    def keep(self, question: str, answers: Mapping[str, Answer]) -> None:
        """Write answers down; an empty one is an answer too: nothing is known of this id."""
        now = time.time()
        with self._connection:
            self._connection.executemany(
                "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)",
                [
                    (
                        question,
                        each,
                        json.dumps(answer, ensure_ascii=False) if answer else None,
                        now,
                    )
                    for each, answer in answers.items()
                ],
            )

    def refuse(self, app: str, endpoint: str) -> None:
        """Write down that an endpoint refuses an app."""
        with self._connection:
            self._connection.execute(
                "INSERT OR REPLACE INTO refusals VALUES (?, ?, ?)",
                (_hashed(app), endpoint, time.time()),
            )

    def refuses(self, app: str, endpoint: str) -> bool:
        """Whether an endpoint refuses an app."""
        found = self._connection.execute(
            "SELECT 1 FROM refusals WHERE app = ? AND endpoint = ?", (_hashed(app), endpoint)
        )
        return found.fetchone() is not None

    def forget_noes(self, app: str, questions: Sequence[str]) -> None:
        """Forget what refuses an app, and the ids of which nothing was known."""
        with self._connection:
            self._connection.execute("DELETE FROM refusals WHERE app = ?", (_hashed(app),))
            self._connection.executemany(
                "DELETE FROM answers WHERE question = ? AND answer IS NULL",
                [(question,) for question in questions],
            )

    def _rows(self, columns: str, question: str, ids: Sequence[str]) -> list[Any]:
        places = ", ".join("?" * len(ids))
        return self._connection.execute(
            f"SELECT {columns} FROM answers WHERE question = ? AND id IN ({places})",
            (question, *ids),
        ).fetchall()


def notebook_folder(workspace: Workspace) -> Path:
    """Where the notebook of a workspace is."""
    return workspace.folder / ".spotify"


@contextmanager
def open_notebook(workspace: Workspace) -> Iterator[Notebook]:
    """Open the notebook of a workspace, a new one if there is none.

    Raises
    ------
    SegueError
        If it cannot be read or written.
    """
    path = notebook_folder(workspace) / "answers.sqlite3"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path, timeout=_PATIENCE_S)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.executescript(_TABLES)
            yield Notebook(connection)
    except (FileExistsError, PermissionError, sqlite3.Error) as error:
        raise SegueError(
            f"{path} cannot be read or written ({error}); make room, or delete it: what was "
            "answered is then asked again."
        ) from error


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _hashed(app: str) -> str:
    """An app told from others without its id, which need not be on disk."""
    return sha256(app.encode()).hexdigest()[:16]
