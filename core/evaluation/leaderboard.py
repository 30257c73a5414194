"""Every system on one challenge, side by side: figures with intervals, differences, cost."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.evaluation import metrics
from core.evaluation.candidates import DEPTHS, Union, recall_at, size_at, union
from core.evaluation.challenge import BATCH, CATEGORIES, Challenge, complete
from core.evaluation.metrics import (
    Figure,
    Figures,
    figure_text,
    plain,
    stored_figures,
    value_text,
    with_intervals,
)
from core.evaluation.stored import fitting
from core.progress import SILENT, Progress
from core.retrieval.base import Queries, Recommendations
from core.workspace import read_json, write_json

CANDIDATES = 1000
"""Tracks asked of each system; the list that the challenge judges is the first 500."""

_ALONE = 25
_HITS = (10, 100, 500)

LABELS = {
    "r_precision": "R-precision",
    "track_r_precision": "track only",
    "ndcg": "NDCG",
    "clicks": "clicks",
    **{f"hit@{k}": f"hit@{k}" for k in _HITS},
    **{recall_at(k): recall_at(k) for k in DEPTHS},
    "novelty": "novelty",
    "coverage": "coverage",
    "gini": "Gini",
    "popularity_lift": "lift",
}
"""What a person reads for each metric, by its key."""


@dataclass(frozen=True)
class System:
    """Something that continues playlists, and what it cost to make.

    Attributes
    ----------
    name : str
        Identifier, distinct in a leaderboard.
    label : str
        Name that a person reads.
    recommend : callable (queries, k) -> Recommendations
        Equal scores of neighbours in a list mean that it has no preference between them.
    fit_seconds : float or None
        Wall time of its training; None where unknown.
    peak_bytes : int or None
        Peak resident memory of its training.
    retrieves : bool
        Whether it is a generator of candidates that takes part in their union.
    reads_titles : bool
        Whether a query's title changes its answer.
    """

    name: str
    label: str
    recommend: Callable[[Queries, int], Recommendations]
    fit_seconds: float | None = None
    peak_bytes: int | None = None
    retrieves: bool = False
    reads_titles: bool = False


@dataclass(frozen=True)
class Row:
    """One system's measurements, figures by metric key (see `LABELS`).

    Attributes
    ----------
    name, label : str
    overall : mapping of str to Figure
        Means over all playlists.
    by_category : mapping of category label to such figures
    against_best : mapping of str to Figure
        Paired mean difference to the first system of the leaderboard, for metrics that each
        playlist has; 0 for that system itself.
    against : mapping of system name to Figure
        Paired mean difference of R-precision to each other system.
    milliseconds : float
        Wall time a query for 1,000 tracks, in batches of 250, after one query to warm up.
    milliseconds_alone : float
        Median wall time of a query asked alone.
    fit_seconds : float or None
    peak_bytes : int or None
    retrieves, reads_titles : bool
        As its `System` says.
    """

    name: str
    label: str
    overall: Figures
    by_category: Mapping[str, Figures]
    against_best: Figures
    against: Figures
    milliseconds: float
    milliseconds_alone: float
    fit_seconds: float | None
    peak_bytes: int | None
    retrieves: bool
    reads_titles: bool


@dataclass(frozen=True)
class Leaderboard:
    """Measurements of several systems on one challenge.

    Attributes
    ----------
    dataset : str
    training_playlists : int
    playlists : mapping of category label to int
        Held-out playlists of each category that has any, in the protocol's order.
    rows : sequence of Row
        By falling R-precision.
    union : Union or None
        Candidates of the systems that retrieve, taken together; None where fewer than two do.
    settings : mapping of system name to settings
        Those that trained models were measured with; empty where that is not known.
    """

    dataset: str
    training_playlists: int
    playlists: Mapping[str, int]
    rows: Sequence[Row]
    union: Union | None
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and None."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, self.as_json())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        SegueError
            If the file is missing or does not fit this version.
        """
        stored = read_json(path)
        with fitting(path):
            rows = [_row(row) for row in stored["rows"]]
            pooled = stored["union"] and Union.from_json(stored["union"])
            return cls(**stored | {"rows": rows, "union": pooled})


def _row(stored: dict[str, Any]) -> Row:
    return Row(
        **stored
        | {
            "overall": stored_figures(stored["overall"]),
            "by_category": {
                key: stored_figures(value) for key, value in stored["by_category"].items()
            },
            "against_best": stored_figures(stored["against_best"]),
            "against": stored_figures(stored["against"]),
        }
    )


def evaluate(
    systems: Sequence[System],
    challenge: Challenge,
    train: Dataset,
    progress: Progress = SILENT,
) -> Leaderboard:
    """Measure systems on one challenge.

    Rules, the same for every system:

    - Each is asked for 1,000 tracks. Candidate recall, of one system and of the union of those
      that retrieve, is that of these lists.
    - For all other figures the list is cut at 500 or, where shorter, completed to 500 with the
      most popular tracks of the training playlists that are neither in it nor seeds.
    - Tracks that no training playlist holds are struck out: they are in the catalogue only because
      held-out playlists hold them, so to propose them would be to know these.
    - Tracks with equal scores are put in order of training popularity, ties of that in a fixed
      random order. (Ids follow the popularity of the full dataset, so an order by id would tell
      which tracks the held-out playlists hold.)
    - Means are over playlists.

    Parameters
    ----------
    systems : sequence of System
        At least one, fitted on `train`.
    challenge : Challenge
    train : Dataset
        The training view of the split that made the challenge.
    progress : Progress

    Raises
    ------
    ValueError
        If a system breaks the contract: a seed, a track twice, an id out of range.
    """
    return summarised(measure_all(systems, challenge, train, progress), challenge, train)


def measure_all(
    systems: Sequence[System], challenge: Challenge, train: Dataset, progress: Progress = SILENT
) -> list["Measured"]:
    """What each system did, by falling R-precision; parameters and rules as for `evaluate`."""
    return best_first(
        measure(
            system,
            challenge,
            train,
            progress.within(at / len(systems), (at + 1) / len(systems), system.label),
        )
        for at, system in enumerate(systems)
    )


def best_first(measured: Iterable["Measured"]) -> list["Measured"]:
    """By falling R-precision, as a leaderboard has them."""
    return sorted(measured, key=lambda one: -one.values["r_precision"].mean())


def summarised(measured: Sequence["Measured"], challenge: Challenge, train: Dataset) -> Leaderboard:
    """The leaderboard of what `measure_all` found."""
    groups = {
        category.label: np.flatnonzero(challenge.category == index)
        for index, category in enumerate(CATEGORIES)
        if (challenge.category == index).any()
    }
    return Leaderboard(
        dataset=train.name,
        training_playlists=train.n_playlists,
        playlists={label: len(rows) for label, rows in groups.items()},
        rows=[_summary(one, measured, groups, challenge, train) for one in measured],
        union=_union(measured, challenge, groups),
    )


def _union(
    measured: Sequence["Measured"], challenge: Challenge, groups: Mapping[str, np.ndarray]
) -> Union | None:
    retrieved = {one.system.name: one.candidates for one in measured if one.system.retrieves}
    return union(retrieved, challenge.hidden, groups) if len(retrieved) > 1 else None


@dataclass(frozen=True)
class Measured:
    """What one system did on every playlist of a challenge.

    Attributes
    ----------
    system : System
    values : mapping of str to float or int array, shape (B,)
        The figure of each playlist, in the challenge's order, by metric key: those of `LABELS`
        that a single playlist has.
    candidates : int32 array, shape (B, 1000)
        Its answers, -1 after the last.
    lists : int32 array, shape (B, 500)
        The lists that were judged: these, completed by popularity.
    milliseconds : float
        Wall time a query for 1,000 tracks, in batches of 250, after one query to warm up.
    milliseconds_alone : float
        Median wall time of 25 queries, spread over the challenge, each asked alone.
    """

    system: System
    values: dict[str, np.ndarray]
    candidates: np.ndarray
    lists: np.ndarray
    milliseconds: float
    milliseconds_alone: float


def measure(
    system: System, challenge: Challenge, train: Dataset, progress: Progress = SILENT
) -> Measured:
    """Measure one system on every playlist of a challenge, by the rules of `evaluate`.

    Parameters
    ----------
    system : System
        Fitted on `train`.
    challenge : Challenge
    train : Dataset
        The training view of the split that made the challenge.
    progress : Progress

    Raises
    ------
    ValueError
        If the system breaks the contract: a seed, a track twice, an id out of range.
    """
    popular = train.by_popularity
    rank = np.empty(train.n_tracks, np.int64)
    rank[popular] = np.arange(train.n_tracks)
    system.recommend(challenge.queries[:1], CANDIDATES)
    seconds = 0.0
    found, lists, values = [], [], []
    starts = range(0, len(challenge), BATCH)
    for start in progress.track(starts, "Measuring"):
        part = challenge[start : start + BATCH]
        queries, hidden = part.queries, part.hidden
        began = perf_counter()
        answer = system.recommend(queries, CANDIDATES)
        seconds += perf_counter() - began
        _check(system, answer.ids, queries, train.n_tracks)
        found.append(_heard(_untied(answer, rank), train.counts))
        lists.append(complete(found[-1], queries, popular))
        values.append(judged_values(found[-1], lists[-1], hidden, train))
    return Measured(
        system,
        {name: np.concatenate([batch[name] for batch in values]) for name in values[0]},
        np.concatenate(found),
        np.concatenate(lists),
        1000 * seconds / len(challenge),
        1000 * _seconds_alone(system, challenge.queries),
    )


def _seconds_alone(system: System, queries: Queries) -> float:
    """Median wall time of some queries asked one by one."""
    rows = np.unique(np.linspace(0, len(queries) - 1, _ALONE).astype(int)).tolist()
    seconds = []
    for row in rows:
        began = perf_counter()
        system.recommend(queries[row : row + 1], CANDIDATES)
        seconds.append(perf_counter() - began)
    return float(np.median(seconds))


def _check(system: System, ids: np.ndarray, queries: Queries, n_tracks: int) -> None:
    """Raise ValueError unless every list holds distinct tracks of the dataset and no seed."""
    if ids.shape[0] != len(queries) or ids.min(initial=-1) < -1 or ids.max(initial=-1) >= n_tracks:
        raise ValueError(f"{system.name} does not answer every query with tracks of the dataset.")
    listed = np.sort(ids, axis=1)
    if ((listed[:, 1:] == listed[:, :-1]) & (listed[:, 1:] >= 0)).any():
        raise ValueError(f"{system.name} recommends a track twice in one list.")
    rows, seeds = queries.flat()
    keys = np.arange(len(ids))[:, None] * n_tracks + ids
    if (np.isin(keys, rows * n_tracks + seeds, kind="sort") & (ids >= 0)).any():
        raise ValueError(f"{system.name} recommends a seed.")


def _heard(ids: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The ids that some training playlist holds, in their order, padded with -1."""
    heard = np.where((ids >= 0) & (counts[ids] > 0), ids, -1)
    order = np.argsort(heard < 0, axis=1, kind="stable")
    return np.take_along_axis(heard, order, axis=1)


def _untied(answer: Recommendations, rank: np.ndarray) -> np.ndarray:
    """The ids, neighbours of equal score put in order of `rank`, shape as given."""
    steps = answer.scores[:, 1:] != answer.scores[:, :-1]
    level = np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    within = np.where(answer.ids < 0, len(rank), rank[answer.ids])
    order = np.argsort(level * (len(rank) + 1) + within, axis=1)
    return np.take_along_axis(answer.ids, order, axis=1)


def judged_values(
    candidates: np.ndarray, full: np.ndarray, hidden: Sequence[np.ndarray], train: Dataset
) -> dict[str, np.ndarray]:
    """Figures of each playlist by metric key, those that a single playlist has.

    Parameters
    ----------
    candidates : int32 array, shape (B, K), padded with -1
        What a system proposed.
    full : int32 array, shape (B, 500)
        The lists that are judged.
    hidden : sequence of B int arrays
    train : Dataset
    """
    judged = metrics.judge(full, hidden)
    found = metrics.judge(candidates, hidden)
    return {
        "r_precision": metrics.r_precision(judged, train.artist),
        "track_r_precision": metrics.track_r_precision(judged),
        "ndcg": metrics.ndcg(judged),
        "clicks": metrics.clicks(judged),
        **{f"hit@{k}": metrics.hit_ratio(judged, k) for k in _HITS},
        **{recall_at(k): metrics.recall(found, k) for k in DEPTHS},
        "novelty": metrics.novelty(full, train.counts, train.n_playlists),
    }


def _summary(
    one: Measured,
    every: Sequence[Measured],
    groups: Mapping[str, np.ndarray],
    challenge: Challenge,
    train: Dataset,
) -> Row:
    def figures(rows: np.ndarray) -> Figures:
        hidden = [challenge.hidden[row] for row in rows]
        lists = one.lists[rows]
        together = {
            "coverage": metrics.coverage(lists, train.n_tracks),
            "gini": metrics.gini(lists, train.n_tracks),
            "popularity_lift": metrics.popularity_lift(lists, hidden, train.counts),
        }
        return with_intervals(names, metrics.bootstrap(table[rows])) | {
            name: Figure(plain(value)) for name, value in together.items()
        }

    names = list(one.values)
    table = np.stack(list(one.values.values()), axis=1)
    best_table = np.stack(list(every[0].values.values()), axis=1)
    names_of_all = [other.system.name for other in every]
    precision = np.stack([other.values["r_precision"] for other in every], axis=1)
    lead = metrics.bootstrap(one.values["r_precision"][:, None] - precision)
    against = with_intervals(names_of_all, lead)
    del against[one.system.name]
    return Row(
        name=one.system.name,
        label=one.system.label,
        overall=figures(np.arange(len(challenge))),
        by_category={label: figures(rows) for label, rows in groups.items()},
        against_best=with_intervals(names, metrics.paired_difference(table, best_table)),
        against=against,
        milliseconds=one.milliseconds,
        milliseconds_alone=one.milliseconds_alone,
        fit_seconds=one.system.fit_seconds,
        peak_bytes=one.system.peak_bytes,
        retrieves=one.system.retrieves,
        reads_titles=one.system.reads_titles,
    )


def render(leaderboard: Leaderboard) -> str:
    """The leaderboard as text of at most 100 columns, for a terminal or a log."""
    rows = leaderboard.rows
    shorts = {category.label: category.short for category in CATEGORIES}
    by_category = [
        [row.label, *(_cell(row.by_category[label], "r_precision") for label in row.by_category)]
        for row in rows
    ]
    cost = [
        [
            value_text(row.milliseconds, 2),
            value_text(row.milliseconds_alone, 1),
            value_text(row.fit_seconds, 1),
            value_text(row.peak_bytes and row.peak_bytes / 1e6, 0),
        ]
        for row in rows
    ]
    tables = [
        _table(
            f"{leaderboard.dataset}: {sum(leaderboard.playlists.values())} held-out playlists, "
            f"{leaderboard.training_playlists} to learn from. Mean [95 % interval]; "
            "fewer clicks are better.",
            [LABELS[name] for name in _CHALLENGE],
            [[row.label, *_cells(row.overall, _CHALLENGE, _WITH_INTERVAL)] for row in rows],
        ),
        _table(
            f"Paired difference to {rows[0].label} [95 % interval].",
            [LABELS[name] for name in _WITH_INTERVAL],
            [
                [row.label, *_cells(row.against_best, _WITH_INTERVAL, _WITH_INTERVAL)]
                for row in rows[1:]
            ],
        ),
        _table(
            "R-precision by category (t: title, r: random places).",
            [shorts[label] for label in leaderboard.playlists],
            [["playlists", *map(str, leaderboard.playlists.values())], *by_category],
        ),
        _table(
            "Next track among the first k, and share of hidden tracks among the candidates.",
            [LABELS[name] for name in _FOUND],
            [[row.label, *_cells(row.overall, _FOUND)] for row in rows],
        ),
        *_union_tables(leaderboard, shorts),
        _table(
            "Catalogue, and cost: milliseconds a query in batches and alone, fit, peak memory.",
            [*(LABELS[name] for name in _CATALOGUE), "ms", "alone", "fit s", "peak MB"],
            [
                [row.label, *_cells(row.overall, _CATALOGUE), *figures]
                for row, figures in zip(rows, cost, strict=True)
            ],
        ),
    ]
    return "\n\n".join(table for table in tables if table)


def _union_tables(leaderboard: Leaderboard, shorts: Mapping[str, str]) -> list[str]:
    """Recall of the union of candidates and what each model alone adds, overall and by category."""
    pooled = leaderboard.union
    if pooled is None:
        return []
    recalls = [recall_at(depth) for depth in DEPTHS]
    labels = {row.name: row.label for row in leaderboard.rows if row.name in pooled.models}
    together, deepest = pooled.overall.together, recalls[-1]
    sizes = [value_text(together[size_at(depth)].value, 0) for depth in DEPTHS]
    return [
        _table(
            f"Candidates of all {len(pooled.models)} models together: each one's first "
            f"{', '.join(map(str, DEPTHS))}. Below, what each alone adds.",
            recalls,
            [
                ["distinct tracks", *sizes],
                ["union", *_cells(together, recalls, recalls)],
                *(
                    [label, *_cells(pooled.overall.added[name], recalls, recalls)]
                    for name, label in labels.items()
                ),
            ],
        ),
        _table(
            f"The same by category, {deepest}.",
            [shorts[label] for label in leaderboard.playlists],
            [
                ["union", *(_cell(pool.together, deepest) for pool in pooled.by_category.values())],
                *(
                    [
                        label,
                        *(_cell(pool.added[name], deepest) for pool in pooled.by_category.values()),
                    ]
                    for name, label in labels.items()
                ),
            ],
        ),
    ]


_CHALLENGE = ("r_precision", "track_r_precision", "ndcg", "clicks")
_WITH_INTERVAL = ("r_precision", "ndcg", "clicks")
_FOUND = (*(f"hit@{k}" for k in _HITS), *map(recall_at, DEPTHS))
_CATALOGUE = ("coverage", "gini", "novelty", "popularity_lift")
_LABEL_WIDTH = 22


def _cells(figures: Figures, names: Sequence[str], with_interval: Sequence[str] = ()) -> list[str]:
    return [_cell(figures, name, name in with_interval) for name in names]


def _cell(figures: Figures, name: str, with_interval: bool = False) -> str:
    figure, digits = figures[name], 2 if name == "clicks" else 3
    return figure_text(figure, digits) if with_interval else value_text(figure.value, digits)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A label and right-aligned cells a row, under a title; empty without rows."""
    if not rows:
        return ""
    lines = [["", *header], *([_short(label), *cells] for label, *cells in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        [title]
        + [
            f"{label:{_LABEL_WIDTH}}"
            + "".join(f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
            for label, *cells in lines
        ]
    )


def _short(label: str) -> str:
    return label if len(label) <= _LABEL_WIDTH else label[: _LABEL_WIDTH - 1] + "…"
