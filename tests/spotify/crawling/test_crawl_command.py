"""Crawls by their names, and by the command line."""

import json
import shutil
import signal
import time
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.dataset.library import open_dataset
from core.dataset.links import Link
from core.errors import SegueError
from core.spotify.crawling.crawl import crawl, crawl_state, crawls, discard, finish, graph
from core.workspace import read_json, write_json
from tests.spotify.crawling.crawls import KEPT, WHOLE, asked, go, terminate

# --- names ---


@pytest.mark.parametrize("option", ["--finish", "--discard"])
def test_what_is_to_be_done_to_a_crawl_names_it(workspace, option):
    said = CliRunner().invoke(app, ["--workspace", str(workspace.folder), "crawl", option])
    assert isinstance(said.exception, SegueError)
    assert "--name NAME" in str(said.exception)


def test_the_list_says_of_a_crawl_until_when_it_waits(ended, monkeypatch):
    (state,) = crawls(ended)
    waiting = replace(state, ending=None, waiting_until=time.time() + 3_600)
    monkeypatch.setattr("core.spotify.crawling.crawl.crawls", lambda workspace: [waiting])
    said = CliRunner().invoke(app, ["--workspace", str(ended.folder), "crawl"]).stdout
    assert "may ask again at " in said


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
    manifest = ended.path("crawled") / "manifest.json"
    older = {key: value for key, value in read_json(manifest).items() if key != "address"}
    write_json(manifest, older)
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
    sentence = "set SPOTIFY_CLIENT_SECRET as https"
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
