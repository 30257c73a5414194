"""Many settings of one model, fitted side by side and measured on validation playlists."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from statistics import mean
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
    with_intervals,
)
from core.progress import SILENT, Progress
from core.trained import Card
from core.training import points as points_module
from core.training.points import METRICS, Point, Record, Sizes, chosen_sizes, planned
from core.training.room import affordable_jobs
from core.training.train import train
from core.training.workers import answers


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

    Each point is fitted in a process of its own, single-threaded, and stored as soon as it is
    measured (see `core.training.points`): points that are there are not fitted again, unless the
    playlists, the joined features or the split are others.

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
        Processes at a time; default: see `affordable_jobs`.
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
    sizes = chosen_sizes(dataset, holdout, validation)
    tasks = planned(name, points, sizes)
    record = Record(dataset, name, sizes)
    folder = {"folder": str(dataset.folder.resolve())}
    missing = [folder | task for task in tasks if not record.point(task["settings"])]
    failures = []
    jobs = jobs or affordable_jobs(dataset.folder)
    with closing(answers(points_module.__name__, missing, jobs)) as found:
        progress.update(f"0 of {len(missing)} points", 0.0)
        for done, (task, answer) in enumerate(found, 1):
            if isinstance(answer, str):
                failures.append(Failure(task["settings"], answer))
            else:
                values = Point(**answer).values[metric]
                progress.figure(f"{LABELS[metric]} by point", done, mean(values))
            progress.update(f"{done} of {len(missing)} points", done / len(missing))
    wanted = [task["settings"] for task in tasks]
    varied = list(dict.fromkeys(field for point in points for field in point))
    return grid_result(dataset, name, wanted, sizes, metric, varied=varied, failures=failures)


def grid_result(
    dataset: Dataset,
    name: str,
    wanted: Sequence[Mapping[str, Any]],
    sizes: Sizes,
    metric: str = "r_precision",
    *,
    varied: Sequence[str] | None = None,
    failures: Sequence[Failure] = (),
) -> GridResult:
    """What the stored points of these settings come to.

    Parameters
    ----------
    dataset : Dataset
    name : str
        Of the model.
    wanted : sequence of mapping
        All settings of each point.
    sizes : Sizes
        Of the split.
    metric : str
        One of `METRICS`.
    varied : sequence of str, optional
        Settings that the grid was asked to set; by default those that differ.
    failures : sequence of Failure

    Raises
    ------
    SegueError
        If not one point is there.
    """
    record = Record(dataset, name, sizes)
    measured = [point for settings in wanted if (point := record.point(settings))]
    if not measured:
        reasons = dict.fromkeys(failure.reason.rstrip(".") for failure in failures)
        raise SegueError(
            f"No settings of {name} could be measured: {'; '.join(reasons) or 'none given'}."
        )
    return GridResult(
        name,
        dataset.name,
        metric,
        differing(wanted) if varied is None else varied,
        sizes.training,
        sizes.validation,
        _ranked(measured, metric),
        failures,
    )


def differing(wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that differ among these."""
    first = wanted[0]
    return [name for name in first if any(one[name] != first[name] for one in wanted)]


def stored_grid(dataset: Dataset, name: str, metric: str = "r_precision") -> GridResult | None:
    """Every point of a model that is stored for these playlists; None where there is none.

    Raises
    ------
    SegueError
        If a record does not fit this version.
    """
    require_metric(metric)
    record = Record.stored(dataset, name)
    points = record.points() if record else []
    if not record or not points:
        return None
    return grid_result(dataset, name, [point.settings for point in points], record.sizes, metric)


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
            figure_text(row.figures[chosen]),
            figure_text(row.against_best, sign=True),
            *(figure_text(row.figures[name]) for name in others),
            f"{row.point.fit_seconds:.1f}",
            f"{row.point.cpu_seconds:.1f}",
            f"{row.point.peak_mb:.0f}",
        ]
        for row in result.rows
    ]
    return [*header, "fit s", "CPU s", "peak MB"], rows


def cost(metric: str, value: float | np.floating[Any]) -> float:
    """What is the less, the better a value of a metric is."""
    return float(value if metric == "clicks" else -value)


def against(points: Sequence[Point], best: Point, metric: str) -> list[Figure]:
    """Paired mean difference of each point to the best, on the same validation playlists."""
    least = np.array(best.values[metric], np.float64)
    return [
        Figure(*paired_difference(np.array(point.values[metric], np.float64), least).tolist())
        for point in points
    ]


def _ranked(points: Sequence[Point], metric: str) -> list[Row]:
    """Rows of the points, the best mean of a metric first."""

    def values(point: Point) -> np.ndarray:
        return np.array([point.values[name] for name in METRICS], np.float64).T

    ordered = sorted(points, key=lambda point: cost(metric, np.mean(point.values[metric])))
    return [
        Row(point, with_intervals(METRICS, bootstrap(values(point))), difference)
        for point, difference in zip(ordered, against(ordered, ordered[0], metric), strict=True)
    ]
