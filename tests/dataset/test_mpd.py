import json
import zipfile

import pytest

from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources import mpd
from core.errors import SegueError


def track(number, **fields):
    return {
        "pos": number,
        "track_uri": f"spotify:track:{number}",
        "track_name": f"Title {number}",
        "artist_name": f"Artist {number}",
        "artist_uri": f"spotify:artist:{number}",
        "album_uri": "spotify:album:0",
        "album_name": "Album",
        "duration_ms": 180_000,
    } | fields


def playlist(pid, *tracks, **fields):
    return {"pid": pid, "name": f"List {pid}", "num_followers": 1, "tracks": list(tracks)} | fields


def write_slice(path, *playlists):
    path.write_text(json.dumps({"info": {"version": "v1"}, "playlists": list(playlists)}))
    return path


def read(*paths):
    return list(mpd.read(paths))


def problems(batches):
    return {problem.kind: problem.where for batch in batches for problem in batch.problems}


def test_a_slice_becomes_a_batch(tmp_path):
    path = write_slice(
        tmp_path / "mpd.slice.0-1.json", playlist(7, track(1), track(2)), playlist(8)
    )
    (batch,) = read(path)
    assert batch.playlists.to_pylist() == [
        {"source_id": "7", "title": "List 7", "followers": 1, "modified": None},
        {"source_id": "8", "title": "List 8", "followers": 1, "modified": None},
    ]
    assert batch.entries.select(["playlist", "position", "uri", "title", "album"]).to_pylist() == [
        {
            "playlist": 0,
            "position": p,
            "uri": f"spotify:track:{n}",
            "title": f"Title {n}",
            "album": "Album",
        }
        for p, n in ((0, 1), (1, 2))
    ]
    assert not batch.problems


def test_optional_fields_may_be_absent_and_unknown_ones_are_ignored(tmp_path):
    bare = {"pid": 1, "tracks": [{"track_uri": "u"}], "surprise": {"a": [1]}}
    path = tmp_path / "s.json"
    path.write_text(json.dumps({"playlists": [bare]}))
    (batch,) = read(path)
    assert batch.playlists.to_pylist()[0]["title"] is None
    assert batch.entries["uri"].to_pylist() == ["u"]


def test_folder_zip_and_slice_agree_and_slices_are_in_numeric_order(tmp_path):
    folder = tmp_path / "slices"
    folder.mkdir()
    for first in (10000, 0, 2000):
        write_slice(folder / f"mpd.slice.{first}-{first + 999}.json", playlist(first, track(first)))
    (folder / "challenge_set.json").write_text("{}")
    with zipfile.ZipFile(tmp_path / "slices.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in folder.iterdir():
            archive.write(path, f"data/{path.name}")
        archive.writestr("__MACOSX/._x.json", "junk")
    for source in (folder, tmp_path / "slices.zip"):
        ids = [batch.playlists["source_id"].to_pylist() for batch in read(source)]
        assert ids == [["0"], ["2000"], ["10000"]]


def test_a_wrong_type_is_named_and_the_rest_kept(tmp_path):
    path = write_slice(
        tmp_path / "s.json",
        playlist(0, track(1), track(2, duration_ms="long"), "not a track"),
        ["not a playlist"],
        playlist("12", track(3, track_name=5), name=3),
        playlist(13, tracks="none"),
    )
    batches = read(path)
    long = "s.json, playlist 0, track 1, duration_ms"
    assert problems(batches) == {
        "duration_ms is not a whole number, now unknown": long,
        "rows that are not objects, skipped": "s.json, playlist 1",
        "track_name is not text, now unknown": "s.json, playlist 2, track 0, track_name",
        "name is not text, now unknown": "s.json, playlist 2, name",
        "tracks is not a list, now unknown": "s.json, playlist 3, tracks",
    }
    assert batches[0].entries["uri"].to_pylist() == [f"spotify:track:{n}" for n in (1, 2, 3)]
    assert batches[0].playlists["source_id"].to_pylist() == ["0", "12", "13"]


def test_surrogates_and_large_numbers_do_not_break_a_slice(tmp_path):
    path = tmp_path / "s.json"
    path.write_text(
        '{"playlists": [{"pid": 99999999999999999999, "name": "\\ud83d", '
        '"tracks": [{"track_uri": "u", "duration_ms": 1.5}]}]}'
    )
    (batch,) = read(path)
    assert batch.entries["uri"].to_pylist() == ["u"]
    assert batch.playlists["source_id"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"playlists": [{"pid": 0, "tracks": [', r"s\.json: broken JSON at line 1, column \d+"),
        (b"", r"s\.json: broken JSON at line 1"),
        (b"\xff\xfe\x00{", r"s\.json: not UTF-8 text"),
        (b"[1, 2]", r's\.json: no list of playlists under the field "playlists"'),
        (b'{"playlists": {"a": 1}}', r"s\.json: no list of playlists"),
        (b'{"playlists": ' + b"[" * 100_000, r"s\.json: (nested too deeply|broken JSON)"),
    ],
)
def test_a_broken_slice_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "s.json"
    path.write_bytes(content)
    with pytest.raises(SegueError, match=sentence):
        read(path)


def make_zip(path, **members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({}, r"z\.zip: the zip holds no \.json slice"),
        ({"notes.txt": "x"}, r"z\.zip: the zip holds no \.json slice"),
        ({"../s.json": "{}"}, r"z\.zip: the member '\.\./s\.json' points outside"),
        ({"/etc/s.json": "{}"}, r"z\.zip: the member '/etc/s\.json' points outside"),
        ({"a\\..\\..\\s.json": "{}"}, r"z\.zip: the member .* points outside"),
        ({"s.json": " " * 50_000_000}, r"z\.zip: the member 's\.json' unpacks from [\d,]+ to 50,0"),
    ],
)
def test_an_unsafe_or_empty_zip_is_one_sentence(tmp_path, members, sentence):
    with pytest.raises(SegueError, match=sentence):
        read(make_zip(tmp_path / "z.zip", **members))
    assert {path.name for path in tmp_path.iterdir()} == {"z.zip"}


def test_a_damaged_zip_is_one_sentence(tmp_path):
    whole = make_zip(tmp_path / "z.zip", **{"s.json": json.dumps({"playlists": list(range(999))})})
    content = bytearray(whole.read_bytes())
    (tmp_path / "cut.zip").write_bytes(content[: len(content) // 2])
    with pytest.raises(SegueError, match=r"cut\.zip: not a readable zip"):
        read(tmp_path / "cut.zip")
    content[60] ^= 0xFF
    (tmp_path / "bits.zip").write_bytes(content)
    with pytest.raises(SegueError, match=r"bits\.zip: s\.json cannot be unpacked"):
        read(tmp_path / "bits.zip")


def test_missing_paths_are_one_sentence(tmp_path):
    with pytest.raises(SegueError, match="no such file"):
        read(tmp_path / "absent.json")
    with pytest.raises(SegueError, match=r"holds no \.json slice"):
        read(tmp_path)


def test_the_real_playlists_are_counted_right(shared_data, tmp_path):
    archive = shared_data / "open-playlists" / "open-playlists.zip"
    manifest = build(mpd.read([archive]), tmp_path / "open", Provenance("open", "mpd"))
    counts = manifest["counts"]
    assert (counts["playlists"], counts["entries"], counts["tracks"]) == (1442, 210_025, 76_811)
    dataset = Dataset(tmp_path / "open")
    assert (dataset.counts >= 2).sum() == 33_315
