import json

import pytest

from core import workspace as workspace_module
from core.dataset import library
from core.dataset.library import (
    import_dataset,
    open_dataset,
    open_writable,
    simulate_dataset,
    source_of,
)
from core.errors import SegueError
from core.workspace import Workspace

SLICE = json.dumps({"info": {}, "playlists": [{"pid": 0, "tracks": [{"track_uri": "u"}]}]})


@pytest.mark.parametrize(
    ("name", "content", "source"),
    [
        ("a.zip", "", "mpd"),
        ("a.json", SLICE, "mpd"),
        ("a.json", '{"playlist": {"track": []}}', "list"),
        ("a.csv", '"track_id","playlist_id"\n', "tidytuesday"),
        ("a.csv", '\ufeff"user_id", "artistname", "trackname", "playlistname"\r\n', "nowplaying"),
        ("a.csv", "track_id,title\n", "list"),
        ("a.csv", "", "list"),
        ("a.m3u8", "#EXTM3U\n", "list"),
    ],
)
def test_the_source_is_guessed_from_ending_and_content(tmp_path, name, content, source):
    (tmp_path / name).write_text(content)
    assert source_of(tmp_path / name) == source


def test_a_folder_of_slices_is_guessed_too(tmp_path):
    (tmp_path / "s.json").write_text(SLICE)
    assert source_of(tmp_path) == "mpd"


def test_import_and_open(tmp_path):
    (tmp_path / "s.json").write_text(SLICE)
    place = Workspace(tmp_path / "workspace")
    manifest = import_dataset(place, "mine", "auto", [tmp_path / "s.json"])
    assert manifest["source"] == "mpd"
    assert manifest["files"] == ["s.json"]
    assert place.names()[-1] == "mine"
    assert open_dataset(place, "mine").values("uri", [0]) == ["u"]


def test_a_failed_import_leaves_the_dataset_there_was(tmp_path):
    (tmp_path / "s.json").write_text(SLICE)
    (tmp_path / "broken.json").write_text(SLICE[:-5])
    place = Workspace(tmp_path / "workspace")
    before = import_dataset(place, "mine", "mpd", [tmp_path / "s.json"])
    with pytest.raises(SegueError, match=r"broken\.json: broken JSON"):
        import_dataset(place, "mine", "mpd", [tmp_path / "broken.json"])
    assert open_dataset(place, "mine").manifest == before


@pytest.mark.parametrize(("source", "paths"), [("vinyl", ["x"]), ("mpd", [])])
def test_what_cannot_be_imported_says_so(tmp_path, source, paths):
    with pytest.raises(SegueError, match="cannot be imported"):
        import_dataset(Workspace(tmp_path), "x", source, paths)


def test_simulated_playlists_say_that_they_are(tmp_path):
    manifest = simulate_dataset(Workspace(tmp_path), "invented", 100, 600)
    assert manifest["simulated"] is True
    assert manifest["licence"] == "CC0 1.0"


def test_the_demo_is_copied_before_it_is_written_to(tmp_path, monkeypatch):
    (tmp_path / "s.json").write_text(SLICE)
    shipped = Workspace(tmp_path / "repository")
    import_dataset(shipped, "demo", "mpd", [tmp_path / "s.json"])
    for module in (workspace_module, library):
        monkeypatch.setattr(module, "DEMO", tmp_path / "repository" / "demo")
    place = Workspace(tmp_path / "workspace")
    assert place.names() == ["demo"]
    assert open_dataset(place, "demo").folder == tmp_path / "repository" / "demo"
    before = place.stamp("demo")
    assert open_writable(place, "demo").folder == tmp_path / "workspace" / "demo"
    assert place.stamp("demo") != before
    assert place.names() == ["demo"]
