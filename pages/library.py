"""What is in the workspace, where it comes from, and how more comes into it."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import jobs
from core.dataset.library import delete_dataset, open_dataset
from core.errors import SegueError
from core.workspace import DEMO, Workspace
from pages.common import session, view
from pages.common.jobs import job_panel, news
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import counted, plain, sentences, simulated_badge
from pages.datasets import crawl
from pages.datasets.additions import add_datasets, made_by
from pages.datasets.dataset import show_dataset


def _existing(name: str) -> str:
    if name not in Workspace().names():
        raise ValueError(name)
    return name


# What is looked at; by default what is in use.
DATASET = Choice("library.dataset", "", _existing)
_PROBLEM, _DONE = "library_problem", "library_done"


def page() -> None:
    st.title("Library", anchor=False)
    names = Workspace().names()
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    if done := st.session_state.pop(_DONE, None):
        st.toast(plain(done), icon=":material/delete:")
    job_panel()
    crawl.watch()
    if names:
        with sentences():
            _offer_new(names)
        chosen = _datasets(names)
        with sentences():
            _dataset(session.version_of(chosen))
    else:
        st.info(
            "No dataset yet: fetch a public set, import your own playlists, or invent some.",
            icon=":material/library_music:",
        )
    add_datasets()


def _offer_new(names: Sequence[str]) -> None:
    """Lead on to what the last job has made."""
    job = news()
    name = made_by(job) if job and job.state == "done" else ""
    if name in names and name != session.request_now().dataset:
        counts = _overview(session.version_of(name))
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            playlists, tracks = counts["Playlists"], counts["Tracks"]
            st.markdown(
                f"“{plain(name)}”: {counted(playlists, 'playlist')}, {counted(tracks, 'track')}.",
                width="content",
            )
            _use_button(name, key="use_new", primary=True)


def _use_button(name: str, key: str, primary: bool = False) -> None:
    st.button(
        "Use this dataset",
        key=key,
        type="primary" if primary else "secondary",
        icon=":material/arrow_forward:",
        on_click=_use,
        args=(name,),
    )


def _use(name: str) -> None:
    view.put(DATASET, "")
    session.change(dataset=name)


# --- what there is ---


def _datasets(names: Sequence[str]) -> str:
    """A table of the datasets; returns the one that is selected."""
    used = session.request_now().dataset
    chosen = view.get(DATASET) or used

    def choose() -> None:
        for row in st.session_state.datasets["selection"]["rows"]:
            view.put(DATASET, "" if names[row] == used else names[row])

    st.session_state.datasets = {"selection": {"rows": [names.index(chosen)]}}
    st.dataframe(
        pd.DataFrame([_row(name, name == used) for name in names]),
        key="datasets",
        hide_index=True,
        on_select=choose,
        selection_mode="single-row-required",
        alt="Datasets of the workspace; select one to see more of it",
        column_config={
            "Dataset": st.column_config.TextColumn(width=150),
            "": st.column_config.TextColumn(width=62),
        }
        | {
            kind: st.column_config.NumberColumn(format="localized")
            for kind in ("Playlists", "Entries", "Tracks", "Artists", "Models")
        },
    )
    return chosen


def _row(name: str, is_used: bool) -> dict[str, Any]:
    try:
        facts = _overview(session.version_of(name))
    except SegueError:
        facts = {"Data": "cannot be opened"}
    return {"Dataset": name, "": "in use" if is_used else ""} | facts


@st.cache_data(max_entries=256, show_spinner=False)
def _overview(version: Version) -> dict[str, Any]:
    manifest = open_dataset(Workspace(), version.name).manifest
    counts = manifest["counts"]
    return {
        "Data": "simulated" if manifest["simulated"] else "real",
        "Playlists": counts["playlists"],
        "Entries": counts["entries"],
        "Tracks": counts["tracks"],
        "Artists": counts["artists"],
        "Models": len(session.cards(version)),
        "Licence": manifest["licence"] or "not stated",
    }


def _dataset(version: Version) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader(plain(version.name), width="content", anchor=False)
        if session.dataset(version).manifest["simulated"]:
            simulated_badge()
        if version.name != session.request_now().dataset:
            _use_button(version.name, key="use")
        deletable = Workspace().is_own(version.name) and not jobs.public()
        if deletable and st.button("Delete", icon=":material/delete:"):
            _ask_whether_to_delete(version)
    show_dataset(version)


# --- delete ---


@st.dialog("Delete a dataset")
def _ask_whether_to_delete(version: Version) -> None:
    with sentences():
        facts = _overview(version)
        st.markdown(
            f"**{plain(version.name)}** with {counted(facts['Playlists'], 'playlist')}, "
            f"{counted(facts['Tracks'], 'track')} and {counted(facts['Models'], 'trained model')} "
            "is removed from the disk. This cannot be undone."
        )
        left = [name for name in Workspace().names() if name != version.name]
        if version.name == DEMO.name:
            st.caption("The demo as it ships takes its place.")
        elif version.name == session.request_now().dataset and left:
            st.caption(f"It is in use here; “{plain(left[0])}” takes its place.")
        with st.container(horizontal=True):
            decided = st.button(
                "Delete it",
                type="primary",
                icon=":material/delete:",
                on_click=_delete,
                args=(version.name,),
            )
            if st.button("Keep it") or decided:
                st.rerun()


def _delete(name: str) -> None:
    """Delete a dataset; the page says next that it is gone, or why it is not."""
    try:
        jobs.require_private()
        delete_dataset(Workspace(), name)
    except SegueError as problem:
        st.session_state[_PROBLEM] = str(problem)
        return
    view.put(DATASET, "")
    left = Workspace().names()
    if name == session.request_now().dataset and name not in left:
        session.change(dataset=left[0] if left else "")
    st.session_state[_DONE] = f"“{name}” is deleted."


page()
