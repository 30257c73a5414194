"""Public sets fetched: downloaded from their publishers, checked, and imported.

A download that breaks off goes on where it stopped, in this run or a later one.
"""

import errno
import hashlib
import random
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import OpenerDirector, Request, build_opener

from core.dataset.library import import_dataset
from core.dataset.public_sets import REGISTRY, PublicSet, public_set
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import Workspace, alone, checked_name

CHUNK = 1 << 16
STEPS = 20
"""A download says how many bytes have arrived this often."""
LONGEST_PAUSE_S = 60.0


@dataclass(frozen=True)
class Patience:
    """How long a publisher is waited for.

    Attributes
    ----------
    attempts : int
        Before giving up.
    pause_s : float
        Before the second attempt; doubles with each, give or take a half at random.
    timeout_s : float
        For the next bytes to arrive.
    """

    attempts: int = 6
    pause_s: float = 0.5
    timeout_s: float = 30.0


# --- fetch ---


def fetch(
    workspace: Workspace,
    name: str,
    dataset: str | None = None,
    *,
    replace: bool = False,
    progress: Progress = SILENT,
    patience: Patience | None = None,
) -> dict[str, Any]:
    """Download a registered set and import it.

    The file is deleted once it is imported; until then it is kept, whole or in part.

    Parameters
    ----------
    workspace : Workspace
    name : str
        Of the set.
    dataset : str, optional
        Name of the dataset; by default the set's.
    replace : bool
        Whether a dataset of that name may be replaced.
    progress : Progress
    patience : Patience, optional

    Returns
    -------
    dict
        The manifest, with the set's licence and address.

    Raises
    ------
    SegueError
        If there is no such set, the name is taken, the publisher does not deliver what was
        registered, or the disk is full.
    """
    chosen = public_set(name)
    target = dataset or chosen.name
    if checked_name(target) in workspace.names() and not replace:
        raise SegueError(
            f"There is a dataset {target!r} already: give another name, or say to replace it."
        )
    folder = downloads(workspace, chosen)
    file = download(chosen, folder, progress, patience or Patience())
    manifest = import_dataset(
        workspace,
        target,
        chosen.source,
        [file],
        progress,
        licence=chosen.licence,
        address=chosen.address,
    )
    shutil.rmtree(folder, ignore_errors=True)
    return manifest


def downloads(workspace: Workspace, chosen: PublicSet) -> Path:
    """Folder of a set's file while it is needed."""
    return workspace.downloads / chosen.sha256[:16]


def arrived(workspace: Workspace, chosen: PublicSet) -> int:
    """Bytes of a set that an interrupted download left, to go on from."""
    folder = downloads(workspace, chosen)
    whole = folder / chosen.file
    return whole.stat().st_size if whole.exists() else _Partial(folder, chosen.file).size


def megabytes(count: int) -> str:
    """Say a number of bytes in decimal megabytes, as publishers do."""
    return f"{count / 1e6:,.1f} MB"


# --- download ---


class _SetbackError(Exception):
    """What may go better the next time; `wait_s` is how long the server asks to be left alone."""

    def __init__(self, reason: str, wait_s: float = 0.0) -> None:
        super().__init__(reason)
        self.wait_s = wait_s


class _Partial:
    """What has arrived of a file, and of which edition of it."""

    def __init__(self, folder: Path, file: str) -> None:
        self.path = folder / f"{file}.part"
        self._edition = folder / f"{file}.etag"

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self) -> dict[str, str]:
        """Ask for the rest, or for all if the file is another by now (RFC 9110, 13.1.5, 14.2)."""
        if not self.size:
            return {}
        condition = {"If-Range": self._edition.read_text()} if self._edition.exists() else {}
        return {"Range": f"bytes={self.size}-"} | condition

    def begin(self, edition: str | None) -> None:
        """Forget what has arrived; the next bytes are the first of this edition."""
        self.path.unlink(missing_ok=True)
        self._edition.unlink(missing_ok=True)
        if edition and not edition.startswith("W/"):  # weak ones promise no equal bytes
            self._edition.write_text(edition)


def download(
    chosen: PublicSet, folder: Path, progress: Progress = SILENT, patience: Patience | None = None
) -> Path:
    """Bring a set's file into `folder`, whole and as registered, going on with what is there.

    Returns
    -------
    Path
        Of the file; its SHA-256 is the registered one.

    Raises
    ------
    SegueError
        See `fetch`.
    """
    return _Download(chosen, folder, progress, patience or Patience()).run()


class _Download:
    def __init__(
        self, chosen: PublicSet, folder: Path, progress: Progress, patience: Patience
    ) -> None:
        self._set, self._folder = chosen, folder
        self._progress, self._patience = progress, patience
        self._partial = _Partial(folder, chosen.file)
        self._opener: OpenerDirector = build_opener()

    def run(self) -> Path:
        whole = self._folder / self._set.file
        with _written(self._set, self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        taken = f"{self._set.label} is being downloaded already; wait for it."
        with alone(self._folder, taken):
            if not whole.exists() or not self._is_right(whole):
                self._require_room()
                self._persist()
                self._partial.path.replace(whole)
        return whole

    def _require_room(self) -> None:
        free, needed = shutil.disk_usage(self._folder).free, self._set.size - self._partial.size
        if free < needed:
            raise SegueError(
                f"{self._set.label}: {megabytes(needed)} are to be downloaded, and the disk of "
                f"{self._folder} has {megabytes(free)} free; make room, or move the workspace."
            )

    def _persist(self) -> None:
        """Try until the partial file is the registered one, as often as patience allows."""
        for attempt in range(1, self._patience.attempts + 1):
            try:
                self._attempt()
            except _SetbackError as setback:
                if attempt == self._patience.attempts:
                    raise SegueError(self._given_up(setback)) from setback
                self._progress.update(f"{setback}; trying again", self._fraction())
                time.sleep(self._pause(attempt, setback.wait_s))
            else:
                return

    def _given_up(self, setback: _SetbackError) -> str:
        kept = megabytes(self._partial.size)
        return (
            f"{self._set.label}: {setback}, {self._patience.attempts} times in a row. "
            f"{kept} of {megabytes(self._set.size)} are kept; fetch it again to go on."
        )

    def _pause(self, attempt: int, asked_s: float) -> float:
        pause = self._patience.pause_s * 2 ** (attempt - 1)
        jitter = random.uniform(0.5, 1.5)  # noqa: S311  # so that not all come back at once
        return min(max(pause * jitter, asked_s), LONGEST_PAUSE_S)

    def _attempt(self) -> None:
        """Receive what is missing, and hold the whole against the registry."""
        begun = self._partial.size
        if begun < self._set.size:
            with self._asked() as response:
                begun = self._partial.size
                self._receive(response)
        if not self._is_right(self._partial.path):
            self._partial.begin(None)
            if begun:  # pieces of two editions, perhaps
                raise _SetbackError("the pieces of the download do not fit together")
            raise SegueError(
                f"{self._set.label}: {self._set.address} has other content than was registered "
                f"(its SHA-256 is not {self._set.sha256[:16]}…); nothing was imported."
            )

    def _asked(self) -> HTTPResponse:
        """Open the address at the byte that is next."""
        headers = self._partial.headers()
        request = Request(self._set.address, headers=headers | {"User-Agent": "segue"})  # noqa: S310  # http or https, see _checked
        try:
            response = self._opener.open(request, timeout=self._patience.timeout_s)
        except HTTPError as error:
            with error:
                raise self._refused(error) from error
        except (OSError, HTTPException) as error:
            raise _SetbackError(
                f"{urlsplit(self._set.address).netloc} cannot be reached ({_cause(error)})"
            ) from error
        try:
            self._agree(response)
        except BaseException:
            response.close()
            raise
        return response

    def _refused(self, error: HTTPError) -> Exception:
        if error.code == 416:  # what is here is longer than what is there
            self._partial.begin(None)
            return _SetbackError("the publisher has no such bytes")
        said = f"{urlsplit(self._set.address).netloc} answers {error.code} {error.reason}"
        if error.code in (408, 425, 429) or error.code >= 500:
            return _SetbackError(said, _retry_after(error.headers))
        return SegueError(
            f"{self._set.label}: {said} for {self._set.address}; it may have moved. {REGISTRY} can "
            "name another address."
        )

    def _agree(self, response: HTTPResponse) -> None:
        """Make the partial file end where the response begins, if it is of the registered size."""
        if response.status == 206:
            start, total = _content_range(response.headers)
            if start != self._partial.size:
                self._partial.begin(None)
                raise _SetbackError("the publisher sent other bytes than were asked for")
        else:
            with _written(self._set, self._folder):
                self._partial.begin(response.headers.get("ETag"))
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdigit() else None
        if total not in (None, self._set.size):
            raise self._other_size(f"{total:,} bytes")

    def _other_size(self, found: str) -> SegueError:
        self._partial.begin(None)
        return SegueError(
            f"{self._set.label}: {self._set.address} has {found} instead of the "
            f"registered {self._set.size:,}: it has changed, and nothing was imported."
        )

    def _receive(self, response: HTTPResponse) -> None:
        done, size = self._partial.size, self._set.size
        with _written(self._set, self._folder), self._partial.path.open("ab") as file:
            while chunk := self._next(response):
                done += len(chunk)
                if done > size:
                    break
                file.write(chunk)
                self._report(done)
        if done > size:
            raise self._other_size("more bytes")
        if done < size:
            raise _SetbackError("the connection ended early")

    @staticmethod
    def _next(response: HTTPResponse) -> bytes:
        try:
            return response.read1(CHUNK)
        except (OSError, HTTPException) as error:
            raise _SetbackError(f"the connection broke ({_cause(error)})") from error

    def _report(self, done: int) -> None:
        size = self._set.size
        said = done * STEPS // size * size // STEPS
        label = f"Downloading {self._set.file}: {megabytes(said)} of {megabytes(size)}"
        self._progress.update(label, done / size)

    def _fraction(self) -> float:
        return self._partial.size / self._set.size

    def _is_right(self, path: Path) -> bool:
        self._progress.update("Comparing the checksum")
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self._set.sha256


def _content_range(headers: Message) -> tuple[int, int | None]:
    """First byte and total size of a part; (-1, None) where the server does not say."""
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", headers.get("Content-Range", ""))
    if not found:
        return -1, None
    return int(found[1]), None if found[2] == "*" else int(found[2])


def _retry_after(headers: Message) -> float:
    """Seconds that the server asks to wait; dates are rare and not read."""
    asked = headers.get("Retry-After", "")
    return float(asked) if asked.isdigit() else 0.0


def _cause(error: Exception) -> str:
    """Why a connection failed, in the system's few words."""
    reason = getattr(error, "reason", error)
    return str(getattr(reason, "strerror", None) or reason or type(reason).__name__)


@contextmanager
def _written(chosen: PublicSet, folder: Path) -> Iterator[None]:
    """Make one sentence of what the disk refuses."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror
        raise SegueError(
            f"{chosen.label} cannot be written to {folder} ({reason}); make room, or move the "
            "workspace."
        ) from error
