"""A crawl that is refused, limited, left without an answer or stopped by a signal."""

import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from core import jobs
from core.dataset.library import open_dataset
from core.dataset.links import Link
from core.errors import SegueError
from core.progress import Progress
from core.spotify.client import Patience
from core.spotify.crawling.crawl import (
    DEVELOPMENT,
    PATIENCE,
    StoppedError,
    crawl,
    crawl_state,
    crawls,
    summary,
)
from core.spotify.health import reset_health
from core.workspace import alone
from tests.spotify.crawling.crawls import HASTY, KEPT, QUICK, WHOLE, asked, go, tables, terminate

# --- what goes wrong ---


def test_what_is_refused_is_counted_and_the_crawl_goes_on(workspace, world, fake):
    fake.fault(400, "/search", after=2)
    fake.fault(403, f"{world['with Dee']}/items")
    fake.fault(404, f"{world['with Eve']}/items")
    state = go(workspace, world)
    assert asked(fake) == [one for one in WHOLE[:6] if one != "search Bo"]
    assert state.refused == {"forbidden": 1, "not found": 1, "refused": 1}
    assert state.playlists == 1
    assert summary(state)[1:] == [
        "Refused by Spotify: 1 forbidden, 1 not found, 1 refused.",
        DEVELOPMENT,
    ]
    manifest = open_dataset(workspace, "crawled").manifest
    assert [one["what"] for one in manifest["cleaning"]["changes"]] == [
        "playlists forbidden",
        "playlists not found",
    ]
    fake.clear()
    go(workspace, bounds={"requests": 600})
    assert fake.requests == []  # that they are refused is an answer


@pytest.mark.parametrize("path", ["playlists/[^/]*$", "/items$"])
@pytest.mark.parametrize(("status", "word"), [(403, "Spotify"), (404, "private")])
def test_a_start_that_is_refused_is_one_sentence_and_leaves_nothing(
    workspace, world, fake, status, word, path
):
    fake.fault(status, path)
    with pytest.raises(SegueError, match=word) as refused:
        go(workspace, world)
    assert KEPT not in str(refused.value)
    assert crawls(workspace) == []
    assert crawl_state(workspace, "crawled") is None


FAULTS = [
    ("truncated", {}),
    ("html", {}),
    ("null", {}),
    ("missing", {"fields": ["items"]}),
    ("timeout", {}),
    ("drop", {}),
    ("cut", {}),
    (500, {}),
    (401, {}),
]


def test_where_there_is_no_answer_it_stops_in_one_sentence_and_goes_on_later(
    workspace, world, fake
):
    for path, first in (("/search", 2), ("/items", 6)):
        for kind, details in FAULTS:
            fake.fault(kind, path, times=None, **details)
            patience = replace(QUICK, timeout_s=0.1) if kind == "timeout" else QUICK
            with pytest.raises(SegueError) as stopped:
                go(workspace, world, patience=patience)
            assert KEPT in str(stopped.value), kind
            state = crawl_state(workspace, "crawled")
            assert (state.requests, state.finished) == (first, False), kind
            another_process(fake)
    assert go(workspace).finished
    assert asked(fake) == WHOLE[6:]


def another_process(fake) -> None:
    """From now on nothing fails, nothing was asked, and nothing is known of the server."""
    fake.heal()
    fake.clear()
    reset_health()


def test_what_fails_once_is_asked_again_at_once(workspace, world, fake):
    for path in ("/items", "/search"):
        for after, kind in enumerate(("truncated", "html", "timeout", 500)):
            fake.fault(kind, path, after=after)
    patient = replace(QUICK, attempts=9, timeout_s=0.2)
    assert go(workspace, world, patience=patient).requests == len(WHOLE)


def test_between_two_requests_it_pauses(workspace, world, fake):
    moments: list[float] = []
    fake.fault("meanwhile", times=None, do=lambda _: moments.append(time.monotonic()))
    start = Link("playlist", world["start"])
    crawl(workspace, "crawled", start, {"requests": 4}, pause_s=0.03, patience=QUICK)
    assert len(moments) == 4
    assert min(later - earlier for earlier, later in pairwise(moments)) >= 0.03


def test_a_rate_limit_is_waited_out(workspace, world, fake):
    fake.fault(429, "/search", after=1, retry_after=0.2)
    begun = time.time()
    state = go(workspace, world)
    assert time.time() - begun >= 0.2
    assert state.requests == len(WHOLE)
    assert state.waiting_until is None
    assert asked(fake) == WHOLE
    assert len(fake.requests) == len(WHOLE) + 2  # the token's, and the one that was too many


def test_a_rate_limit_that_is_too_long_is_one_sentence_and_holds_for_whoever_goes_on(
    workspace, world, fake
):
    fake.fault(429, "/search", after=1, retry_after=0.5)
    with pytest.raises(SegueError, match="no more requests from this app until"):
        go(workspace, world, patience=HASTY)
    until = crawl_state(workspace, "crawled").waiting_until
    assert until > time.time()
    another_process(fake)
    with pytest.raises(SegueError, match="no more requests from this app until"):
        go(workspace, patience=HASTY)
    assert fake.requests == []
    fake.fault("meanwhile", "/search", do=lambda _: moments.append(time.time()))
    moments: list[float] = []
    assert go(workspace).finished
    assert moments[0] >= until
    assert asked(fake) == WHOLE[3:]


def test_a_search_that_the_app_may_not_make_ends_it(workspace, world, fake):
    fake.fault(403, "/search")
    with pytest.raises(SegueError, match="refuses this app the playlist by search"):
        go(workspace, world)
    assert crawl_state(workspace, "crawled").requests == 2


def test_results_of_a_search_that_are_no_playlists_are_counted(workspace, world, fake):
    fake.fault("null", "/search", fields=["id"])
    state = go(workspace, world)
    assert state.skipped == {"search results that are no playlist": 2}
    assert asked(fake)[:3] == WHOLE[:3]


def test_names_that_no_file_can_hold_do_not_stop_it(workspace, fake):
    odd = "Half \ud800 a pair"
    track = fake.add_track(odd, odd)
    fake.add_playlist("another", [track])
    state = go(workspace, {"start": fake.add_playlist(odd, [track])})
    assert state.title == "Half ? a pair"
    assert "read another 0" in asked(fake)


# --- stopping ---


def test_a_signal_lets_the_request_in_flight_finish(workspace, world, fake):
    before = signal.getsignal(signal.SIGINT)
    paths = ("/v1/playlists/[^/]*$", "/items", "/search", "/items")
    for requests, path in zip((1, 2, 3, 7), paths, strict=True):
        number = signal.SIGTERM if requests % 2 else signal.SIGINT
        fake.fault("meanwhile", path, do=lambda _, number=number: os.kill(os.getpid(), number))
        with pytest.raises(StoppedError) as stopped:
            go(workspace, world)
        assert stopped.value.signal == number
        assert str(stopped.value) == (
            f"Stopped, with the answers to {requests} requests kept. "
            "`python -m core crawl --name crawled` goes on."
        )
        assert asked(fake) == WHOLE[:requests]
    assert go(workspace).finished
    assert asked(fake) == WHOLE
    assert signal.getsignal(signal.SIGINT) is before


class Acting(Progress):
    """Does something once a step of such a label begins."""

    def __init__(self, label: str, do: Callable[[], None]) -> None:
        self._label, self._do = label, do

    def update(self, label, fraction=None):
        if label.startswith(self._label):
            self._do()


@pytest.mark.parametrize("fault", [{"kind": 429, "retry_after": 30}, {"kind": 500}])
def test_a_signal_ends_a_wait_at_once(workspace, world, fake, fault):
    fake.fault(path="/search", times=None, **fault)
    soon = threading.Timer(0.1, terminate)
    with pytest.raises(StoppedError):
        go(
            workspace,
            world,
            patience=Patience(9, 20, 2, 60),
            progress=Acting("Spotify is asked again at", soon.start),
        )
    assert crawl_state(workspace, "crawled").waiting_until > time.time() + 5
    assert len(fake.requests) == 4  # the token's, the start's two, and the one that failed


def test_a_signal_while_the_dataset_is_made_leaves_the_one_before(workspace, world):
    go(workspace, world, {"requests": 4})
    before = tables(workspace)
    with pytest.raises(StoppedError):
        go(workspace, bounds={"requests": 9}, progress=Acting("Writing tables", terminate))
    assert tables(workspace) == before
    assert not list(workspace.folder.glob(".partial-*"))
    assert not crawl_state(workspace, "crawled").made
    assert go(workspace).made
    assert tables(workspace) != before


def test_a_cancelled_job_records_its_answer_before_it_is_killed():
    assert PATIENCE.timeout_s < jobs.GRACE_S


def test_a_crawl_runs_in_one_process_at_a_time(ended, settings):
    with (
        alone(ended.folder / ".spotify" / "crawls" / "crawled", "taken"),
        pytest.raises(SegueError, match="'crawled' is running already"),
    ):
        go(ended, bounds={"depth": 3})
