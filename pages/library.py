"""What is in the workspace: datasets, where they come from, their models; import and training."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from core.dataset.library import AUTO, SOURCES, import_dataset, open_writable
from core.errors import SegueError
from core.ranking.ranker import RANKER
from core.retrieval import MODELS
from core.training.train import chosen_models, train, why_not
from core.workspace import Workspace, checked_name
from pages import session
from pages.session import Version
from pages.widgets import PageProgress, counted, plain, sentences, simulated_badge


def page() -> None:
    st.title("Library", anchor=False)
    names = Workspace().names()
    if not names:
        st.info(
            "No dataset yet. Import playlists below; the demo ships in data/demo.",
            icon=":material/library_music:",
        )
    else:
        name = _datasets(names)
        with sentences():
            _dataset(session.version_of(name))
    _import()


# --- what there is ---


def _datasets(names: Sequence[str]) -> str:
    """A table of the datasets; returns the one that is selected."""
    rows = [_overview(name) for name in names]
    current = session.request_now().dataset
    state = st.dataframe(
        pd.DataFrame(rows),
        key=f"datasets_{current}",  # a new current dataset is selected anew
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [names.index(current)]}},
        alt="Datasets of the workspace",
        column_config={
            kind: st.column_config.NumberColumn(format="localized")
            for kind in ("Playlists", "Entries", "Tracks", "Artists")
        },
    )
    rows_chosen = state["selection"]["rows"]
    return names[rows_chosen[0]] if rows_chosen and rows_chosen[0] < len(names) else current


def _overview(name: str) -> dict[str, Any]:
    version = session.version_of(name)
    try:
        manifest = session.dataset(version).manifest
    except SegueError:
        return {"Dataset": name, "Data": "cannot be opened"}
    counts = manifest["counts"]
    return {
        "Dataset": name,
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
        manifest = session.dataset(version).manifest
        if manifest["simulated"]:
            simulated_badge()
        if version.name != session.request_now().dataset:
            st.button(
                "Use this dataset",
                on_click=session.change,
                kwargs={"dataset": version.name},
            )
    origin, cleaning, models = st.tabs(["Origin", "Cleaning", "Models"])
    with origin:
        _origin(manifest)
    with cleaning:
        _cleaning(manifest["cleaning"])
    with models:
        _models(version)


def _origin(manifest: Mapping[str, Any]) -> None:
    source = manifest["source"]
    facts = {
        "Source": SOURCES[source].label if source in SOURCES else source,
        "Files": ", ".join(manifest["files"]) or "none",
        "Licence": manifest["licence"] or "not stated by the source",
        "Made": manifest["created"].replace("T", " ").replace("+00:00", " UTC"),
        "Audio features": "; ".join(map(_join, manifest["features"])) or "as the source has them",
        "Fingerprint": manifest["fingerprint"][:16],
    }
    st.table(
        pd.DataFrame({"": list(facts), "Value": [plain(fact) for fact in facts.values()]}),
        border="horizontal",
        hide_index=True,
        hide_header=True,
        alt="Where the dataset comes from",
    )


def _join(join: Mapping[str, Any]) -> str:
    """A joined audio-feature table in words."""
    found = join["by_id"] + join["by_name"]
    return f"{join['table']} for {found:,} tracks; {join['after']:.0%} of all have some"


def _cleaning(report: Mapping[str, Any]) -> None:
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
    if st.button(
        "Train again, fast" if cards else "Train, fast", type="secondary" if cards else "primary"
    ):
        _train(version.name)
    for name in (*MODELS, RANKER):
        if problem := why_not(name):
            st.caption(plain(f"{session.model_label(name)} is left out. {problem}"))
    st.caption("Fast settings take seconds to minutes. For the best ones, on the command line:")
    st.code(f"python -m core train --dataset {version.name}", language="bash")
    if version.name == session.request_now().dataset:
        st.page_link(
            "comparison.py",
            label="How good they are: the leaderboard",
            icon=":material/leaderboard:",
        )


def _train(name: str) -> None:
    with sentences(), _progress() as progress:
        names = chosen_models("all")
        train(open_writable(Workspace(), name), names, "fast", progress=progress)
        st.toast(f"{len(names)} models are trained on “{plain(name)}”.")
        st.rerun()


@contextmanager
def _progress() -> Iterator[PageProgress]:
    """A bar for a long task, gone when it ends, however it ends."""
    progress = PageProgress()
    try:
        yield progress
    finally:
        progress.done()


# --- import ---


def _import() -> None:
    st.subheader("Import playlists", anchor=False)
    with st.form("import", border=True):
        files = st.file_uploader(
            "Upload files",
            accept_multiple_files=True,
            help="JSON slices or a zip of them, #nowplaying's or TidyTuesday's CSV, or lists as "
            "CSV, M3U, XSPF, JSPF, text.",
        )
        path = st.text_input("or a path on the server", placeholder="/data/mpd, or a file")
        with st.container(horizontal=True):
            name = st.text_input("Name of the dataset", placeholder="letters, digits, dashes")
            source = st.selectbox(
                "Format",
                [AUTO, *SOURCES],
                format_func=lambda key: "Look and see" if key == AUTO else SOURCES[key].label,
            )
        replace = st.checkbox("Replace a dataset of this name")
        if st.form_submit_button("Import", type="primary"):
            with sentences(), _saved(files) as uploaded:
                _run_import(name.strip(), source, uploaded or _server_path(path), replace)


@contextmanager
def _saved(files: Sequence[Any]) -> Iterator[list[Path]]:
    """Uploads as files of a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, file in enumerate(files):
            name = Path(file.name).name.lstrip(".") or "upload"
            path = Path(folder) / str(number) / name
            path.parent.mkdir()
            path.write_bytes(file.getbuffer())
            paths.append(path)
        yield paths


def _server_path(text: str) -> list[Path]:
    try:
        return [Path(text.strip()).expanduser()] if text.strip() else []
    except RuntimeError as error:
        raise SegueError(f"{text.strip()}: the server knows no such home folder.") from error


def _run_import(name: str, source: str, paths: Sequence[Path], replace: bool) -> None:
    if not paths:
        raise SegueError("Upload a file, or give a path on the server.")
    workspace = Workspace()
    if checked_name(name) in workspace.names() and not replace:
        raise SegueError(f"There is a dataset “{name}” already: choose another name, or replace.")
    with _progress() as progress:
        manifest = import_dataset(workspace, name, source, paths, progress)
    counts = manifest["counts"]
    playlists, tracks = counted(counts["playlists"], "playlist"), counted(counts["tracks"], "track")
    st.toast(f"{playlists}, {tracks} imported.")
    session.change(dataset=name)
    st.rerun()


page()
