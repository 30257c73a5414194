"""Text search over the tracks and artists of a dataset.

`analyse` cuts names and queries into words, more forgivingly than `core.dataset.text` compares
names: a person types what a file spells out. A query is never parsed, so no character in it is
syntax. An answer is filled tier by tier, each asked only where those before it leave room:

1. every word of the query is a word of the title or the artist;
2. the last word may be only the beginning of one, as while typing;
3. words may also come from the album;
4. one word may have a typo: a letter wrong, missing or added, or two swapped;
5. the same where the last word is unfinished;
6. every word may have a typo, and long words two.

Typos are for queries that find next to nothing. Within a tier the most popular comes first, where
matching a whole title, a whole artist's name or exactly both counts as being `WHOLE` times as
popular. Popularity is read off the ids, as Zipf's law has it: proportional to 1 / (id + 1).

Of tracks and of artists there are two memory-mapped tantivy indices each. `words` holds the
distinct words by falling frequency: it proposes corrections. `names` holds the names by id:
`title`, `artist`, `album`, and `name` for title and artist together are the words of a name,
`…_starts` their beginnings, and `marks` its sizes ("t2": two words in the title; "a": artist, "b":
both) and whether its id is among the first.
"""

import os
import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from core.dataset.text import song_title
from core.errors import SegueError
from core.progress import SILENT, Progress
from core.workspace import recover

if TYPE_CHECKING:
    from tantivy import DocAddress, Query, Searcher

WHOLE = 30
"""How many times as popular a track counts whose whole title or artist the query is."""

FEW = 10
"""Typos are tried where a query of n words found fewer matches than the n-th part of this."""

_MAX_QUERY = 200  # characters
_MAX_QUERY_WORDS = 12
_MAX_WORD = 40  # characters; longer words match by their beginning
_TYPO_FROM, _TWO_TYPOS_FROM = 3, 8  # characters
_UNFINISHED_TYPO_FROM = 4  # characters; shorter beginnings with a typo match nearly anything
_CORRECTIONS = 20  # words
_ABUNDANT = 2  # words; queries up to here may match a large part of all names

# --- words ---

# Scripts written without spaces, or, as Korean, spaced at the writer's discretion.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3005-\u3007\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff"  # kana
    "\u3400-\u9fff\U00020000-\U0003ffff\uac00-\ud7a3"  # Han, Hangul
)
# Indic vowel signs are no word characters to `re`.
_PART = re.compile(rf"[{_UNSPACED}]+|(?:[^\W_{_UNSPACED}]|[\u0780-\u07b1\u0900-\u0dff])+")
_UNSPACED_RUN = re.compile(rf"[{_UNSPACED}]+")
# Emoji, arrows, mathematical and decorative signs; not skin tones.
_SYMBOL = re.compile("[×÷\u2190-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff]")
_PLAIN = re.compile("[a-z0-9 ]*")
_STYLED_I = re.compile(r"(?<=\w)!(?=\w)")
_APOSTROPHES = str.maketrans(dict.fromkeys("’‘ʼ`´′", "'"))
# What Unicode does not take apart: letters with a stroke, and Arabic letters typed for one another.
_FOLDED = str.maketrans(
    {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ŋ": "n"}
    | {"þ": "th", "ŧ": "t", "ى": "ي", "ی": "ي", "ک": "ك", "ة": "ه", "ـ": ""}
)
_KEPT_MARKS = (0, 7, 8, 9)  # combining classes: vowel signs, nukta, kana voicing, virama
_END = "_"


class Words(NamedTuple):
    """A name in words.

    Attributes
    ----------
    words : tuple of str
        The distinct words that a query of this text must find.
    extras : tuple of str
        Other words by which a name of this text is found.
    """

    words: tuple[str, ...]
    extras: tuple[str, ...] = ()


@lru_cache(maxsize=1 << 8)
def analyse(text: str) -> Words:
    """Cut a name or a query into words.

    Case, accents and apostrophes are dropped and ligatures taken apart. Other punctuation separates
    words; the compound is an extra, with "$" read as s and "!" within a word as i, so "Jay-Z",
    "A$AP" and "P!nk" are found as "jayz", "asap" and "pink". Scripts written without spaces become
    pairs of neighbouring characters. Symbols count only in texts without letters or digits, and
    punctuation only in texts of nothing else, such as the band "!!!".
    """
    lower = text.lower()
    if _PLAIN.fullmatch(lower):
        return Words(tuple(dict.fromkeys(word[:_MAX_WORD] for word in lower.split())))
    chunks = [_analyse_chunk(chunk) for chunk in text.split()]
    words = dict.fromkeys(word for chunk in chunks for word in chunk.words)
    extras = [extra for chunk in chunks for extra in chunk.extras]
    extras += [
        one.last + two.first for one, two in pairwise(chunks) if one.last and two.first
    ]  # pairs across a space
    if not words:
        rest = "".join(_fold(text).split())[:_MAX_WORD]
        words = dict.fromkeys(extras or [rest] * bool(rest))
    return Words(tuple(words), tuple(extra for extra in extras if extra not in words))


class _Chunk(NamedTuple):
    """What is between two spaces; its first and last character where that is of unspaced script."""

    words: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    first: str = ""
    last: str = ""


@lru_cache(maxsize=1 << 14)  # a larger one costs more in garbage collection than it saves
def _analyse_chunk(chunk: str) -> _Chunk:
    folded = _fold(chunk)
    parts = _PART.findall(folded.replace("'", ""))
    words: list[str] = []
    extras = _spellings(folded, parts) + _SYMBOL.findall(folded)
    for part in parts:
        if not _UNSPACED_RUN.match(part):
            words.append(part[:_MAX_WORD])
        else:
            words += [part[i : i + 2] for i in range(len(part) - 1)] or [part]
            extras.append(part[-1] + _END)  # for its beginning, the query of one character
    first, last = (char if _UNSPACED_RUN.match(char) else "" for char in (folded[:1], folded[-1:]))
    return _Chunk(tuple(words), tuple(extras), first, last)


def _fold(text: str) -> str:
    if text.isascii():
        return text.lower().replace("`", "'")
    text = text.encode("utf-8", "ignore").decode().translate(_APOSTROPHES)
    text = unicodedata.normalize("NFKD", text).casefold().translate(_FOLDED)
    kept = (char for char in text if unicodedata.combining(char) in _KEPT_MARKS)
    return unicodedata.normalize("NFC", "".join(kept))


def _spellings(chunk: str, parts: list[str]) -> list[str]:
    """Other spellings of a chunk whose words are `parts`."""
    if chunk in ("&", "+"):
        return ["and"]
    if not parts or _UNSPACED_RUN.search(chunk):
        return []
    split = _PART.findall(chunk) if "'" in chunk else []
    styled = _STYLED_I.sub("i", chunk.replace("'", "").replace("$", "s"))
    joined = "".join(_PART.findall(styled))[:_MAX_WORD]
    return [*split, joined] if [joined] != parts else split


# --- building ---

_BATCH = 20_000  # names
_HEAP = 128_000_000  # bytes the writer may hold before it writes a segment
_FIELDS = ("name", "title", "artist", "album")
_HEAD = 1 << 16  # ids searched first
_Document = list[tuple[str, str]]  # fields and their texts
_STARTS = (1, 2)  # characters; beginnings of so many words that they are indexed as terms


def build_index(
    folder: Path,
    *,
    titles: Any,
    artists: Any,
    albums: Any = None,
    artist_names: Any,
    progress: Progress = SILENT,
) -> None:
    """Write the search index of a dataset into `folder/tracks` and `folder/artists`.

    Memory grows with the number of distinct words only. Answers are the same for the same names,
    the names of the files are not.

    Parameters
    ----------
    folder : Path
        Created where missing; holds no index yet.
    titles, artists, albums : pyarrow array or sequence of (str or None), length n_tracks
        Of each track, in the order of ids: by falling popularity. Albums may be None as a whole.
    artist_names : pyarrow array or sequence of (str or None), length n_artists
        In the order of artist ids: by falling popularity.
    """
    tracks = {"title": _column(titles), "artist": _column(artists)}
    if albums is not None:
        tracks["album"] = _column(albums)
    if len({len(column) for column in tracks.values()}) != 1:
        raise ValueError("titles, artists and albums differ in length")
    names = {"title": _column(artist_names)}
    share = len(titles) / max(len(titles) + len(artist_names), 1)
    _write(folder / "tracks", tracks, progress.within(0.0, share, "search index"), "tracks")
    _write(folder / "artists", names, progress.within(share, 1.0, "search index"), "artists")


def _column(texts: Any) -> Any:
    return texts if isinstance(texts, pa.Array | pa.ChunkedArray) else pa.array(texts, pa.string())


def _write(folder: Path, columns: Mapping[str, Any], progress: Progress, label: str) -> None:
    """Write `folder/names`, and `folder/words` to correct typos with."""
    fields = dict.fromkeys((*_FIELDS, *map(_starts_of, _FIELDS), "marks"), "whitespace")
    searcher = _write_documents(folder / "names", fields, _name_documents(columns, progress, label))
    words = sorted(searcher.terms_with_prefix("name", ""), key=lambda term: (-term[1], term[0]))
    documents = ([("word", word)] for word, _ in words if len(word) >= _TYPO_FROM)
    _write_documents(folder / "words", {"word": "raw"}, documents)


def _name_documents(
    columns: Mapping[str, Any], progress: Progress, label: str
) -> Iterator[_Document]:
    n = len(columns["title"])
    for start in progress.track(range(0, n, _BATCH), label):
        texts = {name: part.slice(start, _BATCH).to_pylist() for name, part in columns.items()}
        songs = song_title(texts["title"])
        for number, (song, *row) in enumerate(zip(songs, *texts.values(), strict=True), start):
            document: _Document = []
            for field, text in zip(texts, row, strict=True):
                document += _indexed(field, text or "")
            artist = row[1] if len(row) > 1 else None
            marks = _sizes(row[0] or "", song, artist or "") + ["head"] * (number < _HEAD)
            yield [*document, ("marks", " ".join(marks))]


def _indexed(field: str, text: str) -> _Document:
    """What is indexed of a text: its words and their beginnings."""
    words = [*chain(*analyse(text))]
    terms = " ".join(words)
    starts = " ".join({word[:length] for length in _STARTS for word in words})
    fields = (field,) if field == "album" else (field, "name")
    return [(to, terms) for to in fields] + [(_starts_of(to), starts) for to in fields]


def _sizes(title: str, song: str, artist: str) -> list[str]:
    """How many words the title, the artist's name, and both together have, as terms.

    The title counts with and without its version mark.
    """
    of_artist = analyse(artist).words
    sizes = [f"a{len(of_artist)}"]
    for words in {analyse(title).words, analyse(song).words}:
        sizes += [f"t{len(words)}", f"b{len({*words, *of_artist})}"]
    return sizes


def _starts_of(field: str) -> str:
    return f"{field}_starts"


def _write_documents(
    folder: Path, fields: Mapping[str, str], documents: Iterable[_Document]
) -> "Searcher":
    """Write one index of text fields, given with their tokenizers; the id is the row."""
    import tantivy

    schema = tantivy.SchemaBuilder()
    for field, tokenizer in fields.items():
        stored = tokenizer == "raw"
        schema.add_text_field(field, stored, tokenizer_name=tokenizer, index_option="basic")
    schema.add_unsigned_field("id", fast=True)
    folder.mkdir(parents=True)
    index = tantivy.Index(schema.build(), path=str(folder))
    writer = index.writer(_HEAP, num_threads=1)
    for row, texts in enumerate(documents):
        document = tantivy.Document()
        for field, text in texts:
            document.add_text(field, text)
        document.add_unsigned("id", row)
        writer.add_document(document)
    writer.commit()
    writer.wait_merging_threads()
    index.reload()
    searcher = index.searcher()
    for file in folder.iterdir():
        # tantivy makes some files readable for their owner alone, and leaves its locks.
        if file.suffix == ".lock":
            file.unlink()
        else:
            file.chmod(0o644)
    return searcher


# --- searching ---

_Match = Callable[[str], "Query"]
"""From a field to the query for the names that match in it."""


class SearchIndex:
    """The search index of a dataset, opened; safe to share between threads.

    Parameters
    ----------
    folder : Path
        What `build_index` wrote.

    Raises
    ------
    SegueError
        If there is no index, or one that the installed tantivy cannot read.
    """

    def __init__(self, folder: Path) -> None:
        recover(folder.parent)  # a join may have been killed while it replaced the index
        self._tracks = _Names(folder / "tracks")
        self._artists = _Names(folder / "artists")

    def tracks(self, query: str, limit: int = 50) -> list[int]:
        """Find at most `limit` tracks, as ids, best first."""
        return self._tracks.search(query, limit)

    def artists(self, query: str, limit: int = 10) -> list[int]:
        """Find at most `limit` artists, as ids, best first."""
        return self._artists.search(query, limit)


class _Opened:
    """A tantivy index, opened for reading."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self._links: tempfile.TemporaryDirectory[str] | None = None
        self._ascending = tantivy.Order.Asc
        try:
            index = tantivy.Index.open(str(self._lockable(folder)))
        except (ValueError, OSError) as error:
            raise SegueError(
                f"The search index {folder} cannot be read ({error}); import the dataset again."
            ) from error
        self.schema, self._searcher = index.schema, index.searcher()

    def _lockable(self, folder: Path) -> Path:
        """The folder or, where tantivy could not write its lock, one that links to its files."""
        if not folder.is_dir() or os.access(folder, os.W_OK):
            return folder
        self._links = tempfile.TemporaryDirectory(prefix="segue-search-")
        links = Path(self._links.name)
        for file in folder.iterdir():
            if file.suffix != ".lock":  # which another user may have left, not to be written
                (links / file.name).symlink_to(file.resolve())
        return links

    def first(self, query: "Query", limit: int) -> list[tuple[int, "DocAddress"]]:
        """The smallest ids that match, and where they are stored."""
        found = self._searcher.search(
            query, limit, count=False, order_by_field="id", order=self._ascending
        )
        return found.hits

    def stored(self, address: "DocAddress", field: str) -> str:
        return self._searcher.doc(address)[field][0]


class _Tier(NamedTuple):
    """What to look for next, unless `enough` names are found already."""

    names: "Query"
    whole: Callable[[], "Query"]
    enough: int


class _Names:
    """Names of one kind and the words in them: finds ids."""

    def __init__(self, folder: Path) -> None:
        import tantivy

        self._make = tantivy.Query
        self._must, self._should = tantivy.Occur.Must, tantivy.Occur.Should
        self._names, self._words = _Opened(folder / "names"), _Opened(folder / "words")

    def search(self, text: str, limit: int) -> list[int]:
        words = analyse(text[:_MAX_QUERY]).words[:_MAX_QUERY_WORDS]
        if not words or limit < 1:
            return []
        first = self._first_in_head if len(words) <= _ABUNDANT else self._first
        found: dict[int, None] = {}
        for tier in self._tiers(words, limit):
            if len(found) >= tier.enough:
                break
            # The best n of a tier are among the n smallest ids of its names and the n smallest of
            # its whole matches. At least two, so that one alone needs no order.
            n = max(limit + len(found), 2)
            places = {number: number + 1.0 for number in first(tier.names, n)}
            if len(places) > 1:
                places |= {number: (number + 1) / WHOLE for number in first(tier.whole(), n)}
            found |= dict.fromkeys(sorted(places, key=places.__getitem__))
        return list(found)[:limit]

    def _tiers(self, words: Sequence[str], limit: int) -> Iterator[_Tier]:
        exact: list[_Match] = [partial(self._exact, word) for word in words]
        typed: list[_Match] = [*exact[:-1], partial(self._beginning, words[-1])]
        few = min(limit, max(FEW // len(words), 1))

        def tier(match: _Match, enough: int) -> _Tier:
            return _Tier(match("name"), partial(self._whole, match, len(words)), enough)

        yield tier(partial(self._all, exact), limit)
        yield tier(partial(self._all, typed), limit)
        yield _Tier(self._in_album_too(typed), self._make.empty_query, limit)
        near = [self._corrected(word, 1) for word in words]
        yield tier(partial(self._one_typo, exact, near), few)
        near[-1] = self._corrected(words[-1], 1, unfinished=True)
        yield tier(partial(self._one_typo, typed, near), few)
        near = [self._corrected(word, 2) for word in words]
        near[-1] = self._corrected(words[-1], 2, unfinished=True)
        yield tier(partial(self._any_typos, typed, near), few)

    def _first(self, query: "Query", limit: int) -> list[int]:
        """The smallest ids that match."""
        return [number for number, _ in self._names.first(query, limit)]

    def _first_in_head(self, query: "Query", limit: int) -> list[int]:
        """The same, found sooner where matches abound."""
        found = self._first(self._and([query, self._exact("head", "marks")]), limit)
        return found if len(found) == limit else self._first(query, limit)

    # One word.

    def _exact(self, word: str, field: str) -> "Query":
        return self._make.term_query(self._names.schema, field, word, index_option="basic")

    def _beginning(self, word: str, field: str) -> "Query":
        if len(word) in _STARTS:
            return self._exact(word, _starts_of(field))
        return self._make.fuzzy_term_query(self._names.schema, field, word, distance=0, prefix=True)

    def _corrected(self, word: str, typos: int, unfinished: bool = False) -> _Match:
        """One of the most frequent words at most so many typos away; two in long words only."""
        if len(word) < _TYPO_FROM or word.isdigit():
            return partial(self._any, [])
        query = self._make.fuzzy_term_query(
            self._words.schema,
            "word",
            word,
            distance=typos if len(word) >= _TWO_TYPOS_FROM else 1,
            prefix=unfinished and len(word) >= _UNFINISHED_TYPO_FROM,
        )
        found = self._words.first(query, _CORRECTIONS)
        corrections = {self._words.stored(address, "word") for _, address in found} - {word}
        return partial(self._any, [partial(self._exact, other) for other in corrections])

    # Several words.

    def _all(self, words: Sequence[_Match], field: str) -> "Query":
        return self._and([word(field) for word in words])

    def _any(self, words: Sequence[_Match], field: str) -> "Query":
        return self._or([word(field) for word in words])

    def _one_typo(
        self, right: Sequence[_Match], corrected: Sequence[_Match], field: str
    ) -> "Query":
        """All words right but for one, and that one corrected."""
        return self._or(
            [
                self._all([*right[:i], word, *right[i + 1 :]], field)
                for i, word in enumerate(corrected)
            ]
        )

    def _any_typos(
        self, right: Sequence[_Match], corrected: Sequence[_Match], field: str
    ) -> "Query":
        """Each word right or corrected."""
        return self._and([self._any(pair, field) for pair in zip(right, corrected, strict=True)])

    def _in_album_too(self, words: Sequence[_Match]) -> "Query":
        return self._and([self._or([word("name"), word("album")]) for word in words])

    def _whole(self, match: _Match, n_words: int) -> "Query":
        """Names without other words: in the title, in the artist's name, or in both together."""
        sizes = {"title": f"t{n_words}", "artist": f"a{n_words}", "name": f"b{n_words}"}
        return self._or(
            [self._and([match(field), self._exact(size, "marks")]) for field, size in sizes.items()]
        )

    def _and(self, queries: Iterable["Query"]) -> "Query":
        return self._make.boolean_query([(self._must, query) for query in queries])

    def _or(self, queries: Iterable["Query"]) -> "Query":
        return self._make.boolean_query([(self._should, query) for query in queries])
