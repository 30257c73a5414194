"""How datasets come into the library: fetched, imported or invented, each as a job."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from core import jobs
from core.dataset.fetch import arrived, megabytes
from core.dataset.library import AUTO, SOURCES
from core.dataset.public_sets import PublicSet, public_sets
from core.errors import SegueError
from core.jobs import Job
from core.workspace import Workspace
from pages.common import view
from pages.common.jobs import note, running, start, start_button
from pages.common.view import Choice
from pages.common.widgets import plain, sentences
from pages.datasets import crawl
from pages.datasets.naming import FIELD_PX, given_name, name_field

SIZE_PX = 136
WAYS = {
    "fetch": "Public sets",
    "import": "Your files",
    "crawl": "Spotify",
    "simulate": "Simulated",
}
WAY = Choice("library.add", "fetch", view.one_of(list(WAYS), str))
MOST_PLAYLISTS, MOST_TRACKS = 50_000, 200_000
"""Of what the page invents; the command line invents a million."""


def add_datasets() -> None:
    """Offer every way to a new dataset, or say why there is none on this host."""
    st.subheader("Add a dataset", anchor=False)
    try:
        jobs.require_private()
    except SegueError as closed:
        st.info(str(closed), icon=":material/lock:")
        return
    way = view.widget(
        st.segmented_control,
        "Where from",
        WAY,
        options=list(WAYS),
        format_func=WAYS.__getitem__,
        label_visibility="collapsed",
        required=True,
    )
    with sentences():
        {"fetch": _fetch, "import": _import, "crawl": crawl.form, "simulate": _simulate}[way]()
    note()


def made_by(job: Job) -> str:
    """The dataset that a job brings into the library; empty for a job of another kind."""
    command, *options = job.argv
    return options[options.index("--name") + 1] if command in WAYS else ""


# --- fetch ---


def _fetch() -> None:
    for each in public_sets().values():
        with st.container(border=True, key=f"set_{each.name}"), sentences():
            _card(each)


def _card(each: PublicSet) -> None:
    st.markdown(f"#### {plain(each.label)}")
    st.write(plain(each.about))
    st.caption(
        f"**{megabytes(each.size)}** · licence {plain(each.licence)} · from "
        f"{plain(urlsplit(each.address).netloc)} · checked against its SHA-256 "
        f"{each.sha256[:12]}…"
    )
    here = 0 if running() else arrived(Workspace(), each)
    if here:
        st.progress(
            min(here / each.size, 1.0),
            f"{megabytes(here)} of {megabytes(each.size)} are here from a download that was "
            "interrupted",
        )
    name, replace = _name(each.name, each.name)
    label = "Go on with the download" if here else "Fetch"
    if start_button(label, f"fetch_{each.name}_button", ":material/download:"):
        argv = ["fetch", each.name, "--name", _free(name, replace), *["--replace"] * replace]
        _start(f"Fetch {each.label} as “{name}”", argv)


def _name(key: str, default: str = "") -> tuple[str, bool]:
    """Ask for a new dataset's name, and whether to replace where there is one of that name."""
    name = name_field(f"name_{key}", default)
    replace = name in Workspace().names() and st.checkbox(
        f"Replace “{plain(name)}”, and all that was trained on it",
        key=f"replace_{key}",
    )
    return name, replace


def _free(name: str, replace: bool) -> str:
    """The name, if a dataset may be written under it."""
    if given_name(name) in Workspace().names() and not replace:
        raise SegueError(f"There is a dataset “{name}” already: choose another name, or replace.")
    return name


def _start(label: str, argv: Sequence[str], files: Mapping[str, bytes] | None = None) -> None:
    start(label, argv, files)
    st.rerun()


# --- import ---


def _import() -> None:
    with st.container(border=True, key="import"):
        files = st.file_uploader(
            "Upload files",
            accept_multiple_files=True,
            help="JSON slices or a zip of them, #nowplaying's or TidyTuesday's CSV, or lists as "
            "CSV, M3U, XSPF, JSPF, text.",
        )
        path = st.text_input("or a path on the server", placeholder="/data/mpd, or a file")
        source = st.selectbox(
            "Format",
            [AUTO, *SOURCES],
            format_func=lambda key: "Look and see" if key == AUTO else SOURCES[key].label,
            width=FIELD_PX,
        )
        name, replace = _name("import")
        if start_button("Import", "import_button", ":material/upload_file:"):
            name = _free(name, replace)
            contents = _contents(files)
            paths = [f"{{files}}/{file}" for file in contents] or _server_path(path)
            argv = ["import", source, *paths, "--name", name]
            _start(f"Import “{name}”", argv, contents)


def _contents(files: Sequence[Any]) -> dict[str, bytes]:
    """Uploads by name; a name that comes twice is numbered."""
    contents: dict[str, bytes] = {}
    for number, file in enumerate(files, 1):
        name = Path(file.name).name.lstrip(".-") or "upload"
        contents[f"{number}-{name}" if name in contents else name] = file.getvalue()
    return contents


def _server_path(text: str) -> list[str]:
    """A path on the server, as the list that a command takes."""
    if not text.strip():
        raise SegueError("Upload a file, or give a path on the server.")
    try:
        path = Path(text.strip()).expanduser().absolute()
    except RuntimeError as error:
        raise SegueError(f"{text.strip()}: the server knows no such home folder.") from error
    if not path.exists():
        raise SegueError(f"{path}: there is no such file or folder on the server.")
    return [str(path)]


# --- simulate ---


def _simulate() -> None:
    with st.container(border=True, key="simulate"):
        st.caption(
            "Invented playlists, tracks and artists: to try things on, not to conclude from."
        )
        with st.container(horizontal=True):
            playlists = st.number_input("Playlists", 100, MOST_PLAYLISTS, 4_000, 100, width=SIZE_PX)
            tracks = st.number_input("Tracks", 500, MOST_TRACKS, 12_000, 500, width=SIZE_PX)
            seed = st.number_input(
                "Seed", 0, 999_999, 0, help="Same numbers, same playlists.", width=SIZE_PX
            )
        name, replace = _name("simulate")
        if start_button("Invent", "simulate_button", ":material/science:"):
            sizes = ["--playlists", playlists, "--tracks", tracks, "--seed", seed]
            argv = ["simulate", "--name", _free(name, replace), *map(str, sizes)]
            _start(f"Invent “{name}”", argv)
