"""What a comparison of quality found, in figures and in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np

from core.bench.ablation import AUDIO, WHOLE
from core.bench.contenders import Contender
from core.evaluation.challenge import CATEGORIES
from core.evaluation.leaderboard import LABELS
from core.evaluation.metrics import (
    Figure,
    Figures,
    clustered_bootstrap,
    figure_text,
    with_intervals,
)
from core.evaluation.verdict import clearly_dearer
from core.ranking.ranker import LABEL, RANKER
from core.recommender import FUSION
from core.workspace import write_json

METRICS = ("r_precision", "ndcg", "clicks")
"""What verdicts rest on; fewer clicks are better."""
BATCH = 1_000
"""Queries in the call that `Row.batch_ms` is of."""
_TOGETHER = {FUSION: "Fusion of all", RANKER: LABEL}
_WITHOUT = f"{RANKER} without "

_COVERED = 0.5
"""Share of a playlist's tracks with audio features from which on it counts as well covered."""
_WIDTH = 100
_FIT_S, _PEAK_MB, _ALONE_MS = 300, 2_000, 30
"""What a model of ours may need at most on a laptop."""


@dataclass(frozen=True)
class Row:
    """One system's figures by metric key (see `leaderboard.LABELS`), and its cost.

    Attributes
    ----------
    name, label : str
    peer : bool
    settings : mapping
    overall : mapping of str to Figure
        Means over the held-out playlists of all seeds.
    by_seed : mapping of seed to mapping of str to float
        Means of `METRICS`.
    by_category : mapping of category label to mapping of str to Figure
    fit_seconds : float
        Mean over seeds; what the fusion's models and the ranker's need is part of theirs.
    peak_mb : float or None
        Largest resident memory while fitting, over seeds, libraries included; None for the fusion.
        The ranker's is without the processes that fit its first stage.
    alone_ms : float
        Mean wall time of a query for 500 tracks, each asked alone.
    batch_ms : float
        Wall time a query of 1,000 queries in one call.
    """

    name: str
    label: str
    peer: bool
    settings: Mapping[str, Any]
    overall: Figures
    by_seed: Mapping[int, Mapping[str, float]]
    by_category: Mapping[str, Figures]
    fit_seconds: float
    peak_mb: float | None
    alone_ms: float
    batch_ms: float

    @property
    def cost(self) -> float:
        """Seconds to fit and to answer 1,000 queries in one call."""
        return self.fit_seconds + self.batch_ms * BATCH / 1_000


@dataclass(frozen=True)
class Comparison:
    """Paired mean differences of one of ours to a peer, on the same playlists."""

    model: str
    peer: str
    same_family: bool
    differences: Figures


@dataclass(frozen=True)
class Lead:
    """The ranker, the default answer, against another system on the same playlists.

    Attributes
    ----------
    against : str
    differences : mapping of metric key to Figure
        Paired mean differences, the ranker's less the other's.
    by_category : mapping of category label to Figure
        Of R-precision.
    """

    against: str
    differences: Figures
    by_category: Mapping[str, Figure]


@dataclass(frozen=True)
class Ablation:
    """A small ranker without a part, against the same one with all.

    Attributes
    ----------
    part : str
        See `ablation.parts`.
    playlists : int
        Held-out playlists over all seeds.
    covered : bool
        Whether only the playlists are counted of which half the tracks or more have audio features.
    differences : mapping of metric key to Figure
        Paired mean differences.
    """

    part: str
    playlists: int
    covered: bool
    differences: Figures


@dataclass(frozen=True)
class QualityReport:
    """What a run found.

    Attributes
    ----------
    dataset : str
    holdout : int
        Held-out playlists a seed.
    seeds : sequence of int
    playlists : int
        Distinct held-out playlists over all seeds.
    rows : sequence of Row
        By falling R-precision.
    comparisons : sequence of Comparison
        Each of ours to the peers of its family and to the best peer.
    leads : sequence of Lead
        Of the ranker against the best single model, the fusion and every peer.
    whole : mapping of metric key to Figure
        Of the small ranker that ablations are compared with; empty without ablations.
    ablations : sequence of Ablation
    verdicts : sequence of str
        One sentence a model or more, and what follows for all of them.
    skipped : mapping of peer to sentence
        Why it could not be measured.
    """

    dataset: str
    holdout: int
    seeds: Sequence[int]
    playlists: int
    rows: Sequence[Row]
    comparisons: Sequence[Comparison]
    leads: Sequence[Lead]
    whole: Figures
    ablations: Sequence[Ablation]
    verdicts: Sequence[str]
    skipped: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Plain dicts, lists, numbers and None."""
        return asdict(self)

    def save(self, path: Path) -> None:
        """Write as JSON, whole or not at all."""
        write_json(path, self.as_json())


@dataclass(frozen=True)
class _Pooled:
    """One system's results of all seeds, in the same order for every system.

    Attributes
    ----------
    names : sequence of str
        Metrics, the columns of `values`.
    values : float64 array, shape (N, metrics)
    playlists, category, seed : int64 arrays, shape (N,)
    """

    names: Sequence[str]
    values: np.ndarray
    playlists: np.ndarray
    category: np.ndarray
    seed: np.ndarray

    def figures(self, rows: np.ndarray | None = None) -> dict[str, Figure]:
        """Means of some rows, by default all, with their intervals."""
        chosen = np.arange(len(self.values)) if rows is None else rows
        return self._figures(self.values[chosen], self.playlists[chosen])

    def means(self, seed: int) -> dict[str, float]:
        """Means of what verdicts rest on, over one seed's playlists."""
        means = self.values[self.seed == seed].mean(axis=0)
        return {metric: float(means[self.names.index(metric)]) for metric in METRICS}

    def against(self, other: "_Pooled") -> dict[str, Figure]:
        """Paired mean differences to another system."""
        return self._figures(self.values - other.values, self.playlists)

    def lead(self, other: "_Pooled", name: str) -> Lead:
        """How far it leads another."""
        column = self.names.index("r_precision")
        gaps = (self.values - other.values)[:, [column]]
        by_category = {
            category.label: Figure(
                *clustered_bootstrap(gaps[rows], self.playlists[rows])[:, 0].tolist()
            )
            for index, category in enumerate(CATEGORIES)
            if len(rows := np.flatnonzero(self.category == index))
        }
        return Lead(name, self.against(other), by_category)

    def _figures(self, values: np.ndarray, playlists: np.ndarray) -> dict[str, Figure]:
        return with_intervals(self.names, clustered_bootstrap(values, playlists))


def summarise(
    dataset: str,
    holdout: int,
    seeds: Sequence[int],
    results: Mapping[str, Sequence[dict[str, Any]]],
    contenders: Mapping[str, Contender],
    skipped: Mapping[str, str],
) -> QualityReport:
    """Pool results over seeds, compare them, and say what follows.

    Parameters
    ----------
    dataset : str
    holdout : int
    seeds : sequence of int
    results : mapping of system to one result a seed
        Each a dict with `fit_seconds`, `peak_mb` (None for the fusion), `alone_ms`, `batch_ms`;
        by held-out playlist, in the same order for every system, `playlists`, `categories` and the
        `values` of each metric, None where it has none.
    contenders : mapping of system to Contender
        All but the fusion.
    skipped : mapping of peer to sentence
    """
    reduced = {
        name.removeprefix(_WITHOUT): found
        for name, found in results.items()
        if name.startswith(_WITHOUT)
    }
    results = {name: found for name, found in results.items() if not name.startswith(_WITHOUT)}
    pooled = {name: _pooled(seeds, found) for name, found in results.items()}
    ours = [name for name in results if name in contenders and not contenders[name].peer]
    rows = [
        _row(name, contenders.get(name), pooled[name], found, seeds)
        for name, found in results.items()
    ]
    rows.sort(key=lambda row: -(row.overall["r_precision"].value or 0))
    best_peer = next((row.name for row in rows if row.peer), None)
    comparisons = [
        Comparison(model, peer, same, pooled[model].against(pooled[peer]))
        for model in ours
        for peer, same in _opponents(model, best_peer, rows, contenders)
    ]
    return QualityReport(
        dataset,
        holdout,
        list(seeds),
        len(np.unique(next(iter(pooled.values())).playlists)),
        rows,
        comparisons,
        _leads(ours, rows, pooled),
        _pooled(seeds, reduced[WHOLE]).figures() if reduced else {},
        _ablations({part: _pooled(seeds, found) for part, found in reduced.items()}),
        [
            *_verdicts(ours, rows, comparisons),
            *_best_single(ours, rows, contenders, pooled),
            *_not_worth(ours, rows, pooled),
            *_over_budget(ours, rows),
        ],
        dict(skipped),
    )


def _pooled(seeds: Sequence[int], found: Sequence[dict[str, Any]]) -> _Pooled:
    names = list(found[0]["values"])
    columns = [np.array([one["values"][name] for name in names], np.float64).T for one in found]
    return _Pooled(
        names,
        np.concatenate(columns),
        np.concatenate([one["playlists"] for one in found]),
        np.concatenate([one["categories"] for one in found]),
        np.repeat(seeds, [len(one["playlists"]) for one in found]),
    )


def _leads(ours: Sequence[str], rows: Sequence[Row], pooled: Mapping[str, _Pooled]) -> list[Lead]:
    """The ranker against the best of our models, the fusion, and every peer."""
    if RANKER not in pooled:
        return []
    single = next(row.name for row in rows if row.name in ours)
    others = [single, FUSION, *(row.name for row in rows if row.peer)]
    return [pooled[RANKER].lead(pooled[name], name) for name in others]


def _ablations(pooled: Mapping[str, _Pooled]) -> list[Ablation]:
    """Each part against the whole; audio also where the playlists' audio is known."""
    found = []
    for part, without in pooled.items():
        if part == WHOLE:
            continue
        whole = pooled[WHOLE]
        found.append(Ablation(part, len(whole.values), False, without.against(whole)))
        covered = np.flatnonzero(whole.values[:, whole.names.index("audio")] >= _COVERED)
        if part == AUDIO and len(covered):
            gaps = (without.values - whole.values)[covered]
            differences = whole._figures(gaps, whole.playlists[covered])
            found.append(Ablation(part, len(covered), True, differences))
    return found


def label_of(name: str) -> str:
    """What a person calls an answer of several models together."""
    return _TOGETHER.get(name, name)


def _row(
    name: str,
    contender: Contender | None,
    pooled: _Pooled,
    found: Sequence[dict[str, Any]],
    seeds: Sequence[int],
) -> Row:
    def mean(key: str) -> float:
        return float(np.mean([one[key] for one in found]))

    return Row(
        name=name,
        label=contender.label if contender else label_of(name),
        peer=contender.peer if contender else False,
        settings=asdict(contender.params) if contender else {},
        overall=pooled.figures(),
        by_seed={seed: pooled.means(seed) for seed in seeds},
        by_category={
            category.label: pooled.figures(np.flatnonzero(pooled.category == index))
            for index, category in enumerate(CATEGORIES)
            if (pooled.category == index).any()
        },
        fit_seconds=mean("fit_seconds"),
        peak_mb=max((one["peak_mb"] for one in found if one["peak_mb"]), default=None),
        alone_ms=mean("alone_ms"),
        batch_ms=mean("batch_ms"),
    )


def _opponents(
    model: str,
    best_peer: str | None,
    rows: Sequence[Row],
    contenders: Mapping[str, Contender],
) -> Iterator[tuple[str, bool]]:
    """The peers that a model is compared with, and whether each is of its family."""
    family = contenders[model].family
    for row in rows:
        if row.peer:
            same = family is not None and contenders[row.name].family == family
            if same or row.name == best_peer:
                yield row.name, same


def _sides(differences: Figures) -> dict[str, int]:
    """By metric: 1 better beyond the interval, -1 worse, 0 neither."""
    sides = {}
    for metric in METRICS:
        figure = differences[metric]
        low, high = figure.low or 0.0, figure.high or 0.0
        sign = -1 if metric == "clicks" else 1
        sides[metric] = sign * (int(low > 0) - int(high < 0))
    return sides


def _listed(metrics: Sequence[str]) -> str:
    names = [LABELS[metric] for metric in metrics]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def verdict(label: str, peer: str, differences: Figures) -> str:
    """One sentence: whether a model holds against its peer in every metric of `METRICS`.

    Parameters
    ----------
    label, peer : str
        Names that a person reads.
    differences : mapping of metric to Figure
        Of the model to the peer.
    """
    sides = _sides(differences)
    better = [metric for metric, side in sides.items() if side > 0]
    worse = [metric for metric, side in sides.items() if side < 0]
    if worse:
        ahead = f", better in {_listed(better)}" if better else ""
        return f"{label} loses to its peer {peer} in {_listed(worse)}{ahead}."
    if better:
        return f"{label} is at least equal to its peer {peer}: better in {_listed(better)}."
    return f"{label} is at least equal to its peer {peer}: no difference beyond the intervals."


def _verdicts(
    ours: Sequence[str], rows: Sequence[Row], comparisons: Sequence[Comparison]
) -> Iterator[str]:
    labels = {row.name: row.label for row in rows}
    for model in ours:
        family = [one for one in comparisons if one.model == model and one.same_family]
        for one in family:
            yield verdict(labels[model], labels[one.peer], one.differences)
        if not family:
            yield f"{labels[model]} has no peer of its family in this run."


def _best_single(
    ours: Sequence[str],
    rows: Sequence[Row],
    contenders: Mapping[str, Contender],
    pooled: Mapping[str, _Pooled],
) -> Iterator[str]:
    """The best of our models against the best peer of another family."""
    best = next(row for row in rows if row.name in ours)
    family = contenders[best.name].family
    other = next(
        (row for row in rows if row.peer and (contenders[row.name].family != family or not family)),
        None,
    )
    if other is None:
        return
    differences = pooled[best.name].against(pooled[other.name])
    figure = differences["r_precision"]
    sides = {-1: "worse than", 0: "not different beyond the interval from", 1: "better than"}
    yield (
        f"The best single model, {best.label}, is {sides[_sides(differences)['r_precision']]} "
        f"the best peer outside its family, {other.label}: R-precision "
        f"{_interval(figure, 'r_precision', signed=True)}."
    )


def _not_worth(
    ours: Sequence[str], rows: Sequence[Row], pooled: Mapping[str, _Pooled]
) -> Iterator[str]:
    """Models that a cheaper one of ours beats in every metric, and what they are best at."""
    single = [row for row in rows if row.name in ours]
    for row in single:
        better = [
            other
            for other in single
            if clearly_dearer(row.cost, other.cost)
            and set(_sides(pooled[other.name].against(pooled[row.name])).values()) == {1}
        ]
        if better:
            best = better[0]
            kept = _best_in(row, single)
            yield (
                f"{row.label} alone is not worth its cost: {best.label} is better in "
                f"{_listed(METRICS)}, and cheaper ({best.cost:.1f} s against {row.cost:.1f} s to "
                f"fit and to answer 1,000 queries)"
                + (f"; but it is the best of our models for {', '.join(kept)}." if kept else ".")
            )


def _best_in(row: Row, rows: Sequence[Row]) -> list[str]:
    """Categories in which every other row has a lower R-precision."""

    def value(one: Row, category: str) -> float:
        return one.by_category[category]["r_precision"].value or 0.0

    others = [other for other in rows if other is not row]
    return [
        category
        for category in row.by_category
        if all(value(row, category) > value(other, category) for other in others)
    ]


def _over_budget(ours: Sequence[str], rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row.name in ours:
            needs = [
                f"{value:,.0f} {unit}"
                for value, unit, most in (
                    (row.fit_seconds, "s to fit", _FIT_S),
                    (row.peak_mb or 0, "MB to fit", _PEAK_MB),
                    (row.alone_ms, "ms a query alone", _ALONE_MS),
                )
                if value > most
            ]
            if needs:
                yield (
                    f"{row.label} needs {' and '.join(needs)}: a model may need {_FIT_S} s, "
                    f"{_PEAK_MB:,} MB and {_ALONE_MS} ms."
                )


def render(report: QualityReport) -> str:
    """The report as text of at most 100 columns, for a terminal or a log."""
    said = [*report.verdicts, *report.skipped.values()]
    parts = [
        _overall_table(report),
        _cost_table(report),
        _category_table(report),
        _comparison_table(report),
        _lead_table(report),
        _lead_category_table(report),
        _ablation_table(report),
        "\n".join(fill(sentence, _WIDTH, subsequent_indent="  ") for sentence in said),
    ]
    return "\n\n".join(part for part in parts if part)


def _overall_table(report: QualityReport) -> str:
    return _table(
        f"{report.dataset}: {report.holdout} held-out playlists a seed, {report.playlists} "
        "distinct.\nMean [95 % interval]; fewer clicks are better; * is a peer.",
        [LABELS[metric] for metric in METRICS],
        [
            [_marked(row), *(_interval(row.overall[metric], metric) for metric in METRICS)]
            for row in report.rows
        ],
    )


def _cost_table(report: QualityReport) -> str:
    return _table(
        "R-precision by seed, and cost: seconds and peak MB to fit; milliseconds a query alone,\n"
        "and of 1,000 in one call; how many times faster that is.",
        [*(f"seed {seed}" for seed in report.seeds), "fit s", "MB", "alone", "batch", "times"],
        [
            [
                _marked(row),
                *(f"{row.by_seed[seed]['r_precision']:.3f}" for seed in report.seeds),
                f"{row.fit_seconds:.1f}",
                f"{row.peak_mb:.0f}" if row.peak_mb else "–",
                f"{row.alone_ms:.1f}",
                f"{row.batch_ms:.2f}",
                f"{row.alone_ms / row.batch_ms:.0f}",
            ]
            for row in report.rows
        ],
    )


def _category_table(report: QualityReport) -> str:
    shorts = {category.label: category.short for category in CATEGORIES}
    return _table(
        "R-precision by category (t: title, r: random places).",
        [shorts[label] for label in report.rows[0].by_category],
        [
            [
                _marked(row),
                *(f"{figures['r_precision'].value:.3f}" for figures in row.by_category.values()),
            ]
            for row in report.rows
        ],
    )


def _comparison_table(report: QualityReport) -> str:
    """A line for each of ours, below it one for each peer that it is compared with."""
    labels = {row.name: row.label for row in report.rows}
    rows: list[list[str]] = []
    for model, group in groupby(report.comparisons, key=lambda one: one.model):
        rows.append([labels[model], *[""] * len(METRICS)])
        for one in group:
            cells = [_interval(one.differences[metric], metric, signed=True) for metric in METRICS]
            rows.append([f"{'' if one.same_family else ' best:'} − {labels[one.peer]}", *cells])
    return _table(
        "Paired difference [95 % interval] to the peers of the family, and to the best peer.",
        [LABELS[metric] for metric in METRICS],
        rows,
    )


def _lead_table(report: QualityReport) -> str:
    labels = {row.name: _marked(row) for row in report.rows}
    return _table(
        f"{LABEL}, the default answer: paired difference [95 % interval] to the best single\n"
        "model, to the fusion, and to every peer.",
        [LABELS[metric] for metric in METRICS],
        [
            [
                f"− {labels[one.against]}",
                *(_interval(one.differences[metric], metric, signed=True) for metric in METRICS),
            ]
            for one in report.leads
        ],
    )


def _lead_category_table(report: QualityReport) -> str:
    labels = {row.name: row.label for row in report.rows}
    shown = report.leads[:2]
    return _table(
        "The same by category, R-precision.",
        [f"− {labels[one.against]}" for one in shown],
        [
            [
                category,
                *(
                    _interval(one.by_category[category], "r_precision", signed=True)
                    for one in shown
                ),
            ]
            for category in (shown[0].by_category if shown else ())
        ],
    )


def _ablation_table(report: QualityReport) -> str:
    if not report.ablations:
        return ""
    rows = [["", *(_interval(report.whole[metric], metric) for metric in METRICS)]]
    for one in report.ablations:
        name = f"without {one.part}"
        if one.covered:
            name += f", {one.playlists} well covered"
        cells = (_interval(one.differences[metric], metric, signed=True) for metric in METRICS)
        rows.append([name, *cells])
    rows[0][0] = "small ranker"
    return _table(
        "What each part brings: a small ranker (one fast forest), and the paired difference to it\n"
        "[95 % interval] of the same without a part.",
        [LABELS[metric] for metric in METRICS],
        rows,
    )


def _marked(row: Row) -> str:
    return f"{row.label} *" if row.peer else row.label


def _interval(figure: Figure, metric: str, *, signed: bool = False) -> str:
    return figure_text(figure, 2 if metric == "clicks" else 3, signed)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A label and right-aligned cells a row, under a title; empty without rows."""
    if not rows:
        return ""
    lines = [["", *header], *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    texts = [title]
    for label, *cells in lines:
        aligned = (f"  {cell:>{width}}" for cell, width in zip(cells, widths[1:], strict=True))
        texts.append(f"{label:{widths[0]}}{''.join(aligned)}".rstrip())
    return "\n".join(texts)
