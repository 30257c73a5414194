"""Quality and cost of every model beside the peers of its family, over several splits.

Each fit is measured in a process of its own, so that its peak memory is its own, and recorded as
soon as it is done: an interrupted run goes on where it stopped.
"""

import ast
import hashlib
import inspect
import json
import multiprocessing
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np

from core.bench import ablation
from core.bench.contenders import Contender, our_contenders, our_ranker, peer_contenders
from core.bench.report import BATCH, QualityReport, label_of, summarise
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import Challenge, split
from core.evaluation.leaderboard import System, measure
from core.evaluation.metrics import LENGTH, plain
from core.measure import measured
from core.progress import SILENT, Progress
from core.ranking.ranker import RANKER, Ranker
from core.recommender import FUSION, Recommender
from core.retrieval.base import Queries, RetrievalModel
from core.training.crossfit import CrossFit, crossfit
from core.training.ranking import fit_ranker
from core.workspace import atomic_folder, read_json, write_json

_VERSION = 1
"""Of the records; another number when what is measured changes."""
_FUSION_CODE = ("core.recommender", "core.ranking.candidates", "core.ranking.fusion")
_RANKER_CODE = (
    *_FUSION_CODE,
    "core.ranking.ranker",
    "core.ranking.routes",
    "core.training.crossfit",
    "core.training.ranking",
)
_FEATURES = "core.ranking.features"
"""Package whose modules the ranker's results depend on as well."""
_ABLATION_CODE = ("core.bench.ablation",)
_ALONE = 50
"""Queries that are asked alone."""


def quality(
    dataset: Dataset,
    models: Sequence[Contender],
    peers: Sequence[Contender],
    holdout: int = 400,
    seeds: Sequence[int] = (0, 1, 2),
    progress: Progress = SILENT,
    *,
    records: Path | None = None,
    isolated: bool = True,
    ranker: Ranker.Params | None = None,
    ablations: bool = False,
) -> QualityReport:
    """Fit and measure models, their fusion, the ranker and peers on the same splits.

    A seed splits the dataset anew and starts every model. The held-out playlists of all seeds are
    pooled; as one can be held out by several seeds, the bootstrap draws playlists, each with all
    its results.

    Parameters
    ----------
    dataset : Dataset
        The whole, not a view.
    models, peers : sequence of Contender
        At least one model. A peer whose library is not installed is left out and reported.
    holdout : int
        Held-out playlists a seed, over the ten categories.
    seeds : sequence of int
    progress : Progress
    records : Path, optional
        Folder of finished results, which are not measured again as long as the dataset, the
        split, the settings and the code of the model stay; by default nothing is kept.
    isolated : bool
        Whether each fit has a process of its own; without, peak memory is that of all before.
    ranker : Ranker.Params, optional
        Settings of the ranker of these models; by default there is none.
    ablations : bool
        Whether to measure what each part of the ranker brings.

    Raises
    ------
    SegueError
        If too few playlists can be held out, or a process is ended from outside.
    """
    if not models:
        raise SegueError("A comparison needs at least one model of ours.")
    with _folder(records) as folder:
        run = _Run(dataset.folder, holdout, folder, isolated, ranker, ablations)
        results: dict[str, list[dict[str, Any]]] = {}
        skipped: dict[str, str] = {}
        for at, seed in enumerate(seeds):
            part = progress.within(at / len(seeds), (at + 1) / len(seeds), f"Seed {seed}")
            for name, result in run.results(seed, models, peers, skipped, part):
                results.setdefault(name, []).append(result)
    contenders = {one.name: one for one in (*models, *peers)}
    return summarise(dataset.name, holdout, seeds, results, contenders, skipped)


def stored_quality(
    dataset: Dataset,
    models: Sequence[Contender],
    peers: Sequence[Contender],
    holdout: int,
    seeds: Sequence[int],
    progress: Progress = SILENT,
    *,
    ranker: Ranker.Params | None = None,
    ablations: bool = False,
) -> QualityReport:
    """As `quality`, with its records and its report kept beside a writable dataset's models."""
    folder = dataset.folder / "bench"
    report = quality(
        dataset,
        models,
        peers,
        holdout,
        seeds,
        progress,
        records=folder / "quality",
        ranker=ranker,
        ablations=ablations,
    )
    report.save(folder / "quality.json")
    return report


def small_quality(dataset: Dataset, progress: Progress = SILENT) -> QualityReport:
    """One split, 100 held-out playlists, models in their fast preset; nothing is kept.

    Peers have their own settings, but for LightFM, which would take longer than all others.
    """
    models = our_contenders("all", "fast")
    peers = [one for one in peer_contenders() if one.name != "lightfm_warp"]
    ranker = our_ranker("all", "fast")
    return quality(dataset, models, peers, 100, (0,), progress, ranker=ranker)


def parse_seeds(text: str) -> list[int]:
    """Distinct seeds from "0,1,2".

    Raises
    ------
    SegueError
        If one is not a number from 0 on, or occurs twice.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts) or len(set(parts)) < len(parts):
        raise SegueError(f"{text!r} are no seeds: give distinct whole numbers, as in 0,1,2.")
    return [int(part) for part in parts]


@contextmanager
def _folder(records: Path | None) -> Iterator[Path]:
    if records:
        yield records
        return
    with TemporaryDirectory() as name:
        yield Path(name)


@dataclass(frozen=True)
class _Task:
    """One system on one split: what a process needs to measure it.

    Attributes
    ----------
    dataset : Path
    holdout, seed : int
    contender : Contender or None
        None for what the `members` answer together.
    members : sequence of (Contender, Path)
        Models that take part, and where each was saved.
    ranker : Ranker.Params or None
        None for the members' fusion.
    work : Path or None
        Folder of the ranker's training data.
    without : str or None
        A part that the ranker is to do without, see `ablation.parts`.
    """

    dataset: Path
    holdout: int
    seed: int
    contender: Contender | None
    members: Sequence[tuple[Contender, Path]] = ()
    ranker: Ranker.Params | None = None
    work: Path | None = None
    without: str | None = None

    @property
    def name(self) -> str:
        if self.contender:
            return self.contender.name
        if self.without:
            return f"{RANKER} without {self.without}"
        return RANKER if self.ranker else FUSION

    @property
    def label(self) -> str:
        return self.contender.label if self.contender else label_of(self.name)


@dataclass(frozen=True)
class _Run:
    """Where results come from: records, or else measurements.

    Attributes
    ----------
    dataset : Path
    holdout : int
    folder : Path
        Of the records, in "models" of what unfinished results need, and in "crossfit" of the
        ranker's training data.
    isolated : bool
    ranker : Ranker.Params or None
    ablations : bool
    """

    dataset: Path
    holdout: int
    folder: Path
    isolated: bool
    ranker: Ranker.Params | None
    ablations: bool

    def results(
        self,
        seed: int,
        models: Sequence[Contender],
        peers: Sequence[Contender],
        skipped: dict[str, str],
        progress: Progress,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Results of every system on one split, by name; adds to `skipped` what cannot run."""
        steps = len(models) + len(peers)
        yield from self._ours(seed, models, progress.within(0, len(models) / steps, ""))
        for step, one in enumerate(peers, steps - len(peers)):
            progress.update(one.label, step / steps)
            task = _Task(self.dataset, self.holdout, seed, one)
            try:
                yield one.name, self._result(task, _key(task))
            except ImportError as error:
                skipped[one.name] = (
                    f"{one.label} was not measured, because its library is missing ({error}): "
                    "install requirements-bench.txt."
                )

    def _ours(
        self, seed: int, models: Sequence[Contender], progress: Progress
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Results of our models, and where there are several, of what they answer together."""
        tasks = [_Task(self.dataset, self.holdout, seed, one) for one in models]
        keys = [_key(task) for task in tasks]
        saved = [self.folder / "models" / key for key in keys]
        members = list(zip(models, saved, strict=True))
        together = self._together(seed, members) if len(models) > 1 else []
        needed = any(not self._record(task, _key(task)).exists() for task in together)
        steps = len(tasks) + len(together)
        fit_seconds = 0.0
        for step, (one, task, key, path) in enumerate(zip(models, tasks, keys, saved, strict=True)):
            progress.update(task.label, step / steps)
            result = self._result(task, key, path if needed else None)
            fit_seconds += result["fit_seconds"] * one.model.retrieves
            yield task.name, result
        for step, task in enumerate(together, len(tasks)):
            progress.update(task.label, step / steps)
            result = self._result(task, _key(task))
            yield task.name, result | {"fit_seconds": fit_seconds + (result["fit_seconds"] or 0)}
        for path in saved:
            shutil.rmtree(path, ignore_errors=True)

    def _together(self, seed: int, members: Sequence[tuple[Contender, Path]]) -> list[_Task]:
        """What the models answer together: fused, ranked, and ranked without each part."""
        fusion = _Task(self.dataset, self.holdout, seed, None, members)
        if not self.ranker:
            return [fusion]
        ranked = replace(fusion, ranker=self.ranker)
        # Named by the key: what other code of a model has made is not used again.
        ranked = replace(ranked, work=self.folder / "crossfit" / f"{seed}-{_key(ranked)}")
        sources = [one.name for one, _ in members if one.model.retrieves]
        taken = ablation.parts(sources) if self.ablations else []
        return [fusion, ranked, *(replace(ranked, without=part) for part in taken)]

    def _record(self, task: _Task, key: str) -> Path:
        return self.folder / f"{task.name.replace(' ', '-')}-{task.seed}-{key}.json"

    def _result(self, task: _Task, key: str, save: Path | None = None) -> dict[str, Any]:
        """The recorded result, or a new one; where asked, the fitted model is saved as well."""
        record = self._record(task, key)
        if record.exists() and (save is None or save.exists()):
            return read_json(record)
        result = (_alone if self.isolated else _measured)(task, key, save)
        write_json(record, result)
        return result


def _key(task: _Task) -> str:
    """Hash of everything that a result depends on, the code of the model included."""
    if task.contender is None:
        members = [
            _key(_Task(task.dataset, task.holdout, task.seed, one)) for one, _ in task.members
        ]
        modules = list(_RANKER_CODE if task.ranker else _FUSION_CODE)
        if task.ranker:
            modules += sorted(name for name in sys.modules if name.startswith(_FEATURES))
        if task.without:
            modules += _ABLATION_CODE
        settings = asdict(task.ranker) if task.ranker else None
        return _digest(members, settings, task.without, [_code(module) for module in modules])
    return _digest(
        _VERSION,
        Dataset(task.dataset).manifest,
        task.holdout,
        task.seed,
        task.name,
        asdict(task.contender.params),
        _code(task.contender.model.__module__),
    )


def _code(module: str) -> str:
    """A module's code without its comments and layout."""
    return ast.dump(ast.parse(inspect.getsource(sys.modules[module])))


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:12]


def _alone(task: _Task, key: str, save: Path | None) -> dict[str, Any]:
    """The result of `_measured` in a fresh process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        try:
            return pool.submit(_measured, task, key, save).result()
        except BrokenProcessPool as error:
            raise SegueError(
                f"The process that measured {task.label} was ended from outside, perhaps for lack "
                "of memory; run the same command again to go on."
            ) from error


def _measured(task: _Task, key: str, save: Path | None) -> dict[str, Any]:
    """Fit, or load what is fused, and measure: plain values that a record can hold."""
    if _key(task) != key:
        raise SegueError(
            f"The code of {task.label} changed while others were measured; run the same command "
            "again to go on."
        )
    parts = split(Dataset(task.dataset), task.holdout, task.seed)
    result = _ablated if task.without else _answered
    return result(task, parts.train, parts.test, save) | {
        "playlists": parts.test.rows.tolist(),
        "categories": parts.test.category.tolist(),
    }


def _answered(task: _Task, train: Dataset, test: Challenge, save: Path | None) -> dict[str, Any]:
    """Cost and figures of a model, or of what the members answer together."""
    fit_seconds = peak_mb = None
    if task.contender:
        model = task.contender.model(task.contender.params)
        with measured() as cost:
            model.fit(train, task.seed)
        if save:
            with atomic_folder(save) as folder:
                model.save(folder)
        recommend = model.recommend
        fit_seconds, peak_mb = cost.seconds, cost.peak_mb
    else:
        members = _members(task, train)
        ranker = None
        if task.ranker:
            with measured() as cost:
                made = _crossfitted(task, train)
                ranker = fit_ranker(made, task.ranker)
            fit_seconds, peak_mb = cost.seconds, cost.peak_mb
            ablation.describe_test(made, members, test)
        recommend = Recommender(train, members, ranker).recommend
    system = System(task.name, task.label, recommend)
    values = measure(system, test, train).values
    alone_ms, batch_ms = _speed(system, test.queries)
    return {
        "fit_seconds": fit_seconds,
        "peak_mb": peak_mb,
        "alone_ms": alone_ms,
        "batch_ms": batch_ms,
        "values": {name: [plain(value) for value in array] for name, array in values.items()},
    }


def _members(task: _Task, train: Dataset) -> dict[str, RetrievalModel]:
    """The models that were saved, but those that only order what others propose."""
    return {
        one.name: one.model.load(path, train) for one, path in task.members if one.model.retrieves
    }


def _crossfitted(task: _Task, train: Dataset) -> CrossFit:
    """The ranker's training data; those of an earlier task are used again."""
    sources = {one.name: asdict(one.params) for one, _ in task.members if one.model.retrieves}
    if task.ranker is None or task.work is None:
        raise ValueError("a ranker has settings and a folder")
    return crossfit(train, sources, task.ranker, task.work, task.seed)


def _ablated(task: _Task, train: Dataset, test: Challenge, save: Path | None) -> dict[str, Any]:
    """Figures of the ranker without a part; its cost is not of interest."""
    made = _crossfitted(task, train)
    if task.ranker is None or task.without is None:
        raise ValueError("an ablation takes a part from a ranker")
    values = ablation.measured_without(made, test, task.without, task.ranker)
    return {
        "fit_seconds": None,
        "peak_mb": None,
        "alone_ms": None,
        "batch_ms": None,
        "values": values,
    }


def _speed(system: System, queries: Queries) -> tuple[float, float]:
    """Milliseconds a query, some asked alone and 1,000 in one call."""
    rows = [row % len(queries) for row in range(BATCH)]
    many = Queries([queries.seeds[row] for row in rows], [queries.titles[row] for row in rows])
    chosen = np.linspace(0, len(queries) - 1, _ALONE).astype(int).tolist()
    system.recommend(queries[:1], LENGTH)
    alone = _seconds(lambda: [system.recommend(queries[row : row + 1], LENGTH) for row in chosen])
    batch = _seconds(lambda: system.recommend(many, LENGTH))
    return 1_000 * alone / _ALONE, 1_000 * batch / BATCH


def _seconds(work: Callable[[], Any]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start
