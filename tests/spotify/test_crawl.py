"""What a crawl asks for and in which order, where it ends, and what it makes of what goes wrong."""

import json
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from core import jobs
from core.__main__ import app
from core.dataset.library import open_dataset
from core.dataset.links import Link
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.spotify.client import Patience
from core.spotify.crawling.crawl import (
    PATIENCE,
    StoppedError,
    crawl,
    crawl_state,
    crawls,
    discard,
    finish,
    graph,
    summary,
)
from core.spotify.health import reset_health
from core.workspace import Workspace, alone
from tests.spotify.fake import fake_spotify

QUICK = Patience(attempts=3, pause_s=0.001, timeout_s=0.1, longest_wait_s=5)
HASTY = replace(QUICK, longest_wait_s=0.01)
KEPT = "What was answered is kept; `python -m core crawl --name crawled` goes on."


@pytest.fixture
def workspace(settings, tmp_path):
    """A workspace beside the fake."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def world(fake):
    """Playlists two steps deep: the start, what its artists are found in, what theirs are."""
    return plant(fake)


def plant(fake) -> dict[str, str]:
    """Add the playlists and give their ids by name.

    Of the start's tracks Ada has three, Cy two, Bo and Dee one each, Bo's before Dee's.
    """
    names = ("Ada", "Bo", "Cy", "Dee", "Eve", "Flo")
    songs = {name: [fake.add_track(f"{name} {n}", name) for n in range(3)] for name in names}
    lists = {
        "start": [*songs["Bo"][:1], *songs["Cy"][:2], *songs["Ada"], *songs["Dee"][:1]],
        "with Eve": [*songs["Eve"][:2], songs["Cy"][2]],
        "with Dee": [songs["Dee"][1], songs["Dee"][2], songs["Ada"][0]],
        "with Flo": [songs["Flo"][0], songs["Eve"][0]],
    }
    return {name: fake.add_playlist(name, tracks) for name, tracks in lists.items()}


def go(workspace, world=None, bounds=None, patience=QUICK, progress=SILENT):
    """Crawl from the start of the world, or go on."""
    start = Link("playlist", world["start"]) if world else None
    return crawl(
        workspace, "crawled", start, bounds, pause_s=0, patience=patience, progress=progress
    )


def asked(fake) -> list[str]:
    """What was answered, in order: "playlist NAME", "read NAME OFFSET" or "search ARTIST"."""
    names = {key: playlist.name for key, playlist in fake.playlists.items()}
    said = []
    for one in fake.requests:
        parts = one.path.split("/")
        if one.status != 200 or parts[1] != "v1":
            continue
        if parts[2] == "search":
            said.append(f"search {one.query['q']}")
        elif len(parts) == 4:
            said.append(f"playlist {names[parts[3]]}")
        else:
            said.append(f"read {names[parts[3]]} {one.query['offset']}")
    return said


WHOLE = [
    "playlist start",
    "read start 0",
    "search Ada",
    "search Cy",
    "search Bo",
    "search Dee",
    "read with Dee 0",
    "read with Eve 0",
    "search Eve",
    "read with Flo 0",
]


def tables(workspace) -> list:
    """What the dataset holds, to be compared."""
    folder = workspace.path("crawled")
    names = ("playlists", "entries", "tracks", "artists")
    return [pq.read_table(folder / f"{name}.parquet").to_pydict() for name in names]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The workspace of a crawl of the world, its state, and what it asked."""
    with pytest.MonkeyPatch.context() as patch, fake_spotify() as fake:
        for name, value in fake.environment.items():
            patch.setenv(name, value)
        workspace = Workspace(tmp_path_factory.mktemp("whole"))
        state = go(workspace, plant(fake))
        return workspace, state, asked(fake)


@pytest.fixture
def ended(whole, tmp_path):
    """A copy of the workspace of that crawl."""
    return Workspace(shutil.copytree(whole[0].folder, tmp_path / "ended"))


# --- the order ---


def test_breadth_first_artists_by_falling_share(whole):
    _, state, said = whole
    assert said == WHOLE
    assert (state.requests, state.playlists, state.artists, state.depth) == (10, 4, 5, 2)
    assert (state.waiting_playlists, state.waiting_artists) == (0, 1)  # Flo: a step too deep
    assert state.title == "start"
    assert state.ending == "its bound of depth 2 is reached"


def test_the_graph_says_what_led_to_what_at_which_depth(whole):
    workspace = whole[0]
    found = graph(workspace, "crawled")
    nodes = [(node.kind, node.name, node.depth, node.tracks) for node in found.nodes]
    assert nodes == [
        ("playlist", "start", 0, 7),
        ("artist", "Ada", 0, 4),
        ("artist", "Cy", 0, 3),
        ("artist", "Bo", 0, 1),
        ("artist", "Dee", 0, 3),
        ("playlist", "with Dee", 1, 3),
        ("playlist", "with Eve", 1, 3),
        ("artist", "Eve", 1, 3),
        ("playlist", "with Flo", 2, 2),
        ("artist", "Flo", 2, 1),
    ]
    named = {(found.nodes[a].name, found.nodes[b].name) for a, b in found.edges}
    assert {("start", "Dee"), ("Ada", "with Dee"), ("Cy", "with Eve"), ("with Eve", "Cy")} <= named
    assert ("Dee", "start") in named  # found again, and not read again
    assert found.left_out == 0
    part = graph(workspace, "crawled", most=5)
    assert part.nodes == found.nodes[:5]
    assert part.left_out == 5
    assert len(part.edges) == 8  # start to its artists, and they to start


def test_older_fields_are_read_too(settings, monkeypatch, tmp_path):
    with fake_spotify("extended", "old") as fake:
        for name, value in fake.environment.items():
            monkeypatch.setenv(name, value)
        workspace = Workspace(tmp_path / "workspace")
        go(workspace, plant(fake), {"requests": 7})
        assert asked(fake) == WHOLE[:7]
    dataset = open_dataset(workspace, "crawled")
    assert dataset.manifest["counts"]["entries"] == 10
    assert set(dataset.values("popularity", range(8))) == {50.0}  # which is not sent today


def test_long_playlists_are_read_page_by_page_before_their_artists_are_known(workspace, fake):
    spelled = {"Early": 55, "Late": 30, "LATE": 30}  # by their names two artists are one
    tracks = [fake.add_track(f"{n}", name) for name, count in spelled.items() for n in range(count)]
    state = go(workspace, {"start": fake.add_playlist("long", tracks)})
    assert asked(fake) == [
        "playlist long",
        *(f"read long {offset}" for offset in (0, 50, 100)),
        "search Late",
        "search Early",
    ]
    assert state.tracks == 115
    assert state.ending == "nothing is left to ask for"


def test_tracks_that_slip_onto_the_next_page_are_counted_once(workspace, fake):
    start = fake.add_playlist("long", [fake.add_track(f"{n}", "One") for n in range(60)])
    fake.fault("overlap", rf"{start}/items", after=1, by=2)
    go(workspace, {"start": start})
    dataset = open_dataset(workspace, "crawled")
    assert dataset.manifest["counts"]["entries"] == 60
    (change,) = dataset.manifest["cleaning"]["changes"]
    assert change["what"] == "repeats inside a playlist, first kept"
    assert change["count"] == 2


# --- where it ends ---


@pytest.mark.parametrize(
    ("bounds", "requests", "ending"),
    [
        ({"requests": 5}, 5, "its bound of 5 requests is reached"),
        ({"depth": 0}, 2, "its bound of depth 0 is reached"),
        ({"playlists": 2}, 7, "its bound of 2 playlists is reached"),
        ({"depth": 3}, 11, "nothing is left to ask for"),
    ],
)
def test_every_bound_ends_it(workspace, world, fake, bounds, requests, ending):
    state = go(workspace, world, bounds)
    assert (state.requests, state.ending, state.made) == (requests, ending, True)
    assert asked(fake) == [*WHOLE, "search Flo"][:requests]


def test_raised_bounds_end_as_bounds_that_were_so_from_the_beginning(workspace, world, whole):
    go(workspace, world, {"requests": 5, "depth": 1})
    go(workspace, bounds={"requests": 50, "depth": 2})
    assert tables(workspace) == tables(whole[0])
    ours, theirs = (open_dataset(each, "crawled").manifest for each in (workspace, whole[0]))
    assert ours["fingerprint"] == theirs["fingerprint"]


def test_where_nothing_is_left_to_do_nothing_is_asked_and_the_dataset_stays(ended, world, fake):
    trained = ended.path("crawled") / "trained"
    trained.touch()
    go(ended)
    go(ended, world)
    assert fake.requests == []
    assert trained.exists()


# --- the dataset ---


def test_the_dataset_holds_what_was_read_and_where_it_is_from(whole):
    workspace, state, _ = whole
    dataset = open_dataset(workspace, "crawled")
    manifest = dataset.manifest
    assert manifest["source"] == "spotify"
    assert manifest["address"] == state.start.address
    assert "forbid" in manifest["licence"]
    assert not manifest["simulated"]
    playlists = pq.read_table(dataset.folder / "playlists.parquet").to_pydict()
    assert playlists["title"] == ["start", "with Dee", "with Eve", "with Flo"]
    assert playlists["length"] == [7, 3, 3, 2]
    first = dataset.values("title", dataset.playlists[0])
    assert first == ["Bo 0", "Cy 0", "Cy 1", "Ada 0", "Ada 1", "Ada 2", "Dee 0"]


def test_what_is_no_track_is_skipped_and_counted(workspace, fake):
    song = fake.add_track("Song", "One")
    odd = [None, fake.local_file("Demo"), song, fake.episode("Talk"), None]
    state = go(workspace, {"start": fake.add_playlist("odd", odd)})
    skipped = {"no longer available": 2, "local file": 1, "podcast episode": 1}
    assert state.skipped == skipped
    manifest = open_dataset(workspace, "crawled").manifest
    changes = {one["what"]: one for one in manifest["cleaning"]["changes"]}
    assert {what: one["count"] for what, one in changes.items()} == skipped
    assert changes["local file"]["examples"][0].endswith(", position 2")
    assert manifest["counts"]["entries"] == 1


def test_a_playlist_that_the_requests_did_not_suffice_for_is_there_in_part(workspace, fake):
    tracks = [fake.add_track(f"{n}", "One") for n in range(120)]
    go(workspace, {"start": fake.add_playlist("long", tracks)}, {"requests": 3})
    manifest = open_dataset(workspace, "crawled").manifest
    assert manifest["counts"]["entries"] == 100
    assert [one["what"] for one in manifest["cleaning"]["changes"]] == ["playlists read in part"]


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
        "An app in development mode is given the tracks of a playlist only for those whose it is.",
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
            with pytest.raises(SegueError) as stopped:
                go(workspace, world)
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
    assert go(workspace, world).requests == len(WHOLE)


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
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Acting(Progress):
    """Does something once a step of such a label begins."""

    def __init__(self, label: str, do: Callable[[], None]) -> None:
        self._label, self._do = label, do

    def update(self, label, fraction=None):
        if label.startswith(self._label):
            self._do()


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("fault", [{"kind": 429, "retry_after": 30}, {"kind": 500}])
def test_a_signal_ends_a_wait_at_once(workspace, world, fake, fault):
    fake.fault(path="/search", times=None, **fault)
    soon = threading.Timer(0.1, terminate)
    with pytest.raises(StoppedError):
        go(
            workspace,
            world,
            patience=Patience(9, 20, 0.1, 60),
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


# --- names ---


@pytest.mark.parametrize(
    ("name", "link", "sentence"),
    [
        ("demo", None, "dataset 'demo' already"),
        ("a/b", None, "cannot name a dataset"),
        ("fresh", Link("album", "a" * 22), "is an album; give a playlist's link"),
        ("crawled", Link("playlist", "b" * 22), "'crawled' started from https"),
    ],
)
def test_what_cannot_begin_is_one_sentence_before_any_request(
    ended, world, fake, settings, name, link, sentence
):
    with pytest.raises(SegueError, match=sentence):
        crawl(ended, name, link or Link("playlist", world["start"]))
    assert fake.requests == []
    assert [state.name for state in crawls(ended)] == ["crawled"]


def test_a_dataset_that_took_the_name_meanwhile_is_not_replaced(ended, world, fake, make_dataset):
    shutil.rmtree(ended.path("crawled"))
    shutil.copytree(make_dataset([["a", "b"]]).folder, ended.new_path("crawled"))
    for start in (world, None):
        with pytest.raises(SegueError, match="'crawled' already, which is not of this crawl"):
            go(ended, start, {"depth": 3})
    assert fake.requests == []
    assert open_dataset(ended, "crawled").manifest["source"] == "test"


@pytest.mark.parametrize("action", [crawl, finish, discard, graph])
def test_a_crawl_that_is_not_there_is_one_sentence(workspace, action):
    with pytest.raises(SegueError, match="There is no crawl 'fresh'; begin it with"):
        action(workspace, "fresh")
    assert crawl_state(workspace, "fresh") is None
    assert not (workspace.folder / ".spotify").exists()


def test_a_damaged_frontier_is_one_sentence(ended):
    file = ended.folder / ".spotify" / "crawls" / "crawled" / "frontier.sqlite3"
    file.write_bytes(b"not a database" * 100)
    for action in (crawl_state, graph, crawl):
        with pytest.raises(SegueError, match="the crawl cannot be read or written"):
            action(ended, "crawled")
    discard(ended, "crawled")
    assert crawls(ended) == []
    assert open_dataset(ended, "crawled").manifest["counts"]["playlists"] == 4


def test_without_credentials_it_is_one_sentence(workspace, world, fake, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    sentence = "set SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET"
    with pytest.raises(SegueError, match=sentence) as refused:
        go(workspace, world)
    assert KEPT not in str(refused.value)
    assert fake.requests == []
    assert crawls(workspace) == []  # nothing was begun


# --- the command line ---


def command(workspace, *argv):
    """What `python -m core crawl` prints, and its exit code."""
    return CliRunner().invoke(app, ["--workspace", str(workspace.folder), "crawl", *argv])


def test_the_command_crawls_and_says_what_came_of_it(workspace, world):
    link = f"https://open.spotify.com/playlist/{world['start']}?si=x"
    bounds = ("--requests", "8", "--playlists", "9", "--depth", "3")
    done = command(workspace, link, "--name", "crawled", *bounds, "--pause", "0")
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert lines[0] == (
        "crawled: its bound of 8 requests is reached. Requests: 8; playlists read: 3, to depth 1; "
        "artists searched for: 4."
    )
    assert lines[1] == (
        "Found and not asked for: playlists: 0; artists: 1. With higher bounds "
        "`python -m core crawl --name crawled` goes on."
    )
    assert lines[2].startswith("crawled: 3 playlists, 13 entries, 12 tracks, 5 artists")
    assert "Requests: 8 of 8; playlists read: 3; artists searched for: 4" in done.stderr
    told = json.loads(command(workspace, "--name", "crawled", "--json").stdout)
    assert told["crawl"]["requests"] == 8
    assert told["crawl"]["bounds"] == {"requests": 8, "depth": 3, "playlists": 9}
    assert told["dataset"]["counts"]["playlists"] == 3
    assert command(workspace).stdout.splitlines()[1].split() == (
        ["crawled", "start", "8", "3", "4", "its", "bound", "of", "8", "requests", "is", "reached"]
    )


def test_the_command_stops_with_the_signals_exit_code(workspace, world, fake):
    fake.fault("meanwhile", "/search", do=lambda _: terminate())
    link = f"spotify:playlist:{world['start']}"
    done = command(workspace, world["start"], "--name", "crawled", "--pause", "0")
    assert "is no link to a playlist" in str(done.exception)  # an id alone is none
    assert "--name NAME" in str(command(workspace, link).exception)
    done = command(workspace, link, "--name", "crawled", "--pause", "0")
    assert done.exit_code == 128 + signal.SIGTERM
    assert done.stderr.splitlines()[-1].endswith("`python -m core crawl --name crawled` goes on.")
    finished = command(workspace, "--name", "crawled", "--finish")
    assert finished.stdout.startswith("crawled: there is more to ask for. Requests: 3;")
    assert asked(fake) == WHOLE[:3]
    files = [file for file in workspace.folder.rglob("*") if file.is_file()]
    told = done.output.encode() + b"".join(file.read_bytes() for file in files)
    assert fake.secrets
    assert not [secret for secret in fake.secrets if secret.encode() in told]
    assert command(workspace, "--name", "crawled", "--discard").exit_code == 0
    assert crawls(workspace) == []
