"""Tasks in processes of their own, several at a time."""

import json
import os
import subprocess
import sys
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from threading import Event, Lock
from typing import Any

from core.workspace import REPOSITORY

ONE_THREAD = {
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1",
}
"""Environment of a process that leaves the other cores to others."""


def answers(
    module: str, tasks: Sequence[dict[str, Any]], jobs: int
) -> Generator[tuple[dict[str, Any], Any]]:
    """Each task and its answer, or a clause that says why there is none, in the order they end.

    Fresh interpreters rather than forks or pools: the end of one takes no other along, and a page
    that Streamlit runs as the main module is not run again by its children.

    Parameters
    ----------
    module : str
        Run as the main module, it reads a task from stdin and ends with `reply`.
    tasks : sequence of dict
        That JSON can hold.
    jobs : int
        Processes at a time, one thread each.
    """
    running: list[subprocess.Popen[str]] = []
    starting, ended = Lock(), Event()

    def work(task: dict[str, Any]) -> Any:
        with starting:
            if ended.is_set():
                return "it was not started"
            process = subprocess.Popen(  # noqa: S603 (a module of this project)
                [sys.executable, "-m", module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                cwd=REPOSITORY,
                env=os.environ | ONE_THREAD,
            )
            running.append(process)
        said, complaint = process.communicate(json.dumps(task))
        if process.returncode:
            last = complaint.strip().splitlines()[-1:] or ["no word of why"]
            return f"its process ended with code {process.returncode} ({last[0]})"
        return json.loads(said.splitlines()[-1])

    pool = ThreadPoolExecutor(jobs)
    futures = {pool.submit(work, task): task for task in tasks}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        # No thread may start another once these are killed: it would outlive whoever listens.
        with starting:
            ended.set()
            for process in running:
                process.kill()


def received() -> dict[str, Any]:
    """The task of this process."""
    return json.load(sys.stdin)


def reply(answer: Any) -> None:
    """Answer the task of this process with what JSON can hold."""
    sys.stdout.write("\n" + json.dumps(answer))
