"""One way to compare names: the same DuckDB macros in bulk and for a single query.

`normal(x)`: lower case, accents stripped, everything but letters, digits and symbols (emoji among
them) turned into single spaces. `song(x)`: `normal` of a track title without what only marks a
version or guests, so that "Heroes - 2017 Remaster" and "Heroes (feat. X) [Live]" are one song.
"""

import threading
from collections.abc import Iterable
from functools import cache, lru_cache

import duckdb
import pyarrow as pa

_VERSION_WORDS = (
    r"re-?master(ed)?|remastering|live|radio|mono|stereo|acoustic|unplugged|demo|bonus|deluxe|"
    r"explicit|clean|edit|extended|(single|album|original|full|long|short|studio)"
    r"( (version|mix|edit))|version|anniversary|sessions?|re-?recorded|from"
)
_GUESTS = r"(feat|ft|featuring)\b\.?"

MACROS = rf"""
CREATE OR REPLACE TEMP MACRO plain(x) AS
    trim(regexp_replace(
        translate(replace(replace(replace(strip_accents(x),
            'ß', 'ss'), 'æ', 'ae'), 'œ', 'oe'), 'øłđðıþ’''', 'olddit'),
        '[^\p{{L}}\p{{N}}\p{{M}}\p{{So}}]+', ' ', 'g'));
CREATE OR REPLACE TEMP MACRO normal(x) AS
    CASE WHEN regexp_full_match(lower(x), '[a-z0-9]+( [a-z0-9]+)*') THEN lower(x)
    ELSE plain(lower(x)) END;
CREATE OR REPLACE TEMP MACRO unmarked(x) AS
    regexp_replace(regexp_replace(regexp_replace(x,
        '\s*[(\[]\s*({_GUESTS}|with\b)[^)\]]*[)\]]', '', 'g'),
        '\s*[(\[][^)\]]*\b({_VERSION_WORDS})\b[^)\]]*[)\]]', '', 'g'),
        '\s+[-–—/]\s+([^-–—]*\b({_VERSION_WORDS})\b.*|{_GUESTS}.*)$|\s+{_GUESTS}.*$', '');
CREATE OR REPLACE TEMP MACRO song(x) AS
    CASE WHEN regexp_matches(x, '[(\[]|\s[-–—/]\s|(?i)\sf(ea)?t')
    THEN coalesce(nullif(normal(unmarked(lower(x))), ''), normal(x)) ELSE normal(x) END;
"""
"""SQL that defines `normal` and `song`; RE2 syntax."""

_lock = threading.Lock()


@cache
def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute(MACROS)
    return connection


def _apply(macro: str, texts: Iterable[str | None]) -> list[str]:
    column = pa.table({"x": pa.array(texts, pa.string())})
    with _lock:
        # DuckDB finds the table by the name of the variable.
        result = _connection().from_arrow(column).project(f"coalesce({macro}(x), '')")
        return [value for (value,) in result.fetchall()]


def normalise(texts: Iterable[str | None]) -> list[str]:
    """Names as they are compared: see `normal` above; null becomes the empty string."""
    texts = list(texts)
    return [_normal(texts[0])] if len(texts) == 1 else _apply("normal", texts)


@lru_cache(1024)
def _normal(text: str | None) -> str:
    """One text: several models ask for the title of a query one after the other."""
    return _apply("normal", [text])[0]


def song_title(texts: Iterable[str | None]) -> list[str]:
    """Track titles without version and guest marks, normalised; null becomes empty."""
    return _apply("song", texts)
