"""A dataset enriched over the socket: what is asked, what is kept, what is joined."""

import json
import shutil

import pytest
from typer.testing import CliRunner

from core.__main__ import app
from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.dataset.joins import Origin, provenance
from core.dataset.schema import AUDIO_FEATURES
from core.dataset.search import SearchIndex
from core.errors import SegueError
from core.spotify.enrichment import features
from core.spotify.enrichment.enrich import enrich, plan
from core.spotify.errors import NoCredentialsError
from core.trained import load_models
from core.training.train import train
from core.workspace import Workspace
from tests.conftest import led_to
from tests.spotify import fake_accounts
from tests.spotify.conftest import QUICK
from tests.spotify.enrichment.enriching import (
    ALBUMS,
    ARTISTS,
    TRACKS,
    column,
    copied,
    fill,
    known,
    paths,
    run,
)
from tests.spotify.fake import fake_spotify


@pytest.fixture
def extended(monkeypatch):
    """An app with an extended quota, and the older field names."""
    with fake_spotify("extended", "old") as fake:
        fill(fake)
        led_to(fake, monkeypatch)
        yield fake


# --- audio features, without a key ---


def test_gaps_are_filled_and_what_is_unknown_stays_missing(fake, settings, workspace):
    report = run(workspace)
    energy = column(workspace, "energy")
    assert energy[:TRACKS] == [
        pytest.approx(number / 100) if number % 3 else None for number in range(TRACKS)
    ]
    assert energy[TRACKS:] == [None, None]
    assert set(column(workspace, "key")) == {-1, None}
    assert set(column(workspace, "tempo")) == {None}
    assert (report.tracks, report.without_id) == (TRACKS + 1, 1)
    (asked,) = report.asked
    assert (asked.answered_now, asked.found, asked.answered_before) == (TRACKS + 1, 30, 0)
    assert report.before["tracks"]["energy"] == 0
    assert report.after["tracks"]["energy"] == pytest.approx(30 / 47)
    assert [len(request.query["ids"].split(",")) for request in fake.requests] == [40, 6]


def test_what_was_answered_is_not_asked_again_for_any_dataset(fake, settings, workspace, original):
    run(workspace)
    shutil.copytree(original.folder, workspace.folder / "other")
    fake.clear()
    before = {file: file.stat().st_mtime_ns for file in (workspace.folder / "tiny").iterdir()}
    (asked,) = run(workspace).asked
    assert (asked.answered_before, asked.answered_now) == (TRACKS + 1, 0)
    assert before == {file: file.stat().st_mtime_ns for file in before}
    report = enrich(workspace, "other", "reccobeats", settings, patience=QUICK)
    assert report.after["tracks"]["energy"] == pytest.approx(30 / 47)
    assert not fake.requests


def test_a_bounded_run_asks_for_the_most_popular(fake, settings, workspace):
    run(workspace, most=15)
    ids = [uri.removeprefix("spotify:track:") for uri in column(workspace, "uri")[:15]]
    (request,) = fake.requests
    assert request.query["ids"].split(",") == ids
    assert known(workspace, "energy") == 10


def test_what_is_not_known_is_asked_again_on_demand(fake, settings, workspace):
    run(workspace)
    late = column(workspace, "uri")[0].removeprefix("spotify:track:")
    fake.tracks[late].features = {"energy": 0.75}
    fake.clear()
    run(workspace, anew=True)
    assert sum(len(request.query["ids"].split(",")) for request in fake.requests) == 16
    assert column(workspace, "energy")[0] == 0.75


def test_a_file_of_the_user_is_not_overwritten(fake, settings, workspace, tmp_path):
    uris = column(workspace, "uri")
    (tmp_path / "mine.csv").write_text(f"uri,energy,year\n{uris[1]},0.99,2020\n{uris[3]},0.98,\n")
    join_features(Dataset(workspace.folder / "tiny"), tmp_path / "mine.csv")
    run(workspace)
    run(workspace, "spotify")
    assert column(workspace, "energy")[:4] == pytest.approx([None, 0.99, 0.02, 0.98])
    assert column(workspace, "year")[:4] == [1960, 2020, 1962, 1963]
    run(workspace)
    assert column(workspace, "key")[1] == -1


def test_numbers_out_of_range_are_refused_and_counted(fake, settings, workspace):
    track = column(workspace, "uri")[1].removeprefix("spotify:track:")
    fake.tracks[track].features = {"energy": 7.0, "tempo": 120.0}
    run(workspace)
    assert (column(workspace, "energy")[1], column(workspace, "tempo")[1]) == (None, 120.0)
    (join,) = provenance(workspace.folder / "tiny")
    assert join["problems"]["changes"][0]["what"] == "energy is out of range, now unknown"


# --- tracks and artists ---


def test_in_development_mode_one_by_one(fake, settings, workspace):
    report = run(workspace, "spotify")
    assert report.refused == ("tracks by the batch", "artists by the batch", "audio features")
    assert paths(fake) == {
        "/v1/tracks": 1 + TRACKS + 1,
        "/v1/artists": 1 + ARTISTS,
        "/v1/audio-features": 1,
    }
    assert column(workspace, "album")[:TRACKS] == [ALBUMS[n % 5] for n in range(TRACKS)]
    assert column(workspace, "duration_ms")[:2] == [100_000, 100_001]
    assert column(workspace, "explicit")[:3] == [True, False, True]
    assert column(workspace, "album")[TRACKS:] == [None, None]
    assert set(column(workspace, "popularity")) == {None}
    artists = Dataset(workspace.folder / "tiny").artists.to_pylist()
    genres = {artist["name"]: artist["genres"] for artist in artists}
    assert genres["ARTIST 2"] == "pop, style 2"
    assert genres["artist gone"] is None
    assert {artist["followers"] for artist in artists} == {None}
    assert report.after["artists"] == pytest.approx(
        {"genres": 4 / 6, "followers": 0, "popularity": 0}
    )


def test_with_an_extended_quota_by_the_batch(extended, workspace):
    report = run(workspace, "spotify")
    assert report.refused == ()
    assert paths(extended) == {"/v1/tracks": 1, "/v1/artists": 1, "/v1/audio-features": 1}
    assert column(workspace, "popularity")[:TRACKS] == list(range(TRACKS))
    assert column(workspace, "energy")[1] == pytest.approx(0.01)
    followers = {
        artist["name"]: (artist["followers"], artist["popularity"])
        for artist in Dataset(workspace.folder / "tiny").artists.to_pylist()
    }
    assert followers["ARTIST 3"][0] == 3
    assert followers["ARTIST 3"][1] is not None
    fills = {name for name, share in report.after["tracks"].items() if share}
    assert fills == {"energy", "key", "album", "duration_ms", "year", "popularity", "explicit"}


def test_a_refusal_is_remembered_for_the_app_and_forgotten_on_demand(
    fake, settings, workspace, monkeypatch
):
    run(workspace, "spotify", most=10)
    fake.clear()
    run(workspace, "spotify", most=20)
    assert paths(fake) == {"/v1/tracks": 10}
    fake.clear()
    run(workspace, "spotify", most=20, anew=True)
    assert paths(fake) == {"/v1/audio-features": 1}
    fake.clear()
    monkeypatch.setattr(fake_accounts, "CLIENT_ID", "another-app")
    monkeypatch.setenv("SPOTIFY_CLIENT_ID", "another-app")
    run(workspace, "spotify", most=25)
    assert paths(fake) == {"/v1/tracks": 1 + 5, "/v1/audio-features": 1}


def test_an_id_that_the_server_takes_for_none_hides_no_other(extended, workspace):
    extended.fault(400, "^/v1/tracks$")
    run(workspace, "spotify")
    assert known(workspace, "album") == TRACKS
    assert paths(extended)["/v1/tracks"] == 3


def test_a_batch_that_was_removed_is_like_one_that_is_refused(extended, workspace):
    extended.fault(404, "^/v1/(tracks|artists)$", times=None)
    report = run(workspace, "spotify", most=5)
    assert known(workspace, "album") == 5
    assert report.refused == ("tracks by the batch", "artists by the batch")


def test_a_track_that_was_replaced_is_the_one_that_was_asked_for(fake, settings, workspace):
    old, new, *_ = list(fake.tracks)
    fake.tracks[old] = fake.tracks[new]
    run(workspace, "spotify", most=1)
    assert column(workspace, "album")[:2] == ["Bravo", None]


def test_an_artist_of_another_name_is_not_taken_for_ours(fake, settings, workspace):
    for track in fake.tracks.values():
        if track.artists[0].name == "Artist 1":
            track.artists = (fake.artists[fake.add_artist("A guest", genres=["noise"])],)
    run(workspace, "spotify")
    artists = Dataset(workspace.folder / "tiny").artists.to_pylist()
    assert {artist["name"]: artist["genres"] for artist in artists}["ARTIST 1"] is None


def test_what_an_answer_lacks_stays_missing(fake, settings, workspace):
    fake.fault("missing", "^/v1/tracks/", fields=["album", "id", "uri"], times=1)
    fake.fault("null", "^/v1/tracks/", fields=["explicit", "artists"], times=1)
    run(workspace, "spotify", most=3)
    assert column(workspace, "album")[:3] == [None, "Bravo", "Cinder"]
    assert column(workspace, "explicit")[:3] == [True, None, True]
    assert column(workspace, "duration_ms")[:3] == [100_000, 100_001, 100_002]


# --- what it does to the dataset ---


def test_the_record_says_what_came_from_where_and_what_may_be_done_with_it(
    fake, settings, workspace
):
    run(workspace)
    run(workspace, "spotify")
    joins = Dataset(workspace.folder / "tiny").manifest["features"]
    assert joins == provenance(workspace.folder / "tiny")
    assert [join["table"] for join in joins] == ["ReccoBeats", "Spotify", "Spotify"]
    assert "names no licence" in joins[0]["licence"]
    assert all("must not be used to train models" in join["licence"] for join in joins[1:])
    assert joins[1]["facts"]["album"] > joins[1]["facts_before"]["album"] == 0
    assert joins[2]["artist_facts"]["genres"] > joins[2]["artist_facts_before"]["genres"] == 0
    assert all(join["joined"] for join in joins)


def test_models_stay_and_albums_are_found(fake, settings, original, tmp_path):
    workspace = copied(original, tmp_path, searchable=True)
    folder = workspace.folder / "tiny"
    train(Dataset(folder), ["popularity", "audio"], "fast")
    fingerprint = Dataset(folder).manifest["fingerprint"]
    assert not SearchIndex(folder / "search").tracks("Album 3")
    run(workspace, "spotify")
    assert list(load_models(Dataset(folder))) == ["popularity", "audio"]
    assert Dataset(folder).manifest["fingerprint"] == fingerprint
    found = SearchIndex(folder / "search").tracks("cinder", 50)
    assert found == [number for number in range(TRACKS) if number % 5 == 2]


def test_nothing_secret_is_kept(fake, settings, workspace):
    run(workspace, "spotify", most=5)
    kept = [file.read_bytes() for file in workspace.folder.rglob("*") if file.is_file()]
    secrets = {*fake.secrets, settings.client_id, settings.client_secret}
    assert secrets
    assert not [each for each in secrets if any(each.encode() in content for content in kept)]


# --- what cannot be done ---


def test_a_dataset_without_spotify_ids_is_left_alone(fake, settings, planted, tmp_path):
    shutil.copytree(planted.folder, tmp_path / "planted")
    with pytest.raises(SegueError, match="No track of 'planted' has a Spotify id"):
        enrich(Workspace(tmp_path), "planted", "reccobeats", settings)
    assert not fake.requests


def test_an_unknown_source_is_a_sentence(settings, workspace):
    with pytest.raises(SegueError, match="'lastfm' is no source; there are reccobeats, spotify"):
        run(workspace, "lastfm")


def test_a_damaged_notebook_is_a_sentence(settings, workspace):
    path = workspace.folder / ".spotify" / "answers.sqlite3"
    path.parent.mkdir()
    path.write_bytes(b"no database" * 100)
    with pytest.raises(SegueError, match=r"answers\.sqlite3 cannot be read or written"):
        run(workspace)


# --- a third source, the plan, the command line ---


def test_a_third_source_is_one_class_and_one_line(settings, workspace, monkeypatch):
    class Tempo(features.FeatureSource):
        origin = Origin("Tempo", "Free.")
        about = "Tempo alone."
        most_ids = 50

        def __init__(self, settings, patience, waiting):
            pass

        def audio_features(self, ids):
            return {each: {"tempo": 90.0} for each in ids}

    monkeypatch.setattr("core.spotify.enrichment.enrich.SOURCES", {"tempo": Tempo})
    report = run(workspace, "tempo")
    assert report.after["tracks"]["tempo"] == pytest.approx(46 / 47)


def test_the_plan_says_what_is_left(fake, settings, workspace):
    first = plan(workspace, "tiny", "spotify", settings)
    assert (first.tracks, first.without_id, first.at_once) == (46, 1, 50)
    assert (first.left(10), first.left(1_000)) == (10, 46)
    assert first.known(1_000) == 0
    assert not fake.requests
    run(workspace, "spotify", most=10)
    then = plan(workspace, "tiny", "spotify", settings)
    assert (then.left(10), then.left(25), then.at_once) == (0, 15, 1)
    assert (then.known(25), plan(workspace, "tiny", "reccobeats", settings).left(25)) == (0, 25)
    assert then.refused == ("tracks by the batch", "artists by the batch", "audio features")


def command(workspace, *options):
    enrich = ["--workspace", str(workspace.folder), "enrich", "--dataset", "tiny", *options]
    return CliRunner().invoke(app, enrich)


def test_the_command_line_reports_coverage(fake, settings, workspace):
    report = json.loads(command(workspace, "--most", "15", "--json").stdout)
    assert report["before"]["tracks"]["energy"] == 0
    assert report["after"]["tracks"]["energy"] == pytest.approx(10 / 47)
    said = command(workspace, "--source", "spotify", "--most", "5").stdout
    assert "Spotify, tracks: of 5 ids, 5 answered now (5 found, 0 unknown there)." in said
    assert "Spotify, audio features: of 5 ids, 5 refused." in said
    assert "Spotify refuses this app: tracks by the batch, artists by the batch" in said
    assert "tracks: album             0.0%    10.6%" in said
    assert "must not be used to train models" in said


def test_the_counts_of_each_sentence_add_up(fake, settings, workspace, tmp_path):
    whole = dict.fromkeys(AUDIO_FEATURES, 1) | {"tempo": 120, "uri": column(workspace, "uri")[1]}
    rows = [",".join(map(str, row)) for row in (whole, whole.values())]
    (tmp_path / "mine.csv").write_text("\n".join(rows))
    join_features(Dataset(workspace.folder / "tiny"), tmp_path / "mine.csv")
    assert plan(workspace, "tiny", "reccobeats", settings).known(10) == 1
    assert run(workspace, most=10).sentences() == [
        "tiny: 10 of 47 tracks are looked at; left as they are: 36 with a Spotify id that are less "
        "popular and 1 without a Spotify id.",
        "ReccoBeats, audio features: of 10 ids, 1 known already, 9 answered now (5 found, 4 "
        "unknown there).",
    ]
    assert run(workspace).sentences() == [
        "tiny: 46 of 47 tracks are looked at; left as they are: 1 without a Spotify id.",
        "ReccoBeats, audio features: of 46 ids, 1 known already, 9 answered in earlier runs, 36 "
        "answered now (24 found, 12 unknown there).",
    ]


def test_without_credentials_the_command_line_says_what_is_needed(settings, workspace, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_ID")
    with pytest.raises(NoCredentialsError, match="SPOTIFY_CLIENT_ID"):
        raise command(workspace, "--source", "spotify").exception
    assert not (workspace.folder / ".spotify").exists()
