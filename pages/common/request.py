"""What a person asks for, and the link that says it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from core.dataset.links import Link, is_id, track_id
from core.evaluation.dials import SETTINGS
from core.ordering import Dials
from core.spotify.seeds import MOST_SEEDS

SHORTEST, LONGEST = 5, 100
"""Tracks of a continuation that the page offers."""
MOST_LETTERS = 200
MOST_MOODS = 4
DEFAULT = ""
"""The model of a request that names none: the ranker where it is trained, else the fusion."""

Years = tuple[int | None, int | None]


def offered(dial: str) -> tuple[Any, ...]:
    """The values of a dial whose cost is measured, its default among them, rising.

    >>> offered("variety")
    (0.0, 0.25, 0.5, 0.75)
    """
    return tuple(sorted({getattr(Dials, dial), *(v for name, v in SETTINGS if name == dial)}))


POPULARITY, ADVENTURE, VARIETY = map(offered, ("popularity", "adventure", "variety"))
PER_ARTIST = (*(int(value) for name, value in SETTINGS if name == "per_artist"), 0)
"""Tracks of one artist, at most; 0 for any number."""


@dataclass(frozen=True)
class Request:
    """What a person asks for: all that a link carries, but for what single pages show.

    Attributes
    ----------
    dataset, model : str
        Names; `model` is one of the recommender's choices.
    k : int
        Length of the continuation.
    per_artist : int
        One of `PER_ARTIST`.
    one_version, popularity, adventure, variety, smooth, explicit, years
        See `core.ordering.Dials`.
    blocked : tuple of str
        Uris of artists that are not shown.
    title : str
        Of the playlist; empty for none.
    seeds : tuple of str
        Uris of the playlist's tracks, of this or another dataset, in order.
    muted : tuple of str
        Those of the seeds that take no part.
    likes, dislikes : tuple of str
        Uris of tracks to steer towards and away from; none is shown.
    shares : tuple of int
        Of the playlist's moods, the largest mood first, in any unit; empty where the playlist is
        continued as one.
    """

    dataset: str = ""
    model: str = DEFAULT
    k: int = 20
    adventure: float = 0.0
    popularity: float = 0.0
    variety: float = 0.0
    per_artist: int = 0
    one_version: bool = True
    smooth: bool = False
    explicit: bool = True
    years: Years | None = None
    blocked: tuple[str, ...] = ()
    title: str = ""
    seeds: tuple[str, ...] = ()
    muted: tuple[str, ...] = ()
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    shares: tuple[int, ...] = ()

    @property
    def heard(self) -> tuple[str, ...]:
        """The seeds that take part."""
        return tuple(uri for uri in self.seeds if uri not in self.muted)

    def dials(self, blocked_artists: Sequence[int] = ()) -> Dials:
        """The dials, for a dataset in which the blocked artists have these ids."""
        return Dials(
            one_version=self.one_version,
            per_artist=self.per_artist or None,
            popularity=self.popularity,
            adventure=self.adventure,
            explicit=self.explicit,
            years=self.years,
            blocked_artists=tuple(blocked_artists),
            variety=self.variety,
            smooth=self.smooth,
        )


FILTERS = ("explicit", "years", "blocked")
DIALS = ("k", "adventure", "popularity", "variety", "per_artist", "one_version", "smooth", *FILTERS)
"""Fields of a request that the sidebar turns."""


# --- links ---


class _Word(NamedTuple):
    """How a link says a field: a reader that raises ValueError, and a writer."""

    field: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str


def _one_of(kind: Callable[[str], Any], choices: Sequence[Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if value not in choices:
            raise ValueError(text)
        return value

    return read


def _switch(field: str, text: str) -> _Word:
    """A field of two values: the link says only what is not the default, as this text."""
    turned = not getattr(Request, field)
    one = _one_of(str, (text,))
    return _Word(field, lambda said: turned if one(said) else not turned, lambda _: text)


def _read_years(text: str) -> Years:
    found = re.fullmatch(r"(\d{4})?-(\d{4})?", text, re.ASCII)
    if found is None or text == "-":
        raise ValueError(text)
    first, last = (int(year) if year else None for year in found.groups())
    if first is not None and last is not None and first > last:
        raise ValueError(text)
    return first, last


def _write_years(years: Years) -> str:
    return "-".join("" if year is None else f"{year:04}" for year in years)


def _read_shares(text: str) -> tuple[int, ...]:
    shares = tuple(_one_of(int, range(101))(part) for part in text.split(","))
    if not 2 <= len(shares) <= MOST_MOODS or not any(shares):
        raise ValueError(text)
    return shares


_WORDS: Mapping[str, _Word] = {
    "dataset": _Word("dataset", str),
    "model": _Word("model", str),
    "k": _Word("k", _one_of(int, range(SHORTEST, LONGEST + 1))),
    "adventure": _Word("adventure", _one_of(float, ADVENTURE)),
    "popularity": _Word("popularity", _one_of(float, POPULARITY)),
    "variety": _Word("variety", _one_of(float, VARIETY)),
    "artist": _Word("per_artist", _one_of(int, PER_ARTIST)),
    "versions": _switch("one_version", "all"),
    "smooth": _switch("smooth", "yes"),
    "explicit": _switch("explicit", "no"),
    "years": _Word("years", _read_years, _write_years),
    "title": _Word("title", lambda text: text[:MOST_LETTERS]),
    "moods": _Word("shares", _read_shares, lambda shares: ",".join(map(str, shares))),
}
"""What a link says once, by its word."""

_LISTS = {
    "seed": "seeds",
    "mute": "muted",
    "like": "likes",
    "not": "dislikes",
    "block": "blocked",
}
"""Fields of uris that a link says one by one, by their word."""


def to_link(request: Request) -> dict[str, str | list[str]]:
    """The words of a link that says this request: what differs from the defaults."""
    link: dict[str, str | list[str]] = {}
    for word, (field, _, write) in _WORDS.items():
        value = getattr(request, field)
        if value != getattr(Request, field):
            link[word] = write(value)
    for word, field in _LISTS.items():
        if uris := getattr(request, field):
            link[word] = [_shortened(uri) for uri in uris]
    return link


def from_link(link: Mapping[str, Sequence[str]]) -> tuple[Request, list[str]]:
    """The request a link says, and a sentence on each word that is not understood."""
    found: dict[str, Any] = {}
    problems = []
    for word, (field, read, _) in _WORDS.items():
        for text in link.get(word, ())[-1:]:
            try:
                found[field] = read(text)
            except ValueError:
                problems.append(f"The link says {word}={text}, which is no choice here.")
    for word, field in _LISTS.items():
        uris = tuple(dict.fromkeys(_lengthened(text) for text in link.get(word, ()) if text))
        found[field] = uris[:MOST_SEEDS]
        if len(uris) > MOST_SEEDS:
            problems.append(
                f"The link says {word}= {len(uris)} times; the first {MOST_SEEDS} are used."
            )
    stray = [uri for uri in found["muted"] if uri not in found["seeds"]]
    if stray:
        problems.append(f"The link mutes {stray[0]}, which is not in its playlist.")
        found["muted"] = tuple(uri for uri in found["muted"] if uri in found["seeds"])
    return Request(**found), problems


def _shortened(uri: str) -> str:
    """A Spotify track by its id alone; links are long enough."""
    return track_id(uri) or uri


def _lengthened(text: str) -> str:
    return Link("track", text).uri if is_id(text) else text
