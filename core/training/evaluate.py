"""The leaderboard of a dataset: its models refitted without the held-out playlists."""

from collections.abc import Sequence

import psutil

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.leaderboard import Leaderboard, System, evaluate
from core.progress import SILENT, Progress
from core.recommender import FUSION, Recommender
from core.retrieval import MODELS, REFERENCES
from core.retrieval.base import RetrievalModel
from core.training.train import Card, cards, fit


def evaluate_models(
    dataset: Dataset,
    holdout: int,
    seed: int = 0,
    *,
    on_validation: bool = False,
    progress: Progress = SILENT,
) -> Leaderboard:
    """Measure every trained model, and their fusion, on held-out playlists.

    Each model is fitted again with its stored settings, on the playlists that are not held out.
    Package defaults of a trained model (`REFERENCES`) are measured beside it.

    Parameters
    ----------
    dataset : Dataset
    holdout : int
        Number of held-out playlists, over the ten categories.
    seed : int
        Of the split and of the models.
    on_validation : bool
        Hold out as many again and measure on these instead: for choosing settings, so that the
        test playlists are touched once.
    progress : Progress

    Raises
    ------
    SegueError
        If no model is trained, a package that fits one is missing, or too few playlists can be
        held out.
    """
    trained = cards(dataset)
    if not trained:
        raise SegueError(
            f"No model is trained on {dataset.name!r}: run "
            f"`python -m core train --dataset {dataset.name}` first."
        )
    for card in trained:
        MODELS[card.model].require_packages()
    parts = split(dataset, holdout, seed, validation=holdout if on_validation else 0)
    challenge = parts.validation or parts.test
    models, systems = _refit(parts.train, trained, seed, progress.within(0, 0.6, ""))
    fusion = Recommender(parts.train, models)
    total = sum(system.fit_seconds or 0 for system in systems if system.name in models)
    reads_titles = any(model.uses_titles for model in models.values())
    systems.append(
        System(FUSION, "Fusion of all", fusion.recommend, total, reads_titles=reads_titles)
    )
    return evaluate(systems, challenge, parts.train, progress.within(0.6, 1, ""))


def _refit(
    train: Dataset, trained: Sequence[Card], seed: int, progress: Progress
) -> tuple[dict[str, RetrievalModel], list[System]]:
    """The models by name, and they and their references as systems."""
    plan = [(card.model, MODELS[card.model].label, card.params) for card in trained]
    plan += [
        (name, label, params)
        for name, (label, params) in REFERENCES.items()
        if any(card.model == name for card in trained)
    ]
    models: dict[str, RetrievalModel] = {}
    systems = []
    before = psutil.Process().memory_info().rss
    for i, (name, label, params) in enumerate(plan):
        part = progress.within(i / len(plan), (i + 1) / len(plan), label)
        held = max(0, psutil.Process().memory_info().rss - before)
        model, card = fit(name, MODELS[name].Params(**params), train, seed, part)
        reference = name in models
        models.setdefault(name, model)
        systems.append(
            System(
                f"{name}_defaults" if reference else name,
                label,
                model.recommend,
                card.seconds,
                # Without the models that were fitted before and are still held.
                int(card.peak_mb * 1e6) - held,
                retrieves=not reference,
                reads_titles=model.uses_titles,
            )
        )
    return models, systems


def store_leaderboard(dataset: Dataset, board: Leaderboard) -> None:
    """Keep a leaderboard beside the dataset's models."""
    board.save(dataset.folder / "leaderboard.json")


def stored_leaderboard(dataset: Dataset) -> Leaderboard | None:
    """The leaderboard of the last evaluation, if there was one."""
    path = dataset.folder / "leaderboard.json"
    return Leaderboard.load(path) if path.exists() else None
