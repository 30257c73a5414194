import json
from dataclasses import replace

from core.evaluation.metrics import Figure
from core.training.grid import GridResult, Row
from core.training.pipeline import grid_points
from core.training.points import METRICS, Point
from core.training.run_card import (
    came_of,
    category_chart,
    cost_chart,
    grid_chart,
    grid_table,
    point_name,
    told,
)
from core.training.run_card import (
    test_chart as chart_of_the_test,
)
from core.training.run_card import (
    test_table as table_of_the_test,
)
from core.training.runs import Run


def result(model, metric, **values):
    rows = [
        Row(
            Point({"size": size, "other": 1}, {metric: [value] * 3}, 1.0, 0.5, 100.0, 1.0),
            {name: Figure(value, value - 0.1, value + 0.1) for name in METRICS},
            Figure(0.0),
        )
        for size, value in values.items()
    ]
    return GridResult(model, "d", metric, ["size"], 9, 3, rows, [])


def run(metric="r_precision"):
    points = grid_points(
        [result("als", metric, a=0.3, b=0.1), result("titles", metric, c=0.2, d=0.4)]
    )
    figures = {name: [0.5, 0.4, 0.6] for name in METRICS} | {"ndcg": [0.5, None, None]}
    figures["hit@10"] = [0.7, 0.6, 0.8]
    rows = [
        {"name": name, "label": label, "figures": figures, "by_category": {"title only": value}}
        for name, label, value in (("titles", "Titles", 0.5), ("als", "ALS", None))
    ]
    return Run(
        "x",
        "done",
        "end",
        "",
        "",
        {},
        grid={"metric": metric, "points": points, "failures": []},
        winner=points[0],
        serves="als",
        test={"playlists": {"title only": 3}, "rows": rows},
    )


def test_points_of_all_models_are_in_one_order_best_first():
    assert [point_name(point) for point in run().grid["points"]] == [
        "titles size=d",
        "als size=a",
        "titles size=c",
        "als size=b",
    ]
    assert point_name(run("clicks").winner) == "als size=b"


def test_whoever_started_a_run_is_told_what_came_of_it():
    built = replace(run(), data={"name": "mine"}, parameters={"target": "local"}, servable="/s")
    assert came_of(built)[0] == "Best of the grid: titles size=d."
    assert came_of(built)[-1].endswith("/s")
    *_, said = came_of(replace(built, endpoint="http://127.0.0.1:1"))
    assert said.startswith("Deployed: http://127.0.0.1:1; ")
    assert "undeploy --target local --name mine" in said


def test_tables_hold_figures_with_their_intervals():
    header, rows = grid_table(run())
    assert header[:3] == ["settings", "R-precision", "to the best"]
    assert rows[0][:2] == ["titles size=d", "0.400 [0.300, 0.500]"]
    assert rows[1][2] == "-0.100 [-0.100, -0.100]"
    assert all(len(row) == len(header) for row in rows)
    assert len({*header}) == len(header)
    header, rows = table_of_the_test(run())
    assert [row[0] for row in rows] == ["Titles", "ALS"]
    assert all(len(row) == len(header) for row in rows)


def test_charts_are_plain_json_and_show_every_point():
    one = run()
    for chart in (grid_chart, cost_chart):
        made = chart(one)
        assert len(made["data"]["values"]) == 4
        assert json.loads(json.dumps(made, allow_nan=False)) == made
        assert {value["value"] for value in made["data"]["values"]} == {0.1, 0.2, 0.3, 0.4}
    names = [point_name(point) for point in one.grid["points"]]
    assert grid_chart(one)["encoding"]["y"]["sort"] == names
    assert {value["seconds"] for value in cost_chart(one)["data"]["values"]} == {0.5}

    def kinds(run):
        values = chart_of_the_test(run)["data"]["values"]
        return {value["name"]: value["kind"] for value in values}

    assert kinds(one) == {"Titles": "the grid's best", "ALS": "answers"}
    assert kinds(replace(one, serves="titles")) == {"Titles": "answers", "ALS": "others"}
    assert len(category_chart(one)["data"]["values"]) == 2


def test_the_test_is_told_by_the_metric_of_the_choice_and_of_what_answers():
    one = run("hit@10")
    assert {row["value"] for row in chart_of_the_test(one)["data"]["values"]} == {0.7}
    assert table_of_the_test(one)[0][:2] == ["system", "hit@10"]
    assert told(one) == (
        "What is built answers with ALS, hit@10 0.700 [0.600, 0.800]. The grid's best alone: "
        "Titles, hit@10 0.700 [0.600, 0.800]."
    )
