import io
import os
import signal
import subprocess
import sys
import time
from dataclasses import fields
from types import SimpleNamespace
from unittest import mock

import psutil
import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.errors import SegueError
from core.training import launch as module
from core.training import runs
from core.training.asked import Asked, AskedQueries
from core.training.depot import depot
from core.training.launch import bounded, checked, environment, launch, watched
from core.workspace import REPOSITORY, Workspace

RUN = ("run", "--dataset", "demo", "--grid", "playlist_knn.neighbours=5,40")


@pytest.fixture(autouse=True)
def workspace(tmp_path):
    """A workspace that the environment names, until the test is over."""
    with mock.patch.dict(os.environ):
        made = Workspace(tmp_path)
        os.environ.pop("SEGUE_STORE", None)
        os.environ.update(environment(made, os.environ))
        yield made


@pytest.fixture
def image(monkeypatch):
    from metaflow import metaflow_config

    monkeypatch.setattr(metaflow_config, "KUBERNETES_CONTAINER_IMAGE", "segue-train:1")


@pytest.fixture
def ran(monkeypatch):
    """Commands that were run or become, none of which is."""
    commands = []

    def become(executable, command):
        commands.append(command)
        raise SystemExit(0)

    monkeypatch.setattr(module, "watched", lambda command: commands.append(command) or 7)
    monkeypatch.setattr(os, "execv", become)
    return commands


# --- what is asked for ---


def test_a_run_is_started_with_its_arguments_and_ends_with_its_code(workspace, ran, monkeypatch):
    monkeypatch.delenv("METAFLOW_DATASTORE_SYSROOT_LOCAL")
    with pytest.raises(SystemExit) as ended:
        launch(Workspace(workspace.folder / "new"), "pipeline", RUN)
    assert ended.value.code == 7
    assert (workspace.folder / "new" / ".metaflow").is_dir()
    ((_, file, *arguments),) = ran
    assert file.endswith("core/training/flow.py")
    assert tuple(arguments[:5]) == RUN
    assert arguments[5] == "--max-workers"


@pytest.mark.parametrize(
    ("flow", "arguments", "sentence"),
    [
        ("pipeline", ("run", "--dataset", "demo", "--grid", ""), "--grid names values"),
        ("pipeline", (*RUN, "--holdout=-5"), "--holdout is a number of playlists"),
        ("pipeline", (*RUN, "--parts", "few"), "'few' is no value of --parts"),
        ("pipeline", (*RUN, "--max-workers", "0"), "1 or more"),
        ("queries", ("resume", "--max-workers=-2"), "1 or more"),
        ("pipeline", ("resume",), "No run has begun"),
        ("queries", ("resume",), "No run has begun"),
        ("pipeline", ("resume", "--origin-run-id", "99"), "no run '99' to resume"),
        ("pipeline", (*RUN, "--store", "/nowhere", "--dataset=x"), "no dataset"),
        ("pipeline", ("run", "--dataset", "resume", "--grid", "als.factors=8,16"), "no dataset"),
        ("queries", ("run", "--dataset", "demo"), "--challenge names a file"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_starts(
    workspace, ran, flow, arguments, sentence
):
    with pytest.raises(SegueError, match=sentence):
        launch(workspace, flow, arguments)
    assert not ran


def test_other_machines_need_a_store_and_an_image_of_their_own(image, monkeypatch):
    create = ("--datastore=s3", "argo-workflows", "create", "--only-json")
    with pytest.raises(SegueError, match="Other machines do not see"):
        checked("pipeline", create)
    with pytest.raises(SegueError, match="Other machines do not see"):
        checked("pipeline", (*RUN, "--with=kubernetes:cpu=2"))
    assert checked("pipeline", ("argo-workflows", "list-runs")) is None
    monkeypatch.setenv("SEGUE_STORE", "s3://bucket/prefix")
    assert checked("pipeline", create) is None
    with pytest.raises(SegueError, match="set METAFLOW_BATCH_CONTAINER_IMAGE"):
        checked("pipeline", ("step-functions", "create"))
    with pytest.raises(SegueError, match="set METAFLOW_BATCH_CONTAINER_IMAGE"):
        checked("pipeline", (*RUN, "--with", "batch"))


def test_without_metaflow_it_says_what_to_install(workspace, monkeypatch):
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(SegueError, match=r"requirements-train\.txt"):
        launch(workspace, "pipeline", ["run"])


@pytest.mark.parametrize("arguments", [[], ["--help"]])
@pytest.mark.parametrize(("flow", "kind"), [("pipeline", Asked), ("queries", AskedQueries)])
def test_help_says_what_a_flow_does_before_metaflow_does(
    workspace, ran, capsys, flow, kind, arguments
):
    with pytest.raises(SystemExit):
        launch(workspace, flow, arguments)
    said = capsys.readouterr().out
    assert all(f"--{one.name} " in said for one in fields(kind))
    assert "run --dataset NAME" in said
    assert ran[0][-1] == "--help"


def test_help_is_out_before_metaflow_takes_the_process_over(workspace, monkeypatch):
    out, seen = io.BytesIO(), []
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out))
    monkeypatch.setattr(os, "execv", lambda *_: seen.append(out.getvalue()))
    monkeypatch.setattr(module, "watched", lambda command: 0)
    with pytest.raises(SystemExit):
        launch(workspace, "pipeline", [])
    assert b"Usage:" in seen[0]


@pytest.mark.parametrize(
    ("given", "flow", "passed"),
    [
        (["queries", "run"], "queries", ["run"]),
        (["batch", "list"], "pipeline", ["batch", "list"]),  # Metaflow's own
        (["--help"], "pipeline", ["--help"]),
    ],
)
def test_the_command_line_passes_everything_on(monkeypatch, given, flow, passed):
    seen = []
    monkeypatch.setattr(module, "launch", lambda workspace, *told: seen.extend(told))
    CliRunner().invoke(app, ["flow", *given])
    assert seen == [flow, passed]


# --- workers ---


def test_only_steps_that_run_elsewhere_are_not_bounded_by_this_machine():
    for beside in ((), ("--with", "retry"), ("--with=card",), ("--with", "resources:cpu=2")):
        assert bounded([*RUN, *beside], {})[-2] == "--max-workers"
    for elsewhere in (("--with", "kubernetes"), ("--with=batch:cpu=2",), ("--max-workers=3",)):
        assert bounded([*RUN, *elsewhere], {}) == [*RUN, *elsewhere]
    assert bounded(["card", "list"], None) == ["card", "list"]


def test_workers_are_those_of_the_runs_own_dataset_and_store(workspace, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "affordable_jobs", lambda folder=None: folder)
    (tmp_path / "elsewhere" / "mine").mkdir(parents=True)
    asked_for = {"store": str(tmp_path / "elsewhere"), "dataset": "mine"}
    assert module.workers(asked_for) == tmp_path / "elsewhere" / "mine"
    assert module.workers(asked_for | {"dataset": "new"}) is None
    assert module.workers({}) is None


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """Metaflow knows a run of the pipeline, 17, on this store."""
    import metaflow

    data = SimpleNamespace(store=str(tmp_path), dataset="mine")
    known = {"SegueFlow/17": {"_parameters": SimpleNamespace(task=SimpleNamespace(data=data))}}
    monkeypatch.setattr(metaflow, "Run", known.__getitem__)
    monkeypatch.setattr(metaflow, "namespace", lambda name: None)


def test_what_is_resumed_is_what_was_asked_for(recorded, tmp_path):
    told = {"store": str(tmp_path), "dataset": "mine"}
    assert checked("pipeline", ("resume", "--origin-run-id", "17")) == told
    with pytest.raises(SegueError, match="no run '17' to resume"):
        checked("queries", ("resume", "--origin-run-id=17"))


def test_a_run_that_is_on_its_way_is_not_resumed_beside_itself(recorded, tmp_path):
    store = depot(str(tmp_path))
    runs.begin(store, {"dataset": "mine"}, "17")
    with pytest.raises(SegueError, match=f"at its step start in process {os.getppid()}"):
        checked("pipeline", ("resume", "--origin-run-id", "17"))
    (run,) = runs.stored_runs(store)
    runs.note(store, run.id, "fit", "17", state="failed")
    assert checked("pipeline", ("resume", "--origin-run-id", "17"))["dataset"] == "mine"


def test_a_resume_goes_on_from_the_last_run_be_it_a_resume_itself(workspace, ran, monkeypatch):
    monkeypatch.setattr(module, "_origin", lambda flow, arguments: {})
    records = workspace.folder / ".metaflow" / "SegueFlow"
    for name in ("9", "17", "latest_run"):
        (records / name / "_parameters").mkdir(parents=True)
    (records / "40").mkdir()  # numbered, but never begun
    for given, origin in ((("resume", "fit"), "17"), (("resume", "--origin-run-id", "9"), "9")):
        with pytest.raises(SystemExit):
            launch(workspace, "pipeline", given)
        (_, _, *arguments) = ran.pop()
        assert arguments[arguments.index("--origin-run-id") + 1] == origin
        assert arguments.count("--origin-run-id") == 1


def test_metaflow_finds_the_package_and_keeps_its_records_in_the_workspace(tmp_path, monkeypatch):
    monkeypatch.setattr(module.getpass, "getuser", lambda: "root")
    inherited = {"PYTHONPATH": "x", "SEGUE_STORE": "s3://b", "SEGUE_WORKSPACE": "other"}
    made = environment(Workspace(tmp_path), inherited)
    assert made["PYTHONPATH"].split(":") == [str(REPOSITORY), "x"]
    assert made["METAFLOW_DATASTORE_SYSROOT_LOCAL"] == made["SEGUE_WORKSPACE"] == str(tmp_path)
    assert made["SEGUE_STORE"] == "s3://b"
    assert made["METAFLOW_USER"] == "segue"


def test_who_has_no_name_runs_flows_too(tmp_path, monkeypatch):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 10001")

    monkeypatch.setattr(module.getpass, "getuser", nobody)
    assert environment(Workspace(tmp_path), {})["METAFLOW_USER"] == "segue"


# --- the end ---


@pytest.mark.parametrize(("said", "code"), [("exit 3", 3), ("kill -9 $$", 137)])
def test_a_run_ends_with_metaflows_code(monkeypatch, said, code):
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    assert watched(["sh", "-c", said]) == code


def test_under_nohup_a_terminal_that_closes_ends_nothing(monkeypatch):
    handled, handlers = [], {signal.SIGHUP: signal.SIG_IGN}
    monkeypatch.setattr(signal, "getsignal", lambda number: handlers.get(number, signal.SIG_DFL))
    monkeypatch.setattr(signal, "signal", lambda number, handler: handled.append(number))
    assert watched(["true"]) == 0
    assert handled == [signal.SIGTERM]


STUBBORN = "trap '' INT TERM; sleep 60 & echo $! > {0}/child; echo $$ > {0}/self; wait"


def test_an_interrupt_ends_all_that_was_begun(monkeypatch):
    def wait():
        raise KeyboardInterrupt

    ended = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(module.subprocess, "Popen", lambda command: SimpleNamespace(wait=wait))
    monkeypatch.setattr(module, "_end_children", lambda: ended.append(True))
    with pytest.raises(SystemExit) as code:
        watched(["flow"])
    assert (code.value.code, ended) == (128 + signal.SIGINT, [True])


def test_what_is_begun_while_all_is_ended_is_killed_too(monkeypatch):
    late = mock.Mock()
    found = iter([[], [late]])
    this = SimpleNamespace(children=lambda recursive: next(found))
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    monkeypatch.setattr(module.psutil, "Process", lambda: this)
    module._end_children()
    late.kill.assert_called_once_with()


def test_a_signal_to_the_command_leaves_no_process_behind(tmp_path):
    script = (
        "import sys; from core.training import launch; launch._GRACE_S = 0.2; "
        f"sys.exit(launch.watched(['sh', '-c', {STUBBORN.format(tmp_path)!r}]))"
    )
    command = subprocess.Popen([sys.executable, "-c", script], cwd=REPOSITORY)

    def numbers():
        files = [tmp_path / name for name in ("child", "self") if (tmp_path / name).exists()]
        return [int(text) for file in files if (text := file.read_text())]

    until(lambda: len(numbers()) == 2 or command.poll() is not None)
    command.terminate()
    assert command.wait(30) == 128 + signal.SIGTERM
    assert len(numbers()) == 2
    until(lambda: not any(map(lives, numbers())))


def until(holds):
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def lives(number):
    try:
        return psutil.Process(number).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
