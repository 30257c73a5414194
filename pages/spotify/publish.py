"""A list of tracks as a new playlist in the listener's Spotify account."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from core.dataset.links import track_id
from core.errors import SegueError
from core.spotify.errors import ExpiredError
from core.spotify.publish import LONGEST_NAME, Publication, publish
from core.spotify.sign_in import Listener
from pages.common import session
from pages.common.widgets import PageProgress, counted, plain
from pages.spotify import account

NAMED = 5
"""Tracks that are left out, so many by name."""
PRIVATE, PUBLIC = "Private", "Public"


@dataclass
class _Sending:
    """A publication that was asked for; it goes on by itself unless there was a problem.

    The list, its name and how far it has come stay as they were, whatever the page shows by now.
    """

    publication: Publication
    problem: SegueError | None = None


def opener(key: str, uris: Sequence[str]) -> None:
    """The button that shows and hides `panel`.

    Parameters
    ----------
    key : str
        Of the panel.
    uris : sequence of str
        What it would publish.
    """
    st.button(
        "To Spotify",
        key=f"{key}_open",
        icon=":material/upload:",
        help=_why_not(uris) or "Create a playlist of these tracks in your Spotify account",
        on_click=_toggle,
        args=(key,),
    )


def panel(key: str, uris: Sequence[str], title: str, before: Sequence[str] = ()) -> None:
    """Once it is opened: sign in, name the playlist, create it, and what became of it.

    Parameters
    ----------
    key : str
        Distinct on the page.
    uris : sequence of str
        Of the tracks, in order.
    title : str
        A name for the playlist unless a person gives one.
    before : sequence of str
        Tracks that may be put before them.
    """
    if st.session_state.get(_opened(key)):
        with st.container(border=True, key=f"{key}_panel", gap="small"):
            st.fragment(_panel)(key, tuple(uris), title, tuple(before))


def _panel(key: str, uris: tuple[str, ...], title: str, before: tuple[str, ...]) -> None:
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown("**A playlist on Spotify**", width="content")
        st.button(
            "Close",
            key=f"{key}_close",
            type="tertiary",
            icon=":material/close:",
            on_click=_toggle,
            args=(key,),
        )
    try:
        sending: _Sending | None = st.session_state.get(_asked(key))
        if sending and sending.publication.done:
            _done(key, sending.publication)
        elif not sending and (why := _why_not(uris)):
            st.info(why, icon=":material/playlist_remove:")
        else:
            listener = account.listener()
            if sending and sending.problem and not listener:
                st.warning(plain(sending.problem), icon=":material/error:")
            account.sign_in(key)
            if listener:
                _signed_in(listener, key, uris, title, before)
    except SegueError as problem:
        st.error(plain(problem), icon=":material/error:")


def _signed_in(
    listener: Listener, key: str, uris: tuple[str, ...], title: str, before: tuple[str, ...]
) -> None:
    """The form; once it is filled in, the sending; then how that ended."""
    form, told = st.empty(), st.empty()  # so that what was there is gone while it is sent
    sending: _Sending | None = st.session_state.get(_asked(key))
    if sending is None:
        with form.container(gap="small"):
            _form(key, uris, title, before)
        return
    if sending.problem is None or isinstance(sending.problem, ExpiredError):
        _send(listener, sending)
    with told.container(gap="small"):
        if sending.publication.done:
            _done(key, sending.publication)
        else:
            _half_way(key, sending)


# --- the form ---


def _form(key: str, uris: tuple[str, ...], title: str, before: tuple[str, ...]) -> None:
    """Ask for the name and who may see it."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        st.text_input(
            "Name",
            key=_name(key),
            placeholder=title[:LONGEST_NAME],
            max_chars=LONGEST_NAME,
            width=320,
        )
        st.segmented_control(
            "Who may see it",
            (PRIVATE, PUBLIC),
            default=PRIVATE,
            required=True,
            key=_seen(key),
        )
    if before and st.checkbox("With your playlist before it", key=f"{key}_before"):
        uris = (*before, *uris)
    there = tuple(uri for uri in uris if track_id(uri))
    _coverage(uris, there)
    if problem := st.session_state.pop(_wrong(key), ""):
        st.error(plain(problem), icon=":material/error:")
    st.button(
        f"Create with {counted(len(there), 'track')}",
        key=f"{key}_create",
        type="primary",
        icon=":material/playlist_add:",
        on_click=_create,
        args=(key, there, title),
    )


def _create(key: str, uris: tuple[str, ...], title: str) -> None:
    """Take what the form says."""
    name, seen = st.session_state[_name(key)].strip(), st.session_state[_seen(key)]
    try:
        publication = Publication(name or title, seen == PUBLIC, uris)
    except SegueError as problem:
        st.session_state[_wrong(key)] = str(problem)
    else:
        st.session_state[_asked(key)] = _Sending(publication)


def _coverage(uris: tuple[str, ...], there: tuple[str, ...]) -> None:
    """How many of the tracks are on Spotify, and what is left out."""
    if len(there) == len(uris):
        st.caption(f"All {counted(len(uris), 'track')} are on Spotify.")
        return
    st.caption(
        f"{len(there)} of {counted(len(uris), 'track')} are on Spotify. Left out: "
        f"{_named([uri for uri in uris if track_id(uri) is None])}."
    )


def _named(uris: Sequence[str]) -> str:
    """The first few of these tracks by name, and how many more there are."""
    names = [*session.track_labels(tuple(uris[:NAMED])).values()]
    more = [f"and {len(uris) - NAMED} more"] if len(uris) > NAMED else []
    return "; ".join([*map(plain, names), *more])


def _why_not(uris: Sequence[str]) -> str:
    """Why nothing of this can be published; empty where something can."""
    if not uris:
        return "There is no track in the list."
    if any(map(track_id, uris)):
        return ""
    if session.dataset(session.version()).manifest["simulated"]:
        return (
            "These tracks are invented, so Spotify has none of them: open a dataset of real ones."
        )
    return "This dataset knows none of these tracks by a Spotify id, so none can be put there."


# --- sending, and how it ended ---


def _send(listener: Listener, sending: _Sending) -> None:
    sending.problem = None
    progress = PageProgress()
    try:
        publish(listener.client(), sending.publication, progress)
    except SegueError as problem:
        sending.problem = problem
        if isinstance(problem, ExpiredError):
            account.sign_out()
            st.rerun()
    progress.done()


def _half_way(key: str, sending: _Sending) -> None:
    publication = sending.publication
    st.error(plain(sending.problem), icon=":material/error:")
    st.markdown(
        f"**{plain(publication.name)}**: {publication.confirmed} of "
        f"{counted(len(publication.wanted), 'track')} are on Spotify for certain. Going on "
        "looks up what is there first, so that no track comes twice."
    )
    with st.container(horizontal=True, gap="small"):
        account.again_button(
            "Go on", f"{key}_go_on", sending.problem, _go_on, (sending,), primary=True
        )
        st.button(
            "Give up",
            key=f"{key}_give_up",
            type="tertiary",
            help="What is on Spotify stays there; delete it there.",
            on_click=_forget,
            args=(key,),
        )


def _done(key: str, publication: Publication) -> None:
    seen = "public" if publication.public else "private"
    st.success(
        f"**{plain(publication.name)}** is on Spotify, {seen}, with "
        f"{counted(publication.confirmed, 'track')}.",
        icon=":material/check_circle:",
    )
    if publication.unknown:
        unknown = [uri for uri in publication.uris if uri in publication.unknown]
        st.caption(f"Left out, because Spotify does not know them any more: {_named(unknown)}.")
    with st.container(horizontal=True, gap="small"):
        if publication.address:
            st.link_button(
                "Open in Spotify",
                publication.address,
                key=f"{key}_playlist",
                type="primary",
                icon=":material/open_in_new:",
            )
        st.button(
            "Create another",
            key=f"{key}_another",
            icon=":material/add:",
            on_click=_forget,
            args=(key,),
        )


def _go_on(sending: _Sending) -> None:
    sending.problem = None


def _forget(key: str) -> None:
    st.session_state.pop(_asked(key), None)


def _toggle(key: str) -> None:
    st.session_state[_opened(key)] = not st.session_state.get(_opened(key))
    st.rerun()  # the whole page, also from within the panel


# --- names in the session's state ---


def _opened(key: str) -> str:
    return f"{key}_opened"


def _asked(key: str) -> str:
    return f"{key}_asked"


def _wrong(key: str) -> str:
    return f"{key}_wrong"


def _name(key: str) -> str:
    return f"{key}_name"


def _seen(key: str) -> str:
    return f"{key}_seen"
