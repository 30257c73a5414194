"""What people call their playlists."""

from dataclasses import dataclass
from datetime import datetime

from core.dataset.sources.simulated.words import (
    ARTIST_PLAYLISTS,
    ERA_PLAYLISTS,
    FAMILY_TERMS,
    GENERIC_PLAYLISTS,
    GENRE_PLAYLISTS,
    MOODS,
    SEASONAL_PLAYLISTS,
)

MOOD_NAMES = tuple(MOODS)
_EMOJI = ("❤️", "✨", "🔥", "🎶", "🎧", "🌴", "💀", "🤠", "🕺", "🎸", "👑", "🌊")


@dataclass(frozen=True)
class Topic:
    """What a playlist is about; its kind says which of the fields matter."""

    kind: str
    style: str
    family: str
    mood: str
    artist: str
    year: int
    begun: datetime


def called(topic: Topic, chance: list[float]) -> str | None:
    """A playlist's title, or None.

    Parameters
    ----------
    topic : Topic
    chance : list of 8 floats
        Uniform on (0, 1).
    """
    if chance[0] < 0.045:
        return None
    return _styled(_plain(topic, chance[1], chance[2], chance[3]), topic, chance[4:])


def _pick(options: tuple[str, ...], chance: float) -> str:
    return options[int(chance * len(options))]


def _plain(topic: Topic, sort: float, chance: float, other: float) -> str:
    if (topic.kind == "mix" and sort < 0.75) or sort < 0.08:
        return _pick(GENERIC_PLAYLISTS, chance)
    if sort < 0.15:
        return _dated(_pick(SEASONAL_PLAYLISTS, chance), topic)
    if topic.kind == "artist":
        return _pick(ARTIST_PLAYLISTS, chance).format(artist=topic.artist)
    if topic.kind == "era":
        term = _pick(FAMILY_TERMS.get(topic.family, (topic.family,)), other)
        decade = (
            f"{topic.year // 10 * 10 % 100:02d}s" if other < 0.8 else f"{topic.year // 10 * 10}s"
        )
        pattern = _pick(ERA_PLAYLISTS, chance)
        return pattern.format(genre=term, decade=decade, year=topic.year)
    if topic.kind == "mood":
        return _pick(MOODS[topic.mood][0], chance)
    terms = (topic.style,) * 4 + FAMILY_TERMS.get(topic.family, (topic.family,))[:2]
    return _pick(GENRE_PLAYLISTS, chance).format(genre=_pick(terms, other))


def _dated(pattern: str, topic: Topic) -> str:
    date = topic.begun
    return pattern.format(year=date.year, short=f"{date:%y}", month=f"{date:%B}")


def _styled(title: str, topic: Topic, chance: list[float]) -> str:
    """Case, an emoji, a slip of the finger: as people write."""
    case, emoji, which, slip = chance
    if case < 0.25:
        title = title.lower()
    elif case < 0.40:
        title = title.title()
    elif case < 0.44:
        title = title.upper()
    if slip < 0.02 and len(title) > 4:
        place = 1 + int(slip / 0.02 * (len(title) - 3))
        title = title[:place] + title[place + 1] + title[place] + title[place + 2 :]
    elif slip > 0.97:
        title += "!"
    if emoji < (0.3 if topic.kind == "mood" else 0.05):
        title += " " + _pick(MOODS[topic.mood][1] if topic.kind == "mood" else _EMOJI, which)
    return title
