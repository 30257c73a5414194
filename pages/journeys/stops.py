"""A journey's stops: listed, drawn, taken away."""

import numpy as np
import streamlit as st

from core.errors import SegueError
from core.explore.figures import chart_config, profile_figure, route_figure
from core.explore.journey import Journey, Wishes
from pages.common import export, screens, session, view
from pages.common.session import Version
from pages.common.widgets import add_tracks, counted, plain
from pages.journeys import route
from pages.journeys.route import ANOTHER, MOST_PATHS, MOST_SKIPPED, SKIPPED, End
from pages.spotify import publish

PUBLISH = "journey_spotify"
ADD, ONWARD = "add", "onward"
MENU = {
    ADD: ":material/add: Add to playlist",
    ONWARD: ":material/queue_music: Continue from here",
}


def show(version: Version, model: str, start: End, end: End, wishes: Wishes) -> None:
    """The journey, its stops on one side, its figures on the other; or why there is none."""
    another = view.get(ANOTHER)
    asked = (version, model, start.tracks, end.tracks, wishes, another)
    with st.skeleton(height=480):
        try:
            found, reason = route.journey(*asked), ""
        except SegueError as error:
            found, reason = None, str(error)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        stops = counted(len(found.tracks), "stop") if found else "No way through"
        st.subheader(stops, width="stretch", anchor=False)
        _other_paths(another)
        if found:
            _take_away(version, found, start, end)
    if found:
        publish.panel(PUBLISH, _uris(version, found), _title(start, end))
    _skips(wishes.skipped)
    if found is None:
        st.error(plain(reason), icon=":material/error:")
        return
    _summary(found)
    listed, drawn = st.columns([5, 6], gap="large")
    with listed, st.container(key="journey_listed"):
        _stops(version, found, start, end)
    with drawn:
        _route(version, model, found)
        _profile(version, found)


def _other_paths(another: int) -> None:
    if another:
        st.caption(f"Path {another + 1}", width="content")
        st.button("First path", type="tertiary", on_click=view.put, args=(ANOTHER, 0))
    st.button(
        "Another path",
        icon=":material/alt_route:",
        on_click=view.put,
        args=(ANOTHER, another + 1),
        disabled=another >= MOST_PATHS,
        help="A path that keeps clear of the stops of those before it.",
    )


def _take_away(version: Version, found: Journey, start: End, end: End) -> None:
    st.button(
        "Add all to playlist",
        icon=":material/playlist_add:",
        on_click=_add,
        args=(found.tracks.tolist(), start, end),
    )
    with st.popover("Export", icon=":material/download:"):
        export.files(found.tracks, _title(start, end), "journey_export")
    publish.opener(PUBLISH, _uris(version, found))


def _title(start: End, end: End) -> str:
    return f"{start.name} to {end.name}"


def _uris(version: Version, found: Journey) -> list[str]:
    return session.dataset(version).values("uri", found.tracks)


def _summary(found: Journey) -> None:
    widest = int(found.cosines.argmin())
    st.caption(
        f"Steps have a cosine of {found.cosines.mean():.2f} on average; the widest, from stop "
        f"{widest + 1} to {widest + 2}, of {found.cosines[widest]:.2f}."
    )


def _skips(tracks: tuple[int, ...]) -> None:
    if not tracks:
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        names = session.names(session.version(), tracks)
        st.caption(f"Skipped: {plain('; '.join(names))}")
        st.button("Allow again", type="tertiary", on_click=view.put, args=(SKIPPED, ()))


def _stops(version: Version, found: Journey, start: End, end: End) -> None:
    """The tracks in order, each with what can be done there."""
    tracks = found.tracks.tolist()
    taken = session.playlist().ids
    full = len(view.get(SKIPPED)) >= MOST_SKIPPED
    for place, track in enumerate(tracks):
        if place:
            st.caption(f":material/south: cosine {found.cosines[place - 1]:.2f}")
        at_end = place in (0, len(tracks) - 1)
        with st.container(horizontal=True, vertical_alignment="center", gap="small", wrap=False):
            st.badge(str(place + 1), color="primary" if at_end else "gray")
            uri = _stop(version, track, track in taken)
            if not at_end:
                st.button(
                    "Skip",
                    key=f"journey_skip_{place}",
                    type="tertiary",
                    on_click=route.skip,
                    args=(uri,),
                    disabled=full,
                    help="Skip this stop: go another way.",
                )
            picked = st.menu_button(
                ":material/more_horiz:",
                [ADD, ONWARD],
                key=f"journey_menu_{place}",
                format_func=MENU.__getitem__,
                type="tertiary",
                help="What else to do here",
            )
        if picked == ADD:
            _add([track], start, end)
            st.rerun()
        elif picked == ONWARD:
            _add(tracks[: place + 1], start, end)
            st.switch_page("continuation.py")


def _stop(version: Version, track: int, taken: bool) -> str:
    """One stop's title, artist and popularity; returns its uri."""
    opened = session.dataset(version)
    ((title,), (artist,), (uri,)) = (
        opened.values(column, [track]) for column in ("title", "artist_name", "uri")
    )
    about = [artist, counted(int(opened.counts[track]), "playlist")]
    about += ["in your playlist"] if taken else []
    facts = " · ".join(plain(part) for part in about if part)
    st.markdown(f"**{plain(title or uri)}**  \n:small[{facts}]", width="stretch")
    return uri


def _add(tracks: list[int], start: End, end: End) -> None:
    """Append stops to the playlist, and keep the journey where it is."""
    route.settle(start, end)
    add_tracks(tracks)


def _route(version: Version, model: str, found: Journey) -> None:
    """The journey on the map of its model, or of another one where that has none."""
    shown = session.track_map(version, model) or session.track_map(version)
    if shown is None:
        st.caption("There is no map to draw it on yet: train track2vec on the Training page.")
        return
    placed = found.tracks[found.tracks < len(shown.coordinates)]
    missing = len(found.tracks) - int(np.isfinite(shown.coordinates[placed]).all(axis=1).sum())
    opened = session.dataset(version)
    named = (opened.values(column, found.tracks) for column in ("title", "uri"))
    titles = [title or uri for title, uri in zip(*named, strict=True)]

    def draw(phone: bool) -> None:
        st.plotly_chart(
            route_figure(
                shown.coordinates,
                found.tracks.tolist(),
                titles,
                phone=phone,
                dark=screens.is_dark(),
            ),
            key=f"journey_route_{phone}",
            config=chart_config(f"journey-{version.name}", zoom_by_wheel=True),
            alt=f"The journey's {len(titles)} stops, numbered, on the map of tracks.",
        )

    screens.on_both("journey_map", draw)
    notes = [f"On the map of {session.model_label(shown.card.model)}"]
    if shown.card.model != model:
        notes.append(f"which is not the one that {session.model_label(model)} would draw")
    notes.append("near on a map is not always near in the model")
    if missing:
        notes.append(f"{counted(missing, 'stop')} without a place on it")
    st.caption(plain("; ".join(notes) + "."))


def _profile(version: Version, found: Journey) -> None:
    counts = session.dataset(version).counts[found.tracks]
    st.plotly_chart(
        profile_figure(
            session.names(version, found.tracks), found.cosines, counts, dark=screens.is_dark()
        ),
        key="journey_profile",
        config=chart_config(f"journey-steps-{version.name}"),
        alt="Cosine of each step, as bars, and below it the number of playlists that hold each "
        "stop, on a log axis.",
    )
