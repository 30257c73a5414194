"""Navigation and the sidebar that all pages share; app.py serves this script."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from core.jobs import public
from core.workspace import REPOSITORY, Workspace
from pages.common import answers, jobs, request, session, widgets
from pages.playlists import dials

STYLE = """<style>
    .stMainBlockContainer { padding-inline: clamp(1rem, 3vw, 3rem); max-width: 110rem; }
    @media (min-width: 769px) { div:has(> .st-key-simulated_narrow) { display: none; } }
    [role=dialog] h2 { font-family: "Source Serif", serif; }
    /* Captions fade as a whole, links in them to less contrast than can be read. */
    [data-testid=stCaptionContainer]:has(a) { opacity: 1; }
    [data-testid=stCaptionContainer]:has(a) p {
        color: color-mix(in srgb, currentColor 60%, transparent);
    }
    /* Tables of names and values: long values are whole, on several lines. */
    .stTable td:last-child:nth-child(2) {
        white-space: normal; overflow-wrap: anywhere; max-width: none;
    }
    @media (max-width: 640px) {
        /* One choice of several: more fit on a line, and a second line looks whole. */
        button[data-variant=segmented_control] {
            border-radius: .5rem; margin: 0; padding-inline: .6rem;
        }
        button[data-variant=segmented_control]:not([data-selected]) {
            border-color: color-mix(in srgb, currentColor 16%, transparent) !important;
        }
        div:has(> button[data-variant=segmented_control]) { gap: .25rem .2rem; }
        /* What is left of a grid's last row. */
        .stColumn:has(> .stVerticalBlock:empty) { display: none; }
    }
</style>"""
CHART_MENU = REPOSITORY / "data" / "chart_menu.html"
LOGO, ICON = REPOSITORY / "data" / "logo.svg", REPOSITORY / "data" / "icon.svg"
PAGES = (
    st.Page("continuation.py", title="Continuation", icon=":material/queue_music:", default=True),
    st.Page("map.py", title="Map", icon=":material/scatter_plot:"),
    st.Page("journey.py", title="Journey", icon=":material/route:"),
    st.Page("popularity.py", title="Popularity", icon=":material/show_chart:"),
    st.Page("comparison.py", title="Comparison", icon=":material/compare_arrows:"),
    st.Page("training.py", title="Training", icon=":material/model_training:"),
    st.Page("library.py", title="Library", icon=":material/library_music:"),
)


def sidebar() -> None:
    """Dataset, model, dials: what every page answers to."""
    with st.sidebar, widgets.sentences():
        jobs.badge()
        if public():
            st.caption("A public host: nothing is trained, imported or deleted here.")
        names = Workspace().names()
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
        answers.settle_moods()
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
        with st.container(gap="xsmall"):
            _dials()
        _filters()


def _about_dataset() -> None:
    manifest = session.dataset(session.version()).manifest
    if manifest["simulated"]:
        widgets.simulated_badge()
    counts = manifest["counts"]
    playlists, tracks = counts["playlists"], counts["tracks"]
    st.caption(f"{widgets.counted(playlists, 'playlist')}, {widgets.counted(tracks, 'track')}")


# --- dials ---


def _dials() -> None:
    with st.container(
        horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"
    ):
        st.subheader("Dials", anchor=False, width="content")
        if session.turned():
            st.button(
                "Reset dials",
                type="tertiary",
                icon=":material/restart_alt:",
                on_click=session.reset_dials,
            )
    _dial(
        st.slider,
        "Tracks to add",
        "k",
        min_value=request.SHORTEST,
        max_value=request.LONGEST,
    )
    _measured_dial(
        st.select_slider,
        "Familiar to adventurous",
        "adventure",
        options=request.ADVENTURE,
        format_func=lambda dial: _leaning(dial, "familiar", "adventurous"),
        help="Favours tracks near those of your playlist, or far from them.",
    )
    _measured_dial(
        st.select_slider,
        "Popular to deep cuts",
        "popularity",
        options=request.POPULARITY[::-1],
        format_func=lambda dial: _leaning(dial, "deep cuts", "popular"),
        help="Favours tracks that many playlists hold, or tracks that few do.",
    )
    _measured_dial(
        st.select_slider,
        "Variety",
        "variety",
        options=request.VARIETY,
        format_func=lambda dial: f"{dial:.0%}" if dial else "as scored",
        help="Makes each track unlike those before it.",
    )
    _measured_dial(
        st.segmented_control,
        "Tracks per artist, at most",
        "per_artist",
        options=request.PER_ARTIST,
        format_func=lambda most: str(most) if most else "any",
        required=True,
    )
    _measured_dial(
        st.toggle,
        "One version of a song",
        "one_version",
        help="Shows one of original, remaster, live recording and radio edit, and none of a seed.",
    )
    _measured_dial(
        st.toggle,
        "Smooth transitions",
        "smooth",
        help="Lets tempo, key and energy change little from track to track.",
    )


def _leaning(dial: float, below: str, above: str) -> str:
    if not dial:
        return "as scored"
    side = above if dial > 0 else below
    return f"most {side}" if abs(dial) == 1 else f"more {side}"


def _measured_dial(widget: Callable[..., Any], label: str, field: str, **options: Any) -> None:
    """A dial that says, where it is turned, what that costs and gains."""
    with st.container(gap="xxsmall"):
        _dial(widget, label, field, **options)
        if session.turned([field]):
            said, how = dials.costs(field, getattr(session.request_now(), field))
            st.caption(said, help=how or None)


def _dial(widget: Callable[..., Any], label: str, field: str, **options: Any) -> None:
    """A widget that shows and sets a field of the request."""
    key = f"dial_{field}"
    st.session_state[key] = getattr(session.request_now(), field)
    widget(label, key=key, on_change=session.turn, args=(field, key), **options)


# --- filters ---


def _filters() -> None:
    on = len(session.turned(request.FILTERS))
    with st.expander(f"Filters ({on} on)" if on else "Filters", key="filters", type="compact"):
        _dial(
            st.toggle,
            "Explicit tracks",
            "explicit",
            help="Off hides tracks that are known to be explicit.",
        )
        _years()
        _blocked()


def _years() -> None:
    """First and last year of release; the ends of the slider are open."""
    known = session.years(session.version())
    if known is None:
        st.caption("No year of release is known here.")
        return
    first, last = session.request_now().years or (None, None)
    low, high = min(known.first, first or known.first), max(known.last, last or known.last)
    if low == high:
        return

    def turn() -> None:
        first, last = st.session_state.dial_years
        years = (None if first == low else first, None if last == high else last)
        session.change(years=None if years == (None, None) else years)

    st.session_state.dial_years = (first or low, last or high)
    hidden = widgets.counted(known.unknown, "track")
    st.slider(
        "Years of release",
        low,
        high,
        key="dial_years",
        on_change=turn,
        help=f"Narrowed, it also hides {hidden} of unknown year." if known.unknown else None,
    )


def _blocked() -> None:
    widgets.artist_search(
        "Blocked artists", "artist_search", session.block, placeholder="Search an artist to block"
    )
    widgets.chips(
        session.artist_labels(session.request_now().blocked),
        "blocked",
        session.unblock,
        "Show this artist again",
    )


def _simulated_narrow() -> None:
    """The badge above the page on a narrow screen, where the sidebar is away."""
    if Workspace().names() and session.dataset(session.version()).manifest["simulated"]:
        with st.container(key="simulated_narrow"):
            widgets.simulated_badge()


def run() -> None:
    st.set_page_config(page_title="Segue", page_icon=str(ICON), layout="wide")
    st.logo(str(LOGO), size="large", icon_image=str(ICON))
    st.html(STYLE)
    st.html(CHART_MENU, unsafe_allow_javascript=True)
    session.start()
    page = st.navigation(list(PAGES))
    st.session_state.page_path = page.url_path
    sidebar()
    session.write_link()
    _simulated_narrow()
    notices = st.container()
    with widgets.sentences():
        page.run()
    with notices:
        for problem in session.problems():
            st.warning(widgets.plain(problem), icon=":material/link_off:")


run()
