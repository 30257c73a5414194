import json
import multiprocessing
import os
import shutil
import signal
import time
from dataclasses import asdict, replace

import pytest

from core.dataset import fetch as fetch_module
from core.dataset.fetch import (
    Patience,
    arrived,
    download,
    downloads,
    fetch,
)
from core.dataset.library import SOURCES, open_dataset
from core.dataset.public_sets import SETS, public_set, public_sets
from core.errors import SegueError
from core.progress import Progress
from core.workspace import Workspace
from tests.dataset.publisher import publishing

CONTENT = bytes(range(256)) * 4_000
TABLE = (
    b"track_id,track_name,track_artist,playlist_id,playlist_name\n"
    b"0RhGFlknkTRsaTHfQzNE01,One,A,p,Mine\n0RhGFlknkTRsaTHfQzNE02,Two,B,p,Mine\n"
)
QUICK = Patience(attempts=3, pause_s=0.01, timeout_s=0.3)


class Heard(Progress):
    def __init__(self):
        self.said = []

    def update(self, label, fraction=None):
        self.said.append((label, fraction))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("SEGUE_SETS", raising=False)


@pytest.fixture
def publisher():
    with publishing(CONTENT) as publisher:
        yield publisher


@pytest.fixture
def registered(monkeypatch, tmp_path):
    """A publisher of a little table whose set "little" is in the registry."""
    with publishing(TABLE) as publisher:
        registry = tmp_path / "sets.json"
        registry.write_text(json.dumps([asdict(publisher.set())]))
        monkeypatch.setenv("SEGUE_SETS", str(registry))
        yield publisher


def ranges(publisher):
    return [headers.get("Range") for headers in publisher.asked]


def test_what_is_registered_can_be_fetched():
    for each in SETS:
        assert each.address.startswith("https://")
        assert len(each.sha256) == 64
        assert each.source in SOURCES
    assert public_set("tidytuesday").file == "spotify_songs.csv"


def test_the_registered_file_is_the_real_one(shared_data, tmp_path):
    real = (shared_data / "tidytuesday" / "spotify_songs.csv").read_bytes()
    with publishing(real) as publisher:
        chosen = replace(
            public_set("tidytuesday"), address=f"{publisher.address}/spotify_songs.csv"
        )
        assert download(chosen, tmp_path, patience=QUICK).read_bytes() == real


def test_a_file_arrives_whole(publisher, tmp_path):
    heard = Heard()
    file = download(publisher.set(), tmp_path, heard, QUICK)
    assert file.read_bytes() == CONTENT
    assert ranges(publisher) == [None]
    downloading = [(label, share) for label, share in heard.said if label.startswith("Downl")]
    assert [share for _, share in downloading] == sorted(share for _, share in downloading)
    assert downloading[-1] == ("Downloading songs.csv: 1.0 MB of 1.0 MB", 1.0)
    assert len({label for label, _ in downloading}) <= 21


@pytest.mark.parametrize("fault", ["drop", "stall"])
def test_a_broken_download_goes_on_where_it_stopped(publisher, tmp_path, fault):
    publisher.faults = [fault]
    assert download(publisher.set(), tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert ranges(publisher) == [None, f"bytes={len(CONTENT) // 2}-"]
    assert publisher.asked[1]["If-Range"] == '"first"'


def test_a_later_run_goes_on_too(publisher, tmp_path):
    publisher.faults = ["drop", "500", "500"]
    chosen = publisher.set()
    with pytest.raises(SegueError, match=r"answers 500 .* 3 times.*0\.5 MB of 1\.0 MB are kept"):
        download(chosen, tmp_path, patience=QUICK)
    assert not (tmp_path / "songs.csv").exists()
    assert download(chosen, tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert ranges(publisher)[3] == f"bytes={len(CONTENT) // 2}-"


def test_a_file_that_changed_meanwhile_is_begun_anew(publisher, tmp_path):
    publisher.faults = ["drop", "500", "500"]
    chosen = publisher.set()
    with pytest.raises(SegueError):
        download(chosen, tmp_path, patience=QUICK)
    publisher.content, publisher.etag = bytes(len(CONTENT)), '"second"'
    assert download(publisher.set(), tmp_path, patience=QUICK).read_bytes() == publisher.content


def test_pieces_that_do_not_fit_are_begun_anew(publisher, tmp_path):
    (tmp_path / "songs.csv.part").write_bytes(b"?" * 1_000)  # of no known edition
    assert download(publisher.set(), tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert ranges(publisher) == ["bytes=1000-", None]


@pytest.mark.parametrize(
    ("faults", "asked"),
    [
        (["drop", "whole"], [None, "bytes=512000-"]),
        (["drop", "shifted"], [None, "bytes=512000-", None]),
        (["drop", "416"], [None, "bytes=512000-", None]),
        (["500", "429"], [None, None, None]),
        (["unsized"], [None]),
    ],
)
def test_servers_of_all_kinds_deliver_in_the_end(publisher, tmp_path, faults, asked):
    publisher.faults = list(faults)
    assert download(publisher.set(), tmp_path, patience=QUICK).read_bytes() == CONTENT
    assert ranges(publisher) == asked


def test_too_many_bytes_of_an_earlier_run_are_forgotten(publisher, tmp_path):
    (tmp_path / "songs.csv.part").write_bytes(CONTENT + b"?")
    assert download(publisher.set(), tmp_path, patience=QUICK).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("faults", "sentence", "requests"),
    [
        (["404"], "answers 404 Not Found for http://127.0.0.1", 1),
        (["403"], "answers 403", 1),
        (["503"] * 9, "answers 503 .* 3 times", 3),
        (["longer"], "1,024,004 bytes instead of the registered 1,024,000", 1),
        (["unsized longer"], "more bytes instead of the registered 1,024,000", 1),
        (["stall"] * 9, "the connection broke .*timed out", 3),
    ],
)
def test_what_cannot_be_had_is_one_sentence(publisher, tmp_path, faults, sentence, requests):
    publisher.faults = faults
    with pytest.raises(SegueError, match=sentence):
        download(publisher.set(), tmp_path, patience=QUICK)
    assert len(publisher.asked) == requests
    assert not (tmp_path / "songs.csv").exists()


def test_another_content_of_the_same_size_is_refused(publisher, tmp_path):
    chosen = publisher.set(sha256="0" * 64)
    with pytest.raises(SegueError, match="other content than was registered"):
        download(chosen, tmp_path, patience=QUICK)
    assert len(publisher.asked) == 1
    assert not [file for file in tmp_path.iterdir() if file.suffix != ""]


def test_no_publisher_at_all_is_one_sentence(publisher, tmp_path):
    chosen = publisher.set(address="http://127.0.0.1:9/songs.csv")
    with pytest.raises(SegueError, match=r"127\.0\.0\.1:9 cannot be reached \(Connection refused"):
        download(chosen, tmp_path, patience=QUICK)


def test_a_pause_grows_is_shaken_and_heeds_the_server(monkeypatch, publisher, tmp_path):
    slept = []
    monkeypatch.setattr(fetch_module.time, "sleep", slept.append)
    publisher.faults = ["500"] * 9
    with pytest.raises(SegueError):
        download(publisher.set(), tmp_path, patience=Patience(attempts=5, pause_s=1))
    assert len(slept) == 4
    for doublings, pause in enumerate(slept):
        assert 0.5 * 2**doublings <= pause <= 1.5 * 2**doublings
    assert fetch_module._retry_after({"Retry-After": "7"}) == 7.0


def test_a_full_disk_is_one_sentence(monkeypatch, publisher, tmp_path):
    free = shutil.disk_usage(tmp_path)._replace(free=len(CONTENT) - 1)
    with monkeypatch.context() as patch:
        patch.setattr(fetch_module.shutil, "disk_usage", lambda _: free)
        with pytest.raises(SegueError, match=r"1\.0 MB are to be downloaded"):
            download(publisher.set(), tmp_path, patience=QUICK)
    assert not publisher.asked


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")  # noqa: PTH110
def test_a_disk_that_fills_up_is_one_sentence(publisher, tmp_path):
    publisher.etag = 'W/"weak"'
    chosen = publisher.set()
    original = fetch_module._Partial.begin

    def begin(partial, edition):
        original(partial, edition)
        partial.path.symlink_to("/dev/full")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fetch_module._Partial, "begin", begin)
        with pytest.raises(SegueError, match=r"cannot be written .*the disk is full"):
            download(chosen, tmp_path, patience=QUICK)


def test_a_folder_that_cannot_be_made_is_one_sentence(publisher, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SegueError, match=r"cannot be written .*Not a directory"):
        download(publisher.set(), tmp_path / "file" / "x", patience=QUICK)


def test_two_processes_do_not_write_the_same_file(publisher, tmp_path):
    publisher.faults = ["hold"]
    patient = Patience(timeout_s=30)
    chosen = publisher.set()
    other = multiprocessing.get_context("fork").Process(
        target=download, args=(chosen, tmp_path), kwargs={"patience": patient}
    )
    other.start()
    assert publisher.holding.wait(20)
    with pytest.raises(SegueError, match="is being downloaded already"):
        download(chosen, tmp_path, patience=QUICK)
    publisher.go_on.set()
    other.join(20)
    assert (tmp_path / "songs.csv").read_bytes() == CONTENT


def test_a_cancelled_download_can_go_on(publisher, tmp_path):
    publisher.faults = ["hold"]
    chosen = publisher.set()
    other = multiprocessing.get_context("fork").Process(
        target=download, args=(chosen, tmp_path), kwargs={"patience": Patience(timeout_s=30)}
    )
    other.start()
    partial = tmp_path / "songs.csv.part"
    while not (partial.exists() and partial.stat().st_size):
        assert other.is_alive()
        time.sleep(0.01)
    os.kill(other.pid, signal.SIGKILL)
    other.join(20)
    assert download(chosen, tmp_path, patience=QUICK).read_bytes() == CONTENT
    begun = int(ranges(publisher)[1].removeprefix("bytes=").removesuffix("-"))
    assert 0 < begun <= len(CONTENT) // 2


# --- the registry ---


def test_a_registry_of_ones_own_adds_and_replaces(monkeypatch, tmp_path, publisher):
    mirror = replace(SETS[0], address="https://mirror.example/spotify_songs.csv")
    (tmp_path / "sets.json").write_text(json.dumps([asdict(mirror), asdict(publisher.set())]))
    monkeypatch.setenv("SEGUE_SETS", str(tmp_path / "sets.json"))
    assert [*public_sets()] == ["tidytuesday", "little"]
    assert public_set("tidytuesday") == mirror


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"address": "file:///etc/passwd"}, "cannot be its address"),
        ({"address": "https://x.example/"}, "cannot be its address"),
        ({"address": "https://x.example/a/.."}, "cannot be its address"),
        ({"size": -1}, "cannot be its size"),
        ({"size": True}, "size is no number"),
        ({"size": "12"}, "size is no number"),
        ({"sha256": "abc"}, "cannot be its sha256"),
        ({"source": "vinyl"}, "cannot be its source"),
        ({"name": "../x"}, "cannot name a dataset"),
        ({"licence": ""}, "licence is no text"),
        ({"colour": "red"}, "needs exactly name, label"),
    ],
)
def test_a_wrong_entry_is_named(monkeypatch, tmp_path, publisher, wrong, sentence):
    (tmp_path / "sets.json").write_text(json.dumps([asdict(publisher.set()) | wrong]))
    monkeypatch.setenv("SEGUE_SETS", str(tmp_path / "sets.json"))
    with pytest.raises(SegueError, match=sentence):
        public_sets()


@pytest.mark.parametrize(("content", "sentence"), [(None, "cannot be read"), ("{}", "no list")])
def test_a_broken_registry_is_named(monkeypatch, tmp_path, content, sentence):
    if content:
        (tmp_path / "sets.json").write_text(content)
    monkeypatch.setenv("SEGUE_SETS", str(tmp_path / "sets.json"))
    with pytest.raises(SegueError, match=sentence):
        public_sets()


# --- into the workspace ---


def test_a_fetched_set_says_where_it_comes_from(registered, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    manifest = fetch(workspace, "little", patience=QUICK)
    assert manifest == open_dataset(workspace, "little").manifest
    assert manifest["counts"]["tracks"] == 2
    assert manifest["licence"] == "CC0 1.0"
    assert manifest["address"] == f"{registered.address}/songs.csv"
    assert manifest["files"] == ["songs.csv"]
    assert not downloads(workspace, registered.set()).exists()


def test_a_name_that_is_taken_is_not_overwritten(registered, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    fetch(workspace, "little", "mine", patience=QUICK)
    with pytest.raises(SegueError, match="a dataset 'mine' already"):
        fetch(workspace, "little", "mine", patience=QUICK)
    assert len(registered.asked) == 1
    fetch(workspace, "little", "mine", replace=True, patience=QUICK)


def test_what_has_arrived_is_known(registered, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    assert arrived(workspace, registered.set()) == 0
    registered.faults = ["drop", "404"]
    with pytest.raises(SegueError):
        fetch(workspace, "little", patience=QUICK)
    assert arrived(workspace, registered.set()) == len(TABLE) // 2
    assert ".downloads" not in workspace.names()


def test_an_import_that_fails_keeps_the_file(monkeypatch, registered, tmp_path):
    workspace = Workspace(tmp_path / "workspace")
    with monkeypatch.context() as patch:
        patch.setattr(fetch_module, "import_dataset", lambda *_, **__: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            fetch(workspace, "little", patience=QUICK)
    assert arrived(workspace, registered.set()) == len(TABLE)
    fetch(workspace, "little", patience=QUICK)
    assert len(registered.asked) == 1


def test_an_unknown_set_lists_those_there_are(tmp_path):
    with pytest.raises(SegueError, match=r"no public set 'x' \(there: tidytuesday\)"):
        fetch(Workspace(tmp_path), "x")
