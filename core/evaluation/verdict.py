"""What a leaderboard says, in plain sentences."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.evaluation.candidates import DEPTHS, recall_at
from core.evaluation.leaderboard import Leaderboard, Row
from core.evaluation.metrics import Figure, figure_text

QUERIES = 1000
"""A model's cost is the seconds of its fit and of answering so many queries in batches."""

_DEARER, _SECONDS = 1.25, 1.0
"""Costs nearer to each other than this factor, or this many seconds, are taken for equal."""


@dataclass(frozen=True)
class Loss:
    """A system that a clearly cheaper one beats.

    Attributes
    ----------
    loser, winner : Row
        The winner is the best among the cheaper systems whose lead's interval is above 0.
    lead : Figure
        Paired difference of R-precision, winner minus loser.
    leads_in : sequence of str
        Categories in which the loser has the best R-precision of all.
    adds : Figure or None
        What the loser alone adds to the union's deepest recall, where its interval is above 0.
    """

    loser: Row
    winner: Row
    lead: Figure
    leads_in: Sequence[str]
    adds: Figure | None


def cost(row: Row) -> float | None:
    """Seconds to fit and to answer 1,000 queries; None where the fit was not timed."""
    if row.fit_seconds is None:
        return None
    return row.fit_seconds + QUERIES * row.milliseconds / 1000


def losses(board: Leaderboard) -> list[Loss]:
    """Systems that a clearly cheaper one beats, in the leaderboard's order."""
    found = []
    for loser in board.rows:
        for winner in board.rows:
            lead = winner.against.get(loser.name, Figure(None))
            if _above_zero(lead) and _clearly_cheaper(winner, loser):
                found.append(
                    Loss(loser, winner, lead, _leads_in(board, loser), _adds(board, loser))
                )
                break
    return found


def _clearly_cheaper(one: Row, other: Row) -> bool:
    cheap, dear = cost(one), cost(other)
    return cheap is not None and dear is not None and clearly_dearer(dear, cheap)


def clearly_dearer(dear: float, cheap: float) -> bool:
    """Whether one cost is above another by more than measuring twice would be."""
    return dear > _DEARER * cheap and dear - cheap > _SECONDS


def _leads_in(board: Leaderboard, row: Row) -> list[str]:
    def precision(each: Row, category: str) -> float:
        return each.by_category[category]["r_precision"].value or 0.0

    return [
        category
        for category in board.playlists
        if precision(row, category) > 0
        and precision(row, category) >= max(precision(each, category) for each in board.rows)
    ]


def _adds(board: Leaderboard, row: Row) -> Figure | None:
    if board.union is None or row.name not in board.union.models:
        return None
    added = board.union.overall.added[row.name][recall_at(DEPTHS[-1])]
    return added if _above_zero(added) else None


def _above_zero(figure: Figure) -> bool:
    return figure.low is not None and figure.low > 0


def headline(board: Leaderboard) -> list[str]:
    """Who is best, what it beats and by how much; which single model is best, if it is another."""
    best, *others = board.rows
    said = [f"{best.label} is best: R-precision {figure_text(best.overall['r_precision'])}."]
    if not others:
        return said
    equals = [row for row in others if not _above_zero(best.against[row.name])]
    beaten = [row for row in others if row not in equals]
    if equals:
        said[0] = (
            f"{best.label} has the highest R-precision, "
            f"{figure_text(best.overall['r_precision'])}, but these playlists "
            f"cannot tell it from {_listed([row.label for row in equals])}."
        )
    if beaten:
        rest = "It beats" if not equals else "It does beat"
        every = "every other system; the nearest is" if not equals else "the others; first"
        said.append(
            f"{rest} {every} {beaten[0].label}, {figure_text(best.against[beaten[0].name])} behind "
            "on the same playlists."
        )
    singles = [row for row in board.rows if row.retrieves]
    if singles and singles[0] is not best:
        said.append(
            f"The best single model is {singles[0].label}, "
            f"{figure_text(singles[0].overall['r_precision'])}."
        )
    return said


def in_words(loss: Loss) -> str:
    """A loss as a sentence or two."""
    loser, winner = loss.loser, loss.winner
    said = (
        f"{loser.label} is {figure_text(loss.lead)} below {winner.label} and costs more: "
        f"{_seconds(loser)} against {_seconds(winner)} to fit and to answer {QUERIES:,} queries."
    )
    merits = []
    if loss.leads_in:
        merits.append(f"is the best for {_listed(loss.leads_in)}")
    if loss.adds:
        merits.append(f"alone finds {100 * (loss.adds.value or 0):.1f} % of the hidden tracks")
    return f"{said} Yet it {_listed(merits)}." if merits else said


def summed_up(found: Sequence[Loss]) -> str:
    """All losses in one sentence; there is at least one."""
    labels = [loss.loser.label for loss in found]
    if len(labels) == 1:
        return f"{labels[0]} loses to a cheaper system."
    return f"{_listed(labels)} lose to a cheaper system."


def _seconds(row: Row) -> str:
    seconds = cost(row) or 0.0
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:,.0f} s"


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
