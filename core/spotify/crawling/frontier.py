"""A crawl on disk: what was found, what was answered, and what comes next.

One sqlite3 database a crawl. Playlists and artists are its nodes, numbered as they are found; the
next request is always that of the lowest number still waiting, which makes the crawl breadth-first
and its order a function of the answers alone. An answer and all that follows from it (a page's
tracks, the artists of a playlist, the playlists of an artist, where to go on) is one transaction,
so the frontier is at every moment that of a whole number of answers.
"""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from core.dataset.links import Link
from core.spotify.crawling.crawled import (
    Bounds,
    CrawlGraph,
    CrawlNode,
    CrawlState,
    Kind,
    Skipped,
    Standing,
    StoredPlaylist,
    Task,
)
from core.spotify.crawling.database import Database


class Frontier(Database):
    """What a crawl knows and has still to ask for; see the module, and `Database` for errors."""

    VERSION = 1
    SCHEMA = """
    CREATE TABLE crawl (start TEXT NOT NULL, requests_bound INTEGER NOT NULL,
        depth_bound INTEGER NOT NULL, playlists_bound INTEGER NOT NULL,
        requests INTEGER NOT NULL DEFAULT 0, waiting_until REAL, made INTEGER);
    CREATE TABLE nodes (number INTEGER PRIMARY KEY, kind TEXT NOT NULL, key TEXT NOT NULL,
        name TEXT, depth INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'waiting',
        next_offset INTEGER, tracks INTEGER NOT NULL DEFAULT 0, followers INTEGER,
        UNIQUE (kind, key));
    CREATE INDEX line ON nodes (state);
    CREATE INDEX standing ON nodes (kind, state, depth, tracks);
    CREATE TABLE edges (source INTEGER NOT NULL, target INTEGER NOT NULL, UNIQUE (source, target));
    CREATE TABLE pages (playlist INTEGER NOT NULL, first INTEGER NOT NULL, tracks TEXT NOT NULL,
        skipped TEXT NOT NULL, PRIMARY KEY (playlist, first));
    CREATE TABLE skipped (why TEXT PRIMARY KEY, count INTEGER NOT NULL);
    """

    # --- what comes next ---

    def begin(self, start: Link, bounds: Bounds) -> None:
        """Begin the crawl: its first task is the start playlist."""
        with self._transaction():
            self._create()
            self._connection.execute(
                "INSERT INTO crawl (start, requests_bound, depth_bound, playlists_bound) "
                "VALUES (?, ?, ?, ?)",
                (start.id, bounds.requests, bounds.depth, bounds.playlists),
            )
            self._find("playlist", start.id, None, 0, offset=None)
        self.begun = True

    def rebound(self, bounds: Bounds) -> None:
        """Let the crawl end elsewhere."""
        with self._transaction():
            self._connection.execute(
                "UPDATE crawl SET requests_bound = ?, depth_bound = ?, playlists_bound = ?",
                (bounds.requests, bounds.depth, bounds.playlists),
            )

    def next(self) -> Task | None:
        """What is to be asked next; None where nothing is left within the bounds."""
        with self._sentence():
            return None if self._ending() else self._first_in_line()

    def _first_in_line(self) -> Task | None:
        found = self._connection.execute(
            """SELECT number, kind, key, name, nodes.depth, next_offset FROM nodes, crawl
            WHERE state = 'waiting' AND nodes.depth + (kind = 'artist') <= depth_bound
            ORDER BY number LIMIT 1"""
        ).fetchone()
        return Task(*found) if found else None

    def _ending(self) -> str | None:
        """Why there is nothing more to do; None while there is."""
        requests, most, deepest, most_playlists, playlists = self._row(
            """SELECT requests, requests_bound, depth_bound, playlists_bound,
            (SELECT count(*) FROM nodes WHERE kind = 'playlist' AND state = 'done') FROM crawl"""
        )
        if requests >= most:
            return f"its bound of {most:,} requests is reached"
        if playlists >= most_playlists:
            return f"its bound of {most_playlists:,} playlists is reached"
        if self._first_in_line():
            return None
        (left,) = self._row("SELECT count(*) FROM nodes WHERE state = 'waiting'")
        return f"its bound of depth {deepest} is reached" if left else "nothing is left to ask for"

    # --- answers, each in one transaction ---

    def describe(self, task: Task, title: str | None, followers: int | None) -> None:
        """Record what the start playlist is called; its first page is next."""
        with self._answer():
            self._connection.execute(
                "UPDATE nodes SET name = ?, followers = ?, next_offset = 0 WHERE number = ?",
                (title, followers, task.number),
            )

    def read(
        self,
        task: Task,
        tracks: Sequence[Mapping[str, Any]],
        skipped: Sequence[Skipped],
        next_offset: int | None,
    ) -> None:
        """Record a page of a playlist; after the last, its artists are found.

        Parameters
        ----------
        task : Task
        tracks : sequence of mapping
            Rows of `BATCH_ENTRIES` without the playlist.
        skipped : sequence of (position, why)
        next_offset : int or None
            Of the next page; None after the last.
        """
        with self._answer():
            self._connection.execute(
                "INSERT INTO pages VALUES (?, ?, ?, ?)",
                (task.number, task.offset, json.dumps(tracks), json.dumps(skipped)),
            )
            self._connection.execute(
                "UPDATE nodes SET tracks = tracks + ?, next_offset = ? WHERE number = ?",
                (len(tracks), next_offset, task.number),
            )
            self._skip(Counter(why for _, why in skipped))
            if next_offset is None:
                self._end(task, "done")
                self._find_artists(task)

    def found(
        self, task: Task, playlists: Sequence[tuple[str, str | None]], skipped: Mapping[str, int]
    ) -> None:
        """Record the playlists, as (id, title), that the search for an artist found."""
        with self._answer():
            self._end(task, "done")
            self._skip(skipped)
            for key, title in playlists:
                number = self._find("playlist", key, title, task.depth + 1, offset=0)
                self._connect(task.number, number)

    def refuse(self, task: Task, why: Standing) -> None:
        """Record that Spotify does not give a playlist."""
        with self._answer():
            self._end(task, why)

    def wait(self, until: float) -> None:
        """Record that Spotify asked not to be asked before `until`, in epoch seconds."""
        with self._transaction():
            self._connection.execute("UPDATE crawl SET waiting_until = ?", (until,))

    def made(self) -> None:
        """Record that a dataset was made of all answers so far."""
        with self._transaction():
            self._connection.execute("UPDATE crawl SET made = requests")

    def _find(self, kind: Kind, key: str, name: str | None, depth: int, offset: int | None) -> int:
        """Number of a playlist or an artist, which may be new."""
        self._connection.execute(
            "INSERT OR IGNORE INTO nodes (kind, key, name, depth, next_offset) "
            "VALUES (?, ?, ?, ?, ?)",
            (kind, key, name, depth, offset),
        )
        query = "SELECT number FROM nodes WHERE kind = ? AND key = ?"
        return int(self._row(query, (kind, key))[0])

    def _find_artists(self, task: Task) -> None:
        """Find the artists of a playlist, by falling share of its tracks, ties by order.

        An artist is known by name alone, because names are all that is searched for.
        """
        artist_of = {
            track["uri"]: track["artist"]
            for tracks, _ in self._pages(task.number)
            for track in tracks
            if track["artist"]
        }
        names = {_artist_key(name): name for name in reversed(artist_of.values())}
        counts = Counter(map(_artist_key, artist_of.values()))
        for key, count in counts.most_common():
            number = self._find("artist", key, names[key], task.depth, offset=None)
            self._connect(task.number, number)
            self._connection.execute(
                "UPDATE nodes SET tracks = tracks + ? WHERE number = ?", (count, number)
            )

    def _connect(self, source: int, target: int) -> None:
        self._connection.execute("INSERT OR IGNORE INTO edges VALUES (?, ?)", (source, target))

    def _end(self, task: Task, state: Standing) -> None:
        self._connection.execute(
            "UPDATE nodes SET state = ? WHERE number = ?", (state, task.number)
        )

    def _skip(self, skipped: Mapping[str, int]) -> None:
        self._connection.executemany(
            "INSERT INTO skipped VALUES (?, ?) "
            "ON CONFLICT (why) DO UPDATE SET count = count + excluded.count",
            skipped.items(),
        )

    @contextmanager
    def _answer(self) -> Iterator[None]:
        """Count an answer together with all that follows from it."""
        with self._transaction():
            yield
            self._connection.execute(
                "UPDATE crawl SET requests = requests + 1, waiting_until = NULL"
            )

    # --- what is there ---

    @property
    def start(self) -> Link:
        return Link("playlist", self._row("SELECT start FROM crawl")[0])

    @property
    def bounds(self) -> Bounds:
        return Bounds(*self._row("SELECT requests_bound, depth_bound, playlists_bound FROM crawl"))

    @property
    def waiting_until(self) -> float | None:
        """Epoch seconds before which Spotify is not to be asked, which may be over."""
        return self._row("SELECT waiting_until FROM crawl")[0]

    def state(self) -> CrawlState:
        """How far the crawl is."""
        with self._transaction("DEFERRED"):
            requests, until, made = self._row("SELECT requests, waiting_until, made FROM crawl")
            title, depth, tracks = self._row(
                """SELECT (SELECT name FROM nodes WHERE number = 1),
                max(CASE WHEN state = 'done' THEN depth END), sum(tracks)
                FROM nodes WHERE kind = 'playlist'"""
            )
            playlists, artists = self._counts("playlist"), self._counts("artist")
            refused = (playlists + artists).keys() - {"waiting", "done"}
            return CrawlState(
                self._file.parent.name,
                self.start,
                title,
                self.bounds,
                requests=requests,
                playlists=playlists["done"],
                artists=artists["done"],
                waiting_playlists=playlists["waiting"],
                waiting_artists=artists["waiting"],
                tracks=tracks,
                depth=depth or 0,
                refused={why: playlists[why] + artists[why] for why in sorted(refused)},
                skipped=dict(
                    self._connection.execute("SELECT why, count FROM skipped ORDER BY why")
                ),
                waiting_until=until if until and until > time.time() else None,
                ending=self._ending(),
                made=made == requests,
            )

    def graph(self, most: int) -> CrawlGraph:
        """The first nodes that were found, `most` at most, and what joins them."""
        with self._transaction("DEFERRED"):
            nodes = self._connection.execute(
                "SELECT kind, coalesce(name, ''), depth, tracks, state FROM nodes "
                "WHERE number <= ? ORDER BY number",
                (most,),
            ).fetchall()
            edges = self._connection.execute(
                "SELECT source - 1, target - 1 FROM edges WHERE source <= ? AND target <= ? "
                "ORDER BY rowid",
                (most, most),
            ).fetchall()
            (count,) = self._row("SELECT count(*) FROM nodes")
        return CrawlGraph(
            tuple(CrawlNode(*node) for node in nodes),
            np.array(edges, np.int32).reshape(-1, 2),
            count - len(nodes),
        )

    def playlists(self) -> Iterator[StoredPlaylist]:
        """Playlists with what was read of them, in order of discovery."""
        with self._sentence():
            rows = self._connection.execute(
                "SELECT number, key, name, followers, state FROM nodes "
                "WHERE kind = 'playlist' AND (state <> 'waiting' OR next_offset > 0) "
                "ORDER BY number"
            ).fetchall()
            for number, key, title, followers, state in rows:
                pages = list(self._pages(number))
                yield StoredPlaylist(
                    Link("playlist", key),
                    title,
                    followers,
                    state,
                    [track for tracks, _ in pages for track in tracks],
                    [(position, why) for _, skipped in pages for position, why in skipped],
                )

    def _pages(self, number: int) -> Iterator[tuple[list[dict[str, Any]], list[Skipped]]]:
        """Tracks, and what was none, of each page of a playlist."""
        query = "SELECT tracks, skipped FROM pages WHERE playlist = ? ORDER BY first"
        for tracks, skipped in self._connection.execute(query, (number,)):
            yield json.loads(tracks), json.loads(skipped)

    def _counts(self, kind: Kind) -> Counter[str]:
        """Nodes of a kind by state."""
        query = "SELECT state, count(*) FROM nodes WHERE kind = ? GROUP BY state"
        return Counter(dict(self._connection.execute(query, (kind,))))


def _artist_key(name: str) -> str:
    """An artist's name as names are compared: without regard to case and spaces."""
    return " ".join(name.casefold().split())
