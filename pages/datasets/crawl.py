"""Crawling Spotify from the Library page: start it, watch its graph grow, go on with it."""

import time
from collections.abc import Mapping
from dataclasses import asdict

import streamlit as st

from core import jobs
from core.dataset.links import SAID, spotify_link, unreadable
from core.errors import SegueError
from core.explore.figures import chart_config, crawl_figure
from core.jobs import Job
from core.spotify.client import Settings
from core.spotify.crawling.crawl import (
    DEVELOPMENT,
    SOURCE,
    crawl_names,
    crawl_state,
    discard,
    graph,
)
from core.spotify.crawling.crawled import Bounds, CrawlGraph, CrawlState
from core.spotify.errors import NoCredentialsError, clock_time
from core.workspace import Workspace
from pages.common import session
from pages.common.jobs import news, running, start, start_button
from pages.common.screens import is_dark, on_both
from pages.common.session import Version
from pages.common.widgets import counted, plain, sentences
from pages.datasets.naming import FIELD_PX, given_name, name_field

NUMBER_PX = 136
HIGHEST = Bounds(requests=100_000, depth=10, playlists=50_000)
_EVERY_S = 2.0
_PROBLEM = "crawl_problem"
_LABELS = {"requests": "Requests", "depth": "Depth", "playlists": "Playlists"}
_HELP = {
    "requests": "Answers of Spotify at most, in all.",
    "depth": "1: playlists found by the start's artists; 2: by the artists of these.",
    "playlists": "Playlists to read at most, in all.",
}


# --- begin ---


def form() -> None:
    """Begin a crawl, or go on with one that is there."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    settings = Settings.from_environment()
    with st.container(border=True, key="crawl"):
        st.caption(
            "Reads a playlist, searches Spotify for other playlists by the names of its artists, "
            "reads those, and so on. All that is read becomes a new dataset."
        )
        if settings.has_app:
            _begin()
        else:
            st.info(plain(NoCredentialsError(*settings.missing)), icon=":material/key:")
    at_work = crawled_by(running())
    for name in crawl_names(Workspace()):
        if name != at_work:
            _known(name, settings.has_app)


def _begin() -> None:
    text = st.text_input(
        "Playlist to start from",
        key="crawl_link",
        placeholder="https://open.spotify.com/playlist/…",
        width=FIELD_PX,
    ).strip()
    name = name_field("crawl_name")
    bounds = _bounds("crawl", Bounds())
    st.caption(
        ":material/gavel: [Spotify's developer terms](https://developer.spotify.com/terms) forbid "
        "passing on what is crawled, and training models on it."
    )
    st.caption(f":material/info: {plain(DEVELOPMENT)}")
    if start_button("Crawl", "crawl_button", ":material/travel_explore:"):
        _start(_free(name), bounds, [_playlist(text)])


def _playlist(text: str) -> str:
    """The uri of the playlist that a text links to."""
    link = spotify_link(text)
    if link and link.kind == "playlist":
        return link.uri
    if link:
        raise SegueError(f"That links to {SAID[link.kind]}: a crawl starts from a playlist.")
    raise SegueError(unreadable(text) or "Paste the link of a playlist on Spotify to start from.")


def _free(name: str) -> str:
    workspace = Workspace()
    if given_name(name) in workspace.names() or crawl_state(workspace, name):
        raise SegueError(f"There is a dataset or a crawl “{name}” already: choose another name.")
    return name


def _bounds(key: str, now: Bounds) -> Mapping[str, int]:
    """Ask where a crawl ends."""
    highest = asdict(HIGHEST)
    with st.container(horizontal=True):
        return {
            field: st.number_input(
                _LABELS[field],
                0 if field == "depth" else 1,
                max(highest[field], value),
                value,
                key=f"{key}_{field}",
                help=_HELP[field],
                width=NUMBER_PX,
            )
            for field, value in asdict(now).items()
        }


def _start(name: str, bounds: Mapping[str, int], link: list[str] | None = None) -> None:
    sizes = [text for field, value in bounds.items() for text in (f"--{field}", str(value))]
    start(f"Crawl “{name}”", ["crawl", *(link or []), "--name", name, *sizes])
    st.rerun()


# --- go on ---


def _known(name: str, able: bool) -> None:
    """A crawl that is there, and what may be done with it."""
    with st.container(border=True, key=f"crawl_{name}"):
        with sentences():
            if state := crawl_state(Workspace(), name):
                _offer(state, able)
        with st.popover("Delete the crawl", icon=":material/delete:"):
            st.caption("All that Spotify answered to it is removed; a dataset made of it stays.")
            st.button("Delete it", key=f"crawl_{name}_delete", on_click=_discard, args=(name,))


def _offer(state: CrawlState, able: bool) -> None:
    key = f"crawl_{state.name}"
    st.markdown(f"**{plain(state.name)}** from “{plain(state.title or state.start.address)}”")
    st.caption(plain(_said(state)))
    if state.name in Workspace().names():
        st.caption("Going on makes the dataset anew; what was trained on it goes with the old one.")
    bounds = _bounds(key, state.bounds)
    same = state.finished and bounds == asdict(state.bounds)
    with st.container(horizontal=True):
        if able and start_button(
            "Go on",
            f"{key}_on",
            ":material/play_arrow:",
            primary=False,
            idle="Raise a bound to go on." if same else None,
        ):
            _start(state.name, bounds)
        if not state.made and start_button(
            "Make the dataset of what is here",
            f"{key}_finish",
            ":material/check:",
            primary=False,
        ):
            start(
                f"Make “{state.name}” of what was crawled",
                ["crawl", "--name", state.name, "--finish"],
            )
            st.rerun()


def _said(state: CrawlState) -> str:
    waiting = state.waiting_playlists + state.waiting_artists
    return (
        f"{counted(state.playlists, 'playlist')} read, {counted(state.artists, 'artist')} searched "
        f"for, with {counted(state.requests, 'request')}; {waiting:,} found and not asked for. "
        f"{(state.ending or 'It was interrupted').capitalize()}."
    )


def _discard(name: str) -> None:
    try:
        jobs.require_private()
        discard(Workspace(), name)
    except SegueError as problem:
        st.session_state[_PROBLEM] = str(problem)


# --- watch ---


def watch() -> None:
    """The graph of the crawl that is running, or of one that has just stopped on the way."""
    job = running()
    name = crawled_by(job or news())
    if job and name:
        st.fragment(show, run_every=_EVERY_S)(name, "running")
    elif name and _lacks_dataset(name):
        show(name, "stopped")


def crawled_by(job: Job | None) -> str:
    """The crawl that a job is at; empty for a job of another kind."""
    if job is None or job.argv[0] != "crawl":
        return ""
    return job.argv[job.argv.index("--name") + 1]


def is_crawled(version: Version) -> bool:
    """Whether a dataset was made by a crawl that is still there."""
    source = session.dataset(version).manifest["source"]
    return source == SOURCE and version.name in crawl_names(Workspace())


def _lacks_dataset(name: str) -> bool:
    """Whether there is a crawl of which no dataset holds all that was answered."""
    try:
        state = crawl_state(Workspace(), name)
    except SegueError:  # which `show` says
        return True
    return state is not None and not state.made


def show(name: str, place: str) -> None:
    """How far a crawl is, and its graph; `place` is distinct on the page."""
    with sentences():
        state = crawl_state(Workspace(), name)
        if state is None:
            st.caption("Spotify has answered nothing yet.")
            return
        _counts(state, place)
        found = graph(Workspace(), name)
        on_both(f"crawl_{place}", lambda phone: _chart(name, found, place, phone))
        if found.left_out:
            st.caption(
                f"The first {len(found.nodes):,} playlists and artists; {found.left_out:,} found "
                "later are not drawn."
            )


def _counts(state: CrawlState, place: str) -> None:
    bounds = state.bounds
    with st.container(horizontal=True, gap="medium", key=f"crawl_{place}_counts"):
        for label, count, most in (
            ("Requests", state.requests, bounds.requests),
            ("Playlists", state.playlists, bounds.playlists),
            ("Depth", state.depth, bounds.depth),
        ):
            st.metric(label, f"{count:,} of {most:,}", width="content")
        st.metric("Artists", f"{state.artists:,}", width="content")
        st.metric("Entries", f"{state.tracks:,}", width="content")
    if state.refused:
        why = ", ".join(f"{count:,} {reason}" for reason, count in state.refused.items())
        st.caption(f"Not given by Spotify: {plain(why)}.")
    if state.waiting_until and state.waiting_until > time.time():
        st.info(
            f"Spotify takes no more requests until {clock_time(state.waiting_until)}; the crawl "
            "waits.",
            icon=":material/hourglass_top:",
        )


def _chart(name: str, found: CrawlGraph, place: str, phone: bool) -> None:
    kinds = [node.kind for node in found.nodes]
    playlists, artists = kinds.count("playlist"), kinds.count("artist")
    st.plotly_chart(
        crawl_figure(found, phone=phone, dark=is_dark()),
        key=f"crawl_{place}_chart_{'phone' if phone else 'wide'}",
        config=chart_config(f"{name}-crawl"),
        alt=f"{counted(playlists, 'playlist')} as squares and {counted(artists, 'artist')} as "
        "discs, on rings around the start, coloured by depth; lines say what led to what.",
    )
