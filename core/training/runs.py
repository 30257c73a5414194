"""What is known of every run of a flow: plain JSON in the workspace, for a page to list.

A run is a folder `.runs/<id>/` of the flow's depot: `run.json`, and `servable/`, the workspace of
one dataset that it built.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any, Literal

from core.errors import SegueError
from core.training.depot import Depot

ROOT = ".runs"


@dataclass(frozen=True)
class Run:
    """A run of the pipeline, and what came of it so far.

    Attributes
    ----------
    id : str
        Sorts by the time of its start.
    state : {"running", "done"}
        A run that was killed stays "running", with the time of its last step.
    step : str
        The last that has begun to be recorded.
    started, updated : str
        ISO 8601, UTC.
    parameters : mapping
        What it was asked for.
    tries : sequence of str
        Metaflow's own numbers: one, and another for each time it was resumed.
    data : mapping
        Name, fingerprint and counts of the dataset, and what cleaning changed.
    sizes : mapping
        Playlists held out to test on (`holdout`) and to choose on, and left to learn from.
    grid : mapping
        `metric`, `points` (best first: model, settings, figures, cost) and `failures`.
    winner : mapping
        Of the points; empty before there is one.
    settings : mapping of model name to settings
        Of all that is built.
    test : mapping
        `playlists` and `rows` (name, label, figures; best first), on the test playlists.
    servable : str
        Address of the folder that was built.
    endpoint : str or None
        Where it was deployed; None where a failed check took it back to nothing.
    check : mapping
        `asked`, and `wrong`, the faults that were found.
    """

    id: str
    state: Literal["running", "done"]
    step: str
    started: str
    updated: str
    parameters: Mapping[str, Any]
    tries: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    grid: Mapping[str, Any] = field(default_factory=dict)
    winner: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    test: Mapping[str, Any] = field(default_factory=dict)
    servable: str = ""
    endpoint: str | None = ""
    check: Mapping[str, Any] = field(default_factory=dict)


def place(run: str, part: str) -> str:
    """Where a part of a run is in the depot."""
    return f"{ROOT}/{run}/{part}"


def begin(depot: Depot, parameters: Mapping[str, Any], number: str) -> str:
    """Record a new run, and give its id.

    Parameters
    ----------
    depot : Depot
    parameters : mapping
        That JSON can hold.
    number : str
        Metaflow's own.
    """
    now = datetime.now(UTC)
    run = f"{now:%Y%m%d-%H%M%S}-{number}"
    stored = {
        "id": run,
        "state": "running",
        "step": "start",
        "started": now.isoformat(timespec="seconds"),
        "updated": now.isoformat(timespec="seconds"),
        "parameters": dict(parameters),
        "tries": [number],
    }
    depot.write_json(place(run, "run.json"), stored)
    return run


def note(depot: Depot, run: str, step: str, number: str, **news: Any) -> Run:
    """Record what a step has found.

    Parameters
    ----------
    depot : Depot
    run : str
        Its id.
    step : str
    number : str
        Metaflow's own, another one after the run was resumed.
    news : fields of `Run`
    """
    stored = depot.read_json(place(run, "run.json"))
    tries = list(dict.fromkeys([*stored["tries"], number]))
    updated = datetime.now(UTC).isoformat(timespec="seconds")
    stored |= {"step": step, "updated": updated, "tries": tries} | news
    depot.write_json(place(run, "run.json"), stored)
    return _run(stored)


def stored_runs(depot: Depot, dataset: str | None = None) -> list[Run]:
    """Every run that is recorded, the last started first.

    Parameters
    ----------
    depot : Depot
        Such as `depot(str(workspace.folder))`.
    dataset : str, optional
        Only runs on this one.

    Raises
    ------
    SegueError
        If a record is damaged.
    """
    names = reversed(depot.names(ROOT))
    found = [_run(depot.read_json(place(name, "run.json"))) for name in names]
    return [run for run in found if dataset in (None, run.parameters.get("dataset"))]


def _run(stored: Mapping[str, Any]) -> Run:
    try:
        return Run(**{one.name: stored[one.name] for one in fields(Run) if one.name in stored})
    except TypeError as error:
        raise SegueError(
            f"The record of a run does not fit this version of Segue ({error})."
        ) from error
