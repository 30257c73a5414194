import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dataset.sources.base import batch_from_rows
from core.spotify.objects import Track, read_track

ID, ARTIST, OTHER, ALBUM = (letter * 22 for letter in "taob")
RAW = {
    "type": "track",
    "id": ID,
    "uri": f"spotify:track:{ID}",
    "name": "Song",
    "artists": [
        {"id": ARTIST, "uri": f"spotify:artist:{ARTIST}", "name": "Band"},
        {"id": OTHER, "name": "Guest"},
    ],
    "album": {"id": ALBUM, "name": "Record", "release_date": "1999-03-01"},
    "duration_ms": 200_000,
    "explicit": False,
    "popularity": 61,
    "is_local": False,
}
WHOLE = Track(
    uri=f"spotify:track:{ID}",
    title="Song",
    artists=((f"spotify:artist:{ARTIST}", "Band"), (f"spotify:artist:{OTHER}", "Guest")),
    album="Record",
    album_uri=f"spotify:album:{ALBUM}",
    duration_ms=200_000,
    year=1999,
    popularity=61.0,
    explicit=False,
)

json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def test_a_whole_track():
    assert read_track(RAW) == WHOLE


def test_a_track_as_the_server_sends_it(fake, client):
    key = fake.add_track("Song", ["Band", "Guest"], album="Record", year=1999, explicit=True)
    read = read_track(client.track(key))
    assert (read.uri, read.title, read.album, read.year) == (
        f"spotify:track:{key}", "Song", "Record", 1999,
    )  # fmt: skip
    assert [name for _, name in read.artists] == ["Band", "Guest"]
    assert (read.explicit, read.popularity) == (True, None)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("name", "  ", {"title": None}),
        ("name", " So\x00ng\n2\ud800 ", {"title": "So ng 2?"}),
        ("artists", None, {"artists": ()}),
        ("artists", [None, {"name": None}, {"name": "Band"}], {"artists": ((None, "Band"),)}),
        ("artists", [{"name": "Band", "id": "../x"}], {"artists": ((None, "Band"),)}),
        ("album", None, {"album": None, "album_uri": None, "year": None}),
        ("album", {"name": "Record", "release_date": "0000"}, {"album_uri": None, "year": None}),
        ("album", {"release_date": "1999"}, {"album": None, "album_uri": None}),
        ("duration_ms", 0, {"duration_ms": None}),
        ("duration_ms", "200000", {"duration_ms": None}),
        ("duration_ms", 10**400, {"duration_ms": None}),
        ("duration_ms", float("nan"), {"duration_ms": None}),
        ("popularity", True, {"popularity": None}),
        ("popularity", 101, {"popularity": None}),
        ("explicit", "no", {"explicit": None}),
        ("id", None, {}),
        ("uri", None, {}),
    ],
)
def test_what_is_missing_or_absurd_is_none_and_the_rest_stays(field, value, expected):
    read = read_track(RAW | {field: value})
    assert isinstance(read, Track)
    assert vars(read) == vars(WHOLE) | expected


def test_a_relinked_track_keeps_the_uri_it_was_asked_for_by():
    assert read_track(RAW | {"id": "x" * 22, "linked_from": {"id": ID}}) == WHOLE
    assert read_track(RAW | {"linked_from": {"id": "../x"}}) == WHOLE


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (None, "no longer available"),
        ("text", "no longer available"),
        (RAW | {"type": "episode"}, "podcast episode"),
        (RAW | {"is_local": True}, "local file"),
        (RAW | {"id": None, "uri": "spotify:local:Band:Record:Song:200"}, "local file"),
        (RAW | {"id": None, "uri": None}, "without an id"),
        (RAW | {"id": "short", "uri": f"spotify:album:{ID}"}, "without an id"),
    ],
)
def test_what_is_no_track_says_why(raw, why):
    assert read_track(raw) == why


def test_a_track_becomes_a_row_of_a_dataset():
    batch = batch_from_rows([{}], [{"playlist": 0, "position": 0} | WHOLE.row])
    assert batch.entries.to_pylist()[0] | WHOLE.row == batch.entries.to_pylist()[0]
    assert WHOLE.row["artist"] == "Band"
    assert WHOLE.row["artist_uri"] == f"spotify:artist:{ARTIST}"


def test_a_track_becomes_one_of_a_list_with_all_its_artists():
    listed = WHOLE.listed(7)
    assert (listed.uri, listed.title, listed.line) == (WHOLE.uri, "Song", 7)
    assert listed.artist == "Band, Guest"


@given(json | st.fixed_dictionaries({}, optional=dict.fromkeys(RAW, json)))
def test_anything_is_read_without_a_fault(raw):
    base = RAW | raw if isinstance(raw, dict) else raw
    for read in (read_track(raw), read_track(base)):
        if isinstance(read, Track):
            batch_from_rows([{}], [read.row])
