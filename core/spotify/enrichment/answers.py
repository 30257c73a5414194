"""What is kept of an answer on a track, an artist or a sound: what is known, by field."""

from collections.abc import Mapping
from typing import Any

from core.dataset.schema import AUDIO_FEATURES
from core.spotify.enrichment.notebook import Answer
from core.spotify.objects import followers_of, number, percent, read_track, text

_OF_TRACK = ("album", "duration_ms", "year", "popularity", "explicit", "artist", "artist_uri")


def track_answer(raw: Any) -> Answer:
    """Of a track object: album, duration_ms, year, popularity, explicit, artist, artist_uri."""
    track = read_track(raw)
    if isinstance(track, str):
        return {}
    return _known({name: track.row[name] for name in _OF_TRACK})


def artist_answer(raw: Any) -> Answer:
    """Of an artist object: genres as one text, followers, popularity."""
    if not isinstance(raw, Mapping):
        return {}
    genres = raw.get("genres")
    names = [text(genre) for genre in genres] if isinstance(genres, list) else []
    return _known(
        {
            "genres": ", ".join(filter(None, names)) or None,
            "followers": followers_of(raw),
            "popularity": percent(raw.get("popularity")),
        }
    )


def features_answer(raw: Any) -> Answer:
    """Of an object with audio features, which all sources name alike.

    A number that is out of range is for the join to refuse and count.
    """
    if not isinstance(raw, Mapping):
        return {}
    return _known({name: number(raw.get(name)) for name in AUDIO_FEATURES})


def _known(fields: Mapping[str, Any]) -> Answer:
    return {name: value for name, value in fields.items() if value is not None}
