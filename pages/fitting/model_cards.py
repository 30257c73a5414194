"""A card for every trained model: what it is, how good, what it cost; to choose or to delete."""

from collections.abc import Callable

import streamlit as st

from core import jobs
from core.dataset.library import open_writable
from core.errors import SegueError
from core.recommender import label_of, source_of
from core.trained import default_model
from core.training.overview import Known, overview
from core.training.shelf import choose_default, delete_model
from core.workspace import Workspace
from pages.common import session
from pages.common.jobs import duration
from pages.common.measured import NAMES, decimals, interval
from pages.common.session import Version
from pages.common.widgets import plain

COLUMNS = 3
METRICS = ("r_precision", "ndcg", "clicks")
_PROBLEM = "models_problem"


def show_models(version: Version) -> None:
    """All cards, and what answers by default."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    known = _overview(version)
    if not known:
        st.info(
            f"No model is trained on “{plain(version.name)}” yet.", icon=":material/model_training:"
        )
        return
    _default(version)
    if any(one.figures and one.measured_so is None for one in known):
        st.caption("The leaderboard does not say which settings it was measured with.")
    for start in range(0, len(known), COLUMNS):
        columns = st.columns(COLUMNS)
        for one, column in zip(known[start : start + COLUMNS], columns, strict=False):
            with column.container(border=True, key=f"card_{one.card.model}", height="stretch"):
                _card(version, one)
    st.page_link("comparison.py", label="The whole leaderboard", icon=":material/leaderboard:")


@st.cache_data(max_entries=16, show_spinner=False)
def _overview(version: Version) -> list[Known]:
    return overview(session.dataset(version))


def _default(version: Version) -> None:
    names = session.answers(version)
    chosen = default_model(session.dataset(version))
    key = "models_default"
    automatic = "auto"
    st.session_state[key] = chosen if chosen in names else automatic
    st.selectbox(
        "Answers by default",
        [automatic, *sorted(names)],
        key=key,
        format_func=lambda name: (
            "The best composition there is" if name == automatic else session.model_label(name)
        ),
        on_change=lambda: _do(
            version,
            choose_default,
            None if st.session_state[key] == automatic else st.session_state[key],
        ),
        disabled=jobs.public(),
        width=360,
        help="For every page, the command line and the HTTP interface, where no model is named. "
        "The best composition is the ranker where it is trained, else all models fused.",
    )


def _card(version: Version, known: Known) -> None:
    card = known.card
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"#### {plain(label_of(card.model))}", width="content")
        if known.is_default:
            st.badge("Default", icon=":material/check:", color="primary")
    if known.problem:
        st.warning(plain(known.problem), icon=":material/warning:")
    _measured(known)
    st.caption(
        f"Fitted in {duration(card.seconds)} · at most {card.peak_mb:,.0f} MB  \n"
        f"{card.trained[:16].replace('T', ' ')} UTC · seed {card.seed}"
    )
    with st.container(horizontal=True):
        _details(version, known)
        if jobs.public():
            return
        if not known.is_default:
            st.button(
                "Make default",
                key=f"default_{card.model}",
                icon=":material/check:",
                type="tertiary",
                on_click=_do,
                args=(version, choose_default, card.model),
            )
        st.button(
            "Delete",
            key=f"delete_{card.model}",
            icon=":material/delete:",
            type="tertiary",
            on_click=_ask_whether_to_delete,
            args=(version, card.model),
        )


def _measured(known: Known) -> None:
    if not known.figures:
        st.caption("Not on the leaderboard yet.")
        return
    shown = {metric: known.figures[metric] for metric in METRICS if metric in known.figures}
    with st.container(horizontal=True, gap="xsmall"):
        for metric, figure in shown.items():
            digits = decimals(metric)
            value = "–" if figure.value is None else f"{figure.value:.{digits}f}"
            st.metric(
                NAMES[metric],
                value,
                interval(figure, digits),
                delta_color="off",
                delta_arrow="off",
                help="On the leaderboard's playlists, with its 95 % interval.",
            )
    if known.measured_so is False:
        st.caption("Measured with other settings than these: evaluate again.")


def _details(version: Version, known: Known) -> None:
    card = known.card
    with st.popover(
        "Settings", icon=":material/tune:", type="tertiary", key=f"settings_{card.model}"
    ):
        st.caption(f"Data: {plain(version.name)}, fingerprint {card.fingerprint[:16]}")
        st.caption(f"Published as: {plain(source_of(card.model))}")
        if not card.params:
            st.write("It has no settings.")
            return
        st.table(
            {"Setting": list(card.params), "Value": [plain(v) for v in card.params.values()]},
            border="horizontal",
            hide_index=True,
            alt=f"Settings of {label_of(card.model)}",
        )


@st.dialog("Delete a model", on_dismiss="rerun")
def _ask_whether_to_delete(version: Version, name: str) -> None:
    st.markdown(
        f"**{plain(label_of(name))}** on “{plain(version.name)}” is removed from the disk. It can "
        "be trained again."
    )
    if session.has_ranker(version):
        st.caption("The ranker is made of the models that are there: it steps back without one.")
    with st.container(horizontal=True):
        if st.button("Delete it", type="primary", icon=":material/delete:"):
            _do(version, delete_model, name)
            st.rerun()
        if st.button("Keep it"):
            st.rerun()


def _do(version: Version, action: Callable[..., None], name: str | None) -> None:
    try:
        jobs.require_private()
        action(open_writable(Workspace(), version.name), name)
    except SegueError as problem:
        st.session_state[_PROBLEM] = str(problem)
