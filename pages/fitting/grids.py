"""Many settings of one model, measured side by side: the form, and what came of it."""

import shlex
from collections.abc import Mapping
from typing import Any

import streamlit as st

from core import jobs
from core.errors import SegueError
from core.explore.figures import Axis, chart_config, parallel_figure, written
from core.recommender import label_of
from core.retrieval import MODELS
from core.training.grid import GridResult, stored_grid
from core.training.points import METRICS, record_stamp
from core.training.settings import as_texts, combinations, parse_values, settings_of
from core.training.train import preset_params, why_not
from pages.common import session, view
from pages.common.jobs import running, start
from pages.common.measured import LOWER_IS_BETTER, NAMES, QUALITY, decimals, said
from pages.common.screens import is_dark, on_both
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import counted, plain

ADJUSTABLE = [name for name in MODELS if settings_of(name)]
BY = [metric for metric in QUALITY if metric in METRICS]
MOST_POINTS = 200
MODEL = Choice("training.model", "playlist_knn", view.one_of(ADJUSTABLE, str))
METRIC = Choice("training.metric", BY[0], view.one_of(BY, str))
COLUMNS = 4
Texts = Mapping[str, str]


def _texts(text: str) -> Texts:
    """Values to try by setting, as they are written: "factors=16,32;alpha=10"."""
    parts = [part.partition("=") for part in text.split(";")]
    if not all(sign and name.isidentifier() for name, sign, _ in parts):
        raise ValueError(text)
    return {name: values for name, _, values in parts}


GRID: Choice[Texts] = Choice(
    "training.grid",
    {},
    _texts,
    lambda texts: ";".join(f"{name}={values}" for name, values in texts.items()),
)
ROW: Choice[int] = Choice("training.row", 0, view.between(0, 9_999))


def show_grids(version: Version) -> None:
    """The form, and the stored results of the model that is chosen."""
    able = [name for name in ADJUSTABLE if not why_not(name)]
    with st.container(horizontal=True):
        name = view.widget(
            st.selectbox, "Model", MODEL, options=able, format_func=label_of, width=320
        )
        metric = view.widget(
            st.selectbox, "Best by", METRIC, options=BY, format_func=NAMES.__getitem__, width=260
        )
    if not jobs.public():
        _form(version, name, metric)
    result = _result(version, name, metric, record_stamp(session.dataset(version), name))
    if result:
        _show(version, result)
    else:
        st.caption(f"Nothing of {plain(label_of(name))} is measured here yet.")


# --- form ---


def _form(version: Version, name: str, metric: str) -> None:
    asked = view.get(GRID)
    with st.container(border=True, key="grid_form"):
        st.caption("Values to try, with commas between; what is left empty stays as it is.")
        settings = settings_of(name)
        for start_at in range(0, len(settings), COLUMNS):
            row = settings[start_at : start_at + COLUMNS]
            for setting, column in zip(row, st.columns(COLUMNS), strict=False):
                key = f"grid_{name}_{setting.name}"
                st.session_state[key] = asked.get(setting.name, "")
                column.text_input(
                    _written_out(setting.name),
                    key=key,
                    placeholder=written(setting.default),
                    help=plain(setting.meaning) or None,
                    on_change=_give,
                    args=(setting.name, key),
                )
    known = {setting.name for setting in settings}
    given = [f"{field}={values}" for field, values in asked.items() if field in known]
    try:
        points = combinations(parse_values(name, given))
    except SegueError as problem:
        st.error(plain(problem), icon=":material/error:")
        return
    command = ["grid", "--dataset", version.name, "--model", name, "--metric", metric]
    command += [part for text in given for part in ("--set", text)]
    too_many = len(points) > MOST_POINTS
    busy = running()
    st.button(
        f"Measure {counted(len(points), 'combination')}" if given else "Measure",
        key="grid_start",
        type="primary",
        icon=":material/grid_view:",
        disabled=not given or too_many or busy is not None,
        on_click=start,
        args=(f"Try {len(points)} × {label_of(name)} on “{version.name}”", command),
    )
    if too_many:
        st.caption(f"{len(points):,} are too many for a page: {MOST_POINTS} at most.")
    elif busy:
        st.caption(f"One thing at a time: “{plain(busy.label)}” is running, see above.")
    elif given:
        st.caption("What was measured before is not measured again. On the command line:")
        st.code(shlex.join(["python", "-m", "core", *command]), language="bash", wrap_lines=True)


def _give(field: str, key: str) -> None:
    asked = view.get(GRID)
    texts = {name: values for name, values in asked.items() if name != field}
    if given := st.session_state[key].replace(";", ",").strip():
        texts[field] = given
    view.put(GRID, texts)


# --- results ---


@st.cache_data(max_entries=32, show_spinner=False)
def _result(version: Version, name: str, metric: str, stamp: float) -> GridResult | None:
    """The stored points; `stamp` says when they changed."""
    return stored_grid(session.dataset(version), name, metric)


def _show(version: Version, result: GridResult) -> None:
    st.subheader(
        f"{label_of(result.model)}: {counted(len(result.rows), 'combination')}", anchor=False
    )
    st.caption(
        f"Each fitted on {result.training_playlists:,} playlists and measured on the same "
        f"{counted(result.validation_playlists, 'validation playlist')}, which are in no test of "
        "the leaderboard."
    )
    if len(result.rows) > 1 and result.varied:
        on_both("grid", lambda phone: _chart(version, result, phone))
    _table(result)
    if not jobs.public():
        _train_a_row(version, result)


def _chart(version: Version, result: GridResult, phone: bool) -> None:
    settings = [
        Axis(_written_out(field), [row.point.settings[field] for row in result.rows], steps=True)
        for field in result.varied
    ]
    measures = [_measure(result, metric) for metric in (result.metric, *_besides(result))]
    cost = Axis("Fit (s)", [row.point.fit_seconds for row in result.rows], falling=True)
    st.plotly_chart(
        parallel_figure(
            [*settings, *measures, cost],
            judge=len(settings),
            chosen=_picked(result),
            phone=phone,
            dark=is_dark(),
        ),
        key=f"grid_chart_{'phone' if phone else 'wide'}",
        config=chart_config(f"grid-{version.name}-{result.model}"),
        alt=f"Parallel coordinates of {len(result.rows)} combinations of "
        f"{', '.join(result.varied)} and what each came to; the table has the figures.",
    )
    if not phone:
        st.caption(
            "A line is a combination: its settings, and what it came to. Up is better. The bold "
            "line with diamonds is the one that is selected below."
        )


def _measure(result: GridResult, metric: str) -> Axis:
    values = [row.figures[metric].value for row in result.rows]
    return Axis(NAMES[metric], values, falling=metric in LOWER_IS_BETTER)


def _written_out(field: str) -> str:
    """A setting as a person reads it."""
    return field.replace("_", " ").capitalize()


def _besides(result: GridResult) -> list[str]:
    """Metrics that are shown beside the one that rows are ordered by."""
    return [name for name in ("r_precision", "ndcg", "clicks") if name != result.metric]


def _table(result: GridResult) -> None:
    chosen = result.metric
    digits = decimals(chosen)
    rows: list[dict[str, Any]] = [
        {_written_out(field): written(row.point.settings[field]) for field in result.varied}
        | {
            NAMES[chosen]: said(row.figures[chosen], digits),
            "To the best": said(row.against_best, digits, sign=True) if place else "the best",
        }
        | {NAMES[name]: said(row.figures[name], decimals(name)) for name in _besides(result)}
        | {"Fit (s)": row.point.fit_seconds, "Memory (MB)": row.point.peak_mb}
        for place, row in enumerate(result.rows)
    ]

    def pick() -> None:
        for row in st.session_state.grid_rows["selection"]["rows"]:
            view.put(ROW, row)

    st.session_state.grid_rows = {"selection": {"rows": [_picked(result)]}}
    st.dataframe(
        rows,
        key="grid_rows",
        hide_index=True,
        on_select=pick,
        selection_mode="single-row-required",
        alt="Every combination, best first; select one to train with its settings",
        column_config={
            "To the best": st.column_config.TextColumn(
                help="Paired difference to the first row, with its 95 % interval: where it "
                "includes 0, the two cannot be told apart."
            ),
            "Fit (s)": st.column_config.NumberColumn(format="%.1f"),
            "Memory (MB)": st.column_config.NumberColumn(format="%.0f"),
        },
    )


def _picked(result: GridResult) -> int:
    """The selected row; the first is the best."""
    return min(view.get(ROW), len(result.rows) - 1)


def _train_a_row(version: Version, result: GridResult) -> None:
    at = _picked(result)
    usual = preset_params(result.model, "full")
    settings = {
        field: value
        for field, value in result.rows[at].point.settings.items()
        if value != getattr(usual, field)
    }
    sets = [part for text in as_texts({result.model: settings}) for part in ("--set", text)]
    options = ["--dataset", version.name, "--models", result.model, "--preset", "full"]
    label = "Train with the best settings" if at == 0 else "Train with the selected settings"
    st.button(
        label,
        key="grid_keep",
        icon=":material/model_training:",
        disabled=running() is not None,
        help="On all playlists, beside what is in use; then keep or discard it.",
        on_click=start,
        args=(
            f"Train {label_of(result.model)} on “{version.name}” as the grid found",
            ["train", *options, *sets, "--trial"],
        ),
    )
