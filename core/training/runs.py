"""What is known of every run of a flow: plain JSON in the workspace, for a page to list.

A run is a folder `.runs/<id>/` of the flow's depot: `run.json`, `evaluation/`, what was measured on
the test playlists, and `servable/`, the workspace of one dataset that it built, itself a depot
whose only place is the dataset.
"""

import os
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import psutil

from core.errors import SegueError
from core.training.depot import Depot

ROOT = ".runs"
_FILE = "run.json"
_SILENCE = timedelta(days=1)
"""Without news for so long, a run that works on other machines counts as broken off."""

Standing = Literal["running", "broken off", "failed", "done", "damaged"]


@dataclass(frozen=True)
class Run:
    """A run of the pipeline, and what came of it so far.

    Attributes
    ----------
    id : str
        Sorts by the time of its start.
    state : {"running", "failed", "done", "damaged"}
        A run that was killed stays "running": see `standing`. Of one whose record cannot be read,
        only `id` and `problem` are known.
    step : str
        The last that has begun.
    started, updated : str
        ISO 8601, UTC.
    parameters : mapping
        What it was asked for.
    tries : sequence of str
        Metaflow's own numbers: one, and another for each time it was resumed.
    process : mapping
        `host`, `pid` and `created` of what runs the steps, or of what ran the last.
    problem : str
        Why it failed, or why its record cannot be read, in a sentence.
    data : mapping
        Name, fingerprint and counts of the dataset, and what cleaning changed.
    sizes : mapping
        Playlists held out to test on (`holdout`) and to choose on, and left to learn from.
    grid : mapping
        `metric`, `points` (best first: model, settings, those of them that were varied, figures,
        difference to the best, cost) and `failures` (model, settings, varied, reason).
    winner : mapping
        Of the points; empty before there is one.
    settings : mapping of model name to settings
        Of all that is built.
    serves : str
        Which of the systems answers by default: often not the winner alone.
    test : mapping
        `playlists` and `rows` (name, label, figures; best first), on the test playlists.
    servable : str
        Address of the folder that was built.
    endpoint : str or None
        Where it was deployed; None where a failed check took it back to nothing.
    check : mapping
        `release`, `asked`, and `wrong`, the faults that were found.
    """

    id: str
    state: Literal["running", "failed", "done", "damaged"]
    step: str = ""
    started: str = ""
    updated: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    tries: Sequence[str] = ()
    process: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    winner: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    serves: str = ""
    test: Mapping[str, Any] = field(default_factory=dict)
    servable: str = ""
    endpoint: str | None = ""
    check: Mapping[str, Any] = field(default_factory=dict)

    def tested(self, system: str | None) -> Mapping[str, Any] | None:
        """The row of a system on the test playlists, if it was measured."""
        rows = self.test.get("rows", ())
        return next((row for row in rows if row["name"] == system), None)


_MAPPINGS = [one.name for one in fields(Run) if one.default_factory is dict]


def place(run: str, part: str) -> str:
    """Where a part of a run is in the depot."""
    return f"{ROOT}/{run}/{part}"


def begin(
    depot: Depot, parameters: Mapping[str, Any], number: str, origin: str | None = None
) -> str:
    """Record a new run, and give its id; one that begins once more keeps its record.

    Parameters
    ----------
    depot : Depot
    parameters : mapping
        That JSON can hold.
    number : str
        Metaflow's own.
    origin : str, optional
        Metaflow's number of the run that is resumed.
    """
    now = datetime.now(UTC)
    known = next((run for run in stored_runs(depot) if {number, origin} & {*run.tries}), None)
    run = known.id if known else f"{now:%Y%m%d-%H%M%S}-{number}"
    stored = {
        "id": run,
        "state": "running",
        "step": "start",
        "started": known.started if known else now.isoformat(timespec="seconds"),
        "updated": now.isoformat(timespec="seconds"),
        "parameters": dict(parameters),
        "tries": list(dict.fromkeys([*(known.tries if known else ()), number])),
        "process": _process(),
    }
    depot.write_json(place(run, _FILE), stored)
    return run


def enter(depot: Depot, run: str, step: str, number: str) -> Run:
    """Record that a step has begun, unless another of its tasks has said so.

    Parameters
    ----------
    depot : Depot
    run : str
        Its id.
    step : str
    number : str
        Metaflow's own, another one after the run was resumed.
    """
    stored = depot.read_json(place(run, _FILE))
    here = {"state": "running", "problem": "", "process": _process()}
    if stored | here | {"step": step} == stored and stored["tries"][-1] == number:
        return _run(stored)
    return note(depot, run, step, number, **here)


def note(depot: Depot, run: str, step: str, number: str, **news: Any) -> Run:
    """Record what a step has found; as `enter`, and fields of `Run`."""
    stored = depot.read_json(place(run, _FILE))
    tries = list(dict.fromkeys([*stored["tries"], number]))
    updated = datetime.now(UTC).isoformat(timespec="seconds")
    stored |= {"step": step, "updated": updated, "tries": tries} | news
    depot.write_json(place(run, _FILE), stored)
    return _run(stored)


def standing(run: Run) -> Standing:
    """How a run is at this moment: whoever was killed could not say so."""
    if run.state != "running":
        return run.state
    if run.process.get("host") == socket.gethostname():
        return "running" if _lives(run.process) else "broken off"
    silence = datetime.now(UTC) - datetime.fromisoformat(run.updated)
    return "running" if silence < _SILENCE else "broken off"


def running_here(depot: Depot, number: str) -> Run | None:
    """The run that Metaflow calls by a number, if its steps run on this machine at this moment."""
    host = socket.gethostname()
    return next(
        (
            run
            for run in stored_runs(depot)
            if number in run.tries
            and run.process.get("host") == host
            and standing(run) == "running"
        ),
        None,
    )


def stored_runs(depot: Depot, dataset: str | None = None) -> list[Run]:
    """Every run that is recorded, the last started first.

    Parameters
    ----------
    depot : Depot
        Such as `depot(str(workspace.folder))`.
    dataset : str, optional
        Only runs on this one, and those whose record cannot be read.
    """
    names = [name for name in depot.names(ROOT) if _FILE in depot.names(f"{ROOT}/{name}")]
    found = [_stored(depot, name) for name in reversed(names)]
    return [
        run
        for run in found
        if run.state == "damaged" or dataset in (None, run.parameters.get("dataset"))
    ]


def _stored(depot: Depot, name: str) -> Run:
    try:
        return _run(depot.read_json(place(name, _FILE)))
    except SegueError as problem:
        return Run(name, "damaged", problem=str(problem))


def delete_run(depot: Depot, run: Run, served: Collection[str] = ()) -> None:
    """Delete a run with all that it left: what it built, measured, and its record.

    Parameters
    ----------
    depot : Depot
    run : Run
    served : collection of str
        Addresses of the folders that endpoints answer from.

    Raises
    ------
    SegueError
        If the run is on its way, or an endpoint answers from what it built.
    """
    if standing(run) == "running":
        raise SegueError(f"The run {run.id} is on its way: stop it first.")
    if depot.address(place(run.id, "servable")) in served:
        raise SegueError(
            f"An endpoint answers from what the run {run.id} built: deploy something else, or "
            "stop it with `python -m core undeploy`."
        )
    depot.delete(f"{ROOT}/{run.id}")


def _run(stored: Mapping[str, Any]) -> Run:
    try:
        run = Run(**{one.name: stored[one.name] for one in fields(Run) if one.name in stored})
        datetime.fromisoformat(run.updated)
        if any(not isinstance(getattr(run, name), Mapping) for name in _MAPPINGS):
            raise TypeError("a mapping was expected")
    except (TypeError, ValueError) as error:
        raise SegueError(
            f"The record of a run does not fit this version of Segue ({error})."
        ) from error
    return run


def _process() -> dict[str, Any]:
    """Metaflow's own process, which starts the steps; in a cluster, what started this one."""
    found: dict[str, Any] = {"host": socket.gethostname(), "pid": os.getppid()}
    with suppress(psutil.NoSuchProcess):
        found["created"] = psutil.Process(found["pid"]).create_time()
    return found


def _lives(process: Mapping[str, Any]) -> bool:
    try:
        found = psutil.Process(process["pid"])
        same: bool = found.create_time() == process.get("created")
        return same and found.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
