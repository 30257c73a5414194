"""Fit models on a dataset and keep them beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
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
from core.ranking.ranker import RANKER, Ranker, require_lightgbm
from core.recommender import label_of
from core.retrieval import MODELS, PRESETS
from core.retrieval.base import RetrievalModel
from core.retrieval.track2vec import Track2Vec
from core.trained import Card, cards, folder_of, ranker_sources
from core.training.crossfit import working
from core.training.maps import make_map
from core.training.ranking import train_ranker
from core.training.settings import require_settings
from core.workspace import atomic_folder, write_json

RANKER_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "fast": {"folds": 2, "playlists": 500, "masks": 2, "rounds": 60},
    "full": {},
}
"""Settings of the ranker that differ from its defaults, as `PRESETS`."""


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


def chosen_params(
    name: str, preset: str, settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({})
) -> Any:
    """Settings of a model under a preset, but for those that are set.

    Raises
    ------
    SegueError
        If there is no such preset or setting.
    """
    chosen = settings.get(name, {})
    require_settings(name, chosen)
    return replace(preset_params(name, preset), **chosen)


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
        part = progress.within(i / len(names), (i + 1) / len(names), label_of(name))
        params = chosen_params(name, preset, settings)
        model, card = make(name, params, dataset, folder_of(dataset, name), seed, part)
        cards.append(card)
        if isinstance(model, Track2Vec) and np.count_nonzero(model.vectors.any(1)) >= MIN_POINTS:
            make_map(dataset, name, model.vectors, map_method, seed=seed, progress=part)
    return cards


def make(
    name: str,
    params: Any,
    dataset: Dataset,
    folder: Path,
    seed: int = 0,
    progress: Progress = SILENT,
) -> tuple[RetrievalModel | Ranker, Card]:
    """Fit a model, or the ranker of the models that are there, and store it with its card.

    Parameters
    ----------
    name : str
    params : Params
        Of the model.
    dataset : Dataset
    folder : Path
        Replaced when everything is written.
    seed : int
    progress : Progress
    """
    if name == RANKER:
        return _make_ranker(params, dataset, folder, seed, progress)
    model, card = fit(name, params, dataset, seed, progress)
    with atomic_folder(folder) as partial:
        model.save(partial)
        write_json(partial / "card.json", asdict(card))
    return model, card


def _make_ranker(
    params: Ranker.Params, dataset: Dataset, folder: Path, seed: int, progress: Progress
) -> tuple[Ranker, Card]:
    sources = ranker_sources(cards(dataset))
    with working(dataset, sources, params, seed) as work:
        with measured() as cost:
            ranker = train_ranker(dataset, sources, work, params, seed, progress)
        card = _card(RANKER, ranker.params, dataset, seed, cost)
        with atomic_folder(folder) as partial:
            ranker.save(partial)
            write_json(partial / "sources.json", sources)
            write_json(partial / "card.json", asdict(card))
    return ranker, card
