import csv

import pytest

from core.dataset.build import Provenance, build
from core.dataset.schema import AUDIO_FEATURES, BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources import tidytuesday
from core.dataset.sources.tidytuesday import read
from core.errors import SegueError

ROW = {
    "track_id": "6f807x0ima9a1j3VPbc7VN",
    "track_name": "One, two",
    "track_artist": "Ed",
    "track_popularity": "66",
    "track_album_name": "Three",
    "track_album_release_date": "2019-06-14",
    "playlist_name": "Pop Remix",
    "playlist_id": "p1",
    "playlist_genre": "pop",
    "playlist_subgenre": "dance pop",
    **dict.fromkeys(AUDIO_FEATURES, "0.5"),
    "key": "7",
    "mode": "1",
    "loudness": "-6",
    "tempo": "120",
    "duration_ms": "194754",
}
IDS = ["6f807x0ima9a1j3VPbc7VN", "0r7CVbZTWZgbTCYdfa2P31", "1z1Hg7Vb0AhHDiEmnDE79l"]


@pytest.fixture
def write(tmp_path):
    def write(rows, without=()):
        path = tmp_path / "songs.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, [name for name in ROW if name not in without])
            writer.writeheader()
            writer.writerows(
                {k: v for k, v in (ROW | row).items() if k not in without} for row in rows
            )
        return path

    return write


def test_rows_become_entries_in_file_order(write):
    path = write(
        [
            {"playlist_id": "p2", "playlist_name": "Second", "track_id": IDS[2]},
            {},
            {"playlist_id": "p2", "playlist_name": "Second", "track_id": IDS[1]},
        ]
    )
    (batch,) = read([path])
    assert batch.playlists.schema == BATCH_PLAYLISTS
    assert batch.entries.schema == BATCH_ENTRIES
    assert batch.playlists["title"].to_pylist() == ["Second", "Pop Remix"]
    entries = batch.entries.to_pylist()
    assert [(e["playlist"], e["position"], e["uri"][-22:]) for e in entries] == [
        (0, 0, IDS[2]),
        (0, 1, IDS[1]),
        (1, 0, IDS[0]),
    ]
    first = entries[0]
    assert (first["title"], first["artist"], first["album"]) == ("One, two", "Ed", "Three")
    assert (first["duration_ms"], first["year"], first["genre"]) == (194754, 2019, "pop")
    assert (first["popularity"], first["key"], first["loudness"]) == (66, 7, -6)
    assert batch.problems == []


@pytest.mark.parametrize(
    ("date", "year"), [("2004", 2004), ("2004-11", 2004), ("1999-12-31", 1999), ("NA", None)]
)
def test_years(write, date, year):
    (batch,) = read([write([{"track_album_release_date": date}])])
    assert batch.entries["year"].to_pylist() == [year]
    assert batch.problems == []


def test_what_is_missing_or_wrong_is_null_and_noted(write):
    na = dict.fromkeys(("track_name", "track_artist", "track_album_name"), "NA")
    path = write(
        [
            na,
            {"energy": "loud", "tempo": "0", "duration_ms": ""},
            {"track_id": "short", "track_album_release_date": "yesterday"},
            {"playlist_id": ""},
        ]
    )
    (batch,) = read([path])
    assert batch.entries["title"].to_pylist() == [None, "One, two", "One, two"]
    assert batch.entries["energy"].to_pylist() == [0.5, None, 0.5]
    assert batch.entries["tempo"].to_pylist() == [120, None, 120]
    assert batch.entries["uri"].null_count == 1
    assert [(p.kind, p.where) for p in batch.problems] == [
        ("rows without a track name, kept by id", "songs.csv, row 1, track_name"),
        ("energy is not a number, now unknown", "songs.csv, row 2, energy"),
        ("tempo is out of range, now unknown", "songs.csv, row 2, tempo"),
        ("track_id is not a Spotify id, now unknown", "songs.csv, row 3, track_id"),
        ("year is not a number, now unknown", "songs.csv, row 3, year"),
        ("rows without a playlist id, skipped", "songs.csv, row 4, playlist_id"),
    ]


def test_optional_columns_may_be_absent(write):
    path = write([{}], without=(*AUDIO_FEATURES, "track_popularity", "playlist_subgenre"))
    (batch,) = read([path])
    assert batch.entries["energy"].to_pylist() == [None]
    assert batch.entries["year"].to_pylist() == [2019]


def test_a_batch_holds_whole_playlists(write, monkeypatch):
    monkeypatch.setattr(tidytuesday, "PLAYLISTS_A_BATCH", 2)
    path = write([{"playlist_id": f"p{i % 3}", "track_id": IDS[i % 2]} for i in range(6)])
    batches = list(read([path]))
    assert [batch.playlists["source_id"].to_pylist() for batch in batches] == [["p0", "p1"], ["p2"]]
    assert [batch.entries["playlist"].to_pylist() for batch in batches] == [[0, 0, 1, 1], [0, 0]]


def test_missing_columns_are_named(write):
    with pytest.raises(SegueError, match="the columns track_id, playlist_id are missing") as error:
        list(read([write([{}], without=("track_id", "playlist_id"))]))
    assert "which has track_name, track_artist" in str(error.value)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda data: data[:-40], "songs.csv, line 4: 12 fields where the header has 22"),
        (lambda data: data.replace(b'"One, two"', b'"One, two', 1), "songs.csv, line 2: a quote"),
        (lambda data: data + b'"', "songs.csv, line 5: "),
        (lambda data: data.replace(b"Pop", b"P\xf6p"), "songs.csv, line 2: the text is not UTF-8"),
        (
            lambda data: data.replace(b"\r\n", b" ", 1).replace(b"playlist_name", b"\xe9"),
            "songs.csv",
        ),
        (lambda data: b"", "songs.csv: the file is empty"),
        (lambda data: b"\0\1\2" * 99, "songs.csv: the file is binary"),
        (lambda data: "a,b".encode("utf-16"), "songs.csv, line 1: the text is not UTF-8"),
    ],
)
def test_bad_files_are_one_sentence(write, damage, sentence):
    path = write([{}, {}, {}])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SegueError) as error:
        list(read([path]))
    assert str(error.value).startswith(sentence)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SegueError, match=r"none\.csv: cannot be read"):
        list(read([tmp_path / "none.csv"]))


def test_the_real_file(shared_data, tmp_path):
    path = shared_data / "tidytuesday" / "spotify_songs.csv"
    batches = list(read([path]))
    assert sum(len(batch.playlists) for batch in batches) == 471
    assert sum(len(batch.entries) for batch in batches) == 32_833
    nameless = [p for batch in batches for p in batch.problems if "track name" in p.kind]
    assert len(nameless) == 5
    manifest = build(batches, tmp_path / "songs", Provenance("songs", "tidytuesday"))
    assert manifest["counts"]["tracks"] == 28_356
