"""The leaderboard of a dataset: its models refitted without the held-out playlists."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.dials import DialReport, dial_lists, dial_report
from core.evaluation.leaderboard import Leaderboard, best_first, measure, summarised
from core.evaluation.lean import LeanReport, lean_lists, lean_report
from core.evaluation.replays import Replays, replays
from core.evaluation.shards import Part, joined
from core.progress import SILENT, Progress
from core.ranking.ranker import Standing
from core.trained import cards, default_model
from core.training.fitted import Fitted, Held, fit_held_out
from core.training.train import chosen_models


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
    fitted = fit_held_out(
        dataset,
        Held(holdout, seed, on_validation),
        {card.model: card.params for card in trained},
        default_model(dataset),
        progress.within(0, 0.7, ""),
    )
    whole = measured_part(fitted, 0, len(fitted.challenge), progress.within(0.7, 1, ""))
    return merged(fitted, [whole])


def measured_part(fitted: Fitted, start: int, stop: int, progress: Progress = SILENT) -> Part:
    """Measure every system, the dials and the leaning on some playlists of the challenge.

    Parameters
    ----------
    fitted : Fitted
    start, stop : int
        Playlists of the challenge, whole batches: see `core.evaluation.shards.shards`.
    progress : Progress
    """
    challenge, train, systems = fitted.challenge[start:stop], fitted.train, fitted.systems
    recommender = fitted.recommender
    measuring = progress.within(0, 0.65, "")
    measured = [
        measure(
            system,
            challenge,
            train,
            measuring.within(at / len(systems), (at + 1) / len(systems), system.label),
        )
        for at, system in enumerate(systems)
    ]
    dials = dial_lists(
        recommender.scored,
        challenge,
        train,
        recommender.directions,
        progress.within(0.65, 0.85, "Dials"),
    )
    lean = lean_lists(
        {
            system.name: partial(recommender.scored, model=system.name)
            for system in systems
            if system.name in recommender.choices
        },
        challenge,
        train,
        recommender.directions,
        progress.within(0.85, 1, ""),
    )
    return Part(measured, dials, lean)


def merged(fitted: Fitted, parts: Sequence[Part]) -> Evaluation:
    """What the parts come to together: the same as if they had been measured in one.

    Parameters
    ----------
    fitted : Fitted
    parts : sequence of Part
        All of the challenge, in its order.
    """
    challenge, train, whole = fitted.challenge, fitted.train, joined(parts)
    measured = best_first(whole.measured)
    labels = {system.name: system.label for system in fitted.systems}
    return Evaluation(
        replace(summarised(measured, challenge, train), settings=fitted.settings),
        dial_report(whole.dials, challenge, train, fitted.recommender.directions),
        fitted.ranker.standing if fitted.ranker else {},
        replays(measured, challenge, train),
        lean_report(labels, whole.lean, challenge, train),
    )


def store_evaluation(dataset: Dataset, evaluation: Evaluation) -> None:
    """Keep an evaluation beside the dataset's models."""
    write_evaluation(evaluation, dataset.folder)


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write an evaluation into any folder."""
    evaluation.board.save(folder / "leaderboard.json")
    evaluation.replays.save(folder / "replays.parquet")
    evaluation.lean.save(folder / "lean.json")
    evaluation.dials.save(folder / "dials.json")


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
