"""Links: what a request says comes back, and what is wrong in a link is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from pages.session import (
    LONGEST,
    MOST_SEEDS,
    PER_ARTIST,
    POPULARITY,
    SHORTEST,
    Request,
    from_link,
    spotify_id,
    to_link,
)

ID = "0RhGFlknkTRsaTHfQzNEWW"
uris = some.lists(some.text(min_size=1, max_size=40), unique=True, max_size=5).map(tuple)


def read(link):
    """A link as the browser hands it over: every word with its list of texts."""
    return from_link({word: [v] if isinstance(v, str) else v for word, v in link.items()})


@given(
    some.builds(
        Request,
        dataset=some.text(max_size=10),
        model=some.sampled_from(["fusion", "titles"]),
        k=some.integers(SHORTEST, LONGEST),
        per_artist=some.sampled_from(PER_ARTIST),
        one_version=some.booleans(),
        popularity=some.sampled_from(POPULARITY),
        title=some.text(max_size=40),
        seeds=uris,
        dislikes=uris,
    )
)
def test_a_link_says_the_whole_request(request):
    assert read(to_link(request)) == (request, [])


def test_a_default_request_needs_no_words():
    assert to_link(Request()) == {}
    assert read({}) == (Request(), [])


@pytest.mark.parametrize(
    ("word", "text"),
    [("k", "abc"), ("k", "0"), ("k", "1e9"), ("artist", "-1"), ("popularity", "nan"),
     ("versions", "some")],
)  # fmt: skip
def test_a_word_that_is_no_choice_is_named_and_left_out(word, text):
    request, problems = read({word: text})
    assert request == Request()
    assert problems == [f"The link says {word}={text}, which is no choice here."]


def test_foreign_words_are_ignored():
    assert read({"utm_source": "x", "embed": "true"}) == (Request(), [])


def test_spotify_tracks_are_short_in_links():
    request = Request(seeds=(f"spotify:track:{ID}", "t:a"))
    assert to_link(request)["seed"] == [ID, "t:a"]


def test_repeats_count_once_and_too_many_seeds_are_cut_and_told():
    request, problems = read({"seed": [f"t:{i}" for i in range(MOST_SEEDS + 5)] + ["t:0"]})
    assert len(request.seeds) == MOST_SEEDS
    assert len(problems) == 1


def test_only_real_spotify_tracks_have_an_id():
    assert spotify_id(f"spotify:track:{ID}") == ID
    assert spotify_id("spotify:track:short") is None
    assert spotify_id(f"spotify:track:{ID}\n") is None
    assert spotify_id(f"segue:track:{ID}") is None
