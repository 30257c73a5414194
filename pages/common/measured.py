"""How measured figures are shown: their names, their tables and charts, the files to take away."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from core.evaluation.challenge import CATEGORIES
from core.evaluation.leaderboard import LABELS, Leaderboard, Row
from core.evaluation.metrics import Figure, Figures
from core.explore.figures import Dot, chart_config, dots_figure, heat_colours
from core.ordering import PAGE
from pages.common import session, view
from pages.common.screens import is_dark
from pages.common.session import Version
from pages.common.view import Choice
from pages.common.widgets import counted, plain

QUALITY = ("r_precision", "track_r_precision", "ndcg", "clicks", "hit@10", "hit@100", "hit@500")
SPREAD = ("coverage", "novelty", "gini", "popularity_lift")
METRIC = Choice("comparison.metric", QUALITY[0], view.one_of(QUALITY, str))
MEASURE = Choice("comparison.measure", SPREAD[0], view.one_of(SPREAD, str))
NAMES = {name: label[0].upper() + label[1:] for name, label in LABELS.items()} | {
    "track_r_precision": "R-precision, tracks only",
    "popularity_lift": "Popularity lift",
}
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


def how_to_measure(version: Version, reason: str) -> None:
    """Say why nothing measured is shown, and what to run."""
    st.info(plain(reason), icon=":material/leaderboard:")
    if not session.cards(version):
        st.caption("No model is trained on it either: that comes first.")
        st.page_link(
            "training.py",
            label="Train models on the Training page",
            icon=":material/model_training:",
        )
    st.code(f"python -m core evaluate --dataset {version.name}", language="bash")
    st.caption(
        "It hides tracks of some playlists, fits every model again without these playlists, and "
        "counts what each finds. It takes about as long as training."
    )


def choose_metric(
    label: str, choice: Choice[str], names: Sequence[str], explain: bool = True
) -> str:
    """A choice of metric, with its meaning."""
    name = view.widget(
        st.selectbox, label, choice, options=names, format_func=NAMES.__getitem__, width=260
    )
    if explain:
        st.caption(MEANING[name])
    return name


def best_first(rows: Sequence[Row], metric: str, category: str = "") -> list[Row]:
    """Rows by their figure, over all playlists or those of a category."""

    def value(row: Row) -> float:
        figures: Figures = row.by_category[category] if category else row.overall
        figure = figures[metric].value
        worst = float("inf") if metric in LOWER_IS_BETTER else float("-inf")
        return worst if figure is None else figure

    return sorted(rows, key=value, reverse=metric not in LOWER_IS_BETTER)


def dots(
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
        dots_figure(known, title or NAMES[metric], digits=decimals(metric), dark=is_dark(), **more),
        key=f"board_dots_{name}",
        config=chart_config(f"{name}-{version.name}"),
        alt=f"{title or NAMES[metric]} of each model with its interval; the table has the figures.",
    )


def heat(
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
    fills = heat_colours(values[plain_rows:], lower_is_better=lower_is_better, dark=is_dark())
    fills = [[""] * len(shown) for _ in range(plain_rows)] + fills
    columns = [short[label] for label in shown]
    frame = pd.DataFrame(values, columns=columns)
    frame.insert(0, "Model", list(labels))
    for place, (name, cells) in enumerate((more or {}).items(), 1):
        frame.insert(place, name, list(cells))
    styles = pd.DataFrame("", index=frame.index, columns=frame.columns)
    styles[columns] = [[f"background-color: {f}" if f else "" for f in row] for row in fills]
    config: dict[str, Any] = {
        short[label]: st.column_config.NumberColumn(
            help=f"{label}: {counted(board.playlists[label], 'playlist')}",
            format=f"%.{digits}f",
        )
        for label in shown
    }
    st.dataframe(
        frame.style.apply(lambda _: styles, axis=None),
        hide_index=True,
        height="content",
        placeholder="–",
        alt=alt,
        column_config=config | {"Model": pinned()},
    )


def table(
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
        column_config=figures | {next(iter(columns)): pinned()} | dict(config or {}),
    )


def pinned(width: int = 180, hint: str = "") -> Any:
    """A column of text that stays in sight."""
    return st.column_config.TextColumn(pinned=True, width=width, help=hint or None)


def decimals(metric: str) -> int:
    """Decimals of a metric that are worth reading."""
    return 2 if metric in ("clicks", "novelty", "popularity_lift", "artists") else 3


_DIGITS = {NAMES[metric]: decimals(metric) for metric in NAMES}


def interval(figure: Figure, digits: int, sign: bool = False) -> str:
    """The ends of a figure's interval."""
    if figure.low is None or figure.high is None:
        return ""
    form = f"{'+' if sign else ''}.{digits}f"
    return f"{figure.low:{form}} to {figure.high:{form}}"


def said(figure: Figure, digits: int, sign: bool = False) -> str:
    """A figure with its interval."""
    if figure.value is None:
        return ""
    value = f"{figure.value:{'+' if sign else ''}.{digits}f}"
    return f"{value} ({interval(figure, digits, sign)})"


def rounded(value: float | None, digits: int) -> float | None:
    """A figure cut to its decimals."""
    # Adding zero turns -0.0, of a small negative value, into 0.0.
    return None if value is None else round(value, digits) + 0.0


def percent(figure: Figure) -> str:
    """A share with its interval."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "–"
    return f"{figure.value:.1%} ({figure.low:.1%} to {figure.high:.1%})"


def downloads(caption: str, name: str, table: str, everything: str) -> None:
    """Offer a table, as CSV, and all there is, as JSON, to be taken away."""
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
            everything,
            f"{name}.json",
            "application/json",
            icon=":material/download:",
            on_click="ignore",
        )
