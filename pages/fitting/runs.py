"""Runs of the pipeline on the Training page: what each was asked for, and what came of it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from core import jobs
from core.errors import SegueError
from core.evaluation.metrics import Figure
from core.retrieval import MODELS
from core.training.depot import is_remote, shared, usual_store
from core.training.run_card import metric_label, told
from core.training.runs import Run, delete_run, standing, stored_runs
from core.workspace import Workspace
from pages.common import view
from pages.common.measured import decimals, said
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import facts, plain

RUN = Choice("training.run", "", str)
_PROBLEM = "runs_problem"
_FRESH_S = 20
"""A list from afar may be so old."""
_STANDINGS = {
    "running": "on its way",
    "broken off": "broken off",
    "failed": "failed",
    "done": "done",
    "damaged": "not readable",
}


def show_runs(version: Version) -> None:
    """The runs on a dataset, the last first, and one of them in full."""
    if problem := st.session_state.pop(_PROBLEM, None):
        st.error(plain(problem), icon=":material/error:")
    address = usual_store()
    listed = _listed_from_afar if is_remote(address) else _listed
    found = listed(address, version.name)
    command = f"python -m core flow run --dataset {version.name} --grid als.factors=32,64"
    if not found:
        st.info(
            f"No run of the pipeline on “{plain(version.name)}” yet. It tries a grid, keeps the "
            "best, evaluates it on playlists kept aside, and builds what an endpoint serves:",
            icon=":material/account_tree:",
        )
        st.code(command, language="bash", wrap_lines=True)
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
        placeholder="",
        alt="Runs of the pipeline; select one to see more of it",
        column_config={
            "On test playlists": st.column_config.NumberColumn(
                format="%.3f", help="What answers, measured by what the winner was chosen by."
            ),
            "Tries": st.column_config.NumberColumn(
                help="Of the pipeline: one, and one more each time it was resumed."
            ),
        },
    )
    _run(chosen)
    if not jobs.public() and st.button("Delete this run", icon=":material/delete:"):
        _ask_whether_to_delete(address, chosen)


def _listed(address: str, dataset: str) -> list[Run]:
    return stored_runs(shared(address), dataset)


_listed_from_afar = st.cache_data(ttl=_FRESH_S, max_entries=16, show_spinner="Listing")(_listed)


# --- delete ---


@st.dialog("Delete a run")
def _ask_whether_to_delete(address: str, run: Run) -> None:
    st.markdown(
        f"Run **{plain(run.id)}** is removed with what it measured and built. This cannot be "
        "undone."
    )
    with st.container(horizontal=True):
        decided = st.button(
            "Delete it",
            type="primary",
            icon=":material/delete:",
            on_click=_delete,
            args=(address, run),
        )
        if st.button("Keep it") or decided:
            st.rerun()


def _delete(address: str, run: Run) -> None:
    """Delete a run; the page says next why it is still there, if it is."""
    from core.serving.endpoint import served

    homes = [Workspace().folder] if is_remote(address) else [Workspace().folder, Path(address)]
    try:
        jobs.require_private()
        delete_run(shared(address), run, set().union(*map(served, homes)))
    except SegueError as problem:
        st.session_state[_PROBLEM] = str(problem)
        return
    _listed_from_afar.clear()
    view.put(RUN, "")


# --- one run ---


def _row(run: Run) -> dict[str, Any]:
    state, answering = standing(run), run.tested(run.serves)
    ended = state in ("done", "damaged")
    return {
        "Started (UTC)": run.started[:16].replace("T", " ") or run.id,
        "State": _STANDINGS[state] if ended else f"{_STANDINGS[state]} ({run.step})",
        "Winner": _named(run.winner) if run.winner else "",
        "Chosen by": metric_label(run) if run.grid else "",
        "Answers": answering["label"] if answering else "",
        "On test playlists": answering["figures"][run.grid["metric"]][0] if answering else None,
        "Tries": len(run.tries),
        "Endpoint": run.endpoint or "",
    }


def _named(point: Mapping[str, Any]) -> str:
    settings = _settings_said(point["varied"])
    return f"{_label(point['model'])} ({settings})" if settings else _label(point["model"])


def _label(model: str) -> str:
    """What a person calls a model, or its name where this version has none of it."""
    return MODELS[model].label if model in MODELS else model


def _settings_said(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _run(run: Run) -> None:
    state = standing(run)
    if run.problem:
        st.error(plain(run.problem), icon=":material/error:")
    if state == "damaged":
        return
    if state == "running":
        st.caption(f"Last heard of at {run.updated[:16].replace('T', ' ')} UTC.")
    if state in ("failed", "broken off"):
        st.caption("It goes on where it was with:")
        resume = f"python -m core flow resume --origin-run-id {run.tries[-1]}"
        st.code(resume, language="bash", wrap_lines=True)
    if run.test.get("rows") and run.serves:
        st.markdown(plain(told(run)))
    if points := run.grid.get("points"):
        _figures("Tried on validation playlists", "tried", points, run)
    if rows := run.test.get("rows"):
        _figures("On test playlists", "tested", rows, run)
    st.markdown("**About this run**")
    known = {
        "Run": run.id,
        "Grid": run.parameters.get("grid", ""),
        "Models besides": run.parameters.get("also", ""),
        "Fingerprint of the data": run.data.get("fingerprint", "")[:16],
        "Built": run.servable,
        "Endpoint": _checked(run.check) if run.check else "",
    }
    facts({name: fact for name, fact in known.items() if fact}, "What the run was asked for")


def _checked(check: Mapping[str, Any]) -> str:
    """How the endpoint answered what this process knows the answers to."""
    wrong = check.get("wrong", ())
    told = f"{check['asked']} known queries asked, {len(wrong)} answered wrongly."
    return " ".join([told, *wrong[:1]])


def _figures(title: str, key: str, rows: Sequence[Mapping[str, Any]], run: Run) -> None:
    """Points or models with their figure by the metric of the choice, and its interval."""
    st.markdown(f"**{title}**")
    metric, label = run.grid["metric"], metric_label(run)
    varied = {"Settings": [_settings_said(row["varied"]) for row in rows]} if key == "tried" else {}
    figures = [said(Figure(*row["figures"][metric]), decimals(metric)) for row in rows]
    st.dataframe(
        {"Model": [row.get("label") or _label(row["model"]) for row in rows]}
        | varied
        | {label: figures},
        key=f"run_{key}",
        hide_index=True,
        alt=f"{title}: {label} with its 95 % interval",
        column_config={label: st.column_config.TextColumn(help="With its 95 % interval.")},
    )
