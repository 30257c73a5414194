"""Fit models on a dataset and keep them beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.explore.projection import MIN_POINTS
from core.measure import measured
from core.progress import SILENT, Progress
from core.retrieval import MODELS, PRESETS
from core.retrieval.base import RetrievalModel
from core.retrieval.track2vec import Track2Vec
from core.training.maps import make_map
from core.workspace import atomic_folder, read_json, recover, write_json


@dataclass(frozen=True)
class Card:
    """What is known of a trained model.

    Attributes
    ----------
    model : str
        Name in the registry.
    params : mapping
        Settings it was fitted with.
    seed : int
    fingerprint : str
        Of the dataset it was fitted on.
    seconds : float
        Wall time of the fit.
    peak_mb : float
        Largest resident memory of the process during the fit, in MB.
    trained : str
        Time, ISO 8601, UTC.
    """

    model: str
    params: Mapping[str, Any]
    seed: int
    fingerprint: str
    seconds: float
    peak_mb: float
    trained: str


def trainable() -> list[str]:
    """Names of the models that can be fitted with the packages installed."""
    return [name for name in MODELS if not MODELS[name].missing_packages()]


def chosen_models(names: str) -> list[str]:
    """Names of the registry from "a,b", or "all" that can be fitted here; in registry order.

    Raises
    ------
    SegueError
        If a name is not in the registry, or its packages are not installed.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted == ["all"]:
        return trainable()
    unknown = [name for name in wanted if name not in MODELS]
    if unknown or not wanted:
        raise SegueError(
            f"There is no model {', '.join(unknown) or repr('')}; there are {', '.join(MODELS)}."
        )
    for name in wanted:
        MODELS[name].require_packages()
    return [name for name in MODELS if name in wanted]


def preset_params(name: str, preset: str) -> Any:
    """Settings of a model under a preset: "fast" or "full".

    Raises
    ------
    SegueError
        If there is no such preset.
    """
    if preset not in PRESETS:
        raise SegueError(f"There is no preset {preset!r}; there are {', '.join(PRESETS)}.")
    return MODELS[name].Params(**PRESETS[preset].get(name, {}))


def fit(
    name: str, params: Any, dataset: Dataset, seed: int = 0, progress: Progress = SILENT
) -> tuple[RetrievalModel, Card]:
    """Fit one model and measure what it cost."""
    model = MODELS[name](params)
    with measured() as cost:
        model.fit(dataset, seed, progress)
    card = Card(
        name,
        asdict(model.params),
        seed,
        dataset.manifest["fingerprint"],
        round(cost.seconds, 3),
        round(cost.peak_mb, 1),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return model, card


def train(
    dataset: Dataset,
    names: Sequence[str],
    preset: str = "full",
    seed: int = 0,
    progress: Progress = SILENT,
    map_method: str = "umap",
    settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> list[Card]:
    """Fit models and store each as soon as it is ready; lay out the map of track2vec's vectors.

    Parameters
    ----------
    dataset : Dataset
        Of a writable workspace.
    names : sequence of str
        Of the registry.
    preset : str
        "fast" for seconds, "full" for the settings that validation chose.
    seed : int
    progress : Progress
    map_method : str
        See `projection.project`.
    settings : mapping of model name to settings
        Instead of the preset's.

    Returns
    -------
    list of Card
    """
    cards = []
    for i, name in enumerate(names):
        part = progress.within(i / len(names), (i + 1) / len(names), MODELS[name].label)
        params = replace(preset_params(name, preset), **settings.get(name, {}))
        model, card = fit(name, params, dataset, seed, part)
        with atomic_folder(_folder(dataset, name)) as folder:
            model.save(folder)
            write_json(folder / "card.json", asdict(card))
        cards.append(card)
        if isinstance(model, Track2Vec) and np.count_nonzero(model.vectors.any(1)) >= MIN_POINTS:
            make_map(dataset, name, model.vectors, map_method, seed=seed, progress=part)
    return cards


def _folder(dataset: Dataset, name: str) -> Path:
    return dataset.folder / "models" / name


def cards(dataset: Dataset) -> list[Card]:
    """Cards of the models trained on a dataset, in the registry's order."""
    models = dataset.folder / "models"
    if models.is_dir():
        recover(models)
    stored = {path.parent.name: path for path in models.glob("[!.]*/card.json")}
    return [Card(**read_json(stored[name])) for name in MODELS if name in stored]


def load_models(dataset: Dataset) -> dict[str, RetrievalModel]:
    """Load every trained model of a dataset.

    Raises
    ------
    SegueError
        If one was fitted on other playlists than the folder now holds, or is damaged.
    """
    models = {}
    for card in cards(dataset):
        if card.fingerprint != dataset.manifest["fingerprint"]:
            raise SegueError(
                f"The model {card.model!r} was trained on another version of "
                f"{dataset.name!r}: train it again."
            )
        models[card.model] = MODELS[card.model].load(_folder(dataset, card.model), dataset)
    return models
