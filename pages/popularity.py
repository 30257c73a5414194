"""How popularity is spread over tracks and artists, and where the playlist falls; a page."""

import streamlit as st

from core.explore.figures import (
    ccdf_figure,
    chart_config,
    lorenz_figure,
    playlist_length_figure,
    rank_frequency_figure,
)
from core.explore.goodness import Goodness
from core.explore.power_law import PowerLawFit
from pages.common import answers, session, view
from pages.common.screens import is_dark
from pages.common.session import Version
from pages.common.widgets import counted, sentences
from pages.comparisons import lean
from pages.spread import power_law
from pages.spread.holders import OF, PLURALS, Holders, holders, lengths, marks


def page() -> None:
    st.title("Popularity", anchor=False)
    with sentences():
        version = session.version()
        kind = view.widget(
            st.segmented_control,
            "Whose popularity",
            OF,
            options=list(PLURALS),
            format_func=PLURALS.__getitem__,
            label_visibility="collapsed",
            required=True,
        )
        with st.skeleton(height=420):
            found = holders(version, kind)
        once = " An artist has one entry in a playlist, however many tracks."
        st.caption(
            f"How {counted(session.dataset(version).n_playlists, 'playlist')} share their "
            f"{found.entries:,} entries among {counted(found.n, kind)}."
            + (once if kind == "artist" else "")
        )
        good = power_law.known(version, found)
        _headline(found, good)
        _curves(version, found)
        undone = power_law.verdict(version, found, good)
        left, right = st.columns(2, gap="medium")
        with left:
            _inequality(version, found)
        with right:
            _lengths(version)
        lean.show(version)
        if undone:  # last, so that nothing waits for it
            undone()


def _headline(found: Holders, good: Goodness | None) -> None:
    """The page in four figures."""
    fit = found.fit
    with st.container(horizontal=True, gap="medium", key="headline"):
        _metric("Gini coefficient", f"{found.gini:.2f}", "0 equal, 1 one has all")
        _metric(f"The top 1 % of {found.noun}s", f"{found.top:.0%}", "of all entries")
        if isinstance(fit, PowerLawFit):
            between = (
                f"95 %: {good.low:.2f} to {good.high:.2f}"
                if good
                else f"± {fit.standard_error:.2f}"
            )
            _metric("Exponent of the tail", f"{fit.exponent:.2f}", between)
            if good:
                answer = "Possible" if good.plausible else "Ruled out"
                _metric("A power law?", answer, power_law.in_figures(good))
            else:
                _metric("A power law?", "…", "drawing samples")
        else:
            _metric("A power law?", "No fit", "see below")


def _metric(label: str, value: str, about: str) -> None:
    st.metric(label, value, about, delta_color="off", delta_arrow="off")


def _curves(version: Version, found: Holders) -> None:
    marked = [
        *marks(version, found, "continuation", answers.continued()),
        *marks(version, found, "seed", session.seeds().ids),
    ]
    if not marked:
        st.caption(f"Start a playlist, and its {found.noun}s are marked on the curves.")
    drawn = found.fit if isinstance(found.fit, PowerLawFit) else None
    ranks, tail = st.columns(2, gap="medium")
    with ranks:
        st.subheader("By rank", anchor=False)
        st.plotly_chart(
            rank_frequency_figure(found.by_rank, marked, noun=found.noun, dark=is_dark()),
            key="ranks",
            config=chart_config(f"ranks-{found.noun}s-{version.name}"),
            alt=f"Playlists that hold each {found.noun} by its popularity rank, both on log axes.",
        )
    with tail:
        st.subheader("By share", anchor=False)
        st.plotly_chart(
            ccdf_figure(found.by_share, drawn, marked, noun=found.noun, dark=is_dark()),
            key="tail",
            config=chart_config(f"tail-{found.noun}s-{version.name}"),
            alt=f"Share of {found.noun}s in at least so many playlists, both on log axes, "
            + ("with the fitted power law." if drawn else "without a fit."),
        )


def _inequality(version: Version, found: Holders) -> None:
    st.subheader("How unequal is it?", anchor=False)
    st.caption(
        f"The Gini coefficient, {found.gini:.2f}, is the shaded area over that of the triangle "
        "below equal shares."
    )
    st.plotly_chart(
        lorenz_figure(found.lorenz, noun=found.noun, dark=is_dark()),
        key="lorenz",
        config=chart_config(f"lorenz-{found.noun}s-{version.name}"),
        alt=f"Lorenz curve: the share of entries that the least popular {found.noun}s hold. "
        f"The Gini coefficient is {found.gini:.2f}; the top 1 % hold {found.top:.0%}.",
    )


def _lengths(version: Version) -> None:
    histogram, median = lengths(version)
    st.subheader("How long are playlists?", anchor=False)
    st.caption(f"Half of them hold {median:,.0f} tracks or more.")
    st.plotly_chart(
        playlist_length_figure(histogram, median, dark=is_dark()),
        key="lengths",
        config=chart_config(f"lengths-{version.name}"),
        alt=f"Playlists by number of tracks, on a log axis, with the median, {median:,.0f}, "
        "marked.",
    )


page()
