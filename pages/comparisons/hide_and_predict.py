"""Hide and predict: playlists held out of the last evaluation, and who finds what was hidden."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import SegueError
from core.evaluation.challenge import CATEGORIES
from core.evaluation.metrics import LENGTH
from core.evaluation.replays import FIRST, Replay, Replays
from core.explore.figures import chart_config, heat_colours, replay_figure
from core.training.evaluate import stored_replays
from pages.common import session, view
from pages.common.measured import how_to_measure
from pages.common.screens import is_dark, on_both
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import counted, plain, simulated_badge

PLACES = (0, 1, 2, 5, 10, 20, 50, 100, 200, LENGTH)
STEP_S = 0.9
FAVOURED = 2  # the category that is shown first: title + first 5
TABLES = ("Hidden tracks", "First answers", "Figures")
ROW_PX = 35
SHOWN_ROWS, HIDDEN_ROWS = 9, 14  # in sight; more scroll

PLAYLIST: Choice[int | None] = Choice("comparison.playlist", None, int)
PLACE = Choice("comparison.place", LENGTH, view.one_of(PLACES, int))
TABLE = Choice("comparison.table", TABLES[0], view.one_of(TABLES, str))


@dataclass(frozen=True)
class Scene:
    """A replay with the names of what is in it."""

    replay: Replay
    labels: list[str]
    title: str
    hidden: list[str]


def show() -> None:
    """The part of the page."""
    version = session.version()
    kept = _kept(version)
    if kept is None:
        return
    _about(version, kept)
    replay = _choose(version, kept)
    scene = Scene(
        replay,
        list(kept.systems.values()),
        _title(version, replay),
        session.names(version, replay.hidden),
    )
    shown, found = st.columns([3, 8], gap="medium")
    with shown:
        _shown(version, scene)
    with found:
        st.subheader("Who finds what was hidden", anchor=False)
        _reveal(version, scene)
    _table(version, scene)


def _kept(version: Version) -> Replays | None:
    """The playlists of the last evaluation; where there are none, say how to get some."""
    try:
        kept = _stored(version)
    except SegueError:
        reason = f"What was kept of “{version.name}” is of another version of Segue."
    else:
        if kept and kept.playlists:
            return kept
        reason = f"No evaluation of “{version.name}” has kept held-out playlists yet."
    how_to_measure(version, f"{reason} Measure its models, and some are kept:")
    return None


@st.cache_resource(max_entries=4, show_spinner=False)
def _stored(version: Version) -> Replays | None:
    return stored_replays(session.dataset(version))


def _about(version: Version, kept: Replays) -> None:
    if session.dataset(version).manifest["simulated"]:
        simulated_badge()
    st.caption(
        f"These playlists were truly hidden: at the last evaluation every model was fitted on "
        f"{kept.training_playlists:,} others, without the {kept.held_out:,} that were held out. "
        f"{len(kept.playlists)} of those, drawn at random, are replayed here with what the models "
        "answered then; the dials at the side change nothing."
    )


# --- which playlist ---


def _choose(version: Version, kept: Replays) -> Replay:
    """The playlist of the link, chosen by what is shown of it and then by title."""
    by_row = {one.row: one for one in kept.playlists}
    asked = view.get(PLAYLIST)
    if asked is not None and asked not in by_row:
        session.say(f"Playlist {asked} of “{version.name}” is not among those that are replayed.")
        view.put(PLAYLIST, None)
    first = next((one for one in kept.playlists if one.category == FAVOURED), kept.playlists[0])
    replay = first if asked is None else by_row.get(asked, first)
    groups = {
        category: [one.row for one in group]
        for category, group in groupby(kept.playlists, lambda one: one.category)
    }
    st.session_state.comparison_shown = replay.category
    st.session_state.comparison_playlist = replay.row
    kinds, playlists = st.columns([2, 5])
    kinds.selectbox(
        "How much is shown",
        list(groups),
        key="comparison_shown",
        format_func=lambda category: CATEGORIES[category].label,
        on_change=lambda: view.put(PLAYLIST, groups[st.session_state.comparison_shown][0]),
    )
    playlists.selectbox(
        "Playlist",
        groups[replay.category],
        key="comparison_playlist",
        format_func=lambda row: (
            f"{_title(version, by_row[row]) or 'untitled'} "
            f"({counted(len(by_row[row].hidden), 'track')} hidden)"
        ),
        on_change=lambda: view.put(PLAYLIST, st.session_state.comparison_playlist),
    )
    return replay


def _title(version: Version, replay: Replay) -> str:
    return session.dataset(version).playlists.titles[replay.row] or ""


# --- what is shown, and what is found ---


def _shown(version: Version, scene: Scene) -> None:
    """All that the models knew of the playlist."""
    replay, category = scene.replay, CATEGORIES[scene.replay.category]
    st.subheader("What is shown", anchor=False)
    title = f"“{plain(scene.title)}”" if scene.title else "none"
    st.markdown(f"Title: **{title}**" if category.titled else f"Title: {title}, hidden as well")
    if not len(replay.shown):
        st.caption("No track: the title is all there is.")
    else:
        st.dataframe(
            {"Track": session.names(version, replay.shown)},
            key="comparison_seeds",
            hide_index=True,
            height=(min(len(replay.shown), SHOWN_ROWS) + 1) * ROW_PX + 2,
            alt="Tracks that the models were shown",
        )
    lost = int(replay.beyond_reach.sum())
    said = f"{counted(len(replay.hidden), 'track')} {'is' if len(replay.hidden) == 1 else 'are'} "
    said += "hidden"
    if lost:
        said += f"; no other playlist holds {lost} of them, so nobody can find these"
    st.caption(f"{said}.")


def _reveal(version: Version, scene: Scene) -> None:
    """The chart, place by place; on a timer while it is watched."""
    watched = st.session_state.get("replay_step") is not None
    st.fragment(_stage, run_every=STEP_S if watched else None)(version, scene, watched)


def _stage(version: Version, scene: Scene, watched: bool) -> None:
    step = st.session_state.get("replay_step")
    if step == len(PLACES):
        step = None
        _stop(LENGTH)
    if watched != (step is not None):
        st.rerun()  # only a run of the whole page starts or ends the timer
    place = view.get(PLACE) if step is None else PLACES[step]
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        if step is None:
            _place_slider(place)
            st.button("Watch", icon=":material/play_arrow:", on_click=_start)
        else:
            st.progress(step / (len(PLACES) - 1), f"The first {place} places")
            st.button("Pause", icon=":material/pause:", on_click=_stop, args=(place,))
            st.session_state.replay_step = step + 1
    found = ", ".join(
        f"{label} {count}"
        for label, count in zip(scene.labels, scene.replay.found(place).tolist(), strict=True)
    )

    def draw(phone: bool) -> None:
        st.plotly_chart(
            replay_figure(
                scene.replay, scene.labels, scene.hidden, place, phone=phone, dark=is_dark()
            ),
            key=f"comparison_replay_{phone}",
            config=chart_config(f"hidden-{version.name}-{scene.replay.row}"),
            alt=f"Hidden tracks among the first {place} of each model: {found}.",
        )

    on_both("comparison_replay", draw)
    st.caption(
        "A mark is a hidden track at its place in the model's list, a diamond the first. "
        "R-precision looks as far as the dotted line: at as many places as tracks are hidden."
    )


def _place_slider(place: int) -> None:
    st.session_state.comparison_place = place
    st.select_slider(
        "Look at the first places",
        PLACES,
        key="comparison_place",
        format_func=lambda at: {0: "none", LENGTH: f"all {LENGTH}"}.get(at, f"{at}"),
        on_change=lambda: view.put(PLACE, st.session_state.comparison_place),
    )


def _start() -> None:
    st.session_state.replay_step = 0


def _stop(place: int) -> None:
    st.session_state.replay_step = None
    view.put(PLACE, place)


# --- in figures ---


def _table(version: Version, scene: Scene) -> None:
    chosen = view.widget(
        st.segmented_control,
        "Table",
        TABLE,
        options=TABLES,
        label_visibility="collapsed",
        required=True,
    )
    match chosen:
        case "First answers":
            _first_answers(version, scene)
        case "Figures":
            _figures(scene)
        case _:
            _hidden(version, scene)


def _hidden(version: Version, scene: Scene) -> None:
    replay = scene.replay
    places = pd.DataFrame(
        {
            label: pd.array(np.where(row, row, np.nan), dtype="Int64")
            for label, row in zip(scene.labels, replay.places, strict=True)
        }
    )
    frame = pd.DataFrame(
        {
            "Track": scene.hidden,
            "Found by": [
                "nobody can" if beyond else f"{n} of {len(scene.labels)}"
                for n, beyond in zip(
                    (replay.places > 0).sum(axis=0), replay.beyond_reach, strict=True
                )
            ],
        }
    ).join(places)
    shades = np.where(replay.places, np.log(np.maximum(replay.places, 1)), np.nan).T
    _shaded(
        frame,
        scene.labels,
        heat_colours(shades, lower_is_better=True, dark=is_dark()),
        alt="Hidden tracks in playlist order, with the place at which each model finds them",
        config={label: st.column_config.NumberColumn(format="%d") for label in scene.labels}
        | {"Track": st.column_config.TextColumn(pinned=True, width=210)},
    )
    st.caption(
        f"In the playlist's own order, with the place in each model's list of {LENGTH}. The fuller "
        "the colour, the earlier."
    )


def _first_answers(version: Version, scene: Scene) -> None:
    replay = scene.replay
    flat = replay.first.ravel()
    names = iter(session.names(version, flat[flat >= 0]))
    said = np.array([next(names) if track >= 0 else "" for track in flat], object)
    hits = np.isin(flat, replay.hidden).reshape(replay.first.shape)
    cells = np.where(hits, "✓ ", "") + said.reshape(hits.shape)
    frame = pd.DataFrame(cells.T, columns=scene.labels)
    frame.insert(0, "#", range(1, FIRST + 1))
    _shaded(
        frame,
        scene.labels,
        heat_colours(hits.T.astype(np.float64).reshape(-1, 1), dark=is_dark()),
        alt=f"The first {FIRST} answers of each model; those that were hidden are ticked",
        config={"#": st.column_config.NumberColumn(pinned=True, width=40)},
    )
    st.caption(f"The first {FIRST} tracks of each model's list. Ticked: it was hidden.")


def _figures(scene: Scene) -> None:
    replay = scene.replay
    known = np.where(replay.places, replay.places, LENGTH + 1).min(axis=1)
    order = np.argsort(-replay.r_precision, kind="stable")
    st.dataframe(
        {
            "Model": [scene.labels[at] for at in order],
            "R-precision": replay.r_precision[order],
            f"Found in {LENGTH}": replay.found()[order],
            "First find": [None if known[at] > LENGTH else int(known[at]) for at in order],
        },
        key="comparison_figures",
        hide_index=True,
        height="content",
        placeholder="–",
        alt="R-precision of each model on this playlist, and how much it finds",
        column_config={
            "Model": st.column_config.TextColumn(pinned=True, width=200),
            "R-precision": st.column_config.NumberColumn(format="%.3f"),
            f"Found in {LENGTH}": st.column_config.NumberColumn(
                format=f"%d of {len(replay.hidden)}"
            ),
            "First find": st.column_config.NumberColumn(
                format="%d", help="Place of the first hidden track in the list."
            ),
        },
    )
    st.caption(
        "One playlist says little of a model: over all that were held out, with intervals, the "
        "leaderboard does."
    )


def _shaded(
    frame: pd.DataFrame,
    columns: Sequence[str],
    fills: Sequence[Sequence[str]],
    alt: str,
    config: Mapping[str, Any],
) -> None:
    styles = pd.DataFrame("", index=frame.index, columns=frame.columns)
    cells = np.array(fills, object).reshape(len(frame), len(columns))
    styles[list(columns)] = [[f"background-color: {f}" if f else "" for f in row] for row in cells]
    st.dataframe(
        frame.style.apply(lambda _: styles, axis=None),
        key="comparison_replayed",
        hide_index=True,
        height=(min(len(frame), HIDDEN_ROWS) + 1) * ROW_PX + 2,
        placeholder="–",
        alt=alt,
        column_config=config,
    )
