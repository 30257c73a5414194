"""Train the ranker of a dataset's models, and judge it on playlists that it has not seen."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from core.dataset.dataset import Dataset
from core.evaluation import metrics
from core.evaluation.challenge import Challenge, complete
from core.evaluation.metrics import LENGTH, clustered_bootstrap
from core.progress import SILENT, Progress
from core.ranking.candidates import pool
from core.ranking.fusion import blend, weights
from core.ranking.ranker import Ranker, Standing, grow, mixed
from core.ranking.routes import ROUTES, route
from core.recommender import CANDIDATES, FUSION
from core.retrieval.base import falling
from core.training.crossfit import CrossFit, crossfit

MIXES = (0.0, 0.25, 0.5, 1.0, 2.0)
"""How much of the fusion may be added to the forests' scores, see `mixed`."""


def train_ranker(
    dataset: Dataset,
    sources: Mapping[str, Mapping[str, Any]],
    folder: Path,
    params: Ranker.Params | None = None,
    seed: int = 0,
    progress: Progress = SILENT,
    jobs: int | None = None,
) -> Ranker:
    """Cross-fit the first stage, grow the forests, and compare them with what they are to beat.

    Parameters
    ----------
    dataset : Dataset
        A view; nothing else is seen.
    sources : mapping of model name to settings
        The first stage that the ranker will order the candidates of.
    folder : Path
        For the training data, see `crossfit`; left as it is, the caller removes it.
    params : Ranker.Params, optional
    seed : int
    progress : Progress
    jobs : int, optional
        Processes at a time.

    Raises
    ------
    SegueError
        If LightGBM is missing, there are too few playlists, or a model cannot be fitted.
    """
    params = params or Ranker.Params()
    made = crossfit(dataset, sources, params, folder, seed, progress.within(0, 0.7, ""), jobs)
    return fit_ranker(made, params, progress.within(0.7, 1, ""))


def fit_ranker(made: CrossFit, params: Ranker.Params, progress: Progress = SILENT) -> Ranker:
    """Grow the forests on data that are there, each without a part of the playlists, and judge it.

    Parameters
    ----------
    made : CrossFit
        What `crossfit` made.
    params : Ranker.Params
    progress : Progress
    """
    tables = [made.table(fold) for fold in made.folds]
    if params.bags < 2:
        raise ValueError("a ranker has two forests or more: each is judged on what it has not seen")
    bags = [made.masked(fold).rows % params.bags for fold in made.folds]
    boosters = []
    for bag in range(params.bags):
        part = progress.within(bag / (params.bags + 1), (bag + 1) / (params.bags + 1), "Ranker")
        kept = [of != bag for of in bags]
        boosters.append(grow(tables, kept, params, made.seed + bag, progress=part))
    progress.update("Judging the ranker", params.bags / (params.bags + 1))
    precisions = [_precisions(made, fold, boosters, bags[fold]) for fold in made.folds]
    masked = [made.masked(fold) for fold in made.folds]
    mix, standing = _judged(
        np.concatenate([route(one.queries) for one in masked]),
        np.concatenate([one.rows for one in masked]),
        np.concatenate(bags),
        {name: np.concatenate([one[name] for one in precisions]) for name in precisions[0]},
    )
    return Ranker(params, list(made.sources), made.features, made.quotas, mix, boosters, standing)


def _judged(
    routes: np.ndarray,
    playlists: np.ndarray,
    bags: np.ndarray,
    precision: Mapping[str | float, np.ndarray],
) -> tuple[np.ndarray, dict[str, Standing]]:
    """The best mix of each route, and how the ranker stands with it.

    The playlists of a bag are judged with the mix that is best on the others, and playlists are
    drawn with all their masks, so that the ranker is not flattered.

    Parameters
    ----------
    routes, playlists, bags : int arrays, shape (n,)
        Route of each mask, its playlist, and the forest that has not seen this.
    precision : mapping of source, `FUSION` or mix to float array, shape (n,)
        R-precision of each masked playlist.
    """
    mix, standing = np.zeros(len(ROUTES)), {}
    for index in np.unique(routes):
        rows = np.flatnonzero(routes == index)
        here = {name: values[rows] for name, values in precision.items()}
        mix[index] = _best_mix(here, np.ones(len(rows), bool))
        ranked = np.empty(len(rows))
        for bag in np.unique(bags[rows]):
            mine = bags[rows] == bag
            ranked[mine] = here[_best_mix(here, ~mine)][mine]
        singles = [name for name in here if name not in (*MIXES, FUSION)]
        single = str(max(singles, key=lambda name: here[name].mean()))
        gaps = np.stack([ranked - here[single], ranked - here[FUSION]], axis=1)
        figures = clustered_bootstrap(gaps, playlists[rows]).T.tolist()
        standing[ROUTES[index].label] = Standing(len(rows), single, *map(tuple, figures))
    return mix, standing


def _best_mix(precision: Mapping[str | float, np.ndarray], among: np.ndarray) -> float:
    """The mix with the best mean among some masks, the least of equals."""
    if not among.any():
        return MIXES[0]
    return max(MIXES, key=lambda share: precision[share][among].mean())


def _precisions(
    made: CrossFit, fold: int, boosters: Sequence[Any], bags: np.ndarray
) -> dict[str | float, np.ndarray]:
    """R-precision of each mix, the fusion and each source on a fold's masked playlists.

    Each playlist is ranked by the forest that has not seen it.
    """
    challenge, view, table = made.masked(fold), made.view(fold), made.table(fold)
    found = made.answers(fold)
    sizes = np.diff(table.indptr)
    scores = np.empty(len(table.hits))
    for bag, booster in enumerate(boosters):
        mine = np.repeat(bags == bag, sizes)
        scores[mine] = booster.predict(table.values[mine].astype(np.float32), raw_score=True)
    everything = np.full((len(challenge), len(found)), CANDIDATES)
    pooled = pool(found, everything, view.n_tracks)
    by_model = [weights(length, list(found)) for length in challenge.queries.lengths.tolist()]
    mixes = {
        share: mixed(scores, table.blend, table.indptr, np.full(len(challenge), share))
        for share in MIXES
    }
    lists: dict[str | float, np.ndarray] = {
        **{share: best_tracks(table.tracks, one, table.indptr) for share, one in mixes.items()},
        FUSION: best_tracks(pooled.tracks, blend(pooled, by_model), pooled.indptr),
        **{name: answer.ids for name, answer in found.items()},
    }
    return {name: _precision(ids, challenge, view) for name, ids in lists.items()}


def _precision(ids: np.ndarray, challenge: Challenge, view: Dataset) -> np.ndarray:
    full = complete(ids, challenge.queries, view.by_popularity)
    return metrics.r_precision(metrics.judge(full, challenge.hidden), view.artist)


def best_tracks(tracks: np.ndarray, scores: np.ndarray, indptr: np.ndarray) -> np.ndarray:
    """The tracks of each query by falling score, int32, (n_queries, 500), -1 after the last."""
    ids = np.full((len(indptr) - 1, LENGTH), -1, np.int32)
    for row, (start, stop) in enumerate(pairwise(indptr)):
        best = falling(scores[start:stop], tracks[start:stop])[:LENGTH]
        ids[row, : len(best)] = tracks[start:stop][best]
    return ids
