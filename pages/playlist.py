"""The playlist on the Continuation page: its title, its tracks, and ways to add some."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from core.dataset.matching import MatchReport
from core.dataset.sources.lists import SUFFIXES, ListedPlaylist, parse_file, parse_text
from core.explore.palette import palette
from pages import session
from pages.request import MOST_LETTERS
from pages.screens import is_dark
from pages.widgets import (
    add_track,
    add_tracks,
    counted,
    plain,
    row_button,
    search_box,
    selected,
    sentences,
)

ROW_PX = 35
ROWS = 12  # in sight; more scroll
HEARD, MUTED = ":material/volume_up:", ":material/volume_off:"


def column() -> None:
    """All that is asked for but the dials."""
    st.subheader("Your playlist", anchor=False)
    _title()
    _search()
    if st.button("Paste or upload a list", icon=":material/content_paste:"):
        _add_list()
    playlist = session.playlist()
    if playlist.uris:
        _tracks(playlist)
    if playlist.missing:
        _missing(playlist.missing)


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
            "seed_search",
            add_track,
            placeholder="Search by track or artist",
            taken=session.playlist().ids,
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


@st.dialog("Add a list of tracks", width="medium")
def _add_list() -> None:
    text = st.text_area(
        "Paste tracks",
        height=160,
        placeholder="Artist - Title, one a line, or Spotify track links, or a whole CSV, M3U, …",
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
        lists = parse_file(file.getvalue(), file.name) if file else parse_text(text)
        listed = _chosen_list(lists)
        _offer(listed, session.matcher(session.version()).match(listed.tracks))


def _chosen_list(lists: Sequence[ListedPlaylist]) -> ListedPlaylist:
    if len(lists) == 1:
        return lists[0]
    return lists[
        st.selectbox(
            f"{len(lists)} playlists in this file",
            range(len(lists)),
            format_func=lambda at: f"{lists[at].title or 'untitled'} ({len(lists[at].tracks)})",
        )
    ]


def _offer(listed: ListedPlaylist, report: MatchReport) -> None:
    """The match report, and the button that takes what was found."""
    found = report.tracks.tolist()
    counts = report.counts
    missing = counts.pop("not found", 0)
    st.metric("Found", f"{len(report.rows) - missing} of {len(report.rows)}")
    ways = [f"{count} by {how}" for how, count in counts.items()]
    st.caption(", ".join([*ways, f"{missing} not found"] if missing else ways) + ".")
    _matches(report)
    for problem in listed.problems[:3]:
        st.caption(plain(f"Skipped: {problem.kind} ({problem.where})."))
    if st.button(f"Add {counted(len(found), 'track')}", type="primary", disabled=not found):
        add_tracks(found)
        if listed.title and not session.request_now().title:
            session.change(title=listed.title[:MOST_LETTERS])
        st.rerun()


def _matches(report: MatchReport) -> None:
    """Each listed track and what it was taken for, those not found first."""
    rows = sorted(report.rows, key=lambda row: row.track >= 0)
    names = dict(
        zip(
            report.tracks.tolist(),
            session.names(session.version(), report.tracks),
            strict=True,
        )
    )
    st.dataframe(
        {
            "Line": [row.listed.line for row in rows],
            "Listed": [
                " – ".join(part for part in (row.listed.title, row.listed.artist) if part)
                or row.listed.uri
                for row in rows
            ],
            "Taken for": [names.get(row.track, "") for row in rows],
            "Found by": [row.how for row in rows],
        },
        hide_index=True,
        alt="What each line of the list was taken for",
        column_config={"Line": st.column_config.NumberColumn(width="small")},
    )
