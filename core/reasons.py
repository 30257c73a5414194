"""Why a track follows: the models, features, seeds and playlists that it owes its place to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.dataset.dataset import Dataset, Playlists
from core.ordering import Dials, Taste, filter_candidates, order
from core.ranking.candidates import Candidates
from core.ranking.features.base import Feature
from core.ranking.features.sources import label
from core.ranking.fusion import CONSTANT, blend
from core.ranking.ranker import RANKER, mixed
from core.ranking.routes import route
from core.recommender import FUSION, Judgement, Recommender
from core.retrieval.base import Queries, falling
from core.whatif import places_in

MOST = 25
"""Seeds that are left out in turn; each costs as much as an answer."""
EXAMPLES = 3
"""Playlists named for a track."""
GROUPS = {
    "sources": "Agreement of the models",
    "together": "Playlists it shares with your tracks",
    "near": "Nearness to your tracks in playlists",
    "query": "Your playlist as a whole",
    "popularity": "Popularity",
    "artist": "Its artist",
    "album": "Its album",
    "duration": "Its length",
    "year": "Its year",
    "modified": "How recent its playlists are",
    "audio": "Its sound",
    "title": "Your title",
}
"""What features that are no model's have in common, by the first word of their names."""
_NAMED = 2
"""Models and seeds that a sentence names."""
_FEATURES = 3
"""Features that a sentence names."""


@dataclass(frozen=True)
class Sources:
    """The models that took part.

    Attributes
    ----------
    names, labels : tuple of str, length n_sources
    places : int32 array, shape (n_tracks, n_sources)
        Place in the model's own list, from 1; 0 where it is not in it.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    places: np.ndarray


@dataclass(frozen=True)
class Parts:
    """What scores are the sums of, exactly.

    Attributes
    ----------
    names, labels : tuple of str, length n_parts
        Models, and for the ranker also the other groups of features.
    shares : float64 array, shape (n_tracks, n_parts)
        In the unit of the scores, of either sign; with `base` they sum to them. NaN for tracks
        that only complete the list.
    base : float
        The ranker's mean score in training; 0 for others.
    """

    names: tuple[str, ...]
    labels: tuple[str, ...]
    shares: np.ndarray
    base: float


@dataclass(frozen=True)
class Contributions:
    """What each feature adds to the ranker's scores: exact Shapley values of its trees.

    Attributes
    ----------
    features : tuple of Feature, length n_features
    values : float32 array, shape (n_tracks, n_features)
        In the features' units, NaN where unknown.
    shares : float64 array, shape (n_tracks, n_features)
        In the unit of the scores; see `Ranker.contributions`. NaN for tracks that only complete
        the list.
    """

    features: tuple[Feature, ...]
    values: np.ndarray
    shares: np.ndarray

    def largest(self, track: int, n: int | None = None) -> list[tuple[Feature, float, float]]:
        """Feature, value and share of the n that weigh most for a track, heaviest first."""
        shares = self.shares[track]
        heaviest = np.argsort(-np.abs(shares), kind="stable")[:n]
        return [
            (self.features[at], float(self.values[track, at]), float(shares[at]))
            for at in heaviest
            if np.isfinite(shares[at]) and shares[at]
        ]


@dataclass(frozen=True)
class Seeds:
    """What tracks owe to each seed, liked tracks among them.

    Attributes
    ----------
    names : tuple of str, length n_seeds
        Artist and title; of the playlist's seeds, then of the liked tracks.
    exact : bool
        Whether shares are parts of the score. They are where one model answers that can divide
        its scores among the seeds, and no title takes part.
    shares : float64 array, shape (n_tracks, n_seeds)
        Exact: parts of the scores, which they sum to. Otherwise `falls`. NaN for tracks of
        place 0.
    falls : float64 array, shape (n_tracks, n_seeds)
        Doublings of its place that the track falls by without the seed, log2(place without /
        place), below 0 where it rises: places, because scores of different queries have no common
        scale. NaN where the seed was not tried, and for tracks of place 0.
    places : int32 array, shape (n_tracks,)
        Place in the list of all candidates that the dials allow, before variety and smoothing
        re-order it, from 1; 0 for tracks that are not in it. Scores that differ by a
        rounding may change places with those that a single query gets.
    without : int32 array, shape (n_tracks, n_seeds)
        The same in the list without the seed, which the seed itself is kept out of. 0 where it is
        not in it: it then counts as one place after the longer of both lists.
    tried : bool array, shape (n_seeds,)
        Whether the seed was left out; of many seeds only those that share the most playlists with
        the tracks are. `without` is 0 for the others.
    """

    names: tuple[str, ...]
    exact: bool
    shares: np.ndarray
    falls: np.ndarray
    places: np.ndarray
    without: np.ndarray
    tried: np.ndarray

    def credited(self, track: int, n: int | None = None) -> list[int]:
        """The n seeds that a track owes most to: it falls furthest without them, furthest first.

        Only seeds without which it does fall, of those that were tried. A share says less, even an
        exact one: without a seed the others count for more, and other tracks fall further.
        """
        falls = np.nan_to_num(self.falls[track])
        shares = np.nan_to_num(self.shares[track])
        return [int(at) for at in np.lexsort((-shares, -falls))[:n] if falls[at] > 0]


@dataclass(frozen=True)
class Together:
    """Playlists of the dataset that hold a track and seeds.

    Attributes
    ----------
    playlists : int
        How many hold it with a seed at least.
    seeds : int
        The most seeds that one of them holds.
    with_most : int
        How many hold so many.
    rows : tuple of int
        The first of them: those with the most seeds, then the shortest.
    titles : tuple of str or None
        Of these rows.
    held : tuple of int
        Seeds that each of these holds.
    """

    playlists: int
    seeds: int
    with_most: int
    rows: tuple[int, ...]
    titles: tuple[str | None, ...]
    held: tuple[int, ...]


@dataclass(frozen=True)
class Reasons:
    """Why tracks follow a playlist.

    Attributes
    ----------
    kind : str
        What gave the scores: "ranker", "fusion", or the name of a single model.
    tracks : int32 array, shape (n_tracks,)
    scores : float64 array, shape (n_tracks,)
        The ranker's before the logistic function; the fusion's sum of weight / (60 + place); the
        model's own. NaN for tracks that only complete the list.
    sources : Sources
    parts : Parts
    features : Contributions or None
        None where the ranker did not answer.
    seeds : Seeds
    together : tuple of Together, length n_tracks
    """

    kind: str
    tracks: np.ndarray
    scores: np.ndarray
    sources: Sources
    parts: Parts
    features: Contributions | None
    seeds: Seeds
    together: tuple[Together, ...]


def explain(
    recommender: Recommender,
    seeds: Sequence[int] | np.ndarray,
    title: str | None,
    tracks: Sequence[int] | np.ndarray,
    *,
    model: str | None = None,
    dials: Dials | None = None,
    dislikes: Sequence[int] | np.ndarray = (),
    likes: Sequence[int] | np.ndarray = (),
    muted: Sequence[int] | np.ndarray = (),
    judge: Callable[[Queries, str, int], Judgement] | None = None,
) -> Reasons:
    """Say why tracks follow a playlist.

    The playlist is answered once more, in one batch with copies of it that each lack one seed.

    Parameters
    ----------
    recommender : Recommender
    seeds : sequence of track ids, in order
    title : str or None
    tracks : sequence of track ids
        Those shown, or any others.
    model, dials, dislikes, likes, muted
        As for `Recommender.continue_playlist`.
    judge : callable, optional
        Answers as `Recommender.judged`, which it is by default; it may remember. What it is asked
        depends neither on the dials nor, of up to 25 seeds, on the tracks.

    Returns
    -------
    Reasons
    """
    name = recommender.require_choice(model)
    dataset, tracks = recommender.dataset, _ids(tracks)
    taste = Taste(_ids(seeds), _ids(likes), _ids(dislikes), _ids(muted))
    seeds = taste.asked
    together, shared = _together(dataset.playlists, seeds, tracks)
    left_out = np.sort(falling(shared, seeds)[:MOST])
    queries = Queries(
        [seeds, *(np.delete(seeds, at) for at in left_out)],
        [title or None] * (1 + len(left_out)),
    )
    judged = (judge or recommender.judged)(queries, name, len(tracks))
    kind = RANKER if judged.ranked[0] else FUSION if name == RANKER else name
    candidates = judged.candidates.take(np.array([0]))
    at = places_in(candidates.tracks, tracks) - 1
    sources = _sources(recommender, kind, judged, candidates, at)
    features = None
    if kind == RANKER:
        parts, features = _ranked(recommender, queries[:1], judged, candidates, at)
    elif kind == FUSION:
        parts = _fused(sources, judged, at)
    else:
        parts = _single(kind, candidates, at)
    lists = _lists(judged, recommender, taste, left_out, dials or Dials())
    return Reasons(
        kind,
        tracks,
        parts.base + parts.shares.sum(axis=1),
        sources,
        parts,
        features,
        _seeds(recommender, kind, queries, tracks, left_out, lists),
        together,
    )


def _ids(tracks: Sequence[int] | np.ndarray) -> np.ndarray:
    return np.asarray(tracks, np.int32)


def _rows(values: np.ndarray, at: np.ndarray, missing: float) -> np.ndarray:
    """Rows of an array at these positions; `missing` throughout at -1."""
    rows = np.full((len(at), values.shape[1]), missing, values.dtype)
    rows[at >= 0] = values[at[at >= 0]]
    return rows


def _sources(
    recommender: Recommender,
    kind: str,
    judged: Judgement,
    candidates: Candidates,
    at: np.ndarray,
) -> Sources:
    """Models that took part in the first query, in the order of the recommender's."""
    ranker = recommender.ranker
    wanted = ranker.sources if ranker and kind == RANKER else judged.weights[0]
    columns = [column for column, name in enumerate(candidates.sources) if name in wanted]
    names = tuple(candidates.sources[column] for column in columns)
    return Sources(names, tuple(map(label, names)), _rows(candidates.ranks[:, columns], at, 0))


def _single(model: str, candidates: Candidates, at: np.ndarray) -> Parts:
    own = candidates.scores[:, [candidates.sources.index(model)]].astype(np.float64)
    return Parts((model,), (label(model),), _rows(own, at, np.nan), 0.0)


def _fused(sources: Sources, judged: Judgement, at: np.ndarray) -> Parts:
    """The terms of `core.ranking.fusion.blend`."""
    weights = np.array([judged.weights[0][name] for name in sources.names])
    shares = np.where(sources.places > 0, weights / (CONSTANT + sources.places), 0)
    shares[at < 0] = np.nan
    return Parts(sources.names, sources.labels, shares, 0.0)


def _ranked(
    recommender: Recommender,
    query: Queries,
    judged: Judgement,
    candidates: Candidates,
    at: np.ndarray,
) -> tuple[Parts, Contributions]:
    """Shapley values of the features, their sums by source and by group, and what fusion adds."""
    ranker, described = recommender.ranker, recommender.features
    assert ranker is not None
    assert described is not None
    every = described.values(query, candidates)
    grown, fused = ranker.score(every), blend(candidates, judged.weights[:1])
    added = mixed(grown, fused, candidates.indptr, ranker.mix[route(query)]) - grown
    values = _rows(every, at, np.nan)
    *columns, base = ranker.contributions(values).T
    shares = np.stack(columns, axis=1)
    shares[at < 0] = np.nan
    groups = [feature.name.partition(".")[0] for feature in described.features]
    names = tuple(dict.fromkeys(groups))
    belongs = np.array(groups)[:, None] == np.array(names)
    labels = tuple(label(name) if name in ranker.sources else GROUPS[name] for name in names)
    parts = Parts(
        (*names, FUSION),
        (*labels, "The fusion of all models"),
        np.hstack([shares @ belongs, _rows(added[:, None], at, np.nan)]),
        float(base[0]) if len(base) else 0.0,
    )
    return parts, Contributions(described.features, values, shares)


def _lists(
    judged: Judgement, recommender: Recommender, taste: Taste, left_out: np.ndarray, dials: Dials
) -> list[np.ndarray]:
    """The tracks of each query in order, under all dials that do not look at the list itself.

    No seed of the whole playlist is in any: a seed that is left out must not push others down.
    """
    dataset, rules = recommender.dataset, replace(dials, variety=0.0, smooth=False)
    tastes = [taste, *(_without(taste, at) for at in left_out.tolist())]
    lists = []
    for mine, start, stop in zip(
        tastes, judged.candidates.indptr[:-1], judged.candidates.indptr[1:], strict=True
    ):
        tracks, scores = judged.candidates.tracks[start:stop], judged.scores[start:stop]
        allowed = filter_candidates(tracks, taste.asked, taste.barred, dataset, rules)
        tracks, scores = tracks[allowed], scores[allowed]
        best = order(tracks, scores, dataset, rules, mine, recommender.directions)
        lists.append(tracks[best])
    return lists


def _without(taste: Taste, at: int) -> Taste:
    """The taste without one of the tracks that models are asked to continue."""
    left = taste.asked[at]
    return replace(
        taste, seeds=taste.seeds[taste.seeds != left], likes=taste.likes[taste.likes != left]
    )


def _seeds(
    recommender: Recommender,
    kind: str,
    queries: Queries,
    tracks: np.ndarray,
    left_out: np.ndarray,
    lists: Sequence[np.ndarray],
) -> Seeds:
    seeds = queries.seeds[0]
    whole, *lacking = lists
    places = places_in(whole, tracks)
    without = np.zeros((len(tracks), len(seeds)), np.int32)
    tried = np.zeros(len(seeds), bool)
    tried[left_out] = True
    exact = _exact_shares(recommender, kind, queries[:1], tracks)
    falls = np.full(without.shape, np.nan)
    for seed, listed in zip(left_out, lacking, strict=True):
        without[:, seed] = places_in(listed, tracks)
        gone = max(len(whole), len(listed)) + 1
        place = np.where(without[:, seed] > 0, without[:, seed], gone)
        falls[:, seed] = np.log2(place / np.maximum(places, 1))
    shares = falls if exact is None else exact
    shares[places == 0] = falls[places == 0] = np.nan
    names = _names(recommender.dataset, seeds)
    return Seeds(names, exact is not None, shares, falls, places, without, tried)


def _exact_shares(
    recommender: Recommender, kind: str, query: Queries, tracks: np.ndarray
) -> np.ndarray | None:
    """Parts of a single model's scores, float64, (n_tracks, n_seeds); None where there are none."""
    one, seeds = recommender.models.get(kind), query.seeds[0]
    if one is None or not len(seeds) or (one.uses_titles and query.titles[0]):
        return None
    shares = one.seed_contributions(seeds, tracks)
    return None if shares is None else shares.T.astype(np.float64)


def _names(dataset: Dataset, tracks: np.ndarray) -> tuple[str, ...]:
    columns = (dataset.values(name, tracks) for name in ("artist_name", "title"))
    return tuple(
        f"{artist or '?'} - {title or '?'}" for artist, title in zip(*columns, strict=True)
    )


def _together(
    playlists: Playlists, seeds: np.ndarray, tracks: np.ndarray
) -> tuple[tuple[Together, ...], np.ndarray]:
    """Playlists that hold each track and seeds; and how much of that is each seed's.

    Returns
    -------
    tuple of Together, length n_tracks
    int64 array, shape (n_seeds,)
        Tracks that share a playlist with the seed, counted once for each playlist.
    """
    seed_rows, seed_tracks = playlists.entries_of(seeds)
    rows, held_tracks = playlists.entries_of(tracks)
    held = np.bincount(seed_rows, minlength=len(playlists))
    shown = np.bincount(rows, minlength=len(playlists))
    by_track = np.bincount(seed_tracks, shown[seed_rows], playlists.n_tracks)
    with_seed = held[rows] > 0
    rows, held_tracks = rows[with_seed], held_tracks[with_seed]
    best = np.lexsort((rows, playlists.lengths[rows], -held[rows], held_tracks))
    rows, held_tracks = rows[best], held_tracks[best]
    starts, ends = (np.searchsorted(held_tracks, tracks, side) for side in ("left", "right"))
    found = tuple(
        _of_playlists(playlists, rows[start:end], held[rows[start:end]])
        for start, end in zip(starts, ends, strict=True)
    )
    return found, by_track[seeds].astype(np.int64)


def _of_playlists(playlists: Playlists, rows: np.ndarray, held: np.ndarray) -> Together:
    """From the rows that hold a track with seeds, and how many, best first."""
    first = rows[:EXAMPLES].tolist()
    most = int(held.max(initial=0))
    return Together(
        len(rows),
        most,
        int((held == most).sum()),
        tuple(first),
        tuple(playlists.titles[row] for row in first),
        tuple(held[:EXAMPLES].tolist()),
    )


def sentences(reasons: Reasons, track: int) -> list[str]:
    """Why a track follows, in a few plain sentences.

    Parameters
    ----------
    reasons : Reasons
    track : int
        Index in `reasons.tracks`.

    Returns
    -------
    list of str
        Plain text: what stands in quotes is the dataset's.
    """
    if np.isnan(reasons.scores[track]):
        return ["No model proposes it: it only completes the list."]
    said = (
        _on_sources(reasons.sources, track),
        _on_seeds(reasons.seeds, reasons.scores[track], track),
        _on_playlists(reasons.together[track], len(reasons.seeds.names)),
        _on_features(reasons.features, track),
    )
    return [sentence for sentence in said if sentence]


def _on_sources(sources: Sources, track: int) -> str:
    places = sources.places[track]
    by_place = [at for at in np.argsort(places, kind="stable") if places[at]]
    named = [f"{sources.labels[at]} ({_ordinal(places[at])})" for at in by_place[:_NAMED]]
    if others := len(by_place) - len(named):
        named.append(f"{others} other{'s' * (others > 1)}")
    return f"Proposed by {_listed(named)}."


def _on_seeds(seeds: Seeds, score: float, track: int) -> str:
    if not seeds.places[track] or not seeds.names:
        return ""
    if credited := seeds.credited(track, _NAMED):
        named = [f"“{seeds.names[at]}” ({_fate(seeds, score, track, at)})" for at in credited]
        return f"Owes most to {_listed(named)}."
    if seeds.exact and not (seeds.shares[track] > 0).any():
        return "No seed speaks for it."
    return "No single seed carries it: without any one of them it stands as high or higher."


def _fate(seeds: Seeds, score: float, track: int, seed: int) -> str:
    """Where a track goes without a seed, and what part of its score is the seed's."""
    without = seeds.without[track, seed]
    fate = f"falls to {_ordinal(without)}" if without else "out of the list"
    if seeds.exact and (seeds.shares[track] >= 0).all():
        return f"{seeds.shares[track, seed] / score:.0%} of its score, {fate} without it"
    return f"{fate} without it"


def _on_playlists(together: Together, n_seeds: int) -> str:
    if not together.playlists:
        return ""
    count, seeds = together.with_most, together.seeds
    holding = "1 playlist holds" if count == 1 else f"{count:,} playlists hold"
    of = f"{seeds} of the {n_seeds} seeds"
    if seeds == n_seeds:
        of = {1: "the seed", 2: "both seeds"}.get(seeds, f"all {seeds} seeds")
    titles = [
        title
        for title, held in zip(together.titles, together.held, strict=True)
        if title and held == seeds
    ]
    such = f", {'such as ' * (count > 1)}“{titles[0]}”" if titles else ""
    return f"{holding} it with {of}{such}."


def _on_features(features: Contributions | None, track: int) -> str:
    if features is None:
        return ""
    largest = features.largest(track, _FEATURES)
    signed = [
        [f"{feature.meaning} ({share:+.2f})" for feature, _, share in largest if share * sign > 0]
        for sign in (1, -1)
    ]
    said = [
        f"{verb} by {_listed(found)}"
        for verb, found in zip(("raised", "lowered"), signed, strict=True)
        if found
    ]
    return f"The ranker's score is {_listed(said)}." if said else ""


def _listed(words: Sequence[str]) -> str:
    """Words with commas, and "and" before the last."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _ordinal(place: int) -> str:
    """1st, 2nd, 3rd, 4th, …, 11th, …, 21st."""
    ending = (
        "th" if place % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    )
    return f"{place:,}{ending}"


def as_json(reasons: Reasons, track: int) -> dict[str, Any]:
    """The reasons of a track as plain values; None for what is unknown."""
    sources, parts, seeds = reasons.sources, reasons.parts, reasons.seeds
    together, features = reasons.together[track], reasons.features
    return {
        "kind": reasons.kind,
        "score": _number(reasons.scores[track]),
        "base": parts.base,
        "parts": {
            name: _number(share)
            for name, share in zip(parts.names, parts.shares[track], strict=True)
        },
        "places": dict(zip(sources.names, sources.places[track].tolist(), strict=True)),
        "seeds": {
            "exact": seeds.exact,
            "place": int(seeds.places[track]) or None,
            "each": [
                {
                    "name": name,
                    "share": _number(seeds.shares[track, at]),
                    "tried": bool(seeds.tried[at]),
                    "place_without": int(seeds.without[track, at]) or None,
                }
                for at, name in enumerate(seeds.names)
            ],
        },
        "features": [
            {
                "name": feature.name,
                "meaning": feature.meaning,
                "unit": feature.unit,
                "value": _number(value),
                "share": share,
            }
            for feature, value, share in (features.largest(track) if features else ())
        ],
        "together": {
            "playlists": together.playlists,
            "seeds": together.seeds,
            "with_most": together.with_most,
            "examples": [
                {"row": row, "title": title, "seeds": held}
                for row, title, held in zip(
                    together.rows, together.titles, together.held, strict=True
                )
            ],
        },
        "sentences": sentences(reasons, track),
    }


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
