"""A leaderboard, and what the dials cost, as tables that other programs read."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from core.dataset.export import harmless
from core.evaluation.dials import DialReport
from core.evaluation.leaderboard import Leaderboard, Row
from core.evaluation.metrics import Figure

ALL = "all"
"""What the table calls the playlists of every category together."""

COLUMNS = ("system", "label", "playlists", "measure", "value", "low", "high")
DIAL_COLUMNS = ("dial", "value", "measure", "figure", "difference", "low", "high")


def to_csv(board: Leaderboard) -> str:
    """CSV of one figure a line, with the ends of its interval; empty where there is none.

    Measures are the metrics by key; "behind_best:" a metric, the paired difference to the first
    system; "alone:recall@N", what the system alone adds to the union of candidates; and its
    cost. The union's own recall and size come last, as a system called "union".
    """
    return _written(COLUMNS, _lines(board))


def dials_to_csv(report: DialReport) -> str:
    """CSV of one difference a line, with the ends of its interval; empty where there is none."""
    lines = (
        (
            row.dial,
            row.value,
            measure,
            row.figures[measure].value,
            difference.value,
            difference.low,
            difference.high,
        )
        for row in report.rows
        for measure, difference in row.difference.items()
    )
    return _written(DIAL_COLUMNS, lines)


def _written(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for line in lines:
        writer.writerow([harmless(cell) for cell in line])
    return out.getvalue()


def _lines(board: Leaderboard) -> Iterator[tuple[object, ...]]:
    pools = {ALL: board.union.overall} | dict(board.union.by_category) if board.union else {}
    for row in board.rows:
        for playlists, figures in {ALL: row.overall, **row.by_category}.items():
            for name, figure in figures.items():
                yield _line(row.name, row.label, playlists, name, figure)
        for name, figure in row.against_best.items():
            yield _line(row.name, row.label, ALL, f"behind_best:{name}", figure)
        for playlists, pool in pools.items():
            for name, figure in pool.added.get(row.name, {}).items():
                yield _line(row.name, row.label, playlists, f"alone:{name}", figure)
        for name, figure in _cost(row).items():
            yield _line(row.name, row.label, ALL, name, figure)
    for playlists, pool in pools.items():
        for name, figure in pool.together.items():
            yield _line("union", "Union of candidates", playlists, name, figure)


def _cost(row: Row) -> dict[str, Figure]:
    return {
        "milliseconds": Figure(row.milliseconds),
        "milliseconds_alone": Figure(row.milliseconds_alone),
        "fit_seconds": Figure(row.fit_seconds),
        "peak_bytes": Figure(row.peak_bytes),
    }


def _line(
    system: str, label: str, playlists: str, measure: str, figure: Figure
) -> tuple[object, ...]:
    return system, label, playlists, measure, figure.value, figure.low, figure.high
