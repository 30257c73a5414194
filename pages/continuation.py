"""What plays next: the playlist on one side, its continuation on the other."""

from collections.abc import Callable, Sequence
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import streamlit as st

from core.dataset.export import FORMATS
from core.dataset.matching import MatchReport
from core.dataset.sources.lists import SUFFIXES, ListedPlaylist, parse_file, parse_text
from core.recommender import Continuation
from pages import session
from pages.widgets import (
    add_track,
    add_tracks,
    counted,
    no_model,
    plain,
    play_toggle,
    player,
    row_button,
    search_box,
    selected,
    sentences,
)

ROW_PX = 35
SEED_ROWS = 12  # in sight; more scroll
KEEP, NOT_THIS = ":material/add:", ":material/thumb_down:"


def page() -> None:
    st.title("What plays next?", anchor=False)
    playlist, answer = st.columns([3, 7], gap="medium")
    with playlist:
        _playlist()
    with answer, sentences():
        if not session.cards(session.version()):
            no_model()
            return
        if session.is_blank():
            _starts()
        _answer(session.continuation())


# --- the playlist ---


def _playlist() -> None:
    st.subheader("Your playlist", anchor=False)
    _title()
    _search()
    if st.button("Paste or upload a list", icon=":material/content_paste:"):
        _add_list()
    seeds = session.seeds()
    if seeds.uris:
        _seeds(seeds)
    if seeds.missing:
        _missing(seeds.missing)


def _title() -> None:
    st.session_state.title = session.request_now().title
    st.text_input(
        "Title",
        key="title",
        placeholder="Optional: rainy sunday, road trip, …",
        on_change=lambda: session.change(title=st.session_state.title[: session.MOST_LETTERS]),
    )


@st.fragment
def _search() -> None:
    with sentences():
        search_box(
            "Add tracks",
            "seed_search",
            add_track,
            placeholder="Search by track or artist",
            taken=session.seeds().ids,
        )


def _seeds(seeds: session.Known) -> None:
    """The playlist as a table: buttons in its rows and, for the keyboard, for selected rows."""
    uris, n = seeds.uris, len(seeds.uris)
    chosen = selected("seeds", uris)
    frame = pd.DataFrame(
        {
            "#": range(1, n + 1),
            "Track": session.names(session.version(), seeds.ids),
            "actions": [list(ROW_ACTIONS)] * n,
        }
    )
    st.dataframe(
        frame,
        key="seeds",
        hide_index=True,
        height=(min(n, SEED_ROWS) + 1) * ROW_PX + 2,
        on_select="rerun",
        selection_mode="multi-row",
        alt="Tracks of your playlist",
        column_config={
            "#": st.column_config.NumberColumn(width=36),
            "Track": st.column_config.TextColumn(width=180),
            "actions": row_button("seed_action", ROW_ACTIONS, uris),
        },
    )
    with st.container(horizontal=True, gap="xsmall"):
        if chosen:
            st.button("Move up", on_click=_each, args=(_up, chosen), disabled=uris[0] in chosen)
            st.button(
                "Move down", on_click=_each, args=(_down, chosen[::-1]), disabled=uris[-1] in chosen
            )
            st.button("Remove", on_click=session.remove_seeds, args=(chosen,))
        st.button("Clear", on_click=session.clear_seeds, type="tertiary", icon=":material/delete:")


def _up(uri: str) -> None:
    session.move_seed(uri, -1)


def _down(uri: str) -> None:
    session.move_seed(uri, 1)


def _remove(uri: str) -> None:
    session.remove_seeds([uri])


ROW_ACTIONS = {
    ":material/arrow_upward: Move up": _up,
    ":material/arrow_downward: Move down": _down,
    ":material/close: Remove": _remove,
}


def _each(act: Callable[[str], None], uris: Sequence[str]) -> None:
    for uri in uris:
        act(uri)


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
            session.change(title=listed.title[: session.MOST_LETTERS])
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
                    plain(", ".join(_titles(example.tracks))),
                    key=f"start_tracks_{place}",
                    type="tertiary",
                    icon=":material/add:",
                    wrap=False,
                    on_click=add_tracks,
                    args=(example.tracks,),
                )


# --- the answer ---


def _answer(found: Continuation) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.subheader("Continuation", width="stretch", anchor=False)
        _export(found)
        _link()
    for note in found.notes:
        st.caption(plain(note))
    uris = session.dataset(session.version()).values("uri", found.tracks)
    chosen = selected("continuation", uris, required=True)
    if chosen and not session.is_blank():
        _detail(found, uris, uris.index(chosen[0]))
    _table(found, uris)
    _dislikes()


def _table(found: Continuation, uris: Sequence[str]) -> None:
    version = session.version()
    opened = session.dataset(version)
    n = len(found.tracks)
    frame = pd.DataFrame(
        {
            "#": range(1, n + 1),
            "Track": _titles(found.tracks),
            "Artist": opened.values("artist_name", found.tracks),
            "keep": [KEEP] * n,
            "not": [NOT_THIS] * n,
            **({"Closest to": _closest(found)} if session.seeds().ids else {}),
            "Popularity": np.floor(100 * session.standing(version).percentiles(found.tracks)),
            "Score": found.scores,
            "Proposed by": [_proposers(found, row) for row in range(n)],
        }
    )
    columns = st.column_config
    st.dataframe(
        frame,
        key="continuation",
        hide_index=True,
        height="content",
        on_select="rerun",
        selection_mode="single-row-required",
        placeholder="",
        alt="The continuation",
        column_config={
            "#": columns.NumberColumn(width=36),
            "Track": columns.TextColumn(width=160),
            "Artist": columns.TextColumn(width=120),
            "keep": row_button("keep", {KEEP: _keep}, uris, "Keep: add it to your playlist"),
            "not": row_button(
                "not_this", {NOT_THIS: session.dislike}, uris, "Not this: show another"
            ),
            "Closest to": columns.TextColumn(
                width=110, help="The track of your playlist that this one owes most to."
            ),
            "Popularity": columns.ProgressColumn(
                width=100,
                min_value=0,
                max_value=100,
                format="%.0f%%",
                help="Percentile: the share of all tracks that are in fewer playlists.",
            ),
            "Score": columns.NumberColumn(
                width=76, format="%.4f", help="Only comparable within this list."
            ),
            "Proposed by": columns.TextColumn(
                width=300, help="Models that proposed it, and at which place."
            ),
        },
    )


def _keep(uri: str) -> None:
    session.add_seeds([uri])


def _closest(found: Continuation) -> list[str]:
    """Title of the seed that each track owes most to; empty where none is known."""
    titles = _titles(session.seeds().ids)
    return [titles[at] if at >= 0 else "" for at in found.closest]


def _titles(tracks: Sequence[int] | np.ndarray) -> list[str]:
    opened = session.dataset(session.version())
    return [
        title or uri
        for title, uri in zip(
            opened.values("title", tracks), opened.values("uri", tracks), strict=True
        )
    ]


def _proposers(found: Continuation, row: int) -> str:
    """The models that proposed a track, the surest first, with its place in each."""
    places = {name: int(ranks[row]) for name, ranks in found.ranks.items() if ranks[row]}
    ordered = sorted(places, key=lambda name: places[name])
    return ", ".join(f"{session.model_label(name)} #{places[name]}" for name in ordered)


def _detail(found: Continuation, uris: Sequence[str], row: int) -> None:
    """One track of the continuation: why it is here, what can be done with it."""
    version = session.version()
    track = found.tracks[row : row + 1]
    opened = session.dataset(version)
    (count,), (rank,) = opened.counts[track], session.standing(version).ranks(track)
    facts = [f"In {count:,} of {opened.n_playlists:,} playlists, rank {rank:,} in popularity."]
    if closest := _closest(found)[row]:
        facts.append(f"Owes most to “{closest}”.")
    if proposers := _proposers(found, row):
        facts.append(f"Proposed by {proposers}.")
    with st.container(border=True, gap="xsmall"):
        st.caption("Up next" if row == 0 else f"Then, number {row + 1}")
        st.markdown(f"#### {plain(session.names(version, track)[0])}")
        st.caption(plain(" ".join(facts)))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.button("Keep", icon=KEEP, on_click=_keep, args=(uris[row],))
            st.button("Not this", icon=NOT_THIS, on_click=session.dislike, args=(uris[row],))
            playing = play_toggle(uris[row])
        if playing:
            player(uris[row])


def _dislikes() -> None:
    count = len(session.request_now().dislikes)
    if count:
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.caption(f"{counted(count, 'track')} not shown.")
            st.button("Allow again", type="tertiary", on_click=session.forget_dislikes)


# --- taking it away ---


def _export(found: Continuation) -> None:
    request = session.request_now()
    with st.popover("Export", icon=":material/download:"):
        tracks = found.tracks
        if st.checkbox("With your playlist before it", key="export_all"):
            tracks = np.concatenate([np.array(session.seeds().ids, np.int32), tracks])
        opened = session.dataset(session.version())
        for key, kind in FORMATS.items():
            st.download_button(
                kind.label,
                kind.write(opened, tracks, request.title),
                file_name=f"{_file_name(request.title)}{kind.ending}",
                mime=kind.media_type,
                key=f"export_{key}",
                on_click="ignore",
                width="stretch",
            )


def _file_name(title: str) -> str:
    """A file name that every system takes."""
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    return " ".join(kept.split())[:60] or "segue"


def _link() -> None:
    with st.popover("Link", icon=":material/link:"):
        st.caption("Brings back this page as it is: dataset, model, dials, playlist.")
        words = urlencode(session.to_link(session.request_now()), doseq=True)
        st.code(f"{st.context.url}?{words}", language=None, wrap_lines=True)


page()
