"""A depot in S3-compatible storage."""

import atexit
import json
import os
import secrets
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from core.errors import SegueError
from core.training.places import Depot

SCHEME = "s3://"
_POINTER, _VERSIONS = ".whole.json", ".versions"
_ABSENT = ("404", "NoSuchKey")
_AT_ONCE = 8
"""Objects that are copied at a time."""
_A_DELETION = 1000
"""Objects that S3 deletes in one request."""
_ABANDONED = timedelta(days=1)
"""Age of an upload that never became its place's version, and will not any more."""


class Bucket(Depot):
    """Objects below a prefix.

    `<place>/.whole.json` names the version that is at a place, and `<place>/.versions/<version>/`
    holds it. What is given back joins that version, an object at a time.
    """

    def __init__(self, address: str) -> None:
        self._bucket, _, prefix = address.removeprefix(SCHEME).partition("/")
        self._prefix = prefix.strip("/")
        self._client = _client()
        self._read: dict[str, _Copy] = {}

    @cached_property
    def _copies(self) -> Path:
        """Where copies are; models are memory-mapped, so it stays as long as the process."""
        folder = Path(tempfile.mkdtemp(prefix="segue-depot-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def _key(self, place: str) -> str:
        return f"{self._prefix}/{place}".strip("/")

    def reading(self, place: str, parts: Collection[str] = ()) -> Path:
        version = self._version(place)
        while True:
            failed = None
            try:
                copy = self._copied(place, version, parts)
            except SegueError as problem:
                failed = problem
            before, version = version, self._version(place)
            if version == before:
                if failed:
                    raise failed
                return copy.folder
            # It was replaced in the middle: some of what was copied may be missing.

    def _version(self, place: str) -> str:
        version: str = self.read_json(f"{place}/{_POINTER}")["version"]
        return version

    def _copied(self, place: str, version: str, parts: Collection[str]) -> "_Copy":
        """The copy of a version, with what it lacks of these parts."""
        copy = self._read.get(place)
        if copy is None or copy.version != version:
            copy = self._read[place] = _Copy(version, self._copies / version / place)
        top = _versioned(place, version)
        wanted = {name for name in self._names(top) if not parts or name.split("/")[0] in parts}
        missing = sorted(wanted - copy.stamps.keys())
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            targets = [copy.folder / name for name in missing]
            places = [f"{top}/{name}" for name in missing]
            for name, file in zip(missing, pool.map(self.download, places, targets), strict=True):
                copy.stamps[name] = _stamp(file)
        return copy

    def give_back(self, place: str) -> None:
        read = next(one for one in self._read if f"{place}/".startswith(f"{one}/"))
        copy = self._read[read]
        files = {
            file.relative_to(copy.folder).as_posix(): file
            for file in _files(copy.folder / place.removeprefix(read).strip("/"))
        }
        fresh = {
            name: file for name, file in files.items() if copy.stamps.get(name) != _stamp(file)
        }
        top = _versioned(read, copy.version)
        self.upload({f"{top}/{name}": file for name, file in fresh.items()})
        copy.stamps |= {name: _stamp(file) for name, file in fresh.items()}

    def delete(self, place: str) -> None:
        names = self._names(place)
        # First what says that something is there.
        pointers = [name for name in names if name.rpartition("/")[2] == _POINTER]
        self._remove([f"{place}/{name}" for name in pointers])
        self._remove([f"{place}/{name}" for name in names if name not in pointers])

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
            version = secrets.token_hex(8)
            top = _versioned(place, version)
            files = {file.relative_to(folder).as_posix(): file for file in _files(Path(folder))}
            self.upload({f"{top}/{name}": file for name, file in files.items()})
            before = self._version(place) if self.exists(place) else None
            self.write_json(f"{place}/{_POINTER}", {"version": version})
            self._forget(place, before, version)

    def _forget(self, place: str, before: str | None, now: str) -> None:
        """Remove the version that was replaced, and uploads that were broken off long ago."""
        top, old = f"{place}/{_VERSIONS}", datetime.now(UTC) - _ABANDONED
        doomed = [
            f"{top}/{name}"
            for name, changed in self._objects(top)
            if (version := name.partition("/")[0]) == before or (version != now and changed < old)
        ]
        self._remove(doomed)

    def upload(self, files: Mapping[str, Path]) -> None:
        """Copy files to objects, by their places."""

        def copy(place: str) -> None:
            with self._sentence(place):
                self._client.upload_file(str(files[place]), self._bucket, self._key(place))

        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(copy, files))

    def require_writable(self, place: str) -> None:
        """Raise a SegueError unless an object can be written; none is."""
        target = {"Bucket": self._bucket, "Key": self._key(place)}
        with self._sentence(place):
            begun = self._client.create_multipart_upload(**target)
            self._client.abort_multipart_upload(**target, UploadId=begun["UploadId"])

    def _objects(self, place: str) -> list[tuple[str, datetime]]:
        """Every object below a place, and when it was written."""
        start = f"{self._key(place)}/"
        with self._sentence(place):
            return [
                (item["Key"].removeprefix(start), item["LastModified"])
                for page in self._pages(start)
                for item in page.get("Contents", [])
            ]

    def _names(self, place: str) -> list[str]:
        return [name for name, _ in self._objects(place)]

    def _pages(self, start: str, **options: str) -> Any:
        pages = self._client.get_paginator("list_objects_v2")
        return pages.paginate(Bucket=self._bucket, Prefix=start, **options)

    def _remove(self, places: Sequence[str]) -> None:
        for at in range(0, len(places), _A_DELETION):
            some = places[at : at + _A_DELETION]
            with self._sentence(some[0]):
                answer = self._client.delete_objects(
                    Bucket=self._bucket,
                    Delete={"Objects": [{"Key": self._key(one)} for one in some], "Quiet": True},
                )
            for error in answer.get("Errors", []):
                raise SegueError(f"{SCHEME}{self._bucket}/{error['Key']}: {error['Message']}")

    def names(self, above: str) -> list[str]:
        start = f"{self._key(above)}/"
        with self._sentence(above):
            found = [
                item.get("Prefix") or item["Key"]
                for page in self._pages(start, Delimiter="/")
                for item in (*page.get("CommonPrefixes", []), *page.get("Contents", []))
            ]
        names = {key.removeprefix(start).strip("/") for key in found}
        return sorted(name for name in names if name[:1] != ".")

    def exists(self, place: str) -> bool:
        from botocore.exceptions import ClientError

        with self._sentence(place):
            try:
                self._client.head_object(Bucket=self._bucket, Key=self._key(f"{place}/{_POINTER}"))
            except ClientError as error:
                if error.response["Error"]["Code"] not in _ABSENT:
                    raise
                return False
            return True

    def read_json(self, place: str) -> Any:
        with self._sentence(place):
            got = self._client.get_object(Bucket=self._bucket, Key=self._key(place))
            return json.loads(got["Body"].read())

    def write_json(self, place: str, value: Any) -> None:
        body = json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False).encode()
        with self._sentence(place):
            self._client.put_object(Bucket=self._bucket, Key=self._key(place), Body=body)

    def address(self, place: str) -> str:
        return f"{SCHEME}{self._bucket}/{self._key(place)}"

    @contextmanager
    def _sentence(self, place: str) -> Iterator[None]:
        """What S3 refuses, as one sentence."""
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        where = self.address(place.removesuffix(f"/{_POINTER}"))
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                raise SegueError(f"There is nothing at {where}, or it is not whole.") from error
            raise SegueError(f"{where}: {error}") from error
        except (Boto3Error, BotoCoreError, ValueError) as error:
            raise SegueError(f"{where}: {error}") from error


@dataclass
class _Copy:
    """What a process has of a version: a folder, and how its files were when they came."""

    version: str
    folder: Path
    stamps: dict[str, tuple[int, int]] = field(default_factory=dict)


def _versioned(place: str, version: str) -> str:
    return f"{place}/{_VERSIONS}/{version}"


def _stamp(file: Path) -> tuple[int, int]:
    """What changes with a file."""
    found = file.stat()
    return found.st_mtime_ns, found.st_size


def _files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [path for path in sorted(folder.rglob("*")) if path.is_file()]


def _client() -> Any:
    """A client of S3, or of the stand-in that the environment names as Metaflow or AWS do."""
    try:
        import boto3
    except ImportError:
        raise SegueError(
            "Storage in S3 needs boto3: `pip install -r requirements-train.txt`."
        ) from None
    return boto3.client("s3", endpoint_url=os.environ.get("METAFLOW_S3_ENDPOINT_URL"))
