"""What steers the list: what the last change did to it, likes and dislikes, and the moods."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import streamlit as st

from core.moods import Mood
from core.whatif import Changes, changes
from pages.common import answers, session
from pages.common.widgets import chips, plain

NAMED = 3
"""Tracks that a change names of those that entered, and of those that left."""
WHOLE = 100


# --- what if ---


def last_change() -> Changes | None:
    """What the last change did to the list; None where there is nothing to compare it with."""
    before, now = session.before(), session.request_now()
    if before is None or session.is_blank() or not (before.heard or before.title.strip()):
        return None
    answered = answers.answer(replace(before, k=now.k))
    return changes(answered.found.tracks, answers.continuation().tracks)


def show_change(change: Changes | None) -> None:
    """One line: which tracks entered, which left; and the way back."""
    if change is None and session.before() is None:
        return
    with st.container(
        horizontal=True, wrap=False, vertical_alignment="center", gap="xsmall", key="last_change"
    ):
        if change is not None:
            st.caption(_said(change), width="stretch")
        st.button("Undo", icon=":material/undo:", type="tertiary", on_click=session.undo)


def _said(change: Changes) -> str:
    if not len(change.entered) and not len(change.left):
        return "The same tracks in a new order." if change.moved.any() else "The same list."
    parts = [
        f"**{len(tracks)} {word}:** {_named(tracks)}"
        for word, tracks in (("new", change.entered), ("left", change.left))
        if len(tracks)
    ]
    return " · ".join(parts)


def _named(tracks: np.ndarray) -> str:
    titles = session.titles(session.version(), tracks[:NAMED])
    rest = len(tracks) - len(titles)
    return ", ".join(map(plain, titles)) + (f" and {rest} more" if rest else "")


# --- likes and dislikes ---


def chosen() -> None:
    """Liked and barred tracks, each with a way back."""
    request = session.request_now()
    for uris, key, heading, undo in (
        (request.likes, "liked", ":material/thumb_up: More like", session.unlike),
        (request.dislikes, "barred", ":material/thumb_down: Not shown", session.allow),
    ):
        if uris:
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.caption(heading, width="content")
                chips(session.track_labels(uris), key, undo, "Take this back")


# --- moods ---


def mixed(moods: Sequence[Mood]) -> None:
    """A playlist of several moods: name them, and continue it as one or in shares."""
    if len(moods) < 2:
        return
    shares = session.request_now().shares
    with st.container(border=True, gap="xsmall", key="moods"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(_mixes(moods), width="stretch")
            if shares:
                st.button("As one playlist", on_click=session.change, kwargs={"shares": ()})
            else:
                st.button(
                    "Choose shares",
                    icon=":material/tune:",
                    on_click=session.change,
                    kwargs={"shares": evenly(tuple(round(WHOLE * mood.share) for mood in moods))},
                    help="It is continued as one: so the models were measured. In shares, each "
                    "mood is continued on its own.",
                )
        if shares:
            _shares(moods, shares)


def _mixes(moods: Sequence[Mood]) -> str:
    *first, last = (f"**{plain(mood.name)}**" for mood in moods)
    return f"This playlist mixes {len(moods)} moods: {', '.join(first)} and {last}."


def _shares(moods: Sequence[Mood], shares: Sequence[int]) -> None:
    for at, (column, mood) in enumerate(zip(st.columns(len(moods)), moods, strict=True)):
        key = f"mood_{at}"
        st.session_state[key] = shares[at]
        column.slider(
            plain(mood.name),
            0,
            WHOLE,
            key=key,
            step=5,
            format="%d %%",
            on_change=_turn,
            args=(at, key),
        )


def _turn(at: int, key: str) -> None:
    shares = session.request_now().shares
    session.change(shares=evenly(shares, at, st.session_state[key]))


def evenly(shares: tuple[int, ...], at: int = 0, value: int | None = None) -> tuple[int, ...]:
    """Shares that sum to 100, that at `at` being `value` and the others in their proportions.

    >>> evenly((60, 30, 10), 0, 20)
    (20, 60, 20)
    """
    value = shares[at] if value is None else value
    left = WHOLE - value
    others = [share for place, share in enumerate(shares) if place != at]
    total = sum(others)
    scaled = [left * share // total if total else left // len(others) for share in others]
    scaled[-1] += left - sum(scaled)
    return (*scaled[:at], value, *scaled[at:])
