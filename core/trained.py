"""What is trained on a dataset, read back: cards, models, the recommender that they compose.

`core.training.train` puts it there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ranking.features import documented
from core.ranking.ranker import RANKER, Ranker
from core.recommender import Recommender
from core.retrieval import MODELS
from core.retrieval.base import RetrievalModel
from core.workspace import read_json, recover, write_json

_DEFAULT = "default.json"


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


def folder_of(dataset: Dataset, name: str) -> Path:
    """The folder of a trained model, or of one that is to be trained."""
    return dataset.folder / "models" / name


def cards(dataset: Dataset) -> list[Card]:
    """Cards of the models trained on a dataset, in the registry's order, the ranker's last."""
    return stored_cards(dataset.folder / "models")


def stored_cards(models: Path) -> list[Card]:
    """Cards of a folder of models, as `cards` gives them."""
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
    return {
        card.model: load_model(dataset, card.model)
        for card in cards(dataset)
        if card.model != RANKER
    }


def load_model(dataset: Dataset, name: str) -> RetrievalModel:
    """Load one trained model of a dataset.

    Raises
    ------
    SegueError
        If it is not trained, is of other playlists than the folder now holds, or is damaged.
    """
    card = next((card for card in cards(dataset) if card.model == name), None)
    if card is None:
        raise SegueError(
            f"No model {name!r} is trained on {dataset.name!r}: run "
            f"`python -m core train --dataset {dataset.name} --models {name}`."
        )
    if card.fingerprint != dataset.manifest["fingerprint"]:
        raise SegueError(
            f"The model {name!r} was trained on another version of {dataset.name!r}: train it "
            "again."
        )
    return MODELS[name].load(folder_of(dataset, name), dataset)


def load_recommender(dataset: Dataset) -> Recommender:
    """Everything that is trained on a dataset, composed.

    A ranker that cannot be used is left out, and the recommender says why.

    Raises
    ------
    SegueError
        If no model is trained, or one is of other playlists or damaged.
    """
    models, notes = load_models(dataset), []
    chosen = default_model(dataset)
    ranker = None
    if (folder_of(dataset, RANKER) / "card.json").exists():
        try:
            ranker = _load_ranker(dataset)
        except SegueError as problem:
            if chosen in (None, RANKER):
                notes.append(f"{problem} Until then the models' ranks are fused.")
    return Recommender(dataset, models, ranker, notes, chosen)


def ranker_problem(dataset: Dataset) -> str:
    """Why the trained ranker cannot be used, in a sentence; empty where it can."""
    try:
        _load_ranker(dataset)
    except SegueError as problem:
        return str(problem)
    return ""


def require_ranker_fits(folder: Path, sources: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise a SegueError unless the ranker of a folder was trained with these models."""
    if read_json(folder / "sources.json") != json.loads(json.dumps(sources)):
        raise SegueError("The ranker was trained with other models than there are: train it again.")


def _load_ranker(dataset: Dataset) -> Ranker:
    folder = folder_of(dataset, RANKER)
    *trained, card = cards(dataset)
    if card.fingerprint != dataset.manifest["fingerprint"]:
        raise SegueError("The ranker was trained on other playlists: train it again.")
    require_ranker_fits(folder, ranker_sources(trained))
    ranker = Ranker.load(folder)
    if ranker.features != tuple(feature.name for feature in documented(ranker.sources)):
        raise SegueError(
            "The ranker was trained with other features than there are: train it again."
        )
    return ranker


def ranker_sources(trained: Sequence[Card]) -> dict[str, Mapping[str, Any]]:
    """The models that a ranker orders the candidates of, and their settings."""
    return {
        card.model: card.params
        for card in trained
        if card.model != RANKER and MODELS[card.model].retrieves
    }


def default_model(dataset: Dataset) -> str | None:
    """What was chosen to answer by default; None where the best composition there is does.

    Raises
    ------
    SegueError
        If the file is damaged.
    """
    path = dataset.folder / _DEFAULT
    if not path.exists():
        return None
    try:
        return str(read_json(path)["model"])
    except (KeyError, TypeError) as error:
        raise SegueError(f"{path} is damaged: remove it, or choose a default again.") from error


def set_default(dataset: Dataset, name: str | None) -> None:
    """Let a model, the fusion or the ranker answer by default; None leaves it to what there is.

    Parameters
    ----------
    dataset : Dataset
        Of a writable workspace.
    name : str or None
        Not checked: one of `core.training.shelf.answers`.
    """
    if name is None:
        (dataset.folder / _DEFAULT).unlink(missing_ok=True)
    else:
        write_json(dataset.folder / _DEFAULT, {"model": name})
