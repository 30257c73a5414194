"""The Training page: what its form asks for, what a trial and a grid show, what cards do."""

import json
from dataclasses import replace

import pytest
import streamlit as st

from core import jobs
from core.dataset.dataset import Dataset
from core.errors import SegueError
from core.evaluation.challenge import split
from core.evaluation.leaderboard import System, evaluate
from core.evaluation.metrics import Figure
from core.retrieval import MODELS
from core.trained import cards, default_model, load_models
from core.training import grid as grid_module
from core.training import points
from core.training.settings import parse_settings
from core.training.trial import trials, try_models
from core.workspace import write_json
from pages.common.widgets import plain
from pages.fitting.trials import in_words
from tests.pages.conftest import link, press, texts

NAME = "playlist_knn"


@pytest.fixture
def here(monkeypatch):
    """Points are measured in this process."""

    def answers(_, tasks, jobs):
        for task in tasks:
            yield task, points._work(task)

    monkeypatch.setattr(grid_module, "answers", answers)


@pytest.fixture
def started(monkeypatch):
    """What the page would have started."""
    asked = []
    monkeypatch.setattr(jobs, "start", lambda _, label, argv, files=None: asked.append(argv))
    return asked


@pytest.fixture
def planted_copy(workspace) -> Dataset:
    return Dataset(workspace / "planted")


def option(argv, name):
    return argv[argv.index(name) + 1]


def widget(at, key):
    return next(w for w in [*at.number_input, *at.toggle, *at.text_input] if w.key == key)


def test_whoever_trains_is_told_what_may_be_done_with_the_data(open_page, planted_copy):
    assert "Licence of the data" not in texts(open_page("training"))
    manifest = planted_copy.folder / "manifest.json"
    joined = [{"licence": licence} for licence in ("*No* training", None, "*No* training")]
    write_json(manifest, planted_copy.manifest | {"features": joined})
    assert f"Licence of the data: {plain('*No* training')}" in texts(open_page("training"))


def test_the_form_starts_what_the_command_line_would(open_page, started):
    at = open_page("training", **{"training.models": "als,playlist_knn"})
    widget(at, "training_playlist_knn_neighbours").set_value(7).run()
    press(at, "Train and compare")
    (argv,) = started
    assert argv[:3] == ["train", "--dataset", "planted"]
    assert option(argv, "--models") == "playlist_knn,als"
    assert option(argv, "--preset") == "fast"
    assert option(argv, "--set") == "playlist_knn.neighbours=7"
    assert argv[-1] == "--trial"
    assert any("--set playlist_knn.neighbours=7" in code.value for code in at.code)


def test_what_is_set_travels_in_the_link_and_comes_back(open_page, started):
    at = open_page("training", **{"training.models": "als"})
    widget(at, "training_als_factors").set_value(9).run()
    widget(at, "training_als_alpha").set_value(2.5).run()
    widget(at, "training_compare").set_value(False).run()
    words = link(at)
    assert parse_settings(words["training.settings"][0].split(",")) == {
        "als": {"factors": 9, "alpha": 2.5}
    }
    assert words["training.compare"] == ["n"]
    again = open_page("training", **{word: text for word, (text,) in words.items()})
    assert widget(again, "training_als_factors").value == 9
    press(again, "Train")
    assert "--trial" not in started[0]


def test_back_to_the_preset(open_page):
    at = open_page("training", **{"training.models": "als", "training.settings": "als.factors=64"})
    assert "Back to the preset" not in [button.label for button in at.button]
    widget(at, "training_als_factors").set_value(9).run()
    press(at, "Back to the preset")
    assert widget(at, "training_als_factors").value == 64
    assert "training.settings" not in link(at)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("training.part", "nowhere"),
        ("training.models", "als,lstm"),
        ("training.settings", "als.factors=many"),
        ("training.model", "popularity"),
        ("training.grid", "nonsense"),
    ],
)
def test_a_word_that_is_no_choice_is_named(open_page, word, text):
    part = {"training.part": "grid"} if word in ("training.model", "training.grid") else {}
    at = open_page("training", **part, **{word: text})
    assert f"{word}={text}" in texts(at).replace("\\", "")


def test_a_dataset_without_models_is_trained_without_comparing(open_page, started):
    at = open_page("training", dataset="signs")
    assert "No model is trained" in texts(at)
    press(at, "Choose all")
    press(at, "Train")
    assert "--trial" not in started[0]
    assert set(MODELS) <= set(option(started[0], "--models").split(","))


def test_the_ranker_is_compared_alone(open_page):
    at = open_page("training", **{"training.models": "als,ranker"})
    assert "compared alone" in texts(at)
    assert not [button for button in at.button if button.label.startswith("Train")]


def test_why_nothing_can_be_started_is_said(open_page, monkeypatch):
    def busy(*_):
        raise SegueError("Something else is running here.")

    monkeypatch.setattr(jobs, "start", busy)
    at = open_page("training", **{"training.models": "als"})
    press(at, "Train and compare")
    assert "Something else is running here" in texts(at)


# --- trials ---


@pytest.mark.parametrize(
    ("ends", "fewer_is_better", "outcome"),
    [
        ((0.1, 0.05, 0.2), False, "better"),
        ((0.1, 0.05, 0.2), True, "worse"),
        ((-0.1, -0.2, -0.05), False, "worse"),
        ((-0.1, -0.2, -0.05), True, "better"),
        ((0.1, -0.05, 0.2), False, "no clear difference"),
        ((0.0, 0.0, 0.0), True, "the same"),
    ],
)
def test_a_difference_is_said_in_words(ends, fewer_is_better, outcome):
    assert in_words(Figure(*ends), fewer_is_better) == outcome


@pytest.mark.parametrize(("decision", "neighbours"), [("Keep", 1), ("Discard", 500)])
def test_a_trial_is_shown_and_decided(open_page, planted_copy, here, decision, neighbours):
    try_models(planted_copy, [NAME], settings={NAME: {"neighbours": 1}})
    at = open_page("training")
    assert "New, not in use yet" in texts(at)
    assert "neighbours 500 → **1**" in texts(at)
    (table,) = [frame.value for frame in at.dataframe]
    (waiting,) = trials(planted_copy)
    assert list(table["Measure"]) == ["R-precision", "NDCG", "Clicks", "Hit@10"]
    assert table["New"][0].startswith(f"{waiting.comparison.new['r_precision'].value:.3f} (")
    outcome = in_words(waiting.comparison.difference["r_precision"], fewer_is_better=False)
    assert table["Outcome"][0] == outcome
    assert f"**{outcome[0].upper()}{outcome[1:]}" in texts(at)
    press(at, decision)
    assert "New, not in use yet" not in texts(at)
    assert load_models(planted_copy)[NAME].params.neighbours == neighbours


def test_several_are_kept_at_once(open_page, planted_copy, here):
    try_models(planted_copy, [NAME, "popularity"])
    at = open_page("training")
    press(at, "Keep all")
    assert trials(planted_copy) == []


# --- grid ---


def test_the_grid_form_starts_a_grid(open_page, started):
    at = open_page("training", **{"training.part": "grid", "training.model": "als"})
    widget(at, "grid_als_factors").set_value("8, 16").run()
    widget(at, "grid_als_alpha").set_value("1,2,3").run()
    press(at, "Measure 6 combinations")
    (argv,) = started
    assert argv[:3] == ["grid", "--dataset", "planted"]
    assert [argv[i + 1] for i, word in enumerate(argv) if word == "--set"] == [
        "factors=8, 16",
        "alpha=1,2,3",
    ]
    again = open_page("training", **{word: text for word, (text,) in link(at).items()})
    assert widget(again, "grid_als_factors").value == "8, 16"


def test_a_wrong_value_is_one_sentence(open_page):
    grid = {"training.part": "grid", "training.model": "als", "training.grid": "factors=few"}
    at = open_page("training", **grid)
    assert "is no value of factors" in texts(at)
    assert not [button for button in at.button if button.label.startswith("Measure")]


def test_too_many_combinations_are_refused(open_page):
    many = ",".join(map(str, range(1, 202)))
    grid = {"training.part": "grid", "training.model": "als", "training.grid": f"factors={many}"}
    at = open_page("training", **grid)
    assert "too many" in texts(at)
    (button,) = [button for button in at.button if button.label.startswith("Measure")]
    assert button.disabled


def test_results_are_shown_and_the_best_is_trained(open_page, planted_copy, here, started):
    points = [{"neighbours": count} for count in (1, 20, 40)]
    result = grid_module.grid(planted_copy, NAME, points)
    at = open_page("training", **{"training.part": "grid"})
    (table,) = [frame.value for frame in at.dataframe]
    best = [str(row.point.settings["neighbours"]) for row in result.rows]
    assert list(table["Neighbours"]) == best
    press(at, "Train with the best settings")
    (argv,) = started
    assert option(argv, "--set") == f"playlist_knn.neighbours={best[0]}"
    assert argv.count("--set") == 1
    assert argv[-1] == "--trial"
    at = open_page("training", **{"training.part": "grid", "training.row": "2"})
    press(at, "Train with the selected settings")
    assert option(started[-1], "--set") == f"playlist_knn.neighbours={best[2]}"


# --- cards ---


def test_cards_tell_what_is_known(open_page, planted_copy):
    parts = split(planted_copy, 20)
    model = MODELS[NAME]().fit(parts.train)
    board = evaluate([System(NAME, NAME, model.recommend)], parts.test, parts.train)
    (card,) = [card for card in cards(planted_copy) if card.model == NAME]
    board = replace(board, settings={NAME: dict(card.params) | {"neighbours": 1}})
    board.save(planted_copy.folder / "leaderboard.json")
    at = open_page("training", **{"training.part": "models"})
    told = texts(at)
    for one in cards(planted_copy):
        assert one.trained[:16].replace("T", " ") in told
    assert f"{board.rows[0].overall['ndcg'].value:.3f}" in [metric.value for metric in at.metric]
    assert "Measured with other settings than these" in told
    assert "Not on the leaderboard yet" in told


def test_the_default_is_chosen_and_answers_everywhere(open_page, planted_copy):
    at = open_page("training", **{"training.part": "models"})
    at.button(key=f"default_{NAME}").click().run()
    assert default_model(planted_copy) == NAME
    (model,) = [box for box in at.selectbox if box.key == "dial_model"]
    assert model.options[0] == "Playlist neighbours"
    at.selectbox(key="models_default").set_value("auto").run()
    assert default_model(planted_copy) is None


def test_a_link_to_the_model_that_is_the_default_is_not_complained_of(open_page, planted_copy):
    at = open_page("training", **{"training.part": "models"})
    at.button(key=f"default_{NAME}").click().run()
    again = open_page("continuation", model=NAME, title="style two")
    assert "No model “" not in texts(again)
    assert "model" not in link(again)


def test_a_model_is_not_deleted_without_a_question(open_page, planted_copy):
    at = open_page("training", **{"training.part": "models"})
    at.button(key=f"delete_{NAME}").click().run()
    assert "is removed from the disk" in texts(at)
    assert NAME in load_models(planted_copy)


# --- a public host ---


@pytest.mark.parametrize("part", ["train", "grid", "models"])
def test_a_public_host_changes_nothing(open_page, planted_copy, here, monkeypatch, part):
    try_models(planted_copy, [NAME])
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    at = open_page("training", **{"training.part": part})
    assert "on your own machine" in texts(at)
    assert [button.label for button in at.button if not button.disabled] == []
    assert not at.number_input
    st.cache_data.clear()


def test_a_damaged_trial_is_one_sentence(open_page, planted_copy, here):
    try_models(planted_copy, [NAME])
    path = planted_copy.folder / "trial" / NAME / "trial.json"
    path.write_text(json.dumps({"before": None}))
    at = open_page("training")
    assert "discard it" in texts(at)
    assert "Choose all" in [button.label for button in at.button]
