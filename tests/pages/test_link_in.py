"""Links to Spotify wherever tracks are searched or added, against the fake over a socket."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.dataset.dataset import Dataset
from core.spotify.client import Client, Settings
from core.spotify.errors import RateLimitedError
from core.spotify.health import reset_health
from core.spotify.seeds import MOST_SEEDS
from core.training.train import train
from pages.common.widgets import plain, player
from tests.pages.conftest import WITH_SIGNS, link, press, texts
from tests.spotify.consent import signed_in
from tests.spotify.fake import Fake

STYLES, TRACKS = 2, 30
UNKNOWN = "Z" * 22
READ = "Read this {} from Spotify"


def key(name: str) -> str:
    """Spotify's id of the track "1-07"."""
    return name.replace("-", "x").ljust(22, "0")


def artist_key(name: str) -> str:
    """Spotify's id of its artist, who made "1-00" to "1-09"."""
    return key(f"artist{name[:3]}")


def address(kind: str, spotify_id: str) -> str:
    return f"https://open.spotify.com/{kind}/{spotify_id}?si=0123456789abcdef"


def names(style: int, count: int) -> list[str]:
    return [f"{style}-{track:02}" for track in range(count)]


@pytest.fixture(scope="module")
def trained(make_dataset, tmp_path_factory) -> Path:
    """A workspace of a dataset with Spotify's ids: "linked", and "trained" with track2vec."""
    fields: dict[str, dict[str, Any]] = {
        name: {
            "uri": f"spotify:track:{key(name)}",
            "artist": f"artist {name[:3]}",
            "artist_uri": f"spotify:artist:{artist_key(name)}",
        }
        for style in range(STYLES)
        for name in names(style, TRACKS)
    }
    fields["1-29"]["title"] = WITH_SIGNS
    playlists = [
        names(style, TRACKS)[start : start + 12]
        for style in range(STYLES)
        for start in range(TRACKS - 11)
        for _ in range(2)
    ]
    workspace = tmp_path_factory.mktemp("linked")
    made = make_dataset(playlists, tracks=fields, name="linked")
    for name in ("linked", "trained"):
        shutil.copytree(made.folder, workspace / name)
    train(Dataset(workspace / "trained"), ["track2vec"], "fast", map_method="pca")
    return workspace


@pytest.fixture
def workspace(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same for all tests, which change nothing in it: it stays open."""
    monkeypatch.setenv("SEGUE_WORKSPACE", str(trained))
    monkeypatch.setattr("core.workspace.DEMO", tmp_path / "demo")
    return trained


@pytest.fixture(autouse=True)
def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET", "SPOTIFY_REDIRECT_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def spotify(fake: Fake, settings: Settings) -> Fake:
    """Spotify as an app in development mode sees it; it holds the dataset's tracks."""
    for style in range(STYLES):
        for name in names(style, TRACKS):
            fake.add_track(name, f"artist {name[:3]}", id=key(name))
    return fake


@pytest.fixture
def opened(open_page) -> Callable[..., AppTest]:
    """A function that opens a page of the dataset with Spotify's ids."""
    return lambda page="continuation", dataset="linked", **link: open_page(
        page, dataset=dataset, **link
    )


def search(at: AppTest, text: str, box: str = "seed_search") -> AppTest:
    at.text_input(key=box).set_value(text).run()
    assert not at.exception, at.exception
    return at


def paste(at: AppTest, text: str) -> AppTest:
    press(at, "Paste or upload a list")
    at.text_area[0].set_value(text).run()
    assert not at.exception, at.exception
    return at


def labels(at: AppTest) -> list[str]:
    return [button.label for button in at.button]


def playlist(at: AppTest) -> list[str]:
    """Ids of the playlist, as the page's link says them."""
    return link(at).get("seed", [])


def found(at: AppTest) -> str:
    """What the match report counts."""
    return at.metric[0].value


def report(at: AppTest) -> list[tuple[str, str]]:
    """Listed, and how it was found, by row of the match report."""
    table = next(frame.value for frame in at.dataframe if "Found by" in frame.value)
    return list(zip(table["Listed"], table["Found by"], strict=True))


def read(at: AppTest, kind: str, spotify_id: str) -> AppTest:
    """Paste a link into the search box and have it read, to the end or to the first failure."""
    search(at, address(kind, spotify_id))
    return press(at, READ.format(kind))


# --- what the dataset knows, without credentials ---


@pytest.mark.parametrize(
    "text",
    [
        address("track", key("1-07")),
        f"spotify:track:{key('1-07')}",
    ],
)
def test_a_track_that_the_dataset_knows_is_one_press(opened, text):
    at = search(opened(), text)
    press(at, plain("1-07 – artist 1-0"))
    assert playlist(at) == [key("1-07")]
    assert next(b for b in at.button if b.label == plain("1-07 – artist 1-0")).disabled


def test_an_artist_that_the_dataset_knows_offers_their_most_popular_tracks(opened):
    at = search(opened(), address("artist", artist_key("1-0")))
    press(at, "Add all 8")
    assert len(playlist(at)) == 8
    assert set(playlist(at)) < {key(name) for name in names(1, 10)}
    assert key("1-00") not in playlist(at)  # it is in the fewest playlists


@pytest.mark.parametrize("kind", ["playlist", "track"])
def test_without_credentials_a_link_says_what_it_would_need_and_what_else_there_is(opened, kind):
    at = search(opened(), address(kind, UNKNOWN))
    assert "SPOTIFY_CLIENT_ID" in texts(at).replace("\\", "")
    assert "Paste or upload a list" in labels(at)
    assert not [label for label in labels(at) if "from Spotify" in label]
    assert not at.error


def test_an_app_without_its_secret_is_told_and_may_sign_in(opened, spotify, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    at = opened("journey", "trained")
    for box in ("journey_search_from", "journey_search_to"):
        search(at, address("track", UNKNOWN), box)
    assert texts(at).count("sign in with Spotify") == 2
    assert texts(at).count("to sign in here") == 2  # this test has no address to come back to
    assert not spotify.requests


def test_a_link_in_place_of_a_list_says_so_too(opened):
    at = paste(opened(), address("playlist", UNKNOWN))
    assert "This link is to a playlist" in texts(at)
    assert "SPOTIFY_CLIENT_ID" in texts(at).replace("\\", "")
    assert at.text_area[0].label == "Paste tracks"
    assert not at.metric


def test_an_artist_in_place_of_a_list_is_their_tracks(opened):
    at = paste(opened(), f"spotify:artist:{artist_key('0-1')}")
    assert found(at) == "8 of 8"
    press(at, "Add 8 tracks")
    assert len(playlist(at)) == 8
    assert not at.text_area


def test_a_list_is_matched_and_added_as_one_change(opened):
    lines = ["artist 1-0 - 1-01", f"spotify:track:{key('1-02')}", "Nobody - Nothing", "a line"]
    at = paste(opened(dataset="trained", seed=[key("1-02")]), "\n".join(lines))
    assert found(at) == "2 of 3"
    assert "In your playlist already: 1 track" in texts(at)
    assert "line 4" in texts(at).replace("\\", "")
    press(at, "Add 1 track")
    assert playlist(at) == [key("1-02"), key("1-01")]
    press(at, "Undo")
    assert playlist(at) == [key("1-02")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (address("show", UNKNOWN), "to a podcast;"),
        (address("playlist", UNKNOWN[1:]), f"“{UNKNOWN[1:]}” is no id"),
        (f"https://open.spotify.com.evil.org/track/{UNKNOWN}", "to open.spotify.com.evil.org, not"),
    ],
)
def test_what_only_looks_like_a_link_is_one_sentence(opened, spotify, text, said):
    at = opened()
    for place in (search(at, text), paste(at, text)):
        assert said in texts(place).replace("\\", "")
        assert not [label for label in labels(place) if "from Spotify" in label]
    assert not spotify.requests


@pytest.mark.parametrize(
    "uri", ["spotify:track:short", "segue:track:" + UNKNOWN, f"spotify:track:{UNKNOWN}/../x", ""]
)
def test_nothing_but_a_valid_id_becomes_part_of_a_players_address(uri):
    with pytest.raises(ValueError, match="no track of Spotify"):
        player(uri)


# --- read from Spotify ---


def test_a_playlist_is_read_matched_and_added_with_its_title(opened, spotify):
    again = spotify.add_track("1-05", "artist 1-0")  # another id for the same song
    items = [
        key("1-02"),
        spotify.episode("Talk"),
        key("0-11"),
        None,
        spotify.local_file("Tape", "Me"),
    ]
    items += [again, key("1-02"), spotify.add_track("Unheard", "Nobody")]
    at = read(opened(dataset="trained"), "playlist", spotify.add_playlist("Rainy Sunday", items))
    assert found(at) == "3 of 4"
    assert "2 by id, 1 by title and artist, 1 not found" in texts(at)
    assert report(at)[0] == ("Unheard – Nobody", "not found")
    for kind in ("podcast episode", "no longer available", "local file", "repeat"):
        assert f"1 {kind}" in texts(at)
    press(at, "Add 3 tracks")
    assert playlist(at) == [key("1-02"), key("0-11"), key("1-05")]
    assert link(at)["title"] == ["Rainy Sunday"]
    assert not at.metric
    assert at.text_input(key="seed_search").value == ""
    press(at, "Undo")
    assert "seed" not in link(at)
    assert "title" not in link(at)


def test_a_title_that_is_there_stays(opened, spotify):
    at = read(opened(title="mine"), "playlist", spotify.add_playlist("Theirs", [key("1-02")]))
    press(at, "Add 1 track")
    assert link(at)["title"] == ["mine"]


def test_albums_and_artists_are_read_as_well(opened, spotify):
    songs = [spotify.add_track(name, f"artist {name[:3]}") for name in ("1-03", "1-04")]
    at = read(opened(), "album", spotify.add_album("An album", songs))
    assert report(at) == [(f"{name} – artist 1-0", "title and artist") for name in ("1-03", "1-04")]
    press(at, "Add 2 tracks")
    assert "title" not in link(at)
    lead = spotify.add_artist("artist 0-2", id=UNKNOWN)
    spotify.add_track("0-21", "artist 0-2", id="Y" * 22)
    at = read(at, "artist", lead)
    assert "artist 0-2" in texts(at).replace("\\", "")


def test_a_track_of_another_id_is_found_by_its_names(opened, spotify):
    at = search(opened(), address("track", spotify.add_track("1-05", "artist 1-0")))
    press(at, plain("1-05 – artist 1-0"))
    assert playlist(at) == [key("1-05")]
    search(at, address("track", spotify.add_track("1-06", "artist 1-0")))
    assert plain("1-06 – artist 1-0") in labels(at)
    search(at, address("track", spotify.add_track(WITH_SIGNS, "_Nobody_")))
    assert f"“{plain(WITH_SIGNS)} – {plain('_Nobody_')}” is not in this dataset" in texts(at)


def test_a_track_is_asked_for_once_also_in_vain_until_somebody_tries_again(opened, spotify):
    song = spotify.add_track("1-05", "artist 1-0")
    spotify.fault(500, "/v1/tracks/", times=None)
    at = search(opened(), address("track", song))
    assert "gives no answer" in texts(at)
    spotify.heal()
    spotify.clear()
    at.run()
    assert "gives no answer" in texts(at)
    assert not spotify.requests
    press(at, "Try again")
    press(at, plain("1-05 – artist 1-0"))
    at.run()
    assert len(spotify.requests) == 1
    assert playlist(at) == [key("1-05")]


def test_a_link_in_place_of_a_list_is_read(opened, spotify):
    at = paste(opened(), address("playlist", spotify.add_playlist("Pasted", [key("0-03")])))
    assert found(at) == "1 of 1"
    assert not at.text_area
    press(at, "Add 1 track")
    assert playlist(at) == [key("0-03")]


def test_signs_in_names_are_shown_as_they_are(opened, spotify):
    song = spotify.add_track(WITH_SIGNS, "artist 1-2")
    at = read(opened(), "playlist", spotify.add_playlist(WITH_SIGNS, [song]))
    assert f"**{plain(WITH_SIGNS)}**" in texts(at)
    assert report(at) == [(f"{WITH_SIGNS} – artist 1-2", "title and artist")]
    press(at, "Add 1 track")
    assert link(at)["title"] == [WITH_SIGNS]
    assert list(at.dataframe[0].value["Track"]) == [f"{WITH_SIGNS} – artist 1-2"]


def test_more_than_fit_are_told_before_they_are_added(opened, spotify):
    there = [f"t:{number}" for number in range(MOST_SEEDS - 20)]
    long = spotify.add_playlist("Long", [key(name) for name in names(0, 30)])
    at = read(opened(seed=there), "playlist", long)
    assert f"holds {MOST_SEEDS} tracks at most: of the 30 found, the first 20 are added" in texts(
        at
    )
    press(at, "Add 20 tracks")
    assert playlist(at)[-20:] == [key(name) for name in names(0, 20)]


# --- what can go wrong ---


def long_playlist(spotify: Fake) -> str:
    """Three pages: 60 tracks of the dataset and 60 others."""
    others = [spotify.add_track(f"Other {number}", "Nobody") for number in range(60)]
    return spotify.add_playlist(
        "Long", [key(n) for s in range(STYLES) for n in names(s, 30)] + others
    )


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        (429, {"retry_after": 3600}, "takes no more requests from this app until"),
        (500, {}, "gives no answer"),
        (403, {}, "only to its owner"),
    ],
)
def test_a_failure_half_way_keeps_what_was_read_and_can_go_on(opened, spotify, kind, details, said):
    items = "/(items|tracks)$"
    spotify.fault(kind, items, after=1, times=None, **details)
    at = read(opened(), "playlist", long_playlist(spotify))
    assert said in texts(at)
    assert "Read 50 of 120" in texts(at)
    assert found(at) == "50 of 50"
    spotify.heal()
    spotify.clear()
    if kind == 429:
        (go_on,) = [button for button in at.button if button.label == "Go on"]
        assert go_on.disabled
        assert go_on.help == at.warning[0].value  # until when
        assert go_on.help not in [caption.value for caption in at.caption]
        reset_health()
        at.run()
        assert not spotify.requests
    press(at, "Go on")
    assert found(at) == "60 of 120"
    offsets = [r.query["offset"] for r in spotify.requests if r.path.endswith(("items", "tracks"))]
    assert offsets == ["50", "100"]


def test_what_was_read_until_a_rate_limit_can_be_added(opened, spotify):
    spotify.fault(429, "/(items|tracks)$", after=1, times=None, retry_after=3600)
    at = read(opened(), "playlist", long_playlist(spotify))
    press(at, "Add 50 tracks")
    assert len(playlist(at)) == 50


def test_a_rate_limit_that_another_person_met_holds_here_too(opened, spotify, settings):
    at = read(opened(), "playlist", spotify.add_playlist("Closed", [key("1-01")], open=False))
    spotify.fault(429, "/v1/artists/", retry_after=3600)
    with pytest.raises(RateLimitedError):
        Client(settings).artist(UNKNOWN)
    at.run()
    assert "only to its owner" in at.warning[0].value
    (again,) = [button for button in at.button if button.label == "Try again"]
    assert again.disabled
    assert "takes no more requests from this app until" in texts(at)


def test_a_playlist_that_is_not_given_can_be_pasted_instead(opened, spotify):
    at = read(opened(), "playlist", spotify.add_playlist("Closed", [key("1-01")], open=False))
    press(at, "Paste or upload a list instead")
    assert not at.warning
    assert [area.label for area in at.text_area] == ["Paste tracks"]


def test_a_track_is_not_asked_for_again_during_a_rate_limit(opened, spotify):
    spotify.fault(429, "/v1/tracks/", retry_after=3600)
    at = search(opened(), address("track", spotify.add_track("1-05", "artist 1-0")))
    (again,) = [button for button in at.button if button.label == "Try again"]
    assert again.disabled
    reset_health()
    press(at.run(), "Try again")
    press(at, plain("1-05 – artist 1-0"))
    assert playlist(at) == [key("1-05")]


def test_where_nothing_matches_there_is_nothing_to_press_but_another_way(opened, spotify):
    songs = [spotify.add_track(f"Other {number}", "Nobody") for number in range(3)]
    at = read(opened(), "playlist", spotify.add_playlist("Others", songs))
    assert found(at) == "0 of 3"
    none = "None of it is in “linked”, so there is nothing to add"
    assert none in texts(at)
    assert not [label for label in labels(at) if label.startswith("Add ")]
    press(at, "Paste or upload a list instead")
    assert at.text_area[0].label == "Paste tracks"
    at.text_area[0].set_value("Nobody - Nothing").run()
    assert none in texts(at)
    assert "Paste or upload a list instead" not in labels(at)
    at.text_area[0].set_value("artist 1-0 - 1-01").run()
    press(at, "Add 1 track")
    assert playlist(at) == [key("1-01")]


def test_what_is_in_the_playlist_already_is_not_offered_again(opened, spotify):
    at = opened(seed=[key("1-02")])
    at = read(at, "playlist", spotify.add_playlist("Mine", [key("1-02")]))
    assert found(at) == "1 of 1"
    assert "In your playlist already: 1 track" in texts(at)
    assert "is in your playlist already, so there is nothing to add" in texts(at)
    assert not [label for label in labels(at) if label.startswith("Add ")]


def test_a_failure_at_the_start_is_one_sentence_and_can_be_tried_again(opened, spotify):
    spotify.fault(404, "/v1/playlists/", times=None)
    at = read(opened(), "playlist", long_playlist(spotify))
    assert len(at.warning) == 1
    assert not at.metric
    spotify.heal()
    press(at, "Try again")
    assert found(at) == "60 of 120"


def test_a_playlist_without_tracks_is_one_sentence(opened, spotify):
    at = read(opened(), "playlist", spotify.add_playlist("Empty", [spotify.episode("Talk"), None]))
    assert "holds no track" in texts(at)
    assert not at.metric


def test_a_playlist_for_its_owner_alone_asks_to_sign_in_and_goes_on_as_the_listener(
    opened, spotify, settings
):
    mine = spotify.add_playlist("Mine", [key("1-01")], owner=spotify.accounts.listener, open=False)
    at = read(opened(), "playlist", mine)
    assert "only to its owner" in texts(at)
    assert "to sign in here" in texts(at)
    at.session_state["spotify_listener"] = signed_in(settings)
    press(at, "Try again")
    assert found(at) == "1 of 1"


def test_reading_can_be_stopped_and_its_progress_is_shown(opened, spotify):
    spotify.fault("slow", "/(items|tracks)$", times=None, seconds=0.5)
    at = read(opened(), "playlist", long_playlist(spotify))
    (bar,) = at.get("progress")
    assert bar.proto.text == "Read 50 of 120"
    press(at, "Stop")
    assert found(at) == "50 of 50"
    assert "Read 50 of 120" in texts(at)
    spotify.heal()
    press(at, "Go on")
    assert found(at) == "60 of 120"


# --- other places ---


def test_a_journey_starts_at_a_linked_track_and_ends_at_a_linked_artist(opened):
    at = opened("journey", "trained")
    search(at, address("track", key("1-03")), "journey_search_from")
    at.button(key="journey_search_from_0").click().run()
    search(at, address("artist", artist_key("1-2")), "journey_search_to")
    at.button(key="journey_search_to_0").click().run()
    assert link(at)["journey.from"] == [f"spotify:track:{key('1-03')}"]
    assert link(at)["journey.to"] == [f"artist:spotify:artist:{artist_key('1-2')}"]
    search(at, address("playlist", UNKNOWN), "journey_search_to")
    assert "This link is to a playlist; a journey is between tracks or artists" in texts(at)
    search(at, address("artist", UNKNOWN), "journey_search_to")
    assert "No artist here has this id" in texts(at)


def test_a_journey_starts_at_a_track_that_is_here_under_another_id(opened, spotify):
    at = opened("journey", "trained")
    search(at, address("track", spotify.add_track("1-05", "artist 1-0")), "journey_search_from")
    at.button(key="journey_search_from_0").click().run()
    assert link(at)["journey.from"] == [f"spotify:track:{key('1-05')}"]


def test_the_map_finds_a_linked_track(opened):
    at = opened("map", "trained")
    search(at, address("track", key("1-03")), "map_search")
    at.button(key="map_search_0").click().run()
    assert link(at)["map.focus"] == [f"spotify:track:{key('1-03')}"]
    search(at, address("album", UNKNOWN), "map_search")
    assert "This link is to an album; a track is looked for here" in texts(at)


def test_a_linked_artist_is_blocked(opened):
    at = opened(dataset="trained")
    search(at, address("artist", artist_key("1-0")), "artist_search")
    press(at, plain("artist 1-0"))
    assert link(at)["block"] == [f"spotify:artist:{artist_key('1-0')}"]
    search(at, address("track", key("1-03")), "artist_search")
    assert "This link is to a track; an artist is looked for here" in texts(at)
