"""Models that are trained and measured, but not in use until they are kept.

A trial of a model waits in `<dataset>/trial/<model>/` beside the model that is in use. Both
settings are measured on the same validation playlists, by the same code as a grid's points.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.leaderboard import LABELS
from core.evaluation.metrics import (
    Figure,
    Figures,
    bootstrap,
    figure_text,
    paired_difference,
    stored_figures,
    with_intervals,
)
from core.progress import SILENT, Progress
from core.ranking.ranker import RANKER, Ranker
from core.recommender import label_of
from core.trained import (
    Card,
    cards,
    ranker_sources,
    require_ranker_fits,
    stored_cards,
)
from core.training.grid import grid
from core.training.points import Point
from core.training.train import chosen_params, make
from core.workspace import delete_folder, read_json, replace_folder, write_json

METRICS = ("r_precision", "ndcg", "clicks", "hit@10")
"""What a trial is judged by, on validation playlists."""
_FIT_SHARE = 0.5
_NONE = Figure(None)


@dataclass(frozen=True)
class Comparison:
    """New settings beside those in use, on the same validation playlists.

    Attributes
    ----------
    training_playlists, validation_playlists : int
        Learnt from, and measured on; 0 where nothing was measured.
    new, old : mapping of metric key to Figure
        Means; `old` is empty where no such model was in use.
    difference : mapping of metric key to Figure
        Paired mean of new less old; empty where `old` is.
    note : str
        Why nothing was measured, or what was instead; empty where it was.
    """

    training_playlists: int = 0
    validation_playlists: int = 0
    new: Figures = field(default_factory=dict)
    old: Figures = field(default_factory=dict)
    difference: Figures = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Trial:
    """A model that waits to be kept or discarded.

    Attributes
    ----------
    card : Card
    before : mapping of setting to value, or None
        Settings of the model that was in use when this one was trained; None where there was none.
    comparison : Comparison
    """

    card: Card
    before: Mapping[str, Any] | None
    comparison: Comparison

    @property
    def changed(self) -> dict[str, tuple[Any, Any]]:
        """Settings that differ: before and now; all of them where nothing was there before."""
        before = self.before or {}
        return {
            name: (before.get(name), value)
            for name, value in self.card.params.items()
            if name not in before or before[name] != value
        }


def try_models(
    dataset: Dataset,
    names: Sequence[str],
    preset: str = "full",
    seed: int = 0,
    progress: Progress = SILENT,
    settings: Mapping[str, Mapping[str, Any]] = MappingProxyType({}),
) -> list[Trial]:
    """Train models and measure them against those in use, which stay as they are.

    Parameters
    ----------
    dataset : Dataset
        Of a writable workspace.
    names, preset, seed, progress, settings
        As for `train`.

    Returns
    -------
    list of Trial

    Raises
    ------
    SegueError
        If the ranker is to be tried with others: it learns from the models in use.
    """
    if RANKER in names and len(names) > 1:
        raise SegueError(
            "The ranker learns from the models in use, so it is tried alone: keep the others first."
        )
    found = []
    for at, name in enumerate(names):
        part = progress.within(at / len(names), (at + 1) / len(names), label_of(name))
        found.append(_try(dataset, name, chosen_params(name, preset, settings), seed, part))
    return found


def _try(dataset: Dataset, name: str, params: Any, seed: int, progress: Progress) -> Trial:
    in_use = next((card.params for card in cards(dataset) if card.model == name), None)
    # A folder that no one lists until everything, the comparison included, is in it.
    working = _root(dataset) / f".{name}"
    fitting, measuring = (
        progress.within(0, _FIT_SHARE, ""),
        progress.within(_FIT_SHARE, 1, "Comparing"),
    )
    try:
        model, card = make(name, params, dataset, working, seed, fitting)
        if isinstance(model, Ranker):
            comparison = Comparison(note=_judged(dataset, model))
        else:
            comparison = _compare(dataset, name, card.params, in_use, measuring)
        stored = {"before": in_use, "comparison": asdict(comparison)}
        write_json(working / "trial.json", stored)
        replace_folder(_folder(dataset, name), working)
    finally:
        shutil.rmtree(working, ignore_errors=True)
    return Trial(card, in_use, comparison)


def _compare(
    dataset: Dataset,
    name: str,
    new: Mapping[str, Any],
    old: Mapping[str, Any] | None,
    progress: Progress,
) -> Comparison:
    """Measure both settings on validation playlists; those that a grid has measured are taken."""
    try:
        result = grid(dataset, name, [new] if old is None else [new, old], progress=progress)
    except SegueError as problem:
        return Comparison(note=str(problem))
    points = {_key(row.point.settings): row.point for row in result.rows}
    if _key(new) not in points:
        reasons = "; ".join(failure.reason for failure in result.failures)
        return Comparison(note=f"The new settings could not be measured: {reasons}.")
    tried = _values(points[_key(new)])
    used = _values(points[_key(old)]) if old is not None and _key(old) in points else None
    difference = {} if used is None else _differences(tried, used)
    return Comparison(
        result.training_playlists,
        result.validation_playlists,
        with_intervals(METRICS, bootstrap(tried)),
        {} if used is None else with_intervals(METRICS, bootstrap(used)),
        difference,
    )


def _judged(dataset: Dataset, ranker: Ranker) -> str:
    """How a ranker did on the playlists that were set aside for it; it needs no others."""

    def proven(one: Ranker) -> str:
        return f"{int(one.proven.sum())} of {len(one.proven)} kinds of query"

    told = f"On playlists set aside while it was trained, it is proven for {proven(ranker)}"
    in_use = dataset.folder / "models" / RANKER
    if (in_use / "card.json").exists():
        return f"{told}; the one in use for {proven(Ranker.load(in_use))}."
    return f"{told}."


def _values(point: Point) -> np.ndarray:
    """Figures of the validation playlists, shape (n_playlists, len(METRICS))."""
    return np.array([point.values[metric] for metric in METRICS], np.float64).T


def _differences(new: np.ndarray, old: np.ndarray) -> dict[str, Figure]:
    return {
        metric: Figure(*paired_difference(new[:, at], old[:, at]).tolist())
        for at, metric in enumerate(METRICS)
    }


def _key(settings: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(settings.items()))


def trials(dataset: Dataset) -> list[Trial]:
    """What waits to be kept or discarded, in the registry's order.

    Raises
    ------
    SegueError
        If a trial is damaged.
    """
    found = []
    for card in stored_cards(_root(dataset)):
        path = _folder(dataset, card.model) / "trial.json"
        stored = read_json(path)
        try:
            told = stored["comparison"]
            figures = {part: stored_figures(told[part]) for part in ("new", "old", "difference")}
            found.append(Trial(card, stored["before"], Comparison(**told | figures)))
        except (KeyError, TypeError) as error:
            raise SegueError(f"{path} does not fit this version of Segue: discard it.") from error
    return found


def keep(dataset: Dataset, name: str) -> Card:
    """Put a trial in the place of the model in use, at once or not at all.

    Raises
    ------
    SegueError
        If there is none; if it is of other playlists; or if the ranker was tried with other models
        than are in use now.
    """
    folder = _require(dataset, name)
    card = Card(**read_json(folder / "card.json"))
    if card.fingerprint != dataset.manifest["fingerprint"]:
        raise SegueError(f"{name} was tried on other playlists: discard it, and try it again.")
    if name == RANKER:
        require_ranker_fits(folder, ranker_sources(cards(dataset)))
    replace_folder(dataset.folder / "models" / name, folder)
    return card


def discard(dataset: Dataset, name: str) -> None:
    """Delete a trial; what is in use stays.

    Raises
    ------
    SegueError
        If there is none.
    """
    delete_folder(_require(dataset, name))


def as_table(trials: Sequence[Trial]) -> tuple[list[str], list[list[str]]]:
    """Header and rows for a person: figures of new and old settings, and their difference."""
    header = ["model", "measure", "new", "old", "difference"]
    rows = [
        [
            trial.card.model,
            LABELS[metric],
            figure_text(trial.comparison.new[metric]),
            figure_text(trial.comparison.old.get(metric, _NONE)),
            figure_text(trial.comparison.difference.get(metric, _NONE), sign=True),
        ]
        for trial in trials
        for metric in trial.comparison.new
    ]
    return header, rows


def _require(dataset: Dataset, name: str) -> Path:
    waiting = [card.model for card in stored_cards(_root(dataset))]
    if name not in waiting:
        there = ", ".join(waiting) or "none"
        raise SegueError(f"No trial of {name!r} waits on {dataset.name!r} (there: {there}).")
    return _folder(dataset, name)


def _root(dataset: Dataset) -> Path:
    return dataset.folder / "trial"


def _folder(dataset: Dataset, name: str) -> Path:
    return _root(dataset) / name
