"""Models side by side, and held-out playlists replayed, on planted styles."""

import json

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.evaluation.challenge import CATEGORIES, split
from core.evaluation.leaderboard import System, measure_all
from core.evaluation.replays import Replays, replays
from core.retrieval import MODELS
from core.trained import load_recommender
from tests.pages.conftest import link, texts

HIDE = {"comparison.part": "Hide and predict"}
SEEDS = ["t:1-03", "t:1-07"]
THREE = {"comparison.models": "als,item_knn,popularity"}


def charts(at):
    """The charts of a wide screen; each stands there a second time, for a phone."""
    wide = [chart.proto for chart in at.get("plotly_chart") if not chart.key.endswith("_True")]
    return [json.loads(chart.spec) for chart in wide]


def tables(at, column):
    """The tables that have a column."""
    return [frame.value for frame in at.dataframe if column in frame.value]


# --- side by side ---


def test_the_parts_are_in_the_link(open_page):
    at = open_page("comparison")
    assert at.title[0].value == "Comparison"
    assert "Nothing is asked yet" in texts(at)
    (part,) = [one for one in at.button_group if one.key == "comparison_part"]
    part.set_value("Leaderboard").run()
    assert "Nothing is measured" in texts(at)
    assert link(at)["comparison.part"] == ["Leaderboard"]


def test_an_example_is_a_playlist_to_compare_on(open_page):
    at = open_page("comparison")
    start = next(button for button in at.button if str(button.key).startswith("comparison_start"))
    start.click().run()
    assert not at.exception
    assert link(at)["title"] == [start.label]
    assert len(link(at)["seed"]) == 3
    assert "All lists as one" in texts(at)


def test_places_are_those_of_the_models_themselves(open_page, workspace):
    at = open_page("comparison", seed=SEEDS, k="10", **THREE)
    recommender = load_recommender(Dataset(workspace / "planted"))
    dataset = recommender.dataset
    seeds = dataset.ids_of(SEEDS)
    merged = tables(at, "Found by")[0].set_index("Track")
    for name in ("als", "item_knn", "popularity"):
        found = recommender.continue_playlist(seeds, None, 10, model=name).tracks
        places = merged[MODELS[name].label].dropna().astype(int)
        assert dict(places) == {
            title: place for place, title in enumerate(dataset.values("title", found), 1)
        }
    held = merged[[MODELS[name].label for name in ("als", "item_knn", "popularity")]].notna()
    assert merged["Found by"].tolist() == held.sum(axis=1).tolist()
    worth = (1 / (60 + merged[held.columns].astype(float))).sum(axis=1)
    assert worth.is_monotonic_decreasing


def test_what_only_one_finds_adds_up(open_page):
    at = open_page("comparison", seed=SEEDS, k="10", **THREE)
    merged = tables(at, "Found by")[0]
    alone = merged[merged["Found by"] == 1]
    listed = [table for table in tables(at, "Track") if "Artist" not in table]
    assert sum(map(len, listed)) == len(alone)
    said = texts(at)
    everywhere = int((merged["Found by"] == 3).sum())
    assert f"Of {len(merged)} tracks in the first 10 of each, {everywhere} " in said
    assert f"and {len(alone)} in one only" in said


def test_agreement_is_a_matrix_of_either_measure(open_page):
    at = open_page("comparison", seed=SEEDS, k="10", **THREE)
    overlap = charts(at)[1]["data"][0]["text"]
    assert [row[at_] for at_, row in enumerate(overlap)] == ["", "", ""]
    assert "Rank-biased" in at.get("plotly_chart")[2].proto.alt
    jaccard = open_page(
        "comparison", seed=SEEDS, k="10", **THREE, **{"comparison.agreement": "jaccard"}
    )
    cells = charts(jaccard)[1]["data"][0]["text"]
    merged = tables(jaccard, "Found by")[0]
    both = merged[[MODELS["als"].label, MODELS["item_knn"].label]].notna()
    assert cells[0][1] == f"{both.all(axis=1).sum() / both.any(axis=1).sum():.2f}"


def test_the_default_answer_and_two_others_where_none_are_chosen(open_page):
    at = open_page("comparison", seed=SEEDS)
    (chosen,) = at.multiselect
    assert chosen.value == ["fusion", "als", "track2vec"]
    assert "comparison.models" not in link(at)
    chosen.set_value(["als", "titles"]).run()
    assert not at.exception
    assert link(at)["comparison.models"] == ["als,titles"]
    assert "are in both" in texts(at)


def test_one_model_alone_asks_for_another(open_page):
    at = open_page("comparison", seed=SEEDS, **{"comparison.models": "als"})
    assert "Choose another model" in texts(at)
    assert not at.get("plotly_chart")


@pytest.mark.parametrize(
    ("words", "sentence", "left"),
    [
        ("als,=<b>x</b>,titles", "No model “=<b>x</b>” is trained on “planted”", ["als", "titles"]),
        ("x", "No model “x”", ["fusion", "als", "track2vec"]),
        ("als,als,titles", "each once", ["als", "titles"]),
        (
            "als,titles,audio,item_knn,popularity",
            "At most 4 models",
            ["als", "titles", "audio", "item_knn"],
        ),
    ],
)
def test_models_of_a_link_that_cannot_be_compared_are_named(open_page, words, sentence, left):
    at = open_page("comparison", seed=SEEDS, **{"comparison.models": words})
    (warning,) = at.warning
    assert sentence in warning.value.replace("\\", "")
    assert at.multiselect[0].value == left
    at.run()
    assert len(at.warning) == 1


def test_dials_and_length_hold_for_every_model(open_page):
    at = open_page("comparison", seed=SEEDS, k="20", artist="1", **THREE)
    merged = tables(at, "Found by")[0]
    for name in ("als", "item_knn", "popularity"):
        listed = merged[merged[MODELS[name].label].notna()]
        assert listed["Artist"].is_unique or len(listed) == 20


def test_a_model_that_does_not_read_titles_says_so(open_page):
    at = open_page("comparison", title="style two", **{"comparison.models": "titles,item_knn"})
    assert "Item neighbours\\: This model does not read titles" in texts(at)


@pytest.mark.parametrize("part", ["Side by side", "Hide and predict", "Leaderboard"])
def test_nothing_trained_says_how_to_train(open_page, part):
    at = open_page("comparison", dataset="signs", **{"comparison.part": part})
    assert not at.error
    (page,) = at.get("page_link")
    assert "Train models" in page.proto.label


# --- hide and predict ---


@pytest.fixture(scope="module")
def kept(planted) -> Replays:
    parts = split(planted, 60)
    models = {name: MODELS[name]().fit(parts.train) for name in ("popularity", "playlist_knn")}
    labels = {"popularity": "*Popular* <b>x</b>", "playlist_knn": "Neighbours"}
    systems = [System(name, labels[name], model.recommend) for name, model in models.items()]
    return replays(measure_all(systems, parts.test, parts.train), parts.test, parts.train)


@pytest.fixture
def open_hidden(open_page, workspace, kept):
    """A function that opens the held-out playlists by a link."""
    kept.save(workspace / "planted" / "replays.parquet")

    def open_hidden(**words):
        at = open_page("comparison", **HIDE, **{f"comparison.{k}": v for k, v in words.items()})
        assert not at.error
        return at

    return open_hidden


def test_a_playlist_is_shown_as_the_models_saw_it(open_hidden, kept, planted):
    at = open_hidden()
    replay = next(one for one in kept.playlists if CATEGORIES[one.category].label == at_first(at))
    said = texts(at)
    assert "fitted on 180 others, without the 60" in said
    assert f"Title: **“{planted.playlists.titles[replay.row]}”**" in said
    assert f"{len(replay.hidden)} tracks are hidden" in said
    assert len(at.dataframe[0].value) == len(replay.shown) == 5


def at_first(at):
    """The category that is chosen."""
    (kind,) = [box for box in at.selectbox if box.key == "comparison_shown"]
    return CATEGORIES[kind.value].label


def test_hidden_tracks_stand_where_the_lists_had_them(open_hidden, kept):
    replay = kept.playlists[-1]
    at = open_hidden(playlist=str(replay.row))
    assert at_first(at) == CATEGORIES[replay.category].label
    (table,) = tables(at, "Found by")
    for label, places in zip(kept.systems.values(), replay.places, strict=True):
        assert table[label].fillna(0).astype(int).tolist() == places.tolist()
    (chart,) = charts(at)
    assert "<b>" not in json.dumps(chart["layout"])


def test_places_are_revealed_up_to_the_link_s(open_hidden, kept):
    replay = kept.playlists[-1]
    drawn = {}
    for place in ("0", "10", "500"):
        (chart,) = charts(open_hidden(playlist=str(replay.row), place=place))
        notes = [note["text"] for note in chart["layout"]["annotations"]]
        counts = [f"{n} of {len(replay.hidden)}" for n in replay.found(int(place))]
        assert set(counts) <= set(notes)
        drawn[place] = counts
    assert drawn["0"] != drawn["500"]


def test_another_category_is_another_playlist(open_hidden, kept):
    at = open_hidden()
    (kind,) = [box for box in at.selectbox if box.key == "comparison_shown"]
    other = next(one for one in kept.playlists if CATEGORIES[one.category].label == "first 10")
    kind.set_value(other.category).run()
    assert not at.exception
    assert link(at)["comparison.playlist"] == [str(other.row)]
    assert "hidden as well" in texts(at)


def test_first_answers_are_ticked_where_they_were_hidden(open_hidden, kept, planted):
    replay = kept.playlists[-1]
    at = open_hidden(playlist=str(replay.row), table="First answers")
    (table,) = tables(at, "#")
    for label, first in zip(kept.systems.values(), replay.first, strict=True):
        ticked = [cell.startswith("✓") for cell in table[label]]
        assert ticked == np.isin(first, replay.hidden).tolist()
        (title,) = planted.values("title", first[:1])
        assert title in table[label][0]


def test_figures_of_the_playlist(open_hidden, kept):
    replay = kept.playlists[-1]
    (table,) = tables(open_hidden(playlist=str(replay.row), table="Figures"), "Model")
    table = table.set_index("Model")
    for at, label in enumerate(kept.systems.values()):
        assert table.loc[label, "R-precision"] == pytest.approx(replay.r_precision[at])
        assert table.loc[label, "Found in 500"] == replay.found()[at]
        assert table.loc[label, "First find"] == replay.places[at][replay.places[at] > 0].min()


def test_watching_goes_from_place_to_place_and_ends(open_hidden):
    at = open_hidden(place="50")
    (watch,) = [button for button in at.button if button.label == "Watch"]
    watch.click().run()
    assert any(button.label == "Pause" for button in at.button)
    for _ in range(12):
        at.run()
        assert not at.exception
    assert any(button.label == "Watch" for button in at.button)
    assert "comparison.place" not in link(at)


def test_a_pause_keeps_the_place(open_hidden):
    at = open_hidden()
    (watch,) = [button for button in at.button if button.label == "Watch"]
    watch.click().run()
    at.run()
    at.run()
    (pause,) = [button for button in at.button if button.label == "Pause"]
    pause.click().run()
    assert 0 < int(link(at)["comparison.place"][0]) < 500


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"playlist": "999999"}, "Playlist 999999 of “planted” is not among"),
        ({"playlist": "x"}, "comparison.playlist=x"),
        ({"place": "7"}, "comparison.place=7"),
        ({"table": "<b>"}, "comparison.table=<b>"),
    ],
)
def test_words_that_are_no_choice_are_named(open_hidden, words, sentence):
    (warning,) = open_hidden(**words).warning
    assert sentence in warning.value.replace("\\", "")


def test_nothing_kept_says_how_to_measure(open_page):
    at = open_page("comparison", **HIDE)
    assert "has kept held\\-out playlists yet" in texts(at)
    assert at.code[0].value == "python -m core evaluate --dataset planted"


def test_playlists_of_another_version_ask_to_measure_again(open_page, workspace):
    (workspace / "planted" / "replays.parquet").write_text("{}")
    at = open_page("comparison", **HIDE)
    assert "of another version" in texts(at)
    assert not at.error
