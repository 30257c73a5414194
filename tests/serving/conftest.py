"""The API on a real socket, over a planted dataset with trained models."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import uvicorn

from core.dataset.dataset import Dataset
from core.serving.api import create_api
from core.training.train import train
from core.workspace import Workspace
from tests.conftest import made_once

MODELS = ("popularity", "titles", "playlist_knn", "item_knn")


@pytest.fixture(scope="session")
def served(planted: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with the trained "planted"."""

    def make(folder: Path) -> None:
        shutil.copytree(planted.folder, folder / "planted")
        train(Dataset(folder / "planted"), MODELS, "fast", map_method=None)

    return Workspace(made_once(tmp_path_factory, "served", make))


@contextmanager
def listening(application) -> Iterator[str]:
    """An ASGI application on a free port of this machine; yields its address."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="session")
def address(served: Workspace) -> Iterator[str]:
    with listening(create_api(served, "planted")) as address:
        yield address


@pytest.fixture
def ask(address: str) -> Callable[..., requests.Response]:
    """A function that posts a body to /invocations."""
    return lambda body, **options: requests.post(
        f"{address}/invocations", json=body, timeout=30, **options
    )
