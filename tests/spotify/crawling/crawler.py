"""Crawls in processes that start at once: forked from one that has imported what they need."""

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parents[3]


class Crawler:
    """Runs one process at a time."""

    def __init__(self, said: TextIO, answers: TextIO, output: Path) -> None:
        self._said, self._answers, self._output = said, answers, output

    def start(
        self, workspace: Path, name: str, start: str | None = None, requests: int | None = None
    ) -> int:
        """Begin a crawl, or let one go on without a start; its process."""
        line = json.dumps([str(workspace), name, start, {"requests": requests} if requests else {}])
        self._said.write(f"{line}\n")
        self._said.flush()
        return int(self._answers.readline())

    def wait(self) -> int:
        """The exit code, or minus the signal that killed it, once it has ended."""
        return int(self._answers.readline())

    def printed(self) -> str:
        """The sentence that the last process ended with."""
        return self._output.read_text()


@contextmanager
def crawler(environment: Mapping[str, str], output: Path) -> Iterator[Crawler]:
    """A crawler whose processes have this environment and leave their sentences in this file."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.spotify.crawling.crawler", str(output)],
        cwd=ROOT,
        env=os.environ | dict(environment) | {"OPENBLAS_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Crawler(process.stdin, process.stdout, output)
        process.stdin.close()


def _serve(output: Path) -> None:
    import core.spotify.crawling.crawl
    import core.spotify.http

    core.spotify.http.spotipy()
    gc.freeze()
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            os._exit(_crawl(*json.loads(line), output))
        _tell(pid)
        _tell(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


def _crawl(
    workspace: str, name: str, start: str | None, bounds: dict[str, int], output: Path
) -> int:
    """Crawl as `python -m core crawl` does, and return its exit code."""
    from core.dataset.links import spotify_link
    from core.errors import SegueError
    from core.spotify.crawling.crawl import StoppedError, crawl
    from core.workspace import Workspace

    sentence, code = "", 0
    try:
        crawl(
            Workspace(Path(workspace)),
            name,
            spotify_link(start) if start else None,
            bounds,
            pause_s=0,
        )
    except StoppedError as stopped:
        sentence, code = str(stopped), 128 + stopped.signal
    except SegueError as error:
        sentence, code = str(error), 2
    output.write_text(sentence)
    return code


def _tell(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
