"""Starting a flow: Metaflow's own command line, with what it needs of this machine set for it."""

import getpass
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn, TypeVar

import psutil

from core.errors import SegueError
from core.jobs import GRACE_S
from core.training.asked import (
    Asked,
    AskedQueries,
    asked,
    asked_queries,
    meanings,
    require_elsewhere,
)
from core.training.depot import STORE, shared
from core.training.room import GRIDS, affordable_jobs
from core.training.runs import running_here
from core.workspace import REPOSITORY, Workspace

A = TypeVar("A", Asked, AskedQueries)


@dataclass(frozen=True)
class _Flow:
    file: str
    name: str


_FLOWS = {
    "pipeline": _Flow("flow.py", "SegueFlow"),
    "queries": _Flow("batch_flow.py", "SegueBatchFlow"),
}
_ELSEWHERE = {"kubernetes": "KUBERNETES", "batch": "BATCH"}
"""Decorators that send steps to other machines, and how Metaflow calls the settings of each."""
_SCHEDULERS = {"argo-workflows": "KUBERNETES", "airflow": "KUBERNETES", "step-functions": "BATCH"}
_GRACE_S = GRACE_S - 2
"""What Metaflow has to end its steps; less than whoever runs this as a job has patience."""

_RECORDS = "METAFLOW_DATASTORE_SYSROOT_LOCAL"
_GIVEN = "_parameters"
"""Metaflow's step of what a run was given, before the first of ours."""
_SIZED = ("manifest.json", GRIDS)
"""Of a dataset, what says how large its fits are."""

_HELP = """\
Usage: python -m core flow COMMAND …

The whole pipeline, run by Metaflow: it cleans, holds playlists out, fits the points of a grid side
by side, keeps the best, evaluates it, builds what an endpoint serves, deploys and checks it.

  run --dataset NAME --grid "als.factors=32,64"  the whole
  resume                                         after a failed or killed step
  card view choose --id grid                     the grid in the browser
  card view evaluate --id evaluation             what was chosen, on the test playlists
  --datastore=s3 argo-workflows create           for a cluster (docs/hosting.md)
  queries run --dataset NAME --challenge FILE --out FILE
                                                 continue a large file of queries in parts

  python -m core flow run --dataset mine --target local \\
      --grid "als.factors=32,64 playlist_knn.neighbours=200,800"
"""
_HELP_QUERIES = """\
Usage: python -m core flow queries COMMAND …

Continues every playlist of a challenge file with 500 tracks, in parts side by side, by Metaflow.
What it writes is what `submit` writes.

  run --dataset NAME --challenge FILE --out FILE
  resume                                         after a failed or killed step
"""
_PARAMETERS = """
Parameters of run:
{parameters}
  --max-workers  Steps at a time; default: what cores and memory allow.

What Metaflow says of all its commands:
"""


def launch(workspace: Workspace, flow: str, arguments: Sequence[str]) -> NoReturn:
    """Run Metaflow's command line of a flow, and end as it ends.

    Parameters
    ----------
    workspace : Workspace
        The default store; Metaflow's own records of runs are kept in it.
    flow : str
        "pipeline" or "queries".
    arguments : sequence of str
        As Metaflow has them: `run --dataset …`, `resume`, `card view …`, `argo-workflows create`;
        none, or `--help`, for help.

    Raises
    ------
    SegueError
        If Metaflow is not installed, or the flow cannot do what is asked.
    """
    if find_spec("metaflow") is None:
        raise SegueError("A flow needs Metaflow: `pip install -r requirements-train.txt`.")
    os.environ.update(environment(workspace, os.environ))
    given = [*(arguments or ["--help"]), *_resumed(flow, arguments)]
    if given == ["--help"]:
        sys.stdout.write(help_page(flow))
    parameters = checked(flow, given)
    if parameters is not None:  # Metaflow's records: where none can be kept, nothing is begun
        Path(os.environ[_RECORDS], ".metaflow").mkdir(parents=True, exist_ok=True)
    file = REPOSITORY / "core" / "training" / _FLOWS[flow].file
    command = [sys.executable, str(file), *bounded(given, parameters)]
    sys.stdout.flush()
    if parameters is None:
        os.execv(sys.executable, command)  # noqa: S606
    raise SystemExit(watched(command))


def help_page(flow: str) -> str:
    """What a flow does, for a person."""
    kind, text = (Asked, _HELP) if flow == "pipeline" else (AskedQueries, _HELP_QUERIES)
    parameters = "\n".join(f"  --{name:11}  {said}" for name, said in meanings(kind).items())
    return text + _PARAMETERS.format(parameters=parameters)


def checked(flow: str, arguments: Sequence[str]) -> dict[str, Any] | None:
    """Parameters of the run that is to be started or resumed; None where no steps run here.

    Raises
    ------
    SegueError
        If it cannot be done as it is asked for.
    """
    if "--help" in arguments:
        return None
    _require_workers(_option(arguments, "--max-workers"))
    command = _command(arguments)
    if kind := _SCHEDULERS.get(command):
        if "create" in arguments:
            require_elsewhere(_option(arguments, "--store") or os.environ[STORE])
            _require_image(kind)
        return None
    if command == "resume":
        return _origin(flow, arguments)
    if command != "run":
        return None
    elsewhere = [*_elsewhere(arguments)]
    for kind in elsewhere:
        _require_image(kind)
    if flow == "queries":
        queries = _parameters(AskedQueries, arguments)
        asked_queries(queries, bool(elsewhere))
        return asdict(queries)
    pipeline = _parameters(Asked, arguments)
    asked(pipeline, bool(elsewhere))
    return asdict(pipeline)


def bounded(arguments: Sequence[str], parameters: Mapping[str, Any] | None) -> list[str]:
    """The arguments, with as many workers as this machine bears where its steps run on it."""
    given = list(arguments)
    said = any(one.startswith("--max-workers") for one in given)
    if parameters is None or said or [*_elsewhere(given)]:
        return given
    return [*given, "--max-workers", str(workers(parameters))]


def workers(parameters: Mapping[str, Any]) -> int:
    """Steps at a time on a run's dataset: see `affordable_jobs`."""
    if not parameters:
        return affordable_jobs()
    store, name = shared(parameters["store"]), parameters["dataset"]
    return affordable_jobs(store.reading(name, _SIZED) if store.exists(name) else None)


def environment(workspace: Workspace, inherited: Mapping[str, str]) -> dict[str, str]:
    """Environment of Metaflow's processes; what is set already stays."""
    folder = workspace.folder.resolve()
    path = [str(REPOSITORY), *filter(None, [inherited.get("PYTHONPATH")])]
    defaults = {
        STORE: str(folder),
        _RECORDS: str(folder),
        "METAFLOW_CARD_LOCALROOT": str(folder / ".metaflow" / "mf.cards"),
        "METAFLOW_USER": _user(),
        # What a step may use is what it asked for, so that it sees how many fits it can bear.
        "METAFLOW_KUBERNETES_QOS": "guaranteed",
    }
    ours = {"SEGUE_WORKSPACE": str(folder), "PYTHONPATH": os.pathsep.join(path)}
    return {**defaults, **inherited, **ours}


def watched(command: Sequence[str]) -> int:
    """Run a command and give its exit code; when this is asked to end, it ends, with all it began.

    Metaflow expects that its steps are interrupted as it is, as a terminal does it: so all are.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
            signal.signal(number, _stopped)
    # In this process group, so that a terminal, or whoever kills the group, reaches all of it.
    process = subprocess.Popen(command)  # noqa: S603 (this project's flow)
    try:
        code = process.wait()
    except KeyboardInterrupt:
        _end_children()
        raise SystemExit(128 + signal.SIGINT) from None
    except SystemExit:
        _end_children()
        raise
    return code if code >= 0 else 128 - code


def _end_children() -> None:
    """Interrupt every process below this one, and kill what is not gone `_GRACE_S` later."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    this = psutil.Process()
    begun = this.children(recursive=True)
    for one in begun:
        with suppress(psutil.NoSuchProcess):
            one.send_signal(signal.SIGINT)
    _, left = psutil.wait_procs(begun, _GRACE_S)
    for one in {*left, *this.children(recursive=True)}:
        with suppress(psutil.NoSuchProcess):
            one.kill()


def _stopped(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _command(arguments: Sequence[str]) -> str:
    """Which of Metaflow's commands that concern steps is given; options of Metaflow precede it."""
    return next((one for one in arguments if one in {"run", "resume", *_SCHEDULERS}), "")


def _resumed(flow: str, arguments: Sequence[str]) -> list[str]:
    """What makes a resume go on from the flow's last run; Metaflow overlooks those resumed."""
    if _command(arguments) != "resume" or _option(arguments, "--origin-run-id"):
        return []
    records = Path(os.environ[_RECORDS], ".metaflow", _FLOWS[flow].name)
    # One that Metaflow gave a number and never began has no parameters, and cannot be resumed.
    begun = (one.parent.name for one in records.glob(f"[0-9]*/{_GIVEN}"))
    newest = max(begun, key=int, default=None)
    return ["--origin-run-id", newest] if newest else []


def _origin(flow: str, arguments: Sequence[str]) -> dict[str, Any]:
    """Parameters of the run that is resumed, from Metaflow's own record.

    Raises
    ------
    SegueError
        If there is no such run, or it still runs on this machine.
    """
    from metaflow import Run, namespace
    from metaflow.exception import MetaflowException

    number = _option(arguments, "--origin-run-id")
    if number is None:
        raise SegueError("No run has begun in this workspace yet: start one with `run`.")
    try:
        namespace(None)
        data = Run(f"{_FLOWS[flow].name}/{number}")[_GIVEN].task.data
        found = {"store": data.store, "dataset": data.dataset}
    except (MetaflowException, KeyError):
        raise SegueError(
            f"There is no run {number!r} to resume; without --origin-run-id the last one goes on."
        ) from None
    if flow == "pipeline" and (run := running_here(shared(found["store"]), number)):
        raise SegueError(
            f"The run is still on its way, at its step {run.step} in process "
            f"{run.process['pid']}: let it finish, or end that process and resume then."
        )
    return found


def _require_workers(given: str | None) -> None:
    """Raise a SegueError where no step would ever start."""
    if given is not None and re.fullmatch(r"\s*(-\d+|0+)\s*", given):
        raise SegueError("--max-workers is a number of steps at a time, 1 or more.")


def _elsewhere(arguments: Sequence[str]) -> Iterator[str]:
    """How Metaflow calls the settings of whatever the steps are sent to, if they are."""
    for at, argument in enumerate(arguments):
        if argument == "--with" and at + 1 < len(arguments):
            decorator = arguments[at + 1]
        elif argument.startswith("--with="):
            decorator = argument.partition("=")[2]
        else:
            continue
        if (name := decorator.partition(":")[0]) in _ELSEWHERE:
            yield _ELSEWHERE[name]


def _require_image(kind: str) -> None:
    """Raise a SegueError unless Metaflow was told what image the steps run in."""
    from metaflow import metaflow_config

    if not getattr(metaflow_config, f"{kind}_CONTAINER_IMAGE"):
        raise SegueError(
            f"Steps on other machines need this project's packages: set METAFLOW_{kind}_"
            "CONTAINER_IMAGE to an image of `docker build --target train .` (docs/hosting.md)."
        )


def _parameters(kind: type[A], arguments: Sequence[str]) -> A:
    """What the arguments give, besides the defaults."""
    found: dict[str, Any] = {"store": os.environ[STORE]}
    for one in fields(kind):
        text = _option(arguments, f"--{one.name}")
        if text is not None:
            try:
                found[one.name] = int(text) if isinstance(one.default, int) else text
            except ValueError:
                raise SegueError(f"{text!r} is no value of --{one.name}: an integer.") from None
    return kind(**found)


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option among arguments, the last where it comes twice."""
    found = None
    for at, argument in enumerate(arguments):
        if argument == name and at + 1 < len(arguments):
            found = arguments[at + 1]
        elif argument.startswith(f"{name}="):
            found = argument.partition("=")[2]
    return found


def _user() -> str:
    """Who runs it; Metaflow takes neither a number without a name, as in containers, nor root."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return name if name not in ("", "root") else "segue"
