"""What each dial costs and gains: every setting beside the default, on one challenge."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.evaluation import metrics
from core.evaluation.challenge import BATCH, Challenge, complete
from core.evaluation.metrics import (
    LENGTH,
    Figure,
    Figures,
    figure_text,
    plain,
    stored_figures,
    value_text,
    with_intervals,
)
from core.evaluation.stored import fitting
from core.ordering import PAGE, Dials, Taste, filter_candidates, has_steps, order, sequence, steps
from core.progress import SILENT, Progress
from core.retrieval.base import Directions, Queries
from core.workspace import read_json, write_json

SETTINGS: tuple[tuple[str, float], ...] = (
    ("popularity", -1.0),
    ("popularity", -0.5),
    ("popularity", 0.5),
    ("popularity", 1.0),
    ("adventure", -1.0),
    ("adventure", -0.5),
    ("adventure", 0.5),
    ("adventure", 1.0),
    ("per_artist", 1),
    ("per_artist", 2),
    ("per_artist", 3),
    ("variety", 0.25),
    ("variety", 0.5),
    ("variety", 0.75),
    ("one_version", False),
    ("smooth", True),
)
"""Dials that are measured, each turned alone: its name in `Dials` and the value."""

LABELS = {
    "r_precision": "R-precision",
    "ndcg": "NDCG",
    "clicks": "clicks",
    "coverage": "coverage",
    "novelty": "novelty",
    "popularity_lift": "lift",
    "similarity": f"alike@{PAGE}",
    "artists": f"artists@{PAGE}",
    "step": f"step@{PAGE}",
}
"""What a person reads for each metric, by its key."""

Scored = Callable[[Queries], Sequence[tuple[np.ndarray, np.ndarray]]]
"""Candidates (int32 track ids) of each query and their scores, before any filter and order."""

_TOGETHER = ("coverage", "popularity_lift")
_NOTHING = np.empty(0, np.int32)


@dataclass(frozen=True)
class DialRow:
    """One dial turned, all others as by default.

    Attributes
    ----------
    dial : str
        Name in `Dials`.
    value : float or bool
    figures : mapping of str to Figure
        Means over all playlists by metric key (see `LABELS`).
    difference : mapping of str to Figure
        Paired mean difference to the default.
    """

    dial: str
    value: float
    figures: Figures
    difference: Figures


@dataclass(frozen=True)
class DialReport:
    """Measurements of the dials on one challenge.

    Attributes
    ----------
    dataset : str
    playlists : int
        Held-out playlists.
    default : mapping of str to Figure
        Means over all playlists, no dial turned.
    rows : sequence of DialRow
        In the order of `SETTINGS`; a report of an earlier version may lack some.
    """

    dataset: str
    playlists: int
    default: Figures
    rows: Sequence[DialRow]

    def row(self, dial: str, value: float) -> DialRow | None:
        """The measurement of a dial at a value; None where it is the default or not measured."""
        return next((row for row in self.rows if (row.dial, row.value) == (dial, value)), None)

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
            rows = [
                DialRow(
                    **row
                    | {"figures": _figures(row["figures"])}
                    | {"difference": _figures(row["difference"])}
                )
                for row in stored["rows"]
            ]
            return cls(**stored | {"default": _figures(stored["default"]), "rows": rows})


def _figures(stored: Mapping[str, Mapping[str, float | None]]) -> Figures:
    if stored.keys() != LABELS.keys():
        raise KeyError(*sorted(stored.keys() ^ LABELS.keys()))
    return stored_figures(stored)


def dial_lists(
    scored: Scored,
    challenge: Challenge,
    train: Dataset,
    directions: Directions | None,
    progress: Progress = SILENT,
) -> np.ndarray:
    """What is recommended by default and under each of `SETTINGS`.

    Candidates are retrieved and scored once; each setting filters and orders the same ones. Tracks
    that no training playlist holds are struck out, and lists shorter than 500 completed by
    popularity, as on the leaderboard.

    Parameters
    ----------
    scored : callable (queries) -> one (candidates, scores) a query
        Distinct int32 track ids and non-negative floats, in any order.
    challenge : Challenge
    train : Dataset
        The training view of the split that made the challenge.
    directions : Directions or None
        What says which tracks are alike, as of `Recommender.directions`; without it, dials compare
        artists.
    progress : Progress

    Returns
    -------
    int32 array, shape (1 + len(SETTINGS), len(challenge), 500)
    """
    every = [Dials(), *(Dials(**{dial: value}) for dial, value in SETTINGS)]  # type: ignore[arg-type]
    return turned(every, scored, challenge, train, directions, LENGTH, progress)


def dial_report(
    lists: np.ndarray, challenge: Challenge, train: Dataset, directions: Directions | None
) -> DialReport:
    """Measure every setting of `SETTINGS` against the default.

    R-precision, NDCG, clicks, coverage, novelty and popularity lift are of the whole lists; of the
    first 20, what a listener sees, are the number of artists, the mean cosine of all pairs
    (`similarity`) and the mean step of tempo, key and energy from track to track (`step`, see
    `ordering.steps`; tracks without audio are passed over).

    Parameters
    ----------
    lists : int32 array, shape (1 + len(SETTINGS), len(challenge), 500)
        Of `dial_lists`, on this challenge.
    challenge, train, directions
        As for `dial_lists`; without directions there is no `similarity`.
    """
    measured = [_values(ids, challenge, train, directions) for ids in lists]
    tables = [np.stack(list(values.values()), axis=1) for values, _ in measured]
    names = list(measured[0][0])

    def named(table: np.ndarray, together: np.ndarray) -> Figures:
        figures = with_intervals(names, table)
        figures |= {
            name: Figure(plain(value)) for name, value in zip(_TOGETHER, together, strict=True)
        }
        return {name: figures[name] for name in LABELS}

    def figures(at: int) -> Figures:
        return named(metrics.bootstrap(tables[at]), measured[at][1])

    def difference(at: int) -> Figures:
        return named(
            metrics.paired_difference(tables[at], tables[0]), measured[at][1] - measured[0][1]
        )

    return DialReport(
        train.name,
        len(challenge),
        figures(0),
        [
            DialRow(dial, value, figures(at), difference(at))
            for at, (dial, value) in enumerate(SETTINGS, 1)
        ],
    )


def turned(
    every: Sequence[Dials],
    scored: Scored,
    challenge: Challenge,
    train: Dataset,
    directions: Directions | None = None,
    length: int = LENGTH,
    progress: Progress = SILENT,
) -> np.ndarray:
    """What is recommended under each of several settings, scored once for all.

    Parameters
    ----------
    every : sequence of Dials
    scored, challenge, train, directions
        As for `dial_lists`.
    length : int
        Tracks of a list.
    progress : Progress

    Returns
    -------
    int32 array, shape (len(every), len(challenge), length)
    """
    lists = np.full((len(every), len(challenge), length), -1, np.int32)
    for start in progress.track(range(0, len(challenge), BATCH), "Turning the dials"):
        part = slice(start, start + BATCH)
        queries = challenge.queries[part]
        for row, (candidates, scores) in enumerate(scored(queries)):
            heard = train.counts[candidates] > 0
            candidates, scores = candidates[heard], scores[heard]
            for at, dials in enumerate(every):
                shown = _shown(
                    candidates, scores, queries.seeds[row], train, dials, directions, length
                )
                lists[at, start + row, : len(shown)] = shown
        for at in range(len(every)):
            completed = complete(lists[at, part], queries, train.by_popularity)
            lists[at, part] = completed[:, :length]
    return lists


def _shown(
    candidates: np.ndarray,
    scores: np.ndarray,
    seeds: np.ndarray,
    train: Dataset,
    dials: Dials,
    directions: Directions | None,
    length: int,
) -> np.ndarray:
    """Stages 2 and 4: the tracks that one query is answered with under one setting."""
    allowed = filter_candidates(candidates, seeds, _NOTHING, train, dials)
    candidates, scores = candidates[allowed], scores[allowed]
    best = order(candidates, scores, train, dials, Taste(seeds), directions, length)
    tracks = candidates[best[:length]]
    if dials.smooth:
        tracks = tracks[sequence(tracks, train, int(seeds[-1]) if len(seeds) else None)]
    return tracks


def _values(
    lists: np.ndarray, challenge: Challenge, train: Dataset, directions: Directions | None
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Figures of each playlist by metric key, and those of all together in `_TOGETHER`'s order."""
    judged = metrics.judge(lists, challenge.hidden)
    seen = lists[:, :PAGE]
    own = {
        "r_precision": metrics.r_precision(judged, train.artist),
        "ndcg": metrics.ndcg(judged),
        "clicks": metrics.clicks(judged),
        "novelty": metrics.novelty(lists, train.counts, train.n_playlists),
        "similarity": _similarity(seen, directions),
        "artists": _distinct(np.where(seen >= 0, train.artist[seen], -1)),
        "step": np.array([_mean_step(train.audio[ids[ids >= 0]]) for ids in seen]),
    }
    together = [
        metrics.coverage(lists, train.n_tracks),
        metrics.popularity_lift(lists, challenge.hidden, train.counts),
    ]
    return own, np.array(together)


def _similarity(ids: np.ndarray, directions: Directions | None) -> np.ndarray:
    """Intra-list similarity, with only the vectors at hand that the lists need."""
    if directions is None:
        return np.full(len(ids), np.nan)
    used = np.unique(ids[ids >= 0])
    rows = np.where(ids >= 0, np.searchsorted(used, ids), -1)
    return metrics.intra_list_similarity(rows, directions(used))


def _distinct(artists: np.ndarray) -> np.ndarray:
    """Different artists in each row, -1 being none."""
    return (np.diff(np.sort(artists, axis=1), axis=1, prepend=-1) > 0).sum(axis=1)


def _mean_step(audio: np.ndarray) -> float:
    """Mean step along the tracks that have audio; NaN for fewer than two."""
    heard = audio[has_steps(audio)]
    lengths = steps(heard[:-1], heard[1:])
    known = lengths[~np.isnan(lengths)]
    return float(known.mean()) if len(known) else float("nan")


def render(report: DialReport) -> str:
    """The report as text of at most 100 columns, for a terminal or a log."""
    judged, rest = list(LABELS)[:3], list(LABELS)[3:]
    return "\n\n".join(
        [
            f"{report.dataset}: {report.playlists} held-out playlists. Each dial turned alone, "
            "difference to the default\n[95 % interval]; fewer clicks are better.\n"
            + _lines(report, judged, 24, partial(figure_text, sign=True)),
            f"The lists of 500, and of the first {PAGE} how alike the tracks are, their artists, "
            "and the step of\ntempo, key and energy from track to track.\n"
            + _lines(report, rest, 12, _signed),
        ]
    )


def _lines(
    report: DialReport, names: Sequence[str], width: int, cell: Callable[[Figure, int], str]
) -> str:
    """A table: the default's own figures, and a line of differences a setting."""
    own = [value_text(report.default[name].value, _digits(name)) for name in names]
    rows = [["", *(LABELS[name] for name in names)], ["default", *own]]
    for row in report.rows:
        value = row.value if isinstance(row.value, bool) else f"{row.value:g}"
        cells = (cell(row.difference[name], _digits(name)) for name in names)
        rows.append([f"{row.dial} {value}", *cells])
    return "\n".join(
        f"{label:18}" + "".join(f"{text:>{width}}" for text in cells) for label, *cells in rows
    )


def _digits(name: str) -> int:
    return 2 if name in ("clicks", "artists", "novelty") else 3


def _signed(figure: Figure, digits: int) -> str:
    return value_text(figure.value, digits, sign=True)
