"""One query as people and programs write it, and its answer: what command line and HTTP share."""

from dataclasses import asdict, dataclass, field
from typing import Any

from core.dataset.dataset import Dataset
from core.dataset.matching import MatchReport
from core.dataset.sources.lists import ListedTrack
from core.ordering import Dials
from core.reasons import Reasons, explain
from core.reasons import as_json as reasons_as_json
from core.recommender import Continuation, Recommender

COLUMNS = ("title", "artist_name", "uri")
"""What an answer tells of each track."""


@dataclass(frozen=True)
class Query:
    """What is asked.

    Attributes
    ----------
    seeds : MatchReport
        The playlist's tracks as they were found in the dataset, in order.
    title : str or None
    k : int
        Tracks to add.
    model : str or None
        One of the recommender's choices; None for the default.
    dials : Dials
    likes, dislikes : MatchReport
        Tracks to steer towards and away from.
    reasons : bool
        Whether to say why, track by track.
    """

    seeds: MatchReport = field(default_factory=MatchReport)
    title: str | None = None
    k: int = 20
    model: str | None = None
    dials: Dials = field(default_factory=Dials)
    likes: MatchReport = field(default_factory=MatchReport)
    dislikes: MatchReport = field(default_factory=MatchReport)
    reasons: bool = False


@dataclass(frozen=True)
class Answer:
    """What plays next, and why.

    Attributes
    ----------
    query : Query
    dataset : Dataset
    found : Continuation
    reasons : Reasons or None
        None where none were asked for.
    """

    query: Query
    dataset: Dataset
    found: Continuation
    reasons: Reasons | None

    @property
    def not_found(self) -> list[ListedTrack]:
        """All tracks of the query that the dataset does not hold."""
        reports = (self.query.seeds, self.query.likes, self.query.dislikes)
        return [track for report in reports for track in report.unknown]

    def columns(self) -> dict[str, list[Any]]:
        """`COLUMNS` of the tracks that play next."""
        return {name: self.dataset.values(name, self.found.tracks) for name in COLUMNS}

    def as_json(self) -> dict[str, Any]:
        """The answer as plain values."""
        columns = self.columns()
        return {
            "seeds": [int(track) for track in self.query.seeds.tracks],
            "unknown_seeds": [asdict(track) for track in self.query.seeds.unknown],
            "not_found": [asdict(track) for track in self.not_found],
            "notes": list(self.found.notes),
            "tracks": [
                {"rank": i + 1, "score": float(self.found.scores[i])}
                | {name: values[i] for name, values in columns.items()}
                | ({"why": reasons_as_json(self.reasons, i)} if self.reasons else {})
                for i in range(len(self.found.tracks))
            ],
        }


def answer(recommender: Recommender, query: Query) -> Answer:
    """Continue the playlist of a query.

    Raises
    ------
    SegueError
        If there is no such model.
    """
    seeds, title = query.seeds.tracks, query.title
    asked: dict[str, Any] = {
        "model": query.model,
        "dials": query.dials,
        "likes": query.likes.tracks,
        "dislikes": query.dislikes.tracks,
    }
    unknown = len(query.seeds.unknown)
    found = recommender.continue_playlist(seeds, title, query.k, unknown=unknown, **asked)
    wanted = query.reasons
    reasons = explain(recommender, seeds, title, found.tracks, **asked) if wanted else None
    return Answer(query, recommender.dataset, found, reasons)
