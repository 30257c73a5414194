"""What services know of a dataset's tracks and artists: asked once, joined into the dataset.

Every answer is kept in the workspace's notebook as it comes and joined at the end, so that an
interrupted run goes on where it stopped. What is known already is neither asked nor replaced.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.dataset.dataset import Dataset
from core.dataset.joins import ARTIST_FACTS, TRACK_FACTS, coverage
from core.dataset.library import open_dataset, open_writable
from core.dataset.schema import AUDIO_FEATURES
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.spotify.client import Settings
from core.spotify.enrichment.features import SOURCES, FeatureSource
from core.spotify.enrichment.merge import (
    artist_ids,
    identified,
    join_answers,
    track_ids,
    unanswered,
)
from core.spotify.enrichment.notebook import Notebook, notebook_folder, open_notebook
from core.spotify.enrichment.questions import Asked, Questions, ask, questions_of, refused
from core.spotify.errors import SpotifyError, clock_time
from core.spotify.health import JOB, Patience
from core.workspace import Workspace, alone

_ASKED_FACTS = tuple(name for name in TRACK_FACTS if name != "genre")
"""Genres are known of artists only."""
_SAID_WAIT_S = 3.0
"""Waits from here on are worth a word."""
_TAKEN = "Another run is asking for this workspace just now; wait for it."

Coverage = dict[str, dict[str, float]]
"""Share of a dataset's "tracks", and of its "artists", that have each field, 0 to 1."""


@dataclass(frozen=True)
class Enrichment:
    """What a run did.

    Attributes
    ----------
    dataset, source, licence : str
        What was enriched, from where, and what may be done with that.
    tracks : int
        The most popular tracks with a Spotify id, which the run was about.
    beyond : int
        Less popular tracks with one, which it was not about.
    without_id : int
        Tracks without one, which cannot be asked for.
    asked : tuple of Asked
        Question by question.
    refused : tuple of str
        What the source does not answer this app, and is not asked any more.
    before, after : Coverage
    """

    dataset: str
    source: str
    licence: str
    tracks: int
    beyond: int
    without_id: int
    asked: tuple[Asked, ...]
    refused: tuple[str, ...]
    before: Coverage
    after: Coverage

    def sentences(self) -> list[str]:
        """What was asked, and what was not; the counts of each sentence add up."""
        total = self.tracks + self.beyond + self.without_id
        left_alone = {
            "with a Spotify id that are less popular": self.beyond,
            "without a Spotify id": self.without_id,
        }
        counts = " and ".join(f"{count:,} {which}" for which, count in left_alone.items() if count)
        said = [
            f"{self.dataset}: {self.tracks:,} of {total:,} tracks are looked at"
            f"{f'; left as they are: {counts}' if counts else ''}."
        ]
        said += [each.sentence(self.source) for each in self.asked]
        if self.refused:
            said.append(
                f"{self.source} refuses this app: {', '.join(self.refused)}. That is remembered; "
                "--anew asks again."
            )
        return said


def as_table(report: Enrichment) -> tuple[list[str], list[list[str]]]:
    """Header and rows: what is known of each field of tracks and of artists."""
    rows = [
        [f"{what}: {field}", f"{report.before[what][field]:.1%}", f"{share:.1%}"]
        for what, shares in report.after.items()
        for field, share in shares.items()
    ]
    return ["known of", "before", "now"], rows


def enrich(
    workspace: Workspace,
    name: str,
    source: str,
    settings: Settings,
    *,
    most: int | None = None,
    anew: bool = False,
    patience: Patience = JOB,
    progress: Progress = SILENT,
) -> Enrichment:
    """Ask a source for what a dataset lacks, and fill its gaps.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the dataset.
    source : str
        A key of `features.SOURCES`.
    settings : Settings
    most : int, optional
        Ask for so many of the most popular tracks only, and for their artists.
    anew : bool
        Ask again what was refused, and for tracks and artists of which nothing was known.
    patience : Patience
    progress : Progress

    Returns
    -------
    Enrichment

    Raises
    ------
    SegueError
        If there is nothing to ask for, the source is unknown, or it cannot be asked any more. What
        was answered until then is joined, and the same call goes on.
    """
    steps = _Steps(progress, _service(source).origin.source)
    rows = identified(open_dataset(workspace, name))
    if not len(rows):
        raise SegueError(
            f"No track of {name!r} has a Spotify id, so none can be asked for; join a file of "
            "audio features, by title and artist, instead."
        )
    service = _service(source)(settings, patience, steps.wait)
    dataset = open_writable(workspace, name)
    questions, before = questions_of(service), known(dataset.folder)
    asked: list[Asked] = []
    problem = None
    with open_notebook(workspace) as notebook, alone(notebook_folder(workspace), _TAKEN):
        if anew:
            notebook.forget_noes(service.app, [question.name for question in questions])
        try:
            asked.extend(_ask(dataset, rows[:most], notebook, questions, service.app, steps))
        except SpotifyError as error:
            problem = error
        end = steps.within(0.9, 1.0, "")
        join_answers(dataset, rows, notebook, questions, service.origin, end)
        refusals = refused(questions, notebook, service.app)
    if problem:
        raise SegueError(
            f"{problem} What was answered until then is joined; the same command goes on."
        ) from problem
    return Enrichment(
        name,
        service.origin.source,
        service.origin.licence,
        tracks=len(rows[:most]),
        beyond=len(rows) - len(rows[:most]),
        without_id=dataset.n_tracks - len(rows),
        asked=tuple(asked),
        refused=refusals,
        before=before,
        after=known(dataset.folder),
    )


@dataclass(frozen=True)
class Plan:
    """What a run would begin with.

    Attributes
    ----------
    tracks, without_id : int
        With a Spotify id, and without.
    lacking, unanswered : int array
        Of the tracks with an id, by falling popularity, the places of those that lack something,
        and of those among them that were never asked about.
    at_once : int
        Tracks of one request; 0 where the source refuses this app all.
    refused : tuple of str
        What the source does not answer this app, and is not asked any more.
    """

    tracks: int
    without_id: int
    lacking: np.ndarray
    unanswered: np.ndarray
    at_once: int
    refused: tuple[str, ...]

    def known(self, most: int) -> int:
        """How many of the `most` most popular tracks lack nothing."""
        return min(most, self.tracks) - int(np.searchsorted(self.lacking, most))

    def left(self, most: int) -> int:
        """How many of the `most` most popular tracks were never asked about and lack something."""
        return int(np.searchsorted(self.unanswered, most))


def plan(workspace: Workspace, name: str, source: str, settings: Settings) -> Plan:
    """See what `enrich` would begin with; nothing is sent.

    Raises
    ------
    SegueError
        If the source is unknown or cannot be asked with these settings.
    """
    service = _service(source)(settings, JOB, time.sleep)
    dataset = open_dataset(workspace, name)
    rows = identified(dataset)
    questions = questions_of(service)
    first = next(iter(questions))
    fields = _ASKED_FACTS if first is questions.tracks else AUDIO_FEATURES
    lacking = np.flatnonzero(_lacking(dataset, fields)[rows])
    with open_notebook(workspace) as notebook:
        ways = first.open_to(service.app, notebook)
        left = unanswered(dataset, rows[lacking], notebook, first)
        refusals = refused(questions, notebook, service.app)
    return Plan(
        tracks=len(rows),
        without_id=dataset.n_tracks - len(rows),
        lacking=lacking,
        unanswered=lacking[left],
        at_once=ways[0].most_ids if ways else 0,
        refused=refusals,
    )


def known(folder: Path) -> Coverage:
    """How much is known of the tracks and the artists of a dataset's folder."""
    return {
        "tracks": coverage(folder, (*AUDIO_FEATURES, *TRACK_FACTS)),
        "artists": coverage(folder, ARTIST_FACTS, "artists"),
    }


def _service(source: str) -> type[FeatureSource]:
    if source not in SOURCES:
        raise SegueError(f"{source!r} is no source; there are {', '.join(SOURCES)}.")
    return SOURCES[source]


def _ask(
    dataset: Dataset,
    rows: np.ndarray,
    notebook: Notebook,
    questions: Questions,
    app: str,
    progress: Progress,
) -> Iterator[Asked]:
    """Ask about tracks, one question after the other: artists are found by the tracks' answers."""
    start = 0.0
    if questions.tracks and questions.artists:
        ids = track_ids(dataset, rows[_lacking(dataset, _ASKED_FACTS)[rows]])
        step = progress.within(0.0, 0.5, "")
        yield ask(questions.tracks, ids, len(rows), notebook, app, step)
        artists = artist_ids(dataset, rows, notebook, questions.tracks)
        ids, step = _lacking_artists(dataset, artists), progress.within(0.5, 0.7, "")
        yield ask(questions.artists, ids, len({*artists.values()}), notebook, app, step)
        start = 0.7
    ids = track_ids(dataset, rows[_lacking(dataset, AUDIO_FEATURES)[rows]])
    step = progress.within(start, 0.9, "")
    yield ask(questions.audio_features, ids, len(rows), notebook, app, step)


def _lacking(dataset: Dataset, fields: Sequence[str]) -> np.ndarray:
    """Which tracks lack one of these fields, bool, shape (n_tracks,)."""
    lacks = np.zeros(dataset.n_tracks, bool)
    for name in fields:
        lacks |= dataset.column(name).is_null().to_numpy(zero_copy_only=False)
    return lacks


def _lacking_artists(dataset: Dataset, ids: Mapping[int, str]) -> list[str]:
    """The distinct ids of artists who lack a fact."""
    lacks = np.zeros(len(dataset.artists), bool)
    for name in ARTIST_FACTS:
        lacks |= dataset.artists[name].is_null().to_numpy()
    return list(dict.fromkeys(each for artist, each in ids.items() if lacks[artist]))


class _Steps(Progress):
    """The progress of a run, which also says what is waited for.

    Parameters
    ----------
    progress : Progress
        Where it is shown.
    service : str
        Who makes us wait.
    """

    def __init__(self, progress: Progress, service: str) -> None:
        self._progress, self._service = progress, service
        self._fraction: float | None = None

    def update(self, label: str, fraction: float | None = None) -> None:
        self._fraction = fraction
        self._progress.update(label, fraction)

    def wait(self, seconds: float) -> None:
        """Sleep, and say so where it takes long."""
        if seconds >= _SAID_WAIT_S:
            until = clock_time(time.time() + seconds)
            self._progress.update(f"{self._service} asks for a pause until {until}", self._fraction)
        time.sleep(seconds)
