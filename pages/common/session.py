"""What a page remembers: the playlist, the dials, the open dataset; and the link that says it all.

Everything a person asks for is one frozen `Request` in the session. Widgets show its fields and
replace it in callbacks, and every run writes it to the page's address, so that a link brings it
back on a cold server. Data and models are shared by all sessions, read-only, by way of the cached
functions below; their first argument is the `Version` of the dataset, which changes with its files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import streamlit as st

from core.dataset.dataset import Dataset
from core.dataset.matching import Matcher
from core.errors import SegueError
from core.evaluation.dials import DialReport
from core.explore.examples import Example, examples
from core.explore.standing import Standing
from core.ranking.ranker import RANKER
from core.recommender import FUSION, Recommender, label_of
from core.serving.opened import Opened, opened
from core.spotify.seeds import MOST_SEEDS
from core.trained import Card
from core.trained import cards as cards_of
from core.training.evaluate import stored_dials
from core.training.maps import MapCard, TrackMap, load_map
from core.training.maps import maps as stored_maps
from core.training.shelf import answers as answers_of
from core.workspace import Workspace
from pages.common.request import DEFAULT, DIALS, Request, from_link, to_link

MOST_UNDO = 30


# --- the request of this session ---


def start() -> None:
    """Begin a run: read the link once a session, and settle for a dataset that exists."""
    if "request" not in st.session_state:
        words = st.query_params
        request, problems = from_link({word: words.get_all(word) for word in words})
        st.session_state.request, st.session_state.problems = request, problems
        st.session_state.history = []
        st.session_state.view = {word: words[word] for word in words if "." in word}
    asked, names = request_now().dataset, Workspace().names()
    if asked not in names:
        if asked and names:
            say(f"There is no dataset “{asked}” here; this is “{names[0]}”.")
        settle(dataset=names[0] if names else "")
    try:
        st.session_state.version = version_of(request_now().dataset) if names else None
    except SegueError:  # another session has just deleted it
        start()


def settle_model() -> None:
    """Let the default answer where the model that is asked for is not trained."""
    request = request_now()
    if request.model not in choices(version()):
        if request.model not in (FUSION, RANKER, *answers(version())):
            say(
                f"No model “{request.model}” is trained on “{request.dataset}”; "
                f"{default_label(version())} answers."
            )
        settle(model=DEFAULT)


def write_link() -> None:
    """Write the request and the pages' choices into the page's address."""
    link = link_now()
    words = st.query_params
    if {word: words.get_all(word) for word in words} != {
        word: [value] if isinstance(value, str) else value for word, value in link.items()
    }:
        words.from_dict(link)


def link_now() -> dict[str, str | list[str]]:
    """The words of a link that brings all of this back; see `to_link` and `pages.common.view`."""
    return to_link(request_now()) | view_words()


def view_words() -> dict[str, str]:
    """What is chosen on single pages, by its word in the link; see `pages.common.view`."""
    return st.session_state.view


def request_now() -> Request:
    return st.session_state.request


def is_blank() -> bool:
    """Whether nothing is asked: no title, and no track that is not muted."""
    request = request_now()
    return not (request.heard or request.title.strip())


def problems() -> list[str]:
    """Sentences on what a link or a lost dataset asked for in vain, until something is changed."""
    return st.session_state.problems


def say(sentence: str) -> None:
    """Tell on the page of something that was asked in vain."""
    st.session_state.problems = [*st.session_state.problems, sentence]


def settle(**fields: Any) -> None:
    """Replace fields of the request that cannot be answered; not a person's doing, nor undone."""
    st.session_state.request = replace(request_now(), **fields)


def change(**fields: Any) -> None:
    """Replace fields of the request, which can be undone; for callbacks."""
    before = request_now()
    settle(**fields)
    if request_now() != before:
        st.session_state.history = [*st.session_state.history, before][-MOST_UNDO:]
    st.session_state.problems = []


def turn(field: str, key: str) -> None:
    """Take a field of the request from a widget; for `on_change`."""
    change(**{field: st.session_state[key]})


def before() -> Request | None:
    """The request before the last change, None where there was none in this dataset.

    For a link that mutes tracks it is the same with all of them heard: what the muting changed.
    """
    now = request_now()
    if st.session_state.history:
        last: Request = st.session_state.history[-1]
        return last if last.dataset == now.dataset else None
    return replace(now, muted=()) if now.muted else None


def undo() -> None:
    """Return to the request before the last change."""
    if last := before():
        st.session_state.request, st.session_state.problems = last, []
        st.session_state.history = st.session_state.history[:-1]


def turned(fields: Sequence[str] = DIALS) -> list[str]:
    """Those of these fields of the request that are not as by default."""
    request = request_now()
    return [field for field in fields if getattr(request, field) != getattr(Request, field)]


def reset_dials() -> None:
    change(**{field: getattr(Request, field) for field in DIALS})


def add_seeds(uris: Sequence[str], title: str = "") -> None:
    """Append tracks to the playlist, each once; what was disliked is liked again.

    A playlist without a title takes this one.
    """
    request = request_now()
    seeds = tuple(dict.fromkeys([*request.seeds, *uris]))[:MOST_SEEDS]
    change(
        title=request.title or title,
        seeds=seeds,
        likes=_without(request.likes, seeds),
        dislikes=_without(request.dislikes, seeds),
    )


def remove_seeds(uris: Sequence[str]) -> None:
    request = request_now()
    change(seeds=_without(request.seeds, uris), muted=_without(request.muted, uris))


def clear_seeds() -> None:
    change(seeds=(), muted=(), likes=(), dislikes=(), shares=())


def move_seeds(uris: Sequence[str], by: int) -> None:
    """Move tracks of the playlist up (by -1) or down (by 1), each past one that stays."""
    seeds = list(request_now().seeds)
    order = [uri for uri in seeds if uri in uris][::-by]
    for uri in order:
        at = seeds.index(uri)
        to = min(max(at + by, 0), len(seeds) - 1)
        if seeds[to] not in uris:
            seeds.insert(to, seeds.pop(at))
    change(seeds=tuple(seeds))


def mute(uris: Sequence[str]) -> None:
    """Leave tracks in the playlist and ask without them."""
    change(muted=_with(request_now().muted, uris))


def unmute(uris: Sequence[str]) -> None:
    change(muted=_without(request_now().muted, uris))


def like(uri: str) -> None:
    """Steer towards a track without adding it."""
    request = request_now()
    change(likes=_with(request.likes, [uri]), dislikes=_without(request.dislikes, [uri]))


def unlike(uri: str) -> None:
    change(likes=_without(request_now().likes, [uri]))


def dislike(uri: str) -> None:
    """Steer away from a track, and never show it."""
    request = request_now()
    change(dislikes=_with(request.dislikes, [uri]), likes=_without(request.likes, [uri]))


def allow(uri: str) -> None:
    change(dislikes=_without(request_now().dislikes, [uri]))


def block(artist: str) -> None:
    """Show no track of an artist, given by uri."""
    change(blocked=_with(request_now().blocked, [artist]))


def unblock(artist: str) -> None:
    change(blocked=_without(request_now().blocked, [artist]))


def _with(uris: Sequence[str], more: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*uris, *more]))[:MOST_SEEDS]


def _without(uris: Sequence[str], gone: Sequence[str]) -> tuple[str, ...]:
    return tuple(uri for uri in uris if uri not in gone)


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
    return Version(name, Workspace().stamp(name))


@st.cache_resource(max_entries=4, show_spinner="Opening the dataset")
def _opened(version: Version) -> Opened:
    """What the API beside the pages answers from as well."""
    return opened(Workspace(), version.name)


def dataset(version: Version) -> Dataset:
    return _opened(version).dataset


@st.cache_data(max_entries=64, show_spinner=False)
def cards(version: Version) -> list[Card]:
    """Cards of the trained models."""
    return cards_of(dataset(version))


def has_ranker(version: Version) -> bool:
    """Whether a ranker is trained; it may still be one that cannot be used."""
    return any(card.model == RANKER for card in cards(version))


def choices(version: Version) -> list[str]:
    """Names that may answer: the default, and by name whatever else can."""
    return [DEFAULT, *answers(version)[1:]]


@st.cache_data(max_entries=64, show_spinner=False)
def answers(version: Version) -> list[str]:
    """Names that may answer, what does by default first; none where no model is trained."""
    return answers_of(dataset(version))


def default_label(version: Version) -> str:
    """What a person calls the default answer."""
    return label_of((answers(version) or [FUSION])[0])


@st.cache_resource(max_entries=4, show_spinner="Loading models")
def recommender(version: Version) -> Recommender:
    return _opened(version).recommender


@st.cache_data(max_entries=16, show_spinner=False)
def dials(version: Version) -> DialReport | None:
    """What each dial costs, if that is measured."""
    return stored_dials(dataset(version))


@st.cache_data(max_entries=512, show_spinner=False)
def search(version: Version, query: str, limit: int = 20) -> list[int]:
    """Track ids for what is typed, best first."""
    return _opened(version).search.tracks(query, limit)


@st.cache_data(max_entries=128, show_spinner=False)
def search_artists(version: Version, query: str, limit: int = 8) -> list[int]:
    """Artist ids for what is typed, best first."""
    return _opened(version).search.artists(query, limit)


def matcher(version: Version) -> Matcher:
    return _opened(version).matcher


@st.cache_resource(max_entries=4, show_spinner=False)
def standing(version: Version) -> Standing:
    return Standing(dataset(version).counts)


@st.cache_data(max_entries=16, show_spinner=False)
def starts(version: Version) -> list[Example]:
    """Examples to start from."""
    return examples(dataset(version))


@st.cache_data(max_entries=16, show_spinner=False)
def maps(version: Version) -> list[MapCard]:
    """Cards of the stored maps, the default first."""
    return stored_maps(dataset(version))


@st.cache_resource(max_entries=8, show_spinner=False)
def track_map(
    version: Version, model: str | None = None, method: str | None = None
) -> TrackMap | None:
    """A stored map; see `core.training.maps.load_map`."""
    return load_map(dataset(version), model, method)


@dataclass(frozen=True)
class Known:
    """Uris as ids of a dataset, in order, and those that it lacks."""

    ids: tuple[int, ...]
    uris: tuple[str, ...]
    missing: tuple[str, ...]


@st.cache_data(max_entries=512, show_spinner=False)
def known(version: Version, uris: tuple[str, ...]) -> Known:
    """Tracks of a dataset by uri."""
    return _known(uris, dataset(version).ids_of(uris).tolist())


@st.cache_data(max_entries=64, show_spinner=False)
def known_artists(version: Version, uris: tuple[str, ...]) -> Known:
    """Artists of a dataset by uri."""
    found = pc.index_in(pa.array(uris, pa.string()), dataset(version).artists["uri"])
    return _known(uris, found.fill_null(-1).to_pylist())


@dataclass(frozen=True)
class KnownYears:
    """The first and the last year of release of a dataset, and its tracks of unknown year."""

    first: int
    last: int
    unknown: int


@st.cache_data(max_entries=16, show_spinner=False)
def years(version: Version) -> KnownYears | None:
    """Years that its tracks are of; None where no year is known."""
    year = dataset(version).year
    known = ~np.isnan(year)
    if not known.any():
        return None
    return KnownYears(int(year[known].min()), int(year[known].max()), int((~known).sum()))


def _known(uris: tuple[str, ...], ids: list[int]) -> Known:
    pairs = [(at, uri) for at, uri in zip(ids, uris, strict=True) if at >= 0]
    missing = tuple(uri for at, uri in zip(ids, uris, strict=True) if at < 0)
    return Known(tuple(at for at, _ in pairs), tuple(uri for _, uri in pairs), missing)


def playlist() -> Known:
    """The playlist as the open dataset knows it, muted tracks and all."""
    return known(version(), request_now().seeds)


def seeds() -> Known:
    """The tracks of the playlist that take part, as the open dataset knows them: none is muted."""
    return known(version(), request_now().heard)


# --- names ---


def names(version: Version, tracks: Sequence[int] | np.ndarray) -> list[str]:
    """“Title – Artist” of tracks; the uri where both are missing."""
    opened = dataset(version)
    columns = (opened.values(name, tracks) for name in ("title", "artist_name", "uri"))
    return [
        " – ".join(part for part in (title, artist) if part) or uri
        for title, artist, uri in zip(*columns, strict=True)
    ]


def titles(version: Version, tracks: Sequence[int] | np.ndarray) -> list[str]:
    """Titles of tracks; the uri where one has none."""
    opened = dataset(version)
    columns = (opened.values(name, tracks) for name in ("title", "uri"))
    return [title or uri for title, uri in zip(*columns, strict=True)]


def track_labels(uris: tuple[str, ...]) -> dict[str, str]:
    """What tracks are called, by uri; it says which of them the open dataset lacks."""
    found = known(version(), uris)
    return _labels(uris, found, names(version(), found.ids))


def artist_labels(uris: tuple[str, ...]) -> dict[str, str]:
    """What artists are called, by uri; it says which of them the open dataset lacks."""
    found = known_artists(version(), uris)
    artists = dataset(version()).artists["name"].take(pa.array(found.ids, pa.int64()))
    return _labels(uris, found, artists.to_pylist())


def _labels(uris: tuple[str, ...], found: Known, names: Sequence[str | None]) -> dict[str, str]:
    named = dict(zip(found.uris, names, strict=True))
    return {
        uri: (named[uri] or uri) if uri in named else f"{uri} (not in this dataset)" for uri in uris
    }


def model_label(model: str) -> str:
    """What a person calls a model."""
    if model == DEFAULT:
        return default_label(version())
    return label_of(model)
