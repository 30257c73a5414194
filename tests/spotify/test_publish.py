"""Publishing: whatever fails, the listener has one playlist, of exactly those tracks, in order."""

import random
import threading
from dataclasses import replace

import pytest

from core.errors import SegueError
from core.spotify.client import Client
from core.spotify.errors import (
    ExpiredError,
    OfflineError,
    RefusedError,
    SpotifyError,
)
from core.spotify.health import reset_health
from core.spotify.publish import ChangedError, Publication, publish
from tests.spotify.conftest import QUICK

TRACKS = 210
REQUESTS = 4  # the playlist, and three batches
WAYS = {
    "error": {"kind": 500},
    "error after all": {"kind": 500, "processed": True},
    "dropped": {"kind": "drop"},
    "dropped after all": {"kind": "drop", "processed": True},
    "time-out": {"kind": "timeout"},
    "time-out after all": {"kind": "timeout", "processed": True},
    "rate limit": {"kind": 429, "retry_after": 0},
    "expired": {"kind": 401},
    "truncated": {"kind": "truncated"},
    "broken off": {"kind": "cut"},
    "page of a proxy": {"kind": "html", "processed": True},
    "null": {"kind": "null"},
}


@pytest.fixture
def listener(fake, settings):
    """A client that sends every request once."""
    return Client(settings, fake.listener_token, replace(QUICK, attempts=1, timeout_s=2))


@pytest.fixture
def uris(fake):
    return tuple(f"spotify:track:{fake.add_track(f'Song {n}')}" for n in range(TRACKS))


def to_be(uris, **fields):
    return Publication(**{"name": "Mine", "public": False, "uris": uris, "settling_s": 0} | fields)


def held(fake):
    """What the listener has: (name, tracks) of each playlist."""
    return [(playlist.name, tuple(playlist.items)) for playlist in fake.playlists.values()]


def finish(client, publication, attempts=50):
    """Publish as somebody does who tries again, later, after each failure; count the failures."""
    for failures in range(attempts):
        try:
            publish(client, publication)
        except ChangedError:
            raise
        except SpotifyError:
            reset_health()
        else:
            return failures
    raise AssertionError("it never ended")


def test_a_playlist_in_order_in_as_few_requests_as_there_can_be(fake, listener, uris):
    publication = to_be(uris)
    publish(listener, publication)
    assert held(fake) == [("Mine", uris)]
    ((key, playlist),) = fake.playlists.items()
    assert (playlist.public, playlist.owner) == (False, "listener")
    assert publication.address == f"https://open.spotify.com/playlist/{key}"
    assert publication.done
    assert publication.confirmed == TRACKS
    assert len(fake.requests) == REQUESTS
    publish(listener, publication)
    assert len(fake.requests) == REQUESTS


@pytest.mark.parametrize("way", WAYS)
def test_one_failure_anywhere_changes_nothing(fake, settings, uris, way):
    timeout_s = 0.1 if "time-out" in way else 2
    client = Client(settings, fake.listener_token, replace(QUICK, attempts=1, timeout_s=timeout_s))
    for at in range(REQUESTS):
        fake.fault(after=at, **WAYS[way])
        assert finish(client, to_be(uris)) > 0
        assert held(fake) == [("Mine", uris)]
        fake.playlists.clear()


@pytest.mark.parametrize("seed", range(16))
def test_failures_everywhere_while_it_is_resumed_too_change_nothing(fake, listener, uris, seed):
    dice = random.Random(seed)
    quick = [way for name, way in WAYS.items() if not name.startswith("time-out")]
    for at in range(20):
        if at == 0 or dice.random() < 0.5:
            fake.fault(after=at, **dice.choice(quick))
    assert finish(listener, to_be(uris)) > 0
    assert held(fake) == [("Mine", uris)]


def test_a_request_that_is_obeyed_late_is_waited_for(fake, listener, uris):
    publication = to_be(uris, settling_s=0.3)
    fake.fault("drop", "/items", after=1)
    with pytest.raises(OfflineError):
        publish(listener, publication)
    ((_, playlist),) = fake.playlists.items()
    late = threading.Timer(0.1, lambda: playlist.items.extend(uris[100:200]))
    late.start()
    publish(listener, publication)
    late.join()
    assert held(fake) == [("Mine", uris)]


def test_a_lost_playlist_is_known_again_among_many_of_the_same_name(fake, listener, uris):
    for _ in range(60):
        fake.add_playlist("Mine", [], owner="listener")
    publication = to_be(uris[:3])
    fake.fault(500, "/me/playlists", processed=True)
    assert finish(listener, publication) == 1
    assert held(fake) == [("Mine", ())] * 60 + [("Mine", uris[:3])]


def test_two_publications_are_two_playlists(fake, listener, uris):
    for _ in range(2):
        publish(listener, to_be(uris[:1]))
    assert held(fake) == [("Mine", uris[:1])] * 2


def test_another_sign_in_goes_on_where_the_first_expired(fake, settings, listener, uris):
    publication = to_be(uris)
    token = fake.listener_token()
    fake.fault("meanwhile", "/items", after=1, do=lambda *_: fake.expire_tokens())
    with pytest.raises(ExpiredError, match="sign in again"):
        publish(Client(settings, lambda: token), publication)
    publish(listener, publication)
    assert held(fake) == [("Mine", uris)]


def without_first(playlist):
    del playlist.items[0]


def with_one_on_top(playlist):
    playlist.items.insert(0, playlist.items[-1])


def with_one_behind(playlist):
    playlist.items.append(playlist.items[0])


def empty(playlist):
    playlist.items.clear()


@pytest.mark.parametrize("edit", [without_first, with_one_on_top, with_one_behind, empty])
@pytest.mark.parametrize("processed", [False, True])
def test_what_the_listener_changed_meanwhile_is_left_alone(fake, listener, uris, edit, processed):
    publication = to_be(uris)
    fake.fault(500, "/items", after=1, processed=processed)
    with pytest.raises(OfflineError):
        publish(listener, publication)
    ((_, playlist),) = fake.playlists.items()
    edit(playlist)
    edited = held(fake)
    with pytest.raises(ChangedError, match="“Mine” was changed on Spotify while it was filled"):
        publish(listener, publication)
    assert held(fake) == edited
    assert not publication.done


def test_a_change_while_it_is_filled_is_noticed(fake, listener, uris):
    def shorten(*_):
        next(iter(fake.playlists.values())).items.clear()

    fake.fault("meanwhile", "/items", after=1, do=shorten)
    with pytest.raises(ChangedError, match="it holds 0 of the 100 tracks added"):
        publish(listener, to_be(uris))
    assert held(fake) == [("Mine", ())]


def test_a_playlist_that_is_gone_is_not_made_again(fake, listener, uris):
    publication = to_be(uris)
    fake.fault(500, "/items", after=1)
    with pytest.raises(OfflineError):
        publish(listener, publication)
    fake.playlists.clear()
    with pytest.raises(ChangedError, match="it is gone"):
        publish(listener, publication)
    assert held(fake) == []


def test_what_is_put_behind_all_our_tracks_is_the_listeners(fake, listener, uris):
    publication = to_be(uris)
    fake.fault(500, "/items", after=2, processed=True)
    with pytest.raises(OfflineError):
        publish(listener, publication)
    ((_, playlist),) = fake.playlists.items()
    with_one_behind(playlist)
    publish(listener, publication)
    assert held(fake) == [("Mine", (*uris, uris[0]))]


def test_tracks_that_spotify_no_longer_shows_still_count(fake, listener, uris):
    publication = to_be(uris)
    fake.fault(500, "/items", after=1)
    with pytest.raises(OfflineError):
        publish(listener, publication)
    ((_, playlist),) = fake.playlists.items()
    playlist.items[7] = None
    publish(listener, publication)
    assert held(fake) == [("Mine", (*uris[:7], None, *uris[8:]))]


def test_tracks_that_spotify_shows_as_another_release_still_count(fake, listener, uris):
    shown, *others = (uri.removeprefix("spotify:track:") for uri in uris[:50])
    fake.relinked = dict.fromkeys(others, shown)
    fake.fault(500, "/items", after=2)
    assert finish(listener, to_be(uris)) == 1
    assert held(fake) == [("Mine", uris)]


def test_tracks_that_spotify_does_not_know_are_left_out(fake, listener, uris):
    unknown = [f"spotify:track:{letter * 22}" for letter in "xyz"]
    publication = to_be((unknown[0], *uris[:150], unknown[1], *uris[150:], unknown[2]))
    fake.fault("drop", "/tracks/", after=50)
    assert finish(listener, publication) == 1
    assert held(fake) == [("Mine", uris)]
    assert publication.unknown == set(unknown)


def test_a_refusal_that_no_track_explains_ends_it(fake, listener, uris):
    fake.fault(400, "/items", "POST", times=None)
    publication = to_be(uris[:2])
    with pytest.raises(RefusedError, match="Spotify refuses the request"):
        publish(listener, publication)
    fake.heal()
    publish(listener, publication)
    assert held(fake) == [("Mine", uris[:2])]


def test_names_as_spotify_takes_them(fake, listener, uris):
    long = "A name\nof two\x00 lines\u2028or three " + "and more " * 60
    publish(listener, to_be(uris[:1], name=long))
    ((_, playlist),) = fake.playlists.items()
    assert playlist.name.startswith("A name of two lines or three and more")
    assert len(playlist.name) <= 100
    assert playlist.name.endswith("…")
    assert playlist.name.isprintable()


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"name": " \n "}, "needs a name"),
        ({"uris": ()}, "There is no track to put on Spotify"),
        ({"uris": ("spotify:track:" + "a" * 22,) * 10_001}, "10,000 tracks at most, not 10,001"),
        ({"uris": ("segue:track:1",)}, "'segue:track:1' is no track of Spotify's"),
        ({"uris": ("spotify:episode:" + "a" * 22,)}, "is no track of Spotify's"),
    ],
)
def test_what_cannot_be_published(fields, sentence):
    with pytest.raises(SegueError, match=sentence):
        to_be(**{"uris": ("spotify:track:" + "a" * 22,)} | fields)
