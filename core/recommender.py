"""The four stages composed: retrieval, filtering, scoring, ordering."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ordering import Dials, filter_candidates, order
from core.ranking.fusion import fuse, weights
from core.retrieval.base import Queries, Recommendations, RetrievalModel

CANDIDATES = 1000
"""Candidates a model proposes for a query."""
FUSION = "fusion"
"""Name of the answer in which all models take part."""
_POOL = 20
"""How many popular tracks are looked at for each that a list lacks."""
_NEAREST = ("track2vec", "item_knn")


@dataclass(frozen=True)
class Continuation:
    """What plays next, and how it was found.

    Attributes
    ----------
    tracks : int32 array, shape (n,)
        Track ids, first to last.
    scores : float32 array, shape (n,)
        Fusion or model score; 0 for tracks that only complete the list. Not a probability, and
        not always falling: dials and completion change the order.
    ranks : mapping of model name to int32 array, shape (n,)
        Place of each track among the model's candidates, from 1; 0 where it proposed it not.
    closest : int32 array, shape (n,)
        Index of the seed that the track owes most to; -1 where no model can tell.
    notes : tuple of str
        Sentences that say how the answer was made where it is not obvious.
    """

    tracks: np.ndarray
    scores: np.ndarray
    ranks: Mapping[str, np.ndarray]
    closest: np.ndarray
    notes: tuple[str, ...]


class Recommender:
    """Continues playlists with the models trained on a dataset.

    Parameters
    ----------
    dataset : Dataset
        The view that the models were fitted on.
    models : mapping of name to RetrievalModel

    Raises
    ------
    SegueError
        If there is no model.
    """

    def __init__(self, dataset: Dataset, models: Mapping[str, RetrievalModel]) -> None:
        if not models:
            raise SegueError(
                f"No model is trained on the dataset {dataset.name!r}: run "
                f"`python -m core train --dataset {dataset.name}`."
            )
        self.dataset = dataset
        self.models = dict(models)

    @property
    def choices(self) -> list[str]:
        """What `model` may name: the fusion of all, or one model."""
        return [FUSION, *self.models]

    def taking_part(self, model: str, n_seeds: int) -> Mapping[str, float]:
        """Weight of each model that takes part in an answer to a query of so many seeds.

        Raises
        ------
        SegueError
            If there is no such model.
        """
        if model == FUSION:
            return weights(n_seeds, self.models)
        if model not in self.models:
            raise SegueError(
                f"There is no model {model!r} on {self.dataset.name!r}; there are "
                f"{', '.join(self.choices)}."
            )
        return {model: 1.0}

    def recommend(
        self, queries: Queries, k: int, model: str = FUSION, dials: Dials | None = None
    ) -> Recommendations:
        """Continue a batch of playlists with exactly k tracks each, if there are as many.

        Parameters
        ----------
        queries : Queries
        k : int
        model : str
            One of `choices`.
        dials : Dials, optional

        Returns
        -------
        Recommendations
            Scores are the places counted from the end, because completion has no score.
        """
        answers = self._retrieve(queries, model, k)
        ids = np.full((len(queries), k), -1, np.int32)
        for row, seeds in enumerate(queries.seeds):
            tracks, _ = self._rank(answers, row, seeds, _NOTHING, model, dials or Dials(), k)
            ids[row, : len(tracks)] = tracks
        places = np.broadcast_to(np.arange(k, 0, -1, dtype=np.float32), ids.shape)
        return Recommendations(ids, np.where(ids >= 0, places, -np.inf).astype(np.float32))

    def continue_playlist(
        self,
        seeds: Sequence[int] | np.ndarray,
        title: str | None = None,
        k: int = 20,
        *,
        model: str = FUSION,
        dials: Dials | None = None,
        dislikes: Sequence[int] | np.ndarray = (),
        unknown: int = 0,
    ) -> Continuation:
        """Continue one playlist and say how.

        Parameters
        ----------
        seeds : sequence of track ids, in order
        title : str or None
        k : int
            Length of the continuation.
        model : str
            One of `choices`.
        dials : Dials, optional
        dislikes : sequence of track ids
            Not to be shown, nor their other versions.
        unknown : int
            Seeds that the dataset does not hold, for the notes.

        Returns
        -------
        Continuation
        """
        known = np.asarray(seeds, np.int32)
        queries = Queries.single(known, title or None)
        answers = self._retrieve(queries, model, k)
        barred = np.asarray(dislikes, np.int32)
        tracks, scores = self._rank(answers, 0, known, barred, model, dials or Dials(), k)
        return Continuation(
            tracks,
            scores,
            {name: _places(answer.ids[0], tracks) for name, answer in answers.items()},
            self._closest(known, tracks, answers),
            self._notes(queries, answers, unknown, int((scores == 0).sum())),
        )

    def _retrieve(self, queries: Queries, model: str, k: int) -> dict[str, Recommendations]:
        """Candidates of every model that takes part in the answer to some query."""
        depth = max(CANDIDATES, 2 * k)
        names = {
            name for n in np.unique(queries.lengths) for name in self.taking_part(model, int(n))
        }
        return {
            name: model.recommend(queries, depth)
            for name, model in self.models.items()
            if name in names
        }

    def _rank(
        self,
        answers: Mapping[str, Recommendations],
        row: int,
        seeds: np.ndarray,
        dislikes: np.ndarray,
        model: str,
        dials: Dials,
        k: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Stages 2 to 4 for one query, completed with popular tracks of score 0."""
        candidates, scores = fuse(answers, row, self.taking_part(model, len(seeds)))
        allowed = filter_candidates(candidates, seeds, dislikes, self.dataset, dials)
        candidates, scores = candidates[allowed], scores[allowed]
        best = order(candidates, scores, self.dataset, dials)
        tracks, scores = candidates[best][:k], scores[best][:k].astype(np.float32)
        if len(tracks) < k:
            tracks = self._complete(tracks, seeds, dislikes, dials, k)
            scores = np.pad(scores, (0, len(tracks) - len(scores)))
        return tracks, scores

    def _complete(
        self, tracks: np.ndarray, seeds: np.ndarray, dislikes: np.ndarray, dials: Dials, k: int
    ) -> np.ndarray:
        """Append popular tracks under the same rules, and without rules where these are too few."""
        popular = self.dataset.by_popularity
        for rules in (dials, Dials(one_version=False)):
            pool = popular[: _POOL * k] if rules is dials else popular
            pool = pool[~np.isin(pool, tracks)]
            pool = pool[filter_candidates(pool, seeds, dislikes, self.dataset, rules)]
            merged = np.concatenate([tracks, pool])
            places = np.arange(len(merged), 0, -1.0)
            tracks = merged[order(merged, places, self.dataset, replace(rules, popularity=0))][:k]
            if len(tracks) == k:
                break
        return tracks.astype(np.int32)

    def _closest(
        self, seeds: np.ndarray, tracks: np.ndarray, models: Collection[str]
    ) -> np.ndarray:
        """Seed with the largest exact share in the first linear model's score."""
        for name in sorted(models, key=lambda name: name not in _NEAREST):
            shares = self.models[name].seed_contributions(seeds, tracks) if len(seeds) else None
            if shares is not None:
                return np.where((shares > 0).any(0), shares.argmax(0), -1).astype(np.int32)
        return np.full(len(tracks), -1, np.int32)

    def _notes(
        self, queries: Queries, models: Collection[str], unknown: int, completed: int
    ) -> tuple[str, ...]:
        seeds, title = queries.seeds[0], queries.titles[0]
        readers = [name for name in models if self.models[name].uses_titles]
        notes = []
        if unknown:
            of = f"{unknown} of {unknown + len(seeds)} seeds are"
            notes.append(f"{of} not in this dataset and took no part.")
        if title and readers:
            if not self._says_something(title, readers):
                notes.append(f"No playlist here has a title like “{title}”.")
            elif not len(seeds):
                notes.append("Made from the title alone: tracks of playlists titled alike.")
        elif title and not len(seeds):
            notes.append("This model does not read titles.")
        if not len(seeds) and not title:
            notes.append("No seed and no title: the most popular tracks.")
        elif completed:
            notes.append(f"The last {completed} only complete the list: popular tracks.")
        return tuple(notes)

    def _says_something(self, title: str, readers: Sequence[str]) -> bool:
        """Whether a title alone gets an answer, from the model that reads nothing else if any."""
        reader = min(readers, key=lambda name: self.models[name].uses_seeds)
        return bool(self.models[reader].recommend(Queries.single([], title), 1).ids[0, 0] >= 0)


_NOTHING = np.empty(0, np.int32)


def _places(candidates: np.ndarray, tracks: np.ndarray) -> np.ndarray:
    """Place of each track among the candidates, from 1; 0 where it is none of them."""
    if not len(tracks):
        return np.empty(0, np.int32)
    match = candidates[None, :] == tracks[:, None]
    return np.where(match.any(1), match.argmax(1) + 1, 0).astype(np.int32)
