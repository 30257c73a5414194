"""Deploy, check, roll back on this machine."""

import json
import os
import re
import shutil
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import requests
from typer.testing import CliRunner

from core.__main__ import app
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.serving import local as module
from core.serving.endpoint import check, check_again, release, servable, settle, target_of
from core.serving.endpoint import served as folders_of_servers
from core.serving.known import CHECKED
from core.serving.local import LocalTarget
from core.trained import set_default
from core.workspace import Workspace

STUB = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()


HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


@pytest.fixture
def local(tmp_path):
    target = LocalTarget(tmp_path / "endpoint.json")
    yield target
    with suppress(SegueError):
        target.stop()


@pytest.fixture
def stub(local, monkeypatch) -> LocalTarget:
    """A target whose servers come up at once, answer a ping and refuse all else."""
    command = [sys.executable, "-S", "-c", STUB]
    monkeypatch.setattr(module, "_command", lambda port: [*command, str(port)])
    return local


def accepted(target: LocalTarget) -> str:
    """The address of a new server, whose release is closed."""
    target.accept(target.deploy(Path("anything")))
    return target.address


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/ping", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture(scope="module")
def other(served, tmp_path_factory) -> Workspace:
    """The same dataset, answering by another model."""
    folder = tmp_path_factory.mktemp("other") / "other"
    shutil.copytree(served.folder, folder)
    set_default(Dataset(folder / "planted"), "popularity")
    return Workspace(folder)


def test_a_release_answers_and_its_successor_takes_over(local, served, other):
    seen = []
    first = release(local, served.folder, seen=seen.append)
    assert (first.wrong, seen) == ([], [first])
    with pytest.raises(SegueError, match="accepted is not rolled back"):
        local.roll_back(first.release)
    address = local.address
    second = release(local, other.folder)
    assert second.wrong == []
    assert local.address != address
    assert check_again(local, second.release, other.folder).wrong == []
    with pytest.raises(SegueError, match="another release took its place"):
        check_again(local, first.release, served.folder)


def test_what_answers_wrongly_is_rolled_back(stub, served):
    address = accepted(stub)
    first = stub.release
    deployed = stub.deploy(served.folder)
    report = check(stub, served.folder)
    assert report.release == deployed
    with pytest.raises(SegueError, match=r"^Rolled back\. .* 12 of 12 known queries wrongly"):
        settle(stub, deployed, report)
    assert (stub.address, stub.release) == (address, first)
    with pytest.raises(SegueError, match="Another release took the place"):
        settle(stub, deployed, report)  # as a step that is run again would
    with pytest.raises(SegueError, match="accepted is not rolled back"):
        settle(stub, first, report)
    assert stub.address == address
    assert answers(address)


def test_what_is_interrupted_is_rolled_back_and_nobody_else_releases_meanwhile(stub, served):
    def interrupted(report):
        with pytest.raises(SegueError, match="Another release of this endpoint is under way"):
            release(stub, served.folder)
        with pytest.raises(SegueError, match="Another release of this endpoint is under way"):
            stub.stop()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(stub, served.folder, seen=interrupted)
    assert stub.address is None


def test_what_does_not_come_up_changes_nothing(stub, served, tmp_path, monkeypatch):
    first = accepted(stub)
    shutil.copytree(served.folder, tmp_path / "untrained")
    shutil.rmtree(tmp_path / "untrained" / "planted" / "models")
    monkeypatch.setattr(stub, "deploy", pytest.fail)
    with pytest.raises(SegueError, match=r"^No model is trained"):
        release(stub, tmp_path / "untrained")  # which is seen before it is tried
    monkeypatch.undo()
    with pytest.raises(SegueError, match=r"did not come up: .*No model is trained"):
        stub.deploy(tmp_path / "untrained")
    assert stub.address == first


def test_what_does_not_answer_says_so_and_not_its_last_word(local, monkeypatch):
    mute = "import time; print('Ready.', flush=True); time.sleep(60)"
    monkeypatch.setattr(module, "_command", lambda _: [sys.executable, "-S", "-c", mute])
    monkeypatch.setattr(module, "STARTING_S", 0.5)
    with pytest.raises(SegueError, match=r"did not come up: it did not answer within 0\.5 s \("):
        local.deploy(Path("anything"))
    assert local.address is None
    left = [one for one in psutil.Process().children() if one.status() != psutil.STATUS_ZOMBIE]
    assert not [one for one in left if mute in one.cmdline()]


def test_a_server_that_does_not_end_when_it_is_asked_to_is_killed(local, monkeypatch):
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{STUB}"
    command = [sys.executable, "-S", "-c", deaf]
    monkeypatch.setattr(module, "_command", lambda port: [*command, str(port)])
    monkeypatch.setattr(module, "STOPPING_S", 0.1)
    address = accepted(local)
    local.stop()
    assert not answers(address)


def test_a_release_that_was_cut_off_is_rolled_back_by_the_next(stub):
    first = accepted(stub)
    stub.deploy(Path("other"))
    assert [Path(folder).name for folder in stub.folders] == ["other", "anything"]
    cut_off = stub.address
    last = stub.deploy(Path("anything"))
    assert not answers(cut_off)
    stub.roll_back(last)
    assert stub.address == first


def test_stopping_leaves_no_server_of_an_open_release(stub, tmp_path):
    first = accepted(stub)
    stub.deploy(Path("anything"))
    record = json.loads((tmp_path / "endpoint.json").read_text())
    process = psutil.Process(record["now"]["pid"])
    assert os.getsid(process.pid) == process.pid  # a terminal that closes does not end it
    process.kill()
    while stub.address:
        time.sleep(0.01)
    assert len(stub.folders) == 1
    stub.stop()
    assert not answers(first)
    with pytest.raises(SegueError, match="No endpoint runs"):
        stub.stop()


def test_each_server_has_a_log_while_it_is_known(stub, tmp_path):
    def logs() -> dict[str, int]:
        """Lines by port."""
        found = (tmp_path / "endpoint.servers").glob("*.log")
        return {log.stem: len(log.read_text().splitlines()) for log in found}

    first = accepted(stub)
    before = logs()
    second = stub.deploy(Path("anything"))
    assert answers(first)
    assert list(before) == [first.rpartition(":")[2]]
    assert {name: lines - 1 for name, lines in logs().items() if name in before} == before
    assert len(logs()) == 2
    stub.accept(second)
    assert not answers(first)
    last = stub.deploy(Path("anything"))
    assert not before.keys() & logs().keys()
    assert len(logs()) == 2
    stub.roll_back(last)


def test_another_process_of_the_same_number_is_not_ours(tmp_path):
    mine = psutil.Process()
    server = {"pid": mine.pid, "created": mine.create_time(), "port": 1, "folder": ""}
    file = tmp_path / "endpoint.json"
    target = LocalTarget(file)
    file.write_text(json.dumps({"now": server}))
    assert target.address == "http://127.0.0.1:1"
    file.write_text(json.dumps({"now": server | {"created": mine.create_time() - 1}}))
    assert target.address is None
    with pytest.raises(SegueError, match="No endpoint runs"):
        target.stop()


@pytest.mark.parametrize("said", ["", "{", "[]", '{"now": {"pid": 1}}', '{"is_open": "often"}'])
def test_a_damaged_record_is_one_sentence(tmp_path, said):
    file = tmp_path / "endpoint.json"
    file.write_text(said)
    damaged = re.escape(f"{file} is damaged: stop the server and delete it.")
    with pytest.raises(SegueError, match=f"^{damaged}$"):
        _ = LocalTarget(file).address


def test_a_server_is_asked_directly_and_with_its_token(local, served, monkeypatch):
    monkeypatch.setenv("SEGUE_HOST", "127.0.0.2")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("SEGUE_API_TOKEN", "let-me-in\n")
    assert release(local, served.folder).wrong == []
    monkeypatch.delenv("SEGUE_API_TOKEN")
    assert "answers 401: Show the bearer token" in check(local, served.folder).wrong[0]


@pytest.mark.parametrize(
    ("kind", "kept"), [("none", type(None)), ("local", LocalTarget), ("sagemaker", object)]
)
def test_a_target_by_its_kind(kind, kept, tmp_path):
    assert isinstance(target_of(kind, "one", tmp_path), kept)


def test_no_such_target(tmp_path):
    with pytest.raises(SegueError, match="no target 'moon'"):
        target_of("moon", "one", tmp_path)
    with pytest.raises(SegueError, match=r"'\.\./one' cannot name"):
        target_of("local", "../one", tmp_path)


def test_a_record_that_is_being_written_is_none_yet(tmp_path):
    (tmp_path / ".endpoints").mkdir()
    (tmp_path / ".endpoints" / ".partial-x.json").touch()
    assert folders_of_servers(tmp_path) == set()


def test_nothing_deployed_answers_nothing(local, served):
    report = check(local, served.folder)
    assert len(report.wrong) == report.asked
    assert "deploy a servable folder first" in report.wrong[0]


def test_the_commands_say_what_answers_where(served, other, tmp_path, capsys):
    def call(*arguments, code=0) -> str:
        done = CliRunner().invoke(app, ["--workspace", str(tmp_path), *map(str, arguments)])
        assert done.exit_code == code, done.output
        return str(done.exception) if code else done.stdout

    nothing = "No endpoint runs on this machine as 'segue': "
    assert call("undeploy", code=1) == f"{nothing}deploy a servable folder first."
    assert call("check", served.folder, code=1) == f"{nothing}deploy a servable folder first."
    try:
        said = call("deploy", served.folder).strip()
        address = re.fullmatch(r"segue answers on (\S+); 12 known queries, all as here\.", said)[1]
        assert requests.get(f"{address}/ping", timeout=30).ok
        report = json.loads(call("check", served.folder, "--json"))
        assert report.pop("release")
        assert report == {"address": address, "asked": CHECKED, "wrong": []}
        assert "known queries wrongly; the first: {" in call("check", other.folder, code=1)
        elsewhere = "No endpoint runs on this machine as 'other': --name may be segue."
        assert call("check", served.folder, "--name", "other", code=1) == elsewhere
    finally:
        assert call("undeploy") == "segue is down.\n"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/ping", timeout=5)
    assert "local or sagemaker" in call("deploy", served.folder, "--target", "none", code=1)


class Told:
    """A target that answers a batch with what it was told, and nothing else."""

    release = None

    def __init__(self, said):
        self.said = said

    def invoke(self, body):
        if "instances" not in body:
            raise SegueError("Not this one.")
        return self.said


@pytest.mark.parametrize("said", [None, [], {}, {"predictions": [{}]}, {"predictions": {"a": 1}}])
def test_a_batch_of_another_shape_is_wrong(said, served):
    singly, batch = np.split(np.array(check(Told(said), served.folder).wrong), 2)
    assert set(singly) == {"Not this one."}
    assert all("something else than a continuation" in one for one in batch)
    assert len(batch) == CHECKED // 2


def test_a_folder_of_two_datasets_or_none_is_not_servable(served, tmp_path):
    for name in ("one", ".partial-x"):
        shutil.copytree(served.folder / "planted", tmp_path / "both" / name)
    assert servable(tmp_path / "both").dataset.n_tracks
    shutil.copytree(served.folder / "planted", tmp_path / "both" / "two")
    for folder, count in ((tmp_path / "both", 2), (tmp_path, 0)):
        with pytest.raises(SegueError, match=f"holds {count} datasets"):
            servable(folder)


@pytest.mark.parametrize(
    ("inside", "sentence"), [("absent", "no folder"), ("planted", "is a dataset itself")]
)
def test_a_folder_that_is_none_or_a_dataset_is_told_so(local, served, inside, sentence):
    with pytest.raises(SegueError, match=sentence):
        check(local, served.folder / inside)
