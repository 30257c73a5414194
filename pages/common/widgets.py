"""The pieces that several pages show."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import streamlit as st

from core.dataset.links import SAID, Link, spotify_link, track_id, unreadable
from core.errors import SegueError
from core.progress import Progress
from pages.common import session

T = TypeVar("T")
SEARCH_ROWS = 8
CHIP_LETTERS = 40
FACTS_PX = 760
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&@])")


def plain(text: object) -> str:
    """Text of others for a place that reads Markdown: shown as it is written, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(str(text).split()))


def counted(count: int, noun: str) -> str:
    """Say a count with its noun: 1 track, 2,000 tracks."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


@contextmanager
def sentences() -> Iterator[None]:
    """Show a user's mistake as one sentence instead of the rest of the block."""
    try:
        yield
    except SegueError as error:
        st.error(plain(error), icon=":material/error:")


class PageProgress(Progress):
    """A bar on the page; call `done` to take it away."""

    INTERVAL_S = 0.1

    def __init__(self) -> None:
        self._bar = st.progress(0.0)
        self._shown = ("", 0.0)

    def update(self, label: str, fraction: float | None = None) -> None:
        """Show a new step at once, and its advance some times a second."""
        before, at = self._shown
        if label != before or time.monotonic() - at > self.INTERVAL_S or fraction == 1.0:
            self._shown = (label, time.monotonic())
            self._bar.progress(min(max(fraction or 0.0, 0.0), 1.0), plain(label))

    def done(self) -> None:
        self._bar.empty()


def facts(known: Mapping[str, str], alt: str) -> None:
    """A table of what something is, a line each: its name and its value, of any text."""
    st.table(
        pd.DataFrame({"": list(known), "Value": [plain(fact) for fact in known.values()]}),
        border="horizontal",
        hide_index=True,
        hide_header=True,
        width=FACTS_PX,
        alt=alt,
    )


def simulated_badge() -> None:
    """Say that nothing here can be played or bought."""
    st.badge(
        "Simulated data",
        icon=":material/science:",
        color="orange",
        help="Invented playlists, tracks and artists, so that there is something to look at.",
    )


def no_model() -> None:
    """Say what to do about a dataset without models."""
    st.info(
        f"No model is trained on “{session.request_now().dataset}” yet, so nothing can be "
        "continued.",
        icon=":material/model_training:",
    )
    st.page_link("training.py", label="Train models on the Training page")


# --- search ---


def search_box(
    label: str,
    key: str,
    on_pick: Callable[[int], None],
    *,
    placeholder: str,
    on_link: Callable[[Link], Sequence[int]],
    icon: str = ":material/add:",
    taken: Sequence[int] = (),
    limit: int = SEARCH_ROWS,
) -> None:
    """Search tracks while typing, or take a link to Spotify; a button a result.

    Parameters
    ----------
    label, placeholder : str
    key : str
        Of the widgets.
    on_pick : callable
        Called with the id of the chosen track, before the page runs again.
    on_link : callable
        Gives the ids of the tracks that a link names; shows whatever else it has to say of it.
    icon : str
        Of the buttons.
    taken : sequence of track ids
        Shown as chosen already.
    limit : int
        Results, at most.
    """
    _search_box(
        label,
        key,
        placeholder,
        icon,
        lambda query: session.search(session.version(), query, limit),
        on_link,
        lambda found: session.names(session.version(), found),
        on_pick,
        taken,
    )


@st.fragment
def artist_search(
    label: str, key: str, on_pick: Callable[[str], None], *, placeholder: str
) -> None:
    """Search artists while typing, or take a link to one on Spotify.

    `on_pick` is called with the uri of the chosen one.
    """
    now = session.version()
    artists = session.dataset(now).artists

    def column(name: str, found: Sequence[int]) -> list[str]:
        return artists[name].take(pa.array(found, pa.int64())).to_pylist()

    def linked(link: Link) -> Sequence[int]:
        found = session.known_artists(now, (link.uri,)).ids
        if link.kind != "artist":
            st.caption(f"This link is to {SAID[link.kind]}; an artist is looked for here.")
        elif not found:
            st.caption("No artist here has this id.")
        return found

    with sentences():
        _search_box(
            label,
            key,
            placeholder,
            ":material/block:",
            lambda query: session.search_artists(now, query, SEARCH_ROWS),
            linked,
            lambda found: column("name", found),
            lambda artist: on_pick(column("uri", [artist])[0]),
            session.known_artists(now, session.request_now().blocked).ids,
        )


def _search_box(
    label: str,
    key: str,
    placeholder: str,
    icon: str,
    find: Callable[[str], list[int]],
    on_link: Callable[[Link], Sequence[int]],
    named: Callable[[Sequence[int]], list[str]],
    on_pick: Callable[[int], None],
    taken: Sequence[int],
) -> None:
    query = st.text_input(label, key=key, type="search", live="250ms", placeholder=placeholder)
    if not query or not query.strip():
        return
    with st.container(gap=None, key=f"{key}_results"):
        found = results(query, find, on_link)
        for place, (at, name) in enumerate(zip(found, named(found), strict=True)):
            chosen = at in taken
            st.button(
                plain(name),
                key=f"{key}_{place}",
                type="tertiary",
                icon=":material/check:" if chosen else icon,
                disabled=chosen,
                wrap=False,
                on_click=_picked,
                args=(on_pick, at),
            )


def results(
    query: str, find: Callable[[str], Sequence[T]], on_link: Callable[[Link], Sequence[T]]
) -> Sequence[T]:
    """What is found by a text, or by the link to Spotify that it is; says so if it is nothing."""
    if problem := unreadable(query):
        st.caption(plain(problem))
        return ()
    if link := spotify_link(query):
        with sentences():
            return on_link(link)
        return ()
    found = find(query)
    if not found:
        st.caption(f"Nothing here is called “{plain(query)}”.")
    return found


def _picked(on_pick: Callable[[int], None], found: int) -> None:
    on_pick(found)
    st.rerun()  # the whole page, also from within a fragment


def add_track(track: int) -> None:
    """Append a track of the open dataset to the playlist."""
    add_tracks([track])


def add_tracks(tracks: Sequence[int], title: str = "") -> None:
    """Append tracks of the open dataset to the playlist; see `session.add_seeds`."""
    session.add_seeds(session.dataset(session.version()).values("uri", tracks), title)


def chips(items: Mapping[str, str], key: str, on_remove: Callable[[str], None], hint: str) -> None:
    """Names that a press removes, in a row that wraps.

    Parameters
    ----------
    items : mapping of uri to name
    key : str
        Of the row.
    on_remove : callable (uri)
    hint : str
        What a press does.
    """
    if not items:
        return
    with st.container(horizontal=True, gap="xsmall", key=key):
        for uri, name in items.items():
            st.button(
                plain(shortened(name)),
                key=f"{key}_{uri}",
                icon=":material/close:",
                icon_position="right",
                help=hint,
                on_click=on_remove,
                args=(uri,),
            )


def shortened(name: str) -> str:
    """A name cut to what fits on a chip."""
    return name if len(name) <= CHIP_LETTERS else f"{name[: CHIP_LETTERS - 1].rstrip()}…"


# --- one track ---


def play_toggle(uri: str) -> bool:
    """Ask whether to play a track; only real Spotify tracks can be."""
    track = track_id(uri)
    if track is None:
        st.caption("Nothing to play: this track is not on Spotify.")
        return False
    return st.toggle("Play", key=f"play_{track}", help="Loads Spotify's player, with its cookies.")


def player(uri: str) -> None:
    """Spotify's own player for one track.

    Raises
    ------
    ValueError
        If the uri is no real Spotify track's: nothing else becomes part of an address.
    """
    track = track_id(uri)
    if track is None:
        raise ValueError(f"{uri!r} is no track of Spotify's")
    address = f"https://open.spotify.com/embed/track/{track}"
    st.iframe(address, height=80, alt="Spotify's player")


# --- tables of tracks ---


def selected(key: str, uris: Sequence[str], required: bool = False) -> list[str]:
    """The selected rows' tracks of the table `key`; call it before the table is drawn.

    The browser remembers row numbers: where the rows have changed since the last run, the
    selection is moved along with its tracks. Where one row is `required`, it begins with the first
    and then stays there.
    """
    rows = st.session_state[key]["selection"]["rows"] if key in st.session_state else []
    before = st.session_state.get(f"{key}_uris", ())
    chosen = [before[row] for row in rows if row < len(before)]
    chosen = [uri for uri in chosen if uri in uris]
    if required and (rows in ([], [0]) or not chosen):
        chosen = list(uris[:1])
    if tuple(uris) != before and key in st.session_state:
        st.session_state[key] = {"selection": {"rows": [uris.index(uri) for uri in chosen]}}
    st.session_state[f"{key}_uris"] = tuple(uris)
    return chosen


def row_button(
    key: str, actions: Mapping[str, Callable[[str], None]], uris: Sequence[str], hint: str = ""
) -> Any:
    """A column of buttons, or of menus, that do something with the track of their row.

    Parameters
    ----------
    key : str
    actions : mapping of label to callable (uri)
        The column's cells hold the label, or the list of labels of a menu.
    uris : sequence of str
        Of the rows.
    hint : str
    """

    def clicked() -> None:
        click = st.session_state[key]
        actions[click["label"]](uris[click["row"]])

    return st.column_config.ButtonColumn(
        "", key=key, type="tertiary", width=44, help=hint or None, on_click=clicked
    )
