"""The leaderboard page on a board measured on planted styles."""

import json

import pytest

from core.evaluation.challenge import split
from core.evaluation.leaderboard import Leaderboard, System, evaluate
from core.retrieval import MODELS
from tests.pages.conftest import texts

SIGNS = "*Item* <b>kNN</b>"


@pytest.fixture(scope="module")
def board(planted) -> Leaderboard:
    parts = split(planted, 60)
    fitted = {
        name: MODELS[name]().fit(parts.train)
        for name in ("popularity", "item_knn", "playlist_knn", "titles")
    }
    labels = {name: model.label for name, model in fitted.items()} | {"item_knn": SIGNS}
    seconds = {"popularity": 50.0, "item_knn": 2.5, "playlist_knn": 0.001, "titles": 0.5}
    systems = [
        System(
            name,
            labels[name],
            model.recommend,
            seconds[name],
            200_000_000,
            retrieves=True,
            reads_titles=model.uses_titles,
        )
        for name, model in fitted.items()
    ]
    return evaluate(systems, parts.test, parts.train)


@pytest.fixture
def open_board(open_page, workspace, board):
    """A function that opens the page in a view on a measured dataset."""

    def open_board(view="Overall", **choices):
        board.save(workspace / "planted" / "leaderboard.json")
        at = open_page("comparison")
        for key, value in {"board_view": view, **choices}.items():
            at.session_state[key] = value
        at.run()
        assert not at.exception, at.exception
        assert not at.error
        return at

    return open_board


def charts(at):
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def test_it_says_what_was_measured_and_who_wins(open_board, board):
    said = texts(open_board())
    assert "Tracks of 60 real playlists of “planted” were hidden" in said
    assert "fitted on the other 180" in said
    best = board.rows[0]
    value = f"{best.overall['r_precision'].value:.3f}".replace(".", "\\.")
    assert value in said
    assert "<b>" not in said.replace("\\<b\\>", "")


def test_overall_is_sorted_by_the_metric_with_intervals(open_board, board):
    at = open_board(board_metric="clicks")
    table = at.dataframe[0].value
    assert table["Clicks"].is_monotonic_increasing
    assert " to " in table["95 % interval"][0]
    (chart,) = charts(at)
    assert chart["layout"]["yaxis"]["ticktext"][0] in {
        row.label for row in board.rows if row.overall["clicks"].value == table["Clicks"][0]
    }
    assert "<b>" not in json.dumps(chart)


def test_by_category_colours_the_best_and_draws_one_category(open_board, board):
    at = open_board("By category", board_category="first 5")
    table = at.dataframe[0].value
    assert list(table.columns) == ["Model", "title", "t+1", "t+5", "5", "t+10", "10"]
    titles = table.set_index("Model").loc["Titles"]
    assert titles["title"] == pytest.approx(
        next(r for r in board.rows if r.name == "titles")
        .by_category["title only"]["r_precision"]
        .value
    )
    assert "background-color" in at.dataframe[0].proto.arrow_data.styler.styles
    assert len(charts(at)) == 1


def test_titles_sets_readers_beside_the_others(open_board):
    at = open_board("Titles")
    alone, five, ten = charts(at)
    assert alone["layout"]["yaxis"]["ticktext"][0] == "Titles"
    assert len(set(alone["data"][0]["marker"]["color"])) == 2
    assert five["layout"]["xaxis"]["title"]["text"] == "title + first 5 minus first 5"
    assert ten["layout"]["xaxis"]["title"]["text"] == "title + first 10 minus first 10"
    table = at.dataframe[0].value
    assert list(table["Model"][table["Reads titles"]]) == ["Titles"]


def test_titles_without_a_reader(open_board, board, workspace, open_page):
    path = workspace / "planted" / "leaderboard.json"
    stored = board.as_json()
    stored["rows"] = [row | {"reads_titles": False} for row in stored["rows"]]
    path.write_text(json.dumps(stored))
    at = open_page("comparison")
    at.session_state["board_view"] = "Titles"
    at.run()
    assert "None of these models reads titles" in texts(at)


def test_candidates_show_the_union_and_what_each_model_alone_adds(open_board, board):
    at = open_board("Candidates", board_depth=200)
    together = board.union.overall.together["recall@200"].value
    assert f"{together:.1%}" in texts(at)
    found, alone = charts(at)
    assert found["layout"]["shapes"][0]["x0"] == pytest.approx(together)
    assert len(alone["layout"]["yaxis"]["ticktext"]) == len(board.union.models)
    table = at.dataframe[0].value
    assert table["Model"][0] == "All together"
    assert table["title"][0] == pytest.approx(
        100 * board.union.by_category["title only"].together["recall@200"].value
    )


def test_candidates_of_one_model_have_no_union(board, workspace, open_page):
    (workspace / "planted" / "leaderboard.json").write_text(
        json.dumps(board.as_json() | {"union": None})
    )
    at = open_page("comparison")
    at.session_state["board_view"] = "Candidates"
    at.run()
    assert "at least two" in texts(at)


@pytest.mark.parametrize("cost", ["fit", "batch", "alone", "memory"])
def test_cost_draws_every_model_for_both_screens(open_board, board, cost):
    at = open_board("Cost", board_cost=cost)
    assert [len(chart["data"][1]["customdata"]) for chart in charts(at)] == [len(board.rows)] * 2
    table = at.dataframe[0].value.set_index("Model")
    assert table.loc["Popularity", "Fit (s)"] == 50
    assert table.loc["Popularity", "Peak memory of the fit (MB)"] == 200


def test_a_dear_loser_is_named(open_board):
    at = open_board()
    (label,) = [expander.label for expander in at.expander]
    assert "Popularity" in label
    assert "cheaper" in label
    assert "costs more: 50 s" in texts(at).replace("\\", "")


@pytest.mark.parametrize("measure", ["coverage", "novelty", "gini", "popularity_lift"])
def test_catalogue(open_board, measure):
    at = open_board("Catalogue", board_spread=measure)
    table = at.dataframe[0].value.set_index("Model")
    assert table.shape[1] == 4
    assert table.notna().all(axis=None)
    assert len(charts(at)) == 1


def test_the_whole_board_can_be_taken_along(open_board):
    labels = [button.proto.label for button in open_board().get("download_button")]
    assert labels == ["CSV", "JSON"]


def test_nothing_measured_says_how_to_measure(open_page):
    at = open_page("comparison")
    assert "Nothing is measured" in texts(at)
    assert at.code[0].value == "python -m core evaluate --dataset planted"
    assert not at.error


def test_nothing_trained_says_how_to_train(open_page):
    at = open_page("comparison", dataset="signs")
    assert "that comes first" in texts(at)
    (page,) = at.get("page_link")
    assert "Library" in page.proto.label


@pytest.mark.parametrize("content", ["{}", "not JSON", '{"dataset": "x", "rows": []}'])
def test_a_leaderboard_of_another_version_asks_to_measure_again(open_page, workspace, content):
    (workspace / "planted" / "leaderboard.json").write_text(content)
    at = open_page("comparison")
    assert "another version" in texts(at)
    assert at.code[0].value == "python -m core evaluate --dataset planted"
    assert not at.error


def test_the_library_links_to_it(open_page):
    labels = [link.proto.label for link in open_page("library").get("page_link")]
    assert any("leaderboard" in label for label in labels)
