"""What all pages share: the link, the dials, the messages."""

import pytest

from core.evaluation.dials import LABELS, SETTINGS, DialReport, DialRow
from core.evaluation.metrics import Figure
from pages.common.session import KnownYears
from pages.playlists.dials import cost
from tests.pages.conftest import WITH_SIGNS, link, press, texts

PAGES = ("continuation", "map", "journey", "popularity", "comparison", "training", "library")


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


# --- dials ---


def report(dataset):
    """Costs of every setting, R-precision surely lower, the rest higher."""
    figures = {name: Figure(0.5, 0.4, 0.6) for name in LABELS}
    gap = {name: Figure(0.02, 0.01, 0.03) for name in LABELS}
    gap |= {"r_precision": Figure(-0.0123, -0.02, -0.005), "coverage": Figure(0.03)}
    gap |= {"novelty": Figure(0.41, -0.1, 0.9)}
    rows = [DialRow(dial, value, figures, gap) for dial, value in SETTINGS if dial != "smooth"]
    return DialReport(dataset, 60, figures, rows)


def costs(at):
    return [caption.value for caption in at.sidebar.caption if "R-precision" in caption.value]


def test_a_turned_dial_says_what_it_costs(open_page, workspace):
    report("planted").save(workspace / "planted" / "dials.json")
    at = open_page(seed=seeds_of(1))
    assert costs(at) == []
    at.sidebar.select_slider(key="dial_variety").set_value(0.5).run()
    assert costs(at) == ["R-precision −.012 · coverage +3 points · novelty no clear change"]
    at.sidebar.toggle(key="dial_smooth").set_value(True).run()
    assert "Cost not measured here" in [caption.value for caption in at.sidebar.caption]
    assert link(at)["variety"] == ["0.5"]
    press(at, "Reset dials")
    assert costs(at) == []
    assert link(at) == {"dataset": ["planted"], "seed": seeds_of(1)}


@pytest.mark.parametrize(
    ("dial", "value", "word"),
    [("adventure", 1.0, "1.0"), ("popularity", -0.5, "-0.5"), ("variety", 0.25, "0.25")],
)
def test_every_dial_is_in_the_link_and_back(open_page, dial, value, word):
    at = open_page(seed=seeds_of(1))
    at.sidebar.select_slider(key=f"dial_{dial}").set_value(value).run()
    assert link(at)[dial] == [word]
    cold = open_page(seed=seeds_of(1), **{dial: word})
    assert cold.sidebar.select_slider(key=f"dial_{dial}").value == value
    assert not cold.warning
    assert list(cold.dataframe[1].value["Track"]) == list(at.dataframe[1].value["Track"])


def test_popular_is_at_the_left_and_deep_cuts_at_the_right(open_page):
    assert open_page().sidebar.select_slider(key="dial_popularity").options == [
        "most popular", "more popular", "as scored", "more deep cuts", "most deep cuts"
    ]  # fmt: skip


def test_filters_are_counted_and_their_ends_are_open(open_page, monkeypatch):
    monkeypatch.setattr("pages.common.session.years", lambda version: KnownYears(1960, 2020, 7))
    at = open_page(years="1990-", explicit="no")
    assert at.sidebar.expander[0].label == "Filters (2 on)"
    slider = at.sidebar.slider(key="dial_years")
    assert slider.value == (1990, 2020)
    assert "7 tracks" in slider.help
    slider.set_value((1960, 1999)).run()
    assert link(at)["years"] == ["-1999"]
    at.sidebar.slider(key="dial_years").set_value((1960, 2020)).run()
    assert "years" not in link(at)


def test_a_public_host_says_so(open_page, monkeypatch):
    assert "public host" not in texts(open_page())
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    assert "public host" in texts(open_page())


@pytest.mark.parametrize(
    ("gap", "said"),
    [(Figure(-0.0123, -0.02, -0.005), "−.012"), (Figure(0.0123, -0.02, 0.05), "no clear change"),
     (Figure(0.0001, 0.00005, 0.0002), "unchanged")],
)  # fmt: skip
def test_a_cost_in_words(gap, said):
    row = DialRow("smooth", True, {}, {"r_precision": gap, "coverage": Figure(-0.01),
                                       "novelty": Figure(None)})  # fmt: skip
    assert cost(row) == f"R-precision {said} · coverage −1 point"
