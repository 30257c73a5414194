"""Fit models on a dataset and keep them beside it."""

import json
import shutil
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
from core.measure import Cost, measured
from core.progress import SILENT, Progress
from core.ranking.features import documented
from core.ranking.ranker import LABEL, RANKER, Ranker, require_lightgbm
from core.recommender import Recommender
from core.retrieval import MODELS, PRESETS
from core.retrieval.base import RetrievalModel
from core.retrieval.track2vec import Track2Vec
from core.training.maps import make_map
from core.training.ranking import train_ranker
from core.workspace import atomic_folder, read_json, recover, write_json

RANKER_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "fast": {"folds": 2, "playlists": 500, "masks": 2, "rounds": 60},
    "full": {},
}
"""Settings of the ranker that differ from its defaults, as `PRESETS`."""


@dataclass(frozen=True)
class Card:
    """What is known of a trained model.

    Attributes
    ----------
    model : str
        Name in the registry, or "ranker".
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


def require(name: str) -> None:
    """Make sure that a model or the ranker can be fitted here.

    Raises
    ------
    SegueError
        If a package is missing; the sentence says how to get it.
    """
    if name == RANKER:
        require_lightgbm()
    else:
        MODELS[name].require_packages()


def why_not(name: str) -> str | None:
    """Why a model or the ranker cannot be fitted here, in a sentence; None where it can."""
    try:
        require(name)
    except SegueError as problem:
        return str(problem)
    return None


def chosen_models(names: str) -> list[str]:
    """Names of models and the ranker from "a,b", or "all" that can be fitted here; in order.

    Raises
    ------
    SegueError
        If a name does not exist, or its packages are not installed.
    """
    known = [*MODELS, RANKER]
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    if wanted == ["all"]:
        return [name for name in known if not why_not(name)]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise SegueError(
            f"There is no model {', '.join(unknown) or repr('')}; there are {', '.join(known)}."
        )
    for name in wanted:
        require(name)
    return [name for name in known if name in wanted]


def preset_params(name: str, preset: str) -> Any:
    """Settings of a model or the ranker under a preset: "fast" or "full".

    Raises
    ------
    SegueError
        If there is no such preset.
    """
    if preset not in PRESETS:
        raise SegueError(f"There is no preset {preset!r}; there are {', '.join(PRESETS)}.")
    if name == RANKER:
        return Ranker.Params(**RANKER_PRESETS[preset])
    return MODELS[name].Params(**PRESETS[preset].get(name, {}))


def fit(
    name: str, params: Any, dataset: Dataset, seed: int = 0, progress: Progress = SILENT
) -> tuple[RetrievalModel, Card]:
    """Fit one model and measure what it cost."""
    model = MODELS[name](params)
    with measured() as cost:
        model.fit(dataset, seed, progress)
    return model, _card(name, model.params, dataset, seed, cost)


def _card(name: str, params: Any, dataset: Dataset, seed: int, cost: Cost) -> Card:
    return Card(
        name,
        asdict(params),
        seed,
        dataset.manifest["fingerprint"],
        round(cost.seconds, 3),
        round(cost.peak_mb, 1),
        datetime.now(UTC).isoformat(timespec="seconds"),
    )


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
        label = LABEL if name == RANKER else MODELS[name].label
        part = progress.within(i / len(names), (i + 1) / len(names), label)
        params = replace(preset_params(name, preset), **settings.get(name, {}))
        if name == RANKER:
            cards.append(_store_ranker(dataset, params, seed, part))
            continue
        model, card = fit(name, params, dataset, seed, part)
        with atomic_folder(_folder(dataset, name)) as folder:
            model.save(folder)
            write_json(folder / "card.json", asdict(card))
        cards.append(card)
        if isinstance(model, Track2Vec) and np.count_nonzero(model.vectors.any(1)) >= MIN_POINTS:
            make_map(dataset, name, model.vectors, map_method, seed=seed, progress=part)
    return cards


def _store_ranker(dataset: Dataset, params: Ranker.Params, seed: int, progress: Progress) -> Card:
    """The ranker of the models that are there."""
    sources = ranker_sources(cards(dataset))
    work = dataset.folder / "crossfit"
    with measured() as cost:
        ranker = train_ranker(dataset, sources, work, params, seed, progress)
    card = _card(RANKER, ranker.params, dataset, seed, cost)
    with atomic_folder(_folder(dataset, RANKER)) as folder:
        ranker.save(folder)
        write_json(folder / "sources.json", sources)
        write_json(folder / "card.json", asdict(card))
    shutil.rmtree(work, ignore_errors=True)
    return card


def ranker_sources(trained: Sequence[Card]) -> dict[str, Mapping[str, Any]]:
    """The models that a ranker orders the candidates of, and their settings."""
    return {
        card.model: card.params
        for card in trained
        if card.model != RANKER and MODELS[card.model].retrieves
    }


def _folder(dataset: Dataset, name: str) -> Path:
    return dataset.folder / "models" / name


def cards(dataset: Dataset) -> list[Card]:
    """Cards of the models trained on a dataset, in the registry's order, the ranker's last."""
    models = dataset.folder / "models"
    if models.is_dir():
        recover(models)
    stored = {path.parent.name: path for path in models.glob("[!.]*/card.json")}
    return [Card(**read_json(stored[name])) for name in (*MODELS, RANKER) if name in stored]


def load_models(dataset: Dataset) -> dict[str, RetrievalModel]:
    """Load every trained model of a dataset.

    Raises
    ------
    SegueError
        If one was fitted on other playlists than the folder now holds, or is damaged.
    """
    models = {}
    for card in cards(dataset):
        if card.model == RANKER:
            continue
        if card.fingerprint != dataset.manifest["fingerprint"]:
            raise SegueError(
                f"The model {card.model!r} was trained on another version of "
                f"{dataset.name!r}: train it again."
            )
        models[card.model] = MODELS[card.model].load(_folder(dataset, card.model), dataset)
    return models


def load_recommender(dataset: Dataset) -> Recommender:
    """Everything that is trained on a dataset, composed.

    A ranker that cannot be used is left out, and the recommender says why.

    Raises
    ------
    SegueError
        If no model is trained, or one is of other playlists or damaged.
    """
    models = load_models(dataset)
    folder = _folder(dataset, RANKER)
    if not (folder / "card.json").exists():
        return Recommender(dataset, models)
    try:
        return Recommender(dataset, models, _load_ranker(dataset, folder))
    except SegueError as problem:
        note = f"{problem} Until then the models' ranks are fused."
        return Recommender(dataset, models, notes=(note,))


def _load_ranker(dataset: Dataset, folder: Path) -> Ranker:
    *trained, card = cards(dataset)
    if card.fingerprint != dataset.manifest["fingerprint"]:
        raise SegueError("The ranker was trained on other playlists: train it again.")
    if read_json(folder / "sources.json") != json.loads(json.dumps(ranker_sources(trained))):
        raise SegueError("The ranker was trained with other models than there are: train it again.")
    ranker = Ranker.load(folder)
    if ranker.features != tuple(feature.name for feature in documented(ranker.sources)):
        raise SegueError(
            "The ranker was trained with other features than there are: train it again."
        )
    return ranker
