"""Pages on a real workspace: a planted dataset with every model and a map, and one without."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core import jobs
from core.dataset.dataset import Dataset
from core.retrieval import MODELS
from core.training.train import train
from core.workspace import Workspace
from tests.conftest import made_once

SHELL = Path(__file__).resolve().parents[2] / "pages" / "shell.py"
WITH_SIGNS = "**Bold** <b>x</b> [l](http://x.y) :red[z] $1$"


@pytest.fixture(scope="session")
def trained(planted: Dataset, make_dataset, tmp_path_factory) -> Path:
    """A workspace with "planted", trained and mapped, and the untrained "signs"."""

    def make(workspace: Path) -> None:
        shutil.copytree(planted.folder, workspace / "planted")
        train(Dataset(workspace / "planted"), list(MODELS), "fast", map_method="pca")
        signs = make_dataset(
            [["x", "y"]], ["=1+1"], {"x": {"title": WITH_SIGNS, "artist": "_a_"}}, name="signs"
        )
        shutil.copytree(signs.folder, workspace / "signs")

    return made_once(tmp_path_factory, "pages", make)


@pytest.fixture
def empty(tmp_path: Path, monkeypatch) -> Iterator[Workspace]:
    """A workspace without anything, not even the demo, in use for one test."""
    monkeypatch.setenv("SEGUE_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setattr("core.workspace.DEMO", tmp_path / "demo")
    monkeypatch.delenv("SEGUE_PUBLIC", raising=False)
    yield Workspace(tmp_path / "workspace")
    st.cache_data.clear()
    st.cache_resource.clear()


@pytest.fixture
def workspace(trained: Path, empty: Workspace) -> Path:
    """A copy of that workspace for one test, in use."""
    return shutil.copytree(trained, empty.folder)


@pytest.fixture
def started(monkeypatch) -> list[tuple[str, list[str]]]:
    """Label and command of the jobs that a page starts, which then do not run."""
    commands: list[tuple[str, list[str]]] = []
    monkeypatch.setattr(jobs, "start", lambda _, label, argv, files: commands.append((label, argv)))
    return commands


@pytest.fixture
def open_page(workspace: Path) -> Callable[..., AppTest]:
    """A function that opens a page cold by its link and fails on any exception."""

    def open_page(page: str = "continuation", **link: str | list[str]) -> AppTest:
        at = AppTest.from_file(str(SHELL), default_timeout=60)
        at.query_params.update({"dataset": "planted"} | link)
        at.run()
        if page != "continuation":
            at.switch_page(f"{page}.py").run()
        assert not at.exception, at.exception
        return at

    return open_page


def texts(at: AppTest) -> str:
    """All that a page says in prose."""
    kinds = (at.title, at.subheader, at.markdown, at.caption, at.info, at.error, at.warning)
    return "\n".join(str(element.value) for kind in kinds for element in kind)


def press(at: AppTest, label: str) -> AppTest:
    """Press the only button of this label."""
    (button,) = [button for button in at.button if button.label == label]
    button.click().run()
    assert not at.exception, at.exception
    return at


def link(at: AppTest) -> dict[str, list[str]]:
    """The words of a page's address."""
    return {word: [v] if isinstance(v, str) else [*v] for word, v in at.query_params.items()}
