"""The map page."""

import json

import numpy as np
import pytest

from core.dataset.dataset import Dataset
from core.trained import load_model
from core.training.maps import load_map, make_map
from pages.common.session import Version
from pages.common.view import MOST_LETTERS
from pages.maps.chart import MOST_CORNERS, MapName, Outline, drawn_around
from tests.pages.conftest import link, press, texts


@pytest.fixture
def two_maps(workspace):
    """Beside track2vec's map by principal components, one of ALS."""
    planted = Dataset(workspace / "planted")
    make_map(planted, "als", load_model(planted, "als").track_vectors(), "pca")
    return planted


def specs(at):
    """What the browser receives of each chart."""
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def names(spec):
    return [trace.get("name") for trace in spec["data"]]


def test_the_map_says_how_far_to_trust_it(open_page, workspace):
    at = open_page("map")
    card = load_map(Dataset(workspace / "planted")).card
    assert "Near here is not always near in track2vec" in texts(at)
    assert f"trustworthiness {card.trustworthiness:.2f}, {card.kept:.0%} of the 15" in texts(at)
    assert "Click a track for its true neighbours" in texts(at)
    assert at.selectbox(key="map_method").value == "pca"
    (spec,) = specs(at)
    texts_on_it = {note["text"] for note in spec["layout"]["annotations"]}
    assert texts_on_it & {"style zero", "style one", "style two", "style three"}


def test_a_found_track_shows_its_true_neighbours_and_is_in_the_link(open_page):
    at = open_page("map")
    at.text_input(key="map_search").set_value("2-07").run()
    next(button for button in at.button if "2\\-07" in button.label).click().run()
    assert not at.exception
    assert "Nearest in track2vec" in texts(at)
    neighbours = at.dataframe[-1].value
    assert sum(name.startswith("2-") for name in neighbours["Track"]) >= 12
    assert neighbours["Cosine"].is_monotonic_decreasing
    assert link(at)["map.focus"] == ["t:2-07"]
    again = open_page("map", **link(at))
    assert again.dataframe[-1].value.equals(neighbours)
    press(at, "Add to playlist")
    assert link(at)["seed"] == ["t:2-07"]
    press(at, "Clear")
    assert "map.focus" not in link(at)
    assert "Nearest in" not in texts(at)


def test_a_dataset_without_vectors_says_how_to_get_a_map(open_page):
    at = open_page("map", dataset="signs")
    assert "has no map yet" in texts(at)
    assert "train --dataset signs" in at.code[0].value


def test_every_choice_comes_back_from_the_link(open_page, two_maps):
    chosen = {
        "map.model": "als",
        "map.colour": "energy",
        "map.compare": "track2vec-pca",
        "map.points": "1000",
        "map.mouse": "lasso",
        "map.trajectory": "yes",
        "map.focus": "t:1-03",
    }
    at = open_page("map", seed=["t:1-00", "t:1-01"], **chosen)
    assert {word: link(at)[word] for word in chosen} == {w: [v] for w, v in chosen.items()}
    first, second = specs(at)
    assert "Energy" in json.dumps(first["data"])
    for spec in (first, second):
        assert spec["layout"]["dragmode"] == "lasso"
        assert {"Seeds", "Found", "Your playlist, in order", "Continuation, in order"} <= {
            *names(spec)
        }
    assert "Nearest in track2vec" in texts(at)
    assert "neighbours are the same in both models" in texts(at)


@pytest.mark.parametrize(
    ("word", "value", "said"),
    [
        ("map.model", "popularity", "map.model=popularity, which is no choice here"),
        ("map.method", "mds", "map.method=mds, which is no choice here"),
        ("map.colour", "genre", "There is no “genre” to colour this map by"),
        ("map.compare", "als-umap", "There is no map “als-umap” here to compare with"),
        ("map.points", "-3", "map.points=-3, which is no choice here"),
        ("map.area", "als-umap~1.2", "on the map “als-umap”, which is not here"),
        ("map.area", "als-pca~1", "map.area=als-pca~1, which is no choice here"),
        ("map.focus", "t:nobody", "looks at the track t:nobody, which this dataset does not have"),
    ],
)
def test_what_a_link_asks_in_vain_is_named(open_page, word, value, said):
    at = open_page("map", **{word: value})
    assert said in texts(at).replace("\\", "")
    assert word not in link(at.run())
    assert len(specs(at)) == 1


def test_a_map_that_is_not_laid_out_yet_can_be(open_page, monkeypatch):
    started = []
    monkeypatch.setattr("core.jobs.start", lambda *arguments: started.append(arguments[1:3]))
    at = open_page("map", **{"map.model": "als", "map.method": "tsne"})
    assert "t-SNE has not laid out" in texts(at)
    assert specs(at) == []
    assert at.code[0].value == ("python -m core map --dataset planted --model als --method tsne")
    press(at, "Lay out this map")
    ((label, argv),) = started
    assert "t-SNE" in label
    assert argv == ["map", "--dataset", "planted", "--model", "als", "--method", "tsne"]


def test_a_public_host_lays_out_nothing_and_says_so(open_page, monkeypatch):
    monkeypatch.setenv("SEGUE_PUBLIC", "1")
    at = open_page("map", **{"map.method": "umap"})
    assert "This host is open to everyone" in texts(at)
    assert not [button for button in at.button if button.label == "Lay out this map"]


def test_a_box_is_given_by_two_corners(two_maps):
    version, name = Version("planted", ""), MapName("als", "pca")
    coordinates = load_map(two_maps, "als", "pca").coordinates

    def inside(x, y):
        return drawn_around(version, Outline.drawn(name, {"x": x, "y": y})).tolist()

    assert inside([-4, 4], [4, -4]) == list(range(len(coordinates)))
    left = np.flatnonzero(coordinates[:, 0] < 0).tolist()
    assert inside([-4, 0], [-4, 4]) == left
    assert 0 < len(left) < len(coordinates)


def test_an_outline_fits_into_a_link_and_comes_back():
    around = np.linspace(0, 2 * np.pi, 900)
    shape = {"x": (-4 * np.cos(around)).tolist(), "y": (-4 * np.sin(around)).tolist()}
    outline = Outline.drawn(MapName("two_tower", "umap"), shape)
    assert len(outline.corners) == MOST_CORNERS
    assert len(str(outline)) < MOST_LETTERS
    assert Outline.read(str(outline)) == outline
    for text in (
        "two_tower-umap~1",
        "two_tower-mds~1.2",
        "popularity-pca~1.2",
        "als-pca~a.b",
        f"als-pca~1.{10**400}",
    ):
        with pytest.raises(ValueError):
            Outline.read(text)
    with pytest.raises(ValueError):
        Outline.read(f"als-pca~1.{10**400}")


def test_a_selection_is_marked_on_both_maps_and_listed(open_page, two_maps):
    coordinates = load_map(two_maps, "als", "pca").coordinates
    x, y = np.sort(coordinates[:, 0])[[9, 49]].mean(), 4
    outline = Outline.drawn(MapName("als", "pca"), {"x": [-4, x], "y": [-y, y]})
    area = str(outline)
    inside = int((coordinates[:, 0] < outline.corners[1][0] / 1000).sum())
    at = open_page("map", **{"map.compare": "als-pca", "map.area": area})
    assert link(at)["map.area"] == [area]
    assert f"{inside} selected" in texts(at)
    assert len(at.dataframe[-1].value) == inside
    for spec in specs(at):
        chosen = [trace for trace in spec["data"] if "selectedpoints" in trace]
        assert chosen
    press(at, "Add all")
    assert len(link(at)["seed"]) == inside
    press(at, "Clear")
    assert "selected" not in texts(at)
    assert "map.area" not in link(at)
    assert not any("selectedpoints" in trace for trace in specs(at)[0]["data"])


def test_a_map_of_a_model_that_was_trained_again_says_so(open_page, workspace):
    card = workspace / "planted" / "maps" / "track2vec-pca" / "card.json"
    old = json.loads(card.read_text()) | {"made": "2020-01-01T00:00:00+00:00"}
    card.write_text(json.dumps(old))
    at = open_page("map")
    assert "was trained again since" in texts(at)
    assert [button for button in at.button if button.label == "Lay out this map"]
