"""A client of ours that is led to the fake Spotify."""

import pytest

from core.spotify.client import Client, Patience, Settings

QUICK = Patience(attempts=3, pause_s=0.001, timeout_s=1.0, longest_wait_s=0)


@pytest.fixture
def client(settings: Settings) -> Client:
    """A client with the app's own credentials and little patience."""
    return Client(settings, patience=QUICK)
