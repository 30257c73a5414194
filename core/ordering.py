"""Stages 2 and 4: what may not be shown, the order of what is, and smooth transitions in it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from core.dataset.dataset import Dataset
from core.dataset.schema import AUDIO_FEATURES
from core.errors import SegueError
from core.retrieval.base import Directions, falling

PAGE = 20
"""Tracks among which transitions are smoothed: no track leaves its twenty."""

_PER_DOUBLING = 0.2
"""Relevance lost each time the place doubles."""
_PER_DEVIATION = 0.6
"""Relevance that a full dial gives a standard deviation: three doublings of the place."""
_STEER = 1.0
"""Relevance gained by a copy of a liked track, cosine 1, and lost by one of a disliked track: five
doublings of the place. Chosen on validation playlists: of 20 tracks after two real playlists mixed,
three dislikes in one of them take its tracks from 5.1 to 2.7 in the mean, while dislikes within a
playlist of one mood still cost no hit; twice as much halves its hits."""
_LEAST_GAIN = 1e-6
_TEMPO, _KEY, _MODE, _ENERGY = map(AUDIO_FEATURES.index, ("tempo", "key", "mode", "energy"))
_MOST_STEPS_OF_KEY = 7


@dataclass(frozen=True)
class Dials:
    """What a listener may turn.

    Attributes
    ----------
    one_version : bool
        Show one version of a song (remaster, radio edit, live …) and none of a seed's.
    per_artist : int or None
        At most so many tracks by one artist, 1 or more; None for no limit.
    popularity : float
        From -1, deep cuts first, over 0, as scored, to 1, popular tracks first.
    explicit : bool
        False hides tracks that are known to be explicit.
    years : pair of int or None, or None
        First and last year of release to show, either end open (None). Tracks of unknown year are
        hidden. None shows every track.
    blocked_artists : tuple of int
        Ids of artists that are not shown.
    variety : float
        From 0, as ordered so far, to 1, each track as unlike those before it as can be; see
        `diversified`.
    smooth : bool
        Let tempo, key and energy change little from track to track; see `sequence`.
    adventure : float
        From -1, familiar, near the seeds, over 0, as scored, to 1, adventurous, far from them; see
        `adventure_bonus`.

    Raises
    ------
    ValueError
        If a dial is out of range.
    """

    one_version: bool = True
    per_artist: int | None = None
    popularity: float = 0.0
    explicit: bool = True
    years: tuple[int | None, int | None] | None = None
    blocked_artists: tuple[int, ...] = ()
    variety: float = 0.0
    smooth: bool = False
    adventure: float = 0.0

    def __post_init__(self) -> None:
        if self.per_artist is not None and self.per_artist < 1:
            raise ValueError(f"per_artist is {self.per_artist}, not 1 or more.")
        if not -1 <= self.popularity <= 1:
            raise ValueError(f"popularity is {self.popularity}, not from -1 to 1.")
        if not -1 <= self.adventure <= 1:
            raise ValueError(f"adventure is {self.adventure}, not from -1 to 1.")
        if not 0 <= self.variety <= 1:
            raise ValueError(f"variety is {self.variety}, not from 0 to 1.")
        if self.years is not None:
            first, last = self.years
            if first is not None and last is not None and first > last:
                raise ValueError(f"years are from {first} to {last}, which is before.")

    def only_bars(self) -> Self:
        """What is never shown whatever is missing: explicit tracks, years, blocked artists."""
        wishes = replace(self.as_scored(), one_version=False, per_artist=None)
        return replace(wishes, smooth=False)

    def as_scored(self) -> Self:
        """The same rules, with no dial that prefers one allowed track to another."""
        return replace(self, popularity=0.0, adventure=0.0, variety=0.0)


def parse_years(text: str) -> tuple[int | None, int | None]:
    """Years as a person writes them: "1990-1999", "1990-", "-1999" or "1990".

    Raises
    ------
    SegueError
        If the text says something else.
    """
    written = re.fullmatch(r"\s*(\d{4})?\s*(-?)\s*(\d{4})?\s*", text)
    first, dash, last = written.groups() if written else (None, "", None)
    years = (int(first) if first else None, int(last) if last else None)
    if years == (None, None) or (not dash and last):
        raise SegueError(f"“{text}” are no years: write 1990-1999, 1990- or -1999.")
    return years if dash else (years[0], years[0])


def _no_tracks() -> np.ndarray:
    return np.empty(0, np.int32)


@dataclass(frozen=True)
class Taste:
    """What a listener says of tracks, int32 arrays of ids; none of them is shown.

    Attributes
    ----------
    seeds : array
        The playlist in order; near its tracks is familiar.
    likes : array
        More like these: the models are asked for them as for further seeds, see `asked`, and what
        is near them comes earlier, see `steering`.
    dislikes : array
        Less like these: what is near them comes later.
    muted : array
        Not asked for and not steered by.
    """

    seeds: np.ndarray = field(default_factory=_no_tracks)
    likes: np.ndarray = field(default_factory=_no_tracks)
    dislikes: np.ndarray = field(default_factory=_no_tracks)
    muted: np.ndarray = field(default_factory=_no_tracks)

    @property
    def asked(self) -> np.ndarray:
        """Tracks that models are asked to continue: seeds, then liked tracks that are none.

        So candidates that only the likes bring are found. They stand at the end, where they weigh
        most in models that read the order.
        """
        return np.concatenate([self.seeds, self.likes[~np.isin(self.likes, self.seeds)]])

    @property
    def barred(self) -> np.ndarray:
        """Tracks that are not shown although models are not asked to continue them."""
        return np.concatenate([self.dislikes, self.muted])


def filter_candidates(
    candidates: np.ndarray,
    seeds: np.ndarray,
    dislikes: np.ndarray,
    dataset: Dataset,
    dials: Dials,
) -> np.ndarray:
    """Stage 2: which candidates may be shown at all.

    Parameters
    ----------
    candidates, seeds, dislikes : int32 arrays of track ids
    dataset : Dataset
    dials : Dials

    Returns
    -------
    bool array, shape (len(candidates),)
        False for seeds, dislikes and, with `one_version`, their other versions; for what
        `explicit`, `years` and `blocked_artists` bar.
    """
    barred = np.concatenate([seeds, dislikes]).astype(np.int64)
    if dials.one_version:
        allowed = ~np.isin(dataset.song[candidates], dataset.song[barred])
    else:
        allowed = ~np.isin(candidates, barred)
    if not dials.explicit:
        allowed &= ~dataset.explicit[candidates]
    if dials.years is not None:
        first, last = dials.years
        year = dataset.year[candidates]
        # NaN, an unknown year, is in no range.
        allowed &= (year >= (-np.inf if first is None else first)) & (
            year <= (np.inf if last is None else last)
        )
    if dials.blocked_artists:
        allowed &= ~np.isin(dataset.artist[candidates], dials.blocked_artists)
    return allowed


def order(
    candidates: np.ndarray,
    scores: np.ndarray,
    dataset: Dataset,
    dials: Dials,
    taste: Taste | None = None,
    directions: Directions | None = None,
    k: int | None = None,
) -> np.ndarray:
    """Stage 4: the positions of the candidates to show, first to last.

    Parameters
    ----------
    candidates : int32 array, shape (n,)
        Distinct track ids.
    scores : float array, shape (n,)
        Higher is better; only their order counts, see `relevance`.
    dataset : Dataset
    dials : Dials
    taste : Taste, optional
    directions : Directions, optional
        What `adventure`, `variety` and dislikes compare tracks by; by default their artists.
    k : int, optional
        So many will be shown: the rest need not be varied.

    Returns
    -------
    int64 array
        Positions in `candidates`; fewer than n where versions or an artist's surplus are left out.
    """
    taste = taste or Taste()
    worth = (
        relevance(scores)
        + popularity_bonus(candidates, dataset, dials.popularity)
        + adventure_bonus(candidates, taste.seeds, dataset, directions, dials.adventure)
        + steering(candidates, taste, dataset, directions)
    )
    ranking = falling(worth, candidates)
    if dials.one_version:
        ranking = ranking[within_first(dataset.song[candidates[ranking]], 1)]
    if dials.per_artist is not None:
        ranking = ranking[within_first(dataset.artist[candidates[ranking]], dials.per_artist)]
    if dials.variety:
        likeness = (
            same_artist(dataset.artist[candidates[ranking]])
            if directions is None
            else cosines(directions(candidates[ranking]))
        )
        ranking = ranking[diversified(worth[ranking], likeness, dials.variety, k)]
    return ranking


def relevance(scores: np.ndarray) -> np.ndarray:
    """What candidates are worth before any dial: 1 - 0.2 log2(place), equal scores sharing a place.

    A matter of place and not of score, so that dials act alike whatever the scale and the shape of
    scores. It falls by as much from the first to the second as from the 100th to the 200th.

    Parameters
    ----------
    scores : float array, shape (n,)

    Returns
    -------
    float64 array, shape (n,), 1 at most
    """
    better = np.searchsorted(np.sort(-scores), -scores)
    return 1 - _PER_DOUBLING * np.log2(1 + better)


def popularity_bonus(candidates: np.ndarray, dataset: Dataset, dial: float) -> np.ndarray:
    """Relevance that is added to favour popular (dial > 0) or obscure (dial < 0) candidates.

    0.6 * dial * z, z the standardised logarithm of the playlist count among the candidates: at a
    full dial, one standard deviation outweighs an eightfold place.
    """
    if not dial or not len(candidates):
        return np.zeros(len(candidates))
    logs = np.log1p(dataset.counts[candidates])
    return _PER_DEVIATION * dial * _standardised(logs)


def adventure_bonus(
    candidates: np.ndarray,
    seeds: np.ndarray,
    dataset: Dataset,
    directions: Directions | None,
    dial: float,
) -> np.ndarray:
    """Relevance that is added to favour candidates far from (dial > 0) or near (dial < 0) seeds.

    -0.6 * dial * z, z the standardised likeness among the candidates: the cosine to the most
    similar seed, so that what is near one part of a mixed playlist is familiar. A track by an
    artist of the playlist is as familiar as can be, 1. A candidate of unknown likeness gets 0.
    """
    if not dial or not len(candidates) or not len(seeds):
        return np.zeros(len(candidates))
    near = nearest_cosine(candidates, seeds, directions)
    same = np.isin(dataset.artist[candidates], dataset.artist[seeds])
    if np.isnan(near).all():
        near = np.zeros(len(candidates))
    return -_PER_DEVIATION * dial * np.nan_to_num(_standardised(np.where(same, 1.0, near)))


def steering(
    candidates: np.ndarray, taste: Taste, dataset: Dataset, directions: Directions | None
) -> np.ndarray:
    """Relevance that candidates gain by likeness to what is liked and lose by what is disliked.

    Relevance feedback (J. Rocchio, "Relevance feedback in information retrieval", in G. Salton, The
    SMART Retrieval System, 1971) on the order instead of the query: most models cannot answer a
    query with something taken away, and among many seeds a few more would not be seen. Rocchio
    takes the mean of what is liked and disliked; here the most similar track counts, because tracks
    are disliked for different reasons and the mean of two is like neither.
    """

    def likeness(tracks: np.ndarray) -> np.ndarray:
        if not len(candidates) or not len(tracks):
            return np.zeros(len(candidates))
        near = nearest_cosine(candidates, tracks, directions)
        if np.isnan(near).all():
            return np.isin(dataset.artist[candidates], dataset.artist[tracks]).astype(np.float64)
        return np.where(np.isnan(near), np.nanmean(near), near)

    return _STEER * (likeness(taste.likes) - likeness(taste.dislikes))


def nearest_cosine(
    candidates: np.ndarray, tracks: np.ndarray, directions: Directions | None
) -> np.ndarray:
    """Cosine of each candidate to the most similar of some tracks.

    Returns
    -------
    float64 array, shape (len(candidates),)
        NaN where the candidate, or every track, has no direction.
    """
    unknown = np.full(len(candidates), np.nan)
    if directions is None:
        return unknown
    of_tracks = directions(tracks)
    of_tracks = of_tracks[of_tracks.any(axis=1)]
    if not len(of_tracks):
        return unknown
    of_candidates = directions(candidates)
    nearest = (of_candidates @ of_tracks.T).max(axis=1)
    return np.where(of_candidates.any(axis=1), nearest, np.nan)


def _standardised(values: np.ndarray) -> np.ndarray:
    """Deviations from the mean in standard deviations, of what is not NaN; 0 where all agree."""
    return (values - np.nanmean(values)) / (np.nanstd(values) or 1.0)


def within_first(groups: np.ndarray, limit: int) -> np.ndarray:
    """True where a position is among the first `limit` of its group.

    >>> within_first(np.array([7, 8, 7, 7]), 2).tolist()
    [True, True, True, False]
    """
    by_group = np.argsort(groups, kind="stable")
    ordered = groups[by_group]
    _, starts, sizes = np.unique(ordered, return_index=True, return_counts=True)
    place = np.empty(len(groups), np.int64)
    place[by_group] = np.arange(len(groups)) - np.repeat(starts, sizes)
    return place < limit


Likeness = Callable[[int], np.ndarray]
"""Similarity of every candidate to the one at a position, from -1 to 1."""


def same_artist(artist: np.ndarray) -> Likeness:
    """Candidates are alike, 1, if they have one artist, else 0; `artist` is int, shape (n,)."""
    return lambda position: (artist == artist[position]).astype(np.float32)


def cosines(vectors: np.ndarray) -> Likeness:
    """Candidates are as alike as the cosine of their vectors, float32 unit rows, shape (n, d).

    One without a vector, a row of zeros, is as like another as the candidates with one are in the
    mean: what is unknown counts neither as variety nor as repetition.
    """
    known: np.ndarray = (vectors != 0).any(axis=1)
    centre = vectors.sum(axis=0) / max(int(known.sum()), 1)
    expected = np.where(known, vectors @ centre, centre @ centre)

    def likeness(position: int) -> np.ndarray:
        if not known[position]:
            return expected
        return np.where(known, vectors @ vectors[position], expected[position])

    return likeness


def diversified(
    worth: np.ndarray, likeness: Likeness, variety: float, k: int | None = None
) -> np.ndarray:
    """Maximal marginal relevance: each next track is relevant and unlike those before it.

    The next is the one with the largest (1 - variety) * relevance - variety * likeness to the most
    similar of those chosen (J. Carbonell, J. Goldstein, SIGIR 1998,
    https://doi.org/10.1145/290941.291025, with lambda = 1 - variety). At 0.5, to be a copy of one
    that is chosen costs as much as to stand at 32 times the place.

    Parameters
    ----------
    worth : float array, shape (n,), falling
        As `relevance` scales it.
    likeness : Likeness
    variety : float, from 0 to 1
    k : int, optional
        So many are chosen so; the others follow as they were. By default all are.

    Returns
    -------
    int64 array, shape (n,)
        Every position once.
    """
    gain = (1 - variety) * worth
    nearest = np.full(len(worth), -1.0)
    chosen = np.empty(len(worth) if k is None else min(k, len(worth)), np.int64)
    for step in range(len(chosen)):
        best = int(np.argmax(gain - variety * nearest))
        chosen[step] = best
        gain[best] = -np.inf
        np.maximum(nearest, likeness(best), out=nearest)
    return np.concatenate([chosen, np.flatnonzero(gain > -np.inf)])


def sequence(tracks: np.ndarray, dataset: Dataset, last_seed: int | None = None) -> np.ndarray:
    """Order in which tempo, key and energy change little from each track to the next.

    Tracks move within their `PAGE` of 20 only, so the best stay first and the set of those shown
    is that of before. Each page is a short path (see `steps`) that goes on from where the page
    before ended; the first starts from the last seed or, where that has no audio, from the first
    track that has. Tracks without audio keep their places, and the path passes over them.

    Parameters
    ----------
    tracks : int array, shape (n,)
        What is shown, best first.
    dataset : Dataset
    last_seed : int, optional
        The track that is heard before.

    Returns
    -------
    int64 array, shape (n,)
        Positions in `tracks`, each once.
    """
    audio = dataset.audio[tracks]
    heard = has_steps(audio)
    positions = np.arange(len(tracks))
    before = None if last_seed is None else dataset.audio[last_seed]
    if before is not None and not has_steps(before):
        before = None
    for start in range(0, len(tracks), PAGE):
        places = start + np.flatnonzero(heard[start : start + PAGE])
        if not len(places):
            continue
        if before is None:
            path = np.concatenate([[0], 1 + _short_path(audio[places[1:]], audio[places[0]])])
        else:
            path = _short_path(audio[places], before)
        positions[places] = places[path]
        before = audio[positions[places[-1]]]
    return positions


def steps(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far it is from one track to another, symmetric, from 0 to 1.

    The mean, over those of three that both tracks know, of

    - tempo: the ratio, 0 for equal, half and double tempo, 1 for half an octave between;
    - key: steps on the circle of fifths, a minor key standing with its relative major, and one
      more if the mode differs, over the 7 there can be (the neighbours of harmonic mixing's
      Camelot wheel, https://mixedinkey.com/camelot-wheel, are one step away);
    - energy: the difference.

    Parameters
    ----------
    one, other : float arrays, shapes (..., 11) that broadcast
        As `Dataset.audio`.

    Returns
    -------
    float64 array, shape (...)
        NaN where no track knows what the other knows.
    """
    octaves = _octaves(one) - _octaves(other)
    turn = np.abs(_fifths(one) - _fifths(other))
    mode = np.abs(one[..., _MODE] - other[..., _MODE])
    parts = np.stack(
        [
            2 * np.abs(octaves - np.round(octaves)),
            (np.minimum(turn, 12 - turn) + mode) / _MOST_STEPS_OF_KEY,
            np.abs(one[..., _ENERGY] - other[..., _ENERGY]),
        ]
    )
    known = ~np.isnan(parts)
    times = known.sum(axis=0)
    total = np.where(known, parts, 0).sum(axis=0)
    return np.divide(total, times, out=np.full(total.shape, np.nan), where=times > 0)


def _octaves(audio: np.ndarray) -> np.ndarray:
    tempo = audio[..., _TEMPO].astype(np.float64)
    return np.log2(np.where(tempo > 0, tempo, np.nan))


def _fifths(audio: np.ndarray) -> np.ndarray:
    """Place of the key's signature on the circle of fifths, 0 to 11, NaN for none."""
    key, mode = audio[..., _KEY], audio[..., _MODE]
    # A minor has the signature of C major, three semitones up.
    major = np.where(mode == 0, key + 3, key)
    return np.where((key >= 0) & ~np.isnan(mode), 7 * major % 12, np.nan)


def has_steps(audio: np.ndarray) -> np.ndarray:
    """Whether tracks know any of what `steps` compares, bool, shape (n,)."""
    return ~np.isnan(steps(audio, audio))


def _short_path(audio: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Positions of tracks along a short path from `start` to wherever, by 2-opt.

    The order given is improved, best reversal first, until no reversal of a stretch shortens the
    path (G. A. Croes, Operations Research 6, 1958, https://doi.org/10.1287/opre.6.6.791).
    """
    n = len(audio)
    if n < 2:
        return np.arange(n)
    points = np.concatenate([start[None], audio])
    # A last point as near to all as to any leaves the end open.
    distance = np.zeros((n + 2, n + 2))
    between = steps(points[:, None], points)
    distance[:-1, :-1] = np.where(np.isnan(between), np.nanmean(between), between)
    path = np.arange(n + 2)
    inner = np.arange(1, n + 1)
    later = inner[:, None] < inner
    while True:
        here, before, after = path[1:-1], path[:-2], path[2:]
        kept = distance[before, here][:, None] + distance[here, after]
        gain = np.where(
            later, kept - distance[np.ix_(before, here)] - distance[np.ix_(here, after)], 0
        )
        first, last = divmod(int(gain.argmax()), n)
        if gain[first, last] < _LEAST_GAIN:
            break
        path[first + 1 : last + 2] = path[first + 1 : last + 2][::-1].copy()
    return path[1:-1] - 1
