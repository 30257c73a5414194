"""Examples to start from."""

from core.explore.examples import examples
from tests.conftest import style_of


def test_each_title_comes_with_tracks_of_its_style(planted):
    found = examples(planted, limit=4)
    words = ("zero", "one", "two", "three")
    assert {example.title for example in found} == {f"style {word}" for word in words}
    for example in found:
        assert example.playlists == 60
        assert len(example.tracks) == 3
        assert set(style_of(planted, example.tracks)) == {words.index(example.title.split()[1])}


def test_spellings_of_a_title_count_together_under_the_most_frequent(make_dataset):
    dataset = make_dataset([["a"]] * 5, ["Rain!", "rain", "Rain!", "Sun", None])
    found = examples(dataset)
    assert [(example.title, example.playlists) for example in found] == [("Rain!", 3), ("Sun", 1)]


def test_without_titles_there_is_nothing(make_dataset):
    assert examples(make_dataset([["a"], ["b"]])) == []
