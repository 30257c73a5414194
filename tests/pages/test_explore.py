"""The map, the popularity and the library pages."""

import json

from core.dataset.audio_features import join_features
from core.dataset.dataset import Dataset
from core.retrieval import MODELS
from tests.pages.conftest import link, press, texts


def test_the_map_says_how_it_was_made(open_page):
    at = open_page("map")
    assert "principal components puts track2vec" in texts(at)
    assert "Click a track for its true neighbours" in texts(at)


def test_a_found_track_shows_its_true_neighbours(open_page):
    at = open_page("map")
    at.text_input(key="map_search").set_value("2-07").run()
    next(button for button in at.button if "2\\-07" in button.label).click().run()
    assert not at.exception
    assert "Nearest in track2vec" in texts(at)
    neighbours = at.dataframe[-1].value
    assert sum(name.startswith("2-") for name in neighbours["Track"]) >= 12
    assert neighbours["Cosine"].is_monotonic_decreasing
    press(at, "Add to playlist")
    assert link(at)["seed"] == ["t:2-07"]


def test_an_untrained_dataset_says_how_to_get_a_map(open_page):
    at = open_page("map", dataset="signs")
    assert "has no map yet" in texts(at)


def test_popularity_is_drawn_or_the_reason_given(open_page):
    at = open_page("popularity", seed=["t:1-00"])
    assert len(at.get("plotly_chart")) == 3
    names = [
        trace["name"]
        for chart in at.get("plotly_chart")
        for trace in json.loads(chart.proto.spec)["data"]
        if "name" in trace
    ]
    assert names.count("Seeds") == names.count("Continuation") == 2
    at = open_page("popularity", dataset="signs")
    assert "Too few to fit" in texts(at)


def test_the_library_lists_datasets_and_their_cleaning(open_page):
    at = open_page("library")
    table = at.dataframe[0].value
    assert list(table["Dataset"]) == ["planted", "signs"]
    assert list(table["Models"]) == [len(MODELS), 0]


def test_the_library_tells_which_features_were_joined(open_page, workspace, tmp_path):
    table = tmp_path / "features.csv"
    table.write_text("uri,title,artist,energy\n,0-05,artist 0-5,0.5\n", "utf-8")
    join_features(Dataset(workspace / "planted"), table)
    origin = open_page("library").table[0].value
    assert "features\\.csv for 1 tracks; 81% of all have some" in list(origin["Value"])


def test_a_server_path_is_imported_and_opened(open_page, tmp_path):
    file = tmp_path / "mine.txt"
    file.write_text("A - One\nB - Two\n", "utf-8")
    at = open_page("library")
    at.text_input[0].set_value(str(file))
    at.text_input[1].set_value("mine")
    press(at, "Import")
    assert link(at)["dataset"] == ["mine"]
    assert "2 tracks imported" in at.toast[0].value


def test_a_wrong_import_is_one_sentence_and_changes_nothing(open_page, workspace):
    at = open_page("library")
    for path, name, expected in (
        ("", "x", "Upload a file"),
        ("/nowhere/x.csv", "x", "/nowhere/x.csv"),
        ("/nowhere/x.csv", "no/name", "cannot name a dataset"),
        ("/nowhere/x.csv", "planted", "already"),
    ):
        at.text_input[0].set_value(path)
        at.text_input[1].set_value(name)
        press(at, "Import")
        (error,) = at.error
        assert expected in error.value.replace("\\", "")
    assert Dataset(workspace / "planted").n_playlists == 240


def test_training_from_the_library(open_page, monkeypatch):
    trained = []
    monkeypatch.setattr(
        "core.training.train.train", lambda dataset, *rest, **more: trained.append(dataset.name)
    )
    press(open_page("library"), "Train again, fast")
    assert trained == ["planted"]


def test_a_damaged_dataset_does_not_hide_the_others(open_page, workspace):
    broken = workspace / "broken"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}", "utf-8")
    at = open_page("library")
    assert "cannot be opened" in list(at.dataframe[0].value["Data"])
    assert "planted" in list(at.dataframe[0].value["Dataset"])
