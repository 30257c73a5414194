"""What a page remembers: the playlist, the dials, the open dataset; and the link that says it all.

Everything a person asks for is one frozen `Request` in the session. Widgets show its fields and
replace it in callbacks, and every run writes it to the page's address, so that a link brings it
back on a cold server. Data and models are shared by all sessions, read-only, by way of the cached
functions below; their first argument is the `Version` of the dataset, which changes with its files.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import streamlit as st

from core.dataset.dataset import Dataset
from core.dataset.library import open_dataset
from core.dataset.matching import Matcher
from core.dataset.search import SearchIndex
from core.errors import SegueError
from core.evaluation.dials import DialReport
from core.explore.examples import Example, examples
from core.explore.standing import Standing
from core.ordering import Dials
from core.ranking.ranker import LABEL, RANKER, SOURCE
from core.recommender import FUSION, Continuation, Recommender
from core.retrieval import MODELS
from core.training.evaluate import stored_dials
from core.training.maps import TrackMap, load_map
from core.training.train import Card, load_recommender
from core.training.train import cards as cards_of
from core.workspace import Workspace

SHORTEST, LONGEST = 5, 100
"""Tracks of a continuation that the page offers."""
PER_ARTIST = (1, 2, 3, 5, 0)
"""Tracks of one artist, at most; 0 for any number."""
POPULARITY = tuple(step / 4 for step in range(-4, 5))
MOST_SEEDS = 500
MOST_LETTERS = 200
DEFAULT = ""
"""The model of a request that names none: the ranker where it is trained, else the fusion."""
FUSION_LABEL = "All models, fused"


@dataclass(frozen=True)
class Request:
    """What a person asks for: all that a link carries.

    Attributes
    ----------
    dataset, model : str
        Names; `model` is one of the recommender's choices.
    k : int
        Length of the continuation.
    per_artist : int
        One of `PER_ARTIST`.
    one_version, popularity
        See `core.ordering.Dials`.
    title : str
        Of the playlist; empty for none.
    seeds, dislikes : tuple of str
        Uris, of this or another dataset, in order.
    """

    dataset: str = ""
    model: str = DEFAULT
    k: int = 20
    per_artist: int = 0
    one_version: bool = True
    popularity: float = 0.0
    title: str = ""
    seeds: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()

    @property
    def dials(self) -> Dials:
        return Dials(self.one_version, self.per_artist or None, self.popularity)


# --- links ---

_SPOTIFY = "spotify:track:"
_SPOTIFY_ID = re.compile(r"[0-9A-Za-z]{22}")
_FIELDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "dataset": ("dataset", str),
    "model": ("model", str),
    "k": ("k", lambda text: _one_of(int(text), range(SHORTEST, LONGEST + 1))),
    "artist": ("per_artist", lambda text: _one_of(int(text), PER_ARTIST)),
    "versions": ("one_version", lambda text: _one_of(text, ("all",)) != "all"),
    "popularity": ("popularity", lambda text: _one_of(float(text), POPULARITY)),
    "title": ("title", lambda text: text[:MOST_LETTERS]),
}
"""Field and reader of each of a link's single words; `seed` and `not` may be repeated."""


def to_link(request: Request) -> dict[str, str | list[str]]:
    """The words of a link that says this request: what differs from the defaults."""
    link: dict[str, str | list[str]] = {}
    for word, (field, _) in _FIELDS.items():
        value = getattr(request, field)
        if value != getattr(Request, field):
            link[word] = "all" if field == "one_version" else str(value)
    if request.seeds:
        link["seed"] = [_shortened(uri) for uri in request.seeds]
    if request.dislikes:
        link["not"] = [_shortened(uri) for uri in request.dislikes]
    return link


def from_link(link: Mapping[str, Sequence[str]]) -> tuple[Request, list[str]]:
    """The request a link says, and a sentence on each word that is not understood."""
    found: dict[str, Any] = {}
    problems = []
    for word, (field, read) in _FIELDS.items():
        for text in link.get(word, ())[-1:]:
            try:
                found[field] = read(text)
            except ValueError:
                problems.append(f"The link says {word}={text}, which is no choice here.")
    for word, field in (("seed", "seeds"), ("not", "dislikes")):
        uris = tuple(dict.fromkeys(_lengthened(text) for text in link.get(word, ()) if text))
        found[field] = uris[:MOST_SEEDS]
        if len(uris) > MOST_SEEDS:
            problems.append(f"The link lists {len(uris)} tracks; the first {MOST_SEEDS} are used.")
    return Request(**found), problems


def _one_of(value: Any, choices: Any) -> Any:
    if value not in choices:
        raise ValueError(value)
    return value


def _shortened(uri: str) -> str:
    """A Spotify track by its id alone; links are long enough."""
    return uri.removeprefix(_SPOTIFY) if _is_spotify(uri) else uri


def _lengthened(text: str) -> str:
    return _SPOTIFY + text if _SPOTIFY_ID.fullmatch(text) else text


def _is_spotify(uri: str) -> bool:
    return uri.startswith(_SPOTIFY) and bool(_SPOTIFY_ID.fullmatch(uri[len(_SPOTIFY) :]))


def spotify_id(uri: str) -> str | None:
    """The id of a real Spotify track, None for any other uri."""
    return uri.removeprefix(_SPOTIFY) if _is_spotify(uri) else None


# --- the request of this session ---


def start() -> None:
    """Begin a run: read the link once a session, and settle for a dataset that exists."""
    if "request" not in st.session_state:
        words = st.query_params
        request, problems = from_link({word: words.get_all(word) for word in words})
        st.session_state.request, st.session_state.problems = request, problems
    asked, names = request_now().dataset, Workspace().names()
    if asked not in names:
        if asked and names:
            _say(f"There is no dataset “{asked}” here; this is “{names[0]}”.")
        _replace(dataset=names[0] if names else "")
    st.session_state.version = version_of(request_now().dataset) if names else None


def settle_model() -> None:
    """Let the default answer where the model that is asked for is not trained."""
    request = request_now()
    if request.model not in choices(version()):
        if request.model not in (FUSION, RANKER):
            _say(
                f"No model “{request.model}” is trained on “{request.dataset}”; "
                f"{default_label(version())} answers."
            )
        _replace(model=DEFAULT)


def write_link() -> None:
    """Write the request into the page's address."""
    link = to_link(request_now())
    words = st.query_params
    if {word: words.get_all(word) for word in words} != {
        word: [value] if isinstance(value, str) else value for word, value in link.items()
    }:
        words.from_dict(link)


def request_now() -> Request:
    return st.session_state.request


def is_blank() -> bool:
    """Whether nothing is asked yet."""
    request = request_now()
    return not (request.seeds or request.title.strip())


def problems() -> list[str]:
    """Sentences on what a link or a lost dataset asked for in vain, until something is changed."""
    return st.session_state.problems


def _say(sentence: str) -> None:
    st.session_state.problems = [*st.session_state.problems, sentence]


def _replace(**fields: Any) -> None:
    st.session_state.request = replace(request_now(), **fields)


def change(**fields: Any) -> None:
    """Replace fields of the request; for callbacks."""
    _replace(**fields)
    st.session_state.problems = []


def turn(field: str, key: str) -> None:
    """Take a field of the request from a widget; for `on_change`."""
    change(**{field: st.session_state[key]})


def add_seeds(uris: Sequence[str]) -> None:
    """Append tracks to the playlist, each once; what was disliked is liked again."""
    request = request_now()
    seeds = tuple(dict.fromkeys([*request.seeds, *uris]))[:MOST_SEEDS]
    dislikes = tuple(uri for uri in request.dislikes if uri not in seeds)
    change(seeds=seeds, dislikes=dislikes)


def remove_seeds(uris: Sequence[str]) -> None:
    change(seeds=tuple(uri for uri in request_now().seeds if uri not in uris))


def clear_seeds() -> None:
    change(seeds=(), dislikes=())


def move_seed(uri: str, by: int) -> None:
    """Move a track of the playlist up (by -1) or down (by 1)."""
    seeds = list(request_now().seeds)
    at = seeds.index(uri)
    to = min(max(at + by, 0), len(seeds) - 1)
    seeds.insert(to, seeds.pop(at))
    change(seeds=tuple(seeds))


def dislike(uri: str) -> None:
    change(dislikes=tuple(dict.fromkeys([*request_now().dislikes, uri])))


def forget_dislikes() -> None:
    change(dislikes=())


# --- data and models, shared by all sessions ---


@dataclass(frozen=True)
class Version:
    """A dataset of the workspace as it is now."""

    name: str
    stamp: str


def version() -> Version:
    """The dataset of the request, as it was when the run began.

    Raises
    ------
    SegueError
        If the workspace is empty.
    """
    now: Version | None = st.session_state.version
    if now is None:
        raise SegueError("There is no dataset yet: import one on the Library page.")
    return now


def version_of(name: str) -> Version:
    """A dataset by name; its stamp changes when it is imported, joined, trained or measured."""
    folder = Workspace().path(name)
    files = [folder / "manifest.json", folder / "map" / "card.json", folder / "dials.json"]
    files += sorted(folder.glob("models/*/card.json"))
    return Version(name, "-".join(str(f.stat().st_mtime_ns) for f in files if f.exists()))


@st.cache_resource(max_entries=4, show_spinner="Opening the dataset")
def dataset(version: Version) -> Dataset:
    return open_dataset(Workspace(), version.name)


@st.cache_data(max_entries=64, show_spinner=False)
def cards(version: Version) -> list[Card]:
    """Cards of the trained models."""
    return cards_of(dataset(version))


def has_ranker(version: Version) -> bool:
    """Whether a ranker is trained; it may still be one that cannot be used."""
    return any(card.model == RANKER for card in cards(version))


def choices(version: Version) -> list[str]:
    """Names that may answer: the default, the fusion where that is another, or each model."""
    trained = [card.model for card in cards(version)]
    fused = [FUSION] if RANKER in trained else []
    return [DEFAULT, *fused, *(name for name in trained if name != RANKER)]


def default_label(version: Version) -> str:
    """What a person calls the default answer."""
    return LABEL if has_ranker(version) else FUSION_LABEL


@st.cache_resource(max_entries=4, show_spinner="Loading models")
def recommender(version: Version) -> Recommender:
    return load_recommender(dataset(version))


@st.cache_data(max_entries=16, show_spinner=False)
def dials(version: Version) -> DialReport | None:
    """What each dial costs, if that is measured."""
    return stored_dials(dataset(version))


@st.cache_resource(max_entries=4, show_spinner=False)
def _search_index(version: Version) -> SearchIndex:
    return SearchIndex(dataset(version).folder / "search")


@st.cache_data(max_entries=512, show_spinner=False)
def search(version: Version, query: str, limit: int = 20) -> list[int]:
    """Track ids for what is typed, best first."""
    return _search_index(version).tracks(query, limit)


@st.cache_resource(max_entries=4, show_spinner=False)
def matcher(version: Version) -> Matcher:
    return Matcher(dataset(version))


@st.cache_resource(max_entries=4, show_spinner=False)
def standing(version: Version) -> Standing:
    return Standing(dataset(version).counts)


@st.cache_data(max_entries=16, show_spinner=False)
def starts(version: Version) -> list[Example]:
    """Examples to start from."""
    return examples(dataset(version))


@st.cache_resource(max_entries=4, show_spinner=False)
def track_map(version: Version) -> TrackMap | None:
    return load_map(dataset(version))


@dataclass(frozen=True)
class Known:
    """Uris as ids of a dataset, in order, and those that it lacks."""

    ids: tuple[int, ...]
    uris: tuple[str, ...]
    missing: tuple[str, ...]


@st.cache_data(max_entries=256, show_spinner=False)
def known(version: Version, uris: tuple[str, ...]) -> Known:
    ids = dataset(version).ids_of(uris).tolist()
    pairs = [(track, uri) for track, uri in zip(ids, uris, strict=True) if track >= 0]
    missing = tuple(uri for track, uri in zip(ids, uris, strict=True) if track < 0)
    return Known(tuple(track for track, _ in pairs), tuple(uri for _, uri in pairs), missing)


def seeds() -> Known:
    """The playlist as the open dataset knows it."""
    return known(version(), request_now().seeds)


def continuation() -> Continuation:
    """What plays next after the session's playlist.

    Raises
    ------
    SegueError
        If there is no dataset, or no model is trained on it.
    """
    now, request = version(), request_now()
    barred = known(now, request.dislikes).ids
    return _continuation(
        now, seeds(), request.title, request.k, request.model, request.dials, barred
    )


def continued() -> tuple[int, ...]:
    """Tracks of the continuation; none while nothing is asked, or no model can answer."""
    if is_blank() or not cards(version()):
        return ()
    return tuple(continuation().tracks.tolist())


@st.cache_data(max_entries=256, show_spinner=False)
def _continuation(
    version: Version,
    seeds: Known,
    title: str,
    k: int,
    model: str,
    dials: Dials,
    dislikes: tuple[int, ...],
) -> Continuation:
    return recommender(version).continue_playlist(
        seeds.ids,
        title.strip() or None,
        k,
        model=model or None,
        dials=dials,
        dislikes=dislikes,
        unknown=len(seeds.missing),
    )


def names(version: Version, tracks: Sequence[int] | np.ndarray) -> list[str]:
    """“Title – Artist” of tracks; the uri where both are missing."""
    opened = dataset(version)
    columns = (opened.values(name, tracks) for name in ("title", "artist_name", "uri"))
    return [
        " – ".join(part for part in (title, artist) if part) or uri
        for title, artist, uri in zip(*columns, strict=True)
    ]


def model_label(model: str) -> str:
    """What a person calls a model."""
    if model == DEFAULT:
        return default_label(version())
    return {FUSION: FUSION_LABEL, RANKER: LABEL}.get(model) or MODELS[model].label


def source_of(model: str) -> str:
    """The publication that defines a model or the ranker."""
    return SOURCE if model == RANKER else MODELS[model].source
