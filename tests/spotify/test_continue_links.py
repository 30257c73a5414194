"""`continue --seed-track` with links, as a person meets it."""

import json

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.errors import SegueError
from core.spotify import seeds
from core.spotify.errors import ForbiddenError, NoCredentialsError, NotFoundError, RateLimitedError
from core.spotify.seeds import ARTISTS_TRACKS

TRACKS = 60
BOTH = "SPOTIFY_CLIENT_ID and SPOTIFY_CLIENT_SECRET"


def track_id(number):
    return f"{number:022}"


def artist_id(number):
    return f"a{number:021}"


def track(number):
    """Low numbers are popular; number 7 is by artist 2, as every fifth track is."""
    return {
        "track_uri": f"spotify:track:{track_id(number)}",
        "track_name": f"Song {number}",
        "artist_name": f"Artist {number % 5}",
        "artist_uri": f"spotify:artist:{artist_id(number % 5)}",
    }


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """A workspace with a dataset that ranks its tracks by number."""
    folder = tmp_path_factory.mktemp("workspace")
    playlists = [
        {"pid": pid, "name": "one", "tracks": [track(n) for n in range(pid % TRACKS + 1)]}
        for pid in range(2 * TRACKS)
    ]
    slice_file = folder / "mpd.slice.0-119.json"
    slice_file.write_text(json.dumps({"playlists": playlists}))
    for command in (
        ["import", "mpd", str(slice_file), "--name", "small"],
        ["train", "--dataset", "small", "--models", "popularity", "--preset", "fast"],
    ):
        call(folder, command)
    return folder


def call(workspace, command):
    result = CliRunner().invoke(app, ["--workspace", str(workspace), *command])
    if result.exception:
        raise result.exception
    return result


def continued(workspace, *named, options=()):
    """The answer, in which seeds are the numbers of tracks, and what was said on stderr."""
    command = ["continue", "--dataset", "small", "-k", "5", "--json", *options]
    for seed in named:
        command += ["--seed-track", seed]
    result = call(workspace, command)
    return json.loads(result.stdout), result.stderr


@pytest.fixture
def credentials(settings):
    """Leads the command to the fake."""


@pytest.fixture
def nobody(monkeypatch):
    """No credentials, and no way to Spotify."""
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SPOTIFY_API", "http://127.0.0.1:9/v1")


def known(fake, numbers):
    """Tracks that the fake and the dataset have under one id."""
    return [fake.add_track(f"Song {n}", f"Artist {n % 5}", id=track_id(n)) for n in numbers]


def test_a_playlist(workspace, fake, credentials):
    renamed = fake.add_track("song 20 (feat. Guest)", ["ARTIST 0", "Guest"])
    strange = fake.add_track("Strange", "Nobody")
    items = [*known(fake, [10, 11]), renamed, fake.episode("Talk"), strange, None]
    key = fake.add_playlist("Summer", items)
    answer, said = continued(workspace, f"https://open.spotify.com/playlist/{key}?si=0123")
    assert answer["seeds"] == [10, 11, 20]
    assert [row["title"] for row in answer["unknown_seeds"]] == ["Strange"]
    assert answer["not_found"] == answer["unknown_seeds"]
    assert said.splitlines()[-1] == (
        "“Summer”: 3 of 4 tracks are in small (2 by id, 1 by title and artist); skipped: "
        "1 podcast episode, 1 no longer available."
    )


def test_of_a_long_playlist_the_first_tracks_are_seeds(workspace, fake, credentials, monkeypatch):
    monkeypatch.setattr(seeds, "MOST_SEEDS", 3)
    strange = fake.add_track("Strange", "Nobody")
    items = [strange, *known(fake, [10, 11]), *known(fake, [11]), *known(fake, range(20, 30))]
    key = fake.add_playlist("Long", items)
    answer, said = continued(workspace, f"spotify:playlist:{key}")
    assert answer["seeds"] == [10, 11, 20]
    assert "“Long”: 12 of 13 tracks are in small" in said
    assert said.endswith("; the first 3 are seeds.\n")


def test_several_links_and_tracks_in_their_order(workspace, fake, credentials):
    album = fake.add_album("Blue", known(fake, [30, 31]))
    key = fake.add_playlist("Summer", known(fake, [20, 21]))
    answer, said = continued(
        workspace,
        "Artist 0 - Song 40",
        f"spotify:album:{album}",
        f"spotify:track:{track_id(9)}",
        f"spotify:playlist:{key}",
        "Artist 1 - Song 41",
    )
    assert answer["seeds"] == [40, 30, 31, 9, 20, 21, 41]
    assert [line[:8] for line in said.splitlines()[-2:]] == ["“Blue”: ", "“Summer”"]


def test_a_link_steers_too(workspace, fake, credentials):
    key = fake.add_playlist("Not these", known(fake, [0, 2]))
    answer, _ = continued(workspace, options=["--title", "one"])
    assert [row["title"] for row in answer["tracks"]] == [f"Song {n}" for n in range(5)]
    answer, said = continued(
        workspace, options=["--title", "one", "--dislike", f"spotify:playlist:{key}"]
    )
    assert [row["title"] for row in answer["tracks"]][:2] == ["Song 1", "Song 3"]
    assert "“Not these”: 2 of 2 tracks" in said


def test_what_the_dataset_knows_needs_no_credentials(workspace, nobody):
    answer, said = continued(workspace, f"https://open.spotify.com/track/{track_id(7)}")
    assert (answer["seeds"], said) == ([7], "")
    answer, said = continued(workspace, f"https://open.spotify.com/intl-de/artist/{artist_id(2)}")
    assert answer["seeds"] == [2 + 5 * n for n in range(ARTISTS_TRACKS)]
    assert said == "“Artist 2”: the 8 most frequent of 12 tracks in small.\n"


def test_an_artist_whom_the_dataset_does_not_know(workspace, fake, credentials):
    key = fake.add_artist("Artist 3")
    known(fake, [3, 8])
    answer, said = continued(workspace, f"spotify:artist:{key}")
    assert answer["seeds"] == [3, 8]
    assert "“Artist 3”: 2 of 2 tracks are in small (2 by id)." in said


def test_a_track_of_another_id_is_found_by_its_names(workspace, fake, credentials):
    key = fake.add_track("Song 12 - Remastered 2011", "Artist 2")
    gone = "9" * 22
    answer, said = continued(workspace, f"spotify:track:{key}", f"spotify:track:{gone}")
    assert (answer["seeds"], said) == ([12], "")
    assert [row["uri"] for row in answer["unknown_seeds"]] == [f"spotify:track:{gone}"]


def test_a_track_that_cannot_be_asked_for_gets_in_nobodys_way(workspace, fake, credentials):
    key = fake.add_track("Song 12", "Artist 2")
    fake.fault(429, "/tracks/", retry_after=7200)
    answer, said = continued(workspace, "Artist 1 - Song 1", f"spotify:track:{key}")
    assert answer["seeds"] == [1]
    assert said.startswith("Spotify takes no more requests from this app until")
    assert said.count("\n") == 1


def test_settings_of_spotify_that_are_wrong_get_in_nobodys_way(workspace, monkeypatch):
    monkeypatch.setenv("SPOTIFY_API", "http://example.org")
    answer, _ = continued(workspace, "Artist 1 - Song 1", f"spotify:track:{track_id(7)}")
    assert answer["seeds"] == [1, 7]


def test_a_track_without_credentials_is_not_found(workspace, nobody):
    answer, said = continued(workspace, "Artist 1 - Song 1", f"spotify:track:{'x' * 22}")
    assert (answer["seeds"], said) == ([1], "")
    assert [row["uri"] for row in answer["not_found"]] == [f"spotify:track:{'x' * 22}"]


@pytest.mark.parametrize("kind", ["playlist", "album", "artist"])
def test_anything_else_without_credentials_says_what_is_needed(workspace, nobody, kind):
    with pytest.raises(NoCredentialsError, match=f"Reading an? {kind} .*set {BOTH} .*one by one"):
        continued(workspace, f"spotify:{kind}:{'x' * 22}")


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        ("https://open.spotify.com/show/" + "x" * 22, "This link is to a podcast"),
        ("https://open.spotify.com.evil.org/track/" + "x" * 22, "not to open.spotify.com"),
        ("spotify:playlist:../../me", "no id of Spotify's"),
        ("nothing at all", "'nothing at all' is no track"),
        ("", "'' is no track"),
    ],
)
def test_what_is_neither_a_track_nor_a_link(workspace, fake, credentials, seed, sentence):
    with pytest.raises(SegueError, match=sentence):
        continued(workspace, "Artist 1 - Song 1", seed)
    assert fake.requests == []


def test_playlists_that_cannot_be_read(workspace, fake, credentials):
    closed = fake.add_playlist("Closed", known(fake, [1]), open=False)
    hidden = fake.add_playlist("Hidden", known(fake, [1]), public=False)
    with pytest.raises(ForbiddenError, match="only to its owner"):
        continued(workspace, f"spotify:playlist:{closed}")
    with pytest.raises(NotFoundError, match="it is private, deleted"):
        continued(workspace, f"spotify:playlist:{hidden}")
    with pytest.raises(SegueError, match="holds no track that can be read"):
        continued(workspace, f"spotify:playlist:{fake.add_playlist('Empty', [])}")
    fake.fault(429, "/playlists", retry_after=7200)
    with pytest.raises(RateLimitedError):
        continued(workspace, f"spotify:playlist:{closed}")


def test_tracks_of_a_link_that_are_not_there_are_counted_not_listed(workspace, fake, credentials):
    unknown = [fake.add_track(f"Other {n}", "Nobody") for n in range(30)]
    key = fake.add_playlist("Summer", [*known(fake, [4]), *unknown])
    command = ["continue", "--dataset", "small", "--seed-track", f"spotify:playlist:{key}"]
    result = call(workspace, [*command, "--seed-track", "Nobody - Nothing"])
    assert result.stdout.count("Not found:") == 1
    assert "Not found: Nobody - Nothing" in result.stdout
    assert "1 of 31 tracks are in small" in result.stderr


def test_control_characters_of_a_name_never_reach_the_terminal(workspace, fake, credentials):
    key = fake.add_playlist("Red \x1b[31m\nalert", known(fake, [4]))
    _, said = continued(workspace, f"spotify:playlist:{key}")
    assert "“Red [31m alert”" in said
