"""Everything that is known of a dataset's trained models, for those who choose among them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.leaderboard import Leaderboard
from core.evaluation.metrics import Figures
from core.ranking.ranker import RANKER
from core.trained import Card, cards, ranker_problem
from core.training.evaluate import stored_leaderboard
from core.training.shelf import answers


@dataclass(frozen=True)
class Known:
    """A trained model, how good it is, and whether it can be used.

    Attributes
    ----------
    card : Card
    figures : mapping of metric key to Figure
        From the leaderboard; empty where it was not measured.
    measured_so : bool or None
        Whether these figures are of the card's own settings; None where that is not known.
    problem : str
        Why it cannot be used; empty where it can.
    is_default : bool
        Whether it answers where no model is named.
    """

    card: Card
    figures: Figures
    measured_so: bool | None
    problem: str
    is_default: bool


def overview(dataset: Dataset) -> list[Known]:
    """The trained models in the registry's order, the ranker first: it is made of the others."""
    board = _board(dataset)
    settings = board.settings if board else {}
    rows = {row.name: row.overall for row in board.rows} if board else {}
    first = next(iter(answers(dataset)), "")
    trained = cards(dataset)
    return [
        Known(
            card,
            rows.get(card.model, {}),
            _same(settings[card.model], card.params) if card.model in settings else None,
            _problem(dataset, card),
            card.model == first,
        )
        for card in sorted(trained, key=lambda card: card.model != RANKER)
    ]


def _board(dataset: Dataset) -> Leaderboard | None:
    try:
        return stored_leaderboard(dataset)
    except SegueError:
        return None  # of another version of Segue: nothing is known


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether settings are equal once JSON has had them."""
    return json.loads(json.dumps(one)) == json.loads(json.dumps(other))


def _problem(dataset: Dataset, card: Card) -> str:
    if card.model == RANKER:
        return ranker_problem(dataset)
    if card.fingerprint != dataset.manifest["fingerprint"]:
        return "It was trained on other playlists: train it again."
    return ""
