"""The fake Spotify, and a client of ours that is led to it."""

from collections.abc import Iterator

import pytest

from core.spotify.app_token import forget_app_tokens
from core.spotify.client import Client, Patience, Settings
from core.spotify.health import reset_health
from tests.spotify.fake import Fake, fake_spotify

QUICK = Patience(attempts=3, pause_s=0.001, timeout_s=1.0, longest_wait_s=0)


@pytest.fixture(autouse=True)
def nothing_known() -> None:
    """What the process knows of servers and apps is of another test's, maybe at the same port."""
    reset_health()
    forget_app_tokens()


@pytest.fixture
def fake() -> Iterator[Fake]:
    """A development-mode app's Spotify of today, empty."""
    with fake_spotify() as fake:
        yield fake


@pytest.fixture
def settings(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings from an environment that leads to the fake."""
    monkeypatch.delenv("SPOTIFY_REDIRECT_URI", raising=False)
    for name, value in fake.environment.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment()


@pytest.fixture
def client(settings: Settings) -> Client:
    """A client with the app's own credentials and little patience."""
    return Client(settings, patience=QUICK)
