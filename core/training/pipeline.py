"""What the pipeline does between its steps' larger pieces, as functions of plain values."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.leaderboard import Leaderboard
from core.evaluation.metrics import Figure
from core.progress import SILENT, Progress
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.training.depot import Depot, addresses, fetched
from core.training.fitted import Settings
from core.training.grid import Failure, GridResult, against, cost, differing, grid_result
from core.training.points import Sizes, settings_of
from core.training.train import chosen_models, preset_params
from core.workspace import Workspace

_DESCRIBED = ("name", "source", "licence", "simulated", "fingerprint", "counts", "cleaning")
"""What the record of a run keeps of a dataset's manifest."""
_CALLED = {
    "fingerprint": "the playlists",
    "features": "the joined features",
    "models": "the models",
    "questions": "the questions",
}
"""What a person reads for each part of a run's content."""


@dataclass(frozen=True)
class Choice:
    """What a grid decides, as plain values; see `runs.Run` for the fields of each.

    Attributes
    ----------
    grid, winner : mapping
    settings : mapping of model name to settings
        The best of each model of the grid, and the models besides.
    """

    grid: Mapping[str, Any]
    winner: Mapping[str, Any]
    settings: Settings


def cleaned(
    depot: Depot, name: str, raw: str = "", source: str = "auto", progress: Progress = SILENT
) -> dict[str, Any]:
    """The manifest of a dataset in the depot, imported first where raw files are given.

    A dataset that is there with the same content stays, with all that was trained on it. Where no
    files are given, the demo that ships with Segue is put there under its name.

    Parameters
    ----------
    depot : Depot
    name : str
    raw : str
        Files, or addresses in S3, with commas between.
    source : str
        See `import_dataset`.
    progress : Progress

    Raises
    ------
    SegueError
        If a file cannot be read, or nothing is given and no such dataset is there.
    """
    # Here, because every other step would load all that reads raw files for nothing.
    from core.dataset.library import import_dataset, open_dataset

    with tempfile.TemporaryDirectory(prefix="segue-clean-") as scratch:
        files = Path(scratch) / "raw"
        files.mkdir()
        if raw_files := addresses(raw):
            paths = [fetched(address, files) for address in raw_files]
            workspace = Workspace(Path(scratch) / "workspace")
            import_dataset(workspace, name, source, paths, progress)
        elif depot.exists(name):
            return _manifest(depot, name)
        else:
            workspace = Workspace()
        fresh = open_dataset(workspace, name)
        if depot.exists(name):
            there = _manifest(depot, name)
            if there["fingerprint"] == fresh.manifest["fingerprint"]:
                return there
        with depot.writing(name) as folder:
            shutil.copytree(fresh.folder, folder, dirs_exist_ok=True)
        return fresh.manifest


def _manifest(depot: Depot, name: str) -> dict[str, Any]:
    return Dataset(depot.reading(name, ["manifest.json"])).manifest


def described(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What the record of a run keeps of a dataset."""
    return {name: manifest.get(name) for name in _DESCRIBED}


def content(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What steps of a run must find the same: the playlists, and the features joined to them."""
    return {name: manifest[name] for name in ("fingerprint", "features")}


def content_to_answer(dataset: Dataset, questions: Path) -> dict[str, Any]:
    """The same for a run that answers a file of questions with the models that are trained."""
    folder = dataset.folder
    answering = [*folder.glob("default.json"), *sorted(folder.glob("models/[!.]*/card.json"))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in answering))
    asked = hashlib.sha256(questions.read_bytes())
    return content(dataset.manifest) | {
        "models": digest.hexdigest(),
        "questions": asked.hexdigest(),
    }


def require_unchanged(name: str, begun: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise a SegueError unless a step finds the content that its run began with."""
    if changed := [_CALLED[part] for part in begun if begun[part] != now[part]]:
        raise SegueError(
            f"Since this run on {name!r} began, {' and '.join(changed)} have changed: start "
            "another run."
        )


def further_settings(names: str, preset: str, besides: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Settings of the models that are trained beside those of a grid.

    Parameters
    ----------
    names : str
        "a,b", and "ranker"; empty for none.
    preset : str
        "fast" or "full".
    besides : iterable of str
        Models of the grid, which are not among them.

    Raises
    ------
    SegueError
        If there is no such model or preset, or a package is missing.
    """
    asked = chosen_models(names) if names.strip() else []
    taken = set(besides)
    return {name: asdict(preset_params(name, preset)) for name in asked if name not in taken}


def grid_results(
    dataset: Dataset,
    tasks: Sequence[Mapping[str, Any]],
    reasons: Sequence[str],
    metric: str,
) -> list[GridResult]:
    """What the points of a grid over several models come to, model by model.

    A model without any point that could be measured is left out.

    Parameters
    ----------
    dataset : Dataset
        Where the points are stored.
    tasks : sequence of mapping
        Of `planned`.
    reasons : sequence of str
        Why a task has no point; empty where it has one.
    metric : str
        By which the rows are ordered.

    Raises
    ------
    SegueError
        If not one point of any model is there.
    """
    results, problems = [], []
    for name in dict.fromkeys(task["model"] for task in tasks):
        mine = [task for task in tasks if task["model"] == name]
        lost = [
            Failure(task["settings"], reason)
            for task, reason in zip(tasks, reasons, strict=True)
            if reason and task["model"] == name
        ]
        wanted, sizes = [task["settings"] for task in mine], Sizes(**mine[0]["sizes"])
        try:
            varied = _varied(name, wanted)
            result = grid_result(dataset, name, wanted, sizes, metric, varied=varied, failures=lost)
            results.append(result)
        except SegueError as problem:
            problems.append(str(problem))
    if not results:
        raise SegueError(" ".join(problems))
    return results


def chosen(
    dataset: Dataset,
    tasks: Sequence[Mapping[str, Any]],
    reasons: Sequence[str],
    metric: str,
    further: Settings,
) -> Choice:
    """The best of each model of a grid, and the best of all.

    Parameters
    ----------
    dataset, tasks, reasons, metric
        As for `grid_results`.
    further : mapping of model name to settings
        Of the models besides.

    Raises
    ------
    SegueError
        If not one point of any model is there.
    """
    results = grid_results(dataset, tasks, reasons, metric)
    points = grid_points(results)
    best = {result.model: result.best.point.settings for result in results}
    grid = {"metric": metric, "points": points, "failures": failures(tasks, reasons)}
    return Choice(grid, points[0], in_order({**best, **further}))


def grid_points(results: Sequence[GridResult]) -> list[dict[str, Any]]:
    """Every point of several models as plain values, the best of all first.

    Parameters
    ----------
    results : sequence of GridResult
        By the same metric, on the same playlists.
    """
    metric = results[0].metric
    rows = [(result, row) for result in results for row in result.rows]
    rows.sort(key=lambda pair: cost(metric, pair[1].figures[metric].value or 0.0))
    points = [row.point for _, row in rows]
    differences = against(points, points[0], metric)
    return [
        {
            "model": result.model,
            "settings": dict(row.point.settings),
            "varied": {name: row.point.settings[name] for name in result.varied},
            "figures": {name: _plain(figure) for name, figure in row.figures.items()},
            "against_best": _plain(difference),
            "fit_seconds": row.point.fit_seconds,
            "cpu_seconds": row.point.cpu_seconds,
            "peak_mb": row.point.peak_mb,
        }
        for (result, row), difference in zip(rows, differences, strict=True)
    ]


def failures(tasks: Sequence[Mapping[str, Any]], reasons: Sequence[str]) -> list[dict[str, Any]]:
    """Model, settings and reason of every task that has no point, as plain values."""
    varied = {
        name: _varied(name, [task["settings"] for task in tasks if task["model"] == name])
        for name in dict.fromkeys(task["model"] for task in tasks)
    }
    return [
        {
            "model": task["model"],
            "settings": task["settings"],
            "varied": {name: task["settings"][name] for name in varied[task["model"]]},
            "reason": reason,
        }
        for task, reason in zip(tasks, reasons, strict=True)
        if reason
    ]


def _varied(model: str, wanted: Sequence[Mapping[str, Any]]) -> list[str]:
    """Settings that tell the points of a model apart; of a single one, those not by default."""
    return differing(wanted if len(wanted) > 1 else [*wanted, settings_of(model, {})])


def in_order(settings: Settings) -> dict[str, dict[str, Any]]:
    """The same in the registry's order, the ranker last: it learns from the others."""
    return {name: dict(settings[name]) for name in (*MODELS, RANKER) if name in settings}


def test_figures(board: Leaderboard, metric: str) -> dict[str, Any]:
    """What the record of a run keeps of a leaderboard, as plain values; the best by a metric first.

    Parameters
    ----------
    board : Leaderboard
    metric : str
        One of `points.METRICS`; the categories are told by it, too.
    """
    rows = sorted(board.rows, key=lambda row: cost(metric, row.overall[metric].value or 0.0))
    return {
        "playlists": dict(board.playlists),
        "rows": [
            {
                "name": row.name,
                "label": row.label,
                "figures": {name: _plain(figure) for name, figure in row.overall.items()},
                "by_category": {
                    label: figures[metric].value for label, figures in row.by_category.items()
                },
            }
            for row in rows
        ],
    }


def _plain(figure: Figure) -> list[float | None]:
    return [figure.value, figure.low, figure.high]
