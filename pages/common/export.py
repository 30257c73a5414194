"""Tracks as files to take away."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import streamlit as st

from core.dataset.export import FORMATS
from pages.common import session


def files(tracks: Sequence[int] | np.ndarray, title: str, key: str) -> None:
    """A button for each format that saves these tracks.

    Parameters
    ----------
    tracks : sequence of track ids, in order
    title : str
        Of the list, and of its file.
    key : str
        Of the buttons, distinct on the page.
    """
    opened = session.dataset(session.version())
    for name, kind in FORMATS.items():
        st.download_button(
            kind.label,
            partial(kind.write, opened, tracks, title),
            file_name=f"{_file_name(title)}{kind.ending}",
            mime=kind.media_type,
            key=f"{key}_{name}",
            on_click="ignore",
            width="stretch",
        )


def _file_name(title: str) -> str:
    """A file name that every system takes."""
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    return " ".join(kept.split())[:60] or "segue"
