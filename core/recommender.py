"""The four stages composed: retrieval, filtering, scoring, ordering."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.ordering import Dials, Taste, filter_candidates, order, sequence
from core.ranking.candidates import Candidates, heard, pool
from core.ranking.features import Features
from core.ranking.fusion import blend, weights
from core.ranking.ranker import LABEL, RANKER, SOURCE, Ranker, mixed
from core.ranking.routes import ROUTES, route
from core.retrieval import MODELS
from core.retrieval.base import Directions, Queries, Recommendations, RetrievalModel, unit
from core.whatif import places_in

CANDIDATES = 1000
"""Candidates a model proposes for a query."""
FUSION = "fusion"
"""Name of the answer in which all models take part and their rankings are fused."""
_POPULAR = "No seed and no title: the most popular tracks."
_RECENT = 16
"""Queries whose candidates and scores are kept; each is some 200 kB."""
_POOL = 20
"""How many popular tracks are looked at for each that a list lacks."""
_NEAREST = ("track2vec", "item_knn")
_VARIETY = ("als", "track2vec", "lightgcn", "two_tower")
"""Models whose vectors say how alike two tracks are, the first that there is."""


def label_of(name: str) -> str:
    """What a person calls a model, the ranker or the fusion."""
    return {FUSION: "All models, fused", RANKER: LABEL}.get(name) or MODELS[name].label


def source_of(name: str) -> str:
    """The publication that defines a model or the ranker; empty for the fusion."""
    if name == FUSION:
        return ""
    return SOURCE if name == RANKER else MODELS[name].source


@dataclass(frozen=True)
class Continuation:
    """What plays next, and how it was found.

    Attributes
    ----------
    tracks : int32 array, shape (n,)
        Track ids, first to last.
    scores : float32 array, shape (n,)
        Score of the ranker or the fusion, where one model answers by its places; 0 for tracks that
        only complete the list. Not a probability, and not always falling: dials change the order.
    ranks : mapping of model name to int32 array, shape (n,)
        Place of each track among the model's candidates, from 1; 0 where it proposed it not.
    closest : int32 array, shape (n,)
        Index of the seed that the track is closest to, of the playlist's seeds and then the liked
        tracks; -1 where no model can tell. Closest is the one with the largest exact share in the
        score by one linear model; what the whole answer owes to a seed is `core.reasons`' to say.
    notes : tuple of str
        Sentences that say how the answer was made where it is not obvious.
    """

    tracks: np.ndarray
    scores: np.ndarray
    ranks: Mapping[str, np.ndarray]
    closest: np.ndarray
    notes: tuple[str, ...]

    def completed(self) -> Self:
        """With a note of how many tracks only complete the list."""
        count = int((self.scores == 0).sum())
        if not count or _POPULAR in self.notes:
            return self
        note = f"The last {count} only complete the list: popular tracks."
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True)
class Judgement:
    """Stages 1 and 3 of a batch, laid open.

    Attributes
    ----------
    candidates : Candidates
    scores : float64 array, shape (len(candidates),)
        As `Recommender.scored` gives them.
    ranked : bool array, shape (n_queries,)
        Whether the scores of a query are the ranker's.
    weights : sequence of n_queries mappings of model name to weight
        Of the blend that the other scores are.
    """

    candidates: Candidates
    scores: np.ndarray
    ranked: np.ndarray
    weights: Sequence[Mapping[str, float]]


class Recommender:
    """Continues playlists with the models trained on a dataset.

    Parameters
    ----------
    dataset : Dataset
        The view that the models were fitted on.
    models : mapping of name to RetrievalModel
    ranker : Ranker, optional
        Trained on answers of these models; it answers by default.
    notes : sequence of str
        What every answer by default is to say besides, such as why there is no ranker.
    default : str, optional
        What answers by default, where it is there: the ranker, the fusion, or a model.

    Raises
    ------
    SegueError
        If there is no model.
    """

    def __init__(
        self,
        dataset: Dataset,
        models: Mapping[str, RetrievalModel],
        ranker: Ranker | None = None,
        notes: Sequence[str] = (),
        default: str | None = None,
    ) -> None:
        if not models:
            raise SegueError(
                f"No model is trained on the dataset {dataset.name!r}: run "
                f"`python -m core train --dataset {dataset.name}`."
            )
        self._recent: dict[tuple[Any, ...], Any] = {}
        self.dataset = dataset
        self.models = dict(models)
        self.ranker = ranker
        self.notes = tuple(notes)
        self.default = default
        if ranker:
            self._features = Features(dataset, self.models, ranker.sources)

    @property
    def features(self) -> Features | None:
        """What the ranker sees of candidates; None where there is no ranker."""
        return self._features if self.ranker else None

    @property
    def choices(self) -> list[str]:
        """What `model` may name, the default first: the ranker, the fusion, or one model."""
        names = [*([RANKER] if self.ranker else []), FUSION, *self.models]
        return sorted(names, key=lambda name: name != self.default)

    def require_choice(self, model: str | None) -> str:
        """The name itself if it is one of `choices`; the default for None.

        Raises
        ------
        SegueError
            If there is no such model.
        """
        if model is None:
            return self.choices[0]
        if model not in self.choices:
            raise SegueError(
                f"There is no model {model!r} on {self.dataset.name!r}; there are "
                f"{', '.join(self.choices)}."
            )
        return model

    def recommend(
        self, queries: Queries, k: int, model: str | None = None, dials: Dials | None = None
    ) -> Recommendations:
        """Continue a batch of playlists with exactly k tracks each, if there are as many.

        Parameters
        ----------
        queries : Queries
        k : int
        model : str, optional
            One of `choices`, by default the first.
        dials : Dials, optional

        Returns
        -------
        Recommendations
            Scores are the places counted from the end, because completion has no score.
        """
        scored = self.scored(queries, model, k)
        ids = np.full((len(queries), k), -1, np.int32)
        for row, ((candidates, scores), seeds) in enumerate(
            zip(scored, queries.seeds, strict=True)
        ):
            tracks, _ = self._ordered(candidates, scores, Taste(seeds), dials or Dials(), k)
            ids[row, : len(tracks)] = tracks
        places = np.broadcast_to(np.arange(k, 0, -1, dtype=np.float32), ids.shape)
        return Recommendations(ids, np.where(ids >= 0, places, -np.inf).astype(np.float32))

    def scored(
        self, queries: Queries, model: str | None = None, k: int = CANDIDATES
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Stages 1 and 3 for a batch: candidates of each query and their scores.

        Parameters
        ----------
        queries : Queries
        model : str, optional
            One of `choices`, by default the first.
        k : int
            Tracks that will be shown.

        Returns
        -------
        list of (int32 array, float64 array), shapes (n,)
            Track ids in no order, and positive scores, comparable within a query.
        """
        name = self.require_choice(model)
        if not len(queries):
            return []
        judged = self.judged(queries, name, k)
        candidates = judged.candidates
        parts = np.split(np.arange(len(candidates)), candidates.indptr[1:-1])
        return [(candidates.tracks[part], judged.scores[part]) for part in parts]

    def judged(self, queries: Queries, model: str | None = None, k: int = CANDIDATES) -> Judgement:
        """What `scored` gives for the same parameters, with what says why."""
        name = self.require_choice(model)
        candidates, scores = self._scores(queries, self._answers(queries, name, k), name)
        ranked = self._ranked(queries, name)
        return Judgement(candidates, scores, ranked, self._weights(queries, name))

    def continue_playlist(
        self,
        seeds: Sequence[int] | np.ndarray,
        title: str | None = None,
        k: int = 20,
        *,
        model: str | None = None,
        dials: Dials | None = None,
        dislikes: Sequence[int] | np.ndarray = (),
        likes: Sequence[int] | np.ndarray = (),
        muted: Sequence[int] | np.ndarray = (),
        unknown: int = 0,
    ) -> Continuation:
        """Continue one playlist and say how.

        Parameters
        ----------
        seeds : sequence of track ids, in order
        title : str or None
        k : int
            Length of the continuation.
        model : str, optional
            One of `choices`, by default the first.
        dials : Dials, optional
        dislikes : sequence of track ids
            Not to be shown, nor their other versions; what is near them comes later.
        likes : sequence of track ids
            Not to be shown, nor their other versions; models are asked for them as for seeds.
        muted : sequence of track ids
            Not to be shown, nor their other versions; they have no other part in it.
        unknown : int
            Seeds that the dataset does not hold, for the notes.

        Returns
        -------
        Continuation
        """
        taste = Taste(*(np.asarray(ids, np.int32) for ids in (seeds, likes, dislikes, muted)))
        (found,) = self.continue_each([taste], title, k, model=model, dials=dials)
        notes = found.notes
        if unknown:
            of = f"{unknown} of {unknown + len(taste.seeds)} seeds are"
            notes = (f"{of} not in this dataset and took no part.", *notes)
        return replace(found, notes=notes).completed()

    def continue_each(
        self,
        tastes: Sequence[Taste],
        title: str | None = None,
        k: int = 20,
        *,
        model: str | None = None,
        dials: Dials | None = None,
    ) -> list[Continuation]:
        """Continue several playlists of one title in one batch, as `continue_playlist` does one.

        No note says how many tracks only complete a list; see `Continuation.completed`.
        """
        name = self.require_choice(model)
        if not tastes:
            return []
        queries = Queries([taste.asked for taste in tastes], [title or None] * len(tastes))
        answers, candidates, scores = self._remembered(queries, name, k)
        sources = self._sources(queries, name)
        found = []
        for row, taste in enumerate(tastes):
            part = slice(candidates.indptr[row], candidates.indptr[row + 1])
            tracks, shown = self._ordered(
                candidates.tracks[part], scores[part], taste, dials or Dials(), k
            )
            own = {source: answers[source].ids[row] for source in answers if source in sources[row]}
            found.append(
                Continuation(
                    tracks,
                    shown,
                    {source: places_in(ids, tracks) for source, ids in own.items()},
                    self._closest(taste.asked, tracks, own),
                    self._notes(queries[row : row + 1], own, name)
                    + (self.notes if model is None else ()),
                )
            )
        return found

    def _ranked(self, queries: Queries, model: str) -> np.ndarray:
        """Which queries the ranker answers: where it is asked, those it is proven for; bool."""
        if not self.ranker or model != RANKER:
            return np.zeros(len(queries), bool)
        said = np.array([bool(title) for title in queries.titles], bool) | (queries.lengths > 0)
        return said & self.ranker.proven[route(queries)]

    def _weights(self, queries: Queries, model: str) -> list[Mapping[str, float]]:
        """Weight of each model in the blend of each query."""
        if model not in (RANKER, FUSION):
            return [{model: 1.0}] * len(queries)
        retrieving = [name for name, one in self.models.items() if one.retrieves] or self.models
        return [weights(length, retrieving) for length in queries.lengths.tolist()]

    def _sources(self, queries: Queries, model: str) -> list[Collection[str]]:
        """Models that take part in the answer to each query."""
        ranked = self._ranked(queries, model)
        return [
            self.ranker.sources if self.ranker and mine else by_model
            for mine, by_model in zip(ranked, self._weights(queries, model), strict=True)
        ]

    def _remembered(
        self, queries: Queries, model: str, k: int
    ) -> tuple[dict[str, Recommendations], Candidates, np.ndarray]:
        """Stages 1 and 3, kept for the last queries: whoever turns a dial asks the same again."""
        seeds = tuple(one.tobytes() for one in queries.seeds)
        key = (seeds, tuple(queries.titles), model, max(CANDIDATES, 2 * k))
        kept = self._recent.pop(key, None)
        if kept is None:
            answers = self._answers(queries, model, k)
            kept = (answers, *self._scores(queries, answers, model))
        self._recent[key] = kept
        for old in list(self._recent)[:-_RECENT]:
            self._recent.pop(old, None)
        return kept

    def _answers(self, queries: Queries, model: str, k: int) -> dict[str, Recommendations]:
        """Stage 1: candidates of every model that takes part in the answer to some query."""
        wanted = set().union(*self._sources(queries, model))
        depth = CANDIDATES if model in (RANKER, FUSION) else max(CANDIDATES, 2 * k)
        return {
            name: one.recommend(queries, depth)
            for name, one in self.models.items()
            if name in wanted
        }

    def _scores(
        self, queries: Queries, answers: Mapping[str, Recommendations], model: str
    ) -> tuple[Candidates, np.ndarray]:
        """Stage 3: the pool of candidates, and their scores."""
        by_model = self._weights(queries, model)
        quotas = np.array(
            [[CANDIDATES * (one.get(name, 0) > 0) for name in answers] for one in by_model]
        ).reshape(len(queries), len(answers))
        if model not in (RANKER, FUSION):
            quotas[:] = max(answer.ids.shape[1] for answer in answers.values())
        ranked = self._ranked(queries, model)
        if self.ranker and ranked.any():
            quotas[ranked] = self.ranker.quotas_of(queries, list(answers))[ranked]
            answers = heard(answers, self.dataset.counts, ranked)
        candidates = pool(answers, quotas, self.dataset.n_tracks)
        scores = blend(candidates, by_model)
        if self.ranker and ranked.any():
            rows, mine = np.flatnonzero(ranked), ranked[candidates.rows]
            asked, some = queries.take(rows), candidates.take(rows)
            grown = self.ranker.score(self._features.values(asked, some))
            mix = self.ranker.mix[route(asked)]
            scores[mine] = _positive(mixed(grown, scores[mine], some.indptr, mix))
        return candidates, scores

    def _ordered(
        self,
        candidates: np.ndarray,
        scores: np.ndarray,
        taste: Taste,
        dials: Dials,
        k: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Stages 2 and 4 for one query, completed with popular tracks of score 0."""
        allowed = self._allowed(candidates, taste, dials)
        candidates, scores = candidates[allowed], scores[allowed]
        best = order(candidates, scores, self.dataset, dials, taste, self.directions, k)
        tracks, scores = candidates[best][:k], scores[best][:k].astype(np.float32)
        if len(tracks) < k:
            tracks = self._complete(tracks, taste, dials, k)
            scores = np.pad(scores, (0, len(tracks) - len(scores)))
        if dials.smooth:
            last = int(taste.seeds[-1]) if len(taste.seeds) else None
            places = sequence(tracks, self.dataset, last)
            tracks, scores = tracks[places], scores[places]
        return tracks, scores

    def _allowed(self, candidates: np.ndarray, taste: Taste, dials: Dials) -> np.ndarray:
        return filter_candidates(candidates, taste.asked, taste.barred, self.dataset, dials)

    @property
    def directions(self) -> Directions | None:
        """What says how alike tracks are; None where no model knows."""
        for name in _VARIETY:
            if name in self.models and self.models[name].vectors_of(_NOTHING) is not None:
                return partial(_directions, self.models[name])
        return None

    def _complete(self, tracks: np.ndarray, taste: Taste, dials: Dials, k: int) -> np.ndarray:
        """Append popular tracks under the same rules, and under the bars where these are too few.

        What is barred stays out, so that the list may end early.
        """
        popular = self.dataset.by_popularity
        for rules in (dials, dials.only_bars()):
            fresh = popular[: _POOL * k] if rules is dials else popular
            fresh = fresh[~np.isin(fresh, tracks)]
            fresh = fresh[self._allowed(fresh, taste, rules)]
            merged = np.concatenate([tracks, fresh])
            places = np.arange(len(merged), 0, -1.0)
            tracks = merged[order(merged, places, self.dataset, rules.as_scored())][:k]
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

    def _notes(self, queries: Queries, sources: Collection[str], model: str) -> tuple[str, ...]:
        """What is not obvious of the answer to one query by these sources."""
        seeds, title = queries.seeds[0], queries.titles[0]
        readers = [name for name in sources if self.models[name].uses_titles]
        notes = []
        if title and readers:
            if not self._says_something(title, readers):
                notes.append(f"No playlist here has a title like “{title}”.")
            elif not len(seeds):
                notes.append("Made from the title alone: tracks of playlists titled alike.")
        elif title and not len(seeds):
            notes.append("This model does not read titles.")
        if not len(seeds) and not title:
            notes.append(_POPULAR)
        elif model == RANKER and not self._ranked(queries, model)[0]:
            like = ROUTES[route(queries)[0]].label
            notes.append(
                f"The ranker is not proven better than the best single model for queries like "
                f"“{like}”: the models are fused instead."
            )
        return tuple(notes)

    def _says_something(self, title: str, readers: Sequence[str]) -> bool:
        """Whether a title alone gets an answer, from the model that reads nothing else if any."""
        reader = min(readers, key=lambda name: self.models[name].uses_seeds)
        return bool(self.models[reader].recommend(Queries.single([], title), 1).ids[0, 0] >= 0)


_NOTHING = np.empty(0, np.int32)


def _directions(model: RetrievalModel, tracks: np.ndarray) -> np.ndarray:
    vectors = model.vectors_of(tracks)
    assert vectors is not None
    return unit(vectors.astype(np.float32))


def _positive(scores: np.ndarray) -> np.ndarray:
    """The logistic function: the same order, above 0."""
    return 1 / (1 + np.exp(-scores))
