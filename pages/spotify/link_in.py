"""Links to Spotify where tracks are searched or added: what they name, read and matched.

A track or an artist that the open dataset knows needs nobody's leave. Anything else is read from
Spotify page by page, where there are credentials for it, in a dialog that tells how far it is. Each
run of it reads for a moment and ends, so that the page answers in between.
"""

import time
from dataclasses import dataclass, replace
from typing import NoReturn

import numpy as np
import streamlit as st

from core.dataset.links import SAID, Link
from core.dataset.sources.lists import ListedPlaylist, ListedTrack
from core.errors import SegueError
from core.spotify.client import Client, Settings
from core.spotify.errors import ExpiredError, ForbiddenError, NotFoundError
from core.spotify.playlists import Reading
from core.spotify.seeds import ARTISTS_TRACKS
from pages.common import session
from pages.common.session import Version
from pages.common.widgets import add_tracks, plain, sentences
from pages.playlists import match_report
from pages.spotify import account

MOMENT_S, EVERY_S = 0.4, 0.2
"""How long one run reads, and the pause until the next."""
_FOR_OTHERS = (ExpiredError, ForbiddenError, NotFoundError)
"""What another listener, or the same once more, might be allowed."""
ADDING = "adding"
"""Of the session: what dialog is open."""
LIST = "list"
"""The one in which a list is pasted or uploaded."""


# --- what the open dataset knows of a link ---


@st.cache_data(max_entries=64, show_spinner=False)
def tracks_by(version: Version, artist: int) -> tuple[int, ...]:
    """Tracks of an artist, the most popular first."""
    return tuple(np.flatnonzero(session.dataset(version).artist == artist).tolist())


def known(link: Link) -> list[int]:
    """The track of a link by its id, or an artist's most popular ones; none for other links."""
    version = session.version()
    if link.kind == "track":
        return [*session.known(version, (link.uri,)).ids]
    if link.kind == "artist":
        artists = session.known_artists(version, (link.uri,)).ids
        return [at for artist in artists for at in tracks_by(version, artist)[:ARTISTS_TRACKS]]
    return []


def listed(link: Link) -> ListedPlaylist | None:
    """What a link stands for where a list is pasted; where that has to be read, it is begun.

    None where nobody may ask Spotify, which is said.
    """
    if found := known(link):
        opened = session.dataset(session.version())
        columns = (opened.values(name, found) for name in ("uri", "title", "artist_name"))
        return ListedPlaylist(
            tracks=[
                ListedTrack(uri, title, artist, None, None, line)
                for line, (uri, title, artist) in enumerate(zip(*columns, strict=True), 1)
            ]
        )
    client = account.client()
    if client is not None:
        read(client, link)
    _needed("list_link", link)
    return None


# --- in a search for tracks ---


def track(link: Link, key: str) -> list[int]:
    """The track that a link names, for searches of a single one; says so where there is none.

    Parameters
    ----------
    link : Link
    key : str
        Of the search box that holds it.
    """
    if link.kind != "track":
        st.caption(f"This link is to {SAID[link.kind]}; a track is looked for here.")
        return []
    if found := known(link):
        return found
    client = account.client()
    if client is None:
        _needed(key, link)
        return []
    named = _named(client, link, f"{key}_asked")
    if isinstance(named, SegueError):
        st.warning(plain(named), icon=":material/error:")
        account.again_button(
            "Try again", f"{key}_again", named, st.session_state.pop, (f"{key}_asked", None)
        )
        return []
    found = session.matcher(session.version()).match([named]).tracks.tolist()
    if not found:
        name = " – ".join(part for part in (named.title, named.artist) if part)
        st.caption(f"“{plain(name)}” is not in this dataset.")
    return found


def _named(client: Client, link: Link, key: str) -> ListedTrack | SegueError:
    """What Spotify calls a track; asked once, also in vain, for as long as the box holds it."""
    asked: tuple[Link, ListedTrack | SegueError] | None = st.session_state.get(key)
    if asked is None or asked[0] != link:
        answer: ListedTrack | SegueError
        try:
            answer = Reading(client, link).finish().tracks[0]
        except SegueError as error:
            answer = error
        asked = st.session_state[key] = link, answer
    return asked[1]


def seeds(link: Link, key: str) -> list[int]:
    """Tracks that a link offers to a playlist at once, and where it has more, the way to them.

    Parameters
    ----------
    link : Link
    key : str
        Of the search box that holds it.
    """
    if link.kind == "track":
        return track(link, key)
    found = known(link)
    if found:
        if len(found) > 1:
            st.button(
                f"Add all {len(found)}",
                key=f"{key}_all",
                type="tertiary",
                icon=":material/playlist_add:",
                on_click=_add,
                args=(found,),
            )
        return found
    client = account.client()
    if client is None:
        _needed(key, link)
        return []
    st.button(
        f"Read this {link.kind} from Spotify",
        key=f"{key}_read",
        type="tertiary",
        icon=":material/download:",
        on_click=_read_from_box,
        args=(client, link, key),
    )
    return []


def _needed(key: str, link: Link) -> None:
    """What it would need to ask Spotify about a link, and a sign-in where that is enough."""
    why = (
        "No track here has this id."
        if link.kind == "track"
        else f"This link is to {SAID[link.kind]}. Paste or upload its tracks instead."
    )
    st.caption(f"{why} {plain(account.needed())}")
    if Settings.from_environment().client_id:
        account.sign_in(key)


def _add(tracks: list[int]) -> None:
    add_tracks(tracks)
    st.rerun()


def _read_from_box(client: Client, link: Link, key: str) -> None:
    st.session_state[key] = ""
    read(client, link)


# --- in the dialog ---


@dataclass
class _Open:
    """A link that is being read.

    Attributes
    ----------
    reading : Reading
    trouble : SegueError or None
        Why it does not go on.
    stopped : bool
        Whether somebody has seen enough.
    """

    reading: Reading
    trouble: SegueError | None = None
    stopped: bool = False

    @property
    def goes_on(self) -> bool:
        return not (self.reading.done or self.trouble or self.stopped)


def read(client: Client, link: Link) -> NoReturn:
    """Read a link in a dialog of its own; for callbacks, and the end of a run."""
    st.session_state[ADDING] = _Open(Reading(client, link))
    st.rerun()


def show() -> None:
    """The dialog, while a link is read or its tracks are not added yet."""
    opened = st.session_state.get(ADDING)
    if isinstance(opened, _Open):
        _dialog(opened)


def list_button(label: str, key: str) -> None:
    """Offer the dialog in which a list is pasted or uploaded, in place of one that is open."""
    st.button(label, key=key, icon=":material/content_paste:", on_click=_open_list)


def _open_list() -> None:
    st.session_state[ADDING] = LIST
    st.rerun()  # the whole page, also from within a dialog


def close() -> None:
    """Close whatever dialog is open; for callbacks."""
    st.session_state.pop(ADDING, None)


def close_added() -> None:
    """The same, once tracks are added."""
    close()
    st.rerun()


@st.dialog("Add from Spotify", width="medium", on_dismiss=close)
def _dialog(opened: _Open) -> None:
    with sentences():
        if opened.goes_on:
            st.fragment(_progress, run_every=EVERY_S)(opened)
        else:
            _result(opened)


def _progress(opened: _Open) -> None:
    """How far it is, while a moment more is read; once it ends, the page without this clock."""
    reading = opened.reading
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown(f"**{_name(reading)}**", width="content")
        st.button("Stop", icon=":material/stop_circle:", on_click=_stop, args=(opened,))
    bar = st.progress(*_share(reading))
    until = time.monotonic() + MOMENT_S
    try:
        while not reading.done and time.monotonic() < until:
            reading.advance()
            bar.progress(*_share(reading))
    except SegueError as trouble:
        opened.trouble = trouble
    if not opened.goes_on:
        st.rerun()


def _name(reading: Reading) -> str:
    return plain(reading.title or f"A Spotify {reading.link.kind}")


def _share(reading: Reading) -> tuple[float, str]:
    """What part is read, and that in words."""
    if reading.share is None:
        return 0.0, f"Read {reading.read:,}" if reading.read else "Asking Spotify"
    return reading.share, f"Read {reading.read:,} of {reading.total:,}"


def _stop(opened: _Open) -> None:
    opened.stopped = True
    st.rerun()


def _go_on(opened: _Open) -> None:
    client = account.client()  # another one, where somebody has signed in meanwhile
    if client is not None:
        opened.reading.client = client
    opened.trouble, opened.stopped = None, False
    st.rerun()


def _result(opened: _Open) -> None:
    """What was read, matched; and where that is not all, why, and a way to go on."""
    reading = opened.reading
    st.markdown(f"**{_name(reading)}**")
    if not reading.done:
        _unfinished(opened)
    if reading.done or reading.tracks:
        listed = reading.listed()
        if reading.skipped:
            st.caption(f"Left out of {reading.read:,} items: {plain(reading.said_skipped)}.")
        if not match_report.offer(replace(listed, problems=[]), "Item", close_added):
            list_button("Paste or upload a list instead", "list_instead")


def _unfinished(opened: _Open) -> None:
    """Why not all is read, and ways to go on."""
    reading, trouble = opened.reading, opened.trouble
    if trouble:
        st.warning(plain(trouble), icon=":material/error:")
    if reading.tracks:
        st.caption(f"{_share(reading)[1]}.")
    if isinstance(trouble, _FOR_OTHERS):
        account.sign_in("link_in")
    label = "Go on" if reading.tracks else "Try again"
    with st.container(horizontal=True, gap="small"):
        account.again_button(label, "link_in_again", trouble, _go_on, (opened,))
        if not reading.tracks:
            list_button("Paste or upload a list instead", "list_instead")
