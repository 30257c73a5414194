"""Spotify as the person at this page may ask it: signed in, by the app's credentials, or not.

A listener and their tokens are in the session and nowhere else; closing the tab forgets them.
"""

import time
from collections.abc import Callable
from urllib.parse import urlencode

import streamlit as st

from core.errors import SegueError
from core.spotify.client import Client, Settings, refusal
from core.spotify.errors import NoCredentialsError
from core.spotify.sign_in import (
    LIFE_S,
    Listener,
    OtherAddressError,
    Pending,
    begin,
    callback_address,
    cannot_begin,
)
from pages.common import session
from pages.common.widgets import plain, sentences
from pages.spotify.callback import COOKIE

_LISTENER, _PENDING, _PROBLEM = "spotify_listener", "spotify_pending", "spotify_problem"
_WAITING = "spotify_waiting"
_EVERY_S = 1.0
_RENEWED_S = LIFE_S / 2
_AGAIN = ":material/play_arrow:"


def client() -> Client | None:
    """Who may ask Spotify here: the signed-in listener, else the app, else nobody.

    Raises
    ------
    SegueError
        If the environment's settings are wrong.
    """
    if found := listener():
        return found.client()
    settings = Settings.from_environment()
    return Client(settings) if settings.has_app else None


def listener() -> Listener | None:
    """Who is signed in, in this session."""
    found: Listener | None = st.session_state.get(_LISTENER)
    return found if found and found.signed_in else None


def needed() -> str:
    """One sentence on what is missing where nobody may ask Spotify; see `client`."""
    settings = Settings.from_environment()
    instead = "sign in with Spotify" if settings.client_id else "set the id alone and sign in"
    return str(NoCredentialsError(*settings.missing, instead=instead))


def sign_in(key: str) -> None:
    """Offer to sign in, wait for the answer, or say who is signed in.

    Parameters
    ----------
    key : str
        Of the place, distinct on the page. All of the page runs again when somebody has signed in.
    """
    with st.container(key=f"{key}_account", gap="small"), sentences():
        if found := listener():
            _signed_in(found, key)
            return
        settings = Settings.from_environment()
        if problem := cannot_begin(settings):
            st.info(plain(problem), icon=":material/key:")
            return
        try:
            redirect = callback_address(settings, _app())
        except OtherAddressError as other:
            _elsewhere(other)
            return
        live = _EVERY_S if st.session_state.get(_WAITING) else _RENEWED_S
        st.fragment(_signed_out, run_every=live)(settings, redirect, key)


def again_button(
    label: str,
    key: str,
    problem: SegueError | None,
    on_click: Callable[..., None],
    args: tuple[object, ...],
    *,
    primary: bool = False,
) -> None:
    """A button to ask Spotify once more, off until it may be asked.

    Parameters
    ----------
    label, key : str
    problem : SegueError or None
        Why it was not done before, which the page says.
    on_click : callable
        Called with `args`.
    primary : bool
    """
    if held := refusal(Settings.from_environment()):
        left = (held.until or 0.0) - time.time()
        st.fragment(_held_back, run_every=max(left, _EVERY_S))(label, key, problem)
        return
    st.button(
        label,
        key=key,
        type="primary" if primary else "secondary",
        icon=_AGAIN,
        on_click=on_click,
        args=args,
    )


def _held_back(label: str, key: str, problem: SegueError | None) -> None:
    """The button, off, and why; then the page without this clock."""
    held = refusal(Settings.from_environment())
    if held is None:
        st.rerun()
    st.button(label, key=f"{key}_off", icon=_AGAIN, disabled=True, help=plain(held))
    if str(held) != str(problem):
        st.caption(plain(held))


def sign_out() -> None:
    """Forget the listener and their tokens; for callbacks."""
    if found := st.session_state.pop(_LISTENER, None):
        found.forget()


def _app() -> str:
    """The app's address as the browser has it, without the page."""
    return (st.context.url or "").removesuffix(st.session_state.page_path).rstrip("/")


def _signed_in(who: Listener, key: str) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f":material/account_circle: Signed in as **{plain(who.name)}**",
            width="content",
            help="Until you sign out, or close or reload this tab.",
        )
        st.button("Sign out", key=f"{key}_sign_out", type="tertiary", on_click=sign_out)


def _elsewhere(other: OtherAddressError) -> None:
    st.warning(plain(other), icon=":material/link_off:")
    page, words = st.session_state.page_path, urlencode(session.link_now(), doseq=True)
    st.link_button("Open this page there", f"{other.address.rstrip('/')}/{page}?{words}")


def _signed_out(settings: Settings, redirect: str, key: str) -> None:
    with sentences():
        _look()
        pending = _pending(settings, redirect)
        if problem := st.session_state.get(_PROBLEM):
            st.error(plain(problem), icon=":material/error:")
        if st.session_state.get(_WAITING):
            _waiting(pending, key)
        else:
            _offer(pending, redirect, key)


def _look() -> None:
    """Take the answer to the sign-in of this session, if there is one by now."""
    pending: Pending | None = st.session_state.get(_PENDING)
    if pending is None:
        return
    try:
        found = pending.collect()
    except SegueError as problem:
        _stop()
        st.session_state[_PROBLEM] = str(problem)
        st.rerun()
    if found:
        _stop()
        st.session_state[_LISTENER] = found
        st.rerun()


def _pending(settings: Settings, redirect: str) -> Pending:
    """The sign-in on offer, renewed long before it ends unless it is being answered."""
    now: Pending | None = st.session_state.get(_PENDING)
    if now is None or (now.left_s < _RENEWED_S and not st.session_state.get(_WAITING)):
        now = begin(settings, redirect, st.context.cookies.get(COOKIE, ""))
        st.session_state[_PENDING] = now
    return now


def _offer(pending: Pending, redirect: str, key: str) -> None:
    st.link_button(
        "Sign in with Spotify",
        pending.address,
        key=f"{key}_sign_in",
        type="primary",
        icon=":material/login:",
        on_click=_wait,
        help=f"Your app's settings at Spotify must list the redirect URI {plain(redirect)}",
    )
    st.caption(
        "Opens Spotify in a new tab. Segue may then read and create playlists of yours, until you "
        "sign out, or close or reload this tab."
    )


def _waiting(pending: Pending, key: str) -> None:
    st.markdown(":material/hourglass_top: Waiting for your answer in Spotify's tab.")
    with st.container(horizontal=True, gap="small"):
        st.link_button("Open it again", pending.address, key=f"{key}_again")
        st.button("Cancel", key=f"{key}_cancel", type="tertiary", on_click=_cancel)


def _wait() -> None:
    st.session_state[_WAITING] = True
    st.session_state.pop(_PROBLEM, None)
    st.rerun()  # the whole page: a fragment's clock is set there


def _cancel() -> None:
    _stop()
    st.rerun()


def _stop() -> None:
    for name in (_WAITING, _PENDING, _PROBLEM):
        st.session_state.pop(name, None)
