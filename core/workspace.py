"""Where datasets and models live: whole folders or none, no pickle.

A workspace is a folder of datasets; a dataset is a folder with its Parquet tables, its search
index, the models trained on it and their measurements. A folder appears under its name only once
everything in it is written, so a crash or a full disk leaves the previous state.
"""

import json
import os
import re
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import SegueError

REPOSITORY = Path(__file__).resolve().parent.parent
DEMO = REPOSITORY / "data" / "demo"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_PARTIAL, _REPLACED, _DELETED = ".partial-", ".replaced-", ".deleted-"


def write_json(path: Path, value: Any) -> None:
    """Replace `path` by `value` as UTF-8 JSON, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(
            json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n", "utf-8"
        )


def read_json(path: Path) -> Any:
    """Read a JSON file that this project wrote.

    Raises
    ------
    SegueError
        If the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SegueError(f"{path} cannot be read ({error}); import or train it again.") from error


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` if the block succeeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=_PARTIAL, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        _flush(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `path` if the block succeeds.

    Two renames replace an existing folder; `recover` undoes the first where a crash came between.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path.parent)
    partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=path.parent))
    try:
        yield partial
        for file in partial.rglob("*"):
            if file.is_file():
                _flush(file)
        partial.chmod(0o755)
        _swap(partial, path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def replace_folder(path: Path, whole: Path) -> None:
    """Put a whole folder, written already, in the place of another, or of none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    recover(path.parent)
    _swap(whole, path)


def delete_folder(path: Path) -> None:
    """Delete a folder at once or not at all."""
    doomed = path.with_name(f"{_DELETED}{secrets.token_hex(8)}")
    path.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _flush(file: Path) -> None:
    with file.open("rb+") as handle:
        os.fsync(handle.fileno())


def _swap(partial: Path, path: Path) -> None:
    replaced = path.with_name(f"{_REPLACED}{path.name}")
    if path.exists():
        path.rename(replaced)
    try:
        partial.rename(path)
    except OSError:
        if replaced.exists():
            replaced.rename(path)
            raise
        if not path.exists():
            raise
        _swap(partial, path)  # another process's `recover` came between the two renames
    shutil.rmtree(replaced, ignore_errors=True)


def recover(parent: Path) -> None:
    """Bring back folders whose replacement was interrupted between its two renames.

    What a deletion that was interrupted left is removed.
    """
    for replaced in parent.glob(f"{_REPLACED}*"):
        path = parent / replaced.name.removeprefix(_REPLACED)
        if path.exists():
            shutil.rmtree(replaced, ignore_errors=True)
        else:
            with suppress(OSError):  # another process was quicker
                replaced.rename(path)
    for deleted in parent.glob(f"{_DELETED}*"):
        shutil.rmtree(deleted, ignore_errors=True)


@contextmanager
def alone(folder: Path, taken: str) -> Iterator[None]:
    """Hold an existing folder against other processes; ends with this one, however it ends.

    Raises
    ------
    SegueError
        With the sentence `taken`, if another process holds it.
    """
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise SegueError(taken) from error
        yield


def save_arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write each array as `<name>.npy`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)


def load_arrays(folder: Path) -> dict[str, np.ndarray]:
    """Memory-map every `.npy` file of a folder, read-only.

    Raises
    ------
    SegueError
        If a file is not a plain array.
    """
    return {file.stem: load_array(file) for file in sorted(folder.glob("*.npy"))}


def load_array(file: Path) -> np.ndarray:
    """Memory-map one `.npy` file, read-only; a SegueError where it is missing or damaged."""
    try:
        return np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SegueError(f"{file} is damaged ({error}); import or train it again.") from error


class Workspace:
    """The folder of datasets, with the shipped demo always in reach.

    Parameters
    ----------
    folder : Path or None
        Default: the environment's SEGUE_WORKSPACE, else `data/workspace` in the repository.
    """

    def __init__(self, folder: Path | None = None) -> None:
        default = os.environ.get("SEGUE_WORKSPACE") or REPOSITORY / "data" / "workspace"
        self.folder = Path(folder or default).expanduser()
        if self.folder.is_dir():
            recover(self.folder)

    def names(self) -> list[str]:
        """Datasets, by name; the demo first unless the workspace has one of that name."""
        own = sorted(path.parent.name for path in self.folder.glob("[!.]*/manifest.json"))
        shipped = [DEMO.name] if (DEMO / "manifest.json").exists() else []
        return [name for name in shipped if name not in own] + own

    def path(self, name: str) -> Path:
        """Folder of an existing dataset.

        Raises
        ------
        SegueError
            If there is none of that name; the sentence lists those there are.
        """
        folder = self.folder / checked_name(name)
        if (folder / "manifest.json").exists():
            return folder
        if name == DEMO.name and (DEMO / "manifest.json").exists():
            return DEMO
        there = ", ".join(self.names()) or "none yet"
        raise SegueError(f"There is no dataset {name!r} in {self.folder} (there: {there}).")

    def new_path(self, name: str) -> Path:
        """Folder for a dataset to be written, existing or not."""
        return self.folder / checked_name(name)

    def stamp(self, name: str) -> str:
        """What changes when a dataset is imported, joined, trained, measured, or first copied."""
        folder = self.path(name)
        patterns = ("*.json", "models/*/card.json", "map/card.json", "maps/*/card.json")
        files = [file for pattern in patterns for file in sorted(folder.glob(pattern))]
        place = "shipped" if folder == DEMO else ""  # a copy of it has the same times
        return "-".join([place, *map(_written, files)])

    def is_own(self, name: str) -> bool:
        """Whether a dataset is in this folder; only the shipped demo is not."""
        return self.path(name) != DEMO

    def own_path(self, name: str) -> Path:
        """Folder of an existing dataset that may be deleted; a SegueError for any other."""
        if not self.is_own(name):
            raise SegueError(f"{name!r} ships with Segue and cannot be deleted.")
        return self.path(name)

    def delete(self, name: str) -> None:
        """Delete a dataset with all that was trained on it, at once or not at all.

        Whoever has it open keeps what is in memory. Where the demo's copy is deleted, the demo is
        again as it ships.

        Raises
        ------
        SegueError
            If there is none of that name, or it is the demo as it ships.
        """
        folder = self.own_path(name)
        try:
            delete_folder(folder)
        except FileNotFoundError:
            raise SegueError(f"{name!r} was deleted by somebody else just now.") from None

    @property
    def downloads(self) -> Path:
        """Folder of downloads that are not imported yet."""
        return self.folder / ".downloads"


def _written(file: Path) -> str:
    """When a file was last written; empty where there is none any more."""
    try:
        return str(file.stat().st_mtime_ns)
    except FileNotFoundError:
        return ""


def checked_name(name: str) -> str:
    """The name itself if it can name a folder anywhere.

    Raises
    ------
    SegueError
        If it has other characters than letters, digits, dot, dash and underscore.
    """
    if not _NAME.fullmatch(name):
        raise SegueError(
            f"{name!r} cannot name a dataset: use 1 to 64 letters, digits, dots, dashes or "
            "underscores, starting with a letter or digit."
        )
    return name
