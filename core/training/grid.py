"""Many settings of one model, fitted side by side and measured on validation playlists.

`python -m core.training.grid` is one worker: it reads a task as JSON and writes its answer.
"""

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.leaderboard import LABELS, System, measure
from core.evaluation.metrics import Figure, Figures, bootstrap, paired_difference, with_intervals
from core.progress import SILENT, Progress
from core.retrieval import MODELS
from core.training.settings import params_type, require_settings
from core.training.train import Card, fit, train
from core.training.workers import affordable_jobs, answers, received, reply
from core.workspace import read_json, write_json

TEST_SEED, OTHER_TEST_SEEDS = 0, (1, 2)
"""Splits whose test playlists the protocol reports on: no grid is measured on any of them."""

METRICS = tuple(
    name for name in LABELS if name not in ("novelty", "coverage", "gini", "popularity_lift")
)
"""What a grid can choose by; of clicks fewer are better, of all others more."""


@dataclass(frozen=True)
class Point:
    """One fit and what it came to.

    Attributes
    ----------
    settings : mapping
        All of the model's `Params`.
    values : mapping of metric key to sequence of float
        The figure of each validation playlist, for every metric of `METRICS`.
    fit_seconds, cpu_seconds : float
        Wall and processor time of the fit, with others beside it.
    peak_mb : float
        Largest resident memory of the process during the fit, in MB.
    milliseconds : float
        See `leaderboard.Measured`.
    """

    settings: Mapping[str, Any]
    values: Mapping[str, Sequence[float]]
    fit_seconds: float
    cpu_seconds: float
    peak_mb: float
    milliseconds: float


@dataclass(frozen=True)
class Row:
    """A point beside the best.

    Attributes
    ----------
    point : Point
    figures : mapping of metric key to Figure
        Means over the validation playlists.
    against_best : Figure
        Paired mean difference to the best point by the metric of the grid; 0 for the best itself.
    """

    point: Point
    figures: Figures
    against_best: Figure


@dataclass(frozen=True)
class Failure:
    """A point that could not be measured, and why, in a few words."""

    settings: Mapping[str, Any]
    reason: str


@dataclass(frozen=True)
class GridResult:
    """Points of one model on the validation playlists of one dataset.

    Attributes
    ----------
    model, dataset : str
    metric : str
        By which the rows are ordered.
    varied : sequence of str
        Settings that the grid was asked to set.
    training_playlists, validation_playlists : int
    rows : sequence of Row
        At least one, best first.
    failures : sequence of Failure
    """

    model: str
    dataset: str
    metric: str
    varied: Sequence[str]
    training_playlists: int
    validation_playlists: int
    rows: Sequence[Row]
    failures: Sequence[Failure]

    @property
    def best(self) -> Row:
        """The first row."""
        return self.rows[0]

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and None, without the figures of single playlists."""
        plain = asdict(self)
        for row in plain["rows"]:
            row |= row.pop("point")
            del row["values"]
        return plain


USUAL_SIZES = (400, 250)
"""Test and validation playlists where a dataset has enough."""


def usual_sizes(dataset: Dataset) -> tuple[int, int]:
    """Test and validation playlists: `USUAL_SIZES`, or a tenth and a sixteenth of a small dataset.

    Raises
    ------
    SegueError
        If the dataset is too small even for these.
    """
    small = (max(1, dataset.n_playlists // 10), max(1, dataset.n_playlists // 16))
    for sizes in (USUAL_SIZES, small):
        try:
            split(dataset, sizes[0], TEST_SEED, sizes[1], OTHER_TEST_SEEDS)
        except SegueError as problem:
            reason = problem
        else:
            return sizes
    raise reason


def require_metric(metric: str) -> None:
    """Raise a SegueError unless a grid can choose by this metric."""
    if metric not in METRICS:
        raise SegueError(f"There is no metric {metric!r} to choose by; use {', '.join(METRICS)}.")


def grid(
    dataset: Dataset,
    name: str,
    points: Sequence[Mapping[str, Any]],
    metric: str = "r_precision",
    *,
    holdout: int | None = None,
    validation: int | None = None,
    jobs: int | None = None,
    progress: Progress = SILENT,
) -> GridResult:
    """Fit a model with each of several settings, and measure each on validation playlists.

    The playlists are those of `challenge.split`: none of the test playlists of seed 0, which no
    point learns from either, and none of the two other tests that the protocol reports, seeds 1
    and 2. So a leaderboard of these seeds says nothing that this choice has seen.

    Each point is fitted in a process of its own, single-threaded, and stored in the dataset's
    folder as soon as it is measured (`grids/<model>.json`): points that are there are not fitted
    again, unless the playlists, the joined features or the split are others.

    Parameters
    ----------
    dataset : Dataset
        Whole, of a writable workspace.
    name : str
        Of a model in the registry.
    points : sequence of mapping
        Settings that differ from the model's defaults.
    metric : str
        One of `METRICS`.
    holdout, validation : int, optional
        Test and validation playlists; default: `usual_sizes`.
    jobs : int, optional
        Processes at a time; default: the physical cores, fewer where memory is scarce.
    progress : Progress

    Returns
    -------
    GridResult
        Of these points; one that fails or crashes is among the failures and costs no other.

    Raises
    ------
    SegueError
        If there is no such model, setting or metric, its packages are not installed, or the
        dataset is too small for the split; or if not one point could be measured.
    """
    require_metric(metric)
    wanted = [_settings(name, point) for point in points]
    if name not in MODELS:
        raise SegueError(f"A grid is of one model that proposes tracks, not of {name!r}.")
    MODELS[name].require_packages()
    usual = usual_sizes(dataset) if holdout is None or validation is None else (0, 0)
    holdout = usual[0] if holdout is None else holdout
    validation = usual[1] if validation is None else validation
    parts = split(dataset, holdout, TEST_SEED, validation, OTHER_TEST_SEEDS)
    if parts.validation is None:
        raise SegueError("A grid needs at least one validation playlist.")
    record = _Record(dataset, name, holdout, validation, parts.train.n_playlists)
    stored = [point.settings for point in record.points()]
    missing = [one for i, one in enumerate(wanted) if one not in wanted[:i] and one not in stored]
    failures = []
    tasks = [
        {
            "folder": str(dataset.folder.resolve()),
            "model": name,
            "settings": settings,
            "holdout": holdout,
            "validation": validation,
        }
        for settings in missing
    ]
    with closing(answers(__name__, tasks, jobs or affordable_jobs())) as found:
        progress.update(f"0 of {len(tasks)} points", 0.0)
        for done, (task, answer) in enumerate(found, 1):
            if isinstance(answer, str):
                failures.append(Failure(task["settings"], answer))
            else:
                point = Point(**answer)
                record.add(point)
                progress.figure(f"{LABELS[metric]} by point", done, mean(point.values[metric]))
            progress.update(f"{done} of {len(tasks)} points", done / len(tasks))
    measured = [point for point in record.points() if point.settings in wanted]
    if not measured:
        reasons = "; ".join(dict.fromkeys(failure.reason for failure in failures)) or "none given"
        raise SegueError(f"No settings of {name} could be measured: {reasons}.")
    return GridResult(
        name,
        dataset.name,
        metric,
        list(dict.fromkeys(field for point in points for field in point)),
        parts.train.n_playlists,
        len(parts.validation),
        _ranked(measured, metric),
        failures,
    )


def record_stamp(dataset: Dataset, name: str) -> float:
    """When the stored points of a model changed last; 0 where there are none."""
    path = _record_path(dataset, name)
    return path.stat().st_mtime if path.exists() else 0.0


def stored_grid(dataset: Dataset, name: str, metric: str = "r_precision") -> GridResult | None:
    """Every point of a model that is stored for these playlists; None where there is none.

    Those settings vary that differ among the points.

    Raises
    ------
    SegueError
        If the record does not fit this version.
    """
    require_metric(metric)
    if not _record_path(dataset, name).exists():
        return None
    record = _Record.stored(dataset, name)
    points = record.points()
    if not points:
        return None
    return GridResult(
        name,
        dataset.name,
        metric,
        [
            field
            for field in points[0].settings
            if any(point.settings[field] != points[0].settings[field] for point in points)
        ],
        record.training_playlists,
        len(points[0].values[metric]),
        _ranked(points, metric),
        [],
    )


def keep_best(dataset: Dataset, result: GridResult, progress: Progress = SILENT) -> Card:
    """Fit the best settings of a grid on the whole dataset and store the model as `train` does."""
    settings = {result.model: result.best.point.settings}
    (card,) = train(dataset, [result.model], progress=progress, settings=settings)
    return card


def as_table(result: GridResult) -> tuple[list[str], list[list[str]]]:
    """Header and rows, best first, for a person: settings, figures with intervals, cost."""
    chosen = result.metric
    others = [name for name in ("r_precision", "ndcg", "clicks") if name != chosen]
    header = [*result.varied, LABELS[chosen], "to the best", *(LABELS[name] for name in others)]
    rows = [
        [
            *(str(row.point.settings[name]) for name in result.varied),
            _interval(row.figures[chosen]),
            _interval(row.against_best),
            *(_interval(row.figures[name]) for name in others),
            f"{row.point.fit_seconds:.1f}",
            f"{row.point.cpu_seconds:.1f}",
            f"{row.point.peak_mb:.0f}",
        ]
        for row in result.rows
    ]
    return [*header, "fit s", "CPU s", "peak MB"], rows


def _interval(figure: Figure) -> str:
    return f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]"


def _settings(name: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a point, as JSON gives them back."""
    require_settings(name, point)
    return json.loads(json.dumps(asdict(replace(params_type(name)(), **point))))


def _record_path(dataset: Dataset, name: str) -> Path:
    return dataset.folder / "grids" / f"{name}.json"


class _Record:
    """The stored points of a model on one split of a dataset."""

    def __init__(
        self, dataset: Dataset, name: str, holdout: int, validation: int, training_playlists: int
    ) -> None:
        self._path = _record_path(dataset, name)
        self.training_playlists = training_playlists
        self._key = {
            "fingerprint": dataset.manifest["fingerprint"],
            "features": dataset.manifest["features"],
            "holdout": holdout,
            "validation": validation,
            "metrics": [*METRICS],
            "training_playlists": training_playlists,
        }

    @classmethod
    def stored(cls, dataset: Dataset, name: str) -> "_Record":
        """The record that is there, whatever its split."""
        key = read_json(_record_path(dataset, name))
        sizes = (key.get(part, 0) for part in ("holdout", "validation", "training_playlists"))
        return cls(dataset, name, *sizes)

    def points(self) -> list[Point]:
        """What is stored; none where it is of other playlists, features or another split."""
        if not self._path.exists():
            return []
        stored = read_json(self._path)
        try:
            same = all(stored.get(name) == value for name, value in self._key.items())
            return [Point(**point) for point in stored["points"]] if same else []
        except (KeyError, TypeError) as error:
            raise SegueError(
                f"{self._path} does not fit this version of Segue ({error!r}): remove it."
            ) from error

    def add(self, point: Point) -> None:
        points = [*self.points(), point]
        write_json(self._path, self._key | {"points": [asdict(one) for one in points]})


def _ranked(points: Sequence[Point], metric: str) -> list[Row]:
    """Rows of the points, the best mean of a metric first."""

    def values(point: Point) -> np.ndarray:
        return np.array([point.values[name] for name in METRICS], np.float64).T

    column = METRICS.index(metric)
    ordered = sorted(points, key=lambda point: values(point)[:, column].mean())
    if metric != "clicks":
        ordered.reverse()
    best = values(ordered[0])[:, column]
    return [
        Row(
            point,
            with_intervals(METRICS, bootstrap(values(point))),
            Figure(*paired_difference(values(point)[:, column], best).tolist()),
        )
        for point in ordered
    ]


def _work(task: dict[str, Any]) -> dict[str, Any] | str:
    """The fields of the task's `Point`, or why there is none."""
    whole = Dataset(Path(task["folder"]))
    parts = split(whole, task["holdout"], TEST_SEED, task["validation"], OTHER_TEST_SEEDS)
    if parts.validation is None:
        raise ValueError("a task has validation playlists")
    name = task["model"]
    params = MODELS[name].Params(**task["settings"])
    try:
        began = time.process_time()
        model, card = fit(name, params, parts.train, TEST_SEED)
        cpu_seconds = time.process_time() - began
        system = System(name, name, model.recommend)
        measured = measure(system, parts.validation, parts.train)
    except Exception as error:
        return str(error) if isinstance(error, SegueError) else f"{type(error).__name__}: {error}"
    point = Point(
        task["settings"],
        {metric: measured.values[metric].tolist() for metric in METRICS},
        card.seconds,
        round(cpu_seconds, 3),
        card.peak_mb,
        round(measured.milliseconds, 3),
    )
    return asdict(point)


if __name__ == "__main__":
    reply(_work(received()))
