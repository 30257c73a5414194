import random
import re
from collections import Counter

import pytest

from core.dataset.dataset import Dataset
from core.dataset.library import import_dataset
from core.dataset.schema import BATCH_ENTRIES, BATCH_PLAYLISTS
from core.dataset.sources import nowplaying
from core.dataset.sources.nowplaying import read
from core.errors import SegueError
from core.workspace import Workspace

HEADER = b'"user_id", "artistname", "trackname", "playlistname"\n'


@pytest.fixture
def write(tmp_path):
    def write(*lines, header=HEADER, name="spotify_dataset.csv"):
        path = tmp_path / name
        path.write_bytes(header + b"".join(lines))
        return path

    return write


def contents(batches):
    """Titles, then (playlist, artist, track) in order, then problems, over all batches."""
    titles, entries, problems = [], [], []
    for batch in batches:
        assert batch.playlists.schema == BATCH_PLAYLISTS
        assert batch.entries.schema == BATCH_ENTRIES
        rows = batch.entries.to_pylist()
        seen = Counter()
        for row in rows:
            assert row["position"] == seen[row["playlist"]]
            seen[row["playlist"]] += 1
        entries += [(len(titles) + row["playlist"], row["artist"], row["title"]) for row in rows]
        titles += batch.playlists["title"].to_pylist()
        problems += [(problem.kind, problem.where) for problem in batch.problems]
    return titles, entries, problems


def only_row(path):
    _, ((_, artist, title),), problems = contents(read([path]))
    assert problems == []
    return artist, title


def test_a_playlist_is_a_user_and_a_name_wherever_its_rows_are(write):
    path = write(
        b'"u2","B","t1","Mix"\n',
        b'"u1","A","t1","Mix"\n',
        b'"u2","A","t2","mix"\n',
        b'"u2","A","t1","Mix"\n',
        b'"u1","A","t0","Mix"\n',
    )
    titles, entries, problems = contents(read([path]))
    assert titles == ["Mix", "Mix", "mix"]
    assert entries == [
        (0, "B", "t1"),
        (0, "A", "t1"),
        (1, "A", "t1"),
        (1, "A", "t0"),
        (2, "A", "t2"),
    ]
    assert problems == []
    ids = [name for batch in read([path]) for name in batch.playlists["source_id"].to_pylist()]
    assert ids == ["u2/Mix", "u1/Mix", "u2/mix"]


def test_a_playlist_goes_on_in_the_next_file(write):
    first = write(b'"u","A","one","Mix"\n', name="1.csv")
    second = write(b'"u","A","two","Mix"\n', name="2.csv")
    assert contents(read([first, second]))[1] == [(0, "A", "one"), (0, "A", "two")]


@pytest.mark.parametrize(
    ("row", "artist", "title"),
    [
        (b'"u","AC/DC","T","p"', "AC/DC", "T"),
        (b'"u","Ed, Al","One, ""two"", three","p"', "Ed, Al", 'One, "two", three'),
        (b'"u","The "Real" Ed","say "hi"","p"', 'The "Real" Ed', 'say "hi"'),
        (rb'"u","\"Weird Al\"","a \\ b","p"', '"Weird Al"', r"a \ b"),
        (rb'"u","AC\DC","ends in \","p"', r"AC\DC", "ends in \\"),
        (b'"u","a"",""b","T","p"', 'a","b', "T"),
        (b'"u", "A", "T, U", "p"', "A", "T, U"),
        (b'u,A,"T, ""U""",p', "A", 'T, "U"'),
        (b'"u","A","T","p"\r', "A", "T"),
        (b'"u","A\xc3\xa9","T\rU","p"', "Aé", "T\rU"),
        (b'"u","A","T\nU","p"', "A", "T\nU"),
        (b'"u","A","T\n\n","p"', "A", "T\n\n"),
        (b'"u","A","T\x07\x1bU","p"', "A", "T\x07\x1bU"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
def test_quirks_of_a_row(write, row, artist, title, end):
    assert only_row(write(row + end)) == (artist, title)


@pytest.mark.parametrize(
    "header",
    [
        HEADER.replace(b" ", b""),
        HEADER.replace(b'"', b""),
        HEADER.replace(b"\n", b"\r\n"),
        b"\xef\xbb\xbf" + HEADER,
        HEADER.upper(),
    ],
    ids=repr,
)
def test_quirks_of_the_header(write, header):
    path = write(b'"u","A","T","p"\n', header=header)
    assert only_row(path) == ("A", "T")


def test_columns_are_found_by_name(write):
    header = b'"","playlistname","trackname","artistname","user_id"\n'
    assert only_row(write(b'"0","p","T","A","u"\n', header=header)) == ("A", "T")


def test_what_is_no_row_is_skipped_and_noted(write):
    path = write(
        b'"u","A","first","p"\n',
        b'"u","A","three"\n',
        b'"u","A","five","p","q"\n',
        b'"u","A","not \xff utf-8","p"\n',
        b'"u","","no artist","p"\n',
        b'"u","A"," ","p"\n',
        b'"u","A","no playlist",""\n',
        b'"","A","no user","p"\n',
        b'"u","A","open\n',
        b'"u","A","second","p"\n',
        b'"u","A","open, and over\n',
        b"",
    )
    _, entries, problems = contents(read([path]))
    assert entries == [(0, "A", "first"), (0, "A", "second")]
    fields = "rows of other than 4 fields, skipped"
    assert sorted(problems, key=lambda problem: int(problem[1].split()[-1])) == [
        (fields, "spotify_dataset.csv, line 3"),
        (fields, "spotify_dataset.csv, line 4"),
        ("rows that are not UTF-8, skipped", "spotify_dataset.csv, line 5"),
        ("rows without an artist, skipped", "spotify_dataset.csv, line 6"),
        ("rows without a track name, skipped", "spotify_dataset.csv, line 7"),
        ("rows without a playlist name, skipped", "spotify_dataset.csv, line 8"),
        ("rows without a user id, skipped", "spotify_dataset.csv, line 9"),
        (fields, "spotify_dataset.csv, line 10"),
        (fields, "spotify_dataset.csv, line 12"),
    ]


def test_an_open_quote_costs_no_row_but_its_own(write):
    rest = [b'"u","A","%d","p"\n' % number for number in range(40)]
    _, entries, problems = contents(read([write(b"x\n" * 30, b'"u","A","open\n', *rest)]))
    assert [title for _, _, title in entries] == [f"{number}" for number in range(40)]
    assert len(problems) == 31


def test_batches_are_whole_playlists_of_bounded_size(write, monkeypatch):
    monkeypatch.setattr(nowplaying, "ENTRIES_A_BATCH", 10)
    monkeypatch.setattr(nowplaying, "ROWS_A_CHUNK", 7)
    lines = [b'"u%d","A","%d","p"\n' % (row % 9, row) for row in range(90)]
    batches = [batch for batch in read([write(b'"broken"\n', *lines)]) if len(batch.playlists)]
    assert [len(batch.entries) for batch in batches] == [10] * 9
    titles, entries, _ = contents(batches)
    assert len(titles) == 9
    assert [int(title) for _, _, title in entries] == [
        row for playlist in range(9) for row in range(playlist, 90, 9)
    ]


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        (b"", "the file is empty"),
        (b"user_id,artist,trackname,song\n", "it lacks artistname, playlistname and has user_id"),
        (b"\0\1\2", "the file is binary"),
        ("a,b".encode("utf-16"), "the text is not UTF-8"),
    ],
)
def test_other_files_are_one_sentence(write, header, sentence):
    with pytest.raises(SegueError, match=sentence) as error:
        list(read([write(header=header)]))
    assert str(error.value).startswith("spotify_dataset.csv")
    assert str(error.value).endswith(".")


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(SegueError, match=r"none\.csv: cannot be read"):
        list(read([tmp_path / "none.csv"]))


@pytest.mark.parametrize("source", ["nowplaying", "auto"])
def test_a_dirty_file_becomes_the_dataset_that_it_means(write, tmp_path, source):
    """Random names full of quirks, written each in a random dialect, with broken rows between."""
    chance = random.Random(0)
    parts = ["a", "Ü", " ", '"', ",", "b\\c", "é", "(live)", "9", "\n"]
    names = [f"n{i} " + "".join(chance.choices(parts, k=4)) + "." for i in range(60)]
    rows = [
        (f"{chance.randrange(4)}", *chance.sample(names, 2), f"list {chance.randrange(5)}")
        for _ in range(2_000)
    ]
    lines, broken = [], 0
    for row in rows:
        escape = chance.choice(['""', '\\"'])
        fields = [field.replace("\\", "\\\\").replace('"', escape) for field in row]
        lines.append(('"' + '","'.join(fields) + '"').encode() + chance.choice([b"\n", b"\r\n"]))
        if chance.random() < 0.05:
            lines.append(chance.choice([b'"only","three","fields"\n', b'"\xfe","a","b","c"\n']))
            broken += 1
    path = write(*lines)
    manifest = import_dataset(Workspace(tmp_path / "workspace"), "np", source, [path])
    assert manifest["source"] == "nowplaying"
    assert manifest["cleaning"]["rows_read"] == 2_000
    changes = {change["what"]: change for change in manifest["cleaning"]["changes"]}
    skipped = [change for what, change in changes.items() if what.endswith("skipped")]
    assert sum(change["count"] for change in skipped) == broken
    assert all("spotify_dataset.csv, line " in change["examples"][0] for change in skipped)
    wanted = {}
    for user, artist, title, playlist in rows:
        track = tuple(re.sub("\n+", " ", name) for name in (artist, title))
        wanted.setdefault((user, playlist), {}).setdefault(track)
    dataset = Dataset(tmp_path / "workspace" / "np")
    found = [
        list(
            zip(
                dataset.values("artist_name", dataset.playlists[row]),
                dataset.values("title", dataset.playlists[row]),
                strict=True,
            )
        )
        for row in range(dataset.n_playlists)
    ]
    assert list(dataset.playlists.titles) == [playlist for _, playlist in wanted]
    assert found == [list(tracks) for tracks in wanted.values()]
