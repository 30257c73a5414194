"""Maps of a dataset's tracks, laid out once so that looking costs nothing.

A dataset has any number of them, one for each model with vectors and each method, beside the
model: `<dataset>/maps/<model>-<method>/`.
"""

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.explore.clusters import Cluster, find_clusters, nearest_centre
from core.explore.projection import LAID_OUT, METHODS, MOST, project, trust
from core.progress import SILENT, Progress
from core.retrieval import MODELS
from core.retrieval.base import RetrievalModel
from core.workspace import atomic_folder, load_array, read_json, recover, save_arrays, write_json

DEFAULT_MODEL = "track2vec"
STEP = 1 / 10_000
"""Coordinates are stored as 16-bit multiples of this: half the bytes, and a hundredth of a pixel.
Strays farther out than three times the frame are moved in."""
_NOWHERE = np.iinfo(np.int16).min


@dataclass(frozen=True)
class MapCard:
    """How a map was made, and how far it can be trusted.

    Attributes
    ----------
    model : str
        Whose vectors are laid out.
    method : str
        "umap", "tsne" or "pca".
    seed : int
    trustworthiness : float
        0 to 1, see `projection.Trust`.
    fingerprint : str
        Of the dataset.
    made : str
        Time, ISO 8601, UTC.
    kept : float or None
        Share of `k` neighbours on the map that are as near in the model, see `projection.Trust`;
        None where it was not measured.
    k : int
    placed : int or None
        Tracks with a place.
    laid_out : int or None
        Of these, the most popular ones that the method laid out; the others were placed among them.
    clusters : tuple of Cluster
    """

    model: str
    method: str
    seed: int
    trustworthiness: float
    fingerprint: str
    made: str
    kept: float | None = None
    k: int = 0
    placed: int | None = None
    laid_out: int | None = None
    clusters: tuple[Cluster, ...] = field(default=())


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

    def membership(self) -> np.ndarray:
        """Index in `card.clusters` of each row, int32 [n]; -1 without a place or clusters."""
        centres = np.array([(cluster.x, cluster.y) for cluster in self.card.clusters])
        if not len(centres):
            return np.full(len(self.coordinates), -1, np.int32)
        return nearest_centre(centres, self.coordinates)


def make_map(
    dataset: Dataset,
    model: str,
    vectors: np.ndarray,
    method: str = "umap",
    *,
    tracks: int = MOST,
    seed: int = 0,
    progress: Progress = SILENT,
) -> MapCard:
    """Lay out the vectors of a model's most popular tracks, name its regions, store the map.

    Raises
    ------
    SegueError
        See `projection.project`.
    """
    drawn = project(vectors, method, tracks=tracks, seed=seed, progress=progress)
    steps = _to_steps(drawn)
    coordinates = _from_steps(steps)
    progress.update("Measuring the map")
    trusted = trust(vectors, coordinates, seed=seed)
    placed = int(np.isfinite(coordinates).all(axis=1).sum())
    progress.update("Naming its regions")
    card = MapCard(
        model,
        method,
        seed,
        trusted.trustworthiness,
        dataset.manifest["fingerprint"],
        datetime.now(UTC).isoformat(timespec="seconds"),
        trusted.kept,
        trusted.k,
        placed,
        placed if method == "pca" else min(placed, LAID_OUT),
        tuple(find_clusters(dataset, coordinates, seed)),
    )
    with atomic_folder(_folder(dataset, model, method)) as folder:
        save_arrays(folder, {"coordinates": steps})
        write_json(folder / "card.json", asdict(card))
    return card


def _to_steps(coordinates: np.ndarray) -> np.ndarray:
    """Coordinates as stored, int16 [n, 2]."""
    steps = np.clip(np.rint(coordinates / STEP), _NOWHERE + 1, -_NOWHERE - 1)
    return np.where(np.isfinite(steps), steps, _NOWHERE).astype(np.int16)


def _from_steps(steps: np.ndarray) -> np.ndarray:
    """Coordinates as they are used, float32 [n, 2]."""
    return np.where(steps == _NOWHERE, np.float32(np.nan), steps * np.float32(STEP))


def embeds(model: str) -> bool:
    """Whether a model of the registry has vectors to lay out."""
    return MODELS[model].track_vectors is not RetrievalModel.track_vectors


def mapped_vectors(model: RetrievalModel) -> np.ndarray:
    """What a map of this model lays out.

    Raises
    ------
    SegueError
        If the model has no vectors.
    """
    vectors = model.track_vectors()
    if vectors is None:
        raise SegueError(f"{model.label} has no vectors to lay out.")
    return vectors


def require_map(model: str, method: str) -> None:
    """Make sure that there can be such a map.

    Raises
    ------
    SegueError
        If there is no such model or method, or the model has no vectors.
    """
    mapped = [name for name in MODELS if embeds(name)]
    if model not in mapped:
        raise SegueError(
            f"There is no map of {model!r}: choose a model with vectors, one of "
            f"{', '.join(mapped)}."
        )
    if method not in METHODS:
        raise SegueError(f"There is no map method {method!r}: choose one of {', '.join(METHODS)}.")


def maps(dataset: Dataset) -> list[MapCard]:
    """Cards of the stored maps of these playlists, the default first.

    The default is track2vec's, by UMAP; then come models in the registry's order.
    """
    stored = dataset.folder / "maps"
    if stored.is_dir():
        recover(stored)
    found = {(card.model, card.method): card for card in map(_card, _folders(dataset))}
    models = sorted(MODELS, key=lambda model: model != DEFAULT_MODEL)
    order = [(model, method) for model in models for method in METHODS]
    fingerprint = dataset.manifest["fingerprint"]
    return [found[key] for key in order if key in found and found[key].fingerprint == fingerprint]


def load_map(
    dataset: Dataset, model: str | None = None, method: str | None = None
) -> TrackMap | None:
    """A stored map; of any model or by any method, the first of `maps`, where none is named.

    None where there is none such, or it is of other playlists.
    """
    for card in maps(dataset):
        if model in (None, card.model) and method in (None, card.method):
            folder = next(f for f in _folders(dataset) if _card(f) == card)
            stored = load_array(folder / "coordinates.npy")
            integer = np.issubdtype(stored.dtype, np.integer)
            return TrackMap(_from_steps(stored) if integer else stored, card)
    return None


def _folder(dataset: Dataset, model: str, method: str) -> Path:
    return dataset.folder / "maps" / f"{model}-{method}"


def _folders(dataset: Dataset) -> list[Path]:
    """Folders of stored maps; that of datasets trained by an earlier Segue, with one, first."""
    cards = [dataset.folder / "map" / "card.json"]
    cards += sorted((dataset.folder / "maps").glob("[!.]*/card.json"))
    return [card.parent for card in cards if card.exists()]


def _card(folder: Path) -> MapCard:
    stored = read_json(folder / "card.json")
    clusters = tuple(Cluster(**cluster) for cluster in stored.pop("clusters", ()))
    return MapCard(**stored, clusters=clusters)
