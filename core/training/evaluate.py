"""The leaderboard of a dataset: its models refitted without the held-out playlists."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import psutil

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.dials import DialReport, measure_dials
from core.evaluation.leaderboard import Leaderboard, System, evaluate
from core.progress import SILENT, Progress
from core.ranking.ranker import LABEL, RANKER, Ranker, Standing
from core.recommender import FUSION, Recommender
from core.retrieval import MODELS, REFERENCES
from core.retrieval.base import Queries, Recommendations, RetrievalModel, unit
from core.training.ranking import train_ranker
from core.training.train import Card, cards, chosen_models, fit, ranker_sources


@dataclass(frozen=True)
class Evaluation:
    """What held-out playlists say of a dataset's models.

    Attributes
    ----------
    board : Leaderboard
    dials : DialReport
        Of the default answer.
    standing : mapping of route label to Standing
        How the ranker did on the playlists that it was judged on; empty without one.
    """

    board: Leaderboard
    dials: DialReport
    standing: Mapping[str, Standing]


def evaluate_models(
    dataset: Dataset,
    holdout: int,
    seed: int = 0,
    *,
    on_validation: bool = False,
    progress: Progress = SILENT,
) -> Evaluation:
    """Measure every trained model, their fusion and the ranker on held-out playlists.

    Each model is fitted again with its stored settings, on the playlists that are not held out, and
    so is the ranker. Package defaults of a trained model (`REFERENCES`) are measured beside it.

    Parameters
    ----------
    dataset : Dataset
        Of a writable workspace.
    holdout : int
        Number of held-out playlists, over the ten categories.
    seed : int
        Of the split and of the models.
    on_validation : bool
        Hold out as many again and measure on these instead: for choosing settings, so that the
        test playlists are touched once.
    progress : Progress

    Returns
    -------
    Evaluation

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
    chosen_models(",".join(card.model for card in trained))
    parts = split(dataset, holdout, seed, validation=holdout if on_validation else 0)
    challenge = parts.validation or parts.test
    models, systems = _refit(parts.train, trained, seed, progress.within(0, 0.3, ""))
    ranker, seconds = _retrain(dataset, parts.train, trained, seed, progress.within(0.3, 0.7, ""))
    recommender = Recommender(parts.train, models, ranker)
    spent = sum(one.fit_seconds or 0 for one in systems if one.retrieves)
    reads_titles = any(model.uses_titles for model in models.values())

    def together(name: str, label: str, fit_seconds: float) -> System:
        def recommend(queries: Queries, k: int) -> Recommendations:
            return recommender.recommend(queries, k, name)

        return System(name, label, recommend, fit_seconds, reads_titles=reads_titles)

    systems.append(together(FUSION, "Fusion of all", spent))
    if ranker:
        systems.append(together(RANKER, LABEL, spent + seconds))
    board = evaluate(systems, challenge, parts.train, progress.within(0.7, 0.9, ""))
    dials = measure_dials(
        recommender.scored,
        challenge,
        parts.train,
        _directions(recommender),
        progress.within(0.9, 1, "Dials"),
    )
    return Evaluation(board, dials, ranker.standing if ranker else {})


def _directions(recommender: Recommender) -> np.ndarray:
    """Unit rows that say how alike tracks are, float32; zeros where no model knows."""
    vectors = recommender.vectors()
    if vectors is None:
        return np.zeros((recommender.dataset.n_tracks, 1), np.float32)
    return unit(vectors.astype(np.float32))


def _retrain(
    dataset: Dataset, train: Dataset, trained: Sequence[Card], seed: int, progress: Progress
) -> tuple[Ranker | None, float]:
    """The ranker trained on a view, if there is one, and the seconds that it took."""
    card = trained[-1]
    if card.model != RANKER:
        return None, 0.0
    work = dataset.folder / "crossfit-evaluate"
    began = perf_counter()
    sources, params = ranker_sources(trained), Ranker.Params(**card.params)
    ranker = train_ranker(train, sources, work, params, seed, progress)
    shutil.rmtree(work, ignore_errors=True)
    return ranker, perf_counter() - began


def _refit(
    train: Dataset, trained: Sequence[Card], seed: int, progress: Progress
) -> tuple[dict[str, RetrievalModel], list[System]]:
    """The models by name, and they and their references as systems."""
    trained = [card for card in trained if card.model != RANKER]
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
                retrieves=model.retrieves and not reference,
                reads_titles=model.uses_titles,
            )
        )
    return models, systems


def store_evaluation(dataset: Dataset, evaluation: Evaluation) -> None:
    """Keep an evaluation beside the dataset's models."""
    evaluation.board.save(dataset.folder / "leaderboard.json")
    evaluation.dials.save(dataset.folder / "dials.json")


def stored_leaderboard(dataset: Dataset) -> Leaderboard | None:
    """The leaderboard of the last evaluation, if there was one."""
    path = dataset.folder / "leaderboard.json"
    return Leaderboard.load(path) if path.exists() else None


def stored_dials(dataset: Dataset) -> DialReport | None:
    """What dials cost by the last evaluation, if there was one."""
    path = dataset.folder / "dials.json"
    return DialReport.load(path) if path.exists() else None
