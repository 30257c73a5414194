"""Deploy, check, roll back on this machine."""

import json
import re
import shutil
import socket
import sys

import numpy as np
import pytest
import requests
from typer.testing import CliRunner

from core.__main__ import app
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.serving import local as module
from core.serving.endpoint import check, check_again, release, settle, target_of
from core.serving.known import CHECKED
from core.serving.local import LocalTarget
from core.serving.serve import serve
from core.training.default import set_default
from core.workspace import Workspace


@pytest.fixture
def local(tmp_path):
    target = LocalTarget(tmp_path / "endpoint")
    yield target
    if target.address:
        target.stop()


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
    address = local.address
    second = release(local, other.folder)
    assert second.wrong == []
    assert local.address != address
    assert check_again(local, second.release, other.folder).wrong == []
    assert len(check(local, served.folder).wrong) > 0
    with pytest.raises(SegueError, match="another release took its place"):
        check_again(local, first.release, served.folder)


def test_what_answers_wrongly_is_rolled_back(local, served, other):
    first = release(local, served.folder).release
    address = local.address
    deployed = local.deploy(other.folder)
    report = check(local, served.folder)
    assert report.release == deployed
    with pytest.raises(SegueError, match=r"^Rolled back\. .* \d+ of 12 known queries wrongly"):
        settle(local, deployed, report)
    assert (local.address, local.release) == (address, first)
    with pytest.raises(SegueError, match="Another release took the place"):
        settle(local, deployed, report)  # as a step that is run again would
    with pytest.raises(SegueError, match="accepted is not rolled back"):
        settle(local, first, report)
    assert local.address == address
    assert check(local, served.folder).wrong == []


def test_what_is_interrupted_is_rolled_back_and_nobody_else_releases_meanwhile(local, served):
    def interrupted(report):
        with pytest.raises(SegueError, match="Another release of this endpoint is under way"):
            release(local, served.folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        release(local, served.folder, seen=interrupted)
    assert local.address is None


def test_what_does_not_come_up_changes_nothing(local, served, tmp_path):
    release(local, served.folder)
    shutil.copytree(served.folder, tmp_path / "untrained")
    shutil.rmtree(tmp_path / "untrained" / "planted" / "models")
    first = local.address
    with pytest.raises(SegueError, match=r"did not come up: .*No model is trained"):
        local.deploy(tmp_path / "untrained")
    assert local.address == first


def test_what_does_not_answer_says_so_and_not_its_last_word(local, served, monkeypatch):
    mute = "import time; print('Ready.', flush=True); time.sleep(60)"
    monkeypatch.setattr(module, "_command", lambda _: [sys.executable, "-S", "-c", mute])
    monkeypatch.setattr(module, "STARTING_S", 0.5)
    with pytest.raises(SegueError, match=r"did not come up: it did not answer within 0\.5 s \("):
        local.deploy(served.folder)
    assert local.address is None


def test_a_release_that_was_cut_off_is_rolled_back_by_the_next(local, served, other):
    release(local, served.folder)
    local.deploy(other.folder)
    cut_off = local.address
    assert release(local, served.folder).wrong == []
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{cut_off}/ping", timeout=5)


def test_a_server_is_asked_directly_and_with_its_token(local, served, monkeypatch):
    monkeypatch.setenv("SEGUE_HOST", "127.0.0.2")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("SEGUE_API_TOKEN", "let me in")
    assert release(local, served.folder).wrong == []
    monkeypatch.delenv("SEGUE_API_TOKEN")
    assert "401" in check(local, served.folder).wrong[0]


def test_a_taken_port_is_one_sentence(served):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SegueError, match=r"^Nothing can listen on 127\.0\.0\.1:\d+ \(Address"),
    ):
        serve(served, None, "127.0.0.1", taken.getsockname()[1])


@pytest.mark.parametrize(
    ("kind", "kept"), [("none", type(None)), ("local", LocalTarget), ("sagemaker", object)]
)
def test_a_target_by_its_kind(kind, kept, tmp_path):
    assert isinstance(target_of(kind, "one", tmp_path), kept)


def test_no_such_target(tmp_path):
    with pytest.raises(SegueError, match="no target 'moon'"):
        target_of("moon", "one", tmp_path)


def test_nothing_deployed_answers_nothing(local, served):
    report = check(local, served.folder)
    assert len(report.wrong) == report.asked
    assert "deploy a servable folder first" in report.wrong[0]


def test_the_commands_say_what_answers_where(served, other, tmp_path, capsys):
    def call(*arguments, code=0) -> str:
        done = CliRunner().invoke(app, ["--workspace", str(tmp_path), *map(str, arguments)])
        assert done.exit_code == code, done.output
        return str(done.exception) if code else done.stdout

    assert "No endpoint runs" in call("undeploy", code=1)
    try:
        said = call("deploy", served.folder).strip()
        address = re.fullmatch(r"segue answers on (\S+); 12 known queries, all as here\.", said)[1]
        assert requests.get(f"{address}/ping", timeout=30).ok
        report = json.loads(call("check", served.folder, "--json"))
        assert report.pop("release")
        assert report == {"address": address, "asked": CHECKED, "wrong": []}
        assert "known queries wrongly; the first: {" in call("check", other.folder, code=1)
    finally:
        assert call("undeploy") == "segue is down.\n"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{address}/ping", timeout=5)
    assert "local or sagemaker" in call("deploy", served.folder, "--target", "none", code=1)


class Told:
    """A target that answers a batch with what it was told, and nothing else."""

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


def test_a_folder_of_two_datasets_is_not_servable(local, served, tmp_path):
    for name in ("one", "two"):
        shutil.copytree(served.folder / "planted", tmp_path / "both" / name)
    with pytest.raises(SegueError, match="holds 2 datasets"):
        check(local, tmp_path / "both")
