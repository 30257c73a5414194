"""What a depot is, and the one that is a folder."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from core.errors import SegueError
from core.workspace import atomic_folder, delete_folder, read_json, recover, write_json


class Depot(ABC):
    """A root of places."""

    @abstractmethod
    def reading(self, place: str, parts: Collection[str] = ()) -> Path:
        """A folder that holds what is at a place.

        Parameters
        ----------
        place : str
        parts : collection of str
            Files and folders of it that are needed; everything by default. There may be more.

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
    def names(self, above: str) -> list[str]:
        """Places and JSON files directly below a path that is no place, in order."""

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


class Folder(Depot):
    """Folders below a root."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def reading(self, place: str, parts: Collection[str] = ()) -> Path:
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
        path = self._root / place
        if path.parent.is_dir():
            recover(path.parent)
        if path.exists():
            delete_folder(path)

    def names(self, above: str) -> list[str]:
        return sorted(path.name for path in (self._root / above).glob("[!.]*"))

    def exists(self, place: str) -> bool:
        return (self._root / place).exists()

    def read_json(self, place: str) -> Any:
        return read_json(self._root / place)

    def write_json(self, place: str, value: Any) -> None:
        write_json(self._root / place, value)

    def address(self, place: str) -> str:
        return str(self._root / place)
