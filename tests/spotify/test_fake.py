"""The fake Spotify answers the real spotipy as Spotify would."""

from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.spotify.asking import (
    NOWHERE,
    REDIRECT,
    agreed,
    app,
    denied,
    listener,
    read,
    refused,
    signing_in,
    songs,
    speaking,
    uris,
)
from tests.spotify.fake import fake_spotify

# What the Web API tells.


@pytest.mark.parametrize(
    ("fields", "entry", "items"), [("new", "item", "items"), ("old", "track", "tracks")]
)
def test_a_playlist_of_ten_thousand_is_read_in_both_sets_of_field_names(fields, entry, items):
    with fake_spotify(fields=fields) as fake:
        ids = songs(fake, 10_000)
        playlist = fake.add_playlist("All", ids)
        spotify = app(fake)
        assert read(spotify, playlist, entry) == uris(ids)
        told = spotify.playlist(playlist)
        assert (told["name"], told[items]["total"]) == ("All", 10_000)
        assert len(told[items]["items"]) == 100
        assert len(fake.requests) == 202


def test_a_page_says_where_it_stands(fake):
    playlist = fake.add_playlist("All", songs(fake, 5))
    page = app(fake).playlist_items(playlist, limit=2, offset=2)
    assert (page["limit"], page["offset"], page["total"]) == (2, 2, 5)
    assert parse_qs(urlsplit(page["next"]).query)["offset"] == ["4"]
    assert parse_qs(urlsplit(page["previous"]).query)["offset"] == ["0"]
    assert page["href"].startswith(f"{fake.address}/v1/playlists/{playlist}/items?")


def test_only_the_fields_that_are_asked_for(fake):
    playlist = fake.add_playlist("All", [fake.add_track("Song", "Singer"), None])
    wanted = "total,items(item(name,artists.name,album(name)))"
    song = {"name": "Song", "artists": [{"name": "Singer"}], "album": {"name": "Song"}}
    assert app(fake).playlist_items(playlist, fields=wanted) == {
        "total": 2,
        "items": [{"item": song}, {"item": None}],
    }


def test_what_is_no_track_stands_among_the_tracks(fake):
    items = [None, fake.local_file("Demo", "Me"), fake.episode("Talk"), fake.add_track("Song")]
    entries = app(fake).playlist_items(fake.add_playlist("Odd", items))["items"]
    gone, local, episode, song = (entry["item"] for entry in entries)
    assert gone is None
    assert (local["id"], local["is_local"], local["name"]) == (None, True, "Demo")
    assert (episode["type"], song["type"]) == ("episode", "track")
    assert [entry["is_local"] for entry in entries] == [False, True, False, False]


def test_search_finds_in_a_fixed_order(fake):
    low = fake.add_track("Rain", "Vela Nine", popularity=10)
    high = fake.add_track("Sun", "Vela Nine", popularity=90)
    other = fake.add_track("Vela", "Nine Others", popularity=50)
    mix = fake.add_playlist("A mix", [low])
    fake.add_playlist("Hidden", [low], public=False)
    fake.add_playlist("Charts", [low], owner="spotify")
    spotify = app(fake)
    found = spotify.search("vela nine", limit=2)["tracks"]
    assert [track["id"] for track in found["items"]] == [high, other]
    assert [track["id"] for track in spotify.next(found)["tracks"]["items"]] == [low]
    by = spotify.search('artist:"Vela Nine"')["tracks"]["items"]
    assert [track["id"] for track in by] == [high, low]
    playlists = spotify.search("Vela Nine", type="playlist")["playlists"]["items"]
    assert [playlist and playlist["id"] for playlist in playlists] == [mix, None]
    assert spotify.search("vela", type="artist")["artists"]["total"] == 1


def test_albums_and_artists(fake):
    ids = songs(fake, 3, artist="Osk")
    album = fake.add_album("First", ids, year=1999)
    spotify = app(fake)
    told = spotify.album(album)
    artist = told["artists"][0]["id"]
    assert (told["name"], told["release_date"], told["total_tracks"]) == ("First", "1999-06-01", 3)
    assert [track["id"] for track in spotify.album_tracks(album)["items"]] == ids
    assert spotify.artist(artist)["name"] == "Osk"
    assert [one["name"] for one in spotify.artist_albums(artist)["items"]] == ["First"]
    assert spotify.track(ids[1])["track_number"] == 2


def test_the_same_calls_give_the_same_ids():
    made = []
    for _ in range(2):
        with fake_spotify() as fake:
            made.append((songs(fake, 3), fake.add_playlist("All", [])))
    assert made[0] == made[1]
    assert len({*made[0][0], made[0][1]}) == 4


def test_what_is_refused(fake):
    track = fake.add_track("Song")
    playlist = fake.add_playlist("All", [track])
    spotify = app(fake)
    assert refused(spotify.playlist, NOWHERE) == (404, "Resource not found")
    assert refused(spotify._get, "tracks/short") == (400, "Invalid base62 id")
    assert refused(spotify.playlist_items, playlist, limit=51) == (400, "Invalid limit")
    assert refused(spotify.playlist_items, playlist, offset=-1) == (400, "Invalid offset")
    assert refused(spotify._get, "nothing") == (404, "Service not found")
    assert refused(spotify.me) == (401, "Valid user authentication required")
    assert refused(speaking(fake, auth="made up").track, track) == (401, "Invalid access token")
    assert refused(speaking(fake).track, track) == (401, "No token provided")


@pytest.mark.filterwarnings("ignore:.*deprecated by Spotify")
def test_development_mode_apps_are_told_less(fake):
    track = fake.add_track("Song", "Osk", features={"tempo": 120.0})
    artist = next(iter(fake.artists))
    playlist = fake.add_playlist("All", [track])
    spotify = app(fake)
    for ask in (spotify.tracks, spotify.audio_features):
        assert refused(ask, [track]) == (403, "Forbidden")
    assert refused(spotify.artists, [artist]) == (403, "Forbidden")
    assert refused(spotify.artist_top_tracks, artist) == (403, "Forbidden")
    assert refused(spotify._get, f"playlists/{playlist}/tracks") == (403, "Forbidden")
    assert refused(spotify.search, "song", limit=11) == (400, "Invalid limit")
    assert "popularity" not in spotify.track(track)
    assert "followers" not in spotify.artist(artist)


@pytest.mark.filterwarnings("ignore:.*deprecated by Spotify")
def test_extended_quota_apps_are_told_more():
    with fake_spotify("extended", "old") as fake:
        known = fake.add_track("Song", "Osk", popularity=70, features={"tempo": 120.0})
        unknown = fake.add_track("Other", "Osk")
        artist = next(iter(fake.artists))
        playlist = fake.add_playlist("All", [known])
        spotify = app(fake)
        tracks = spotify.tracks([known, NOWHERE])["tracks"]
        assert [track and track["id"] for track in tracks] == [known, None]
        features = spotify.audio_features([unknown, known])
        assert features[0] is None
        assert (features[1]["tempo"], features[1]["energy"]) == (120.0, None)
        assert spotify.artists([artist])["artists"][0]["followers"]["total"] == 0
        top = spotify.artist_top_tracks(artist)["tracks"]
        assert [(track["id"], track["popularity"]) for track in top] == [(known, 70), (unknown, 50)]
        assert spotify._get(f"playlists/{playlist}/tracks")["items"][0]["track"]["id"] == known
        assert spotify.search("song", limit=50)["tracks"]["total"] == 1


def test_in_development_mode_items_may_be_the_owners_only(fake):
    playlist = fake.add_playlist("Closed", songs(fake, 2), open=False)
    own = fake.add_playlist("Own", songs(fake, 2), owner="listener", open=False)
    for spotify in (app(fake), listener(fake)):
        assert refused(spotify.playlist_items, playlist) == (403, "Forbidden")
        assert "items" not in spotify.playlist(playlist)
    assert len(listener(fake).playlist_items(own)["items"]) == 2


def test_reccobeats_tells_what_it_knows_without_a_key(fake):
    ids = songs(fake, 3, features={"tempo": 99.5, "key": -1}) + songs(fake, 1)
    address = f"{fake.environment['RECCOBEATS_API']}/audio-features?ids="
    told = requests.get(address + ",".join([*ids, NOWHERE]), timeout=5).json()["content"]
    assert {one["href"].rpartition("/")[2] for one in told} == set(ids[:3])
    assert {(one["tempo"], one["key"], one["energy"]) for one in told} == {(99.5, -1, None)}
    assert requests.get(address + ",".join([NOWHERE] * 41), timeout=5).status_code == 400


# What a listener changes.


def test_a_playlist_is_created_and_filled_in_place(fake):
    ids = songs(fake, 4)
    spotify = listener(fake)
    made = spotify.current_user_playlist_create("Mine", public=False, description="Of mine & yours")
    first = spotify.playlist_add_items(made["id"], ids[:2])["snapshot_id"]
    second = spotify.playlist_add_items(made["id"], uris(ids[2:]), position=1)["snapshot_id"]
    held = fake.playlists[made["id"]]
    assert (held.name, held.public, held.owner, held.description) == (
        "Mine",
        False,
        "listener",
        "Of mine & yours",
    )
    assert held.items == uris([ids[0], ids[2], ids[3], ids[1]])
    assert len({made["snapshot_id"], first, second}) == 3
    assert made["description"] == "Of mine &amp; yours"
    assert [one["id"] for one in spotify.current_user_playlists()["items"]] == [made["id"]]
    assert refused(app(fake).playlist, made["id"]) == (404, "Resource not found")


def test_additions_that_are_refused_change_nothing(fake):
    track = fake.add_track("Song")
    theirs = fake.add_playlist("Theirs", [])
    own = fake.add_playlist("Own", [track], owner="listener")
    add = listener(fake).playlist_add_items
    assert refused(add, theirs, [track])[0] == 403
    assert refused(add, own, [track] * 101)[0] == 400
    assert refused(add, own, [track], position=2) == (400, "Invalid position")
    assert refused(add, own, [track, NOWHERE]) == (400, "Payload contains a non-existing ID")
    assert refused(app(fake).playlist_add_items, own, [track])[0] == 401
    assert fake.playlists[own].items == uris([track])
    assert fake.playlists[theirs].items == []


def test_a_scope_that_was_not_granted_is_missed(fake):
    spotify = speaking(fake, auth=fake.listener_token("playlist-modify-public"))
    assert spotify.current_user_playlist_create("Public")["public"] is True
    create = spotify.current_user_playlist_create
    assert refused(create, "Private", public=False) == (403, "Insufficient client scope")


# Signing in.


def test_signing_in_and_refreshing(fake):
    manager = signing_in(fake)
    manager.get_access_token(agreed(manager), check_cache=False)
    first = manager.cache_handler.get_cached_token()
    spotify = speaking(fake, auth_manager=manager)
    assert spotify.me()["id"] == "listener"
    fake.expire_tokens()
    assert refused(spotify.me) == (401, "The access token expired")
    second = manager.refresh_access_token(first["refresh_token"])
    assert spotify.me()["id"] == "listener"
    assert second["refresh_token"] != first["refresh_token"]
    assert denied(manager.refresh_access_token, first["refresh_token"])[0] == "invalid_grant"
    fake.revoke()
    assert denied(manager.refresh_access_token, second["refresh_token"])[0] == "invalid_grant"


def test_a_code_is_good_once_and_for_who_asked(fake):
    manager = signing_in(fake)
    code = agreed(manager)
    manager.get_access_token(code, check_cache=False)
    assert denied(manager.get_access_token, code, check_cache=False) == (
        "invalid_grant",
        "Invalid authorization code",
    )
    other = signing_in(fake)
    other.get_pkce_handshake_parameters()
    assert denied(other.get_access_token, agreed(manager), check_cache=False) == (
        "invalid_grant",
        "code_verifier was incorrect",
    )
    code = agreed(manager)
    manager.redirect_uri = "https://elsewhere.example/"
    assert denied(manager.get_access_token, code, check_cache=False)[1] == "Invalid redirect URI"


def test_the_page_of_consent(fake):
    page = requests.get(signing_in(fake).get_authorize_url(), timeout=5).text
    assert "<button>Agree</button>" in page
    assert f'href="{REDIRECT}?error=access_denied&amp;state=the+state"' in page
    for redirect in ("http://segue.example/", "http://localhost:8501/"):
        answer = requests.get(signing_in(fake, redirect).get_authorize_url(), timeout=5)
        assert answer.json()["error_description"] == "Insecure redirect URI"


def test_an_app_needs_its_secret(fake):
    spotify = app(fake)
    spotify.auth_manager.client_secret = "another"
    assert denied(spotify.track, NOWHERE) == ("invalid_client", "Invalid client secret")


def test_every_secret_is_known(fake):
    manager = signing_in(fake)
    code = agreed(manager)
    manager.get_access_token(code, check_cache=False)
    token = manager.cache_handler.get_cached_token()
    planted = fake.environment["SPOTIFY_CLIENT_SECRET"]
    given = {code, manager.code_verifier, token["access_token"], token["refresh_token"], planted}
    assert fake.secrets == given
