"""The server alone as it starts, and the models it has opened by then."""

import re
import socket

import pytest
import uvicorn

from core.dataset.library import open_dataset
from core.errors import SegueError
from core.serving import opened as module
from core.serving.limits import MOST_REQUESTS
from core.serving.opened import Opened, opened
from core.serving.serve import serve
from core.workspace import Workspace


def test_everything_is_open_before_it_is_ready_and_connections_are_counted(served, monkeypatch):
    configured = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda self, **_: configured.append(self.config))
    monkeypatch.setattr(module, "_shelf", type(module._shelf)())
    open_then = []
    serve(served, None, "127.0.0.1", 0, lambda _: open_then.extend(vars(opened(served, "planted"))))
    assert {"_recommender", "_matcher", "_search"} <= set(open_then)
    assert configured[0].limit_concurrency > MOST_REQUESTS


@pytest.mark.parametrize("part", ["Matcher", "SearchIndex", "load_recommender"])
def test_each_part_is_opened_once_whoever_asks_at_once(served, monkeypatch, part):
    here = Opened(open_dataset(served, "planted"))
    make = getattr(module, part)

    def alone(*arguments):
        assert here._lock._is_owned()
        return make(*arguments)

    monkeypatch.setattr(module, part, alone)
    here.warm()
    assert (here.matcher, here.search) == (here.matcher, here.search)


def test_an_address_of_version_6_is_said_in_brackets(served, monkeypatch):
    said = []
    monkeypatch.setattr(uvicorn.Server, "run", lambda *_, **__: None)
    listening = socket.create_server(("127.0.0.1", 0))
    monkeypatch.setattr("core.serving.serve._listening", lambda *_: listening)
    serve(served, None, "::1", 0, said.append)
    assert re.fullmatch(r"http://\[::1\]:\d+", said[0])


def test_few_datasets_stay_open_and_those_that_were_used_last(served, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "KEPT", 2)
    monkeypatch.setattr(module, "_shelf", type(module._shelf)())
    workspace = Workspace(tmp_path)
    for name in "abc":
        (tmp_path / name).symlink_to(served.path("planted"))
    first, second = opened(workspace, "a"), opened(workspace, "b")
    assert opened(workspace, "a") is first
    opened(workspace, "c")
    assert opened(workspace, "a") is first
    assert opened(workspace, "b") is not second


@pytest.mark.parametrize("host", ["ü" * 70, "::zz", "x\0y"])
def test_a_host_that_is_none_is_one_sentence(served, host):
    with pytest.raises(SegueError, match=r"^(Nothing can listen on|'.+' cannot name) [^()]*.+\.$"):
        serve(served, None, host, 0)


def test_a_taken_port_is_said_once(served):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SegueError, match=r"^Nothing can listen on 127\.0\.0\.1:\d+ \([^()]*\)\.$"),
    ):
        serve(served, None, "127.0.0.1", taken.getsockname()[1])


def test_a_token_that_nobody_can_show_is_refused_at_the_start(served, monkeypatch):
    monkeypatch.setenv("SEGUE_API_TOKEN", "lét-me-in")
    with pytest.raises(SegueError, match=r"SEGUE_API_TOKEN is no bearer token") as refused:
        serve(served, None, "127.0.0.1", 0)
    assert "t-me-in" not in str(refused.value)
