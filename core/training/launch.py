"""Starting a flow: Metaflow's own command line, with what it needs of this machine set for it."""

import getpass
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.training.points import largest_fit
from core.training.workers import FIT_BYTES, affordable_jobs
from core.workspace import REPOSITORY, Workspace

_FILES = {"pipeline": "flow.py", "batch": "batch_flow.py"}
_PARALLEL = ("run", "resume")
_MARGIN = 1.25
"""A fit may take so many times what the largest before it took."""


def launch(workspace: Workspace, flow: str, arguments: Sequence[str]) -> NoReturn:
    """Become Metaflow's command line of a flow: signals and exit code are its own.

    Parameters
    ----------
    workspace : Workspace
        The default store; Metaflow's own records of runs are kept in it.
    flow : str
        "pipeline" or "batch".
    arguments : sequence of str
        As Metaflow has them: `run --dataset …`, `resume`, `card view …`, `argo-workflows create`.

    Raises
    ------
    SegueError
        If Metaflow is not installed.
    """
    try:
        import metaflow  # noqa: F401
    except ImportError:
        raise SegueError(
            "A flow needs Metaflow: `pip install -r requirements-train.txt`."
        ) from None
    file = REPOSITORY / "core" / "training" / _FILES[flow]
    workspace.folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, str(file), *bounded(workspace, arguments)]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment(workspace, os.environ))  # noqa: S606


def bounded(workspace: Workspace, arguments: Sequence[str]) -> list[str]:
    """The arguments, with as many workers as this machine bears where its steps run on it."""
    given = list(arguments)
    said = any(one.startswith(("--max-workers", "--with")) for one in given)
    if said or not set(_PARALLEL) & set(given):
        return given
    return [*given, "--max-workers", str(workers(workspace, _option(given, "--dataset")))]


def environment(workspace: Workspace, inherited: Mapping[str, str]) -> dict[str, str]:
    """Environment of Metaflow's processes; what is set already stays."""
    folder = workspace.folder.resolve()
    path = [str(REPOSITORY), *filter(None, [inherited.get("PYTHONPATH")])]
    defaults = {
        "SEGUE_STORE": str(folder),
        "METAFLOW_DATASTORE_SYSROOT_LOCAL": str(folder),
        "METAFLOW_CARD_LOCALROOT": str(folder / ".metaflow" / "mf.cards"),
        "METAFLOW_USER": _user(),
    }
    return {**defaults, **inherited, "PYTHONPATH": os.pathsep.join(path)}


def workers(workspace: Workspace, dataset: str | None) -> int:
    """Steps at a time: the cores, or fewer where memory does not suffice for as many fits.

    A fit takes what the largest that was measured on this dataset took, and a quarter more; where
    none was measured, what is safe on a small one.
    """
    needed: float = FIT_BYTES
    folder = workspace.folder / dataset if dataset else Path()
    if dataset and (folder / "manifest.json").exists():
        measured = largest_fit(Dataset(folder))
        needed = _MARGIN * measured if measured else FIT_BYTES
    return affordable_jobs(needed)


def _option(arguments: Sequence[str], name: str) -> str | None:
    """The value of an option among arguments."""
    for at, argument in enumerate(arguments):
        if argument == name and at + 1 < len(arguments):
            return arguments[at + 1]
        if argument.startswith(f"{name}="):
            return argument.partition("=")[2]
    return None


def _user() -> str:
    """Who runs it; Metaflow takes neither a number without a name, as in containers, nor root."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError):
        name = ""
    return name if name not in ("", "root") else "segue"
