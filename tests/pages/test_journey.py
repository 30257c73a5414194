"""The Journey page: its link, its ends, its stops."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import link, press, texts

FROM, TO = "t:1-00", "t:1-05"


def ends(at: AppTest) -> list[str]:
    """Names of the ends, as the two boxes say them."""
    lines = [element.value for element in at.markdown]
    return [line.strip("*").replace("\\", "") for line in lines if line.startswith("**")][:2]


def stops(at: AppTest) -> list[str]:
    """Titles of the stops, in order."""
    lines = [element.value for element in at.markdown if ":small[" in element.value]
    return [line.split("**")[1].replace("\\", "") for line in lines]


def drawn(at: AppTest) -> list[dict]:
    return [json.loads(chart.proto.spec) for chart in at.get("plotly_chart")]


def test_a_bare_link_shows_a_journey(open_page):
    at = open_page("journey")
    found = stops(at)
    assert len(found) >= 2
    assert ends(at) == [f"{found[0]} – artist {found[0][:2]}{int(found[0][2:]) % 6}", ends(at)[1]]
    assert f"{len(found)} stops" in texts(at)
    assert "cosine of" in texts(at)
    assert "On the map of track2vec" in texts(at)
    assert len(drawn(at)) == 3  # the map for a wide screen and for a phone, the profile


def test_the_link_says_it_all_and_brings_it_back(open_page):
    said = {
        "journey.from": FROM,
        "journey.to": TO,
        "journey.model": "als",
        "journey.stops": "6",
        "journey.smooth": "1.0",
        "journey.artists": "any",
        "journey.neighbours": "8",
        "journey.path": "1",
        "journey.skip": "t:1-07 t:1-08",
    }
    at = open_page("journey", **said)
    assert not at.warning
    found = stops(at)
    assert (found[0], found[-1], len(found)) == ("1-00", "1-05", 6)
    assert not {"1-07", "1-08"} & set(found)
    assert {word: [value] for word, value in said.items()}.items() <= link(at).items()
    assert "Skipped: 1-07" in texts(at).replace("\\", "")
    assert "Path 2" in texts(at)
    assert at.selectbox(key="journey_model").value == "als"


def test_the_playlist_gives_the_ends(open_page):
    at = open_page("journey", seed=["t:2-03", "t:2-11", "t:2-20"])
    assert (stops(at)[0], stops(at)[-1]) == ("2-03", "2-20")
    assert "in your playlist" in texts(at)


def test_one_seed_is_the_start(open_page):
    at = open_page("journey", seed=["t:2-03"])
    assert stops(at)[0] == "2-03"
    at = open_page("journey", seed=["t:2-03"], **{"journey.to": "t:2-03"})
    assert stops(at)[-1] == "2-03"
    assert stops(at)[0] != "2-03"


def test_an_artist_stands_for_any_of_their_tracks(open_page, workspace):
    at = open_page("journey")
    at.text_input(key="journey_search_from").set_value("artist 3-2").run()
    at.button(key="journey_search_from_0").click().run()
    assert not at.exception
    (said,) = link(at)["journey.from"]
    assert said.startswith("artist:")
    artist, first = ends(at)[0], stops(at)[0]
    assert artist == f"artist {first[0]}-{int(first[2:]) % 6}"
    assert "Artist, any of 5 tracks" in texts(at).replace("\\", "")


def test_a_found_track_becomes_the_end(open_page):
    at = open_page("journey", **{"journey.from": FROM})
    at.text_input(key="journey_search_to").set_value("1-09").run()
    result = next(b for b in at.button if b.key.startswith("journey_search_to_") and "1" in b.label)
    result.click().run()
    assert not at.exception
    assert link(at)["journey.to"] == ["t:1-09"]
    assert stops(at)[-1] == "1-09"


def test_swapped_ends(open_page):
    at = open_page("journey", **{"journey.from": FROM, "journey.to": TO})
    at.button(key="journey_swap").click().run()
    assert (link(at)["journey.from"], link(at)["journey.to"]) == ([TO], [FROM])
    assert (stops(at)[0], stops(at)[-1]) == ("1-05", "1-00")


def test_a_skipped_stop_is_gone_until_allowed_again(open_page):
    at = open_page("journey", **{"journey.from": FROM, "journey.to": TO, "journey.stops": "5"})
    before = stops(at)
    at.button(key="journey_skip_2").click().run()
    assert link(at)["journey.skip"] == [f"t:{before[2]}"]
    assert before[2] not in stops(at)
    press(at, "Allow again")
    assert "journey.skip" not in link(at)
    assert stops(at) == before


def test_another_path_and_back(open_page):
    at = open_page("journey", **{"journey.from": FROM, "journey.to": TO, "journey.stops": "6"})
    first = stops(at)
    press(at, "Another path")
    assert link(at)["journey.path"] == ["1"]
    assert stops(at) != first
    press(at, "First path")
    assert stops(at) == first


def test_the_dials_turn_and_stay_in_the_link(open_page):
    at = open_page("journey", **{"journey.from": FROM, "journey.to": TO})
    at.select_slider(key="journey_stops").set_value(5).run()
    assert len(stops(at)) == 5
    at.select_slider(key="journey_smooth").set_value(0.0).run()
    at.toggle(key="journey_artists").set_value(False).run()
    said = link(at)
    assert said["journey.stops"] == ["5"]
    assert said["journey.smooth"] == ["0.0"]
    assert said["journey.artists"] == ["any"]


def test_stops_join_the_playlist_and_the_journey_stays(open_page):
    at = open_page("journey", seed=["t:2-03", "t:2-20"])
    before = stops(at)
    press(at, "Add all to playlist")
    assert stops(at) == before
    seeds = link(at)["seed"]
    assert seeds[:2] == ["t:2-03", "t:2-20"]
    assert set(seeds) == {f"t:{stop}" for stop in before}


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"journey.from": "t:gone"}, "names “t:gone”, which is not in this dataset"),
        ({"journey.to": "artist:gone"}, "names “artist:gone”, which is not in this dataset"),
        ({"journey.model": "popularity"}, "No model “popularity” with vectors"),
        ({"journey.model": "nonsense"}, "No model “nonsense” with vectors"),
        ({"journey.stops": "2"}, "journey.stops=2, which is no choice here"),
        ({"journey.neighbours": "9"}, "journey.neighbours=9, which is no choice here"),
        ({"journey.artists": "some"}, "journey.artists=some, which is no choice here"),
        ({"journey.skip": "t:gone t:1-02"}, "1 skipped stop of the link is not in this dataset"),
    ],
)
def test_what_a_link_asks_in_vain_is_named_and_a_journey_shown(open_page, said, sentence):
    at = open_page("journey", **said)
    assert sentence in texts(at).replace("\\", "")
    assert len(stops(at)) >= 2
    (word, value), *_ = said.items()
    assert link(at.run()).get(word) != [value]


def test_why_there_is_no_way_and_the_page_goes_on(open_page):
    at = open_page("journey", **{"journey.from": FROM, "journey.to": "t:2-00"})
    assert "No way through" in texts(at)
    assert "No chain of neighbours" in texts(at)
    at = open_page("journey", **{"journey.from": FROM, "journey.to": FROM})
    assert "ends where it starts" in texts(at)


def test_an_untrained_dataset_says_what_to_do(open_page):
    at = open_page("journey", dataset="signs")
    assert "No model is trained" in texts(at)
