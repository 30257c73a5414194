"""Navigation and the sidebar that all pages share; app.py serves this script."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.workspace import REPOSITORY, Workspace
from pages import session, widgets

STYLE = """<style>
    .stMainBlockContainer { padding-inline: clamp(1rem, 3vw, 3rem); max-width: 110rem; }
</style>"""
LOGO, ICON = REPOSITORY / "data" / "logo.svg", REPOSITORY / "data" / "icon.svg"
PAGES = (
    st.Page("continuation.py", title="Continuation", icon=":material/queue_music:", default=True),
    st.Page("map.py", title="Map", icon=":material/scatter_plot:"),
    st.Page("popularity.py", title="Popularity", icon=":material/show_chart:"),
    st.Page("comparison.py", title="Leaderboard", icon=":material/leaderboard:"),
    st.Page("library.py", title="Library", icon=":material/library_music:"),
)


def sidebar() -> None:
    """Dataset, model, dials: what every page answers to."""
    names = Workspace().names()
    with st.sidebar, widgets.sentences():
        if not names:
            st.caption("No dataset yet.")
            return
        _dial(st.selectbox, "Dataset", "dataset", options=names)
        _about_dataset()
        session.settle_model()
        choices = session.choices(session.version())
        if len(choices) == 1:
            st.caption("No model is trained on it yet.")
            return
        labels = {name: session.model_label(name) for name in choices}
        _dial(
            st.selectbox,
            "Model",
            "model",
            options=choices,
            format_func=labels.__getitem__,
            help="A ranker orders what all models propose, or their rankings are fused, or one "
            "model answers alone.",
        )
        st.divider()
        _dials()


def _about_dataset() -> None:
    manifest = session.dataset(session.version()).manifest
    if manifest["simulated"]:
        widgets.simulated_badge()
    counts = manifest["counts"]
    playlists, tracks = counts["playlists"], counts["tracks"]
    st.caption(f"{widgets.counted(playlists, 'playlist')}, {widgets.counted(tracks, 'track')}")


def _dials() -> None:
    _dial(
        st.slider,
        "Tracks to add",
        "k",
        min_value=session.SHORTEST,
        max_value=session.LONGEST,
    )
    _dial(
        st.select_slider,
        "Deep cuts or hits",
        "popularity",
        options=session.POPULARITY,
        format_func=_leaning,
        help="Favours tracks that few playlists hold, or tracks that many do.",
    )
    _dial(
        st.segmented_control,
        "Tracks per artist, at most",
        "per_artist",
        options=session.PER_ARTIST,
        format_func=lambda most: str(most) if most else "any",
        required=True,
    )
    _dial(
        st.toggle,
        "One version of a song",
        "one_version",
        help="Shows one of original, remaster, live recording and radio edit, and none of a seed.",
    )


def _leaning(dial: float) -> str:
    if not dial:
        return "as scored"
    return f"{'hits' if dial > 0 else 'deep cuts'} {abs(dial):.0%}"


def _dial(widget: Callable[..., Any], label: str, field: str, **options: Any) -> None:
    """A widget that shows and sets a field of the request."""
    key = f"dial_{field}"
    st.session_state[key] = getattr(session.request_now(), field)
    widget(label, key=key, on_change=session.turn, args=(field, key), **options)


def run() -> None:
    st.set_page_config(page_title="Segue", page_icon=str(ICON), layout="wide")
    st.logo(str(LOGO), size="large", icon_image=str(ICON))
    st.html(STYLE)
    session.start()
    page = st.navigation(list(PAGES))
    sidebar()
    session.write_link()
    for problem in session.problems():
        st.warning(widgets.plain(problem), icon=":material/link_off:")
    with widgets.sentences():
        page.run()


run()
