"""What a crawl asks for and in which order, where it ends, and the dataset that it makes."""

import pyarrow.parquet as pq
import pytest

from core.dataset.library import open_dataset
from core.spotify.crawling.crawl import graph
from core.workspace import Workspace
from tests.conftest import led_to
from tests.spotify.crawling.crawls import WHOLE, asked, go, plant, tables
from tests.spotify.fake import fake_spotify

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


def test_older_fields_are_read_too(monkeypatch, tmp_path):
    with fake_spotify("extended", "old") as fake:
        led_to(fake, monkeypatch)
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
