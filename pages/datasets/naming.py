"""What a new dataset is called."""

import streamlit as st

from core.errors import SegueError
from core.workspace import checked_name

FIELD_PX = 380


def name_field(key: str, default: str = "") -> str:
    """Ask for a new dataset's name."""
    name = st.text_input(
        "Name of the dataset",
        default,
        key=key,
        placeholder="letters, digits, dashes",
        width=FIELD_PX,
    )
    return name.strip()


def given_name(name: str) -> str:
    """A name that was asked for, if there is one and it can name a dataset."""
    if not name:
        raise SegueError("Give the dataset a name first.")
    return checked_name(name)
