"""One point of a grid: settings of a model, fitted and measured on validation playlists, and kept.

Command line, app and flow measure a point by the same function, `measured_point`, and keep it in
the same place: a file of its own in the dataset's folder (`grids/<model>/<settings>.json`), so that
any number of processes may measure at the same time and none of them loses what another found.
`python -m core.training.points` is one worker: it reads a task as JSON and writes its answer.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from core.dataset.dataset import Dataset
from core.errors import SegueError, in_words
from core.evaluation.challenge import Split, split
from core.evaluation.leaderboard import LABELS, System, measure
from core.retrieval import MODELS
from core.training.room import GRIDS
from core.training.settings import params_type, require_settings
from core.training.train import fit
from core.training.workers import received, reply
from core.workspace import read_json, write_json

TEST_SEED, OTHER_TEST_SEEDS = 0, (1, 2)
"""Splits whose test playlists the protocol reports on: no grid is measured on any of them."""

METRICS = tuple(
    name for name in LABELS if name not in ("novelty", "coverage", "gini", "popularity_lift")
)
"""What a grid can choose by; of clicks fewer are better, of all others more."""

USUAL_SIZES = (400, 250)
"""Test and validation playlists where a dataset has enough."""


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
class Sizes:
    """How many playlists are held out, and how many are left.

    Attributes
    ----------
    holdout, validation : int
        Test and validation playlists.
    training : int
        Playlists to learn from.
    """

    holdout: int
    validation: int
    training: int


def parts_of(dataset: Dataset, holdout: int, validation: int) -> Split:
    """The split of every grid: apart from the test playlists of all seeds that are reported on.

    Raises
    ------
    SegueError
        If the dataset is too small, or no playlist is to be validated on.
    """
    if validation < 1:
        raise SegueError("A grid needs at least one validation playlist.")
    return split(dataset, holdout, TEST_SEED, validation, OTHER_TEST_SEEDS)


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
            parts_of(dataset, *sizes)
        except SegueError as problem:
            reason = problem
        else:
            return sizes
    raise reason


def chosen_sizes(
    dataset: Dataset, holdout: int | None = None, validation: int | None = None
) -> Sizes:
    """Sizes of the split of a grid; what is None is as `usual_sizes` has it.

    Raises
    ------
    SegueError
        If the dataset is too small for it.
    """
    if holdout is None or validation is None:
        usual = usual_sizes(dataset)
        holdout = usual[0] if holdout is None else holdout
        validation = usual[1] if validation is None else validation
    training = parts_of(dataset, holdout, validation).train.n_playlists
    return Sizes(holdout, validation, training)


def planned(name: str, points: Sequence[Mapping[str, Any]], sizes: Sizes) -> list[dict[str, Any]]:
    """The tasks of a grid, each once: what `measured_point` wants to know, as JSON holds it.

    Parameters
    ----------
    name : str
        Of a model in the registry.
    points : sequence of mapping
        Settings that differ from the model's defaults.
    sizes : Sizes

    Raises
    ------
    SegueError
        If there is no such model or setting, or its packages are not installed.
    """
    return [
        {"model": name, "settings": settings, "sizes": asdict(sizes)}
        for settings in wanted_settings(name, points)
    ]


def wanted_settings(name: str, points: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All settings of each point of a grid, each once; raises as `planned`."""
    wanted = [settings_of(name, point) for point in points]
    if name not in MODELS:
        raise SegueError(f"A grid is of one model that proposes tracks, not of {name!r}.")
    MODELS[name].require_packages()
    return [settings for at, settings in enumerate(wanted) if settings not in wanted[:at]]


def settings_of(name: str, point: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a point of a model, as JSON gives them back."""
    require_settings(name, point)
    return json.loads(json.dumps(asdict(replace(params_type(name)(), **point))))


def measured_point(dataset: Dataset, task: Mapping[str, Any]) -> Point | str:
    """One point: the stored one, or fitted, measured on the validation playlists and stored.

    Parameters
    ----------
    dataset : Dataset
        Whole, of a writable workspace.
    task : mapping
        One of `planned`.

    Returns
    -------
    Point, or str
        Why there is none, in a few words: settings that cannot be fitted cost no other point.

    Raises
    ------
    SegueError
        If the stored point is damaged.
    OSError
        If the disk is full or otherwise at fault.
    """
    record = Record(dataset, task["model"], Sizes(**task["sizes"]))
    if stored := record.point(task["settings"]):
        return stored
    measured = _measured(dataset, task, record.sizes)
    if isinstance(measured, Point):
        record.add(measured)
    return measured


def _measured(dataset: Dataset, task: Mapping[str, Any], sizes: Sizes) -> Point | str:
    parts = parts_of(dataset, sizes.holdout, sizes.validation)
    if parts.validation is None:
        raise ValueError("a grid is measured on validation playlists")
    name = task["model"]
    params = MODELS[name].Params(**task["settings"])
    try:
        began = time.process_time()
        model, card = fit(name, params, parts.train, TEST_SEED)
        cpu_seconds = time.process_time() - began
        measured = measure(System(name, name, model.recommend), parts.validation, parts.train)
    except OSError:
        raise  # of the disk, not of these settings
    except Exception as error:
        return in_words(error)
    return Point(
        task["settings"],
        {metric: measured.values[metric].tolist() for metric in METRICS},
        card.seconds,
        round(cpu_seconds, 3),
        card.peak_mb,
        round(measured.milliseconds, 3),
    )


class Record:
    """The stored points of a model on one split of a dataset.

    Those of other playlists, joined features or another split are passed over, and replaced one
    by one when their settings are measured again.
    """

    def __init__(self, dataset: Dataset, name: str, sizes: Sizes) -> None:
        self._folder = record_folder(dataset, name)
        self.sizes = sizes
        self._key = {
            "fingerprint": dataset.manifest["fingerprint"],
            "features": dataset.manifest["features"],
            "metrics": [*METRICS],
            "sizes": asdict(sizes),
        }

    @classmethod
    def stored(cls, dataset: Dataset, name: str) -> Self | None:
        """The record of the split that was measured on last; None where there is none."""
        files = sorted(record_folder(dataset, name).glob("[!.]*.json"), key=_changed)
        if not files:
            return None
        stored = read_json(files[-1])
        try:
            return cls(dataset, name, Sizes(**stored["sizes"]))
        except (KeyError, TypeError) as error:
            raise _unfit(files[-1], error) from error

    def points(self) -> list[Point]:
        """Every point of this split, in a fixed order."""
        files = sorted(self._folder.glob("[!.]*.json"))
        return [point for file in files if (point := self._read(file))]

    def point(self, settings: Mapping[str, Any]) -> Point | None:
        """The point of these settings, if it is there."""
        file = self._file(settings)
        return self._read(file) if file.exists() else None

    def add(self, point: Point) -> None:
        """Store a point, in the place of an older one of these settings."""
        write_json(self._file(point.settings), self._key | {"point": asdict(point)})

    def _file(self, settings: Mapping[str, Any]) -> Path:
        text = json.dumps(settings, sort_keys=True)
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"

    def _read(self, file: Path) -> Point | None:
        stored = read_json(file)
        try:
            same = all(stored[name] == value for name, value in self._key.items())
            return Point(**stored["point"]) if same else None
        except (KeyError, TypeError) as error:
            raise _unfit(file, error) from error


def record_folder(dataset: Dataset, name: str) -> Path:
    """Where the points of a model are."""
    return dataset.folder / record_place(name)


def record_place(name: str) -> str:
    """Where the points of a model are in the folder of a dataset."""
    return f"{GRIDS}/{name}"


def record_stamp(dataset: Dataset, name: str) -> float:
    """When the stored points of a model changed last; 0 where there are none."""
    return max(map(_changed, record_folder(dataset, name).glob("[!.]*.json")), default=0.0)


def _changed(file: Path) -> float:
    return file.stat().st_mtime


def _unfit(file: Path, error: Exception) -> SegueError:
    return SegueError(f"{file} does not fit this version of Segue ({error!r}): remove it.")


def _work(task: dict[str, Any]) -> dict[str, Any] | str:
    """The fields of the task's `Point`, or why there is none."""
    answer = measured_point(Dataset(Path(task["folder"])), task)
    return asdict(answer) if isinstance(answer, Point) else answer


if __name__ == "__main__":
    reply(_work(received()))
