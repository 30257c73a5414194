"""Models: train them, compare them with what is in use, try many settings, see what there is."""

import streamlit as st

from core import jobs
from core.dataset.joins import licences
from core.errors import SegueError
from pages.common import session, view
from pages.common.jobs import job_panel
from pages.common.view import Choice
from pages.common.widgets import plain, sentences
from pages.fitting.grids import show_grids
from pages.fitting.model_cards import show_models
from pages.fitting.runs import show_runs
from pages.fitting.train_form import show_form
from pages.fitting.trials import show_trials

PARTS = {"train": "Train", "grid": "Try many settings", "runs": "Runs", "models": "Models"}
PART = Choice("training.part", "train", view.one_of(list(PARTS), str))


def page() -> None:
    st.title("Training", anchor=False)
    version = session.version()
    try:
        jobs.require_private()
    except SegueError as closed:
        st.info(plain(closed), icon=":material/lock:")
    job_panel()
    if said := licences(session.dataset(version).manifest):
        st.caption(f":material/gavel: Licence of the data: {plain('; '.join(said))}")
    with sentences():
        show_trials(version)
    part = view.widget(
        st.segmented_control,
        "Part of the page",
        PART,
        options=list(PARTS),
        format_func=PARTS.__getitem__,
        label_visibility="collapsed",
        required=True,
    )
    with sentences():
        {"train": show_form, "grid": show_grids, "runs": show_runs, "models": show_models}[part](
            version
        )


page()
