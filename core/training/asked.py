"""What the flows are asked for: their parameters, and whether they can be answered.

Whoever starts a flow checks before it starts, and the flow's first step checks again, where it
runs.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import wraps
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.training.depot import addresses, is_remote, require_there, require_writable, shared
from core.training.fitted import Settings
from core.training.grid import require_metric
from core.training.pipeline import further_settings
from core.training.points import chosen_sizes, wanted_settings
from core.training.settings import parse_grids
from core.training.shelf import require_answer
from core.workspace import Workspace, checked_name


def _said(meaning: str, default: str | int = "") -> Any:
    return field(default=default, metadata={"help": meaning})


@dataclass(frozen=True)
class Asked:
    """Parameters of the pipeline, each with its meaning; 0 is as many as is usual."""

    dataset: str = _said("Its name in the store; to be given.")
    grid: str = _said('Values to try: "als.factors=32,64 als.alpha=10,20"; to be given.')
    raw: str = _said("Files to import it from first; commas between.")
    source: str = _said("What these are: mpd | nowplaying | tidytuesday | list | auto", "auto")
    store: str = _said("Workspace folder, or s3://bucket/prefix; default: SEGUE_STORE.")
    also: str = _said("Models besides, and ranker; commas between.", "popularity,titles")
    preset: str = _said("Of the models besides: fast | full", "full")
    metric: str = _said("Choose by it: hit@10, …", "r_precision")
    holdout: int = _said("Test playlists; 0: as many as is usual.", 0)
    validation: int = _said("Playlists to choose on; 0: as is usual.", 0)
    parts: int = _said("Of the evaluation, at most.", 4)
    target: str = _said("Where to deploy to: none | local | sagemaker", "none")


@dataclass(frozen=True)
class AskedQueries:
    """Parameters of the flow that continues a file of queries, each with its meaning."""

    dataset: str = _said("Its name in the store; to be given.")
    challenge: str = _said("Challenge file, or its S3 address; to be given.")
    out: str = _said("CSV to write, or its S3 address; to be given.")
    store: str = _said("Workspace, such as one that the pipeline built, or s3://bucket/prefix.")
    model: str = _said("What answers; the default where empty.")
    parts: int = _said("Of the file, at most.", 8)
    team: str = _said("Name in the first row.", "segue")
    email: str = _said("Address in the first row.", "segue@example.org")


@dataclass(frozen=True)
class Plan:
    """What is to be fitted.

    Attributes
    ----------
    points : mapping of model name to sequence of mapping
        The grid: settings that differ from the model's defaults.
    further : mapping of name to settings
        Models besides, and the ranker.
    """

    points: Mapping[str, Sequence[Mapping[str, Any]]]
    further: Settings


def asked(asked_for: Asked, elsewhere: bool = False) -> Plan:
    """Check what a run of the pipeline is asked for, as a whole and before anything is done.

    Parameters
    ----------
    asked_for : Asked
    elsewhere : bool
        The steps will run on other machines, which see nothing of this one.

    Raises
    ------
    SegueError
        If it cannot be answered.
    """
    for name in ("holdout", "validation"):
        if getattr(asked_for, name) < 0:
            raise SegueError(f"--{name} is a number of playlists; 0 means as many as is usual.")
    _require_parts(asked_for.parts)
    points = parse_grids(asked_for.grid.split())
    if not points:
        raise SegueError('--grid names values to try, such as "als.factors=32,64 als.alpha=10,20".')
    for name, wanted in points.items():
        wanted_settings(name, wanted)
    plan = Plan(points, further_settings(asked_for.also, asked_for.preset, points))
    _require_sources(plan)
    require_metric(asked_for.metric)
    _require_target(asked_for)
    _require_data(asked_for)
    if elsewhere:
        _require_data_elsewhere(asked_for)
    return plan


def asked_queries(asked_for: AskedQueries, elsewhere: bool = False) -> None:
    """Check what a file of queries is asked for; as `asked`, but for what is in a store in S3."""
    _require_named(asked_for.dataset)
    _require_parts(asked_for.parts)
    for name in ("challenge", "out"):
        if not (file := getattr(asked_for, name)):
            raise SegueError(f"--{name} names a file.")
        if elsewhere:
            require_elsewhere(file)
    if elsewhere:
        require_elsewhere(asked_for.store)
    require_there(asked_for.challenge)
    require_writable(asked_for.out)
    store = shared(asked_for.store)
    if not store.exists(checked_name(asked_for.dataset)):
        raise SegueError(f"There is no dataset {asked_for.dataset!r} in {asked_for.store}.")
    if not is_remote(asked_for.store):
        require_answer(Dataset(store.reading(asked_for.dataset)), asked_for.model or None)


def require_elsewhere(address: str) -> None:
    """Raise a SegueError unless other machines see what is at an address as this one does."""
    if not is_remote(address):
        raise SegueError(
            f"Other machines do not see {address}: use s3://bucket/prefix, for the store with "
            "--store or SEGUE_STORE."
        )


def require_reachable(target: str, store: str) -> None:
    """Raise a SegueError unless an endpoint of this kind can read what lies in the store."""
    if target == "local" and is_remote(store):
        raise SegueError("A local endpoint serves a local folder: give one as the store.")


def _require_named(dataset: str) -> None:
    if not dataset:
        raise SegueError("--dataset names a dataset: it is to be given.")


def _require_parts(parts: int) -> None:
    if parts < 1:
        raise SegueError("--parts is a number of parts, 1 or more.")


def _require_sources(plan: Plan) -> None:
    proposing = [name for name in {**plan.points, **plan.further} if name != RANKER]
    if RANKER in plan.further and sum(MODELS[name].retrieves for name in proposing) < 2:
        raise SegueError("A ranker needs two models that propose tracks: add one to --also.")


def _require_target(asked_for: Asked) -> None:
    from core.serving.endpoint import target_of

    require_reachable(asked_for.target, asked_for.store)
    if target := target_of(asked_for.target, asked_for.dataset, Path(asked_for.store)):
        target.require_told()


def _require_data(asked_for: Asked) -> None:
    """The dataset is there and large enough, or what to import it from is there."""
    _require_named(asked_for.dataset)
    if asked_for.source != Asked.source:
        _require_source(asked_for.source)
    name, store = checked_name(asked_for.dataset), shared(asked_for.store)
    files = addresses(asked_for.raw)
    for file in files:
        require_there(file)
    if files:
        return
    there = store.exists(name)
    if not there and name not in Workspace().names():
        raise SegueError(
            f"There is no dataset {name!r} in {asked_for.store}: give files of it with --raw."
        )
    if (asked_for.holdout or asked_for.validation) and not is_remote(asked_for.store):
        dataset = Dataset(store.reading(name) if there else Workspace().path(name))
        chosen_sizes(dataset, asked_for.holdout or None, asked_for.validation or None)


def _require_source(source: str) -> None:
    from core.dataset.library import AUTO, SOURCES

    if source not in (*SOURCES, AUTO):
        raise SegueError(f"There is no source {source!r}; there are {', '.join(SOURCES)}.")


def _require_data_elsewhere(asked_for: Asked) -> None:
    """Other machines can read what the flow is to read."""
    require_elsewhere(asked_for.store)
    files = addresses(asked_for.raw)
    for file in files:
        require_elsewhere(file)
    if not files and not shared(asked_for.store).exists(asked_for.dataset):
        raise SegueError(
            f"There is no dataset {asked_for.dataset!r} in {asked_for.store}: give files with "
            "--raw, or run the flow on this machine once, with the same store."
        )


def in_a_sentence(body: Callable[..., None]) -> Callable[..., None]:
    """A step whose SegueError is all that Metaflow prints of it, not where in the code it arose."""

    @wraps(body)
    def told(*given: Any) -> None:
        try:
            body(*given)
        except SegueError as error:
            sys.tracebacklimit = 0  # of this process, which does nothing but the step
            raise error from None

    return told


def as_parameter(kind: type[Asked] | type[AskedQueries], name: str) -> dict[str, Any]:
    """Default and meaning of a parameter, as Metaflow's `Parameter` takes them."""
    (one,) = (one for one in fields(kind) if one.name == name)
    return {"default": one.default, "help": one.metadata["help"]}


def meanings(kind: type[Asked] | type[AskedQueries]) -> dict[str, str]:
    """What each parameter means, and its default."""
    return {
        one.name: one.metadata["help"]
        + (f" [default: {one.default}]" if one.default not in ("", 0) else "")
        for one in fields(kind)
    }
