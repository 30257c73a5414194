"""The playlist on the Continuation page: its title, its tracks, and ways to add some."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from core.dataset.links import spotify_link, unreadable
from core.dataset.sources.lists import SUFFIXES, ListedPlaylist, parse_file, parse_text
from core.errors import SegueError
from core.explore.palette import palette
from pages.common import session
from pages.common.request import MOST_LETTERS
from pages.common.screens import is_dark
from pages.common.widgets import (
    add_track,
    counted,
    row_button,
    search_box,
    selected,
    sentences,
)
from pages.playlists import match_report
from pages.spotify import link_in

ROW_PX = 35
ROWS = 12  # in sight; more scroll
SEARCH = "seed_search"
HEARD, MUTED = ":material/volume_up:", ":material/volume_off:"


def column() -> None:
    """All that is asked for but the dials."""
    st.subheader("Your playlist", anchor=False)
    _title()
    _search()
    link_in.list_button("Paste or upload a list", "list_open")
    playlist = session.playlist()
    if playlist.uris:
        _tracks(playlist)
    if playlist.missing:
        _missing(playlist.missing)
    if st.session_state.get(link_in.ADDING) == link_in.LIST:
        _add_list()
    link_in.show()


def _title() -> None:
    st.session_state.title = session.request_now().title
    st.text_input(
        "Title",
        key="title",
        placeholder="Optional: rainy sunday, road trip, …",
        help="Enough on its own: models that read titles look at playlists titled alike.",
        on_change=lambda: session.change(title=st.session_state.title[:MOST_LETTERS]),
    )


@st.fragment
def _search() -> None:
    with sentences():
        search_box(
            "Add tracks",
            SEARCH,
            add_track,
            placeholder="Track, artist or Spotify link",
            taken=session.playlist().ids,
            on_link=lambda link: link_in.seeds(link, SEARCH),
        )


# --- its tracks ---


def _tracks(playlist: session.Known) -> None:
    """A table: buttons in its rows and, for the keyboard, for selected rows."""
    uris, muted = playlist.uris, session.request_now().muted
    chosen = selected("seeds", uris)
    quiet = [uri in muted for uri in uris]
    frame = pd.DataFrame(
        {
            "heard": [MUTED if is_muted else HEARD for is_muted in quiet],
            "Track": session.names(session.version(), playlist.ids),
            "actions": [list(ROW_ACTIONS)] * len(uris),
        }
    )
    st.dataframe(
        frame.style.apply(_faint, quiet=quiet, subset=["Track"]) if any(quiet) else frame,
        key="seeds",
        hide_index=True,
        height=(min(len(uris), ROWS) + 1) * ROW_PX + 2,
        on_select="rerun",
        selection_mode="multi-row",
        alt="Tracks of your playlist; muted ones are grey and their speaker is crossed out",
        column_config={
            "heard": row_button(
                "seed_mute", {HEARD: _mute, MUTED: _unmute}, uris, "Mute: ask without this track"
            ),
            "Track": st.column_config.TextColumn(width=170),
            "actions": row_button("seed_action", ROW_ACTIONS, uris),
        },
    )
    with st.container(horizontal=True, gap="xsmall"):
        if chosen:
            _selection(chosen, uris, muted)
        st.button("Clear", on_click=session.clear_seeds, type="tertiary", icon=":material/delete:")


def _faint(column: "pd.Series[str]", quiet: Sequence[bool]) -> list[str]:
    return [f"color: {palette(is_dark()).other}" if is_quiet else "" for is_quiet in quiet]


def _selection(chosen: Sequence[str], uris: Sequence[str], muted: Sequence[str]) -> None:
    """Buttons for the selected rows."""
    all_muted = set(chosen) <= set(muted)
    act, label = (session.unmute, "Unmute") if all_muted else (session.mute, "Mute")
    st.button(label, on_click=act, args=(chosen,))
    for label, by, end in (("Move up", -1, uris[0]), ("Move down", 1, uris[-1])):
        st.button(label, on_click=session.move_seeds, args=(chosen, by), disabled=end in chosen)
    st.button("Remove", on_click=session.remove_seeds, args=(chosen,))


def _mute(uri: str) -> None:
    session.mute([uri])


def _unmute(uri: str) -> None:
    session.unmute([uri])


ROW_ACTIONS: dict[str, Callable[[str], None]] = {
    ":material/arrow_upward: Move up": lambda uri: session.move_seeds([uri], -1),
    ":material/arrow_downward: Move down": lambda uri: session.move_seeds([uri], 1),
    ":material/close: Remove": lambda uri: session.remove_seeds([uri]),
}


def _missing(uris: Sequence[str]) -> None:
    """Name the tracks of a link, or of another dataset, that this one lacks."""
    with st.container(border=True):
        st.markdown(f"**Not in this dataset: {counted(len(uris), 'track')}**")
        st.text("\n".join(uris[:5]) + (f"\nand {len(uris) - 5} more" if len(uris) > 5 else ""))
        st.button("Forget", on_click=session.remove_seeds, args=(uris,))


# --- a pasted or uploaded list ---


@st.dialog("Add a list of tracks", width="medium", on_dismiss=link_in.close)
def _add_list() -> None:
    text = st.text_area(
        "Paste tracks",
        height=160,
        placeholder="Artist - Title, one a line, or Spotify links, or a whole CSV, M3U, …",
    )
    file = st.file_uploader(
        "or upload a file",
        type=[suffix.removeprefix(".") for suffix in SUFFIXES],
        help="CSV as Exportify writes it, M3U, XSPF, JSPF, or text.",
    )
    if file is None and not text.strip():
        st.caption("Tracks are found by their Spotify id, else by title and artist.")
        return
    with sentences():
        listed = _listed(parse_file(file.getvalue(), file.name)) if file else _pasted(text)
        if listed:
            match_report.offer(listed, "Line", link_in.close_added)


def _pasted(text: str) -> ListedPlaylist | None:
    """What a text lists, or the link that it is; None where nothing can be added at once."""
    if problem := unreadable(text):
        raise SegueError(problem)
    link = spotify_link(text)
    return link_in.listed(link) if link else _listed(parse_text(text))


def _listed(lists: Sequence[ListedPlaylist]) -> ListedPlaylist:
    if len(lists) == 1:
        return lists[0]
    return lists[
        st.selectbox(
            f"{len(lists)} playlists in this file",
            range(len(lists)),
            format_func=lambda at: f"{lists[at].title or 'untitled'} ({len(lists[at].tracks)})",
        )
    ]
