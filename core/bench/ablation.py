"""What each part of the ranker brings: smaller rankers, each without one part, on the same data.

A ranker without a source does not see the candidates that only this source proposes, nor anything
the source says of others. The first stage is not fitted again, and quotas stay as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from core.evaluation.challenge import Challenge, complete
from core.evaluation.leaderboard import judged_values
from core.evaluation.metrics import plain
from core.ranking.features.sources import AGREEMENT, agreement
from core.ranking.ranker import Ranker, Table, grow
from core.ranking.routes import route
from core.recommender import CANDIDATES
from core.retrieval.base import Queries, RetrievalModel
from core.training.crossfit import CrossFit, read_table, write_table
from core.training.ranking import best_tracks

WHOLE = "nothing"
"""The ablation that takes nothing away."""
AUDIO = "audio"
"""Everything that comes from audio features: the source and the features of this name."""
OBJECTIVE = "the ranking objective"
"""Whether a candidate is right is learnt instead of an order: the binary objective."""

_ROUNDS, _TRUNCATION, _NEGATIVES = 60, 20, 300
"""Settings of the ranker that make it grow fast, the same for every ablation."""

_TEST = "test"


def parts(sources: Sequence[str]) -> list[str]:
    """What can be taken away, `WHOLE` first; `AUDIO` is one of them also where it is no source."""
    return [WHOLE, *dict.fromkeys([*sources, AUDIO]), OBJECTIVE]


def describe_test(made: CrossFit, models: Mapping[str, RetrievalModel], test: Challenge) -> None:
    """Write the table of the held-out playlists beside those of the folds.

    Parameters
    ----------
    made : CrossFit
        Of the training view.
    models : mapping of source to RetrievalModel
        Fitted on the training view.
    test : Challenge
    """
    answers = {name: models[name].recommend(test.queries, CANDIDATES) for name in made.sources}
    write_table(made.folder / _TEST, made, made.dataset, models, test, answers)


def measured_without(
    made: CrossFit, test: Challenge, part: str, params: Ranker.Params
) -> dict[str, list[float | None]]:
    """Grow a small ranker without a part, and measure it on the held-out playlists.

    Parameters
    ----------
    made : CrossFit
        With the table of `describe_test`.
    test : Challenge
    part : str
        One of `parts`.
    params : Ranker.Params

    Returns
    -------
    mapping of metric key to the value of each playlist, and "audio" to the share of its tracks
    whose audio features are known
    """
    small = replace(params, rounds=_ROUNDS, truncation=_TRUNCATION, negatives=_NEGATIVES)
    if part == OBJECTIVE:
        small = replace(small, objective="binary")
    taught = [
        _without(made.table(fold), made, part, made.masked(fold).queries) for fold in made.folds
    ]
    forest = grow(taught, [np.ones(len(one.indptr) - 1, bool) for one in taught], small, made.seed)
    table = _without(read_table(made.folder / _TEST), made, part, test.queries)
    scores = np.asarray(forest.predict(table.values.astype(np.float32), raw_score=True))
    ids = best_tracks(table.tracks, scores, table.indptr)
    full = complete(ids, test.queries, made.dataset.by_popularity)
    values = judged_values(ids, full, test.hidden, made.dataset)
    values["audio"] = _known_audio(made, test)
    return {name: [plain(value) for value in column] for name, column in values.items()}


def _without(table: Table, made: CrossFit, part: str, queries: Queries) -> Table:
    """A table as it were without a part."""
    names, sources = made.features, list(made.sources)
    kept = np.array([not name.startswith(f"{part}.") for name in names])
    values, ranks = np.asarray(table.values), np.array(table.ranks)
    rows = np.ones(len(ranks), bool)
    if part in sources:
        column = sources.index(part)
        quotas = np.repeat(made.quotas[route(queries)], np.diff(table.indptr), axis=0)
        proposed = (ranks > 0) & (ranks <= quotas)
        proposed[:, column] = False
        rows = np.asarray(proposed.any(axis=1))
        ranks[:, column] = 0
        values = values.copy()
        for name, column_values in zip(AGREEMENT, agreement(ranks), strict=True):
            values[:, names.index(name)] = column_values
    indptr = np.concatenate([[0], np.cumsum(rows)])[table.indptr]
    return Table(
        values[np.ix_(rows, kept)],
        table.hits[rows],
        table.blend[rows],
        table.tracks[rows],
        ranks[rows],
        indptr,
    )


def _known_audio(made: CrossFit, test: Challenge) -> np.ndarray:
    """Share of each held-out playlist's tracks whose audio features are known, float64."""
    known = ~np.isnan(made.dataset.audio).all(axis=1)
    whole = zip(test.queries.seeds, test.hidden, strict=True)
    return np.array([known[np.concatenate(tracks)].mean() for tracks in whole])
