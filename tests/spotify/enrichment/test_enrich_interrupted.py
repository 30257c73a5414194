"""An enrichment that is limited, cut off or killed, and goes on."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from core.dataset import joins
from core.errors import SegueError
from core.progress import Progress
from core.spotify.health import reset_health
from core.workspace import REPOSITORY, alone
from tests.conftest import led_to
from tests.spotify.conftest import QUICK
from tests.spotify.enrichment.enriching import (
    RECCOBEATS,
    answered,
    copied,
    fill,
    known,
    paths,
    run,
    tables,
)
from tests.spotify.fake import fake_spotify

PATIENCE_S = 30


@pytest.fixture(scope="module")
def whole(original, tmp_path_factory):
    """The tables as a run leaves them that nothing interrupts."""
    with pytest.MonkeyPatch.context() as patch, fake_spotify() as fake:
        fill(fake)
        led_to(fake, patch)
        workspace = copied(original, tmp_path_factory.mktemp("whole"))
        run(workspace, "spotify")
        return tables(workspace)


class Labels(Progress):
    def __init__(self):
        self.said = []

    def update(self, label, fraction=None):
        assert fraction is None or 0 <= fraction <= 1
        self.said.append(label)


def test_a_rate_limit_is_waited_out_and_said(fake, settings, workspace, monkeypatch):
    monkeypatch.setattr("core.spotify.enrichment.enrich._SAID_WAIT_S", 0.04)
    fake.fault(429, RECCOBEATS, after=1, retry_after=0.05)
    progress = Labels()
    run(workspace, patience=replace(QUICK, longest_wait_s=5), progress=progress)
    assert known(workspace, "energy") == 30
    assert len(fake.requests) == 3
    asking = "Asking ReccoBeats for audio features"
    assert progress.said[:2] == [asking, asking]
    assert progress.said[2].startswith("ReccoBeats asks for a pause until ")


def test_a_long_rate_limit_keeps_what_came_and_the_next_run_goes_on(fake, settings, workspace):
    fake.fault(429, RECCOBEATS, after=1, times=None, retry_after=600)
    with pytest.raises(SegueError, match=r"no more requests .* until .* the same command goes on"):
        run(workspace)
    assert known(workspace, "energy") == 26
    fake.heal()
    reset_health()
    fake.clear()
    (asked,) = run(workspace).asked
    assert (asked.answered_before, asked.answered_now) == (40, 6)
    assert known(workspace, "energy") == 30


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_killed_in_the_middle_and_resumed_it_is_as_if_never_killed(
    fake, settings, workspace, original, whole, tmp_path, how
):
    fake.fault("timeout", "^/v1/tracks/", after=20)
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "enrich", "--dataset", "tiny", "--source", "spotify"],
        cwd=REPOSITORY,
        env=os.environ | {"SEGUE_WORKSPACE": str(workspace.folder)},
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + PATIENCE_S
    while paths(fake)["/v1/tracks"] < 22:  # a batch, 20 tracks, and the one that hangs
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(how)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode != 0
    assert ("the same command goes on" in said) == (how == signal.SIGTERM)
    assert tables(workspace) == tables(copied(original, tmp_path / "untouched"))
    run(workspace, "spotify")
    assert set(answered(fake).values()) == {1}
    assert tables(workspace) == whole


def test_killed_while_it_joins_it_joins_the_rest(fake, settings, workspace, whole, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(joins, "write_json", crash)
        with pytest.raises(KeyboardInterrupt):
            run(workspace, "spotify")
    fake.clear()
    run(workspace, "spotify")
    assert not fake.requests
    assert tables(workspace) == whole


def test_a_server_in_trouble_is_one_sentence(fake, settings, workspace):
    fake.fault(500, RECCOBEATS, after=1, times=None)
    with pytest.raises(SegueError, match=r"ReccoBeats .* 500.* the same command goes on"):
        run(workspace)
    assert known(workspace, "energy") == 26


def test_two_runs_at_once_do_not_ask_the_same(fake, settings, workspace):
    folder = workspace.folder / ".spotify"
    folder.mkdir()
    with alone(folder, "taken"), pytest.raises(SegueError, match="Another run is asking"):
        run(workspace)
    assert not fake.requests
