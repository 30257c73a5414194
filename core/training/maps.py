"""Maps of a dataset's tracks, laid out once at training so that looking costs nothing."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.dataset.dataset import Dataset
from core.explore.projection import LIMIT, project, trustworthiness
from core.progress import SILENT, Progress
from core.workspace import atomic_folder, load_array, read_json, save_arrays, write_json


@dataclass(frozen=True)
class MapCard:
    """How a map was made.

    Attributes
    ----------
    model : str
        Whose vectors are laid out.
    method : str
        "umap", "tsne" or "pca".
    seed : int
    trustworthiness : float
        0 to 1, see `projection.trustworthiness`.
    fingerprint : str
        Of the dataset.
    made : str
        Time, ISO 8601, UTC.
    """

    model: str
    method: str
    seed: int
    trustworthiness: float
    fingerprint: str
    made: str


@dataclass(frozen=True)
class TrackMap:
    """A map, opened.

    Attributes
    ----------
    coordinates : float32 array, shape (n, 2)
        Row i places track i; only the most popular tracks have a row, and one without a vector is
        NaN.
    card : MapCard
    """

    coordinates: np.ndarray
    card: MapCard


def make_map(
    dataset: Dataset,
    model: str,
    vectors: np.ndarray,
    method: str = "umap",
    *,
    limit: int = LIMIT,
    seed: int = 0,
    progress: Progress = SILENT,
) -> MapCard:
    """Lay out the vectors of a model's most popular tracks, and store the map."""
    coordinates = project(vectors, method, limit=limit, seed=seed, progress=progress)
    card = MapCard(
        model,
        method,
        seed,
        trustworthiness(vectors, coordinates, seed=seed),
        dataset.manifest["fingerprint"],
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    with atomic_folder(_folder(dataset)) as folder:
        save_arrays(folder, {"coordinates": coordinates})
        write_json(folder / "card.json", asdict(card))
    return card


def load_map(dataset: Dataset) -> TrackMap | None:
    """The stored map, None where there is none or it is of other playlists."""
    folder = _folder(dataset)
    if not (folder / "card.json").exists():
        return None
    card = MapCard(**read_json(folder / "card.json"))
    if card.fingerprint != dataset.manifest["fingerprint"]:
        return None
    return TrackMap(load_array(folder / "coordinates.npy"), card)


def _folder(dataset: Dataset) -> Path:
    return dataset.folder / "map"
