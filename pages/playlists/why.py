"""Why this track: one track of the continuation, what it owes its place to, what to do with it."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from core.explore.figures import Bar, chart_config, owing_figure
from core.reasons import Reasons, sentences
from core.recommender import Continuation
from pages.common import answers, session
from pages.common.screens import is_dark
from pages.common.widgets import counted, plain, play_toggle, player, shortened

KEEP, LIKE, NOT_THIS = ":material/add:", ":material/thumb_up:", ":material/thumb_down:"
MOST_BARS = 4
MOST_FEATURES = 4
EMPTY_PX = 250  # About what the reasons will need.


def head(found: Continuation, uris: Sequence[str], row: int) -> None:
    """The track and its buttons."""
    version = session.version()
    track, uri = found.tracks[row : row + 1], uris[row]
    opened = session.dataset(version)
    (count,), (rank,) = opened.counts[track], session.standing(version).ranks(track)
    (artist,) = opened.artist[track]
    st.markdown(f"#### {plain(session.names(version, track)[0])}")
    st.caption(
        f"{'Up next' if row == 0 else f'Then, number {row + 1}'} · in {count:,} of "
        f"{opened.n_playlists:,} playlists · rank {rank:,} in popularity"
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        st.button("Keep", icon=KEEP, help="Add it to your playlist", on_click=keep, args=(uri,))
        st.button(
            "Like",
            icon=LIKE,
            help="More like it, without adding it",
            on_click=session.like,
            args=(uri,),
        )
        st.button(
            "Not this",
            icon=NOT_THIS,
            help="Less like it, and never it",
            on_click=session.dislike,
            args=(uri,),
        )
        st.button(
            "Block artist",
            icon=":material/block:",
            help="Show no track of this artist",
            on_click=session.block,
            args=(opened.artists["uri"][int(artist)].as_py(),),
        )
        playing = play_toggle(uri)
    if playing:
        player(uri)


def keep(uri: str) -> None:
    session.add_seeds([uri])


def body(track: int, mood: int | None) -> None:
    """What it owes its place to; computed here, for this track only."""
    st.markdown("##### Why this track")
    with st.skeleton(height=EMPTY_PX):
        reasons = answers.reasons(track, mood)
    if np.isnan(reasons.scores[0]):
        st.markdown(sentences(reasons, 0)[0])
        return
    st.markdown(" ".join(map(plain, sentences(reasons, 0)[:2])))
    left, right = st.columns(2, gap="medium")
    with left:
        if reasons.seeds.names and reasons.seeds.places[0]:
            _seeds(reasons, mood)
            _playlists(reasons)
        else:
            _models(reasons)
    with right:
        if reasons.seeds.names and reasons.seeds.places[0]:
            _models(reasons)
        _ranker(reasons)


# --- what the score is made of ---


def _seeds(reasons: Reasons, mood: int | None) -> None:
    """Shares by seed where they are exact; else the place without each seed."""
    seeds = reasons.seeds
    of = "" if mood is None else f" of {plain(answers.moods()[mood].name)}"
    _heading(
        f"Your tracks{of}",
        "exact shares" if seeds.exact else "place without each",
        "The score is the sum of these shares."
        if seeds.exact
        else "Leave one out: the list is made again without each track, one at a time. The "
        "further this one falls, the more it owes to it.",
    )
    if not seeds.exact and not seeds.credited(0):
        st.caption("No single one of them carries it.")
        return
    heaviest = np.argsort(-np.nan_to_num(seeds.shares[0], nan=-np.inf), kind="stable")
    shown = [int(at) for at in heaviest if np.isfinite(seeds.shares[0, at])][:MOST_BARS]
    if seeds.exact:
        bars = [_exact(reasons, at) for at in shown]
        figure = owing_figure(bars, "Share of the score", percent=True, dark=is_dark())
    else:
        bars = [_without(reasons, at) for at in shown]
        here = float(seeds.places[0])
        figure = owing_figure(bars, "Place in the list", start=here, places=True, dark=is_dark())
    _chart(figure, "why-tracks", bars)
    if (more := len(seeds.names) - len(shown)) > 0:
        st.caption(f"and {counted(more, 'track')} of yours with less weight")


def _exact(reasons: Reasons, seed: int) -> Bar:
    share = float(reasons.seeds.shares[0, seed] / (reasons.scores[0] or 1.0))
    return Bar(reasons.seeds.names[seed], share, f"{100 * share:.0f} %")


def _without(reasons: Reasons, seed: int) -> Bar:
    seeds = reasons.seeds
    here, there = int(seeds.places[0]), int(seeds.without[0, seed])
    name = seeds.names[seed]
    fate = f"{here:,} → {there:,}" if there else f"{here:,} → out"
    where = f"place {there:,}" if there else "out of the list"
    end = here * 2 ** float(seeds.shares[0, seed])
    return Bar(name, end, fate, f"Without {name}: {where}, now place {here:,}")


def _models(reasons: Reasons) -> None:
    """What each model adds to the score, with the place that it gives the track."""
    parts, sources = reasons.parts, reasons.sources
    places = dict(zip(sources.names, sources.places[0].tolist(), strict=True))
    heaviest = np.argsort(-np.abs(parts.shares[0]), kind="stable")
    shown = [int(at) for at in heaviest if parts.shares[0, at]][:MOST_BARS]
    fused = reasons.features is None
    shares = parts.shares[0] / (reasons.scores[0] if fused else 1.0)
    bars = [
        Bar(
            parts.labels[at],
            float(shares[at]),
            _said(float(shares[at]), places.get(parts.names[at], 0), fused),
        )
        for at in shown
    ]
    _heading(
        "Who proposed it",
        "exact shares",
        "What each adds to the score, and after the # the track’s place in the model’s own list.",
    )
    title = "Share of the score" if fused else "Adds to the score (log-odds)"
    figure = owing_figure(bars, title, percent=fused, dark=is_dark())
    _chart(figure, "why-models", bars)


def _said(share: float, place: int, of_one: bool) -> str:
    """A model's share and place: "33 %, #2"."""
    size = f"{100 * share:.0f} %" if of_one else f"{share:+.2f}"
    return f"{size}, #{place:,}" if place else size


def _chart(figure: go.Figure, name: str, bars: Sequence[Bar]) -> None:
    st.plotly_chart(
        figure,
        key=name.replace("-", "_"),
        config=chart_config(name),
        alt="; ".join(bar.hover or f"{bar.label}: {bar.text}" for bar in bars),
    )


# --- in words ---


def _playlists(reasons: Reasons) -> None:
    """Playlists that hold it together with seeds."""
    together, n_seeds = reasons.together[0], len(reasons.seeds.names)
    if not together.playlists:
        return
    _heading("Together in playlists", f"{together.playlists:,} with any of these")
    with st.container(gap=None):
        for title, held in zip(together.titles, together.held, strict=True):
            name = plain(shortened(title or "untitled"))
            st.markdown(f"“{name}” :gray[with {held} of {n_seeds}]")


def _ranker(reasons: Reasons) -> None:
    """What weighs most in the ranker's score, and which way."""
    if reasons.features is None:
        return
    _heading("What the ranker saw", "heaviest first, in log-odds")
    with st.container(gap=None):
        for feature, _, share in reasons.features.largest(0, MOST_FEATURES):
            arrow, verb = ("▲", "raises") if share > 0 else ("▼", "lowers")
            st.markdown(f"{arrow} {plain(feature.meaning)} :gray[{verb} it by {abs(share):.2f}]")


def _heading(text: str, quiet: str, hint: str | None = None) -> None:
    st.markdown(f"**{text}** :gray[· {quiet}]", help=hint)
