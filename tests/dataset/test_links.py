import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.dataset.links import (
    Link,
    links_in,
    names_spotify,
    spotify_link,
    track_id,
    unreadable,
)
from core.errors import SegueError

ID, OTHER = "4iJyoBOLtHqaGxP12qzhQI", "2Fxmhks0bxGSBdJ92vM42m"
ids = st.text(string.ascii_letters + string.digits, min_size=22, max_size=22)
kinds = st.sampled_from(["track", "album", "artist", "playlist"])


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (f"https://open.spotify.com/playlist/{ID}", "playlist"),
        (f"http://open.spotify.com/album/{ID}/", "album"),
        (f"open.spotify.com/artist/{ID}", "artist"),
        (f"  https://open.spotify.com/track/{ID}?si=0123456789abcdef&nd=1\n", "track"),
        (f"https://open.spotify.com/track/{ID}#1:30", "track"),
        (f"https://open.spotify.com/intl-de/album/{ID}?highlight=spotify:track:{OTHER}", "album"),
        (f"https://open.spotify.com/intl-pt-br/track/{ID}", "track"),
        (f"https://open.spotify.com/embed/playlist/{ID}?utm_source=generator", "playlist"),
        (f"https://open.spotify.com/user/some.body%20else/playlist/{ID}", "playlist"),
        (f"HTTPS://Open.Spotify.com/track/{ID}", "track"),
        (f"spotify:playlist:{ID}", "playlist"),
        (f"spotify:user:some.body:playlist:{ID}", "playlist"),
    ],
)
def test_links_as_people_copy_them(text, kind):
    assert spotify_link(text) == Link(kind, ID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ID,
        f"https://open.spotify.com.evil.org/track/{ID}",
        f"https://evil.org/open.spotify.com/track/{ID}",
        f"https://evil.org/?u=https://open.spotify.com/track/{ID}",
        f"https://open.spotify.com@evil.org/track/{ID}",
        f"https://open.spotify.com:pass@evil.org/track/{ID}",
        f"https://user@open.spotify.com/track/{ID}",
        f"https://evil-open.spotify.com/track/{ID}",
        f"https://openXspotify.com/track/{ID}",
        f"https://open.spotify.com\\@evil.org/track/{ID}",
        f"javascript:alert(1)//open.spotify.com/track/{ID}",
        f"https://open.\N{LATIN SMALL LETTER LONG S}potify.com/track/{ID}",
        f"https://open.spotify.com/track/{ID[:-1]}\N{KELVIN SIGN}",
        f"https://open.spotify.com/track/{ID[:-1]}",
        f"https://open.spotify.com/track/{ID}0",
        f"https://open.spotify.com/track/{ID}/../../me",
        f"https://open.spotify.com/track/{ID}?x y",
        f"https://open.spotify.com/show/{ID}",
        f"https://open.spotify.com/user/{ID}",
        f"https://open.spotify.com/user/somebody/track/{ID}",
        f"spotify:episode:{ID}",
        f"spotify:user:somebody:album:{ID}",
        f"spotify:track:{ID} and more",
        f"spotify:track:{ID}\nspotify:track:{OTHER}",
        f"xspotify:track:{ID}",
        "https://spotify.link/AbCdEfGhIj",
    ],
)
def test_whatever_is_not_exactly_one_link_is_none(text):
    assert spotify_link(text) is None


@given(kinds, ids, st.sampled_from(["", "?si=x", "/", "#t"]))
def test_a_link_is_read_from_its_own_uri_and_address(kind, id_, rest):
    link = Link(kind, id_)
    assert spotify_link(link.uri) == spotify_link(link.address + rest) == link


@given(st.text(max_size=60) | st.text("spotify:trackopen./?#@0aK", max_size=60))
@example(f"spotify:track:{ID}")
def test_any_text_is_a_link_to_exactly_what_it_names_or_none(text):
    link = spotify_link(text)
    if link is not None:
        assert link.id in text
        assert link.kind in text.lower()
        assert links_in(text)[0] == link


@given(st.lists(st.builds(Link, kinds, ids), max_size=5), st.sampled_from([" ", ", ", "\n", ") ("]))
def test_every_link_of_a_text_is_found_in_order(links, between):
    assert links_in(between.join(link.address for link in links)) == links
    assert links_in(between.join(link.uri for link in links)) == links


@pytest.mark.parametrize("before", ["evil.org/", "me@", "evil-", "x."])
def test_no_link_is_found_within_another_word(before):
    assert links_in(f"hear {before}open.spotify.com/track/{ID}") == []
    assert links_in(f"hear {before} open.spotify.com/track/{ID}") == [Link("track", ID)]
    assert links_in(f"link:https://open.spotify.com/track/{ID}") == [Link("track", ID)]


@pytest.mark.parametrize(
    "wrong", ["", ID[1:], f"{ID}0", f"{ID}\n", f"{ID[:-1]}/", f"{ID[:-1]}\N{KELVIN SIGN}"]
)
def test_no_link_is_made_of_an_id_that_is_none(wrong):
    with pytest.raises(SegueError, match="22 letters and digits"):
        Link("track", wrong)


def test_no_link_is_made_of_another_kind():
    with pytest.raises(SegueError, match="'show'"):
        Link("show", ID)


def test_only_a_real_track_s_uri_has_an_id():
    assert track_id(f"spotify:track:{ID}") == ID
    for other in (ID, f"segue:track:{ID}", f"spotify:album:{ID}", f"spotify:track:{ID}\n"):
        assert track_id(other) is None


@pytest.mark.parametrize("text", ["https://spotify.link/x", "spotify:show:1", "play.spotify.com/a"])
def test_links_that_cannot_be_read_are_told_from_other_text(text):
    assert names_spotify(f"my song: {text}")
    assert not names_spotify("Spotify - Song about spotify.company")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"https://open.spotify.com/show/{ID}", "to a podcast;"),
        (f"spotify:episode:{ID}", "to a podcast episode;"),
        ("spotify:user:somebody", "to a profile;"),
        ("https://open.spotify.com/", "to something else on Spotify;"),
        ("https://spotify.link/aBcDeF", "short link"),
        ("https://open.spotify.com/playlist/", "its id is missing"),
        (f"spotify:user:somebody:playlist:{ID[:-1]}", f"“{ID[:-1]}” is no id"),
        (f"https://open.spotify.com/track/{ID}0", f"“{ID}0” is no id"),
        (f"https://play.spotify.com/track/{ID}", f"paste https://open.spotify.com/track/{ID} "),
        (f"https://open.spotify.com.evil.org/track/{ID}", "to open.spotify.com.evil.org, not"),
        (f"https://open.spotify.com@evil.org/track/{ID}", "to evil.org, not"),
        ("https://youtu.be/abc", "to youtu.be, not"),
        ("http://[", "to nowhere, not"),
    ],
)
def test_an_address_that_cannot_be_read_is_one_sentence(text, said):
    assert said in (unreadable(text) or "")


@pytest.mark.parametrize("text", ["", ID, "spotify", f"song https://open.spotify.com/show/{ID}"])
def test_texts_that_are_no_address_are_not_complained_of(text):
    assert unreadable(text) is None


@given(
    st.builds(
        str.__add__,
        st.sampled_from(["spotify:", "https://", "open.spotify.com/", "https://spotify.link/", ""]),
        st.text(),
    )
)
@example(f"https://open.spotify.com/track/{ID}")
def test_no_text_is_both_readable_and_not(text):
    assert spotify_link(text) is None or unreadable(text) is None
