"""Public sets that can be fetched, each with its exact size and SHA-256.

So what is imported is what was looked at when the set was registered, wherever the bytes come
from. The environment's SEGUE_SETS may name a JSON file of further sets, or of mirrors of these.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from core.dataset.library import SOURCES
from core.errors import SegueError
from core.workspace import checked_name

REGISTRY = "SEGUE_SETS"
"""Environment variable that names a JSON file of sets: a list of objects with our fields."""


@dataclass(frozen=True)
class PublicSet:
    """A published set of playlists.

    Attributes
    ----------
    name : str
        What the command line calls it, and the dataset where no other name is given.
    label, about : str
        What a person calls it, and a sentence on what it is.
    address : str
        Of the one file, http or https.
    size : int
        Of the file, in bytes.
    sha256 : str
        Of the file, 64 hexadecimal digits.
    licence : str
    source : str
        The reader, a key of `library.SOURCES`.
    """

    name: str
    label: str
    about: str
    address: str
    size: int
    sha256: str
    licence: str
    source: str

    @property
    def file(self) -> str:
        """Name of the file, from the address."""
        return PurePosixPath(unquote(urlsplit(self.address).path)).name


SETS = (
    PublicSet(
        name="tidytuesday",
        label="TidyTuesday Spotify songs",
        about="471 playlists of six genres with 28,356 tracks, each with its audio features; few "
        "tracks are in two playlists, so it says more about sound than about taste.",
        address="https://raw.githubusercontent.com/rfordatascience/tidytuesday/main/data/2020/"
        "2020-01-21/spotify_songs.csv",
        size=7_971_379,
        sha256="9902920cfe4940f0914ebb6716801a42f7f19ac88fbd6693eaae7e2822b16845",
        licence="MIT (TidyTuesday, 2020-01-21)",
        source="tidytuesday",
    ),
)


def public_sets() -> dict[str, PublicSet]:
    """Registered sets by name; one of SEGUE_SETS replaces ours of the same name.

    Raises
    ------
    SegueError
        If that file cannot be read or lacks what a set needs.
    """
    path = os.environ.get(REGISTRY)
    further = _read_registry(Path(path).expanduser()) if path else []
    return {each.name: each for each in (*SETS, *further)}


def public_set(name: str) -> PublicSet:
    """A registered set; a SegueError lists those there are."""
    sets = public_sets()
    if name not in sets:
        raise SegueError(f"There is no public set {name!r} (there: {', '.join(sets)}).")
    return sets[name]


def _read_registry(path: Path) -> list[PublicSet]:
    try:
        entries = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SegueError(f"{REGISTRY}={path} cannot be read ({error}).") from error
    if not isinstance(entries, list):
        raise SegueError(f"{REGISTRY}={path} is no list of sets.")
    return [_checked(entry, f"{path}, set {number}") for number, entry in enumerate(entries, 1)]


def _checked(entry: Any, where: str) -> PublicSet:
    """An entry of a registry as a set, if nothing is amiss with it."""
    kinds = {field.name: field.type for field in fields(PublicSet)}
    if not isinstance(entry, Mapping) or entry.keys() != kinds.keys():
        raise SegueError(f"{where}: needs exactly {', '.join(kinds)}.")
    for name, kind in kinds.items():
        if type(entry[name]) is not kind or not entry[name]:
            raise SegueError(f"{where}: {name} is no {'text' if kind is str else 'number'}.")
    found = PublicSet(**entry)
    checked_name(found.name)
    wrong = {
        "address": urlsplit(found.address).scheme not in ("http", "https")
        or found.file.startswith(".")
        or not found.file,
        "size": found.size < 0,
        "sha256": not re.fullmatch(r"[0-9a-f]{64}", found.sha256),
        "source": found.source not in SOURCES,
    }
    for name in (name for name, is_wrong in wrong.items() if is_wrong):
        raise SegueError(f"{where}: {entry[name]!r} cannot be its {name}.")
    return found
