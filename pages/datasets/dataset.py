"""One dataset of the library: its origin, its cleaning, its audio features, its models."""

import streamlit as st

from core.dataset.library import SOURCES
from core.recommender import source_of
from core.workspace import Workspace
from pages.common import session, view
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import facts
from pages.datasets import crawl
from pages.datasets.enrichment import show_features

PART = Choice(
    "library.part",
    "origin",
    view.one_of(("origin", "cleaning", "crawl", "features", "models"), str),
)


def show_dataset(version: Version) -> None:
    """What is known of a dataset, one part at a time."""
    parts = {
        "origin": ("Origin", _origin),
        "cleaning": ("Cleaning", _cleaning),
        "crawl": ("Crawl", lambda version: crawl.show(version.name, "made")),
        "features": ("Features", show_features),
        "models": ("Models", _models),
    }
    if not crawl.is_crawled(version):
        del parts["crawl"]
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
    known = {
        "Source": SOURCES[source].label if source in SOURCES else source,
        "Files": ", ".join(manifest["files"]),
        "Downloaded from": manifest.get("address"),
        "Licence": manifest["licence"] or "not stated by the source",
        "Made": manifest["created"].replace("T", " ").replace("+00:00", " UTC"),
        "On disk": f"{_size(version) / 1e6:,.1f} MB",
        "Fingerprint": manifest["fingerprint"][:16],
    }
    facts({name: fact for name, fact in known.items() if fact}, "Where the dataset comes from")


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
            "Count": [change["count"] for change in report["changes"]],
            "What": [change["what"] for change in report["changes"]],
            "For example": ["; ".join(change["examples"]) for change in report["changes"]],
        },
        hide_index=True,
        alt="What cleaning dropped or changed",
        column_config={"Count": st.column_config.NumberColumn(format="localized", width="small")},
    )


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
                "Published as": [source_of(card.model) for card in cards],
            },
            hide_index=True,
            alt="Trained models",
            column_config={
                "Fit (s)": st.column_config.NumberColumn(format="%.1f"),
                "Peak memory (MB)": st.column_config.NumberColumn(format="%.0f"),
            },
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
