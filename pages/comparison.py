"""The leaderboard: every model on the same held-out playlists, what it finds and what it costs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.errors import SegueError
from core.evaluation.candidates import DEPTHS, Pool, Union, recall_at, size_at
from core.evaluation.challenge import CATEGORIES
from core.evaluation.dials import LABELS as DIAL_LABELS
from core.evaluation.dials import DialReport
from core.evaluation.export import to_csv
from core.evaluation.leaderboard import LABELS, Leaderboard, Row
from core.evaluation.metrics import Figure, Figures, independent_difference
from core.evaluation.verdict import headline, in_words, losses, summed_up
from core.explore.figures import (
    Dot,
    Price,
    chart_config,
    cost_figure,
    dots_figure,
    heat_colours,
)
from core.ordering import PAGE
from core.ranking.ranker import Ranker
from core.ranking.routes import ROUTES
from core.training.evaluate import stored_leaderboard
from pages import dials, session
from pages.session import Version
from pages.widgets import counted, plain, sentences, simulated_badge

VIEWS = ("Overall", "By category", "Titles", "Candidates", "Cost", "Catalogue")

QUALITY = ("r_precision", "track_r_precision", "ndcg", "clicks", "hit@10", "hit@100", "hit@500")
WITH_INTERVALS = ("r_precision", "ndcg", "clicks")  # Of the dials' measures.
SPREAD = ("coverage", "novelty", "gini", "popularity_lift")
NAMES = {name: label[0].upper() + label[1:] for name, label in LABELS.items()} | {
    "track_r_precision": "R-precision, tracks only",
    "popularity_lift": "Popularity lift",
}
DIAL_NAMES = {name: label[0].upper() + label[1:] for name, label in DIAL_LABELS.items()}
LOWER_IS_BETTER = {"clicks"}
MEANING = {
    "r_precision": "Of as many recommendations as tracks were hidden: the share that was hidden, "
    "and a quarter of a hit for each right artist of a wrong track.",
    "track_r_precision": "Of as many recommendations as tracks were hidden: the share that was.",
    "ndcg": "Hidden tracks among 500 recommendations, early ones counting more; 1 is perfect.",
    "clicks": "How often a listener asks for ten more before the first hidden track; 51 if it "
    "never comes. Fewer are better.",
    **{
        f"hit@{k}": f"How often the very next track of the playlist is among the first {k}."
        for k in (10, 100, 500)
    },
    "coverage": "Share of the catalogue that at least one list of 500 recommends.",
    "novelty": "How rare the recommended tracks are, in bits: one bit more is half as popular.",
    "gini": "How unevenly recommendations are spread over the catalogue: 0 is evenly, 1 is all "
    "to one track.",
    "popularity_lift": "How much more popular recommended tracks are than the hidden ones: 0 is "
    "as popular, 1 is twice as popular.",
    "similarity": f"How alike the first {PAGE} tracks are: the mean cosine of all pairs.",
    "artists": f"Different artists among the first {PAGE} tracks.",
    "step": f"How far tempo, key and energy move from track to track among the first {PAGE}: 0 is "
    "not at all, 1 as far as can be.",
}
COSTS = {
    "fit": "Fit (s)",
    "batch": "One query in a batch (ms)",
    "alone": "One query alone (ms)",
    "memory": "Peak memory of the fit (MB)",
}
# Names find other places on a phone; only the browser knows how wide it is.
ONE_OF_TWO = """<style>
    @media (max-width: 640px) { .st-key-cost_wide { display: none; } }
    @media (min-width: 641px) { .st-key-cost_phone { display: none; } }
</style>"""
CHEAPEST = 0.1  # Where costs below it are drawn, whatever their unit: they no longer matter.
WITH_AND_WITHOUT = (("title + first 5", "first 5"), ("title + first 10", "first 10"))
TITLE_ONLY = CATEGORIES[0].label


def page() -> None:
    st.title("Leaderboard", anchor=False)
    with sentences():
        version = session.version()
        board = _board(version)
        if board is not None:
            _about(version, board)
            _verdict(board)
            # One block, so that what follows keeps its place whichever view is shown.
            with st.container():
                _views(version, board)
            _download(version, board)
        with sentences():
            _ranker(version)
        _dials(version)


def _board(version: Version) -> Leaderboard | None:
    """The stored leaderboard; where there is none that can be read, say how to get one."""
    try:
        board = stored_leaderboard(session.dataset(version))
    except SegueError:
        reason = (
            f"The leaderboard of “{version.name}” was measured by another version of Segue. "
            "Measure it again:"
        )
    else:
        if board is not None:
            return board
        reason = f"Nothing is measured on “{version.name}” yet. Measure its models:"
    st.info(plain(reason), icon=":material/leaderboard:")
    if not session.cards(version):
        st.caption("No model is trained on it either: that comes first.")
        st.page_link(
            "library.py",
            label="Train models on the Library page",
            icon=":material/model_training:",
        )
    st.code(f"python -m core evaluate --dataset {version.name}", language="bash")
    st.caption(
        "It hides tracks of some playlists, fits every model again without these playlists, and "
        "counts what each finds. It takes about as long as training."
    )
    return None


# --- what was measured, and what it says ---


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


def _views(version: Version, board: Leaderboard) -> None:
    view = st.segmented_control(
        "View",
        VIEWS,
        default=VIEWS[0],
        key="board_view",
        label_visibility="collapsed",
        required=True,
    )
    match view:
        case "By category":
            _by_category(version, board)
        case "Titles":
            _titles(version, board)
        case "Candidates":
            _candidates(version, board)
        case "Cost":
            _cost(version, board)
        case "Catalogue":
            _catalogue(version, board)
        case _:
            _overall(version, board)


# --- views ---


def _overall(version: Version, board: Leaderboard) -> None:
    metric = _metric("Metric", QUALITY, "board_metric")
    rows = _best_first(board.rows, metric)
    _dots(version, "overall", rows, [row.overall[metric] for row in rows], metric)
    best = board.rows[0]
    columns: dict[str, list[Any]] = {
        "Model": [row.label for row in rows],
        NAMES[metric]: [row.overall[metric].value for row in rows],
        "95 % interval": [_ends(row.overall[metric], _digits(metric)) for row in rows],
        f"Against {best.label}": [
            "" if row is best else _said(row.against_best[metric], _digits(metric), sign=True)
            for row in rows
        ],
    }
    for name in QUALITY:
        if name != metric:
            columns[NAMES[name]] = [row.overall[name].value for row in rows]
    _table(columns, "Models by measured quality")


def _by_category(version: Version, board: Leaderboard) -> None:
    metric = _metric("Metric", QUALITY, "board_metric")
    _heat(
        [row.label for row in board.rows],
        [[row.by_category[label][metric] for label in board.playlists] for row in board.rows],
        board,
        f"{NAMES[metric]} by model and category",
        digits=_digits(metric),
        lower_is_better=metric in LOWER_IS_BETTER,
    )
    st.caption("The fuller the colour, the better in its column. t: title, r: random places.")
    category = st.selectbox(
        "Category",
        list(board.playlists),
        key="board_category",
        format_func=lambda label: f"{label} ({counted(board.playlists[label], 'playlist')})",
        width=320,
    )
    rows = _best_first(board.rows, metric, category)
    figures = [row.by_category[category][metric] for row in rows]
    _dots(version, "category", rows, figures, metric)


def _titles(version: Version, board: Leaderboard) -> None:
    if not any(row.reads_titles for row in board.rows):
        st.info("None of these models reads titles.", icon=":material/title:")
        return
    metric = _metric("Metric", QUALITY, "board_metric")
    if TITLE_ONLY in board.playlists:
        _title_only(version, board, metric)
    pairs = [pair for pair in WITH_AND_WITHOUT if set(pair) <= board.playlists.keys()]
    if pairs:
        _title_gains(version, board, metric, pairs)
    titled = [c.label for c in CATEGORIES if c.titled and c.label in board.playlists]
    if titled:
        st.subheader("Every titled category", anchor=False)
        _heat(
            [row.label for row in board.rows],
            [[row.by_category[label][metric] for label in titled] for row in board.rows],
            board,
            f"{NAMES[metric]} in titled categories",
            digits=_digits(metric),
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
    rows = _best_first(board.rows, metric, TITLE_ONLY)
    figures = [row.by_category[TITLE_ONLY][metric] for row in rows]
    _dots(version, "title-only", rows, figures, metric, quiet=_not_reading(rows))


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
            _dots(
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


def _candidates(version: Version, board: Leaderboard) -> None:
    union = board.union
    if union is None:
        st.info(
            "A union needs at least two retrieval models: train more of them.",
            icon=":material/join:",
        )
        return
    depth = st.segmented_control(
        "First candidates of each model",
        DEPTHS,
        default=DEPTHS[-1],
        key="board_depth",
        format_func=lambda n: f"{n:,}",
        required=True,
    )
    recall = recall_at(depth or DEPTHS[-1])
    together = union.overall.together
    size = together[size_at(depth or DEPTHS[-1])].value or 0
    st.markdown(
        f"The {len(union.models)} models together propose **{size:,.0f}** distinct tracks a "
        f"playlist, and these hold **{_percent(together[recall])}** of the hidden ones. No "
        "ranking of these candidates can find more."
    )
    rows = [row for row in board.rows if row.name in union.models]
    found, alone = st.columns(2, gap="medium")
    with found:
        st.subheader("What each model finds", anchor=False)
        ordered = sorted(rows, key=lambda row: -(row.overall[recall].value or 0))
        _dots(
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
        _dots(
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
    _heat(
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


def _cost(version: Version, board: Leaderboard) -> None:
    with st.container(horizontal=True):
        metric = _metric("Metric", QUALITY, "board_metric", explain=False)
        cost = st.selectbox(
            "Cost", list(COSTS), key="board_cost", format_func=COSTS.__getitem__, width=260
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
        st.html(ONE_OF_TWO)
        for screen in ("wide", "phone"):
            with st.container(key=f"cost_{screen}"):
                st.plotly_chart(
                    cost_figure(
                        prices,
                        COSTS[cost],
                        NAMES[metric],
                        lower_is_better=metric in LOWER_IS_BETTER,
                        digits=_digits(metric),
                        phone=screen == "phone",
                        dark=_dark(),
                    ),
                    key=f"board_cost_{screen}",
                    config=chart_config(f"cost-{version.name}"),
                    alt=f"{NAMES[metric]} against {COSTS[cost]}; the table has the figures.",
                )
        st.caption(
            "Up and to the left is better. The line joins the models that nothing cheaper "
            f"surpasses. What costs less than {CHEAPEST} is drawn there."
        )
    _table(
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


def _catalogue(version: Version, board: Leaderboard) -> None:
    metric = _metric("Measure", SPREAD, "board_spread")
    rows = _best_first(board.rows, metric)
    figures = [row.overall[metric] for row in rows]
    _dots(version, "catalogue", rows, figures, metric, loud=False)
    _table(
        {"Model": [row.label for row in rows]}
        | {NAMES[name]: [row.overall[name].value for row in rows] for name in SPREAD},
        "How recommendations are spread over the catalogue",
    )
    st.caption(
        "No end of these scales is better as such: they say what kind of lists a model makes."
    )


# --- the default answer: who gives it, and what its dials cost ---


def _ranker(version: Version) -> None:
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
        f"**{route.label}**"
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
    _table(
        {
            "Kind of query": [route.label for route in ROUTES],
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
            "Kind of query": _pinned(
                140,
                "With a title or without, and about so many seeds: the nearest kind counts.",
            ),
            "Playlists": st.column_config.NumberColumn(
                format="localized", help="Masked playlists that the ranker was judged on."
            ),
        },
    )


def _gain(ends: tuple[float, float, float]) -> str:
    """A difference in R-precision with its interval."""
    return _said(Figure(*ends), _digits("r_precision"), sign=True)


def _dials(version: Version) -> None:
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
        f"{DIAL_NAMES[name]} {figure.value:.{_digits(name)}f}"
        for name, figure in report.default.items()
        if figure.value is not None
    )
    st.caption(f"With no dial turned: {', '.join(by_default)}.")
    _downloads(
        "Every dial and measure, with intervals:",
        f"dials-{version.name}",
        dials.to_csv(report),
        report.as_json(),
    )


def _differences(report: DialReport) -> None:
    columns: dict[str, list[Any]] = {
        "Dial": [dials.label(row.dial, row.value) for row in report.rows]
    }
    config: dict[str, Any] = {}
    for key in DIAL_LABELS:
        name, digits = DIAL_NAMES[key], _digits(key)
        figures = [row.difference[key] for row in report.rows]
        if key in WITH_INTERVALS:
            columns[name] = [_said(figure, digits, sign=True) for figure in figures]
            config[name] = st.column_config.TextColumn(help=MEANING[key])
        else:
            columns[name] = [_rounded(figure.value, digits) for figure in figures]
            config[name] = st.column_config.NumberColumn(help=MEANING[key], format=f"%+.{digits}f")
    _table(columns, "What each dial changes", config=config)


# --- pieces ---


def _metric(label: str, names: Sequence[str], key: str, explain: bool = True) -> str:
    """A choice of metric, with its meaning."""
    metric = st.selectbox(label, names, key=key, format_func=NAMES.__getitem__, width=260)
    if explain:
        st.caption(MEANING[metric])
    return metric


def _best_first(rows: Sequence[Row], metric: str, category: str = "") -> list[Row]:
    def value(row: Row) -> float:
        figures: Figures = row.by_category[category] if category else row.overall
        figure = figures[metric].value
        worst = float("inf") if metric in LOWER_IS_BETTER else float("-inf")
        return worst if figure is None else figure

    return sorted(rows, key=value, reverse=metric not in LOWER_IS_BETTER)


def _dots(
    version: Version,
    name: str,
    rows: Sequence[Row],
    figures: Sequence[Figure],
    metric: str,
    *,
    title: str = "",
    quiet: Sequence[bool] = (),
    loud: bool = True,
    **more: Any,
) -> None:
    """Dots and whiskers of models; the first is loud where it is the best."""
    known = [
        Dot(
            row.label,
            figure.value,
            figure.low,
            figure.high,
            loud=loud and place == 0,
            quiet=bool(quiet) and quiet[place],
        )
        for place, (row, figure) in enumerate(zip(rows, figures, strict=True))
        if figure.value is not None
    ]
    st.plotly_chart(
        dots_figure(known, title or NAMES[metric], digits=_digits(metric), dark=_dark(), **more),
        key=f"board_dots_{name}",
        config=chart_config(f"{name}-{version.name}"),
        alt=f"{title or NAMES[metric]} of each model with its interval; the table has the figures.",
    )


def _heat(
    labels: Sequence[str],
    figures: Sequence[Sequence[Figure]],
    board: Leaderboard,
    alt: str,
    *,
    digits: int,
    lower_is_better: bool = False,
    categories: Sequence[str] = (),
    plain_rows: int = 0,
    more: Mapping[str, Sequence[Any]] | None = None,
) -> None:
    """A table of models by category with coloured cells; the first `plain_rows` rows stay clear."""
    shown = list(categories or board.playlists)
    short = {category.label: category.short for category in CATEGORIES}
    values = np.array([[f.value for f in row] for row in figures], np.float64)
    fills = heat_colours(values[plain_rows:], lower_is_better=lower_is_better, dark=_dark())
    fills = [[""] * len(shown) for _ in range(plain_rows)] + fills
    columns = [short[label] for label in shown]
    table = pd.DataFrame(values, columns=columns)
    table.insert(0, "Model", list(labels))
    for place, (name, cells) in enumerate((more or {}).items(), 1):
        table.insert(place, name, list(cells))
    styles = pd.DataFrame("", index=table.index, columns=table.columns)
    styles[columns] = [[f"background-color: {f}" if f else "" for f in row] for row in fills]
    config: dict[str, Any] = {
        short[label]: st.column_config.NumberColumn(
            help=f"{label}: {counted(board.playlists[label], 'playlist')}",
            format=f"%.{digits}f",
        )
        for label in shown
    }
    st.dataframe(
        table.style.apply(lambda _: styles, axis=None),
        hide_index=True,
        height="content",
        placeholder="–",
        alt=alt,
        column_config=config | {"Model": _pinned()},
    )


def _table(
    columns: Mapping[str, Sequence[Any]],
    alt: str,
    digits: Mapping[str, int] | None = None,
    config: Mapping[str, Any] | None = None,
) -> None:
    """Figures that sort as numbers; the first column stays in sight."""
    figures = {
        name: st.column_config.NumberColumn(
            format=f"%.{(digits or {}).get(name, _DIGITS.get(name, 3))}f"
        )
        for name, cells in columns.items()
        if any(isinstance(cell, float) for cell in cells)
    }
    st.dataframe(
        columns,
        hide_index=True,
        height="content",
        placeholder="–",
        alt=alt,
        column_config=figures | {next(iter(columns)): _pinned()} | dict(config or {}),
    )


def _pinned(width: int = 180, hint: str = "") -> Any:
    return st.column_config.TextColumn(pinned=True, width=width, help=hint or None)


def _digits(metric: str) -> int:
    return 2 if metric in ("clicks", "novelty", "popularity_lift", "artists") else 3


_DIGITS = {NAMES[metric]: _digits(metric) for metric in NAMES}


def _ends(figure: Figure, digits: int, sign: bool = False) -> str:
    if figure.low is None or figure.high is None:
        return ""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{figure.low:{form}} to {figure.high:{form}}"


def _said(figure: Figure, digits: int, sign: bool = False) -> str:
    if figure.value is None:
        return ""
    value = f"{figure.value:{'+' if sign else ''}.{digits}f}"
    return f"{value} ({_ends(figure, digits, sign)})"


def _rounded(value: float | None, digits: int) -> float | None:
    # Adding zero turns -0.0, of a small negative value, into 0.0.
    return None if value is None else round(value, digits) + 0.0


def _percent(figure: Figure) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:.1%} ({figure.low:.1%} to {figure.high:.1%})"


def _dark() -> bool:
    return st.context.theme.type == "dark"


def _download(version: Version, board: Leaderboard) -> None:
    _downloads(
        "The whole leaderboard, every category and metric:",
        f"leaderboard-{version.name}",
        to_csv(board),
        board.as_json(),
    )


def _downloads(caption: str, name: str, table: str, everything: Mapping[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(caption, width="content")
        st.download_button(
            "CSV",
            table,
            f"{name}.csv",
            "text/csv",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "JSON",
            json.dumps(everything, ensure_ascii=False),
            f"{name}.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )


page()
