"""The leaderboard of a dataset: its models refitted without the held-out playlists."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import psutil

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.dials import DialReport, measure_dials
from core.evaluation.leaderboard import Leaderboard, System, measure_all, summarised
from core.evaluation.lean import LeanReport, measure_lean
from core.evaluation.replays import Replays, replays
from core.progress import SILENT, Progress
from core.ranking.ranker import LABEL, RANKER, Ranker, Standing
from core.recommender import FUSION, Recommender
from core.retrieval import MODELS, REFERENCES
from core.retrieval.base import Queries, Recommendations, RetrievalModel
from core.training.default import default_model
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
    replays : Replays
        Some of the held-out playlists, with every system's answers.
    lean : LeanReport
        How popular every model's recommendations are.
    """

    board: Leaderboard
    dials: DialReport
    standing: Mapping[str, Standing]
    replays: Replays
    lean: LeanReport


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
    recommender = Recommender(parts.train, models, ranker, default=default_model(dataset))
    spent = sum(one.fit_seconds or 0 for one in systems if one.retrieves)
    reads_titles = any(model.uses_titles for model in models.values())

    def together(name: str, label: str, fit_seconds: float) -> System:
        def recommend(queries: Queries, k: int) -> Recommendations:
            return recommender.recommend(queries, k, name)

        return System(name, label, recommend, fit_seconds, reads_titles=reads_titles)

    systems.append(together(FUSION, "Fusion of all", spent))
    if ranker:
        systems.append(together(RANKER, LABEL, spent + seconds))
    measured = measure_all(systems, challenge, parts.train, progress.within(0.7, 0.9, ""))
    dials = measure_dials(
        recommender.scored,
        challenge,
        parts.train,
        recommender.directions,
        progress.within(0.9, 0.95, "Dials"),
    )
    lean = measure_lean(
        {
            one.name: (one.label, partial(recommender.scored, model=one.name))
            for one in systems
            if one.name in recommender.choices
        },
        challenge,
        parts.train,
        recommender.directions,
        progress.within(0.95, 1, ""),
    )
    return Evaluation(
        replace(
            summarised(measured, challenge, parts.train),
            settings={card.model: card.params for card in trained},
        ),
        dials,
        ranker.standing if ranker else {},
        replays(measured, challenge, parts.train),
        lean,
    )


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
    evaluation.replays.save(dataset.folder / "replays.parquet")
    evaluation.lean.save(dataset.folder / "lean.json")
    evaluation.dials.save(dataset.folder / "dials.json")


def stored_leaderboard(dataset: Dataset) -> Leaderboard | None:
    """The leaderboard of the last evaluation, if there was one."""
    path = dataset.folder / "leaderboard.json"
    return Leaderboard.load(path) if path.exists() else None


def stored_dials(dataset: Dataset) -> DialReport | None:
    """What dials cost by the last evaluation, if there was one."""
    path = dataset.folder / "dials.json"
    return DialReport.load(path) if path.exists() else None


def stored_replays(dataset: Dataset) -> Replays | None:
    """Held-out playlists of the last evaluation, if it kept some."""
    path = dataset.folder / "replays.parquet"
    return Replays.load(path) if path.exists() else None


def stored_lean(dataset: Dataset) -> LeanReport | None:
    """How popular recommendations were in the last evaluation, if there was one."""
    path = dataset.folder / "lean.json"
    return LeanReport.load(path) if path.exists() else None
