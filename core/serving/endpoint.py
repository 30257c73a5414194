"""An endpoint brought up, checked against the answers of this process, and taken back if wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from core.errors import SegueError
from core.progress import SILENT, Progress
from core.serving.known import CHECKED, fault, known_queries
from core.serving.opened import Opened, opened
from core.workspace import Workspace, checked_name

_RECORDS = ".endpoints"
"""Folder of a workspace that remembers the servers on this machine."""
_SINGLY = CHECKED // 2
"""Known queries that are asked one by one; the others are one batch."""


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

    def require_told(self) -> None:
        """Raise a SegueError that names what `deploy` needs to be told, if that is missing."""

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
            If it does not come up. What answered before then answers still, as it does after an
            interrupt.
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

    The first half of `known_queries` is asked one by one, the other in one batch.

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
    release, bodies = target.release, known_queries(here)
    asked = progress.track(_faults(target, here, bodies), "Asking known queries", len(bodies))
    return CheckReport(release, len(bodies), [wrong for wrong in asked if wrong])


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
        If the target needs to be told more, the folder cannot be served, does not come up or fails
        the check, or if another release of the endpoint is under way.
    """
    target.require_told()
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
    if report.wrong and report.release is None:
        raise SegueError(report.wrong[0])  # why nothing answers, as all of them say
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

        return LocalTarget(home / _RECORDS / f"{checked_name(name)}.json")
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


def served(home: Path) -> set[str]:
    """Folders that servers on this machine answer from.

    Parameters
    ----------
    home : Path
        As for `target_of`.
    """
    from core.serving.local import LocalTarget

    targets = map(LocalTarget, (home / _RECORDS).glob("[!.]*.json"))
    return {folder for one in targets for folder in one.folders}


def servable(folder: Path) -> Opened:
    """The dataset of a servable folder, with its models loaded.

    Raises
    ------
    SegueError
        If it holds several datasets or none, or no models.
    """
    manifests = sorted(folder.glob("[!.]*/manifest.json"))
    if not folder.is_dir():
        raise SegueError(f"There is no folder {folder}.")
    if (folder / "manifest.json").exists():
        raise SegueError(f"{folder} is a dataset itself: give the folder that holds it alone.")
    if len(manifests) != 1:
        raise SegueError(
            f"{folder} holds {len(manifests)} datasets; a servable folder holds exactly one, with "
            "its models."
        )
    here = opened(Workspace(folder), manifests[0].parent.name)
    _ = here.recommender
    return here


def _faults(target: Target, here: Opened, bodies: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with the answer to each known query; empty where nothing is."""
    for body, said in zip(bodies, _answers(target, bodies), strict=True):
        yield str(said) if isinstance(said, SegueError) else fault(here, body, said)


def _answers(target: Target, bodies: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    """What an endpoint answers to each body, or the SegueError of one that it does not answer."""
    singly, batch = bodies[:_SINGLY], bodies[_SINGLY:]
    for body in singly:
        yield _invoked(target, body)
    said = _invoked(target, {"instances": batch})
    if isinstance(said, SegueError):
        yield from [said] * len(batch)
        return
    found = said.get("predictions") if isinstance(said, dict) else None
    if not isinstance(found, list) or len(found) != len(batch):
        found = [said] * len(batch)
    yield from found


def _invoked(target: Target, body: Mapping[str, Any]) -> Any:
    try:
        return target.invoke(body)
    except SegueError as problem:
        return problem
