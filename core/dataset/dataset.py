"""An open dataset: memory-mapped arrays and columns, read-only."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scipy import sparse

from core.dataset.schema import AUDIO_FEATURES, TRACK_FIELDS, VERSION
from core.errors import SegueError
from core.workspace import load_array, read_json


@dataclass(frozen=True)
class Playlists:
    """Playlists as compressed rows: the data type that models learn from.

    Attributes
    ----------
    indptr : int64 array, shape (n_playlists + 1,)
        Where each playlist starts and ends in `tracks`.
    tracks : int32 array, shape (n_entries,)
        Track ids in playlist order; distinct within a playlist.
    titles : sequence of str or None, length n_playlists
    n_tracks : int
        Number of tracks of the dataset, whether these playlists hold them or not.
    modified : float64 array, shape (n_playlists,), or None
        When each was last changed, in seconds since 1970, NaN where unknown; None where no
        date is known.
    """

    indptr: np.ndarray
    tracks: np.ndarray
    titles: Sequence[str | None]
    n_tracks: int
    modified: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.indptr) - 1

    def __getitem__(self, row: int) -> np.ndarray:
        return self.tracks[self.indptr[row] : self.indptr[row + 1]]

    @property
    def lengths(self) -> np.ndarray:
        """Tracks of each playlist, int64."""
        return np.diff(self.indptr)

    def matrix(self) -> sparse.csr_array:
        """Ones where a playlist holds a track, float32, shape (n_playlists, n_tracks)."""
        matrix = sparse.csr_array(
            (np.ones(len(self.tracks), np.float32), self.tracks, self.indptr),
            shape=(len(self), self.n_tracks),
        )
        return matrix.sorted_indices()

    def entries_of(self, tracks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Playlist and track of every entry that is one of these tracks, in the order of entries.

        One pass over all entries, with a byte for each track and no index.
        """
        wanted = np.zeros(self.n_tracks, bool)
        wanted[tracks] = True
        entries = np.flatnonzero(wanted[self.tracks])
        rows = np.searchsorted(self.indptr, entries, side="right") - 1
        return rows, self.tracks[entries]

    def select(self, rows: np.ndarray) -> Self:
        """Only these playlists, in this order."""
        lengths = self.lengths[rows]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        shift = np.repeat(self.indptr[rows] - indptr[:-1], lengths)
        tracks = self.tracks[np.arange(indptr[-1]) + shift]
        titles = [self.titles[row] for row in rows]
        modified = None if self.modified is None else self.modified[rows]
        return type(self)(indptr, tracks, titles, self.n_tracks, modified)


class Dataset:
    """A dataset folder, opened; cheap to open at any size.

    Track ids are dense and fall with the number of playlists that hold them.

    Parameters
    ----------
    folder : Path
    playlists : Playlists, optional
        Narrows the view to these; by default all that the folder holds.

    Raises
    ------
    SegueError
        If the folder is no dataset or was written by a later version.
    """

    def __init__(self, folder: Path, playlists: Playlists | None = None) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = read_json(folder / "manifest.json")
        if self.manifest.get("version") != VERSION:
            raise SegueError(
                f"{folder} has schema version {self.manifest.get('version')!r}, this Segue reads "
                f"{VERSION}: import the dataset again."
            )
        if playlists is not None:
            self.__dict__["playlists"] = playlists

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def n_tracks(self) -> int:
        return self.manifest["counts"]["tracks"]

    @property
    def n_playlists(self) -> int:
        """Playlists in this view."""
        return len(self.playlists)

    def _array(self, name: str) -> np.ndarray:
        return load_array(self.folder / "arrays" / f"{name}.npy")

    def _table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A table, or those of these columns that it has."""
        path = self.folder / f"{name}.parquet"
        try:
            return pq.ParquetFile(path, memory_map=True).read(columns=columns)
        except (OSError, pa.ArrowException) as error:
            raise SegueError(f"{path} is damaged ({error}); import it again.") from error

    @cached_property
    def playlists(self) -> Playlists:
        table = self._table("playlists", ["title", "modified"])
        titles = table["title"].to_pylist()
        modified = None
        if "modified" in table.column_names and table["modified"].null_count < len(table):
            modified = table["modified"].cast(pa.float64()).to_numpy()
        return Playlists(
            self._array("indptr"), self._array("track"), titles, self.n_tracks, modified
        )

    @cached_property
    def counts(self) -> np.ndarray:
        """Playlists of this view that hold each track, int32, shape (n_tracks,)."""
        return np.bincount(self.playlists.tracks, minlength=self.n_tracks).astype(np.int32)

    @cached_property
    def by_popularity(self) -> np.ndarray:
        """Track ids by falling count in this view, int32, shape (n_tracks,).

        Equal counts are in a fixed random order: the order of ids is that of the whole dataset,
        and would tell a training split what its held-out playlists hold.
        """
        order = np.random.default_rng(0).permutation(self.n_tracks).astype(np.int32)
        return order[np.argsort(-self.counts[order], kind="stable")]

    @cached_property
    def artist(self) -> np.ndarray:
        """Artist id of each track, int32, shape (n_tracks,)."""
        return self._array("artist")

    @cached_property
    def song(self) -> np.ndarray:
        """Song id of each track, int32: versions of one song share it."""
        return self._array("song")

    @cached_property
    def match_key(self) -> np.ndarray:
        """Hash of each track's title and artist, uint64; see `matching.match_keys`."""
        return self._array("match_key")

    @cached_property
    def artists(self) -> pa.Table:
        """Artists by id: uri, name, genres, followers, popularity, tracks, entries."""
        return self._table("artists")

    @cached_property
    def _columns(self) -> dict[str, pa.ChunkedArray]:
        return {}

    def column(self, name: str) -> pa.ChunkedArray:
        """One column of the tracks table by id, e.g. "title"; see the schema for names.

        A field of the schema that the folder was written without is null throughout.
        """
        if name not in self._columns:
            table = self._table("tracks", [name])
            if name not in table.column_names and name in TRACK_FIELDS.names:
                nulls = pa.nulls(self.n_tracks, TRACK_FIELDS.field(name).type)
                table = pa.table({name: nulls})
            self._columns[name] = table[name].combine_chunks()
        return self._columns[name]

    def values(self, name: str, ids: Sequence[int] | np.ndarray) -> list[Any]:
        """Values of a column at these ids, as Python objects."""
        return self.column(name).take(pa.array(np.asarray(ids, np.int64))).to_pylist()

    @cached_property
    def audio(self) -> np.ndarray:
        """Audio features, float32, shape (n_tracks, 11), NaN where unknown.

        Columns in the order and units of `schema.AUDIO_FEATURES`.
        """
        table = self._table("tracks", list(AUDIO_FEATURES))
        columns = [table[name].to_numpy().astype(np.float32) for name in AUDIO_FEATURES]
        return np.stack(columns, axis=1)

    @cached_property
    def year(self) -> np.ndarray:
        """Year of release of each track, float32, shape (n_tracks,), NaN where unknown."""
        return self.column("year").cast(pa.float32()).to_numpy(zero_copy_only=False)

    @cached_property
    def explicit(self) -> np.ndarray:
        """Whether each track is known to be explicit, bool, shape (n_tracks,)."""
        return self.column("explicit").fill_null(False).to_numpy(zero_copy_only=False)

    @cached_property
    def _uri_order(self) -> np.ndarray:
        return self._array("uri_order")

    def ids_of(self, uris: Sequence[str]) -> np.ndarray:
        """Ids of tracks by uri, int32; -1 where the dataset has none."""
        column, order = self.column("uri"), self._uri_order
        ids = np.full(len(uris), -1, np.int32)
        for i, uri in enumerate(uris):
            at = bisect_left(order, uri, key=lambda row: column[int(row)].as_py())
            if at < len(order) and column[int(order[at])].as_py() == uri:
                ids[i] = order[at]
        return ids

    def select(self, rows: np.ndarray) -> "Dataset":
        """View of the same tracks with only these playlists, e.g. a training split."""
        return Dataset(self.folder, self.playlists.select(np.asarray(rows)))
