"""How popularity is spread over tracks, and where the playlist and its continuation fall."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from core.explore.figures import (
    Kind,
    Mark,
    ccdf_figure,
    chart_config,
    playlist_length_figure,
    rank_frequency_figure,
)
from core.explore.power_law import (
    Comparison,
    Curve,
    Histogram,
    NoFit,
    PowerLawFit,
    ccdf,
    fit_power_law,
    length_histogram,
    rank_frequency,
)
from pages import session
from pages.session import Version
from pages.widgets import plain, sentences


def page() -> None:
    st.title("Popularity", anchor=False)
    with sentences():
        version = session.version()
        counts = session.dataset(version).manifest["counts"]
        st.caption(
            f"How {counts['entries']:,} entries of {counts['playlists']:,} playlists are spread "
            f"over {counts['tracks']:,} tracks."
        )
        marks = [*_marks("continuation", session.continued()), *_marks("seed", session.seeds().ids)]
        if not marks:
            st.caption("Start a playlist, and its tracks are marked on the curves.")
        with st.skeleton(height=420):
            fit = _fit(version)
        _curves(version, fit, marks)
        _verdict(fit)
        _lengths(version)


def _marks(kind: Kind, tracks: Sequence[int]) -> list[Mark]:
    """Where tracks fall; those in no playlist have no place on a log axis."""
    version = session.version()
    ids = np.array(tracks, np.int64)
    counts = session.dataset(version).counts[ids].tolist()
    ranks = session.standing(version).ranks(ids).tolist()
    return [
        Mark(kind, name, rank, count)
        for name, rank, count in zip(session.names(version, ids), ranks, counts, strict=True)
        if count
    ]


@st.cache_data(max_entries=8, show_spinner=False)
def _fit(version: Version) -> PowerLawFit | NoFit:
    return fit_power_law(session.dataset(version).counts)


@st.cache_data(max_entries=8, show_spinner=False)
def _shapes(version: Version) -> tuple[Curve, Curve, Histogram, float]:
    """Rank-frequency, tail, playlist lengths and the median of these."""
    opened = session.dataset(version)
    lengths = opened.playlists.lengths
    median = float(np.median(lengths))
    return (
        rank_frequency(opened.counts),
        ccdf(opened.counts),
        length_histogram(lengths),
        median,
    )


def _curves(version: Version, fit: PowerLawFit | NoFit, marks: Sequence[Mark]) -> None:
    by_rank, by_share, _, _ = _shapes(version)
    drawn = fit if isinstance(fit, PowerLawFit) else None
    dark = st.context.theme.type == "dark"
    ranks, tail = st.columns(2, gap="medium")
    with ranks:
        st.subheader("By rank", anchor=False)
        st.plotly_chart(
            rank_frequency_figure(by_rank, marks, dark=dark),
            key="ranks",
            config=chart_config(f"ranks-{version.name}"),
            alt="Playlists that hold a track by the track's popularity rank, both on log axes.",
        )
    with tail:
        st.subheader("By share", anchor=False)
        st.plotly_chart(
            ccdf_figure(by_share, drawn, marks, dark=dark),
            key="tail",
            config=chart_config(f"tail-{version.name}"),
            alt="Share of tracks in at least so many playlists, both on log axes, "
            + ("with the fitted power law." if drawn else "without a fit."),
        )


def _verdict(fit: PowerLawFit | NoFit) -> None:
    """The fit in numbers and in words, or why there is none."""
    st.subheader("Is it a power law?", anchor=False)
    if isinstance(fit, NoFit):
        st.info(plain(fit.reason), icon=":material/show_chart:")
        return
    with st.container(horizontal=True, gap="medium"):
        st.metric("Exponent", f"{fit.exponent:.2f} ± {fit.standard_error:.2f}", width="content")
        st.metric("x_min (playlists)", f"{fit.x_min:,}", width="content")
        st.metric("Tracks in the tail", f"{fit.n_tail:,} of {fit.n_values:,}", width="content")
        st.metric(
            "Kolmogorov-Smirnov distance",
            f"{fit.distance:.3f}",
            help="Largest gap between the fitted and the observed share; 0 is a perfect fit.",
            width="content",
        )
    for comparison in fit.comparisons:
        st.write(plain(_in_words(comparison)))
    st.caption(
        "Maximum likelihood after Clauset, Shalizi and Newman (2009), with the powerlaw package. "
        "The tail begins at x_min, from which on the law fits best."
    )


def _in_words(comparison: Comparison) -> str:
    other = comparison.alternative.replace("_", " ")
    if comparison.ratio is None or comparison.p_value is None:
        return f"A {other} could not be fitted to the tail, so there is nothing to compare with."
    figures = f"(likelihood ratio {comparison.ratio:+.1f}, p = {comparison.p_value:.2g})"
    if comparison.favours is None:
        return f"A {other} fits the tail about as well: these data cannot tell {figures}."
    if comparison.favours == "power_law":
        return f"Yes, as far as these data tell: it fits better than a {other} {figures}."
    return f"Rather not: a {other} fits the tail better {figures}. The exponent only describes it."


def _lengths(version: Version) -> None:
    _, _, histogram, median = _shapes(version)
    st.subheader("Playlist lengths", anchor=False)
    st.plotly_chart(
        playlist_length_figure(histogram, median, dark=st.context.theme.type == "dark"),
        key="lengths",
        config=chart_config(f"lengths-{version.name}"),
        alt="Playlists by number of tracks, on a log axis, with the median marked.",
    )


page()
