"""What is kept of an answer on a track, an artist or a sound: what is known, by field."""

import math
import re
from collections.abc import Mapping
from typing import Any

from core.dataset.schema import AUDIO_FEATURES
from core.spotify.enrichment.notebook import Answer
from core.spotify.objects import read_track

_OF_TRACK = ("album", "duration_ms", "year", "popularity", "explicit", "artist", "artist_uri")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")


def track_answer(raw: Any) -> Answer:
    """Of a track object: album, duration_ms, year, popularity, explicit, artist, artist_uri."""
    track = read_track(raw)
    if isinstance(track, str):
        return {}
    row = track.row
    return _known({name: row[name] for name in _OF_TRACK} | {"album": _text(row["album"])})


def artist_answer(raw: Any) -> Answer:
    """Of an artist object: genres as one text, followers, popularity."""
    if not isinstance(raw, Mapping):
        return {}
    genres, followers = raw.get("genres"), raw.get("followers")
    names = [_text(genre) for genre in genres] if isinstance(genres, list) else []
    total = _number(followers.get("total"), 0) if isinstance(followers, Mapping) else None
    return _known(
        {
            "genres": ", ".join(filter(None, names)) or None,
            "followers": None if total is None else int(total),
            "popularity": _number(raw.get("popularity"), 0, 100),
        }
    )


def features_answer(raw: Any) -> Answer:
    """Of an object with audio features, which all sources name alike.

    A number that is out of range is for the join to refuse and count.
    """
    if not isinstance(raw, Mapping):
        return {}
    return _known({name: _number(raw.get(name)) for name in AUDIO_FEATURES})


def _known(fields: Mapping[str, Any]) -> Answer:
    return {name: value for name, value in fields.items() if value is not None}


def _text(value: Any) -> str | None:
    return (_CONTROL.sub(" ", value).strip() or None) if isinstance(value, str) else None


def _number(value: Any, low: float = -math.inf, high: float = math.inf) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) and low <= value <= high else None
