"""What all pages share: the link, the dials, the messages."""

import pytest

from tests.pages.conftest import WITH_SIGNS, link, press, texts

PAGES = ("continuation", "map", "popularity", "comparison", "library")


def seeds_of(style, count=3):
    return [f"t:{style}-{track:02}" for track in range(count)]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_and_keeps_the_link(open_page, page):
    at = open_page(page, seed=seeds_of(2), title="style two", k="7", artist="2")
    assert link(at) == {
        "dataset": ["planted"],
        "seed": seeds_of(2),
        "title": ["style two"],
        "k": ["7"],
        "artist": ["2"],
    }
    assert not at.error
    assert not at.warning


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_on_a_dataset_without_models(open_page, page):
    at = open_page(page, dataset="signs", seed=["t:x"], title="x")
    assert not at.error
    assert "No model is trained" in texts(at)


@pytest.mark.parametrize("page", PAGES)
def test_every_page_opens_in_an_empty_workspace(open_page, page, tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_WORKSPACE", str(tmp_path))
    at = open_page(page)
    assert "No dataset yet" in texts(at) or "There is no dataset yet" in texts(at)


def test_what_a_link_asks_for_in_vain_is_named_until_something_changes(open_page):
    at = open_page(dataset="gone", model="oracle", k="many")
    said = [warning.value for warning in at.warning]
    assert len(said) == 3
    assert "gone" in said[1]
    assert "oracle" in said[2]
    at.sidebar.slider[0].set_value(9).run()
    assert not at.warning
    assert link(at)["k"] == ["9"]


def test_a_dial_changes_the_continuation(open_page):
    at = open_page(seed=seeds_of(1))
    assert len(at.dataframe[1].value) == 20
    at.sidebar.slider[0].set_value(8).run()
    assert len(at.dataframe[1].value) == 8


def test_a_model_can_answer_alone(open_page):
    at = open_page(seed=seeds_of(1), model="item_knn")
    assert set(at.dataframe[1].value["Proposed by"].str.split(" ").str[0]) == {"Item"}


def test_a_playlist_outlives_a_change_of_dataset(open_page):
    at = open_page(seed=seeds_of(1))
    at.sidebar.selectbox[0].set_value("signs").run()
    assert "Not in this dataset: 3 tracks" in texts(at)
    at.sidebar.selectbox[0].set_value("planted").run()
    assert len(at.dataframe[0].value) == 3
    assert link(at)["seed"] == seeds_of(1)


def test_names_are_shown_as_they_are_written(open_page):
    at = open_page(dataset="signs")
    at.text_input(key="seed_search").set_value("bold").run()
    (label,) = [button.label for button in at.button if "Bold" in button.label]
    shown = label.replace("\\", "")
    assert shown == f"{WITH_SIGNS} – _a_"
    assert all(f"\\{sign}" in label for sign in "*_<>[]():$")


def test_the_simulated_badge_follows_the_manifest(open_page):
    assert "Simulated" not in texts(open_page())


def test_pressing_clear_empties_the_playlist(open_page):
    at = press(open_page(seed=seeds_of(0)), "Clear")
    assert link(at) == {"dataset": ["planted"]}
