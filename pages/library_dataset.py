"""One dataset of the library: its origin, its cleaning, its audio features, its models."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core import jobs
from core.dataset.audio_features import coverage
from core.dataset.library import SOURCES
from core.explore.figures import chart_config, coverage_figure
from core.workspace import Workspace
from pages import session, view
from pages.jobs import start
from pages.screens import is_dark
from pages.session import Version
from pages.view import Choice
from pages.widgets import counted, plain

TABLE_PX = 760
PART = Choice(
    "library.part",
    "origin",
    view.one_of(("origin", "cleaning", "features", "models"), str),
)


def show_dataset(version: Version) -> None:
    """What is known of a dataset, one part at a time."""
    parts = {
        "origin": ("Origin", _origin),
        "cleaning": ("Cleaning", _cleaning),
        "features": ("Features", _features),
        "models": ("Models", _models),
    }
    part = view.widget(
        st.segmented_control,
        "What to see of it",
        PART,
        options=list(parts),
        format_func=lambda key: parts[key][0],
        label_visibility="collapsed",
        required=True,
    )
    parts[part][1](version)


def _origin(version: Version) -> None:
    manifest = session.dataset(version).manifest
    source = manifest["source"]
    facts = {
        "Source": SOURCES[source].label if source in SOURCES else source,
        "Files": ", ".join(manifest["files"]) or "none",
        "Downloaded from": manifest.get("address"),
        "Licence": manifest["licence"] or "not stated by the source",
        "Made": manifest["created"].replace("T", " ").replace("+00:00", " UTC"),
        "On disk": f"{_size(version) / 1e6:,.1f} MB",
        "Fingerprint": manifest["fingerprint"][:16],
    }
    _facts({name: fact for name, fact in facts.items() if fact}, "Where the dataset comes from")


def _facts(facts: Mapping[str, str], alt: str) -> None:
    values = [plain(fact) for fact in facts.values()]
    st.table(
        pd.DataFrame({"": list(facts), "Value": values}),
        border="horizontal",
        hide_index=True,
        hide_header=True,
        width=TABLE_PX,
        alt=alt,
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _size(version: Version) -> int:
    """Bytes of a dataset's folder, models and all."""
    folder = Workspace().path(version.name)
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _cleaning(version: Version) -> None:
    report = session.dataset(version).manifest["cleaning"]
    st.caption(f"{report['rows_read']:,} rows were read. Nothing is dropped silently:")
    if not report["changes"]:
        st.write("Every row was kept as it was.")
        return
    st.dataframe(
        {
            "What": [change["what"] for change in report["changes"]],
            "Count": [change["count"] for change in report["changes"]],
            "For example": ["; ".join(change["examples"]) for change in report["changes"]],
        },
        hide_index=True,
        alt="What cleaning dropped or changed",
        column_config={"Count": st.column_config.NumberColumn(format="localized", width="small")},
    )


# --- audio features ---


def _features(version: Version) -> None:
    joins = session.dataset(version).manifest["features"]
    known = _coverage(version)
    chart, form = st.columns([3, 2], gap="large")
    with chart:
        if joins:
            st.markdown(_joined(joins[-1]))
        before = joins[-1].get("features_before") if joins else None
        names = ", ".join(f"{name} {share:.0%}" for name, share in known.items())
        st.plotly_chart(
            coverage_figure(known, before, dark=is_dark()),
            key="coverage",
            config=chart_config(f"{version.name}-audio-features"),
            alt=f"Share of the tracks for which each audio feature is known: {names}",
        )
    if not jobs.public():
        with form:
            _join(version)


@st.cache_data(max_entries=64, show_spinner=False)
def _coverage(version: Version) -> dict[str, float]:
    return coverage(Workspace().path(version.name))


def _joined(join: Mapping[str, Any]) -> str:
    """The last joined table in words."""
    return (
        f"{plain(join['table'])} was joined last: {counted(join['by_id'], 'track')} found by id, "
        f"{join['by_name']:,} by title and artist. Tracks with audio features: "
        f"**{join['before']:.0%}** before, **{join['after']:.0%}** now."
    )


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


# --- models ---


def _models(version: Version) -> None:
    cards = session.cards(version)
    if cards:
        st.dataframe(
            {
                "Model": [session.model_label(card.model) for card in cards],
                "Fit (s)": [card.seconds for card in cards],
                "Peak memory (MB)": [card.peak_mb for card in cards],
                "Settings": [
                    ", ".join(f"{name} {value}" for name, value in card.params.items())
                    for card in cards
                ],
                "Trained (UTC)": [card.trained[:16].replace("T", " ") for card in cards],
                "Published as": [session.source_of(card.model) for card in cards],
            },
            hide_index=True,
            alt="Trained models",
        )
    else:
        st.info("No model is trained on this dataset yet.", icon=":material/model_training:")
    if version.name != session.request_now().dataset:
        st.caption("“Use this dataset” opens it; models are trained on the Training page.")
        return
    st.page_link(
        "training.py", label="Train, compare and keep models", icon=":material/model_training:"
    )
    st.page_link("comparison.py", label="How good they are", icon=":material/leaderboard:")
