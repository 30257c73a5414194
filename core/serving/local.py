"""An endpoint on this machine: `python -m core serve` in a process of its own."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import psutil
from pydantic import TypeAdapter, ValidationError

from core.errors import SegueError
from core.serving.schema import TOKEN, bearer
from core.workspace import REPOSITORY, alone, write_json

STARTING_S, ANSWERING_S, STOPPING_S = 120.0, 60.0, 10.0
_PING_S = 5.0
_HOST = "127.0.0.1"


@dataclass(frozen=True)
class _Process:
    """A server that was started; `created` tells it from a later process of the same number."""

    pid: int
    created: float
    port: int
    folder: str

    @property
    def id(self) -> str:
        return f"{self.pid}-{self.created:.2f}"

    @property
    def address(self) -> str:
        return f"http://{_HOST}:{self.port}"

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


@dataclass(frozen=True)
class _Record:
    """The server that answers now, whether its release is open, and what answered before that."""

    now: _Process | None = None
    is_open: bool = False
    before: _Process | None = None


_RECORD = TypeAdapter(_Record)


class LocalTarget:
    """Servers on this machine, one at a time, remembered in a file; see `endpoint.Target`.

    Parameters
    ----------
    record : Path
        JSON file, a `_Record`. The folder beside it that ends in `.servers` holds a lock and logs.
    """

    def __init__(self, record: Path) -> None:
        self._file, self._folder = record, record.with_suffix(".servers")

    @property
    def address(self) -> str | None:
        """Where it answers now; None where nothing is deployed."""
        now = self._running()
        return now.address if now else None

    @property
    def release(self) -> str | None:
        """Id of the server that answers now."""
        now = self._running()
        return now.id if now else None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other processes from releasing here; a SegueError where one is at it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with alone(self._folder, "Another release of this endpoint is under way."):
            yield

    @property
    def folders(self) -> list[str]:
        """What it answers from now, and what an open release would go back to."""
        known = self._read()
        return [one.folder for one in (known.now, known.before) if one and one.is_running()]

    def require_told(self) -> None:
        """It needs to be told nothing."""

    def deploy(self, folder: Path) -> str:
        """Start a server beside the one that answers now, which is stopped by `accept`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        known = self._read()
        if known.now and known.is_open:
            self.roll_back(known.now.id)
        port = _free_port()
        log = self._new_log(port)
        started = _start(folder, port, log)
        try:
            _await(started, log)
            self._write(_Record(started, is_open=True, before=self._running()))
        except BaseException:
            started.stop()
            raise
        return started.id

    def invoke(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The server's answer over HTTP."""
        address = self.address
        if address is None:
            raise self._nothing()
        headers = {"Content-Type": "application/json"}
        if token := bearer(os.environ.get(TOKEN, "")):
            headers["Authorization"] = f"Bearer {token}"
        request = Request(  # noqa: S310  # our own address
            f"{address}/invocations", json.dumps(body).encode(), headers
        )
        try:
            with _open(request, ANSWERING_S) as answer:
                content: dict[str, Any] = json.load(answer)
                return content
        except HTTPError as error:
            raise SegueError(f"{address} answers {error.code}: {_detail(error)}") from None
        except (OSError, ValueError) as error:
            raise SegueError(f"{address} does not answer ({error}).") from error

    def accept(self, release: str) -> None:
        """Stop the server before."""
        known, now = self._require(release)
        self._write(_Record(now))
        if known.before:
            known.before.stop()

    def roll_back(self, release: str) -> None:
        """Stop the server of an open release; the one before answers again."""
        known, now = self._require(release)
        if not known.is_open:
            raise SegueError("What was accepted is not rolled back: release something else.")
        now.stop()
        self._write(_Record(known.before))

    def stop(self) -> None:
        """Stop whatever runs, whether it answers now or answered before an open release."""
        with self.alone():
            known = self._read()
            running = [one for one in (known.now, known.before) if one and one.is_running()]
            if not running:
                raise self._nothing()
            for server in running:
                server.stop()
            self._write(_Record())

    def _require(self, release: str) -> tuple[_Record, _Process]:
        """What is known, and the server of a release, if it is the last that was deployed."""
        known = self._read()
        if known.now is None or known.now.id != release:
            raise SegueError("Another release took the place of this one; it stays as it is.")
        return known, known.now

    def _nothing(self) -> SegueError:
        """That nothing answers, and what other endpoints do."""
        others = sorted(
            file.stem
            for file in self._file.parent.glob("*.json")
            if file != self._file and LocalTarget(file)._running()
        )
        do = f"--name may be {', '.join(others)}" if others else "deploy a servable folder first"
        return SegueError(f"No endpoint runs on this machine as {self._file.stem!r}: {do}.")

    def _running(self) -> _Process | None:
        now = self._read().now
        return now if now and now.is_running() else None

    def _read(self) -> _Record:
        if not self._file.exists():
            return _Record()
        try:
            return _RECORD.validate_json(self._file.read_bytes())
        except (OSError, ValidationError) as error:
            raise SegueError(f"{self._file} is damaged: stop the server and delete it.") from error

    def _write(self, record: _Record) -> None:
        write_json(self._file, asdict(record))

    def _new_log(self, port: int) -> Path:
        """A file for what a server says; of the others those are kept whose servers are known."""
        known = self._read()
        kept = {f"{one.port}.log" for one in (known.now, known.before) if one}
        for log in self._folder.glob("*.log"):
            if log.name not in kept:
                log.unlink()
        return self._folder / f"{port}.log"


def _start(folder: Path, port: int, log: Path) -> _Process:
    with log.open("wb") as said:
        process = subprocess.Popen(  # noqa: S603  # our own command
            _command(port),
            cwd=REPOSITORY,
            env=os.environ | {"SEGUE_WORKSPACE": str(folder.absolute())},
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    return _Process(
        process.pid, psutil.Process(process.pid).create_time(), port, str(folder.resolve())
    )


def _command(port: int) -> list[str]:
    return [sys.executable, "-m", "core", "serve", "--host", _HOST, "--port", str(port)]


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((_HOST, 0))
        port: int = free.getsockname()[1]
        return port


def _await(started: _Process, log: Path) -> None:
    """Wait until a server answers its ping; raise if it does not."""
    end = time.monotonic() + STARTING_S
    while started.is_running():
        try:
            with _open(f"{started.address}/ping", _PING_S):
                return
        except OSError as error:
            if time.monotonic() > end:
                why = f"it did not answer within {STARTING_S:g} s ({error})."
                raise SegueError(f"The endpoint did not come up: {why}") from error
            time.sleep(0.1)
    said = log.read_text(errors="replace").strip().splitlines()
    raise SegueError(f"The endpoint did not come up: {said[-1] if said else 'it ended.'}")


def _open(request: Request | str, timeout: float) -> Any:
    """The response of a server of this machine, whatever proxies the environment names."""
    return build_opener(ProxyHandler({})).open(request, timeout=timeout)


def _detail(error: HTTPError) -> str:
    try:
        return str(json.load(error)["detail"])
    except (ValueError, KeyError, TypeError):
        return error.reason
