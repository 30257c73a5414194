"""Links: what a request says comes back, and what is wrong in a link is named."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.evaluation.dials import SETTINGS
from core.ordering import Dials
from core.spotify.seeds import MOST_SEEDS
from pages.common.request import (
    ADVENTURE,
    LONGEST,
    PER_ARTIST,
    POPULARITY,
    SHORTEST,
    VARIETY,
    Request,
    from_link,
    to_link,
)

ID = "0RhGFlknkTRsaTHfQzNEWW"
uris = some.lists(some.text(min_size=1, max_size=40), unique=True, max_size=5).map(tuple)
year = some.integers(0, 9999)
years = some.one_of(
    some.none(),
    some.tuples(year, some.none()),
    some.tuples(some.none(), year),
    some.tuples(year, year).map(lambda pair: tuple(sorted(pair))),
)
shares = some.one_of(
    some.just(()),
    some.lists(some.integers(0, 100), min_size=2, max_size=4).filter(any).map(tuple),
)


@some.composite
def requests(draw):
    asked = draw(
        some.builds(
            Request,
            dataset=some.text(max_size=10),
            model=some.sampled_from(["fusion", "titles"]),
            k=some.integers(SHORTEST, LONGEST),
            adventure=some.sampled_from(ADVENTURE),
            popularity=some.sampled_from(POPULARITY),
            variety=some.sampled_from(VARIETY),
            per_artist=some.sampled_from(PER_ARTIST),
            one_version=some.booleans(),
            smooth=some.booleans(),
            explicit=some.booleans(),
            years=years,
            blocked=uris,
            title=some.text(max_size=40),
            seeds=uris,
            likes=uris,
            dislikes=uris,
            shares=shares,
        )
    )
    muted = draw(
        some.lists(some.sampled_from(asked.seeds), unique=True) if asked.seeds else some.just([])
    )
    return replace(asked, muted=tuple(muted))


def read(link):
    """A link as the browser hands it over: every word with its list of texts."""
    return from_link({word: [v] if isinstance(v, str) else v for word, v in link.items()})


@given(requests())
def test_a_link_says_the_whole_request(request):
    assert read(to_link(request)) == (request, [])


def test_a_default_request_needs_no_words():
    assert to_link(Request()) == {}
    assert read({}) == (Request(), [])
    assert Request().dials() == Dials()


@pytest.mark.parametrize(
    ("word", "text"),
    [("k", "abc"), ("k", "0"), ("k", "1e9"), ("artist", "-1"), ("artist", "5"),
     ("popularity", "nan"), ("popularity", "0.25"), ("adventure", "2"), ("variety", "0.3"),
     ("versions", "some"), ("smooth", "1"), ("explicit", "yes"), ("years", "-"), ("years", "1990"),
     ("years", "2001-1999"), ("years", "٢٠٠٠-"), ("moods", "60"), ("moods", "0,0"),
     ("moods", "50,-50"), ("moods", "1,1,1,1,1"), ("moods", "")],
)  # fmt: skip
def test_a_word_that_is_no_choice_is_named_and_left_out(word, text):
    request, problems = read({word: text})
    assert request == Request()
    assert problems == [f"The link says {word}={text}, which is no choice here."]


def test_foreign_words_are_ignored():
    assert read({"utm_source": "x", "embed": "true"}) == (Request(), [])


def test_spotify_tracks_are_short_in_links():
    request = Request(seeds=(f"spotify:track:{ID}", "t:a"), likes=(f"spotify:track:{ID}",))
    assert to_link(request)["seed"] == [ID, "t:a"]
    assert to_link(request)["like"] == [ID]


@pytest.mark.parametrize("word", ["seed", "like", "not", "block"])
def test_repeats_count_once_and_too_many_are_cut_and_told(word):
    request, problems = read({word: [f"t:{i}" for i in range(MOST_SEEDS + 5)] + ["t:0"]})
    assert sum(map(len, (request.seeds, request.likes, request.dislikes, request.blocked))) == (
        MOST_SEEDS
    )
    assert len(problems) == 1


def test_muted_tracks_are_of_the_playlist():
    request, problems = read({"seed": ["t:a", "t:b"], "mute": ["t:b", "t:x"]})
    assert request.muted == ("t:b",)
    assert request.heard == ("t:a",)
    assert problems == ["The link mutes t:x, which is not in its playlist."]


def test_only_measured_settings_are_offered():
    for field, values in (
        ("adventure", ADVENTURE), ("popularity", POPULARITY), ("variety", VARIETY),
    ):  # fmt: skip
        measured = {value for dial, value in SETTINGS if dial == field}
        assert set(values) == measured | {getattr(Request, field)}
    assert set(PER_ARTIST) == {value for dial, value in SETTINGS if dial == "per_artist"} | {0}
