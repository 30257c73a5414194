"""Models that wait to be kept or discarded, beside what is in use."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core import jobs
from core.dataset.library import open_writable
from core.errors import SegueError
from core.evaluation.metrics import Figure
from core.ranking.ranker import RANKER
from core.recommender import label_of
from core.training.trial import Comparison, Trial, discard, keep, trials
from core.workspace import Workspace
from pages.common import session
from pages.common.measured import LOWER_IS_BETTER, NAMES, decimals, said
from pages.common.session import Version
from pages.common.widgets import counted, plain

_PROBLEM = "trials_problem"
_AGAINST = {
    "better": " than what is in use",
    "worse": " than what is in use",
    "the same": " as what is in use",
    "no clear difference": "",
}
"""How a sentence goes on that begins with an outcome of `in_words`."""


def show_trials(version: Version) -> None:
    """Each trial with its figures, to keep or to discard; nothing where none waits."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    waiting = trials(session.dataset(version))
    if not waiting:
        return
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.subheader("New, not in use yet", anchor=False, width="content")
        if len(waiting) > 1 and not jobs.public():
            names = [trial.card.model for trial in waiting]
            with st.container(horizontal=True, width="content"):
                _button("Keep all", "check", version, keep, names)
                _button("Discard all", "delete", version, discard, names)
    for trial in waiting:
        with st.container(border=True, key=f"trial_{trial.card.model}"):
            _show(version, trial)


def _show(version: Version, trial: Trial) -> None:
    name = trial.card.model
    st.markdown(f"#### {plain(label_of(name))}")
    st.caption(_settings_told(trial))
    comparison = trial.comparison
    if comparison.new:
        st.markdown(verdict(comparison))
        _figures(comparison)
    elif comparison.note:
        st.info(plain(comparison.note), icon=":material/info:")
    if jobs.public():
        return
    with st.container(horizontal=True):
        better = _outcome(comparison) == "better"
        _button("Keep", "check", version, keep, [name], primary=better or not comparison.old)
        _button("Discard", "delete", version, discard, [name])


def verdict(comparison: Comparison) -> str:
    """One sentence on whether the new settings are better, by R-precision."""
    playlists = counted(comparison.validation_playlists, "validation playlist")
    outcome = _outcome(comparison)
    if not outcome:
        return f"There is none in use to compare it with. Measured on {playlists}:"
    gain = said(comparison.difference["r_precision"], 3, sign=True)
    return f"**{outcome.capitalize()}{_AGAINST[outcome]}.** R-precision {gain} on {playlists}."


def _outcome(comparison: Comparison) -> str:
    """`in_words` by R-precision; empty where there is nothing to compare with."""
    gain = comparison.difference.get("r_precision")
    if gain is None or gain.value is None or gain.low is None or gain.high is None:
        return ""
    return in_words(gain, fewer_is_better=False)


def _settings_told(trial: Trial) -> str:
    cost = f"fitted in {trial.card.seconds:.1f} s, at most {trial.card.peak_mb:,.0f} MB"
    if trial.before is None:
        return f"The first of its kind here; {cost}."
    changes = [
        f"{plain(name)} {plain(before)} → **{plain(now)}**"
        for name, (before, now) in trial.changed.items()
    ]
    return f"{', '.join(changes) or 'The same settings as in use'}; {cost}."


def _figures(comparison: Comparison) -> None:
    rows: list[dict[str, Any]] = []
    for metric, new in comparison.new.items():
        digits = decimals(metric)
        row = {"Measure": NAMES[metric]}
        if comparison.old:
            gain = comparison.difference[metric]
            row["Outcome"] = in_words(gain, metric in LOWER_IS_BETTER)
            row["Difference"] = said(gain, digits, sign=True)
        row["New"] = said(new, digits)
        if comparison.old:
            row["In use"] = said(comparison.old[metric], digits)
        rows.append(row)
    st.dataframe(
        rows,
        hide_index=True,
        height="content",
        alt="New and present settings on the same validation playlists, with 95 % intervals",
        column_config={
            "Measure": st.column_config.TextColumn(pinned=True, width=110),
            "Difference": st.column_config.TextColumn(
                help="New less old, playlist by playlist, with its 95 % interval."
            ),
            "Outcome": st.column_config.TextColumn(
                help="Fewer clicks are better, of the others more."
            ),
        },
    )


def in_words(gain: Figure, fewer_is_better: bool) -> str:
    """What a difference comes to: as good, better or worse beyond its 95 % interval."""
    if gain.low is None or gain.high is None or gain.low == gain.high == 0:
        return "the same"
    if gain.low <= 0 <= gain.high:
        return "no clear difference"
    return "better" if (gain.low > 0) != fewer_is_better else "worse"


def _button(
    label: str,
    icon: str,
    version: Version,
    action: Callable[..., Any],
    names: Sequence[str],
    primary: bool = False,
) -> None:
    st.button(
        label,
        key=f"trial_{label}_{'_'.join(names)}",
        icon=f":material/{icon}:",
        type="primary" if primary else "secondary",
        on_click=_decide,
        args=(version, action, names),
    )


def _decide(version: Version, action: Callable[..., Any], names: Sequence[str]) -> None:
    try:
        jobs.require_private()
        dataset = open_writable(Workspace(), version.name)
        for name in names:
            action(dataset, name)
    except SegueError as problem:
        st.session_state[_PROBLEM] = str(problem)
        return
    kept = action is keep
    what = ", ".join(map(label_of, names)) if len(names) < 3 else f"{len(names)} models"
    st.toast(f"{what}: {'in use now' if kept else 'discarded'}.", icon=":material/check:")
    if kept and RANKER not in names and session.has_ranker(version):
        st.toast(
            "The ranker steps back until it is trained with the new models.",
            icon=":material/info:",
        )
