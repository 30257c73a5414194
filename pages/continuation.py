"""What plays next: the playlist on one side, its continuation on the other."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from core.moods import Mood
from core.recommender import Continuation
from core.whatif import Changes
from pages.common import answers, session, view
from pages.common.answers import Answer
from pages.common.export import files
from pages.common.widgets import add_tracks, no_model, plain, row_button, selected, sentences
from pages.playlists import playlist, steering, why
from pages.spotify import publish

ROWS = 8  # in sight; more scroll
PUBLISH = "continuation_spotify"
# The track whose reasons are shown; empty for the first.
TRACK = view.Choice("continuation.track", "", str)


def page() -> None:
    st.title("What plays next?", anchor=False)
    asked, answered = st.columns([3, 7], gap="medium")
    with asked:
        playlist.column()
    with answered, sentences():
        if not session.cards(session.version()):
            no_model()
            return
        if session.is_blank():
            _starts()
        _answer(answers.answer())


# --- where nothing is asked yet ---


def _starts() -> None:
    """One click to a first playlist."""
    found = session.starts(session.version())
    if not found:
        st.info("Search a track to start from.", icon=":material/search:")
        return
    with st.container(border=True):
        st.markdown("**Start with a title…**")
        with st.container(horizontal=True, gap="xsmall"):
            for place, example in enumerate(found):
                st.button(
                    plain(example.title),
                    key=f"start_title_{place}",
                    on_click=session.change,
                    kwargs={"title": example.title},
                )
        st.markdown("**… or with three tracks**")
        with st.container(gap=None):
            for place, example in enumerate(found[:3]):
                st.button(
                    plain(", ".join(session.titles(session.version(), example.tracks))),
                    key=f"start_tracks_{place}",
                    type="tertiary",
                    icon=":material/add:",
                    wrap=False,
                    on_click=add_tracks,
                    args=(example.tracks,),
                )


# --- the answer ---


def _answer(answer: Answer) -> None:
    found, change = answer.found, steering.last_change()
    uris = session.dataset(session.version()).values("uri", found.tracks)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.subheader("Continuation", width="stretch", anchor=False)
        with st.container(horizontal=True, width="content", gap="xsmall"):
            _export(found)
            publish.opener(PUBLISH, uris)
            _link()
    publish.panel(PUBLISH, uris, _name(), before=session.request_now().seeds)
    if found.notes:
        st.caption(" ".join(map(plain, found.notes)))
    steering.show_change(change)
    moods = answers.moods()
    steering.mixed(moods)
    steering.chosen()
    if not len(found.tracks):
        _nothing_left()
        return
    row = uris.index(_selected(uris))
    _table(answer, uris, change, moods)
    if not session.is_blank():
        with st.container(border=True, gap="xsmall", key="why"):
            why.head(found, uris, row)
            mood = None if answer.mood_of is None else int(answer.mood_of[row])
            why.body(int(found.tracks[row]), mood)


def _nothing_left() -> None:
    st.info("No track passes the filters. Widen them in the sidebar.", icon=":material/filter_alt:")


def _selected(uris: Sequence[str]) -> str:
    """The track of the selected row; on a cold page, the one that the link says."""
    asked = view.get(TRACK)
    if "continuation" not in st.session_state and asked:
        if asked in uris:
            st.session_state.continuation = {"selection": {"rows": [uris.index(asked)]}}
            st.session_state.continuation_uris = tuple(uris)
        else:
            session.say(f"The link shows “{asked}”, which is not in this list.")
    (chosen,) = selected("continuation", uris, required=True)
    if asked != (now := "" if chosen == uris[0] else chosen):
        view.put(TRACK, now)
    return chosen


def _table(
    answer: Answer, uris: Sequence[str], change: Changes | None, moods: Sequence[Mood]
) -> None:
    found, version = answer.found, session.version()
    n = len(found.tracks)
    cells: dict[str, Any] = {"#": range(1, n + 1)}
    if change is not None:
        cells["Moved"] = [_arrow(*moved) for moved in zip(change.before, change.after, strict=True)]
    cells |= {
        "Track": session.titles(version, found.tracks),
        "Artist": session.dataset(version).values("artist_name", found.tracks),
        "keep": [why.KEEP] * n,
        "like": [why.LIKE] * n,
        "not": [why.NOT_THIS] * n,
    }
    if answer.mood_of is not None:
        cells["Mood"] = [moods[at].name for at in answer.mood_of]
    if answers.query().seeds:
        cells["Closest to"] = _closest(found)
    cells |= {
        "Popularity": np.floor(100 * session.standing(version).percentiles(found.tracks)),
        "Proposed by": [_proposers(found, row) for row in range(n)],
        "Score": found.scores,
    }
    columns = st.column_config
    st.dataframe(
        pd.DataFrame(cells),
        key="continuation",
        hide_index=True,
        height=(min(n, ROWS) + 1) * playlist.ROW_PX + 2,
        on_select="rerun",
        selection_mode="single-row-required",
        placeholder="",
        alt="The continuation",
        column_config={
            "#": columns.NumberColumn(width=36),
            "Moved": columns.TextColumn(
                width=62, help="Places up or down since the list before the last change."
            ),
            "Track": columns.TextColumn(width=145),
            "Artist": columns.TextColumn(width=110),
            "keep": row_button("keep", {why.KEEP: why.keep}, uris, "Keep: add it to your playlist"),
            "like": row_button(
                "like", {why.LIKE: session.like}, uris, "Like: more like it, without adding it"
            ),
            "not": row_button(
                "not_this",
                {why.NOT_THIS: session.dislike},
                uris,
                "Not this: less like it, and never it",
            ),
            "Mood": columns.TextColumn(width=90),
            "Closest to": columns.TextColumn(
                width=100,
                help="The track of yours that is nearest to it; what it owes to each of them is "
                "said below the list.",
            ),
            "Popularity": columns.ProgressColumn(
                width=90,
                min_value=0,
                max_value=100,
                format="%.0f%%",
                help="Percentile: the share of all tracks that are in fewer playlists.",
            ),
            "Proposed by": columns.TextColumn(
                width=300, help="Models that proposed it, and at which place."
            ),
            "Score": columns.NumberColumn(
                width=76, format="%.4f", help="Only comparable within this list."
            ),
        },
    )


def _arrow(before: int, now: int) -> str:
    """How a track moved, from its places in both lists; place 0 is in neither."""
    if not before:
        return "new"
    return "" if before == now else f"▲{before - now}" if before > now else f"▼{now - before}"


def _closest(found: Continuation) -> list[str]:
    """Title of the seed or liked track that each is closest to; empty where none is known."""
    query = answers.query()
    titles = session.titles(session.version(), [*query.seeds, *query.likes])
    return [titles[at] if at >= 0 else "" for at in found.closest]


def _proposers(found: Continuation, row: int) -> str:
    """The models that proposed a track, the surest first, with its place in each."""
    places = {name: int(ranks[row]) for name, ranks in found.ranks.items() if ranks[row]}
    ordered = sorted(places, key=lambda name: places[name])
    return ", ".join(f"{session.model_label(name)} #{places[name]}" for name in ordered)


# --- taking it away ---


def _export(found: Continuation) -> None:
    request = session.request_now()
    with st.popover("Export", icon=":material/download:"):
        tracks = found.tracks
        if st.checkbox("With your playlist before it", key="export_all"):
            tracks = np.concatenate([np.array(session.playlist().ids, np.int32), tracks])
        files(tracks, request.title, "export")


def _name() -> str:
    """What a playlist of the continuation is called unless a person says so."""
    return session.request_now().title.strip() or "Continued with Segue"


def _link() -> None:
    with st.popover("Link", icon=":material/link:"):
        st.caption("Brings back this page as it is: dataset, model, dials, playlist.")
        words = urlencode(session.link_now(), doseq=True)
        st.code(f"{st.context.url}?{words}", language=None, wrap_lines=True)


page()
