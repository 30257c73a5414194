"""The continuation page on planted styles, whose right continuation is known."""

import pytest

from core.reasons import explain
from pages.playlists.steering import evenly
from tests.pages.conftest import link, press, texts


def seeds_of(style, count=3):
    return [f"t:{style}-{track:02}" for track in range(count)]


def playlist(at):
    return list(at.dataframe[0].value["Track"])


def table(at):
    return at.dataframe[-1].value


def answer(at):
    return list(table(at)["Track"])


def select(at, row):
    at.session_state["continuation"] = {"selection": {"rows": [row]}}
    at.run()
    assert not at.exception, at.exception


# --- asking ---


def test_seeds_of_a_link_are_continued_in_their_style(open_page):
    at = open_page(seed=seeds_of(3))
    assert playlist(at) == [f"3-{i:02} – artist 3-{i}" for i in range(3)]
    assert sum(title.startswith("3-") for title in answer(at)) >= 18
    assert not set(answer(at)) & {f"3-{i:02}" for i in range(3)}
    assert set(table(at)["Closest to"]) <= {f"3-{i:02}" for i in range(3)}
    assert table(at)["Popularity"].between(0, 99).all()


def test_nothing_asked_shows_examples_and_the_most_popular(open_page):
    at = open_page()
    assert "No seed and no title" in texts(at)
    assert len(answer(at)) == 20
    assert not at.get("plotly_chart")
    press(at, "style two")
    assert "Made from the title alone" in texts(at)
    assert "Why this track" in texts(at)
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


def test_the_link_to_copy_is_the_link_of_the_page(open_page):
    at = open_page(seed=seeds_of(1), title="a&b")
    link = at.code[0].value
    assert link.endswith("dataset=planted&title=a%26b&" + "&".join(
        f"seed=t%3A1-{i:02}" for i in range(3)
    ))  # fmt: skip


def test_filters_that_leave_nothing_say_so(open_page):
    at = open_page(seed=seeds_of(1), years="1700-1701")
    assert "No track passes the filters" in texts(at)
    assert len(at.dataframe) == 1


# --- keep, like, not this ---


def test_keep_moves_a_track_to_the_playlist(open_page):
    at = open_page(seed=seeds_of(1))
    first = answer(at)[0]
    press(at, "Keep")
    assert playlist(at)[-1].startswith(first)
    assert first not in answer(at)


def test_not_this_bars_a_track_until_it_is_taken_back(open_page):
    at = open_page(seed=seeds_of(1))
    first = answer(at)[0]
    press(at, "Not this")
    assert first not in answer(at)
    assert link(at)["not"] == [f"t:{first}"]
    at.button(key=f"barred_t:{first}").click().run()
    assert answer(at)[0] == first
    assert "not" not in link(at)


def test_like_steers_without_adding(open_page):
    at = open_page(seed=seeds_of(1, 1), like=["t:2-00"])
    assert playlist(at) == ["1-00 – artist 1-0"]
    assert "2-00" not in answer(at)
    assert sum(title.startswith("2-") for title in answer(at)) >= 5
    at.button(key="liked_t:2-00").click().run()
    assert sum(title.startswith("1-") for title in answer(at)) >= 18
    liked = answer(at)[0]
    press(at, "Like")
    assert link(at)["like"] == [f"t:{liked}"]
    assert liked not in answer(at)
    assert len(playlist(at)) == 1


def test_what_is_liked_or_barred_and_unknown_is_named(open_page):
    at = open_page(seed=seeds_of(1), like=["t:no"], block=["who"], **{"not": ["t:never"]})
    labels = [button.label.replace("\\", "") for button in at.button]
    assert "t:no (not in this dataset)" in labels
    assert "t:never (not in this dataset)" in labels
    assert "who (not in this dataset)" in labels


def test_a_blocked_artist_is_gone_until_the_chip_is_pressed(open_page):
    at = open_page(seed=seeds_of(1))
    artist = table(at)["Artist"][0]
    press(at, "Block artist")
    assert artist not in set(table(at)["Artist"])
    (blocked,) = link(at)["block"]
    at.button(key=f"blocked_{blocked}").click().run()
    assert artist in set(table(at)["Artist"])


# --- what if ---


def arrow(before, now, title):
    """What "Moved" is to say of a track, from both lists."""
    if title not in before:
        return "new"
    risen = before.index(title) - now.index(title)
    return f"▲{risen}" if risen > 0 else f"▼{-risen}" if risen else ""


def muted_link(at):
    return link(at).get("mute", [])


def test_a_muted_seed_stays_and_takes_no_part(open_page):
    both = seeds_of(1, 2) + seeds_of(2, 2)
    at = open_page(seed=both, mute=both[2:])
    assert len(playlist(at)) == 4
    assert not set(answer(at)) & {"2-00", "2-01"}
    alone = open_page(seed=both[:2])
    assert answer(at) == answer(alone)


def test_muting_says_what_enters_and_leaves_and_can_be_undone(open_page):
    both = seeds_of(1, 2) + seeds_of(2, 2)
    at = open_page(seed=both)
    before = answer(at)
    assert "Moved" not in table(at)
    at.session_state["seeds"] = {"selection": {"rows": [2, 3]}}
    at.run()
    press(at, "Mute")
    assert muted_link(at) == both[2:]
    moved = dict(zip(answer(at), table(at)["Moved"], strict=True))
    assert moved == {title: arrow(before, answer(at), title) for title in moved}
    entered = [title for title in answer(at) if title not in before]
    assert f"**{len(entered)} new:**" in texts(at)
    press(at, "Undo")
    assert answer(at) == before
    assert not muted_link(at)
    assert "Moved" not in table(at)


def test_a_cold_link_with_muted_tracks_shows_what_muting_did(open_page):
    both = seeds_of(1, 2) + seeds_of(2, 2)
    at = open_page(seed=both, mute=both[2:])
    assert "Moved" in table(at)
    press(at, "Undo")
    assert not muted_link(at)


def test_a_longer_list_moves_nothing(open_page):
    at = open_page(seed=seeds_of(1))
    at.sidebar.slider[0].set_value(30).run()
    assert set(table(at)["Moved"]) == {""}
    assert "The same list" in texts(at)


# --- why ---


def test_why_is_of_the_selected_track_only_and_in_the_link(open_page, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "pages.common.answers.explain", lambda r, s, t, tracks, **more: asked.append(tracks)
        or explain(r, s, t, tracks, **more),
    )  # fmt: skip
    at = open_page(seed=seeds_of(1))
    assert len(asked) == 1
    select(at, 3)
    assert [len(tracks) for tracks in asked] == [1, 1]
    chosen = answer(at)[3]
    assert link(at)["continuation.track"] == [f"t:{chosen}"]
    at.run()
    assert len(asked) == 2  # remembered
    cold = open_page(seed=seeds_of(1), **{"continuation.track": f"t:{chosen}"})
    assert any(chosen.replace("-", "\\-") in m.value and "####" in m.value for m in cold.markdown)


def test_a_link_to_a_track_that_is_not_listed_is_named(open_page):
    at = open_page(seed=seeds_of(1), **{"continuation.track": "t:gone"})
    assert any("t:gone" in warning.value.replace("\\", "") for warning in at.warning)
    assert "continuation.track" not in link(at)


@pytest.mark.parametrize(
    ("model", "kind", "other"),
    [("item_knn", "exact shares", "place without each"),
     ("titles", "", "exact shares · place"), ("fusion", "place without each", "")],
)  # fmt: skip
def test_why_says_which_kind_of_share_it_shows(open_page, model, kind, other):
    at = open_page(seed=seeds_of(1), model=model)
    headings = [m.value for m in at.markdown if m.value.startswith("**Your tracks**")]
    if kind:
        assert kind in headings[0]
    if other:
        assert not any(other in heading for heading in headings)


def test_a_title_alone_is_explained_by_models(open_page):
    at = open_page(title="style two")
    assert "Who proposed it" in texts(at)
    assert "Your tracks" not in texts(at).replace("Your playlist", "")


# --- moods ---


@pytest.fixture
def open_mixed(open_page):
    return lambda **more: open_page(seed=seeds_of(1, 6) + seeds_of(3, 6), **more)


def test_a_mixed_playlist_is_continued_as_one_or_in_shares(open_mixed):
    at = open_mixed()
    assert "This playlist mixes 2 moods" in texts(at)
    assert "Mood" not in table(at)
    press(at, "Choose shares")
    assert link(at)["moods"] == ["50,50"]
    first = list(table(at)["Mood"])
    assert all(first.count(mood) == 10 for mood in set(first))
    at.slider(key="mood_0").set_value(80).run()
    assert link(at)["moods"] == ["80,20"]
    assert sorted(list(table(at)["Mood"]).count(mood) for mood in set(first)) == [4, 16]
    press(at, "As one playlist")
    assert "moods" not in link(at)
    assert "Mood" not in table(at)


def test_a_playlist_of_one_mood_has_no_panel_and_names_shares_in_vain(open_page):
    at = open_page(seed=seeds_of(1, 8), moods="30,70")
    assert "mixes" not in texts(at)
    assert any("2 moods" in warning.value for warning in at.warning)
    assert "moods" not in link(at)


def test_shares_sum_to_the_whole():
    assert evenly((60, 30, 10), 0, 20) == (20, 60, 20)
    assert evenly((100, 0), 0, 40) == (40, 60)
    assert evenly((34, 33, 33), 1, 100) == (0, 100, 0)
    assert evenly((33, 33, 33)) == (33, 33, 34)


# --- one track ---


def test_a_track_that_is_not_on_spotify_has_no_player(open_page):
    at = open_page(seed=seeds_of(1))
    assert "Nothing to play" in texts(at)
    assert not [toggle for toggle in at.toggle if toggle.label == "Play"]
