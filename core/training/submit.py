"""Answers to the public challenge, written and checked."""

from dataclasses import dataclass
from pathlib import Path

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import read_challenge, verify_submission, write_submission
from core.evaluation.metrics import LENGTH
from core.progress import SILENT, Progress
from core.training.train import load_recommender

BATCH = 250


@dataclass(frozen=True)
class Submission:
    """What was written: playlists, their seeds, and how many of these the dataset lacks."""

    playlists: int
    seeds: int
    unknown_seeds: int


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
        If the challenge cannot be read, no model is trained, or the dataset has too few tracks.
    """
    public = read_challenge(challenge, dataset)
    longest = max(map(len, public.queries.seeds), default=0)
    if dataset.n_tracks < LENGTH + longest:
        raise SegueError(
            f"{dataset.name} has {dataset.n_tracks} tracks, too few for {LENGTH} beside up to "
            f"{longest} seeds: import a larger dataset."
        )
    recommender = load_recommender(dataset)
    recommender.require_choice(model)
    starts = range(0, len(public), BATCH)
    batches = (
        recommender.recommend(public.queries[start : start + BATCH], LENGTH, model).ids
        for start in progress.track(starts, "Continuing playlists")
    )
    uris = (dataset.values("uri", row) for batch in batches for row in batch)
    write_submission(out, public.pids, uris, team, email)
    verify_submission(out, public, dataset)
    known = int(public.queries.lengths.sum())
    return Submission(len(public), known + public.unknown_seeds, public.unknown_seeds)
