"""An endpoint on this machine: `python -m core serve` in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import psutil

from core.errors import SegueError
from core.serving.schema import TOKEN
from core.workspace import REPOSITORY, read_json, write_json

STARTING_S, ANSWERING_S, STOPPING_S = 120.0, 60.0, 10.0


@dataclass(frozen=True)
class _Process:
    """A server that was started; `created` tells it from a later process of the same number."""

    pid: int
    created: float
    port: int
    folder: str

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def find(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            return process if process.create_time() == self.created else None
        except psutil.NoSuchProcess:
            return None

    def is_running(self) -> bool:
        try:
            process = self.find()
            return process is not None and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    def stop(self) -> None:
        with suppress(psutil.NoSuchProcess):
            if process := self.find():
                process.terminate()
                try:
                    process.wait(STOPPING_S)
                except psutil.TimeoutExpired:
                    process.kill()


class LocalTarget:
    """Servers on this machine, one at a time, remembered in a file; see `endpoint.Target`.

    Parameters
    ----------
    record : Path
        JSON file that says which server answers now, and which did before an open `deploy`.
    """

    def __init__(self, record: Path) -> None:
        self._record = record

    @property
    def address(self) -> str | None:
        """Where it answers now; None where nothing is deployed."""
        now = self._read("now")
        return now.address if now and now.is_running() else None

    def deploy(self, folder: Path) -> None:
        """Start a server beside the one that answers now, which is stopped by `accept`."""
        self._record.parent.mkdir(parents=True, exist_ok=True)
        if self._read("before"):  # a release was cut off before its check was over
            self.roll_back()
        log = self._record.with_suffix(".log")
        started = _start(folder, _free_port(), log)
        try:
            _await(started, log)
        except BaseException:
            started.stop()
            raise
        before = self._read("now")
        self._write(started, before if before and before.is_running() else None)

    def invoke(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The server's answer over HTTP."""
        address = self.address
        if address is None:
            raise SegueError("No endpoint runs on this machine: deploy a servable folder first.")
        headers = {"Content-Type": "application/json"}
        if token := os.environ.get(TOKEN):
            headers["Authorization"] = f"Bearer {token}"
        request = Request(  # noqa: S310  # our own address
            f"{address}/invocations", json.dumps(body).encode(), headers
        )
        try:
            with urlopen(request, timeout=ANSWERING_S) as answer:  # noqa: S310
                content: dict[str, Any] = json.load(answer)
                return content
        except HTTPError as error:
            raise SegueError(f"{address} answers {error.code}: {_detail(error)}") from None
        except (OSError, ValueError) as error:
            raise SegueError(f"{address} does not answer ({error}).") from error

    def accept(self) -> None:
        """Stop the server before."""
        if before := self._read("before"):
            before.stop()
        self._write(self._read("now"), None)

    def roll_back(self) -> None:
        """Stop the last server; the one before answers again."""
        if now := self._read("now"):
            now.stop()
        self._write(self._read("before"), None)

    def stop(self) -> None:
        """Stop whatever answers."""
        if self.address is None:
            raise SegueError("No endpoint runs on this machine.")
        for which in ("now", "before"):
            if process := self._read(which):
                process.stop()
        self._write(None, None)

    def _read(self, which: str) -> _Process | None:
        said = read_json(self._record)[which] if self._record.exists() else None
        return _Process(**said) if said else None

    def _write(self, now: _Process | None, before: _Process | None) -> None:
        write_json(
            self._record,
            {"now": now and asdict(now), "before": before and asdict(before)},
        )


def _start(folder: Path, port: int, log: Path) -> _Process:
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603  # our own command
            [sys.executable, "-m", "core", "serve", "--port", str(port)],
            cwd=REPOSITORY,
            env=os.environ | {"SEGUE_WORKSPACE": str(folder.absolute())},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    return _Process(process.pid, psutil.Process(process.pid).create_time(), port, str(folder))


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _await(started: _Process, log: Path) -> None:
    """Wait until a server answers its ping; raise if it does not."""
    end = time.monotonic() + STARTING_S
    while time.monotonic() < end and started.is_running():
        try:
            with urlopen(f"{started.address}/ping", timeout=5):  # noqa: S310  # our own address
                return
        except OSError:
            time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines()
    why = said[-1] if said else f"it did not answer within {STARTING_S:g} s"
    raise SegueError(f"The endpoint did not come up: {why}")


def _detail(error: HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return error.reason
