"""Seeds as a command names them: tracks, and links to playlists, albums and artists.

What the dataset knows needs nobody's leave: a track by its id, an artist by the artist's most
frequent tracks. Only the rest is asked of Spotify, with the app's credentials.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from core.dataset.dataset import Dataset
from core.dataset.links import SAID, Link, spotify_link, track_id, unreadable
from core.dataset.matching import Match, Matcher, MatchReport
from core.dataset.sources.lists import ListedTrack, parse_track
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.spotify.client import Client, Patience, Settings
from core.spotify.errors import NoCredentialsError, NotFoundError, SpotifyError
from core.spotify.objects import on_one_line
from core.spotify.playlists import Reading

ARTISTS_TRACKS = 8
"""Of an artist whom the dataset knows, so many tracks are seeds."""
MOST_SEEDS = 500
"""A playlist here holds so many tracks, and of a link the first that the dataset has: models take
time and memory for each."""
TERMINAL = Patience(attempts=4, pause_s=0.5, timeout_s=10.0, longest_wait_s=60.0)
"""Somebody waits at a terminal."""


@dataclass
class Seeds:
    """What became of the seeds that a person named.

    Attributes
    ----------
    report : MatchReport
        On every track, those of links among them, in order.
    missing : list of ListedTrack
        Tracks that were named one by one and are not in the dataset.
    said : list of str
        A sentence on each link to more than a track, and on what Spotify did not tell.
    """

    report: MatchReport = field(default_factory=MatchReport)
    missing: list[ListedTrack] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class SeedFinder:
    """Finds seeds in one dataset, and asks Spotify where it has to.

    Parameters
    ----------
    dataset : Dataset
    progress : Progress
    """

    def __init__(self, dataset: Dataset, progress: Progress = SILENT) -> None:
        self._dataset, self._progress = dataset, progress
        self._matcher = Matcher(dataset)

    def find(self, texts: Iterable[str]) -> Seeds:
        """Find every track that is named or that a link leads to.

        Parameters
        ----------
        texts : iterable of str
            Each an "Artist - Title", or a link or URI. An id that the dataset does not hold is
            looked up by the title and artist that Spotify knows it by, where that can be asked.

        Raises
        ------
        SegueError
            If a text is neither.
        SpotifyError
            If a playlist, an album or an unknown artist cannot be read.
        """
        seeds = Seeds()
        for link, group in groupby(texts, _to_more_than_a_track):
            if link is None:
                self._take_named(list(group), seeds)
            elif link.kind != "artist" or not self._take_known_artist(link, seeds):
                self._take_read(link, seeds)
        return seeds

    def _take_named(self, texts: list[str], seeds: Seeds) -> None:
        problem = next(filter(None, map(unreadable, texts)), None)
        if problem:
            raise SegueError(problem)
        lines = [line for text in texts for line in text.strip().splitlines() or [text]]
        listed = [_parsed(line, number) for number, line in enumerate(lines, 1)]
        rows = self._matcher.match(listed).rows
        nameless = [at for at, row in enumerate(rows) if row.track < 0 and not row.listed.title]
        client = _client() if nameless else None
        if client:
            try:
                for at in nameless:
                    rows[at] = self._by_name(client, rows[at])
            except SpotifyError as error:
                seeds.said.append(str(error))
        seeds.report.rows.extend(rows)
        seeds.missing += [row.listed for row in rows if row.track < 0]

    def _by_name(self, client: Client, row: Match) -> Match:
        """The same track by its title and artist, which Spotify knows by its id."""
        reading = Reading(client, Link("track", track_id(row.listed.uri or "") or ""))
        try:
            reading.advance()
        except NotFoundError:
            return row
        return self._matcher.match(reading.tracks).rows[0] if reading.tracks else row

    def _take_known_artist(self, link: Link, seeds: Seeds) -> bool:
        """Take the most frequent tracks of an artist; False if the dataset has none of that uri."""
        artists = self._dataset.artists
        artist = artists["uri"].index(link.uri).as_py()
        if artist < 0:
            return False
        own = np.flatnonzero(self._dataset.artist == artist)
        columns = [
            self._dataset.values(name, own[:ARTISTS_TRACKS]) for name in ("uri", "title", "album")
        ]
        name = artists["name"][artist].as_py()
        listed = [
            ListedTrack(uri, title, name, album, None, line)
            for line, (uri, title, album) in enumerate(zip(*columns, strict=True), 1)
        ]
        seeds.report.rows.extend(self._matcher.match(listed).rows)
        seeds.said.append(
            f"“{on_one_line(name)}”: the {len(listed)} most frequent of {len(own)} tracks in "
            f"{self._dataset.name}."
        )
        return True

    def _take_read(self, link: Link, seeds: Seeds) -> None:
        """Read what a link leads to from Spotify."""
        client = _client()
        if client is None:
            raise NoCredentialsError(
                *Settings.from_environment().missing,
                doing=f"Reading {SAID[link.kind]} from Spotify",
                instead="name its tracks one by one",
            )
        reading = Reading(client, link)
        report = self._matcher.match(reading.finish(self._progress).tracks)
        rows = _first(report.rows, MOST_SEEDS)
        seeds.report.rows.extend(rows)
        cut = f"; the first {MOST_SEEDS} are seeds" if len(rows) < len(report.rows) else ""
        seeds.said.append(f"{_outcome(reading, report, self._dataset.name)}{cut}.")


def _to_more_than_a_track(text: str) -> Link | None:
    link = spotify_link(text)
    return None if link is None or link.kind == "track" else link


def _parsed(text: str, line: int) -> ListedTrack:
    track = parse_track(text, line)
    if track is None:
        raise SegueError(
            f'{text[:80]!r} is no track: write "Artist - Title", or a uri or link of Spotify\'s.'
        )
    return track


def _client() -> Client | None:
    settings = Settings.from_environment()
    return Client(settings, patience=TERMINAL) if settings.has_app else None


def _first(rows: list[Match], most: int) -> list[Match]:
    """The rows to where so many distinct tracks are found."""
    found: set[int] = set()
    for at, row in enumerate(rows):
        if row.track >= 0:
            found.add(row.track)
        if len(found) == most:
            return rows[: at + 1]
    return rows


def _outcome(reading: Reading, report: MatchReport, dataset: str) -> str:
    """How much of a link is in the dataset, and how it was found."""
    return (
        f"“{reading.title or reading.link.uri}”: {len(report.rows) - report.missing:,} of "
        f"{len(report.rows):,} tracks are in {dataset}{f' ({report.ways})' if report.ways else ''}"
        f"{f'; skipped: {reading.said_skipped}' if reading.skipped else ''}"
    )
