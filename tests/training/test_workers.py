"""Tasks in processes: stand-ins for the interpreter say what a worker would."""

import io
import itertools
import json
import subprocess
import sys
import threading
from contextlib import closing

import psutil
import pytest

from core.training import workers
from core.training.workers import ONE_THREAD, answers, received, reply


@pytest.fixture
def python(tmp_path, monkeypatch):
    """A function that puts a shell script in the interpreter's place."""

    def replaced(*lines):
        script = tmp_path / "python"
        script.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return replaced


def test_each_task_comes_back_with_its_answer_whatever_else_was_said(python):
    python("echo a word in between", 'test "$1 $2" = "-m some.module" && cat')
    tasks = [{"n": n, "name": "ü\n"} for n in range(5)]
    done = list(answers("some.module", tasks, jobs=2))
    assert sorted(task["n"] for task, _ in done) == [0, 1, 2, 3, 4]
    assert all(task == answer for task, answer in done)


def test_no_tasks_are_no_answers(python):
    python("exit 1")
    assert list(answers("some.module", [], jobs=2)) == []


@pytest.mark.parametrize(
    ("lines", "clause"),
    [
        (("echo first >&2", "echo out of luck >&2", "exit 3"), "code 3 (out of luck)"),
        (("exit 4",), "code 4 (no word of why)"),
        (("kill -9 $$",), "code -9 (no word of why)"),
    ],
)
def test_a_process_that_ends_badly_says_why_and_takes_no_other_along(python, lines, clause):
    python("read task", 'case "$task" in *1*) ;; *) echo null; exit 0 ;; esac', *lines)
    done = {task["n"]: answer for task, answer in answers("m", [{"n": n} for n in range(3)], 1)}
    assert done == {0: None, 1: f"its process ended with {clause}", 2: None}


def test_a_worker_has_one_thread(python, monkeypatch):
    names = [name for name in ONE_THREAD if name.endswith("_THREADS")]
    for name in names:
        monkeypatch.setenv(name, "7")
    python(f'echo "[{", ".join(f"${name}" for name in names)}]"')
    ((_, answer),) = answers("m", [{}], 1)
    assert answer == [1, 1, 1, 1]


def test_workers_end_with_whoever_stops_listening(python, tmp_path):
    wait = f"until test -e {tmp_path}/started-*; do sleep 0.01; done"
    python(
        "read task",
        f'case "$task" in *quick*) {wait}; echo null; exit 0 ;; esac',
        f"touch {tmp_path}/started-$$",
        "exec sleep 30",
    )
    tasks = [{"kind": "slow"}, {"kind": "quick"}]
    with closing(answers("m", tasks, jobs=2)) as done:
        assert next(done) == ({"kind": "quick"}, None)
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(20)
            assert not thread.is_alive()
    started = [int(path.name.removeprefix("started-")) for path in tmp_path.glob("started-*")]
    assert started
    assert not any(psutil.pid_exists(pid) for pid in started)


def test_no_worker_starts_once_nobody_listens(python, monkeypatch):
    """Not even one whose turn came at that very moment."""
    ended, turns, started = threading.Event(), itertools.count(), []

    class Late:
        """A lock that one of two threads gets after whoever listened had it."""

        def __enter__(self):
            if threading.current_thread() is not threading.main_thread():
                assert next(turns) == 0 or ended.wait(20)

        def __exit__(self, *_):
            if threading.current_thread() is threading.main_thread():
                ended.set()

    class Counted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            started.append(arguments)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(workers, "Lock", Late)
    monkeypatch.setattr(workers.subprocess, "Popen", Counted)
    python("echo null")
    with closing(answers("m", [{}, {}], jobs=2)) as done:
        next(done)
    for thread in threading.enumerate():
        if thread.name.startswith("ThreadPoolExecutor"):
            thread.join(20)
    assert (next(turns), len(started)) == (2, 1)


def test_a_reply_is_the_last_line(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.StringIO('{"fold": 3}'))
    assert received() == {"fold": 3}
    sys.stdout.write("no newline at the end")
    reply({"text": "two\nlines"})
    assert json.loads(capsys.readouterr().out.splitlines()[-1]) == {"text": "two\nlines"}
