"""The continuation page on planted styles, whose right continuation is known."""

from tests.pages.conftest import link, press, texts


def seeds_of(style, count=3):
    return [f"t:{style}-{track:02}" for track in range(count)]


def playlist(at):
    return list(at.dataframe[0].value["Track"])


def answer(at):
    return list(at.dataframe[-1].value["Track"])


def test_seeds_of_a_link_are_continued_in_their_style(open_page):
    at = open_page(seed=seeds_of(3))
    assert playlist(at) == [f"3-{i:02} – artist 3-{i}" for i in range(3)]
    assert sum(title.startswith("3-") for title in answer(at)) >= 18
    assert not set(answer(at)) & {f"3-{i:02}" for i in range(3)}
    assert set(at.dataframe[1].value["Closest to"]) <= {f"3-{i:02}" for i in range(3)}
    assert at.dataframe[1].value["Popularity"].between(0, 99).all()


def test_nothing_asked_shows_examples_and_the_most_popular(open_page):
    at = open_page()
    assert "No seed and no title" in texts(at)
    assert len(answer(at)) == 20
    press(at, "style two")
    assert "Made from the title alone" in texts(at)
    assert sum(title.startswith("2-") for title in answer(at)) >= 18


def test_three_example_tracks_are_one_click(open_page):
    at = open_page()
    label = next(button.label for button in at.button if button.label.count(", ") == 2)
    press(at, label)
    assert len(playlist(at)) == 3
    assert len(link(at)["seed"]) == 3


def test_a_searched_track_is_added_once(open_page):
    at = open_page()
    at.text_input(key="seed_search").set_value("2-07").run()
    first = next(button for button in at.button if "2\\-07" in button.label)
    assert not first.disabled
    first.click().run()
    assert link(at)["seed"] == ["t:2-07"]
    assert next(button for button in at.button if "2\\-07" in button.label).disabled


def test_a_search_without_result_says_so(open_page):
    at = open_page()
    at.text_input(key="seed_search").set_value("qqqqqqqq").run()
    assert "Nothing here is called “qqqqqqqq”" in texts(at)


def test_unknown_seeds_are_named_and_can_be_forgotten(open_page):
    at = open_page(seed=["t:1-00", "t:nope"])
    assert "1 of 2 seeds" in texts(at)
    assert any("t:nope" in text.value for text in at.text)
    press(at, "Forget")
    assert link(at)["seed"] == ["t:1-00"]


def test_keep_moves_a_track_to_the_playlist(open_page):
    at = open_page(seed=seeds_of(1))
    first = answer(at)[0]
    press(at, "Keep")
    assert playlist(at)[-1].startswith(first)
    assert first not in answer(at)


def test_not_this_bars_a_track_until_it_is_allowed_again(open_page):
    at = open_page(seed=seeds_of(1))
    first = answer(at)[0]
    press(at, "Not this")
    assert first not in answer(at)
    assert link(at)["not"] == [f"t:{first}"]
    assert "1 track not shown" in texts(at)
    press(at, "Allow again")
    assert answer(at)[0] == first


def test_a_selected_row_can_move_and_go_with_its_selection(open_page):
    at = open_page(seed=seeds_of(1))
    at.session_state["seeds"] = {"selection": {"rows": [2]}}
    at.run()
    press(at, "Move up")
    assert link(at)["seed"] == ["t:1-00", "t:1-02", "t:1-01"]
    assert at.session_state["seeds"]["selection"]["rows"] == [1]
    press(at, "Remove")
    assert link(at)["seed"] == ["t:1-00", "t:1-01"]
    assert at.session_state["seeds"]["selection"]["rows"] == []


def test_a_track_that_is_not_on_spotify_has_no_player(open_page):
    at = open_page(seed=seeds_of(1))
    assert "Nothing to play" in texts(at)
    assert not [toggle for toggle in at.toggle if toggle.label == "Play"]


def test_the_link_to_copy_is_the_link_of_the_page(open_page):
    at = open_page(seed=seeds_of(1), title="a&b")
    link = at.code[0].value
    assert link.endswith("dataset=planted&title=a%26b&" + "&".join(
        f"seed=t%3A1-{i:02}" for i in range(3)
    ))  # fmt: skip
