import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from core import jobs
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import PROGRESS_FILE, FileProgress, on_terminal, stored_progress
from core.trained import load_models
from core.training.train import train
from core.workspace import REPOSITORY, Workspace, read_json, write_json

PATIENCE_S = 60
LONG = ["simulate", "--name", "big", "--playlists", "200000", "--tracks", "100000"]
KILLS = 3


@pytest.fixture
def workspace(tmp_path):
    """A workspace whose job, if any, does not outlive the test."""
    found = Workspace(tmp_path / "workspace")
    yield found
    if job := jobs.current(found):
        jobs.cancel(found, job.id)
        ended(found)


def ended(workspace: Workspace) -> jobs.Job:
    """The job when it has ended."""
    end = time.monotonic() + PATIENCE_S
    while jobs.current(workspace):
        assert time.monotonic() < end, jobs.last(workspace)
        time.sleep(0.05)
    return jobs.last(workspace)


def processes(workspace: Workspace) -> list[psutil.Process]:
    """The keeper of the running job, and what it started, when it has."""
    folder = workspace.folder / ".jobs" / jobs.current(workspace).id
    keeper = psutil.Process(json.loads((folder / "process.json").read_text())["pid"])
    end = time.monotonic() + PATIENCE_S
    while not (found := keeper.children(recursive=True)):
        assert time.monotonic() < end
        time.sleep(0.02)
    return [keeper, *found]


def written(workspace: Workspace) -> Path:
    """A folder that is being written, when there is one."""
    end = time.monotonic() + PATIENCE_S
    while not (found := list(workspace.folder.glob(".partial-*"))):
        assert time.monotonic() < end
        assert jobs.current(workspace), jobs.last(workspace)
        time.sleep(0.02)
    return found[0]


def test_a_job_does_what_the_command_line_does(workspace):
    content = b"artist,title,playlist\nA,x,p\nA,y,p\nB,x,q\n"
    argv = ["import", "list", "{files}/mine.csv", "--name", "mine"]
    started = jobs.start(workspace, "Import", argv, {"mine.csv": content})
    assert started.state == "running"
    job = ended(workspace)
    assert job.state == "done", job.message
    assert job.label == "Import"
    assert "mine: 2 playlists" in job.message
    assert job.fraction == 1.0
    assert job.seconds > 0
    assert workspace.names()[-1] == "mine"


def test_a_mistake_is_the_sentence_of_the_command_line(workspace):
    jobs.start(workspace, "Train", ["train", "--dataset", "nowhere"])
    job = ended(workspace)
    assert job.state == "failed"
    assert job.message.startswith("There is no dataset 'nowhere'")


def test_one_at_a_time_and_cancelling_leaves_nothing_behind(workspace):
    job = jobs.start(workspace, "Long", LONG)
    with pytest.raises(SegueError, match="“Long”"):
        jobs.start(workspace, "Other", ["datasets"])
    written(workspace)
    alive = processes(workspace)
    jobs.cancel(workspace, job.id)
    job = ended(workspace)
    assert (job.state, job.message) == ("cancelled", "")
    assert job.after_cancel == "What was there before stays as it was."
    psutil.wait_procs(alive, timeout=PATIENCE_S)
    assert not any(process.is_running() for process in alive)
    assert not list(workspace.folder.glob(".partial-*"))
    assert "big" not in workspace.names()
    jobs.cancel(workspace, job.id)  # an ended job is left alone
    assert jobs.last(workspace).state == "cancelled"


def test_of_many_that_start_at_once_one_runs(workspace):
    outcomes = []

    def start():
        try:
            outcomes.append(jobs.start(workspace, "Long", LONG).id)
        except SegueError:
            outcomes.append(None)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes, key=str) == ["000001", None, None, None]
    assert len(list((workspace.folder / ".jobs").iterdir())) == 1


def test_a_job_whose_keeper_is_killed_has_ended(workspace):
    jobs.start(workspace, "Long", LONG)
    for process in processes(workspace):
        process.kill()
    job = ended(workspace)
    assert job.state == "failed"
    assert "interrupted" in job.message
    jobs.start(workspace, "Next", LONG)
    assert jobs.current(workspace).label == "Next"


def test_a_killed_command_is_told_from_a_mistake(workspace):
    jobs.start(workspace, "Long", LONG)
    _, *commands = processes(workspace)
    commands[0].kill()
    job = ended(workspace)
    assert job.state == "failed"
    assert "memory" in job.message


def a_folder(workspace: Workspace, number: int, **process) -> Path:
    folder = workspace.folder / ".jobs" / f"{number:06}"
    about = {"label": "x", "argv": ["datasets"], "started": "2026-01-01T00:00:00.000+00:00"}
    write_json(folder / "job.json", about)
    if process:
        write_json(folder / "process.json", process)
    return folder


def test_another_process_of_the_same_number_is_not_the_job(workspace):
    born = psutil.Process().create_time()
    a_folder(workspace, 1, pid=os.getpid(), created=born)
    assert jobs.last(workspace).state == "running"
    a_folder(workspace, 2, pid=os.getpid(), created=born - 60)
    assert jobs.last(workspace).state == "failed"


@pytest.mark.parametrize(
    ("command", "kept"), [("crawl", "found"), ("enrich", "answered"), ("train", "there before")]
)
def test_what_a_cancel_leaves_is_said_of_each_command(workspace, command, kept):
    about = read_json(a_folder(workspace, 1) / "job.json") | {"argv": [command]}
    write_json(workspace.folder / ".jobs" / "000001" / "job.json", about)
    assert jobs.last(workspace).after_cancel.startswith(f"What was {kept} ")


def test_a_start_that_crashed_is_no_lock(workspace):
    a_folder(workspace, 1)  # long ago, and no process was ever noted
    assert jobs.last(workspace).state == "failed"


def test_only_the_last_folders_are_kept(workspace):
    for number in range(1, 15):
        write_json(
            a_folder(workspace, number) / "end.json",
            {"state": "done", "message": "", "seconds": 1},
        )
    job = jobs.start(workspace, "Long", LONG)
    assert job.id == "000015"
    assert len(list((workspace.folder / ".jobs").iterdir())) == jobs.KEPT + 1


def test_what_does_not_stop_is_killed(workspace):
    folder = a_folder(workspace, 1)
    about = json.loads((folder / "job.json").read_text())
    write_json(folder / "job.json", about | {"argv": LONG})
    code = f"from pathlib import Path; from core.jobs import keep; keep(Path({str(folder)!r}), 0.3)"
    keeper = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    created = psutil.Process(keeper.pid).create_time()
    write_json(folder / "process.json", {"pid": keeper.pid, "created": created})
    _, command = processes(workspace)[:2]
    written(workspace)
    command.suspend()  # deaf to every signal but one
    jobs.cancel(workspace, "000001")
    assert jobs.last(workspace).step == "Stopping"
    keeper.wait(PATIENCE_S)
    assert jobs.last(workspace).state == "cancelled"
    assert not command.is_running()


def test_killed_at_any_moment_the_models_are_whole(workspace, planted):
    folder = workspace.folder / "planted"
    shutil.copytree(planted.folder, folder)
    names = ["popularity", "playlist_knn", "titles", "als"]
    train(Dataset(folder), names, "fast")
    dice = random.Random(0)
    argv = ["train", "--dataset", "planted", "--preset", "fast", "--models", ",".join(names)]
    for _ in range(KILLS):
        job = jobs.start(workspace, "Train", argv)
        keeper = processes(workspace)[0]
        while (now := jobs.current(workspace)) and not now.step:
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.5))  # while models are fitted and written
        if jobs.current(workspace):
            os.killpg(keeper.pid, signal.SIGKILL)
        assert ended(workspace).id == job.id
        assert list(load_models(Dataset(folder))) == names


def test_a_public_host_starts_and_stops_nothing(workspace, monkeypatch):
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    for action in (
        lambda: jobs.start(workspace, "x", ["datasets"]),
        lambda: jobs.cancel(workspace, "000001"),
    ):
        with pytest.raises(SegueError, match="on your own machine"):
            action()
    assert jobs.last(workspace) is None
    monkeypatch.setenv("SEGUE_PUBLIC", "0")
    jobs.require_private()


# --- progress in a file ---


def test_progress_is_read_back(tmp_path, monkeypatch):
    file = tmp_path / "progress.json"
    assert stored_progress(file).step == ""
    monkeypatch.setenv(PROGRESS_FILE, str(file))
    with on_terminal() as progress:
        part = progress.within(0.5, 1.0, "Model")
        part.update("Training", 0.5)
        for epoch in (1, 2, 3):
            part.figure("Loss", epoch, 1 / epoch)
        part.figure("Loss", 4, float("nan"))
        part.figure("Other", 1, 7)
        assert stored_progress(file).fraction == 0.75
    done = stored_progress(file)
    assert done.step == "Model: Training"
    assert done.figures == {
        "Model: Loss": [[1, 1.0], [2, 0.5], [3, 1 / 3]],
        "Model: Other": [[1, 7.0]],
    }
    assert list(done.figures)[-1] == "Model: Other"


def test_a_long_curve_is_thinned_and_keeps_its_last_point(tmp_path):
    file = tmp_path / "progress.json"
    progress = FileProgress(file)
    for step in range(1, 2_001):
        progress.figure("Loss", step, step)
    progress.close()
    points = stored_progress(file).figures["Loss"]
    assert len(points) <= FileProgress.MOST_POINTS
    assert points[-1] == [2000, 2000]
    assert [step for step, _ in points] == sorted({step for step, _ in points})
