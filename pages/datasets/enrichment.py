"""What is known of a dataset's tracks and artists, and where more may come from."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core import jobs
from core.dataset.joins import TRACK_FACTS
from core.dataset.schema import AUDIO_FEATURES
from core.explore.figures import chart_config, coverage_figure
from core.spotify.client import Settings
from core.spotify.enrichment.enrich import Coverage, Plan, known, plan
from core.spotify.enrichment.features import SOURCES
from core.workspace import Workspace
from pages.common import session, view
from pages.common.jobs import note, start, start_button
from pages.common.screens import is_dark
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import counted, plain, sentences

SOURCE = Choice("library.source", next(iter(SOURCES)), view.one_of(list(SOURCES), str))
MOST = (1_000, 5_000, 20_000, 100_000)
"""How many of the most popular tracks may be asked about, besides all."""
_WIDTHS = {"When (UTC)": 140, "From": 130, "Found": 125}
"""Pixels of the columns beside the licence, whole on a phone."""


def show_features(version: Version) -> None:
    """How much is known, and the ways to know more."""
    charts, ways = st.columns([3, 2], gap="large")
    with charts:
        _show_coverage(version)
    if not jobs.public():
        with ways:
            with sentences():
                _ask(version)
            st.space("small")
            _join(version)
            note()
    if joins := session.dataset(version).manifest["features"]:
        _show_joins(joins)


# --- what is known ---


def _show_coverage(version: Version) -> None:
    joins = session.dataset(version).manifest["features"]
    of_tracks = [join for join in joins if _about(join) == "track"]
    if of_tracks:
        st.markdown(_joined(of_tracks[-1]))
    shares = _known(version)
    features, facts = (
        {name: shares["tracks"][name] for name in names} for names in (AUDIO_FEATURES, TRACK_FACTS)
    )
    _chart(version, "Audio features", "tracks", features, _before(joins, "features"))
    _chart(version, "Facts of tracks", "tracks", facts, _before(joins, "facts"))
    artists = shares["artists"]
    _chart(version, "Facts of artists", "artists", artists, _before(joins, "artist_facts"))


@st.cache_data(max_entries=64, show_spinner=False)
def _known(version: Version) -> Coverage:
    return known(Workspace().path(version.name))


def _before(joins: Sequence[Mapping[str, Any]], fields: str) -> Mapping[str, float] | None:
    """The shares before the last join that was about these fields."""
    stored = [join[f"{fields}_before"] for join in joins if f"{fields}_before" in join]
    return stored[-1] if stored else None


def _chart(
    version: Version,
    title: str,
    of: str,
    now: Mapping[str, float],
    before: Mapping[str, float] | None,
) -> None:
    st.markdown(f"**{title}**")
    if not any(now.values()) and not any((before or {}).values()):
        st.caption(f"None of the {of} has any yet: {', '.join(now).replace('_', ' ')}.")
        return
    st.plotly_chart(
        coverage_figure(now, None if before == now else before, of=of, dark=is_dark()),
        key=f"coverage_{title}",
        config=chart_config(f"{version.name}-{title.lower().replace(' ', '-')}"),
        alt=f"Share of the {of} for which each is known: "
        + ", ".join(f"{name} {share:.0%}" for name, share in now.items()),
    )


def _joined(join: Mapping[str, Any]) -> str:
    """The last joined table of tracks in words."""
    said = f"{plain(join['table'])} was joined last: {counted(join['by_id'], 'track')} found by id"
    if join["by_name"]:
        said += f", {join['by_name']:,} by title and artist"
    if join["before"] == join["after"]:
        return f"{said}."
    return (
        f"{said}. Tracks with audio features: **{join['before']:.0%}** before, "
        f"**{join['after']:.0%}** now."
    )


def _show_joins(joins: Sequence[Mapping[str, Any]]) -> None:
    """All that was joined, the last first."""
    st.markdown("**What was joined**")
    st.dataframe(
        {
            "When (UTC)": [join["joined"][:16].replace("T", " ") for join in joins[::-1]],
            "From": [join["table"] for join in joins[::-1]],
            "Found": [
                counted(join["by_id"] + join.get("by_name", 0), _about(join))
                for join in joins[::-1]
            ],
            "Licence": [join.get("licence") or "the file's own" for join in joins[::-1]],
        },
        hide_index=True,
        alt="What was joined into this dataset, when and from where",
        column_config={
            name: st.column_config.TextColumn(width=width) for name, width in _WIDTHS.items()
        },
    )


def _about(join: Mapping[str, Any]) -> str:
    return "artist" if "artist_facts" in join else "track"


# --- ask a service ---


def _ask(version: Version) -> None:
    """A form that asks a service for what is missing, as a job."""
    st.markdown("**Ask a service for what is missing**")
    source = view.widget(
        st.segmented_control,
        "Whom to ask",
        SOURCE,
        options=list(SOURCES),
        format_func=lambda name: SOURCES[name].origin.source,
        label_visibility="collapsed",
        required=True,
    )
    service = SOURCES[source]
    st.caption(plain(service.about))
    if needed := service.needed(Settings.from_environment()):
        st.info(plain(needed), icon=":material/key:")
        return
    job = jobs.last(Workspace())
    planned = _plan(version, source, f"{job.id} {job.state}" if job else "")
    if not planned.tracks:
        st.info(
            f"None of the {planned.without_id:,} tracks has a Spotify id, by which it could be "
            "asked for.",
            icon=":material/link_off:",
        )
        return
    _start_form(version, source, planned)


@st.cache_data(max_entries=16, show_spinner="Looking at what is missing")
def _plan(version: Version, source: str, job: str) -> Plan:
    """What a run would begin with, as it is since the last `job`."""
    return plan(Workspace(), version.name, source, Settings.from_environment())


def _start_form(version: Version, source: str, planned: Plan) -> None:
    name = SOURCES[source].origin.source
    bounds = [*(each for each in MOST if each < planned.tracks), planned.tracks]
    most = st.selectbox(
        "How many tracks, the most popular first",
        bounds,
        index=next((at for at, each in enumerate(bounds) if planned.left(each)), len(bounds) - 1),
        format_func=lambda each: f"all {each:,}" if each == planned.tracks else f"{each:,}",
    )
    st.caption(_cost(planned, most, name))
    anew = st.checkbox("Ask again what was refused or not known")
    st.caption(f":material/gavel: {plain(SOURCES[source].origin.licence)}")
    if start_button("Start", "enrich_button", ":material/travel_explore:"):
        argv = ["enrich", "--dataset", version.name, "--source", source, "--most", str(most)]
        start(f"Ask {name} about “{version.name}”", [*argv, *["--anew"] * anew])
        st.rerun()


def _cost(planned: Plan, most: int, name: str) -> str:
    """What becomes of so many tracks, in counts that add up, and of those beside them."""
    known, left = planned.known(most), planned.left(most)
    shares = {
        f"to ask for, {planned.at_once} a request" if planned.at_once else "refused": left,
        "asked for before": most - known - left,
        "known already": known,
    }
    counts = "; ".join(f"{count:,} {what}" for what, count in shares.items() if count)
    said = [f"Of {counted(most, 'track')}: {counts}."]
    if not left:
        said.append("What was answered is joined, where it is not yet.")
    if planned.without_id:
        said.append(f"Without a Spotify id, and left as they are: {planned.without_id:,}.")
    if planned.refused:
        said.append(f"{plain(name)} refuses this app: {plain(', '.join(planned.refused))}.")
    return " ".join(said)


# --- join a file ---


def _join(version: Version) -> None:
    """A form that joins a table, as a job."""
    st.markdown("**Join a table of audio features**")
    with st.form("join", border=False, clear_on_submit=True):
        file = st.file_uploader(
            "CSV or Parquet",
            type=["csv", "tsv", "parquet"],
            help="A Spotify id, or title and artist, and any of the eleven features.",
        )
        sent = st.form_submit_button("Join", icon=":material/join_inner:")
    if not Workspace().is_own(version.name):
        st.caption("The demo that ships stays as it is: a copy in your workspace is extended.")
    if sent and file:
        name = Path(file.name).name
        argv = ["features", f"{{files}}/{name}", "--dataset", version.name]
        start(f"Join {name} to “{version.name}”", argv, {name: file.getvalue()})
        st.rerun()
    elif sent:
        st.error("Choose a file first.", icon=":material/error:")
