"""Long commands in processes of their own, one at a time in a workspace.

A job is `python -m core --workspace W <command>`: a page does long things exactly as the command
line does them. It outlives the page, the tab and the server; whoever opens the workspace sees it.
Beside it runs a small keeper, `python -m core.jobs FOLDER`, that writes down how it ended, whatever
became of who started it. What a cancelled command was writing is dropped: the workspace replaces
files and folders whole or not at all.

A job is a folder `<workspace>/.jobs/<number>/`. The folder of the highest number is the lock: to
start is to rename a folder to the next number, which only one can do, and only where the job before
has ended. A job whose keeper is gone without a word has ended too, so no crash leaves a lock.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import psutil

from core.errors import SegueError
from core.progress import PROGRESS_FILE, stored_progress
from core.workspace import REPOSITORY, Workspace, read_json, write_json

GRACE_S = 5.0
"""What a cancelled command has to tidy up before it is killed."""
KEPT = 8
"""Folders of ended jobs that stay."""
_UNCHANGED = "What was there before stays as it was."
_RESUMABLE = {
    "crawl": "What was found is kept and can be gone on with.",
    "enrich": "What was answered is kept and can be gone on with.",
    "fetch": "What was downloaded is kept and can be gone on with.",
    "grid": "What was measured is kept and can be gone on with.",
}
"""What a cancel leaves of commands that go on where they were stopped."""
_STARTING_S = 30.0
_WATCH_S = 0.2
_TAIL_BYTES, _TAIL_LINES = 8_192, 12
_NICE = 5

State = Literal["running", "done", "failed", "cancelled"]


@dataclass(frozen=True)
class Job:
    """A command, running or ended.

    Attributes
    ----------
    id : str
        Its number in the workspace; sorts as text.
    label : str
        What it does, for a person.
    argv : tuple of str
        Of the command line, without the workspace.
    state : {"running", "done", "failed", "cancelled"}
    step : str
        What is being done.
    fraction : float or None
        Of the whole, from 0 to 1; None where unknown.
    message : str
        The one sentence of a failure, or the last lines of what was printed; empty once cancelled.
    started : str
        ISO 8601, UTC.
    seconds : float
        Since then, or from start to end.
    figures : mapping of name to sequence of (step, value)
        Live curves, such as a loss by epochs; the one that moved last is last.
    """

    id: str
    label: str
    argv: tuple[str, ...]
    state: State
    step: str
    fraction: float | None
    message: str
    started: str
    seconds: float
    figures: Mapping[str, Sequence[tuple[float, float]]]

    @property
    def after_cancel(self) -> str:
        """What there is once it is cancelled, in a sentence."""
        return _RESUMABLE.get(self.argv[0], _UNCHANGED)


def public() -> bool:
    """Whether this host is open to strangers: the environment says SEGUE_PUBLIC=1."""
    return os.environ.get("SEGUE_PUBLIC", "").strip().lower() not in ("", "0", "no", "false")


def require_private() -> None:
    """Make sure that whoever asks may change the workspace.

    Raises
    ------
    SegueError
        If the host is public; the sentence says what to do instead.
    """
    if public():
        raise SegueError(
            "This host is open to everyone, so training, import and deletion are off here; on "
            "your own machine, `pip install -r requirements.txt` and `streamlit run app.py` "
            "bring them all."
        )


def start(
    workspace: Workspace,
    label: str,
    argv: Sequence[str],
    files: Mapping[str, bytes] | None = None,
) -> Job:
    """Start a command of the command line in the background.

    Parameters
    ----------
    workspace : Workspace
    label : str
        What it does, for a person.
    argv : sequence of str
        "{files}" in it becomes the folder of `files`.
    files : mapping of name to bytes, optional
        Written into the job's folder first.

    Returns
    -------
    Job

    Raises
    ------
    SegueError
        If another job is running, or the host is public.
    """
    require_private()
    root = _root(workspace)
    root.mkdir(parents=True, exist_ok=True)
    folder = _claim(root, label, argv, files or {})
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        keeper = subprocess.Popen(  # noqa: S603 (this module)
            [sys.executable, "-m", "core.jobs", str(folder)],
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            start_new_session=True,
        )
    created = psutil.Process(keeper.pid).create_time()
    write_json(folder / "process.json", {"pid": keeper.pid, "created": created})
    # Somebody has to wait for it, or the system remembers its end as long as the server runs.
    threading.Thread(target=keeper.wait, daemon=True).start()
    for old in _folders(root)[: -KEPT - 1]:
        shutil.rmtree(old, ignore_errors=True)
    return _job(folder)


def current(workspace: Workspace) -> Job | None:
    """The running job, if there is one."""
    job = last(workspace)
    return job if job and job.state == "running" else None


def last(workspace: Workspace) -> Job | None:
    """The job that was started last, running or ended."""
    folders = _folders(_root(workspace))
    return _job(folders[-1]) if folders else None


def cancel(workspace: Workspace, job_id: str) -> None:
    """Ask a job to stop, and return at once; after `GRACE_S` it is killed.

    Nothing happens to a job that has ended.

    Raises
    ------
    SegueError
        If the host is public.
    """
    require_private()
    folder = _root(workspace) / job_id
    keeper = _process(folder) if folder in _folders(folder.parent) else None
    if keeper and not (folder / "end.json").exists():
        (folder / "cancelled").touch()
        with suppress(psutil.Error):  # it has just ended
            keeper.terminate()


def _root(workspace: Workspace) -> Path:
    return workspace.folder.resolve() / ".jobs"


def _folders(root: Path) -> list[Path]:
    """Folders of jobs, the last started last."""
    return sorted(root.glob("[0-9]*"))


def _claim(root: Path, label: str, argv: Sequence[str], files: Mapping[str, bytes]) -> Path:
    """The folder of a new job, if none is running."""
    folders = _folders(root)
    running = _job(folders[-1]) if folders else None
    if running and running.state == "running":
        raise SegueError(f"Something else is running here: “{running.label}”. Wait, or cancel it.")
    folder = root / f"{int(folders[-1].name) + 1 if folders else 1:06}"
    prepared = Path(tempfile.mkdtemp(prefix=".partial-", dir=root))
    try:
        for name, content in files.items():
            path = prepared / "files" / Path(name).name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
        uploads = str(folder / "files")
        given = [argument.replace("{files}", uploads) for argument in argv]
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        write_json(prepared / "job.json", {"label": label, "argv": given, "started": now})
        prepared.rename(folder)
    except OSError as error:
        if folder.exists():
            raise SegueError("Something else was started here just now: wait for it.") from error
        raise SegueError(f"{root}: nothing can be started ({error.strerror}).") from error
    finally:
        shutil.rmtree(prepared, ignore_errors=True)
    return folder


def _job(folder: Path) -> Job:
    about = read_json(folder / "job.json")
    state, message, seconds = _ending(folder, about["started"])
    done = stored_progress(folder / "progress.json")
    stopping = state == "running" and (folder / "cancelled").exists()
    return Job(
        folder.name,
        about["label"],
        tuple(about["argv"]),
        state,
        "Stopping" if stopping else done.step,
        done.fraction,
        message,
        about["started"],
        seconds,
        done.figures,
    )


def _ending(folder: Path, started: str) -> tuple[State, str, float]:
    """State, message and seconds of a job."""
    alive = _is_alive(folder, started)  # first: it may write its end while we look
    if (folder / "end.json").exists():
        end = read_json(folder / "end.json")
        return end["state"], end["message"], end["seconds"]
    if alive:
        return "running", _tail(folder / "stdout"), _age(started)
    if (folder / "cancelled").exists():  # before its keeper had begun
        return "cancelled", "", 0.0
    last_sign = max(file.stat().st_mtime for file in (folder, *folder.iterdir()))
    seconds = max(0.0, last_sign - datetime.fromisoformat(started).timestamp())
    return "failed", "It was interrupted: the machine or its process was stopped.", seconds


def _is_alive(folder: Path, started: str) -> bool:
    if not (folder / "process.json").exists():
        return _age(started) < _STARTING_S
    return _process(folder) is not None


def _process(folder: Path) -> psutil.Process | None:
    """The living keeper of a job; a process that was given its number later is another."""
    try:
        known = read_json(folder / "process.json")
        process = psutil.Process(known["pid"])
        same = abs(process.create_time() - known["created"]) < 1
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except (SegueError, psutil.Error):
        return None


def _age(started: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()


def _tail(file: Path) -> str:
    """The last lines of a file, without empty ones."""
    try:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - _TAIL_BYTES))
            text = opened.read().decode("utf-8", errors="replace")
    except OSError:
        return ""
    return "\n".join([line for line in text.splitlines() if line.strip()][-_TAIL_LINES:])


# --- the keeper, in the job's own process group ---


def keep(folder: Path, grace_s: float = GRACE_S) -> None:
    """Run the command of a job's folder and write down how it ended."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    os.nice(_NICE)  # pages answer first
    about = read_json(folder / "job.json")
    command = subprocess.Popen(  # noqa: S603 (this project's command line)
        [sys.executable, "-m", "core", "--workspace", str(folder.parents[1]), *about["argv"]],
        env=os.environ | {PROGRESS_FILE: str(folder / "progress.json")},
    )
    while command.poll() is None and not stop.wait(_WATCH_S):
        pass
    if stop.is_set():
        command.terminate()
        try:
            command.wait(grace_s)
        except subprocess.TimeoutExpired:
            command.kill()
            command.wait()
    end = _end(folder, command.returncode, stop.is_set())
    write_json(folder / "end.json", end | {"seconds": round(_age(about["started"]), 3)})
    os.killpg(0, signal.SIGKILL)  # and whatever the command left behind, and this


def _end(folder: Path, code: int, cancelled: bool) -> dict[str, Any]:
    if code == 0:
        return {"state": "done", "message": _tail(folder / "stdout")}
    if cancelled:
        return {"state": "cancelled", "message": ""}
    said = _tail(folder / "stderr").splitlines()[-1:]
    if code == 2 and said:
        return {"state": "failed", "message": said[0]}
    if code == -signal.SIGKILL:
        why = "the system killed it, as it does where memory runs out"
    else:
        why = f"its process ended with code {code}{f' ({said[0]})' if said else ''}"
    return {"state": "failed", "message": f"It failed: {why}."}


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
