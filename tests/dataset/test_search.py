import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from core.bench.search import search_benchmark
from core.dataset import search
from core.dataset.search import WHOLE, SearchIndex, analyse, build_index
from core.errors import SegueError

Track = tuple[str | None, str | None, str | None]  # title, artist, album

# Most popular first.
TRACKS: list[Track] = [
    ("Blinding Lights", "The Weeknd", "After Hours"),
    ("Hello", "Adele", "25"),
    ("Crazy in Love", "Beyoncé", "Dangerously in Love"),
    ("Halo", "Beyoncé", "I Am... Sasha Fierce"),
    ("Lovely Day", "Bill Withers", "Menagerie"),
    ("Love", "Lana Del Rey", "Lust for Life"),
    ("Love Yourself", "Justin Bieber", "Purpose"),
    ("Bohemian Rhapsody - Remastered 2011", "Queen", "A Night at the Opera"),
    ("Bohemian Rhapsody in Blue", "The Rhapsodists", None),
    ("So What", "P!nk", "Funhouse"),
    ("Back In Black", "AC/DC", "Back In Black"),
    ("Don’t Stop", "Fleetwood Mac", "Rumours"),
    ("Losing My Religion", "R.E.M.", "Out of Time"),
    ("Final Song", "MØ", None),
    ("Straße", "Łona", None),
    ("Группа крови", "Кино", "Группа крови"),
    ("打上花火", "米津玄師", "BOOTLEG"),
    ("좋은 날", "아이유", "Real"),
    ("أغنية فيروز", "فيروز", None),
    ("ฝนตกไหม", "Three Man Down", None),
    ("Must Be the Moon", "!!!", "Myth Takes"),
    ("I 💜 Purple", "Somebody", None),
    ("Mrs. Robinson", "Simon & Garfunkel", "Bookends"),
    ("Dog Days Are Over", "Florence + The Machine", "Lungs"),
    (None, "Untitled Artist", None),
    ("Nobody's Song", None, None),
    (None, None, None),
    ("Halloween", "Misfits", None),
    ("Hallo", "Adel Tawil", None),
    ("Metallica", "Metallica Tribute Band", "Covers"),
    ("Enter Sandman", "Metallica", "Metallica"),
]
ARTISTS = ["The Weeknd", "Adele", "Beyoncé", "Queen Latifah", "Queen", None, "Kino", "Кино"]


def build(folder: Path, tracks: Sequence[Track]) -> SearchIndex:
    titles, artists, albums = zip(*tracks, strict=True)
    build_index(folder, titles=titles, artists=artists, albums=albums, artist_names=ARTISTS)
    return SearchIndex(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset") / "search"
    build(folder, TRACKS)
    return folder


@pytest.fixture(scope="module")
def index(folder: Path) -> SearchIndex:
    return SearchIndex(folder)


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("beyonce halo", "Halo"),
        ("HALO – Beyoncé", "Halo"),
        ("beyonce hal", "Halo"),
        ("sasha fierce halo", "Halo"),
        ("dont stop", "Don’t Stop"),
        ("don't stop", "Don’t Stop"),
        ("pink so what", "So What"),
        ("p!nk so what", "So What"),
        ("acdc", "Back In Black"),
        ("ac/dc", "Back In Black"),
        ("rem religion", "Losing My Religion"),
        ("mo final song", "Final Song"),
        ("strasse lona", "Straße"),
        ("кино группа", "Группа крови"),
        ("ГРУППА КРОВИ", "Группа крови"),
        ("上花", "打上花火"),
        ("花火 津玄", "打上花火"),
        ("師", "打上花火"),
        ("좋은날", "좋은 날"),
        ("이유 좋", "좋은 날"),
        ("فيروز", "أغنية فيروز"),
        ("اغنيه", "أغنية فيروز"),
        ("ตกไห", "ฝนตกไหม"),
        ("!!!", "Must Be the Moon"),
        ("💜", "I 💜 Purple"),
        ("i 💜 purple", "I 💜 Purple"),
        ("simon and garfunkel", "Mrs. Robinson"),
        ("simon & garfunkel", "Mrs. Robinson"),
        ("florence the machine", "Dog Days Are Over"),
        ("florence and the machine", "Dog Days Are Over"),
        ("ｂｏｈｅｍｉａｎ queen", "Bohemian Rhapsody - Remastered 2011"),
        ("nobodys song", "Nobody's Song"),
        ("+beyonce -halo", "Halo"),
        ('"halo" (beyonce)', "Halo"),
        ("halo\x00\n beyonce*", "Halo"),
    ],
)
def test_finds_a_track_however_it_is_spelt(index: SearchIndex, query: str, title: str) -> None:
    first, *_ = index.tracks(query)
    assert TRACKS[first][0] == title


@pytest.mark.parametrize(
    ("query", "title"),
    [
        ("beyonse halo", "Halo"),  # replaced
        ("beynoce halo", "Halo"),  # swapped
        ("beyonc halo", "Halo"),  # missing, not last
        ("beyoncee halo", "Halo"),  # doubled
        ("beyonse hal", "Halo"),  # and still typing
        ("beyonse hallo", "Halo"),  # in both words
        ("bohamien rapsody queen", "Bohemian Rhapsody - Remastered 2011"),
        ("metalica sandmann", "Enter Sandman"),
        ("weekend blinding", "Blinding Lights"),
        ("група крови", "Группа крови"),
    ],
)
def test_forgives_typos(index: SearchIndex, query: str, title: str) -> None:
    first, *_ = index.tracks(query)
    assert TRACKS[first][0] == title


@pytest.mark.parametrize(
    "query", ["", "   ", "?!… —", "(", "\u200b", "\ud800", "zzzzqqqq", "halo zzzzqqqq", "2525"]
)
def test_finds_nothing_where_nothing_matches(index: SearchIndex, query: str) -> None:
    assert index.tracks(query) == []
    assert index.artists(query) == []


def test_exact_words_come_before_beginnings_and_those_before_typos(index: SearchIndex) -> None:
    def titles(query: str, limit: int) -> list[str | None]:
        return [TRACKS[id_][0] for id_ in index.tracks(query, limit)]

    # "Lovely Day" is more popular than "Love", which as a whole title passes "Crazy in Love".
    assert titles("love", 4) == ["Love", "Crazy in Love", "Love Yourself", "Lovely Day"]
    # "Hello" is more popular than either, but has a typo.
    assert titles("hallo", 2) == ["Hallo", "Halloween"]
    assert set(titles("hallo", 4)) == {"Hallo", "Halloween", "Hello", "Halo"}


def test_a_version_mark_does_not_make_a_title_less_whole(tmp_path: Path) -> None:
    tracks = [
        ("Heroes and Villains", "The Beach Boys", None),
        ("Heroes - 2017 Remaster", "David Bowie", None),
    ]
    assert build(tmp_path / "search", tracks).tracks("heroes") == [1, 0]


def test_words_of_the_album_count_after_those_of_title_and_artist(
    index: SearchIndex, tmp_path: Path
) -> None:
    assert [TRACKS[id_][0] for id_ in index.tracks("adele 25")] == ["Hello"]
    # "Lust for Life" is only the album of the first, which is more popular.
    tracks = [("Love", "Lana Del Rey", "Lust for Life"), ("Lust for Life", "Iggy Pop", None)]
    assert build(tmp_path / "search", tracks).tracks("lust for life") == [1, 0]


def test_artists_are_found_alone(index: SearchIndex) -> None:
    assert index.artists("queen") == [4, 3]  # the whole name first, though less popular
    assert index.artists("beyonse") == [2]
    assert index.artists("кино") == [7]
    assert index.artists("halo") == []


def test_limit_is_kept_and_cuts_the_same_list(index: SearchIndex) -> None:
    everything = index.tracks("love")
    for limit in range(len(everything) + 2):
        assert index.tracks("love", limit) == everything[:limit]


def test_ten_thousand_characters_are_a_query_like_another(index: SearchIndex) -> None:
    assert index.tracks("halo " * 2_000) == index.tracks("halo")
    assert index.tracks("h" * 10_000) == []
    assert index.tracks("上" * 10_000) == []


@given(st.text(max_size=40))
@example("a AND b OR title:(x)^2~1 \\ [* TO *] /.*/")
def test_no_query_is_an_error(index: SearchIndex, query: str) -> None:
    found = index.tracks(query, 5)
    assert len(found) <= 5
    assert len(set(found)) == len(found)
    assert all(0 <= id_ < len(TRACKS) for id_ in found)


@given(st.text(max_size=60))
def test_words_are_distinct_and_the_words_of_words_are_themselves(text: str) -> None:
    words, extras = analyse(text)
    assert len(set(words)) == len(words)
    assert not set(words) & set(extras)
    assert not any(char.isspace() for word in (*words, *extras) for char in word)
    assert analyse(" ".join(words)).words == words


VOCABULARY = ["love", "lovely", "night", "nights", "day", "the", "rain", "of", "blue", "sky"]


@pytest.mark.parametrize("head", [1 << 16, 40])
def test_ranks_as_defined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: int) -> None:
    monkeypatch.setattr(search, "_HEAD", head)
    random = np.random.default_rng(1)

    def words(longest: int) -> str:
        return " ".join(random.choice(VOCABULARY, random.integers(1, longest, endpoint=True)))

    tracks: list[Track] = [(words(4), words(2), None) for _ in range(400)]
    index = build(tmp_path / "search", tracks)

    def expected(query: set[str]) -> list[int]:
        places = {}
        for number, (title, artist, _) in enumerate(tracks):
            of_title, of_artist = set((title or "").split()), set((artist or "").split())
            if query <= of_title | of_artist:
                whole = query in (of_title, of_artist, of_title | of_artist)
                places[number] = (number + 1) / (WHOLE if whole else 1)
        return sorted(places, key=places.__getitem__)

    for query in [*VOCABULARY, *(words(3) for _ in range(30))]:
        exact = expected(set(query.split()))
        for limit in (1, 5, 50):
            assert index.tracks(query, limit)[: len(exact)] == exact[:limit]


def test_every_track_is_found_by_its_name_in_any_order_unfinished_or_misspelt(
    tmp_path: Path,
) -> None:
    random = np.random.default_rng(2)
    letters = list("abcdefghijklmnoprstuvz")

    def word() -> str:
        return "".join(random.choice(letters, random.integers(5, 10)))

    tracks: list[Track] = [(f"{word()} {word()}", word(), None) for _ in range(150)]
    index = build(tmp_path / "search", tracks)
    for number, (title, artist, _) in enumerate(tracks):
        words = f"{title} {artist}".split()
        random.shuffle(words)
        assert index.tracks(" ".join(words), 1) == [number]
        assert number in index.tracks(" ".join([*words[:-1], words[-1][:3]]), 10)
        place = random.integers(len(words[0]) - 1)
        swapped = words[0][:place] + words[0][place : place + 2][::-1] + words[0][place + 2 :]
        assert number in index.tracks(" ".join([swapped, *words[1:]]), 10)


def test_takes_arrow_columns_of_any_kind(tmp_path: Path) -> None:
    titles = pa.chunked_array([["Halo", None], ["Hello"]])
    artists = pa.array(["Beyoncé", "Beyoncé", "Adele"]).dictionary_encode()
    build_index(tmp_path / "search", titles=titles, artists=artists, artist_names=["Beyoncé"])
    index = SearchIndex(tmp_path / "search")
    assert index.tracks("beyonce") == [0, 1]
    assert index.tracks("hello adele") == [2]


def test_an_empty_dataset_has_an_index(tmp_path: Path) -> None:
    build_index(tmp_path / "search", titles=[], artists=[], artist_names=[])
    assert SearchIndex(tmp_path / "search").tracks("halo") == []


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="differ in length"):
        build_index(tmp_path / "search", titles=["a"], artists=[], artist_names=[])


def test_a_missing_or_damaged_index_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SegueError, match="import the dataset again"):
        SearchIndex(tmp_path / "nowhere")
    build(tmp_path / "search", TRACKS)
    for file in (tmp_path / "search" / "tracks" / "names").glob("*.term"):
        file.write_bytes(file.read_bytes()[:10])
    with pytest.raises(SegueError, match="import the dataset again"):
        SearchIndex(tmp_path / "search")


def test_an_index_that_may_only_be_read_is_searched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(search.os, "access", lambda *_: False)
    assert SearchIndex(folder).tracks("beyonce halo")
    assert sorted(folder.rglob("*")) == before


def test_a_lock_of_another_user_is_no_hindrance(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    for index in copy.glob("*/*"):
        (index / ".tantivy-meta.lock").unlink(missing_ok=True)
        (index / ".tantivy-meta.lock").mkdir()  # nobody can write that
    monkeypatch.setattr(search.os, "access", lambda *_: False)
    assert SearchIndex(copy).tracks("beyonce halo")


def test_importing_the_search_does_not_import_tantivy() -> None:
    code = "import core.dataset.search, sys; sys.exit('tantivy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_benchmark_compares_both_sides_on_the_same_questions() -> None:
    figures = search_benchmark(n_tracks=3_000, queries=40)
    assert figures["n_tracks"] == 3_000
    assert figures["found_with_typo"] > 0.9 > figures["like_found_with_typo"]
    assert figures["ratio_p95"] == pytest.approx(figures["like_p95_ms"] / figures["p95_ms"])
