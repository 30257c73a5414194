"""Crawls beside the fake Spotify: one that was left alone, and room for others."""

import shutil

import pytest

from core.workspace import Workspace
from tests.conftest import led_to
from tests.spotify.crawling.crawls import asked, go, plant
from tests.spotify.fake import fake_spotify


@pytest.fixture
def workspace(settings, tmp_path):
    """A workspace beside the fake."""
    return Workspace(tmp_path / "workspace")


@pytest.fixture
def world(fake):
    """Playlists two steps deep: the start, what its artists are found in, what theirs are."""
    return plant(fake)


@pytest.fixture(scope="session")
def whole(tmp_path_factory):
    """The workspace of a crawl of the world, its state, and what it asked."""
    with pytest.MonkeyPatch.context() as patch, fake_spotify() as fake:
        led_to(fake, patch)
        workspace = Workspace(tmp_path_factory.mktemp("whole"))
        state = go(workspace, plant(fake))
        return workspace, state, asked(fake)


@pytest.fixture
def ended(whole, tmp_path):
    """A copy of the workspace of that crawl."""
    return Workspace(shutil.copytree(whole[0].folder, tmp_path / "ended"))
