"""What artists, songs, albums and links are called: made on demand from ids, never stored."""

import math
import re
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from core.dataset.sources.simulated.catalogue import (
    FAMILY_NAMES,
    FAMILY_OF_STYLE,
    STYLE_NAMES,
    Catalogue,
)
from core.dataset.sources.simulated.words import (
    ALBUM_MARKS,
    ALBUMS,
    FAMILIES,
    POOLS,
    TITLES,
    VERSION_MARKS,
    VERSIONS,
)

_ROOMY = "{first} {onset}{middle}{coda}"
"""Takes over where a pattern's names are used up."""
_OWN_WORDS = 0.4
_LOWER_CASE = np.isin(STYLE_NAMES, ["bedroom pop", "lo-fi beats", "indie folk"])
_BASE62 = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", np.uint8)
_URI_DIGITS = 8
_URI_SPACE = np.uint64(2**47 - 1)  # below 62^8
_URI_FACTOR = np.uint64(0x5DEECE66D9)


@cache
def _pieces(pattern: str) -> tuple[str, ...]:
    """Literals at even, pool names at odd places."""
    return tuple(re.split(r"\{(\w+)\}", pattern))


@cache
def combinations(pattern: str) -> int:
    """How many different phrases a pattern has; a pool used twice gives two different words."""
    pools = _pieces(pattern)[1::2]
    return math.prod(
        len(POOLS[pool]) - pools[:place].count(pool) for place, pool in enumerate(pools)
    )


def phrases(pattern: str, serial: np.ndarray) -> pa.Array:
    """The phrases of a pattern; serial numbers closer than `combinations` give different ones."""
    total = combinations(pattern)
    step = round(total * 0.6180339887) | 1
    while math.gcd(step, total) > 1:
        step += 2
    left = (serial.astype(np.uint64) % np.uint64(total)) * np.uint64(step) % np.uint64(total)
    taken: dict[str, np.ndarray] = {}
    parts: list[pa.Array | pa.Scalar] = []
    for place, piece in enumerate(_pieces(pattern)):
        if place % 2 == 0:
            parts.append(pa.scalar(piece))
            continue
        size = len(POOLS[piece])
        again = piece in taken
        left, digit = np.divmod(left, np.uint64(size - again))
        if again:
            digit = (taken[piece] + 1 + digit) % np.uint64(size)
        taken[piece] = digit
        parts.append(pa.array(POOLS[piece]).take(pa.array(digit)))
    return pc.binary_join_element_wise(*parts, "")


def compose(patterns: Sequence[str], which: np.ndarray, serial: np.ndarray) -> pa.Array:
    """For each row the phrase with its serial number of the pattern of that index."""
    order = np.argsort(which, kind="stable")
    counts = np.bincount(which, minlength=len(patterns))
    groups = np.split(order, np.cumsum(counts)[:-1])
    parts = [phrases(patterns[i], serial[rows]) for i, rows in enumerate(groups) if len(rows)]
    if not parts:
        return pa.array([], pa.string())
    back = np.empty(len(which), dtype=np.int64)
    back[order] = np.arange(len(which))
    return pa.concat_arrays(parts).take(pa.array(back))


def uris(kind: str, ids: np.ndarray) -> pa.Array:
    """Links such as segue:track:0Zk3x9Qa: one to one, and without any order."""
    code = (ids.astype(np.uint64) + np.uint64(1)) * _URI_FACTOR & _URI_SPACE
    prefix = np.frombuffer(f"segue:{kind}:".encode(), np.uint8)
    text = np.empty((len(ids), len(prefix) + _URI_DIGITS), np.uint8)
    text[:, : len(prefix)] = prefix
    for place in range(1, _URI_DIGITS + 1):
        code, digit = np.divmod(code, np.uint64(62))
        text[:, -place] = _BASE62[digit]
    offsets = np.arange(len(ids) + 1, dtype=np.int32) * text.shape[1]
    return pa.StringArray.from_buffers(len(ids), pa.py_buffer(offsets), pa.py_buffer(text))


class Names:
    """Names of a catalogue's artists, tracks and albums.

    Parameters
    ----------
    catalogue : Catalogue
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._noise = catalogue.noise
        own = [FAMILIES[name]["artists"] for name in FAMILY_NAMES]
        self._artist_patterns = [*dict.fromkeys(sum(own, ())), _ROOMY]
        self._artist_pattern, self._artist_serial = self._number_artists(own)
        self._title_patterns = [*TITLES]
        self._own_titles = []
        for name in FAMILY_NAMES:
            titles = FAMILIES[name]["titles"]
            self._own_titles.append((len(self._title_patterns), len(titles)))
            self._title_patterns.extend(titles)

    def _number_artists(self, own: list[tuple[str, ...]]) -> tuple[np.ndarray, np.ndarray]:
        """Give each artist a pattern, and a number among the pattern's artists."""
        family = FAMILY_OF_STYLE[self._catalogue.style]
        drawn = self._noise.uniform("name", self._catalogue.artists)
        pattern = np.zeros(len(family), dtype=np.int16)
        for number, patterns in enumerate(own):
            rows = family == number
            ids = np.array([self._artist_patterns.index(pattern) for pattern in patterns])
            pattern[rows] = ids[(drawn[rows] * len(ids)).astype(int)]
        serial = _serial_within(pattern)
        room = np.array([combinations(pattern) for pattern in self._artist_patterns])
        pattern[serial >= room[pattern]] = len(self._artist_patterns) - 1
        return pattern, _serial_within(pattern)

    def artists(self, ids: np.ndarray) -> pa.Array:
        """Names of artists."""
        return compose(self._artist_patterns, self._artist_pattern[ids], self._artist_serial[ids])

    def titles(self, tracks: np.ndarray) -> pa.Array:
        """Titles of tracks: versions carry their song's title and a mark."""
        songs = self._songs(self._catalogue.root[tracks])
        marks = self._marks(VERSION_MARKS, tracks)
        return pc.binary_join_element_wise(songs, marks, "")

    def albums(self, tracks: np.ndarray) -> pa.Array:
        """Titles of albums, about half of them named after one of their songs."""
        catalogue = self._catalogue
        album = catalogue.album(tracks)
        which = (self._noise.uniform("album", album) * len(ALBUMS)).astype(int)
        own = self._noise.uniform("title track", album) < 0.5
        names = pc.if_else(
            pa.array(own), self._songs(catalogue.root[album]), compose(ALBUMS, which, album)
        )
        return pc.binary_join_element_wise(names, self._marks(ALBUM_MARKS, tracks), "")

    def _songs(self, roots: np.ndarray) -> pa.Array:
        style = self._catalogue.style[self._catalogue.artist[roots]]
        drawn = self._noise.uniform("title", roots)
        start, count = np.array(self._own_titles)[FAMILY_OF_STYLE[style]].T
        which = np.where(
            drawn < _OWN_WORDS,
            start + (drawn / _OWN_WORDS * count).astype(int),
            ((drawn - _OWN_WORDS) / (1 - _OWN_WORDS) * len(TITLES)).astype(int),
        )
        songs = compose(self._title_patterns, which, roots)
        small = _LOWER_CASE[style] & (
            self._noise.uniform("case", self._catalogue.artist[roots]) < 0.5
        )
        return pc.if_else(pa.array(small), pc.utf8_lower(songs), songs)

    def _marks(self, marks: Sequence[str], tracks: np.ndarray) -> pa.Array:
        """What stands behind a version's title; empty for originals."""
        kind = self._catalogue.version(tracks) + 1
        heads, _, tails = zip(*(mark.partition("{}") for mark in ("", *marks)), strict=True)
        open_marks = [number for number, mark in enumerate(marks, 1) if "{}" in mark]
        filling = np.full(len(tracks), "", dtype=object)
        for number in open_marks:
            rows = np.flatnonzero(kind == number)
            filling[rows] = self._fillings(VERSIONS[number - 1], tracks[rows]).to_pylist()
        return pc.binary_join_element_wise(
            pa.array(heads).take(pa.array(kind)),
            pa.array(filling, pa.string()),
            pa.array(tails).take(pa.array(kind)),
            "",
        )

    def _fillings(self, version: str, tracks: np.ndarray) -> pa.Array:
        """The guest, place or year that a version's mark names."""
        drawn = self._noise.uniform(version, tracks)
        if version == "guest":
            return self.artists((drawn * len(self._catalogue.artists)).astype(int))
        if version == "live at":
            return pa.array(POOLS["city"]).take(pa.array((drawn * len(POOLS["city"])).astype(int)))
        return pa.array(2002 + (drawn * 22).astype(int)).cast(pa.string())


def _serial_within(group: np.ndarray) -> np.ndarray:
    """Each row's number among the rows of its group, in order, int64."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], group[order], side="left")
    serial = np.empty(len(group), dtype=np.int64)
    serial[order] = np.arange(len(group)) - starts
    return serial
