"""The default answer: who gives it, and what its dials cost."""

import json
from typing import Any

import streamlit as st

from core.errors import SegueError
from core.evaluation.dials import LABELS as DIAL_LABELS
from core.evaluation.dials import DialReport
from core.evaluation.export import dials_to_csv
from core.evaluation.metrics import Figure
from core.ordering import PAGE
from core.ranking.ranker import Ranker
from core.ranking.routes import ROUTES, Route
from pages.common import session
from pages.common.measured import MEANING, decimals, downloads, pinned, rounded, said, table
from pages.common.session import Version
from pages.common.widgets import counted, plain
from pages.playlists import dials

WITH_INTERVALS = ("r_precision", "ndcg", "clicks")
DIAL_NAMES = {name: label[0].upper() + label[1:] for name, label in DIAL_LABELS.items()}


def who_answers(version: Version) -> None:
    """What kinds of queries the ranker answers, where there is one."""
    if not session.has_ranker(version):
        return
    st.subheader("Where the ranker answers", anchor=False)
    recommender = session.recommender(version)
    for note in recommender.notes:
        st.warning(plain(note), icon=":material/warning:")
    if recommender.ranker:
        _standings(recommender.ranker)


def _standings(ranker: Ranker) -> None:
    """The gate in words, and what it let through by kind of query."""
    fallen = [
        f"**{_kind(route)}**"
        for route, proven in zip(ROUTES, ranker.proven, strict=True)
        if not proven
    ]
    if not fallen:
        outcome = "The ranker is proven for every kind of query."
    elif len(fallen) == len(ROUTES):
        outcome = "The ranker is proven for none: the fusion answers every query."
    else:
        outcome = f"The ranker fell back to the fusion for {', '.join(fallen)}."
    st.markdown(outcome)
    st.caption(
        "It answers a kind of query only where it beats the best single model beyond the "
        "95 % interval of their paired difference in R-precision, on masked playlists that its "
        "forests have not seen."
    )
    found = [ranker.standing.get(route.label) for route in ROUTES]
    table(
        {
            "Kind of query": list(map(_kind, ROUTES)),
            "Who answers": [
                "the ranker"
                if one and one.proven
                else f"the fusion (ranker not {'proven' if one else 'judged'})"
                for one in found
            ],
            "Playlists": [one.playlists if one else 0 for one in found],
            "Best single model": [session.model_label(one.single) if one else "" for one in found],
            "Gain over it": [_gain(one.against_single) if one else "" for one in found],
            "Gain over the fusion": [_gain(one.against_blend) if one else "" for one in found],
        },
        "Who answers each kind of query, and what the ranker gains there",
        config={
            "Kind of query": pinned(
                140,
                "With a title or without, and about so many seeds: the nearest kind counts.",
            ),
            "Playlists": st.column_config.NumberColumn(
                format="localized", help="Masked playlists that the ranker was judged on."
            ),
        },
    )


def _kind(route: Route) -> str:
    """What a person calls a kind of query."""
    return route.label if route.seeds else f"{route.label} alone"


def _gain(ends: tuple[float, float, float]) -> str:
    """A difference in R-precision with its interval."""
    return said(Figure(*ends), decimals("r_precision"), sign=True)


def dials_cost(version: Version) -> None:
    """What each dial changes, where that is measured."""
    try:
        report = session.dials(version)
    except SegueError:
        st.info(
            "What the dials cost was measured by another version of Segue: evaluate again.",
            icon=":material/tune:",
        )
        return
    if report is None:
        return
    st.subheader("What the dials cost", anchor=False)
    st.caption(
        f"Each dial turned alone, on {counted(report.playlists, 'held-out playlist')}: the "
        "difference to no dial turned, on the same playlists. Fewer clicks are better. Alike, "
        f"artists and step are of the first {PAGE} tracks, everything else of 500."
    )
    _differences(report)
    by_default = (
        f"{DIAL_NAMES[name]} {figure.value:.{decimals(name)}f}"
        for name, figure in report.default.items()
        if figure.value is not None
    )
    st.caption(f"With no dial turned: {', '.join(by_default)}.")
    downloads(
        "Every dial and measure, with intervals:",
        f"dials-{version.name}",
        dials_to_csv(report),
        json.dumps(report.as_json(), ensure_ascii=False),
    )


def _differences(report: DialReport) -> None:
    columns: dict[str, list[Any]] = {
        "Dial": [dials.label(row.dial, row.value) for row in report.rows]
    }
    config: dict[str, Any] = {"Dial": pinned(176)}
    for key in DIAL_LABELS:
        name, digits = DIAL_NAMES[key], decimals(key)
        figures = [row.difference[key] for row in report.rows]
        if key in WITH_INTERVALS:
            columns[name] = [said(figure, digits, sign=True) for figure in figures]
            config[name] = st.column_config.TextColumn(help=MEANING[key])
        else:
            columns[name] = [rounded(figure.value, digits) for figure in figures]
            config[name] = st.column_config.NumberColumn(help=MEANING[key], format=f"%+.{digits}f")
    table(columns, "What each dial changes", config=config)
