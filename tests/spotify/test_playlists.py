"""Reading what a link names, and finding it in a dataset."""

from collections import Counter
from dataclasses import replace

import pytest

from core.dataset.links import Link
from core.dataset.matching import Matcher
from core.dataset.sources.lists import ListedTrack
from core.errors import SegueError
from core.spotify.client import Client
from core.spotify.errors import (
    BrokenAnswerError,
    ForbiddenError,
    NotFoundError,
    SpotifyError,
)
from core.spotify.health import reset_health
from core.spotify.playlists import MOST_RESULTS, Reading
from tests.spotify.conftest import QUICK
from tests.spotify.fake import fake_spotify

EVERYWHERE = [(mode, fields) for mode in ("development", "extended") for fields in ("new", "old")]


@pytest.fixture
def fake(request):
    with fake_spotify(*getattr(request, "param", ())) as fake:
        yield fake


def tracks(fake, count, **fields):
    return [fake.add_track(f"Song {n}", **fields) for n in range(count)]


def ids(listed):
    return [track.uri.removeprefix("spotify:track:") for track in listed.tracks]


@pytest.mark.parametrize("fake", EVERYWHERE, indirect=True)
def test_a_playlist_page_by_page(fake, client):
    songs = tracks(fake, 120, artist=["One", "Two"], album="An album", explicit=True)
    link = Link("playlist", fake.add_playlist("Summer", songs))
    reading = Reading(client, link)
    shares = []
    while not reading.done:
        reading.advance()
        shares.append(reading.share)
    assert shares == [50 / 120, 100 / 120, 1]
    assert (reading.title, reading.total) == ("Summer", 120)
    listed = reading.listed()
    assert ids(listed) == songs
    assert (listed.title, listed.problems) == ("Summer", [])
    assert listed.tracks[7] == ListedTrack(
        f"spotify:track:{songs[7]}", "Song 7", "One, Two", "An album", 200_000, 8, True
    )


def test_what_is_no_further_track_is_said(fake, client):
    first, second = tracks(fake, 2)
    items = [first, fake.local_file("Mine"), None, fake.episode("Talk"), fake.episode("More talk")]
    link = Link("playlist", fake.add_playlist("Mixed", [*items, second, first]))
    reading = Reading(client, link)
    reading.advance()
    listed = reading.listed()
    assert [(track.line, track.title) for track in listed.tracks] == [(1, "Song 0"), (6, "Song 1")]
    assert reading.skipped == Counter(
        {"podcast episode": 2, "local file": 1, "no longer available": 1, "repeat": 1}
    )
    assert reading.said_skipped.startswith("2 podcast episodes, 1 ")
    assert [(problem.kind, problem.where) for problem in listed.problems][:2] == [
        ("local file", "“Mixed”, item 2"),
        ("no longer available", "“Mixed”, item 3"),
    ]


@pytest.mark.parametrize("fake", EVERYWHERE, indirect=True)
def test_fields_that_are_missing_or_null_stay_unknown(fake, client):
    link = Link("playlist", fake.add_playlist("Summer", tracks(fake, 60)))
    fields = ["name", "artists", "album", "duration_ms", "explicit", "total", "popularity"]
    fake.fault("missing", "/playlists", fields=[*fields, "next"], times=2)
    fake.fault("null", "/playlists", fields=fields, times=None)
    listed = Reading(client, link).finish()
    assert listed.title is None
    assert listed.tracks[0] == ListedTrack(listed.tracks[0].uri, None, None, None, None, 1, None)


def test_fields_that_are_null_do_not_end_a_playlist_early(fake, client):
    songs = tracks(fake, 120)
    link = Link("playlist", fake.add_playlist("Summer", songs))
    fake.fault("null", "/items", fields=["name", "artists", "total"], times=None)
    listed = Reading(client, link).finish()
    assert ids(listed) == songs
    assert {track.title for track in listed.tracks} == {None}


def test_tracks_shown_on_two_pages_are_taken_once(fake, client):
    songs = tracks(fake, 120)
    key = fake.add_playlist("Summer", songs)
    fake.fault("overlap", f"/playlists/{key}/items", after=1, by=2)
    reading = Reading(client, Link("playlist", key))
    while not reading.done:
        reading.advance()
    assert ids(reading) == songs
    assert reading.skipped == {"repeat": 2}


def test_a_track_shown_as_another_release_keeps_its_own_id(fake, client):
    songs = tracks(fake, 3)
    fake.relinked = {songs[1]: songs[0]}
    link = Link("playlist", fake.add_playlist("Summer", songs))
    assert ids(Reading(client, link).finish()) == songs


@pytest.mark.parametrize("kind", [500, "drop", "truncated", "cut", "timeout", "html", "null", 403])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_a_page_that_fails_is_read_again_and_nothing_twice(fake, settings, kind, at):
    timeout_s = 0.1 if kind == "timeout" else 2
    client = Client(settings, patience=replace(QUICK, attempts=1, timeout_s=timeout_s))
    songs = tracks(fake, 120)
    link = Link("playlist", fake.add_playlist("Summer", songs))
    reading = Reading(client, link)
    fake.fault(kind, after=at)
    failures = 0
    while not reading.done:
        try:
            reading.advance()
        except SpotifyError:
            failures += 1
            reset_health()
    assert failures > 0
    assert (ids(reading), reading.skipped) == (songs, {})
    assert len([one for one in fake.requests if one.path.startswith("/v1/")]) == 4 + failures


def test_ten_thousand_items(fake, client):
    songs = tracks(fake, 50)
    link = Link("playlist", fake.add_playlist("Long", songs * 200))
    said = []
    progress = type("Said", (), {"update": lambda _, label, share: said.append((label, share))})()
    listed = Reading(client, link).finish(progress)
    assert ids(listed) == songs
    assert len(listed.problems) == 9_950
    assert said[0] == ("Reading a playlist from Spotify", None)
    assert said[-1][1] == 9_950 / 10_000


def test_an_album_names_its_tracks_album(fake, client):
    songs = tracks(fake, 70)
    reading = Reading(client, Link("album", fake.add_album("Blue", songs)))
    while not reading.done:
        reading.advance()
    listed = reading.listed()
    assert (reading.title, reading.total, listed.title) == ("Blue", 70, None)
    assert ids(listed) == songs
    assert {track.album for track in listed.tracks} == {"Blue"}


@pytest.mark.parametrize("fake", EVERYWHERE, indirect=True)
def test_an_artists_own_tracks_the_popular_first(fake, client):
    key = fake.add_artist('The "Ones"')
    own = [
        fake.add_track(f"Own {n}", ["Guest", 'The "Ones"'][n % 2 :], popularity=n)
        for n in range(15)
    ]
    tracks(fake, 30, artist='The Other "Ones"', popularity=90)
    reading = Reading(client, Link("artist", key))
    while not reading.done:
        reading.advance()
    assert reading.title == 'The "Ones"'
    assert ids(reading) == own[::-1]
    assert (reading.skipped, reading.total, reading.listed().title) == ({}, None, None)
    assert fake.requests[-1].query["q"].count('"') == 2


def test_of_a_prolific_artist_a_few_pages_are_read(fake, client):
    key = fake.add_artist("Prolific")
    tracks(fake, 80, artist="Prolific")
    assert len(Reading(client, Link("artist", key)).finish().tracks) == MOST_RESULTS


def test_one_track(fake, client):
    track = fake.add_track("Halo", "Beyoncé", year=2008)
    (read,) = Reading(client, Link("track", track)).finish().tracks
    assert (read.title, read.artist) == ("Halo", "Beyoncé")


def test_a_closed_playlist_is_given_to_its_owner_only(fake, client, settings):
    fields = {"open": False, "owner": "listener"}
    reading = Reading(client, Link("playlist", fake.add_playlist("Own", tracks(fake, 1), **fields)))
    with pytest.raises(ForbiddenError, match=r"only to its owner.*upload or paste"):
        reading.advance()
    reading.client = Client(settings, fake.listener_token)
    assert len(reading.finish().tracks) == 1


@pytest.mark.parametrize(
    "fields", [{"public": False}, {"owner": "spotify"}, {"id": "37i9dQZF1DXcBWIGoYBM5M"}]
)
def test_a_playlist_that_is_not_given(fake, client, fields):
    songs = tracks(fake, 1)
    key = fake.add_playlist("Hidden", songs, **fields)
    if "id" in fields:
        del fake.playlists[key]
    with pytest.raises(NotFoundError, match=r"private, deleted, or one of Spotify's own.*upload"):
        Reading(client, Link("playlist", key)).finish()


@pytest.mark.parametrize("kind", ["track", "album", "artist"])
def test_what_is_not_there(client, kind):
    with pytest.raises(NotFoundError, match=f"knows no {kind}"):
        Reading(client, Link(kind, "0" * 22)).finish()


def test_nothing_to_continue_from(fake, client):
    items = [fake.episode("Talk"), fake.episode("More")]
    with pytest.raises(SegueError, match=r"“Talks” on Spotify holds no track .*\(2 podcast epis"):
        Reading(client, Link("playlist", fake.add_playlist("Talks", items))).finish()
    with pytest.raises(SegueError, match="“Empty” on Spotify holds no track that can be read; ch"):
        Reading(client, Link("playlist", fake.add_playlist("Empty", []))).finish()


def test_an_artist_without_a_name_cannot_be_searched_for(fake, client):
    fake.fault("null", "/artists/", fields=["name"])
    with pytest.raises(BrokenAnswerError, match="an artist without a name"):
        Reading(client, Link("artist", fake.add_artist("One"))).finish()


def test_found_by_id_then_by_title_and_artist(fake, client, make_dataset):
    dataset = make_dataset(
        [["same", "renamed", "live", "other"], ["same", "renamed"]],
        tracks={
            "same": {"uri": "spotify:track:" + "a" * 22, "title": "Halo", "artist": "Beyoncé"},
            "renamed": {"title": "See You Again", "artist": "Tyler, The Creator"},
            "live": {"title": "Heroes - Live", "artist": "David Bowie"},
        },
    )
    songs = [
        fake.add_track("Quite another name", id="a" * 22),
        fake.add_track("See You Again (feat. Kali Uchis)", ["Tyler, The Creator", "Kali Uchis"]),
        fake.add_track("“Heroes” - 2017 Remaster", ["DAVID BOWIE", "Brian Eno"]),
        fake.add_track("Halo", ["Somebody else", "Beyoncé"]),
    ]
    listed = Reading(client, Link("playlist", fake.add_playlist("Mix", songs))).finish()
    report = Matcher(dataset).match(listed.tracks)
    assert report.counts == {"title and artist": 2, "id": 1, "not found": 1}
    assert dataset.values("title", report.tracks) == ["Halo", "See You Again", "Heroes - Live"]
