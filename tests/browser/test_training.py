"""Whole journeys through the Training page: train, leave and come back, compare, keep, cancel."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from core import jobs
from core.dataset.dataset import Dataset
from core.dataset.library import open_writable
from core.training.trial import trials
from core.workspace import Workspace
from tests.browser.actions import await_word, expect_heading, go_to, visit
from tests.browser.conftest import serving

NAME = "playlist_knn"


@pytest.fixture(scope="module")
def own(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    """The app on the demo's copy in a workspace of this module's own; address and dataset."""
    workspace = Workspace(tmp_path_factory.mktemp("training"))
    demo = open_writable(workspace, "demo")
    with serving(workspace.folder) as address:
        yield address, demo.folder
    if job := jobs.current(workspace):
        jobs.cancel(workspace, job.id)


def settings(dataset: Path, model: str) -> dict:
    return json.loads((dataset / "models" / model / "card.json").read_text())["params"]


def test_train_leave_come_back_compare_and_keep(own, open_tab):
    address, dataset = own
    page = open_tab()
    visit(page, f"{address}/training?dataset=demo")
    page.get_by_role("button", name="Playlist neighbours", exact=True).click()
    field = page.get_by_label("Neighbours", exact=True)
    field.fill("40")
    field.press("Enter")
    expect(page.get_by_text("--set playlist_knn.neighbours=40")).to_be_visible()
    await_word(page, "training.settings", "playlist_knn.neighbours=40")

    page.get_by_role("button", name="Train and compare").click()
    panel = page.locator(".st-key-job")
    expect(panel.get_by_text("Train and compare Playlist neighbours")).to_be_visible()

    # another page tells of it; it goes on without this one
    go_to(page, "Popularity", "desktop")
    go_to(page, "Training", "desktop")
    expect_heading(page, "New, not in use yet")
    expect(panel.get_by_text("done in")).to_be_visible()
    trial = page.locator(f".st-key-trial_{NAME}")
    expect(trial.get_by_text("neighbours 500 → 40")).to_be_visible()
    expect(trial.get_by_text("250 validation playlists")).to_be_visible()
    assert settings(dataset, NAME)["neighbours"] == 500

    trial.get_by_role("button", name="Keep").click()
    expect(trial).to_have_count(0)
    assert settings(dataset, NAME)["neighbours"] == 40


def test_watch_a_curve_and_cancel(own, open_tab):
    address, dataset = own
    page = open_tab()
    words = "training.models=track2vec&training.settings=track2vec.window=1,track2vec.epochs=500"
    visit(page, f"{address}/training?dataset=demo&{words}")
    before = settings(dataset, "track2vec")
    page.get_by_role("button", name="Train and compare").click()
    panel = page.locator(".st-key-job")
    expect(panel.get_by_text("Training vectors")).to_be_visible()
    expect(panel.locator(".js-plotly-plot").first).to_be_visible()

    # whoever opens the workspace sees it, and nobody can start another
    other = open_tab("phone", "dark")
    other.goto(f"{address}/training?dataset=demo&training.models=als")
    expect(other.locator(".st-key-job").get_by_text("Training vectors")).to_be_visible()
    expect(other.get_by_text("One thing at a time")).to_be_visible()

    panel.get_by_role("button", name="Cancel").click()
    expect(panel.get_by_text("cancelled after")).to_be_visible()
    expect(other.locator(".st-key-job").get_by_text("cancelled after")).to_be_visible()
    assert settings(dataset, "track2vec") == before
    assert trials(Dataset(dataset)) == []
    panel.get_by_role("button", name="Close").click()
    expect(panel).to_have_count(0)
