import numpy as np
import pytest

from core.dataset.matching import Matcher, artists_named, match_keys
from core.dataset.sources.lists import ListedTrack, parse_text
from core.errors import SegueError

TRACKS = {
    "heroes": {"title": "Heroes - 2017 Remaster", "artist": "David Bowie"},
    "live": {"title": "Heroes - Live", "artist": "David Bowie"},
    "halo": {"title": "Halo", "artist": "Beyoncé"},
    "america": {"title": "America", "artist": "Simon & Garfunkel"},
    "other america": {"title": "America", "artist": "Simon"},
    "see you": {"title": "See You Again", "artist": "Tyler, The Creator"},
    "maniacs": {"title": "Trouble Me", "artist": "10,000 Maniacs"},
    "exclamation": {"title": "!!!", "artist": "!!!"},
    "nameless": {"title": None, "artist": None},
}


@pytest.fixture(scope="module")
def dataset(make_dataset):
    rest = [name for name in TRACKS if name not in ("heroes", "other america")]
    return make_dataset(
        [["heroes", "other america", *rest], ["heroes", "other america"], ["heroes"]],
        tracks=TRACKS,
    )


@pytest.fixture(scope="module")
def matcher(dataset):
    return Matcher(dataset)


def listed(title, artist, uri=None):
    return ListedTrack(uri, title, artist, None, None, 1)


def found(dataset, match):
    return dataset.values("uri", [match.track])[0].removeprefix("t:") if match.track >= 0 else None


@pytest.mark.parametrize(
    ("title", "artist", "expected", "how"),
    [
        ("halo", "BEYONCE", "halo", "title and artist"),
        ("Halo (feat. Nobody)", "Beyoncé", "halo", "title and artist"),
        ("Halo", "Beyoncé & JAY-Z", "halo", "title and artist"),
        ("Halo", "Beyoncé, JAY-Z", "halo", "title and artist"),
        ("Halo", "Beyoncé ft. JAY-Z", "halo", "title and artist"),
        ("Beyoncé", "Halo", "halo", "title and artist swapped"),
        ("See You Again", "Tyler, The Creator, Kali Uchis", "see you", "title and artist"),
        ("Trouble Me", "10,000 Maniacs", "maniacs", "title and artist"),
        ("Trouble Me", "10", None, "not found"),
        ("!!!", "!!!", "exclamation", "title and artist"),
        ("Halo", "Depeche Mode", None, "not found"),
        ("Halo", None, None, "not found"),
        ("", "", None, "not found"),
    ],
)
def test_by_title_and_artist(dataset, matcher, title, artist, expected, how):
    (match,) = matcher.match([listed(title, artist)]).rows
    assert (found(dataset, match), match.how) == (expected, how)


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Heroes", "heroes"),
        ("Heroes - Live", "live"),
        ("Heroes (2017 Remaster)", "heroes"),
        ("Heroes - Radio Edit", "heroes"),
    ],
)
def test_the_popular_version_wins_unless_the_list_names_another(dataset, matcher, title, expected):
    (match,) = matcher.match([listed(title, "David Bowie")]).rows
    assert found(dataset, match) == expected


def test_the_whole_artist_wins_over_a_more_popular_one_who_only_begins_alike(dataset, matcher):
    names = ["Simon & Garfunkel", "Simon", "Simon and Garfunkel"]
    report = matcher.match([listed("America", name) for name in names])
    assert [found(dataset, row) for row in report.rows] == [
        "america",
        "other america",
        "other america",
    ]


def test_the_uri_comes_first_and_the_names_stand_in_for_an_unknown_one(dataset, matcher):
    report = matcher.match(
        [
            listed("Halo", "Beyoncé", uri="t:live"),
            listed("Halo", "Beyoncé", uri="t:unknown"),
            listed(None, None, uri="t:halo"),
            listed(None, None, uri="t:unknown"),
        ]
    )
    assert [found(dataset, row) for row in report.rows] == ["live", "halo", "halo", None]
    assert report.counts == {"id": 2, "title and artist": 1, "not found": 1}
    assert report.tracks.dtype == np.int32
    assert [found(dataset, row) for row in (report.rows[0], report.rows[1])] == [
        uri.removeprefix("t:") for uri in dataset.values("uri", report.tracks)
    ]


def test_rows_keep_the_order_and_lines_of_the_list(matcher):
    (playlist,) = parse_text("David Bowie - Heroes\nHalo - Beyoncé\nNobody - Nothing")
    report = matcher.match(playlist.tracks)
    assert [row.listed.line for row in report.rows] == [1, 2, 3]


def test_an_empty_list_matches_nothing(matcher):
    report = matcher.match([])
    assert (report.rows, report.counts, len(report.tracks)) == ([], {}, 0)


def test_match_keys_are_fixed_so_that_they_can_be_stored():
    keys = match_keys(
        ["Heroes - 2017 Remaster", "Heroes", "Help!", "Help!", None, "x"],
        ["David Bowie", "David Bowie, Brian Eno", "The Beatles", "Beatles", "x", None],
    )
    assert keys.dtype == np.uint64
    assert keys[0] == keys[1] == 3176924181459055334
    assert keys[2] == keys[3] != keys[0]
    assert keys[4] == keys[5] == 0


def test_artists_are_found_as_names_are_compared(dataset):
    found = artists_named(dataset, ["david  BOWIE", "Beyonce"])
    assert [dataset.artists["name"][at].as_py() for at in found] == ["David Bowie", "Beyoncé"]
    assert artists_named(dataset, []) == []
    for absent in ("Nobody", "", "!?"):
        with pytest.raises(SegueError, match="has no artist"):
            artists_named(dataset, [absent])
