"""A mixed playlist as several moods: found, named, and each continued in its share."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from core.dataset.dataset import Dataset, Playlists
from core.dataset.text import normalise
from core.errors import SegueError
from core.ordering import Dials, Taste, filter_candidates, sequence
from core.recommender import Continuation, Recommender
from core.retrieval.base import Directions, unit

MOST = 4
"""Moods of a playlist, at most."""
_FEWEST = 6
"""Seeds of known likeness that a playlist needs to be told apart."""
_LEAST_SEEDS, _LEAST_SHARE = 3, 0.15
"""Seeds of a mood at least, and their share of the playlist; fewer are noise."""
_APART = 0.25
"""Cosine of two groups up to which they are unlike, see `closeness`. Of real validation playlists,
it splits 76 % of the mixtures of two and 20 % of single ones at 25 tracks, 82 % and 19 % at 50."""
_COMMON = 1000
"""Popular tracks whose mean is the usual direction."""
_ROUNDS = 20
_TOLD = 0.5
"""Share of a mood's seeds of known genre that its name must fit."""
_KNOWN = 3
"""Seeds of known genre, or playlists with a word in their title, that a name rests on at least."""
_PLAYLISTS = 2000
"""Playlists whose titles are read at most: those that hold the most seeds, and as many others."""
_LIFT = 1.5
"""How many times as frequent as elsewhere words must be to name a mood."""
_TINY = 1e-9
_WORDS = 4
"""Words in a row of a title that a name is made of at most."""


@dataclass(frozen=True)
class Mood:
    """Tracks of a playlist that are alike.

    Attributes
    ----------
    name : str
        A genre, words of titles, or an artist; from the dataset, plain text.
    seeds : tuple of int
        Positions in the playlist's seeds, in order.
    share : float
        Of the seeds, above 0 to 1.
    """

    name: str
    seeds: tuple[int, ...]
    share: float


def moods(recommender: Recommender, seeds: np.ndarray) -> list[Mood]:
    """The moods of a playlist.

    Parameters
    ----------
    recommender : Recommender
    seeds : int32 array, shape (n,)

    Returns
    -------
    list of Mood
        One where the playlist is not clearly mixed or too short to tell, else two to four, the
        largest first. Every seed is of one mood. Empty where there is no seed.
    """
    if not len(seeds):
        return []
    groups = split(seeds, recommender.directions, recommender.dataset.by_popularity[:_COMMON])
    sizes = np.bincount(groups)
    members = [np.flatnonzero(groups == group) for group in np.argsort(-sizes, kind="stable")]
    names = _names(recommender.dataset, [seeds[positions] for positions in members])
    return [
        Mood(name, tuple(positions.tolist()), len(positions) / len(seeds))
        for name, positions in zip(names, members, strict=True)
    ]


def split(seeds: np.ndarray, directions: Directions | None, common: np.ndarray) -> np.ndarray:
    """Group the seeds by likeness where they fall into clear groups.

    The seeds are divided into two to four groups (see `divisions`). The finest division is taken in
    which every two groups are unlike (see `closeness`) and none is so small that it may be noise;
    where there is none, all seeds are one group. A seed of unknown likeness joins the group of the
    seed before it.

    Parameters
    ----------
    seeds : int32 array, shape (n,)
    directions : Directions or None
    common : int32 array
        Tracks of every kind, such as the most popular ones.

    Returns
    -------
    int64 array, shape (n,)
        Group of each seed, from 0.
    """
    whole = np.zeros(len(seeds), np.int64)
    if directions is None:
        return whole
    rows = directions(seeds)
    known = np.flatnonzero(rows.any(axis=1))
    if len(known) < _FEWEST:
        return whole
    rows = rows[known]
    least = max(_LEAST_SEEDS, _LEAST_SHARE * len(known))
    usual = directions(common).mean(axis=0)
    clear = [
        groups
        for groups in divisions(rows)
        if np.bincount(groups).min() >= least and closeness(rows, groups, usual) <= _APART
    ]
    if not clear:
        return whole
    before = np.searchsorted(known, np.arange(len(seeds)), side="right") - 1
    return clear[-1][np.maximum(before, 0)]


def divisions(rows: np.ndarray) -> list[np.ndarray]:
    """Divide unit rows into 2, 3 and 4 groups by spherical k-means.

    Each division starts from the one before, whose widest group is cut at the mean along its
    principal direction (D. Boley, "Principal direction divisive partitioning", Data Mining and
    Knowledge Discovery 2, 1998), so nothing is left to chance (I. Dhillon, D. Modha, "Concept
    decompositions for large sparse text data", Machine Learning 42, 2001).

    Parameters
    ----------
    rows : float array, shape (n, d)

    Returns
    -------
    list of int64 array, shape (n,)
        Group of each row, from 0; fewer divisions where rows do not differ.
    """
    groups = np.zeros(len(rows), np.int64)
    found = []
    for count in range(2, MOST + 1):
        spread = [_spread(rows[groups == group]) for group in range(count - 1)]
        widest = int(np.argmax(spread))
        members = np.flatnonzero(groups == widest)
        centred = rows[members] - rows[members].mean(axis=0)
        along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
        groups = groups.copy()
        groups[members[along > 0]] = count - 1
        groups = _settled(rows, groups, count)
        if len(np.unique(groups)) < count:
            break
        found.append(groups)
    return found


def _spread(rows: np.ndarray) -> float:
    """What a group's rows fall short of its direction, summed."""
    return float(len(rows) - np.linalg.norm(rows.sum(axis=0)))


def _settled(rows: np.ndarray, groups: np.ndarray, count: int) -> np.ndarray:
    """Move each row to the group whose mean direction is nearest, until none moves."""
    for _ in range(_ROUNDS):
        sums = np.stack([rows[groups == group].sum(axis=0) for group in range(count)])
        moved = (rows @ unit(sums).T).argmax(axis=1)
        if (moved == groups).all():
            break
        groups = moved
    return groups


def closeness(rows: np.ndarray, groups: np.ndarray, usual: np.ndarray) -> float:
    """Largest cosine of the directions of two groups, seen from the usual direction.

    The directions of some models all point one way, so that any two groups look alike; what counts
    is where each group lies from the mean of common tracks.

    Parameters
    ----------
    rows : float array, shape (n, d)
    groups : int array, shape (n,)
        Two groups or more, from 0.
    usual : float array, shape (d,)
        Mean row of common tracks.

    Returns
    -------
    float
        From -1 to 1.
    """
    count = int(groups.max()) + 1
    centres = unit(np.stack([rows[groups == group].mean(axis=0) for group in range(count)]) - usual)
    return float((centres @ centres.T)[~np.eye(count, dtype=bool)].max())


# --- names ---


def _names(dataset: Dataset, groups: Sequence[np.ndarray]) -> list[str]:
    """A name for each group of tracks, none twice: its genre, else title words, else an artist."""
    words = _title_words(dataset.playlists, groups) if len(groups) > 1 else [[] for _ in groups]
    names: list[str] = []
    for tracks, said in zip(groups, words, strict=True):
        options = [*_genres(dataset, tracks), *said, *_artists(dataset, tracks)]
        taken = {name.casefold() for name in names}
        fresh = (option for option in options if option.casefold() not in taken)
        names.append(next(fresh, f"mood {len(names) + 1}"))
    return names


def _genres(dataset: Dataset, tracks: np.ndarray) -> list[str]:
    """The genre of most tracks of known genre, where that says enough of the group."""
    known = [genre for genre in dataset.values("genre", tracks) if genre]
    least = max(_KNOWN, _TOLD * len(known), _TOLD * _TOLD * len(tracks))
    return [genre for genre, times in Counter(known).most_common(1) if times >= least]


def _title_words(playlists: Playlists, groups: Sequence[np.ndarray]) -> list[list[str]]:
    """Words of titles whose playlists concentrate in a group, the most telling first.

    Up to four words in a row count as one. Of a group's entries in playlists with a title, those
    in playlists with the words in it are a share p. They weigh p log(p / q), q being the same share
    in the other groups, or the share of all titles if that is larger; where p is not clearly larger
    than q, words say nothing.
    """
    held = np.stack(
        [
            np.bincount(playlists.entries_of(tracks)[0], minlength=len(playlists))
            for tracks in groups
        ]
    )
    rows = np.flatnonzero(held.any(axis=0))
    rows = rows[np.argsort(-held[:, rows].max(axis=0), kind="stable")[:_PLAYLISTS]]
    number: dict[str, int] = {}
    cells = [
        (number.setdefault(phrase, len(number)), row)
        for row, said in zip(rows, _phrases(playlists, rows), strict=True)
        for phrase in said
    ]
    if not cells:
        return [[] for _ in groups]
    phrases = list(number)
    phrase, row = np.array(cells).T
    entries = np.stack([np.bincount(phrase, of_group[row]) for of_group in held])
    holding = np.stack([np.bincount(phrase, of_group[row] > 0) for of_group in held])
    total = np.maximum(held[:, np.unique(row)].sum(axis=1, keepdims=True), 1)
    elsewhere = (entries.sum(axis=0) - entries + 1) / (total.sum() - total + 1)
    share = np.maximum(entries / total, _TINY)
    lift = share / np.maximum(elsewhere, _usual_shares(playlists, phrases))
    # Of words that always come together the longest say it all.
    longer = _TINY * np.array([len(phrase) for phrase in phrases])
    telling = (holding >= _KNOWN) & (lift >= _LIFT)
    weights = np.where(telling, share * np.log(lift) + longer, 0)
    return [
        [phrases[at] for at in np.argsort(-weight, kind="stable") if weight[at] > 0]
        for weight in weights
    ]


def _usual_shares(playlists: Playlists, phrases: Sequence[str]) -> np.ndarray:
    """Share of all playlists, of some where they are many, that have words in their title."""
    rows = np.linspace(0, len(playlists) - 1, min(_PLAYLISTS, len(playlists))).astype(int)
    times = Counter(phrase for said in _phrases(playlists, rows) for phrase in said)
    return np.array([times[phrase] for phrase in phrases]) / len(rows)


def _phrases(playlists: Playlists, rows: np.ndarray) -> list[set[str]]:
    """All runs of up to four words in the titles of playlists; empty for one without."""
    titles = normalise([playlists.titles[row] or "" for row in rows])
    return [set(_runs(title.split())) for title in titles]


def _runs(words: Sequence[str]) -> Iterator[str]:
    for start in range(len(words)):
        for end in range(start + 1, min(start + _WORDS, len(words)) + 1):
            run = " ".join(words[start:end])
            if any(letter.isalpha() for letter in run):
                yield run


def _artists(dataset: Dataset, tracks: np.ndarray) -> list[str]:
    """The group's artists with a name, the most frequent first."""
    named = Counter(filter(None, dataset.values("artist_name", tracks)))
    return [name for name, _ in named.most_common()]


# --- the continuation ---


def continue_moods(
    recommender: Recommender,
    seeds: np.ndarray,
    title: str | None,
    k: int,
    found: Sequence[Mood],
    shares: Sequence[float],
    *,
    model: str | None = None,
    dials: Dials | None = None,
    dislikes: Sequence[int] | np.ndarray = (),
    likes: Sequence[int] | np.ndarray = (),
    muted: Sequence[int] | np.ndarray = (),
) -> tuple[Continuation, np.ndarray]:
    """Continue each mood of a playlist on its own, and interleave the answers in shares.

    All moods are answered in one batch. A liked track belongs to the mood whose seeds it is nearest
    to; a disliked one to all. With `smooth`, transitions are smoothed in the merged list, so shares
    hold for each page of 20 and not for each track.

    Parameters
    ----------
    recommender : Recommender
    seeds : int32 array
    title : str or None
    k : int
        Length of the continuation.
    found : sequence of Mood
        As `moods` finds them in these seeds.
    shares : sequence of float
        How much of the continuation each mood gets, 0 or more, in any unit; 0 leaves it out.
    model, dials, dislikes, likes, muted
        As for `Recommender.continue_playlist`.

    Returns
    -------
    Continuation
        Scores of different moods are not comparable.
    int64 array, shape (n,)
        Index in `found` of each track's mood.

    Raises
    ------
    SegueError
        If a share is below 0, or all are 0.
    """
    weights = _weights(found, shares)
    dials = dials or Dials()
    dataset = recommender.dataset
    whole = Taste(*(np.asarray(ids, np.int32) for ids in (seeds, likes, dislikes, muted)))
    wanted = np.flatnonzero(weights > 0)
    each = divided(whole, found, recommender.directions)
    tastes = [each[at] for at in wanted]
    answers = recommender.continue_each(
        tastes,
        title,
        # Some are struck out: seeds of other moods, and what another mood shows before.
        2 * k + len(whole.asked),
        model=model,
        dials=replace(dials, smooth=False),
    )
    mood, place = _interleaved(answers, weights[wanted], k, whole, dataset, dials)
    merged = _merged(answers, mood, place, [_positions(whole, taste) for taste in tastes])
    if dials.smooth:
        last = int(whole.seeds[-1]) if len(whole.seeds) else None
        path = sequence(merged.tracks, dataset, last)
        merged, mood = _taken(merged, path), mood[path]
    return merged.completed(), wanted[mood]


def _weights(found: Sequence[Mood], shares: Sequence[float]) -> np.ndarray:
    weights = np.asarray(shares, np.float64)
    if len(weights) != len(found):
        raise ValueError(f"{len(weights)} shares for {len(found)} moods")
    if not (np.isfinite(weights) & (weights >= 0)).all():
        raise SegueError("A mood's share is not 0 or more: choose another.")
    if not weights.sum():
        raise SegueError("Every mood's share is 0: give one of them more, so that something plays.")
    return weights


def divided(taste: Taste, found: Sequence[Mood], directions: Directions | None) -> list[Taste]:
    """What each mood is continued by: its seeds, the likes nearest to them, and what all bar."""
    of_like = _nearest_mood(taste, found, directions)
    return [
        replace(taste, seeds=taste.seeds[list(mood.seeds)], likes=taste.likes[of_like == at])
        for at, mood in enumerate(found)
    ]


def _nearest_mood(taste: Taste, found: Sequence[Mood], directions: Directions | None) -> np.ndarray:
    """The mood that each liked track is of: of the most similar seeds in the mean, else the first.

    Returns
    -------
    int64 array, shape (n_likes,)
    """
    if directions is None or not len(taste.likes):
        return np.zeros(len(taste.likes), np.int64)
    rows = directions(taste.seeds)
    centres = np.stack([rows[list(mood.seeds)].sum(axis=0) for mood in found])
    return (directions(taste.likes) @ unit(centres).T).argmax(axis=1)


def _positions(whole: Taste, part: Taste) -> np.ndarray:
    """Where the tracks that a mood is asked with are among all that are asked with."""
    place = {track: at for at, track in enumerate(whole.asked.tolist())}
    return np.array([place[track] for track in part.asked.tolist()], np.int32)


def _interleaved(
    answers: Sequence[Continuation],
    shares: np.ndarray,
    k: int,
    taste: Taste,
    dataset: Dataset,
    dials: Dials,
) -> tuple[np.ndarray, np.ndarray]:
    """Which answer each of k tracks is of, and its place in it.

    The next track is of the mood with the largest share / (1 + 2 tracks so far), so that every
    beginning of the list is near the shares: A. Sainte-Laguë's method of apportionment (Annales
    scientifiques de l'École normale supérieure 27, 1910, https://doi.org/10.24033/asens.627). A
    track that the dials do not allow after those before it is passed over, and its mood's next one
    takes its turn. Tracks that only complete an answer come last.
    """
    shown = _Shown(dataset)
    counts = np.zeros(len(answers))
    for rules, scored in ((dials, True), (dials, False), (dials.only_bars(), False)):
        waiting = [_waiting(one, taste, dataset, rules, scored) for one in answers]
        while len(shown.picked) < k:
            open_ = np.array([bool(places) for places in waiting])
            if not open_.any():
                break
            mood = int(np.argmax(np.where(open_, shares / (1 + 2 * counts), -1)))
            place = waiting[mood].popleft()
            track = int(answers[mood].tracks[place])
            if shown.allows(track, rules):
                shown.add(track, (mood, place))
                counts[mood] += 1
    picked = np.array(shown.picked, np.int64).reshape(-1, 2)
    return picked[:, 0], picked[:, 1]


def _waiting(
    answer: Continuation, taste: Taste, dataset: Dataset, rules: Dials, scored: bool
) -> deque[int]:
    """Places in an answer that may be shown, of tracks with a score or of all."""
    allowed = filter_candidates(answer.tracks, taste.asked, taste.barred, dataset, rules)
    return deque(np.flatnonzero(allowed & ((answer.scores > 0) | (not scored))).tolist())


class _Shown:
    """What a list shows already, and so does not allow again."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._tracks: set[int] = set()
        self._songs: set[int] = set()
        self._artists: Counter[int] = Counter()
        self.picked: list[tuple[int, int]] = []

    def allows(self, track: int, rules: Dials) -> bool:
        """Whether a track may follow what is shown."""
        most = rules.per_artist
        return not (
            track in self._tracks
            or (rules.one_version and int(self._dataset.song[track]) in self._songs)
            or (most is not None and self._artists[int(self._dataset.artist[track])] >= most)
        )

    def add(self, track: int, pick: tuple[int, int]) -> None:
        """Show a track, which is this mood's at this place."""
        self._tracks.add(track)
        self._songs.add(int(self._dataset.song[track]))
        self._artists[int(self._dataset.artist[track])] += 1
        self.picked.append(pick)


def _merged(
    answers: Sequence[Continuation],
    mood: np.ndarray,
    place: np.ndarray,
    positions: Sequence[np.ndarray],
) -> Continuation:
    """One continuation of tracks of several, by the answer and the place of each.

    `positions` say where the seeds that each was asked with are in the whole playlist.
    """

    def column(values: Sequence[np.ndarray]) -> np.ndarray:
        found = [values[at][row] for at, row in zip(mood, place, strict=True)]
        return np.array(found, values[0].dtype)

    closest = [
        np.where(one.closest >= 0, np.append(of_seeds, -1)[one.closest], -1).astype(np.int32)
        for one, of_seeds in zip(answers, positions, strict=True)
    ]
    sources = dict.fromkeys(name for one in answers for name in one.ranks)
    unproposed = [np.zeros(len(one.tracks), np.int32) for one in answers]
    ranks = {
        name: column(
            [one.ranks.get(name, none) for one, none in zip(answers, unproposed, strict=True)]
        )
        for name in sources
    }
    notes = tuple(dict.fromkeys(note for one in answers for note in one.notes))
    return Continuation(
        column([one.tracks for one in answers]),
        column([one.scores for one in answers]),
        ranks,
        column(closest),
        notes,
    )


def _taken(found: Continuation, places: np.ndarray) -> Continuation:
    """A continuation in another order."""
    return replace(
        found,
        tracks=found.tracks[places],
        scores=found.scores[places],
        ranks={name: ranks[places] for name, ranks in found.ranks.items()},
        closest=found.closest[places],
    )
