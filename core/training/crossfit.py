"""Training data of the ranker: what the first stage says of playlists that it has not seen.

The playlists are dealt to folds. For each fold the first stage is fitted on all others, and the
fold's playlists are masked in the protocol's categories and given to it as queries. So every
playlist trains the ranker, and none tells it what the first stage knew already (stacked
generalisation: D. Wolpert, 1992, https://doi.org/10.1016/S0893-6080(05)80023-1).

`python -m core.training.crossfit` is one worker: it reads a task as JSON and does it. What is done
stays in the folder, so that an interrupted run goes on where it stopped.
"""

import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.dataset.dataset import Dataset, Playlists
from core.errors import SegueError, in_words
from core.evaluation.challenge import Challenge, masked
from core.progress import SILENT, Progress
from core.ranking.candidates import heard, measured_quotas, pool
from core.ranking.features import Features
from core.ranking.fusion import blend, weights
from core.ranking.ranker import Ranker, Table
from core.ranking.routes import ROUTES, route
from core.recommender import CANDIDATES
from core.retrieval import MODELS
from core.retrieval.base import Recommendations, RetrievalModel
from core.training.room import affordable_jobs
from core.training.workers import answers, received, reply
from core.workspace import (
    alone,
    atomic_file,
    atomic_folder,
    delete_folder,
    load_array,
    load_arrays,
    read_json,
    save_arrays,
    write_json,
)

_SCARCE = 0.1
"""Share of masked playlists below which one fold is enough."""
_FEWEST = 20
"""Playlists that a ranker learns from at least."""
_SHAPING = ("pool", "folds", "playlists", "masks")
"""Settings of the ranker that its training data depend on."""
_VERSION = 1
_KEPT_S = 7 * 86_400
"""What an interrupted cross-fit left is of use to nobody after so long."""


@dataclass(frozen=True)
class CrossFit:
    """Where the data of one cross-fit are.

    Attributes
    ----------
    dataset : Dataset
        The view that is dealt to folds.
    sources : mapping of model name to settings
    params : Ranker.Params
    seed : int
    folder : Path
    """

    dataset: Dataset
    sources: Mapping[str, Mapping[str, Any]]
    params: Ranker.Params
    seed: int
    folder: Path

    @cached_property
    def fold(self) -> np.ndarray:
        """Fold of each playlist, int64; -1 for those that are always learnt from."""
        n, most = self.dataset.n_playlists, self.params.playlists
        folds = 1 if n * _SCARCE > most else max(2, min(self.params.folds, n))
        dealt = np.full(n, -1)
        order = np.random.default_rng(self.seed).permutation(n)[:most]
        dealt[order] = np.arange(len(order)) % folds
        return dealt

    @property
    def folds(self) -> range:
        return range(int(self.fold.max()) + 1)

    def view(self, fold: int) -> Dataset:
        """What the first stage learns from for a fold."""
        return self.dataset.select(np.flatnonzero(self.fold != fold))

    def masked(self, fold: int) -> Challenge:
        """The fold's playlists, masked."""
        return masked(self.dataset, np.flatnonzero(self.fold == fold), self.params.masks, self.seed)

    def answers(self, fold: int) -> dict[str, Recommendations]:
        """What each source says of the fold's queries, but for tracks it has never heard."""
        found = {name: _answer(self.folder / f"fold-{fold}" / name) for name in self.sources}
        every = np.ones(len(self.masked(fold)), bool)
        return heard(found, self.view(fold).counts, every)

    def table(self, fold: int) -> Table:
        """Candidates of the fold's queries, memory-mapped."""
        return read_table(self.folder / f"table-{fold}")

    @property
    def quotas(self) -> np.ndarray:
        """Candidates of each route that each source has a right to, int64."""
        return load_array(self.folder / "quotas.npy")

    @property
    def features(self) -> list[str]:
        """Names of the tables' columns."""
        return read_json(self.folder / "features.json")


def crossfit(
    dataset: Dataset,
    sources: Mapping[str, Mapping[str, Any]],
    params: Ranker.Params,
    folder: Path,
    seed: int = 0,
    progress: Progress = SILENT,
    jobs: int | None = None,
) -> CrossFit:
    """Make the ranker's training data, or what is missing of them.

    Parameters
    ----------
    dataset : Dataset
        A view; of what it does not hold nothing is seen.
    sources : mapping of model name to settings
        The first stage.
    params : Ranker.Params
    folder : Path
        Emptied unless it holds the beginnings of the same.
    seed : int
    progress : Progress
    jobs : int, optional
        Processes at a time; by default as `affordable_jobs` has it.

    Raises
    ------
    SegueError
        If there are too few playlists, or a fit fails.
    """
    made = CrossFit(dataset, sources, params, seed, folder)
    if dataset.n_playlists < _FEWEST or len(sources) < 2:
        raise SegueError(
            f"A ranker needs two trained models and {_FEWEST} playlists; on {dataset.name} are "
            f"{len(sources)} and {dataset.n_playlists}."
        )
    _open(made)
    tasks = [
        {"folder": str(folder), "fold": fold, "source": name}
        for name in reversed(list(sources))  # the dearest are among the last
        for fold in made.folds
        if not (folder / f"fold-{fold}" / name).exists()
    ]
    jobs = jobs or affordable_jobs(dataset.folder)
    _run(tasks, jobs, progress.within(0, 0.8, "First stage"))
    if not (folder / "quotas.npy").exists():
        progress.update("Measuring quotas", 0.8)
        with atomic_file(folder / "quotas.npy") as partial:
            np.save(partial, _quotas(made), allow_pickle=False)
    tables = [
        {"folder": str(folder), "fold": fold}
        for fold in made.folds
        if not (folder / f"table-{fold}").exists()
    ]
    _run(tables, jobs, progress.within(0.8, 1, "Features"))
    return made


@contextmanager
def working(
    dataset: Dataset,
    sources: Mapping[str, Mapping[str, Any]],
    params: Ranker.Params,
    seed: int = 0,
) -> Iterator[Path]:
    """A folder for one `crossfit`, beside the dataset's tables, that no other process writes to.

    It is named by all that the data depend on: an interrupted one goes on, and different ones do
    not meet. It is removed if the block succeeds.

    Parameters
    ----------
    dataset, sources, params, seed
        As for `crossfit`; the dataset of a writable workspace.

    Raises
    ------
    SegueError
        If another process makes the same data.
    """
    plan = json.dumps(_plan(CrossFit(dataset, sources, params, seed, Path())), sort_keys=True)
    root = dataset.folder
    held = root / f"crossfit-{hashlib.sha256(plan.encode()).hexdigest()[:16]}"
    held.mkdir(exist_ok=True)
    with alone(
        held,
        f"Another process makes the same training data of a ranker on {dataset.name!r}: wait "
        "until it is done.",
    ):
        for other in root.glob("crossfit-*"):
            if other != held and _is_old(other / "lock"):
                with suppress(SegueError), alone(other, "It is in use."):
                    delete_folder(other)
        yield held / "data"
        delete_folder(held)


def _is_old(lock: Path) -> bool:
    return lock.exists() and time.time() - lock.stat().st_mtime > _KEPT_S


def _arrays(playlists: Playlists) -> dict[str, np.ndarray]:
    """What is told to workers of the playlists, besides their titles."""
    dated = {} if playlists.modified is None else {"modified": playlists.modified}
    return {"indptr": playlists.indptr, "tracks": playlists.tracks, **dated}


def _plan(made: CrossFit) -> dict[str, Any]:
    """All that the data depend on, as JSON gives it back."""
    playlists, content = made.dataset.playlists, hashlib.sha256()
    for array in _arrays(playlists).values():
        content.update(array.tobytes())
    content.update(json.dumps(list(playlists.titles)).encode())
    plan = {
        "version": _VERSION,
        "dataset": str(made.dataset.folder.resolve()),
        "features": made.dataset.manifest.get("features"),
        "playlists": content.hexdigest(),
        "sources": made.sources,
        "params": {name: getattr(made.params, name) for name in _SHAPING},
        "seed": made.seed,
    }
    found: dict[str, Any] = json.loads(json.dumps(plan))
    return found


def _open(made: CrossFit) -> None:
    """Write what workers need to know, unless the folder is of the same."""
    plan, path, playlists = _plan(made), made.folder / "plan.json", made.dataset.playlists
    if path.exists() and read_json(path) == plan:
        return
    shutil.rmtree(made.folder, ignore_errors=True)
    save_arrays(made.folder / "view", _arrays(playlists))
    write_json(made.folder / "view" / "titles.json", list(playlists.titles))
    write_json(path, plan)


def _opened(folder: Path) -> CrossFit:
    """What `_open` wrote."""
    plan = read_json(folder / "plan.json")
    arrays = load_arrays(folder / "view")
    whole = Dataset(Path(plan["dataset"]))
    titles = read_json(folder / "view" / "titles.json")
    playlists = Playlists(titles=titles, n_tracks=whole.n_tracks, **arrays)
    params = Ranker.Params(**plan["params"])
    view = Dataset(whole.folder, playlists)
    return CrossFit(view, plan["sources"], params, plan["seed"], folder)


def _run(tasks: Sequence[dict[str, Any]], jobs: int, progress: Progress) -> None:
    with closing(answers(__name__, tasks, jobs)) as done:
        for at, (task, answer) in enumerate(done, 1):
            label = MODELS[task["source"]].label if "source" in task else f"fold {task['fold']}"
            if answer is not None:
                raise SegueError(
                    f"The ranker's training data could not be made: {label}: {answer}."
                )
            progress.update(f"{label}, fold {task['fold'] + 1}", at / len(tasks))


def _quotas(made: CrossFit) -> np.ndarray:
    """Measured on the queries of all folds, route by route; 0 on a route that no query takes."""
    parts = [made.masked(fold) for fold in made.folds]
    routes = np.concatenate([route(part.queries) for part in parts])
    hidden = [tracks for part in parts for tracks in part.hidden]
    lists = np.stack(
        [
            np.concatenate([made.answers(fold)[name].ids for fold in made.folds])
            for name in made.sources
        ]
    )
    quotas = np.zeros((len(ROUTES), len(made.sources)), np.int64)
    for index in np.unique(routes):
        rows = np.flatnonzero(routes == index)
        quotas[index] = measured_quotas(
            lists[:, rows], [hidden[row] for row in rows], made.params.pool
        )
    return quotas


def _work(task: dict[str, Any]) -> str | None:
    """Do a task; why it failed, or None."""
    made = _opened(Path(task["folder"]))
    try:
        if "source" in task:
            _fit(made, task["fold"], task["source"])
        else:
            _describe(made, task["fold"])
    except Exception as error:
        return in_words(error)
    return None


def _fit(made: CrossFit, fold: int, name: str) -> None:
    """Fit one model for one fold, and answer the fold's queries."""
    model = MODELS[name](MODELS[name].Params(**made.sources[name]))
    model.fit(made.view(fold), made.seed)
    answer = model.recommend(made.masked(fold).queries, CANDIDATES)
    with atomic_folder(made.folder / f"fold-{fold}" / name) as folder:
        model.save(folder / "model")
        save_arrays(folder, {"ids": answer.ids, "scores": answer.scores})


def _answer(folder: Path) -> Recommendations:
    return Recommendations(load_array(folder / "ids.npy"), load_array(folder / "scores.npy"))


def _describe(made: CrossFit, fold: int) -> None:
    """The table of one fold; its models are not needed afterwards."""
    view, stored = made.view(fold), made.folder / f"fold-{fold}"
    models = {name: MODELS[name].load(stored / name / "model", view) for name in made.sources}
    found = made.answers(fold)
    write_table(made.folder / f"table-{fold}", made, view, models, made.masked(fold), found)
    for name in made.sources:
        shutil.rmtree(stored / name / "model")


def read_table(path: Path) -> Table:
    """What `write_table` wrote, memory-mapped."""
    return Table(**load_arrays(path))


def write_table(
    path: Path,
    made: CrossFit,
    view: Dataset,
    models: Mapping[str, RetrievalModel],
    challenge: Challenge,
    found: Mapping[str, Recommendations],
) -> None:
    """Describe the candidates of masked playlists.

    Parameters
    ----------
    path : Path
        Folder of the table.
    made : CrossFit
        With quotas.
    view : Dataset
        What the models were fitted on.
    models : mapping of source to RetrievalModel
        The first stage.
    challenge : Challenge
        Of playlists that `view` does not hold.
    found : mapping of source to Recommendations
        Of the challenge's queries.
    """
    features = Features(view, models, list(made.sources))
    queries, quotas = challenge.queries, made.quotas[route(challenge.queries)]
    every = np.ones(len(queries), bool)
    candidates = pool(heard(found, view.counts, every), quotas, view.n_tracks)
    hits = np.concatenate(
        [
            np.isin(candidates.tracks[start:stop], hidden)
            for start, stop, hidden in zip(
                candidates.indptr[:-1], candidates.indptr[1:], challenge.hidden, strict=True
            )
        ]
    )
    by_model = [weights(length, list(models)) for length in queries.lengths.tolist()]
    values = features.values(queries, candidates).astype(np.float16)
    write_json(made.folder / "features.json", features.names)
    with atomic_folder(path) as folder:
        save_arrays(
            folder,
            {
                "values": values,
                "hits": hits,
                "blend": blend(candidates, by_model).astype(np.float32),
                "indptr": candidates.indptr,
                "tracks": candidates.tracks,
                "ranks": candidates.ranks.astype(np.int16),
            },
        )


if __name__ == "__main__":
    reply(_work(received()))
