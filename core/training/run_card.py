"""What Metaflow's cards show of a run: tables, and charts that need no network to be seen.

Each chart is a pure function that returns a Vega-Lite specification
(https://vega.github.io/vega-lite/docs/).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from core.evaluation.leaderboard import LABELS
from core.evaluation.metrics import Figure, figure_text
from core.training.runs import Run

_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's, which people who see few colours tell apart."""
_SHOWN = ("r_precision", "ndcg", "clicks", "hit@10")
_ENDS = ("value", "low", "high")
"""Fields of a figure in the data of a chart."""
_WIDTH, _STEP = 560, 22
_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"

Rows = list[list[Any]]


def point_name(point: Mapping[str, Any]) -> str:
    """A point in a few words: its model and what was varied."""
    varied = " ".join(f"{name}={value}" for name, value in point["varied"].items())
    return f"{point['model']} {varied}".strip()


def metric_label(run: Run) -> str:
    """What a person calls the metric of a run's grid, or its key where this version has none."""
    metric: str = run.grid["metric"]
    return LABELS.get(metric, metric)


def fill_grid_card(card: Any, run: Run) -> None:
    """Show how the points of a grid compare.

    Parameters
    ----------
    card : object
        Metaflow's `current.card`.
    run : Run
        Its grid is known.
    """
    from metaflow.cards import Markdown, Table, VegaChart

    header, rows = grid_table(run)
    sizes, data = run.sizes, run.data
    card.append(Markdown(f"# {data['name']}: {len(rows)} points"))
    card.append(
        Markdown(
            f"Each was fitted on {sizes['training']:,} playlists and measured on the same "
            f"{sizes['validation']:,} validation playlists; mean with its 95 % interval. "
            f"Data: `{data['fingerprint'][:16]}`, {data['counts']['playlists']:,} playlists, "
            f"{data['counts']['entries']:,} entries, {data['counts']['tracks']:,} tracks."
        )
    )
    card.append(Markdown(f"**Best: {point_name(run.winner)}**"))
    card.append(VegaChart(grid_chart(run)))
    card.append(Table(rows, headers=header))
    for failure in run.grid["failures"]:
        card.append(Markdown(f"{point_name(failure)}: not measured, {failure['reason']}"))
    card.append(Markdown("## What it cost"))
    card.append(VegaChart(cost_chart(run)))


def fill_test_card(card: Any, run: Run) -> None:
    """Show how everything that was chosen does on the test playlists; as `fill_grid_card`."""
    from metaflow.cards import Markdown, Table, VegaChart

    header, rows = test_table(run)
    card.append(Markdown(f"# {run.data['name']}: the test playlists"))
    card.append(
        Markdown(
            f"{sum(run.test['playlists'].values()):,} playlists that no choice has seen; mean with "
            "its 95 % interval, fewer clicks are better."
        )
    )
    card.append(Markdown(told(run)))
    card.append(VegaChart(test_chart(run)))
    card.append(Table(rows, headers=header))
    card.append(Markdown(f"## {metric_label(run)} by what a query shows"))
    card.append(VegaChart(category_chart(run)))


def told(run: Run) -> str:
    """What answers, and the grid's winner alone, on the test playlists, in a sentence or two.

    The row of the highest figure would flatter: it is chosen on these playlists.
    """
    metric = run.grid["metric"]

    def row(system: str) -> str:
        found = run.tested(system)
        if found is None:
            return f"{system}, not measured"
        return f"{found['label']}, {metric_label(run)} {_said(found['figures'][metric])}"

    said = f"What is built answers with {row(run.serves)}."
    winner = run.winner["model"]
    return said if winner == run.serves else f"{said} The grid's best alone: {row(winner)}."


def came_of(run: Run) -> list[str]:
    """What a run that is done chose, built and deployed, in sentences for whoever started it."""
    said = [
        f"Best of the grid: {point_name(run.winner)}.",
        told(run),
        f"Built, for `serve` and `deploy`: {run.servable}",
    ]
    if run.endpoint:
        place = f"--target {run.parameters['target']} --name {run.data['name']}"
        said.append(f"Deployed: {run.endpoint}; `python -m core undeploy {place}` takes it down.")
    return said


def grid_table(run: Run) -> tuple[list[str], Rows]:
    """Header and rows, best first: figures with their intervals, and cost."""
    metric, names = run.grid["metric"], _shown(run)
    labels = [LABELS[name] for name in names]
    header = ["settings", labels[0], "to the best", *labels[1:], "fit s", "CPU s", "peak MB"]
    rows = [
        [
            point_name(point),
            _said(point["figures"][metric]),
            _said(point["against_best"], sign=True),
            *(_said(point["figures"][name]) for name in names[1:]),
            f"{point['fit_seconds']:.1f}",
            f"{point['cpu_seconds']:.1f}",
            f"{point['peak_mb']:.0f}",
        ]
        for point in run.grid["points"]
    ]
    return header, rows


def test_table(run: Run) -> tuple[list[str], Rows]:
    """Header and rows, best first: what was measured on the test playlists."""
    names = _shown(run)
    header = ["system", *(LABELS[name] for name in names)]
    rows = [
        [row["label"], *(_said(row["figures"][name]) for name in names)] for row in run.test["rows"]
    ]
    return header, rows


def _shown(run: Run) -> list[str]:
    """The metric of the choice, then the usual ones."""
    metric = run.grid["metric"]
    return [metric, *(name for name in _SHOWN if name != metric)]


def _said(figure: Sequence[float | None], sign: bool = False) -> str:
    return figure_text(Figure(*figure), sign=sign)


def grid_chart(run: Run) -> dict[str, Any]:
    """Each point's figure by the metric of the grid, with its interval."""
    metric = run.grid["metric"]
    rows = [
        {"name": point_name(point), "kind": point["model"], **_ends(point["figures"][metric])}
        for point in run.grid["points"]
    ]
    return _intervals(rows, f"{metric_label(run)} on the validation playlists")


def cost_chart(run: Run) -> dict[str, Any]:
    """Each point's figure over the processor time of its fit."""
    metric = run.grid["metric"]
    values = [
        {
            "name": point_name(point),
            "model": point["model"],
            "seconds": point["cpu_seconds"],
            "value": point["figures"][metric][0],
        }
        for point in run.grid["points"]
    ]
    return {
        "$schema": _SCHEMA,
        "width": _WIDTH,
        "height": 280,
        "data": {"values": values},
        "mark": {"type": "point", "filled": True, "size": 90, "color": _COLOURS[0]},
        "encoding": {
            "x": {"field": "seconds", "type": "quantitative", "title": "Processor seconds"},
            "y": {
                "field": "value",
                "type": "quantitative",
                "title": metric_label(run),
                "scale": {"zero": False},
            },
            "shape": {"field": "model", "type": "nominal", "title": "Model"},
            "tooltip": [{"field": "name"}, {"field": "value", "format": ".4f"}],
        },
    }


def test_chart(run: Run) -> dict[str, Any]:
    """Each system's figure by the metric of the choice on the test playlists, with its interval."""
    kinds = {run.winner["model"]: "the grid's best", run.serves: "answers"}
    rows = [
        {
            "name": row["label"],
            "kind": kinds.get(row["name"], "others"),
            **_ends(row["figures"][run.grid["metric"]]),
        }
        for row in run.test["rows"]
    ]
    return _intervals(rows, f"{metric_label(run)} on the test playlists")


def category_chart(run: Run) -> dict[str, Any]:
    """The metric of the choice of each system in each of the ten categories."""
    values = [
        {"system": row["label"], "category": category, "value": value}
        for row in run.test["rows"]
        for category, value in row["by_category"].items()
    ]
    order = list(run.test["playlists"])
    field = {"field": "value", "type": "quantitative", "title": metric_label(run)}
    return {
        "$schema": _SCHEMA,
        "width": _WIDTH,
        "height": {"step": _STEP},
        "data": {"values": values},
        "mark": {"type": "rect"},
        "encoding": {
            "x": {"field": "category", "type": "nominal", "title": None, "sort": order},
            "y": {
                "field": "system",
                "type": "nominal",
                "title": None,
                "sort": [row["label"] for row in run.test["rows"]],
            },
            "color": field | {"scale": {"scheme": "blues"}},
            "tooltip": [{"field": "system"}, {"field": "category"}, field | {"format": ".3f"}],
        },
    }


def _ends(figure: Sequence[float | None]) -> dict[str, float | None]:
    return dict(zip(_ENDS, figure, strict=True))


def _intervals(rows: Sequence[Mapping[str, Any]], title: str) -> dict[str, Any]:
    """Points with bars of their intervals, a row each, in the order given."""
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    y = {
        "field": "name",
        "type": "nominal",
        "title": None,
        "sort": [row["name"] for row in rows],
        "axis": {"labelLimit": 320},
    }
    colour = {
        "field": "kind",
        "type": "nominal",
        "title": None,
        "scale": {
            "domain": kinds,
            "range": [_COLOURS[at % len(_COLOURS)] for at in range(len(kinds))],
        },
    }
    value = {"type": "quantitative", "title": title, "scale": {"zero": False}}
    tooltip = [{"field": "name"}, *({"field": one, "format": ".4f"} for one in _ENDS)]
    return {
        "$schema": _SCHEMA,
        "width": _WIDTH,
        "height": {"step": _STEP},
        "data": {"values": list(rows)},
        "encoding": {"y": y, "color": colour, "tooltip": tooltip},
        "layer": [
            {
                "mark": {"type": "rule", "strokeWidth": 2},
                "encoding": {"x": {"field": "low", **value}, "x2": {"field": "high"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                "encoding": {"x": {"field": "value", **value}},
            },
        ],
    }
