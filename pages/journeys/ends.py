"""Where a journey starts and ends: a track or an artist, given or found."""

from collections.abc import Sequence

import pyarrow as pa
import streamlit as st

from core.dataset.links import SAID, Link
from pages.common import session, view
from pages.common.session import Version
from pages.common.widgets import counted, plain, results, sentences
from pages.journeys import route
from pages.journeys.route import FROM, TO, End
from pages.spotify import link_in

TRACKS, ARTISTS = 5, 3
"""Results of a search, at most."""
ARTIST = "artist:"
Row = tuple[str, str, str]
"""What may be an end: its word in the link, its name and an icon."""


def pickers(version: Version, model: str) -> tuple[End, End]:
    """Show both ends, each with a search for another one; returns them.

    What nobody gave is the first and the last track of the playlist, else a popular track and one
    that is as unlike it as can be.
    """
    start, end = _given(version, FROM), _given(version, TO)
    seeds = session.seeds().ids
    if start is None:
        start = _track(version, _first(version, model, seeds, end))
    if end is None:
        last = seeds[-1] if len(seeds) > 1 and seeds[-1] not in start.tracks else None
        end = _track(version, route.far(version, model, start.tracks[0]) if last is None else last)
    left, middle, right = st.columns([10, 2, 10], vertical_alignment="center")
    with left:
        _picker("From", start, FROM)
    with middle, st.container(horizontal_alignment="center"):
        st.button(
            "Swap",
            icon=":material/swap_horiz:",
            on_click=route.swap,
            args=(start, end),
            type="tertiary",
            key="journey_swap",
        )
    with right:
        _picker("To", end, TO)
    return start, end


def _first(version: Version, model: str, seeds: tuple[int, ...], end: End | None) -> int:
    """Where to start if nobody says: at the playlist's first track, else at a popular one."""
    if end is None:
        return seeds[0] if seeds else route.opening(version, model)
    apart = [seed for seed in seeds[:1] if seed not in end.tracks]
    return apart[0] if apart else route.far(version, model, end.tracks[0])


def _given(version: Version, choice: view.Choice[str]) -> End | None:
    """What a person or a link says, None where it says nothing or nothing that is known here."""
    word = view.get(choice)
    if not word:
        return None
    if word.startswith(ARTIST):
        artist = session.known_artists(version, (word.removeprefix(ARTIST),))
        if artist.ids:
            return _artist(version, artist.uris[0], artist.ids[0])
    else:
        track = session.known(version, (word,))
        if track.ids:
            return _track(version, track.ids[0])
    view.put(choice, "")
    session.say(
        f"The link's journey names “{word[:80]}”, which is not in this dataset: another takes its "
        "place."
    )
    return None


def _track(version: Version, track: int) -> End:
    opened = session.dataset(version)
    (uri,) = opened.values("uri", [track])
    held = counted(int(opened.counts[track]), "playlist")
    return End((track,), session.names(version, [track])[0], f"Track, in {held}", uri)


def _artist(version: Version, uri: str, artist: int) -> End:
    tracks = link_in.tracks_by(version, artist)
    about = f"Artist, any of {counted(len(tracks), 'track')}"
    return End(tracks, session.artist_labels((uri,))[uri], about, ARTIST + uri)


def _pick(choice: view.Choice[str], word: str, key: str) -> None:
    route.choose(choice, word)
    st.session_state[key] = ""
    st.rerun()  # the whole page, from within the fragment


def _picker(label: str, end: End, choice: view.Choice[str]) -> None:
    with st.container(border=True, gap="xsmall"):
        st.caption(f"{label} · {plain(end.about)}")
        st.markdown(f"**{plain(end.name)}**")
        _search(label, choice)


@st.fragment
def _search(label: str, choice: view.Choice[str]) -> None:
    key = f"journey_search_{label.lower()}"
    query = st.text_input(
        f"{label}: search a track or artist",
        key=key,
        type="search",
        live="250ms",
        placeholder="Another track or artist, or a Spotify link",
        label_visibility="collapsed",
    )
    if not query or not query.strip():
        return
    version = session.version()
    with sentences(), st.container(gap=None, key=f"{key}_results"):
        found = results(
            query,
            lambda typed: _choices(
                version,
                session.search_artists(version, typed, ARTISTS),
                session.search(version, typed, TRACKS),
            ),
            lambda link: _linked(version, link, key),
        )
        for place, (word, name, icon) in enumerate(found):
            st.button(
                plain(name),
                key=f"{key}_{place}",
                type="tertiary",
                icon=icon,
                wrap=False,
                on_click=_pick,
                args=(choice, word, key),
            )


def _linked(version: Version, link: Link, key: str) -> list[Row]:
    """The track or the artist that a link to Spotify names."""
    if link.kind == "track":
        return _choices(version, [], link_in.track(link, key))
    artists = session.known_artists(version, (link.uri,)).ids
    if link.kind != "artist":
        st.caption(f"This link is to {SAID[link.kind]}; a journey is between tracks or artists.")
    elif not artists:
        st.caption("No artist here has this id.")
    return _choices(version, artists, [])


def _choices(version: Version, artists: Sequence[int], tracks: Sequence[int]) -> list[Row]:
    """Artists and tracks as rows of a search."""
    opened = session.dataset(version)
    of_artists = opened.artists["uri"].take(pa.array(artists, pa.int64())).to_pylist()
    found = [
        (ARTIST + uri, name, ":material/artist:")
        for uri, name in session.artist_labels(tuple(of_artists)).items()
    ]
    return found + [
        (uri, name, ":material/music_note:")
        for uri, name in zip(
            opened.values("uri", tracks), session.names(version, tracks), strict=True
        )
    ]
