"""Speed of the text search against a plain `LIKE` scan of the same names, in the same run."""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from core.dataset.search import SearchIndex, build_index
from core.progress import SILENT, Progress

_COMMON = (
    "the you i me love my of in to a feat it and on your no for be is we live night baby time all "
    "remix heart girl like world day go way know life one home up down blue rain dance dream fire"
)
_ONSETS = "b c d f g h j k l m n p r s t v w y z br ch cl dr fl gr pl sh st th tr"
_VOWELS = "a a a a a e e e e e i i i i i o o o o o u u u u u ai ea ie oo ou é"
_DRAWN_WORDS = 500_000  # most of them distinct
_MARKS = ("", "", "", "", "", "", " - Live", " (feat. {})", " - Remastered 2011", " (Remix)")
_FLAT_HEAD = 200  # artists
_SHARES = {"full": 0.3, "prefix": 0.25, "typo": 0.25, "common": 0.15, "none": 0.05}
_LIMIT = 50


class _Question(NamedTuple):
    kind: str
    text: str
    target: int  # the track meant; -1 where none is


def search_benchmark(
    n_tracks: int = 2_000_000, queries: int = 400, seed: int = 0, progress: Progress = SILENT
) -> dict[str, float]:
    """Measure the search over simulated names, and a scan of the same names for comparison.

    Words follow Zipf's law, the most frequent being English; an artist's number of tracks falls as
    one over the rank. The questions are the words of a title and its artist, the same cut off while
    typing, the same with a typo in the longest word, very common words, and a word that is nowhere.
    The tracks asked for are spread evenly over the magnitudes of popularity. The scan looks for
    every word of the question as a part of the lower-cased names in DuckDB. Either side answers
    each question once.

    Parameters
    ----------
    n_tracks : int
    queries : int
        Number of questions.
    seed : int
        Same seed, same names and questions.

    Returns
    -------
    dict
        n_tracks; build_seconds; index_bytes; p50_ms, p95_ms, max_ms of the search; like_p50_ms,
        like_p95_ms of the scan; ratio_p95, the scan's over the search's; found_with_typo,
        like_found_with_typo: the share of the questions with a typo that found their track.
    """
    random = np.random.default_rng(seed)
    progress.update("simulating names", None)
    titles, artists, artist_names = _names(n_tracks, random)
    questions = _questions(titles, artists, queries, random)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "search"
        start = time.perf_counter()
        build_index(
            folder, titles=titles, artists=artists, artist_names=artist_names, progress=progress
        )
        build_seconds = time.perf_counter() - start
        index_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        index = SearchIndex(folder)
        ms, found = _ask(index.tracks, questions, progress, "searching")
    like_ms, like_found = _ask(_like_scan(titles, artists), questions, progress, "scanning")
    p95, like_p95 = np.percentile(ms, 95), np.percentile(like_ms, 95)
    return {
        "n_tracks": n_tracks,
        "build_seconds": build_seconds,
        "index_bytes": index_bytes,
        "p50_ms": float(np.median(ms)),
        "p95_ms": float(p95),
        "max_ms": float(ms.max()),
        "like_p50_ms": float(np.median(like_ms)),
        "like_p95_ms": float(like_p95),
        "ratio_p95": float(like_p95 / p95),
        "found_with_typo": found,
        "like_found_with_typo": like_found,
    }


def _names(n_tracks: int, random: np.random.Generator) -> tuple[pa.Array, pa.Array, pa.Array]:
    """Titles and artists of the tracks, and the artists, most popular first."""
    words = np.array(_COMMON.split() + _invented_words(random))
    share = np.cumsum(1.0 / np.arange(2, len(words) + 2))

    def texts(n: int, longest: int) -> list[str]:
        lengths = random.integers(1, longest, n, endpoint=True)
        drawn = words[np.searchsorted(share, random.random(lengths.sum()) * share[-1])]
        ends = np.cumsum(lengths)
        return [
            " ".join(drawn[end - length : end])
            for end, length in zip(ends.tolist(), lengths.tolist(), strict=True)
        ]

    artist_names = pa.array(texts(max(n_tracks // 8, 1), 3))
    # Artists' numbers of tracks fall as one over the rank, but for the first hundreds.
    spread = np.log1p(len(artist_names) / _FLAT_HEAD)
    rank = (_FLAT_HEAD * np.expm1(random.random(n_tracks) * spread)).astype(np.int64)
    guests = artist_names.take(pa.array(rank[::-1])).to_pylist()
    marks = random.integers(0, len(_MARKS), n_tracks).tolist()
    titles = [
        title + _MARKS[mark].format(guest)
        for title, mark, guest in zip(texts(n_tracks, 5), marks, guests, strict=True)
    ]
    return pa.array(titles), artist_names.take(pa.array(rank)), artist_names


def _invented_words(random: np.random.Generator) -> list[str]:
    onsets, vowels = np.array(_ONSETS.split()), np.array(_VOWELS.split())
    syllables = np.char.add(onsets[:, None], vowels[None, :]).ravel()
    drawn = syllables[random.integers(0, len(syllables), (_DRAWN_WORDS, 4))].tolist()
    lengths = random.integers(1, 4, _DRAWN_WORDS, endpoint=True).tolist()
    words = ("".join(row[:length]) for row, length in zip(drawn, lengths, strict=True))
    return list(dict.fromkeys(words))


def _questions(
    titles: pa.Array, artists: pa.Array, n: int, random: np.random.Generator
) -> list[_Question]:
    kinds = random.choice(list(_SHARES), n, p=list(_SHARES.values())).tolist()
    # Half of the questions are about the most popular thousandth.
    rank = np.exp(random.random(n) * np.log(len(titles))).astype(np.int64)
    return [
        _question(kind, titles, artists, int(target), random)
        for kind, target in zip(kinds, rank - 1, strict=True)
    ]


def _question(
    kind: str, titles: pa.Array, artists: pa.Array, target: int, random: np.random.Generator
) -> _Question:
    title, artist = titles[target].as_py().lower(), artists[target].as_py()
    if kind == "common":
        return _Question(kind, " ".join(random.choice(_COMMON.split(), random.integers(1, 4))), -1)
    if kind == "none":
        return _Question(kind, f"qx{random.integers(10**6)}zq {artist}", -1)
    words = (f"{title} {artist}" if random.random() < 0.5 else f"{artist} {title}").split()
    words = [word for word in words if word.isalnum()]
    if kind == "prefix":
        kept = int(random.integers(1, len(words), endpoint=True))
        words = [*words[: kept - 1], words[kept - 1][: int(random.integers(1, 5))]]
    if kind == "typo":
        place = max(range(len(words)), key=lambda i: len(words[i]))
        words[place] = _with_typo(words[place], random)
    return _Question(kind, " ".join(words), target)


def _with_typo(word: str, random: np.random.Generator) -> str:
    """One letter dropped, doubled, replaced, or swapped with the next."""
    i = int(random.integers(0, max(len(word) - 1, 1)))
    head, letter, rest = word[:i], word[i], word[i + 1 :]
    return str(
        random.choice(
            [
                head + rest,
                head + 2 * letter + rest,
                head + "x" + rest,
                head + rest[:1] + letter + rest[1:],
            ]
        )
    )


def _ask(
    search: Callable[[str, int], list[int]],
    questions: list[_Question],
    progress: Progress,
    label: str,
) -> tuple[np.ndarray, float]:
    """Milliseconds of each question, and the share of those with a typo that found their track."""
    search(questions[0].text, _LIMIT)
    ms, found = [], []
    for question in progress.track(questions, label):
        start = time.perf_counter()
        ids = search(question.text, _LIMIT)
        ms.append((time.perf_counter() - start) * 1000)
        if question.kind == "typo":
            found.append(question.target in ids)
    return np.array(ms), float(np.mean(found)) if found else float("nan")


def _like_scan(titles: pa.Array, artists: pa.Array) -> Callable[[str, int], list[int]]:
    connection = duckdb.connect()
    names = pa.table({"title": titles, "artist": artists})
    connection.register("names", names)
    connection.execute(
        "CREATE TABLE scanned AS SELECT row_number() OVER () - 1 AS id, "
        "lower(concat(title, ' ', artist)) AS name FROM names"
    )

    def search(query: str, limit: int) -> list[int]:
        words = query.lower().split()
        every = " AND ".join(["name LIKE ?"] * len(words))
        rows = connection.execute(
            f"SELECT id FROM scanned WHERE {every} ORDER BY id LIMIT {limit}",
            [f"%{word}%" for word in words],
        )
        return [number for (number,) in rows.fetchall()]

    return search
