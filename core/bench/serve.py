"""The HTTP API under load: every answer compared, memory watched, beside a bare Starlette route.

Clients are threads of this process with a connection each; they share the machine with the server,
so its times are those of a busy machine. The bare route reads a body and sends an answer of usual
size: what HTTP itself costs here.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from http.client import HTTPConnection, HTTPException
from statistics import median
from typing import Any

import numpy as np
import psutil

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.query import answer
from core.serving.known import start_of
from core.serving.opened import Opened, opened
from core.serving.schema import TOKEN, QueryIn, prediction
from core.workspace import REPOSITORY, Workspace

GROWTH = 0.05
"""By which memory may have grown at most, from the second quarter of the time to the last."""
QUERIES = 240
"""Different ones; a recommender remembers far fewer."""

_BARE = """
import json, socket
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

ANSWER = json.loads({answer!r})

async def bare(request):
    await request.json()
    return JSONResponse(ANSWER)

routes = [Route("/invocations", bare, methods=["POST"])]
with socket.create_server(("127.0.0.1", 0), backlog=2048) as taken:
    print(f"on http://127.0.0.1:{{taken.getsockname()[1]}};", flush=True)
    config = uvicorn.Config(Starlette(routes=routes), log_level="warning", lifespan="off")
    uvicorn.Server(config).run(sockets=[taken])
"""
_HEADERS = {"Content-Type": "application/json"}
_LOAD = "Asking from all clients"
_PATIENCE_S, _LOOK_S = 120.0, 0.25


@dataclass
class _Tally:
    """What one client saw: how long answers took, which it did not get, how many were others.

    `ended_by` is what it cannot go on after.
    """

    requests: int = 0
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    differing: int = 0
    ended_by: Exception | None = None


@dataclass(frozen=True)
class Load:
    """What all clients saw of a server, and what it took.

    Attributes
    ----------
    requests : int
        Sent.
    errors : int
        Of these, not answered with status 200 and JSON.
    differing : int
        Of these, answered otherwise than in this process.
    per_s : float
        Requests answered a second.
    p50_ms, p99_ms : float
        From sending a request to the whole answer.
    early_mb, late_mb, peak_mb : float
        Resident memory of the server: the median over the second quarter of the time and over the
        last, and the most; in MB of 10^6 bytes.
    first_error : str
        Empty where there was none.
    """

    requests: int
    errors: int
    differing: int
    per_s: float
    p50_ms: float
    p99_ms: float
    early_mb: float
    late_mb: float
    peak_mb: float
    first_error: str = ""


@dataclass(frozen=True)
class ServeReport:
    """The API and a bare route under the same clients, in one run.

    Attributes
    ----------
    api, bare : Load
    clients, cores : int
    seconds : float
        Of each load.
    """

    api: Load
    bare: Load
    clients: int
    cores: int
    seconds: float

    @property
    def grown(self) -> float:
        """Growth of the API's memory from the second quarter of the time to the last."""
        return self.api.late_mb / self.api.early_mb - 1

    @property
    def met(self) -> dict[str, bool]:
        """Whether each aim is met."""
        return {
            "errors": not self.api.errors,
            "differing": not self.api.differing,
            "memory": self.grown <= GROWTH,
        }

    def require_met(self) -> None:
        """Raise a SegueError that says which aims are missed, if any is."""
        api, met = self.api, self.met
        missed = {
            "errors": f"{api.errors:,} of {api.requests:,} requests failed, the first by "
            f"{api.first_error!r}",
            "differing": f"{api.differing:,} answers differ from this process's",
            "memory": f"memory grew by {self.grown:.0%}",
        }
        if not all(met.values()):
            said = "; ".join(missed[aim] for aim in met if not met[aim])
            raise SegueError(f"The API misses its aims: {said}.")

    def as_json(self) -> dict[str, Any]:
        """Figures, and whether the aims are met."""
        return asdict(self) | {"met": self.met}

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Header and rows for a terminal."""

        def row(label: str, name: str, aim: str = "") -> list[str]:
            return [label, *(f"{getattr(load, name):,.0f}" for load in (self.api, self.bare)), aim]

        title = f"{self.clients} clients, {self.seconds:g} s ({self.cores} cores)"
        return [title, "Segue", "bare route", "aim"], [
            row("requests", "requests"),
            row("errors", "errors", "0"),
            row("answers that differ from this process's", "differing", "0"),
            row("answers a second", "per_s"),
            row("median time (ms)", "p50_ms"),
            row("99th percentile (ms)", "p99_ms"),
            row("memory, second quarter (MB)", "early_mb"),
            row("memory, last quarter (MB)", "late_mb", f"< {GROWTH:+.0%}"),
            row("memory at most (MB)", "peak_mb"),
        ]


def serve_benchmark(
    workspace: Workspace,
    name: str,
    clients: int = 64,
    seconds: float = 120.0,
    seed: int = 0,
    progress: Progress = SILENT,
) -> ServeReport:
    """Ask the API from many clients at once, and then a bare route.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Dataset with models.
    clients : int
        At once; each asks again as soon as it is answered.
    seconds : float
        Of each load.
    seed : int
        Of the queries.
    progress : Progress

    Raises
    ------
    SegueError
        If a server does not start, or ends.
    """
    here = opened(workspace, name)
    bodies = _bodies(here.dataset, here.recommender.choices, np.random.default_rng(seed))
    known = [_answer(here, body) for body in progress.track(bodies, "Answering in this process")]
    usual = sorted((json.dumps(one) for one in known), key=len)[len(known) // 2]
    served = ["serve", "--dataset", name, "--host", "127.0.0.1", "--port", "0"]
    segue = [sys.executable, "-m", "core", *served]
    bare = [sys.executable, "-c", _BARE.format(answer=usual)]
    cores = len(os.sched_getaffinity(0))
    with _serving(segue, workspace) as (process, port):
        part = progress.within(0.1, 0.55, "The API")
        api = _load(process, port, bodies, known, clients, seconds, part)
    with _serving(bare, workspace) as (process, port):
        part, same = progress.within(0.55, 1, "A bare route"), [json.loads(usual)] * len(bodies)
        nothing = _load(process, port, bodies, same, clients, seconds, part)
    return ServeReport(api, nothing, clients, cores, seconds)


def _bodies(
    dataset: Dataset, models: Sequence[str], random: np.random.Generator
) -> list[dict[str, Any]]:
    """Bodies of invocations of every kind."""
    return [_body(dataset, models, random) for _ in range(QUERIES)]


def _body(dataset: Dataset, models: Sequence[str], random: np.random.Generator) -> dict[str, Any]:
    row = int(random.integers(dataset.n_playlists))
    n_seeds = int(random.choice([0, 1, 5, 10, 25]))
    titled = not n_seeds or random.random() < 0.5
    body = start_of(dataset, row, n_seeds, titled) | {"k": int(random.choice([10, 20, 50]))}
    if random.random() < 0.3:
        body["model"] = str(random.choice(models))
    if random.random() < 0.3:
        body["dials"] = {"adventure": round(float(random.uniform(-1, 1)), 2), "per_artist": 2}
    if random.random() < 0.1:
        body["reasons"] = True
    return body


def _answer(here: Opened, body: Mapping[str, Any]) -> Any:
    """What the API is to answer."""
    query = QueryIn.model_validate(body).query(here.dataset, here.matcher)
    return json.loads(prediction(answer(here.recommender, query)).model_dump_json())


@contextmanager
def _serving(command: Sequence[str], workspace: Workspace) -> Iterator[tuple[psutil.Process, int]]:
    """A server that prints its address when it is ready; its process and port."""
    open_to_all = {name: value for name, value in os.environ.items() if name != TOKEN}
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        cwd=REPOSITORY,
        env=open_to_all | {"SEGUE_WORKSPACE": str(workspace.folder.absolute())},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            ready = process.stdout.readline().partition(";")[0]
            if not ready:
                raise SegueError("The server did not start: try `python -m core serve`.")
            yield psutil.Process(process.pid), int(ready.rpartition(":")[2])
        finally:
            process.terminate()


def _load(
    process: psutil.Process,
    port: int,
    bodies: Sequence[Mapping[str, Any]],
    known: Sequence[Any],
    clients: int,
    seconds: float,
    progress: Progress,
) -> Load:
    """Ask from many clients at once for so long."""
    sent = [json.dumps(body).encode() for body in bodies]
    tallies = [_Tally() for _ in range(clients)]
    begin = time.perf_counter()
    end = begin + seconds
    threads = [
        threading.Thread(target=_client, args=(port, sent, known, number, end, tally), daemon=True)
        for number, tally in enumerate(tallies)
    ]
    for thread in threads:
        thread.start()
    memory = []
    while _asking(threads, tallies):
        memory.append((time.perf_counter() - begin, _resident_mb(process)))
        progress.update(_LOAD, min(1.0, memory[-1][0] / seconds))
        time.sleep(_LOOK_S)
    return _summary(tallies, memory, time.perf_counter() - begin, seconds)


def _asking(threads: Sequence[threading.Thread], tallies: Sequence[_Tally]) -> bool:
    """Whether clients still ask; raises what ended one of them."""
    asking = any(thread.is_alive() for thread in threads)
    if ended := next((tally.ended_by for tally in tallies if tally.ended_by), None):
        raise ended
    return asking


def _resident_mb(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 1e6
    except psutil.NoSuchProcess:
        raise SegueError("The server ended under load.") from None


def _client(
    port: int,
    sent: Sequence[bytes],
    known: Sequence[Any],
    number: int,
    end: float,
    tally: _Tally,
) -> None:
    """Ask one query after the other, in an order of its own, and compare."""
    random = np.random.default_rng(number)
    connection = HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        while time.perf_counter() < end:
            which = int(random.integers(len(sent)))
            _ask(connection, sent[which], known[which], tally)
    except Exception as error:
        tally.ended_by = error
    finally:
        connection.close()


def _ask(connection: HTTPConnection, sent: bytes, known: Any, tally: _Tally) -> None:
    tally.requests += 1
    start = time.perf_counter()
    try:
        connection.request("POST", "/invocations", sent, _HEADERS)
        response = connection.getresponse()
        content = response.read()
    except (OSError, HTTPException) as error:
        connection.close()
        tally.errors.append(repr(error))
        time.sleep(_LOOK_S)
        return
    tally.seconds.append(time.perf_counter() - start)
    said = content[:200].decode(errors="replace")
    if response.status != 200:
        tally.errors.append(f"{response.status}: {said}")
        return
    try:
        tally.differing += json.loads(content) != known
    except ValueError:
        tally.errors.append(f"no JSON: {said}")


def _summary(
    tallies: Sequence[_Tally],
    memory: Sequence[tuple[float, float]],
    took: float,
    seconds: float,
) -> Load:
    answered = [one for tally in tallies for one in tally.seconds]
    errors = [error for tally in tallies for error in tally.errors]
    if not answered:
        raise SegueError(f"The server answers nothing; the first error: {errors[0]}")
    p50, p99 = (1_000 * np.percentile(answered, [50, 99])).tolist()
    early = [mb for at, mb in memory if seconds / 4 <= at < seconds / 2]
    late = [mb for at, mb in memory if at >= 3 * seconds / 4]
    return Load(
        sum(tally.requests for tally in tallies),
        len(errors),
        sum(tally.differing for tally in tallies),
        len(answered) / took,
        p50,
        p99,
        median(early or [memory[0][1]]),
        median(late or [memory[-1][1]]),
        max(mb for _, mb in memory),
        errors[0] if errors else "",
    )
