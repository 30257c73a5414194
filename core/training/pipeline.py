"""What the pipeline does between its steps' larger pieces, as functions of plain values."""

import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from core.dataset.dataset import Dataset
from core.dataset.library import import_dataset, open_dataset
from core.errors import SegueError
from core.evaluation.leaderboard import Leaderboard
from core.evaluation.metrics import Figure, Figures
from core.progress import SILENT, Progress
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.training.depot import Depot, fetched
from core.training.grid import Failure, GridResult, grid_result
from core.training.points import Sizes
from core.training.train import chosen_models, preset_params
from core.workspace import Workspace

Settings = dict[str, dict[str, Any]]


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
    with tempfile.TemporaryDirectory(prefix="segue-clean-") as scratch:
        files = Path(scratch) / "raw"
        files.mkdir()
        addresses = [one.strip() for one in raw.split(",") if one.strip()]
        if addresses:
            paths = [fetched(address, files) for address in addresses]
            workspace = Workspace(Path(scratch) / "workspace")
            import_dataset(workspace, name, source, paths, progress)
        elif depot.exists(name):
            return Dataset(depot.reading(name)).manifest
        else:
            workspace = Workspace()
        fresh = open_dataset(workspace, name)
        if depot.exists(name):
            there = Dataset(depot.reading(name)).manifest
            if there["fingerprint"] == fresh.manifest["fingerprint"]:
                return there
        with depot.writing(name) as folder:
            shutil.copytree(fresh.folder, folder, dirs_exist_ok=True)
        return fresh.manifest


def further_settings(names: str, preset: str, besides: Iterable[str]) -> Settings:
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
    chosen = chosen_models(names) if names.strip() else []
    taken = set(besides)
    return {name: asdict(preset_params(name, preset)) for name in chosen if name not in taken}


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
            results.append(grid_result(dataset, name, wanted, sizes, metric, failures=lost))
        except SegueError as problem:
            problems.append(str(problem))
    if not results:
        raise SegueError(" ".join(problems))
    return results


def last_words(crash: object) -> str:
    """Why a task came to no end, in a few words: the last line of what Metaflow caught."""
    *_, last = str(crash).strip().splitlines() or ["no word of why"]
    return last.partition(": ")[2] or last


def failures(tasks: Sequence[Mapping[str, Any]], reasons: Sequence[str]) -> list[dict[str, Any]]:
    """Model, settings and reason of every task that has no point, as plain values."""
    return [
        {"model": task["model"], "settings": task["settings"], "reason": reason}
        for task, reason in zip(tasks, reasons, strict=True)
        if reason
    ]


def in_order(settings: Mapping[str, Mapping[str, Any]]) -> Settings:
    """The same in the registry's order, the ranker last: it learns from the others."""
    return {name: dict(settings[name]) for name in (*MODELS, RANKER) if name in settings}


def test_figures(board: Leaderboard) -> dict[str, Any]:
    """What the record of a run keeps of a leaderboard, as plain values."""
    return {
        "playlists": dict(board.playlists),
        "rows": [
            {
                "name": row.name,
                "label": row.label,
                "figures": {name: _plain(figure) for name, figure in row.overall.items()},
                "by_category": {
                    label: _value(figures) for label, figures in row.by_category.items()
                },
            }
            for row in board.rows
        ],
    }


def _plain(figure: Figure) -> list[float | None]:
    return [figure.value, figure.low, figure.high]


def _value(figures: Figures) -> float | None:
    return figures["r_precision"].value


def require_reachable(target: str, store: str) -> None:
    """Raise a SegueError unless an endpoint of this kind can read what lies in the store."""
    if target == "local" and store.startswith("s3://"):
        raise SegueError("A local endpoint serves a local folder: give one as the store.")
