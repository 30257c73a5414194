"""An endpoint brought up, checked against the answers of this process, and taken back if wrong."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from pydantic import ValidationError

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.query import answer
from core.serving.opened import Opened, opened
from core.serving.schema import Prediction, QueryIn, prediction
from core.workspace import Workspace, checked_name

CHECKED = 12
"""Known queries that a check asks."""
_SEEDS = (0, 1, 5, 25)
_RELATIVE = 1e-4
"""Scores of two machines may differ by their arithmetic; the order of the tracks may not."""


class Target(Protocol):
    """Where an endpoint runs.

    Each `deploy` is a release with an id of its own. It is open until it is accepted or rolled
    back, which only what answers now can be. All this is remembered beyond this process: another
    one may settle what this one deployed, and can do so once.
    """

    @property
    def address(self) -> str | None:
        """Where it answers, for a person; None where nothing is deployed."""

    @property
    def release(self) -> str | None:
        """Id of the release that answers now; None where nothing is deployed."""

    def alone(self) -> AbstractContextManager[None]:
        """Keep other releases of the endpoint away, as far as it can be done from here.

        Raises
        ------
        SegueError
            If another one is under way.
        """

    def deploy(self, folder: Path) -> str:
        """Bring a servable folder up in place of what answers now, and wait until it answers.

        A release that is still open was cut off before its check was over: what answered before it
        counts as what answers now.

        Parameters
        ----------
        folder : Path
            A workspace of one dataset with its models.

        Returns
        -------
        str
            Id of the release.

        Raises
        ------
        SegueError
            If it does not come up; what answered before then answers still.
        """

    def invoke(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The endpoint's answer to the body of an invocation; a SegueError where it gives none."""

    def accept(self, release: str) -> None:
        """Let go of what answered before; a SegueError where this release does not answer now."""

    def roll_back(self, release: str) -> None:
        """Bring back what answered before a release, or nothing if nothing did.

        Raises
        ------
        SegueError
            If another release answers now, or this one was accepted: then nothing changes.
        """

    def stop(self) -> None:
        """Take down whatever answers."""


@dataclass(frozen=True)
class CheckReport:
    """How an endpoint answered known queries.

    Attributes
    ----------
    release : str or None
        Id of what was asked; None where nothing answered.
    asked : int
    wrong : sequence of str
        A sentence on each answer that was missing, or not that of this process.
    """

    release: str | None
    asked: int
    wrong: Sequence[str]


def check(target: Target, folder: Path, progress: Progress = SILENT) -> CheckReport:
    """Ask an endpoint known queries, and compare with the answers of this process.

    Queries are the starts of playlists of the dataset, with and without titles.

    Parameters
    ----------
    target : Target
    folder : Path
        What was deployed.
    progress : Progress

    Raises
    ------
    SegueError
        If the folder cannot be served, so that there is nothing to compare with.
    """
    here = servable(folder)
    release, bodies = target.release, known_queries(here.dataset)
    asked = progress.track(bodies, "Asking known queries")
    wrong = [fault for body in asked if (fault := _fault(target, here, body))]
    return CheckReport(release, len(bodies), wrong)


def release(
    target: Target,
    folder: Path,
    progress: Progress = SILENT,
    seen: Callable[[CheckReport], object] = lambda _: None,
) -> CheckReport:
    """Deploy a servable folder and check it; what fails the check is rolled back.

    Parameters
    ----------
    target : Target
    folder : Path
    progress : Progress
    seen : callable
        Told what the check found, right or wrong, before it has its consequences.

    Raises
    ------
    SegueError
        If the folder cannot be served, does not come up or fails the check, or if another release
        of the endpoint is under way.
    """
    progress.update("Loading the models here")
    servable(folder)
    with target.alone():
        progress.update("Bringing the endpoint up")
        deployed = target.deploy(folder)
        try:
            report = check(target, folder, progress)
            seen(report)
        except BaseException:  # whoever interrupts the check does not want what is not checked
            target.roll_back(deployed)
            raise
        settle(target, deployed, report)
    return report


def settle(target: Target, release: str, report: CheckReport) -> None:
    """Accept a release if its check found nothing wrong; else roll it back, and raise."""
    try:
        require_right(report)
    except SegueError as problem:
        target.roll_back(release)
        raise SegueError(f"Rolled back. {problem}") from None
    target.accept(release)


def check_again(
    target: Target, release: str | None, folder: Path, progress: Progress = SILENT
) -> CheckReport:
    """Check a release that was accepted, as whoever uses it sees it later or from elsewhere.

    Nothing is rolled back: what answered before is gone.

    Raises
    ------
    SegueError
        If something else answers by now, or nothing.
    """
    report = check(target, folder, progress)
    if report.release != release:
        raise SegueError(
            "The endpoint does not answer with what was released: another release took its place, "
            "or it is down."
        )
    return report


def require_right(report: CheckReport) -> None:
    """Raise a SegueError unless a check found nothing wrong."""
    if report.wrong:
        raise SegueError(
            f"The endpoint answered {len(report.wrong)} of {report.asked} known queries wrongly; "
            f"the first: {report.wrong[0]}"
        )


def target_of(kind: str, name: str, home: Path) -> Target | None:
    """A target by its kind.

    Parameters
    ----------
    kind : {"none", "local", "sagemaker"}
        SageMaker's account is what the environment says; see `sagemaker.Account`.
    name : str
        Of the endpoint.
    home : Path
        Workspace that remembers the servers on this machine.

    Returns
    -------
    Target or None
        None for "none".

    Raises
    ------
    SegueError
        If there is no such kind, or its packages are not installed.
    """
    if kind == "none":
        return None
    if kind == "local":
        from core.serving.local import LocalTarget

        return LocalTarget(home / ".endpoints" / checked_name(name))
    if kind != "sagemaker":
        raise SegueError(f"There is no target {kind!r}; there are local, sagemaker and none.")
    try:
        from core.serving.sagemaker import Account, SageMakerTarget
    except ImportError:
        raise SegueError(
            "SageMaker is reached by boto3, which this machine lacks: run `pip install -r "
            "requirements-train.txt`."
        ) from None
    return SageMakerTarget(name, Account.of_environment())


def known_queries(dataset: Dataset) -> list[dict[str, Any]]:
    """Bodies of `CHECKED` invocations, the same for the same dataset."""
    rows = np.linspace(0, dataset.n_playlists - 1, CHECKED).astype(int)
    return [_body(dataset, int(row), _SEEDS[place % len(_SEEDS)]) for place, row in enumerate(rows)]


def servable(folder: Path) -> Opened:
    """The dataset of a servable folder, with its models loaded.

    Raises
    ------
    SegueError
        If it holds several datasets or none, or no models.
    """
    manifests = sorted(folder.glob("[!.]*/manifest.json"))
    if len(manifests) != 1:
        raise SegueError(
            f"{folder} holds {len(manifests)} datasets; a servable folder holds exactly one, with "
            "its models."
        )
    here = opened(Workspace(folder), manifests[0].parent.name)
    _ = here.recommender
    return here


def _body(dataset: Dataset, row: int, n_seeds: int) -> dict[str, Any]:
    tracks = dataset.playlists[row][:n_seeds]
    title = None if n_seeds == 1 else dataset.playlists.titles[row]
    return {"seeds": dataset.values("uri", tracks), "title": title}


def _fault(target: Target, here: Opened, body: Mapping[str, Any]) -> str:
    """What is wrong with the endpoint's answer; empty if nothing is."""
    asked = QueryIn.model_validate(body)
    ours = prediction(answer(here.recommender, asked.query(here.dataset, here.matcher)))
    try:
        theirs = Prediction.model_validate(target.invoke(body))
    except SegueError as problem:
        return str(problem)
    except ValidationError:
        return f"{_shown(body)} is answered by something else than a continuation."
    if [track.uri for track in theirs.tracks] != [track.uri for track in ours.tracks]:
        return f"{_shown(body)} is continued by other tracks."
    scores = zip(ours.tracks, theirs.tracks, strict=True)
    if not all(isclose(a.score, b.score, rel_tol=_RELATIVE) for a, b in scores):
        return f"{_shown(body)} is continued with other scores."
    return ""


def _shown(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)[:200]
