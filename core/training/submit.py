"""Answers to the public challenge, in one go or in parts, written and checked."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import (
    BATCH,
    PublicChallenge,
    read_challenge,
    verify_submission,
    write_submission,
)
from core.evaluation.metrics import LENGTH
from core.progress import SILENT, Progress
from core.trained import load_recommender
from core.training.depot import require_writable
from core.workspace import atomic_file


@dataclass(frozen=True)
class Submission:
    """What was written: playlists, their seeds, and how many of these the dataset lacks."""

    playlists: int
    seeds: int
    unknown_seeds: int

    def sentence(self, dataset: str) -> str:
        """What was written, for a person."""
        return (
            f"500 tracks for each of {self.playlists:,} playlists; {self.unknown_seeds:,} of "
            f"{self.seeds:,} seeds are not in {dataset}."
        )


def write_answers(
    dataset: Dataset,
    challenge: Path,
    out: Path,
    model: str | None = None,
    team: str = "segue",
    email: str = "segue@example.org",
    progress: Progress = SILENT,
) -> Submission:
    """Continue every playlist of a challenge file with 500 tracks, and check what was written.

    Raises
    ------
    SegueError
        If the challenge cannot be read or the file not be written, no model is trained, or the
        dataset has too few tracks.
    """
    require_writable(str(out))
    public = require_challenge(dataset, challenge)
    with TemporaryDirectory() as folder:
        whole = Path(folder) / "part.csv"
        write_part(dataset, public, whole, 0, len(public), model, progress)
        return merge_parts(dataset, public, [whole], out, team, email)


def require_challenge(dataset: Dataset, challenge: Path) -> PublicChallenge:
    """A challenge file that this dataset can answer.

    Raises
    ------
    SegueError
        If it cannot be read, or the dataset has too few tracks.
    """
    public = read_challenge(challenge, dataset)
    longest = max(map(len, public.queries.seeds), default=0)
    if dataset.n_tracks < LENGTH + longest:
        raise SegueError(
            f"{dataset.name} has {dataset.n_tracks} tracks, too few for {LENGTH} beside up to "
            f"{longest} seeds: import a larger dataset."
        )
    return public


def write_part(
    dataset: Dataset,
    public: PublicChallenge,
    out: Path,
    start: int,
    stop: int,
    model: str | None = None,
    progress: Progress = SILENT,
) -> None:
    """Continue some playlists of a challenge, one line each: `pid,uri1,…,uri500`.

    Parameters
    ----------
    dataset : Dataset
    public : PublicChallenge
        The whole challenge.
    out : Path
        Written whole or not at all.
    start, stop : int
        Playlists of the challenge, whole batches: see `core.evaluation.shards.shards`.
    model : str, optional
        What answers.
    progress : Progress

    Raises
    ------
    SegueError
        If no model is trained, or there is none of that name.
    """
    recommender = load_recommender(dataset)
    with atomic_file(out) as partial, partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        for at in progress.track(range(start, stop, BATCH), "Continuing playlists"):
            batch = slice(at, min(at + BATCH, stop))
            found = recommender.recommend(public.queries[batch], LENGTH, model).ids
            for pid, row in zip(public.pids[batch], found, strict=True):
                writer.writerow([pid, *dataset.values("uri", row)])


def merge_parts(
    dataset: Dataset,
    public: PublicChallenge,
    parts: Sequence[Path],
    out: Path,
    team: str = "segue",
    email: str = "segue@example.org",
) -> Submission:
    """Put what `write_part` wrote of a whole challenge into one file, if it passes the check.

    Parameters
    ----------
    dataset : Dataset
    public : PublicChallenge
    parts : sequence of Path
        In the challenge's order.
    out : Path
        Stays as it is where the check fails.
    team, email : str
        For the first row.

    Raises
    ------
    SegueError
        If the parts do not answer the challenge.
    """
    with atomic_file(out) as partial:
        write_submission(partial, public.pids, _answers(public, parts), team, email)
        verify_submission(partial, public, dataset, "The submission")
    known = int(public.queries.lengths.sum())
    return Submission(len(public), known + public.unknown_seeds, public.unknown_seeds)


def _answers(public: PublicChallenge, parts: Sequence[Path]) -> Iterator[list[str]]:
    """The uris of each playlist of the challenge, as the parts have them."""
    rows = _rows(parts)
    for at, pid in enumerate(public.pids):
        answered, *uris = next(rows, [""])
        if answered != str(pid):
            raise SegueError(
                f"The parts answer {at} of {len(public)} playlists and then lack the one with pid "
                f"{pid}: write them again."
            )
        yield uris


def _rows(parts: Sequence[Path]) -> Iterator[list[str]]:
    for part in parts:
        with part.open(newline="", encoding="utf-8") as file:
            yield from csv.reader(file)
