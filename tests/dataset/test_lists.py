import codecs
import contextlib
import csv
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.build import Provenance, build
from core.dataset.sources import lists
from core.dataset.sources.lists import parse_file, parse_text, read, track_uri
from core.errors import SegueError

ID, OTHER_ID = "4iJyoBOLtHqaGxP12qzhQI", "2Fxmhks0bxGSBdJ92vM42m"
URI, OTHER_URI = f"spotify:track:{ID}", f"spotify:track:{OTHER_ID}"

EXPORTIFY = f"""\
"Track URI","Track Name","Artist Name(s)","Album Name","Track Duration (ms)"
"{URI}","Peaches (feat. ""X"")","Justin Bieber, Daniel Caesar","Justice","198000"
"{OTHER_URI}","bad
guy","Tyler\\, The Creator","WHEN","194088"
"""

M3U = """\
#EXTM3U
#PLAYLIST:Road trip
#EXTINF:123,Daft Punk - One More Time
music/x.mp3
#EXTINF:-1 tvg-name="a, b",Beyoncé - Halo - Live
http://radio/stream
03 - Earth, Wind & Fire - September.flac
C:\\music\\Air_-_Sexy_Boy.mp3
#EXTINF:10,Only a title
noise.mp3
"""

XSPF = f"""\
<?xml version="1.0" encoding="UTF-8"?>
<playlist version="1" xmlns="http://xspf.org/ns/0/">
  <title>Mix &amp; match</title>
  <trackList>
    <track><title>Halo</title><creator>Beyoncé</creator><duration>261000</duration>
      <extension application="x"><title>not this</title></extension></track>
    <track><location>https://open.spotify.com/track/{ID}</location></track>
    <track><location>file:///m/Air%20-%20La%20femme%20d%27argent.mp3</location></track>
    <track><title>nameless</title></track>
  </trackList>
</playlist>
"""

JSPF = {
    "playlist": {
        "title": "Mix",
        "track": [
            {"title": "Halo", "creator": "Beyoncé", "duration": 261000, "identifier": ["x:y"]},
            {"identifier": URI},
            {"title": 1979, "creator": "The Smashing Pumpkins"},
            "no object",
        ],
    }
}


def names(playlist):
    return [(track.artist, track.title) for track in playlist.tracks]


def only(playlists):
    assert len(playlists) == 1
    return playlists[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, URI),
        (URI, URI),
        (f"https://open.spotify.com/track/{ID}?si=0123456789abcdef", URI),
        (f"https://open.spotify.com/intl-pt/track/{ID}", URI),
        (f"open.spotify.com/embed/track/{ID}", URI),
        (f"https://open.spotify.com/album/{ID}", None),
        (f"spotify:track:{ID}x", None),
        (ID[:-1], None),
        (ID[:-1] + "-", None),
    ],
)
def test_track_uri_takes_links_uris_and_ids_of_22_letters(text, expected):
    assert track_uri(text) == expected


@pytest.mark.parametrize(
    ("line", "artist", "title"),
    [
        ("Daft Punk - One More Time", "Daft Punk", "One More Time"),
        ("Daft Punk – One More Time", "Daft Punk", "One More Time"),
        ("Daft Punk—One More Time", "Daft Punk", "One More Time"),
        ("1. Daft Punk - One More Time", "Daft Punk", "One More Time"),
        ("12) Daft Punk - One More Time", "Daft Punk", "One More Time"),
        ("7 - Daft Punk - One More Time", "Daft Punk", "One More Time"),
        ("• Daft Punk - One More Time", "Daft Punk", "One More Time"),
        ("Daft Punk\tOne More Time\tDiscovery", "Daft Punk", "One More Time"),
        ("3\tDaft Punk\tOne More Time", "Daft Punk", "One More Time"),
        ("David Bowie - Heroes - 2017 Remaster", "David Bowie", "Heroes - 2017 Remaster"),
        ("Jay-Z - 99 Problems", "Jay-Z", "99 Problems"),
        ("311 - Down", "311", "Down"),
        ("50 Cent - In Da Club", "50 Cent", "In Da Club"),
        ("10.000 Maniacs - Trouble Me", "10.000 Maniacs", "Trouble Me"),
        ("1. 99 Posse - Curre curre", "99 Posse", "Curre curre"),
    ],
)
def test_lines_are_artist_then_title(line, artist, title):
    assert names(only(parse_text(line))) == [(artist, title)]


def test_lines_mix_links_and_names_and_count_the_rest():
    text = f"""A - B
prose without any dash
https://open.spotify.com/track/{ID}?si=x https://open.spotify.com/track/{OTHER_ID}

https://open.spotify.com/playlist/{ID}
"""
    playlist = only(parse_text(text))
    assert [(t.uri, t.title, t.line) for t in playlist.tracks] == [
        (None, "B", 1),
        (URI, None, 3),
        (OTHER_URI, None, 3),
    ]
    assert [problem.where for problem in playlist.problems] == [
        "pasted text, line 2",
        "pasted text, line 5",
    ]


def test_exportify():
    playlist = only(parse_file(EXPORTIFY.encode(), "my_list.csv"))
    assert playlist.title == "my list"
    assert [track.uri for track in playlist.tracks] == [URI, OTHER_URI]
    assert names(playlist) == [
        ("Justin Bieber, Daniel Caesar", 'Peaches (feat. "X")'),
        ("Tyler, The Creator", "bad\nguy"),
    ]
    assert [track.duration_ms for track in playlist.tracks] == [198000, 194088]
    assert [track.line for track in playlist.tracks] == [2, 3]
    assert playlist.problems == []


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_header_makes_pasted_text_a_table_whatever_the_delimiter(delimiter):
    rows = [["#", "Song", "Artist", "Length"], ["1", "Halo", "Beyoncé", "4:21"]]
    text = "\n".join(delimiter.join(row) for row in rows)
    (track,) = only(parse_text(text)).tracks
    assert (track.title, track.artist, track.duration_ms) == ("Halo", "Beyoncé", 261_000)


@pytest.mark.parametrize(
    ("header", "value", "expected"),
    [
        ("duration_ms", "5000", 5000),
        ("duration", "261000", 261_000),
        ("duration", "261", 261_000),
        ("duration", "1:02:03", 3_723_000),
        ("duration", "", None),
        ("duration", "0", None),
        ("duration", "soon", None),
        ("duration", "nan", None),
        ("duration", "1e300", None),
    ],
)
def test_durations(header, value, expected):
    playlist = only(parse_text(f"title,artist,{header}\na,b,{value}"))
    assert playlist.tracks[0].duration_ms == expected
    assert [p.where for p in playlist.problems] == (
        ["pasted text, line 2, duration"] if value in ("soon", "nan", "1e300") else []
    )


def test_explicit_is_true_false_or_unknown(tmp_path):
    values = ["true", "FALSE", "", "1", "no", "maybe"]
    rows = [f"t{row},x,{value}" for row, value in enumerate(values)]
    text = "\n".join(["Track Name,Artist Name(s),Explicit", *rows])
    playlist = only(parse_text(text))
    assert [track.explicit for track in playlist.tracks] == [True, False, None, True, False, None]
    assert [p.where for p in playlist.problems] == ["pasted text, line 7, explicit"]
    (tmp_path / "a.csv").write_text(text)
    (batch,) = read([tmp_path / "a.csv"])
    assert batch.entries["explicit"].to_pylist() == [True, False, None, True, False, None]


def test_a_playlist_column_makes_several_playlists_in_order_of_appearance():
    text = "playlist,title,artist\nB,b1,x\nA,a1,x\nB,b2,x\n"
    playlists = parse_text(text)
    assert [p.title for p in playlists] == ["B", "A"]
    assert [[t.title for t in p.tracks] for p in playlists] == [["b1", "b2"], ["a1"]]


def test_an_id_column_of_other_numbers_is_ignored_but_a_bad_id_among_good_ones_is_counted():
    numbered = only(parse_text("id,title,artist\n1,a,x\n2,b,x\n"))
    assert [t.uri for t in numbered.tracks] == [None, None]
    assert numbered.problems == []
    mixed = only(parse_text(f"id,title,artist\n{ID},a,x\nwrong,b,x\n"))
    assert [t.uri for t in mixed.tracks] == [URI, None]
    assert [p.where for p in mixed.problems] == ["pasted text, line 3, uri"]


def test_csv_rows_that_cannot_be_used_are_skipped_and_counted():
    playlist = only(parse_text("title,artist\nHello, Goodbye,The Beatles\nonly title\n,\nc,d,\n"))
    assert names(playlist) == [("d", "c")]
    assert [p.where for p in playlist.problems] == ["pasted text, line 2", "pasted text, line 3"]


def test_m3u():
    playlist = only(parse_file(M3U.encode(), "x.m3u8"))
    assert playlist.title == "Road trip"
    assert names(playlist) == [
        ("Daft Punk", "One More Time"),
        ("Beyoncé", "Halo - Live"),
        ("Earth, Wind & Fire", "September"),
        ("Air", "Sexy Boy"),
    ]
    assert [t.duration_ms for t in playlist.tracks] == [123_000, None, None, None]
    assert [t.line for t in playlist.tracks] == [3, 5, 7, 8]
    assert [p.where for p in playlist.problems] == ["x.m3u8, line 9"]


def test_xspf():
    playlist = only(parse_text(XSPF))
    assert playlist.title == "Mix & match"
    assert [(t.uri, t.artist, t.title) for t in playlist.tracks] == [
        (None, "Beyoncé", "Halo"),
        (URI, None, None),
        (None, "Air", "La femme d'argent"),
    ]
    assert playlist.tracks[0].duration_ms == 261_000
    assert [t.line for t in playlist.tracks] == [5, 7, 8]
    assert [p.where for p in playlist.problems] == ["pasted text, line 9"]


def test_jspf():
    playlist = only(parse_file(json.dumps(JSPF).encode(), "x.jspf"))
    assert playlist.title == "Mix"
    assert [(t.uri, t.title, t.duration_ms) for t in playlist.tracks] == [
        (None, "Halo", 261_000),
        (URI, None, None),
    ]
    assert [p.where for p in playlist.problems] == [
        "x.jspf, track 3, title",
        "x.jspf, track 3",
        "x.jspf, track 4",
    ]


@pytest.mark.parametrize(
    "data",
    [
        "Beyoncé - Halo".encode(),
        codecs.BOM_UTF8 + "Beyoncé - Halo".encode(),
        "Beyoncé - Halo".encode("utf-16"),
        codecs.BOM_UTF16_BE + "Beyoncé - Halo".encode("utf-16-be"),
    ],
)
def test_encodings(data):
    assert names(only(parse_file(data, "x.txt"))) == [("Beyoncé", "Halo")]


def test_m3u_may_be_latin_1():
    data = "#EXTINF:1,Beyoncé - Halo\nx.mp3".encode("latin-1")
    assert names(only(parse_file(data, "x.m3u"))) == [("Beyoncé", "Halo")]
    with pytest.raises(SegueError, match=r"x\.m3u8, line 1: .*UTF-8"):
        parse_file(data, "x.m3u8")


BOMB = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]>
<playlist><trackList><track><title>&b;</title></track></trackList></playlist>"""
OUTSIDE = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><playlist/>'


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "x.csv", "x.csv is empty"),
        (b" \n\n", "x.txt", "x.txt is empty"),
        (b"\x89PNG\r\n\x1a\n\0\0", "x.csv", "x.csv: the file is binary"),
        (b"PK\x03\x04rest", "x.csv", "x.csv: this is a zip archive or a spreadsheet"),
        (b"title,artist\na,b\n\xe9,d", "x.csv", "x.csv, line 3: the text is neither UTF-8"),
        (
            b"colour,title\nred,a",
            "x.csv",
            "x.csv: the header has the columns colour, title; needed",
        ),
        (b"title,artist", "x.csv", "x.csv: no track was found"),
        (b',,\n"', "x.csv", "x.csv"),
        (b'title,artist\na,b\n"c,d\ne,f\n', "x.csv", "x.csv, line 3: a quote"),
        (b'title,artist\na,b\n"c" d,e\n', "x.csv", "x.csv, line 3: a quote"),
        (b'title,artist\n"c,d\n"e",f\n', "x.csv", "x.csv, line 2: a quote"),
        (XSPF[: XSPF.index("<location")].encode(), "x.xspf", "x.xspf, line 7: broken XML"),
        (b"<html><body>", "x.xspf", "x.xspf: XML, but no XSPF playlist (its root is <html>)"),
        (BOMB.encode(), "x.xspf", "x.xspf, line 1: an XSPF playlist has no DOCTYPE"),
        (OUTSIDE.encode(), "x.xspf", "x.xspf, line 1: an XSPF playlist has no DOCTYPE"),
        (b"<playlist>" + b"<a>" * 100_000, "x.xspf", "x.xspf: nested too deeply"),
        (b'{"playlist":\n {"track": [', "x.jspf", "x.jspf, line 2: broken JSON"),
        (b'{"playlists": []}', "x.json", "x.json: JSON, but no JSPF playlist"),
        (b'{"a":' + b"[" * 200_000, "x.json", "x.json: the JSON cannot be read"),
        (b"[1]", "x.json", "x.json: JSON, but no JSPF playlist"),
        (b"prose\nmore", "x.txt", "x.txt: no track was found (x.txt, line 1: lines that are not"),
        (b"#EXTM3U\n", "x.m3u", "x.m3u: no track was found"),
    ],
)
def test_bad_files_are_one_sentence(data, name, sentence):
    with pytest.raises(SegueError) as error:
        parse_file(data, name)
    assert str(error.value).startswith(sentence)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)


def test_bounds(monkeypatch):
    with pytest.raises(SegueError, match="5,000,001 characters"):
        parse_text("a" * 5_000_001)
    with pytest.raises(SegueError, match="100,001 lines are more than the 100,000"):
        parse_text("\n" * 100_000)
    monkeypatch.setattr(lists, "LARGEST_FILE", 2**20)
    with pytest.raises(SegueError, match="larger than the 1 MB"):
        parse_file(b"a" * (2**20 + 1), "x.txt")


def test_read_makes_one_playlist_a_file_and_builds(tmp_path, monkeypatch):
    folder = tmp_path / "lists"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.csv").write_text(EXPORTIFY)
    (folder / "empty.m3u").write_text("#EXTM3U\n")
    (folder / "sub" / "b.txt").write_text("A - B\nprose\n")
    (folder / "ignored.pdf").write_bytes(b"\0")
    monkeypatch.setattr(lists, "ENTRIES_A_BATCH", 2)
    batches = list(read([folder]))
    assert [len(batch.playlists) for batch in batches] == [1, 2]
    assert batches[0].entries["uri"].to_pylist() == [URI, OTHER_URI]
    assert batches[1].playlists["source_id"].to_pylist() == ["empty.m3u", "sub/b.txt"]
    assert batches[1].entries["playlist"].to_pylist() == [1]
    manifest = build(batches, tmp_path / "data", Provenance("data", "list"))
    assert manifest["counts"]["playlists"] == 2
    assert {change["what"] for change in manifest["cleaning"]["changes"]} >= {
        "empty playlists",
        'lines that are not "Artist - Title", skipped',
    }


def test_files_of_one_name_stay_two_playlists(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "list.txt").write_text(f"{folder} - title")
    (batch,) = read([tmp_path / "one" / "list.txt", tmp_path / "two" / "list.txt"])
    assert len(set(batch.playlists["source_id"].to_pylist())) == 2
    assert batch.playlists["title"].to_pylist() == ["list", "list"]


def test_read_refuses_what_is_not_there(tmp_path):
    with pytest.raises(SegueError, match=r"none\.csv: cannot be read"):
        list(read([tmp_path / "none.csv"]))
    with pytest.raises(SegueError, match="holds no list"):
        list(read([tmp_path]))


STRUCTURE = [
    "#EXTM3U\n",
    "#EXTINF:1,",
    "<playlist>",
    "<track>",
    '{"playlist":',
    "[",
    "\ufeff",
    "\0",
]
SIGNS = [",", '"', "\t", "\n", "\r", " - ", "—", "title", "artist", "uri", "duration", "4:21", URI]
FRAGMENTS = st.sampled_from(STRUCTURE + SIGNS)


@settings(max_examples=200, deadline=None)
@given(st.lists(FRAGMENTS | st.text(max_size=3), max_size=12).map("".join))
def test_whatever_is_pasted_is_tracks_or_a_sentence(text):
    with contextlib.suppress(SegueError):
        for playlist in parse_text(text):
            for track in playlist.tracks:
                assert track.uri or (track.title and track.artist)
    with contextlib.suppress(SegueError):
        parse_file(text.encode("utf-8", "replace"), "x.csv")


NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(NAME, NAME), min_size=1, max_size=5), st.sampled_from(",;\t"))
def test_a_csv_comes_back_as_it_was_written(rows, delimiter):
    file = io.StringIO()
    writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("Track Name", "Artist"), *rows])
    playlist = only(parse_text(file.getvalue()))
    expected = [(artist.strip(), title.strip()) for title, artist in rows]
    assert names(playlist) == [(artist.replace("\\,", ","), title) for artist, title in expected]
