"""Datasets of a workspace: import, simulate, open."""

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import jobs
from core.dataset.build import Provenance, build
from core.dataset.dataset import Dataset
from core.dataset.sources import lists, mpd, nowplaying, simulated, tidytuesday
from core.dataset.sources.base import Batch
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import DEMO, Workspace, atomic_folder

Reader = Callable[[Sequence[Path], Progress], Iterator[Batch]]


@dataclass(frozen=True)
class Source:
    """A kind of files that can become a dataset.

    Attributes
    ----------
    label : str
        What a person calls it.
    read : callable (paths, progress) -> iterator of Batch
    licence : str or None
        Of the published set; None where it is the files' own matter.
    """

    label: str
    read: Reader
    licence: str | None = None


SOURCES: Mapping[str, Source] = {
    "mpd": Source("Million Playlist Dataset JSON", mpd.read),
    "nowplaying": Source("#nowplaying playlists as CSV", nowplaying.read),
    "tidytuesday": Source(
        "TidyTuesday Spotify songs", tidytuesday.read, "MIT (TidyTuesday, 2020-01-21)"
    ),
    "list": Source("playlists as CSV, M3U, XSPF, JSPF or text", lists.read),
}
AUTO = "auto"
_HEADERS: Mapping[str, set[str]] = {
    "tidytuesday": {"playlist_id", "track_id"},
    "nowplaying": {"user_id", "artistname", "trackname", "playlistname"},
}
"""Columns by which a CSV is known."""


def import_dataset(
    workspace: Workspace,
    name: str,
    source: str,
    paths: Sequence[Path],
    progress: Progress = SILENT,
    *,
    licence: str | None = None,
    address: str | None = None,
) -> dict[str, Any]:
    """Read files into a dataset of the workspace, replacing one of that name at success only.

    Parameters
    ----------
    workspace : Workspace
    name : str
    source : str
        A key of `SOURCES`, or "auto" to look at the first path.
    paths : sequence of Path
    progress : Progress
    licence : str, optional
        By default the source's.
    address : str, optional
        Where the files were downloaded from.

    Returns
    -------
    dict
        The manifest.

    Raises
    ------
    SegueError
        If the source is unknown, or its files cannot be read.
    """
    chosen = source_of(paths[0]) if source == AUTO and paths else source
    if chosen not in SOURCES or not paths:
        raise SegueError(
            f"{source!r} with {len(paths)} paths cannot be imported: give one of "
            f"{', '.join([*SOURCES, AUTO])}, and at least one path."
        )
    reader = SOURCES[chosen]
    provenance = Provenance(
        name,
        chosen,
        licence=licence or reader.licence,
        files=tuple(path.name for path in paths),
        address=address,
    )
    batches = reader.read(paths, progress)
    return build(batches, workspace.new_path(name), provenance, progress)


def source_of(path: Path) -> str:
    """Guess which source a path is: by its ending and, for a CSV, its header."""
    ending = path.suffix.lower()
    if ending == ".zip" or (path.is_dir() and any(path.rglob("*.json"))):
        return "mpd"
    if ending == ".json":
        return "mpd" if b'"playlists"' in _head(path) else "list"
    if ending == ".csv":
        columns = _columns(path)
        for source, needed in _HEADERS.items():
            if needed <= columns:
                return source
    return "list"


def _columns(path: Path) -> set[str]:
    """Names in the header of a CSV."""
    header = _head(path).decode("utf-8-sig", errors="replace").partition("\n")[0]
    return {name.strip('" \r') for name in header.split(",")}


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(65_536)
    except OSError as error:
        raise SegueError(f"{path}: cannot be read ({error.strerror}).") from error


def simulate_dataset(
    workspace: Workspace,
    name: str,
    playlists: int,
    tracks: int,
    seed: int = 0,
    progress: Progress = SILENT,
) -> dict[str, Any]:
    """Invent a dataset; see `sources.simulated` for what it is like."""
    provenance = Provenance(name, "simulated", licence="CC0 1.0", simulated=True)
    batches = simulated.simulate(playlists, tracks, seed, progress)
    return build(batches, workspace.new_path(name), provenance, progress)


def open_dataset(workspace: Workspace, name: str) -> Dataset:
    """Open a dataset of the workspace, or the shipped demo."""
    return Dataset(workspace.path(name))


def open_writable(workspace: Workspace, name: str) -> Dataset:
    """Open a dataset to be extended; the shipped demo is first copied into the workspace."""
    folder = workspace.path(name)
    if folder == DEMO:
        with atomic_folder(workspace.new_path(name)) as partial:
            shutil.copytree(folder, partial, dirs_exist_ok=True)
        folder = workspace.path(name)
    return Dataset(folder)


def delete_dataset(workspace: Workspace, name: str) -> None:
    """Delete a dataset of the workspace; see `Workspace.delete`.

    Raises
    ------
    SegueError
        If a job is running, which may be using it, or it cannot be deleted.
    """
    if job := jobs.current(workspace):
        raise SegueError(f"{name!r} is not deleted while “{job.label}” is running.")
    workspace.delete(name)
