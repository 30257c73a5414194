"""Where the steps of a flow leave things for each other: a folder, or S3-compatible storage.

A place is a path below the depot's root, such as "demo" or ".runs/x/fitted". What is written to a
place is there whole or not at all, and until then what was there before: in a folder by renaming;
in S3 by uploading beside it, then replacing the one object that says which version is the place's.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from core.errors import SegueError
from core.training.bucket import SCHEME, Bucket
from core.training.places import Depot, Folder
from core.workspace import Workspace

STORE = "SEGUE_STORE"
"""Variable of the environment that says where the flows' depot is."""


def depot(address: str) -> Depot:
    """The depot at a folder or at `s3://bucket/prefix`."""
    if is_remote(address):
        return Bucket(address)
    return Folder(Path(address).expanduser().resolve())


def is_remote(address: str) -> bool:
    """Whether what is at an address is not on this machine."""
    return address.startswith(SCHEME)


def usual_store() -> str:
    """Address of the flows' depot: `SEGUE_STORE`, else the workspace."""
    return os.environ.get(STORE) or str(Workspace().folder)


@cache
def shared(address: str) -> Depot:
    """The depot of a process that lives for one task: what was read once is not read again."""
    return depot(address)


def addresses(text: str) -> list[str]:
    """Addresses with commas between, as a person gives them."""
    return [one.strip() for one in text.split(",") if one.strip()]


def require_there(address: str) -> None:
    """Raise a SegueError unless a file is at an address; what is in S3 is seen when it is read."""
    if not is_remote(address) and not Path(address).expanduser().exists():
        raise SegueError(f"{address} is not there.")


def fetched(address: str, folder: Path) -> Path:
    """A local path of a file: itself, or its copy in a folder where it is in S3.

    Raises
    ------
    SegueError
        If it is not there.
    """
    if not is_remote(address):
        require_there(address)
        return Path(address).expanduser()
    parent, _, name = address.rpartition("/")
    return Bucket(parent).download(name, folder / name)


def require_writable(address: str) -> None:
    """Raise a SegueError unless a file can be written at an address, a path or in S3."""
    if is_remote(address):
        parent, _, name = address.rpartition("/")
        Bucket(parent).require_writable(name)
        return
    path = Path(address).expanduser()
    if path.is_dir():
        raise SegueError(f"{address} is a folder: name a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise SegueError(f"{address} cannot be written ({error}).") from error


@contextmanager
def delivered(address: str) -> Iterator[Path]:
    """A file to write; it is at the address, a path or in S3, if the block succeeds."""
    if not is_remote(address):
        yield Path(address).expanduser()
        return
    parent, _, name = address.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="segue-depot-") as folder:
        yield Path(folder) / name
        Bucket(parent).upload({name: Path(folder) / name})
