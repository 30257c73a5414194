"""The leaderboard: every model on the same held-out playlists, what it finds and what it costs."""

import json
from typing import Any

import streamlit as st

from core.errors import SegueError
from core.evaluation.challenge import CATEGORIES
from core.evaluation.export import to_csv
from core.evaluation.leaderboard import Leaderboard
from core.evaluation.verdict import headline, in_words, losses, summed_up
from core.training.evaluate import stored_leaderboard
from pages.common import session, view
from pages.common.measured import (
    LOWER_IS_BETTER,
    MEASURE,
    METRIC,
    NAMES,
    QUALITY,
    SPREAD,
    best_first,
    choose_metric,
    decimals,
    dots,
    downloads,
    heat,
    how_to_measure,
    interval,
    said,
    table,
)
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import counted, plain, sentences, simulated_badge
from pages.comparisons.default_answer import dials_cost, who_answers
from pages.comparisons.leaderboard_views import candidates, cost, titles

VIEWS = ("Overall", "By category", "Titles", "Candidates", "Cost", "Catalogue")
VIEW = Choice("comparison.view", VIEWS[0], view.one_of(VIEWS, str))


def show() -> None:
    """The part of the page."""
    version = session.version()
    board = _board(version)
    if board is not None:
        _about(version, board)
        _verdict(board)
        # One block, so that what follows keeps its place whichever view is shown.
        with st.container():
            _view(version, board)
        downloads(
            "The whole leaderboard, every category and metric:",
            f"leaderboard-{version.name}",
            *_files(version),
        )
    with sentences():
        who_answers(version)
    dials_cost(version)


@st.cache_resource(max_entries=4, show_spinner=False)
def _stored(version: Version) -> Leaderboard | None:
    return stored_leaderboard(session.dataset(version))


@st.cache_data(max_entries=4, show_spinner=False)
def _files(version: Version) -> tuple[str, str]:
    """The leaderboard as CSV and as JSON."""
    board = _stored(version)
    if board is None:
        return "", ""
    return to_csv(board), json.dumps(board.as_json(), ensure_ascii=False)


def _board(version: Version) -> Leaderboard | None:
    """The stored leaderboard; where there is none that can be read, say how to get one."""
    try:
        board = _stored(version)
    except SegueError:
        reason = (
            f"The leaderboard of “{version.name}” was measured by another version of Segue. "
            "Measure it again:"
        )
    else:
        if board is not None:
            return board
        reason = f"Nothing is measured on “{version.name}” yet. Measure its models:"
    how_to_measure(version, reason)
    return None


def _about(version: Version, board: Leaderboard) -> None:
    simulated = session.dataset(version).manifest["simulated"]
    if simulated:
        simulated_badge()
    kind = "simulated" if simulated else "real"
    st.caption(
        f"Tracks of {counted(sum(board.playlists.values()), f'{kind} playlist')} of "
        f"“{plain(board.dataset)}” were hidden, in "
        f"{len(board.playlists)} categories, and every model, fitted on the other "
        f"{board.training_playlists:,}, had to find them. In brackets and as whiskers: 95 % "
        "intervals over playlists; differences are paired, on the same playlists. Tracks that only "
        "the hidden playlists hold are struck from every list."
    )


def _verdict(board: Leaderboard) -> None:
    first, *rest = headline(board)
    with st.container(border=True):
        st.markdown(f"**{plain(first)}** {' '.join(map(plain, rest))}")
        lost = losses(board)
        if lost:
            with st.expander(plain(summed_up(lost)), type="compact"):
                st.markdown("\n".join(f"- {plain(in_words(loss))}" for loss in lost))


def _view(version: Version, board: Leaderboard) -> None:
    chosen = view.widget(
        st.segmented_control,
        "View",
        VIEW,
        options=VIEWS,
        label_visibility="collapsed",
        required=True,
    )
    match chosen:
        case "By category":
            _by_category(version, board)
        case "Titles":
            titles(version, board)
        case "Candidates":
            candidates(version, board)
        case "Cost":
            cost(version, board)
        case "Catalogue":
            _catalogue(version, board)
        case _:
            _overall(version, board)


def _overall(version: Version, board: Leaderboard) -> None:
    metric = choose_metric("Metric", METRIC, QUALITY)
    rows = best_first(board.rows, metric)
    dots(version, "overall", rows, [row.overall[metric] for row in rows], metric)
    best = board.rows[0]
    columns: dict[str, list[Any]] = {
        "Model": [row.label for row in rows],
        NAMES[metric]: [row.overall[metric].value for row in rows],
        "95 % interval": [interval(row.overall[metric], decimals(metric)) for row in rows],
        f"Against {best.label}": [
            "" if row is best else said(row.against_best[metric], decimals(metric), sign=True)
            for row in rows
        ],
    }
    for name in QUALITY:
        if name != metric:
            columns[NAMES[name]] = [row.overall[name].value for row in rows]
    table(columns, "Models by measured quality")


def _by_category(version: Version, board: Leaderboard) -> None:
    metric = choose_metric("Metric", METRIC, QUALITY)
    heat(
        [row.label for row in board.rows],
        [[row.by_category[label][metric] for label in board.playlists] for row in board.rows],
        board,
        f"{NAMES[metric]} by model and category",
        digits=decimals(metric),
        lower_is_better=metric in LOWER_IS_BETTER,
    )
    st.caption("The fuller the colour, the better in its column. t: title, r: random places.")
    category = view.widget(
        st.selectbox,
        "Category",
        _category(board),
        options=list(board.playlists),
        format_func=lambda label: f"{label} ({counted(board.playlists[label], 'playlist')})",
        width=320,
    )
    rows = best_first(board.rows, metric, category)
    figures = [row.by_category[category][metric] for row in rows]
    dots(version, "category", rows, figures, metric)


def _category(board: Leaderboard) -> Choice[str]:
    labels = [category.label for category in CATEGORIES]
    return Choice("comparison.category", next(iter(board.playlists)), view.one_of(labels, str))


def _catalogue(version: Version, board: Leaderboard) -> None:
    metric = choose_metric("Measure", MEASURE, SPREAD)
    rows = best_first(board.rows, metric)
    figures = [row.overall[metric] for row in rows]
    dots(version, "catalogue", rows, figures, metric, loud=False)
    table(
        {"Model": [row.label for row in rows]}
        | {NAMES[name]: [row.overall[name].value for row in rows] for name in SPREAD},
        "How recommendations are spread over the catalogue",
    )
    st.caption(
        "No end of these scales is better as such: they say what kind of lists a model makes."
    )
