"""Views of the leaderboard that go deeper: titles, candidates, cost."""

from collections.abc import Sequence

import streamlit as st

from core.evaluation.candidates import DEPTHS, Pool, Union, recall_at, size_at
from core.evaluation.challenge import CATEGORIES
from core.evaluation.leaderboard import Leaderboard, Row
from core.evaluation.metrics import Figure, independent_difference
from core.explore.figures import Dot, Price, chart_config, cost_figure
from pages.common import view
from pages.common.measured import (
    LOWER_IS_BETTER,
    METRIC,
    NAMES,
    QUALITY,
    best_first,
    choose_metric,
    decimals,
    dots,
    heat,
    percent,
    table,
)
from pages.common.screens import is_dark, on_both
from pages.common.session import Version
from pages.common.view import Choice

WITH_AND_WITHOUT = (("title + first 5", "first 5"), ("title + first 10", "first 10"))
TITLE_ONLY = CATEGORIES[0].label
COSTS = {
    "fit": "Fit (s)",
    "batch": "One query in a batch (ms)",
    "alone": "One query alone (ms)",
    "memory": "Peak memory of the fit (MB)",
}
CHEAPEST = 0.1  # Where costs below it are drawn, whatever their unit: they no longer matter.
COST = Choice("comparison.cost", "fit", view.one_of(list(COSTS), str))
DEPTH = Choice("comparison.depth", DEPTHS[-1], view.one_of(DEPTHS, int))


# --- titles ---


def titles(version: Version, board: Leaderboard) -> None:
    if not any(row.reads_titles for row in board.rows):
        st.info("None of these models reads titles.", icon=":material/title:")
        return
    metric = choose_metric("Metric", METRIC, QUALITY)
    if TITLE_ONLY in board.playlists:
        _title_only(version, board, metric)
    pairs = [pair for pair in WITH_AND_WITHOUT if set(pair) <= board.playlists.keys()]
    if pairs:
        _title_gains(version, board, metric, pairs)
    titled = [c.label for c in CATEGORIES if c.titled and c.label in board.playlists]
    if titled:
        st.subheader("Every titled category", anchor=False)
        heat(
            [row.label for row in board.rows],
            [[row.by_category[label][metric] for label in titled] for row in board.rows],
            board,
            f"{NAMES[metric]} in titled categories",
            digits=decimals(metric),
            lower_is_better=metric in LOWER_IS_BETTER,
            categories=titled,
            more={"Reads titles": [row.reads_titles for row in board.rows]},
        )


def _title_only(version: Version, board: Leaderboard, metric: str) -> None:
    st.subheader("From the title alone", anchor=False)
    st.caption(
        "Grey: models that do not read titles. Without a seed they have nothing to go by, and "
        "their lists are the most popular tracks."
    )
    rows = best_first(board.rows, metric, TITLE_ONLY)
    figures = [row.by_category[TITLE_ONLY][metric] for row in rows]
    dots(version, "title-only", rows, figures, metric, quiet=_not_reading(rows))


def _title_gains(
    version: Version, board: Leaderboard, metric: str, pairs: Sequence[tuple[str, str]]
) -> None:
    st.subheader("What a title adds to the first tracks", anchor=False)
    st.caption(
        "With the title minus without. These are different playlists, so models that do not read "
        "titles (grey) differ too: only what readers gain beyond that is the title's."
    )
    for column, (titled, untitled) in zip(st.columns(len(pairs), gap="medium"), pairs, strict=True):
        gains = [
            independent_difference(
                row.by_category[titled][metric], row.by_category[untitled][metric]
            )
            for row in board.rows
        ]
        with column:
            dots(
                version,
                f"title-gain-{untitled.replace(' ', '-')}",
                board.rows,
                gains,
                metric,
                title=f"{titled} minus {untitled}",
                quiet=_not_reading(board.rows),
                loud=False,
                difference=True,
            )


def _not_reading(rows: Sequence[Row]) -> list[bool]:
    return [not row.reads_titles for row in rows]


# --- candidates ---


def candidates(version: Version, board: Leaderboard) -> None:
    union = board.union
    if union is None:
        st.info(
            "A union needs at least two retrieval models: train more of them.",
            icon=":material/join:",
        )
        return
    depth = view.widget(
        st.segmented_control,
        "First candidates of each model",
        DEPTH,
        options=DEPTHS,
        format_func=lambda n: f"{n:,}",
        required=True,
    )
    recall = recall_at(depth)
    together = union.overall.together
    size = together[size_at(depth)].value or 0
    st.markdown(
        f"The {len(union.models)} models together propose **{size:,.0f}** distinct tracks a "
        f"playlist, and these hold **{percent(together[recall])}** of the hidden ones. No "
        "ranking of these candidates can find more."
    )
    rows = [row for row in board.rows if row.name in union.models]
    found, alone = st.columns(2, gap="medium")
    with found:
        st.subheader("What each model finds", anchor=False)
        ordered = sorted(rows, key=lambda row: -(row.overall[recall].value or 0))
        dots(
            version,
            "recall",
            ordered,
            [row.overall[recall] for row in ordered],
            recall,
            title="Share of hidden tracks among the candidates",
            percent=True,
            line=together[recall].value,
            line_text="all together",
        )
    with alone:
        st.subheader("What only it finds", anchor=False)
        added = union.overall.added
        ordered = sorted(rows, key=lambda row: -(added[row.name][recall].value or 0))
        dots(
            version,
            "added",
            ordered,
            [added[row.name][recall] for row in ordered],
            recall,
            title="Recall that the union loses without it",
            percent=True,
        )
    st.subheader("By category", anchor=False)
    st.caption(
        f"Share of hidden tracks, in percent, among the first {depth:,} of all models together, "
        "and what each model alone adds to it. The fuller the colour, the more it adds."
    )
    heat(
        ["All together", *(row.label for row in rows)],
        _pooled(union, board, rows, recall),
        board,
        "Recall of the union, and what each model alone adds, by category",
        digits=1,
        plain_rows=1,
    )


def _pooled(
    union: Union, board: Leaderboard, rows: Sequence[Row], recall: str
) -> list[list[Figure]]:
    """Percentages of the union, then of each model alone, by category."""

    def percent(figure: Figure) -> Figure:
        return Figure(None if figure.value is None else 100 * figure.value)

    pools: list[Pool] = [union.by_category[label] for label in board.playlists]
    return [
        [percent(pool.together[recall]) for pool in pools],
        *([percent(pool.added[row.name][recall]) for pool in pools] for row in rows),
    ]


# --- cost ---


def cost(version: Version, board: Leaderboard) -> None:
    with st.container(horizontal=True):
        metric = choose_metric("Metric", METRIC, QUALITY, explain=False)
        cost = view.widget(
            st.selectbox,
            "Cost",
            COST,
            options=list(COSTS),
            format_func=COSTS.__getitem__,
            width=260,
        )
    spent = {row.name: _spent(row)[cost] for row in board.rows}
    priced = [row for row in board.rows if spent[row.name] is not None]
    prices = [
        Price(
            Dot(row.label, row.overall[metric].value or 0, loud=row is board.rows[0]),
            max(spent[row.name] or 0.0, CHEAPEST),
        )
        for row in priced
    ]
    if prices:

        def draw(phone: bool) -> None:
            st.plotly_chart(
                cost_figure(
                    prices,
                    COSTS[cost],
                    NAMES[metric],
                    lower_is_better=metric in LOWER_IS_BETTER,
                    digits=decimals(metric),
                    phone=phone,
                    dark=is_dark(),
                ),
                key=f"board_cost_{phone}",
                config=chart_config(f"cost-{version.name}"),
                alt=f"{NAMES[metric]} against {COSTS[cost]}; the table has the figures.",
            )

        on_both("board_cost", draw)  # names find other places on a phone
        st.caption(
            "Up and to the left is better. The line joins the models that nothing cheaper "
            f"surpasses. What costs less than {CHEAPEST} is drawn there."
        )
    table(
        {
            "Model": [row.label for row in board.rows],
            NAMES[metric]: [row.overall[metric].value for row in board.rows],
            **{label: [_spent(row)[name] for row in board.rows] for name, label in COSTS.items()},
        },
        "What each model costs",
        digits={COSTS["fit"]: 1, COSTS["batch"]: 2, COSTS["alone"]: 1, COSTS["memory"]: 0},
    )
    st.caption(
        "Each query asks for 1,000 tracks; batches hold 250. Memory is that of the process, data "
        "included. The fusion's fit is that of all its models."
    )


def _spent(row: Row) -> dict[str, float | None]:
    return {
        "fit": row.fit_seconds,
        "batch": row.milliseconds,
        "alone": row.milliseconds_alone,
        "memory": row.peak_bytes and row.peak_bytes / 1e6,
    }
