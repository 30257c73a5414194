"""What one server takes on: much work, many requests at once, slow bodies, clients that left."""

import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from core.query import answer
from core.serving import api, limits, schema
from core.serving.api import create_api
from core.serving.serve import CONNECTIONS
from core.workspace import REPOSITORY
from tests.serving.conftest import listening
from tests.serving.test_api import problem

AT_ONCE = 2
PATIENCE_S = 30


class Held:
    """Answers that wait until they are let go, on a server of their own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.begun: list[str | None] = []
        self.let_go = threading.Event()

    def answer(self, recommender, query):
        self.begun.append(query.title)
        assert self.let_go.wait(PATIENCE_S)
        return answer(recommender, query)

    def ask(self, title):
        return requests.post(
            f"{self.address}/invocations", json={"title": title}, timeout=PATIENCE_S
        )

    def present(self) -> int:
        """Requests that the server says are in progress, besides this one."""
        return int(self.count("segue_requests_now")) - 1

    def count(self, name) -> float:
        report = requests.get(f"{self.address}/metrics", timeout=PATIENCE_S).text
        return next(
            (float(line.split()[-1]) for line in report.splitlines() if line.startswith(name)), 0
        )


def wait_for(holds):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def held(served, monkeypatch):
    monkeypatch.setattr(limits.os, "cpu_count", lambda: AT_ONCE)
    with listening(create_api(served, "planted")) as address:
        requests.get(f"{address}/ping", timeout=PATIENCE_S)  # opens the models
        held = Held(address)
        monkeypatch.setattr(api, "answer", held.answer)
        try:
            yield held
        finally:
            held.let_go.set()


def test_a_ping_does_not_wait_for_the_work(held):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(held.ask, "a") for _ in range(AT_ONCE)]
        wait_for(lambda: len(held.begun) == AT_ONCE)
        assert requests.get(f"{held.address}/ping", timeout=PATIENCE_S / 2).ok
        held.let_go.set()
        assert all(one.result().ok for one in asked)


def test_more_requests_than_there_are_places_are_sent_away_at_once(held, monkeypatch):
    monkeypatch.setattr(limits, "MOST_REQUESTS", AT_ONCE + 1)
    with ThreadPoolExecutor(AT_ONCE + 1) as pool:
        asked = [pool.submit(held.ask, "a") for _ in range(AT_ONCE + 1)]
        wait_for(lambda: held.present() == AT_ONCE + 1)
        refused = held.ask("one too many")
        assert "Too many requests" in problem(refused, 503)
        assert int(refused.headers["retry-after"]) > 0
        assert requests.get(f"{held.address}/ping", timeout=PATIENCE_S).ok
        held.let_go.set()
        assert all(one.result().ok for one in asked)
    assert held.ask("a place again").ok


def test_nothing_is_done_for_who_has_left(held):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        asked = [pool.submit(held.ask, "a") for _ in range(AT_ONCE)]
        wait_for(lambda: len(held.begun) == AT_ONCE)
        with posting(held.address, body := b'{"title": "left"}', len(body)):
            wait_for(lambda: held.present() == AT_ONCE + 1)
        held.let_go.set()
        assert all(one.result().ok for one in asked)
    assert held.ask("next").ok
    assert held.begun == ["a"] * AT_ONCE + ["next"]
    assert held.count('segue_requests_total{route="/invocations",status="499"}') == 1


def test_a_batch_ends_where_its_time_does(ask, monkeypatch):
    begun = []

    def slow(recommender, query):
        begun.append(query)
        time.sleep(0.1)
        return answer(recommender, query)

    monkeypatch.setattr(api, "answer", slow)
    monkeypatch.setattr(limits, "ANSWERING_S", 0.2)
    refused = ask({"instances": [{"title": "style one"}] * 9})
    assert "ask for less at once" in problem(refused, 503)
    assert "retry-after" in refused.headers
    assert len(begun) < 9


def test_a_body_that_does_not_arrive_is_not_waited_for(address, monkeypatch):
    monkeypatch.setattr(limits, "READING_S", 0.1)
    with posting(address, b"{", 100) as half:
        said = b"".join(iter(lambda: half.recv(4096), b""))  # until the server closes it
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    assert b"connection: close" in head.lower()  # what is left of the body is no request
    assert "did not arrive within 0.1 s" in json.loads(body)["detail"]


def test_who_leaves_while_sending_is_no_failure(served, caplog):
    with listening(create_api(served, "planted")) as here:
        posting(here, b"{", 100).close()
        counted = Held(here).count
        wait_for(lambda: counted('segue_requests_total{route="/invocations",status="499"}') == 1)
    assert "Traceback" not in caplog.text


def posting(address: str, body: bytes, length: int) -> socket.socket:
    """A connection over which a part of a body has been sent."""
    host, _, port = address.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)), timeout=PATIENCE_S)
    connection.sendall(
        b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % length + body
    )
    return connection


REASONED = {"k": 50, "reasons": True, "seeds": ["t:0-01"] * 300, "likes": ["t:0-02"] * 100}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"k": 51, "reasons": True}, "body: k is 51; with reasons it is at most 50."),
        ({"instances": [{"k": 500}] * 11}, "body: they ask for 5,500 tracks; at most 5,000"),
        ({"instances": [REASONED] * 3}, "tracks times seeds and likes come to 60,000; at most"),
    ],
)
def test_much_work_in_a_small_request_is_refused(ask, body, said):
    assert said in problem(ask(body), 422)


def test_the_documented_limits_are_those_that_hold():
    described = (REPOSITORY / "docs" / "hosting.md").read_text("utf-8")
    (table,) = re.findall(r"\| at most \| otherwise \|\n(.*?)\n\n", described, re.S)
    named = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", table)]
    assert [number for number in named if number not in (408, 413, 422, 503)] == [
        limits.MOST_BYTES // 1_000_000,
        limits.READING_S,
        schema.MOST_INSTANCES,
        schema.MOST_ADDED,
        schema.MOST_EXPLAINED,
        schema.MOST_CREDITED,
        limits.ANSWERING_S,
        limits.MOST_REQUESTS,
        CONNECTIONS,
    ]


def test_what_is_just_allowed_is_answered(ask):
    assert len(ask(REASONED).json()["tracks"]) == 50
    batch = ask({"instances": [{"k": 500}] * 10}).json()["predictions"]
    assert len(batch) == 10
