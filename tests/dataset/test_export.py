"""Exported lists: complete, harmless, and readable by our own reader."""

import csv
import io

import pytest

from core.dataset.export import FORMATS, to_csv, to_m3u, to_uris
from core.dataset.matching import Matcher
from core.dataset.sources.lists import parse_file

SPOTIFY = "spotify:track:0RhGFlknkTRsaTHfQzNEWW"


@pytest.fixture(scope="module")
def dataset(make_dataset):
    tracks = {
        "a": {"uri": SPOTIFY, "title": 'Say "Hi", you', "artist": "Ä & B", "duration_ms": 61_499},
        "b": {"title": "=HYPERLINK(1)", "artist": "+plus"},
        "c": {"title": None, "artist": None},
        "d": {"title": "two\u2028lines", "artist": "@at"},
    }
    return make_dataset([["a", "b", "c", "d"]], tracks=tracks, name="exported")


@pytest.fixture(scope="module")
def ids(dataset):
    return dataset.ids_of([SPOTIFY, "t:b", "t:c", "t:d"])


def test_csv_holds_every_track_in_order_and_no_formula(dataset, ids):
    rows = list(csv.DictReader(io.StringIO(to_csv(dataset, ids))))
    assert [row["Position"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["Track Name"] == 'Say "Hi", you'
    assert rows[1]["Track Name"] == "'=HYPERLINK(1)"
    assert rows[2]["Track Name"] == ""
    cells = [cell for row in rows for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


def test_m3u_is_one_line_a_fact(dataset, ids):
    text = to_m3u(dataset, ids, "my\nlist")
    lines = text.splitlines()
    assert lines[:2] == ["#EXTM3U", "#PLAYLIST:my list"]
    assert lines[2:4] == ['#EXTINF:61,Ä & B - Say "Hi", you', SPOTIFY]
    assert len(lines) == 2 + 2 * len(ids)


def test_uris_are_one_a_line(dataset, ids):
    assert to_uris(dataset, ids) == f"{SPOTIFY}\nt:b\nt:c\nt:d\n"


@pytest.mark.parametrize("key", FORMATS)
def test_no_track_is_an_empty_list(dataset, key):
    assert FORMATS[key].write(dataset, [], None).count("\n") <= 1


@pytest.mark.parametrize("key", ["csv", "m3u"])
def test_what_is_exported_can_be_read_again(planted, key):
    tracks = planted.ids_of(["t:1-03", "t:0-01", "t:2-22"])
    kind = FORMATS[key]
    (listed,) = parse_file(kind.write(planted, tracks, "x").encode(), f"x{kind.ending}")
    assert Matcher(planted).match(listed.tracks).tracks.tolist() == tracks.tolist()
