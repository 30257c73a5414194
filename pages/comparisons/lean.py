"""How popular what each model recommends is, beside what listeners chose, along the dial."""

from typing import Any

import streamlit as st

from core.errors import SegueError
from core.evaluation.lean import LEVELS, SETTINGS, Lean, LeanReport
from core.explore.figures import chart_config, lean_figure
from core.training.evaluate import stored_lean
from pages.common import session
from pages.common.measured import how_to_measure, table
from pages.common.screens import is_dark, on_both
from pages.common.session import Version
from pages.common.widgets import counted, plain

_MIDDLE, _OFF = LEVELS.index(0.5), SETTINGS.index(0.0)


def show(version: Version) -> None:
    st.subheader("How popular are recommendations?", anchor=False)
    try:
        report = _stored(version)
    except SegueError:
        report, reason = None, "It was measured by another version of Segue. Measure it again:"
    else:
        reason = f"That is not measured on “{version.name}” yet. Measure its models:"
    if report is None or not report.models:
        how_to_measure(version, reason)
        return
    st.write(plain(_in_words(report)))
    on_both("lean", lambda phone: _chart(version, phone))
    st.caption(
        f"First 20 tracks for each of {counted(report.playlists, 'held-out playlist')}, by the "
        "number of training playlists that hold them. Lines: the middle track; bands: the middle "
        "half."
    )
    with st.expander("The middle track in figures", type="compact"):
        _table(report)


@st.cache_resource(max_entries=4, show_spinner=False)
def _stored(version: Version) -> LeanReport | None:
    return stored_lean(session.dataset(version))


def _middle(model: Lean, setting: int = _OFF) -> float:
    return model.spreads[setting][_MIDDLE]


def _in_words(report: LeanReport) -> str:
    """The two ends among models, and how far the dial reaches."""
    least, most = min(report.models, key=_middle), max(report.models, key=_middle)
    deep, popular = (
        sorted(_middle(model, setting) for model in report.models)[len(report.models) // 2]
        for setting in (0, len(SETTINGS) - 1)
    )
    return (
        f"Half of what listeners put into playlists is in {report.training[_MIDDLE]:,.0f} or more "
        f"training playlists. With the dial at 0, half of what {most.label} recommends is in "
        f"{_middle(most):,.0f} or more, of {least.label} in {_middle(least):,.0f} or more. From "
        f"popular to deep cuts, the dial takes the typical model from {popular:,.0f} to "
        f"{deep:,.0f}."
    )


@st.cache_resource(max_entries=16, show_spinner=False)
def _figure(version: Version, phone: bool, dark: bool) -> Any:
    """The chart of the stored report; shared, so read-only."""
    report = _stored(version)
    return None if report is None else lean_figure(report, phone=phone, dark=dark)


def _chart(version: Version, phone: bool) -> None:
    st.plotly_chart(
        _figure(version, phone, is_dark()),
        key=f"lean_chart_{'phone' if phone else 'wide'}",
        config=chart_config(f"lean-{version.name}"),
        alt="For each model, the number of playlists that hold what it recommends, on a log axis, "
        "along the popularity dial, with the training playlists' and the hidden tracks'.",
    )


def _table(report: LeanReport) -> None:
    settings = range(len(SETTINGS))[::-1]  # popular first, as on the dial
    names = [_column(SETTINGS[setting]) for setting in settings]
    rows = sorted(report.models, key=_middle, reverse=True)
    table(
        {"Model": [model.label for model in rows]}
        | {
            name: [float(_middle(model, setting)) for model in rows]
            for setting, name in zip(settings, names, strict=True)
        },
        "Training playlists that hold the middle recommended track, by model and dial",
        digits=dict.fromkeys(names, 0),
    )


def _column(value: float) -> str:
    if not value:
        return "As scored"
    return f"{'Popular' if value > 0 else 'Deep cuts'} {abs(value):.0%}"
