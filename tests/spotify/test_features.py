"""Sources of audio features, over the socket."""

import pytest

from core.dataset.joins import Origin
from core.errors import SegueError
from core.spotify.client import Settings
from core.spotify.enrichment import features
from core.spotify.enrichment.features import SOURCES, FeatureSource
from core.spotify.errors import (
    BrokenAnswerError,
    ForbiddenError,
    NoCredentialsError,
    RateLimitedError,
)
from tests.conftest import led_to
from tests.spotify.conftest import QUICK
from tests.spotify.fake import fake_spotify

LOUD = {"energy": 0.9, "loudness": -3.5, "key": -1, "tempo": 128.0}
RECCOBEATS = "/reccobeats"


def no_waiting(seconds: float) -> None:
    raise AssertionError(f"waited {seconds} s")


@pytest.fixture
def source(settings):
    def make(name: str) -> FeatureSource:
        return SOURCES[name](settings, QUICK, lambda seconds: None)

    return make


def test_reccobeats_tells_tracks_by_their_links_whatever_the_order(fake, source):
    ids = [fake.add_track(f"T{n}", features={"energy": n / 100}) for n in range(40)]
    silent, unknown = fake.add_track("Silent"), "0" * 22
    found = source("reccobeats").audio_features([*ids[:38], silent, unknown])
    assert found == {each: {"energy": n / 100} for n, each in enumerate(ids[:38])}
    (request,) = fake.requests
    assert request.query == {"ids": ",".join([*ids[:38], silent, unknown])}


def test_reccobeats_is_asked_without_any_key(fake, source, monkeypatch):
    monkeypatch.delenv("SPOTIFY_CLIENT_ID")
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    settings = Settings.from_environment()
    assert SOURCES["reccobeats"].needed(settings) is None
    track = fake.add_track("T", features=LOUD)
    asked = SOURCES["reccobeats"](settings, QUICK, no_waiting)
    assert asked.audio_features([track]) == {track: LOUD}
    assert [request.path for request in fake.requests] == ["/reccobeats/v1/audio-features"]


def test_spotify_says_what_it_needs(fake, settings, monkeypatch):
    assert SOURCES["spotify"].needed(settings) is None
    monkeypatch.delenv("SPOTIFY_CLIENT_SECRET")
    lacking = Settings.from_environment()
    assert "SPOTIFY_CLIENT_SECRET" in SOURCES["spotify"].needed(lacking)
    with pytest.raises(NoCredentialsError):
        SOURCES["spotify"](lacking, QUICK, no_waiting)


def test_spotify_gives_the_same_numbers_where_it_may(monkeypatch):
    with fake_spotify("extended") as fake:
        settings = led_to(fake, monkeypatch)
        track, silent = fake.add_track("T", features=LOUD), fake.add_track("Silent")
        asked = [track, silent, "0" * 22]
        both = [
            SOURCES[name](settings, QUICK, no_waiting).audio_features(asked)
            for name in ("spotify", "reccobeats")
        ]
    assert {each: answer for each, answer in both[0].items() if answer} == both[1] == {track: LOUD}


def test_spotify_refuses_an_app_in_development_mode(fake, source):
    with pytest.raises(ForbiddenError, match="development mode"):
        source("spotify").audio_features([fake.add_track("T", features=LOUD)])


@pytest.mark.parametrize("name", ["null", "missing"])
def test_what_is_missing_stays_missing(fake, source, name):
    track = fake.add_track("T", features=LOUD)
    fake.fault(name, RECCOBEATS, fields=["key", "tempo"])
    found = source("reccobeats").audio_features([track])
    assert found == {track: {"energy": 0.9, "loudness": -3.5}}


@pytest.mark.parametrize("name", SOURCES)
def test_nothing_is_sent_with_an_id_that_is_none(fake, source, name):
    with pytest.raises(SegueError, match=r"'\.\./x' is no id of Spotify's"):
        source(name).audio_features(["0" * 22, "../x"])
    assert not fake.requests


def test_an_answer_without_links_is_about_nothing(fake, source):
    track = fake.add_track("T", features=LOUD)
    fake.fault("missing", RECCOBEATS, fields=["href"])
    assert source("reccobeats").audio_features([track]) == {}


def test_what_is_no_number_is_not_known():
    said = {"energy": "0.5", "tempo": True, "key": 3, "valence": float("nan"), "mode": 10**400}
    assert features.features_answer(said) == {"key": 3}
    assert features.features_answer(["energy"]) == {}


@pytest.mark.parametrize("kind", ["truncated", "null", "html", 500])
def test_a_bad_answer_is_asked_for_again(fake, source, kind):
    track = fake.add_track("T", features=LOUD)
    fake.fault(kind, RECCOBEATS)
    assert source("reccobeats").audio_features([track]) == {track: LOUD}
    assert len(fake.requests) == 2


def test_an_answer_of_another_shape_is_a_sentence(fake, source):
    fake.fault("missing", RECCOBEATS, fields=["content"], times=None)
    with pytest.raises(BrokenAnswerError, match="ReccoBeats sent an answer that cannot be read"):
        source("reccobeats").audio_features(["0" * 22])


def test_a_rate_limit_names_the_service(fake, source):
    fake.fault(429, RECCOBEATS, times=None, retry_after=60)
    with pytest.raises(RateLimitedError, match="ReccoBeats takes no more requests"):
        source("reccobeats").audio_features(["0" * 22])


def test_every_source_says_what_may_be_done_with_it():
    assert next(iter(SOURCES)) == "reccobeats"
    for source in SOURCES.values():
        assert isinstance(source.origin, Origin)
        assert source.origin.licence.endswith(".")
        assert source.most_ids > 0
    assert "must not be used to train models" in SOURCES["spotify"].origin.licence
