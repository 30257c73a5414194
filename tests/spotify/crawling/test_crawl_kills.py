"""A crawl that is stopped or killed at any point ends as one that was left alone."""

import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import groupby

import numpy as np
import pyarrow.parquet as pq
import pytest

from core import jobs
from core.dataset.library import open_dataset
from core.dataset.links import Link
from core.spotify.crawling.crawl import crawl_state, graph
from core.spotify.crawling.crawled import CrawlGraph, CrawlState
from core.workspace import Workspace
from tests.conftest import led_to
from tests.spotify.crawling.crawler import crawler
from tests.spotify.fake import fake_spotify

TERMINATIONS, KILLS = 50, 20
ARTISTS, PLAYLISTS = 60, 200
MOST_REQUESTS = 3
"""That pass before a signal."""
REQUESTS = 150
MOST_NODES = 100
TABLES = ("playlists", "entries", "tracks", "artists")


@pytest.fixture(scope="module")
def world():
    """A fake with playlists of seven tracks by three artists; the start, and its address."""
    with fake_spotify() as fake:
        chance = random.Random(5)
        songs = {
            artist: [fake.add_track(f"Song {artist} {n}", f"Artist{artist}") for n in range(4)]
            for artist in range(ARTISTS)
        }
        playlists = [
            [song for artist in chance.sample(range(ARTISTS), 3) for song in songs[artist][:3]]
            for _ in range(PLAYLISTS)
        ]
        keys = [fake.add_playlist(f"List {n}", songs) for n, songs in enumerate(playlists)]
        yield fake, Link("playlist", keys[0])


@pytest.fixture(scope="module")
def process(world, tmp_path_factory):
    """Crawls of the world in processes."""
    with crawler(world[0].environment, tmp_path_factory.mktemp("printed") / "output") as process:
        yield process


@pytest.fixture(scope="module")
def untouched(world, process, tmp_path_factory):
    """The workspace of a crawl that nobody stopped, its requests, and what was seen of it."""
    fake, start = world
    workspace = Workspace(tmp_path_factory.mktemp("untouched"))
    fake.clear()
    process.start(workspace.folder, "crawled", start.uri, REQUESTS)
    seen = list(watched(workspace))
    assert process.wait() == 0
    return workspace, asked(fake.requests), seen


def watched(workspace: Workspace) -> Iterator[tuple[CrawlState, CrawlGraph]]:
    """State and graph of a crawl, again and again while it runs."""
    finished = False
    while not finished:
        time.sleep(0.02)
        state = crawl_state(workspace, "crawled")
        if state:
            yield state, graph(workspace, "crawled", MOST_NODES)
            finished = state.finished


def asked(requests) -> list[tuple[str, str]]:
    """What was asked of the Web API, in order."""
    calls = ((one.path, sorted(one.query.items())) for one in requests)
    return [(path, str(query)) for path, query in calls if path.startswith("/v1/")]


class Interrupted:
    """A crawl that gets a signal at random points until it has had enough of them.

    Attributes
    ----------
    endings : list of (code, sentence, requests)
        Of each process that a signal ended.
    requests : list
        All that were made.
    """

    def __init__(self, world, process, workspace: Workspace, seed: int) -> None:
        self._fake, self._start = world
        self._process, self._workspace = process, workspace
        self._chance = random.Random(seed)
        self.endings: list[tuple[int, str, int]] = []
        self.requests: list = []

    def crawl(self, number: signal.Signals, times: int) -> None:
        """Crawl to the end with so many signals on the way."""
        self._fake.clear()
        begun = (self._start.uri, REQUESTS)
        while True:
            pid = self._process.start(self._workspace.folder, "crawled", *begun)
            before = len(self._fake.requests)
            if len(self.endings) < times:
                self._pass(before + self._chance.randint(0, MOST_REQUESTS))
                os.kill(pid, number)
            code = self._process.wait()
            if code == 0:
                break
            made = len(asked(self._fake.requests[before:]))
            self.endings.append((code, self._process.printed(), made))
            state = crawl_state(self._workspace, "crawled")
            begun = () if state else begun
        self.requests = asked(self._fake.requests)

    def _pass(self, requests: int) -> None:
        """Let the fake see so many requests, and then a random moment pass."""
        end = time.monotonic() + 5
        while len(self._fake.requests) < requests and time.monotonic() < end:
            time.sleep(0.0005)
        time.sleep(self._chance.uniform(0, 0.01))


def assert_same_dataset(found: Workspace, expected: Workspace) -> None:
    """Make sure that two crawls brought the same tables, the same cleaning and fingerprint."""
    ours, theirs = open_dataset(found, "crawled"), open_dataset(expected, "crawled")
    assert ours.manifest["fingerprint"] == theirs.manifest["fingerprint"]
    assert ours.manifest["cleaning"] == theirs.manifest["cleaning"]
    for table in TABLES:
        file = f"{table}.parquet"
        assert pq.read_table(ours.folder / file).equals(pq.read_table(theirs.folder / file))


def test_it_can_be_watched_while_it_runs_and_what_was_seen_keeps_its_place(untouched):
    workspace, _, seen = untouched
    states = [state for state, _ in seen]
    assert len(states) > 5
    assert [state.requests for state in states] == sorted(state.requests for state in states)
    whole = graph(workspace, "crawled", MOST_NODES)
    assert whole.left_out > 0
    for _, early in seen:
        names = [node.name for node in early.nodes[1:]]  # the start's is asked for first
        assert names == [node.name for node in whole.nodes[1 : len(early.nodes)]]
        assert np.array_equal(early.edges, whole.edges[: len(early.edges)])


def test_terminated_at_fifty_points_nothing_is_asked_twice(world, process, untouched, tmp_path):
    expected, requests, _ = untouched
    crawled = Interrupted(world, process, Workspace(tmp_path), seed=1)
    crawled.crawl(signal.SIGTERM, TERMINATIONS)
    assert len(crawled.endings) == TERMINATIONS
    assert crawled.requests == requests
    assert_same_dataset(Workspace(tmp_path), expected)
    for code, sentence, made in crawled.endings:
        if made:
            assert code == 128 + signal.SIGTERM
            assert "`python -m core crawl --name crawled` goes on." in sentence
        else:
            assert code in (128 + signal.SIGTERM, -signal.SIGTERM)  # it had hardly begun


def test_killed_at_points_only_what_was_in_flight_is_asked_again(
    world, process, untouched, tmp_path
):
    expected, requests, _ = untouched
    crawled = Interrupted(world, process, Workspace(tmp_path), seed=2)
    crawled.crawl(signal.SIGKILL, KILLS)
    assert [code for code, _, _ in crawled.endings] == [-signal.SIGKILL] * KILLS
    assert [request for request, _ in groupby(crawled.requests)] == requests
    assert len(crawled.requests) - len(requests) <= KILLS
    assert_same_dataset(Workspace(tmp_path), expected)


def test_a_cancelled_job_keeps_the_answer_in_flight(
    world, process, untouched, tmp_path, monkeypatch
):
    fake, start = world
    workspace, requests = Workspace(tmp_path), untouched[1][:6]
    led_to(fake, monkeypatch)
    fake.clear()
    fake.fault("slow", "/search", after=1, seconds=0.5)
    argv = ["crawl", start.uri, "--name", "crawled", "--requests", "6", "--pause", "0"]
    job = jobs.start(workspace, "Crawling", argv)
    while len(asked(fake.requests)) < 4 and jobs.current(workspace):
        time.sleep(0.01)
    jobs.cancel(workspace, job.id)
    while jobs.current(workspace):
        time.sleep(0.05)
    assert jobs.last(workspace).state == "cancelled"
    assert asked(fake.requests) == requests[:4]
    process.start(workspace.folder, "crawled")
    assert process.wait() == 0
    assert asked(fake.requests) == requests
