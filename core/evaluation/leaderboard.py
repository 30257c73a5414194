"""Every system on one challenge, side by side: figures with intervals, differences, cost."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation import metrics
from core.evaluation.challenge import CATEGORIES, Challenge, complete
from core.progress import SILENT, Progress
from core.retrieval.base import Queries, Recommendations
from core.workspace import read_json, write_json

CANDIDATES = 1000
"""Tracks asked of each system; the list that the challenge judges is the first 500."""

_BATCH = 250
_HITS = (10, 100, 500)
_RECALLS = (200, 500, 1000)

LABELS = {
    "r_precision": "R-precision",
    "track_r_precision": "track only",
    "ndcg": "NDCG",
    "clicks": "clicks",
    **{f"hit@{k}": f"hit@{k}" for k in _HITS},
    **{f"recall@{k}": f"recall@{k}" for k in _RECALLS},
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
    """

    name: str
    label: str
    recommend: Callable[[Queries, int], Recommendations]
    fit_seconds: float | None = None
    peak_bytes: int | None = None


@dataclass(frozen=True)
class Figure:
    """A measured value and its 95 % bootstrap interval over playlists.

    The value is None where it is undefined. The ends are None for metrics of all lists together
    (coverage, Gini, lift): resampled playlists repeat, repeats cover less, so a bootstrap of
    these is biased.
    """

    value: float | None
    low: float | None = None
    high: float | None = None


Figures = Mapping[str, Figure]


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
    milliseconds : float
        Wall time a query for 1,000 tracks, in batches of 250, after one query to warm up.
    fit_seconds : float or None
    peak_bytes : int or None
    """

    name: str
    label: str
    overall: Figures
    by_category: Mapping[str, Figures]
    against_best: Figures
    milliseconds: float
    fit_seconds: float | None
    peak_bytes: int | None


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
    """

    dataset: str
    training_playlists: int
    playlists: Mapping[str, int]
    rows: Sequence[Row]

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
        try:
            return cls(**stored | {"rows": [_row(row) for row in stored["rows"]]})
        except (AttributeError, KeyError, TypeError) as error:
            raise SegueError(
                f"{path} does not fit this version of Segue ({error!r}): evaluate again."
            ) from error


def _row(stored: dict[str, Any]) -> Row:
    def figures(values: dict[str, Any]) -> Figures:
        return {name: Figure(**figure) for name, figure in values.items()}

    return Row(
        **stored
        | {
            "overall": figures(stored["overall"]),
            "by_category": {key: figures(value) for key, value in stored["by_category"].items()},
            "against_best": figures(stored["against_best"]),
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

    - Each is asked for 1,000 tracks. Candidate recall is that of this list as it is.
    - For all other figures the list is cut at 500 or, where shorter, completed to 500 with the
      most popular tracks of the training playlists that are neither in it nor seeds.
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
    popular = train.by_popularity
    measured = [
        _measure(
            system,
            challenge,
            train,
            popular,
            progress.within(at / len(systems), (at + 1) / len(systems), system.label),
        )
        for at, system in enumerate(systems)
    ]
    measured.sort(key=lambda one: -one.values["r_precision"].mean())
    groups = {
        category.label: np.flatnonzero(challenge.category == index)
        for index, category in enumerate(CATEGORIES)
        if (challenge.category == index).any()
    }
    return Leaderboard(
        dataset=train.name,
        training_playlists=train.n_playlists,
        playlists={label: len(rows) for label, rows in groups.items()},
        rows=[_summary(one, measured[0], groups, challenge, train) for one in measured],
    )


@dataclass(frozen=True)
class _Measured:
    """A system's figure of each playlist by metric, (B,) each, and its full lists, (B, 500)."""

    system: System
    values: dict[str, np.ndarray]
    lists: np.ndarray
    milliseconds: float


def _measure(
    system: System,
    challenge: Challenge,
    train: Dataset,
    popular: np.ndarray,
    progress: Progress,
) -> _Measured:
    rank = np.empty(train.n_tracks, np.int64)
    rank[popular] = np.arange(train.n_tracks)
    system.recommend(challenge.queries[:1], CANDIDATES)
    seconds = 0.0
    lists, values = [], []
    starts = range(0, len(challenge), _BATCH)
    for start in progress.track(starts, "Measuring"):
        part = slice(start, start + _BATCH)
        queries, hidden = challenge.queries[part], challenge.hidden[part]
        began = perf_counter()
        answer = system.recommend(queries, CANDIDATES)
        seconds += perf_counter() - began
        _check(system, answer.ids, queries, train.n_tracks)
        candidates = _untied(answer, rank)
        lists.append(complete(candidates, queries, popular))
        values.append(_values(candidates, lists[-1], hidden, train))
    return _Measured(
        system,
        {name: np.concatenate([batch[name] for batch in values]) for name in values[0]},
        np.concatenate(lists),
        1000 * seconds / len(challenge),
    )


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


def _untied(answer: Recommendations, rank: np.ndarray) -> np.ndarray:
    """The ids, neighbours of equal score put in order of `rank`, shape as given."""
    steps = answer.scores[:, 1:] != answer.scores[:, :-1]
    level = np.pad(np.cumsum(steps, axis=1), ((0, 0), (1, 0)))
    within = np.where(answer.ids < 0, len(rank), rank[answer.ids])
    order = np.argsort(level * (len(rank) + 1) + within, axis=1)
    return np.take_along_axis(answer.ids, order, axis=1)


def _values(
    candidates: np.ndarray, full: np.ndarray, hidden: Sequence[np.ndarray], train: Dataset
) -> dict[str, np.ndarray]:
    judged = metrics.judge(full, hidden)
    found = metrics.judge(candidates, hidden)
    return {
        "r_precision": metrics.r_precision(judged, train.artist),
        "track_r_precision": metrics.track_r_precision(judged),
        "ndcg": metrics.ndcg(judged),
        "clicks": metrics.clicks(judged),
        **{f"hit@{k}": metrics.hit_ratio(judged, k) for k in _HITS},
        **{f"recall@{k}": metrics.recall(found, k) for k in _RECALLS},
        "novelty": metrics.novelty(full, train.counts, train.n_playlists),
    }


def _summary(
    one: _Measured,
    best: _Measured,
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
        return _with_intervals(names, metrics.bootstrap(table[rows])) | {
            name: Figure(_plain(value)) for name, value in together.items()
        }

    names = list(one.values)
    table = np.stack(list(one.values.values()), axis=1)
    best_table = np.stack(list(best.values.values()), axis=1)
    return Row(
        name=one.system.name,
        label=one.system.label,
        overall=figures(np.arange(len(challenge))),
        by_category={label: figures(rows) for label, rows in groups.items()},
        against_best=_with_intervals(names, metrics.paired_difference(table, best_table)),
        milliseconds=one.milliseconds,
        fit_seconds=one.system.fit_seconds,
        peak_bytes=one.system.peak_bytes,
    )


def _with_intervals(names: Sequence[str], table: np.ndarray) -> dict[str, Figure]:
    """Figures of a bootstrap's result, shape (3, metrics)."""
    return {name: Figure(*map(_plain, column)) for name, column in zip(names, table.T, strict=True)}


def _plain(value: float) -> float | None:
    """A float that JSON knows."""
    return float(value) if np.isfinite(value) else None


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
            _number(row.milliseconds, 2),
            _number(row.fit_seconds, 1),
            _number(row.peak_bytes and row.peak_bytes / 1e6, 0),
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
        _table(
            "Catalogue and cost.",
            [*(LABELS[name] for name in _CATALOGUE), "ms/query", "fit s", "peak MB"],
            [
                [row.label, *_cells(row.overall, _CATALOGUE), *figures]
                for row, figures in zip(rows, cost, strict=True)
            ],
        ),
    ]
    return "\n\n".join(table for table in tables if table)


_CHALLENGE = ("r_precision", "track_r_precision", "ndcg", "clicks")
_WITH_INTERVAL = ("r_precision", "ndcg", "clicks")
_FOUND = (*(f"hit@{k}" for k in _HITS), *(f"recall@{k}" for k in _RECALLS))
_CATALOGUE = ("coverage", "gini", "novelty", "popularity_lift")
_LABEL_WIDTH = 20


def _cells(figures: Figures, names: Sequence[str], with_interval: Sequence[str] = ()) -> list[str]:
    return [_cell(figures, name, name in with_interval) for name in names]


def _cell(figures: Figures, name: str, with_interval: bool = False) -> str:
    figure, digits = figures[name], 2 if name == "clicks" else 3
    value = _number(figure.value, digits)
    if not with_interval:
        return value
    return f"{value} [{_number(figure.low, digits)}, {_number(figure.high, digits)}]"


def _number(value: float | None, digits: int) -> str:
    # Adding zero turns -0.0, of a small negative value, into 0.0.
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


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
