"""What became of a list's tracks in the open dataset, and the button that takes those found."""

from collections.abc import Callable, Sequence

import streamlit as st

from core.dataset.matching import MatchReport
from core.dataset.sources.base import Problem
from core.dataset.sources.lists import ListedPlaylist
from core.spotify.seeds import MOST_SEEDS
from pages.common import session
from pages.common.request import MOST_LETTERS
from pages.common.widgets import add_tracks, counted, plain

ROWS, ROW_PX = 8, 35  # in sight; more scroll
MOST_KINDS = 5
"""Kinds of what was skipped that are told apart."""


def offer(listed: ListedPlaylist, unit: str, then: Callable[[], None]) -> bool:
    """Match a list with the open dataset, say how it went, and offer to add what was found.

    Parameters
    ----------
    listed : ListedPlaylist
        Its title is taken where the playlist has none.
    unit : str
        What `ListedTrack.line` counts.
    then : callable
        Called once the tracks are added; runs the whole page again.

    Returns
    -------
    bool
        Whether there is anything to add; why there is not, it says.
    """
    report = session.matcher(session.version()).match(listed.tracks)
    st.metric("Found", f"{len(report.rows) - report.missing:,} of {len(report.rows):,}")
    _matches(report, unit)
    lacking = f"{report.missing:,} not found" if report.missing else ""
    st.caption(", ".join(filter(None, (report.ways, lacking))) + ".")
    _skipped(listed.problems)
    taken = set(session.playlist().ids)
    found = [track for track in report.tracks.tolist() if track not in taken]
    if both := len(report.tracks) - len(found):
        st.caption(f"In your playlist already: {counted(both, 'track')}.")
    room = max(MOST_SEEDS - len(session.request_now().seeds), 0)
    if len(found) > room:
        st.warning(
            f"A playlist here holds {MOST_SEEDS} tracks at most: of the {len(found):,} found, "
            f"{f'the first {room} are' if room else 'none is'} added.",
            icon=":material/content_cut:",
        )
    elif not found:
        st.info(plain(_why_nothing(report)), icon=":material/playlist_remove:")
    if not found[:room]:
        return False
    st.button(
        f"Add {counted(len(found[:room]), 'track')}",
        key="add_found",
        type="primary",
        on_click=_take,
        args=(found[:room], listed.title or "", then),
    )
    return True


def _why_nothing(report: MatchReport) -> str:
    """Why no track of a list can be added, and what else there is."""
    if len(report.tracks):
        return "All that was found is in your playlist already, so there is nothing to add."
    return (
        f"None of it is in “{session.request_now().dataset}”, so there is nothing to add: paste or "
        "upload another list, or open another dataset."
    )


def _matches(report: MatchReport, unit: str) -> None:
    """Each listed track and what it was taken for, those not found first."""
    rows = sorted(report.rows, key=lambda row: row.track >= 0)
    tracks = report.tracks
    names = dict(zip(tracks.tolist(), session.names(session.version(), tracks), strict=True))
    st.dataframe(
        {
            unit: [row.listed.line for row in rows],
            "Listed": [
                " – ".join(part for part in (row.listed.title, row.listed.artist) if part)
                or row.listed.uri
                for row in rows
            ],
            "Taken for": [names.get(row.track, "") for row in rows],
            "Found by": [row.how for row in rows],
        },
        hide_index=True,
        height=(min(len(rows), ROWS) + 1) * ROW_PX + 2,
        alt=f"What each {unit.lower()} of the list was taken for",
        column_config={
            unit: st.column_config.NumberColumn(width=50),
            "Listed": st.column_config.TextColumn(width=265),
            "Taken for": st.column_config.TextColumn(width=265),
            "Found by": st.column_config.TextColumn(width=100),
        },
    )


def _skipped(problems: Sequence[Problem]) -> None:
    """What was left out, by kind, with the first place of each."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        places.setdefault(problem.kind, []).append(problem.where)
    for kind, where in [*places.items()][:MOST_KINDS]:
        more = f" and {len(where) - 1:,} more" if len(where) > 1 else ""
        st.caption(plain(f"Skipped: {kind} ({where[0]}{more})."))
    if len(places) > MOST_KINDS:
        st.caption(f"Skipped for other reasons as well: {len(places) - MOST_KINDS}.")


def _take(tracks: Sequence[int], title: str, then: Callable[[], None]) -> None:
    add_tracks(tracks, title[:MOST_LETTERS])
    then()
