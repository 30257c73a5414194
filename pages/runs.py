"""Runs of the pipeline on the Training page: what each was asked for, and what came of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from core.evaluation.leaderboard import LABELS
from core.retrieval import MODELS
from core.training.depot import depot
from core.training.runs import Run, stored_runs
from core.workspace import Workspace
from pages import view
from pages.session import Version
from pages.view import Choice
from pages.widgets import plain

RUN = Choice("training.run", "", str)
_STATES = {"running": "on its way", "done": "done"}


def show_runs(version: Version) -> None:
    """The runs on a dataset, the last first, and one of them in full."""
    found = stored_runs(depot(str(Workspace().folder)), version.name)
    command = f"python -m core flow run --dataset {version.name} --grid als.factors=32,64"
    if not found:
        st.info(
            f"No run of the pipeline on “{plain(version.name)}” yet. It tries a grid, keeps the "
            "best, evaluates it on playlists kept aside, and builds what an endpoint serves:",
            icon=":material/account_tree:",
        )
        st.code(command)
        return
    ids = [run.id for run in found]
    chosen = found[ids.index(view.get(RUN)) if view.get(RUN) in ids else 0]
    st.session_state.runs = {"selection": {"rows": [ids.index(chosen.id)]}}

    def choose() -> None:
        for row in st.session_state.runs["selection"]["rows"]:
            view.put(RUN, ids[row])

    st.dataframe(
        [_row(run) for run in found],
        key="runs",
        hide_index=True,
        on_select=choose,
        selection_mode="single-row-required",
        alt="Runs of the pipeline; select one to see more of it",
    )
    _run(chosen)


def _row(run: Run) -> dict[str, Any]:
    return {
        "Started (UTC)": run.started[:16].replace("T", " "),
        "State": f"{_STATES[run.state]} ({run.step})" if run.state == "running" else "done",
        "Winner": _named(run.winner) if run.winner else "",
        "Chosen by": LABELS.get(run.grid.get("metric", ""), ""),
        "Best on test (R-precision)": _mean(run.test.get("rows", ()), "r_precision"),
        "Tries": len(run.tries),
        "Endpoint": run.endpoint or "",
    }


def _named(point: Mapping[str, Any]) -> str:
    return f"{MODELS[point['model']].label} ({_said(point['varied'])})"


def _said(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _mean(rows: Sequence[Mapping[str, Any]], metric: str) -> float | None:
    """Of the best row of a table of figures."""
    return rows[0]["figures"][metric][0] if rows else None


def _run(run: Run) -> None:
    if run.state == "running":
        st.caption(
            f"Last heard of at {run.updated[:16].replace('T', ' ')} UTC; a run that was broken off "
            "goes on with `python -m core flow resume`."
        )
    asked = run.parameters
    st.caption(
        f"Run {plain(run.id)}: grid {plain(asked.get('grid', ''))}, besides "
        f"{plain(asked.get('also', '') or 'nothing')}; data {run.data.get('fingerprint', '')[:12]}."
    )
    if points := run.grid.get("points"):
        _figures("Tried on validation playlists", "tried", points, run.grid["metric"])
    if rows := run.test.get("rows"):
        _figures("On test playlists", "tested", rows, "r_precision")
    if run.check:
        wrong = run.check.get("wrong", ())
        said = f"{run.check['asked']} known queries asked of the endpoint, {len(wrong)} wrong."
        st.caption(plain(" ".join([said, *wrong[:1]])))
    if run.servable:
        st.caption(f"Built: {plain(run.servable)}")


def _figures(title: str, key: str, rows: Sequence[Mapping[str, Any]], metric: str) -> None:
    """Points or models with a figure and its interval."""
    st.markdown(f"**{title}**")
    settings = {"Settings": [_said(row["varied"]) for row in rows]} if key == "tried" else {}
    bounds = (LABELS[metric], "95 % from", "to")
    figures = zip(*(row["figures"][metric] for row in rows), strict=True)
    st.dataframe(
        {"Model": [row.get("label") or MODELS[row["model"]].label for row in rows]}
        | settings
        | dict(zip(bounds, figures, strict=True)),
        key=f"run_{key}",
        hide_index=True,
        alt=f"{title}: {LABELS[metric]} with its 95 % interval",
        column_config={name: st.column_config.NumberColumn(format="%.3f") for name in bounds},
    )
