"""The leaderboard on a board measured on planted styles, and what the default answer is worth."""

import io
import json

import numpy as np
import pandas as pd
import pytest

from core.dataset.dataset import Dataset
from core.evaluation.challenge import split
from core.evaluation.dials import LABELS as DIAL_LABELS
from core.evaluation.dials import SETTINGS, DialReport, DialRow
from core.evaluation.export import dials_to_csv
from core.evaluation.leaderboard import Leaderboard, System, evaluate
from core.evaluation.metrics import Figure
from core.ranking.features import documented
from core.ranking.ranker import RANKER, Ranker, Standing
from core.ranking.routes import ROUTES
from core.recommender import Recommender
from core.retrieval import MODELS
from core.trained import load_models
from pages.playlists.dials import label
from tests.pages.conftest import texts

SIGNS = "*Item* <b>kNN</b>"
LEADERBOARD = {"comparison.part": "Leaderboard"}


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
    """A function that opens the page by a link to a view of a measured dataset."""

    def open_board(view="Overall", **choices):
        board.save(workspace / "planted" / "leaderboard.json")
        words = {f"comparison.{word}": str(value) for word, value in choices.items()}
        at = open_page("comparison", **LEADERBOARD, **{"comparison.view": view}, **words)
        assert not at.error
        assert not at.warning
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
    at = open_board(metric="clicks")
    table = at.dataframe[0].value
    assert table["Clicks"].is_monotonic_increasing
    assert " to " in table["95 % interval"][0]
    (chart,) = charts(at)
    assert chart["layout"]["yaxis"]["ticktext"][0] in {
        row.label for row in board.rows if row.overall["clicks"].value == table["Clicks"][0]
    }
    assert "<b>" not in json.dumps(chart)


def test_by_category_colours_the_best_and_draws_one_category(open_board, board):
    at = open_board("By category", category="first 5")
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
    at = open_page("comparison", **LEADERBOARD, **{"comparison.view": "Titles"})
    assert "None of these models reads titles" in texts(at)


def test_candidates_show_the_union_and_what_each_model_alone_adds(open_board, board):
    at = open_board("Candidates", depth=200)
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
    at = open_page("comparison", **LEADERBOARD, **{"comparison.view": "Candidates"})
    assert "at least two" in texts(at)


@pytest.mark.parametrize("cost", ["fit", "batch", "alone", "memory"])
def test_cost_draws_every_model_for_both_screens(open_board, board, cost):
    at = open_board("Cost", cost=cost)
    assert [len(chart["data"][1]["customdata"]) for chart in charts(at)] == [len(board.rows)] * 2
    table = at.dataframe[0].value.set_index("Model")
    assert table.loc["Popularity", "Fit (s)"] == 50
    assert table.loc["Popularity", "Peak memory of the fit (MB)"] == 200


def test_a_dear_loser_is_named(open_board):
    at = open_board()
    (said,) = [expander.label for expander in at.main.expander]
    assert "Popularity" in said
    assert "cheaper" in said
    assert "costs more: 50 s" in texts(at).replace("\\", "")


@pytest.mark.parametrize("measure", ["coverage", "novelty", "gini", "popularity_lift"])
def test_catalogue(open_board, measure):
    at = open_board("Catalogue", measure=measure)
    table = at.dataframe[0].value.set_index("Model")
    assert table.shape[1] == 4
    assert table.notna().all(axis=None)
    assert len(charts(at)) == 1


def test_the_whole_board_can_be_taken_along(open_board):
    labels = [button.proto.label for button in open_board().get("download_button")]
    assert labels == ["CSV", "JSON"]


def test_nothing_measured_says_how_to_measure(open_page):
    at = open_page("comparison", **LEADERBOARD)
    assert "Nothing is measured" in texts(at)
    assert at.code[0].value == "python -m core evaluate --dataset planted"
    assert not at.error


def test_nothing_trained_says_how_to_train(open_page):
    at = open_page("comparison", dataset="signs", **LEADERBOARD)
    assert "that comes first" in texts(at)
    (page,) = at.get("page_link")
    assert "Training" in page.proto.label


@pytest.mark.parametrize("content", ["{}", "not JSON", '{"dataset": "x", "rows": []}'])
def test_a_leaderboard_of_another_version_asks_to_measure_again(open_page, workspace, content):
    (workspace / "planted" / "leaderboard.json").write_text(content)
    at = open_page("comparison", **LEADERBOARD)
    assert "another version" in texts(at)
    assert at.code[0].value == "python -m core evaluate --dataset planted"
    assert not at.error


# --- the ranker ---


def store_card(folder, fingerprint):
    """The card of a ranker, without its forests."""
    path = folder / "models" / RANKER / "card.json"
    path.parent.mkdir()
    card = {"model": RANKER, "params": {"bags": 2}, "seed": 0, "fingerprint": fingerprint}
    card |= {"seconds": 12.5, "peak_mb": 300.0, "trained": "2026-01-02T03:04:05+00:00"}
    path.write_text(json.dumps(card))


@pytest.fixture
def open_ranked(workspace, open_page, monkeypatch):
    """A function that opens a page on a dataset with a ranker of this standing."""

    def open_ranked(standing):
        folder = workspace / "planted"
        store_card(folder, Dataset(folder).manifest["fingerprint"])

        def load(dataset):
            models = load_models(dataset)
            sources = [name for name, model in models.items() if model.retrieves]
            features = [feature.name for feature in documented(sources)]
            quotas, mix = np.full((len(ROUTES), len(sources)), 100), np.zeros(len(ROUTES))
            ranker = Ranker(Ranker.Params(), sources, features, quotas, mix, [], standing)
            return Recommender(dataset, models, ranker)

        monkeypatch.setattr("core.serving.opened.load_recommender", load)
        at = open_page("comparison", **LEADERBOARD)
        assert not at.error
        return at

    return open_ranked


BETTER = Standing(1200, "als", (0.0123, 0.0049, 0.0201), (0.0042, -0.0007, 0.0091))
NO_BETTER = Standing(37, "titles", (0.0123, -0.0001, 0.0201), (0.0, -0.0301, 0.0301))


def test_where_the_ranker_answers_and_where_it_fell_back(open_ranked):
    standing = {route.label: BETTER for route in ROUTES[:-1]} | {"title": NO_BETTER}
    at = open_ranked(standing)
    said = texts(at)
    assert "Where the ranker answers" in said
    assert "The ranker fell back to the fusion for **title alone**, **title + 100 seeds**." in said
    table = at.dataframe[0].value.set_index("Kind of query")
    assert list(table.index) == ["title alone", *(route.label for route in ROUTES[1:])]
    proven, title, unjudged = (
        table.loc[label] for label in ("5 seeds", "title alone", ROUTES[-1].label)
    )
    assert proven["Who answers"] == "the ranker"
    assert proven["Playlists"] == 1200
    assert proven["Best single model"] == MODELS["als"].label
    assert proven["Gain over it"] == "+0.012 (+0.005 to +0.020)"
    assert proven["Gain over the fusion"] == "+0.004 (-0.001 to +0.009)"
    assert title["Who answers"] == "the fusion (ranker not proven)"
    assert unjudged["Who answers"] == "the fusion (ranker not judged)"
    assert unjudged["Gain over it"] == ""


@pytest.mark.parametrize(
    ("one", "sentence"), [(BETTER, "proven for every kind"), (NO_BETTER, "proven for none")]
)
def test_a_ranker_that_answers_all_or_nothing(open_ranked, one, sentence):
    assert sentence in texts(open_ranked({route.label: one for route in ROUTES}))


def test_a_ranker_that_cannot_be_used_says_why(open_page, workspace):
    store_card(workspace / "planted", "of other playlists")
    at = open_page("comparison", **LEADERBOARD)
    assert [warning.value for warning in at.warning] == [
        "The ranker was trained on other playlists\\: train it again\\. "
        "Until then the models' ranks are fused\\."
    ]
    assert not at.dataframe


def test_no_ranker_and_no_dials_no_word_of_them(open_board):
    said = texts(open_board())
    assert "Where the ranker answers" not in said
    assert "dial" not in said


# --- the dials ---


def report():
    figures = {name: Figure(0.5, 0.4, 0.6) for name in DIAL_LABELS}
    gap = {name: Figure(-0.0123, -0.0201, -0.0049) for name in DIAL_LABELS}
    gap |= {"coverage": Figure(-0.00001), "step": Figure(None)}
    rows = [DialRow(dial, value, figures, gap) for dial, value in SETTINGS]
    rows.append(DialRow("=<b>new</b>", 1.0, figures, gap))
    return DialReport("planted", 60, figures | {"step": Figure(None)}, rows)


def test_what_the_dials_cost(open_page, workspace):
    report().save(workspace / "planted" / "dials.json")
    at = open_page("comparison", **LEADERBOARD)
    said = texts(at)
    assert "on 60 held-out playlists" in said
    assert "With no dial turned: R-precision 0.500, NDCG 0.500, Clicks 0.50" in said
    assert "<b>" not in said
    table = at.dataframe[0].value.set_index("Dial")
    assert list(table.index) == [*(label(*setting) for setting in SETTINGS), "=<b>new</b> 1"]
    first = table.iloc[0]
    assert first["R-precision"] == "-0.012 (-0.020 to -0.005)"
    assert first["Clicks"] == "-0.01 (-0.02 to -0.00)"
    assert str(first["Coverage"]) == "0.0"
    assert pd.isna(first["Step@20"])
    assert [button.proto.label for button in at.get("download_button")] == ["CSV", "JSON"]


def test_the_dials_as_a_table_for_others():
    table = pd.read_csv(io.StringIO(dials_to_csv(report())))
    assert len(table) == (len(SETTINGS) + 1) * len(DIAL_LABELS)
    assert table["dial"].iloc[-1] == "'=<b>new</b>"
    one = table[(table["dial"] == "smooth") & (table["measure"] == "ndcg")].iloc[0]
    assert one[["figure", "difference", "low", "high"]].tolist() == [0.5, -0.0123, -0.0201, -0.0049]


def test_dials_of_another_version_ask_to_measure_again(open_page, workspace):
    (workspace / "planted" / "dials.json").write_text("{}")
    at = open_page("comparison", **LEADERBOARD)
    assert "evaluate again" in texts(at)
    assert not at.error


def test_dials_that_are_measured_again_are_read_again(open_page, workspace):
    report().save(workspace / "planted" / "dials.json")
    assert "60 held-out" in texts(open_page("comparison", **LEADERBOARD))
    path = workspace / "planted" / "dials.json"
    path.write_text(json.dumps(report().as_json() | {"playlists": 61}))
    assert "61 held-out" in texts(open_page("comparison", **LEADERBOARD))
