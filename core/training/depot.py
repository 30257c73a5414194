"""Where the steps of a flow leave things for each other: a folder, or S3-compatible storage.

A place is a path below the depot's root, such as "demo" or ".runs/x/fitted". What is written to a
place is there whole or not at all: in a folder by renaming, in S3 by a listing that is uploaded
last and that whoever reads asks for first.
"""

import atexit
import json
import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from core.errors import SegueError
from core.workspace import atomic_folder, delete_folder, read_json, recover, write_json

_SCHEME = "s3://"
_LISTING = ".whole.json"
_ABSENT = ("404", "NoSuchKey")
_AT_ONCE = 8
"""Objects that are copied at a time."""


class Depot(ABC):
    """A root of places."""

    @abstractmethod
    def reading(self, place: str) -> Path:
        """A folder that holds what is at a place.

        Raises
        ------
        SegueError
            If nothing is there.
        """

    @abstractmethod
    def writing(self, place: str) -> AbstractContextManager[Path]:
        """A context whose folder replaces what is at a place if the block succeeds."""

    @abstractmethod
    def give_back(self, place: str) -> None:
        """Let others see what was added below a place in the folder that `reading` gave."""

    @abstractmethod
    def delete(self, place: str) -> None:
        """Remove what is at a place, if anything is."""

    @abstractmethod
    def names(self, place: str) -> list[str]:
        """What lies directly below a place, in order; nothing where it is not there."""

    @abstractmethod
    def exists(self, place: str) -> bool:
        """Whether a whole folder is at a place."""

    @abstractmethod
    def read_json(self, place: str) -> Any:
        """A JSON file."""

    @abstractmethod
    def write_json(self, place: str, value: Any) -> None:
        """Replace a JSON file."""

    @abstractmethod
    def address(self, place: str) -> str:
        """What a person or another program calls a place."""


def depot(address: str) -> Depot:
    """The depot at a folder or at `s3://bucket/prefix`."""
    if address.startswith(_SCHEME):
        return _Bucket(address)
    return _Folder(Path(address).expanduser().resolve())


@cache
def shared(address: str) -> Depot:
    """The depot of a process that lives for one task: what was read once is not read again."""
    return depot(address)


def fetched(address: str, folder: Path) -> Path:
    """A local path of a file: itself, or its copy in a folder where it is in S3.

    Raises
    ------
    SegueError
        If it is not there.
    """
    if not address.startswith(_SCHEME):
        path = Path(address).expanduser()
        if not path.exists():
            raise SegueError(f"{address} is not there.")
        return path
    parent, _, name = address.rpartition("/")
    return _Bucket(parent).download(name, folder / name)


@contextmanager
def delivered(address: str) -> Iterator[Path]:
    """A file to write; it is at the address, a path or in S3, if the block succeeds."""
    if not address.startswith(_SCHEME):
        yield Path(address).expanduser()
        return
    parent, _, name = address.rpartition("/")
    with tempfile.TemporaryDirectory(prefix="segue-depot-") as folder:
        yield Path(folder) / name
        _Bucket(parent).upload({name: Path(folder) / name})


class _Folder(Depot):
    def __init__(self, root: Path) -> None:
        self._root = root

    def reading(self, place: str) -> Path:
        path = self._root / place
        if path.parent.is_dir():
            recover(path.parent)
        if not path.exists():
            raise SegueError(f"There is nothing at {path}.")
        return path

    @contextmanager
    def writing(self, place: str) -> Iterator[Path]:
        with atomic_folder(self._root / place) as partial:
            yield partial

    def give_back(self, place: str) -> None:
        pass  # it was read where it is

    def delete(self, place: str) -> None:
        if (self._root / place).exists():
            delete_folder(self._root / place)

    def names(self, place: str) -> list[str]:
        return sorted(path.name for path in (self._root / place).glob("[!.]*"))

    def exists(self, place: str) -> bool:
        return (self._root / place).exists()

    def read_json(self, place: str) -> Any:
        return read_json(self._root / place)

    def write_json(self, place: str, value: Any) -> None:
        write_json(self._root / place, value)

    def address(self, place: str) -> str:
        return str(self._root / place)


class _Bucket(Depot):
    def __init__(self, address: str) -> None:
        self._bucket, _, prefix = address.removeprefix(_SCHEME).partition("/")
        self._prefix = prefix.strip("/")
        self._client = _client()
        # Models are memory-mapped from here, so it stays as long as the process.
        self._copies = Path(tempfile.mkdtemp(prefix="segue-depot-"))
        atexit.register(shutil.rmtree, self._copies, ignore_errors=True)

    def _key(self, place: str) -> str:
        return f"{self._prefix}/{place}".strip("/")

    def reading(self, place: str) -> Path:
        copy = self._copies / place
        if copy.exists():
            return copy
        listed = self.read_json(f"{place}/{_LISTING}")
        # Besides what is listed, what others have given back since.
        names = sorted({*listed, *self._names(place)} - {_LISTING})

        with atomic_folder(copy) as partial, ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(lambda name: self.download(f"{place}/{name}", partial / name), names))
        return copy

    def give_back(self, place: str) -> None:
        self.upload(_files(self._copies / place, place))

    def delete(self, place: str) -> None:
        self._remove(place, [_LISTING, *self._names(place)])

    def download(self, place: str, target: Path) -> Path:
        """Copy one object to a file."""
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._sentence(place):
            self._client.download_file(self._bucket, self._key(place), str(target))
        return target

    @contextmanager
    def writing(self, place: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="segue-depot-") as folder:
            yield Path(folder)
            files = _files(Path(folder), place)
            old = [name for name in self._names(place) if f"{place}/{name}" not in files]
            self._remove(place, [_LISTING])
            self.upload(files)
            self._remove(place, old)
            names = [name.removeprefix(f"{place}/") for name in files]
            self.write_json(f"{place}/{_LISTING}", names)
            shutil.rmtree(self._copies / place, ignore_errors=True)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Copy files to objects, by their places."""

        def copy(place: str) -> None:
            with self._sentence(place):
                self._client.upload_file(str(files[place]), self._bucket, self._key(place))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(copy, files))

    def _names(self, place: str) -> list[str]:
        start = f"{self._key(place)}/"
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=start
        )
        with self._sentence(place):
            found = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key.removeprefix(start) for key in found]

    def _remove(self, place: str, names: list[str]) -> None:
        for name in names:
            with self._sentence(place):
                self._client.delete_object(Bucket=self._bucket, Key=self._key(f"{place}/{name}"))

    def names(self, place: str) -> list[str]:
        return sorted({name.partition("/")[0] for name in self._names(place)} - {_LISTING})

    def exists(self, place: str) -> bool:
        return _LISTING in self._names(place)

    def read_json(self, place: str) -> Any:
        with self._sentence(place):
            got = self._client.get_object(Bucket=self._bucket, Key=self._key(place))
            return json.loads(got["Body"].read())

    def write_json(self, place: str, value: Any) -> None:
        body = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode()
        with self._sentence(place):
            self._client.put_object(Bucket=self._bucket, Key=self._key(place), Body=body)

    def address(self, place: str) -> str:
        return f"{_SCHEME}{self._bucket}/{self._key(place)}"

    @contextmanager
    def _sentence(self, place: str) -> Iterator[None]:
        """What S3 refuses, as one sentence."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        where = self.address(place.removesuffix(f"/{_LISTING}"))
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise SegueError(f"There is nothing at {where}, or it is not whole.") from error
            raise SegueError(f"{where}: {error}") from error
        except (Boto3Error, BotoCoreError, ValueError) as error:
            raise SegueError(f"{where}: {error}") from error


def _files(folder: Path, place: str) -> dict[str, Path]:
    """Every file below a folder, by where it goes at a place."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {f"{place}/{path.relative_to(folder).as_posix()}": path for path in found}


def _client() -> Any:
    """A client of S3, or of the stand-in that the environment names as Metaflow or AWS do."""
    try:
        import boto3
    except ImportError:
        raise SegueError(
            "Storage in S3 needs boto3: `pip install -r requirements-train.txt`."
        ) from None
    return boto3.client("s3", endpoint_url=os.environ.get("METAFLOW_S3_ENDPOINT_URL"))
